"""How many files may be open at once: each client over HTTP is one, and each watch's connection."""

from __future__ import annotations

import contextlib


def allow_all() -> None:
    """Raise the soft limit to the hard one, as Go's programs do: the soft one is for programs that use select()."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # no such limit here, or it may not be raised
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
