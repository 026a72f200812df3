"""Typed rows, streamed into one Parquet file for each split."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data import typed
from data.agree import Agreement, target_text
from data.contract import TENSORS, Column
from data.splits import NONE, SPLITS
from data.table import Table

CELLS = 2_000_000  # about so many numbers are held for each split
GROUP = (1_000, 100_000)  # least and most rows of a row group


def write(table: Table, agreed: Agreement, parts: np.ndarray, folder: Path) -> None:
    """Write `train.parquet`, `validation.parquet` and `test.parquet` with inputs and target.

    Args:
        table: the rows, with a view `rows`.
        agreed: their contract.
        parts: the split of each row of the whole table by its number, uint8.
        folder: where to.
    """
    contract = agreed.contract
    schema = pa.schema([(one.name, _type(one)) for one in contract.columns] + [(contract.target, pa.string())])
    width = sum(int(np.prod(one.shape)) if one.shape else 1 for one in contract.columns) + 1
    size = int(np.clip(CELLS // width, *GROUP))
    terms = [f"{typed_value(table, agreed, one)} AS v{at}" for at, one in enumerate(contract.columns)]
    text = target_text(table, agreed.decision(contract.target))
    query = f"SELECT {', '.join(terms)}, {text} AS label, place FROM rows"
    writers = [pq.ParquetWriter(folder / f"{name}.parquet", schema) for name in SPLITS]
    waiting: list[list[pa.RecordBatch]] = [[] for _ in SPLITS]
    held = [0] * len(SPLITS)
    for batch in table.batches(query, size):
        part = parts[batch.column("place").to_numpy()]
        rows = pa.RecordBatch.from_arrays(
            [batch.column(at).cast(field.type) for at, field in enumerate(schema)], schema=schema
        )
        for place in range(NONE):
            chosen = rows.filter(pa.array(part == place))
            waiting[place].append(chosen)
            held[place] += len(chosen)
            if held[place] >= size:
                ready = pa.Table.from_batches(waiting[place])
                whole = len(ready) // size * size
                writers[place].write_table(ready.slice(0, whole), row_group_size=size)
                waiting[place] = ready.slice(whole).combine_chunks().to_batches()
                held[place] = len(ready) - whole
    for place, writer in enumerate(writers):
        writer.write_table(pa.Table.from_batches(waiting[place], schema), row_group_size=size)
        writer.close()


def typed_value(table: Table, agreed: Agreement, column: Column) -> str:
    """A column's value as the prepared file has it, in SQL; times as microseconds."""
    place = table.place(column.name)
    value = typed.value(f"c{place}", table.types[place], column.kind, agreed.decision(column.name).form)
    if column.kind in ("number", "boolean"):
        return f"coalesce(try_cast({value} AS FLOAT), 'nan'::FLOAT)"
    if column.kind in ("category", "text"):
        return f"coalesce({value}, '')"
    if column.kind in TENSORS:
        return f"{value}::FLOAT[]"
    return value


def _type(column: Column) -> pa.DataType:
    if column.kind in ("number", "boolean"):
        return pa.float32()
    if column.kind in TENSORS:
        return pa.list_(pa.float32())
    return pa.timestamp("us", "UTC") if column.kind == "time" else pa.string()
