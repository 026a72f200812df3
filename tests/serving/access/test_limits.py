"""More than is allowed is refused with a clear answer, across workers too."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from serving.access import limits
from serving.access.limits import Rate, check_rows
from serving.protocol.errors import Refused
from tests.serving.access.conftest import ROOT

WORKER = """
import sys, time
from pathlib import Path
from serving.access.limits import Rate
from serving.protocol.errors import Refused
rate = Rate("100/s", burst=50, path=Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
end, let_in = time.monotonic() + 2, 0
while time.monotonic() < end:
    try:
        rate.take("one key")
        let_in += 1
    except Refused:
        pass
    time.sleep(0.0005)
print(let_in)
"""


def taken(rate: Rate, who: str, tries: int) -> int:
    """How many of so many requests are let in."""
    count = 0
    for _ in range(tries):
        try:
            rate.take(who)
            count += 1
        except Refused:
            pass
    return count


def test_a_burst_is_let_in_and_the_rest_waits() -> None:
    rate = Rate("60/min", burst=5)
    assert taken(rate, "a", 20) == 5
    assert taken(rate, "b", 20) == 5  # another key has its own
    with pytest.raises(Refused) as refusal:
        rate.take("a")
    assert (refusal.value.status, refusal.value.code) == (429, "RESOURCE_EXHAUSTED")
    assert refusal.value.headers == ((b"retry-after", b"1"),)
    assert "60/min" in refusal.value.message
    time.sleep(1.05)
    assert 1 <= taken(rate, "a", 20) <= 2


def test_the_burst_is_the_rates_count_if_none_is_given() -> None:
    assert taken(Rate("30/min"), "a", 100) == 30


def test_retry_after_is_long_enough() -> None:
    rate = Rate("2/min", burst=1)
    rate.take("a")
    with pytest.raises(Refused) as refusal:
        rate.take("a")
    assert refusal.value.headers == ((b"retry-after", b"30"),)


@pytest.mark.parametrize("text", ["", "100", "100/h", "0/s", "-1/s", "1.5/s", "100 / s", "9999999999/s", "\uff11/s"])
def test_what_is_no_rate_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate; expected one such as 100/s"):
        Rate(text)
    with pytest.raises(ValueError, match="lets nothing in"):
        Rate("1/s", burst=0)


def test_workers_share_the_rate_of_a_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORKER, str(tmp_path / "rates")]
    pipe = subprocess.PIPE
    workers = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    start = time.monotonic()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    counts = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    seconds = time.monotonic() - start  # more than two, where the workers take their turns
    assert 150 <= sum(counts) <= 50 + 100 * seconds + 50, counts  # 50 at once; three times that if each counted alone


def test_many_more_clients_than_buckets_are_served_in_bounded_memory(tmp_path: Path) -> None:
    rate = Rate("10/s", path=tmp_path / "rates")
    for number in range(20_000):
        rate.take(f"client {number}")
    assert (tmp_path / "rates").stat().st_size == limits.SIZE == 65_536
    assert len(rate._places) <= limits.REMEMBERED


def test_keys_of_one_set_do_not_share_a_bucket() -> None:
    rate = Rate("5/min")
    first = rate._place("client 0")[0]
    same = [name for name in (f"client {n}" for n in range(40_000)) if rate._place(name)[0] == first][: limits.WAYS]
    assert len(same) == limits.WAYS
    assert [taken(rate, name, 3) for name in same] == [3] * limits.WAYS
    assert [taken(rate, name, 9) for name in same] == [2] * limits.WAYS


def test_times_left_from_before_a_reboot_do_not_lock_a_key_out(tmp_path: Path) -> None:
    rate = Rate("100/min", path=tmp_path / "rates")
    rate.take("a")
    place, _ = rate._places["a"]
    rate._words[place + 1] += 10**18
    assert taken(Rate("100/min", path=tmp_path / "rates"), "a", 10) == 10


def test_too_many_rows_are_refused_with_both_numbers() -> None:
    check_rows(10, 10)
    check_rows(11, 0)
    with pytest.raises(Refused, match="11 rows in one request, of at most 10") as refusal:
        check_rows(11, 10)
    assert (refusal.value.status, refusal.value.code) == (413, "REQUEST_LIMIT_EXCEEDED")
