"""Awkward tables of a user's own, all in one project: each goes from its file to an answer over REST."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import Project, checkout

pytestmark = pytest.mark.xdist_group("awkward")

Make = Callable[[Path, np.random.Generator], pd.Series]
"""Writes a file and gives its target, as it is written there."""


def euro(values: np.ndarray) -> list[str]:
    return [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in values]


def german(folder: Path, random: np.random.Generator) -> pd.Series:
    """Semicolons, decimal commas, thousands with points, the Windows code page, accents and a currency sign."""
    y = random.choice(["gekündigt", "treu"], 200)
    table = pd.DataFrame(
        {
            "Straße, Nr.": random.choice(["Müllerstraße 1", "Platz 2"], 200),
            "Umsatz in €": euro(random.exponential(900, 200) + 3000 * (y == "treu")),
            "Größe": euro(random.normal(size=200)),
            "Kündigung?": y,
        }
    )
    (folder / "german.csv").write_bytes(table.to_csv(index=False, sep=";").encode("cp1252"))
    return table["Kündigung?"]


def dates(folder: Path, random: np.random.Generator) -> pd.Series:
    """A byte-order mark, days first, booleans, whole numbers with gaps, and codes with leading zeros."""
    y = random.choice(["1", "0"], 200)
    begun = pd.to_datetime("2023-01-01") + pd.to_timedelta(random.integers(0, 300, 200) + 400 * (y == "1"), unit="D")
    table = pd.DataFrame(
        {
            "begun": begun.strftime("%d/%m/%Y %H:%M"),
            "active": random.choice(["True", "False"], 200),
            "visits": [random.choice(["NA", "", str(count)]) for count in random.poisson(4, 200)],
            "zip": [f"{code:05d}" for code in random.integers(1000, 1020, 200)],
            "left": y,
        }
    )
    table.to_csv(folder / "dates.csv", index=False, encoding="utf-8-sig")
    return table["left"]


def notes(folder: Path, random: np.random.Generator) -> pd.Series:
    """Free text beside numbers, with line breaks and quotes in it, and labels that look like something else."""
    y = random.choice(["None", "NA", "1"], 240)
    told = {"None": 'nothing was "said", at all', "NA": "answer could\nnot be given", "1": "très bien, 満足 indeed"}
    said = [f"{told[label]} {' '.join(random.choice(['we', 'they', 'went', 'home', 'early'], 4))}" for label in y]
    table = pd.DataFrame({"note": said, "stars": random.integers(1, 6, 240), "verdict": y})
    table.to_csv(folder / "notes.csv", index=False)
    return table["verdict"]


def wide(folder: Path, random: np.random.Generator) -> pd.Series:
    """Thirty rows of five hundred columns."""
    y = np.array(["True", "False"] * 15)
    numbers = random.normal(size=(30, 500)) + 2.0 * (y == "True")[:, None]
    table = pd.DataFrame(numbers.round(3), columns=[f"c{place}" for place in range(500)]).assign(y=y)
    table.to_csv(folder / "wide.csv", index=False)
    return table["y"]


def rare(folder: Path, random: np.random.Generator) -> pd.Series:
    """A class of one row in a thousand; names that differ in case only or hold signs; tabs, and compressed."""
    y = np.where(np.arange(4000) % 1000 == 7, " rare ", "-")
    heads = ["Size", "size", "a.b", "it's", 'the "best"', "Größe in €", "c0", "$ {x}", "probability_-"]
    table = pd.DataFrame({name: random.normal(size=4000) + 4 * (y == " rare ") for name in heads}).round(3).assign(y=y)
    with gzip.open(folder / "rare.csv.gz", "wt", encoding="utf-8", newline="") as file:
        table.to_csv(file, index=False, sep="\t")
    return table["y"]


def useless(folder: Path, random: np.random.Generator) -> pd.Series:
    """Native types, with columns that are constant, empty, doubled or only name their row."""
    y = random.choice([True, False], 200)
    x = random.normal(size=200) + 6 * y
    table = pd.DataFrame(
        {
            "customer_id": np.arange(200) + 100,
            "x": np.where(random.random(200) < 0.1, np.nan, x),
            "same": "always",
            "x again": 0.0,
            "nothing": pd.Series([None] * 200, dtype=object),
            "seen": pd.to_datetime("2024-03-01", utc=True) + pd.to_timedelta(random.integers(0, 9**6, 200), unit="s"),
            "flag": pd.array(random.choice([True, False, None], 200), dtype="boolean"),
            "left": y,
        }
    )
    table["x again"] = table["x"]
    table.to_parquet(folder / "useless.parquet")
    return table["left"].map(str)


TABLES: dict[str, Make] = {
    "german": german, "dates": dates, "notes": notes, "wide": wide, "rare": rare, "useless": useless,
}  # fmt: skip
FILES = {"useless": "useless.parquet", "rare": "rare.csv.gz"}
TARGETS = {"german": '"Kündigung?"', "dates": "left", "notes": "verdict", "useless": "left"}
DROPPED = {
    "useless": {"customer_id", "same", "x again", "nothing"},
}
KINDS = {
    "german": ["category", "number", "number"],
    "dates": ["time", "boolean", "number", "category"],
    "notes": ["text", "number"],
    "wide": ["number"] * 500,
    "rare": ["number"] * 9,
    "useless": ["number", "time", "boolean"],
}

MADE = """
import sys
from data.__main__ import app as data
from registry.__main__ import app as registry
from training.__main__ import app as training

