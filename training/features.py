"""Preprocessing of table columns, shared by the families and compiled into every graph."""

import warnings
from typing import Any

import numpy as np

from data.contract import Contract

OPSET = {"": 18, "ai.onnx.ml": 3}


def preprocessing(contract: Contract, bins: int | None, sparse: bool) -> Any:
    """An unfitted scikit-learn transformer from raw columns to float32 features.

    Missing numbers become the median. A category that training rows did not have is all zeros.

    Args:
        contract: names and kinds of the columns.
        bins: quantile bins per number column, one feature each; None scales numbers to unit variance instead.
        sparse: whether the features are a sparse matrix.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler

    warnings.filterwarnings("ignore", "Bins whose width are too small", UserWarning)  # as columns of few values have
    shape = (
        KBinsDiscretizer(
            bins,
            encode="onehot" if sparse else "onehot-dense",
            quantile_method="averaged_inverted_cdf",
            subsample=None,
            dtype=np.float32,
        )
        if bins
        else StandardScaler()
    )
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), shape)
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=sparse, dtype=np.float32)
    parts = [
        ("number", numbers, contract.of_kind("number")),
        ("category", categories, contract.of_kind("category")),
    ]
    return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=1.0 if sparse else 0.0)


def convert(native: Any, contract: Contract, **options: Any) -> Any:
    """A fitted pipeline that begins with `preprocessing`, as an ONNX model with one input per raw column.

    Args:
        native: the fitted scikit-learn pipeline.
        contract: names and kinds of the inputs, each of shape (rows, 1).
        options: skl2onnx's options for the pipeline.
    """
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    from training import bins_graph

    bins_graph.register()
    types = {"number": FloatTensorType, "category": StringTensorType}
    model = to_onnx(
        native,
        initial_types=[(column.name, types[column.kind]([None, 1])) for column in contract.columns],
        options={id(native): options} if options else None,
        target_opset=OPSET,
    )
    _name_inputs(model.graph, contract.names)
    return model


def _name_inputs(graph: Any, names: list[str]) -> None:
    """Give the inputs the columns' names again, which skl2onnx makes into identifiers."""
    raw = {given.name: name for given, name in zip(graph.input, names, strict=True)}
    for given in graph.input:
        given.name = raw[given.name]
    for node in graph.node:
        node.input[:] = [raw.get(name, name) for name in node.input]
