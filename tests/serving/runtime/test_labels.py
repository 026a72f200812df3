"""Labels are read as they are written, whatever tells the classes apart."""

from itertools import product

import numpy as np
import pytest

from serving.runtime.labels import FEW, Classes
from serving.runtime.session import Value
from serving.runtime.texts import Cells, fill_texts

SETS = {
    "lengths": ["on_time", "late"],
    "letters": ["positive", "negative", "neutralx"],
    "digits": [str(number) for number in range(10)],
    "numbers": [str(number) for number in range(300)],
    "prefixes": ["a", "ab", "abc", "b", "ba", ""],
    "ends": ["sample-1", "sample-2", "sample-3"],
    "wide letters": ["ü", "蓝", "ö", "红"],
    "many letters": ["".join(letters) for letters in product("ab", repeat=8)],
    "long": ["x" * 300, "x" * 44, "x" * 299 + "y"],
    "one": ["only"],
}


def written(labels: list[str]) -> Value:
    value = Value.of_texts((len(labels),))
    cells = Cells(labels)
    fill_texts(value.pointer, cells.address, len(labels))
    return value


@pytest.mark.parametrize("rows", [1, FEW, FEW + 1, 4000])
@pytest.mark.parametrize("names", SETS.values(), ids=SETS)
def test_labels_are_read_as_they_are_written(names: list[str], rows: int) -> None:
    labels = [names[place] for place in np.random.default_rng(rows).integers(0, len(names), rows)]
    value = written(labels)
    assert Classes(names).read(value.pointer, rows) == labels


@pytest.mark.parametrize("other", ["a", "latest", "on_timed", "ontime", "", "ü"])
def test_a_label_of_another_length_is_read_too(other: str) -> None:
    labels = ["on_time", "late", other] * FEW
    value = written(labels)
    assert Classes(["on_time", "late"]).read(value.pointer, len(labels)) == labels
