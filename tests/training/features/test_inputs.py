"""The front of every graph gives what its twin in NumPy gives, whatever the rows hold."""

import re
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from data.contract import Column, Contract
from training import onnx_graph
from training.features import inputs, inputs_graph
from training.features.preprocessing import WORD
from training.features.summary import MOST_CHANNELS
from training.graph import _tensor

CLASSES = ("a", "b")
IMAGE = Column("picture", "image", (4, 3), 0.0, 255.0)
SEQUENCE = Column("motion", "sequence", (9, 2), -10.0, 10.0)
SHAPES = {
    "steps of numbers": (40, 6),
    "steps of rows": (40, 2, 3),
    "one step": (1, 3),
    "two steps": (2, 1, 3),
    "many channels": (5, MOST_CHANNELS + 1),
}


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    model = onnx_graph.join(model, _same(model))
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def _same(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model that gives each output of `model` as it is."""
    outputs = [onnx.ValueInfoProto.FromString(one.SerializeToString()) for one in model.graph.output]
    nodes = [onnx.helper.make_node("Identity", [one.name], [f"{one.name}/same"]) for one in outputs]
    given_back = [onnx.ValueInfoProto.FromString(one.SerializeToString()) for one in outputs]
    for one in given_back:
        one.name += "/same"
    return onnx.helper.make_model(onnx.helper.make_graph(nodes, "same", outputs, given_back))


def answers(model: onnx.ModelProto, contract: Contract, rows: pd.DataFrame) -> list[np.ndarray]:
    feeds = {
        inputs_graph.raw(place): _tensor(
            rows[column.name],
            {"name": column.name, "kind": column.kind, "shape": column.shape, "low": column.low, "high": column.high},
        )
        for place, column in enumerate(contract.columns)
    }
    return session(model).run(None, feeds)


def check_table(contract: Contract, rows: pd.DataFrame) -> None:
    plain = inputs.table(rows, contract)
    for (name, values), found in zip(plain.items(), answers(inputs_graph.table(contract), contract, rows), strict=True):
        assert found.shape == (len(rows), 1)
        np.testing.assert_array_equal(found[:, 0], values.to_numpy(dtype=found.dtype), err_msg=str(name))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.datetimes(pd.Timestamp("1600-01-01"), pd.Timestamp("3000-01-01")), min_size=1, max_size=20))
def test_a_time_has_the_same_parts_in_the_graph(moments: list[Any]) -> None:
    whole = [moment.replace(microsecond=0) for moment in moments]
    when = pd.Series([*whole, None], dtype="datetime64[us]").dt.tz_localize("UTC")
    check_table(Contract("t", "y", (Column("when", "time"),), CLASSES), pd.DataFrame({"when": when}))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=9))
def test_a_text_has_the_same_lower_case_and_the_same_words_in_the_graph(texts: list[str]) -> None:
    contract = Contract("t", "y", (Column("text", "text"),), CLASSES)
    rows = pd.DataFrame({"text": pd.Series(texts, dtype=object)})
    check_table(contract, rows)
    add = inputs_graph.Builder()
    lower = inputs_graph.lower(add, inputs_graph.raw(0))
    add(
        "Tokenizer",
        lower,
        domain="com.microsoft",
        tokenexp=WORD,
        mark=0,
        mincharnum=1,
        pad_value="#",
        name="words",
    )
    (found,) = answers(add.model(contract, {"words": (TensorProto.STRING, [None, None])}), contract, rows)
    for text, words in zip(texts, found, strict=True):
        assert re.findall(WORD, text.translate(inputs.LOWER)) == [word for word in words if word != "#"]


@pytest.mark.parametrize("column", [IMAGE, SEQUENCE], ids=["image", "sequence"])
def test_an_image_or_a_sequence_has_the_same_features_in_the_graph(column: Column) -> None:
    random = np.random.default_rng(0)
    values = random.uniform(column.low, column.high, (7, *column.shape)).astype(np.float32)
    rows = pd.DataFrame({column.name: [*values.reshape(7, -1)]})
    contract = Contract("t", "y", (column,), CLASSES)
    (flat,) = answers(inputs_graph.flat(contract), contract, rows)
    np.testing.assert_array_equal(flat, inputs.flat(rows, column))
    mean, deviation = np.float32(0.5), np.float32(2)
    (whole,) = answers(inputs_graph.tensor(contract, mean, deviation), contract, rows)
    np.testing.assert_array_equal(whole, (inputs.tensor(rows, column) - mean) / deviation)
    assert whole.shape == (7, *column.shape)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_summary_has_the_same_last_bits_in_the_graph(shape: tuple[int, ...]) -> None:
    column = Column("motion", "sequence", shape, -10.0, 10.0)
    values = np.random.default_rng(0).uniform(column.low, column.high, (300, *shape)).astype(np.float32)
    values[0], values[1, ..., 0], values[2, ..., 0], values[3] = 0, 0.1, values[2, ..., -1], column.high
    rows = pd.DataFrame({column.name: [*values.reshape(len(values), -1)]})
    contract = Contract("t", "y", (column,), CLASSES)
    (flat,) = answers(inputs_graph.flat(contract), contract, rows)
    assert np.isfinite(flat).all()
    np.testing.assert_array_equal(flat, inputs.flat(rows, column))
    (none,) = answers(inputs_graph.flat(contract), contract, rows[:0])
    assert none.shape == (0, flat.shape[1])


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (np.zeros((3, 4)), r"picture: a value has the shape \(3, 4\), expected \(4, 3\)"),
        (np.full((4, 3), 256.0), "picture: a value lies outside 0 to 255"),
        (np.full((4, 3), np.nan), "picture: a value lies outside 0 to 255"),
        ([[1, 2, 3], [4, 5]], "picture: a value is no nested list of numbers"),
    ],
)
def test_an_image_of_another_shape_or_range_is_refused(cell: Any, said: str) -> None:
    column = {"name": "picture", "kind": "image", "shape": [4, 3], "low": 0.0, "high": 255.0}
    with pytest.raises(ValueError, match=said):
        _tensor([cell], column)


def test_nested_lists_are_taken_as_an_image() -> None:
    column = {"name": "picture", "kind": "image", "shape": [2, 2], "low": 0.0, "high": 9.0}
    assert _tensor([[[1, 2], [3, 4]]], column).tolist() == [[[1.0, 2.0], [3.0, 4.0]]]
