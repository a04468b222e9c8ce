"""Which cluster is ours: known by its id, which a member of another cluster, or a restored one, does not have."""

from __future__ import annotations

YES = b"yes"
"""Value of the key by which an operator says that a cluster succeeds another."""


class ClusterPin:
    """The id of the cluster that is followed: the first one seen, unless a setting names it.

    A member that was started on the wrong data, or an address that was given to another cluster, answers as if all
    were well; only the cluster's id in the header of its replies tells. A cluster that is restored from a backup may
    have another id on purpose: then the operator names the old one in the new cluster, by a key under
    ``successors``, and the pin moves.
    """

    def __init__(self, id_: int, successors: str) -> None:
        """Prepare.

        :param id_: the cluster's id; 0: that of the first member that answers.
        :param successors: prefix of the keys that say which clusters a cluster succeeds, ending in ``/``.
        """
        self.id = id_
        self._successors = successors

    @property
    def successor_key(self) -> bytes:
        """The key that a cluster has to hold to be taken as the successor of this one."""
        return f"{self._successors}{self.id:x}".encode()

    def accepts(self, id_: int) -> bool:
        """Tell whether a member of cluster ``id_`` is one of ours; the first one asked about is, and pins the id."""
        self.id = self.id or id_
        return self.id == id_

    def refusal(self, url: str, id_: int) -> str:
        """Say why a member is left."""
        return f"{url} belongs to cluster {id_:x}, not to {self.id:x}"
