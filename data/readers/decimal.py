"""The decimal mark of numbers in a text table, chosen only where the rows give evidence."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

NUMBER = r"^\s*[+-]?(\d+(,\d*)?|,\d+)([eE][+-]?\d+)?\s*$"
UNLIKE_THOUSANDS = r"^\s*[+-]?(\d{4,},\d*|0+,\d*|,\d+|\d+,(\d{0,2}|\d{4,}))([eE][+-]?\d+)?\s*$"
"""1,234 may be a thousand or one and a bit; numbers of this form can only have a decimal comma."""


class Marks:
    """Which columns have commas, noted batch by batch; their cells are looked at once all rows are written."""

    def __init__(self, names: list[str]) -> None:
        """The columns of text to look at."""
        self.names = names
        self.commas: set[str] = set()
        self.ruled_out: set[str] = set()

    def see(self, batch: pa.RecordBatch) -> None:
        """Note the columns of a batch that have a number with a decimal comma; words rule a column out."""
        for name in self.names:
            if name in self.ruled_out:
                continue
            values = batch.column(name).drop_null()
            written = values.filter(pc.match_substring(values, ","))
            if not len(written):
                continue
            if not pc.all(pc.match_substring_regex(written, NUMBER)).as_py():
                self.ruled_out.add(name)
            elif pc.any(pc.match_substring_regex(written, UNLIKE_THOUSANDS)).as_py():
                self.commas.add(name)

    def decide(self, path: Path, notes: list[str]) -> str:
        """The decimal mark; a comma is added to `notes`.

        Args:
            path: where the rows were written.
            notes: what was decided in reading.
        """
        found = [name for name in self.names if name in self.commas - self.ruled_out and _numbers_only(path, name)]
        if not found:
            return "."
        notes.append(
            f"numbers have a decimal comma, as {', '.join(map(repr, found))} shows; else declare source.decimal"
        )
        return ","


def _numbers_only(path: Path, name: str) -> bool:
    with pq.ParquetFile(path) as file:
        return all(
            pc.all(pc.match_substring_regex(batch.column(0), NUMBER), skip_nulls=True).as_py() is not False
            for batch in file.iter_batches(columns=[name], use_threads=False)
        )
