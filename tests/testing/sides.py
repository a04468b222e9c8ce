"""A real etcd of its own and the one in memory, of the same version, with the same methods for what happens to them."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aetcd import rpc

from ha_monitor.etcd.connection import Access, ChannelStubs, dial
from ha_monitor.testing import MemoryEtcd
from tests.faults import operate
from tests.support import snapshots
from tests.support.etcd import CALL, Etcd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator

    from ha_monitor.etcd.connection import Stubs

ROOT, PASSWORD = "root", "root-pw"
TOKEN_LIVES = 2  # seconds without use
LONG = 30.0  # seconds that an answer may take on a busy machine
_RETRIED = (rpc.StatusCode.UNAVAILABLE, rpc.StatusCode.DEADLINE_EXCEEDED)


def version_of(etcd: Etcd) -> str:
    """Ask a real server for its version."""
    with operate.channel(etcd) as opened:
        return str(rpc.MaintenanceStub(opened).Status(rpc.StatusRequest(), timeout=CALL).version)


class Real:
    """A real etcd with the faults that the one in memory has."""

    real = True

    def __init__(self, token: str = "simple") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ha-monitor-test-key-")
        key = Path(self._folder.name, "key")
        key.write_bytes(b"k" * 64)
        options = ["--auth-token-ttl", str(TOKEN_LIVES)]
        if token == "jwt":
            options = ["--auth-token", f"jwt,sign-method=HS256,priv-key={key},ttl=10m"]
        self._etcd = Etcd(*options).start()
        self._dialed: list[ChannelStubs] = []
        self.put, self.delete, self.items = self._etcd.put, self._etcd.delete, self._etcd.items
        self.freeze, self.thaw = self._etcd.freeze, self._etcd.thaw
        self.go_down, self.come_up = self._etcd.kill, self._etcd.start
        self._users: set[str] = set()

    @property
    def stubs(self) -> Stubs:
        """On a connection that takes calls, as a client has it."""
        if not self._dialed or self._dialed[-1].fault is not None:
            stubs = dial(self._etcd.url, Access())
            stubs.maintenance.Alarm = stubs._channel.unary_unary(
                "/etcdserverpb.Maintenance/Alarm", rpc.AlarmRequest.SerializeToString, rpc.AlarmResponse.FromString
            )
            self._dialed.append(stubs)
        return self._dialed[-1]

    @property
    def revision(self) -> int:
        return self._etcd.revision()

    def backup(self) -> Path:
        return snapshots.save(self._etcd, Path(self._folder.name, "snapshot"))

    def rewind(self, backup: Path, *, cluster_id: int, bump_revision: int = 0) -> None:
        """Restore a snapshot; the cluster's id is of the tool's making, and stays where it is the one of now."""
        with operate.channel(self._etcd) as opened:
            now = rpc.KVStub(opened).Range(rpc.RangeRequest(key=b"/"), timeout=CALL).header.cluster_id
        token = snapshots.TOKEN if cluster_id == now else "another"
        self._etcd.kill()
        snapshots.restore(self._etcd, backup, bump=bump_revision, token=token)
        self._etcd.start()

    def wipe(self) -> None:
        self._etcd.kill()
        operate.wipe(self._etcd)
        self._etcd.start()

    def fill_up(self) -> None:
        self._alarm("ACTIVATE", "NOSPACE")

    def corrupt(self) -> None:
        self._alarm("ACTIVATE", "CORRUPT")

    def disarm(self) -> None:
        for alarm in ("NOSPACE", "CORRUPT"):
            self._alarm("DEACTIVATE", alarm)

    def _alarm(self, action: str, alarm: str) -> None:
        with operate.channel(self._etcd) as opened:
            stub = rpc.MaintenanceStub(opened)
            member = stub.Status(rpc.StatusRequest(), timeout=CALL).header.member_id
            stub.Alarm(rpc.AlarmRequest(action=action, memberID=member, alarm=alarm), timeout=CALL)

    @contextlib.contextmanager
    def _auth(self) -> Iterator[Any]:
        """Give a call to the Auth service, as root where that is asked for."""
        with operate.channel(self._etcd) as opened:
            stub = rpc.AuthStub(opened)

            def call(name: str, request: Any) -> None:
                getattr(stub, name)(request, timeout=CALL, metadata=self._etcd.metadata)
                self._etcd.forget_token()

            yield call

    def set_user(self, name: str, password: str, *, read: list[str], write: list[str]) -> None:
        with self._auth() as call:
            if name in self._users:
                call("UserChangePassword", rpc.AuthUserChangePasswordRequest(name=name, password=password))
                return
            for user, secret in ((ROOT, PASSWORD), (name, password)):
                if user not in self._users:
                    call("UserAdd", rpc.AuthUserAddRequest(name=user, password=secret))
                    call("RoleAdd", rpc.AuthRoleAddRequest(name=user))
                    self._users.add(user)
                    if user == ROOT:
                        call("UserGrantRole", rpc.AuthUserGrantRoleRequest(user=ROOT, role=ROOT))
            kinds = rpc.Permission.Type
            for prefix in {*read, *write}:  # a second permission on a range takes the place of the first
                kind = kinds.READWRITE if prefix in read and prefix in write else kinds.READ
                kind = kinds.WRITE if prefix not in read else kind
                end = prefix[:-1].encode() + b"0"
                permission = rpc.Permission(permType=kind, key=prefix.encode(), range_end=end)
                call("RoleGrantPermission", rpc.AuthRoleGrantPermissionRequest(name=name, perm=permission))
            call("UserGrantRole", rpc.AuthUserGrantRoleRequest(user=name, role=name))
        if self._etcd.user is None:
            self.enable_auth()

    def remove_user(self, name: str) -> None:
        self._users.discard(name)
        with self._auth() as call:
            call("UserDelete", rpc.AuthUserDeleteRequest(name=name))

    def enable_auth(self) -> None:
        with self._auth() as call:
            call("AuthEnable", rpc.AuthEnableRequest())
        self._etcd.user = (ROOT, PASSWORD)

    def disable_auth(self) -> None:
        with self._auth() as call:
            call("AuthDisable", rpc.AuthDisableRequest())
        self._etcd.user = None

    def expire_tokens(self) -> None:
        time.sleep(TOKEN_LIVES + 1.5)

    async def close(self) -> None:
        for stubs in self._dialed:
            await stubs.close()
        self._etcd.close()
        self._folder.cleanup()


class Memory(MemoryEtcd):
    """The etcd in memory, with its stubs at hand."""

    real = False

    def __init__(self, version: str, token: Any = "simple") -> None:
        super().__init__(version=version, token=token)
        self.stubs: Stubs = self.connect("", Access())

    async def close(self) -> None:
        await self.stubs.close()


async def reached(side: Any, metadata: Any = ()) -> None:
    """Wait until a read is answered."""
    with anyio.fail_after(LONG):
        while True:
            try:
                await side.stubs.kv.Range(rpc.RangeRequest(key=b"/a"), timeout=1.0, metadata=metadata)
            except rpc.AioRpcError as error:
                if error.code() not in _RETRIED:
                    return
                await anyio.sleep(0.05)
            else:
                return


async def refused(call: Awaitable[Any]) -> tuple[Any, str]:
    """Give code and words of a refusal."""
    with pytest.raises(rpc.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details()


@contextlib.asynccontextmanager
async def watching(side: Any, metadata: Any = ()) -> AsyncIterator[Any]:
    """Give a stream, ended in the end."""
    stream = side.stubs.watch.Watch(metadata=metadata)
    with anyio.fail_after(LONG):
        try:
            yield stream
        finally:
            stream.cancel()


async def create(stream: Any, **fields: Any) -> Any:
    """Create a watch; give the first answer."""
    await stream.write(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(**fields)))
    return await stream.read()


async def request_progress(stream: Any) -> None:
    """Send a progress request."""
    await stream.write(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))
