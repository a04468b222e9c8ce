// Transitions as a list: which entry of what went from which status to which, when and by which etcd revision.

import { el, mark } from "./dom.js";
import { clock, ENTRY_CODES, exact, hrefOf, number } from "./words.js";

const NONE = "none";

const statusOrNot = (status, not) => (status === null
  ? el("span", { class: "quiet" }, not)
  : el("span", { class: "entry", "data-entry": status }, mark(ENTRY_CODES[status] ?? "?"), status));

/** One transition; `whose`: with the resource's name. */
function item(change, whose) {
  const head = el("div", { class: "when" });
  head.append(el("time", { datetime: change.at, title: exact(change.at) }, clock(change.at)));
  if (whose) head.append(el("a", { href: hrefOf(change), title: `${change.type} ${change.id}` }, change.id));
  head.append(el("span", { class: "quiet rev", title: "etcd revision" }, `rev ${number(change.revision)}`));

  const move = el("div", { class: "move" }, el("span", { class: "name" }, change.entry));
  move.append(statusOrNot(change.old, "new"), el("span", { "aria-label": "to" }, "→"), statusOrNot(change.new, "gone"));

  const active = change.active === null ? "nothing active" : `${change.active} active`;
  const result = el("div", { class: "result", title: change.reason }, `now ${change.status}, ${active}`);
  if (!whose && change.reason) result.append(` – ${change.reason}`);
  return el("li", {}, head, move, result);
}

function keyed(line, key) {
  line.dataset.key = key;
  return line;
}

/** Show transitions, newest first; those that stay are not touched. */
export function showTransitions(list, changes, whose) {
  const keys = changes.map((change) => JSON.stringify(change));
  const shown = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const items = changes.map((change, i) => shown.get(keys[i]) ?? keyed(item(change, whose), keys[i]));
  if (!items.length) items.push(shown.get(NONE) ?? keyed(el("li", { class: "quiet" }, "none since ha_monitor started"), NONE));
  if (items.length === list.children.length && items.every((each, i) => each === list.children[i])) return;
  list.replaceChildren(...items);
}
