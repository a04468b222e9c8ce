// Who shares the work with this monitor: a line at the top, where there is a group at all.

import { say } from "./dom.js";
import { plural } from "./words.js";

/** Show what /api/v1/group says. */
export function showGroup(line, group) {
  line.hidden = group.name === null;
  if (line.hidden) return;
  const share = group.owned.length ? `, ${group.owned.length} of ${plural(group.shards, "shard")}` : "";
  const none = group.unowned.length ? `; nobody publishes ${plural(group.unowned.length, "shard")}` : "";
  say(line, `group ${group.name}: ${group.role} here${share}; ${plural(group.members.length, "member")}${none}`);
  line.toggleAttribute("data-unowned", none !== "");
  line.title = group.members.map(({ id, shards }) => `${id}: ${shards.join(", ") || "no shard"}`).join("\n");
}
