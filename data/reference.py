"""Reference statistics of the training rows, or of a sample of them, for later drift checks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.contract import TENSORS, Contract

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
MOST_COMMON = 50  # categories kept by name; the rest is one share
SAMPLE_CELLS = 4_000_000  # about so many numbers are looked at
SAMPLE_ROWS = (2_000, 200_000)


def sample(path: Path, contract: Contract) -> pd.DataFrame:
    """Rows of a prepared file, evenly spaced: all of them where they are few."""
    file = pq.ParquetFile(path)
    width = sum(int(np.prod(column.shape)) if column.shape else 1 for column in contract.columns)
    step = -(-file.metadata.num_rows // int(np.clip(SAMPLE_CELLS // width, *SAMPLE_ROWS))) or 1
    start, parts = 0, []
    for batch in file.iter_batches(batch_size=max(1, SAMPLE_ROWS[0])):
        parts.append(batch.take(pa.array(np.arange(-start % step, len(batch), step))))
        start += len(batch)
    return pa.Table.from_batches(parts, file.schema_arrow).to_pandas()


def describe(rows: pd.DataFrame, contract: Contract) -> dict[str, Any]:
    """Row count, class shares and, per column, kind, missing share and quantiles or category shares."""
    columns: dict[str, Any] = {}
    for column in contract.columns:
        values = rows[column.name]
        if column.kind in TENSORS:
            flat = np.stack(values.to_list())
            columns[column.name] = {"kind": column.kind, "mean": float(flat.mean()), "deviation": float(flat.std())}
            continue
        if column.kind in ("number", "boolean", "time"):
            if column.kind == "time":
                values = values.astype("int64").where(values.notna()) / 1e6
            quantiles = values.quantile(list(QUANTILES)).dropna()
            spread: dict[str, Any] = {
                "quantiles": {str(level): round(float(value), 6) for level, value in quantiles.items()}
            }
            missing = values.isna()
        else:
            missing = values.eq("")
            shares = values[~missing].value_counts(normalize=True)
            named = shares.sort_index().sort_values(ascending=False, kind="stable").head(MOST_COMMON)
            spread = {
                "shares": {str(name): round(float(share), 6) for name, share in named.items()},
                "distinct": len(shares),
            }
        columns[column.name] = {"kind": column.kind, "missing": round(float(missing.mean()), 6), **spread}
    shares = rows[contract.target].value_counts(normalize=True)
    return {
        "sampled": len(rows),
        "classes": {name: round(float(shares.get(name, 0.0)), 6) for name in contract.classes},
        "columns": columns,
    }
