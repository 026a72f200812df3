from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

from training.graph import Graph
from training.parity import ParityError, check

CLASSES = ("no", "yes")
INPUTS = pd.DataFrame({"x": [10.0, 20.0, 30.0]})
NATIVE = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
LABELS = np.array(["no", "no", "yes"], dtype=object)


def test_the_largest_difference_is_returned() -> None:
    graph = np.add(NATIVE, [[0, 0], [2e-6, -2e-6], [1e-6, -1e-6]]).astype(np.float32)
    assert check(INPUTS, NATIVE, graph, LABELS, CLASSES, 1e-5) == pytest.approx(2e-6, rel=0.1)


def test_the_worst_row_is_shown() -> None:
    graph = np.add(NATIVE, [[0.001, -0.001], [0, 0], [0.02, -0.02]])
    with pytest.raises(ParityError) as caught:
        check(INPUTS, NATIVE, graph, LABELS, CLASSES, 1e-5)
    message = str(caught.value)
    assert "on 2 of 3 test rows; worst by 0.02 (allowed 1e-05) in row 2" in message
    assert "native [0.2, 0.8], graph [0.22, 0.78]" in message
    assert "{'x': 30.0}" in message


@pytest.mark.parametrize("side", ["native", "graph", "both"])
@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(side: str, value: float) -> None:
    broken = NATIVE.copy()
    broken[1] = value
    native, graph = (broken if side in (name, "both") else NATIVE for name in ("native", "graph"))
    with pytest.raises(ParityError, match="in row 1"):
        check(INPUTS, native, graph, LABELS, CLASSES, 1e-5)


def test_another_label_is_refused_where_the_classes_are_apart() -> None:
    with pytest.raises(ParityError, match="graph says 'yes' and the native model 'no' for test row 0"):
        check(INPUTS, NATIVE, NATIVE, np.array(["yes", "no", "yes"], dtype=object), CLASSES, 1e-5)


def test_another_label_is_allowed_at_a_near_tie() -> None:
    other = np.array(["no", "yes", "yes"], dtype=object)
    assert check(INPUTS, NATIVE, NATIVE, other, CLASSES, 1e-5) == 0
    near = np.add(NATIVE, [[0, 0], [1e-5, -1e-5], [0, 0]])
    check(INPUTS, near, near, other, CLASSES, 1e-4)
    with pytest.raises(ParityError, match="row 1"):
        check(INPUTS, near, near, other, CLASSES, 1e-5)


def test_a_graph_with_an_altered_weight_is_refused(graph_file: Path, tmp_path: Path) -> None:
    model = onnx.load(graph_file)
    weights = next(a for node in model.graph.node for a in node.attribute if a.name == "coefficients")
    weights.floats[0] += 0.01
    onnx.save(model, tmp_path / "altered.onnx")
    rows = pd.DataFrame({"x": [0.1, -1.5], "z": [0.0, 2.0], "c": ["", "é"], "d": ["0", "0"]})
    native, altered = Graph(graph_file), Graph(tmp_path / "altered.onnx")
    labels, scores = native.score(rows)
    assert check(rows, scores, scores, labels, tuple(native.classes), 1e-5) == 0
    with pytest.raises(ParityError, match=r"worst by .* in row 1: .*'x': -1\.5"):
        check(rows, scores, altered.score(rows)[1], labels, tuple(native.classes), 1e-5)


def test_the_finished_graph_has_no_marks_of_its_converters(graph_file: Path) -> None:
    model = onnx.load(graph_file)
    assert [output.name for output in model.graph.output] == ["label", "probabilities"]
    assert not model.doc_string + model.graph.doc_string + model.producer_name
