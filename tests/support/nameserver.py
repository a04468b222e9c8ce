"""A DNS server on loopback that knows SRV records only: those that a test gives it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOOK = 0.05  # seconds until the thread looks whether it is to end


class Srv(NamedTuple):
    """An SRV record: by default a member on this machine."""

    port: int
    target: str = "localhost."
    priority: int = 0
    weight: int = 0


class Nameserver:
    """Answers over UDP while the ``with`` block lasts; names without records do not exist."""

    def __init__(self) -> None:
        self.records: dict[str, Sequence[Srv]] = {}
        """By name, without the final dot."""
        self.rcode = dns.rcode.NOERROR
        """What every question is answered with instead, where it is not NOERROR."""
        self.silent = False
        """Whether questions are left without an answer."""
        self.asked: Counter[str] = Counter()
        """How often each name was asked for."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(_LOOK)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="nameserver", daemon=True)

    @property
    def address(self) -> str:
        """``ADDRESS:PORT``."""
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Nameserver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                question, sender = self._socket.recvfrom(4096)
                answer = self._answer(dns.message.from_wire(question))
                if not self.silent:
                    self._socket.sendto(answer.to_wire(), sender)

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        name = question.question[0].name
        self.asked[name.to_text(omit_final_dot=True)] += 1
        records = self.records.get(name.to_text(omit_final_dot=True), ())
        if self.rcode is not dns.rcode.NOERROR:
            answer.set_rcode(self.rcode)
        elif not records:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            texts = [f"{each.priority} {each.weight} {each.port} {each.target}" for each in records]
            answer.answer.append(dns.rrset.from_text_list(name, 60, "IN", "SRV", texts))
        return answer
