"""Frames of HTTP/2 (RFC 9113, sections 4 and 6): written as bytes, and cut out of the bytes that arrive. Pure."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Frame: TypeAlias = "tuple[int, int, int, bytes]"
"""Kind, flags, stream and payload."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 0x2, 0x3, 0x4

NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL = 0x0, 0x1, 0x7, 0x8

LARGEST_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65_535
SMALLEST_MAX_FRAME = 16_384
"""Bytes of a payload that anybody takes; ours is never larger, and no larger one is asked for."""

_HEADER = struct.Struct(">HBBBI")  # the length is 24 bits: its upper 16, its lower 8
_SETTING = struct.Struct(">HI")
_NUMBER = struct.Struct(">I")


class ProtocolError(Exception):
    """The other side does not keep to HTTP/2, in words; the connection can't be used any more."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Give a frame."""
    size = len(payload)
    return _HEADER.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(values: Iterable[tuple[int, int]]) -> bytes:
    """Give the frame that tells our settings."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*value) for value in values))


def settings_of(payload: bytes) -> Iterable[tuple[int, int]]:
    """Read the settings of a frame."""
    if len(payload) % _SETTING.size:
        raise ProtocolError("settings are cut off")
    return [(name, value) for name, value in _SETTING.iter_unpack(payload)]


def headers(stream: int, block: bytes) -> bytes:
    """Give the frames of a block of headers."""
    parts = [block[at : at + SMALLEST_MAX_FRAME] for at in range(0, len(block), SMALLEST_MAX_FRAME)]
    kinds = [HEADERS, *[CONTINUATION] * (len(parts) - 1)]
    flags = [*[0] * (len(parts) - 1), END_HEADERS]
    return b"".join(frame(kind, flag, stream, part) for kind, flag, part in zip(kinds, flags, parts, strict=True))


def with_number(kind: int, stream: int, number: int) -> bytes:
    """Give a frame of one number: an increment of a window, the code of a reset."""
    return frame(kind, 0, stream, _NUMBER.pack(number))


def number_of(payload: bytes, at: int = 0) -> int:
    """Read a number of 32 bits."""
    if len(payload) < at + 4:
        raise ProtocolError("a frame is cut off")
    return int(_NUMBER.unpack_from(payload, at)[0])


def goodbye(code: int) -> bytes:
    """Give the frame that ends a connection from our side."""
    return frame(GOAWAY, 0, 0, _NUMBER.pack(0) + _NUMBER.pack(code))


def content_of(flags: int, payload: bytes) -> bytes:
    """Give what a frame of data or headers carries, without padding and priority."""
    if flags & PADDED:
        if not payload or payload[0] >= len(payload):
            raise ProtocolError("there is more padding than frame")
        payload = payload[1 : len(payload) - payload[0]]
    return payload[5:] if flags & WITH_PRIORITY else payload


class Cutter:
    """Cuts frames out of bytes that come in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False

    def feed(self, data: bytes) -> list[Frame]:
        """Give the frames that are whole now. Raises :class:`ProtocolError`."""
        data = self._rest + data if self._rest else data
        frames: list[Frame] = []
        at, end = 0, len(data)
        while end - at >= _HEADER.size:
            upper, lower, kind, flags, stream = _HEADER.unpack_from(data, at)
            size = upper << 8 | lower
            if not self._begun and kind != SETTINGS:
                raise ProtocolError(f"no HTTP/2 is spoken there, but {data[:20]!r}")
            if size > SMALLEST_MAX_FRAME:
                raise ProtocolError(f"a frame of {size} bytes")
            if end - at < _HEADER.size + size:
                break
            self._begun = True
            at += _HEADER.size
            frames.append((kind, flags, stream & LARGEST_WINDOW, data[at : at + size]))
            at += size
        self._rest = data[at:]
        return frames
