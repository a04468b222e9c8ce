"""For the tests of whoever embeds the monitor: an etcd in memory that fails on demand, and time that does not pass.

:class:`MemoryEtcd` is the etcd, :func:`run` runs a test in virtual time, :class:`VirtualLoop` is its event loop, for
other runners, :func:`pass_time` keeps that busy, and :class:`LoopClock` is the clock that goes with both. What the etcd
in memory answers is held against a real one in our own tests.
"""

from ha_monitor.testing.clock import LoopClock
from ha_monitor.testing.etcd import MemoryEtcd
from ha_monitor.testing.faults import Backup
from ha_monitor.testing.loop import Stuck, VirtualLoop, pass_time, run

__all__ = ["Backup", "LoopClock", "MemoryEtcd", "Stuck", "VirtualLoop", "pass_time", "run"]
