"""Every error that ha_monitor lets out, one class a situation.

A *problem* of a template or a resource is not here: it is a state, shown in words, and never stops the
others. It travels as :class:`Problem` inside the package and ends as ``Resource.problem``.
"""


class HaMonitorError(Exception):
    """Root of all errors of this package."""


class SettingsError(HaMonitorError):
    """A setting is wrong; the text names it, its value and what is allowed. Not retryable."""


class EtcdError(HaMonitorError):
    """A call to etcd failed. Base of the classes below; on its own it means a failure of no known kind."""


class EtcdUnavailable(EtcdError):
    """No answer in time, no connection, no leader: the next try, perhaps on another member, may work."""


class EtcdWrongCluster(EtcdUnavailable):
    """The member belongs to another cluster than the one that was first listed: the next one may be of ours."""


class EtcdRefused(EtcdError):
    """etcd, or TLS before it, refused who we are or what we asked for. Retried while running; ends a start."""


class EtcdDenied(EtcdRefused):
    """We may not read or write what we asked for. Who we are is not in doubt, and other keys may be allowed."""


class EtcdTlsRefused(EtcdRefused):
    """TLS could not be had: a wrong authority, an expired certificate. A new connection reads the files again."""


class EtcdTokenInvalid(EtcdRefused):
    """The auth token is missing, expired, older than the auth store, or unknown: authenticate again, then retry."""


class EtcdCompacted(EtcdError):
    """The revision asked for is compacted away: list again."""


class EtcdNoSpace(EtcdError):
    """The member raised its NOSPACE alarm: reads go on, writes are refused until it is disarmed. Retryable."""


class EtcdCorrupt(EtcdError):
    """A member raised its CORRUPT alarm: reads go on, writes are refused until it is disarmed. Retryable."""


class EtcdTooLarge(EtcdError):
    """A message is larger than the one to whom it goes takes: ask for less at a time, or send less."""


class GroupRefused(HaMonitorError):
    """The members of the group share another number of shards. Ends a start; retried where it was a member before."""


class RevisionTimeout(HaMonitorError):
    """The answers did not reach the revision asked for in the given time; the text says how far they are. Retryable.

    ``reached`` is the revision that they are consistent up to; 0 before everything was evaluated once.
    """

    def __init__(self, words: str, reached: int) -> None:
        super().__init__(words)
        self.reached = reached


class Problem(Exception):
    """Why a template or a resource can't be rendered, in words for the page; healed by a change of a key."""
