"""Every setting there is, as one frozen record: checked when it is made, the same for the command and for embedding.

Where the values come from (command line, environment, file) is the business of :mod:`ha_monitor.cli`, how they are
written that of :mod:`ha_monitor.forms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ha_monitor.endpoint import is_secure, with_scheme
from ha_monitor.errors import SettingsError
from ha_monitor.etcd.cluster import ClusterPin
from ha_monitor.etcd.connection import Access
from ha_monitor.etcd.discovery import Discovery
from ha_monitor.forms import (
    ClusterId,
    Command,
    Domain,
    Endpoints,
    File,
    Hosts,
    Listen,
    Names,
    Nameserver,
    Paths,
    Root,
    RootOrNone,
    Seconds,
    Segment,
    Span,
    Spans,
    Table,
    Webhook,
    Whole,
    origin,
    pairs,
    without_password,
)  # fmt: skip
from ha_monitor.keys import Keyspace
from ha_monitor.lang.catalog import Catalog
from ha_monitor.lang.secrets import SECRET_FIELDS
from ha_monitor.model import OnBlind
from ha_monitor.schemafiles import read_catalog

SUCCESSORS = "successor-of"
"""Where below the prefix of groups the keys are by which one cluster succeeds another, named by the other's id."""


SiteLayout = Literal["esi", "gohan"]

LAYOUTS: Mapping[SiteLayout, Mapping[str, str]] = {
    "esi": {
        "publish": "esi",
        "monitoring_prefix": "/monitoring",
        "publish_prefix": "/monitoring",
        "state_prefix": "/state",
    },
    "gohan": {
        "publish": "gohan",
        "monitoring_prefix": "/state_watch/monitoring",
        "publish_prefix": "/state_watch/monitoring",
        "state_prefix": "/state_watch/state",
    },
}
"""What each layout sets: the defaults, and the keys of gohan's own ``server/state_watcher.go``."""


