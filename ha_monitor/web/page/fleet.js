// The fleet picture: each resource one cell, so that a failover is seen among 50,000 at a glance.

import { cellAt, drawMark, layOut, markSize, PAINTED, placeOf } from "./cells.js";
import { el, mark, say } from "./dom.js";
import { Coalesced, get } from "./live.js";
import { ago, ailments, CODES, codeOf, hrefOf, number, plural, tally, whyOf } from "./words.js";

const FRESH = 4000; // ms for which a cell that has just changed is ringed
const RINGS = 50; // more at once are no news of a single one
const TONES = { X: "--down", P: "--problem", S: "--failover", D: "--degraded", "?": "--unknown", U: "--up-cell" };

export class Fleet {
  #canvas; #box; #legend; #tip; #context;
  #types = []; #codes = ""; #lit = ""; #plan = null; #side = 0; #frame = 0;
  #fresh = new Map(); #hovered = -1; #tipAsk;

  /** `open(resource)` is called with what was clicked; `fault` with what goes wrong. */
  constructor({ canvas, legend, tip, open, fault }) {
    this.#canvas = canvas;
    this.#box = canvas.parentElement;
    this.#legend = legend;
    this.#tip = tip;
    this.#context = canvas.getContext("2d");
    this.#tipAsk = new Coalesced(() => this.#fillTip(), 150, fault);
    canvas.addEventListener("pointermove", (event) => this.#hover(event));
    canvas.addEventListener("pointerleave", () => this.#unhover());
    canvas.addEventListener("click", async (event) => {
      try {
        const found = await this.#read(this.#near(event));
        if (found) open(found);
        fault(null);
      } catch (error) {
        fault(error);
      }
    });
    new ResizeObserver(() => this.#planAnew()).observe(this.#box);
    addEventListener("resize", () => this.#planAnew());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#drawSoon());
  }

  /** Show these types' letters; those in `lit` (empty: all) stand out. */
  show(types, lit) {
    const codes = types.map((each) => each.codes).join("");
    if (codes === this.#codes && lit === this.#lit && types.length === this.#types.length) return;
    if (codes.length === this.#codes.length) this.#ring(codes);
    else this.#fresh.clear();
    this.#types = types;
    this.#lit = lit;
    this.#codes = codes;
    this.#tell();
    this.#planAnew();
  }

  #ring(codes) {
    const changed = [];
    for (let i = 0; i < codes.length; i += 1) if (codes[i] !== this.#codes[i]) changed.push(i);
    if (changed.length > RINGS) return;
    const until = performance.now() + FRESH;
    for (const i of changed) this.#fresh.set(i, until);
    if (changed.length) setTimeout(() => this.#drawSoon(), FRESH + 50);
  }

  /** Say in words what the picture shows. */
  #tell() {
    const { counts, total } = tally(this.#types);
    const said = [...ailments(counts), `${number(counts.U)} up`].join(", ");
    this.#canvas.setAttribute("aria-label", `${plural(total, "resource")}: ${said}`);
    if (!this.#legend.children.length) {
      this.#legend.replaceChildren(...Object.entries(CODES).map(([code, word]) =>
        el("li", { "data-code": code }, mark(code), `${word} `, el("b", {}, "0"))));
    }
    for (const line of this.#legend.children) {
      const count = counts[line.dataset.code];
      say(line.querySelector("b"), number(count));
      line.classList.toggle("none", count === 0);
    }
  }

  // -- drawing

  #planAnew() {
    const width = this.#box.clientWidth;
    if (!width || !this.#codes) return this.#drawSoon();
    const ratio = devicePixelRatio;
    const height = Math.min(240, Math.max(64, innerHeight * 0.2));
    this.#plan = layOut(this.#types, Math.floor(width * ratio), Math.floor(height * ratio), ratio);
    const canvas = this.#canvas;
    if (canvas.width !== this.#plan.width) canvas.width = this.#plan.width;
    if (canvas.height !== this.#plan.height) canvas.height = this.#plan.height;
    canvas.style.width = `${this.#plan.width / ratio}px`;
    canvas.style.height = `${this.#plan.height / ratio}px`;
    this.#drawSoon();
  }

  #drawSoon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const context = this.#context;
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#canvas.hidden = !this.#codes;
    if (!this.#codes || !this.#plan) return;
    const ratio = devicePixelRatio;
    const style = getComputedStyle(this.#canvas);
    const tone = (name) => style.getPropertyValue(name).trim();
    const places = this.#places();
    const ailing = this.#codes.length - places.U.length;
    const own = markSize(this.#plan, 0, ratio);
    this.#side = markSize(this.#plan, ailing, ratio);
    context.letterColor = tone("--on");
    for (const code of PAINTED) {
      context.globalAlpha = this.#lit && !this.#lit.includes(code) ? 0.18 : 1;
      context.fillStyle = context.strokeStyle = tone(TONES[code]);
      if (code === "U") context.letterColor = tone("--on-up-cell");
      else context.letterColor = tone("--on");
      const side = code === "U" ? own : this.#side;
      for (const [x, y] of places[code]) drawMark(context, code, x, y, side, ratio);
    }
    context.globalAlpha = 1;
    this.#drawLabels(style, ratio);
    this.#drawRings(tone("--ink"), ratio);
  }

  /** The centres of the cells of each letter. */
  #places() {
    const { blocks, columns, size, gutter } = this.#plan;
    const places = Object.fromEntries([...PAINTED].map((code) => [code, []]));
    for (const { top, first, count } of blocks) {
      for (let i = 0; i < count; i += 1) {
        const x = gutter + ((i % columns) + 0.5) * size;
        (places[this.#codes[first + i]] ?? places["?"]).push([x, top + (Math.floor(i / columns) + 0.5) * size]);
      }
    }
    return places;
  }

  #drawLabels(style, ratio) {
    const context = this.#context;
    const { blocks, gutter, size } = this.#plan;
    context.fillStyle = style.getPropertyValue("--quiet").trim();
    context.font = `${12 * ratio}px ${style.fontFamily}`;
    context.textAlign = "left";
    context.textBaseline = "middle";
    for (const { label, top, tall } of blocks) {
      const middle = top + Math.min(Math.max(size, 16 * ratio), tall) / 2;
      if (label) context.fillText(fitted(context, label, gutter - 10 * ratio), 0, middle);
    }
  }

  #drawRings(ink, ratio) {
    const context = this.#context;
    const now = performance.now();
    context.strokeStyle = ink;
    context.lineWidth = 1.5 * ratio;
    for (const [index, until] of this.#fresh) {
      if (until < now) {
        this.#fresh.delete(index);
        continue;
      }
      const [x, y] = placeOf(this.#plan, index);
      const side = Math.max(this.#plan.size, this.#side) + 2 * ratio;
      const [left, top] = [x, y].map((at) => at + (this.#plan.size - side) / 2);
      context.strokeRect(left, top, side, side);
    }
  }

  // -- pointing

  /** The cell at the pointer; one that is not healthy draws it to itself as far as its mark goes. */
  #near(event) {
    if (!this.#plan) return -1;
    const ratio = devicePixelRatio;
    const [x, y] = [event.offsetX * ratio, event.offsetY * ratio];
    const { size } = this.#plan;
    const reach = this.#side > size ? Math.ceil(this.#side / size / 2) : 0;
    let found = cellAt(this.#plan, x, y);
    let worst = found < 0 ? -1 : PAINTED.indexOf(this.#codes[found]);
    for (let down = -reach; down <= reach; down += 1) {
      for (let right = -reach; right <= reach; right += 1) {
        const other = cellAt(this.#plan, x + right * size, y + down * size);
        const rank = other < 0 ? -1 : PAINTED.indexOf(this.#codes[other]);
        if (rank > Math.max(0, worst)) [found, worst] = [other, rank];
      }
    }
    return found;
  }

  /** Read the resource of a cell: the letters are in the order of type, name and id. */
  async #read(index) {
    if (index < 0) return null;
    let offset = index;
    for (const { type, codes } of this.#types) {
      if (offset < codes.length) {
        const { resources } = await get("resources", { order: "name", type, offset, limit: 1 });
        return resources[0] ?? null;
      }
      offset -= codes.length;
    }
    return null;
  }

  #hover(event) {
    const index = this.#near(event);
    this.#canvas.classList.toggle("pointing", index >= 0);
    if (index === this.#hovered) return;
    this.#hovered = index;
    if (index < 0) return this.#unhover();
    const ratio = devicePixelRatio;
    const [x, y] = placeOf(this.#plan, index).map((at) => (at + this.#plan.size) / ratio);
    const right = x > this.#canvas.clientWidth / 2;
    this.#tip.style.top = `${this.#canvas.offsetTop + y + 8}px`;
    this.#tip.style.left = right ? "auto" : `${this.#canvas.offsetLeft + x + 4}px`;
    this.#tip.style.right = right ? `${this.#box.clientWidth - x + 12}px` : "auto";
    this.#tip.hidden = true;
    this.#tipAsk.ask();
  }

  #unhover() {
    this.#hovered = -1;
    this.#tip.hidden = true;
  }

  async #fillTip() {
    const index = this.#hovered;
    const found = await this.#read(index);
    if (found === null || index !== this.#hovered) return;
    const head = el("div", {}, mark(codeOf(found)), el("b", {}, found.name || found.id), ` ${found.type}`);
    const active = found.active === null ? "nothing active" : `${found.active} active`;
    const lines = [`${found.status} for ${ago(found.since)}, ${active}`, whyOf(found)].filter(Boolean);
    this.#tip.replaceChildren(head, ...lines.map((line) => el("div", {}, line)));
    this.#tip.dataset.href = hrefOf(found);
    this.#tip.hidden = false;
  }
}

function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let shorter = text;
  while (shorter && context.measureText(`${shorter}…`).width > width) shorter = shorter.slice(0, -1);
  return `${shorter}…`;
}
