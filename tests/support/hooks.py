"""Receivers of changes: a command that writes down what it is told, and an HTTP server that does."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import shlex
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self

PATIENCE = 30.0  # seconds that anything may take on a busy machine

_RECORDER = """\
import json, os, signal, subprocess, sys, time
from pathlib import Path

folder = Path(sys.argv[1])
change = json.load(sys.stdin)
environment = {name: value for name, value in os.environ.items()}


def say(what):
    line = {"what": what, "at": time.monotonic(), "who": sys.argv[2], "pid": os.getpid(), "change": change}
    with open(folder / "told", "a") as file:
        file.write(json.dumps({**line, "environment": environment}) + "\\n")


if (folder / "stubborn").exists():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    (folder / "child").write_text(str(child.pid))
say("begin")
while (folder / "closed").exists():
    time.sleep(0.01)
if (folder / "broken").exists():
    print("out of order")
    print("x" * 200_000 + " really", file=sys.stderr)
    say("break")
    sys.exit(3)
say("end")
"""


class Recorder:
    """A command that writes down what it is told; it can be closed (it waits), broken, or stubborn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "recorder.py"
        self.script.write_text(_RECORDER)

    def command(self, who: str = "") -> str:
        """Give it for ``--hook``."""
        return shlex.join([sys.executable, str(self.script), str(self.folder), who])

    def make(self, what: str) -> None:
        """Make it ``closed``, ``broken`` or ``stubborn``."""
        (self.folder / what).touch()

    def unmake(self, what: str) -> None:
        (self.folder / what).unlink()

    def said(self, *what: str) -> list[dict[str, Any]]:
        """Give what it wrote down."""
        told = self.folder / "told"
        lines = told.read_text().splitlines() if told.exists() else []
        said = []
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):  # the last one is being written
                said.append(json.loads(line))
        return [item for item in said if not what or item["what"] in what]

    def wait(self, count: int, what: str = "end") -> list[dict[str, Any]]:
        """Wait until it has written down so many."""
        wait_until(lambda: len(self.said(what)) >= count, lambda: str(self.said()))
        return self.said(what)

    def wait_told(self, entry: str, status: str | None) -> None:
        """Wait until the last that it was told of an entry is this status."""

        def is_told() -> bool:
            ended = [item["change"] for item in self.said("end") if item["change"]["entry"] == entry]
            return bool(ended) and ended[-1]["new"] == status

        wait_until(is_told, lambda: str(self.said()))


def wait_until(holds: Callable[[], bool], words: Callable[[], str] = str) -> None:
    """Wait until it is so."""
    give_up = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < give_up, words()
        time.sleep(0.02)


class Endpoint:
    """An HTTP server that takes webhooks, checks their signatures, and answers as it is told to."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        """Headers, path, body and time of each."""
        self.answers: list[tuple[int, dict[str, str]]] = []
        """What the next ones are answered; afterwards it is 204."""
        self.open = threading.Event()
        """Cleared: it answers nobody."""
        self.open.set()
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                endpoint.requests.append({"headers": headers, "path": self.path, "body": body, "at": time.monotonic()})
                endpoint.open.wait(PATIENCE)
                code, more = endpoint.answers.pop(0) if endpoint.answers else (204, {})
                with contextlib.suppress(OSError):  # who asked has gone
                    self.send_response(code)
                    for name, value in more.items():
                        self.send_header(name, value)
                    text = b"" if code == 204 else b"no, thank you"
                    if code != 204:
                        self.send_header("content-length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}/changes?token=hidden"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def changes(self) -> list[dict[str, Any]]:
        """Give the changes that were posted."""
        return [json.loads(request["body"]) for request in self.requests]

    def wait(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many requests have come."""
        wait_until(lambda: len(self.requests) >= count, lambda: str(self.requests))
        return self.changes()

    def is_signed(self, request: dict[str, Any], secret: str) -> bool:
        """Check a signature, as the standard says."""
        headers = request["headers"]
        signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), request["body"]])
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        recent = abs(time.time() - int(headers["webhook-timestamp"])) < 300
        return recent and expected in headers["webhook-signature"].split(" ")
