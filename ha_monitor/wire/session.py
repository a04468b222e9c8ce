"""One connection of HTTP/2 as a client has it: its streams, their windows, and the messages of gRPC in them. Pure.

Bytes go in by :meth:`Session.receive` and are taken out by :meth:`Session.take`; it knows no socket and no clock.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from grpc import StatusCode

from ha_monitor.wire import frames
from ha_monitor.wire.frames import Cutter, ProtocolError
from ha_monitor.wire.headers import NO_TABLE, HeaderReader, status_of, status_of_reset
from ha_monitor.wire.messages import LARGEST_MESSAGE, Compressed, TooLarge, message
from ha_monitor.wire.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ha_monitor.wire.streams import Receiver

WINDOW = 16 * 1024 * 1024
"""Bytes that the other side may send ahead on a stream, beyond what its reader has taken."""

_CONNECTION_WINDOW = 2**30
"""Bytes that it may send ahead on all of them: as good as no bound, since it is the streams that hold back."""

_REFUSED: dict[type[Exception], tuple[StatusCode, str]] = {
    Compressed: (StatusCode.INTERNAL, "a message is compressed, which we have not asked for"),
    TooLarge: (StatusCode.RESOURCE_EXHAUSTED, f"received message larger than max ({LARGEST_MESSAGE} bytes)"),
}

_LARGEST_BLOCK = 128 * 1024
"""Bytes of headers that are taken: to read a megabyte of them may take seconds, and etcd's have a hundred bytes."""

_LAST_STREAM = frames.LARGEST_WINDOW - 1


