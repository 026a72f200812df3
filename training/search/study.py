"""The study behind a search: which parameters to try next, and what one trial of them is worth."""

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from data import params
from data.contract import Contract
from data.errors import InputError
from data.prepare import PREPARED
from training import decision, folds, models, prepared, quiet
from training.candidate import CANDIDATES
from training.families import Rows
from training.metrics import DEFAULT, LOWER_IS_BETTER
from training.models import Model
from training.search import ranges

if TYPE_CHECKING:
    import optuna

JOURNALS = CANDIDATES / ".search"
SEEN = ("train.parquet", "validation.parquet", "contract.json", folds.FOLDS)  # never the test rows
STARTUP_TRIALS, WARMUP_STEPS = 4, 2  # before which no trial is pruned


class StoppedError(Exception):
    """The time that the search was given is over."""


@dataclass(frozen=True)
class Goal:
    """What trials are compared by: the gate's metric on the validation rows, or its mean over folds."""

    metric: str

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return -1 if self.metric in LOWER_IS_BETTER else 1


@dataclass
class Outcome:
    """What a trial came to."""

    params: dict[str, Any]
    started: float
    state: str = "complete"
    reason: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    curve: list[tuple[int, float]] = field(default_factory=list)


class Search:
    """One model's trials on the training and validation rows of its task; the test rows are never read."""

    def __init__(self, content: dict[str, Any], name: str) -> None:
        """Check the declarations and read the rows.

        Raises:
            InputError: a declaration is wrong, or the rows are not prepared.
        """
        self.model = models.declared(content, name)
        self.ranges = ranges.declared(content, self.model)
        gate = content.get("gate") or {}
        self.goal = Goal((gate | (gate.get("tasks") or {}).get(self.model.task, {})).get("metric", DEFAULT))
        self.seed: int = content["seed"]
        self.contract: Contract = prepared.contract(self.model.task)
        decision.check(self.model.of.decision, self.contract, self.model.weighted)
        self.fit, self.validation = (
            prepared.Stored(self.contract, part).held(self.seed) for part in ("train", "validation")
        )

    def study(self, seed: int, resume: bool) -> "optuna.Study":
        """The study of this search, whose trials a journal keeps; the declared parameters are its first trial.

        Raises:
            InputError: the trials to resume were of other ranges, rows or another metric.
        """
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path = JOURNALS / self.model.task / f"{self.model.name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not resume:
            path.unlink(missing_ok=True)
        storage = JournalStorage(JournalFileBackend(str(path)))
        known = {study.study_name for study in storage.get_all_studies()}
        study = optuna.create_study(
            storage=storage,
            study_name=self.model.name,
            direction="maximize" if self.goal.sign > 0 else "minimize",
            pruner=optuna.pruners.MedianPruner(STARTUP_TRIALS, WARMUP_STEPS),
            load_if_exists=True,
        )
        # a resumed sampler that drew the same numbers again would try the same parameters again
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
        compared = {"of": self._compared()}
        if self.model.name in known and study.user_attrs != compared:
            raise InputError(
                f"the trials in {path} were of other ranges, rows or another metric and cannot be compared with new "
                "ones; search without --resume"
            )
        study.set_user_attr("of", compared["of"])
        declared = self.model.params.model_dump()
        if not study.trials and (first := ranges.as_suggested(declared, self.ranges)) is not None:
            study.enqueue_trial(first)
        return study

    def _compared(self) -> str:
        """What two trials must have in common to be compared, as a digest."""
        folder = PREPARED / self.model.task
        rows = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in SEEN if (folder / name).is_file()]
        spans = {name: one.model_dump() for name, one in self.ranges.items()}
        fixed = {name: value for name, value in self.model.params.model_dump().items() if name not in spans}
        of = [rows, spans, fixed, self.goal.metric, self.seed, self.model.of.model_dump(mode="json")]
        return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()

    def attempt(self, trial: "optuna.Trial", deadline: float, tell: Callable[[int, int, float], None]) -> Outcome:
        """Fit one trial's parameters and measure them; whatever ends it is in the outcome's state."""
        import optuna

        values = ranges.suggest(trial, self.ranges, self.model)
        outcome = Outcome(self.model.params.model_dump() | values, time.time())
        trial.set_user_attr("params", values)

        def report(step: int, loss: float) -> None:
            outcome.curve.append((step, loss))
            tell(trial.number, step, loss)
            if time.monotonic() > deadline:
                raise StoppedError
            if math.isfinite(loss):
                trial.report(-self.goal.sign * loss, step)
                if trial.should_prune():
                    raise optuna.TrialPruned

        try:
            parameters = params.parse(self.model.family.Params, outcome.params, f"search.{self.model.name}")
            outcome.metrics = self._measure(replace(self.model, params=parameters), report)
            if not math.isfinite(outcome.metrics[self.goal.metric]):
                outcome.state, outcome.reason = "failed", f"{self.goal.metric} is no number"
        except optuna.TrialPruned:
            outcome.state, outcome.reason = "pruned", f"after step {outcome.curve[-1][0]}"
        except (KeyboardInterrupt, StoppedError):
            outcome.state = "stopped"
        except Exception as error:
            outcome.state, outcome.reason = "failed", f"{type(error).__name__}: {error}".splitlines()[0]
        return outcome

    def _measure(self, model: Model, report: Any) -> dict[str, float]:
        if model.of.split.folds:
            found = list(folds.measure(model, self.contract, self.fit, self.validation, self.seed, report))
            return {name: sum(values[name] for values in found) / len(found) for name in found[0]}
        rows = Rows(
            self.contract, self.fit.inputs, self.fit.codes, self.validation.inputs, self.validation.codes, report
        )
        with quiet.stdout():
            fitted = model.family.fit(model.params, rows, self.seed)
        probabilities = fitted.probabilities(self.validation.inputs)
        codes = self.validation.codes
        chosen = decision.choose(model.of.decision, self.contract, lambda: probabilities, codes)
        return folds.evaluate(model, self.contract, probabilities, codes, chosen)


def tell(study: "optuna.Study", trial: "optuna.Trial", outcome: Outcome, goal: Goal) -> None:
    """Have the study learn from a trial that has ended."""
    from optuna.trial import TrialState

    if outcome.state == "complete":
        study.tell(trial, outcome.metrics[goal.metric])
    else:
        study.tell(trial, state=TrialState.PRUNED if outcome.state == "pruned" else TrialState.FAIL)


def winner(study: "optuna.Study") -> "optuna.trial.FrozenTrial | None":
    """The best trial that was not cut short, or None."""
    from optuna.trial import TrialState

    return study.best_trial if study.get_trials(states=[TrialState.COMPLETE]) else None
