"""The words that a graph's answers rest on, where it is known which they are."""

import numpy as np
import pandas as pd
import pytest

from data.contract import Column, Contract
from registry import words
from training import onnx_graph
from training.families import Rows, logistic
from training.graph import Graph

FILLERS = ["the", "film", "was", "seen", "by", "all", "of", "us", "in", "May"]
TELLING = {"Awful": 0, "dull": 0, "superb": 1, "très": 1, "magnifiquement": 1}


@pytest.fixture(scope="module")
def texts() -> pd.DataFrame:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 600)
    told = [random.choice([word for word, code in TELLING.items() if code == label]) for label in labels]
    said = [" ".join([*random.choice(FILLERS, 12), f"{word}!", *random.choice(FILLERS, 5)]) for word in told]
    return pd.DataFrame({"text": said, "code": labels})


@pytest.fixture(scope="module")
def graph(texts: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    contract = Contract("t", "y", (Column("text", "text"),), ("pan", "praise"))
    fit, held = texts[:400], texts[400:500]
    rows = Rows(contract, fit[["text"]], fit["code"].to_numpy(), held[["text"]], held["code"].to_numpy())
    fitted = logistic.fit(logistic.Params(C=1.0), rows, 0)
    path = tmp_path_factory.mktemp("words") / "graph.onnx"
    path.write_bytes(onnx_graph.finish(fitted.to_onnx(), contract).SerializeToString(deterministic=True))
    return Graph(path)


def test_the_words_that_tell_come_first_and_each_speaks_for_its_class(texts: pd.DataFrame, graph: Graph) -> None:
    probabilities = graph.score(texts)[1]
    found = words.measure(graph, texts["text"].tolist(), probabilities)
    best = found[: len(TELLING)]
    assert {one.word: one.code for one in best} == {word.lower(): code for word, code in TELLING.items()}
    assert all(one.drop > 0.1 for one in best)
    assert all(abs(one.drop) < 0.1 for one in found[len(TELLING) :])


def test_a_word_is_left_out_whole_and_in_any_case(texts: pd.DataFrame, graph: Graph) -> None:
    given = ["awful, Awful and lawful AWFUL"] * words.TEXTS
    (word,) = (
        one for one in words.measure(graph, given, graph.score({"text": np.array(given)})[1]) if one.word == "awful"
    )
    before, after = graph.score({"text": np.array([given[0], " ,   and lawful  "])})[1][:, word.code]
    assert word.drop == pytest.approx(before - after, abs=1e-6)


def test_without_a_word_that_is_in_enough_texts_none_is_named(texts: pd.DataFrame, graph: Graph) -> None:
    few = texts["text"].tolist()[: words.TEXTS - 1]
    assert words.measure(graph, few, graph.score({"text": np.array(few)})[1]) == []
    assert words.measure(graph, ["", ""], graph.score({"text": np.array(["", ""])})[1]) == []
