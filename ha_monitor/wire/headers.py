"""Headers of a call: those of a request written as HPACK (RFC 7541), those of its answer read, and what they mean.

What they mean is gRPC's own table: the status of a call, of an answer that is none of gRPC's, and of a reset stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

from grpc import StatusCode
from hpack import Decoder, HPACKError
from hpack.hpack import encode_integer

from ha_monitor.wire.frames import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers: TypeAlias = "dict[str, str]"
Metadata: TypeAlias = "tuple[tuple[str, str], ...]"

NO_TABLE = b"\x20"
"""What goes before the first block of a connection: we put nothing into a table, however large the server lets it be. A
server that has made it smaller than it was wants to be told (RFC 7541, 4.2)."""

_KEPT, _SHORT = 64, 1_024  # blocks that are known by their bytes, and those of one: a server uses three or four
_PLAIN, _NEVER_INDEXED = 0x00, 0x10
_CODES = {str(code.value[0]): code for code in StatusCode}


def request_block(scheme: str, authority: str, path: str, timeout: float | None, metadata: Metadata) -> bytes:
    """Give the headers of a call: the same bytes for the same call, since nothing goes into a table.

    :param timeout: seconds that the server may take, ``None`` for no end.
    :param metadata: no proxy may put it into a table either: a token is among it.
    """
    plain = [(":method", "POST"), (":scheme", scheme), (":path", path), (":authority", authority), ("te", "trailers")]
    if timeout is not None:
        plain.append(("grpc-timeout", f"{min(max(int(timeout * 1000), 1), 99_999_999)}m"))
    plain += [("content-type", "application/grpc"), ("user-agent", "ha-monitor")]
    return _literals(_PLAIN, plain) + _literals(_NEVER_INDEXED, metadata)


def _literals(how: int, headers: Iterable[tuple[str, str]]) -> bytes:
    return b"".join(bytes([how]) + _text(name) + _text(value) for name, value in headers)


def _text(text: str) -> bytes:
    content = text.encode("latin-1")
    return bytes(encode_integer(len(content), 7)) + content


class HeaderReader:
    """Reads blocks of headers in the order they came in. A server repeats itself: what it said is known by its bytes.

    That holds for as long as no block changes the table that both sides keep.
    """

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._known: dict[bytes, Headers] = {}

    def read(self, block: bytes) -> Headers:
        """Give the headers of a block. Raises :class:`ProtocolError`."""
        known = self._known.get(block)
        if known is not None:
            return known
        before = self._table()
        try:
            pairs = self._decoder.decode(block, raw=True)
        except HPACKError as error:
            raise ProtocolError(f"headers that can't be read: {error}") from error
        headers = {bytes(name).decode("latin-1"): bytes(value).decode("latin-1") for name, value in pairs}
        after = self._table()
        if after[:2] != before[:2] or after[2] is not before[2] or len(self._known) >= _KEPT:
            self._known.clear()
        elif len(block) <= _SHORT:
            self._known[block] = headers
        return headers

    def _table(self) -> tuple[int, int, object]:
        """Give what is another whenever the table has changed: its sizes, and its newest entry."""
        entries = self._decoder.header_table.dynamic_entries
        return self._decoder.header_table_size, len(entries), entries[0] if entries else None


def status_of(headers: Headers) -> tuple[StatusCode, str]:
    """Give the status that a call ended with, and its words."""
    said = headers.get("grpc-status")
    if said is None:
        http = headers.get(":status", "")
        code = _OF_HTTP.get(http, StatusCode.UNKNOWN)
        return code, f"HTTP status {http}" if http not in ("", "200") else "the answer ended without a status"
    words = unquote(headers.get("grpc-message", ""), errors="replace")
    return _CODES.get(said, StatusCode.UNKNOWN), words


def status_of_reset(code: int) -> tuple[StatusCode, str]:
    """Give the status of a stream that the other side has reset."""
    return _OF_RESET.get(code, StatusCode.INTERNAL), f"the stream was reset with code {code}"


# gRPC's doc/http-grpc-status-mapping.md: a proxy on the way answers so.
_OF_HTTP = {
    "400": StatusCode.INTERNAL,
    "401": StatusCode.UNAUTHENTICATED,
    "403": StatusCode.PERMISSION_DENIED,
    "404": StatusCode.UNIMPLEMENTED,
    "429": StatusCode.UNAVAILABLE,
    "502": StatusCode.UNAVAILABLE,
    "503": StatusCode.UNAVAILABLE,
    "504": StatusCode.UNAVAILABLE,
}
# gRPC's doc/PROTOCOL-HTTP2.md, Errors: REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY.
_OF_RESET = {
    0x7: StatusCode.UNAVAILABLE,
    0x8: StatusCode.CANCELLED,
    0xB: StatusCode.RESOURCE_EXHAUSTED,
    0xC: StatusCode.PERMISSION_DENIED,
}
