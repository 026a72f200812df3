"""Support vector machines (scikit-learn), linear or with a Gaussian kernel, calibrated to give probabilities."""

from typing import Any, Literal

import numpy as np
from pydantic import Field

from data.errors import InputError
from data.params import Strict
from training.class_weight import ClassWeight
from training.families import Rows
from training.scikit.pipeline import Pipeline
from training.scikit.sample import stratified

LIBRARIES = ("sklearn.calibration", "sklearn.compose", "sklearn.svm", "skl2onnx", "skops.io")
KERNELS = 4_000_000  # of rows with support vectors that the graph of rbf holds at once, 16 MB
CURVE_ROWS = 5_000  # rows of each split that the loss is measured on


class Params(Strict):
    """Parameters of the machine."""

    kernel: Literal["linear", "rbf"] = Field("linear", description="linear, or rbf for the Gaussian kernel")
    C: float = Field(1.0, gt=0, description="inverse strength of the L2 penalty")
    gamma: float | None = Field(
        None, gt=0, description="of rbf: how fast likeness fades; without, 1 / (features x their variance)"
    )
    max_iter: int = Field(1000, ge=1, description="of linear: most iterations")
    max_rows: int = Field(
        20_000, ge=10, description="of rbf: most training rows, drawn at random, as its time grows by their square"
    )
    folds: int = Field(3, ge=2, le=20, description="parts of the training rows that the calibration is fitted across")
    bins: int | None = Field(None, ge=2, le=1000, description="quantile bins per number; without, numbers are scaled")
    class_weight: ClassWeight = None


def fit(params: Params, rows: Rows, seed: int) -> Pipeline:
    """Fit the machine, and a sigmoid from its margins to probabilities, on margins of rows left out of a fit."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline

    from training.features.preprocessing import plain, preprocessing

    random = np.random.default_rng(seed)
    sparse = params.kernel == "linear"
    features = preprocessing(rows.contract, params.bins, sparse=sparse)
    train = features.fit_transform(plain(rows.train, rows.contract))
    validation = features.transform(plain(rows.validation, rows.contract))
    kept = stratified(rows.train_codes, len(rows.train) if sparse else params.max_rows, random)
    codes = rows.train_codes[kept]
    rarest = int(np.bincount(codes).argmin())
    folds = min(params.folds, int(np.bincount(codes).min()))
    if folds < 2:
        raise InputError(
            f"{rows.contract.task}: one training row only has the class {rows.contract.classes[rarest]!r}, and a "
            "support vector machine needs two of each to calibrate; bring more of that class or take another family"
        )
    cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
    machine = CalibratedClassifierCV(_machine(params, rows, seed), ensemble=False, cv=cut).fit(train[kept], codes)
    parts = ((train[kept], codes), (validation, rows.validation_codes))
    some = [random.permutation(len(codes))[:CURVE_ROWS] for _, codes in parts]
    losses = [
        float(log_loss(codes[few], machine.predict_proba(X[few]), labels=machine.classes_))
        for (X, codes), few in zip(parts, some, strict=True)
    ]
    history = [{"loss": losses[0], "validation_loss": losses[1]}]
    return Pipeline(make_pipeline(features, machine), rows.contract, history, _linear_graph if sparse else _graph)


def _linear_graph(machine: Any) -> Any:
    """`features` in, `probabilities` out: margins and the sigmoids' slopes make one linear node of both."""
    from onnx import TensorProto, helper

    calibrated = machine.calibrated_classifiers_[0]
    slopes, shifts = (np.array([getattr(one, name) for one in calibrated.calibrators]) for name in ("a_", "b_"))
    weights = slopes[:, None] * calibrated.estimator.coef_
    biases = slopes * calibrated.estimator.intercept_ + shifts
    binary = len(weights) == 1
    if binary:  # of the first class, which the second's are the opposite of
        weights, biases = np.vstack([weights, -weights]), np.hstack([biases, -biases])
    scores = helper.make_node(
        "LinearClassifier",
        ["features"],
        ["label", "probabilities" if binary else "against"],
        domain="ai.onnx.ml",
        coefficients=weights.astype(np.float32).ravel().tolist(),
        intercepts=biases.astype(np.float32).tolist(),
        classlabels_ints=list(range(len(weights))),
        post_transform="LOGISTIC" if binary else "NONE",
    )
    # a share among sigmoids, by their logarithms, is a softmax that no sum of zeros can spoil
    shares = [
        helper.make_node("Softplus", ["against"], ["less"]),
        helper.make_node("Neg", ["less"], ["logarithms"]),
        helper.make_node("Softmax", ["logarithms"], ["probabilities"], axis=1),
    ]
    form = {"features": weights.shape[1], "probabilities": len(weights)}
    given, gives = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, size]) for name, size in form.items())
    return helper.make_model(helper.make_graph([scores] if binary else [scores, *shares], "machine", [given], [gives]))


def _graph(machine: Any) -> Any:
    """`features` in, `probabilities` out, so many rows at a time that their kernels take bounded memory."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    from training.onnx_graph import OPSET
    from training.scikit.in_parts import in_parts

    vectors, features = machine.calibrated_classifiers_[0].estimator.support_vectors_.shape
    model = to_onnx(
        machine,
        initial_types=[("features", FloatTensorType([None, features]))],
        options={id(machine): {"zipmap": False}},
        target_opset={domain: OPSET[domain] for domain in ("", "ai.onnx.ml")},
    )
    return in_parts(model, max(1, KERNELS // vectors))


def _machine(params: Params, rows: Rows, seed: int) -> Any:
    from sklearn.svm import SVC, LinearSVC

    from training.class_weight import by_code

    weight = by_code(params.class_weight, rows.contract)
    if params.kernel == "linear":
        return LinearSVC(C=params.C, dual="auto", max_iter=params.max_iter, class_weight=weight, random_state=seed)
    return SVC(C=params.C, gamma=params.gamma or "scale", class_weight=weight)
