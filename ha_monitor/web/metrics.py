"""What Prometheus reads: made from the monitor at the moment of asking, so that counting costs nothing in between."""

from __future__ import annotations

from importlib.metadata import version
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ha_monitor.measures import BOUNDS
from ha_monitor.text import legible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import anyio
    from prometheus_client import Metric

    from ha_monitor.measures import Histogram, HookMeasures, Measures, PublishMeasures
    from ha_monitor.model import GroupStatus, Resource
    from ha_monitor.monitor import HaMonitor


_AT_ONCE = 50
"""Resources whose series are written in one turn of the event loop: three milliseconds."""

_END = b"# EOF\n"  # of OpenMetrics
_HEAD = 2  # lines that say what a family is


async def exposition(
    monitor: HaMonitor, accept: str, hooks: Sequence[HookMeasures], turn: anyio.Lock | None
) -> tuple[bytes, str]:
    """Give the metrics and their media type, in the form that the ``Accept`` header asks for.

    :param turn: to have each resource's as well; who writes a piece of them holds it.
    """
    encoder, media_type = choose_encoder(accept)
    written = _encoded(encoder, _Measured(monitor, hooks))
    if turn is None:
        return written, media_type
    parts = [written.removesuffix(_END)]
    for records in _in_pieces(monitor.resources()):
        async with turn:
            part = _encoded(encoder, _Each(records)).removesuffix(_END)
        parts.append(part if len(parts) == 1 else part.split(b"\n", _HEAD)[_HEAD])
    if written.endswith(_END):
        parts.append(_END)
    return b"".join(parts), media_type


def _in_pieces(records: Iterable[Resource]) -> Iterator[Sequence[Resource]]:
    """Give some at a time, no less than once."""
    each = iter(records)
    yield (piece := list(islice(each, _AT_ONCE)))
    while len(piece) == _AT_ONCE:
        yield (piece := list(islice(each, _AT_ONCE)))


def _encoded(encoder: Callable[[CollectorRegistry], bytes], collector: Collector) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return encoder(registry)


class _Each(Collector):
    """The series of some resources."""

    def __init__(self, records: Sequence[Resource]) -> None:
        self._records = records

    def collect(self) -> Iterator[Metric]:
        """Give them."""
        family = GaugeMetricFamily(
            "ha_monitor_resource_status",
            "1 for the status that a resource has.",
            labels=("type", "id", "status", "active"),
        )
        for record in self._records:
            labels = (record.type, record.id, record.status.value, record.active or "")
            family.add_metric([legible(label) for label in labels], 1)
        yield family


class _Measured(Collector):
    def __init__(self, monitor: HaMonitor, hooks: Sequence[HookMeasures]) -> None:
        self._monitor = monitor
        self._hooks = hooks

    def collect(self) -> Iterator[Metric]:
        """Give all families."""
        measures = self._monitor.measures()
        yield InfoMetricFamily("ha_monitor_build", "The version that runs.", {"version": version("ha-monitor")})
        ready = float(self._monitor.readiness().ready)
        yield GaugeMetricFamily("ha_monitor_ready", "1 where what is said can be trusted: /readyz.", ready)
        group = self._monitor.group()
        leads = measures.publish is not None and (group is None or group.role == "active")
        yield GaugeMetricFamily("ha_monitor_leader", "1 where this process publishes.", float(leads))
        if group is not None:
            yield from _shared(group)
        yield GaugeMetricFamily(
            "ha_monitor_etcd_revision", "etcd's revision up to which every watch is right.", measures.revision
        )
        alarms = GaugeMetricFamily(
            "ha_monitor_etcd_alarm", "1 for each alarm of etcd that is raised.", labels=("alarm", "member")
        )
        for alarm in measures.alarms:
            alarms.add_metric((alarm.kind, f"{alarm.member:x}"), 1)
        yield alarms
        yield from self._resources(measures)
        yield from _behind(measures)
        yield from _watches(measures)
        if measures.publish is not None:
            yield from _published(measures.publish)
        if self._hooks:
            yield from _told(self._hooks)

    def _resources(self, measures: Measures) -> Iterator[Metric]:
        resources = GaugeMetricFamily("ha_monitor_resources", "Resources by status.", labels=("type", "status"))
        for type_, counts in self._monitor.roll.summary().items():
            for status, count in counts.items():
                resources.add_metric((legible(type_), status), count)
        yield resources
        problems = GaugeMetricFamily("ha_monitor_problems", "Resources with a problem.", labels=("type",))
        for type_, count in measures.problems.items():
            problems.add_metric((legible(type_),), count)
        yield problems
        blind = GaugeMetricFamily(
            "ha_monitor_blind", "1 where on-blind has taken the place of the last verdicts.", labels=("type",)
        )
        for type_, is_blind in measures.blind.items():
            blind.add_metric((legible(type_),), float(is_blind))
        yield blind
        yield GaugeMetricFamily("ha_monitor_maintenance", "Resources in maintenance.", measures.maintenance)
        transitions = CounterMetricFamily(
            "ha_monitor_transitions", "How often resources came to a status.", labels=("type", "status")
        )
        for (type_, status), count in sorted(measures.transitions.items()):
            transitions.add_metric((legible(type_), status), count)
        yield transitions


