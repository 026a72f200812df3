"""A file of keys, made by real command lines in processes of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from serving.access.keys import Keys
from serving.protocol.errors import Refused

COMMAND = (
    sys.executable,
    "-c",
    "from data import errors; from serving.access import commands; errors.run(commands.app)",
)
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class KeysFile:
    """A file, and `python -m serving keys …` on it."""

    path: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        env = os.environ | {"SERVING_KEYS": str(self.path)}
        return subprocess.Popen(
            [*COMMAND, *words], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def add(self, *scopes: str) -> str:
        """A new key with these scopes."""
        result = self.run("add", "someone", *(word for scope in scopes for word in ("--scope", scope)))
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()


@pytest.fixture
def file(tmp_path: Path) -> KeysFile:
    return KeysFile(tmp_path / "keys.json")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "none", folder], check=False).returncode:
        pytest.skip("only root can mount a disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def refused(keys: Keys, key: bytes | None, model: str = "flights", reference: str = "Production") -> Refused | None:
    """How a request is refused, or None where it is allowed."""
    try:
        keys.allow(key, model, reference)
    except Refused as error:
        return error
    return None
