"""Model cards of versions in a real MLflow store."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion

from data import params
from data.fetch import fetch
from data.params import GroupSplit, Source, TimeSplit
from data.prepare import prepare
from registry import card, markdown, verdicts, versions
from registry import conditions as gate_conditions
from registry.card import Card, call, facts, limits, sections
from registry.card.facts import Facts
from registry.evidence import Verdict
from registry.slices import Slice
from tests.conftest import ROOT, VENV, Project
from tests.servers.started import free_port
from training import candidate as candidates
from training import models
from training.graph import Graph
from training.train import train

READ = MarkdownIt("commonmark").enable(["table", "strikethrough"])
NAMES = ["a|b", "`tick` ``", "<b>bold</b>", "*s* _u_ ~~d~~", "[x](http://e.vil)", "@home", ":smile:", "$5 &lt; 6 \\"]
CLASSES = ("y|es", "<i>n</i>")
ALL = list(card.SECTIONS)
SIGNS = "|`*_~<>&@:[](){}#!\\-+.\n ab1é日"


def facts_of(content: dict[str, Any], task: str, number: str = "1") -> Facts:
    client = MlflowClient()
    version = client.get_model_version(task, number)
    found = candidates.read(task, version.tags["model"])
    assert found is not None
    exam = verdicts.exam(client, content, task)
    conditions = gate_conditions.of_task(content, task)
    return facts.gather(version, found, exam, params.task(content, task), conditions, None)


def card_of(content: dict[str, Any], number: str = "1") -> tuple[ModelVersion, Card]:
    client = MlflowClient()
    version = client.get_model_version("churn", number)
    found = candidates.read("churn", version.tags["model"])
    assert found is not None
    verdict = Verdict.from_json(mlflow.artifacts.load_text(f"runs:/{version.run_id}/versions/{number}/verdict.json"))
    exam = verdicts.exam(client, content, "churn")
    conditions = gate_conditions.of_task(content, "churn")
    return version, card.of(version, found, exam, params.task(content, "churn"), conditions, verdict)


def tokens(text: str) -> list[Token]:
    """All inline tokens of a card, as CommonMark with tables reads them."""
    return [child for token in READ.parse(text) for child in token.children or []]


def tables(text: str) -> list[list[list[str]]]:
    """The cells of each table, rows of one length."""
    found: list[list[list[str]]] = []
    stream = iter(READ.parse(text))
    for token in stream:
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open"):
            inline = next(stream)
            found[-1][-1].append("".join(child.content for child in inline.children or []))
    return found


def heads(text: str) -> list[str]:
    return re.findall(r"^## (.*)$", text, flags=re.MULTILINE)


def test_a_card_says_what_the_record_says(registered: dict[str, Any]) -> None:
    version, written = card_of(registered)
    found = candidates.read("churn", "churn-logistic")
    assert found is not None
    assert written.markdown.startswith("# churn version 1\n")
    assert heads(written.markdown) == ALL
    cells = {row[0]: row[1:] for row in tables(written.markdown)[0][1:]}
    assert cells == {
        facts.metric_name(name): [str(found.validation[name]), str(interval)] for name, interval in found.test.items()
    }
    for said in (
        "predicts churned: no or yes (the positive class)",
        "The label is the highest probability.",
        f"**{found.test['auc']}**",
        f"Verdict of the gate: better: {version.tags['verdict.reason'][:30]}",
        "`churn.csv`",
        "at random within each class: 10% validation, 20% test",
        f"`{found.data['digest'][:12]}…`",
        "python -m registry reproduce churn 1",
        f"numpy {np.__version__}",
    ):
        assert said in written.markdown, said
    named = {one.rsplit("/", 1)[1] for one in re.findall(r"!\[.*\]\((.*)\)", written.markdown)}
    assert named == {path.name for path in written.pictures.glob("*.png")}


def test_calibration_adds_up_to_the_test_rows_and_the_observed_positives(registered: dict[str, Any]) -> None:
    found = facts_of(registered, "churn")
    (table,) = tables(sections.calibration(found, 50))
    rows = [int(row[1].replace(",", "")) for row in table[1:]]
    assert sum(rows) == found.candidate.data["rows"]["test"]
    share = sum(count * float(row[3].rstrip("%")) for count, row in zip(rows, table[1:], strict=True)) / sum(rows)
    assert share == pytest.approx(100 * found.shares["yes"], abs=0.1)


def test_slices_are_those_that_the_gate_guards_and_else_those_of_few_values(registered: dict[str, Any]) -> None:
    guarded = {"slices": {"columns": ["visits"], "lowest": 0.1, "least_rows": 2}}
    declared = {**registered, "gate": {"resamples": 100, "guardrails": guarded}}
    assert {one.column for one in facts_of(declared, "churn").slices} == {"visits"}
    undeclared = facts_of(registered, "churn").slices
    assert {one.column for one in undeclared} == {"plan"}
    figures = [one.figure for one in undeclared if one.figure is not None]
    assert figures == sorted(figures)


def test_a_description_is_as_long_as_mlflow_takes_it(registered: dict[str, Any]) -> None:
    assert SqlModelVersion.__table__.c.description.type.length == card.LONGEST
    version, written = card_of(registered)
    assert len(written.description) <= card.LONGEST
    assert set(heads(written.description)) - {"In full"} >= set(ALL) - set(card.EXTRA)
    assert f"mlflow artifacts download -r {version.run_id} -a versions/1 -d ." in written.description


@pytest.mark.parametrize("most", range(1200, 5000, 400))
def test_a_shorter_description_has_whole_sections_and_says_what_it_leaves_out(
    registered: dict[str, Any], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card, "LONGEST", most)
    description = card_of(registered)[1].description
    assert len(description) <= most
    assert description.count("```") % 2 == 0
    gone = set(ALL) - set(heads(description))
    assert all(name in description.split("## In full")[1] for name in gone)


class TestWritten:
    def test_the_artifact_comes_with_its_pictures_and_the_description_last(self, registered: dict[str, Any]) -> None:
        client = MlflowClient()
        client.update_model_version("churn", "1", "")
        version, made = card_of(registered)
        assert not card.written(version)
        card.write(client, version, made)
        described = client.get_model_version("churn", "1")
        assert described.description == made.description
        assert card.written(described)
        folder = Path(client.download_artifacts(str(version.run_id), "versions/1"))
        assert (folder / card.FILE).read_text(encoding="utf-8") == made.markdown
        for picture in re.findall(r"!\[.*\]\((.*)\)", made.markdown):
            assert (folder / picture).stat().st_size > 1000

    def test_killed_between_the_writes_the_next_call_finishes_and_a_third_writes_nothing(
        self, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client, writes = MlflowClient(), []
        client.update_model_version("churn", "2", "")
        version, made = card_of(registered, "2")

        def note(name: str, kill: bool) -> None:
            original = getattr(MlflowClient, name)

            def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
                writes.append(name)
                if kill:
                    raise KeyboardInterrupt
                return original(self, *args, **kwargs)

            monkeypatch.setattr(MlflowClient, name, noting)

        note("log_artifacts", kill=False)
        note("update_model_version", kill=True)
        with pytest.raises(KeyboardInterrupt):
            card.write(client, version, made)
        assert not card.written(client.get_model_version("churn", "2"))
        monkeypatch.undo()
        card.write(client, version, made)
        described = client.get_model_version("churn", "2")
        assert described.description == made.description
        note("log_artifacts", kill=True)
        card.write(client, described, made)
        assert writes == ["log_artifacts", "update_model_version"]


class TestLimits:
    @pytest.fixture
    def found(self, registered: dict[str, Any]) -> Facts:
        known = {"git_dirty": False, "unreproducible": None, "rows_outside_git": None, "dvc_stage": "train@churn"}
        found = facts_of(registered, "churn")
        return replace(found, candidate=replace(found.candidate, lineage=found.candidate.lineage | known))

    @staticmethod
    def said(found: Facts) -> str:
        return "\n".join(limits.sentences(found))

    def test_what_holds_is_said_and_what_does_not_is_not(self, found: Facts) -> None:
        said = self.said(found)
        assert "A missing value is answered in every column; never: visits." in said
        assert "A category that no training row had is answered, too." in said
        for other in (
            "weights",
            "from before",
            "shares",
            "differs",
            "Misses",
            "anew",
            "went on",
            "DVC",
            "Git",
            "reproduc",
        ):
            assert other not in said

    def test_time_and_groups_that_it_has_seen(self, found: Facts) -> None:
        by_time = TimeSplit(by="time", column="at", validation="2024-01-01", test="2024-02-01")
        said = self.said(replace(found, declared=found.declared.model_copy(update={"split": by_time})))
        assert "Fitted on rows from before 2024-01-01 (at), tested on rows from 2024-02-01 on" in said
        by_group = GroupSplit(by="group", column="person", validation=["7"], test=["8", "9"])
        said = self.said(replace(found, declared=found.declared.model_copy(update={"split": by_group})))
        assert "Tested on groups of person (8, 9) that it was not fitted on" in said

    def test_classes_that_are_rare_or_missed_or_whose_shares_have_moved(self, found: Facts) -> None:
        figures = found.candidate.per_class["yes"]
        low = replace(figures, support=12, recall=replace(figures.recall, value=0.2))
        rare = replace(found.candidate, per_class={**found.candidate.per_class, "yes": low})
        said = self.said(replace(found, candidate=rare, shares={"no": 0.9, "yes": 0.1}))
        assert "Classes with under 50 test rows, too few for figures of their own: yes." in said
        assert "Misses more than half of the rows of some classes: yes (finds 20%)." in said
        assert re.search(r"Class shares .* differ: no [\d.]+% and 90.0%, yes [\d.]+% and 10.0%\.", said)

    def test_the_weakest_slice_and_a_fall_from_validation_to_test(self, found: Facts) -> None:
        weak = Slice("plan", "ba|sic", 321, 0.55)
        higher = {name: replace(one, low=1.1, high=1.2) for name, one in found.candidate.validation.items()}
        fallen = replace(found.candidate, validation=higher)
        said = self.said(replace(found, candidate=fallen, slices=[weak, Slice("plan", "pro", 300, 0.7)]))
        assert "Weakest slice: plan ba\\|sic, AUC 0.5500 on 321 rows" in said
        assert "AUC differs between validation rows" in said

    def test_class_weights_and_where_it_cannot_be_trained_again(self, found: Facts) -> None:
        lineage = found.candidate.lineage | {"unreproducible": "git does not have a|b.py", "git_dirty": True}
        weighted = replace(found.candidate, params={"class_weight": "balanced"}, lineage=lineage)
        said = self.said(replace(found, candidate=weighted, stale=True))
        assert "Fitted with class weights, so that its probabilities are no shares of rows" in said
        assert "Not reproducible: git does not have a\\|b.py." in said
        assert "The rows were prepared anew since" in said
        assert "reproduce" not in said.replace("Not reproducible", "")

    def test_what_a_second_training_needs(self, found: Facts) -> None:
        start = {"version": "3", "digest": "d", "data": "e"}
        lacking = {"git_dirty": True, "rows_outside_git": "churn.csv", "dvc_stage": None, "warm_start": start}
        made = replace(found.candidate, lineage=found.candidate.lineage | lacking)
        said = self.said(replace(found, candidate=made))
        assert "Trained from files that differ from the git commit; the difference is kept" in said
        assert "Git does not have churn.csv, where its rows are from: `reproduce` needs DVC's cache." in said
        assert "Trained outside of DVC" in said
        assert "Fitting went on from version 3, which had seen rows of its own." in said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://me:secret@host/db?password=secret", "postgresql+psycopg://me:***@host/db"),
        ("postgresql+psycopg://me:${SECRET}@host/db", "postgresql+psycopg://me:***@host/db"),
        ("${SECRET_URL}", "${SECRET_URL}"),
        ("sqlite:///rows.db", "sqlite:///rows.db"),
    ],
)
def test_a_source_is_shown_without_its_password(url: str, shown: str) -> None:
    said = sections._source(Source(url=url, query="SELECT *\nFROM `t`"))
    assert f"`{shown}`" in said
    assert "``  SELECT * FROM `t`  ``".replace("  ", " ") in said
    assert "secret" not in said


@given(
    st.text(
        alphabet=st.one_of(st.sampled_from(SIGNS), st.characters(exclude_categories=("Cs",))),
        max_size=50,
    )
)
def test_any_name_in_a_table_is_read_as_itself(name: str) -> None:
    (table,) = tables(markdown.spaced(markdown.table([markdown.text(name), "b"], [[markdown.text(name), "2"]], 5)))
    shown = " ".join(name.split())
    shown = shown if shown.isprintable() else "".join(sign if sign.isprintable() else "�" for sign in shown)
    assert [len(row) for row in table] == [2, 2]
    assert {row[0].strip(f"{markdown.GAP} ") for row in table} == {shown or "(empty)"}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """The facts of a version whose columns, values and classes have names full of signs, and many columns."""
    folder = tmp_path_factory.mktemp("odd")
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {f"{name} {place}": random.normal(size=400).round(3) for place, name in enumerate(NAMES * 4)}
    ).assign(**{"t|y`pe": random.choice(["<b>", "a|b", "`", "*x*"], 400)})
    table["y"] = np.where(table.iloc[:, 0] + random.normal(0, 0.5, 400) > 0, *CLASSES)
    content = {
        "seed": 1,
        "tasks": {"odd": {"source": {"path": "odd.csv"}, "target": "y"}},
        "models": {"odd": {"task": "odd", "family": "logistic"}},
        "ensembles": {},
        "gate": {"guardrails": {"slices": {"columns": ["t|y`pe"], "lowest": 0.1, "least_rows": 5}}},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        table.to_csv("odd.csv", index=False)
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        fetch(content, "odd")
        prepare(content, "odd")
        train(models.declared(content, "odd"), content["models"]["odd"], 1)
        found = candidates.read("odd", "odd")
        assert found is not None
        versions.ensure(MlflowClient(), found)
        return facts_of(content, "odd")


def test_odd_names_break_no_table_and_are_shown_as_they_are(odd: Facts) -> None:
    whole, description = card._whole(odd), card._description(odd)
    assert len(description) <= card.LONGEST
    for text in (whole, description):
        kinds = {token.type for token in tokens(text)}
        assert kinds <= {"text", "code_inline", "image", "strong_open", "strong_close", "softbreak", "text_special"}
        for table in tables(text):
            assert len({len(row) for row in table}) == 1
    shown = {cell for table in tables(whole) for row in table for cell in row}
    assert {f"{name} {place}" for place, name in enumerate(NAMES * 4)} <= shown
    assert set(CLASSES) <= shown
    assert {"t|y`pe <b>", "t|y`pe a|b", "t|y`pe `", "t|y`pe *x*"} <= shown
    assert "\n… and " in description


def test_the_command_of_a_card_answers_as_pasted(registered: dict[str, Any], tmp_path: Path) -> None:
    _, made = card_of(registered)
    serve, ask = re.findall(r"```bash\n(.*?)\n```", made.markdown, flags=re.DOTALL)[:2]
    assert serve == "make serve TASK=churn STAGE=1"
    assert f"PORT ?= {call.ADDRESS.split(':')[2].split('/')[0]}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    port = free_port()
    command = [str(VENV / "bin/mlflow"), "models", "serve", "-m", "models:/churn/1", "--env-manager", "local"]
    (tmp_path / "elsewhere").mkdir()
    project = Project(tmp_path / "elsewhere", {**os.environ, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()})
    with project.serving(*command, "-p", str(port), port=port):
        answer = project.ok("bash", "-c", ask.replace(":5001/", f":{port}/"))
    (row,) = json.loads(answer)["predictions"]
    example = call.example("churn", "1")["dataframe_split"]
    first = pd.DataFrame(example["data"][:1], columns=example["columns"])
    expected = Graph("candidates/churn/churn-logistic/graph.onnx").predict(first)
    assert row == pytest.approx(expected.iloc[0].to_dict(), abs=1e-6)
