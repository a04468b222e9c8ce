"""Users, tokens and auth under way: a real etcd has to answer as the one in memory of the same version does.

Each scenario is done on both, and what came of it is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aetcd import rpc

from ha_monitor.testing.versions import behaviour
from tests.testing.sides import LONG, Memory, Real, create, reached, watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = [pytest.mark.anyio, pytest.mark.thorough]
Metadata = tuple[tuple[str, str], ...]
RUBBISH: Metadata = (("token", "rubbish"),)


@pytest.fixture(params=["simple", "jwt"])
async def both(request: pytest.FixtureRequest, etcd_version: str) -> AsyncIterator[tuple[Any, Any]]:
    """Give a real etcd and one in memory, with the kind of token that the test is about."""
    real, memory = Real(request.param), Memory(etcd_version, request.param)
    try:
        await reached(real)
        yield real, memory
    finally:
        await real.close()
        await memory.close()


async def came_of(call: Awaitable[Any]) -> str:
    try:
        await call
    except rpc.AioRpcError as error:
        return f"{error.code().name}: {error.details()}"
    return "done"


async def login(etcd: Any, password: str = "pw", name: str = "me") -> Metadata:
    request = rpc.AuthenticateRequest(name=name, password=password)
    return (("token", (await etcd.stubs.auth.Authenticate(request, timeout=LONG)).token),)


async def keep_alive(etcd: Any, lease: int, metadata: Metadata) -> None:
    call = etcd.stubs.lease.LeaseKeepAlive(metadata=metadata, timeout=LONG)
    try:
        await call.write(rpc.LeaseKeepAliveRequest(ID=lease))
        await call.read()
    finally:
        call.cancel()


async def watch(etcd: Any, metadata: Metadata) -> str:
    stream = etcd.stubs.watch.Watch(metadata=metadata)
    reply = await create(stream, key=b"/r/", range_end=b"/r0")
    stream.cancel()
    return f"{reply.watch_id} created={reply.created} canceled={reply.canceled} {reply.cancel_reason}"


class Scenario:
    """One of both etcds, with a user, two leases, of which one has a key; notes what came of each call."""

    def __init__(self, etcd: Any) -> None:
        self.etcd = etcd
        self.leases: list[int] = []
        self.noted: dict[str, str] = {}

    async def prepare(self) -> Scenario:
        for _ in range(2):
            self.leases.append((await self.etcd.stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(TTL=600))).ID)
        await self.etcd.stubs.kv.Put(rpc.PutRequest(key=b"/w/leased", lease=self.leases[0]))
        self.etcd.set_user("me", "pw", read=["/r/", "/w/"], write=["/w/"])
        return self

    async def ask(self, who: str, metadata: Metadata) -> None:
        """Make each call that a client may want to make."""
        stubs, more = self.etcd.stubs, {"metadata": metadata, "timeout": LONG}
        put = rpc.RequestOp(request_put=rpc.PutRequest(key=b"/w/a", value=b"x"))
        read = rpc.RequestOp(request_range=rpc.RangeRequest(key=b"/w/a"))
        calls = {
            "range": stubs.kv.Range(rpc.RangeRequest(key=b"/r/a"), **more),
            "put": stubs.kv.Put(rpc.PutRequest(key=b"/w/a"), **more),
            "delete": stubs.kv.DeleteRange(rpc.DeleteRangeRequest(key=b"/w/a"), **more),
            "txn": stubs.kv.Txn(rpc.TxnRequest(success=[put, read]), **more),
            "txn that reads": stubs.kv.Txn(rpc.TxnRequest(success=[read]), **more),
            "grant": stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(TTL=60), **more),
            "keep alive": keep_alive(self.etcd, self.leases[1], metadata),
            "keep alive with a key": keep_alive(self.etcd, self.leases[0], metadata),
            "time to live": stubs.lease.LeaseTimeToLive(rpc.LeaseTimeToLiveRequest(ID=self.leases[1]), **more),
            "status": stubs.maintenance.Status(rpc.StatusRequest(), **more),
            "alarms": stubs.maintenance.Alarm(rpc.AlarmRequest(), **more),
        }
        for name, call in calls.items():
            self.noted[f"{who}: {name}"] = await came_of(call)
        self.noted[f"{who}: watch"] = await watch(self.etcd, metadata)

    async def note(self, name: str, call: Awaitable[Any]) -> None:
        self.noted[name] = await came_of(call)


async def compare(both: tuple[Any, Any], play: Callable[[Scenario], Awaitable[None]]) -> dict[str, str]:
    """Play a scenario on both; give what came of it."""
    noted = []
    for etcd in both:
        scenario = await Scenario(etcd).prepare()
        await play(scenario)
        noted.append(scenario.noted)
    real, memory = noted
    assert memory == real
    return real


async def test_what_is_asked_with_and_without_a_token(both: tuple[Any, Any]) -> None:
    async def play(scenario: Scenario) -> None:
        await scenario.ask("nobody", ())
        await scenario.ask("rubbish", RUBBISH)
        await scenario.ask("me", await login(scenario.etcd))
        revoke = scenario.etcd.stubs.lease.LeaseRevoke
        for lease in scenario.leases:
            await scenario.note(f"revoke {scenario.leases.index(lease)}", revoke(rpc.LeaseRevokeRequest(ID=lease)))

    noted = await compare(both, play)
    assert (noted["me: put"], noted["nobody: put"]) == ("done", "INVALID_ARGUMENT: etcdserver: user name is empty")


async def test_another_user_was_added(both: tuple[Any, Any], etcd_version: str) -> None:
    async def play(scenario: Scenario) -> None:
        token = await login(scenario.etcd)
        scenario.etcd.set_user("other", "pw", read=[], write=[])
        await scenario.ask("me", token)
        await scenario.ask("me anew", await login(scenario.etcd))

    noted = await compare(both, play)
    old = "UNKNOWN: auth: revision in header is old"
    if not behaviour(etcd_version).old_token_is_unknown:
        old = "INVALID_ARGUMENT: etcdserver: revision of auth store is old"
    assert noted["me: range"] in (old, "done")
    assert noted["me anew: range"] == "done"


async def test_the_password_was_changed(both: tuple[Any, Any]) -> None:
    async def play(scenario: Scenario) -> None:
        token = await login(scenario.etcd)
        scenario.etcd.set_user("me", "new", read=["/r/", "/w/"], write=["/w/"])
        await scenario.ask("me", token)
        await scenario.note("the old one", login(scenario.etcd))
        await scenario.ask("the new one", await login(scenario.etcd, "new"))

    noted = await compare(both, play)
    assert noted["the new one: put"] == "done"


async def test_the_user_was_removed(both: tuple[Any, Any]) -> None:
    async def play(scenario: Scenario) -> None:
        token = await login(scenario.etcd)
        async with watching(scenario.etcd, token) as stream:
            await create(stream, key=b"/r/", range_end=b"/r0")
            scenario.etcd.remove_user("me")
            await scenario.ask("me", token)
            await scenario.note("again", login(scenario.etcd))
            scenario.etcd.put("/r/a", "x")
            assert (await stream.read()).events[0].kv.value == b"x", "a watch is checked once"

    await compare(both, play)


async def test_auth_is_disabled_and_enabled_again(both: tuple[Any, Any]) -> None:
    async def play(scenario: Scenario) -> None:
        token = await login(scenario.etcd)
        scenario.etcd.disable_auth()
        await scenario.ask("nobody", ())
        await scenario.ask("me", token)
        await scenario.ask("rubbish", RUBBISH)
        await scenario.note("login", login(scenario.etcd))
        scenario.etcd.enable_auth()
        await scenario.ask("me again", token)
        await scenario.ask("nobody again", ())
        await scenario.ask("me anew", await login(scenario.etcd))

    noted = await compare(both, play)
    assert noted["login"] == "FAILED_PRECONDITION: etcdserver: authentication is not enabled"
    assert (noted["nobody: put"], noted["me anew: put"]) == ("done", "done")


# A simple token may outlive a restart: the server repeats the logins of the last moments from its log.
@pytest.mark.parametrize("both", ["jwt"], indirect=True)
async def test_a_jwt_outlives_a_restart(both: tuple[Any, Any]) -> None:
    async def play(scenario: Scenario) -> None:
        token = await login(scenario.etcd)
        scenario.etcd.go_down()
        scenario.etcd.come_up()
        await reached(scenario.etcd, token)
        await scenario.ask("me", token)

    assert (await compare(both, play))["me: put"] == "done"


async def test_a_denied_watch_and_the_first_one_on_its_stream(both: tuple[Any, Any], etcd_version: str) -> None:
    got: list[Any] = []

    async def play(scenario: Scenario) -> None:
        async with watching(scenario.etcd, await login(scenario.etcd)) as stream:
            for prefix, id_ in ((b"/r/1", 0), (b"/r/2", 0), (b"/x", 7), (b"/x", 0), (b"/r/3", 7)):
                reply = await create(stream, key=prefix, watch_id=id_)
                scenario.noted[f"{len(scenario.noted)}"] = f"{reply.watch_id} {reply.canceled} {reply.cancel_reason}"
            for key in ("/r/1", "/r/2", "/r/3"):
                scenario.etcd.put(key, "x")
            while True:
                reply = await stream.read()
                scenario.noted[f"{len(scenario.noted)}"] = f"{reply.watch_id} {reply.events[0].kv.key!r}"
                got.append(reply.watch_id)
                if reply.watch_id == 7:
                    break

    await compare(both, play)
    first = [] if behaviour(etcd_version).denied_watch_keeps_its_id else [0]
    assert got == 2 * [*first, 1, 7]
