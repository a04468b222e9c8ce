"""One call on a connection: whoever made it, what both sides may still send, and what has not come whole yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ha_monitor.wire.messages import Assembler

if TYPE_CHECKING:
    from grpc import StatusCode


class Receiver(Protocol):
    """Whoever made a call is told what comes of it."""

    def message(self, content: bytes | bytearray) -> None:
        """Take a message."""

    def ended(self, code: StatusCode, words: str) -> None:
        """Take the end, which comes once and last."""


class Stream:
    """One call. ``number`` is 0 while it waits until the other side takes one more stream."""

    __slots__ = (
        "arriving",
        "finishing",
        "half_closed",
        "number",
        "open",
        "owed",
        "receiver",
        "unread",
        "unsent",
        "untouched",
        "window",
    )

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.number = 0
        self.open = True
        self.untouched = False  # it has ended, and the other side has done nothing for it
        self.half_closed = False  # we have sent our last
        self.window = 0  # bytes that we may send
        self.unsent = bytearray()  # what did not fit into it
        self.finishing = False  # and ``unsent`` is the last of it
        self.arriving = Assembler()
        self.owed = 0  # bytes taken that the other side was not told of yet
        self.unread = 0  # bytes of messages whose receiver has not said that they are taken
