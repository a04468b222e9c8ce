"""/openapi.json, made from the endpoints' own types."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ha_monitor.transition import Transition
from ha_monitor.web import shapes
from ha_monitor.web.guard import OPEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ha_monitor.web.api import Endpoint

_TEMPLATE = "#/components/schemas/{name}"

_EVENTS = {"snapshot": shapes.Snapshot, "change": Transition, "heartbeat": shapes.Heartbeat}


class _Text(NamedTuple):
    """A path that answers with something else than JSON."""

    path: str
    query: type[msgspec.Struct]
    says: str
    media_types: Sequence[str]
    schema: Mapping[str, Any]


_TEXTS = (
    _Text("/", shapes.AnyQuery, "The page.", ("text/html",), {"type": "string"}),
    _Text("/metrics", shapes.MetricsQuery, "What Prometheus reads, in the form that it accepts.",
          ("text/plain", "application/openmetrics-text"), {"type": "string"}),
    _Text("/api/v1/events", shapes.EventsQuery, "Server-sent events, without an end.", ("text/event-stream",), {
        "type": "string",
        "description": "The data of each event is JSON. A snapshot comes first, and again in the place of what a client"
                       " was too slow for; a change for each transition; a heartbeat every 5 s, and where readiness"
                       " turns. x-events has the schema of each.",
        "x-events": {name: {"$ref": _TEMPLATE.format(name=shape.__name__)} for name, shape in _EVENTS.items()},
    }),
)  # fmt: skip


def openapi(endpoints: Sequence[Endpoint], *, guarded: bool) -> Mapping[str, Any]:
    """Describe the endpoints.

    :param guarded: a token is asked for.
    """
    types: list[Any] = [endpoint.shape for endpoint in endpoints] + [shapes.Failure, *_EVENTS.values()]
    schemas, components = msgspec.json.schema_components(types, ref_template=_TEMPLATE)
    answers, failure = schemas[: len(endpoints)], schemas[len(endpoints)]
    operations = {
        endpoint.path: _operation(endpoint, _answers(endpoint, answer, failure), failure, guarded=guarded)
        for endpoint, answer in zip(endpoints, answers, strict=True)
    }
    for text in _TEXTS:
        content = {media_type: {"schema": text.schema} for media_type in text.media_types}
        answered = {"200": {"description": text.says, "content": content}}
        operations[text.path] = _operation(text, answered, failure, guarded=guarded)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "ha_monitor", "version": version("ha-monitor"), "description": "Read-only."},
        "paths": {path: {"get": operation} for path, operation in operations.items()},
        "components": {"schemas": components},
    }
    if guarded:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return document


def _answers(endpoint: Endpoint, answer: Any, failure: Any) -> dict[str, Any]:
    """Give what an endpoint may answer with, by status."""
    responses = {"200": _response(endpoint.says, answer)}
    if "{id}" in endpoint.path:
        responses["404"] = _response("There is no such resource, or no such entry of it.", failure)
        responses["503"] = _response("Resources are not known yet.", failure)
    if endpoint.wait is not None:
        responses["504"] = _response("The revision asked for was not reached in time.", failure)
    if endpoint.not_so is not None:
        refused = {"anyOf": [answer, failure]} if "{id}" in endpoint.path else answer
        responses[str(endpoint.not_so)] = _response("It is not so, or not known yet.", refused)
    return responses


def _operation(asked: Endpoint | _Text, responses: dict[str, Any], failure: Any, *, guarded: bool) -> dict[str, Any]:
    responses["400"] = _response("A wrong parameter.", failure)
    operation: dict[str, Any] = {"summary": asked.says, "parameters": _parameters(asked), "responses": responses}
    if guarded and asked.path not in OPEN:
        operation["security"] = [{"token": []}]
        responses["401"] = _response("The token is not given, or a wrong one.", failure)
    return operation


def _response(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _parameters(asked: Endpoint | _Text) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in ("type", "id")
        if f"{{{name}}}" in asked.path
    ]
    schema = msgspec.json.schema(asked.query, ref_template=_TEMPLATE)["$defs"][asked.query.__name__]
    in_query = [
        {"name": name, "in": "query", "required": False, "schema": property_}
        for name, property_ in schema["properties"].items()
    ]
    return in_path + in_query
