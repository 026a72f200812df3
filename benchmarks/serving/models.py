"""The measured versions, and their native models as users of MLflow and of pickles would have them."""

import contextlib
import logging
import pickle
import sqlite3
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.serving import bodies
from benchmarks.serving.servers import FAMILIES, Models
from data.contract import Contract
from data.prepare import PREPARED

SIGNATURE_ROWS = 1_000
KERAS_MODEL = Path(__file__).with_name("keras_model.py")


def prepare(task: str, folder: Path) -> Models:
    """Find the versions, log their native models into a store in `folder`, and write the requests there.

    Raises:
        RuntimeError: the rows are not prepared, or a family has no version.
    """
    if not (PREPARED / task / "test.parquet").is_file():
        raise RuntimeError(f"no prepared rows in {PREPARED / task}; make them with `make repro TASK={task}`")
    from training.tracking import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)  # warns of pickles, which users of MLflow have
    warnings.simplefilter("ignore")
    contract = Contract.load(PREPARED / task)
    rows = pd.read_parquet(PREPARED / task / "test.parquet").head(2 * 10_000)
    registry = mlflow.get_tracking_uri()
    if registry.startswith("sqlite:///"):
        registry = f"sqlite:///{Path(registry.removeprefix('sqlite:///')).absolute()}"
    found = {family: _newest(task, family) for family in FAMILIES}
    fetched = {family: _fetch(str(version.run_id), folder / family) for family, version in found.items()}
    store, pickles = f"sqlite:///{folder}/natives.db", {}
    mlflow.set_tracking_uri(store)
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("natives", (folder / "natives").as_uri()))
    some = rows[list(contract.names)].head(SIGNATURE_ROWS)
    for family, native in fetched.items():
        if (native / "network.keras").is_file():
            _log_keras(family, native, contract, some)
        else:
            pickles[family] = _log_scikit(family, native, contract, some)
    versions = {family: str(version.version) for family, version in found.items()}
    registries = {family: _in_production(registry, task, number, folder) for family, number in versions.items()}
    written = bodies.write(rows, contract, folder)
    return Models(registry, versions, registries, store, pickles, tuple(contract.classes), written)


def _in_production(registry: str, task: str, number: str, folder: Path) -> str:
    """A copy of a registry in SQLite with a version in Production, and none in Staging.

    Raises:
        RuntimeError: the registry is another.
    """
    from mlflow import MlflowClient

    from registry import stages

    scheme, _, path = registry.partition("sqlite:///")
    if scheme:
        raise RuntimeError(
            f"the registry {scheme}… is not in SQLite; unset MLFLOW_TRACKING_URI to measure that of `make repro`"
        )
    copy = folder / f"registry-{number}.db"
    with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    client = MlflowClient(f"sqlite:///{copy}")
    stages.show(client, task, stages.seen(client, task), {stages.PRODUCTION: number, stages.STAGING: None})
    return f"sqlite:///{copy}"


def _newest(task: str, family: str) -> Any:
    from mlflow import MlflowClient

    found = MlflowClient().search_model_versions(f"name = '{task}' and tags.family = '{family}'")
    if not found:
        raise RuntimeError(f"{task} has no version of the family {family}; make one with `make repro TASK={task}`")
    return max(found, key=lambda version: int(version.version))


def _fetch(run_id: str, folder: Path) -> Path:
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(run_id=run_id, artifact_path="native", dst_path=str(folder)))


def _log_scikit(family: str, native: Path, contract: Contract, some: pd.DataFrame) -> Path:
    import mlflow
    import skops.io

    pipeline = skops.io.load(native / "model.skops", trusted=["numpy.dtype"])
    _rename(pipeline, contract)
    mlflow.sklearn.log_model(
        pipeline,
        name=family,
        registered_model_name=family,
        signature=mlflow.models.infer_signature(some, pipeline.predict_proba(some)),
        pyfunc_predict_fn="predict_proba",
        serialization_format="cloudpickle",
    )
    path = native / "model.pickle"
    path.write_bytes(pickle.dumps(pipeline))
    return path


def _log_keras(family: str, native: Path, contract: Contract, some: pd.DataFrame) -> None:
    import mlflow
    import skops.io

    features = skops.io.load(native / "features.skops", trusted=["numpy.dtype"])
    _rename(features, contract)
    skops.io.dump(features, native / "features.skops")
    mlflow.pyfunc.log_model(
        name=family,
        registered_model_name=family,
        python_model=KERAS_MODEL,
        artifacts={"features": str(native / "features.skops"), "network": str(native / "network.keras")},
        signature=mlflow.models.infer_signature(some, pd.DataFrame(0.0, index=some.index, columns=contract.classes)),
    )


def _rename(fitted: Any, contract: Contract) -> None:
    """Have fitted preprocessing take the raw columns by their own names, as that of a user of MLflow would."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    names = {f"c{place}": name for place, name in enumerate(contract.names)}
    if isinstance(fitted, Pipeline):
        for _, step in fitted.steps:
            _rename(step, contract)
        return
    if isinstance(fitted, ColumnTransformer):
        for attribute in ("transformers", "transformers_"):
            parts = [
                (name, part, [names[one] for one in columns]) for name, part, columns in getattr(fitted, attribute)
            ]
            setattr(fitted, attribute, parts)
        for _, part, _ in fitted.transformers_:
            _rename(part, contract)
        fitted._columns = [[names[one] for one in columns] for columns in fitted._columns]
    if hasattr(fitted, "feature_names_in_"):
        fitted.feature_names_in_ = pd.Index([names[one] for one in fitted.feature_names_in_]).to_numpy(dtype=object)
