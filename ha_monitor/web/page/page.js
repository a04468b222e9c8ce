// The page: who is told what. What is shown is in the modules; what is asked for, in which order, is here.

import { Banner } from "./banner.js";
import { Detail } from "./detail.js";
import { el, mark, say, tick } from "./dom.js";
import { Fleet } from "./fleet.js";
import { showGroup } from "./group.js";
import { Coalesced, get, Live } from "./live.js";
import { Rows } from "./rows.js";
import { showTransitions } from "./transitions.js";
import { ailments, CHIP_CODES, hrefOf, number, plural, tally } from "./words.js";

const GAP = 300; // ms between two readings of the same, at least
const RECENT = 12;

const $ = (id) => document.getElementById(id);
const open = (resource) => { location.hash = hrefOf(resource); };
const filter = { status: "", type: "", q: "" };
let map = null;
let generation = null;

const banner = new Banner($("banner"), $("proven"));
const faultOf = (part) => (error) => banner.fault(part, error);

const fleet = new Fleet({ canvas: $("fleet"), legend: $("legend"), tip: $("tip"), open, fault: faultOf("cell") });
const rows = new Rows({ box: $("rows"), open, changed: showCount, fault: faultOf("rows") });
const detail = new Detail({
  dialog: $("detail"), opened: (resource) => rows.follow(resource), missed: (resource) => rows.forget(resource),
  fault: faultOf("detail"),
});

const overview = new Coalesced(async () => {
  map = await get("map");
  showOverview();
}, GAP, faultOf("overview"));

const recent = new Coalesced(async () => {
  const { changes } = await get("history", { limit: RECENT });
  showTransitions($("transitions"), changes, true);
}, GAP, faultOf("recent"));

const group = new Coalesced(async () => {
  showGroup($("group"), await get("group"));
}, GAP, faultOf("group"));

function refresh() {
  for (const part of [overview, recent]) part.ask();
  rows.refresh();
  detail.refresh();
}

const live = new Live({
  beat(beat) {
    const again = banner.lost;
    banner.beat(beat);
    if (again || beat.generation !== generation) refresh();
    generation = beat.generation;
    group.ask(); // it changes without any resource doing so
    if (map !== null) showSummary();
    showCount();
    showTitle();
  },
  change() {
    recent.ask();
  },
  lost() {
    banner.lose(live?.heardAt);
    showTitle();
  },
});

setInterval(() => {
  tick();
  banner.show();
}, 1000);

// -- totals

const CHIPS = [
  ["all", "", "all"], ["down", "X", "DOWN"], ["problem", "P", "problems"],
  ["degraded", "S", "DEGRADED"], ["unknown", "?", "UNKNOWN"], ["up", "U", "UP"],
];

for (const [name, code, word] of CHIPS) {
  const chip = $(`chip-${name}`);
  chip.dataset.code = code;
  chip.append(...(code ? [mark(code)] : []), el("b", {}, "–"), el("span", { class: "word" }, word));
  chip.setAttribute("aria-pressed", String(filter.status === chip.dataset.status));
  chip.addEventListener("click", () => setFilter({ status: filter.status === chip.dataset.status ? "" : chip.dataset.status }));
}

function showOverview() {
  showSummary();
  showTypes();
  showChips();
  fleet.show(shownTypes(), CHIP_CODES[filter.status]);
  showTitle();
  showCount();
}

function showSummary() {
  const { counts, total } = tally(map.types);
  const ill = ailments(counts);
  document.body.dataset.worst = Object.keys(counts).find((code) => counts[code]) ?? "";
  const said = ill.length ? `${ill.join(", ")} of ${plural(total, "resource")}` : `All ${plural(total, "resource")} up`;
  say($("summary"), total ? said : banner.unknown ? "Resources are not known yet" : "No resources are monitored");
}

const shownTypes = () => map.types.filter(({ type }) => !filter.type || type === filter.type);

