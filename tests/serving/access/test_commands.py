"""Keys are made, listed and revoked by command, and bad input is told in one line."""

import contextlib
import json
import stat
from pathlib import Path

import pytest

from serving.access import stored
from tests.serving.access.conftest import KeysFile


def test_a_key_is_shown_once_and_only_its_salted_hash_is_kept(file: KeysFile) -> None:
    result = file.run("add", "dashboard", "--scope", "flights/Production", "--expires", "90d")
    key = result.stdout.strip()
    prefix, identity, secret = key.split("_", 2)
    kept = file.path.read_text()
    assert prefix == "sk"
    assert len(secret) >= 43  # 256 bits in base 64
    assert identity in kept
    assert secret not in kept
    assert "never shown again" in result.stderr
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    for shown in (file.run("list").stdout, file.run("list", "--json").stdout):
        record = json.loads(kept)["keys"][0]
        assert identity in shown
        assert secret not in shown
        assert record["hash"] not in shown
        assert record["salt"] not in shown
    two = file.add("flights"), file.add("flights")
    assert two[0] != two[1]


def test_the_list_says_which_keys_are_still_valid(file: KeysFile) -> None:
    revoked = file.add("*").split("_")[1]
    file.run("add", "dash [bold]board", "--scope", "flights/@champion", "--scope", "admin", "--expires", "2999-01-01")
    assert file.run("revoke", revoked).returncode == 0
    listed = json.loads(file.run("list", "--json").stdout)
    assert [(one["name"], one["state"]) for one in listed] == [("someone", "revoked"), ("dash [bold]board", "active")]
    assert listed[1]["scopes"] == ["flights/@champion", "admin"]
    assert listed[1]["expires"] == "2999-01-01T00:00:00Z"
    shown = file.run("list").stdout
    assert "revoked" in shown
    assert "dash [bold]board" in shown


def test_revoking_twice_keeps_the_first_time(file: KeysFile) -> None:
    identity = file.add("*").split("_")[1]
    assert file.run("revoke", identity).stdout.strip().endswith("is revoked")
    before = file.path.read_bytes()
    again = file.run("revoke", identity)
    assert again.returncode == 0
    assert again.stdout.strip().endswith("already")
    assert file.path.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "a", "--scope", "flights/production"), "'flights/production' is no scope; expected a form such as"),
        (("add", "a", "--scope", "flights/7/8"), "is no scope"),
        (("add", "a", "--scope", ""), "is no scope"),
        (("add", "a", "--scope", "flights/"), "is no scope"),
        (("add", "a", "--scope", "fl ights"), "is no scope"),
        (("add", "a", "--scope", "flights/07"), "is no scope"),
        (("add", "a\nb", "--scope", "*"), "is no name for a key"),
        (("add", " ", "--scope", "*"), "is no name for a key"),
        (("add", "a", "--scope", "*", "--expires", "2001-01-01"), "is past: 2001-01-01 00:00 UTC"),
        (("add", "a", "--scope", "*", "--expires", "0d"), "is past"),
        (("add", "a", "--scope", "*", "--expires", "soon"), "'soon' is no expiry; expected one such as 90d"),
        (("add", "a", "--scope", "*", "--expires", "999999w"), "is no expiry"),
        (("revoke", "0000"), "has no key with the id '0000'"),
    ],
)
def test_bad_input_ends_with_one_line_and_leaves_the_file_as_it_was(
    file: KeysFile, words: tuple[str, ...], told: str
) -> None:
    file.add("*")
    before = file.path.read_bytes()
    result = file.run(*words)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    assert told in result.stderr
    assert result.stdout == ""
    assert file.path.read_bytes() == before


@pytest.mark.parametrize("words", [("add", "a", "--scope", "*"), ("list",), ("revoke", "0000")])
@pytest.mark.parametrize("content", [b"", b"{}\xff", b'{"keys": [{"id": "a"}]}', b'{"kes": []}', None])
def test_a_file_that_is_no_file_of_keys_is_told_and_left_alone(
    file: KeysFile, words: tuple[str, ...], content: bytes | None
) -> None:
    file.path.mkdir() if content is None else file.path.write_bytes(content)
    result = file.run(*words)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert str(file.path) in result.stderr
    assert file.path.is_dir() if content is None else file.path.read_bytes() == content


@pytest.mark.parametrize("words", [("list",), ("revoke", "0000")])
def test_a_mistyped_file_is_not_made(file: KeysFile, words: tuple[str, ...]) -> None:
    result = file.run(*words)
    assert result.returncode == 1
    assert f"{file.path} is not there" in result.stderr
    assert list(file.path.parent.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = KeysFile(tmp_path / "none" / "keys.json").run("add", "a", "--scope", "*")
    assert result.returncode == 1
    assert "cannot be written: No such file or directory" in result.stderr
    assert result.stdout == ""


def test_keys_made_and_revoked_at_once_are_all_kept(file: KeysFile) -> None:
    old = [file.add("*").split("_")[1] for _ in range(2)]
    running = [file.start("add", f"n{number}", "--scope", "*") for number in range(6)]
    running += [file.start("revoke", identity) for identity in old]
    assert [process.wait(60) for process in running] == [0] * 8
    for process in running:
        process.communicate()
    records = stored.read(file.path)
    assert sorted(one.name for one in records) == ["n0", "n1", "n2", "n3", "n4", "n5", "someone", "someone"]
    assert {one.id for one in records if one.revoked} == set(old)
    assert {path.name for path in file.path.parent.iterdir()} == {"keys.json", "keys.json.lock"}


def test_a_full_disk_leaves_the_keys_as_they_were(small_disk: Path) -> None:
    file = KeysFile(small_disk / "keys.json")
    file.add("*")
    before = file.path.read_bytes()
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)
    result = file.run("add", "someone", "--scope", "*")
    assert result.returncode == 1
    assert "No space left on device" in result.stderr
    assert result.stdout == ""
    assert file.path.read_bytes() == before
    assert {path.name for path in small_disk.iterdir()} == {"filler", "keys.json", "keys.json.lock"}


def test_a_link_to_the_file_stays_a_link(file: KeysFile, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    file.path.symlink_to(tmp_path / "real" / "keys.json")
    file.add("*")
    file.add("*")
    assert file.path.is_symlink()
    assert len(stored.read(tmp_path / "real" / "keys.json")) == 2


@pytest.mark.parametrize("command", ["add", "list", "revoke"])
def test_help_has_an_example(file: KeysFile, command: str) -> None:
    assert f"python -m serving keys {command}" in file.run(command, "--help").stdout
