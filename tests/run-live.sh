#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Run the live tests: real VPSs on this machine, as root, on a node of their own.
#
#	tests/run-live.sh [-v] [NAME...]	all, or only the named ones (life, exec, ...)
#	LIVE_FULL=1				the long ones too
#
# Each script prints a line for each behaviour; shown are those that failed or were skipped
# and the closing line of each script (-v: all lines).

verbose=
[ "${1-}" = -v ] && verbose=yes && shift

here=$(cd "$(dirname "$0")" && pwd)
. "$here/live/lib.sh"

all="life exec network guard wall two-nodes forward address uplink modes rate disk limits plans capacity usage history quota top view isolation hostile escape breach floods pressure wire access reboot boot crash cutoff storm upgrade exhausted points parallel image diff selftest cycle debian"
[ -z "${LIVE_FULL-}" ] || all="$all debian-others"

mkdir -p "$LIVE" || exit 1
alone || exit 1
export LIVE_RUNNER=$$
machine_note
total_passed=0 total_failed=0 total_skipped=0 script=

trap 'machine_restore; rm -f "$LOCK"; exit 130' INT
trap 'machine_restore; rm -f "$LOCK"; exit 143' TERM HUP

# sum WORD LINE: the number before it
number() {
	printf '%s\n' "$2" | sed -n "s/.*\b\([0-9][0-9]*\) $1.*/\1/p"
}

for name in ${*:-$all}; do
	script=$here/live/$(basename "$name" .sh).sh
	[ -f "$script" ] || script=$here/hostile/$(basename "$name" .sh).sh
	if [ ! -f "$script" ]; then
		echo "there is no $script" >&2
		exit 1
	fi
	log=$LIVE/$(basename "$script" .sh).log
	start=$SECONDS
	if [ -n "$verbose" ]; then
		bash "$script" 2>&1 | tee "$log"
		status=${PIPESTATUS[0]}
	else
		bash "$script" >"$log" 2>&1
		status=$?
		grep -E -A20 '^not ok|^skip ' "$log" | grep -E '^(not ok|skip|# )'
	fi
	line=$(tail -n 1 "$log")
	printf '%-14s %s (%d s)\n' "$(basename "$script" .sh):" "$line" $((SECONDS - start))
	passed=$(number passed "$line") failed=$(number failed "$line") skipped=$(number skipped "$line")
	# a script that did not get to its end has failed, whatever it says
	[ -n "$passed" ] && { [ "$status" -eq 0 ] || [ "${failed:-0}" -gt 0 ]; } || failed=$((${failed:-0} + 1))
	total_passed=$((total_passed + ${passed:-0}))
	total_failed=$((total_failed + ${failed:-0}))
	total_skipped=$((total_skipped + ${skipped:-0}))
done

machine_restore
rm -f "$LOCK"
echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
[ $total_failed -eq 0 ]
