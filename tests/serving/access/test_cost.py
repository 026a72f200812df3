"""What is done for every request costs microseconds; the bounds are those of a busy machine."""

import time
import timeit
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.access.audit import Asked, Audit
from serving.access.keys import Keys
from serving.access.limits import InFlight, Rate
from tests.serving.access.test_keys import made


def best(call: Callable[[], object], number: int = 5000) -> float:
    """Microseconds of a call in the best of seven rounds."""
    return min(timeit.repeat(call, number=number, repeat=7)) / number * 1e6


@pytest.mark.parametrize("keys_in_file", [1, 300])
def test_a_request_is_let_in_and_logged_in_a_few_microseconds(tmp_path: Path, keys_in_file: int) -> None:
    key = b"Bearer " + [made(tmp_path / "keys.json", "flights/Production") for _ in range(keys_in_file)][-1]
    keys, rate, in_flight = Keys(tmp_path / "keys.json"), Rate("900000000/s", path=tmp_path / "rates"), InFlight(9)
    audit = Audit(tmp_path / "audit")

    def ask() -> None:
        grant = keys.allow(key, "flights", "Production")
        rate.take(grant.id)
        with in_flight:
            pass
        audit(Asked(time.time(), grant.id, grant.name, "::1", "/", "flights", "Production", "7", 1, 200, 1.0, "r"))

    assert best(ask) < 30
    audit.close()
