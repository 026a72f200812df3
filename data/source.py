"""A task's source, read into one table."""

import importlib.util
from pathlib import Path

import pandas as pd

from data.errors import InputError

READERS = {".csv": pd.read_csv, ".parquet": pd.read_parquet}


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
    spec = importlib.util.spec_from_file_location(f"source_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be loaded as Python; check the file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = module.read() if hasattr(module, "read") else None
    if not isinstance(table, pd.DataFrame):
        raise InputError(f"{path}: expected a function read() that returns a pandas DataFrame; add it")
    return table
