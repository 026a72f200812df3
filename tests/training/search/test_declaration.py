from pathlib import Path

import pytest
import ruamel.yaml

from tests.conftest import ROOT
from training.search import declaration

AWKWARD = """\
# head

seed: 7   # of all
tasks:
    'quoted':  {source: {path: "a b.csv"}, target: 'yes', positive: "on"}
    churn:
        split: {by: time, column: at, validation: "2013-09-01", test: "2013-10-01"}
        names:
          - a
          - "b"   # second
models:

    plain: {task: churn, family: logistic}
    block:
        task: churn
        params:
            C: 1.0e-3   # small
            layers:
              - 3
"""


def read(text: str) -> dict:
    return ruamel.yaml.YAML(typ="safe", pure=True).load(text)


def test_the_projects_own_file_changes_in_one_line(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    declaration.write("flights-logistic", {"C": 0.123}, path)
    pairs = list(zip(text.splitlines(), path.read_text(encoding="utf-8").splitlines(), strict=True))
    (changed,) = [(old, new) for old, new in pairs if old != new]
    assert "C: 0.123" in changed[1]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("model", ["plain", "block"])
def test_comments_quotes_and_line_ends_of_an_awkward_file_are_kept(tmp_path: Path, model: str, end: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(AWKWARD.replace("\n", end).encode())
    declaration.write(model, {"C": 0.00001, "layers": [4, 5], "bins": None}, path)
    written = path.read_bytes().decode()
    content = read(written)
    assert content["models"][model]["params"] == {"C": 0.00001, "layers": [4, 5], "bins": None}
    expected = read(AWKWARD)
    expected["models"][model]["params"] = content["models"][model]["params"]
    assert content == expected
    for kept in ("# head", "# of all", "# second", "'yes'", '"2013-09-01"', '"on"', "'quoted'"):
        assert kept in written
    assert ("\r\n" in written) == (end == "\r\n")
    assert written.count("\n") == written.count(end)


def test_the_lines_that_are_printed_are_yaml_that_says_the_same() -> None:
    values = {"layers": [64, 32], "learning_rate": 0.00001, "bins": None, "optimiser": "adam", "nesterov": True}
    assert read(declaration.lines("m", values)) == {"models": {"m": {"params": values}}}
