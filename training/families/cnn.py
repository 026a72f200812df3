"""A convolutional network (Keras) on images or sequences; images may be shifted, turned and zoomed in training."""

from typing import Annotated, Any

from pydantic import Field

from data.contract import Column
from data.errors import InputError
from data.params import Strict
from training.families import Rows
from training.networks import fit as keras_fit
from training.networks.fit import Network

LIBRARIES = keras_fit.LIBRARIES


class Augmentation(Strict):
    """How far training images are changed at random, each anew in every epoch."""

    shift: float = Field(0.0, ge=0, lt=1, description="share of height and of width, up or down, left or right")
    rotate: float = Field(0.0, ge=0, le=180, description="degrees, either way")
    zoom: float = Field(0.0, ge=0, lt=1, description="share of the size, in or out")


class Params(keras_fit.Training):
    """Parameters of the network and of its training."""

    filters: list[Annotated[int, Field(ge=1)]] = Field(
        [16, 32, 64],
        min_length=1,
        description="filters of each stage: two convolutions, then halving by the largest value",
    )
    kernel: int = Field(3, ge=1, description="width of the convolutions")
    units: int = Field(128, ge=1, description="units of the layer before the answer")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of units left out in training")
    augmentation: Augmentation | None = None


def fit(params: Params, rows: Rows, seed: int) -> Network:
    """Fit the network.

    Raises:
        InputError: the task has no image or sequence, or augmentation is declared for a sequence.
    """
    from training.networks.front import Tensor

    column = rows.contract.tensor
    if column is None:
        raise InputError(
            f"family cnn takes one image or one sequence, but the columns of {rows.contract.task} are of other kinds; "
            "declare such a column or choose another family"
        )
    if params.augmentation and column.kind != "image":
        raise InputError(f"family cnn augments images only, and {column.name!r} is a sequence; remove augmentation")
    keras_fit.begin(seed)
    with keras_fit.starting(params, "cnn", rows.contract) as start:
        front = Tensor.load(start.folder, rows.contract) if start else Tensor.learn(rows.train, rows.contract)
        network = build(params, column, len(rows.contract.classes))
        if start:
            start.fill(network)
        changed = augmentation(params.augmentation, column)
        return keras_fit.fit(network, front, params, rows, start, changed)


def build(params: Params, column: Column, classes: int) -> Any:
    """The network from images or sequences to class probabilities."""
    import keras
    from keras import layers

    image = column.kind == "image"
    convolution, pooling = (layers.Conv2D, layers.MaxPooling2D) if image else (layers.Conv1D, layers.MaxPooling1D)
    network = keras.Sequential([keras.Input(column.shape, name="features")], name="convolutions")
    if image and len(column.shape) == 2:
        network.add(layers.Reshape((*column.shape, 1), name="one_channel"))
    for stage, filters in enumerate(params.filters):
        for place in range(2):
            name = f"{stage}_{place}"
            network.add(convolution(filters, params.kernel, padding="same", use_bias=False, name=f"convolution_{name}"))
            network.add(layers.BatchNormalization(momentum=0.9, name=f"norm_{name}"))
            network.add(layers.ReLU(name=f"relu_{name}"))
        network.add(pooling(2, padding="same", name=f"pooling_{stage}"))
        network.add(layers.Dropout(params.dropout, name=f"dropout_{stage}"))
    network.add(layers.Flatten(name="flat") if image else layers.GlobalAveragePooling1D(name="mean"))
    network.add(layers.Dense(params.units, activation="relu", name="hidden"))
    network.add(layers.Dropout(params.dropout, name="dropout_hidden"))
    network.add(layers.Dense(classes, activation="softmax", name="probabilities"))
    return network


def augmentation(params: Augmentation | None, column: Column) -> Any:
    """Keras layers that change images of the column's shape at random, or None."""
    import keras
    from keras import layers

    if params is None:
        return None
    shape = column.shape if len(column.shape) == 3 else (*column.shape, 1)
    fill = {"fill_mode": "constant", "interpolation": "bilinear"}
    return keras.Sequential(
        [
            keras.Input(column.shape),
            layers.Reshape(shape),
            layers.RandomRotation(params.rotate / 360, **fill),
            layers.RandomZoom(params.zoom, params.zoom, **fill),
            layers.RandomTranslation(params.shift, params.shift, **fill),
            layers.Reshape(column.shape),
        ]
    )
