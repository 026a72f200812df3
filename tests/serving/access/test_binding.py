"""A server that others can reach has keys, or says that it has none; and its certificate is its own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from data.errors import InputError
from serving.access.binding import check, is_loopback
from tests.serving.access.test_keys import made


def certificate(folder: Path, name: str, password: bytes | None = None) -> tuple[Path, Path]:
    """A certificate of its own issuer, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    built = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    return paths


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "::ffff:127.0.0.1", "127.1"])
def test_this_machine_alone_needs_no_keys(host: str) -> None:
    assert is_loopback(host)
    assert check(host, None, insecure=False) is False


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "0", "10.1.2.3", "::ffff:10.1.2.3", "192.0.2.1", "fe80::1"])  # noqa: S104
def test_what_others_reach_needs_keys_or_insecure(host: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--insecure") as error:
        check(host, None, insecure=False)
    assert "keys add" in str(error.value)
    assert "\n" not in str(error.value)
    assert check(host, None, insecure=True) is False
    made(tmp_path / "keys.json", "*")
    assert check(host, tmp_path / "keys.json", insecure=False) is True
    assert check(host, tmp_path / "keys.json", insecure=True) is True


def test_a_name_is_as_reachable_as_every_address_it_means(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    stream = (socket.SOCK_STREAM, 6, "")
    both = [(socket.AF_INET, *stream, ("127.0.0.1", 0)), (socket.AF_INET6, *stream, ("2001:db8::1", 0, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)  # no name server is asked in a test
    assert not is_loopback("somewhere")


@pytest.mark.parametrize("host", ["no.such.name.invalid", "[::1]", "127.0.0.1:80", "a b", "." * 80])
def test_what_is_no_address_is_told(host: str) -> None:
    with pytest.raises(InputError, match="is no address to listen at"):
        check(host, None, insecure=True)


def test_a_file_of_keys_without_one_or_mistyped_or_broken_is_told(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(InputError, match=r"keys\.json is not there"):
        check("127.0.0.1", path, insecure=False)
    assert check("127.0.0.1", path, insecure=True) is False
    path.write_text('{"keys": []}')
    assert check("127.0.0.1", path, insecure=False) is False
    with pytest.raises(InputError, match=r"keys\.json has none"):
        check("0.0.0.0", path, insecure=False)  # noqa: S104
    path.write_text("{")
    with pytest.raises(InputError, match="is not a file of keys"):
        check("127.0.0.1", path, insecure=True)


def test_a_certificate_and_its_key_are_taken(tmp_path: Path) -> None:
    assert check("127.0.0.1", None, False, *certificate(tmp_path, "server")) is False


def test_wrong_tls_files_are_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    right, key = certificate(tmp_path, "server")
    _, other = certificate(tmp_path, "other")
    _, locked = certificate(tmp_path, "locked", b"secret")
    text = tmp_path / "text"
    text.write_text("hello")
    for files, told in (
        ((right, None), "a certificate was given and no private key"),
        ((None, key), "a private key was given and no certificate"),
        ((right, tmp_path / "none"), "none cannot be read: No such file or directory"),
        ((tmp_path, key), "cannot be read: Is a directory"),
        ((text, key), "text holds no certificate"),
        ((right, text), "text holds no private key"),
        ((key, key), "server.key holds no certificate"),
        ((right, right), "server.crt holds no private key"),
        ((right, other), "other.key is not the private key of the certificate in"),
        ((right, locked), "locked.key is encrypted"),
    ):
        with pytest.raises(InputError) as error:
            check("127.0.0.1", None, False, *files)
        assert told in str(error.value)
        assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""  # OpenSSL asks a terminal for a password if it is let
