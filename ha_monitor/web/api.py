"""What may be asked over HTTP: one table of endpoints, from which the routes and /openapi.json are made."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ha_monitor.errors import RevisionTimeout
from ha_monitor.transition import encode, transition_shape
from ha_monitor.web import shapes
from ha_monitor.web.explained import Explanation, explanation_shape
from ha_monitor.web.shapes import group_shape, resource_shape

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request

    from ha_monitor.monitor import HaMonitor


class JsonResponse(Response):
    """An answer in JSON."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Encode the answer."""
        return encode(content)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: ``answer`` is called with the checked query and the path's parameters; gives a status and a shape."""

    path: str
    query: type[msgspec.Struct]
    shape: Any
    says: str
    answer: Callable[..., tuple[int, Any]]
    not_so: int | None = None
    """The status, other than 200, that the same shape comes with."""
    wait: Callable[..., Awaitable[None]] | None = None
    """Called before ``answer``, with the same, where the query asks for a revision: ``None``, it can't."""

    async def respond(self, request: Request) -> Response:
        """Answer a request. Raises ``HTTPException`` for a wrong one, and for one that waited in vain."""
        query = checked(request, self.query)
        if self.wait is not None:
            await self.wait(query, **request.path_params)
        status, shape = self.answer(query, **request.path_params)
        return JsonResponse(shape, status)


def checked(request: Request, shape: type[msgspec.Struct]) -> Any:
    """Give the query as a ``shape``. Raises ``HTTPException`` 400 with words for what is wrong."""
    given: dict[str, str] = {}
    is_strict = shape.__struct_config__.forbid_unknown_fields
    for name, value in request.query_params.multi_items():
        if not is_strict and name not in shape.__struct_fields__:
            continue
        if name in given:
            raise HTTPException(400, f"{name}: given more than once")
        given[name] = _chosen(name, value, _choices(shape).get(name, ()))
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        words, _, where = str(error).partition(" - at `$.")
        raise HTTPException(400, f"{where.rstrip('`')}: {words}" if where else words) from error


@cache
def _choices(shape: type[msgspec.Struct]) -> Mapping[str, Sequence[str]]:
    """Give the values that may be chosen from, by parameter."""
    hints = get_type_hints(shape)
    return {
        name: [str(value) for value in get_args(hint)] for name, hint in hints.items() if get_origin(hint) is Literal
    }


def _chosen(name: str, value: str, choices: Sequence[str]) -> str:
    """Give one of the choices, whatever its case; any value where there are none."""
    if not choices:
        return value
    for choice in choices:
        if value.lower() == choice.lower():
            return choice
    raise HTTPException(400, f"{name}: {value!r} is none of {', '.join(filter(None, choices))}")


