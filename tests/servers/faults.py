"""A proxy before a server, at which a test lets something happen just before or after a request of its choice."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

OF_ONE_CONNECTION = {"transfer-encoding", "content-length", "connection"}
PARTICULAR = re.compile(r"\?.*|/artifacts/.*|(?<=/)m-[0-9a-f]{32}")  # what tells two requests of a kind apart


class Proxy(ThreadingHTTPServer):
    """It hands every request on until it is `gone`; then it answers none, not even one that it has handed on."""

    daemon_threads = True
    gone = False

    def __init__(self, port: int) -> None:
        """A proxy before the server that listens on `port`."""
        super().__init__(("127.0.0.1", 0), _Relay)
        self.behind, self.lock = port, Lock()
        self.before: Callable[[str], None] = lambda request: None
        self.after: Callable[[str], None] = lambda request: None

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Relay(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"

    def relay(self) -> None:
        request = f"{self.command} {PARTICULAR.sub('', self.path)}"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.before(request)
        answer = None if self.server.gone else self._handed_on(body)
        with self.server.lock:
            self.server.after(request)
        if answer is None or self.server.gone:
            self.close_connection = True
            return
        status, headers, content = answer
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in OF_ONE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = relay  # noqa: N815

    def _handed_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes] | None:
        connection = HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()


@contextmanager
def before(port: int) -> Iterator[Proxy]:
    """A running proxy before the server that listens on `port`."""
    with Proxy(port) as proxy:
        Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
