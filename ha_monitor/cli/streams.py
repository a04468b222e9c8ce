"""The standard streams: there, and able to take any text, however we were started."""

from __future__ import annotations

import contextlib
import io
import os
import sys

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def prepare_streams() -> None:
    """Open those that are closed to nowhere, before a socket of ours gets one of their numbers.

    What stdout's encoding does not have is written as an escape, as on stderr.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        with contextlib.suppress(OSError):
            os.fstat(number)
            continue
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest number that is free: this one
        stream = open(number, mode, errors="backslashreplace", closefd=False)  # noqa: SIM115 - for good
        for each in (name, f"__{name}__"):
            setattr(sys, each, stream)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
