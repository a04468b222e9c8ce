#!/bin/sh
# Keeps a file with the active side of one resource: active_side.sh TYPE ID FILE
# A hook may be run again for what it was run for before, so what it does must be the same the second time.
set -eu
[ "$HA_CHANGE_TYPE/$HA_CHANGE_ID" = "$1/$2" ] || exit 0
printf '%s\n' "${HA_CHANGE_ACTIVE:-none}" >"$3.next"
mv "$3.next" "$3" # whole at any moment
# What follows from it goes here: systemctl reload, ip address, a drain. A failure has the hook run again.
