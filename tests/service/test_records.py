"""The record of a resource, from its first to its last: written when it differs, removed when the resource ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support import site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import StartService
    from tests.service.conftest import Site
    from tests.support.etcd import Etcd


@pytest.mark.parametrize("as_text", [False, True])
def test_a_record_follows_each_flip_whichever_form_the_body_has(standing_site: Site, as_text: bool) -> None:
    etcd, pair = standing_site.etcd, site.HaInterface()
    etcd.txn(pair.keys(as_text=as_text))
    etcd.wait_record(pair.record, site.record())
    etcd.put(pair.primary_state, site.DOWN)
    etcd.wait_record(pair.record, site.record("DOWN", "UP"))
    etcd.put(pair.secondary_state, site.DOWN)
    etcd.wait_record(pair.record, site.record("DOWN", "DOWN"))
    etcd.put(pair.primary_state, site.UP)
    etcd.wait_record(pair.record, site.record("UP", "DOWN"))


def test_a_template_with_its_body_as_text_is_read(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.template("ha_interface_monitoring", site.PAIR, as_text=True) | pair.keys(as_text=True))
    service()
    etcd.wait_record(pair.record, site.record())


def test_a_record_is_compact_with_its_keys_sorted(standing_site: Site) -> None:
    pair = standing_site.ha_interface(secondary=site.DOWN)
    assert standing_site.etcd.get(pair.record) == b'{"primary":"UP","secondary":"DOWN","version":1}'


def test_a_new_version_of_the_config_is_published_though_no_status_changed(standing_site: Site) -> None:
    pair = standing_site.ha_interface()
    standing_site.etcd.put(pair.config, pair.envelope(version=2))
    standing_site.etcd.wait_record(pair.record, site.record(version=2))


def test_a_config_that_points_elsewhere_is_followed_there(standing_site: Site) -> None:
    etcd, pair, elsewhere = standing_site.etcd, standing_site.ha_interface(), site.new_id()
    etcd.put(site.monitoring_key("er_physical_interfaces", elsewhere), site.DOWN)
    etcd.put(pair.config, site.envelope(pair.body | {"primary_interface_id": elsewhere}, 2))
    etcd.wait_record(pair.record, site.record("DOWN", "UP", 2))
    since = etcd.revision()
    etcd.put(pair.primary_state, site.DOWN)
    standing_site.marker()
    assert etcd.history(pair.record, since) == [], "the key that it hung on before is none of its business any more"


def test_a_config_written_again_unchanged_changes_no_record(standing_site: Site) -> None:
    pair = standing_site.ha_interface()
    before = standing_site.etcd.mod_revision(pair.record)
    standing_site.etcd.put(pair.config, pair.envelope())
    standing_site.etcd.put(pair.primary_state, site.UP)
    standing_site.marker()
    assert standing_site.etcd.mod_revision(pair.record) == before


def test_both_states_changed_in_one_transaction_change_the_record_once(standing_site: Site) -> None:
    pair = standing_site.ha_interface(secondary=site.DOWN)
    since = standing_site.etcd.revision()
    standing_site.etcd.txn({pair.primary_state: site.DOWN, pair.secondary_state: site.UP})
    standing_site.etcd.wait_record(pair.record, site.record("DOWN", "UP"))
    standing_site.marker()
    assert standing_site.etcd.history(pair.record, since) == [site.record("DOWN", "UP")]


def test_config_and_states_put_in_one_transaction_give_one_record(standing_site: Site) -> None:
    pair = site.HaInterface()
    since = standing_site.etcd.txn(pair.keys(secondary=site.DOWN))
    standing_site.etcd.wait_record(pair.record, site.record("UP", "DOWN"))
    standing_site.marker()
    assert standing_site.etcd.history(pair.record, since) == [site.record("UP", "DOWN")]


def test_no_record_is_written_while_an_entry_of_a_new_resource_is_unknown(standing_site: Site) -> None:
    pair = site.HaInterface()
    standing_site.etcd.txn(pair.keys(secondary=None))
    standing_site.marker()
    assert standing_site.etcd.get(pair.record) is None
    standing_site.etcd.put(pair.secondary_state, site.UP)
    standing_site.etcd.wait_record(pair.record, site.record())


@pytest.mark.parametrize("as_text", [False, True])
def test_marked_for_deletion_ends_the_record(standing_site: Site, as_text: bool) -> None:
    etcd, pair = standing_site.etcd, standing_site.ha_interface()
    etcd.put(pair.config, pair.envelope(version=2, marked=True, as_text=as_text))
    etcd.wait_record(pair.record, None)
    etcd.put(pair.primary_state, site.DOWN)
    standing_site.marker()
    assert etcd.get(pair.record) is None
    etcd.put(pair.config, pair.envelope(version=3, as_text=as_text))
    etcd.wait_record(pair.record, site.record("DOWN", "UP", 3))


def test_deleting_the_config_ends_the_record(standing_site: Site) -> None:
    etcd, pair = standing_site.etcd, standing_site.ha_interface()
    etcd.delete(pair.config)
    etcd.wait_record(pair.record, None)
    etcd.put(pair.primary_state, site.DOWN)
    standing_site.marker()
    assert etcd.get(pair.record) is None


def test_config_deleted_and_put_again_in_turn_gives_the_record_again(standing_site: Site) -> None:
    etcd, pair = standing_site.etcd, standing_site.ha_interface()
    for version in range(2, 8):
        etcd.delete(pair.config)
        etcd.put(pair.config, pair.envelope(version))
    etcd.wait_record(pair.record, site.record(version=7))
    standing_site.marker()
    assert etcd.record(pair.record) == site.record(version=7)


@pytest.mark.parametrize("foreign", ['{"primary":"DOWN","secondary":"UP","version":1}', "not ours", "[]", "{}", ""])
def test_a_foreign_hand_on_a_record_is_put_right(standing_site: Site, foreign: str) -> None:
    pair = standing_site.ha_interface()
    standing_site.etcd.put(pair.record, foreign)
    standing_site.etcd.wait_record(pair.record, site.record())


def test_a_record_that_somebody_deleted_is_put_back(standing_site: Site) -> None:
    pair = standing_site.ha_interface()
    standing_site.etcd.delete(pair.record)
    standing_site.etcd.wait_record(pair.record, site.record())


def test_a_foreign_writer_who_goes_on_is_met_with_pauses_and_has_not_the_last_word(standing_site: Site) -> None:
    etcd, pair = standing_site.etcd, standing_site.ha_interface()
    since = etcd.revision()
    for _ in range(30):
        etcd.put(pair.record, site.record("DOWN", "DOWN"))
        standing_site.marker()
    ours = [value for value in etcd.history(pair.record, since) if value == site.record()]
    assert len(ours) < 15, "no write war"
    etcd.wait_record(pair.record, site.record(), timeout=30.0)


def test_a_restart_writes_no_record_that_is_right_already(etcd: Etcd, service: StartService) -> None:
    pair, late = site.HaInterface(), site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    first = service()
    etcd.wait_record(pair.record, site.record())
    written = etcd.mod_revision(pair.record)
    first.stop()
    assert etcd.mod_revision(pair.record) == written, "a record outlives the service that wrote it"
    service()
    etcd.txn(late.keys())
    etcd.wait_record(late.record, site.record())
    assert etcd.mod_revision(pair.record) == written


def test_what_changed_while_the_service_was_down_shows_after_its_start(etcd: Etcd, service: StartService) -> None:
    flipped, ended, marked = site.HaInterface(), site.HaInterface(), site.HaInterface()
    etcd.txn(site.ha_template() | flipped.keys() | ended.keys() | marked.keys())
    first = service()
    for pair in (flipped, ended, marked):
        etcd.wait_record(pair.record, site.record())
    first.stop()
    foreign = site.monitoring_key("ha_interfaces", site.new_id())
    etcd.txn(
        {
            flipped.primary_state: site.DOWN,
            marked.config: marked.envelope(2, marked=True),
            foreign: '{ "port" : "UP" }',
        },
        deletes=[ended.config],
    )
    service()
    etcd.wait_record(flipped.record, site.record("DOWN", "UP"))
    etcd.wait_record(ended.record, None)
    etcd.wait_record(marked.record, None)
    etcd.put(flipped.primary_state, site.UP)
    etcd.wait_record(flipped.record, site.record())
    assert etcd.get(foreign) == b'{ "port" : "UP" }', "a record of another shape is not ours to remove"


def test_a_start_writes_nothing_where_every_record_is_right(etcd: Etcd, service: StartService) -> None:
    """Enough of them that some are evaluated before the list of the records has come."""
    pairs = [site.HaInterface() for _ in range(3_000)]
    etcd.txn(site.ha_template())
    for some in _portions(pairs, 25):
        etcd.txn({k: v for pair in some for k, v in (pair.keys() | {pair.record: site.record()}).items()})
    before = etcd.revision()
    service()
    assert etcd.revision() == before


def test_a_backlog_shows_no_record_that_mixes_two_moments(etcd: Etcd, service: StartService) -> None:
    """Both sides change in one transaction, and one of them long before as well: its turn comes far ahead."""
    pairs = [site.HaInterface() for _ in range(1_500)]
    for some in _portions(pairs, 25):
        etcd.txn(site.ha_template() | {k: v for pair in some for k, v in pair.keys(secondary=site.DOWN).items()})
    prefix = site.monitoring_key("ha_interfaces", "")
    process = psutil.Process(service().pid)
    etcd.wait(prefix, lambda items: len(items) == len(pairs))
    process.suspend()
    for some in _portions(pairs, 100):
        etcd.txn({pair.primary_state: {"interface": "UP", "link": "UP"} for pair in some})
    for some in _portions(pairs, 50):
        etcd.txn({k: v for pair in some for k, v in ((pair.primary_state, site.DOWN), (pair.secondary_state, site.UP))})

    def done(items: dict[str, bytes]) -> bool:
        process.resume()
        found = set(items.values())
        assert b'{"primary":"DOWN","secondary":"DOWN","version":1}' not in found
        return found == {b'{"primary":"DOWN","secondary":"UP","version":1}'}

    etcd.wait(prefix, done)


def _portions(pairs: list[site.HaInterface], size: int) -> Iterator[list[site.HaInterface]]:
    for start in range(0, len(pairs), size):
        yield pairs[start : start + size]
