#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests on a real node: cgroup v2 alone, systemd as pid 1, Debian's kernel, in QEMU.
#
#	tests/node/run.sh [NAME...]	all, or only these scripts of tests/live and tests/node/only,
#					`node-reboot`, the node's own, and `node-shell`, typed into
#					`make node-shell`
#	NODE_BOXES=1			one box does it all; usually two share the work
#	NODE_ONLINE=1			with the network of this machine: apt-get in VPSs too
#	NODE_TIMEOUT=5400		seconds until a box that has not ended is ended
#	NODE_SILENCE=500		and one that says nothing for so long
. "$(dirname "$0")/box.sh"
boxes=${NODE_BOXES:-2}
[ -n "${NODE_ONLINE-}" ] || NODE_OFFLINE=yes

# Everything is ten times slower without KVM; how often a thing is done again gives way.
export ROUNDS=${ROUNDS:-4} CYCLES=${CYCLES:-5} POINTS=${POINTS:-1} PATIENCE=${PATIENCE:-450} SLOW=${SLOW:-4}

# Seconds that a script takes in a box, to share them out; one that is not named takes 60.
cost() {
	case $1 in
	selftest) echo 450 ;;
	debian | limits | cron) echo 200 ;;
	view) echo 150 ;;
	parallel | crash | image | plans | top | systemd) echo 110 ;;
	life | hostile | reboot | access | cgroups | usage | quota | guard | node-reboot) echo 80 ;;
	exec | address | cycle | machine) echo 35 ;;
	*) echo 60 ;;
	esac
}

# The longest first, each to the box that has least to do: sets SHARE[box]
share_out() {
	local load=() name cost box least
	for ((box = 0; box < boxes; box++)); do
		load[box]=0 SHARE[box]=
	done
	while read -r cost name; do
		least=0
		for ((box = 1; box < boxes; box++)); do
			[ "${load[box]}" -ge "${load[least]}" ] || least=$box
		done
		load[least]=$((load[least] + cost))
		SHARE[least]+=" $name"
	done < <(for name in "$@"; do echo "$(cost "$name") $name"; done | sort -rn)
}

# everything: the suite's own list, what is only here, and the reboot
everything() {
	sed -n 's/^all="\(.*\)"$/\1/p' tests/run-live.sh
	(cd "$NODE/only" && ls) | sed 's/\.sh$//'
	echo node-reboot
	echo node-shell
}

# wanted NAME...: what suite.sh reads
wanted() {
	local name live= only= reboot=
	for name in "$@"; do
		if [ "$name" = node-reboot ]; then
			reboot=yes
		elif [ -e "$NODE/only/$name.sh" ]; then
			only+=" $name"
		else
			live+=" $name"
		fi
	done
	printf '%s=%q\n' LIVE_SCRIPTS "$live" ONLY_SCRIPTS "$only" REBOOT "$reboot"
	printf 'export %s=%q\n' ROUNDS "$ROUNDS" CYCLES "$CYCLES" POINTS "$POINTS" PATIENCE "$PATIENCE" SLOW "$SLOW"
}

is_sum() {
	[[ $1 =~ ^[0-9]+\ passed,\ [0-9]+\ failed ]]
}

# one_box NUMBER NAME...: its report is in test-NUMBER.log, which says DONE at its end
one_box() {
	local number=$1 log=$BOX/test-$1.log ended
	shift
	box_new
	wanted "$@" >"$RUN/wanted" && box_add "$RUN/wanted" wanted || exit 1
	rm -f "$RUN/said"
	ln "$log" "$RUN/said"
	box_start test unsafe
	box_watch "${NODE_TIMEOUT:-5400}" "${NODE_SILENCE:-500}" >"$RUN/watched"
	ended=$?
	cat "$RUN/watched" >>"$log"
	cp "$RUN/console" "$BOX/console-$number.log"
	if [ $ended -eq 0 ] && ! is_sum "$(tail -n 1 "$log")"; then
		box_console 40 >>"$log"
		ended=1
	fi
	[ $ended -eq 0 ] || printf '%s\n' "not ok - the node ended before its tests" "0 passed, 1 failed" >>"$log"
}

began=$SECONDS
box_prepare
built=$SECONDS
[ $# -gt 0 ] || set -- $(everything)
names=() typed=
for name in "$@"; do
	[ "$name" = node-shell ] && typed=yes || names+=("$name")
done
[ ${#names[@]} -ge "$boxes" ] || boxes=${#names[@]}
share_out ${names[@]+"${names[@]}"}

pids=() sums=
leave() {
	trap - EXIT
	trap '' INT TERM HUP
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
	wait
}
trap leave EXIT

rm -f "$BOX"/test-*.log "$BOX"/console-*.log
for ((box = 0; box < boxes; box++)); do
	: >"$BOX/test-$box.log"
	# shellcheck disable=SC2086
	(one_box $box ${SHARE[box]}) &
	pids+=($!)
done
# a box of its own, and a minute
if [ -n "$typed" ]; then
	python3 "$NODE/typed.py" >"$BOX/test-$boxes.log" 2>&1 &
	pids+=($!) SHARE[boxes]=" node-shell" boxes=$((boxes + 1))
fi

# One after the other, so that nothing is mixed; the first as it comes.
for ((box = 0; box < boxes; box++)); do
	echo "=== box $((box + 1)) of $boxes:${SHARE[box]}"
	# in the background, for a signal is not heard while a command is waited for
	tail -n +1 -s 0.5 -f --pid="${pids[box]}" "$BOX/test-$box.log" &
	wait $!
	wait "${pids[box]}"
	ended=$?
	sum=$(tail -n 1 "$BOX/test-$box.log")
	# also when it was killed just behind the sum of one script
	if [ $ended -ge 128 ] || ! is_sum "$sum"; then
		echo "not ok - box $((box + 1)) ended before its tests"
		sum="0 passed, 1 failed"
	fi
	sums+=$sum$'\n'
done
pids=()

echo "=== prepared in $((built - began)) s, ran for $((SECONDS - built)) s"
awk '{ for (i = 2; i <= NF; i++) { word = $i; sub(",", "", word); n[word] += $(i - 1) } }
	END {
		printf "%d passed, %d failed", n["passed"], n["failed"]
		if (n["skipped"])
			printf ", %d skipped", n["skipped"]
		print ""
		exit n["failed"] != 0 || n["passed"] == 0
	}' <<<"$sums"
