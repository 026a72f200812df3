"""A task's declared source: which files it has, and the reader of their format."""

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import InputError
from data.params import Source

if TYPE_CHECKING:
    from data.readers import Rows

TEXTS = (".csv", ".tsv", ".tab", ".txt")
PACKED = (".gz", ".bz2", ".xz", ".zip")
KINDS = ".csv, .csv.gz, .parquet or .py"


def files(source: Source, key: str) -> list[Path]:
    """The files that a source names, sorted; none for a query.

    Args:
        source: the declared source.
        key: its place in `params.yaml`, for messages.

    Raises:
        InputError: there is no such file, or the files are of unknown or different kinds.
    """
    if source.path is None:
        return []
    pattern = source.path.as_posix()
    found = [source.path] if source.path.exists() else sorted(map(Path, glob.glob(pattern, recursive=True)))
    found = [path for path in found if path.is_file()]
    if not found and source.path.is_dir():
        raise InputError(
            f"params.yaml: {key}.path: {pattern} is a folder; give a pattern of its files, such as {pattern}/*.csv"
        )
    if not found:
        raise InputError(
            f"params.yaml: {key}.path: there is no file {pattern}; give a {KINDS} file, or a pattern of such files"
        )
    for path in found:
        if kind(path) is None:
            raise InputError(f"params.yaml: {key}.path: {path} is of an unknown kind; save it as .csv or .parquet")
        if kind(path) != kind(found[0]):
            raise InputError(f"params.yaml: {key}.path: {found[0]} and {path} are of two kinds; choose one of them")
    if kind(found[0]) == "python" and len(found) > 1:
        raise InputError(f"params.yaml: {key}.path: {len(found)} Python files fit {pattern}; name one")
    return found


def kind(path: Path) -> str | None:
    """What a file's ending says: `csv`, `parquet` or `python`, or None."""
    endings = [ending.lower() for ending in path.suffixes]
    if endings[-1:] == [".parquet"]:
        return "parquet"
    if endings[-1:] == [".py"]:
        return "python"
    if endings and endings[-1] in PACKED:
        endings = endings[:-1] if len(endings) > 1 else [".csv"] * (endings[-1] == ".zip")
    return "csv" if endings and endings[-1] in TEXTS else None


def rows(source: Source, paths: list[Path], key: str) -> "Rows":
    """The rows of a source in batches.

    Raises:
        InputError: the source cannot be read.
    """
    given = [name for name in ("separator", "decimal", "encoding") if getattr(source, name) is not None]
    if given and (not paths or kind(paths[0]) != "csv"):
        raise InputError(f"params.yaml: {key}.{given[0]}: only text tables such as .csv have one; remove it")
    if source.url is not None and source.query is not None:
        from data.readers import sql

        return sql.read(source.url, source.query, key)
    if kind(paths[0]) == "csv":
        from data.readers import text

        return text.read(paths, source.encoding, source.separator)
    if kind(paths[0]) == "parquet":
        from data.readers import parquet

        return parquet.read(paths)
    from data.readers import python

    return python.read(paths[0])
