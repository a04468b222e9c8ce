"""A running monitor, asked over HTTP; whatever goes wrong is told in words."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote

import click
import msgspec

from ha_monitor.cli import REFUSED
from ha_monitor.errors import SettingsError
from ha_monitor.text import local_time
from ha_monitor.transition import Transition
from ha_monitor.web import shapes
from ha_monitor.web.explained import Explanation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    T = TypeVar("T")

Query: TypeAlias = "dict[str, str | int]"
"""What is asked of ``/api/v1/resources``."""

_ANSWER = 10.0  # seconds that an answer may take
_SILENCE = 15.0  # seconds without an event after which the stream is given up: a heartbeat comes every 5 s
_PAGE = 1_000  # resources asked for at once; the API gives no more


url_option = click.option(
    "--url",
    envvar="HA_MONITOR_URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    metavar="URL",
    help="Where the monitor answers.",
)
consistent_option = click.option(
    "--consistent",
    is_flag=True,
    help="Have an answer as of now: the monitor reads etcd's revision first and waits for it. Exit code 3 where it is"
    " not there within 5 s.",
)
token_option = click.option(
    "--http-token-file",
    "token_file",
    envvar="HA_MONITOR_HTTP_TOKEN_FILE",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File with the token that it asks for.",
)


class Unreachable(click.ClickException):
    """The monitor gives no answer, or none that we understand. Exit code 1."""


class Absent(click.ClickException):
    """There is no such resource. Exit code 1."""


class NotConsistent(click.ClickException):
    """The monitor has no answer as of now: etcd is unreachable for it, or it is behind. Exit code 3."""

    exit_code = REFUSED


class Look(NamedTuple):
    """A monitor at one moment."""

    ready: shapes.Ready
    letters: str
    """One letter for each resource that there is."""
    shown: shapes.Resources
    group: shapes.Group
    types: tuple[str, ...] = ()
    """All types that there are."""
    lacks: str = ""
    """The type that was asked for, where there is none of that name."""

    @property
    def proven_at(self) -> str | None:
        """When what is shown was last proven right, of the resource that has waited longest; ``None``: never."""
        return min((each.proven_at for each in self.shown.resources if each.proven_at), default=None)

    @property
    def fault(self) -> str:
        """Why it is not to be trusted; empty where it is."""
        if self.ready.ready and self.lacks:
            return f"there is no type {self.lacks}; types: {', '.join(self.types) or 'none'}"
        if self.ready.ready:
            return ""
        proven = self.proven_at
        return f"NOT READY: {self.ready.reason}" + (f"; what follows is of {local_time(proven)}" if proven else "")

    @property
    def warning(self) -> str:
        """A fault that does not make it unready; empty where there is none."""
        return f"WARNING: {self.ready.warning}" if self.ready.warning else ""


class Remote:
    """Asks one monitor."""

    def __init__(self, client: httpx.AsyncClient, *, consistent: bool = False) -> None:
        """Prepare.

        :param consistent: have each answer as of now; :class:`NotConsistent` is raised where that can't be had.
        """
        self._client = client
        self._as_of: Query = {"consistent": 1} if consistent else {}

    async def look(self, query: Query) -> Look:
        """Give its state and the resources that are asked for, what is not healthy first."""
        shown = await self._ask("/api/v1/resources", shapes.Resources, {**query, **self._as_of, "order": "health"})
        ready = await self._ask("/readyz", shapes.Ready)
        map_ = await self._ask("/api/v1/map", shapes.Map)
        group = await self._ask("/api/v1/group", shapes.Group)
        wanted, types = str(query.get("type") or ""), tuple(each.type for each in map_.types)
        letters = "".join(each.codes for each in map_.types if wanted in ("", each.type))
        return Look(ready, letters, shown, group, types, "" if wanted in types else wanted)

    async def everything(self, query: Query) -> Look:
        """Give all resources that are asked for, by type and id."""
        found = await self._ask("/api/v1/resources", shapes.Resources, {**query, **self._as_of, "limit": _PAGE})
        ready = await self._ask("/readyz", shapes.Ready)
        cursor = found.cursor
        while cursor is not None:
            page = await self._ask("/api/v1/resources", shapes.Resources, {**query, "limit": _PAGE, "cursor": cursor})
            found.resources += page.resources
            cursor = page.cursor
        return Look(ready, "", found, await self._ask("/api/v1/group", shapes.Group))

    async def explain(self, type_: str, id_: str) -> Explanation:
        """Have it explain a resource; raises :class:`Absent` where it knows of none."""
        path = f"/api/v1/explain/{_segment(type_)}/{_segment(id_)}"
        with self._in_words():
            answer = await self._client.get(path, params=self._as_of)
            if answer.status_code == 404:
                raise Absent(msgspec.json.decode(answer.content, type=shapes.Failure).error)
            if answer.status_code != 200:
                raise self._refused(answer)
            return msgspec.json.decode(answer.content, type=Explanation)

    async def events(self, type_: str) -> AsyncIterator[Transition | shapes.Heartbeat]:
        """Give what happens, beginning with a heartbeat; raises :class:`Unreachable` when nothing is heard any more."""
        import httpx
        from httpx_sse import SSEError, aconnect_sse

        path, query = "/api/v1/events", {"snapshot": "none", "type": type_}
        patience = httpx.Timeout(_ANSWER, read=_SILENCE)
        with self._in_words():
            async with aconnect_sse(self._client, "GET", path, params=query, timeout=patience) as source:
                if source.response.status_code != 200:
                    await source.response.aread()
                    raise self._refused(source.response)
                try:
                    async for event in source.aiter_sse():
                        if event.event == "change":
                            yield msgspec.json.decode(event.data, type=Transition)
                        elif event.event == "heartbeat":
                            yield msgspec.json.decode(event.data, type=shapes.Heartbeat)
                except SSEError as error:
                    raise Unreachable(f"{self._client.base_url} is no ha-monitor: {error}") from error
        raise Unreachable(f"{self._client.base_url} has ended")

    async def _ask(self, path: str, shape: type[T], query: Query | None = None) -> T:
        with self._in_words():
            answer = await self._client.get(path, params=query)
            if answer.status_code != 200 and path != "/readyz":  # not ready is an answer
                raise self._refused(answer)
            return msgspec.json.decode(answer.content, type=shape)

    def _refused(self, answer: httpx.Response) -> click.ClickException:
        try:
            words = msgspec.json.decode(answer.content, type=shapes.Failure).error
        except msgspec.DecodeError:
            words = "it is no ha-monitor"
        if answer.status_code == 504 and self._as_of:
            return NotConsistent(f"{self._client.base_url} has no consistent answer: {words}")
        hint = "; --http-token-file names the file with the token" if answer.status_code == 401 else ""
        return Unreachable(f"{self._client.base_url} answers {answer.status_code}: {words}{hint}")

    @contextlib.contextmanager
    def _in_words(self) -> Any:
        import httpx

        where = self._client.base_url
        try:
            yield
        except httpx.ConnectError as error:
            raise Unreachable(f"nobody answers at {where} ({error}); --url names the monitor to ask") from error
        except httpx.TimeoutException as error:
            raise Unreachable(f"{where} gives no answer in time") from error
        except httpx.HTTPError as error:
            raise Unreachable(f"{where}: {str(error) or type(error).__name__}") from error
        except msgspec.DecodeError as error:
            raise Unreachable(f"{where} is no ha-monitor, or another version: {error}") from error


@contextlib.asynccontextmanager
async def remote(url: str, token_file: Path | None, *, consistent: bool = False) -> AsyncIterator[Remote]:
    """Give the monitor at a URL. Raises ``click.UsageError`` where URL, token file or environment can't be used.

    :param consistent: as :class:`Remote` has it.
    """
    try:
        import httpx
        import httpx_sse  # noqa: F401 - used later; what is missing is told of now

        from ha_monitor.outward import open_client
    except ImportError as error:
        words = (
            f"asking a running monitor needs the extra http ({error.name} is missing): pip install 'ha-monitor[http]'"
        )
        raise click.UsageError(words) from error
    try:
        base = httpx.URL(url)
        is_usable = base.scheme in ("http", "https") and bool(base.host) and (base.port or 0) <= 65535
    except (httpx.InvalidURL, ValueError) as error:
        raise click.UsageError(f"--url {url}: {error}") from error
    if not is_usable:
        raise click.UsageError(f"--url {url}: it is not http://HOST:PORT or https://HOST:PORT, with a port up to 65535")
    try:
        client = open_client(url, base_url=base, headers=_headers(token_file), timeout=_ANSWER)
    except SettingsError as error:
        raise click.UsageError(f"--url {url}: {error}") from error
    async with client:
        yield Remote(client, consistent=consistent)


def _segment(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")


def _headers(token_file: Path | None) -> dict[str, str]:
    if token_file is None:
        return {}
    try:
        return {"Authorization": f"Bearer {token_file.read_text(encoding='ascii').strip()}"}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no ASCII text"
        raise click.UsageError(f"--http-token-file {token_file}: {reason}") from error
