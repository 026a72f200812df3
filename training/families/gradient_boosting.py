"""Gradient boosting of small trees on binned features (scikit-learn's histogram gradient boosting)."""

from typing import Any

from pydantic import Field

from data.params import Strict
from training.class_weight import ClassWeight
from training.families import Rows
from training.scikit.pipeline import Pipeline

LIBRARIES = ("sklearn.compose", "sklearn.ensemble", "skl2onnx", "skops.io")


class Params(Strict):
    """Parameters of the boosting."""

    rounds: int = Field(200, ge=1, description="most trees, one after another (per class, of more than two)")
    learning_rate: float = Field(0.05, gt=0, le=1, description="how much of each tree's answer is added")
    leaves: int = Field(15, ge=2, le=1000, description="most leaves of a tree")
    min_leaf: int = Field(20, ge=1, description="fewest training rows of a leaf")
    max_features: float = Field(1.0, gt=0, le=1, description="share of the features that a split may choose from")
    l2: float = Field(0.0, ge=0, description="L2 penalty on what a leaf adds")
    patience: int | None = Field(
        None, ge=1, description="rounds without a better validation loss before boosting stops; without, it does not"
    )
    class_weight: ClassWeight = None


def fit(params: Params, rows: Rows, seed: int) -> Pipeline:
    """Boost, noting the log loss of some training rows and of the validation rows in each round."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline

    from training import class_weight
    from training.features.preprocessing import for_trees
    from training.scikit import growth, trees_graph

    features, train, validation = for_trees(rows, seed)
    boosting = HistGradientBoostingClassifier(
        max_iter=params.rounds,
        learning_rate=params.learning_rate,
        max_leaf_nodes=params.leaves,
        min_samples_leaf=params.min_leaf,
        max_features=params.max_features,
        l2_regularization=params.l2,
        early_stopping=True,
        scoring="loss",
        n_iter_no_change=params.patience or params.rounds + 1,
        class_weight=class_weight.by_code(params.class_weight, rows.contract),
        random_state=seed,
    )
    # scikit-learn has no callback here yet, and a warm start for each part would bin and score all rows again
    ends_round = boosting._check_early_stopping_loss
    steps = {rounds: step for step, rounds in growth.parts(params.rounds)}

    def heard(**given: Any) -> bool:
        stops: bool = ends_round(**given)
        rounds, loss = len(boosting.validation_score_) - 1, float(-boosting.validation_score_[-1])
        if rounds in steps:
            print(f"{rounds} of {params.rounds} rounds: validation loss {loss:.5f}", flush=True)
            rows.report(steps[rounds], loss)
        return stops

    boosting._check_early_stopping_loss = heard
    boosting.fit(train, rows.train_codes, X_val=validation, y_val=rows.validation_codes)
    del boosting._check_early_stopping_loss
    history = [
        {"loss": float(-loss), "validation_loss": float(-other)}
        for loss, other in zip(boosting.train_score_, boosting.validation_score_, strict=True)
    ]
    return Pipeline(make_pipeline(features, boosting), rows.contract, history, trees_graph.boosting)
