"""What a candidate was made from: git commit, DVC stage and hashes, package versions."""

import hashlib
import json
import os
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ruamel.yaml

PACKAGES = (
    "numpy",
    "pandas",
    "scikit-learn",
    "tensorflow",
    "keras",
    "onnx",
    "onnxruntime",
    "skl2onnx",
    "tf2onnx",
)


def of(task: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Git commit and dirtiness, DVC stage and the hashes of data and parameters; None where unknown.

    Outside a DVC stage the lock file may be older than the data, so that no data hash is taken from it.
    """
    stage = os.environ.get("DVC_STAGE")
    status = _git("status", "--porcelain", "--", ".", ":!dvc.lock")
    return {
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": None if status is None else bool(status),
        "dvc_stage": stage,
        "dvc_data": _locked_hash(f"prepare@{task}") if stage else None,
        "dvc_params": hashlib.md5(json.dumps(parameters, sort_keys=True).encode(), usedforsecurity=False).hexdigest(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _git(*arguments: str) -> str | None:
    git = shutil.which("git")
    result = subprocess.run([git, *arguments], capture_output=True, text=True, check=False) if git else None
    return result.stdout.strip() if result and result.returncode == 0 else None


def _locked_hash(stage: str) -> str | None:
    lock = Path("dvc.lock")
    if not lock.exists():
        return None
    stages = ruamel.yaml.YAML(typ="safe", pure=True).load(lock.read_text(encoding="utf-8"))["stages"]
    return stages[stage]["outs"][0]["md5"] if stage in stages else None
