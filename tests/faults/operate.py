"""What an operator, or bad luck, does to a store: compaction, a wiped disk, a full one."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from aetcd import rpc

from tests.support.etcd import CALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.etcd import Etcd


@contextlib.contextmanager
def channel(etcd: Etcd) -> Iterator[Any]:
    """Give a plain channel to a server."""
    with grpc.insecure_channel(f"127.0.0.1:{etcd.port}") as opened:
        yield opened


def compact(etcd: Etcd) -> None:
    """Throw away all history."""
    with channel(etcd) as opened:
        rpc.KVStub(opened).Compact(rpc.CompactionRequest(revision=etcd.revision()), timeout=CALL)


def wipe(etcd: Etcd) -> None:
    """Remove the data of a server that is not running."""
    shutil.rmtree(Path(etcd.folder, "data"))


def set_alarm(etcd: Etcd, kind: str, *, member: int = 0, raised: bool) -> None:
    """Raise an alarm of a member, ``NOSPACE`` or ``CORRUPT``, or disarm it: what it means for writes holds at once."""
    actions = rpc.AlarmRequest.AlarmAction
    action = actions.ACTIVATE if raised else actions.DEACTIVATE
    with channel(etcd) as opened:
        request = rpc.AlarmRequest(action=action, memberID=member, alarm=rpc.AlarmType.Value(kind))
        rpc.MaintenanceStub(opened).Alarm(request, timeout=CALL)


def raise_no_space(etcd: Etcd) -> None:
    """Have the server say that its disk is full: it takes no puts until that is disarmed."""
    set_alarm(etcd, "NOSPACE", raised=True)


def disarm(etcd: Etcd) -> None:
    """Have it take puts again."""
    set_alarm(etcd, "NOSPACE", raised=False)


def back_up(etcd: Etcd) -> Path:
    """Keep the data of a server that is not running; gives where."""
    kept = Path(etcd.folder, "kept")
    shutil.copytree(Path(etcd.folder, "data"), kept)
    return kept


def put_back(etcd: Etcd, kept: Path) -> None:
    """Put the data back that were kept, once, to a server that is not running."""
    shutil.rmtree(Path(etcd.folder, "data"), ignore_errors=True)  # which one that never ran has not
    shutil.move(kept, Path(etcd.folder, "data"))
