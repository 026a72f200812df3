"""A CSV body as columns, read as pandas reads one."""

import csv
import io
import re
import sys

import numpy as np

from serving.contract import Column, Contract
from serving.protocol.errors import bad_request
from serving.protocol.tensors import NUMBERS, Values, doubles, feeds

MISSING = {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
MISSING |= {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
WORDS = {"true": 1.0, "false": 0.0}
NUMBER = re.compile(r"\s*[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|inf|infinity)\s*", re.ASCII | re.IGNORECASE)
PLAIN = re.compile(r"[-+.eE\d]*", re.ASCII)  # what pandas and Python alike take for numbers, or neither
csv.field_size_limit(sys.maxsize)  # the body is bounded, and a text may be long


def parse(body: bytes, contract: Contract) -> dict[str, np.ndarray]:
    """The graph's inputs from a table with a header; what pandas takes for missing is missing."""
    if contract.tensor:
        raise bad_request(f"{contract.tensor.name}: CSV cannot hold it; send nested lists as JSON")
    header, rows = _read(body)
    cells: dict[str, Values] = {}
    for column in contract.columns:
        if column.name not in header:
            continue
        place = header.index(column.name)
        values = [None if (value := row[place] if place < len(row) else "") in MISSING else value for row in rows]
        cells[column.name] = _numbers(values, column) if column.kind in NUMBERS else values
    return feeds(cells, contract)


def _numbers(values: list[str | None], column: Column) -> np.ndarray:
    if all(value is None or value.lower() in WORDS for value in values):
        return np.array([np.nan if value is None else WORDS[value.lower()] for value in values])
    plain = PLAIN.fullmatch("".join(value for value in values if value is not None))
    for row, value in enumerate(() if plain else values):
        if value is not None and not NUMBER.fullmatch(value):
            raise bad_request(f"{column.name}, row {row}: a value is no number; expected a {column.kind} or nothing")
    return doubles(values, column)


def _read(body: bytes) -> tuple[list[str], list[list[str]]]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_request(f"the body is no UTF-8: byte {error.start} cannot be decoded") from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        table = [row for row in lines if row and (len(row) > 1 or not row[0] or row[0].strip(" \t"))]
    except csv.Error:
        line = f"line {lines.line_num}"
        raise bad_request(f"the body is no CSV: {line} has a quote that does not end, or text behind one") from None
    if not table:
        raise bad_request("the body has no header")
    header, *rows = table
    for row, values in enumerate(rows):
        if len(values) > len(header):
            raise bad_request(f"row {row} has {len(values)} values, the header has {len(header)} columns")
    return header, rows
