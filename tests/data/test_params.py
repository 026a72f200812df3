import re
from collections.abc import Callable
from pathlib import Path

import pytest

from data import params
from data.errors import InputError

TARGET = "    target: kind\n"
PLACE = "source: {path: fruit.csv}"
SEED = "seed: 3"
MODEL = "  fruit-logistic: {task: fruit, family: logistic}"

WRONG = [
    (SEED, "sed: 3", "'sed'", "the sections are seed, tasks, models, ensembles, search, gate"),
    (TARGET, TARGET + "    colums: {}\n", "tasks.fruit.colums", "known are source, target, positive, columns"),
    (PLACE, "source: {path: fruit.csv, sheet: 1}", "tasks.fruit.source.sheet", "remove it"),
    (TARGET, "", "tasks.fruit.target", "missing; add it"),
    (PLACE, "source: {}", "tasks.fruit.source", "expected either path, or url and query"),
    (PLACE, "source: {path: a.csv, query: q}", "tasks.fruit.source", "expected either path, or url and query"),
    (PLACE, "source: {url: 'sqlite:///a.db'}", "tasks.fruit.source", "url and query go together"),
    (PLACE, "source: {path: a.csv, separator: ab}", "tasks.fruit.source.separator", "at most 1"),
    (PLACE, "source: {path: a.csv, decimal: ' '}", "tasks.fruit.source.decimal", "'.' or ','"),
    (PLACE, "source: {path: a.csv, encoding: utf-9}", "tasks.fruit.source.encoding", "no known encoding"),
    (TARGET, "    target: [a, b]\n", "tasks.fruit.target", "valid string"),
    (TARGET, TARGET + "    positive: [1]\n", "tasks.fruit.positive", "[1] was given; input should be a valid string"),
    (TARGET, TARGET + "    columns: {weight: numeric}\n", "tasks.fruit.columns.weight", "'number', 'boolean'"),
    (TARGET, TARGET + "    columns: {time: numeric}\n", "tasks.fruit.columns.time", "'number', 'boolean'"),
    (TARGET, TARGET + "    columns: {}\n", "tasks.fruit.columns", "at least 1"),
    (TARGET, TARGET + "    override: {weight: numeric}\n", "tasks.fruit.override.weight", "'sequence' or 'drop'"),
    (TARGET, TARGET + "    override: {time: {kind: time}}\n", "tasks.fruit.override.time.format", "missing; add it"),
    (
        TARGET,
        TARGET + "    columns: {a: text}\n    override: {a: drop}\n",
        "tasks.fruit.override",
        "one of the two keys",
    ),
    (TARGET, TARGET + "    on_bad_rows: ignore\n", "tasks.fruit.on_bad_rows", "'stop', 'drop' or 'quarantine'"),
    (TARGET, TARGET + "    on_leak: drop\n", "tasks.fruit.on_leak", "'warn' or 'stop'"),
    (TARGET, TARGET + "    split: {folds: 1}\n", "tasks.fruit.split.folds", "greater than or equal to 2"),
    (TARGET, TARGET + "    split: {by: luck}\n", "tasks.fruit.split", "'time', 'group'"),
    (TARGET, TARGET + "    split: {by: time, column: t, test: '2020'}\n", "fruit.split.validation", "missing; add"),
    (TARGET, TARGET + "    split: {by: random, column: t}\n", "tasks.fruit.split.column", "remove it"),
    (TARGET, TARGET + "    split: {validation: 0.5}\n", "tasks.fruit.split.validation", "less than 0.5"),
    (TARGET, TARGET + "    split: {test: 0}\n", "tasks.fruit.split.test", "greater than 0"),
    (SEED, "", "seed: 'nothing' was given", "expected a whole number"),
    (SEED, "seed: -1", "seed: -1 was given", "from 0 to 4294967295"),
    (SEED, "seed: 4294967296", "seed: 4294967296 was given", "from 0 to 4294967295"),
    (SEED, "seed: true", "seed: True was given", "expected a whole number"),
    (SEED, "seed: 1.5", "seed: 1.5 was given", "expected a whole number"),
    ("  fruit:\n", "  red fruit:\n", "tasks.red fruit", "rename it"),
    ("  fruit:\n", "  red.fruit:\n", "tasks.red.fruit", "rename it"),
    ("  fruit-logistic:", "  früchte:", "models.früchte", "rename it"),
    ("  fruit-logistic:", "  ../up:", "models.../up", "rename it"),
    (MODEL, "  {}", "section models", "declare at least one name"),
    ("seed: 3\ntasks:", "extra: 1\ntasks:", "unknown section 'extra'", "the sections"),
]


def refusal(name: str = "fruit") -> str:
    with pytest.raises(InputError) as caught:
        params.task(params.load(), name)
    message = str(caught.value)
    assert message.startswith("params.yaml")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("old", "new", "key", "fix"), WRONG, ids=[case[2] for case in WRONG])
