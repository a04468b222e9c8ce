"""Take away what a container or a unit takes away, then become the command: ``python confine.py WHAT COMMAND...``.

WHAT is ``no-new-code`` (systemd's MemoryDenyWriteExecute=), or ``read-only:FOLDER``: another user, and no file system
to write to but that folder. Ends with :data:`CANT` where this machine does not let us.
"""

from __future__ import annotations

import ctypes
import os
import sys

CANT = 77
USER = 65532
_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN = 38, 65, 1
_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_CAPABILITY_VERSION_3, _DAC_READ_SEARCH = 0x20080522, 2
_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1


def _done(answer: int) -> None:
    if answer:
        print(os.strerror(ctypes.get_errno()), file=sys.stderr)
        sys.exit(CANT)


def _protect(path: bytes, *, writable: bool) -> None:
    """Make a mount read-only with all below it, or writable again."""
    attributes = (ctypes.c_uint64 * 4)(*((0, _MOUNT_ATTR_RDONLY) if writable else (_MOUNT_ATTR_RDONLY, 0)), 0, 0)
    _done(_LIBC.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, 0 if writable else _AT_RECURSIVE, attributes, 32))


def no_new_code() -> None:
    """No memory becomes executable that was writable."""
    _done(_LIBC.prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN, 0, 0, 0))


def read_only(folder: str) -> None:
    """Only the folder can be written to, in a mount namespace of our own, and by a user whom nobody knows."""
    where = os.fsencode(folder)
    _done(_LIBC.unshare(_CLONE_NEWNS))
    _done(_LIBC.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    _done(_LIBC.mount(where, where, None, _MS_BIND, None))
    _protect(b"/", writable=False)
    _protect(where, writable=True)
    os.setgroups([])
    os.setgid(USER)
    _done(_LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setuid(USER)
    # One right is left, to read: the Python of the tests may lie in root's home.
    header, sets = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)(*[1 << _DAC_READ_SEARCH] * 3)
    _done(_LIBC.capset(header, sets))
    _done(_LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _DAC_READ_SEARCH, 0, 0))
    _done(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


if __name__ == "__main__":
    what, _, given = sys.argv[1].partition(":")
    if what == "read-only":
        read_only(given)
    else:
        no_new_code()
    os.execv(sys.argv[2], sys.argv[2:])
