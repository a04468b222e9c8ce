"""Snapshots as an operator takes and restores them: with ``etcdctl`` and ``etcdutl``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.binaries import Version, tool, version

if TYPE_CHECKING:
    from tests.support.cluster import Cluster
    from tests.support.etcd import Etcd

TOKEN = "etcd-cluster"
"""Etcd's default of ``--initial-cluster-token``."""

TOOL = 60.0  # seconds that a tool may take
_HAS_ETCDUTL: Version = (3, 5, 0)  # before, etcdctl restored snapshots itself


def save(etcd: Etcd, target: Path) -> Path:
    """Take a snapshot of a running server, or of a member of a cluster, into a file; return its path."""
    user = [] if etcd.user is None else ["--user", ":".join(etcd.user)]
    patience = ["--dial-timeout", f"{TOOL:g}s", "--command-timeout", f"{TOOL:g}s"]  # 2 s and 5 s if not set
    _run("etcdctl", "--endpoints", etcd.url, *user, *patience, "snapshot", "save", str(target))
    return target


def can_bump() -> bool:
    """Tell whether this version's restore has ``--bump-revision``: not in 3.4.23 and not in 3.5.1."""
    return "--bump-revision" in _run(_restorer(), "snapshot", "restore", "--help")


def restore(etcd: Etcd, snapshot: Path, *, bump: int = 0, token: str = TOKEN) -> None:
    """Replace the data of a server that is not running by a snapshot.

    :param bump: raise the revision by so many, and mark all before as compacted; see :func:`can_bump`.
    :param token: the cluster's id is a hash of this and of the peer URLs: the default keeps the id, another changes it.
    """
    data = Path(etcd.folder, "data")
    _restore(data, snapshot, bump, token, name="default", peer=etcd.peer_url, cluster=etcd.initial_cluster)


def restore_member(cluster: Cluster, member: int, snapshot: Path, *, bump: int = 0, token: str = TOKEN) -> None:
    """Replace the data of a member that is not running, as :func:`restore` does; each member needs it."""
    data, peer = cluster.data(member), cluster.peers[member]
    _restore(data, snapshot, bump, token, name=f"m{member}", peer=peer, cluster=cluster.initial_cluster)


def _restore(data: Path, snapshot: Path, bump: int, token: str, *, name: str, peer: str, cluster: str) -> None:
    shutil.rmtree(data, ignore_errors=True)  # restore wants to make it; a server that never ran has none
    line = ["snapshot", "restore", str(snapshot), "--data-dir", str(data), "--name", name]
    line += ["--initial-advertise-peer-urls", peer, "--initial-cluster", cluster, "--initial-cluster-token", token]
    if bump:
        line += ["--bump-revision", str(bump), "--mark-compacted"]
    _run(_restorer(), *line)


def _restorer() -> str:
    return "etcdutl" if version() >= _HAS_ETCDUTL else "etcdctl"


def _run(name: str, *arguments: str) -> str:
    env = {**os.environ, "ETCDCTL_API": "3"}
    ended = subprocess.run([tool(name), *arguments], capture_output=True, text=True, timeout=TOOL, env=env, check=False)
    assert ended.returncode == 0, f"{name} {' '.join(arguments)}: {ended.stderr or ended.stdout}"
    return ended.stdout
