"""Raw columns as plain features, in ONNX: what `inputs` does in NumPy."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from data.contract import Column, Contract
from training.features import inputs, summary_graph

DAY, HOUR = 86_400.0, 3_600.0


class Builder:
    """Collects nodes and constants; the names that it gives are its own."""

    def __init__(self, prefix: str = "front") -> None:
        """Begin with no node; `prefix` begins all names."""
        self.prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, operator: str, *given: "str | np.ndarray", name: str = "", **attributes: Any) -> str:
        """The name of an operator's first output, for inputs that are names or constants."""
        name = name or f"{self.prefix}/{len(self.nodes)}"
        inputs = [one if isinstance(one, str) else self.constant(one) for one in given]
        self.nodes.append(helper.make_node(operator, inputs, [name], name=f"node/{name}", **attributes))
        return name

    def constant(self, value: np.ndarray) -> str:
        """The name of a constant."""
        name = f"{self.prefix}/constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def model(self, contract: Contract, outputs: dict[str, tuple[int, list[int | None]]]) -> onnx.ModelProto:
        """A model from the raw columns, called `raw(place)`, to `outputs`, given as element type and shape."""
        graph = helper.make_graph(
            self.nodes,
            "front",
            [_given(place, column) for place, column in enumerate(contract.columns)],
            [helper.make_tensor_value_info(name, *form) for name, form in outputs.items()],
            self.constants,
        )
        return helper.make_model(graph)


def raw(place: int) -> str:
    """What a raw column is called inside; `onnx_graph.finish` gives it its own name, which may be anything."""
    return f"raw_{place}"


def _given(place: int, column: Column) -> Any:
    if column.shape:
        return helper.make_tensor_value_info(raw(place), TensorProto.FLOAT, [None, *column.shape])
    types = {"time": TensorProto.DOUBLE, "category": TensorProto.STRING, "text": TensorProto.STRING}
    return helper.make_tensor_value_info(raw(place), types.get(column.kind, TensorProto.FLOAT), [None, 1])


def table(contract: Contract) -> onnx.ModelProto:
    """`inputs.table`: one output of shape (rows, 1) for each plain column."""
    add = Builder()
    for place, column in enumerate(contract.columns):
        if column.kind == "time":
            _time_parts(add, raw(place), f"c{place}")
        elif column.kind == "text":
            text = lower(add, raw(place))
            add("Unsqueeze", text, np.array([1]), name=f"c{place}")
        else:
            add("Identity", raw(place), name=f"c{place}")
    types = {"number": TensorProto.FLOAT, "category": TensorProto.STRING, "text": TensorProto.STRING}
    return add.model(contract, {name: (types[kind], [None, 1]) for name, kind in inputs.columns(contract).items()})


def flat(contract: Contract) -> onnx.ModelProto:
    """`inputs.flat`: one output `features`."""
    add, column = Builder(), contract.columns[0]
    if column.kind == "image":
        add("Flatten", _scaled(add, column), name="features")
        width = int(np.prod(column.shape))
    else:
        width = summary_graph.features(add, raw(0), column)
    return add.model(contract, {"features": (TensorProto.FLOAT, [None, width])})


def tensor(contract: Contract, mean: np.ndarray, deviation: np.ndarray) -> onnx.ModelProto:
    """`inputs.tensor`, then less `mean` and divided by `deviation`: one output `features`."""
    add, column = Builder(), contract.columns[0]
    values = _scaled(add, column) if column.kind == "image" else raw(0)
    add("Div", add("Sub", values, mean), deviation, name="features")
    return add.model(contract, {"features": (TensorProto.FLOAT, [None, *column.shape])})


def _scaled(add: Builder, column: Column) -> str:
    low, span = inputs.scale(column)
    return add("Div", add("Sub", raw(0), np.array(low)), np.array(span))


def lower(add: Builder, given: str) -> str:
    """Texts of shape (rows, 1) as shape (rows,), their ASCII letters in lower case."""
    flat = add("Reshape", given, np.array([-1]))
    return add("StringNormalizer", flat, case_change_action="LOWER", is_case_sensitive=1, locale="C")


def _time_parts(add: Builder, given: str, name: str) -> None:
    """Calendar parts of seconds since 1970, by the arithmetic of the Gregorian calendar's 400-year era."""

    def number(value: float) -> np.ndarray:
        return np.array(value, dtype=np.float64)

    def whole(of: str, by: float) -> str:
        return add("Floor", add("Div", of, number(by)))

    def less(of: str, other: str, times: float = 1.0) -> str:
        return add("Sub", of, add("Mul", other, number(times)))

    def give(part: str, value: str) -> None:
        add("Cast", value, to=TensorProto.FLOAT, name=f"{name}_{part}")

    days = whole(given, DAY)
    give("hour", add("Div", less(given, days, DAY), number(HOUR)))
    thursday = add("Add", days, number(3))
    give("weekday", less(thursday, whole(thursday, 7), 7))
    since = add("Add", days, number(719_468))  # from 1 March of the year 0
    era = whole(since, 146_097)
    day_of_era = less(since, era, 146_097)
    leaps = add("Sub", whole(day_of_era, 36_524), add("Add", whole(day_of_era, 1_460), whole(day_of_era, 146_096)))
    year_of_era = whole(add("Add", day_of_era, leaps), 365)
    days_of_years = add("Sub", whole(year_of_era, 4), whole(year_of_era, 100))
    day_of_year = less(less(day_of_era, year_of_era, 365), days_of_years)
    month_from_march = whole(add("Add", add("Mul", day_of_year, number(5)), number(2)), 153)
    days_of_months = whole(add("Add", add("Mul", month_from_march, number(153)), number(2)), 5)
    give("day", add("Add", less(day_of_year, days_of_months), number(1)))
    wraps = add("Cast", add("GreaterOrEqual", month_from_march, number(10)), to=TensorProto.DOUBLE)
    give("month", less(add("Add", month_from_march, number(3)), wraps, 12))
    give("year", add("Add", add("Add", year_of_era, add("Mul", era, number(400))), wraps))
