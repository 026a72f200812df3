"""A model's process, started again when it ends, from a thread of its own in the main process."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import httpx
import msgspec

from serving.follow.state import Version
from serving.pyfunc import signature, table
from serving.pyfunc.table import Side
from serving.settings import Settings

SCRIPT = Path(__file__).with_name("__main__.py")
LONG = 600.0  # seconds within which a model has to be ready
DIED = (0.2, 1.0, 4.0, 16.0, 60.0)  # seconds until the next start, after so many ends in a row of one that answered
FAILED = (5.0, 10.0, 20.0, 40.0, 60.0)  # the same for one that could not be loaded, which takes seconds of a processor
STEADY = 60.0  # seconds after which an end is the first in a row
LATE = 5.0  # seconds until a process that does not end is killed, after what its requests have
LINE = 1000  # characters of a line that reach the log

log = logging.getLogger("serving.pyfunc")


class Process(threading.Thread):
    """Keeps one version's process alive until told to end it."""

    def __init__(self, settings: Settings, version: Version, keep: Path, changed: threading.Event) -> None:
        super().__init__(daemon=True, name=f"pyfunc {version}")
        self.settings = settings
        self.version = version
        self.keep = keep
        self.changed = changed
        self.socket = table.socket_of(settings.run, table.key(version))
        self.side = Side(str(version), why=f"{version} is being started")
        self.ending = threading.Event()
        self.child: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Start it, and again whenever it ends."""
        ends = 0
        while not self.ending.is_set():
            began = time.monotonic()
            why = self._once()
            if self.ending.is_set():
                return
            ends = 1 if time.monotonic() - began > STEADY else ends + 1
            served = self.side.ready
            waits = DIED if served else FAILED
            wait = waits[min(ends, len(waits)) - 1]
            self._tell(ready=False, why=why, failed=not served)
            log.error("a model's process ended", extra={"version": str(self.version), "why": why, "again_in": wait})
            self.ending.wait(wait)

    def end(self) -> None:
        """Have it finish what is in flight and end."""
        self.ending.set()
        if self.child is not None:
            self._terminate(self.child)

    def _terminate(self, child: subprocess.Popen[bytes]) -> None:
        child.terminate()
        late = threading.Timer(self.settings.limits.seconds + LATE, child.kill)
        late.daemon = True
        late.start()

    def _tell(self, **facts: Any) -> None:
        self.side = msgspec.structs.replace(self.side, **facts)
        self.changed.set()

    def _once(self) -> str:
        """One process from its start to its end: why it ended."""
        for path in (self.socket, self._description()):
            path.unlink(missing_ok=True)
        started = self.side.started + 1
        self._tell(started=started, why=self.side.why if self.side.failed else f"{self.version} is being started")
        log.info("starting a model's process", extra={"version": str(self.version), "start": started})
        begun = time.monotonic()
        try:
            child = self.child = self._start()
        except OSError as error:
            return f"its process cannot be started: {error}"
        if self.ending.is_set():
            self._terminate(child)
        said: deque[str] = deque(maxlen=1)
        reader = threading.Thread(target=self._read, args=(child, said), daemon=True, name=f"log of {self.version}")
        reader.start()
        fault = self._prove(child, begun)
        if fault:
            self._terminate(child)
        elif child.poll() is None:
            seconds = round(time.monotonic() - begun, 1)
            log.info("a model's process answers", extra={"version": str(self.version), "seconds": seconds})
        child.wait()
        reader.join(2)
        if child.stdin:
            child.stdin.close()
        if fault:
            return fault
        if child.returncode < 0:
            return f"its process was ended by {signal.Signals(-child.returncode).name}"
        return said[0] if said else f"its process ended with code {child.returncode}"

    def _start(self) -> subprocess.Popen[bytes]:
        registry, location = self.settings.registry, self.version.location.removeprefix("file://")
        environment = os.environ | {
            "MLFLOW_REGISTRY_URI": registry,
            "MLFLOW_TRACKING_URI": os.environ.get("MLFLOW_TRACKING_URI") or registry,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": str(max(1, round(self.settings.limits.seconds))),
            "PYTHONUNBUFFERED": "1",
        }
        if self.settings.pyfunc_python:
            environment = {
                name: value for name, value in environment.items() if name not in ("PYTHONPATH", "PYTHONHOME")
            }
        model = location if os.path.isdir(location) else f"models:/{self.version}"
        return subprocess.Popen(
            [
                self.settings.pyfunc_python or sys.executable,
                str(SCRIPT),
                model,
                str(self.socket),
                f"--keep={self.keep}",
                f"--grace={self.settings.limits.seconds:g}",
            ],
            stdin=subprocess.PIPE,  # its end tells the process that this one is gone, however it went
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the server, whose workers still need it
        )

    def _read(self, child: subprocess.Popen[bytes], said: "deque[str]") -> None:
        assert child.stdout is not None  # noqa: S101
        with child.stdout as stream:
            while line := stream.readline(LINE):
                text = line.decode(errors="replace").rstrip()
                if text.strip():
                    said.append(text.strip())
                    log.info("a model's process says", extra={"version": str(self.version), "line": text})

    def _description(self) -> Path:
        return self.socket.with_name(f"{self.socket.name}.json")

    def _prove(self, child: subprocess.Popen[bytes], begun: float) -> str:
        """Wait until it answers, its own example too if it has one: what is wrong, or nothing."""
        transport = httpx.HTTPTransport(uds=str(self.socket))
        with httpx.Client(transport=transport, base_url="http://model", timeout=LONG) as client:
            while child.poll() is None and not self.ending.wait(0.1):
                if time.monotonic() - begun > LONG:
                    return f"its process did not answer within {LONG:g} s"
                if not self.socket.exists():
                    continue
                try:
                    if client.get("/ping").status_code != 200:
                        continue
                    description = json.loads(self._description().read_bytes())
                    if example := description["example"]:
                        headers = {"content-type": "application/json"}
                        status = client.post("/invocations", content=example, headers=headers).status_code
                        if status != 200:
                            return f"it answers its own example with status {status}"
                except httpx.TransportError:
                    continue  # not yet, or no more
                self._tell(
                    ready=True, why="", failed=False, signature=signature.of(description["signature"]), example=example
                )
                return ""
        return ""