function showChips() {
  const { counts, total } = tally(shownTypes());
  for (const [name, , word] of CHIPS) {
    const chip = $(`chip-${name}`);
    const codes = [...CHIP_CODES[chip.dataset.status]];
    const count = codes.length ? codes.reduce((sum, code) => sum + counts[code], 0) : total;
    say(chip.querySelector("b"), number(count));
    const failovers = name === "degraded" && counts.S ? `, ${plural(counts.S, "failover")}` : "";
    say(chip.querySelector(".word"), word + failovers);
    chip.classList.toggle("none", count === 0);
  }
}

function showTypes() {
  const names = map.types.map(({ type }) => type);
  const select = $("type");
  if (filter.type && !names.includes(filter.type)) names.push(filter.type);
  const known = [...select.options].slice(1).map(({ value }) => value);
  if (names.join("\n") === known.join("\n")) return;
  select.replaceChildren(select.options[0], ...names.map((name) => el("option", { value: name }, name)));
  select.value = filter.type;
}

function showTitle() {
  if (map === null && !banner.lost) return;
  const { counts, total } = tally(map?.types ?? []);
  const state = ailments(counts).slice(0, 2).join(", ") || (total ? `all ${number(total)} up` : banner.unknown ? "not known yet" : "no resources");
  document.title = `${banner.lost ? "no connection" : banner.stale ? `stale: ${state}` : state} - ha_monitor`;
}

/** How many match, and words where none does. */
function showCount() {
  if (map === null) return;
  const total = tally(map.types).total;
  const narrowed = filter.status || filter.type || filter.q;
  say($("count"), narrowed ? `${number(rows.total)} of ${number(total)}` : "");
  const nothing = $("nothing");
  nothing.hidden = rows.total > 0;
  $("rows").hidden = rows.total === 0;
  if (!nothing.hidden) nothing.replaceChildren(...(total ? noMatch() : noFleet()));
}

function noMatch() {
  const parts = [
    filter.status && (filter.status === "PROBLEM" ? "has a problem" : `is ${filter.status}`),
    filter.type && `is of type ${filter.type}`, filter.q && `has “${filter.q}” in it`,
  ].filter(Boolean);
  const all = el("button", { type: "button", onclick: () => setFilter({ status: "", type: "", q: "" }) }, "Show all");
  return [el("p", {}, `Nothing ${parts.join(" and ")}.`), all];
}

function noFleet() {
  if (banner.unknown) return [el("p", {}, `Resources are not known yet: ${banner.unknown}.`)];
  return [
    el("p", {}, "ha_monitor has found no HA resources in etcd. Check that"),
    el("ul", {},
      el("li", {}, "it reads the etcd that you mean, and the prefixes for configs and templates are the site's;"),
      el("li", {}, "there are templates of HA types beneath …/v2.0/heat_templates/;"),
      el("li", {}, "there are configs of these types, and that they have not ended;"),
      el("li", {}, "the types are among those that this monitor was told to serve.")),
  ];
}

// -- filters and keys

function setFilter(change) {
  Object.assign(filter, change);
  $("type").value = filter.type;
  if ($("search").value.trim() !== filter.q) $("search").value = filter.q;
  for (const [name] of CHIPS) {
    const chip = $(`chip-${name}`);
    chip.setAttribute("aria-pressed", String(chip.dataset.status === filter.status));
  }
  $("rows").hidden = false; // to have a height again: it says how many rows are wanted
  rows.filter({ codes: CHIP_CODES[filter.status], type: filter.type, q: filter.q });
  if (map !== null) showOverview();
}

$("type").addEventListener("change", (event) => setFilter({ type: event.target.value }));
$("search").addEventListener("input", (event) => setFilter({ q: event.target.value.trim() }));
$("search").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "Enter") {
    $("rows").focus();
    rows.choose(0);
  } else if (event.key === "Escape" && filter.q) {
    setFilter({ q: "" });
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
});

addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  if (event.key === "/" && !event.target.closest?.("input, select, textarea")) {
    if (detail.isOpen) detail.close();
    $("search").focus();
    $("search").select();
  } else if (event.key === "Escape" && detail.isOpen) {
    detail.close();
  } else {
    return;
  }
  event.preventDefault();
});
