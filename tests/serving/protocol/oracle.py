"""MLflow's own scoring: its parser, its schema enforcement and a version's code, up to the graph's inputs."""

import importlib.util
import json
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel, scoring_server

import training.graph
from data.contract import Column as DeclaredColumn
from data.contract import Contract as DeclaredContract
from registry.versions import signature
from serving.contract import Contract

Answer = dict[str, np.ndarray] | tuple[int, str]


def _version() -> Any:
    """The class of a registered version, which exists where MLflow loads the file under a name of its own."""
    spec = importlib.util.spec_from_file_location("registered", training.graph.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REGISTERED = _version()


class Oracle:
    """What MLflow makes of a request to a version with some contract: the graph's inputs, or a refusal."""

    def __init__(self, contract: Contract) -> None:
        content = json.loads(json.dumps([_plain(column) for column in contract.columns]))
        columns = tuple(DeclaredColumn(**column | {"shape": tuple(column["shape"])}) for column in content)
        declared = DeclaredContract(contract.task, contract.target, columns, contract.classes)
        version, self.feeds = REGISTERED.Version(), dict[str, np.ndarray]()
        graph = version.graph = REGISTERED.Graph.__new__(REGISTERED.Graph)
        graph.columns = content

        def predict(rows: Any) -> pd.DataFrame:
            self.feeds = graph.feeds(rows)
            return pd.DataFrame({"rows": [len(next(iter(self.feeds.values())))]})

        graph.predict = predict

        class Loaded:
            def predict(self, rows: Any, params: Any = None) -> Any:
                return version.predict(None, rows, params)

        self.model = PyFuncModel(Model(signature=signature(declared)), Loaded())
        self.schema = self.model.metadata.get_input_schema()

    def __call__(self, body: bytes, content_type: str = "application/json") -> Answer:
        """The graph's inputs, or a status and an error code; ("crash", …) for what MLflow answers with 500."""
        try:
            answer = scoring_server.invocations(body, content_type, self.model, self.schema)
        except MlflowException as error:
            return error.get_http_status_code(), error.error_code
        except Exception as error:
            return 500, type(error).__name__
        return self.feeds if answer.status == 200 else (answer.status, answer.mimetype)

    def told(self, body: bytes, content_type: str = "application/json") -> str:
        """The message of a refusal."""
        try:
            return str(scoring_server.invocations(body, content_type, self.model, self.schema))
        except MlflowException as error:
            return error.message


def _plain(column: Any) -> dict[str, Any]:
    return {"name": column.name, "kind": column.kind, "shape": column.shape, "low": column.low, "high": column.high}
