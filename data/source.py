"""A task's source, read into one table."""

import importlib.machinery
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from data.errors import InputError

READERS: dict[str, Callable[[Path], pd.DataFrame]] = {".csv": pd.read_csv, ".parquet": pd.read_parquet}


def read(path: Path, key: str) -> pd.DataFrame:
    """The rows behind `path`.

    Args:
        path: a `.csv` or `.parquet` file, or a `.py` file whose `read()` returns a table.
        key: the path's place in `params.yaml`, for messages.

    Raises:
        InputError: the file is missing, cannot be read, or is of an unknown kind.
    """
    if not path.is_file():
        raise InputError(f"params.yaml: {key}: there is no file {path}; give the path of a .csv, .parquet or .py file")
    if path.suffix == ".py":
        return _run(path)
    if path.suffix not in READERS:
        raise InputError(f"params.yaml: {key}: {path} is of an unknown kind; expected .csv, .parquet or .py")
    try:
        return READERS[path.suffix](path)
    except (ValueError, OSError) as error:
        raise InputError(f"params.yaml: {key}: {path} cannot be read ({error}); check the file") from None


def _run(path: Path) -> pd.DataFrame:
    name = f"source_{path.stem}"
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, loader))
    try:
        loader.exec_module(module)
        table: object = vars(module)["read"]()
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: read() failed: {type(error).__name__}: {error}; correct that file") from error
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"{path}: read() gave a {type(table).__name__}, expected a pandas DataFrame; correct that file"
        )
    return table
