"""A recurrent network (Keras): LSTM or GRU over a sequence's steps or a text's words."""

from typing import Annotated, Any, Literal

from pydantic import Field

from data.contract import Contract
from data.errors import InputError
from training.families import Rows
from training.features.words import Reading
from training.networks import fit as keras_fit
from training.networks.fit import Network

LIBRARIES = keras_fit.LIBRARIES


class Params(Reading, keras_fit.Training):
    """Parameters of the network and of its training; those of words are for texts only."""

    cell: Literal["lstm", "gru"] = "lstm"
    units: list[Annotated[int, Field(ge=1)]] = Field([64], min_length=1, description="units of each recurrent layer")
    bidirectional: bool = Field(False, description="also read from the end; units are those of one direction")
    convolutions: list[Annotated[int, Field(ge=1)]] = Field(
        [], description="filters of each convolution before the recurrent layers"
    )
    kernel: int = Field(5, ge=1, description="steps that a convolution sees")
    pool: int = Field(2, ge=1, description="steps of which each convolution leaves the largest value")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of units left out in training")
    noise: float = Field(
        0.0, ge=0, description="deviation of noise on a sequence's scaled values in training, which have deviation 1"
    )
    width: int = Field(64, ge=1, description="numbers that stand for a word")


def fit(params: Params, rows: Rows, seed: int) -> Network:
    """Fit the network.

    Raises:
        InputError: the task has neither one sequence nor one text as its input.
    """
    from training.networks.front import Front, Tensor, Words

    contract = rows.contract
    reads_words = [column.kind for column in contract.columns] == ["text"]
    if not reads_words and not (contract.tensor and contract.tensor.kind == "sequence"):
        raise InputError(
            f"family lstm takes one sequence or one text, but the columns of {contract.task} are of other kinds; "
            "declare such a column or choose another family"
        )
    keras_fit.begin(seed)
    with keras_fit.starting(params, "lstm", contract) as start:
        front: Front
        if reads_words:
            front = words = (
                Words.load(start.folder, contract, params) if start else Words.learn(rows.train, contract, params)
            )
            network = build(params, contract, words.vocabulary.size)
        else:
            front = Tensor.load(start.folder, contract) if start else Tensor.learn(rows.train, contract)
            network = build(params, contract)
        if start:
            start.fill(network)
        return keras_fit.fit(network, front, params, rows, start)


def build(params: Params, contract: Contract, size: int = 0) -> Any:
    """The network from a sequence, or from a text's ids of a vocabulary of `size`, to class probabilities."""
    import keras
    from keras import layers, ops

    if size:
        given = keras.Input((params.length,), dtype="int64", name="features")
        known = ops.expand_dims(ops.cast(ops.not_equal(given, 0), "float32"), 2)
        states = ops.multiply(layers.Embedding(size, params.width, name="words")(given), known)
    else:
        given = keras.Input(contract.columns[0].shape, name="features")
        states = layers.GaussianNoise(params.noise, name="noise")(given) if params.noise else given
        if len(contract.columns[0].shape) == 3:
            states = layers.Reshape((contract.columns[0].shape[0], -1), name="one_row_a_step")(states)
    for place, filters in enumerate(params.convolutions):
        states = layers.Conv1D(filters, params.kernel, padding="same", activation="relu", name=f"conv_{place}")(states)
        states = layers.MaxPooling1D(params.pool, padding="same", name=f"pooling_{place}")(states)
        if size:
            known = layers.MaxPooling1D(params.pool, padding="same", name=f"known_{place}")(known)
        states = layers.Dropout(params.dropout, name=f"dropout_conv_{place}")(states)
    cell = {"lstm": layers.LSTM, "gru": layers.GRU}[params.cell]
    for place, units in enumerate(params.units):
        layer = cell(units, return_sequences=True, use_cudnn=False, name=f"{params.cell}_{place}")
        if params.bidirectional:
            layer = layers.Bidirectional(layer, name=f"both_ways_{place}")
        states = layer(states)
    if size:  # a state lies between -1 and 1, so that padding is never the largest
        states = ops.where(ops.greater(known, 0.5), states, -1.0)
    pooled = layers.Dropout(params.dropout, name="dropout_pooled")(ops.max(states, axis=1))
    answer = layers.Dense(len(contract.classes), activation="softmax", name="probabilities")(pooled)
    return keras.Model(given, answer, name="recurrent")