class Settings(BaseModel):
    """What the monitor is to do, and where. All times are float seconds.

    Raises :class:`~ha_monitor.errors.SettingsError` when made from :meth:`checked`, pydantic's ``ValidationError``
    (a ``ValueError``) when made directly; both name the setting, its value and what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    etcd: Annotated[Endpoints, Field(min_length=1)] = Field(
        default=("http://127.0.0.1:2379",),
        description="member of the etcd cluster, as etcdctl's --endpoints: HOST:PORT, http://, https://, unix://PATH or"
        " unixs://PATH; without a scheme, and with unix://, TLS is used where etcd-ca or etcd-cert is given;"
        " several of one cluster, or commas",
    )
    etcd_discovery_srv: Domain | None = Field(
        default=None,
        description="domain whose DNS SRV records name the members, in place of etcd: _etcd-client-ssl._tcp.DOMAIN,"
        " with TLS, or where there are none _etcd-client._tcp.DOMAIN; none: no discovery",
    )
    etcd_discovery_srv_name: Segment | None = Field(
        default=None, description="suffix of the service in these records: _etcd-client-NAME._tcp.DOMAIN; none: none"
    )
    etcd_discovery_nameserver: Nameserver | None = Field(
        default=None, description="ADDRESS:PORT of the DNS server that is asked for them; none: those of the system"
    )
    etcd_user: str | None = Field(default=None, description="user to log in to etcd as; none: no login")
    etcd_password_file: Path | None = Field(
        default=None, description="file with that user's password; read at each login"
    )
    etcd_ca: Path | None = Field(
        default=None, description="PEM file of the CA that etcd's certificate is checked against"
    )
    etcd_cert: Path | None = Field(default=None, description="PEM file of our client certificate")
    etcd_key: Path | None = Field(default=None, description="PEM file of its key")
    etcd_cluster_id: ClusterId | None = Field(
        default=None, description="hexadecimal id of the etcd cluster; none: that of the first member that answers"
    )
    listen: Listen = Field(default="127.0.0.1:8080", description="HOST:PORT for HTTP; empty: no HTTP")
    http_token_file: Path | None = Field(
        default=None, description="file with the token that everything over HTTP but health asks for; none: no token"
    )
    http_host: Hosts = Field(
        default=(), description="name that is answered to on loopback without a token, beside localhost and addresses"
    )
    status_file: File | None = Field(
        default=None, description="file to keep every resource's status in, as JSON, replaced whole at each change"
    )
    status_file_on_stop: Literal["keep", "remove"] = Field(
        default="keep", description="what becomes of that file at a clean stop"
    )
    hook: Command | None = Field(
        default=None, description="command that is run for each change, its arguments split as a shell does; no shell"
    )
    webhook: Webhook | None = Field(default=None, description="URL that each change is posted to, http:// or https://")
    webhook_secret_file: Path | None = Field(
        default=None, description="file with the secret that webhooks are signed with; read for each; none: not signed"
    )
    hook_state: File | None = Field(
        default=None, description="file that remembers what hooks were told, so that a start tells what changed since"
    )
    hook_timeout: Seconds = Field(default=30.0, description="seconds that a hook or a webhook may take")
    hook_parallel: Annotated[Whole, Field(ge=1, le=64)] = Field(
        default=4, description="how many resources hooks are told of at once; one resource never twice at once"
    )
    state_timeout: Seconds = Field(
        default=60.0,
        description="seconds without a readable state until an entry is FAIL, where it has no timeout of its own",
    )
    on_blind: OnBlind = Field(
        default="hold", description="what is said while etcd can't be heard: the last verdict, UNKNOWN, or DOWN"
    )
    blind_grace: Span = Field(
        default=30.0, description="seconds for which the last verdict is said all the same, marked stale"
    )
    stale_after: Annotated[Seconds, Field(ge=5)] = Field(
        default=12.0, description="seconds without confirmation from which an answer is stale and the monitor not ready"
    )
    on_blind_by_type: Annotated[Mapping[str, OnBlind], BeforeValidator(pairs)] = Field(
        default={}, description="TYPE=hold|unknown|down: another on-blind for a resource type"
    )
    blind_grace_by_type: Spans = Field(default={}, description="TYPE=S: another blind-grace for a resource type")
    rise: Span = Field(
        default=0.0, description="seconds that an entry which recovered has to stay up until it counts as UP"
    )
    fall: Span = Field(
        default=0.0, description="seconds that an entry which fell has to stay down until it counts as DOWN"
    )
    rise_by_type: Spans = Field(default={}, description="TYPE=S: another rise for a resource type")
    fall_by_type: Spans = Field(default={}, description="TYPE=S: another fall for a resource type")
    flap_turns: Annotated[Whole, Field(ge=0, le=1000)] = Field(
        default=0, description="more turns up or down than this in flap-window: the entry is held DOWN; 0: never"
    )
    flap_window: Seconds = Field(
        default=60.0, description="seconds in which turns are counted, and without one of which flapping is over"
    )
    types: Names = Field(default=(), description="resource types to serve; none: all that have a template")
    publish: Literal["esi", "gohan", "none"] = Field(
        default="esi", description="form of the published records; none: watch"
    )
    layout: SiteLayout = Field(
        default="esi",
        description="whose keys these are: sets --publish and the prefixes of states and records; each alone beats it",
    )
    resync: Span = Field(
        default=0.0, description="seconds in which each record is put again once, evenly; 0: only as it has to be"
    )
    state_source: Literal["monitoring", "state"] = Field(
        default="monitoring",
        description="where states are read: live status keys, or what workers said when they built it",
    )
    group: Segment | None = Field(
        default=None, description="name of the group of monitors that share the work, through etcd; none: we are alone"
    )
    shards: Annotated[Whole, Field(ge=1, le=256)] = Field(
        default=1, description="parts that a group's work falls into, the same for all members; 1: active/standby"
    )
    lease_ttl: Annotated[Seconds, Field(ge=2, le=3600)] = Field(
        default=10.0, description="seconds without a sign of life after which others take over a member's shards"
    )
    up_values: Annotated[Names, Field(min_length=1)] = Field(
        default=("UP", "ACTIVE"), description="values of a dependency that count as up"
    )
    config_prefix: Root = Field(default="/config", description="prefix of configs and templates")
    monitoring_prefix: Root = Field(default="/monitoring", description="prefix of the live status keys that are read")
    state_prefix: RootOrNone = Field(
        default="/state",
        description="prefix of what workers report of the resources they built; empty: no record goes by that",
    )
    publish_prefix: Root = Field(default="/monitoring", description="prefix of the records that are published")
    outputs_prefix: Root = Field(default="/esi-worker/heat_stacks", description="prefix of the stack outputs")
    group_prefix: Root = Field(default="/ha_monitor", description="prefix of the keys of groups")
    maintenance_prefix: RootOrNone = Field(
        default="/ha_monitor/maintenance", description="prefix of the keys that freeze resources; empty: there are none"
    )
    template_types: Table = Field(
        default={}, description="TEMPLATE=TYPE for a template that is not named TYPE_monitoring"
    )
    constants: Table = Field(default={}, description="NAME=VALUE: the site's value for a constant of the templates")
    schema_file: Paths = Field(
        default=(),
        description="gohan's schemas: a file (YAML or JSON), a folder of them, or gohan's configuration; repeat it",
    )
    secret_fields: Names = Field(
        default=SECRET_FIELDS, description="parts of the names of fields whose values are shown to nobody"
    )
    log_format: Literal["console", "json"] = Field(default="console", description="form of the log lines")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level that is logged"
    )

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Settings:
        """Make settings; raises :class:`SettingsError` with one line for each that is wrong."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise SettingsError("\n".join(_words(item) for item in error.errors())) from error

    @model_validator(mode="before")
    @classmethod
    def _lay_out(cls, values: Any) -> Any:
        """Have the layout's values where a setting is not given."""
        layout = values.get("layout") if isinstance(values, Mapping) else None
        return {**LAYOUTS["gohan"], **values} if layout == "gohan" else values

    @model_validator(mode="after")
    def _agree_on_etcd(self) -> Settings:
        tls = self._has_tls_files
        # The one place that knows what an endpoint without a scheme means; frozen, it can't be set otherwise.
        object.__setattr__(self, "etcd", tuple(with_scheme(endpoint, tls=tls) for endpoint in self.etcd))
        secure = {is_secure(url) for url in self.etcd}
        if len(secure) > 1:
            raise ValueError(f"etcd: all URLs are https://, or none is: {', '.join(self.etcd)}")
        if secure == {False} and tls and self.etcd_discovery_srv is None:
            raise ValueError("etcd-ca, etcd-cert and etcd-key are for https:// URLs, and unixs:// ones")
        if (self.etcd_cert is None) != (self.etcd_key is None):
            raise ValueError("etcd-cert and etcd-key go together")
        if (self.etcd_user is None) != (self.etcd_password_file is None):
            raise ValueError("etcd-user and etcd-password-file go together")
        return self

    @model_validator(mode="after")
    def _agree_on_discovery(self) -> Settings:
        if self.etcd_discovery_srv is not None:
            if "etcd" in self.model_fields_set:
                raise ValueError("etcd and etcd-discovery-srv both name the members: give one of them")
            if find_spec("dns") is None:
                raise ValueError("etcd-discovery-srv needs the extra dns: pip install 'ha-monitor[dns]'")
            return self
        for name in ("etcd_discovery_srv_name", "etcd_discovery_nameserver"):
            if getattr(self, name) is not None:
                raise ValueError(f"{setting_name(name)} is for etcd-discovery-srv")
        return self

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        states = (self.monitoring_prefix, self.state_prefix, self.publish_prefix)
        for name, prefix in (("config-prefix", self.config_prefix), ("outputs-prefix", self.outputs_prefix)):
            if prefix in states:
                raise ValueError(f"{name} must not be a prefix of states or records as well")
        if self.state_source == "state" and not self.state_prefix:
            raise ValueError("state-prefix: --state-source state reads what is there")
        if self.group is not None and self.publish == "none":
            raise ValueError("group: there is nothing to share with --publish none")
        if self.group == "maintenance":
            raise ValueError("group: 'maintenance' is where the keys of resources in maintenance are")
        if self.group == SUCCESSORS:
            raise ValueError(f"group: {SUCCESSORS!r} is where the keys are that let one cluster succeed another")
        if self.webhook is None and self.webhook_secret_file is not None:
            raise ValueError("webhook-secret-file: there is no webhook to sign")
        if self.hook is None and self.webhook is None and self.hook_state is not None:
            raise ValueError("hook-state: there is neither a hook nor a webhook")
        if self.group is None and self.shards > 1:
            raise ValueError("shards: they are shared by the members of a --group")
        self.catalog  # noqa: B018 - reads the schema files, so that a wrong one is told at the start
        return self

    @property
    def _has_tls_files(self) -> bool:
        return any((self.etcd_ca, self.etcd_cert, self.etcd_key))

    @property
    def discovery(self) -> Discovery | None:
        """Where the members of the cluster are discovered; ``None``: they are :attr:`etcd`."""
        if self.etcd_discovery_srv is None:
            return None
        return Discovery(
            self.etcd_discovery_srv, self.etcd_discovery_srv_name or "", self.etcd_discovery_nameserver,
            tls=self._has_tls_files,
        )  # fmt: skip

    @property
    def access(self) -> Access:
        """Who we are to etcd."""
        return Access(self.etcd_ca, self.etcd_cert, self.etcd_key, self.etcd_user, self.etcd_password_file)

    @property
    def cluster(self) -> ClusterPin:
        """Which cluster is ours, from the start on."""
        return ClusterPin(int(self.etcd_cluster_id or "0", 16), f"{self.group_prefix}/{SUCCESSORS}/")

    @property
    def group_keys(self) -> str:
        """Where the keys of our group are."""
        return f"{self.group_prefix}/{self.group}/"

    @cached_property
    def catalog(self) -> Catalog:
        """Plurals, prefixes and relations of the site's types."""
        if not self.schema_file:
            return Catalog.builtin()
        return read_catalog(self.schema_file)

    @cached_property
    def keyspace(self) -> Keyspace:
        """Where everything is in etcd."""
        states = self.state_prefix if self.state_source == "state" else self.monitoring_prefix
        # A state key that is the record itself is nothing that the record could follow.
        is_followed = self.publish != "none" and self.state_prefix != self.publish_prefix
        return Keyspace(
            self.catalog, self.config_prefix, states, self.publish_prefix, self.outputs_prefix, self.maintenance_prefix,
            self.state_prefix if is_followed else "",
        )  # fmt: skip


def _words(item: Any) -> str:
    """Put one of pydantic's errors in words: setting, value, what is allowed."""
    message = str(item["msg"].removeprefix("Value error, "))
    if not item["loc"]:
        return message
    name = str(item["loc"][0])
    if item["type"] == "extra_forbidden":
        return f"{setting_name(name)}: there is no such setting"
    about = Settings.model_fields[name].description
    value = repr(origin(item["input"]) if name == "webhook" else item["input"])
    for key in item["loc"][1:2]:
        if isinstance(key, str):  # of a table; of a list it is a number
            value = f"{key}: {value}"
    return f"{setting_name(name)}: {without_password(value) if name == 'etcd' else value}: {message} ({about})"


def setting_name(field: str) -> str:
    """Give a field's name as it is written in files and, behind ``--``, on the command line."""
    return field.replace("_", "-")
