from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from training import plots
from training.metrics import Evaluation


def drawn(folder: Path, classes: list[str], rows: int = 600) -> Evaluation:
    random = np.random.default_rng(0)
    codes = np.arange(rows) % len(classes)
    votes = random.random((rows, len(classes))) + 2 * np.eye(len(classes))[codes] * random.random((rows, 1))
    chances = votes / votes.sum(axis=1, keepdims=True)
    evaluation = Evaluation(chances, codes)
    per_class = dict(zip(classes, evaluation.intervals_per_class(0, resamples=20), strict=True))
    plots.write(folder, chances, codes, chances.argmax(axis=1), per_class)
    return evaluation


@pytest.mark.parametrize("classes", [2, 50], ids=["two classes", "fifty classes"])
@pytest.mark.filterwarnings("error")
def test_pictures_keep_to_a_size_that_can_be_looked_at(tmp_path: Path, classes: int) -> None:
    drawn(tmp_path, [f"a class with a rather long name, {k}" for k in range(classes)])
    for path in tmp_path.glob("*.png"):
        height, width = matplotlib.image.imread(path).shape[:2]
        assert 300 < width <= 3100, path
        assert 200 < height <= 3100, path
    assert len(list(tmp_path.glob("*.png"))) == 5


@pytest.mark.filterwarnings("error")
def test_names_that_are_no_plain_words_are_drawn(tmp_path: Path) -> None:
    drawn(tmp_path, ["$a_1$", "a/b", "a,b\n\"c'", "50%"], rows=40)
    assert pd.read_csv(tmp_path / "per_class.csv")["class"].tolist() == ["$a_1$", "a/b", "a,b\n\"c'", "50%"]


def test_the_tables_say_what_the_metrics_say(tmp_path: Path) -> None:
    evaluation = drawn(tmp_path, ["a", "b", "c"])
    table = pd.read_csv(tmp_path / "per_class.csv")
    np.testing.assert_allclose(
        table[["precision", "recall", "f1"]], evaluation.per_class(np.ones(evaluation.rows)), atol=1e-6
    )
    assert (table["f1_low"] <= table["f1"]).all()
    cells = pd.read_csv(tmp_path / "confusion_matrix.csv").pivot(index="actual", columns="predicted", values="rows")
    np.testing.assert_array_equal(cells, evaluation.confusion(np.ones(evaluation.rows)))
    assert table["support"].tolist() == cells.sum(axis=1).tolist()
