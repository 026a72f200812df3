"""Preprocessing of table columns, shared by the families and compiled into every graph."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from onnx import TensorProto

from data.contract import Contract
from data.errors import InputError
from training.families import Rows
from training.features import inputs

WORD = "[^\x00-/:-@\\[-`{-\u00bf\u1680\u2000-\u206f\u3000-\u303f]+"
"""A word: anything but blanks and punctuation, spelt out so that Python and the graph read it alike."""
MOST_CATEGORIES = 200
"""Features for the categories of a column; the least frequent categories share the last one."""
TELLING_WORDS = 300
RAREST_WORD = 0.0004
"""Share of the texts that a word or a pair of words must be in. A cut by rank could keep a pair and not its words,
and skl2onnx would take it for one word."""


def preprocessing(contract: Contract, bins: int | None, sparse: bool) -> Any:
    """An unfitted scikit-learn transformer from what `plain` gives to float32 features.

    Missing numbers become the median. A category that training rows did not have is all zeros; of very many, the
    rare ones share a feature. Texts become TF-IDF of words and pairs of words. Pixels are centred, a sequence's
    features scaled.

    Args:
        contract: names and kinds of the columns.
        bins: quantile bins per number column, one feature each; None scales numbers to unit variance instead.
        sparse: whether the features are a sparse matrix.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler

    if contract.tensor:
        return StandardScaler(with_std=contract.tensor.kind == "sequence")
    warnings.filterwarnings("ignore", "Bins whose width are too small", UserWarning)  # as columns of few values have
    binned = KBinsDiscretizer(
        bins or 2,
        encode="onehot" if sparse else "onehot-dense",
        quantile_method="averaged_inverted_cdf",
        subsample=None,
        dtype=np.float32,
    )
    median = SimpleImputer(strategy="median", keep_empty_features=True)
    scaled = make_pipeline(median, StandardScaler())
    numbers = make_pipeline(median, StandardScaler(), binned) if bins else scaled  # scaled first: no bin is too narrow
    booleans = {f"c{place}" for place, column in enumerate(contract.columns) if column.kind == "boolean"}
    categories = OneHotEncoder(
        handle_unknown="ignore", max_categories=MOST_CATEGORIES, sparse_output=sparse, dtype=np.float32
    )
    kinds = inputs.columns(contract)
    parts = [
        ("number", numbers, [name for name, kind in kinds.items() if kind == "number" and name not in booleans]),
        ("boolean", scaled, [name for name in kinds if name in booleans]),
        ("category", categories, [name for name, kind in kinds.items() if kind == "category"]),
        *((name, _words(), name) for name, kind in kinds.items() if kind == "text"),
    ]
    return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=1.0 if sparse else 0.0)


def for_trees(rows: Rows, seed: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Few features, as trees like them: the fitted transformer, and what it makes of training and validation rows.

    Numbers stay as they are, missing ones too; a column without any value is left out. A category becomes the share
    of each class among its rows, drawn towards the average where they are few; training rows take it from other rows
    than themselves. Of a text, it is said which of the most telling words it has. Pixels and a sequence's features
    stay as they are. All features are exact in float32.

    Args:
        rows: what is fitted on.
        seed: of the parts that training rows are cut into for their categories.

    Raises:
        InputError: no column has a value.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import FunctionTransformer, TargetEncoder

    if rows.contract.tensor:
        flat = [inputs.flat(part, rows.contract.tensor) for part in (rows.train, rows.validation)]
        return FunctionTransformer().fit(flat[0]), flat[0], flat[1]
    train, validation = (inputs.table(part, rows.contract) for part in (rows.train, rows.validation))
    kinds = inputs.columns(rows.contract)
    numbers = [name for name, kind in kinds.items() if kind == "number" and train[name].notna().any()]
    categories = [name for name, kind in kinds.items() if kind == "category"]
    parts = max(2, min(5, int(np.bincount(rows.train_codes).max())))
    encoder = TargetEncoder(cv=StratifiedKFold(parts, shuffle=True, random_state=seed))
    columns = [
        ("number", "passthrough", numbers),
        ("category", encoder, categories),
        *((name, _telling_words(), name) for name, kind in kinds.items() if kind == "text"),
    ]
    columns = [column for column in columns if column[2]]
    if not columns:
        raise InputError(f"{rows.contract.task}: no training row has a value in any column; bring a fuller source")
    features = ColumnTransformer(columns, sparse_threshold=0.0)
    encoded = features.fit_transform(train, rows.train_codes).astype(np.float32)
    if categories:
        fitted = features.named_transformers_["category"]
        fitted.encodings_ = [values.astype(np.float32).astype(np.float64) for values in fitted.encodings_]
        fitted.target_mean_ = np.float64(fitted.target_mean_).astype(np.float32).astype(np.float64)
    return features, encoded, features.transform(validation).astype(np.float32)


def _telling_words() -> Any:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.feature_selection import SelectKBest, chi2
    from sklearn.pipeline import make_pipeline

    warnings.filterwarnings("ignore", "k=.* is greater than n_features", UserWarning)
    present = CountVectorizer(lowercase=False, token_pattern=WORD, min_df=RAREST_WORD, binary=True, dtype=np.float32)
    return make_pipeline(present, SelectKBest(chi2, k=TELLING_WORDS))


def _words() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        lowercase=False,  # done before
        token_pattern=WORD,
        ngram_range=(1, 2),
        min_df=RAREST_WORD,
        dtype=np.float32,
    )


def plain(rows: pd.DataFrame, contract: Contract) -> "pd.DataFrame | np.ndarray":
    """What `preprocessing` takes: the plain columns of a table, or an image's or a sequence's features."""
    return inputs.flat(rows, contract.tensor) if contract.tensor else inputs.table(rows, contract)


def convert(native: Any, contract: Contract, **options: Any) -> Any:
    """A fitted pipeline that begins with `preprocessing`, as an ONNX model with one input per raw column.

    Args:
        native: the fitted scikit-learn pipeline.
        contract: names and kinds of the inputs.
        options: skl2onnx's options for the pipeline.
    """
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    from training.features import bins_graph, categories_graph, inputs_graph, scaler_graph
    from training.onnx_graph import OPSET, join

    bins_graph.register()
    categories_graph.register()
    scaler_graph.register()
    front = inputs_graph.flat(contract) if contract.tensor else inputs_graph.table(contract)
    types = {TensorProto.FLOAT: FloatTensorType, TensorProto.STRING: StringTensorType}
    warnings.filterwarnings("ignore", "Attribute `prob[AB]_` was deprecated", FutureWarning)  # skl2onnx looks at them
    model = to_onnx(
        native,
        initial_types=[
            (given.name, types[form.elem_type]([None, form.shape.dim[1].dim_value]))
            for given in front.graph.output
            for form in [given.type.tensor_type]
        ],
        options={id(native): options} if options else None,
        target_opset={domain: OPSET[domain] for domain in ("", "ai.onnx.ml")},
    )
    return join(front, model)
