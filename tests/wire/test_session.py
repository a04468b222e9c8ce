"""Our HTTP/2 against that of another hand: whatever the windows, and wherever the bytes are cut."""

from __future__ import annotations

import random
import struct
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode
from hypothesis import given, settings
from hypothesis import strategies as st

from ha_monitor.wire import frames, session
from ha_monitor.wire.headers import request_block, status_of
from ha_monitor.wire.messages import LARGEST_MESSAGE
from ha_monitor.wire.session import Session
from tests.wire.peer import FINE, HEADERS, Peer, message

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.wire.streams import Stream

SPOKEN = frames.settings([])
BLOCK = request_block("http", "127.0.0.1:2379", "/etcdserverpb.KV/Range", 5.0, (("hasleader", "true"),))


class Call:
    """Takes what comes of a call."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.end: tuple[StatusCode, str] | None = None

    def message(self, content: bytes | bytearray) -> None:
        assert self.end is None
        self.messages.append(bytes(content))

    def ended(self, code: StatusCode, words: str) -> None:
        assert self.end is None, "the end comes once"
        self.end = code, words


class Wire:
    """Both ends, and the bytes between them, which are cut anywhere."""

    def __init__(self, on_message: Callable[[Peer, int, bytes], None], seed: int = 0, **settings: int) -> None:
        self.random = random.Random(seed)
        self.ours = Session()
        self.peer = Peer(on_message, **settings)

    def settle(self) -> None:
        """Carry bytes to and fro until both are silent."""
        while True:
            there, here = self.ours.take(), self.peer.take()
            if not there and not here:
                return
            for data, receive in ((there, self.peer.receive), (here, self.ours.receive)):
                while data:
                    size = self.random.choice((1, 7, 100, 5_000, 100_000))
                    receive(data[:size])
                    data = data[size:]

    def call(self, content: bytes = b"", *, last: bool = True) -> tuple[Call, Stream]:
        call = Call()
        return call, self.ours.request(BLOCK, content, call, last=last)


def echo(peer: Peer, stream: int, content: bytes) -> None:
    peer.answer(stream, content, last=FINE)


def silent(_peer: Peer, _stream: int, _content: bytes) -> None:
    pass


def begun(on_message: Callable[[Peer, int, bytes], None] = silent, **settings: int) -> Wire:
    wire = Wire(on_message, **settings)
    wire.settle()
    assert wire.ours.ready
    return wire


def one(wire: Wire, **options: Any) -> tuple[Call, int]:
    """Make a call that has arrived there; give it, and its number."""
    call, stream = wire.call(b"asked", **options)
    wire.settle()
    return call, stream.number


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.sampled_from([0, 1, 100, 16_379, 16_380, 70_000, 200_000]), min_size=1, max_size=12),
    window=st.sampled_from([1, 1_000, 65_535, 1_000_000]),
    most=st.sampled_from([1, 3, 100]),
    padding=st.sampled_from([None, 0, 200]),
)
def test_every_call_gets_its_own_answer(
    seed: int, sizes: list[int], window: int, most: int, padding: int | None
) -> None:
    if window == 1:
        sizes = [min(size, 100) for size in sizes]
    wire = Wire(echo, seed, INITIAL_WINDOW_SIZE=window, MAX_CONCURRENT_STREAMS=most)
    wire.peer.padding = padding
    wire.settle()
    contents = [bytes([number]) * size for number, size in enumerate(sizes)]
    calls = [wire.call(content)[0] for content in contents]
    wire.settle()
    assert [(call.messages, call.end) for call in calls] == [([one], (StatusCode.OK, "")) for one in contents]
    assert wire.peer.most_open <= most


def test_what_it_asks_for_is_what_grpc_has_it_say() -> None:
    wire = begun()
    _, number = one(wire)
    assert wire.peer.headers[number] == {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/etcdserverpb.KV/Range",
        ":authority": "127.0.0.1:2379",
        "te": "trailers",
        "grpc-timeout": "5000m",
        "content-type": "application/grpc",
        "user-agent": "ha-monitor",
        "hasleader": "true",
    }
    assert number in wire.peer.finished


def test_a_long_token_is_sent_whole() -> None:
    wire = begun()
    token = "x" * 40_000  # of three frames
    wire.ours.request(request_block("https", "etcd", "/a", None, (("token", token),)), b"", Call(), last=True)
    wire.settle()
    assert wire.peer.headers[1]["token"] == token
    assert "grpc-timeout" not in wire.peer.headers[1]


def test_a_stream_goes_on_in_both_directions() -> None:
    wire = begun(lambda peer, stream, content: peer.answer(stream, content, content * 2))
    call, stream = wire.call(b"a", last=False)
    wire.settle()
    wire.ours.send(stream, b"b")
    wire.settle()
    assert call.messages == [b"a", b"aa", b"b", b"bb"]
    assert call.end is None
    assert stream.number not in wire.peer.finished
    wire.peer.answer(stream.number, last=FINE)
    wire.settle()
    assert call.end == (StatusCode.OK, "")


def test_what_is_sent_before_a_stream_is_let_in_follows_in_order() -> None:
    wire = begun(lambda peer, stream, content: peer.answer(stream, content), MAX_CONCURRENT_STREAMS=1)
    first, held = wire.call(b"first", last=False)
    second, waits = wire.call(b"a", last=False)
    wire.ours.send(waits, b"b")
    wire.settle()
    assert second.messages == []
    wire.ours.cancel(held)
    wire.settle()
    assert (first.messages, second.messages) == ([b"first"], [b"a", b"b"])


def test_a_call_that_waits_to_be_let_in_can_be_left() -> None:
    wire = begun(MAX_CONCURRENT_STREAMS=1)
    wire.call(last=False)
    call, waits = wire.call()
    wire.ours.cancel(waits)
    wire.settle()
    assert (call.end, wire.peer.most_open, len(wire.peer.headers)) == (None, 1, 1)


def test_a_call_that_is_left_hears_nothing_more_and_the_server_is_told() -> None:
    wire = begun()
    call, stream = wire.call()
    wire.settle()
    wire.peer.answer(stream.number, b"on its way")
    wire.ours.cancel(stream)
    wire.ours.receive(wire.peer.take())
    wire.settle()
    assert (call.messages, call.end, wire.peer.reset) == ([], None, {stream.number: frames.CANCEL})


def test_a_reader_that_is_behind_holds_the_server_back_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "WINDOW", 200_000)
    wire = begun(lambda peer, stream, _: None)
    slow, behind = wire.call(last=False)
    quick, other = wire.call()
    wire.settle()
    for _ in range(4):
        wire.peer.answer(behind.number, bytes(session.WINDOW * 3 // 4))
    wire.peer.answer(other.number, b"quick", last=FINE)
    wire.settle()
    assert quick.messages == [b"quick"]
    assert sum(map(len, slow.messages)) <= 2 * session.WINDOW, "the rest is held back there"
    for _ in range(4):
        wire.ours.taken(behind, len(slow.messages.pop(0)))
        wire.settle()
    assert slow.messages == []


def test_one_message_may_be_larger_than_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "WINDOW", 200_000)
    size = 2 * session.WINDOW + 1
    wire = begun(lambda peer, stream, _: peer.answer(stream, bytes(size), last=FINE))
    call, _ = one(wire)
    assert [len(content) for content in call.messages] == [size]


@pytest.mark.parametrize(
    ("trailers", "end"),
    [
        ([("grpc-status", "11"), ("grpc-message", "compacted %C3%A4%25")], (StatusCode.OUT_OF_RANGE, "compacted ä%")),
        ([("grpc-status", "99")], (StatusCode.UNKNOWN, "")),
        ([("grpc-status", "nonsense")], (StatusCode.UNKNOWN, "")),
        ([("other", "x")], (StatusCode.UNKNOWN, "the answer ended without a status")),
    ],
)  # fmt: skip
def test_how_a_call_ended_is_in_its_trailers(trailers: list[tuple[str, str]], end: tuple[StatusCode, str]) -> None:
    wire = begun(lambda peer, stream, _: peer.answer(stream, last=trailers))
    call, _ = one(wire)
    assert call.end == end


@pytest.mark.parametrize(
    ("headers", "end"),
    [
        ([*HEADERS, ("grpc-status", "14"), ("grpc-message", "no leader")], (StatusCode.UNAVAILABLE, "no leader")),
        ([(":status", "503")], (StatusCode.UNAVAILABLE, "HTTP status 503")),
        ([(":status", "401")], (StatusCode.UNAUTHENTICATED, "HTTP status 401")),
        ([(":status", "302")], (StatusCode.UNKNOWN, "HTTP status 302")),
    ],
)
@pytest.mark.parametrize("ends", [True, False])
def test_an_answer_that_is_headers_alone(
    headers: list[tuple[str, str]], end: tuple[StatusCode, str], ends: bool
) -> None:
    if not ends and headers[0][1] == "200":
        return  # those of a call that goes on
    wire = begun()
    call, number = one(wire)
    wire.peer.h2.send_headers(number, headers, end_stream=ends)
    wire.settle()
    assert call.end == end


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (0x7, StatusCode.UNAVAILABLE),
        (0x8, StatusCode.CANCELLED),
        (0xB, StatusCode.RESOURCE_EXHAUSTED),
        (0x2, StatusCode.INTERNAL),
        (0x0, StatusCode.INTERNAL),
    ],
)
def test_a_stream_that_is_reset(code: int, status: StatusCode) -> None:
    wire = begun()
    call, number = one(wire)
    wire.peer.h2.reset_stream(number, code)
    wire.settle()
    assert call.end == (status, f"the stream was reset with code {code}")
    assert wire.ours.fault is None


def test_data_that_end_without_trailers() -> None:
    wire = begun()
    call, number = one(wire)
    wire.peer.h2.send_headers(number, HEADERS)
    wire.peer.h2.send_data(number, message(b"a"), end_stream=True)
    wire.settle()
    assert (call.messages, call.end) == ([b"a"], (StatusCode.UNKNOWN, "the answer ended without a status"))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (message(b"squeezed", compressed=1), StatusCode.INTERNAL),
        (message(b"")[:1] + (LARGEST_MESSAGE + 1).to_bytes(4, "big"), StatusCode.RESOURCE_EXHAUSTED),
    ],
)
def test_messages_that_are_not_taken(data: bytes, code: StatusCode) -> None:
    wire = begun()
    call, number = one(wire, last=False)
    wire.peer.answer(number)
    wire.peer.raw(number, data)
    wire.settle()
    assert call.end is not None
    assert call.end[0] is code
    assert wire.peer.reset == {number: frames.CANCEL}
    assert wire.ours.fault is None


def test_headers_that_only_announce_others_mean_nothing() -> None:
    wire = begun()
    call, number = one(wire)
    wire.peer.h2.send_headers(number, [(":status", "103")])
    wire.peer.answer(number, b"a", last=FINE)
    wire.settle()
    assert (call.messages, call.end) == ([b"a"], (StatusCode.OK, ""))


def test_headers_too_long_for_a_frame_go_on_in_the_next() -> None:
    wire = begun()
    call, number = one(wire)
    words = "x" * 40_000
    wire.peer.h2.send_headers(number, [*HEADERS, ("grpc-status", "2"), ("grpc-message", words)], end_stream=True)
    wire.settle()
    assert call.end == (StatusCode.UNKNOWN, words)


def test_a_server_that_repeats_itself_is_understood_whatever_its_table_holds() -> None:
    ends = [[("grpc-status", "5"), ("grpc-message", f"key {number % 7}")] for number in range(40)] + [FINE] * 3
    waiting = iter(ends)
    wire = begun(lambda peer, stream, _: peer.answer(stream, last=next(waiting)))
    for end in ends:
        call, _ = one(wire)
        assert call.end is not None
        assert (call.end[0].value[0], call.end[1]) == (int(end[0][1]), end[1][1])


def test_a_server_that_says_goodbye_finishes_what_it_has_taken() -> None:
    wire = begun(MAX_CONCURRENT_STREAMS=2)
    done, first = wire.call()
    late, second = wire.call()
    waits, third = wire.call()
    wire.settle()
    wire.peer.goodbye(last=first.number, code=0xB)
    wire.settle()
    words = "the server ends the connection with code 11"
    assert (wire.ours.fault, wire.ours.over) == (words, False)
    assert late.end == waits.end == (StatusCode.UNAVAILABLE, words)
    assert [stream.untouched for stream in (first, second, third)] == [False, True, True]
    wire.peer.answer(first.number, last=FINE)
    wire.settle()
    assert done.end == (StatusCode.OK, "")
    assert wire.ours.over, "nobody is on it any more"


def test_a_server_that_says_goodbye_to_nobody() -> None:
    wire = begun()
    wire.peer.goodbye(code=0xB)
    wire.settle()
    assert wire.ours.over


def test_what_a_server_says_with_its_goodbye_is_told() -> None:
    wire = begun()
    call, _ = one(wire)
    wire.peer.h2.close_connection(last_stream_id=0, additional_data=b"too_many_pings", error_code=0xB)
    wire.settle()
    assert call.end == (StatusCode.UNAVAILABLE, "the server ends the connection with code 11 (too_many_pings)")


def test_a_server_may_take_a_smaller_table() -> None:
    wire = begun(echo, HEADER_TABLE_SIZE=0)
    assert [one(wire)[0].end for _ in range(3)] == [(StatusCode.OK, "")] * 3


def test_a_ping_is_answered_and_ours_too() -> None:
    wire = begun()
    wire.peer.h2.ping(b"12345678")
    wire.ours.ping()
    wire.settle()
    assert wire.ours.fault is None


def test_the_connection_ends_all_calls_those_that_wait_among_them() -> None:
    wire = begun(MAX_CONCURRENT_STREAMS=1)
    calls = [wire.call()[0] for _ in range(3)]
    wire.settle()
    wire.ours.end("left")
    assert [call.end for call in calls] == [(StatusCode.UNAVAILABLE, "left")] * 3
    wire.ours.end("again")
    wire.settle()
    assert wire.ours.fault == "left"


def test_numbers_of_streams_run_out_and_a_new_connection_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LAST_STREAM", 4)
    wire = begun(echo)
    assert one(wire)[0].end == (StatusCode.OK, "")
    assert wire.ours.fault is None
    call, _ = one(wire)
    assert wire.ours.fault == "the numbers of the streams are used up"
    assert call.end == (StatusCode.OK, ""), "what has begun is answered"


def test_a_window_that_shrinks_below_what_is_under_way_is_kept() -> None:
    wire = begun(INITIAL_WINDOW_SIZE=1_000)
    arrived = wire.peer.h2.remote_flow_control_window
    _, stream = wire.call(bytes(2_000), last=False)
    wire.peer.h2.update_settings({4: 10})
    wire.settle()
    assert arrived(stream.number) >= 0, "h2 would have ended the connection"
    assert wire.ours.fault is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no HTTP/2 is spoken there, but b'HTTP/1.1 400 Bad Req'"),
        (b"\x15\x03\x01\x00\x02\x02\x46 and more", "no HTTP/2 is spoken there"),
        (SPOKEN + b"\x01\x00\x00\x00\x00\x00\x00\x00\x01", "a frame of 65536 bytes"),
        (frames.frame(frames.SETTINGS, 0, 0, b"123"), "settings are cut off"),
        (frames.settings([(frames.INITIAL_WINDOW_SIZE, 2**31)]), "a window that is too large"),
        (SPOKEN + frames.frame(frames.CONTINUATION, 0, 1), "headers go on that have not begun"),
        (SPOKEN + frames.frame(frames.HEADERS, 0, 1) + frames.frame(frames.PING, 0, 0, bytes(8)), "broken off"),
        (SPOKEN + frames.frame(frames.HEADERS, 4, 1, b"\xff" * 6), "headers that can't be read"),
        (SPOKEN + frames.frame(frames.PUSH_PROMISE, 4, 1), "a push that was forbidden"),
        (SPOKEN + frames.frame(frames.WINDOW_UPDATE, 0, 0, b"1"), "a frame is cut off"),
        (SPOKEN + frames.frame(frames.GOAWAY, 0, 0, b"1234"), "a frame is cut off"),
        (SPOKEN + frames.frame(frames.HEADERS, frames.PADDED, 1, b"\x05abc"), "more padding than frame"),
    ],
)  # fmt: skip
def test_a_server_that_does_not_keep_to_it_is_left_in_words(data: bytes, words: str) -> None:
    ours = Session()
    call = Call()
    ours.request(BLOCK, b"", call, last=True)
    ours.take()
    ours.receive(data)
    assert ours.over
    assert words in (ours.fault or "")
    assert call.end == (StatusCode.UNAVAILABLE, ours.fault)
    assert frames.goodbye(frames.PROTOCOL_ERROR) in ours.take()


def test_headers_without_end_are_not_kept() -> None:
    ours = Session()
    ours.receive(SPOKEN + frames.frame(frames.HEADERS, 0, 1))
    more = frames.frame(frames.CONTINUATION, 0, 1, bytes(frames.SMALLEST_MAX_FRAME))
    for _ in range(9):  # 144 KiB, of which a megabyte would take seconds to read
        ours.receive(more)
    assert ours.fault == "headers without end"


def test_a_size_that_is_only_claimed_takes_no_memory() -> None:
    wire = begun(lambda peer, stream, content: peer.answer(stream, content), MAX_CONCURRENT_STREAMS=20)
    tracemalloc.start()
    try:
        for _ in range(10):
            _, stream = wire.call()
            wire.settle()
            claim = struct.pack(">BI", 0, LARGEST_MESSAGE)
            wire.ours.receive(frames.frame(frames.DATA, 0, stream.number, claim + b"a"))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_what_waits_when_the_numbers_are_used_up_may_be_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LAST_STREAM", 4)
    wire = begun(MAX_CONCURRENT_STREAMS=1)
    _, first = wire.call()
    second, _ = wire.call()
    waiting, stream = wire.call()
    wire.ours.cancel(first)
    wire.settle()
    assert second.end is None
    assert waiting.end == (StatusCode.UNAVAILABLE, "the numbers of the streams are used up")
    assert stream.untouched


@pytest.mark.parametrize("said", ["9" * 5_000, "-1", "99", "two", "\N{SUPERSCRIPT TWO}"])
def test_a_status_that_is_none_is_unknown(said: str) -> None:
    assert status_of({"grpc-status": said}) == (StatusCode.UNKNOWN, "")


@given(data=st.binary(max_size=200), begins=st.booleans())
def test_no_bytes_at_all_raise_an_error(data: bytes, begins: bool) -> None:
    ours = Session()
    call = Call()
    ours.request(BLOCK, b"", call, last=False)
    ours.receive((SPOKEN if begins else b"") + data)
    ours.lost("closed")
    assert call.end is not None


@given(kind=st.integers(0, 11), flags=st.integers(0, 255), number=st.integers(0, 5), payload=st.binary(max_size=40))
def test_no_frame_raises_an_error(kind: int, flags: int, number: int, payload: bytes) -> None:
    ours = Session()
    call = Call()
    ours.request(BLOCK, b"", call, last=False)
    ours.receive(SPOKEN + frames.frame(kind, flags, number, payload))
    ours.lost("closed")
    assert call.end is not None
