"""MLflow's four layouts of a JSON body as values of columns.

What pandas and NumPy make of odd values differs between the layouts, and so does the name of the error: a value that
cannot be converted is a bad request, and only then a missing column or a wrong shape is an invalid parameter.
Columns that are none of the contract's are not looked at.
"""

from typing import Any

import numpy as np

from serving.contract import Column, Contract
from serving.protocol import promoted
from serving.protocol.errors import Refused, bad_request, invalid
from serving.protocol.tensors import NUMBERS, UNREADABLE, Values, doubles, feeds, place, refuse_missing, tensor

Feeds = dict[str, np.ndarray]
Cells = dict[str, Values]
SPLIT_KEYS = frozenset(("columns", "data", "index"))


def records(content: Any, contract: Contract) -> Feeds:
    """`dataframe_records`: an object for each row; what an object lacks is missing."""
    if not isinstance(content, list):
        raise bad_request("dataframe_records: expected a list of objects, one for each row")
    return _frame(_cast(_of_rows(content, None, contract), contract), contract)


def split(content: Any, contract: Contract) -> Feeds:
    """`dataframe_split`: `columns`, and `data` with a list for each row; an `index` may be given and is not used."""
    if not isinstance(content, dict) or "data" not in content or not content.keys() <= SPLIT_KEYS:
        raise bad_request("dataframe_split: expected an object with data and columns, and perhaps index")
    columns, index, rows = content.get("columns"), content.get("index"), content["data"]
    for name, value in (("columns", columns), ("index", index)):
        if not (value is None or isinstance(value, list)) or any(isinstance(one, list | dict) for one in value or ()):
            raise bad_request(f"dataframe_split: {name} is no list of names")
    if not isinstance(rows, list):
        raise bad_request("dataframe_split: data is no list of rows")
    if index is not None and rows and len(index) != len(rows):
        raise bad_request(f"dataframe_split: index has {len(index)} entries for {len(rows)} rows")
    cells = _of_rows(rows, columns, contract)
    if not rows and index:
        cells = {name: [None] * len(index) for name in cells}
    cells = _cast(cells, contract)
    if twice := [name for name in cells if (columns or []).count(name) > 1]:
        raise invalid(f"columns are given twice: {', '.join(twice)}")
    return _frame(cells, contract)


def instances(content: Any, contract: Contract) -> Feeds:
    """`instances`: an object for each row, or what `inputs` takes."""
    if isinstance(content, list) and content and isinstance(content[0], dict):
        return _of_records(content, contract)
    return inputs(content, contract, even=True)


def inputs(content: Any, contract: Contract, even: bool = False) -> Feeds:
    """`inputs`: values for each column, an object for each row, or the values of the only column.

    Args:
        content: what the body has under this key.
        contract: columns and their kinds.
        even: whether columns of unequal lengths are a bad request and not an invalid parameter.
    """
    first = contract.columns[0]
    if isinstance(content, list) and len(contract.columns) == 1 and not any(isinstance(one, dict) for one in content):
        content = {first.name: content}
    if isinstance(content, dict):
        return _of_columns(content, contract, even)
    if isinstance(content, list) and all(isinstance(one, dict) for one in content):
        return _of_objects(content, contract)
    _converted(content, first)
    raise invalid(f"expected an object with values for each of the columns {', '.join(contract.names)}")


def _of_records(content: list[Any], contract: Contract) -> Feeds:
    for row, record in enumerate(content):
        if not isinstance(record, dict):
            raise bad_request(f"instances, row {row}: no object, though the first row is one")
    cells: Cells = {}
    for column in contract.columns:
        values = [record[column.name] for record in content if column.name in record]
        if values:
            cells[column.name] = _converted(values, column)
    if lacking := [name for name, values in cells.items() if len(values) != len(content)]:
        raise bad_request(f"{lacking[0]}: some rows lack it and others have it; give null for missing")
    refuse_missing(cells, contract)
    if contract.tensor:
        return {name: tensor(values, contract.tensor) for name, values in cells.items()}
    return _table({name: promoted.cells(values, name) for name, values in cells.items()}, contract)


def _of_objects(content: list[dict[str, Any]], contract: Contract) -> Feeds:
    cells = _of_rows(content, None, contract)
    for column in contract.columns:
        if column.name in cells and column.kind in NUMBERS:
            try:
                cells[column.name] = doubles(cells[column.name], column)
            except Refused:
                for value in cells[column.name]:
                    _converted(value, column)
                raise invalid(f"{column.name}: a value is a list; expected a {column.kind} or null") from None
        elif column.name in cells and column.shape:
            for value in cells[column.name]:
                _converted(value, column)
            raise invalid(f"{column.name}: rows as objects are taken as instances, not as inputs")
    return _table(cells, contract)


