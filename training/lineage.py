"""What a candidate was made from: git commit, DVC stage and hashes, package versions, and whether that is all."""

import hashlib
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import ruamel.yaml

from data import params, source
from data.errors import InputError
from data.params import Source
from training import candidate as candidates
from training.worktree import LOCK, Worktree

PACKAGES = (
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "tensorflow",
    "keras",
    "onnx",
    "onnxruntime",
    "skl2onnx",
    "tf2onnx",
)
STAGES = Path("dvc.yaml")
THREADS = "TF_NUM_INTRAOP_THREADS"
NAMED = 3  # files that are named, of many


def of(tree: Worktree, task: str, parameters: dict[str, Any], read: Source) -> dict[str, Any]:
    """Git commit and dirtiness, DVC stage and the hashes of data and parameters; None where unknown.

    Outside a DVC stage the lock file may be older than the data, so that no data hash is taken from it.

    Args:
        tree: the files before the training.
        task: whose rows it was trained on.
        parameters: all that was declared.
        read: the task's source.
    """
    stage = os.environ.get("DVC_STAGE")
    locked = _locked() if stage else {}
    raw = locked.get(f"fetch@{task}")
    code, tables = _of_source(read, f"tasks.{task}.source")
    outside = _outside(tree, tables) if read.path else ["the answer to a query"]
    declared = [path for path in (params.PARAMS, STAGES) if path.exists()]
    lacking = _outside(tree, [*declared, *code, *_imported()]) + ([] if raw else outside)
    return {
        "git_commit": tree.commit,
        "git_folder": tree.folder,
        "git_dirty": tree.dirty,
        "unreproducible": _why_not(tree, lacking),
        "rows_outside_git": _named(outside),
        "dvc_stage": stage,
        "dvc_raw": raw,
        "dvc_data": locked.get(f"prepare@{task}"),
        "dvc_params": hashlib.md5(json.dumps(parameters, sort_keys=True).encode(), usedforsecurity=False).hexdigest(),
        "packages": packages(),
        "processor": processor(),
        "threads": threads(),
    }


def of_members(task: str, names: list[str]) -> dict[str, Any]:
    """The digests of the graphs that an ensemble is of, and why it cannot be trained again where one of them cannot."""
    graphs = {name: hashlib.sha256((candidates.MEMBERS / task / f"{name}.onnx").read_bytes()) for name in names}
    found: dict[str, Any] = {"members": {name: one.hexdigest() for name, one in graphs.items()}}
    for name in names:
        member = candidates.read(task, name)
        if member and (why := member.lineage["unreproducible"]):
            found["unreproducible"] = f"{why}, for its member {name}"
    return found


def processor() -> str:
    """The name of the processor, as another one may round otherwise."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        lines = []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def threads() -> int:
    """How many threads TensorFlow adds up in, as the sums of another number have other last digits."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get(THREADS, "")
    return int(given) if given.isdecimal() and int(given) else cores


def packages() -> dict[str, str]:
    """The versions of Python and of the packages that decide what a training gives."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _why_not(tree: Worktree, lacking: list[str]) -> str | None:
    """Why nobody can train this again, or None."""
    if tree.dirty is None:
        return "there is no git repository"
    if tree.commit is None:
        return "git has no commit"
    return f"git does not have {_named(lacking)}" if lacking else None


def _named(files: list[str]) -> str | None:
    return ", ".join(files[:NAMED]) + (", …" if len(files) > NAMED else "") if files else None


def _of_source(read: Source, key: str) -> tuple[list[Path], list[Path]]:
    """The code that gives the rows, and the tables that hold them."""
    try:
        files = source.files(read, key)
    except InputError:  # gone since its rows were prepared
        files = [read.path] if read.path else []
    code = [path for path in files if source.kind(path) == "python"]
    return code, [path for path in files if path not in code]


def _outside(tree: Worktree, paths: list[Path]) -> list[str]:
    return [name for path in paths if (name := os.path.normpath(path)) not in tree.tracked]


def _imported() -> list[Path]:
    """The project's modules that were imported."""
    root, installed = Path.cwd(), Path(sys.prefix)
    modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    paths = {Path(file) for module in modules if (file := vars(module).get("__file__"))}
    return sorted(
        path.relative_to(root) for path in paths if path.is_relative_to(root) and not path.is_relative_to(installed)
    )


def _locked() -> dict[str, str]:
    """The hash of what each stage gave, where that is one folder or file."""
    if not Path(LOCK).exists():
        return {}
    stages = ruamel.yaml.YAML(typ="safe", pure=True).load(Path(LOCK).read_text(encoding="utf-8"))["stages"]
    return {name: stage["outs"][0]["md5"] for name, stage in stages.items() if len(stage.get("outs", [])) == 1}
