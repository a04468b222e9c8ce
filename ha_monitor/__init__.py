"""Event-driven HA status from etcd to etcd.

:class:`HaMonitor` watches resources and their monitoring templates in etcd, keeps a task per rendered resource, and
publishes primary/secondary status the moment a state changes. The command is ``ha-monitor``.
"""

from ha_monitor.errors import (
    EtcdError,
    EtcdRefused,
    EtcdUnavailable,
    GroupRefused,
    HaMonitorError,
    SettingsError,
)
from ha_monitor.explain.report import Explanation
from ha_monitor.model import Change, EntryStatus, GroupStatus, Readiness, Resource, Resync, Status
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
    "Settings",
    "SettingsError",
    "Status",
]
