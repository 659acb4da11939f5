#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A hundred lives, one after the other: nothing is left, in the kernel or on the disk; and of two
# hundred descriptors that whoever calls has open, nobody inside has any (CVE-2024-21626).
. "$(dirname "$0")/lib.sh"
begin
CYCLES=${CYCLES:-100}

# What the whole machine has of what a VPS takes.
counts() {
	awk '{ print "open files", $1 }' /proc/sys/fs/file-nr
	echo "terminals $(cat /proc/sys/kernel/pty/nr)"
	echo "loop devices in use $(cat /sys/block/loop*/loop/backing_file 2>/dev/null | wc -l)"
	awk 'NR > 1 && $2 != 0 && $1 != "blkio" { print "control groups of " $1, $3 }' /proc/cgroups
	# of these the kernel also counts those that are gone but for what is still cached of a disk
	for path in $(awk '$3 == "cgroup" && $4 ~ /(^|,)blkio(,|$)/ { print $2; exit }' /proc/mounts); do
		echo "control groups of blkio $(find "$path" -type d | wc -l)"
	done
	# without those that are gone but for pages of the images, which stay cached
	awk '$1 == "nr_descendants" { print "control groups of cgroup2", $2 }' \
		"$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/cgroup.stat"
	echo "mounts $(wc -l </proc/self/mountinfo)"
	echo "interfaces $(ls /sys/class/net | wc -l)"
	command -v bpftool >/dev/null && echo "BPF programs $(bpftool prog list 2>/dev/null | grep -c '^[0-9]*:')"
	command -v lsns >/dev/null && lsns -n -o TYPE 2>/dev/null | sort | uniq -c | awk '{ print "namespaces of " $2, $1 }'
}

echo given >"$WORK/given"
for fd in {100..254} {256..300}; do eval "exec $fd<"\$WORK/given""; done
is "canary: who is called without nodectl has them" "$(ls -l /proc/self/fd 2>/dev/null | grep -c "$WORK/given")" 200

# what init, a command and the monitor have open
opened() {
	inside c ls -l /proc/1/fd /proc/self/fd && ls -l "/proc/$(sed -n 's/^monitor = //p' "$RUN/c/run")/fd"
}

one() {
	nodectl create c --quiet && nodectl start c --quiet && opened >"$WORK/opened" &&
		! grep "$WORK/given" "$WORK/opened" &&
		nodectl stop c --quiet "$@" && nodectl destroy c --yes --quiet
}

# templates, libraries: the first is not like the others
one --force || not_ok "the first"
leaks "the first leaves nothing"
sleep 1
counts >"$WORK/counts.before"
bad=0
for i in $(seq "$CYCLES"); do
	# init is asked each tenth time: busybox takes its time
	if [ $((i % 10)) -eq 0 ]; then one; else one --force; fi >"$WORK/one" 2>&1 || {
		bad=$((bad + 1))
		sed "s/^/# $i: /" "$WORK/one"
		nodectl destroy c --force --yes --quiet 2>/dev/null
	}
done
is "create, start, exec, stop, destroy x$CYCLES" $bad 0
leaks "nothing of them is left"

# others use the machine too: what a hundred would leave is far more than they make
grown() {
	counts >"$WORK/counts.after"
	awk -v room=$((CYCLES / 4)) '
		{ value = $NF; key = $0; sub(/ [0-9]+$/, "", key) }
		NR == FNR { before[key] = value; next }
		key != "open files" && value > before[key] + room { print key ": " before[key] + 0 " before, " value " after" }
		key == "open files" && value > before[key] + CYCLES * 2 + 200 { print key ": " before[key] " before, " value " after" }
	' "$WORK/counts.before" "$WORK/counts.after" >"$WORK/grown"
	[ ! -s "$WORK/grown" ]
}
if eventually 15 grown; then ok "the machine's own counts have not grown"; else not_ok "the machine's own counts have not grown" "$(cat "$WORK/grown")"; fi
is "the storage holds no more than before" "$(ls -A "$STORAGE/vps" "$STORAGE/trash" | grep -cv ':$\|^$\|^\.naming$')" 0

finish
