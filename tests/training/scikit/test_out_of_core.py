"""The regression over batches is the one that scikit-learn fits with all rows in memory."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from data.params import Source, Task
from training import prepared
from training.families import Rows, logistic
from training.metrics import Evaluation
from training.models import Model
from training.prepared import Stored
from training.scikit import out_of_core
from training.scikit.out_of_core import Spool
from training.train import train


def rows(classes: int, seed: int = 0) -> tuple[sparse.csr_matrix, np.ndarray]:
    random = np.random.default_rng(seed)
    X = sparse.random(900, 12, density=0.4, random_state=random, dtype=np.float32).tocsr()
    scores = X @ random.normal(0, 2, (12, classes)) + random.gumbel(size=(900, classes))
    return X, scores.argmax(axis=1)


def spooled(X: sparse.csr_matrix, codes: np.ndarray) -> Spool:
    return Spool((X[start : start + 100], codes[start : start + 100]) for start in range(0, len(codes), 100))


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_gives_the_probabilities_of_a_fit_in_memory(classes: int, weighted: bool) -> None:
    X, codes = rows(classes)
    weights = np.arange(1.0, classes + 1) if weighted else None
    given = dict(enumerate(weights)) if weights is not None else None
    expected = LogisticRegression(C=0.1, max_iter=500, tol=1e-8, class_weight=given).fit(X.astype(float), codes)
    with spooled(X, codes) as spool:
        regression = out_of_core.fit(spool, classes, 0.1, 500, weights)
    assert np.abs(regression.predict_proba(X) - expected.predict_proba(X)).max() < 2e-3
    assert 0 < regression.n_iter_[0] < 100


def test_the_loss_that_is_told_falls_and_is_that_of_all_rows() -> None:
    X, codes = rows(2)
    told: list[tuple[float, float]] = []

    def note(regression: LogisticRegression, loss: float) -> None:
        chosen = regression.predict_proba(X)[np.arange(len(codes)), codes]
        told.append((loss, -np.log(chosen).mean()))

    with spooled(X, codes) as spool:
        out_of_core.fit(spool, 2, 1.0, 50, told=note)
    losses, expected = zip(*told, strict=True)
    assert losses[-1] < losses[0] < np.log(2)
    assert losses == pytest.approx(expected, abs=1e-5)


def test_most_iterations_are_kept_to() -> None:
    with spooled(*rows(2)) as spool:
        assert out_of_core.fit(spool, 2, 1.0, 3).n_iter_[0] == 3


def test_the_temporary_files_go_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with spooled(*rows(2)) as spool:
        assert [codes.shape for _, codes in spool] == [(100,)] * 9
        assert len(list(tmp_path.rglob("*.npy"))) == 9
    assert not list(tmp_path.iterdir())


def test_a_model_is_trained_and_measured_on_all_rows_though_few_are_held(
    make_rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data/prepared/made"
    folder.mkdir(parents=True)
    parts, _ = make_rows(rows=2400)
    (folder / "contract.json").write_text(parts.contract.to_json())
    classes = np.array(parts.contract.classes)
    for name, start in (("train", 0), ("validation", 700), ("test", 900)):
        end = {0: 700, 700: 900, 900: 1200}[start]
        table = parts.train[start:end].assign(y=classes[parts.train_codes[start:end]])
        table.to_parquet(folder / f"{name}.parquet", row_group_size=128)
    declared = Model(
        "made-logistic",
        "made",
        Task(source=Source(path=Path("made.csv")), target="y"),
        logistic,
        logistic.Params(C=0.5, bins=4),
    )
    seen, validation, test = (Stored(parts.contract, part).held(0) for part in ("train", "validation", "test"))
    rows_held = Rows(parts.contract, seen.inputs, seen.codes, validation.inputs, validation.codes)
    in_memory = logistic.fit(declared.params, rows_held, 3)
    expected = Evaluation(in_memory.probabilities(test.inputs), test.codes).values()["auc"]
    for name, value in (("IN_MEMORY", 100), ("SAMPLE", 90), ("BATCH", 64)):
        monkeypatch.setattr(prepared, name, value)
    batched = train(declared, {}, 3)
    assert "fitting on 700 rows" in capsys.readouterr().out
    assert batched.data["rows"] == {"train": 700, "validation": 200, "test": 300}
    assert batched.test["auc"].value == pytest.approx(expected, abs=0.03)
    assert batched.parity < 1e-5
    assert list(batched.learning_curve()) == ["step", "loss", "validation_loss"]
