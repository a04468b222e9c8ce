"""The page in a real Chromium: what people see of a failover, of a large fleet, and of an etcd that is lost."""

from __future__ import annotations

import itertools
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.support import site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from tests.conftest import StartService
    from tests.support.etcd import Etcd

    Open: TypeAlias = Callable[..., Page]

pytestmark = pytest.mark.thorough

PATIENCE = 20_000  # ms that the page has, on a busy machine; it takes a fraction of a second
MANY = 20_000
PICTURE = os.environ.get("HA_MONITOR_PICTURE")  # where `make picture` wants it


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium here: apt-get install chromium")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, service: StartService) -> Iterator[Open]:
    """Open a service's page; no script of it may fail, and nothing may come from elsewhere or against its policy.

    It takes ``service`` for its pages to be closed before the services end.
    """
    complaints: list[str] = []
    contexts = []

    def open_(url: str, *, narrow: bool = False, outages: bool = False, **options: Any) -> Page:
        """Open it; with outages, requests that fail are part of the game."""
        size = {"width": 390, "height": 844} if narrow else {"width": 1280, "height": 800}
        context = browser.new_context(viewport=size, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
        page.on(
            "console",
            lambda said: (
                None
                if outages and "Failed to load resource" in said.text
                else complaints.append(f"console: {said.text}")
                if said.type in ("error", "warning")
                else None
            ),
        )
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((url.partition("#")[0], "data:"))
                else complaints.append(f"foreign: {request.url}")
            ),
        )
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def row(page: Page, pair: site.HaInterface) -> Locator:
    return page.locator(f'#rows [data-id="{pair.id}"]')


def test_a_state_is_flipped_and_the_page_shows_the_failover(open_page: Open, etcd: Etcd, service: StartService) -> None:
    pairs = [site.HaInterface() for _ in range(3)]
    etcd.txn(site.ha_template() | pairs[0].keys() | pairs[1].keys() | pairs[2].keys())
    page = open_page(service().url)
    pair = pairs[2]
    expect(page.locator("#summary")).to_have_text("All 3 resources up")
    expect(page).to_have_title("all 3 up - ha_monitor")
    revision = etcd.put(pair.primary_state, site.DOWN)
    expect(page.locator("#summary")).to_have_text("1 failover of 3 resources")
    expect(page).to_have_title("1 failover - ha_monitor")
    first = page.locator("#rows [data-id]").first
    expect(first).to_have_attribute("data-id", pair.id)  # what is wrong is on top
    expect(first).to_have_attribute("data-status", "DEGRADED")
    expect(first).to_contain_text("secondary")
    expect(first).to_contain_text('interface is "DOWN"')
    expect(page.locator("#chip-degraded b")).to_have_text("1")
    expect(page.locator("#fleet")).to_have_attribute("aria-label", "3 resources: 1 failover, 2 up")
    news = page.locator("#transitions li").first
    expect(news).to_contain_text("primary")
    expect(news).to_contain_text(f"rev {revision:,}")
    etcd.put(pair.primary_state, site.UP)
    expect(page.locator("#summary")).to_have_text("All 3 resources up")
    expect(row(page, pair)).to_have_attribute("data-status", "UP")


def test_one_resource_in_full_at_a_link_of_its_own(open_page: Open, pairs: list[site.HaInterface], etcd: Etcd,
                                                   service: StartService) -> None:  # fmt: skip
    pair = pairs[0]
    running = service()
    page = open_page(f"{running.url}/#/ha_interface/{pair.id}", outages=True)  # at its end it is not found
    detail = page.locator("#detail")
    expect(detail).to_contain_text(pair.primary_state)
    expect(detail).to_contain_text(pair.secondary_state)
    expect(detail.locator("pre")).to_contain_text('"primary": "UP"')
    revision = etcd.put(pair.primary_state, site.DOWN)
    expect(detail.locator(".detail-history li").first).to_contain_text(f"rev {revision:,}")
    expect(detail.locator(".detail-history li").first).to_contain_text('interface is "DOWN"')
    expect(detail.locator("pre")).to_contain_text('"primary": "DOWN"')  # the record, as it stands in etcd by now
    etcd.delete(pair.config)
    expect(detail).to_contain_text("There is no such resource")