def _shared(group: GroupStatus) -> Iterator[Metric]:
    gauges = (
        ("members", "Members of the group.", len(group.members)),
        ("shards", "Parts that the group's work falls into.", group.shards),
        ("owned_shards", "Shards that this member publishes for.", len(group.owned)),
        ("unowned_shards", "Shards that nobody has.", len(group.unowned)),
        ("passed_over_members", "Members that took no shard, or published nothing.", len(group.passed_over)),
        ("lease_seconds", "Seconds for which it may publish without hearing etcd; 0: it may not.", group.lease_left),
    )
    for name, words, value in gauges:
        gauge = GaugeMetricFamily(f"ha_monitor_group_{name}", words, labels=("group",))
        gauge.add_metric((group.name,), value)
        yield gauge
    takeovers = CounterMetricFamily(
        "ha_monitor_group_takeovers", "How often this member took a shard.", labels=("group",)
    )
    takeovers.add_metric((group.name,), group.takeovers)
    yield takeovers


def _behind(measures: Measures) -> Iterator[Metric]:
    seconds = GaugeMetricFamily(
        "ha_monitor_type_lag_seconds", "Seconds since the answers of a type were last confirmed.", labels=("type",)
    )
    revisions = GaugeMetricFamily(
        "ha_monitor_type_lag_revisions", "Revisions that the answers of a type are behind etcd's.", labels=("type",)
    )
    for each in measures.types:
        labels = (legible(each.type),)
        seconds.add_metric(labels, each.lag)
        revisions.add_metric(labels, each.revisions)
    yield from (seconds, revisions)


def _watches(measures: Measures) -> Iterator[Metric]:
    events = CounterMetricFamily("ha_monitor_etcd_events", "Events that the watch brought.", labels=("prefix",))
    relists = CounterMetricFamily(
        "ha_monitor_relists",
        "Lists after the first one: compaction, another store, or a backlog that takes longer than a list.",
        labels=("prefix",),
    )
    reconnects = CounterMetricFamily(
        "ha_monitor_watch_reconnects", "Watch streams after the first one.", labels=("prefix",)
    )
    lag = GaugeMetricFamily(
        "ha_monitor_watch_lag_seconds", "Seconds since the watch was last proven to be right.", labels=("prefix",)
    )
    for watch in measures.watches:
        prefix = (legible(watch.prefix),)
        events.add_metric(prefix, watch.events)
        relists.add_metric(prefix, watch.relists)
        reconnects.add_metric(prefix, watch.reconnects)
        lag.add_metric(prefix, watch.lag)
    yield from (events, relists, reconnects, lag)


def _published(publish: PublishMeasures) -> Iterator[Metric]:
    latency = HistogramMetricFamily(
        "ha_monitor_publish_latency_seconds", "From the change of a verdict to etcd's answer to the write."
    )
    latency.add_metric((), _buckets(publish.latency), publish.latency.total)
    yield latency
    yield CounterMetricFamily("ha_monitor_published", "Records written or deleted.", publish.published)
    yield CounterMetricFamily("ha_monitor_publish_failures", "Transactions that etcd did not take.", publish.failures)
    yield GaugeMetricFamily("ha_monitor_publish_pending", "Records to be looked at or on their way.", publish.pending)


def _told(hooks: Sequence[HookMeasures]) -> Iterator[Metric]:
    kind = ("kind",)
    runs = CounterMetricFamily(
        "ha_monitor_hook_runs", "How often hooks were told, by result.", labels=("kind", "result")
    )
    pending = GaugeMetricFamily("ha_monitor_hook_pending", "Resources of which hooks are to be told.", labels=kind)
    failing = GaugeMetricFamily("ha_monitor_hook_failing", "Resources of which hooks could not be told.", labels=kind)
    held = GaugeMetricFamily(
        "ha_monitor_hook_held", "Resources of which hooks are told after their maintenance.", labels=kind
    )
    latency = HistogramMetricFamily(
        "ha_monitor_hook_latency_seconds", "From a change to the end of the run that told it.", labels=kind
    )
    for hook in hooks:
        for result, count in hook.runs.items():
            runs.add_metric((hook.kind, result), count)
        pending.add_metric((hook.kind,), hook.pending)
        failing.add_metric((hook.kind,), hook.failing)
        held.add_metric((hook.kind,), hook.held)
        latency.add_metric((hook.kind,), _buckets(hook.latency), hook.latency.total)
    yield from (runs, pending, failing, held, latency)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True))
