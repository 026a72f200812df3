"""Which requests stay valid when a version takes another's place, and how rows become MLflow's requests."""

import json
import subprocess
import sys
from typing import Any

import pytest

from serving.contract import Column, Contract
from serving.follow.state import Version
from serving.protocol.errors import Refused
from serving.pyfunc import inference, signature, translate
from serving.pyfunc.asked import Asked
from serving.pyfunc.signature import Signature, refuses
from tests.conftest import ROOT

A, B = {"type": "double", "name": "a"}, {"type": "long", "name": "b"}
IMAGE = {"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 2, 2]}}
GRAPH = Contract("task", "y", (Column("a", "number"), Column("b", "number")), ("no", "yes"))


def optional(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"required": False}


def of(*inputs: dict[str, Any], params: tuple[str, ...] = ()) -> Signature:
    told = [{"name": name, "type": "double", "default": 1.0, "shape": None} for name in params]
    return signature.of({"inputs": json.dumps(inputs), "outputs": None, "params": json.dumps(told)})


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (of(A, B), of(A, B)),
        (of(A, optional(B)), of(A, B)),
        (of(A, optional(B)), of(A)),
        (of(A, B, params=("p",)), of(A, B)),
        (of(A, B), GRAPH),
        (GRAPH, of(A, B)),
        (of(A, B, optional({"type": "string", "name": "c"})), GRAPH),
        (signature.of(None), signature.of(None)),
    ],
)
def test_a_version_that_answers_all_old_requests_may_take_the_place(new: Any, old: Any) -> None:
    assert refuses(new, old) == ""


@pytest.mark.parametrize(
    ("new", "old", "said"),
    [
        (of(A, B), of(A), "its columns are a, b, before a"),
        (of(A), of(A, B), "its columns are a, before a, b"),
        (of(B, A), of(A, B), "its columns are b, a, before a, b"),
        (of(A | {"type": "string"}, B), of(A, B), "its input is a: string, before a: double"),
        (of(A, B), of(A, optional(B)), "b is no longer optional"),
        (of(IMAGE), of(IMAGE | {"tensor-spec": {"dtype": "uint8", "shape": [-1, 3]}}), "before uint8 of shape [-1, 3]"),
        (of(A), of(A, params=("p",)), "it has no parameter p"),
        (of(A), GRAPH, "its columns are a, before a, b"),
        (GRAPH, of(A), "its columns are a, b, before a"),
        (signature.of(None), of(A), "it has no signature"),
        (of(A), signature.of(None), "the version before has no signature"),
    ],
)
def test_a_version_that_would_refuse_old_requests_may_not(new: Any, old: Any, said: str) -> None:
    assert said in refuses(new, old)


@pytest.mark.parametrize(
    ("given", "takes", "asked"),
    [
        ([[1, 2], [3, 4]], of(A, B), {"dataframe_split": {"data": [[1, 2], [3, 4]], "columns": ["a", "b"]}}),
        ([1, 2], of(A, B), {"dataframe_split": {"data": [[1, 2]], "columns": ["a", "b"]}}),
        ([1, 2], of(A), {"dataframe_split": {"data": [[1], [2]], "columns": ["a"]}}),
        ("word", of(A | {"type": "string"}), {"dataframe_split": {"data": [["word"]], "columns": ["a"]}}),
        ([[1]], of(A, optional(B)), {"dataframe_split": {"data": [[1]], "columns": ["a"]}}),
        ([{"b": 2, "a": 1}], of(A, B), {"dataframe_split": {"data": [[1, 2]], "columns": ["a", "b"]}}),
        ([[[1, 2], [3, 4]]], of(IMAGE), {"inputs": [[[1, 2], [3, 4]]]}),
        ([[1, 2], [3, 4]], of(IMAGE), {"inputs": [[[1, 2], [3, 4]]]}),
        ([[1, 2], [3, 4]], of(IMAGE | {"name": "i"}), {"inputs": {"i": [[[1, 2], [3, 4]]]}}),
        ([[[1], [2]]], of(IMAGE | {"name": "i"}, IMAGE | {"name": "j"}), {"inputs": {"i": [[1]], "j": [[2]]}}),
        ([[1, 2]], signature.of(None), {"dataframe_split": {"data": [[1, 2]]}}),
    ],
)
def test_rows_of_the_plain_api_become_what_the_signature_takes(given: Any, takes: Signature, asked: Any) -> None:
    found = translate.from_plain(json.dumps({"features": given}).encode(), None, takes)
    assert json.loads(found.body) == asked


@pytest.mark.parametrize(
    ("given", "takes", "said"),
    [
        ([[1, 2, 3]], of(A, B), "expected rows of 2 values"),
        ([[1, 2], 3], of(A, B), "a row is no list"),
        ([{"a": 1}], of(A, B), "columns are missing: b"),
        ([[1]], of(IMAGE | {"name": "i"}, IMAGE | {"name": "j"}), "expected rows of 2 tensors"),
        ([], of(IMAGE), "there is no row"),
    ],
)
def test_rows_that_the_signature_does_not_take_are_refused(given: Any, takes: Signature, said: str) -> None:
    with pytest.raises(Refused, match=said):
        translate.from_plain(json.dumps({"features": given}).encode(), None, takes)


def test_an_answer_with_nan_is_still_an_answer() -> None:
    content = b'{"predictions": [1.5, NaN]}'
    assert translate.rows_of(content) == 2
    assert translate.to_plain(content, Asked(b"", b"", None), Version("m", 1)) == b'{"prediction":[1.5,NaN]}'


V2 = [{"name": "b", "shape": [2], "datatype": "INT64", "data": [1, 2]}]


@pytest.mark.parametrize(
    ("inputs", "takes", "asked"),
    [
        (
            [*V2, {"name": "a", "shape": [2, 1], "datatype": "FP64", "data": [[3], [4]]}],
            of(A, B, params=("p",)),
            {"dataframe_split": {"columns": ["a", "b"], "data": [[3, 1], [4, 2]]}, "params": {"p": 7}},
        ),
        (V2, of(optional(A), B), {"dataframe_split": {"columns": ["b"], "data": [[1], [2]]}}),
        (
            [{"name": "x", "shape": [1, 2, 2], "datatype": "UINT8", "data": [1, 2, 3, 4]}],
            of(IMAGE),
            {"inputs": [[[1, 2], [3, 4]]]},
        ),
    ],
)
def test_tensors_of_an_inference_request_become_what_the_signature_takes(
    inputs: Any, takes: Signature, asked: Any
) -> None:
    body = json.dumps({"inputs": inputs, "parameters": {"p": 7, "other": 1}}).encode()
    assert json.loads(inference.read(body, None, takes).body) == asked


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (V2, "one input for each of: a: double, b: long"),
        ([*V2, *V2], "one input for each"),
        ([*V2, {"name": "a", "shape": [1], "datatype": "FP64", "data": [3]}], "different numbers of rows"),
        ([*V2, {"name": "a", "shape": [3], "datatype": "FP64", "data": [3]}], "another number than its shape"),
        ([*V2, {"name": "a", "shape": [1, 2], "datatype": "FP64", "data": [3, 4]}], "expected [[]-1[]]"),
        ([*V2, {"name": "a", "shape": [-1, -1], "datatype": "FP64", "data": [3]}], "the shape is"),
        ("none", "no inference request"),
    ],
)
def test_an_inference_request_that_the_signature_does_not_take_is_refused(inputs: Any, said: str) -> None:
    with pytest.raises(Refused, match=said):
        inference.read(json.dumps({"inputs": inputs}).encode(), None, of(A, B))


@pytest.mark.parametrize(
    ("predictions", "outputs"),
    [
        ([1.5, 2], [("out", [2], "FP64", [1.5, 2])]),
        ([[1, 2], [3, 4]], [("out", [2, 2], "INT64", [1, 2, 3, 4])]),
        ([[1], [3, 4]], [("out", [2], "BYTES", ["[1]", "[3, 4]"])]),
        ([{"a": True, "b": "x"}], [("a", [1], "BOOL", [True]), ("b", [1], "BYTES", ["x"])]),
        ({"a": [1]}, [("a", [1], "INT64", [1])]),
        ("text", [("out", [1], "BYTES", ["text"])]),
    ],
)
def test_predictions_become_outputs_by_their_names_and_types(predictions: Any, outputs: Any) -> None:
    asked = Asked(b"", b"", None, inference.Options("7", (), "out"))
    content = json.dumps({"predictions": predictions}).encode()
    found = json.loads(inference.write(content, asked, Version("m", 3)))
    assert [(one["name"], one["shape"], one["datatype"], one["data"]) for one in found["outputs"]] == outputs
    assert (found["model_name"], found["model_version"], found["id"]) == ("m", "3", "7")


def test_a_server_without_such_models_does_not_pay_for_them() -> None:
    told = "import sys, serving.run; print(*sorted({'httpx', 'mlflow', 'pandas'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
