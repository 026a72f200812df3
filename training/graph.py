"""A scoring graph in ONNX Runtime: rows in, a label and one probability per class out.

This file stands alone: it is also the code that MLflow runs for a registered version, where nothing else
of the repository is installed.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read at the import; else it reports each graph to its makers

import onnxruntime

CONTRACT_KEY = "contract"  # the graph's metadata holds the contract as JSON
DECISION_KEY = "decision"  # and how the label follows from the probabilities
DIGEST_KEY = "graph.digest"  # the SHA-256 with which a version was registered
LABEL = "label"
PROBABILITIES = "probabilities"
EPOCH = pd.Timestamp(0, tz="UTC").as_unit("us")


class Graph:
    """An ONNX file with one input per raw column and the outputs `label` and `probabilities`."""

    def __init__(self, path: str | Path) -> None:
        """Open the graph at `path`; the contract is read from the graph itself."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # idle threads leave the cores to others
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        metadata = self.session.get_modelmeta().custom_metadata_map
        contract = json.loads(metadata[CONTRACT_KEY])
        self.columns: list[dict[str, Any]] = contract["columns"]
        self.kinds: dict[str, str] = {column["name"]: column["kind"] for column in self.columns}
        self.classes: list[str] = contract["classes"]
        self.decision: dict[str, Any] = json.loads(metadata.get(DECISION_KEY, "{}"))

    def feeds(self, rows: pd.DataFrame | dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The graph's inputs.

        Numbers are float32 with NaN for missing, booleans likewise 1 or 0, categories and texts strings with ""
        for missing, times float64 seconds since 1970 (UTC) with NaN for missing; each of shape (rows, 1). Images
        and sequences are float32 of shape (rows, ...).

        Raises:
            KeyError: a column of the contract is missing.
            ValueError: a value is of another type, shape or range.
        """
        return {column["name"]: _tensor(rows[column["name"]], column) for column in self.columns}

    def score(
        self, rows: pd.DataFrame | dict[str, np.ndarray], batch: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Labels, shape (rows,), and class probabilities, float32, shape (rows, classes).

        Args:
            rows: the contract's columns, in any order; missing values are None or NaN.
            batch: how many rows go through the graph at once; by default more where rows are small.
        """
        batch = batch or (256 if {"text", "image", "sequence"}.intersection(self.kinds.values()) else 65536)
        feeds = self.feeds(rows)
        total = len(next(iter(feeds.values())))
        parts = [
            self.session.run([LABEL, PROBABILITIES], {name: f[start : start + batch] for name, f in feeds.items()})
            for start in range(0, max(total, 1), batch)
        ]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def predict(self, rows: pd.DataFrame | dict[str, np.ndarray]) -> pd.DataFrame:
        """A `label` column and one `probability_<class>` column per class."""
        labels, probabilities = self.score(rows)
        return pd.DataFrame(
            {
                LABEL: labels,
                **{f"probability_{name}": probabilities[:, i] for i, name in enumerate(self.classes)},
            }
        )


def _tensor(values: Any, column: dict[str, Any]) -> np.ndarray:
    kind, name = column["kind"], column["name"]
    if kind in ("image", "sequence"):
        return _nested(values, column)
    values = pd.Series(values)
    if kind == "time":
        return _seconds(values, name).reshape(-1, 1)
    if kind in ("number", "boolean"):
        try:
            with np.errstate(over="ignore"):
                numbers = pd.to_numeric(values).to_numpy(dtype=np.float32, na_value=np.nan).reshape(-1, 1)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}: {error}; expected a {kind} or null") from None
        if np.isinf(numbers).any():
            raise ValueError(f"{name}: a value is not finite, or too large for float32")
        if kind == "boolean" and not (np.isnan(numbers) | (numbers == 0) | (numbers == 1)).all():
            raise ValueError(f"{name}: a value is neither true nor false nor null")
        return numbers
    return _strings(values, name).reshape(-1, 1)


def _strings(values: pd.Series, name: str) -> np.ndarray:
    """Texts, with "" for missing; whole numbers that are floats, since some are missing, without the ".0"."""
    if pd.api.types.is_float_dtype(values) and values.dropna().mod(1).eq(0).all():
        values = values.astype("Int64")
    if isinstance(values.dtype, pd.StringDtype):
        return values.fillna("").to_numpy(dtype=object)
    if any(isinstance(value, list | dict) for value in values):
        raise ValueError(f"{name}: a value is a list or an object; expected a text or null")
    return values.astype(object).where(values.notna(), "").astype(str).to_numpy(dtype=object)


def _seconds(values: pd.Series, name: str) -> np.ndarray:
    """Seconds since 1970 (UTC), float64; moments without a zone are UTC."""
    if pd.api.types.is_numeric_dtype(values) and values.notna().any():
        raise ValueError(
            f"{name}: {values.dropna().iloc[0]} is no time; expected one like 2013-10-01T12:00:00Z, or null"
        )
    try:
        form = None if pd.api.types.is_datetime64_any_dtype(values) else "ISO8601"
        moments = pd.to_datetime(values, utc=True, format=form)
    except (TypeError, ValueError) as error:
        reason = str(error).split(". You might")[0]
        raise ValueError(f"{name}: {reason}; expected times like 2013-10-01T12:00:00Z, or null") from None
    return (moments.dt.as_unit("us") - EPOCH).dt.total_seconds().to_numpy(dtype=np.float64)


def _nested(values: Any, column: dict[str, Any]) -> np.ndarray:
    shape, name = tuple(column["shape"]), column["name"]
    try:
        cells = np.asarray(list(values), dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: a value is no nested list of numbers of the shape {shape}") from None
    if cells.shape[1:] not in (shape, (int(np.prod(shape)),)) and len(cells):
        raise ValueError(f"{name}: a value has the shape {cells.shape[1:]}, expected {shape}")
    if not ((cells >= column["low"]) & (cells <= column["high"])).all():
        raise ValueError(f"{name}: a value lies outside {column['low']:g} to {column['high']:g}, or is missing")
    return cells.reshape(-1, *shape)


if __name__ != "training.graph":
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model, set_model
    from mlflow.pyfunc import PythonModel

    class Version(PythonModel):
        """A registered version, as MLflow loads it."""

        def load_context(self, context: Any) -> None:
            """Open the graph that lies beside this file, if it is the one that was registered."""
            path = Path(context.artifacts["graph"])
            registered = (Model.load(str(path.parents[1])).metadata or {}).get(DIGEST_KEY)
            found = hashlib.sha256(path.read_bytes()).hexdigest()
            if registered and found != registered:
                raise MlflowException(
                    f"{path.name} has SHA-256 {found[:12]}…, registered was {registered[:12]}…; "
                    "the file was changed after registration, do not use this version"
                )
            self.graph = Graph(path)

        def predict(
            self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
        ) -> pd.DataFrame:
            """Label and class probabilities of each row; what is wrong with a row is told with status 400."""
            if isinstance(model_input, pd.DataFrame) and len(model_input) == 1:
                first = model_input.iloc[0]
                if all(isinstance(cell, list) for cell in first):  # how MLflow packs columns of nothing but texts
                    model_input = pd.DataFrame(dict(first))
            try:
                return self.graph.predict(model_input)
            except (KeyError, ValueError) as error:
                raise MlflowException.invalid_parameter_value(str(error.args[0])) from None

    set_model(Version())