for task in sys.argv[1:]:
    for app, command in ((data, ["fetch", task]), (data, ["prepare", task]), (training, ["train", f"{task}-logistic"]),
                         (registry, ["register", task])):
        app(command, standalone_mode=False)
"""
SERVED = """
import json, sys, threading, time
import mlflow, requests, uvicorn
from mlflow.pyfunc import scoring_server

asked = json.load(open("asked.json", encoding="utf-8"))
answers = {}
for port, (task, rows) in enumerate(asked.items(), start=5101):
    model = mlflow.pyfunc.load_model(f"models:/{task}/Production")
    server = uvicorn.Server(uvicorn.Config(scoring_server.init(model), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    response = requests.post(f"http://127.0.0.1:{port}/invocations", json={"dataframe_records": rows}, timeout=60)
    answers[task] = response.json()["predictions"] if response.status_code == 200 else response.text
    server.should_exit = True
    thread.join()
json.dump(answers, open("answers.json", "w", encoding="utf-8"))
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, pd.Series], str]:
    """A project of all the tables after the stages' commands, in one process; the targets; and what was printed."""
    root = tmp_path_factory.mktemp("awkward") / "project"
    root.mkdir()
    project = checkout(root)
    targets = {name: make(root, np.random.default_rng(0)) for name, make in TABLES.items()}
    lines = ["seed: 3", "tasks:"]
    for name in TABLES:
        place = FILES.get(name, f"{name}.csv")
        lines.append(f"  {name}: {{source: {{path: {place}}}, target: {TARGETS.get(name, 'y')}}}")
    lines += ["gate: {resamples: 100}", "models:"]
    lines += [f"  {name}-logistic: {{task: {name}, family: logistic, params: {{C: 100.0}}}}" for name in TABLES]
    project.write("params.yaml", "\n".join(lines) + "\n")
    project.commit("Awkward tables")
    return project, targets, project.ok("python", "-W", "ignore", "-c", MADE, *TABLES)


@pytest.fixture(scope="module")
def answers(done: tuple[Project, dict[str, pd.Series], str]) -> dict[str, Any]:
    """What each task's version answers over HTTP: to its first test rows, and to a row without any value."""
    project = done[0]
    asked = {}
    for name in TABLES:
        contract = json.loads((project.root / f"data/prepared/{name}/contract.json").read_text(encoding="utf-8"))
        rows = pd.read_parquet(project.root / f"data/prepared/{name}/test.parquet").drop(columns=contract["target"])
        for column in contract["columns"]:
            if column["kind"] == "time":
                rows[column["name"]] = rows[column["name"]].dt.strftime("%Y-%m-%dT%H:%M:%S")
        records = rows.astype(object).where(rows.notna() & rows.ne(""), None).to_dict(orient="records")
        asked[name] = [*records, dict.fromkeys(records[0])]
    project.write("asked.json", json.dumps(asked))
    project.ok("python", "-W", "ignore", "-c", SERVED)
    content: dict[str, Any] = json.loads((project.root / "answers.json").read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_taken_for_what_it_is(done: tuple[Project, dict[str, pd.Series], str], name: str) -> None:
    folder = done[0].root / "data/prepared" / name
    contract = json.loads((folder / "contract.json").read_text(encoding="utf-8"))
    assert [column["kind"] for column in contract["columns"]] == KINDS[name]
    columns = json.loads((folder / "columns.json").read_text(encoding="utf-8"))["columns"]
    assert {column["name"] for column in columns if column["role"] == "dropped"} == DROPPED.get(name, set())


@pytest.mark.parametrize("name", TABLES)
def test_labels_come_back_over_rest_exactly_as_they_stood_in_the_file(
    done: tuple[Project, dict[str, pd.Series], str], answers: dict[str, Any], name: str
) -> None:
    project, targets, _ = done
    assert isinstance(answers[name], list), answers[name]
    truth = pd.read_parquet(project.root / f"data/prepared/{name}/test.parquet").iloc[:, -1].tolist()
    answered = [answer["label"] for answer in answers[name]]
    assert len(answered) == len(truth) + 1
    assert set(answered) == set(targets[name])
    right = np.mean([label == known for label, known in zip(answered, truth, strict=False)])
    assert right > 0.75, (name, right)
    assert set(answers[name][0]) == {"label", *(f"probability_{label}" for label in set(targets[name]))}


def test_what_was_dropped_is_told_by_name(done: tuple[Project, dict[str, pd.Series], str]) -> None:
    for column in DROPPED["useless"]:
        assert f"useless: no input: '{column}'" in done[2]
