"""What the template language reads of etcd: related configs and stack outputs, from the views, never by waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ha_monitor.keys import Keyspace
    from ha_monitor.lang.scope import Ref
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

    def view(self, ref: Ref) -> KeyView:
        """Give the view that a reference is to be found in."""
        prefix = self._keyspace.configs(ref.type) if ref.kind == "config" else self._keyspace.outputs(ref.type)
        return self._watches.keys(prefix)

    def config(self, type_: str, id_: str) -> Mapping[str, Any] | None:
        """Give a config's body; ``None`` where there is none. Raises ``NotYet``, or ``Problem`` for a bad one."""
        envelope = self._synced(self._keyspace.configs(type_)).envelope(id_)
        return None if envelope is None or envelope.ended else envelope.body

    def outputs(self, type_: str, id_: str) -> Mapping[str, Any] | None:
        """Give a resource's stack outputs; ``None`` where there are none. Raises as :meth:`config`."""
        return self._synced(self._keyspace.outputs(type_)).outputs(id_)

    def _synced(self, prefix: str) -> KeyView:
        view = self._watches.keys(prefix)
        if not view.synced:
            raise NotYet(view)
        return view
