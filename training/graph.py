"""A scoring graph in ONNX Runtime: rows in, a label and one probability per class out.

This file stands alone: it is also the code that MLflow runs for a registered version, where nothing else
of the repository is installed.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd

CONTRACT_KEY = "contract"  # the graph's metadata holds the contract as JSON
LABEL = "label"
PROBABILITIES = "probabilities"


class Graph:
    """An ONNX file with one input per raw column and the outputs `label` and `probabilities`."""

    def __init__(self, path: str | Path) -> None:
        """Open the graph at `path`; the contract is read from the graph itself."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # idle threads leave the cores to others
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        contract = json.loads(self.session.get_modelmeta().custom_metadata_map[CONTRACT_KEY])
        self.kinds: dict[str, str] = {column["name"]: column["kind"] for column in contract["columns"]}
        self.classes: list[str] = contract["classes"]

    def feeds(self, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        """The graph's inputs, each of shape (rows, 1): float32 with NaN, or strings with "", for missing values.

        Raises:
            KeyError: a column of the contract is missing.
            ValueError: a number column holds something else.
        """
        return {name: _tensor(rows[name], kind) for name, kind in self.kinds.items()}

    def score(self, rows: pd.DataFrame, batch: int = 65536) -> tuple[np.ndarray, np.ndarray]:
        """Labels, shape (rows,), and class probabilities, float32, shape (rows, classes).

        Args:
            rows: the contract's columns, in any order; missing values are None or NaN.
            batch: how many rows go through the graph at once.
        """
        feeds = self.feeds(rows)
        parts = [
            self.session.run([LABEL, PROBABILITIES], {name: f[start : start + batch] for name, f in feeds.items()})
            for start in range(0, max(len(rows), 1), batch)
        ]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """A `label` column and one `probability_<class>` column per class."""
        labels, probabilities = self.score(rows)
        return pd.DataFrame(
            {
                LABEL: labels,
                **{f"probability_{name}": probabilities[:, i] for i, name in enumerate(self.classes)},
            }
        )


def _tensor(values: pd.Series, kind: str) -> np.ndarray:
    if kind == "number":
        return pd.to_numeric(values).to_numpy(dtype=np.float32, na_value=np.nan).reshape(-1, 1)
    return values.astype(object).where(values.notna(), "").astype(str).to_numpy(dtype=object).reshape(-1, 1)


if __name__ != "training.graph":
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Version(PythonModel):
        """A registered version, as MLflow loads it."""

        def load_context(self, context: Any) -> None:
            """Open the graph that lies beside this file."""
            self.graph = Graph(context.artifacts["graph"])

        def predict(
            self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
        ) -> pd.DataFrame:
            """Label and class probabilities of each row."""
            return self.graph.predict(model_input)

    set_model(Version())
