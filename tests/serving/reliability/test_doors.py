"""Who may ask: keys over HTTP and HTTPS, rates, and the log of who asked."""

import datetime
import ipaddress
import json
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.serving.reliability.made import LOGISTIC, MLP, TASK, Registry
from tests.serving.reliability.questions import ask, good, rows
from tests.serving.reliability.running import Serving, run, serving

pytestmark = pytest.mark.xdist_group("reliability")

WRONG = "sk_0123456789abcdef_" + "a" * 43


def key(registry: Registry, folder: Path, name: str, *words: str) -> str:
    done = run("keys", "add", name, *words, registry=registry, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split()[-1]


def status(server: Serving, word: str | None, address: str, **headers: str) -> tuple[int, str]:
    path, body = ask("split", rows(1), address)
    answer = server.post(path, **body, headers=({"Authorization": f"Bearer {word}"} if word else {}) | headers)
    return answer.status_code, answer.text


def test_keys_open_what_their_scopes_name_and_tell_nothing_of_the_rest(registry: Registry, tmp_path: Path) -> None:
    production = key(registry, tmp_path, "app", "--scope", f"{TASK}/Production")
    everything = key(registry, tmp_path, "team", "--scope", TASK)
    admin = key(registry, tmp_path, "prometheus", "--scope", "admin")
    with serving(registry, tmp_path, "--default", f"{TASK}/Production", "--audit", "audit") as server:
        assert status(server, production, "")[0] == 200
        assert status(server, None, "", **{"X-API-Key": production})[0] == 200
        assert status(server, everything, f"{TASK}/{MLP}")[0] == 200
        absent, wrong = status(server, None, ""), status(server, WRONG, "")
        assert absent == wrong
        assert absent[0] == 401
        other, nobody = status(server, production, f"{TASK}/Staging"), status(server, production, "nobody/Staging")
        assert other == nobody
        assert other[0] == 403
        assert status(server, WRONG, "nobody/Production") == absent
        late = key(registry, tmp_path, "late", "--scope", f"{TASK}/Staging")
        time.sleep(1)
        assert status(server, late, f"{TASK}/Staging")[0] == 200
        listed = json.loads(run("keys", "list", "--json", registry=registry, folder=tmp_path).stdout)
        identity = next(one["id"] for one in listed if one["name"] == "late")
        assert run("keys", "revoke", identity, registry=registry, folder=tmp_path).returncode == 0
        time.sleep(1)
        assert status(server, late, f"{TASK}/Staging") == absent
        for path in ("/metrics", "/models", "/openapi.json", f"/v2/models/{TASK}", f"/models/{TASK}"):
            assert server.get(path).status_code == 401, path
            assert TASK not in server.get(path).text
        assert server.get("/metrics", headers={"X-API-Key": production}).status_code == 403
        assert good(server.get("/metrics", headers={"X-API-Key": admin}))
        assert TASK not in server.get("/ready").text
        assert good(server.get("/live"))
    stored = (tmp_path / "keys.json").read_text()
    assert not any(word.rpartition("_")[2] in stored for word in (production, everything, admin))
    lines = [json.loads(line) for path in (tmp_path / "audit").iterdir() for line in path.read_text().splitlines()]
    assert {(line["name"], line["status"]) for line in lines} >= {("app", 200), ("team", 200), ("anonymous", 401)}
    first = lines[0]
    assert (first["model"], first["version"], first["rows"], first["status"]) == (TASK, LOGISTIC, 1, 200)
    assert not any(str(value) in json.dumps(lines) for value in rows(1)[0].values() if isinstance(value, float))


def test_a_rate_is_that_of_each_key(registry: Registry, tmp_path: Path) -> None:
    fast, slow = (key(registry, tmp_path, name, "--scope", TASK) for name in ("fast", "slow"))
    with serving(registry, tmp_path, "--default", f"{TASK}/Production", "--rate", "5/min", "--workers", "2") as server:
        found = [status(server, fast, "")[0] for _ in range(8)]
        assert found == [200] * 5 + [429] * 3
        assert status(server, slow, "")[0] == 200
        path, body = ask("split", rows(1))
        answer = server.post(path, **body, headers={"X-API-Key": fast})
        assert 0 < int(answer.headers["retry-after"]) <= 60


def certificate(folder: Path) -> tuple[Path, Path]:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(private, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "private.pem"
    paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


def test_https_is_answered_with_the_operators_certificate(registry: Registry, tmp_path: Path) -> None:
    from tests.servers.started import free_port

    public, private = certificate(tmp_path)
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "serving",
        "--port",
        str(port),
        "--certificate",
        public,
        "--certificate-key",
        private,
    ]
    process = subprocess.Popen([str(word) for word in command], cwd=tmp_path, env=registry.env)
    try:
        path, body = ask("plain", rows(1))
        context = ssl.create_default_context(cafile=str(public))
        with httpx.Client(verify=context, base_url=f"https://127.0.0.1:{port}", timeout=5) as client:
            end = time.monotonic() + 60
            while True:
                try:
                    good(client.post(path, **body))
                    break
                except httpx.ConnectError:
                    assert time.monotonic() < end
                    time.sleep(0.1)
            for turn in range(20):  # whole, by way of uvicorn, and large
                good(client.get(("/live", "/models", "/openapi.json")[turn % 3]))
                good(client.post(path, **body))
                good(client.post(path, **body, headers={"Connection": "close"}))
            path, body = ask("records", rows(200) * 20)
            assert len(good(client.post(path, **body)).json()["predictions"]) == 4000
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/live", timeout=5)
    finally:
        process.terminate()
        process.wait(20)
