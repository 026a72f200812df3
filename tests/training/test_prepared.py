from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.contract import Column, Contract
from training import prepared
from training.prepared import Stored

CONTRACT = Contract("t", "y", (Column("x", "number"), Column("c", "category")), ("no", "yes"))
ROWS = 1000


@pytest.fixture
def split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    monkeypatch.setattr(prepared, "PREPARED", tmp_path)
    (tmp_path / "t").mkdir()
    table = pd.DataFrame({"c": ["a", ""] * (ROWS // 2), "x": np.arange(ROWS, dtype=np.float32), "extra": 1})
    table["y"] = np.where(table["x"] % 3 == 0, "yes", "no")
    table.to_parquet(tmp_path / "t/train.parquet", row_group_size=300)
    return Stored(CONTRACT, "train")


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("IN_MEMORY", ROWS - 1), ("SAMPLE", 200), ("BATCH", 64)):
        monkeypatch.setattr(prepared, name, value)


def test_the_batches_are_all_rows_in_order_and_none_is_larger_than_told(split: Stored, small_memory: None) -> None:
    batches = list(split.batches())
    inputs, codes = [batch.inputs for batch in batches], [batch.codes for batch in batches]
    assert max(map(len, inputs)) <= 64
    assert list(inputs[0]) == ["x", "c"]
    assert pd.concat(inputs)["x"].tolist() == list(range(ROWS))
    assert np.concatenate(codes).tolist() == [int(i % 3 == 0) for i in range(ROWS)]


def test_a_split_that_fits_is_held_whole(split: Stored) -> None:
    held = split.held(seed=1)
    inputs, codes = held.inputs, held.codes
    assert not split.large
    assert inputs["x"].tolist() == list(range(ROWS))
    assert len(codes) == ROWS


def test_of_a_larger_one_a_seeded_sample_with_its_own_classes_is_held(split: Stored, small_memory: None) -> None:
    held = split.held(seed=1)
    inputs, codes = held.inputs, held.codes
    assert split.large
    assert inputs["x"].is_unique
    assert len(inputs) == 200
    assert inputs["x"].max() > ROWS * 0.9
    assert codes.tolist() == (inputs["x"] % 3 == 0).astype(int).tolist()
    pd.testing.assert_frame_equal(inputs, split.held(seed=1).inputs)
    assert not inputs.equals(split.held(seed=2).inputs)
