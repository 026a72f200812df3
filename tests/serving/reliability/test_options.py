"""Options that cannot be meant: one line that says what was given and what to do, before anything listens."""

from pathlib import Path

import pytest

from tests.servers.started import free_port
from tests.serving.reliability.made import TASK, Registry
from tests.serving.reliability.running import run

pytestmark = pytest.mark.xdist_group("reliability")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--default", "nobody/Production"], f"no model is registered as 'nobody'; registered are {TASK}"),
        (["--default", f"{TASK}/99"], f"no version of {TASK} is 99; there are 1, 2, 3, "),
        (["--shadow", "nobody/Staging"], f"no model is registered as 'nobody'; registered are {TASK}"),
        (["--canary", "nobody/Staging=10%"], f"no model is registered as 'nobody'; registered are {TASK}"),
        (["--shadow", f"{TASK}/2"], "expected a stage or an alias"),
        (["--canary", f"{TASK}/2=10%"], "expected a stage or an alias"),
        (["--canary", f"{TASK}/Staging=200%"], "expected a share from 0% to 100%"),
        (["--audit", "a file"], "name a folder that can be written"),
        (["--audit", "/proc/audit"], "name a folder that can be written"),
        (["--rate", "many"], "expected one such as 100/s"),
        (["--sticky-header", "a b"], "expected the name of a header"),
    ],
)
def test_each_is_refused_in_one_line(registry: Registry, tmp_path: Path, options: list[str], told: str) -> None:
    (tmp_path / "a file").touch()
    done = run("--port", str(free_port()), *options, registry=registry, folder=tmp_path)
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    assert told in lines[0]


@pytest.mark.parametrize("option", ["--poll", "--timeout", "--max-body"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e300", "many"])
def test_an_amount_that_is_none_is_refused(registry: Registry, tmp_path: Path, option: str, value: str) -> None:
    done = run("--port", str(free_port()), option, value, registry=registry, folder=tmp_path)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith(f"Error: Invalid value for '{option}': ")
