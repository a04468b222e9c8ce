"""etcd's alarms, read from the errors of a member's status."""

from __future__ import annotations

import pytest

from ha_monitor.model import Alarm
from ha_monitor.watch.alarms import in_words, read_alarms

MEMBER = 9379162072166601133


@pytest.mark.parametrize(
    ("errors", "alarms"),
    [
        ([], []),
        ([f"memberID:{MEMBER} alarm:NOSPACE "], [Alarm("NOSPACE", MEMBER)]),  # 3.4.23 to 3.6.16
        ([f"memberID:{MEMBER}  alarm:CORRUPT"], [Alarm("CORRUPT", MEMBER)]),  # 3.7.3
        (["alarm:NOSPACE "], [Alarm("NOSPACE", 0)]),
        (
            ["etcdserver: no leader", "memberID:1 alarm:NOSPACE ", "memberID:2 alarm:NOSPACE "],
            [Alarm("NOSPACE", 1), Alarm("NOSPACE", 2)],
        ),
        (["memberID:1 alarm:NONE ", "memberID:1", "alarm: NOSPACE"], []),
    ],
)
def test_the_form_of_every_version_is_read(errors: list[str], alarms: list[Alarm]) -> None:
    assert read_alarms(errors) == frozenset(alarms)


def test_an_alarm_is_said_with_its_member_as_etcdctl_lists_members() -> None:
    words = f"etcd alarm NOSPACE (member {MEMBER:x}): database space exceeded, etcd refuses writes"
    assert in_words(Alarm("NOSPACE", MEMBER)) == words
    assert in_words(Alarm("CORRUPT", 1)) == "etcd alarm CORRUPT (member 1): corrupt cluster, etcd refuses writes"
