// The list: a window on resources in the order of health. Only rows that can be seen are fetched and in the document.

import { attribute, el, entryBadge, mark, say } from "./dom.js";
import { Coalesced, get } from "./live.js";
import { ago, codeOf, exact, hrefOf, number, whyOf } from "./words.js";

const TALLEST = 8_000_000; // px; browsers stop at 17 million and more
const SPARE = 6; // rows above and below what is seen
const SIDES = 3; // entries shown in a row
const COLUMNS = ["Status", "Resource", "Since", "Active", "Sides, and why"];

export class Rows {
  #box; #layer; #open; #changed; #ask;
  #filter = { codes: "", type: "", q: "" };
  #height = 48; #head = 32; #view = 0; // px: of a row, of the titles, of the rows that are seen
  #total = 0; #first = 0; #shown = []; #at = 0; #chosen = null; #wished = false;

  /** `open(resource)`: a row was chosen. `changed(total)`: there is another answer. */
  constructor({ box, open, changed, fault }) {
    this.#box = box;
    this.#open = open;
    this.#changed = changed;
    this.#ask = new Coalesced(() => this.#fetch(), 150, fault);
    const titles = COLUMNS.map((title) => el("span", { role: "columnheader" }, title));
    this.#layer = el("div", { class: "layer", role: "presentation" });
    box.append(
      el("div", { class: "row head", role: "row", "aria-rowindex": "1" }, ...titles),
      el("div", { class: "spacer", role: "presentation" }, this.#layer),
    );
    box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    box.addEventListener("keydown", (event) => this.#key(event));
    this.#layer.addEventListener("click", (event) => this.#clicked(event));
    new ResizeObserver(() => this.#measure()).observe(box);
    this.#measure();
  }

  get total() {
    return this.#total;
  }

  /** Show others. */
  filter(filter) {
    this.#filter = { ...filter };
    this.#wished = false;
    this.#box.scrollTop = 0;
    this.#ask.ask();
  }

  refresh() {
    this.#ask.ask();
  }

  // -- the window

  #measure() {
    const seen = this.#isSeen();
    const style = getComputedStyle(this.#box);
    this.#height = parseFloat(style.getPropertyValue("--row")) || 48;
    this.#head = parseFloat(style.getPropertyValue("--row-head")) || 0;
    this.#view = this.#box.clientHeight - this.#head;
    this.#size();
    if (seen) this.#reveal(); // the map or a banner may take room only now
    this.#ask.ask();
  }

  #size() {
    const height = Math.min(TALLEST, this.#total * this.#height);
    this.#layer.parentElement.style.height = `${height}px`;
  }

  /** Which row is at the top, as a fraction: the scroll bar stands for all rows, however many pixels it has. */
  #top() {
    const full = this.#total * this.#height;
    const { scrollTop, clientHeight } = this.#box;
    if (full <= TALLEST) return scrollTop / this.#height;
    const view = clientHeight - this.#head;
    return (scrollTop / (TALLEST - view)) * (this.#total - view / this.#height);
  }

  #room() {
    return Math.ceil(Math.max(0, this.#box.clientHeight - this.#head) / this.#height) + 1;
  }

  #scrolled() {
    const top = Math.floor(this.#top());
    const end = Math.min(this.#total, top + this.#room());
    if (this.#total * this.#height > TALLEST) this.#place();
    if (top < this.#first || end > this.#first + this.#shown.length) this.#ask.ask();
  }

  async #fetch() {
    const filter = this.#filter;
    const offset = Math.max(0, Math.floor(this.#top()) - SPARE);
    const limit = Math.min(1000, this.#room() + 2 * SPARE);
    const answer = await get("resources", { order: "health", ...filter, offset, limit });
    if (filter !== this.#filter) return; // others are wanted by now, and asked for
    this.#total = answer.total;
    this.#first = offset;
    this.#shown = answer.resources;
    this.#size();
    this.#render();
    this.#changed(answer.total);
    this.#scrolled(); // the end may have come nearer
  }

  #place() {
    const top = this.#box.scrollTop - (this.#top() - this.#first) * this.#height;
    this.#layer.style.transform = `translateY(${top}px)`;
  }

  #render() {
    const rows = this.#layer.children;
    while (rows.length > this.#shown.length) rows[rows.length - 1].remove();
    while (rows.length < this.#shown.length) this.#layer.append(makeRow());
    if (this.#wished) this.#take();
    else if (this.#chosen) {
      const moved = this.#shown.findIndex((each) => isSame(each, this.#chosen));
      if (moved >= 0) this.#at = this.#first + moved;
    }
    for (const [i, resource] of this.#shown.entries()) fillRow(rows[i], resource, this.#first + i);
    this.#box.setAttribute("aria-rowcount", String(this.#total + 1));
    this.#place();
    this.#mark();
  }

  // -- choosing

  #mark() {
    let active = "";
    for (const row of this.#layer.children) {
      const chosen = this.#chosen !== null && isSame(row.dataset, this.#chosen);
      row.setAttribute("aria-selected", String(chosen));
      if (chosen) active = row.id;
    }
    if (active) attribute(this.#box, "aria-activedescendant", active);
    else this.#box.removeAttribute("aria-activedescendant");
  }

  /** Mark a resource that was opened from elsewhere; null, or one that is in no row: none is marked. */
  follow(resource) {
    this.#chosen = resource;
    this.#wished = false;
    const place = resource === null ? -1 : this.#shown.findIndex((each) => isSame(each, resource));
    if (place >= 0) this.#at = this.#first + place;
    this.#mark();
  }

  /** Mark a resource no longer: there is none. */
  forget(resource) {
    if (this.#chosen && isSame(this.#chosen, resource)) this.follow(null);
  }

  /** Choose the row at an index and have it seen. */
  choose(index) {
    if (!this.#total) return;
    this.#at = Math.min(this.#total - 1, Math.max(0, index));
    this.#reveal();
    this.#take();
    this.#mark();
  }

  /** Is the chosen row seen, in part at least, by the sizes that were measured last? */
  #isSeen() {
    const top = this.#top();
    return (this.#chosen !== null || this.#wished) && this.#at + 1 > top && this.#at < top + this.#view / this.#height;
  }

  /** Scroll as little as it takes to have the chosen row seen. */
  #reveal() {
    const full = this.#total * this.#height;
    const view = this.#box.clientHeight - this.#head;
    const room = Math.max(1, Math.floor(view / this.#height));
    const top = this.#top();
    let wanted = top;
    if (this.#at < top) wanted = this.#at;
    else if (this.#at + 1 > top + view / this.#height) wanted = this.#at + 1 - view / this.#height;
    if (wanted !== top) {
      this.#box.scrollTop = full <= TALLEST ? wanted * this.#height
        : (wanted / (this.#total - room)) * (TALLEST - view);
    }
  }

  /** Take the row that is wished for; one that is not here yet once it comes. */
  #take() {
    const resource = this.#shown[Math.min(this.#at, this.#total - 1) - this.#first];
    this.#wished = !resource;
    this.#chosen = resource ? { type: resource.type, id: resource.id } : null;
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, this.#room() - 2);
    const none = this.#chosen === null && !this.#wished;
    const to = {
      ArrowDown: none ? Math.floor(this.#top()) : this.#at + 1,
      ArrowUp: none ? Math.floor(this.#top()) : this.#at - 1,
      PageDown: this.#at + page, PageUp: this.#at - page, Home: 0, End: this.#total - 1,
    }[event.key];
    if (to !== undefined) this.choose(to);
    else if (event.key === "Enter" && this.#chosen) this.#open(this.#chosen);
    else return;
    event.preventDefault();
  }

  #clicked(event) {
    const row = event.target.closest("[data-id]");
    if (!row || String(getSelection())) return; // text is being taken, to be pasted elsewhere
    this.#chosen = { type: row.dataset.type, id: row.dataset.id };
    this.#wished = false;
    this.#at = Number(row.getAttribute("aria-rowindex")) - 2;
    this.#mark();
    if (!event.target.closest("a")) this.#open(this.#chosen);
  }
}

const isSame = (one, other) => one.type === other.type && one.id === other.id;

function makeRow() {
  const cell = (name, ...children) => el("span", { class: name, role: "gridcell" }, ...children);
  const lines = () => [el("span", { class: "first" }), el("span", { class: "second" })];
  return el("div", { class: "row", role: "row" },
    cell("status", mark("?"), el("span", { class: "lines" }, ...lines())),
    cell("resource", el("a", { class: "first", tabindex: "-1" }), el("span", { class: "second" })),
    cell("since", el("time", { "data-ago": "" })),
    cell("active"),
    cell("sides", ...lines()));
}

/** Fill a row; what has not changed is not touched. */
function fillRow(row, resource, index) {
  const [status, name, since, active, sides] = row.children;
  const code = codeOf(resource);
  const { type, id } = resource;
  row.id = `row-${index}`;
  Object.assign(row.dataset, { type, id, status: resource.status, code });
  attribute(row, "aria-rowindex", String(index + 2));

  const [shape, words] = status.children;
  attribute(shape, "data-code", code);
  say(shape, code);
  say(words.children[0], resource.status);
  say(words.children[1], { P: "problem", S: "failover" }[code] ?? "");

  const called = resource.name || id;
  say(name.children[0], called);
  attribute(name.children[0], "href", hrefOf(resource));
  attribute(name, "title", `${type} ${id}`);
  say(name.children[1], called === id ? type : `${type} ${id}`);

  attribute(since.children[0], "datetime", resource.since ?? "");
  attribute(since.children[0], "title", exact(resource.since));
  say(since.children[0], ago(resource.since));
  say(active, resource.active ?? "none");
  active.classList.toggle("none", resource.active === null);

  const entries = Object.entries(resource.entries);
  const shown = entries.map(([entry, { status: its }]) => [entry, its]);
  const key = JSON.stringify([shown, resource.active]);
  if (sides.dataset.key !== key) {
    sides.dataset.key = key;
    const badges = shown.slice(0, SIDES).map(([entry, its]) => entryBadge(entry, its, entry === resource.active));
    if (shown.length > SIDES) badges.push(el("span", { class: "quiet" }, `+${number(shown.length - SIDES)}`));
    sides.children[0].replaceChildren(...badges);
  }
  const why = whyOf(resource);
  say(sides.children[1], why);
  attribute(sides.children[1], "title", why);
}
