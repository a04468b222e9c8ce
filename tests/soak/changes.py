"""Random changes to a small site: what users and workers do to etcd all day, good and bad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support import site

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

PAIRS, GATEWAYS = 40, 10
CONFIGS, GATEWAY_CONFIGS = "/config/v2.0/ha_interfaces/", "/config/v2.0/vpn_gateways/"
STATES, RECORDS = "/monitoring/v2.0/er_physical_interfaces/", "/monitoring/v2.0/ha_interfaces/"
BROKEN = site.template("ha_interface_monitoring", "{% BROKEN %}")

_VALUES = (
    '{"interface":"UP","version":1}',
    '{ "interface" : "UP", "version" : 2 }',
    '{"status":{"interface":"ACTIVE"},"version":1}',
    '{"interface":"DOWN","version":1}',
    '{"interface":"FAIL","version":1}',
    "no JSON",
)

Change = tuple[dict[str, Any], list[str]]
"""Keys to put and keys to delete, in one transaction."""


def whole_site(random: Random) -> list[Change]:
    """Give transactions that fill an empty etcd."""
    changes: list[Change] = [(site.ha_template() | site.gateway_template(), [])]
    changes += [
        (_pair(random, number) | {f"{STATES}{side}{number}": _VALUES[0] for side in "ps"}, [])
        for number in range(PAIRS)
    ]
    changes += [(_gateway(random, number), []) for number in range(GATEWAYS)]
    return changes


def change(random: Random) -> Change:
    """Give one change; flips of states are the most frequent."""
    kinds: dict[Callable[[Random], Change], int] = {
        _flip: 20, _flip_many: 3, _state_gone: 2, _pair_changes: 4, _pair_gone: 2, _gateway_changes: 2, _templates: 1,
    }  # fmt: skip
    (kind,) = random.choices(list(kinds), list(kinds.values()))
    return kind(random)


def _flip(random: Random) -> Change:
    return {f"{STATES}{_side(random)}": random.choice(_VALUES)}, []


def _flip_many(random: Random) -> Change:
    return {f"{STATES}{_side(random)}": random.choice(_VALUES) for _ in range(random.randint(2, 100))}, []


def _state_gone(random: Random) -> Change:
    return {}, [f"{STATES}{_side(random)}"]


def _pair_changes(random: Random) -> Change:
    return _pair(random, random.randrange(PAIRS)), []


def _pair_gone(random: Random) -> Change:
    return {}, [f"{CONFIGS}ha{random.randrange(PAIRS)}"]


def _gateway_changes(random: Random) -> Change:
    number = random.randrange(GATEWAYS)
    return (_gateway(random, number), []) if random.random() < 0.8 else ({}, [f"{GATEWAY_CONFIGS}vpn{number}"])


def _templates(random: Random) -> Change:
    return random.choice([BROKEN, site.ha_template(), site.ha_template(), site.gateway_template()]), []


def _side(random: Random) -> str:
    return f"{random.choice('ps')}{random.randrange(PAIRS)}"


def _pair(random: Random, number: int) -> dict[str, Any]:
    other = random.randrange(PAIRS)  # some share a physical interface
    body = {"id": f"ha{number}", "primary_interface_id": f"p{number}", "secondary_interface_id": f"s{other}"}
    value = site.envelope(body, random.randint(1, 9), as_text=random.random() < 0.5, marked=random.random() < 0.1)
    return {f"{CONFIGS}ha{number}": value}


def _gateway(random: Random, number: int) -> dict[str, Any]:
    body = {"id": f"vpn{number}", "downlink_interface_id": f"ha{random.randrange(PAIRS)}"}
    return {f"{GATEWAY_CONFIGS}vpn{number}": site.envelope(body, random.randint(1, 9))}
