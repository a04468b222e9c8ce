"""Event-driven HA status from etcd to etcd.

:class:`HaMonitor` watches resources and their monitoring templates in etcd, keeps a task per rendered resource, and
publishes primary/secondary status the moment a state changes. The command is ``ha-monitor``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ha_monitor.errors import (
    EtcdError,
    EtcdRefused,
    EtcdUnavailable,
    GroupRefused,
    HaMonitorError,
    RevisionTimeout,
    SettingsError,
)
from ha_monitor.model import Change, EntryStatus, GroupStatus, Readiness, Resource, Resync, Status

if TYPE_CHECKING:
    from ha_monitor.explain.report import Explanation
    from ha_monitor.monitor import HaMonitor
    from ha_monitor.settings import Settings

__all__ = [
    "Change",
    "EntryStatus",
    "EtcdError",
    "EtcdRefused",
    "EtcdUnavailable",
    "Explanation",
    "GroupRefused",
    "GroupStatus",
    "HaMonitor",
    "HaMonitorError",
    "Readiness",
    "Resource",
    "Resync",
    "RevisionTimeout",
    "Settings",
    "SettingsError",
    "Status",
]


if not TYPE_CHECKING:  # a type checker would take every name for one of ours

    def __getattr__(name: str) -> object:
        """Import what brings gRPC, Jinja2 and pydantic along once it is asked for: a Tab key waits for us, too."""
        rooms = {"Explanation": "explain.report", "HaMonitor": "monitor", "Settings": "settings"}
        if name not in rooms:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"ha_monitor.{rooms[name]}"), name)


def __dir__() -> list[str]:
    """Name what there is to import."""
    return __all__
