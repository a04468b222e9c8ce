"""The other end of the wire, by another hand: a server of gRPC on the HTTP/2 of python-hyper. Pure, like ours."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, PingReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.settings import SettingCodes, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

HEADERS = [(":status", "200"), ("content-type", "application/grpc")]
FINE = [("grpc-status", "0"), ("grpc-message", "")]


def message(content: bytes, compressed: int = 0) -> bytes:
    return struct.pack(">BI", compressed, len(content)) + content


class Peer:
    """Takes messages; what it answers is up to the test. Windows are kept: what does not fit waits."""

    def __init__(self, on_message: Callable[[Peer, int, bytes], None], **settings: int) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        first = {getattr(SettingCodes, name): value for name, value in settings.items()}
        self.h2.local_settings = Settings(client=False, initial_values=first)
        self.h2.initiate_connection()
        self.headers: dict[int, dict[str, str]] = {}
        self.reset: dict[int, int] = {}
        self.finished: set[int] = set()
        self.most_open = 0
        self.pings = 0
        self.padding: int | None = None
        self._said = b""
        self._on_message = on_message
        self._arrived: dict[int, bytearray] = {}
        self._unsent: dict[int, bytearray] = {}
        self._last: dict[int, list[tuple[str, str]] | None] = {}

    def receive(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            if isinstance(event, RequestReceived):
                self.headers[event.stream_id] = {str(name): str(value) for name, value in event.headers}
                self._arrived[event.stream_id] = bytearray()
                self.most_open = max(self.most_open, self.h2.open_inbound_streams)
            elif isinstance(event, DataReceived):
                self._arrived[event.stream_id] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._messages(event.stream_id)
            elif isinstance(event, PingReceived):
                self.pings += 1
            elif isinstance(event, StreamReset):
                self.reset[event.stream_id] = event.error_code
                self._unsent.pop(event.stream_id, None)
            elif isinstance(event, StreamEnded):
                self.finished.add(event.stream_id)
            elif isinstance(event, WindowUpdated):
                self.flush()

    def _messages(self, stream: int) -> None:
        arrived = self._arrived[stream]
        while len(arrived) >= 5:
            compressed, size = struct.unpack_from(">BI", arrived)
            if len(arrived) < size + 5:
                return
            assert not compressed
            content = bytes(arrived[5 : size + 5])
            del arrived[: size + 5]
            self._on_message(self, stream, content)

    def answer(self, stream: int, *contents: bytes, last: list[tuple[str, str]] | None = None) -> None:
        """Send messages, and trailers where they are the last."""
        if stream not in self._unsent:
            self.h2.send_headers(stream, HEADERS)
            self._unsent[stream] = bytearray()
            self._last[stream] = None
        self.raw(stream, b"".join(map(message, contents)), last=last)

    def raw(self, stream: int, data: bytes, last: list[tuple[str, str]] | None = None) -> None:
        """Send data, whatever it is."""
        self._unsent[stream] += data
        self._last[stream] = last
        self.flush()

    def flush(self) -> None:
        for stream, unsent in tuple(self._unsent.items()):
            padding = 0 if self.padding is None else self.padding + 1
            while unsent:
                size = min(len(unsent), self.h2.max_outbound_frame_size - padding,
                           self.h2.local_flow_control_window(stream) - padding)  # fmt: skip
                if size <= 0:
                    break
                self.h2.send_data(stream, bytes(unsent[:size]), pad_length=self.padding)
                del unsent[:size]
            last = self._last[stream]
            if not unsent and last is not None:
                self.h2.send_headers(stream, last, end_stream=True)
                del self._unsent[stream]

    def goodbye(self, last: int = 2**31 - 1, code: int = 0) -> None:
        """Say that no more calls are taken, and go on with those up to ``last``: h2 itself would do nothing more."""
        self._said += struct.pack(">HBBBIII", 0, 8, 7, 0, 0, last, code)

    def take(self) -> bytes:
        said, self._said = self._said, b""
        return bytes(self.h2.data_to_send()) + said