def test_a_link_marks_its_row_and_one_to_nothing_marks_none(
    open_page: Open, pairs: list[site.HaInterface], service: StartService
) -> None:
    page = open_page(service().url, outages=True)
    expect(page.locator("#transitions")).to_have_text("none since ha_monitor started")
    detail, marked = page.locator("#detail"), page.locator('#rows [aria-selected="true"]')
    row(page, pairs[0]).click()
    expect(detail).to_contain_text(pairs[0].primary_state)
    expect(detail.locator(".detail-history")).to_contain_text("none since ha_monitor started")
    page.evaluate("location.hash = '#/ha_interface/nope'")
    expect(detail).to_contain_text("There is no such resource")
    expect(detail.locator(".detail-history")).to_contain_text("none since ha_monitor started")
    expect(marked).to_have_count(0)
    page.evaluate(f"location.hash = '#/ha_interface/{pairs[2].id}'")
    expect(detail).to_contain_text(pairs[2].primary_state)
    expect(marked).to_have_attribute("data-id", pairs[2].id)
    expect(page.locator("#rows")).to_have_attribute("aria-activedescendant", str(marked.get_attribute("id")))


def test_chips_search_and_keys_find_a_resource(
    open_page: Open, pairs: list[site.HaInterface], service: StartService
) -> None:
    _, failover, degraded, down, *_ = pairs
    page = open_page(service().url)
    rows = page.locator("#rows [data-id]")
    expect(rows).to_have_count(6)
    expect(page.locator("#summary")).to_have_text("1 down, 1 problem, 1 failover, 1 degraded, 1 unknown of 6 resources")
    legend = {line.get_attribute("data-code"): line.locator("b") for line in page.locator("#legend li").all()}
    for chip, codes in (("down", "X"), ("problem", "P"), ("degraded", "SD"), ("unknown", "?"), ("up", "U")):
        page.locator(f"#chip-{chip}").click()  # each resource is in one of them, wherever it is counted
        expect(rows).to_have_count(len(codes))
        expect(page.locator(f"#chip-{chip} b")).to_have_text(str(len(codes)))
        for code in codes:
            expect(page.locator(f'#rows .row[data-code="{code}"]')).to_have_count(1)
            expect(legend[code]).to_have_text("1")
    page.locator("#chip-down").click()
    expect(rows).to_have_count(1)
    expect(row(page, down)).to_have_attribute("data-status", "DOWN")
    page.locator("#chip-problem").click()
    expect(rows).to_have_count(1)
    page.locator("#chip-all").click()
    page.locator("#type").select_option("ha_interface")
    expect(rows).to_have_count(6)
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type(failover.id)
    expect(rows).to_have_count(1)
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_contain_text(failover.id)
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    page.locator("#search").fill("nothing is called so")
    expect(page.locator("#nothing")).to_contain_text("nothing is called so")
    page.get_by_role("button", name="Show all").click()
    expect(rows).to_have_count(6)
    page.keyboard.press("/")
    page.keyboard.press("ArrowDown")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    expect(page.locator('#rows [aria-selected="true"]')).to_have_count(1)
    expect(row(page, degraded)).to_be_visible()


def test_etcd_is_lost_and_the_banner_stands_until_it_is_back(
    open_page: Open, own_etcd: Etcd, service: StartService
) -> None:
    pair = site.HaInterface()
    own_etcd.txn(site.ha_template() | pair.keys())
    page = open_page(service(etcd=own_etcd).url)
    expect(page.locator("#summary")).to_have_text("All 1 resource up")
    banner = page.locator("#banner")
    expect(banner).to_be_hidden()
    own_etcd.kill()
    expect(banner).to_contain_text("Statuses are as of")
    expect(banner).to_contain_text("etcd")
    expect(page.locator("body")).to_have_class("stale")
    expect(page).to_have_title("stale: all 1 up - ha_monitor")
    expect(row(page, pair)).to_have_attribute("data-status", "UP")  # what was known last stays readable
    own_etcd.start()
    expect(banner).to_be_hidden(timeout=60_000)
    own_etcd.put(pair.secondary_state, site.DOWN)
    expect(row(page, pair)).to_have_attribute("data-status", "DEGRADED")


