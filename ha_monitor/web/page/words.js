// How things are said: statuses, times, counts. Nothing here touches the document.

/** The letters of the map, worst first, with what each stands for. */
export const CODES = {
  X: "down", P: "problem", S: "failover", D: "degraded", "?": "unknown", U: "up",
};

/** The letter of an entry's status. */
export const ENTRY_CODES = { UP: "U", DOWN: "X", FAIL: "F", UNKNOWN: "?" };

/** The letters that each chip stands for: every resource is in one of them alone. */
export const CHIP_CODES = { "": "", DOWN: "X", PROBLEM: "P", DEGRADED: "SD", UNKNOWN: "?", UP: "U" };

/** The letter of a resource, as the map gives it. */
export function codeOf(resource) {
  if (resource.problem !== null) return "P";
  if (resource.status !== "DEGRADED") return { UP: "U", DOWN: "X" }[resource.status] ?? "?";
  return resource.active === Object.keys(resource.entries)[0] ? "D" : "S";
}

/** Why a resource is not healthy, or frozen, or about to change; empty where nothing is to be said. */
export function whyOf(resource) {
  return [frozenOf(resource), resource.problem ?? ailingOf(resource)].filter(Boolean).join("; ");
}

function ailingOf({ entries }) {
  const ailing = Object.entries(entries).filter(([, entry]) => entry.status !== "UP" || entry.pending !== null);
  return ailing.map(([name, entry]) => `${name}: ${[entry.reason, pendingOf(entry)].filter(Boolean).join(", ")}`).join("; ");
}

/** What an entry is about to count as; empty where it counts as what it is. */
export function pendingOf({ pending }) {
  return pending === null ? "" : `counts as ${pending.status} from ${clock(pending.due)}`;
}

/** That a resource is in maintenance; empty where it is not. */
export function frozenOf({ maintenance }) {
  if (maintenance === null) return "";
  const until = maintenance.until === null ? "" : ` until ${clock(maintenance.until)}`;
  return `in maintenance${until}${maintenance.reason && `: ${maintenance.reason}`}`;
}

export const hrefOf = ({ type, id }) => `#/${encodeURIComponent(type)}/${encodeURIComponent(id)}`;

/** What a hash points to, or null. */
export function fromHash(hash) {
  const parts = hash.split("/");
  if (parts.length !== 3 || parts[0] !== "#" || !parts[1] || !parts[2]) return null;
  try {
    return { type: decodeURIComponent(parts[1]), id: decodeURIComponent(parts[2]) };
  } catch {
    return null; // somebody's broken link
  }
}

const grouped = new Intl.NumberFormat("en");
export const number = (n) => grouped.format(n);
export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/** Ascending numbers, those that follow one another as a range: "0–2, 5". */
export function ranges(numbers) {
  const runs = [];
  for (const n of numbers) {
    const last = runs.at(-1);
    if (last && n === last.at(-1) + 1) last[1] = n;
    else runs.push([n]);
  }
  return runs.map((run) => run.join("–")).join(", ");
}

// -- times

/** The server's clock minus ours: a laptop's may be wrong, and "since" is told by the server's. */
let skew = 0;

export function noteServerTime(date) {
  const off = Date.parse(date) - Date.now();
  if (!Number.isNaN(off)) skew = Math.abs(off) > 2000 ? off : 0; // the header has whole seconds only
}

/** "3 min": how long ago a time was; a dash for none. */
export function ago(at) {
  if (!at) return "–";
  const s = Math.max(0, Math.floor((Date.now() + skew - Date.parse(at)) / 1000));
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 24) return min % 60 ? `${h} h ${min % 60} min` : `${h} h`;
  const d = Math.floor(h / 24);
  return d < 10 && h % 24 ? `${d} d ${h % 24} h` : `${number(d)} d`;
}

const two = (n) => String(n).padStart(2, "0");
const day = (t) => `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
const time = (t) => `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;

/** "03:12:05", with the day in front where it is not today. */
export function clock(at) {
  const t = new Date(at);
  return day(t) === day(new Date()) ? time(t) : `${day(t)} ${time(t)}`;
}

/** A time for those who have to write it down: ours, and UTC. */
export function exact(at) {
  if (!at) return "";
  const t = new Date(at);
  return `${day(t)} ${time(t)} here, ${t.toISOString()} UTC`;
}

// -- the whole fleet

/** How many of each letter, and in all. */
export function tally(types) {
  const counts = { X: 0, P: 0, S: 0, D: 0, "?": 0, U: 0 };
  let total = 0;
  for (const { codes } of types) {
    for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
    total += codes.length;
  }
  return { counts, total };
}

/** What is not healthy, in parts of a sentence, worst first. */
export function ailments(counts) {
  const said = {
    X: (n) => `${number(n)} down`, P: (n) => plural(n, "problem"), S: (n) => plural(n, "failover"),
    D: (n) => `${number(n)} degraded`, "?": (n) => `${number(n)} unknown`,
  };
  return Object.keys(said).filter((code) => counts[code]).map((code) => said[code](counts[code]));
}
