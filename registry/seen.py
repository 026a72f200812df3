"""Whether a challenger was fitted on rows that it is to be judged on."""

from dataclasses import dataclass

import numpy as np
from mlflow import MlflowClient

from data.errors import InputError
from registry.row_hashes import Rows, kept
from training import candidate as candidates
from training.candidate import Candidate
from training.families import ENSEMBLE


class SeenRowsError(InputError):
    """A challenger was fitted on test rows, or nothing tells that it was not."""


@dataclass(frozen=True)
class Fitted:
    """A model's name, and the digests of the data that it and whatever it started from was fitted on."""

    name: str
    digests: tuple[str, ...]

    @classmethod
    def of_version(cls, name: str, tags: dict[str, str]) -> "Fitted":
        """What the tags of a version say."""
        return cls(name, _each_once(tags.get("data.digest", "unknown"), *tags.get("warm_start.data", "").split()))

    @classmethod
    def of_candidate(cls, name: str, candidate: Candidate) -> "Fitted":
        """What the record of a candidate says, and of an ensemble's members.

        Raises:
            SeenRowsError: a member is not there to tell.
        """
        start = candidate.lineage.get("warm_start") or {}
        found = [candidate.data["digest"], *start.get("data", "").split()]
        for one in candidate.params["members"] if candidate.family == ENSEMBLE else ():
            member = candidates.read(candidate.task, one)
            if member is None:
                raise SeenRowsError(
                    f"{name}: its member {one} is not there, so that nothing tells which rows it was fitted on; "
                    f"run `dvc repro train@{one}`"
                )
            found += cls.of_candidate(one, member).digests
        return cls(name, _each_once(*found))


@dataclass(frozen=True)
class Seen:
    """How many of the test rows a challenger and its champion were fitted on, though today's split keeps them apart."""

    challenger: int
    champion: int | None
    """None where its rows are not kept; such rows flatter the champion, and count against nobody."""
    repeated: int
    """Test rows that equal a training or validation row of the same split, which is nobody's having seen them."""


def check(client: MlflowClient, run_id: str, rows: Rows, challenger: Fitted, champion: Fitted | None) -> Seen:
    """Refuse a challenger that was fitted on today's test rows.

    Args:
        client: of the store with the run.
        run_id: the run that `row_hashes.keep` kept rows with.
        rows: today's.
        challenger: what is to be judged.
        champion: what it is compared with, if there is one.

    Raises:
        SeenRowsError: the challenger was fitted on test rows, or on data whose rows are not kept.
    """
    for digest in challenger.digests:
        mask = _seen(client, run_id, rows, digest)
        where = f"(data {digest[:12]}, today's {rows.digest[:12]})"
        if mask is None:
            raise SeenRowsError(
                f"{challenger.name} was fitted on other data than today's {where}, whose rows are not kept in MLflow, "
                "or had other columns, so that nothing tells whether it has seen test rows; train its model again on "
                "today's data with `dvc repro`"
            )
        if mask.any():
            raise SeenRowsError(
                f"{challenger.name} was fitted on {mask.sum():,} of the {len(mask):,} test rows {where}, which flatter "
                "it; train its model again on today's data with `dvc repro`"
            )
    masks = [_seen(client, run_id, rows, digest) for digest in (champion.digests if champion else ())]
    known = [mask for mask in masks if mask is not None]
    count = int(np.any(known, axis=0).sum()) if known else 0
    return Seen(0, count if len(known) == len(masks) else None, int(rows.repeated.sum()))


def _seen(client: MlflowClient, run_id: str, rows: Rows, digest: str) -> np.ndarray | None:
    if digest == rows.digest:
        return np.zeros(len(rows.repeated), dtype=bool)
    other = kept(client, run_id, digest)
    return None if other is None else rows.seen_by(other)


def _each_once(*digests: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(digests))