def many_rows(open_page: Open, etcd: Etcd, service: StartService) -> tuple[Page, list[site.HaInterface], Locator]:
    """Give a page with more rows than it has room for, what they are in their order, and the one that is chosen."""
    fleet = sorted((site.HaInterface() for _ in range(100)), key=lambda pair: pair.id)
    etcd.txn(site.ha_template())
    for pair in fleet:
        etcd.txn(pair.keys())
    page = open_page(service().url)
    expect(row(page, fleet[0])).to_be_visible()
    page.locator("#rows").focus()
    return page, fleet, page.locator('#rows [aria-selected="true"]')


def test_keys_choose_rows_that_are_not_loaded_yet(open_page: Open, etcd: Etcd, service: StartService) -> None:
    page, fleet, chosen = many_rows(open_page, etcd, service)
    for keys, index in ((["End"], -1), (["ArrowUp"], -2), (["Home"], 0), (["End", "ArrowUp"], -2)):
        for key in keys:
            page.keyboard.press(key)
        expect(chosen).to_have_attribute("data-id", fleet[index].id)
        expect(chosen).to_be_in_viewport()
        expect(page.locator("#rows")).to_have_attribute("aria-activedescendant", f"row-{index % len(fleet)}")
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_contain_text(fleet[-2].id)


def test_a_row_that_was_chosen_stays_in_sight_where_the_list_gets_less_room(
    open_page: Open, etcd: Etcd, service: StartService
) -> None:
    """The map of the fleet takes its place when it comes, which may be after the first rows and keys."""
    page, fleet, chosen = many_rows(open_page, etcd, service)
    page.keyboard.press("End")
    for height in (1000, 800, 1000, 720):
        page.set_viewport_size({"width": 1280, "height": height})
        expect(chosen).to_have_attribute("data-id", fleet[-1].id)
        expect(chosen).to_be_in_viewport(ratio=0.9)


def test_before_etcd_was_heard_nobody_is_told_that_there_is_nothing(
    open_page: Open, own_etcd: Etcd, service: StartService
) -> None:
    own_etcd.txn(site.ha_template())
    own_etcd.kill()
    page = open_page(f"{service(etcd=own_etcd, ready=False).wait_alive().url}/#/ha_interface/x", outages=True)
    expect(page.locator("#summary")).to_have_text("Resources are not known yet")
    expect(page.locator("#nothing")).to_contain_text("Resources are not known yet: etcd can't be heard")
    expect(page.locator("#detail")).to_contain_text("Reading")
    own_etcd.start()
    expect(page.locator("#summary")).to_have_text("No resources are monitored", timeout=60_000)
    expect(page.locator("#nothing")).to_contain_text("found no HA resources")
    expect(page.locator("#detail")).to_contain_text("There is no such resource")


def test_the_service_is_gone_and_the_page_says_so(
    open_page: Open, pairs: list[site.HaInterface], service: StartService
) -> None:
    running = service()
    page = open_page(running.url, outages=True)
    expect(row(page, pairs[0])).to_have_attribute("data-status", "UP")
    running.stop()
    expect(page.locator("#banner")).to_contain_text("No connection to ha_monitor since")
    expect(page).to_have_title("no connection - ha_monitor")


