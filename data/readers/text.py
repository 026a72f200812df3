"""Text tables (CSV and its kin), kept as they are written; an empty field is a missing one."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from data.errors import InputError
from data.readers import Rows, dialect, packed, unique
from data.readers.dialect import Dialect

BLOCK = 4 << 20  # bytes of a block, of which pyarrow reads some ahead; a row must be shorter


def read(paths: list[Path], encoding: str | None, separator: str | None) -> Rows:
    """The rows of text tables that have the same columns.

    Args:
        paths: the files; compressed ones end in .gz, .bz2, .xz or .zip.
        encoding: of all files; None finds it for each.
        separator: of all files; None finds it for each.

    Raises:
        InputError: a file is empty, no text, ragged, or has other columns than the first; the message names it.
    """
    notes: list[str] = []
    tables: list[tuple[Path, Dialect, list[str]]] = []
    for path in paths:
        with packed.unpacking(path):
            found = dialect.find(path, encoding, separator)
        notes += found.notes
        tables.append((path, found, unique(found.header, path, notes)))
    names = tables[0][2]
    for path, _, others in tables[1:]:
        same_columns(names, others, paths[0], path)
    schema = pa.schema([(name, pa.string()) for name in names])

    def batches() -> Iterator[pa.RecordBatch]:
        for path, found, own in tables:
            for batch in _batches(path, found, own):
                yield batch.select(names)

    return Rows(schema, batches(), "csv", text=True, notes=notes)


def same_columns(expected: list[str], given: list[str], first: Path, path: Path) -> None:
    """Refuse a file that has other columns than the first, in whatever order.

    Raises:
        InputError: naming the file, what it lacks and what it has besides.
    """
    lacking = [name for name in expected if name not in given]
    besides = [name for name in given if name not in expected]
    if lacking or besides:
        difference = [f"lacks {', '.join(map(repr, lacking))}"] if lacking else []
        difference += [f"has {', '.join(map(repr, besides))} besides"] if besides else []
        raise InputError(
            f"{path} {' and '.join(difference)}, compared with {first}; give files of the same columns, or one file"
        )


def _batches(path: Path, found: Dialect, names: list[str]) -> Iterator[pa.RecordBatch]:
    with packed.unpacking(path), packed.opened(path) as stream:
        try:
            reader = pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False,
                    block_size=BLOCK,
                    column_names=names,
                    skip_rows_after_names=found.skip,
                    encoding="utf-8" if found.encoding == "utf-8-sig" else found.encoding,
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=found.separator, escape_char=found.escape or False, newlines_in_values=True
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={name: pa.string() for name in names},
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                ),
            )
            last, seen = None, False
            for batch in reader:
                if batch.num_rows:
                    last, seen = batch.column(batch.num_columns - 1)[-1].as_py(), True
                    yield batch
        except pa.ArrowInvalid as error:
            raise _fault(path, found, str(error)) from None
    if not seen:
        raise InputError(f"{path} has column names but no row; expected rows below them")
    if last and "\n" in last and found.tail.endswith(last[-50:]):
        lines = last.count("\n") + 1
        raise InputError(f"{path}: a quote that opens {lines} lines before the end is never closed; close or double it")


def _fault(path: Path, found: Dialect, said: str) -> InputError:
    """Where the rows stop being a table, by line, which pyarrow does not know."""
    with io.TextIOWrapper(packed.opened(path), encoding=found.encoding, newline="") as lines:
        reader = csv.reader(lines, delimiter=found.separator, escapechar=found.escape)
        csv.field_size_limit(BLOCK)
        before, rows = 1, 0
        try:
            for place, row in enumerate(reader):
                rows += place >= found.skip and bool(row)
                if place >= found.skip and row and len(row) != len(found.header):
                    names = ", ".join(found.header)[:60]
                    return InputError(
                        f"{path}, line {before}: {len(row)} fields, expected {len(found.header)} as in the names "
                        f"({names}); correct that line (a field that holds the separator must stand in quotes)"
                    )
                before = reader.line_num + 1
        except (csv.Error, UnicodeDecodeError) as error:
            said, rows = said if "straddling" in said else f"line {before}: {error}", 1
    if not rows:
        return InputError(f"{path} has column names but no row; expected rows below them")
    if "straddling" in said:
        said = f"a row is longer than {BLOCK >> 20} MB, perhaps for a quote that is never closed"
    return InputError(f"{path} cannot be read ({said}); correct the file")
