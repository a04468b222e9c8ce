"""When gohan takes a record up: the rule that it goes by, as far as it can be seen in etcd.

gohan reads a record only in the moment in which its key changes, and only where the record, the config and the state of
the resource are of one version by then (``MonitoringUpdate`` in gohan's ``server/state_watcher.go``, at 7249b5d8). The
worker's state comes seconds after the config, so a record that stands by then is put once more, unchanged: where the
state key has the config's version, the record's mod_revision is above that key's. When gohan begins to watch it takes
all keys in the order of their mod_revisions, so the rule holds through its restarts, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.model import TakeUp
from ha_monitor.publish.record import read_record

if TYPE_CHECKING:
    from ha_monitor.evaluate.unit import Unit
    from ha_monitor.watch.worker_states import WorkerState


def came_after(state: WorkerState | None, version: int | None, revision: int) -> bool:
    """Tell whether a state of the config's version is newer than the record.

    :param version: of the config.
    :param revision: the record's mod_revision.
    """
    return state is not None and version is not None and state.version == version and state.revision > revision


def take_up(unit: Unit, *, ordered: bool) -> TakeUp | None:
    """Tell how far gohan is with a resource's record; ``None`` where no record goes by that.

    :param ordered: revisions are etcd's, and tell which key was put after which.
    """
    family = unit.family
    if family.worker_states is None or family.records is None:
        return None
    state = family.worker_states.items.get(unit.id)
    standing, revision = family.records.standing(family.records.key(unit.id))
    version, error = None if state is None else state.version, family.worker_states.errors.get(unit.id, "")
    if standing is None:
        return TakeUp(done=False, words="not published", state_version=version, state_error=error)
    record = read_record(standing)
    words = _missing(unit.version, None if record is None else record.get("version"), state)
    put_again = ordered and not words and came_after(state, unit.version, revision)
    if put_again:
        words = "published; it is put again, since gohan's state came after it"
    return TakeUp(not words, words or "published; gohan takes it up", version, error, put_again)


def _missing(version: int | None, published: object, state: WorkerState | None) -> str:
    """Say why gohan takes no record up, whatever the order of their revisions; empty where nothing is in the way."""
    if published != version:
        return f"published for version {published}, not {version}"
    if state is None:
        return "published; gohan has no state of it yet"
    if state.version is None:
        return "published; gohan's state has no version that can be read"
    if state.version != version:
        return f"published; gohan's state is at version {state.version} of {version}"
    return ""
