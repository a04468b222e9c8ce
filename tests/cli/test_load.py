"""``ha-monitor load``, as a process of its own: what it puts, and what it says of what can't be put."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.etcd import Etcd, free_port
from tests.support.service import command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_load_puts_text_as_it_is_and_anything_else_as_compact_json(etcd: Etcd, tmp_path: Path) -> None:
    file = tmp_path / "site.json"
    file.write_text(json.dumps({"/a": "plain é", "/b": {"x": [1, None]}, "/c": "", "/d": 5}))
    ended = command("load", str(file), "--etcd", etcd.url)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == b"4 keys put\n"
    assert etcd.items("/") == {"/a": "plain é".encode(), "/b": b'{"x":[1,null]}', "/c": b"", "/d": b"5"}


def test_load_deletes_what_is_null_as_plan_says_that_it_will(etcd: Etcd) -> None:
    etcd.put("/a", b"old")
    ended = command("load", "-", "--etcd", etcd.url, stdin=b'{"/a": null, "/b": "new", "/c": null}')
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == b"1 keys put, 2 deleted\n"
    assert etcd.items("/") == {"/b": b"new"}


def test_load_reads_standard_input_and_many_keys(etcd: Etcd) -> None:
    ended = command("load", "-", "--etcd", etcd.url, stdin=json.dumps({f"/k{n}": str(n) for n in range(300)}).encode())
    assert ended.returncode == 0
    assert len(etcd.items("/k")) == 300


@pytest.mark.parametrize(("text", "words"), [("{", b"not JSON"), ("[1]", b"one JSON object")])
def test_load_tells_a_wrong_file_in_words(tmp_path: Path, text: str, words: bytes) -> None:
    file = tmp_path / "site.json"
    file.write_text(text)
    ended = command("load", str(file))
    assert ended.returncode == 2
    assert words in ended.stderr


def test_load_gives_up_on_an_etcd_that_does_not_answer(tmp_path: Path) -> None:
    file = tmp_path / "site.json"
    file.write_text('{"/a": "b"}')
    ended = command("load", str(file), "--etcd", f"http://127.0.0.1:{free_port()}", "--wait", "0.5")
    assert ended.returncode == 3
    assert b"given up after 0.5 s" in ended.stderr


@pytest.fixture
def strict_etcd() -> Iterator[Etcd]:
    """A server with etcd's own limit; that of the other tests takes larger requests."""
    server = Etcd("--max-request-bytes", "1572864")
    try:
        yield server.start()
    finally:
        server.close()


def test_load_puts_more_than_etcd_takes_in_one_request(strict_etcd: Etcd) -> None:
    large = {f"/large/{number}": "x" * 30_000 for number in range(128)}
    ended = command("load", "-", "--etcd", strict_etcd.url, stdin=json.dumps(large).encode())
    assert ended.returncode == 0, ended.stderr
    assert len(strict_etcd.items("/large/")) == 128


@pytest.mark.parametrize("size", [1_900_000, 5_000_000], ids=["etcd's limit", "gRPC's limit"])
def test_load_says_at_once_what_etcd_will_never_take(strict_etcd: Etcd, size: int) -> None:
    site = json.dumps({"/a": "b", "/large": "x" * size}).encode()
    ended = command("load", "-", "--etcd", strict_etcd.url, "--wait", "15", stdin=site)
    assert ended.returncode == 1
    assert b"large" in ended.stderr
    assert b"(1 of 2 keys put)" in ended.stderr
    assert b"given up" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"/a": "\\ud800"}', b"'/a': half of a surrogate pair"),
        ('{"/\\udc00": "a"}', b"half of a surrogate pair"),
        ('{"": "a"}', b"a key is empty"),
        ('{"/a": ' + "[" * 100_000 + "]" * 100_000 + "}", b"not JSON"),
    ],
    ids=["value that is no text", "key that is no text", "empty key", "bottomless value"],
)
def test_load_refuses_in_words_what_can_be_no_key_or_value(tmp_path: Path, text: str, words: bytes) -> None:
    file = tmp_path / "site.json"
    file.write_text(text)
    ended = command("load", str(file))
    assert ended.returncode == 2
    assert words in ended.stderr
    assert b"Traceback" not in ended.stderr
