"""What goes into a graph and comes out of it is the same by way of the C interface and of ONNX Runtime's own."""

import gc
import os
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnxruntime import InferenceSession

from serving.follow.artifacts import Faulty
from serving.graph import FEW, KEPT, MANY, Graph
from serving.protocol.fast import Table
from serving.runtime.block import ROOM
from serving.runtime.library import Failed
from serving.runtime.session import Session
from serving.runtime.texts import Texts
from tests.conftest import ROOT
from tests.servers.started import free_port
from tests.serving.runtime.echo import content, echo

WORDS = ["UA", "", "ü蓝😀", "a\0b", "\0", "a longer text than fits into a short string", "x" * 1500, "\n\"'"]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return echo()


def feeds(rows: int, words: list[str] | None = None) -> dict[str, Any]:
    random = np.random.default_rng(rows)
    numbers = random.normal(size=(rows, 1)).astype(np.float32)
    numbers[::3] = np.nan
    words = WORDS if words is None else words
    return {
        "number": numbers,
        "time": random.integers(0, 2_000_000_000, (rows, 1)).astype(np.float64),
        "text": np.array([words[place] for place in random.integers(0, len(words), rows)], dtype=object)[:, None],
    }


@pytest.mark.parametrize("rows", [1, 2, 12, 65, FEW, FEW + 1, 3000, MANY + 1])
@pytest.mark.parametrize("words", [WORDS, [word for word in WORDS if "\0" not in word], ["no"]], ids=len)
def test_answers_are_those_of_the_python_interface(graph: Graph, rows: int, words: list[str]) -> None:
    given = feeds(rows, words)
    labels, probabilities = InferenceSession(content()).run(["label", "probabilities"], given)
    for _ in range(2):  # the second time into the same tensors
        found = graph.score(given)
        assert found[0] == labels.tolist()
        np.testing.assert_array_equal(found[1], probabilities)


@pytest.mark.parametrize("rows", [1, 40, FEW + 1, 3000])
def test_texts_that_stand_once_are_those_that_stand_in_each_row(graph: Graph, rows: int) -> None:
    places = np.random.default_rng(0).integers(0, len(WORDS), rows)
    given = feeds(rows) | {"text": Texts([word.encode() for word in WORDS], places)}
    assert given["text"].shape == (rows, 1)
    assert graph.score(given)[0] == [WORDS[place] for place in places]


def test_a_row_does_not_see_the_one_before(graph: Graph) -> None:
    reader = Table(graph.contract)
    for word in ["a", "b", "a", None, "", "a\0b", "a", "a\0b", "ü", None, "x" * 1500, "x"]:
        for number in (1.5, None, True, -3e38):
            block = graph.block(1)
            labels, probabilities = block.score(reader.fill(block, [(number, "2020-01-01T00:00:01Z", word)]))
            expected = np.nan if number is None else number
            np.testing.assert_array_equal(probabilities, np.array([[expected, 1_577_836_801]], dtype=np.float32))
            assert labels == [word or ""]
            graph.give_back(block)
            assert graph.block(1) is block
            graph.give_back(block)


@pytest.mark.parametrize("rows", [3, 100])
def test_missing_values_of_a_few_rows_are_no_number_and_no_text(graph: Graph, rows: int) -> None:
    table = [(None, None, None), (1.0, "1970-01-02", "ü")] * rows
    block = graph.block(len(table))
    labels, probabilities = block.score(Table(graph.contract).fill(block, table))
    assert labels == ["", "ü"] * rows
    np.testing.assert_array_equal(probabilities, np.array([[np.nan, np.nan], [1, 86_400]] * rows, np.float32))


def test_each_thread_has_its_own_tensors(graph: Graph) -> None:
    def ask(number: int) -> bool:
        word = WORDS[number % len(WORDS)]
        labels, probabilities = graph.score(feeds(1, [word]) | {"number": np.full((1, 1), number, np.float32)})
        return labels == [word] and probabilities[0, 0] == number

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(4000)))


