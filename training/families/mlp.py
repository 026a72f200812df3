"""A multi-layer perceptron (Keras) on scaled or binned numbers and one-hot categories."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from data.contract import Contract
from data.params import Strict
from training.families import Rows

LIBRARIES = ("sklearn.compose", "skl2onnx", "skops.io", "tensorflow", "keras", "tf2onnx")
PREDICT_BATCH = 8192


class Params(Strict):
    """Parameters of the perceptron and of its training by Adam."""

    layers: list[Annotated[int, Field(ge=1)]] = Field([64, 32], min_length=1, description="units of each hidden layer")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of units left out in training")
    l2: float = Field(0.0, ge=0, description="L2 penalty on the weights")
    learning_rate: float = Field(0.001, gt=0)
    batch_size: int = Field(1024, ge=1)
    epochs: int = Field(30, ge=1, description="most epochs")
    patience: int = Field(5, ge=1, description="epochs without a better validation loss before training stops")
    bins: int | None = Field(None, ge=2, le=1000, description="quantile bins per number; without, numbers are scaled")


@dataclass
class Perceptron:
    """A fitted preprocessing (scikit-learn) and the network behind it (Keras)."""

    features: Any
    network: Any
    contract: Contract
    history: list[dict[str, float]]
    tolerance: float = 1e-4

    def probabilities(self, inputs: pd.DataFrame) -> np.ndarray:
        """Class probabilities by Keras, shape (rows, classes)."""
        from training.features import plain

        given = self.features.transform(plain(inputs, self.contract))
        return self.network.predict(given, batch_size=PREDICT_BATCH, verbose=0)

    def to_onnx(self) -> Any:
        """Preprocessing by skl2onnx and network by tf2onnx, joined into one graph."""
        from training import features, keras_graph
        from training.onnx_graph import join

        return join(features.convert(self.features, self.contract), keras_graph.convert(self.network))

    def save(self, folder: Path) -> None:
        """Write `features.skops` and `network.keras`."""
        import skops.io

        skops.io.dump(self.features, folder / "features.skops")
        self.network.save(folder / "network.keras")


def fit(params: Params, rows: Rows, seed: int) -> Perceptron:
    """Fit by Adam on the cross-entropy; the epoch with the best validation loss is kept."""
    import keras
    import tensorflow

    from training.features import plain, preprocessing

    keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()
    features = preprocessing(rows.contract, params.bins, sparse=False)
    train = features.fit_transform(plain(rows.train, rows.contract))
    validation = features.transform(plain(rows.validation, rows.contract))

    penalty = keras.regularizers.L2(params.l2) if params.l2 else None
    network = keras.Sequential([keras.Input((train.shape[1],), name="features")], name="perceptron")
    for place, units in enumerate(params.layers):  # names of their own: Keras's count up with each fit of a process
        network.add(keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty, name=f"hidden_{place}"))
        network.add(keras.layers.Dropout(params.dropout, name=f"dropout_{place}"))
    network.add(keras.layers.Dense(len(rows.contract.classes), activation="softmax", name="probabilities"))
    network.compile(keras.optimizers.Adam(params.learning_rate), "sparse_categorical_crossentropy")
    stop = keras.callbacks.EarlyStopping(patience=params.patience, restore_best_weights=True)
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: rows.report(epoch, logs["val_loss"]))
    curve = network.fit(
        train,
        rows.train_codes,
        validation_data=(validation, rows.validation_codes),
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
    return Perceptron(features, network, rows.contract, history)
