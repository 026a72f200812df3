"""Well-formed JSON requests of MLflow's protocol, decoded straight into a contract's types; all others are left."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from serving.contract import Column, Contract
from serving.protocol.errors import invalid
from serving.protocol.tensors import times
from serving.runtime.block import Block
from serving.runtime.session import Feeds

LARGEST = float(np.finfo(np.float32).max)
TYPES: dict[str, Any] = {
    "number": Annotated[float, Meta(ge=-LARGEST, le=LARGEST)] | None,
    "boolean": bool | Literal[0, 1] | None,
    "category": str | None,
    "text": str | None,
    "time": str | None,
}
KNOWN = 64  # orders of columns that are remembered
BLOCK = 512  # rows whose cells are put into columns while they are in the processor's cache

Rows = list[tuple[Any, ...]]
Order = tuple[Callable[[Any], Rows], Callable[[Any], Any]]
"""How rows in an order of columns are read, and put into the contract's."""


class AnySplit(Struct, forbid_unknown_fields=True):
    """A `dataframe_split` whose rows are not read yet."""

    columns: tuple[str, ...]
    data: Raw
    index: list[int] | UnsetType = UNSET


class Other(Struct, forbid_unknown_fields=True):
    """A request with columns of any order."""

    dataframe_split: AnySplit


class Table:
    """Requests for a contract of columns: rows as tuples in the contract's order, which can be scored together."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        columns = contract.columns
        kinds = [column.kind for column in columns]
        self.numbers, self.texts, self.times = (
            [contract.names.index(name) for name in names]
            for names in (contract.numbers, contract.texts, contract.times)
        )
        self.pick_numbers, self.pick_texts = _pick(self.numbers), _pick(self.texts)
        fields = [(f"c{place}", TYPES[column.kind]) for place, column in enumerate(columns)]
        names = {f"c{place}": column.name for place, column in enumerate(columns)}
        rows = _list_of(msgspec.defstruct("Row", fields, rename=names))
        lists = [(f"c{place}", _list_of(TYPES[column.kind])) for place, column in enumerate(columns)]
        bare = _list_of(_row_of(TYPES[kind] for kind in kinds))
        split: list[Any] = [("columns", tuple[str, ...]), ("data", bare), ("index", list[int] | UnsetType, UNSET)]
        split_type = msgspec.defstruct("Split", split, forbid_unknown_fields=True)
        body = msgspec.defstruct(
            "Body",
            [
                ("dataframe_split", split_type | UnsetType, UNSET),
                ("dataframe_records", rows | UnsetType, UNSET),
                ("instances", rows | UnsetType, UNSET),
                ("inputs", msgspec.defstruct("Columns", lists, rename=names) | UnsetType, UNSET),
            ],
            forbid_unknown_fields=True,
        )
        self.decode = msgspec.json.Decoder(body).decode
        self.decode_bare: Callable[[Raw], Rows] = msgspec.json.Decoder(bare).decode
        self.orders: dict[tuple[str, ...], Order | None] = {}

    def rows(self, body: bytes) -> Rows | None:
        """The rows of a request; None leaves it to the parser that takes all that MLflow takes."""
        try:
            request: Any = self.decode(body)
            given = (request.dataframe_split, request.dataframe_records, request.instances, request.inputs)
            if given.count(UNSET) != 3:
                return None
            split, records, instances, inputs = given
            if split is not UNSET:
                same = split.columns == self.contract.names
                return self._even(split.data, split.index) if same else self._reordered(body)
            if inputs is not UNSET:
                columns = msgspec.structs.astuple(inputs)
                return list(zip(*columns, strict=True)) or None
            return list(map(msgspec.structs.astuple, records if records is not UNSET else instances)) or None
        except msgspec.ValidationError:
            return self._reordered(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None

    def bare_rows(self, body: Raw) -> Rows | None:
        """Rows in the contract's order, or one; None leaves it to another."""
        try:
            return self.decode_bare(body)
        except (msgspec.MsgspecError, RecursionError):
            return None

    @staticmethod
    def _even(rows: Rows, index: list[int] | UnsetType) -> Rows | None:
        return rows if rows and (isinstance(index, UnsetType) or len(index) == len(rows)) else None

    def _reordered(self, body: bytes) -> Rows | None:
        """The rows of a `dataframe_split` whose columns are in another order, or more."""
        try:
            split = msgspec.json.decode(body, type=Other).dataframe_split
            order = None if split.columns == self.contract.names else self._order(split.columns)
            if order is None:
                return None
            decode, pick = order
            return self._even(list(map(pick, decode(split.data))), split.index)
        except (msgspec.MsgspecError, RecursionError):
            return None

    def _order(self, columns: tuple[str, ...]) -> Order | None:
        if columns in self.orders:
            return self.orders[columns]
        names = self.contract.names
        found = None
        if set(names) <= set(columns) and len(set(columns)) == len(columns):
            types = {column.name: TYPES[column.kind] for column in self.contract.columns}
            rows = _list_of(_row_of(types.get(name, Any) for name in columns))
            found = (msgspec.json.Decoder(rows).decode, _pick([columns.index(name) for name in names]))
        if len(self.orders) < KNOWN:
            self.orders[columns] = found
        return found

    def fill(self, block: Block, rows: Rows) -> Sequence[str | None]:
        """Write numbers and times into a block of as many rows; returns the texts, column after column.

        Raises:
            Refused: a text is no time.
        """
        if len(rows) == 1:
            row = rows[0]
            block.take(self.pick_numbers(row))
            texts: tuple[str | None, ...] = self.pick_texts(row)
        else:
            columns = tuple(zip(*rows, strict=True))
            if self.numbers:
                block.numbers[:] = self.pick_numbers(columns)
            texts = tuple(chain.from_iterable(self.pick_texts(columns)))
        for place, moments in zip(self.times, block.times, strict=True) if self.times else ():
            moments[:] = times([row[place] for row in rows], self.contract.names[place])
        return texts

    def feeds(self, rows: Rows) -> Feeds:
        """The graph's inputs; numbers are in range by their types, a missing text is None.

        Raises:
            Refused: a text is no time.
        """
        total, names = len(rows), self.contract.names
        feeds: dict[str, np.ndarray] = {name: np.empty((total, 1), dtype=np.float32) for name in self.contract.numbers}
        feeds |= {names[place]: np.empty((total, 1), dtype=object) for place in self.texts + self.times}
        for start in range(0, total, BLOCK):
            some = rows[start : start + BLOCK]
            cells = np.fromiter(chain.from_iterable(some), object, len(some) * len(names)).reshape(len(some), -1)
            for place, name in enumerate(names):
                feeds[name][start : start + BLOCK, 0] = cells[:, place]
        for place in self.times:
            feeds[names[place]] = times(feeds[names[place]].ravel().tolist(), names[place]).reshape(-1, 1)
        return feeds


