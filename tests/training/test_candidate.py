import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from training import candidate as candidates
from training import lineage
from training.candidate import DIFFERENCE, GRAPH, LEARNING_CURVE, METRICS, NATIVE, PLOTS, RECORD, Candidate
from training.decision import Decision
from training.metrics import Interval, OfClass, Spread

DIFF = b"diff --git a/x.py b/x.py\n"
CURVE = "step,loss\n0,0.7\n1,0.6\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Candidate]:
    """Write a candidate with the given graph in a temporary folder."""
    monkeypatch.chdir(tmp_path)

    def write_one(graph: bytes = b"graph", **files: str) -> Candidate:
        folder = candidates.unfinished("t", "m")
        (folder / GRAPH).write_bytes(graph)
        (folder / DIFFERENCE).write_bytes(DIFF)
        (folder / PLOTS / LEARNING_CURVE).write_text(CURVE)
        for name, content in files.items():
            (folder / NATIVE / name).write_text(content)
        one = Candidate(
            task="t",
            model="m",
            family="logistic",
            params={"C": 1.0, "note": "é日"},
            seed=1,
            digest=hashlib.sha256(graph).hexdigest(),
            started=1.0,
            seconds=3.0,
            fit_seconds=2.0,
            peak_memory_mib=100.0,
            graph_bytes=len(graph),
            latency_ms=0.1,
            parity=1e-7,
            data={"digest": "d"},
            lineage={"git_commit": None, "unreproducible": None},
            difference=hashlib.sha256(DIFF).hexdigest(),
            validation={"auc": Interval(0.7123456789, 0.7, 0.73)},
            test={"auc": Interval(0.68, 0.67, 0.69)},
            per_class={"é ü": OfClass(*[Interval(0.5, 0.4, 0.6)] * 3, support=7)},
            decision=asdict(Decision("cost", "cost", None, ((0.0, 5.0), (1.0, 0.0)))),
            folds={"auc": Spread(0.7, 0.1, [0.6, 0.8])},
        )
        candidates.write(one, folder)
        return one

    return write_one


def test_what_is_read_is_what_was_written(write: Callable[..., Candidate]) -> None:
    written = write()
    read = candidates.read("t", "m")
    assert read is not None
    assert asdict(read) | {"decision": None} == asdict(written) | {"decision": None}
    assert Decision.from_record(read.decision) == Decision.from_record(written.decision)
    assert written.learning_curve()["loss"].tolist() == [0.7, 0.6]
    assert json.loads((written.folder / METRICS).read_text(encoding="utf-8")) == {
        "validation": {"auc": 0.712346},
        "test": {"auc": 0.68},
        "test_class": {"é ü": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 7}},
        "folds": {"auc": {"mean": 0.7, "deviation": 0.1}},
    }


def test_an_ensemble_of_a_member_that_cannot_be_trained_again_says_so(write: Callable[..., Candidate]) -> None:
    digest = write().digest
    assert lineage.of_members("t", ["m"]) == {"members": {"m": digest}}
    record = candidates.CANDIDATES / "t/m" / RECORD
    text = record.read_text(encoding="utf-8").replace('"unreproducible": null', '"unreproducible": "git is gone"')
    record.write_text(text, encoding="utf-8")
    expected = {"members": {"m": digest}, "unreproducible": "git is gone, for its member m"}
    assert lineage.of_members("t", ["m"]) == expected


@pytest.mark.parametrize("gone", ["", RECORD, GRAPH, DIFFERENCE, f"{PLOTS}/{LEARNING_CURVE}"])
def test_a_missing_file_counts_as_no_candidate(write: Callable[..., Candidate], tmp_path: Path, gone: str) -> None:
    path = write().folder / gone
    path.rename(tmp_path / "elsewhere")
    assert candidates.read("t", "m") is None


def test_a_candidate_that_was_never_trained_is_none(write: Callable[..., Candidate]) -> None:
    assert candidates.read("t", "other") is None
    assert candidates.read("other", "m") is None


def test_a_truncated_record_counts_as_no_candidate(write: Callable[..., Candidate]) -> None:
    record = write().folder / RECORD
    whole = record.read_bytes()
    for length in (0, 10, whole.index("日".encode()) + 1, len(whole) - 3):
        record.write_bytes(whole[:length])
        assert candidates.read("t", "m") is None, length


@pytest.mark.parametrize("name", [GRAPH, DIFFERENCE])
@pytest.mark.parametrize("content", [b"", b"grap", b"graph!"])
def test_an_altered_graph_or_difference_counts_as_no_candidate(
    write: Callable[..., Candidate], name: str, content: bytes
) -> None:
    (write().folder / name).write_bytes(content)
    assert candidates.read("t", "m") is None


def test_a_record_from_before_differences_were_kept_counts_as_no_candidate(write: Callable[..., Candidate]) -> None:
    record = write().folder / RECORD
    content = json.loads(record.read_text(encoding="utf-8"))
    del content["difference"]
    record.write_text(json.dumps(content), encoding="utf-8")
    assert candidates.read("t", "m") is None


def test_a_new_candidate_replaces_the_old_one_whole(write: Callable[..., Candidate]) -> None:
    write(b"old", weights="of the old one")
    new = write(b"new")
    assert (read := candidates.read("t", "m")) is not None
    assert read.digest == new.digest
    assert list((new.folder / NATIVE).iterdir()) == []
    assert not (candidates.UNFINISHED / "t/m").exists()


def test_an_unfinished_candidate_leaves_the_old_one_and_is_cleared_away(write: Callable[..., Candidate]) -> None:
    old = write()
    (candidates.unfinished("t", "m") / GRAPH).write_bytes(b"half a gra")
    assert (read := candidates.read("t", "m")) is not None
    assert read.digest == old.digest
    assert sorted(path.name for path in candidates.unfinished("t", "m").iterdir()) == [NATIVE, PLOTS]


def test_the_id_is_of_the_record_not_of_the_graph(write: Callable[..., Candidate]) -> None:
    first = write()
    one = first.id
    record = json.loads((first.folder / RECORD).read_text(encoding="utf-8"))
    (first.folder / RECORD).write_text(json.dumps({**record, "started": 2.0}), encoding="utf-8")
    again = candidates.read("t", "m")
    assert again
    assert again.digest == first.digest
    assert again.id != one