def test_a_wrong_declaration_names_the_key_and_the_fix(
    declare: Callable[..., Path], old: str, new: str, key: str, fix: str
) -> None:
    declare((old, new))
    message = refusal()
    assert key in message
    assert fix in message


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "just words\n"])
def test_a_file_without_sections_says_which_are_expected(declare: Callable[..., Path], content: str) -> None:
    (declare() / "params.yaml").write_text(content)
    assert "expected the sections seed, tasks, models, ensembles, search, gate" in refusal()


@pytest.mark.parametrize("tasks", ["tasks: {}", "tasks:", "tasks: [fruit]", ""])
def test_no_declared_task_is_said(declare: Callable[..., Path], tasks: str) -> None:
    (declare() / "params.yaml").write_text(f"{tasks}\nmodels: {{a: {{}}}}\n")
    assert "section tasks must declare at least one name" in refusal()


@pytest.mark.parametrize(
    ("old", "new", "line", "name"),
    [
        (MODEL, MODEL + "\n" + MODEL, 8, "fruit-logistic"),
        (TARGET, TARGET + "  fruit: {}\n", 6, "fruit"),
        (TARGET, TARGET + "    target: size\n", 6, "target"),
    ],
    ids=["model", "task", "key"],
)
def test_a_name_declared_twice_is_named_with_its_line(
    declare: Callable[..., Path], old: str, new: str, line: int, name: str
) -> None:
    declare((old, new))
    assert refusal() == f"params.yaml, line {line}: the name {name} is declared twice; rename one"


@pytest.mark.parametrize("line", ["  a: b: c", "  {", "\tx: 1", "  x: !!python/name:os.system 1", "  *nobody"])
def test_bad_yaml_is_named_with_its_line(declare: Callable[..., Path], line: str) -> None:
    declare((MODEL, line))
    assert re.match(r"params\.yaml, line [78]: not valid YAML \(.+\); fix that line$", refusal())


@pytest.mark.parametrize(
    ("content", "fix"), [(b"seed: 3 # \xe9t\xe9\n", "save it as UTF-8"), (b"seed: \x07\n", "(#x07); remove it")]
)
def test_bytes_that_are_no_yaml_text_are_refused(declare: Callable[..., Path], content: bytes, fix: str) -> None:
    (declare() / "params.yaml").write_bytes(content)
    assert fix in refusal()


def test_a_missing_file_says_where_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal() == "params.yaml is not in this folder; run the command in the repository's root"


def test_an_unknown_task_lists_the_declared_ones(declare: Callable[..., Path]) -> None:
    declare()
    assert refusal("fruits") == "params.yaml: no task 'fruits' under tasks; declared are fruit"


def test_a_name_of_digits_is_a_name(declare: Callable[..., Path]) -> None:
    declare(("  fruit:\n", "  2024:\n"))
    assert params.task(params.load(), "2024").target == "kind"


def test_several_faults_are_all_named(declare: Callable[..., Path]) -> None:
    declare((TARGET, "    tarjet: kind\n    positive: [1]\n"))
    message = refusal()
    assert all(f"tasks.fruit.{key}" in message for key in ("target", "tarjet", "positive"))


def test_a_split_is_random_by_default_and_dates_need_no_quotes(declare: Callable[..., Path]) -> None:
    declare()
    assert params.task(params.load(), "fruit").split == params.RandomSplit(validation=0.1, test=0.2)
    split = "    split: {by: time, column: t, validation: 2020-01-01, test: '2021'}\n"
    declare((TARGET, TARGET + split))
    expected = params.TimeSplit(by="time", column="t", validation="2020-01-01", test="2021")
    assert params.task(params.load(), "fruit").split == expected


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (SEED, "seeds: 3", "'seeds'"),
        (TARGET, "    target: size\n", "tasks.fruit.target"),
        (TARGET, TARGET + "    colums: {}\n", "tasks.fruit.colums"),
        (MODEL, MODEL + "\n" + MODEL, "declared twice"),
        (TARGET, TARGET + "    split: {by: time, column: kind, validation: a, test: b}\n", "tasks.fruit.split.column"),
    ],
    ids=["section", "target", "key", "twice", "split"],
)
def test_the_command_line_tells_bad_input_in_one_line(
    project: Path, declare: Callable[..., Path], command: Callable, old: str, new: str, key: str
) -> None:
    declare((old, new))
    ended = command("fetch", "fruit")
    if not ended.returncode:
        ended = command("prepare", "fruit")
    lines = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert len(lines) == 1
    assert lines[0].startswith("error: params.yaml")
    assert key in lines[0]
    assert not (project / "data/prepared").exists()


def test_a_password_in_a_wrong_source_is_not_told(declare: Callable[..., Path]) -> None:
    declare((PLACE, "source: {url: 'postgresql://me:hidden@host/db'}"))
    assert "hidden" not in refusal()
