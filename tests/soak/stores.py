"""What happens to the store as a whole: emptied and filled anew, or put back from a backup and gone on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.operate import back_up, put_back, wipe
from tests.soak.changes import whole_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.soak.soak import Soak


def wiped(soak: Soak) -> None:
    """Take everything away and fill the site anew."""
    with soak.another_history():
        soak.etcd.kill()
        wipe(soak.etcd)
        soak.etcd.start()
        soak.gohan.begin_anew()
    if soak.random.random() < 0.5:
        soak.pause()
    for puts, deletes in whole_site(soak.random):
        soak.etcd.txn(puts, deletes)


def restored(soak: Soak) -> None:
    """Put a backup back that goes on, mostly beyond what was known; half of the time, nobody sees it happen."""
    soak.etcd.stop()
    kept = back_up(soak.etcd)
    soak.etcd.start()
    soak.change(soak.random.randint(1, 60))
    if soak.random.random() < 0.7:
        soak.settle()  # or what is about to be lost may be known in part
    unseen = soak.services if soak.random.random() < 0.5 else []
    with soak.another_history():
        for service in unseen:
            service.freeze()
        try:
            soak.etcd.stop()
            put_back(soak.etcd, kept)
            soak.etcd.start()
            soak.gohan.begin_anew()
            soak.change(soak.random.randint(0, 120))
            if soak.random.random() < 0.3:
                soak.pause()
        finally:
            for service in unseen:
                service.thaw()
        # A write that is under way is fenced by revisions, which may have come again with other values by now.
        soak.settle()


FAULTS: tuple[Callable[[Soak], None], ...] = (wiped, restored)
