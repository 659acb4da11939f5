#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Power cuts: a node on which VPSs and images are made, changed and removed all the time, whose
# power goes at any moment (SIGKILL for QEMU).  The same disk is booted again; then everything
# that nodectl has said to be done must be there, nothing half done, and repair must have nothing
# left to do.
#
# What is lost is what the node had in its memory only: a missing fsync is found.  What its disk
# has taken is kept, flushed or not, in order: a missing flush, and writes that overtake others,
# are found by flushes.sh.
#
#	tests/node/powercut.sh [N]	N cuts, 5 if it is not said
#	SEED=...			the same moments again (not the same operations)
#	NODE_WINDOW=9			seconds in which the power goes, at the latest
. "$(dirname "$0")/box.sh"
cuts=${1:-5} window=${NODE_WINDOW:-9}
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$SEED
echo "# SEED=$SEED"

box_prepare
box_new
mkdir -p "$BOX"
cp "$RUN/code.tar" "$RUN/code.orig"
: >"$RUN/records"
passed=0 failed=0 booting=0

# said PATTERN SECONDS: the node says a line like that in time
said() {
	local end=$((SECONDS + $2))
	until grep -aqE "$1" "$RUN/said"; do
		if [ $SECONDS -gt $end ] || ! box_running; then
			grep -a '^not ok' -A20 "$RUN/said"
			echo "not ok - the node hangs, or ended, after $cut cuts"
			box_console 60
			cp "$RUN/console" "$RUN/said" "$RUN/records" "$BOX/"
			echo "$passed passed, $((failed + 1)) failed"
			exit 1
		fi
		sleep 0.2
	done
}

# boot ROUNDS: with what is known by now
boot() {
	cp "$RUN/code.orig" "$RUN/code.tar"
	echo "$1" >"$RUN/rounds"
	box_add "$RUN/records" records && box_add "$RUN/rounds" rounds || exit 1
	: >"$RUN/said"
	: >"$RUN/console"
	# whoever panics ends: nobody asks for a reboot
	box_start powercut writeback -no-reboot
}

# what the node found out about the time before
tell() {
	local line
	grep -aE '^(not ok|# )' "$RUN/said"
	line=$(grep -aoE '[0-9]+ passed, [0-9]+ failed' "$RUN/said" | tail -n 1)
	passed=$((passed + ${line%% *}))
	line=${line% failed}
	failed=$((failed + ${line##* }))
	failed=$((failed + $(grep -ac 'while nothing was cut' "$RUN/said")))
}

began=$SECONDS
for ((cut = 1; cut <= cuts; cut++)); do
	from=$SECONDS
	boot $((cuts - cut + 1))
	said '^ready: ' 900
	booting=$((booting + SECONDS - from))
	usec=$((RANDOM * 32768 % (window * 1000000) + RANDOM))
	sleep "$(printf '%d.%06d' $((usec / 1000000)) $((usec % 1000000)))"
	if ! box_running; then
		failed=$((failed + 1))
		echo "not ok - the node ended by itself before cut $cut"
		box_console 60
	fi
	box_kill
	tell
	grep -aE '^op .* \.$' "$RUN/said" >>"$RUN/records"
	echo "cut $cut: $usec us after the start of work, $(grep -c ' begin ' "$RUN/said") operations begun"
done
boot 0
said '^[0-9]+ passed, ' 900
box_watch 120 120 || exit 1
tell

awk '$3 == "begin" { b++; verb[$4]++ } $3 == "done" { d++ } $3 == "undone" { u++ }
	END {
		printf "# %d operations begun, %d done, %d under way when the power went and not done:", b, d, u
		for (v in verb) printf " %s %d", v, verb[v]
		print ""
	}' "$RUN/records"
echo "# $cuts cuts in $((SECONDS - began)) s, $((booting / (cuts ? cuts : 1))) s to boot and compare"
cp "$RUN/records" "$BOX/powercut.records"
count=$(grep -c '^op [0-9]* done ' "$RUN/records")
if [ "$count" -lt "$cuts" ]; then
	failed=$((failed + 1))
	echo "not ok - there was work to be cut"
	echo "# $count operations done, $cuts cuts"
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
