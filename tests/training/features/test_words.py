from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from pydantic import ValidationError

from data.contract import Column, Contract
from training import onnx_graph
from training.features import words, words_graph
from training.features.inputs_graph import raw
from training.features.words import Reading, Vocabulary

CONTRACT = Contract("made", "y", (Column("the text", "text"),), ("no", "yes"))
AWKWARD = [
    "",
    " ",
    "!!! ... ---",
    "good",
    "GOOD Good gOOd",
    "Straße ÉTÉ été İstanbul ǅ",
    "日本 の 映画 映画",
    "emoji 🎬🎬 🎬 x\u200bx",
    'it\'s a well-made, "film" #1 (1999)',
    "tabs\tand\nlines\r\nand\x0bodd\u2003spaces\u00a0here",
    "null\x01control",
    "a" * 3000,
    "good bad " * 500,
    "bad",
]


def session(vocabulary: Vocabulary) -> onnxruntime.InferenceSession:
    model = onnx_graph._plain(words_graph.ids(CONTRACT, vocabulary))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def by_graph(vocabulary: Vocabulary, texts: list[str]) -> np.ndarray:
    given = np.array(texts, dtype=object).reshape(-1, 1)
    (found,) = session(vocabulary).run(None, {raw(0): given})
    return found


@pytest.mark.parametrize(("length", "head"), [(2, 0), (2, 2), (7, 3), (1200, 600)])
@pytest.mark.parametrize(
    "known", [("good", "bad", "日本", "été", "🎬🎬", "it", "s", "1"), ()], ids=["known", "none known"]
)
def test_the_graph_reads_the_same_words_as_numpy(known: tuple[str, ...], length: int, head: int) -> None:
    vocabulary = Vocabulary(known, length, head)
    np.testing.assert_array_equal(by_graph(vocabulary, AWKWARD), vocabulary.ids(pd.Series(AWKWARD)))


@pytest.mark.parametrize("texts", [[""], ["", " "], ["...", "", "\t"]], ids=["one", "blank", "signs"])
def test_a_batch_without_any_word_is_padding(texts: list[str]) -> None:
    vocabulary = Vocabulary(("good",), 5, 2)
    for found in (by_graph(vocabulary, texts), vocabulary.ids(pd.Series(texts))):
        np.testing.assert_array_equal(found, np.zeros((len(texts), 5), np.int64))


def test_the_answer_does_not_depend_on_the_batch() -> None:
    vocabulary = Vocabulary(("good", "bad"), 4, 1)
    together = by_graph(vocabulary, AWKWARD)
    alone = np.concatenate([by_graph(vocabulary, [text]) for text in AWKWARD])
    np.testing.assert_array_equal(together, alone)


def test_a_long_text_keeps_its_first_and_its_last_words() -> None:
    vocabulary = Vocabulary(tuple("abcdefgh"), 4, 1)
    np.testing.assert_array_equal(vocabulary.ids(pd.Series(["a b c d e f g h", "a b"])), [[2, 7, 8, 9], [2, 3, 0, 0]])


def test_the_most_frequent_words_are_known_and_ties_go_by_the_alphabet() -> None:
    texts = pd.Series(["c b a a", "B z", "d"])
    found = words.learn(texts, Reading(words=4, length=2, head=1))
    assert found.words == ("a", "b", "c", "d")


@pytest.mark.parametrize("given", [{"length": 10, "head": 11}, {"words": 0}, {"length": 1}])
def test_an_impossible_reading_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Reading(**given)
