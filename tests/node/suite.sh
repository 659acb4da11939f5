#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests, inside of the box: the live suite, what only this node can show, then a reboot of
# the node (reboot.sh has both sides of it) and power off.

here=$(cd "$(dirname "$0")" && pwd)
state=/var/lib/node-in-a-box
. "$here/wanted" # LIVE_SCRIPTS, ONLY_SCRIPTS and what goes into the environment

# closing FILE: what a closing line says, added to the sums
closing() {
	local line passed failed skipped
	line=$(tail -n 1 "$1")
	passed=$(sed -n 's/^\([0-9]*\) passed.*/\1/p' <<<"$line")
	failed=$(sed -n 's/.* \([0-9]*\) failed.*/\1/p' <<<"$line")
	skipped=$(sed -n 's/.* \([0-9]*\) skipped.*/\1/p' <<<"$line")
	if [ -z "$passed" ]; then
		echo "not ok - $(basename "$1"): ended before its end"
		failed=$((${failed:-0} + 1))
	fi
	echo "$((${passed:-0})) $((failed)) $((skipped))" >>"$state/sums"
}

# part NAME COMMAND...
part() {
	local name=$1 start=$SECONDS
	shift
	echo "--- $name"
	"$@" 2>&1 </dev/null | sed -u "s/^\(ok\|not ok\|skip\) - /&node: /" | tee "/run/$name.log"
	closing "/run/$name.log"
	echo "# $name: $((SECONDS - start)) s"
}

# stage NAME: what the next boot is for.  One that nobody asked for finds `began`.
stage() {
	echo "$1" >"$state/stage"
	sync
}

stage=$(cat "$state/stage" 2>/dev/null)
stage began
case $stage in
"")
	uname -a
	stat -f /sys/fs/cgroup
	echo "cgroup controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
	echo "pid 1: $(cat /proc/1/comm), $(systemd-analyze time 2>/dev/null | head -n 1)"
	part fresh bash "$here/fresh.sh"
	[ -z "$LIVE_SCRIPTS" ] || part live bash "$here/../run-live.sh" -v $LIVE_SCRIPTS
	for name in $ONLY_SCRIPTS; do
		part "$name" bash "$here/only/$name.sh"
	done
	if [ -n "$REBOOT" ]; then
		part reboot-before bash "$here/reboot.sh" before
		stage after
		echo "# rebooting the node"
		systemctl reboot
		exit
	fi
	;;
after)
	part reboot-after bash "$here/reboot.sh" after
	;;
*)
	echo "not ok - the node rebooted by itself"
	echo "0 1 0" >>"$state/sums"
	;;
esac

awk '{ p += $1; f += $2; s += $3 }
	END { printf "%d passed, %d failed", p, f; if (s) printf ", %d skipped", s; print "" }' "$state/sums"
sync
systemctl poweroff --force --force >/dev/null 2>&1
