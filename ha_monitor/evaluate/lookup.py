"""What the template language reads of etcd: related configs and stack outputs, from the views, never by waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ha_monitor.errors import Problem
from ha_monitor.lang.ids import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ha_monitor.keys import Keyspace
    from ha_monitor.lang.scope import Ref
    from ha_monitor.reading.state import StateReader
    from ha_monitor.watch.states import StateView
    from ha_monitor.watch.views import KeyView
    from ha_monitor.watch.watches import Source


class NotYet(Exception):
    """The prefix asked for has not been listed yet; once ``view`` is synced, ask again."""

    def __init__(self, view: KeyView) -> None:
        super().__init__(view.prefix)
        self.view = view


class Lookup:
    """Implements :class:`ha_monitor.lang.scope.Lookup`; a prefix asked for the first time begins to be watched."""

    def __init__(self, keyspace: Keyspace, watches: Source) -> None:
        self._keyspace = keyspace
        self._watches = watches
        self.unserved: Mapping[str, str] = keyspace.catalog.unserved_types
        """Types whose keys are unknown, or that have no resources, each with the reason."""

    def view(self, ref: Ref) -> KeyView:
        """Give the view that a reference is to be found in."""
        prefix = self._keyspace.configs(ref.type) if ref.kind == "config" else self._keyspace.outputs(ref.type)
        return self._watches.keys(prefix)

    def config(self, type_: str, id_: str) -> Mapping[str, Any] | None:
        """Give a config's body; ``None`` where there is none. Raises ``NotYet``, or ``Problem`` for a bad one."""
        view = self._view(type_, self._keyspace.configs(type_))
        at = view.find(id_)
        envelope = None if at is None else view.envelope(at)
        return None if envelope is None or envelope.ended else envelope.body

    def outputs(self, type_: str, id_: str) -> Mapping[str, Any] | None:
        """Give a resource's stack outputs; ``None`` where there are none. Raises as :meth:`config`."""
        view = self._view(type_, self._keyspace.outputs(type_))
        at = view.find(id_)
        return None if at is None else view.outputs(at)

    def states(self, type_: str, read: StateReader) -> StateView:
        """Give the view of a type's states."""
        return self._watches.states(self._keyspace.states(type_), read)

    def state_id(self, type_: str, id_: str) -> str:
        """Return the id of a resource's state in the view of its type; nearly always that is the resource's id.

        If the path of a type's keys contains fields of the resource, they are taken from its config. Raises ``NotYet``,
        or ``Problem`` if there is no config, or the type's schema does not give its keys.
        """
        if type_ in self.unserved:
            raise Problem(self.unserved[type_])
        path = self._keyspace.paths.get(type_)
        if path is None:
            return id_
        at = path.end_of(id_)
        if at is None:
            at = self._synced(self._keyspace.configs(type_)).find(id_)
        if at is None:
            raise Problem(f"{type_} {quote(id_)} has no config, which the key of its state depends on")
        return at

    def where(self, ref: Ref) -> str:
        """Return the key of a reference as text, with names in place of unknown fields; no watch is started."""
        keyspace = self._keyspace
        known_by = keyspace.configs(ref.type) if ref.kind == "config" else keyspace.outputs(ref.type)
        path = keyspace.paths.get(ref.type)
        return keyspace.folder(known_by) + (ref.id if path is None else path.described(ref.id))

    def _view(self, type_: str, prefix: str) -> KeyView:
        if self.unserved and type_ in self.unserved:
            raise Problem(self.unserved[type_])
        return self._synced(prefix)

    def _synced(self, prefix: str) -> KeyView:
        view = self._watches.keys(prefix)
        if not view.synced:
            raise NotYet(view)
        return view
