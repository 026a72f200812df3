"""Requests drawn by Hypothesis, right and wrong ones, for a contract of any kinds of columns."""

import json
import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from serving.contract import Contract

Draw = st.DrawFn
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "number": st.one_of(st.none(), st.integers(-9, 9), st.floats(-1e6, 1e6), st.booleans()),
    "boolean": st.sampled_from([True, False, None, 0, 1]),
    "category": st.sampled_from(["basic", "plus", "3", "", None]),
    "text": st.sampled_from(["good fine", "bad", "", "ü 蓝", "none", None]),
    "time": st.sampled_from(["2020-05-01", "2020-05-01T10:00:00Z", "2020-5-1 1:02:03.25+0130", " 2020", "NaT", None]),
}
NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.sampled_from([5.0, 2**63, 1e19, 1e39, -0.0]))
WORDS = st.sampled_from(["", "a", "5", " 5.5 ", "1_0", "nan", "inf", "0x1", "2020-05-01", "2020-05-32", "True", "null"])
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, WORDS)
NESTED = st.recursive(
    SCALARS,
    lambda one: st.lists(one, min_size=1, max_size=3) | st.dictionaries(WORDS, one, min_size=1, max_size=2),
    max_leaves=4,
)
WRONG = st.one_of(SCALARS, SCALARS, SCALARS, NESTED)
LAYOUTS = ("dataframe_records", "dataframe_split", "instances", "inputs")


@st.composite
def bodies(draw: Draw, contract: Contract, least: int = 0) -> bytes:
    """JSON in one of the four layouts with at least so many rows, in which up to a few things are odd."""
    rows = draw(st.sampled_from([least, 1, 1, 2, 3]))
    names = draw(st.permutations(contract.names)) if _rarely(draw) else list(contract.names)
    if _rarely(draw):
        names.pop()
    if _rarely(draw):
        names.append("extra")
    columns = {name: draw(_column(contract, name, rows)) for name in names}
    layout = draw(st.sampled_from(LAYOUTS))
    body = {layout: draw(_content(layout, columns, rows, contract))}
    if _rarely(draw):
        body[draw(st.sampled_from(["params", "signature_name", "inputs", "messages"]))] = draw(NESTED)
    return json.dumps(body).encode()


@st.composite
def tables(draw: Draw, header: tuple[str, ...]) -> bytes:
    """CSV of numbers, in which a few things are odd; no row has more values than the header."""
    cell = st.one_of(
        st.integers(-99, 99).map(str),
        st.sampled_from(
            ["", "NA", " 7", "8 ", "1.5e3", ".5", "5.", "+3", '"4"', '""', "abc", "inf", "1e400", "0x1", "-"]
        ),
    )
    line = st.lists(cell, min_size=1, max_size=len(header)).map(",".join)
    lines = [",".join(header), *draw(st.lists(line | st.sampled_from(["", " ", "True,false"]), max_size=4))]
    return draw(st.sampled_from(["\n", "\r\n", "\r"])).join(lines).encode() + draw(
        st.sampled_from([b"", b"\n", b"\n\n"])
    )


def _rarely(draw: Draw) -> bool:
    return draw(st.integers(0, 7)) == 7


def _column(contract: Contract, name: str, rows: int) -> st.SearchStrategy[list[Any]]:
    found = next((column for column in contract.columns if column.name == name), None)
    if found is None:
        return st.lists(SCALARS, min_size=rows, max_size=rows)
    if found.shape:
        return st.lists(_cell(found.shape), min_size=rows, max_size=rows)
    right, odd = RIGHT[found.kind], WRONG
    if found.kind == "time":  # of a number among times pandas makes a text, and then perhaps a year
        odd = WORDS
    return st.one_of(
        st.lists(right, min_size=rows, max_size=rows),
        st.lists(right, min_size=rows, max_size=rows),
        st.lists(st.one_of(right, right, odd), min_size=rows, max_size=rows),
        st.lists(odd, min_size=rows, max_size=rows),
    )


def _cell(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    """Nested lists of the shape, or with one number that is odd, or flat, or with one number less, or others."""
    odd = st.sampled_from([0.1, None, "1.5", "a", 10, 1e39, [1], []])
    right = st.integers(-9, 9).map(lambda number: np.full(shape, number).tolist())
    flat = st.integers(-9, 9).map(lambda number: [number] * math.prod(shape))
    return st.one_of(
        right, right, flat, st.builds(_changed, right | flat, odd), flat.map(lambda cell: cell[1:]), NESTED
    )


def _changed(cell: list[Any], odd: Any) -> list[Any]:
    return [*cell[:-1], _changed(cell[-1], odd) if isinstance(cell[-1], list) else odd]


@st.composite
def _content(draw: Draw, layout: str, columns: dict[str, list[Any]], rows: int, contract: Contract) -> Any:
    records = [{name: values[row] for name, values in columns.items()} for row in range(rows)]
    if _rarely(draw) and records and layout != "instances":
        records[-1].pop(draw(st.sampled_from([*columns, ""])), None)
    if _rarely(draw) and records:
        records[-1] = draw(SCALARS)
    if layout == "dataframe_split":
        data: list[Any] = [[values[row] for values in columns.values()] for row in range(rows)]
        if _rarely(draw) and data:
            data[-1] = draw(st.sampled_from([[], data[-1][:-1], [*data[-1], 1], None, "ab", 5]))
        split: dict[str, Any] = {"columns": [*columns], "data": records if _rarely(draw) else data}
        if _rarely(draw):
            others = [] if contract.tensor else [[7] * rows, [0]]  # of tensors MLflow looks for the row named 0
            split["index"] = draw(st.sampled_from([[*range(rows)], None, "a", 1, *others]))
        if _rarely(draw):
            split.pop(draw(st.sampled_from([*split])))
        return split
    if layout == "dataframe_records" or draw(st.booleans()):
        return records
    content: Any = dict(columns)
    for name in contract.names:
        if name in columns and _rarely(draw):
            content[name] = draw(SCALARS)
    if _rarely(draw):
        content = (
            draw(st.sampled_from([[*columns.values()], [], None, "a", 5, True]))
            if len(columns) > 1
            else [*columns.values()]
        )
    elif len(contract.columns) == 1 and draw(st.booleans()):
        content = next(iter(columns.values()), [])
    return content
