"""A multi-layer perceptron (Keras) on scaled or binned numbers, one-hot categories, pixels or summaries."""

from typing import Annotated, Any

from pydantic import Field

from training.families import Rows
from training.networks import fit as keras_fit
from training.networks.fit import Network

LIBRARIES = ("sklearn.compose", "skl2onnx", "skops.io", *keras_fit.LIBRARIES)


class Params(keras_fit.Training):
    """Parameters of the perceptron and of its training."""

    layers: list[Annotated[int, Field(ge=1)]] = Field([64, 32], min_length=1, description="units of each hidden layer")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of units left out in training")
    l1: float = Field(0.0, ge=0, description="L1 penalty on the weights")
    l2: float = Field(0.0, ge=0, description="L2 penalty on the weights")
    bins: int | None = Field(None, ge=2, le=1000, description="quantile bins per number; without, numbers are scaled")
    batch_size: int = Field(1024, ge=1)


def fit(params: Params, rows: Rows, seed: int) -> Network:
    """Fit preprocessing, then the network."""
    from training.features.preprocessing import plain, preprocessing
    from training.networks.front import Features

    keras_fit.begin(seed)
    with keras_fit.starting(params, "mlp", rows.contract) as start:
        if start:
            front = Features.load(start.folder, rows.contract)
        else:
            features = preprocessing(rows.contract, params.bins, sparse=False)
            front = Features(features.fit(plain(rows.train, rows.contract)), rows.contract)
        width = front.arrays(rows.train.head(1)).shape[1]
        network = build(params, width, len(rows.contract.classes))
        if start:
            start.fill(network)
        return keras_fit.fit(network, front, params, rows, start)


def build(params: Params, width: int, classes: int) -> Any:
    """The network from `width` features to class probabilities."""
    import keras

    penalty = keras.regularizers.L1L2(params.l1, params.l2) if params.l1 or params.l2 else None
    network = keras.Sequential([keras.Input((width,), name="features")], name="perceptron")
    for place, units in enumerate(params.layers):  # names of their own: Keras's count up with each fit of a process
        network.add(keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty, name=f"hidden_{place}"))
        network.add(keras.layers.Dropout(params.dropout, name=f"dropout_{place}"))
    network.add(keras.layers.Dense(classes, activation="softmax", name="probabilities"))
    return network
