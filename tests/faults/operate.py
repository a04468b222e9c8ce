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


def _alarm(etcd: Etcd, action: Any) -> None:
    with channel(etcd) as opened:
        request = rpc.AlarmRequest(action=action, memberID=0, alarm=rpc.AlarmType.NOSPACE)
        rpc.MaintenanceStub(opened).Alarm(request, timeout=CALL)


def raise_no_space(etcd: Etcd) -> None:
    """Have the server say that its disk is full: it takes no puts until that is disarmed."""
    _alarm(etcd, rpc.AlarmRequest.AlarmAction.ACTIVATE)


def disarm(etcd: Etcd) -> None:
    """Have it take puts again."""
    _alarm(etcd, rpc.AlarmRequest.AlarmAction.DEACTIVATE)


def back_up(etcd: Etcd) -> Path:
    """Keep the data of a server that is not running; gives where."""
    kept = Path(etcd.folder, "kept")
    shutil.copytree(Path(etcd.folder, "data"), kept)
    return kept


def put_back(etcd: Etcd, kept: Path) -> None:
    """Put the data back that were kept, once, to a server that is not running."""
    shutil.rmtree(Path(etcd.folder, "data"), ignore_errors=True)  # which one that never ran has not
    shutil.move(kept, Path(etcd.folder, "data"))
