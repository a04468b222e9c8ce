// Making elements. Data reaches the document through text and attributes alone, never as markup.

import { ago, ENTRY_CODES, exact } from "./words.js";

/** Make an element; properties that are not its own become attributes. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Set a text only where it is another one: nothing flickers, and no screen reader starts anew. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** A status's letter in its shape. */
export const mark = (code) => el("span", { class: "mark", "data-code": code, "aria-hidden": "true" }, code);

/** An entry's name and status. */
export function entryBadge(name, status, active = false) {
  const badge = el("span", { class: "entry", "data-entry": status }, mark(ENTRY_CODES[status] ?? "?"));
  badge.append(el("span", { class: active ? "name active" : "name" }, name), ` ${status}`);
  return badge;
}

/** How long ago, kept right by tick(). */
export function since(at) {
  return at ? el("time", { datetime: at, title: exact(at), "data-ago": "" }, ago(at)) : el("span", {}, "–");
}

/** Once a second: every "3 min" that is shown. */
export function tick() {
  for (const shown of document.querySelectorAll("time[data-ago]")) say(shown, ago(shown.dateTime));
}
