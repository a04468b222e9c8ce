// Whether what is shown can be trusted, and if not, why: the banner, and the mark on all that is old.

import { say } from "./dom.js";
import { ago, clock, exact, number } from "./words.js";

export class Banner {
  #banner; #proven;
  #lostAt = null; #faults = new Map(); #beat = null;

  constructor(banner, proven) {
    this.#banner = banner;
    this.#proven = proven;
  }

  /** Whether the connection is lost. */
  get lost() {
    return this.#lostAt !== null;
  }

  /** Whether what is shown is old. */
  get stale() {
    return this.lost || this.#faults.size > 0 || this.#beat?.ready === false;
  }

  /** Why resources are not known yet; empty where they are, or where we have not heard. */
  get unknown() {
    return this.#beat?.known === false ? this.#beat.reason : "";
  }

  beat(beat) {
    this.#beat = beat;
    this.#lostAt = null;
    this.show();
  }

  /** The connection is lost; `heardAt`: when we last heard. */
  lose(heardAt) {
    this.#lostAt ??= heardAt ?? new Date();
    this.show();
  }

  /** Requests for a part of the page fail, or (null) work again. */
  fault(part, error) {
    if (error === null) this.#faults.delete(part);
    else this.#faults.set(part, error);
    this.show();
  }

  /** Bring it up to date; also called once a second. */
  show() {
    const words = this.#words();
    say(this.#banner, words);
    this.#banner.hidden = words === "";
    document.body.classList.toggle("stale", this.stale);
    this.#showProven();
  }

  #words() {
    const refused = [...this.#faults.values()].find((error) => error.status);
    if (refused) return `${refused.message}. It is asked again every few seconds.`;
    if (this.lost) {
      const then = this.#beat ? " What is shown is from then." : "";
      return `No connection to ha_monitor since ${clock(this.#lostAt)}.${then}`;
    }
    const fault = this.#faults.values().next().value;
    if (fault) return `${fault.message ?? fault}. What is shown may be old.`;
    if (this.#beat?.ready === false) return this.#notReady(this.#beat);
    return "";
  }

  #notReady({ reason, proven_at }) {
    const words = /etcd/.test(reason) ? reason : `ha_monitor is not ready: ${reason || "it does not say why"}`;
    const from = proven_at ? `Statuses are as of ${clock(proven_at)}.` : "No status is known yet.";
    return `${words}${/[.!?]$/.test(words) ? "" : "."} ${from}`;
  }

  #showProven() {
    const beat = this.#beat;
    if (beat === null) return;
    const revision = `revision ${number(beat.revision)}`;
    say(this.#proven, beat.proven_at ? `proven ${ago(beat.proven_at)} ago, ${revision}` : `not proven yet, ${revision}`);
    this.#proven.title = beat.proven_at ? `as etcd had it at ${exact(beat.proven_at)}` : "";
  }
}
