"""Reference statistics of the training rows, for later drift checks."""

from typing import Any

import numpy as np
import pandas as pd

from data.contract import TENSORS, Contract

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
MOST_COMMON = 50  # categories kept by name; the rest is one share


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
        "rows": len(rows),
        "classes": {name: round(float(shares.get(name, 0.0)), 6) for name in contract.classes},
        "columns": columns,
    }
