import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import ROOT
from training.graph import Graph

ROW = {"x": 0.5, "z": 2.0, "c": "é", "d": "a b"}


@pytest.fixture(scope="module")
def graph(graph_file: Path) -> Graph:
    return Graph(graph_file)


def probabilities(graph: Graph, **values: object) -> np.ndarray:
    columns = {name: pd.Series([value], dtype=object) for name, value in (ROW | values).items()}
    return graph.score(pd.DataFrame(columns))[1][0]


def test_opening_a_graph_tells_nobody_of_it(graph_file: Path, tmp_path: Path) -> None:
    quiet = ("ORT_DISABLE_TELEMETRY", "CI", "GITHUB_ACTIONS", "XDG_CACHE_HOME")  # some of these would silence it too
    env = {name: value for name, value in os.environ.items() if name not in quiet} | {"HOME": str(tmp_path)}
    code = "import os, sys, training.graph; training.graph.Graph(sys.argv[1]); print(os.listdir(os.environ['HOME']))"
    told = subprocess.run(
        [sys.executable, "-c", code, graph_file], env=env, cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    assert told.stdout.split() == [b"[]"]  # it would keep what it sends in a cache there


def test_the_graph_carries_its_contract(graph: Graph) -> None:
    assert graph.kinds == {"x": "number", "z": "number", "c": "category", "d": "category"}
    assert graph.classes == ["klass 0", "klass 1"]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, float("nan")], ids=["None", "NaN", "NA", "float"])
@pytest.mark.parametrize(("column", "plain"), [("x", np.float32(np.nan)), ("c", "")])
def test_every_kind_of_missing_value_is_scored_alike(graph: Graph, column: str, plain: object, missing: object) -> None:
    np.testing.assert_array_equal(probabilities(graph, **{column: missing}), probabilities(graph, **{column: plain}))
    assert not np.array_equal(probabilities(graph, **{column: missing}), probabilities(graph))


@pytest.mark.parametrize("dtype", ["int8", "int64", "Int64", "float64", "Float32", "int64[pyarrow]", "str", "object"])
def test_numbers_of_any_type_are_scored_alike(graph: Graph, dtype: str) -> None:
    rows = pd.DataFrame([ROW] * 2).assign(x=pd.Series([1, 3]).astype(dtype))
    expected = graph.score(pd.DataFrame([ROW] * 2).assign(x=np.array([1, 3], dtype=np.float32)))[1]
    np.testing.assert_array_equal(graph.score(rows)[1], expected)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int64[pyarrow]", "double[pyarrow]"])
def test_missing_numbers_of_extension_types_are_scored_as_missing(graph: Graph, dtype: str) -> None:
    rows = pd.DataFrame([ROW] * 2).assign(x=pd.array([1, None], dtype=dtype))
    expected = graph.score(pd.DataFrame([ROW] * 2).assign(x=np.array([1, np.nan], dtype=np.float32)))[1]
    np.testing.assert_array_equal(graph.score(rows)[1], expected)


@pytest.mark.parametrize("dtype", ["object", "str", "string", "string[python]", "string[pyarrow]", "category"])
def test_strings_of_any_type_are_scored_alike(graph: Graph, dtype: str) -> None:
    values = ["é", None, "日本", "never seen"]
    rows = pd.DataFrame([ROW] * 4).assign(c=pd.Series(values, dtype=dtype))
    expected = np.stack([probabilities(graph, c=value or "") for value in values])
    np.testing.assert_allclose(graph.score(rows)[1], expected, atol=1e-6)


def test_other_columns_and_another_order_change_nothing(graph: Graph) -> None:
    rows = pd.DataFrame([ROW] * 3)[["d", "z", "c", "x"]].assign(extra="?", y=1).set_index(pd.Index([9, 9, 4]))
    np.testing.assert_array_equal(graph.score(rows)[1], graph.score(pd.DataFrame([ROW] * 3))[1])


def test_an_empty_table_gives_an_empty_answer(graph: Graph) -> None:
    for rows in (pd.DataFrame([ROW]).head(0), pd.DataFrame(columns=list(ROW))):
        labels, scores = graph.score(rows)
        assert (labels.shape, scores.shape) == ((0,), (0, 2))
        assert list(graph.predict(rows)) == ["label", "probability_klass 0", "probability_klass 1"]


@pytest.mark.parametrize("rows", [6, 7, 8])
def test_rows_keep_their_order_over_batches(graph: Graph, rows: int) -> None:
    table = pd.DataFrame([ROW] * rows).assign(x=np.linspace(-3, 3, rows))
    labels, scores = graph.score(table, batch=3)
    expected_labels, expected = graph.score(table)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert labels.tolist() == expected_labels.tolist()
    assert len(np.unique(scores[:, 0])) == rows


def test_probabilities_sum_to_one_and_the_label_is_the_highest(graph: Graph) -> None:
    table = pd.DataFrame([ROW] * 50).assign(x=np.linspace(-5, 5, 50))
    answer = graph.predict(table)
    scores = answer.drop(columns="label")
    assert scores.to_numpy().dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert answer["label"].tolist() == scores.idxmax(axis=1).str.removeprefix("probability_").tolist()
    assert set(answer["label"]) == {"klass 0", "klass 1"}


def test_a_missing_column_is_named(graph: Graph) -> None:
    with pytest.raises(KeyError, match="'z'"):
        graph.score(pd.DataFrame([ROW]).drop(columns="z"))


def test_text_in_a_number_column_is_quoted(graph: Graph) -> None:
    with pytest.raises(ValueError, match="soon"):
        graph.score(pd.DataFrame([ROW | {"x": "soon"}]))
