"""Forms of schema, each as a file of gohan has it, as its API answers it, and the key and value that gohan writes.

Made up after gohan's rules: the whole of the record that they are held against is not part of this repository.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACES = [
    {"id": "deep", "parent": "upper", "prefix": "v3"},
    {"id": "upper", "prefix": "fabric"},
]


class Form(NamedTuple):
    """A type's schema in both forms, and what gohan makes of a resource with the id ``TYPE-1`` and the name ``n``.

    ``api`` is ``None`` where gohan answers nothing, ``key`` where it writes nothing.
    """

    type: str
    schema: dict[str, Any]
    api: dict[str, Any] | None
    key: str | None
    value: str | None

    @property
    def path(self) -> str:
        """What follows the prefix in the keys of its state and record."""
        assert self.key is not None
        skips = self.schema.get("metadata", {}).get("sync_skip_config_prefix")
        return self.key if skips else self.key.removeprefix("/config")


def _form(
    type_: str,
    path: str | None,
    *,
    plural: str | None = None,
    metadata: dict[str, Any] | None = None,
    url: str | None = None,
    root: str = "/config",
    value: str | None = None,
    body: dict[str, Any] | None = None,
    **said: Any,
) -> Form:
    properties = {name: {"type": "string"} for name in ("id", "name", *(body or ()))}
    about = {"state_versioning": True, **(metadata or {})}
    schema: dict[str, Any] = {
        "id": type_, "singular": type_, "plural": plural or f"{type_}s", "title": type_, "description": type_,
        "metadata": about, "schema": {"type": "object", "properties": properties}, **said,
    }  # fmt: skip
    worked_out = {name: what for name, what in schema.items() if name not in ("extends", "type")}
    answer = {"namespace": "", "parent": "", "prefix": "", **worked_out, "url": url or (path or "").rpartition("/")[0]}
    whole = {"id": f"{type_}-1", "name": "n", **(body or {})}
    if value is None:
        value = json.dumps({"body": json.dumps(whole), "version": 1})
    if path is None:
        return Form(type_, schema, None if said.get("type") == "abstract" else answer, None, None)
    return Form(type_, schema, answer, root + path, value)


FORMS = [
    _form("flat", "/v2.0/flats/flat-1", prefix="/v2.0"),
    _form("shelf", "/v1.0/shop/shelves/shelf-1", plural="shelves", prefix="/v1.0/shop"),
    _form("bare", "/bares/bare-1", prefix=""),
    _form("unsaid", "/unsaids/unsaid-1"),
    _form("slashed", "//slasheds/slashed-1", prefix="/"),
    _form("ended", "/v2.0//endeds/ended-1", prefix="/v2.0/"),
    _form("relative", "/v2.0/relatives/relative-1", prefix="v2.0"),
    _form("hyphen", "/v2.0/hyphen-ed/hyphen-1", plural="hyphen-ed", prefix="/v2.0"),
    _form("own_plural", "/v2.0/own/own/own_plural-1", plural="own", prefix="/v2.0/own"),
    _form("spaced", "/fabric/v2.0/spaceds/spaced-1", prefix="/v2.0", namespace="upper"),
    _form("deeper", "/fabric/v3/deepers/deeper-1", namespace="deep"),
    _form("above", "/v2.0/aboves/above-1", prefix="/v2.0"),
    _form("below", "/v2.0/belows/below-1", prefix="/v2.0", parent="above", body={"above_id": "above-1"}),
    _form(
        "placed", "/v1.0/racks/r7/units/placed-1", url="/v1.0/placeds", prefix="/v1.0", body={"rack_id": "r7"},
        metadata={"sync_key_template": "/v1.0/racks/{{rack_id}}/units/{{id}}"},
    ),
    _form(
        "rack", "/v1.0/racks/rack-1", prefix="/v1.0",  # in the folder that the units of racks are below
    ),
    _form(
        "suffixed", "/v1.0/boxes/suffixed-1/body", url="/v1.0/suffixeds", prefix="/v1.0",
        metadata={"sync_key_template": "/v1.0/boxes/{{id}}/body"},
    ),
    _form(
        "moved", "/elsewhere/moved-1", url="/v1.0/moveds", prefix="/v1.0",
        metadata={"sync_key_template": "/elsewhere/{{id}}"},
    ),
    _form("outside", "/v1.0/outsides/outside-1", prefix="/v1.0", root="", metadata={"sync_skip_config_prefix": True}),
    _form(
        "far", "/agents/a1/far-1", url="/v1.0/fars", prefix="/v1.0", root="", body={"agent": "a1"},
        metadata={"sync_skip_config_prefix": True, "sync_key_template": "/agents/{{ agent }}/{{id}}"},
    ),
    _form("naked", "/v2.0/nakeds/naked-1", prefix="/v2.0", value='{"id":"naked-1","name":"n","version":"7"}',
          metadata={"sync_plain": True}),
    _form("single", "/v2.0/singles/single-1", prefix="/v2.0", value='{"body":"\\"n\\"","version":1}',
          metadata={"sync_property": "name"}),
    _form("word", "/v2.0/words/word-1", prefix="/v2.0", value="n",
          metadata={"sync_plain": True, "sync_property": "name"}),
    _form("unwritten", None, url="/v2.0/unwrittens", prefix="/v2.0", metadata={"nosync": True}),
    _form("stateless", "/v2.0/statelesses/stateless-1", plural="statelesses", prefix="/v2.0",
          metadata={"state_versioning": False}),
    _form("mould", None, prefix="/v9", type="abstract"),
    _form("heir", "/v9/heirs/heir-1", prefix="/v9", extends=["mould"]),
]  # fmt: skip

del FORMS[-1].schema["prefix"]  # in the file, it has that of its base


def documents(forms: list[Form], namespaces: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Give the documents of a site, by the form that they have."""
    return {
        "file": {"namespaces": namespaces, "schemas": [form.schema for form in forms]},
        "api": {"schemas": [form.api for form in forms if form.api is not None]},
    }


def recorded_forms(site: Path) -> tuple[list[Form], list[dict[str, Any]]]:
    """Give the forms that were recorded of a real gohan, and their namespaces."""
    recorded = json.loads((site / "gohan-forms.json").read_text())
    rows = (tuple(row[name] for name in ("schema", "api", "key", "value")) for row in recorded["rows"])
    return [Form(schema["id"], schema, api, key, value) for schema, api, key, value in rows], recorded["namespaces"]
