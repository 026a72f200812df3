"""Challengers that were fitted on what are test rows now, with real splits and a real MLflow store."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient

from data import params
from data.contract import Contract
from data.errors import InputError
from data.prepare import prepare
from registry import __main__ as registry_main
from registry.evidence import Verdict
from registry.row_hashes import Rows, keep
from registry.seen import Fitted, Seen, SeenRowsError, check
from training import candidate as candidates
from training import lineage
from training.candidate import DIFFERENCE, GRAPH, LEARNING_CURVE, PLOTS, Candidate

FOLDER = Path("data/prepared/churn")


@pytest.fixture
def run(content: dict[str, Any]) -> str:
    """The id of a run that rows are kept on."""
    client = MlflowClient()
    return str(client.create_run(client.create_experiment("rows")).info.run_id)


@pytest.fixture
def logistic(content: dict[str, Any]) -> Candidate:
    found = candidates.read("churn", "churn-logistic")
    assert found is not None
    return found


def rows() -> Rows:
    return Rows(FOLDER, Contract.load(FOLDER), lineage.folder_digest(FOLDER))


def fit_and_test() -> tuple[pd.DataFrame, pd.DataFrame]:
    parts = [pd.read_parquet(FOLDER / f"{part}.parquet") for part in ("train", "validation", "test")]
    return pd.concat(parts[:2]), parts[2]


def found_in(test: pd.DataFrame, fit: pd.DataFrame) -> pd.Series:
    """Which test rows have an equal among others, by a join of whole rows."""
    marked = test.reset_index(drop=True).merge(fit.drop_duplicates().assign(there=True), how="left")
    return marked["there"].eq(True)


def test_a_challenger_fitted_on_rows_that_are_test_rows_now_is_refused_with_their_number(
    content: dict[str, Any], run: str, logistic: Candidate
) -> None:
    client = MlflowClient()
    before, (fit_before, _) = rows(), fit_and_test()
    keep(client, run, before)
    challenger = Fitted.of_candidate("version 1", logistic)
    assert challenger.digests == (before.digest,)
    repeated = int(found_in(fit_and_test()[1], fit_before).sum())
    assert check(client, run, before, challenger, None) == Seen(0, 0, repeated)

    prepare(content | {"seed": 99}, "churn")  # other rows are drawn for the test
    now, (fit, test) = rows(), fit_and_test()
    seen = int((found_in(test, fit_before) & ~found_in(test, fit)).sum())
    assert seen > len(test) / 2
    with pytest.raises(SeenRowsError) as caught:
        check(client, run, now, challenger, None)
    assert str(caught.value) == (
        f"version 1 was fitted on {seen:,} of the {len(test):,} test rows (data {before.digest[:12]}, today's "
        f"{now.digest[:12]}), which flatter it; train its model again on today's data with `dvc repro`"
    )
    assert issubclass(SeenRowsError, InputError)

    fresh = Fitted("version 2", (now.digest,))
    assert check(client, run, now, fresh, challenger) == Seen(0, seen, int(found_in(test, fit).sum()))
    started_from = Fitted.of_version("version 3", {"data.digest": now.digest, "warm_start.data": before.digest})
    with pytest.raises(SeenRowsError, match=f"version 3 was fitted on {seen:,} of"):
        check(client, run, now, started_from, None)


def test_a_challenger_of_data_that_nobody_kept_is_refused_and_a_champion_is_not(run: str) -> None:
    now = rows()
    unknown = Fitted.of_version("version 7", {"data.digest": "f" * 64})
    with pytest.raises(SeenRowsError, match=r"version 7 was fitted on other data than today's \(data ffffffffffff, .*"):
        check(MlflowClient(), run, now, unknown, None)
    assert check(MlflowClient(), run, now, Fitted("version 8", (now.digest,)), unknown).champion is None


def test_an_ensemble_was_fitted_on_what_its_members_were(logistic: Candidate) -> None:
    start = {"version": "3", "digest": "c" * 64, "data": f"{'d' * 64} {'e' * 64}"}
    member = replace(logistic, lineage=logistic.lineage | {"warm_start": start})
    folder = candidates.unfinished("churn", "churn-logistic")
    for kept in (GRAPH, DIFFERENCE, f"{PLOTS}/{LEARNING_CURVE}"):
        shutil.copy(logistic.folder / kept, folder / kept)
    candidates.write(member, folder)
    ensemble = replace(
        logistic,
        model="churn-ensemble",
        family="ensemble",
        params={"members": ["churn-weak", "churn-logistic"]},
        data=logistic.data | {"digest": "a" * 64},
    )
    found = Fitted.of_candidate("version 4", ensemble)
    assert found.digests == ("a" * 64, logistic.data["digest"], "d" * 64, "e" * 64)

    (member.folder / "candidate.json").unlink()
    with pytest.raises(SeenRowsError, match=r"member churn-logistic is not there.*dvc repro train@churn-logistic"):
        Fitted.of_candidate("version 4", ensemble)


def test_registering_stops_at_a_challenger_that_was_fitted_on_test_rows_and_its_champion_stays(
    content: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    declared = params.PARAMS.read_text(encoding="utf-8")
    weak = "  churn-weak: {task: churn, family: logistic, params: {bins: 2}}\n"
    assert weak in declared
    params.PARAMS.write_text(declared.replace(weak, ""), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["registry", "register", "churn"])
    registry_main.app(standalone_mode=False)
    client = MlflowClient()
    first = client.get_model_version_by_alias("churn", "production")
    path = client.download_artifacts(str(first.run_id), f"versions/{first.version}/verdict.json")
    evidence = Verdict.from_json(Path(path).read_text(encoding="utf-8"))
    assert evidence.seen == Seen(0, 0, int(rows().repeated.sum()))

    params.PARAMS.write_text(declared, encoding="utf-8")
    prepare(content | {"seed": 99}, "churn")
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        registry_main.main()
    assert caught.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: version 2 was fitted on ")
    assert error.count("\n") == 1
    assert "of the 1,200 test rows" in error
    assert "verdict" not in client.get_model_version("churn", "2").tags
    assert str(client.get_model_version_by_alias("churn", "production").version) == "1"
