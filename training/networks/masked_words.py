"""Learning from texts without labels: a network guesses words that were hidden from it."""

from typing import Any

import numpy as np
from pydantic import Field

from data.params import Strict
from training.features.words import FIRST, PADDING, UNKNOWN


class Pretrain(Strict):
    """How a network learns from hidden words before it learns from labels."""

    epochs: int = Field(3, ge=1)
    mask_share: float = Field(0.15, gt=0, lt=1, description="share of a text's words that are hidden")
    rows: int | None = Field(None, ge=1, description="how many of the texts, drawn at random; by default all")
    learning_rate: float = Field(0.001, gt=0)
    batch_size: int = Field(32, ge=1)


def learn(network: Any, ids: np.ndarray, params: Pretrain, seed: int) -> list[float]:
    """Fit the network's layers up to `norm`, its states of words, on hidden words; the loss of each epoch.

    Args:
        network: from word ids to classes, with a `keras.layers.ReversibleEmbedding` called `words`.
        ids: word ids of texts, shape (texts, length).
        params: how to learn.
        seed: of the choice of texts and of hidden words.
    """
    import keras
    from keras import layers, ops

    random = np.random.default_rng(seed)
    if params.rows is not None:
        ids = ids[random.permutation(len(ids))[: params.rows]]
    length = ids.shape[1]
    hidden = max(1, round(length * params.mask_share))
    places = keras.Input((hidden,), dtype="int32", name="places")
    given = keras.Input((length,), dtype="int64", name="given")
    states = keras.Model(network.input, network.get_layer("norm").output, name="states")(given)
    picked = ops.matmul(ops.one_hot(places, length), states)
    guess = layers.Dense(states.shape[2], activation="tanh", name="guess")(picked)
    guess = network.get_layer("words")(layers.LayerNormalization(name="norm_guess")(guess), reverse=True)
    guesser = keras.Model([given, places], guess, name="guesser")
    steps = params.epochs * -(-len(ids) // params.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(params.learning_rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    guesser.compile(keras.optimizers.Adam(rate), loss, weighted_metrics=[], jit_compile=False)
    losses = []
    for epoch in range(params.epochs):
        texts, chosen, words, weight = hide(ids, hidden, params.mask_share, random)
        curve = guesser.fit([texts, chosen], words, sample_weight=weight, batch_size=params.batch_size, verbose=0)
        losses.append(float(curve.history["loss"][0]))
        print(f"hidden words, epoch {epoch + 1}/{params.epochs} - loss: {losses[-1]:.4f}", flush=True)
    return losses


def hide(
    ids: np.ndarray, most: int, share: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hide a share of each text's known words, at most `most`.

    Returns:
        The ids with hidden words as unknown ones; the hidden places, and the words that stood there, both of shape
        (texts, most); and their weights, 0 for places that only fill a row.
    """
    is_word = ids >= FIRST
    order = np.argsort(np.where(is_word, random.random(ids.shape), 2.0), axis=1, kind="stable")[:, :most]
    count = np.minimum(np.ceil(is_word.sum(axis=1, keepdims=True) * share), most)
    weight = (np.arange(most) < count).astype(np.float32)
    words = np.take_along_axis(ids, order, axis=1)
    texts = ids.copy()
    rows = np.broadcast_to(np.arange(len(ids))[:, None], order.shape)
    texts[rows[weight > 0], order[weight > 0]] = UNKNOWN
    return texts, order.astype(np.int32), np.where(weight > 0, words, PADDING), weight
