"""`python -m benchmarks.gate`: how often the gate promotes challengers that are truly equal, and truly better ones.

Scores are drawn as those of the flights' models fall: normal in each class, 22 % of the rows late, a champion with AUC
0.69, and challengers whose scores go with the champion's. The AUC of a normal pair is known, so that "equal" holds
exactly. Each case is compared by the gate's own code.
"""

import os
from multiprocessing import Pool
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import special, stats

from registry.comparison import Resamples, compare
from registry.conditions import Conditions
from training.metrics import Evaluation

CONDITIONS = Conditions.model_validate({})  # the defaults
SEED = 7
SHARE, AUC = 0.22, 0.69
ALIKE = 0.9
"""Correlation of two models' scores within a class; of the seven models of flights it is .74 to .99."""
ALLOWED = 0.05

Case = tuple[int, float, int]


def promoted(case: Case) -> bool:
    """Whether the gate finds a challenger better.

    Args:
        case: number of test rows, how much its AUC is truly higher, and the number of the case.
    """
    rows, more, number = case
    random = np.random.default_rng([SEED, rows, round(more * 1e6), number])
    truth = (random.random(rows) < SHARE).astype(np.int64)
    noise = random.multivariate_normal([0, 0], [[1, ALIKE], [ALIKE, 1]], rows)
    champion, challenger = (_answers(truth, noise[:, at], AUC + more * at) for at in (0, 1))
    return compare(challenger, champion, Resamples(CONDITIONS, rows, number)).better


def _answers(truth: np.ndarray, noise: np.ndarray, auc: float) -> Evaluation:
    """A model of this true AUC, its scores as the probabilities that they stand for."""
    apart = np.sqrt(2) * stats.norm.ppf(auc)
    late = special.expit(apart * (truth * apart + noise) - apart**2 / 2 + special.logit(SHARE)).astype(np.float32)
    return Evaluation(np.column_stack([1 - late, late]), truth)


def main(
    rows: Annotated[list[int] | None, typer.Argument(help="sizes of the test split; by default 1000 10000")] = None,
    cases: Annotated[int, typer.Option(help="challengers of each kind")] = 1_000,
    more: Annotated[float, typer.Option(help="how much higher the AUC of the better ones truly is")] = 0.01,
) -> None:
    """Show a table; fail if equal challengers are promoted too often."""
    table = Table("test rows", "true lead in AUC", "promoted", "share", "95 % interval (Wilson)")
    broken = False
    with Pool(os.cpu_count()) as pool:
        for size in rows or [1_000, 10_000]:
            for lead in (0.0, more):
                given = [(size, lead, number) for number in range(cases)]
                said = f"{size:,} rows, {'better' if lead else 'equal'}"
                found = track(pool.imap(promoted, given, chunksize=4), said, cases, console=Console(stderr=True))
                count = sum(found)
                test = stats.binomtest(count, cases)
                low, high = test.proportion_ci(method="wilson")
                broken |= not lead and count > ALLOWED * cases
                share = f"{count / cases:.1%}"
                table.add_row(f"{size:,}", f"{lead:g}", f"{count:,} of {cases:,}", share, f"{low:.1%} to {high:.1%}")
    Console().print(table)
    if broken:
        raise SystemExit(
            f"error: equal challengers were promoted in more than {ALLOWED:.0%} of cases: the gate is broken"
        )


if __name__ == "__main__":
    typer.run(main)