def _of_columns(content: dict[str, Any], contract: Contract, even: bool) -> Feeds:
    given = {
        column.name: _converted(content[column.name], column) for column in contract.columns if column.name in content
    }
    cells: Cells = {name: values for name, values in given.items() if isinstance(values, list | np.ndarray)}
    if even and (any(map(_is_single, cells.values())) or len(set(map(len, cells.values()))) > 1):
        raise bad_request("columns have unequal lengths")
    refuse_missing(given, contract)
    if column := contract.tensor:
        return {column.name: tensor(cells[column.name], column)}
    single = {name: value for name, value in given.items() if name not in cells}
    for name, value in single.items():
        if isinstance(value, dict):
            raise invalid(f"{name}: the values are an object; expected a list with one for each row")
    return _table(_rectangle(cells, single), contract)


def _rectangle(cells: Cells, single: dict[str, Any]) -> Cells:
    """Columns of one length, where a single value stands for all rows; without a list there is one row."""
    only_texts = all(isinstance(values, list) and set(map(type, values)) <= {str} for values in cells.values())
    if only_texts and single and cells:
        raise invalid(f"{next(iter(cells))}: a list, though {next(iter(single))} has a single value")
    lengths = set(map(len, cells.values())) or {1}
    if len(lengths) > 1:
        raise (bad_request if only_texts else invalid)("columns have unequal lengths")
    rows = lengths.pop()
    return cells | {name: [value] * rows for name, value in single.items()}


def _is_single(values: Values) -> bool:
    return isinstance(values, np.ndarray) and values.ndim == 0


def _converted(value: Any, column: Column) -> Any:
    """What NumPy makes of a column's values in the layouts that go through it; texts and times stay as they are."""
    if not column.shape and column.kind not in NUMBERS:
        return value
    try:
        with np.errstate(over="ignore"):
            found = np.array(value, dtype=np.float32 if column.shape else np.float64)
    except UNREADABLE:
        raise bad_request(f"{place(value, column)}: a value is no {column.kind}") from None
    return found if column.shape or found.ndim else float(found)


def _of_rows(rows: list[Any], columns: list[Any] | None, contract: Contract) -> Cells:
    """The contract's columns among those given by rows that are lists or objects, by what the first one is."""
    wanted = contract.names if columns is None else [name for name in contract.names if name in columns]
    if not rows:
        return {name: [] for name in wanted if columns is not None}
    try:
        if isinstance(rows[0], dict):
            objects = [row if type(row) is dict else dict(row) for row in rows]
            if columns is None:
                wanted = [name for name in wanted if any(name in row for row in objects)]
            return {name: [row.get(name) for row in objects] for name in wanted}
        lists = (
            [row if type(row) is list else list(row) for row in rows]
            if isinstance(rows[0], list)
            else [[row] for row in rows]
        )
    except (TypeError, ValueError):
        raise bad_request(
            "a row is of another type than the first one; expected a list or an object for each"
        ) from None
    if columns is None:
        return {}
    if len(columns) != (width := max(map(len, lists))):
        raise bad_request(f"dataframe_split: {len(columns)} columns are named, the rows of data have {width} values")
    at = {name: columns.index(name) for name in wanted}
    return {name: [row[place] if place < len(row) else None for row in lists] for name, place in at.items()}


def _cast(cells: Cells, contract: Contract) -> Cells:
    """The columns of a data frame with numbers as such, which is done before it is told which columns are missing."""
    done = dict(cells)
    for column in contract.columns:
        values = cells.get(column.name)
        if values is None:
            continue
        if column.shape and not len(values):
            raise bad_request(f"{column.name}: there are no rows")
        if column.shape and not isinstance(values[0], list):
            _converted(values, column)
        elif column.kind in NUMBERS:
            try:
                done[column.name] = doubles(values, column)
            except Refused as refused:
                raise bad_request(refused.message) from None
    return done


def _frame(cells: Cells, contract: Contract) -> Feeds:
    if column := contract.tensor:
        refuse_missing(cells, contract)
        return {column.name: _flat(cells[column.name], column)}
    return _table(cells, contract)


def _flat(values: Values, column: Column) -> np.ndarray:
    """Rows of a data frame, each one list of all the numbers of an image or a sequence, as the graph's input."""
    size = int(np.prod(column.shape))
    for row, value in enumerate(values):
        if not isinstance(value, list) or len(value) != size or isinstance(value[0], list):
            raise invalid(
                f"{column.name}, row {row}: expected a list of {size} numbers; "
                "nested lists are taken as inputs and as instances"
            )
    try:
        return tensor(values, column, flat=True)
    except Refused as refused:
        raise invalid(refused.message) from None


def _table(cells: Cells, contract: Contract) -> Feeds:
    """The graph's inputs from columns of one length; a row of nothing but lists holds columns, as in MLflow."""
    refuse_missing(cells, contract)
    chosen = {name: cells[name] for name in contract.names}
    if all(len(values) == 1 and isinstance(values[0], list) for values in chosen.values()):
        chosen = {name: values[0] for name, values in chosen.items()}
        if len(set(map(len, chosen.values()))) > 1:
            raise bad_request("columns have unequal lengths")
    return feeds(chosen, contract)
