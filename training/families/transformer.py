"""A transformer encoder (Keras) over the words of a text: self-attention, learnt positions, masked padding."""

from typing import Any

import pandas as pd
from pydantic import Field

from data.errors import InputError
from training.families import Rows
from training.features.words import Reading
from training.networks import fit as keras_fit
from training.networks.fit import Network
from training.networks.masked_words import Pretrain
from training.networks.warm_start import Start

LIBRARIES = keras_fit.LIBRARIES


class Params(Reading, keras_fit.Training):
    """Parameters of the encoder and of its training."""

    width: int = Field(64, ge=2, description="numbers that stand for a word")
    heads: int = Field(2, ge=1)
    blocks: int = Field(1, ge=1)
    inner: int = Field(128, ge=1, description="units of a block's inner layer")
    dropout: float = Field(0.1, ge=0, lt=1)
    batch_size: int = Field(32, ge=1)
    epochs: int = Field(5, ge=1, description="most epochs")
    patience: int = Field(2, ge=1, description="epochs without a better validation loss before training stops")
    pretrain: Pretrain | None = Field(None, description="learn from hidden words of the training texts first")


def fit(params: Params, rows: Rows, seed: int) -> Network:
    """Learn the vocabulary, then the network; from hidden words first, if so declared.

    Raises:
        InputError: the task has more inputs than one text.
    """
    contract = rows.contract
    if [column.kind for column in contract.columns] != ["text"]:
        raise InputError(
            f"family transformer takes one text, but the columns of {contract.task} are of other kinds; "
            "declare such a column or choose another family"
        )
    with keras_fit.starting(params, "transformer", contract) as start:
        return fit_from(start, params, rows, seed)


def fit_from(
    start: Start | None, params: Params, rows: Rows, seed: int, unlabelled: pd.DataFrame | None = None
) -> Network:
    """Fit from a version or from nothing.

    Args:
        start: where vocabulary and weights come from.
        params: parameters of the network and its training.
        rows: training and validation rows.
        seed: of everything that is drawn at random.
        unlabelled: further rows, for the vocabulary and hidden words.
    """
    from training.networks import masked_words
    from training.networks.front import Words

    keras_fit.begin(seed)
    contract, texts = rows.contract, pd.concat([rows.train, unlabelled], ignore_index=True)
    front = Words.load(start.folder, contract, params) if start else Words.learn(texts, contract, params)
    network = build(params, front.vocabulary.size, len(contract.classes))
    if start:
        start.fill(network)
    if params.pretrain:
        masked_words.learn(network, front.arrays(texts), params.pretrain, seed)
    return keras_fit.fit(network, front, params, rows, start)


def build(params: Params, size: int, classes: int) -> Any:
    """The network from word ids to class probabilities."""
    import keras
    from keras import layers, ops

    ids = keras.Input((params.length,), dtype="int64", name="features")
    known = ops.not_equal(ids, 0)
    share = ops.expand_dims(ops.cast(known, "float32"), 2)
    states = encode(params, size, ids, known)
    mean = ops.divide(ops.sum(ops.multiply(states, share), axis=1), ops.maximum(ops.sum(share, axis=1), 1.0))
    mean = layers.Dropout(params.dropout, name="dropout_pooled")(mean)
    return keras.Model(ids, layers.Dense(classes, activation="softmax", name="probabilities")(mean), name="transformer")


def encode(params: Params, size: int, ids: Any, known: Any) -> Any:
    """A state for each word, shape (rows, length, width)."""
    from keras import layers, ops

    place = ops.cumsum(ops.cast(known, "int32"), axis=1)
    states = layers.ReversibleEmbedding(size, params.width, name="words")(ids)
    states = states + layers.Embedding(params.length + 1, params.width, name="positions")(place)
    states = layers.Dropout(params.dropout, name="dropout_words")(states)
    attended = ops.expand_dims(known, 1)
    for block in range(params.blocks):
        normed = layers.LayerNormalization(name=f"norm_attention_{block}")(states)
        seen = layers.MultiHeadAttention(params.heads, params.width // params.heads, name=f"attention_{block}")(
            normed, normed, attention_mask=attended
        )
        states = states + seen
        normed = layers.LayerNormalization(name=f"norm_inner_{block}")(states)
        inner = layers.Dense(params.inner, name=f"inner_{block}")(normed)
        inner = ops.gelu(inner, approximate=True)
        inner = layers.Dropout(params.dropout, name=f"dropout_{block}")(inner)
        states = states + layers.Dense(params.width, name=f"outer_{block}")(inner)
    return layers.LayerNormalization(name="norm")(states)
