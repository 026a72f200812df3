"""Data files that ship inside installed Python packages, found by path and checked by hash."""

import hashlib
import importlib.util
from pathlib import Path

from data.errors import InputError


def file(package: str, name: str, sha256: str) -> Path:
    """The path of a package's data file, without importing the package.

    Raises:
        InputError: the package or the file is missing, or the file is not the one that is expected.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"the package {package}, which holds {name}, is not installed; run `make install`")
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file():
        raise InputError(f"the installed package {package} has no file {name}; run `make install` again")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != sha256:
        raise InputError(
            f"{package}/{name} has SHA-256 {digest[:12]}…, expected {sha256[:12]}…; "
            "reinstall the pinned package with `make install`"
        )
    return path