class Api:
    """The answers; everything is read from the monitor at the moment of asking."""

    def __init__(self, monitor: HaMonitor) -> None:
        self._monitor = monitor

    def endpoints(self) -> Sequence[Endpoint]:
        """Give all that answer with one JSON document."""
        return (
            Endpoint("/healthz", shapes.AnyQuery, dict[str, bool], "The event loop turns.", self.healthz),
            Endpoint("/readyz", shapes.AnyQuery, shapes.Ready, "Every watch is caught up; 503 where not.",
                     self.readyz, not_so=503),
            Endpoint("/probe/{type}/{id}", shapes.ProbeQuery, shapes.Probe,
                     "Whether a resource is so; 503 where not.", self.probe, not_so=503, wait=self.reach),
            Endpoint("/api/v1/resources", shapes.ResourcesQuery, shapes.Resources, "Resources, page by page.",
                     self.resources, wait=self.reach),
            Endpoint("/api/v1/resources/{type}/{id}", shapes.ConsistentQuery, shapes.Resource, "One resource.",
                     self.resource, wait=self.reach),
            Endpoint("/api/v1/explain/{type}/{id}", shapes.ConsistentQuery, Explanation,
                     "Why a resource is what it is.", self.explain, wait=self.reach),
            Endpoint("/api/v1/summary", shapes.NoQuery, dict[str, dict[str, int]],
                     "How many resources of each type have which status.", self.summary),
            Endpoint("/api/v1/group", shapes.NoQuery, shapes.Group, "Who shares the work, who has what.", self.group),
            Endpoint("/api/v1/map", shapes.NoQuery, shapes.Map, "All resources, a letter each.", self.map),
            Endpoint("/api/v1/history", shapes.HistoryQuery, shapes.History, "The last transitions.", self.history),
        )  # fmt: skip

    async def reach(self, query: shapes.ConsistentQuery, type: str = "", id: str = "") -> None:  # noqa: A002
        """Wait until the answer includes the revision asked for. Raises ``HTTPException`` 504 when it is too late."""
        type_ = type or (query.type if isinstance(query, shapes.ResourcesQuery) else "") or None
        try:
            if query.consistent:
                await self._monitor.consistent(type_, query.timeout, least=query.min_revision)
            elif query.min_revision:
                await self._monitor.at(query.min_revision, type_, query.timeout)
        except RevisionTimeout as error:
            raise HTTPException(504, str(error)) from error

    def healthz(self, query: shapes.AnyQuery) -> tuple[int, Mapping[str, bool]]:
        """Say that the event loop turns."""
        return 200, {"alive": True}

    def readyz(self, query: shapes.AnyQuery) -> tuple[int, shapes.Ready]:
        """Say whether what is answered can be trusted."""
        readiness = self._monitor.readiness()
        return 200 if readiness.ready else 503, shapes.Ready(readiness.ready, readiness.reason, readiness.warning)

    def probe(self, query: shapes.ProbeQuery, type: str, id: str) -> tuple[int, Any]:  # noqa: A002 - the path's names
        """Say whether a resource is as asked."""
        record = self._monitor.get(type, id)
        if record is None:
            raise self._absent(f"there is no {type} {id}")
        if query.active and record.entries and query.active not in record.entries:
            raise HTTPException(404, f"{type} {id} has no entry {query.active}; entries: {', '.join(record.entries)}")
        if query.active or query.status:
            ok = query.active in ("", record.active) and query.status in ("", record.status.value)
        else:
            ok = record.active is not None
        shape = shapes.Probe(ok, record.status.value, record.active, record.stale)  # type: ignore[arg-type]
        return 200 if ok else 503, shape

    def resources(self, query: shapes.ResourcesQuery) -> tuple[int, shapes.Resources]:
        """Give a page of resources."""
        by_id = query.order == "id" or query.cursor != ""
        order = "name" if query.order == "id" else query.order
        found = self._monitor.roll.find(query.type or None, query.status or None, query.q, order, query.codes)
        if by_id:
            found = sorted(found)
        start = bisect_right(found, _read_cursor(query.cursor)) if query.cursor else query.offset
        page = found[start : start + query.limit]
        more = by_id and start + query.limit < len(found)
        records = (self._monitor.get(type_, id_) for type_, id_ in page)
        return 200, shapes.Resources(
            self._monitor.reached(query.type or None),
            len(found),
            [resource_shape(record) for record in records if record is not None],
            _write_cursor(page[-1]) if more else None,
        )

    def resource(self, query: shapes.ConsistentQuery, type: str, id: str) -> tuple[int, shapes.Resource]:  # noqa: A002
        """Give one resource."""
        record = self._monitor.get(type, id)
        if record is None:
            raise self._absent(f"there is no {type} {id}")
        return 200, resource_shape(record)

    def explain(self, query: shapes.ConsistentQuery, type: str, id: str) -> tuple[int, Explanation]:  # noqa: A002
        """Explain one resource."""
        told = self._monitor.explain(type, id)
        if told is None:
            raise self._absent(self._monitor.absent(type, id))
        return 200, explanation_shape(told)

    def summary(self, query: shapes.NoQuery) -> tuple[int, Mapping[str, Mapping[str, int]]]:
        """Count."""
        return 200, self._monitor.roll.summary()

    def group(self, query: shapes.NoQuery) -> tuple[int, shapes.Group]:
        """Say who shares the work."""
        return 200, group_shape(self._monitor.group())

    def map(self, query: shapes.NoQuery) -> tuple[int, shapes.Map]:
        """Give all resources at a glance."""
        codes = self._monitor.roll.codes()
        types = [shapes.TypeCodes(type_, letters) for type_, letters in codes]
        problems = sum(letters.count("P") for _, letters in codes)
        return 200, shapes.Map(self._monitor.generation, problems, types)

    def history(self, query: shapes.HistoryQuery) -> tuple[int, shapes.History]:
        """Give the last transitions."""
        changes = self._monitor.history(query.type or None, query.id or None)
        wanted = (c for c in changes if query.type in ("", c.type) and query.id in ("", c.id))
        return 200, shapes.History([transition_shape(change) for change in islice(wanted, query.limit)])

    def _absent(self, words: str) -> HTTPException:
        """Give what a resource that is not known is answered with: that there is none is known of all at once."""
        if self._monitor.is_synced:
            return HTTPException(404, words)
        return HTTPException(503, f"resources are not known yet: {self._monitor.readiness().reason}")


def _write_cursor(last: tuple[str, str]) -> str:
    return "-".join(part.encode("utf-8", "surrogateescape").hex() for part in last)


def _read_cursor(cursor: str) -> tuple[str, str]:
    type_, id_ = (bytes.fromhex(part).decode("utf-8", "surrogateescape") for part in cursor.split("-"))
    return type_, id_
