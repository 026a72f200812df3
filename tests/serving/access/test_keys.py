"""A request is let in by a valid key for what it asks, and learns nothing else."""

import logging
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.access import keys as keys_module
from serving.access import stored
from serving.access.keys import Keys, presented
from serving.protocol.errors import Refused
from tests.serving.access.conftest import KeysFile, refused


def made(path: Path, *scopes: str, expires: datetime | None = None) -> bytes:
    """A key written to a file by this process."""
    with stored.changing(path) as records:
        key, record = stored.issue("someone", scopes, datetime.now(UTC), expires)
        records.append(record)
    return key.encode()


def within(seconds: float, keys: Keys, key: bytes, allowed: bool) -> bool:
    """Whether a key is let in, or refused, before so many seconds have passed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (refused(keys, key) is None) is allowed:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_both_headers_are_accepted(path: Path) -> None:
    key = made(path, "flights")
    keys = Keys(path)
    for value in (b"Bearer " + key, b"bearer  " + key, key):
        for _ in range(2):  # as asked first, and as remembered
            assert keys.allow(value, "flights", "7").name == "someone"
    assert presented([(b"host", b"h"), (b"authorization", b"Basic x"), (b"x-api-key", key)]) == key
    assert presented([(b"authorization", b"Bearer " + key), (b"host", b"h")]) == b"Bearer " + key
    assert presented([(b"host", b"h")]) is None


def test_absent_wrong_expired_and_revoked_keys_get_one_and_the_same_answer(path: Path) -> None:
    valid = made(path, "*")
    expired = made(path, "*", expires=datetime.now(UTC) - timedelta(seconds=1))
    revoked = made(path, "*")
    with stored.changing(path) as records:
        records[2] = stored.Record(
            **{
                **{name: getattr(records[2], name) for name in records[2].__struct_fields__},
                "revoked": datetime.now(UTC),
            }
        )
    other = b"_".join([b"sk", valid.split(b"_")[1], expired.split(b"_", 2)[2]])
    bad = [
        None,
        b"",
        b"Bearer",
        b"Bearer ",
        b"sk",
        b"sk__",
        b"sk_\xff_\xff",
        b"Basic " + valid,
        valid[:-1],
        valid + b"0",
    ]
    bad += [valid[:30] + b"x" * 100_000, b"x" + valid, b"pk" + valid[2:], expired, revoked, other, b"Bearer sk_a_b"]
    keys = Keys(path)
    answers = set()
    for key in bad:
        for _ in range(2):
            refusal = refused(keys, key)
            assert refusal is not None, key
            answers.add((refusal.status, refusal.body(), refusal.headers))
    assert [(status, headers) for status, _, headers in answers] == [(401, ((b"www-authenticate", b"Bearer"),))]
    assert refused(keys, valid) is None


@pytest.mark.parametrize(
    ("scopes", "model", "reference", "allowed"),
    [
        (("flights",), "flights", "7", True),
        (("flights/*",), "flights", "@champion", True),
        (("flights",), "churn", "7", False),
        (("flights/Production",), "flights", "Production", True),
        (("flights/Production",), "flights", "Staging", False),
        (("flights/Production",), "flights", "*", False),
        (("flights/7",), "flights", "7", True),
        (("flights/7",), "flights", "77", False),
        (("flights/@champion",), "flights", "@champion", True),
        (("flights/@champion",), "flights", "champion", False),
        (("*/Production",), "churn", "Production", True),
        (("*/Production",), "churn", "7", False),
        (("*",), "anything", "1", True),
        (("admin",), "flights", "Production", False),
        (("churn", "flights/7"), "flights", "7", True),
        ((), "flights", "7", False),
    ],
)
def test_a_scope_allows_what_it_names_and_nothing_else(
    path: Path, scopes: tuple[str, ...], model: str, reference: str, allowed: bool
) -> None:
    key = made(path, *scopes)
    refusal = refused(Keys(path), key, model, reference)
    assert (refusal is None) is allowed
    assert refusal is None or (refusal.status, refusal.code) == (403, "PERMISSION_DENIED")


def test_another_scope_is_refused_alike_whatever_is_asked_for(path: Path) -> None:
    key, keys = made(path, "flights/Production"), Keys(path)
    asked = [("flights", "Staging"), ("no-such-model", "Production"), ("flights", "99"), ("", "")]
    bodies = {refusal.body() for pair in asked if (refusal := refused(keys, key, *pair))}
    assert len(bodies) == 1
    assert b"flights" not in bodies.pop()


def test_only_an_admin_key_opens_the_servers_own_pages(path: Path) -> None:
    scraper, client = made(path, "admin"), made(path, "*")
    keys = Keys(path)
    assert keys.administer(scraper).admin
    with pytest.raises(Refused, match="not for what was asked"):
        keys.administer(client)
    assert not keys.who(client).admin


def test_a_remembered_key_still_expires(path: Path) -> None:
    key = made(path, "*", expires=datetime.now(UTC) + timedelta(seconds=0.6))
    keys = Keys(path)
    assert refused(keys, key) is None
    assert within(5, keys, key, False)


def test_a_key_made_or_revoked_by_another_process_counts_within_a_second(file: KeysFile) -> None:
    first = file.add("*").encode()
    keys = Keys(file.path)
    assert refused(keys, first) is None
    second = file.add("flights").encode()
    assert within(1, keys, second, True)
    assert file.run("revoke", first.decode().split("_")[1]).returncode == 0
    assert within(1, keys, first, False)
    assert refused(keys, second) is None


@pytest.mark.parametrize("broken", [b"", b'{"keys": [', b"[]", b'{"keys": [{"id": "a"}]}', None])
def test_a_broken_or_vanished_file_keeps_the_last_good_keys_and_is_logged_once(
    path: Path, broken: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    key = made(path, "*")
    keys = Keys(path)
    good = path.read_bytes()
    path.unlink() if broken is None else path.write_bytes(broken)
    for _ in range(3):
        time.sleep(keys_module.LOOK_SECONDS + 0.05)
        assert refused(keys, key) is None
        assert refused(keys, b"sk_a_b") is not None
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 1
    assert str(path) in caplog.text
    path.write_bytes(good)
    late = made(path, "*")
    assert within(1, keys, late, True)


@pytest.mark.parametrize("broken", [b"{", None])
def test_a_worker_that_starts_with_a_broken_or_vanished_file_lets_nobody_in(path: Path, broken: bytes | None) -> None:
    if broken is not None:
        path.write_bytes(broken)
    keys = Keys(path, required=broken is None)
    assert refused(keys, None) is not None
    assert refused(keys, b"sk__") is not None
    path.unlink(missing_ok=True)
    key = made(path, "*")
    assert within(1, keys, key, True)


def test_a_server_without_keys_is_closed_by_the_first_one(path: Path) -> None:
    keys = Keys(path, required=False)
    assert keys.allow(None, "flights", "7").name == "anonymous"
    key = made(path, "flights")
    time.sleep(keys_module.LOOK_SECONDS + 0.05)
    assert refused(keys, None) is not None
    assert refused(keys, key) is None
    path.unlink()
    time.sleep(keys_module.LOOK_SECONDS + 0.05)
    assert refused(keys, None) is not None


def test_keys_that_were_seen_do_not_pile_up_in_memory(path: Path) -> None:
    key = made(path, "*")
    keys = Keys(path)
    for spaces in range(400):
        assert refused(keys, b"Bearer" + b" " * (spaces + 1) + key) is None
    for number in range(5000):
        assert refused(keys, f"sk_{number}_x".encode()) is not None
    assert len(keys._known) <= 401  # wrong keys are not remembered


def test_the_file_is_not_read_again_while_it_is_the_same(path: Path) -> None:
    key = made(path, "*")
    keys = Keys(path)
    status = path.stat()
    content = path.read_bytes()
    path.write_bytes(b" " * len(content))  # would be noticed as broken if it were read
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    time.sleep(keys_module.LOOK_SECONDS + 0.05)
    assert refused(keys, key) is None
    assert not keys._complained
