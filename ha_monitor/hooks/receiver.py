"""What a receiver of changes is, and what may come of telling it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from ha_monitor.model import Change

Result: TypeAlias = Literal["ok", "failed", "timeout", "refused"]
"""``failed`` and ``timeout`` are tried again; what was ``refused`` is not: it was told, and would not have it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    :param words: what went wrong.
    :param perhaps: whether it may have been told though it failed.
    :param wait: seconds that the receiver asks us to wait.
    """

    result: Result
    words: str = ""
    perhaps: bool = True
    wait: float = 0.0


OK = Outcome("ok")


class Receiver(Protocol):
    """Somebody who is told of changes."""

    @property
    def name(self) -> str:
        """What it is called in log lines; no secrets are in it."""

    async def tell(self, change: Change) -> Outcome:
        """Tell it of one change. When cancelled, what was begun is ended before this returns."""
