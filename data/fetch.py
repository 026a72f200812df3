"""A snapshot of a task's rows: `data/raw/<task>/rows.parquet`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data import params, source


def fetch(content: dict[str, Any], name: str) -> Path:
    """Write the snapshot of a task's source; return its folder."""
    task = params.task(content, name)
    path = task.source.path
    if path.suffix == ".csv":
        source.read(path, f"tasks.{name}.source.path")
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table = table.where(table != "", None)
    else:
        table = source.read(path, f"tasks.{name}.source.path")
    for column in table.columns:
        if len(table) and isinstance(table[column].iloc[0], np.ndarray | list):
            flat = [np.asarray(cell, dtype=np.float32).reshape(-1) for cell in table[column]]
            table[column] = pd.Series(flat, index=table.index, dtype=object)
    folder = Path("data/raw") / name
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "rows.parquet", index=False)
    about = {"files": [], "format": path.suffix[1:], "text": path.suffix == ".csv", "decimal": ".", "notes": []}
    (folder / "source.json").write_text(json.dumps(about))
    return folder
