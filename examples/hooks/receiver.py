"""Takes the webhooks of ha-monitor: python receiver.py PORT SECRET_FILE. The standard library is enough."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

TOLERANCE = 300  # seconds that a request may be old: later, somebody else may have sent it again
LARGEST = 1_000_000  # bytes

port, secret_file = int(sys.argv[1]), Path(sys.argv[2])
newest: dict[tuple[str, str, str], int] = {}


def is_genuine(headers: dict[str, str], body: bytes) -> bool:
    """Check a request as Standard Webhooks has it."""
    id_, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdecimal() or abs(time.time() - int(at)) > TOLERANCE:
        return False
    secret = base64.b64decode(secret_file.read_text().strip().removeprefix("whsec_"))
    digest = hmac.new(secret, f"{id_}.{at}.".encode() + body, hashlib.sha256).digest()
    expected = f"v1,{base64.b64encode(digest).decode()}"
    return any(hmac.compare_digest(expected, given) for given in headers.get("webhook-signature", "").split(" "))


class Handler(BaseHTTPRequestHandler):
    """Answers 204 once it has done what is to be done: what it does not answer is sent again."""

    def do_POST(self) -> None:
        """Take one change."""
        length = self.headers.get("content-length", "")
        body = self.rfile.read(int(length)) if length.isdecimal() and int(length) <= LARGEST else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        genuine = is_genuine(headers, body)
        if genuine:
            self.take(json.loads(body))
        self.send_response(204 if genuine else 401)
        self.end_headers()

    def take(self, change: dict[str, object]) -> None:
        """Do what is to be done."""
        entry = str(change["type"]), str(change["id"]), str(change["entry"])
        revision = int(str(change["revision"]))
        if revision < newest.get(entry, 0):
            return  # of a member of a group that was late
        newest[entry] = revision
        print("{type}/{id}: {entry} is {new}, active is {active}".format(**change), flush=True)


HTTPServer(("127.0.0.1", port), Handler).serve_forever()
