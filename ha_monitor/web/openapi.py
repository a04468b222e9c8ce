"""/openapi.json, made from the endpoints' own types."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from ha_monitor.web import shapes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ha_monitor.web.api import Endpoint

_TEMPLATE = "#/components/schemas/{name}"


def openapi(endpoints: Sequence[Endpoint], *, guarded: bool) -> Mapping[str, Any]:
    """Describe the endpoints.

    :param guarded: a token is asked for.
    """
    types: list[Any] = [endpoint.shape for endpoint in endpoints] + [shapes.Failure]
    (*answers, failure), components = msgspec.json.schema_components(types, ref_template=_TEMPLATE)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "ha_monitor",
            "version": version("ha-monitor"),
            "description": "Read-only. /api/v1/events is a stream of server-sent events, /metrics is for Prometheus.",
        },
        "paths": {
            endpoint.path: {"get": _operation(endpoint, answer, failure, guarded=guarded)}
            for endpoint, answer in zip(endpoints, answers, strict=True)
        },
        "components": {"schemas": components},
    }
    if guarded:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return document


def _operation(endpoint: Endpoint, answer: Any, failure: Any, *, guarded: bool) -> dict[str, Any]:
    open_to_all = endpoint.path in ("/healthz", "/readyz")
    responses = {"200": _response(endpoint.says, answer), "400": _response("A wrong parameter.", failure)}
    if "{id}" in endpoint.path:
        responses["404"] = _response("There is no such resource, or no such entry of it.", failure)
        responses["503"] = _response("Resources are not known yet.", failure)
    if endpoint.not_so is not None:
        refused = {"anyOf": [answer, failure]} if "{id}" in endpoint.path else answer
        responses[str(endpoint.not_so)] = _response("It is not so, or not known yet.", refused)
    operation: dict[str, Any] = {"summary": endpoint.says, "parameters": _parameters(endpoint), "responses": responses}
    if guarded and not open_to_all:
        operation["security"] = [{"token": []}]
        responses["401"] = _response("The token is not given, or a wrong one.", failure)
    return operation


def _response(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in ("type", "id")
        if f"{{{name}}}" in endpoint.path
    ]
    schema = msgspec.json.schema(endpoint.query, ref_template=_TEMPLATE)["$defs"][endpoint.query.__name__]
    in_query = [
        {"name": name, "in": "query", "required": False, "schema": property_}
        for name, property_ in schema["properties"].items()
    ]
    return in_path + in_query