class Session:
    """The state of a connection.

    It is ``ready`` once the other side has told its settings, has a ``fault``, in words, once no more calls can begin,
    and is ``over`` once all have ended.

    Nothing is raised for what the other side does wrong: it ends all calls, with words.
    """

    def __init__(self) -> None:
        self.ready = False
        self.fault: str | None = None
        self.over = False
        self._out: list[bytes] = [
            frames.PREFACE,
            frames.settings(((frames.ENABLE_PUSH, 0), (frames.INITIAL_WINDOW_SIZE, WINDOW))),
            frames.with_number(frames.WINDOW_UPDATE, 0, _CONNECTION_WINDOW - frames.DEFAULT_WINDOW),
        ]
        self._cutter = Cutter()
        self._headers = HeaderReader()
        self._next = 1
        self._streams: dict[int, Stream] = {}
        self._waiting: deque[tuple[Stream, bytes]] = deque()
        self._most_streams = _LAST_STREAM
        self._first_window = frames.DEFAULT_WINDOW
        self._window = frames.DEFAULT_WINDOW
        self._blocked: dict[Stream, None] = {}  # an ordered set: who has waited longest comes first
        self._owed = 0
        self._block: tuple[int, int, bytearray] | None = None  # headers that go on in the next frame
        self._take: dict[int, Callable[[int, int, bytes], None]] = {
            frames.DATA: self._data,
            frames.HEADERS: self._header,
            frames.RST_STREAM: self._reset,
            frames.SETTINGS: self._settings,
            frames.PUSH_PROMISE: self._unwanted,
            frames.PING: self._pinged,
            frames.GOAWAY: self._goodbye,
            frames.WINDOW_UPDATE: self._more_window,
            frames.CONTINUATION: self._continued,
        }

    @property
    def allowed_streams(self) -> int | None:
        """How many streams the server allows at a time ; ``None``: it sets no limit."""
        return None if self._most_streams >= _LAST_STREAM else self._most_streams

    @property
    def busy(self) -> bool:
        """Whether any call is under way."""
        return bool(self._streams)

    # -- our side

    def take(self) -> bytes:
        """Give the bytes that are to be sent, once."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def request(self, block: bytes, content: bytes, receiver: Receiver, *, last: bool) -> Stream:
        """Begin a call by its headers and its first message; ``last`` where no other follows.

        It must not have a ``fault``. A server that takes no more streams at a time is waited for.
        """
        stream = Stream(receiver)
        stream.unsent += message(content)
        stream.finishing = last
        if len(self._streams) < self._most_streams:
            self._open(stream, block)
        else:
            self._waiting.append((stream, block))
        return stream

    def _open(self, stream: Stream, block: bytes) -> None:
        stream.number, self._next = self._next, self._next + 2
        stream.window = self._first_window
        self._streams[stream.number] = stream
        self._out.append(frames.headers(stream.number, NO_TABLE + block if stream.number == 1 else block))
        self._send(stream)
        if self._next > _LAST_STREAM:
            self.fault = "the numbers of the streams are used up"
            self._refuse(())

    def send(self, stream: Stream, content: bytes) -> None:
        """Send another message on a stream that is open."""
        stream.unsent += message(content)
        if stream.number:
            self._send(stream)

    def _send(self, stream: Stream) -> None:
        """Send as much as the windows let through."""
        unsent = stream.unsent
        while True:
            size = min(len(unsent), stream.window, self._window, frames.SMALLEST_MAX_FRAME)
            if size <= 0 and unsent:
                self._blocked[stream] = None
                return
            last = stream.finishing and size == len(unsent)
            self._out.append(
                frames.frame(frames.DATA, frames.END_STREAM if last else 0, stream.number, bytes(unsent[:size]))
            )
            del unsent[:size]
            stream.window -= size
            self._window -= size
            if not unsent:
                stream.half_closed = last
                self._blocked.pop(stream, None)
                return

    def taken(self, stream: Stream, size: int) -> None:
        """Say that a receiver has no more use for a message of ``size`` bytes: the server may send as many more."""
        stream.unread -= size
        self._pay(stream)

    def cancel(self, stream: Stream) -> None:
        """End a call from our side; its receiver hears nothing more."""
        if not stream.open:
            return
        if stream.number:
            self._out.append(frames.with_number(frames.RST_STREAM, stream.number, frames.CANCEL))
        else:
            self._waiting = deque(waiting for waiting in self._waiting if waiting[0] is not stream)
        self._forget(stream)

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._out.append(frames.frame(frames.PING, 0, 0, bytes(8)))

    def end(self, words: str, code: int = frames.NO_ERROR) -> None:
        """End the connection from our side, and all calls with it."""
        if not self.over:
            self._out.append(frames.goodbye(code))
            self.lost(words)

    def lost(self, words: str) -> None:
        """End all calls: the connection is not there any more."""
        self.fault = self.fault or words
        self._refuse(())
        for stream in tuple(self._streams.values()):
            self._finish(stream, StatusCode.UNAVAILABLE, self.fault)
        self.over = True

    def _refuse(self, late: Iterable[Stream]) -> None:
        """End calls for which the other side has done nothing, so that they may be made again: those that wait, too."""
        waiting, self._waiting = self._waiting, deque()
        for stream in (*late, *(stream for stream, _ in waiting)):
            stream.untouched = True
            self._finish(stream, StatusCode.UNAVAILABLE, self.fault or "")

    # -- the other side

    def receive(self, data: bytes) -> None:
        """Take bytes as they come; messages and ends are told to the receivers meanwhile."""
        try:
            for kind, flags, number, payload in self._cutter.feed(data):
                if self._block is not None and kind != frames.CONTINUATION:
                    raise ProtocolError("headers are broken off")
                take = self._take.get(kind)  # others, priorities among them, mean nothing to us
                if take is not None:
                    take(flags, number, payload)
        except ProtocolError as error:
            self.end(str(error), frames.PROTOCOL_ERROR)

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        self._owed += len(payload)
        if self._owed >= _CONNECTION_WINDOW // 2:
            self._out.append(frames.with_number(frames.WINDOW_UPDATE, 0, self._owed))
            self._owed = 0
        stream = self._streams.get(number)
        if stream is None:  # we have left it
            return
        stream.owed += len(payload)
        content = frames.content_of(flags & ~frames.WITH_PRIORITY, payload)
        if content and not self._messages(stream, content):
            return
        if flags & frames.END_STREAM:
            self._finish(stream, *status_of({}))
        else:
            self._pay(stream)

    def _messages(self, stream: Stream, content: bytes) -> bool:
        """Tell of the messages that are whole now; whether the stream goes on."""
        try:
            whole = stream.arriving.feed(content)
        except (Compressed, TooLarge) as error:
            self.cancel(stream)
            stream.receiver.ended(*_REFUSED[type(error)])
            return False
        for one in whole:
            stream.unread += len(one)
            stream.receiver.message(one)
        return stream.open

    def _pay(self, stream: Stream) -> None:
        """Let the other side send more, once it is worth a frame and the reader is not far behind."""
        if stream.open and stream.owed >= WINDOW // 2 and stream.unread < WINDOW // 2:
            self._out.append(frames.with_number(frames.WINDOW_UPDATE, stream.number, stream.owed))
            stream.owed = 0

    def _header(self, flags: int, number: int, payload: bytes) -> None:
        block = frames.content_of(flags, payload)
        if flags & frames.END_HEADERS:
            self._read(flags, number, block)
        else:
            self._block = flags, number, bytearray(block)

    def _continued(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None or self._block[1] != number:
            raise ProtocolError("headers go on that have not begun")
        first, _, block = self._block
        block += payload
        if len(block) > _LARGEST_BLOCK:
            raise ProtocolError("headers without end")
        if flags & frames.END_HEADERS:
            self._block = None
            self._read(first, number, bytes(block))

    def _read(self, flags: int, number: int, block: bytes) -> None:
        headers = self._headers.read(block)  # of streams that we have left as well: the table goes on
        stream = self._streams.get(number)
        if stream is None:
            return
        if flags & frames.END_STREAM:
            self._finish(stream, *status_of(headers))
        elif headers.get(":status", "200") != "200" and not headers[":status"].startswith("1"):
            self.cancel(stream)
            stream.receiver.ended(*status_of(headers))

    def _reset(self, _flags: int, number: int, payload: bytes) -> None:
        stream = self._streams.get(number)
        if stream is not None:
            code = frames.number_of(payload)
            stream.half_closed = True  # nobody is there to be told that we end it, too
            stream.untouched = code == frames.REFUSED_STREAM
            self._finish(stream, *status_of_reset(code))

    def _settings(self, flags: int, _number: int, payload: bytes) -> None:
        if flags & frames.ACK:
            return
        for name, value in frames.settings_of(payload):
            if name == frames.MAX_CONCURRENT_STREAMS:
                self._most_streams = value
            elif name == frames.INITIAL_WINDOW_SIZE:
                if value > frames.LARGEST_WINDOW:
                    raise ProtocolError("a window that is too large")
                for stream in self._streams.values():
                    stream.window += value - self._first_window  # it may become negative (RFC 9113, 6.9.2)
                self._first_window = value
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))
        self.ready = True
        self._go_on()

    def _more_window(self, _flags: int, number: int, payload: bytes) -> None:
        increment = frames.number_of(payload) & frames.LARGEST_WINDOW
        stream = self._streams.get(number)
        if number == 0:
            self._window += increment
        elif stream is not None:
            stream.window += increment
        self._go_on()

    def _go_on(self) -> None:
        """Send what was held back, and open what waits, as far as that is let through now."""
        for stream in tuple(self._blocked):
            self._send(stream)
        while self._waiting and len(self._streams) < self._most_streams and self.fault is None:
            self._open(*self._waiting.popleft())

    def _pinged(self, flags: int, _number: int, payload: bytes) -> None:
        if not flags & frames.ACK:
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _goodbye(self, _flags: int, _number: int, payload: bytes) -> None:
        last, code = frames.number_of(payload) & frames.LARGEST_WINDOW, frames.number_of(payload, 4)
        more = payload[8:].decode(errors="replace")
        self.fault = f"the server ends the connection with code {code}{f' ({more})' if more else ''}"
        self._refuse(stream for stream in self._streams.values() if stream.number > last)
        self.over = not self._streams

    def _unwanted(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise ProtocolError("a push that was forbidden")

    # -- ends

    def _finish(self, stream: Stream, code: StatusCode, words: str) -> None:
        """The other side has ended a call."""
        if stream.number and not stream.half_closed and self.fault is None:
            self._out.append(frames.with_number(frames.RST_STREAM, stream.number, frames.NO_ERROR))
        self._forget(stream)
        stream.receiver.ended(code, words)

    def _forget(self, stream: Stream) -> None:
        stream.open = False
        self._streams.pop(stream.number, None)
        self._blocked.pop(stream, None)
        if self._waiting:
            self._go_on()
        elif self.fault is not None and not self._streams:
            self.over = True
