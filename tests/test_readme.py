"""The README's commands, pasted one by one into a fresh checkout."""

import contextlib
import json
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import ROOT, Project

pytestmark = pytest.mark.xdist_group("flights")

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SERVERS = {"make serve": (5001, "/ping"), "make ui": (5000, "/health")}
NOT_RUN = {
    "make test": "it is what runs this test",
    "source .venv/bin/activate": "the tests' PATH has the environment already",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def commands() -> list[str]:
    """Each command of the README's bash blocks, in order; one may go over several lines within quotes."""
    found: list[str] = []
    for line in "".join(blocks("bash")).splitlines():
        try:
            shlex.split(found[-1] if found else "")
            found.append(line)
        except ValueError:
            found[-1] += "\n" + line
    return found


def test_every_command_of_the_readme_runs(flights: tuple[Project, str]) -> None:
    project = flights[0]
    assert "make repro" in commands()
    versions: list[str] = []
    with contextlib.ExitStack() as running:
        for command in commands():
            if command in NOT_RUN:
                continue
            if command in SERVERS:
                port, path = SERVERS[command]
                running.enter_context(project.serving(*command.split(), port=port, path=path))
                continue
            output = project.ok("bash", "-c", command)
            if command.startswith("curl"):
                head, _, answer = output.rpartition("\n\n")
                assert json.loads(answer).keys() in ({"predictions"}, {"prediction"}), output
                versions += re.findall(r"x-model-version: (\S+)", head)
    assert versions == ["flights/2"]
    diff = project.ok("dvc", "params", "diff", "--json")
    assert json.loads(diff)["params.yaml"]["models.flights-logistic.params.C"]["new"] == 0.03


def test_the_answer_that_the_readme_shows_has_the_form_of_a_real_one() -> None:
    (answer,) = (json.loads(block) for block in blocks("json"))
    assert set(answer["predictions"][0]) == {"label", "probability_on_time", "probability_late"}


def test_the_run_that_the_readme_shows_ends_as_a_real_one(flights: tuple[Project, str]) -> None:
    shown, printed = blocks("text")[0], " ".join(flights[1].split())
    heads = [" ".join(re.split(r"\d|\[", line)[0].split()) for line in shown.splitlines()]
    rows = [head for head in heads if re.search("[a-z]", head)]
    assert len(rows) > 9
    for row in rows:
        assert row in printed, f"{row!r} is not in what make repro prints"


def test_every_file_that_the_readme_links_to_exists() -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", TEXT):
        assert Path(ROOT, link.partition("#")[0]).exists(), link
