// Who shares the work with this monitor: a line at the top, where there is a group at all.

import { say } from "./dom.js";
import { plural, ranges } from "./words.js";

/** Show what /api/v1/group says. */
export function showGroup(line, group) {
  line.hidden = group.name === null;
  if (line.hidden) return;
  const none = group.unowned.length ? `; nobody publishes for ${plural(group.unowned.length, "shard")}` : "";
  const passed = group.passed_over.length ? ` (${group.passed_over.length} passed over)` : "";
  say(line, `group ${group.name}: ${here(group)}; ${plural(group.members.length, "member")}${passed}${none}`);
  line.toggleAttribute("data-alarm", none !== "" || group.fault !== "");
  line.title = group.members.map(member).join("\n");
}

function here({ fault, role, owned, shards }) {
  if (fault) return `outside here: ${fault}`;
  return owned.length ? `${role} here, ${owned.length} of ${plural(shards, "shard")}` : `${role} here`;
}

function member({ id, shards, here }) {
  const share = shards.length ? `${shards.length === 1 ? "shard" : "shards"} ${ranges(shards)}` : "no shard";
  return `${id}${here ? " (here)" : ""}: ${share}`;
}
