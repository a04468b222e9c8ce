"""What was told, in a file, so that a start does not tell it again and tells what changed meanwhile.

.. code-block:: json

    {"version":1,"told":{"command":[
    ["ha_interface","ID",{"primary":["DOWN"],"secondary":["UP","DOWN"]}]
    ]}}

A line is a resource, with the last status that each entry was told with; a second one says that the receiver may have
been told that as well, so that it is told again. It is written at once where nothing was told for a while, else once a
second at the most, and at the end. It is never half a file; after a crash, the last moments may be missing.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Annotated, Literal

import anyio
import anyio.lowlevel
import anyio.to_thread
import msgspec

from ha_monitor.files import KeptFile
from ha_monitor.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ha_monitor.hooks.ledger import Key, Ledger
    from ha_monitor.hooks.teller import Teller

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two writes, at least; ten times as long as a write takes, where that is longer."""

_AT_ONCE = 200  # resources that are written before others have a turn

_Statuses = Annotated[list[Status | None], msgspec.Meta(min_length=1, max_length=2)]


class _Document(msgspec.Struct):
    version: Literal[1]
    told: dict[str, list[tuple[str, str, dict[str, _Statuses]]]]


class Memory:
    """The file, for the tellers whose ledgers are in it."""

    def __init__(self, path: Path, tellers: Sequence[Teller]) -> None:
        self._file = KeptFile(path, "hook state", 0o600)
        self._tellers = tellers
        self._written: Sequence[int] = ()
        self._news = anyio.Event()
        for teller in tellers:
            teller.on_news = self._tell

    async def recall(self) -> None:
        """Fill the ledgers with what an earlier run left; a warning where that can't be read."""
        try:
            document = await anyio.to_thread.run_sync(self._read)
        except FileNotFoundError:
            return
        except OSError as error:
            self._forget(error.strerror or str(error))
            return
        except (ValueError, RecursionError, msgspec.MsgspecError):
            self._forget("it is damaged")
            return
        for teller in self._tellers:
            if teller.kind in document.told:
                teller.observer.is_first = False
                for type_, id_, entries in document.told[teller.kind]:
                    told = {name: statuses[0] for name, statuses in entries.items() if statuses[0] is not None}
                    doubts = {name: statuses[1] for name, statuses in entries.items() if len(statuses) > 1}
                    teller.ledger.remember((type_, id_), told, doubts)

    def _read(self) -> _Document:
        # Not msgspec's own reader: an id may be no UTF-8, and is written with escapes that it does not take.
        return msgspec.convert(json.loads(self._file.path.read_bytes()), type=_Document)

    def _forget(self, why: str) -> None:
        log.warning("hook state %s: %s; nothing is told of what changed before this start", self._file.path, why)

    async def keep(self) -> None:
        """Write what is to be remembered, until cancelled."""
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            if not self._is_outdated():
                continue
            began, version = anyio.current_time(), self._version()
            content = _document({teller.kind: await _all_lines(teller.ledger) for teller in self._tellers})
            if await anyio.to_thread.run_sync(self._file.attempt, lambda: self._file.replace(content)):  # noqa: B023 - it is awaited
                self._written = version
            else:
                self._tell()
            await anyio.sleep(max(PAUSE, 10 * (anyio.current_time() - began)))

    def close(self) -> None:
        """Write what is to be remembered at the end."""
        if self._is_outdated():
            lines = {teller.kind: _lines(teller.ledger, teller.ledger.known()) for teller in self._tellers}
            self._file.attempt(lambda: self._file.replace(_document(lines)))

    def _tell(self) -> None:
        self._news.set()

    def _version(self) -> Sequence[int]:
        return [teller.ledger.version for teller in self._tellers]

    def _is_outdated(self) -> bool:
        """Whether there is something else to write; what knows only a part of the resources is not written."""
        return all(teller.observer.is_complete for teller in self._tellers) and self._version() != self._written


async def _all_lines(ledger: Ledger) -> list[str]:
    keys, lines = tuple(ledger.known()), list[str]()
    for start in range(0, len(keys), _AT_ONCE):
        lines += _lines(ledger, keys[start : start + _AT_ONCE])
        await anyio.lowlevel.checkpoint()
    return lines


def _lines(ledger: Ledger, keys: Iterable[Key]) -> list[str]:
    return [json.dumps([*key, entries], separators=(",", ":")) for key in keys if (entries := _entries(ledger, key))]


def _entries(ledger: Ledger, key: Key) -> dict[str, list[Status | None]]:
    account = ledger.account(key)
    entries: dict[str, list[Status | None]] = {name: [status] for name, status in account.told.items()}
    for name, status in account.perhaps().items():
        entries[name] = [account.told.get(name), status]
    return entries


def _document(lines: dict[str, list[str]]) -> bytes:
    told = ",".join(json.dumps(kind) + ":[\n" + ",\n".join(of_kind) + "\n]" for kind, of_kind in lines.items())
    return f'{{"version":1,"told":{{{told}}}}}\n'.encode()
