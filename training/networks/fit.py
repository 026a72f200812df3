"""Training a Keras network: optimiser, class weights, early stopping; the same for every family of networks."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from data.contract import Contract
from data.params import Strict
from training.class_weight import ClassWeight, of_classes
from training.families import Rows
from training.networks import warm_start
from training.networks.front import Front
from training.networks.warm_start import Start

LIBRARIES = ("tensorflow", "keras", "tf2onnx")
NETWORK = "network.keras"
PREDICT_BATCH = 256


class Training(Strict):
    """How a network is trained on the cross-entropy."""

    optimiser: Literal["sgd", "momentum", "adagrad", "rmsprop", "adam"] = "adam"
    learning_rate: float = Field(0.001, gt=0)
    decay: Literal["none", "cosine"] = Field("none", description="how the learning rate falls to nought by the end")
    batch_size: int = Field(64, ge=1)
    epochs: int = Field(30, ge=1, description="most epochs")
    patience: int = Field(5, ge=1, description="epochs without a better validation loss before training stops")
    class_weight: ClassWeight = None
    warm_start: str | None = Field(
        None, description="stage or number of a registered version of the same family, whose weights to start from"
    )

    @field_validator("warm_start", mode="before")
    @classmethod
    def _versions_are_numbers(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value


@dataclass
class Network:
    """A fitted network (Keras) and what stands before it."""

    network: Any
    front: Front
    contract: Contract
    history: list[dict[str, float]]
    started_from: dict[str, str] | None = None
    """Version, graph digest and data digest of what the training started from."""
    tolerance: float = 1e-4

    def probabilities(self, inputs: pd.DataFrame) -> np.ndarray:
        """Class probabilities by Keras, shape (rows, classes)."""
        return self.network.predict(self.front.arrays(inputs), batch_size=PREDICT_BATCH, verbose=0)

    def to_onnx(self) -> Any:
        """What stands before the network and the network, joined into one graph."""
        from training.networks import graph as keras_graph
        from training.onnx_graph import join

        return join(self.front.to_onnx(), keras_graph.convert(self.network))

    def save(self, folder: Path) -> None:
        """Write `network.keras`, `contract.json` and what the front learnt."""
        self.front.save(folder)
        (folder / warm_start.CONTRACT).write_text(self.contract.to_json() + "\n", encoding="utf-8")
        self.network.save(folder / NETWORK)


def begin(seed: int) -> None:
    """Have everything that is drawn or added up from here on depend on `seed` alone."""
    import keras
    import tensorflow

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()


def starting(params: Training, family: str, contract: Contract) -> AbstractContextManager[Start | None]:
    """What the training starts from, if `warm_start` names a version."""
    if params.warm_start is None:
        return nullcontext()
    return warm_start.fetch(params.warm_start, family, contract)


def fit(
    network: Any, front: Front, params: Training, rows: Rows, start: Start | None, augmentation: Any = None
) -> Network:
    """Fit a built network; the epoch with the best validation loss is kept.

    Args:
        network: Keras model from the front's arrays to class probabilities.
        front: what stands before it.
        params: how to train.
        rows: training and validation rows.
        start: the version that front and weights are from.
        augmentation: Keras layers that change training inputs at random; they are no part of the fitted network.
    """
    import keras

    weights = of_classes(params.class_weight, rows.contract, rows.train_codes).astype(np.float32)
    train = front.arrays(rows.train)
    trained = keras.Sequential([augmentation, network]) if augmentation else network
    steps = params.epochs * -(-len(train) // params.batch_size)
    trained.compile(optimiser(params, steps), "sparse_categorical_crossentropy", weighted_metrics=[], jit_compile=False)
    stop = keras.callbacks.EarlyStopping(patience=params.patience, restore_best_weights=True)
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: rows.report(epoch, logs["val_loss"]))
    curve = trained.fit(
        train,
        rows.train_codes,
        sample_weight=weights[rows.train_codes],
        validation_data=(front.arrays(rows.validation), rows.validation_codes, weights[rows.validation_codes]),
        validation_batch_size=PREDICT_BATCH,
        batch_size=params.batch_size,
        epochs=params.epochs,
        callbacks=[stop, told],
        verbose=2,
    ).history
    history = [
        {"loss": float(loss), "validation_loss": float(validation_loss)}
        for loss, validation_loss in zip(curve["loss"], curve["val_loss"], strict=True)
    ]
    return Network(network, front, rows.contract, history, start.lineage if start else None)


def optimiser(params: Training, steps: int) -> Any:
    """The declared optimiser; `steps` is how many batches there will be."""
    import keras

    rate: Any = params.learning_rate
    if params.decay == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    makers = {
        "sgd": keras.optimizers.SGD,
        "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
        "adagrad": keras.optimizers.Adagrad,
        "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam,
    }
    return makers[params.optimiser](rate)
