"""The addresses of a name, asked for in a thread that nobody has to wait for.

A resolver that hangs, for as long as half a minute, would hold up the end of the process in a thread of the loop's own
executor: that is joined.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from aiohappyeyeballs import AddrInfoType

    Addresses: TypeAlias = "list[AddrInfoType]"


async def resolve(host: str, port: int) -> Addresses:
    """Give the addresses, as :func:`socket.getaddrinfo` does. Raises ``OSError``, and ``ValueError`` for no name."""
    with contextlib.suppress(socket.gaierror):
        return _ask(host, port, socket.AI_NUMERICHOST)  # nobody has to be asked
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Addresses] = loop.create_future()

    def tell(addresses: Addresses | None, error: Exception | None) -> None:
        if found.done():  # nobody waits any more
            return
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(addresses or [])

    def ask() -> None:
        addresses, error = None, None
        try:
            addresses = _ask(host, port)
        except (OSError, ValueError) as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop is closed meanwhile
            loop.call_soon_threadsafe(tell, addresses, error)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    return await found


def _ask(host: str, port: int, flags: int = 0) -> Addresses:
    return cast("Addresses", socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))