def test_tensors_of_so_many_sizes_are_not_kept(graph: Graph) -> None:
    for rows in range(1, 3 * KEPT):
        assert len(graph.score(feeds(rows))[0]) == rows
        assert len(graph.blocks) <= KEPT


@pytest.mark.parametrize("rows", [20, 60, FEW])
def test_tensors_of_long_texts_are_not_kept(rows: int) -> None:
    graph = echo()
    long = "x" * (ROOM // rows + 1)
    for word, kept in ((long, 0), ("short", 1), (long, 0), ("", 1), (long[2:], 1)):
        given = feeds(rows) | {"text": np.array([[word]] + [["y"]] * (rows - 1), dtype=object)}
        assert graph.score(given)[0] == [word] + ["y"] * (rows - 1)
        assert len(graph.blocks.get(rows, [])) == kept


def test_tensors_of_a_row_with_a_long_text_are_not_kept(graph: Graph) -> None:
    block = graph.block(1)
    with pytest.raises(Failed, match="none of its classes"):
        block.score(["x" * (ROOM + 1)])
    assert block.large


def test_a_graph_that_nobody_has_any_more_is_closed_at_once() -> None:
    gone = echo()
    for rows in (1, 2, FEW + 1):
        gone.score(feeds(rows))
    blocks, session = [weakref.ref(block) for block in gone.blocks[1]], weakref.ref(gone.session)
    gc.disable()
    try:
        del gone
        assert [session(), *(block() for block in blocks)] == [None, None]
    finally:
        gc.enable()


def test_a_label_that_is_no_class_and_longer_than_all_is_told(graph: Graph) -> None:
    with pytest.raises(Failed, match="labels that are none of its classes"):
        graph.score(feeds(1, ["w" * 20_001]))
    assert graph.score(feeds(1, ["UA"]))[0] == ["UA"]


def test_a_graph_whose_inputs_are_of_other_types_is_faulty() -> None:
    other = echo(numbers=TensorProto.INT64)
    with pytest.raises(Failed, match=r"(?i)type"):
        other.score(feeds(1))
    with pytest.raises(Faulty, match="it fails on its own example"):
        other.prove(feeds(1, ["no"]))


@pytest.mark.parametrize("damaged", [b"", b"no graph", content()[:200]], ids=len)
def test_what_is_no_graph_is_refused(damaged: bytes) -> None:
    with pytest.raises(Failed):
        Session(damaged, 1)


def test_a_graph_tells_of_itself(graph: Graph) -> None:
    assert (graph.session.inputs, graph.session.outputs) == (["number", "time", "text"], ["label", "probabilities"])
    assert graph.session.metadata("nothing") is None


def test_opening_a_graph_tells_nobody_else_of_it(tmp_path: Path) -> None:
    (tmp_path / "graph.onnx").write_bytes(content())
    home = tmp_path / "home"
    home.mkdir()
    quiet = ("ORT_DISABLE_TELEMETRY", "CI", "GITHUB_ACTIONS", "XDG_CACHE_HOME")  # some of these would silence it too
    env = {name: value for name, value in os.environ.items() if name not in quiet} | {"HOME": str(home)}
    code = "import sys; from serving.runtime.session import Session; Session(open(sys.argv[1], 'rb').read(), 1)"
    subprocess.run([sys.executable, "-c", code, tmp_path / "graph.onnx"], env=env, cwd=ROOT, check=True)
    assert not list(home.iterdir())


@pytest.mark.parametrize(
    ("files", "told"),
    [([], "no libonnxruntime in"), (["capi/libonnxruntime.so.1"], "ONNX Runtime cannot be loaded")],
    ids=["none", "damaged"],
)
def test_a_package_without_its_library_is_told_in_a_line(tmp_path: Path, files: list[str], told: str) -> None:
    package = tmp_path / "onnxruntime"
    (package / "capi").mkdir(parents=True)
    for name in ("__init__.py", *files):
        (package / name).write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "serving", "--port", str(free_port())],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr
