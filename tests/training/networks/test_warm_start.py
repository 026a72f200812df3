"""Starting from a registered version, with a real MLflow store."""

from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from data.errors import InputError
from tests.training.networks.test_networks import LSTM, TEXT, made
from training.families import lstm
from training.networks import masked_words, warm_start

pytestmark = [
    pytest.mark.xdist_group("networks"),
    pytest.mark.filterwarnings("ignore:__array__ implementation"),
]


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> lstm.Network:
    """A network that is version 1, in Production, of an MLflow store."""
    folder = tmp_path_factory.mktemp("store")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    rows, _ = made(TEXT)
    fitted = lstm.fit(lstm.Params(**LSTM | {"epochs": 2}), rows, 0)
    fitted.save(folder)
    client = MlflowClient()
    run = client.create_run(client.create_experiment("made", f"file://{folder}/artifacts")).info.run_id
    for name in ("network.keras", "vocabulary.json", "contract.json"):
        client.log_artifact(run, str(folder / name), "native")
    client.create_registered_model("made")
    tags = {"family": "lstm", "graph.digest": "a" * 64, "data.digest": "b" * 64, "warm_start.data": "c" * 64}
    client.create_model_version("made", f"runs:/{run}/native", run, tags=tags)
    client.set_registered_model_alias("made", "production", "1")
    return fitted


def test_training_goes_on_from_the_versions_weights_and_words(registered: Any) -> None:
    rows, odd = made(TEXT)
    other = rows.train.assign(text=["entirely other words"] * len(rows.train))
    params = lstm.Params(**LSTM | {"warm_start": "Production", "learning_rate": 1e-12})
    fitted = lstm.fit(params, type(rows)(rows.contract, other, *list(vars(rows).values())[2:]), 1)
    assert fitted.front.vocabulary == registered.front.vocabulary
    np.testing.assert_allclose(fitted.probabilities(odd), registered.probabilities(odd), atol=1e-6)
    assert fitted.started_from == {"version": "1", "digest": "a" * 64, "data": f"{'b' * 64} {'c' * 64}"}


@pytest.mark.parametrize(
    ("reference", "change", "said"),
    [
        ("Staging", {}, "warm_start: Staging: made has no such version in MLflow"),
        ("7", {}, "warm_start: 7: made has no such version in MLflow"),
        (1, {"width": 6}, "the network of version 1 has another architecture: words/embeddings of shape"),
        ("1", {"units": [4, 4]}, "the network of version 1 has another architecture"),
    ],
)
def test_a_version_that_does_not_fit_is_refused_in_one_line(
    registered: Any, reference: object, change: dict[str, Any], said: str
) -> None:
    rows, _ = made(TEXT)
    with pytest.raises(InputError) as caught:
        lstm.fit(lstm.Params(**LSTM | {"warm_start": reference} | change), rows, 0)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_version_of_another_family_or_of_other_classes_is_refused(registered: Any) -> None:
    contract = made(TEXT)[0].contract
    with pytest.raises(InputError, match="is of the family lstm, expected mlp"), warm_start.fetch("1", "mlp", contract):
        pass
    more = type(contract)(contract.task, contract.target, contract.columns, (*contract.classes, "maybe"))
    with pytest.raises(InputError, match="has other columns or classes"), warm_start.fetch("1", "lstm", more):
        pass


def test_only_known_words_are_hidden_and_what_was_hidden_is_asked_for() -> None:
    ids = np.array([[5, 6, 7, 1, 0, 0], [2, 3, 4, 5, 6, 7], [0, 0, 0, 0, 0, 0]])
    texts, places, words, weight = masked_words.hide(ids, 2, 0.3, np.random.default_rng(0))
    assert weight.sum(axis=1).tolist() == [1, 2, 0]
    for row, asked in zip(*np.nonzero(weight), strict=True):
        place = places[row, asked]
        assert ids[row, place] == words[row, asked] >= 2
        assert texts[row, place] == 1
    assert (texts != ids).sum() == 3
