"""Why a record is not what it should be: which reason is told, where several hold."""

from __future__ import annotations

import pytest
from aetcd import rpc

from ha_monitor.evaluate.entry import Entry
from ha_monitor.evaluate.unit import Family, Unit
from ha_monitor.explain.record import Circumstances, explain_record
from ha_monitor.explain.report import Source
from ha_monitor.model import Status
from ha_monitor.plugins.etcd_reader import EtcdReader
from ha_monitor.publish.desire import Publish
from ha_monitor.reading.state import StateReader, monitoring_dependencies
from ha_monitor.watch.states import StateView
from ha_monitor.watch.views import KeyView
from tests.core.test_desire import Host

KEY = "/monitoring/v2.0/pairs/a"
RIGHT = b'{"primary":"UP","version":3}'
QUIET = Circumstances(
    form=Publish.ESI, state_timeout=60.0, once=False, frozen="", deaf="", elsewhere="", refused="", fault="", pause=0.0
)


def unit(standing: bytes | None) -> Unit:
    """A resource whose one entry is UP, at version 3, and what stands in the place of its record, at revision 7."""
    records = StateView("/monitoring/v2.0/pairs/", StateReader(frozenset({"UP"}), monitoring_dependencies))
    records.list_begins()
    kvs = [] if standing is None else [rpc.KeyValue(key=KEY.encode(), value=standing, mod_revision=7, version=1)]
    for work in (records.put_items(kvs), records.list_ends(9)):
        for _ in work:
            pass
    made = Unit(Family("pair", KeyView("/config/v2.0/pairs/"), records), "a", Host())
    entry = Entry("primary", made, EtcdReader({"etcd_type": "x", "etcd_id": "y"}), 60.0)
    entry.shown = Status.UP
    made.family.units["a"] = made
    made.version, made.entries, made.missing = 3, (entry,), 0
    return made


@pytest.mark.parametrize(
    ("changed", "state", "words"),
    [
        ({}, "due", "another one should stand there; it is about to be written"),
        ({"once": True}, "due", "another one should stand there; a monitor that runs on this etcd will write it"),
        ({"pause": 3.2}, "held",
         "another one should stand there; after the last conflict with another writer, the next write comes in 3 s"),
        ({"pause": 3.2, "fault": "no space"}, "held",
         "another one should stand there; nothing can be published: no space"),
        ({"pause": 3.2, "refused": "etcd refuses its record: it is too large", "fault": "no space"}, "held",
         "another one should stand there; etcd refuses its record: it is too large; the next try comes in 3 s"),
        ({"elsewhere": "nobody has shard 2 of group edge at this moment", "fault": "no space"}, "held",
         "another one should stand there; nobody has shard 2 of group edge at this moment"),
        ({"deaf": "etcd can't be heard: no leader", "elsewhere": "x"}, "held",
         "another one should stand there; etcd can't be heard: no leader"),
        ({"frozen": "it is in maintenance, and left as it is", "deaf": "x"}, "held",
         "another one should stand there; it is in maintenance, and left as it is"),
        ({"form": None}, "off", "nothing is published here (--publish none)"),
    ],
)  # fmt: skip
def test_the_reason_that_comes_first_is_told(changed: dict[str, object], state: str, words: str) -> None:
    told = explain_record(unit(b'{"old":1}'), KEY, QUIET._replace(**changed), 0.0, numbered=False)  # type: ignore[arg-type]
    assert (told.state, told.why) == (state, words)
    if state != "off":
        assert (told.source, told.standing, told.due) == (Source(KEY, 7), '{"old":1}', RIGHT.decode())


def test_what_is_right_is_right_whatever_holds_writes_up() -> None:
    for changed in ({}, {"fault": "no space"}, {"frozen": "x"}, {"once": True}, {"deaf": "x"}):
        told = explain_record(unit(RIGHT), KEY, QUIET._replace(**changed), 0.0, numbered=False)
        assert (told.state, told.why) == ("right", "it is as it should be")


def test_a_key_that_is_not_there_is_at_revision_0_and_that_of_a_file_at_none() -> None:
    assert explain_record(unit(None), KEY, QUIET, 0.0, numbered=False).source.revision == 0
    assert explain_record(unit(None), KEY, QUIET, 0.0, numbered=True).source.revision == 0
    assert explain_record(unit(RIGHT), KEY, QUIET, 0.0, numbered=True).source.revision is None


def test_a_record_of_a_resource_that_is_ours_no_longer_goes() -> None:
    given_up = unit(b'{"old":1}')
    given_up.foreign = True
    given_up.family.leaving.add("a")
    told = explain_record(given_up, KEY, QUIET, 0.0, numbered=False)
    assert (told.state, told.due, told.why) == ("due", None, "none should stand there; it is about to be written")
