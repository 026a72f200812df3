"""May the server listen where it was told to, and with which certificate."""

import ipaddress
import socket
import ssl
from pathlib import Path

from data.errors import InputError
from serving.access import stored

ADD = "python -m serving keys add NAME --scope '*'"


def check(
    host: str, keys_file: Path | None, insecure: bool, certificate: Path | None = None, key_file: Path | None = None
) -> bool:
    """Whether a key is needed to ask; `Keys` takes the answer as `required`.

    Args:
        host: The address or name to listen at.
        keys_file: The file of keys; None where none was told and the default one is not there.
        insecure: Let anyone reach a server without keys.
        certificate: PEM file of the certificate and those between it and its root.
        key_file: PEM file of its private key.

    Raises:
        InputError: Others than this machine could ask without a key, or a file is unusable.
    """
    _check_tls(certificate, key_file)
    local = is_loopback(host)
    try:
        keys = stored.read(keys_file) if keys_file else ()
    except FileNotFoundError:
        if not insecure:  # a mistyped name must not open the server, not even behind a proxy on this machine
            raise InputError(f"{keys_file} is not there; make it with `{ADD} --file {keys_file}`") from None
        keys = ()
    except stored.FileError as error:
        raise InputError(str(error)) from None
    if not local and not keys and not insecure:
        where = f"{keys_file} has none" if keys_file else "no file of keys was given"
        raise InputError(
            f"{host or 'every address'} can be reached by others, and no API key is needed: {where}; make one with "
            f"`{ADD}`, listen at 127.0.0.1, or say --insecure"
        )
    return bool(keys)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`, an address or a name; every address that it means counts.

    Raises:
        InputError: The name has no address.
    """
    if not host:  # every address of the machine
        return False
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        hint = "write an IPv6 address without brackets" if host.startswith("[") else "expected such as 127.0.0.1"
        raise InputError(f"{host!r} is no address to listen at; {hint}") from None
    addresses = [ipaddress.ip_address(one) for one in found]
    return all((getattr(one, "ipv4_mapped", None) or one).is_loopback for one in addresses)


def _check_tls(certificate: Path | None, key_file: Path | None) -> None:
    if not certificate and not key_file:
        return
    if not certificate or not key_file:
        given, missing = ("certificate", "private key") if certificate else ("private key", "certificate")
        raise InputError(f"TLS needs a certificate and its private key; a {given} was given and no {missing}")
    for path in (certificate, key_file):
        try:
            path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from None
    try:
        ssl.create_default_context(cafile=certificate)
    except ssl.SSLError:
        raise InputError(f"{certificate} holds no certificate; expected PEM, with BEGIN CERTIFICATE") from None

    def password() -> str:
        raise InputError(f"{key_file} is encrypted; give a private key without a password, readable by the server only")

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key_file, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise InputError(f"{key_file} is not the private key of the certificate in {certificate}") from None
        raise InputError(f"{key_file} holds no private key; expected PEM, with BEGIN PRIVATE KEY") from None
