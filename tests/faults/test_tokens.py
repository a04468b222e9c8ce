"""Tokens of either kind, and users and roles that change under a running monitor: published again within seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.guarded import Guarded
from tests.support.tokens import jwt_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import StartService
    from tests.faults.conftest import Watched
    from tests.support.etcd import Etcd

pytestmark = pytest.mark.thorough

AGAIN = 10.0
"""Seconds in which it has to publish and to be ready again, on a busy machine."""


@pytest.fixture(params=["simple", "jwt"])
def guarded(request: pytest.FixtureRequest, make_etcd: Callable[..., Etcd], tmp_path: Path) -> Guarded:
    """An etcd with either kind of token, and its access control enabled."""
    password_file = tmp_path / "password"
    password_file.write_text("monitor-pw\n")
    made = Guarded(make_etcd(*(jwt_options(tmp_path) if request.param == "jwt" else ())), password_file)
    made.enable()
    return made


def user_added(guarded: Guarded) -> None:
    guarded.add_somebody("else")


def role_changed(guarded: Guarded) -> None:
    guarded.revoke()
    guarded.grant()


def password_set_again(guarded: Guarded) -> None:
    guarded.revoke_tokens()


def disabled(guarded: Guarded) -> None:
    guarded.disable()


def disabled_and_enabled(guarded: Guarded) -> None:
    guarded.disable()
    guarded.enable_again()


def restarted(guarded: Guarded) -> None:
    guarded.etcd.kill()
    guarded.etcd.start()


CHANGES = [user_added, role_changed, password_set_again, disabled, disabled_and_enabled, restarted]


@pytest.mark.parametrize("change", CHANGES)
def test_it_publishes_and_is_ready_after_a_change_of_users_and_tokens(
    guarded: Guarded, watch: Callable[..., Watched], change: Callable[[Guarded], None]
) -> None:
    watched = watch(guarded.etcd, *guarded.options, "--group", "edge")
    lease = guarded.etcd.items("/ha_monitor/edge/")
    change(guarded)
    watched.flip(1)
    watched.right(AGAIN)
    watched.ready(AGAIN)
    if change is not restarted:
        assert guarded.etcd.items("/ha_monitor/edge/") == lease, "the member kept its lease"


def test_a_user_is_no_hindrance_before_access_control_is_enabled_nor_once_it_is(
    make_etcd: Callable[..., Etcd], service: StartService, watch: Callable[..., Watched], tmp_path: Path
) -> None:
    """As etcd's own client has it: no token is got as long as none is needed."""
    password_file = tmp_path / "password"
    password_file.write_text("monitor-pw\n")
    guarded = Guarded(make_etcd(), password_file)
    watched = watch(guarded.etcd, *guarded.options)
    guarded.enable()
    watched.flip(1)
    watched.right(AGAIN)
    watched.ready(AGAIN)
