// One resource in full, live, and at a link of its own: both sides, the published record, its transitions.

import { el, mark, say, since } from "./dom.js";
import { Coalesced, get } from "./live.js";
import { showTransitions } from "./transitions.js";
import { clock, codeOf, ENTRY_CODES, exact, fromHash, frozenOf, pendingOf } from "./words.js";

const TRANSITIONS = 20;

export class Detail {
  #dialog; #title; #body; #list; #ask; #opened; #missed;
  #wanted = null; #before = null; #drawn = "";

  /** `opened(resource)`: this one is shown now. `missed(resource)`: there is no such one. */
  constructor({ dialog, opened, missed, fault }) {
    this.#dialog = dialog;
    this.#opened = opened;
    this.#missed = missed;
    this.#ask = new Coalesced(() => this.#fetch(), 300, fault);
    this.#title = el("h2", { id: "detail-title", tabindex: "-1" });
    this.#body = el("div", { class: "detail-body" });
    this.#list = el("ol", { class: "transitions" });
    const leave = el("button", { type: "button", class: "leave", "aria-label": "Close", onclick: () => this.close() }, "✕");
    dialog.append(
      el("div", { class: "head" }, this.#title, leave), this.#body,
      el("section", { class: "detail-history" }, el("h3", {}, "Its transitions"), this.#list),
    );
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.close();
    });
    dialog.addEventListener("click", (event) => event.target === dialog && this.close()); // beside it
    addEventListener("hashchange", () => this.#follow());
    this.#follow();
  }

  get isOpen() {
    return this.#wanted !== null;
  }

  /** Have what changed shown. */
  refresh() {
    if (this.#wanted) this.#ask.ask();
  }

  close() {
    if (location.hash) history.pushState(null, "", location.pathname + location.search);
    this.#follow();
  }

  /** Open what the address says, or close. */
  #follow() {
    this.#wanted = fromHash(location.hash);
    if (this.#wanted === null) {
      if (!this.#dialog.open) return;
      this.#dialog.close();
      this.#before?.focus({ preventScroll: true });
      return;
    }
    const { type, id } = this.#wanted;
    this.#title.replaceChildren(el("span", { class: "quiet" }, type), id);
    this.#body.replaceChildren(el("p", { class: "quiet" }, "Reading …"));
    this.#list.replaceChildren();
    this.#drawn = "";
    this.#opened(this.#wanted);
    if (!this.#dialog.open) {
      this.#before = document.activeElement;
      // Beside the list where there is room; else over it, and then nothing beneath can be reached.
      if (matchMedia("(min-width: 60rem)").matches) this.#dialog.show();
      else this.#dialog.showModal();
      this.#title.focus({ preventScroll: true });
    }
    this.#ask.ask();
  }

  async #fetch() {
    const wanted = this.#wanted;
    if (wanted === null) return;
    const path = `resources/${encodeURIComponent(wanted.type)}/${encodeURIComponent(wanted.id)}`;
    const [resource, told] = await Promise.all([
      get(path).catch(none), get("history", { ...wanted, limit: TRANSITIONS }).catch(none),
    ]);
    if (wanted !== this.#wanted) return; // another one is wanted by now, and asked for
    this.#draw(resource);
    showTransitions(this.#list, told?.changes ?? [], false);
  }

  #draw(resource) {
    // The proof of the moment is in the header; without it, what is the same is not drawn anew.
    const drawn = JSON.stringify(resource && { ...resource, revision: 0, proven_at: 0 });
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    if (resource === null) {
      this.#missed(this.#wanted);
      this.#body.replaceChildren(el("p", {}, "There is no such resource (any more): its config is not in etcd."));
      return;
    }
    const { type, id, name, problem } = resource;
    this.#title.replaceChildren(el("span", { class: "quiet" }, name && name !== id ? `${type} ${id}` : type), name || id);
    this.#body.replaceChildren(
      standing(resource),
      ...(problem === null ? [] : [el("p", { class: "problem" }, mark("P"), problem)]),
      ...asides(resource).map((words) => el("p", { class: "aside" }, words)),
      el("h3", {}, "Sides"),
      ...Object.entries(resource.entries).map(([entry, its]) => side(entry, its, entry === resource.active)),
      ...(Object.keys(resource.entries).length ? [] : [el("p", { class: "quiet" }, "It has none: it can't be rendered.")]),
      el("h3", {}, "Published record"),
      published(resource),
      ...takeUp(resource),
      el("p", { class: "quiet" }, `template ${resource.template ?? "unknown"}, version ${resource.version ?? "unknown"}`),
    );
  }
}

/** What is gone is no failure. */
function none(error) {
  if (error.status === 404) return null;
  throw error;
}

/** What else is to be known of a resource, a sentence each. */
function asides(resource) {
  const frozen = frozenOf(resource);
  return [
    frozen && `It is ${frozen}. Its record and its hooks stay as they are.`,
    resource.blind && "This is no verdict: etcd could not be heard for too long, and the monitor was told what to say then.",
    resource.take_up?.state_error && `Its worker reports an error: ${resource.take_up.state_error}`,
    resource.stale && !resource.blind && `It can't be vouched for: last proven at ${clock(resource.proven_at)}.`,
  ].filter(Boolean);
}

function standing(resource) {
  const { status, active } = resource;
  const code = codeOf(resource);
  const words = code === "S" ? `${status}, failover` : status;
  return el("p", { class: "standing", "data-code": code }, mark(code), el("b", {}, words),
    el("span", {}, "for ", since(resource.since)),
    el("span", {}, active === null ? "nothing is active" : `${active} is active`));
}

function side(name, entry, active) {
  const facts = el("dl", {});
  const fact = (term, text) => facts.append(el("dt", {}, term), el("dd", {}, text));
  fact("since", entry.since ? exact(entry.since) : "not known");
  fact("why", entry.reason || "–");
  if (entry.pending !== null) fact("to come", `${pendingOf(entry)}, if it stays so`);
  fact("state key", entry.key === null ? "none" : el("code", {}, entry.key));
  return el("section", { class: "side", "data-entry": entry.status },
    el("h4", {}, mark(ENTRY_CODES[entry.status] ?? "?"), `${name} ${entry.status} `,
      el("span", { class: "quiet" }, "for ", since(entry.since)),
      ...(active ? [el("span", { class: "tag" }, "active")] : []),
      ...(entry.flapping ? [el("span", { class: "tag" }, "flapping")] : [])),
    facts);
}

/** How far gohan is with the record, where that is known. */
function takeUp({ take_up: told, published: record }) {
  return told === null || record === null ? [] : [el("p", { class: "quiet" }, `${told.words}.`)];
}

/** The record that others read, and whether it says the same. */
function published({ published: record, entries }) {
  if (record === null) return el("p", { class: "quiet" }, "There is none in etcd.");
  const other = Object.keys(entries).filter((name) => name in record && record[name] !== entries[name].status);
  const box = el("div", {}, el("pre", {}, JSON.stringify(record, null, 2)));
  if (other.length) box.append(el("p", { class: "problem" }, mark("P"), `It says something else of ${other.join(", ")}.`));
  return box;
}
