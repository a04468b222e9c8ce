"""Messages of gRPC, put together from the data of a stream. Pure."""

from __future__ import annotations

import struct

LARGEST_MESSAGE = 512 * 1024 * 1024
"""Bytes of an answer that are taken: etcd sends a thousand revisions, or a deletion of all keys, in one."""

_PREFIX = struct.Struct(">BI")  # whether it is compressed, and its size


class Compressed(Exception):
    """A message is compressed, which was not asked for."""


class TooLarge(Exception):
    """A message has more bytes than are taken."""


def message(content: bytes) -> bytes:
    """Give a message, not compressed, as data of a stream."""
    return _PREFIX.pack(0, len(content)) + content


class Assembler:
    """Gives the messages of one stream as they become whole."""

    __slots__ = ("_head", "_message", "_missing")

    def __init__(self) -> None:
        self._head = b""
        self._message: bytearray | None = None  # what has come of it: its size is only what somebody says
        self._missing = 0

    def feed(self, content: bytes) -> list[bytes | bytearray]:
        """Take data, give what is whole now. Raises :class:`Compressed` and :class:`TooLarge`."""
        if self._message is None and not self._head and len(content) >= _PREFIX.size:
            compressed, size = _PREFIX.unpack_from(content)
            if size == len(content) - _PREFIX.size and not compressed:
                return [content[_PREFIX.size :]]  # one message in one frame: nearly all are
        whole: list[bytes | bytearray] = []
        at = 0
        while at < len(content):
            if self._message is None:
                head = content[at : at + _PREFIX.size - len(self._head)]
                self._head += head
                at += len(head)
                if len(self._head) < _PREFIX.size:
                    break
                self._message, self._missing, self._head = bytearray(), _size(self._head), b""
            part = content[at : at + self._missing]
            self._message += part
            at += len(part)
            self._missing -= len(part)
            if not self._missing:
                whole.append(self._message)
                self._message = None
        return whole


def _size(head: bytes) -> int:
    compressed, size = _PREFIX.unpack(head)
    if compressed:
        raise Compressed
    if size > LARGEST_MESSAGE:
        raise TooLarge(size)
    return int(size)
