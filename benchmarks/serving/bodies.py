"""Requests made of rows of the test split, in the layouts that the servers take."""

import json
from pathlib import Path

import pandas as pd

from benchmarks.serving.load import Body
from data.contract import Contract

JSON, PARQUET = "application/json", "application/vnd.apache.parquet"
SIZES = {1: 64, 100: 16, 10_000: 2}
"""Rows a request, and how many requests with different rows are sent in turn."""

Bodies = dict[tuple[str, int], Body]
"""By layout (split, records, parquet) and rows."""


def write(rows: pd.DataFrame, contract: Contract, folder: Path) -> Bodies:
    """Write requests of the first rows, numbers in the decimals that a client would send and null for missing."""
    shown = pd.DataFrame({name: _shown(rows[name]) for name in contract.names})
    bodies: Bodies = {}
    for size, count in SIZES.items():
        files: dict[str, list[Path]] = {"split": [], "records": [], "parquet": []}
        for place in range(count):
            part = slice(place * size, (place + 1) * size)
            data = shown[part].to_numpy(dtype=object).tolist()
            split = {"dataframe_split": {"columns": list(contract.names), "data": data}}
            records = [dict(zip(contract.names, row, strict=True)) for row in data]
            for layout, content in (("split", split), ("records", records)):
                path = folder / f"{layout}-{size}-{place}.json"
                path.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
                files[layout].append(path)
            path = folder / f"parquet-{size}-{place}.parquet"
            rows[list(contract.names)][part].to_parquet(path, index=False)
            files["parquet"].append(path)
        for layout, paths in files.items():
            bodies[layout, size] = Body(PARQUET if layout == "parquet" else JSON, size, tuple(paths))
    return bodies


def _shown(values: pd.Series) -> pd.Series:
    if not pd.api.types.is_float_dtype(values):
        return values.astype(object).where(values.notna(), None)
    decimals = [None if pd.isna(value) else float(str(value)) for value in values.to_numpy()]
    return pd.Series(decimals, index=values.index, dtype=object)
