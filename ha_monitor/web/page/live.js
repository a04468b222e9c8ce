// What keeps the page true: requests, the stream of events and whether it lives, and refetching without a rush.

import { noteServerTime } from "./words.js";

const SILENCE = 12_000; // a heartbeat comes every 5 s
const AGAIN = 3_000;
const PATIENCE = 15_000;

/** A request that did not work, in words. */
export class Failed extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

/** Ask the API; the parameters that are empty are left out. */
export async function get(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined);
  const query = given.length ? `?${new URLSearchParams(given)}` : "";
  let answer;
  try {
    answer = await fetch(`api/v1/${path}${query}`, { signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    throw new Failed(0, "ha_monitor gives no answer");
  }
  noteServerTime(answer.headers.get("date"));
  const body = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body;
  throw new Failed(answer.status, inWords(answer.status, body?.error));
}

function inWords(status, error) {
  if (status === 401) return `ha_monitor does not let us in: ${error ?? "no token"} (401); reload to give it`;
  return `ha_monitor can't answer: ${error ?? "its answer can't be read"} (${status})`;
}

/** Does some work whenever asked: one at a time, not more often than every `gap` ms, again where it failed. */
export class Coalesced {
  #work; #gap; #fault;
  #wanted = false; #busy = false; #timer = 0; #next = 0;

  /** `fault` is told each failure, and null once it works again. */
  constructor(work, gap, fault) {
    this.#work = work;
    this.#gap = gap;
    this.#fault = fault;
  }

  ask() {
    this.#wanted = true;
    if (this.#busy || this.#timer) return;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, this.#next - performance.now()));
  }

  async #run() {
    this.#timer = 0;
    this.#wanted = false;
    this.#busy = true;
    this.#next = performance.now() + this.#gap;
    try {
      await this.#work();
      this.#fault(null);
    } catch (error) {
      if (!(error instanceof Failed)) console.error(error);
      this.#fault(error);
      this.#wanted = true;
      this.#next = performance.now() + AGAIN;
    }
    this.#busy = false;
    if (this.#wanted) this.ask();
  }
}

/** The stream of events. Calls `on.beat(heartbeat)`, `on.change(transition)`, `on.lost()`. */
export class Live {
  #on; #source = null; #heard = performance.now(); #reopen = 0;

  /** When we last heard of the monitor; null: never. */
  heardAt = null;

  constructor(on) {
    this.#on = on;
    this.#open();
    setInterval(() => this.#watch(), 1000);
    addEventListener("pageshow", (event) => event.persisted && this.#open());
  }

  #open() {
    clearTimeout(this.#reopen);
    this.#reopen = 0;
    this.#source?.close();
    const source = this.#source = new EventSource("api/v1/events?snapshot=none");
    source.addEventListener("heartbeat", (event) => {
      this.#heard = performance.now();
      this.heardAt = new Date();
      this.#on.beat(JSON.parse(event.data));
    });
    source.addEventListener("change", (event) => this.#on.change(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      this.#on.lost();
      // The browser itself goes on only where the connection broke, not where it was refused.
      if (source.readyState === EventSource.CLOSED) this.#openLater();
    });
  }

  #openLater() {
    this.#reopen ||= setTimeout(() => this.#open(), AGAIN);
  }

  #watch() {
    if (performance.now() - this.#heard <= SILENCE) return;
    this.#heard = performance.now();
    this.#on.lost();
    this.#openLater(); // a connection that died without a word is never told of
  }
}
