"""Texts as rows of word ids, in ONNX: what `words` does in NumPy."""

import numpy as np
import onnx
from onnx import TensorProto

from data.contract import Contract
from training.features import inputs_graph
from training.features.preprocessing import WORD
from training.features.words import FIRST, PADDING, UNKNOWN, Vocabulary

NO_WORD = "#"  # fills the tokenizer's short rows; no character of a word


def ids(contract: Contract, vocabulary: Vocabulary) -> onnx.ModelProto:
    """`Vocabulary.ids` of the contract's only column: one output `features`, int64, shape (rows, length)."""
    add, length = inputs_graph.Builder(), vocabulary.length
    lower = inputs_graph.lower(add, inputs_graph.raw(0))
    words = add(
        "Tokenizer", lower, domain="com.microsoft", mark=0, mincharnum=1, pad_value=NO_WORD, tokenexp=WORD
    )  # shape (rows, words of the longest text), which may be 0
    found = add(
        "LabelEncoder",
        words,
        domain="ai.onnx.ml",
        keys_strings=[NO_WORD, *vocabulary.words],
        values_int64s=[PADDING, *range(FIRST, vocabulary.size)],
        default_int64=UNKNOWN,
    )
    axis, zero = np.array([1]), np.array(PADDING)
    is_word = add("Cast", add("Greater", found, zero), to=TensorProto.INT64)
    excess = add("Max", add("Sub", add("ReduceSum", is_word, axis, keepdims=1), np.array(length)), np.array(0))
    in_tail = (np.arange(length) >= vocabulary.head).astype(np.int64)
    place = add("Add", np.arange(length), add("Mul", excess, in_tail))
    padded = add("Pad", found, np.array([0, 0, 0, length]), zero)
    add("GatherElements", padded, place, axis=1, name="features")
    return add.model(contract, {"features": (TensorProto.INT64, [None, length])})
