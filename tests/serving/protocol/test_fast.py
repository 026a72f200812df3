"""What the fast reader takes is read as the reader of everything reads it, and what is usual is fast."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.contract import Column, Contract
from serving.protocol import answers, fast
from serving.protocol.errors import Refused
from serving.protocol.loose import parse
from tests.serving.protocol.drawn import bodies
from tests.serving.runtime.echo import echo

PEOPLE = Contract(
    "people",
    "left",
    (
        Column("age", "number"),
        Column("member", "boolean"),
        Column("plan", "category"),
        Column("note", "text"),
        Column("since", "time"),
    ),
    ("no", "yes"),
)
MOTION = Contract("motion", "pace", (Column("steps", "sequence", (5, 2), -9, 9),), ("False", "True"))
READERS = {"people": fast.requests_of(PEOPLE), "motion": fast.requests_of(MOTION)}
ROW = {"age": 41.5, "member": True, "plan": "basic", "note": "good fine", "since": "2020-05-01"}
NULLS = dict.fromkeys(ROW)
STEPS = [[0.5, 1], [1, 1.5], [2, 2], [3, 3], [4, -8]]
NAMES = list(ROW)
OTHERS: list[list[Any]] = [[-0.0, 1e-9, 7], [False, 0, 1], ["", "3"], ["", "ü蓝"], ["2020-05-01T10:00:00Z"]]
ROWS = [list(ROW.values()), list(NULLS.values())]


def same(contract: Contract, body: bytes) -> bool | None:
    """Whether both readers find the same inputs; None where the fast one leaves a body to the other."""
    reader = READERS[contract.task]
    rows = reader.rows(body)
    if rows is None:
        return None
    try:
        found = reader.feeds(rows)
    except Refused as refused:
        with pytest.raises(Refused) as expected:
            parse(body, "application/json", contract)
        return (refused.status, refused.code) == (expected.value.status, expected.value.code)
    wanted = parse(body, "application/json", contract)
    assert found.keys() == wanted.keys()
    for name, feed in found.items():
        assert feed.dtype == wanted[name].dtype
        np.testing.assert_array_equal(plain(feed), wanted[name])
    return True


def plain(feed: np.ndarray) -> np.ndarray:
    """The cells of a column, "" for a missing text, as which a tensor holds it."""
    return np.array([cell or "" for cell in feed.ravel()], dtype=object)[:, None] if feed.dtype == object else feed


@settings(max_examples=400, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from([PEOPLE, MOTION]))
def test_both_readers_read_alike(data: st.DataObject, contract: Contract) -> None:
    assert same(contract, data.draw(bodies(contract))) is not False


USUAL: dict[str, tuple[Contract, Any]] = {
    "records": (PEOPLE, {"dataframe_records": [ROW, NULLS]}),
    "records with another column": (PEOPLE, {"dataframe_records": [ROW | {"other": [1]}]}),
    "split": (PEOPLE, {"dataframe_split": {"columns": NAMES, "data": ROWS}}),
    "split with an index": (PEOPLE, {"dataframe_split": {"columns": NAMES, "data": ROWS, "index": [0, 1]}}),
    "split in another order": (
        PEOPLE,
        {"dataframe_split": {"columns": NAMES[::-1], "data": [row[::-1] for row in ROWS]}},
    ),
    "split with more columns": (
        PEOPLE,
        {"dataframe_split": {"columns": ["x", *NAMES], "data": [[{}, *row] for row in ROWS]}},
    ),
    "instances": (PEOPLE, {"instances": [ROW, ROW]}),
    "inputs": (PEOPLE, {"inputs": {name: [ROW[name], None] for name in ROW}}),
    "nested instances": (MOTION, {"instances": [{"steps": STEPS}, {"steps": STEPS}]}),
    "nested inputs": (MOTION, {"inputs": {"steps": [STEPS, STEPS]}}),
}


@pytest.mark.parametrize("kind", USUAL)
def test_what_is_usual_is_fast(kind: str) -> None:
    contract, body = USUAL[kind]
    assert same(contract, json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["member", "age", "plan", "note", "since"], "data": [[0, 0.5, "", "", None]]}},
        {"dataframe_split": {"columns": ["age", "member", "note", "plan", "since"], "data": [[1, 0, "a", "b", None]]}},
    ],
)
def test_columns_of_alike_types_in_another_order_are_not_mistaken(body: Any) -> None:
    assert same(PEOPLE, json.dumps(body).encode())
    wrong = {"dataframe_split": body["dataframe_split"] | {"data": [[0.5, 0, "a", "b", None]]}}
    assert same(PEOPLE, json.dumps(wrong).encode()) is not False


@pytest.mark.parametrize("kinds", [(0, 1, 2, 3, 4), (0,), (2,), (4,), (0, 3), (1, 4), (3, 4)], ids=str)
def test_many_rows_are_read_as_few_are(kinds: tuple[int, ...]) -> None:
    contract = Contract("some", "y", tuple(PEOPLE.columns[kind] for kind in kinds), ("no", "yes"))
    reader, graph, random = fast.Table(contract), echo(contract), np.random.default_rng(0)
    cells = [[value, None, *others] for value, others in zip(ROW.values(), OTHERS, strict=True)]
    drawn = [random.choice(np.array(cells[kind], dtype=object), 2 * fast.BLOCK + 9).tolist() for kind in kinds]
    rows = list(zip(*drawn, strict=True))
    labels, numbers = graph.score(reader.feeds(rows))
    for size in (1, 9, 100):
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            block = graph.block(len(part))
            found = block.score(reader.fill(block, part))
            assert found[0] == labels[start : start + size]
            np.testing.assert_array_equal(found[1], numbers[start : start + size])
            graph.give_back(block)


def test_a_text_that_is_no_time_is_refused_among_many_rows() -> None:
    rows = [tuple(ROW.values())] * fast.BLOCK
    with pytest.raises(Refused, match="since, row 511"):
        READERS["people"].feeds([*rows[1:], (*rows[0][:-1], "soon")])


def test_the_answer_to_many_rows_is_written_as_that_to_few() -> None:
    array = np.random.default_rng(0).random((99, 2)).astype(np.float32)
    labels = ["no", "yes", 'so "so", ü'] * 33
    write = answers.records_of(PEOPLE)
    assert write(labels, answers.Probabilities(array)) == write(labels, array.tolist())
    assert (len(answers.Probabilities(array)), list(answers.Probabilities(array))) == (99, array.tolist())
