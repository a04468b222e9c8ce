"""What a feed fills: whoever keeps the items of a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aetcd import rpc


class Sink(Protocol):
    """Keeps the items of a prefix."""

    def size(self) -> int:
        """Give about how many keys there are."""

    def count(self) -> int | None:
        """Give how many keys there are, as far as list and watch have brought them; ``None`` where it can't tell."""

    def list_begins(self) -> None:
        """Note that the items that follow replace all that is known."""

    def put_items(self, items: Sequence[rpc.KeyValue]) -> Iterator[None]:
        """Take some items of a list. Yields where the event loop may have a turn."""

    def list_ends(self, revision: int) -> Iterator[None]:
        """Drop what the list did not have. Yields where the event loop may have a turn."""

    def apply(self, events: Sequence[rpc.Event]) -> Iterator[None]:
        """Apply the events of one or more whole revisions. Yields where the event loop may have a turn."""