def _list_of(cell: Any) -> Any:
    return list[cell]


def _row_of(cells: Iterable[Any]) -> Any:
    return tuple[tuple(cells)]  # type: ignore[misc]


def _pick(places: list[int]) -> Callable[[Any], Any]:
    """What takes the cells at some places out of a row."""
    return itemgetter(*places) if len(places) > 1 else lambda row: tuple(row[place] for place in places)


class Tensor:
    """Requests for a contract whose only input is an image or a sequence."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.column: Column = contract.columns[0]
        cell: Any = float
        for _ in self.column.shape:
            cell = _list_of(cell)
        rename = {"cell": self.column.name}
        named = _list_of(msgspec.defstruct("Row", [("cell", cell)], rename=rename))
        columns = msgspec.defstruct("Columns", [("cell", _list_of(cell))], rename=rename)
        fields = [("instances", named | UnsetType, UNSET), ("inputs", columns | UnsetType, UNSET)]
        body = msgspec.defstruct("Body", fields, forbid_unknown_fields=True)
        self.decode = msgspec.json.Decoder(body).decode

    def rows(self, body: bytes) -> Rows | None:
        """The rows of a request, each with its one cell; None leaves it to the other parser."""
        try:
            request: Any = self.decode(body)
            if (request.instances is UNSET) == (request.inputs is UNSET):
                return None
            cells = request.inputs.cell if request.inputs is not UNSET else [one.cell for one in request.instances]
            tensor = np.array(cells, dtype=np.float32)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        if tensor.shape[1:] != self.column.shape or not len(tensor):
            return None
        return list(zip(tensor, strict=True))

    def feeds(self, rows: Rows) -> Feeds:
        """The graph's inputs.

        Raises:
            Refused: a number is outside the column's range.
        """
        cells = np.stack([row[0] for row in rows])
        if not ((cells >= self.column.low) & (cells <= self.column.high)).all():
            raise invalid(
                f"{self.column.name}: a value lies outside {self.column.low:g} to {self.column.high:g}, or is missing"
            )
        return {self.column.name: cells}


def requests_of(contract: Contract) -> Table | Tensor:
    """How the requests of a contract are read."""
    return Tensor(contract) if contract.tensor else Table(contract)