@pytest.mark.long
def test_twenty_thousand_resources_scroll_and_few_of_them_are_in_the_document(
    open_page: Open, etcd: Etcd, service: StartService
) -> None:
    fleet = sorted((site.HaInterface() for _ in range(MANY)), key=lambda pair: pair.id)
    keys = itertools.chain.from_iterable(pair.keys().items() for pair in fleet)
    while batch := dict(itertools.islice(keys, 120)):
        etcd.txn(batch)
    etcd.txn(site.ha_template())
    running = service(ready=False).wait_ready(60.0)
    page = open_page(running.url)
    rows = page.locator("#rows [data-id]")
    expect(page.locator("#summary")).to_have_text("All 20,000 resources up")
    expect(row(page, fleet[0])).to_be_visible()
    page.locator("#rows").focus()
    page.keyboard.press("End")
    expect(row(page, fleet[-1])).to_be_in_viewport()
    page.evaluate("document.getElementById('rows').scrollTop /= 2")
    expect(row(page, fleet[MANY // 2])).to_be_visible()
    page.keyboard.press("Home")
    expect(row(page, fleet[0])).to_be_in_viewport()
    assert rows.count() < 60, "the browser holds what it shows, and little more"
    lone = fleet[13_000]
    etcd.put(lone.primary_state, site.DOWN)
    expect(rows.first).to_have_attribute("data-id", lone.id)
    expect(page.locator("#fleet")).to_have_attribute("aria-label", "20,000 resources: 1 failover, 19,999 up")
    page.locator("#search").fill(lone.id[:12])
    expect(rows).to_have_count(1)


def test_text_from_etcd_is_text(open_page: Open, etcd: Etcd, service: StartService) -> None:
    name = "<img src=x onerror=alert(1)>\u202eevil"
    pair = site.HaInterface()
    body = {**pair.body, "name": name}
    etcd.txn(site.ha_template() | pair.keys() | {pair.config: site.envelope(body)})
    page = open_page(service().url)
    expect(row(page, pair)).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("#rows img").count() == 0


def test_a_group_is_a_line_at_the_top(open_page: Open, etcd: Etcd, service: StartService) -> None:
    options, keys = ("--group", "edge", "--lease-ttl", "2"), "/ha_monitor/edge/"
    active = service(*options)
    etcd.wait(f"{keys}shards/", lambda items: len(items) == 1)
    standby = service(*options)
    etcd.wait(f"{keys}members/", lambda items: len(items) == 2)
    here = active.json("/api/v1/group")["id"]
    line = open_page(active.url).locator("#group")
    expect(line).to_have_text("group edge: active here, 1 of 1 shard; 2 members")
    assert f"{here} (here): shard 0" in (line.get_attribute("title") or "").splitlines()
    assert line.get_attribute("data-alarm") is None
    expect(open_page(standby.url).locator("#group")).to_have_text("group edge: standby here; 2 members")
    etcd.txn({f"{keys}members/other": '{"shards": 5}'}, [f"{keys}members/{here}", f"{keys}shards/0"])
    expect(line).to_contain_text("outside here: /ha_monitor/edge/: member other runs with --shards 5")
    expect(line).to_have_attribute("data-alarm", "")
    etcd.delete(f"{keys}members/other")
    expect(line).to_contain_text("here; 2 members")


def test_the_browser_asks_for_the_token(
    open_page: Open, pairs: list[site.HaInterface], service: StartService, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    running = service("--http-token-file", str(token))
    page = open_page(running.url, http_credentials={"username": "operator", "password": "s3cret"})
    expect(row(page, pairs[0])).to_have_attribute("data-status", "UP")


@pytest.mark.parametrize(("scheme", "narrow"), [("light", False), ("dark", True)], ids=["light-wide", "dark-narrow"])
def test_nobody_is_kept_out(
    open_page: Open, pairs: list[site.HaInterface], service: StartService, scheme: str, narrow: bool
) -> None:
    """axe-core finds nothing: names, roles, contrast; of the list as of one resource."""
    page = open_page(service().url, narrow=narrow, color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator("#rows [data-id]").first).to_be_visible()
    assert violations(page) == []
    page.locator("#rows [data-id]").first.click()
    expect(page.locator("#detail")).to_contain_text("state key")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is beyond the right border"


def violations(page: Page) -> list[tuple[str, Any]]:
    found = Axe().run(page).response["violations"]
    return [(each["id"], [node["html"][:120] for node in each["nodes"]][:3]) for each in found]


@pytest.mark.skipif(PICTURE is None, reason="the picture of the README: make picture")
def test_picture(open_page: Open, etcd: Etcd, service: StartService) -> None:
    """A fleet of some size with a few failovers, as it would be at three in the morning."""
    cities = ("tokyo", "osaka", "nagoya", "sapporo", "sendai", "fukuoka", "kobe", "kyoto", "naha", "chiba")
    pairs = [site.HaInterface(f"{city}-{number:02}") for city in cities for number in range(1, 41)]
    etcd.txn(site.ha_template())
    for pair in pairs:
        etcd.txn(pair.keys(version="x" if pair.id == "kobe-07" else 1))
    running = service()
    for number in (17, 133, 290, 291, 64):
        etcd.put(pairs[number].primary_state, site.DOWN)
    for number in (64, 305):
        etcd.put(pairs[number].secondary_state, site.DOWN)
    page = open_page(running.url)
    expect(page.locator("#summary")).to_have_text("1 down, 1 problem, 4 failovers, 1 degraded of 400 resources")
    page.wait_for_timeout(5_000)  # the rings around what has just changed go
    page.screenshot(path=PICTURE)
