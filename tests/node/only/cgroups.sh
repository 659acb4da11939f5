#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Pure cgroup v2: every limit is written, held and shown, and a VPS has controllers of its own.
. "$(dirname "$0")/../../live/lib.sh"
begin mkswap

is "the cgroup hierarchy is cgroup v2" "$(stat -f -c %T /sys/fs/cgroup)" cgroup2fs
is "and no other is mounted" "$(groups)" /sys/fs/cgroup
swap=$LIVE/swap
head -c 256M /dev/zero >"$swap" && chmod 600 "$swap" && mkswap -q "$swap" && swapon "$swap" ||
	not_ok "the node has swap"

check "create with every limit" nodectl create cg --memory 64M --swap 32M --tasks 48 --cpus 0.25 --weight 77 --start --wait 60
id=$(field cg .id)
top=$(dirname "$(field cg .cgroup)")
outer=/sys/fs/cgroup/$top/$id
knob() { cat "$outer/$1"; }
# the weight is its own, and worth less than what its plan guarantees
is "nothing else of it is unenforced" "$(field cg '[.unenforced[] | select(startswith("cpu-guaranteed") | not)] | length')" 0

# ---- in the kernel
is "memory.max" "$(knob memory.max)" $((64 << 20))
is "memory.high is a little less" "$(knob memory.high)" $(((64 << 20) - (64 << 20) / 64))
is "memory.swap.max" "$(knob memory.swap.max)" $((32 << 20))
is "memory.oom.group" "$(knob memory.oom.group)" 0
is "pids.max" "$(knob pids.max)" 48
is "cpu.max" "$(knob cpu.max)" "25000 100000"
is "cpu.weight" "$(knob cpu.weight)" 77
is "how many groups a VPS may make" "$(knob cgroup.max.descendants)" 1024
is "and how deep" "$(knob cgroup.max.depth)" 16
is "the outer group is root's" "$(stat -c %u "$outer" "$outer/memory.max" "$outer/cgroup.procs" | sort -u)" 0
is "the inner one is the VPS's" "$(stat -c %u "$outer/guest" "$outer/guest/cgroup.procs" | sort -u)" "$(field cg .uid_base)"
is "that for commands is root's" "$(stat -c %u "$outer/commands" "$outer/commands/cgroup.procs" | sort -u)" 0
is "no process is in the outer one" "$(knob cgroup.procs)" ""
is "init is in the inner one" "$(cat "/proc/$(field cg .pid)/cgroup")" "0::/nodectl-vps.service/$id/guest"

# ---- set, while it runs
check "set of every limit" nodectl set cg --memory 96M --swap 16M --tasks 60 --cpus 1.5 --weight 300
is "is in the kernel" "$(knob memory.max) $(knob memory.swap.max) $(knob pids.max) $(knob cpu.max) $(knob cpu.weight)" \
	"$((96 << 20)) $((16 << 20)) 60 150000 100000 300"
check "--swap 0 and --cpus 0" nodectl set cg --swap 0 --cpus 0
is "no swap, no cap" "$(knob memory.swap.max) $(knob cpu.max)" "0 max 100000"
is "memory.high went along" "$(knob memory.high)" $(((96 << 20) - (96 << 20) / 64))

# ---- held
swap_peak() {
	local peak=0 now
	while [ ! -e "$WORK/eaten" ]; do
		now=$(knob memory.swap.current)
		[ "$now" -le $peak ] || peak=$now
		sleep 0.1
	done
	echo $peak
}
eats() {
	rm -f "$WORK/eaten"
	(shell cg 'head -c 160m /dev/zero | tail >/dev/null'; : >"$WORK/eaten") >/dev/null 2>&1 &
	PEAK=$(swap_peak)
	wait $!
}
before=$(field cg .usage.oom_kills)
eats
is "without swap nothing is swapped" "$PEAK" 0
[ "$(field cg .usage.oom_kills)" -gt "$before" ] && ok "and what wants more memory is killed" || not_ok "and what wants more memory is killed"
nodectl set cg --swap 24M --quiet
eats
[ "$PEAK" -gt $((1 << 20)) ] && [ "$PEAK" -le $((24 << 20)) ] && ok "with swap it swaps, up to its limit ($PEAK)" ||
	not_ok "with swap it swaps, up to its limit" "$PEAK of $((24 << 20))"
is "init lives" "$(nodectl status cg)" "cg running"
nodectl set cg --cpus 0.3 --quiet
throttled=$(awk '/^throttled_usec/ { print $2 }' "$outer/cpu.stat")
used=$(awk '/^usage_usec/ { print $2 }' "$outer/cpu.stat") wall=${EPOCHREALTIME/./}
shell cg 'for i in 1 2; do timeout 3 sh -c "while :; do :; done" & done; wait' >/dev/null 2>&1
wall=$((${EPOCHREALTIME/./} - wall))
used=$(($(awk '/^usage_usec/ { print $2 }' "$outer/cpu.stat") - used))
[ $((used * 100)) -lt $((wall * 40)) ] && ok "cpu.max holds: $((used * 100 / wall)) % of a CPU at 30 %" ||
	not_ok "cpu.max holds" "$used of $wall us"
[ "$(awk '/^throttled_usec/ { print $2 }' "$outer/cpu.stat")" -gt "$throttled" ] && ok "by throttling" || not_ok "by throttling"
nodectl set cg --cpus 0 --quiet
like "pressure can be read" "$(knob memory.pressure)" '^full avg10='

# ---- the guest's own groups
is "inside, the root of all groups is its own" "$(inside cg cat /proc/self/cgroup)" "0::/"
is "controllers inside" "$(inside cg cat /sys/fs/cgroup/cgroup.controllers)" "cpuset cpu memory pids"
refuse "its own limits are not inside" inside cg ls "/sys/fs/cgroup/$top"
for file in memory.max pids.max cpu.max memory.high; do
	refuse "nor can it lift $file" shell cg "echo max >/sys/fs/cgroup/$file"
done
is "they are what they were" "$(knob memory.max) $(knob pids.max)" "$((96 << 20)) 60"
shell cg 'cd /sys/fs/cgroup && mkdir leaf && for i in 1 2 3; do
	for pid in $(cat cgroup.procs); do echo $pid >leaf/cgroup.procs; done; done' 2>/dev/null
check "it enables controllers for groups of its own" shell cg \
	'cd /sys/fs/cgroup && for i in 1 2 3 4 5; do
		for pid in $(cat cgroup.procs); do echo $pid >leaf/cgroup.procs; done
		echo "+memory +pids +cpu +cpuset" >cgroup.subtree_control && break
	done 2>/dev/null; cat cgroup.subtree_control; grep -q memory cgroup.subtree_control'
like "all four" "$OUT" 'cpuset cpu memory pids'
refuse "not io: who waits for a disk is not ended by a signal" shell cg 'echo +io >/sys/fs/cgroup/cgroup.subtree_control'
check "commands from outside still run" inside cg true
is "in a group of the guest's own" "$(inside cg cat /proc/self/cgroup)" "0::/exec"
check "it sets limits of its own" shell cg \
	'cd /sys/fs/cgroup && mkdir -p mine && echo 16M >mine/memory.max && echo 5 >mine/pids.max && cat mine/memory.max'
is "which the node sees" "$(knob guest/mine/memory.max) $(knob guest/mine/pids.max)" "$((16 << 20)) 5"
exits 137 "and which hold: memory" shell cg \
	'sh -c "echo 0 >/sys/fs/cgroup/mine/cgroup.procs; exec head -c 60m /dev/zero" | tail -c 1 >/dev/null
	sh -c "echo \$\$ >/sys/fs/cgroup/mine/cgroup.procs; head -c 60m /dev/zero | tail >/dev/null; exit \$?"'
OUT=$(shell cg 'sh -c "echo \$\$ >/sys/fs/cgroup/mine/cgroup.procs; for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done"; killall sleep' 2>&1)
like "tasks" "$OUT" "can't fork|Resource temporarily"
# what is killed has to end yet, and here it has a thousandth of a CPU for that
shell cg 'mkdir -p /sys/fs/cgroup/slow && echo "1000 1000000" >/sys/fs/cgroup/slow/cpu.max
	sh -c "echo \$\$ >/sys/fs/cgroup/slow/cgroup.procs; exec dd if=/dev/zero of=/dev/null bs=40M" >/dev/null 2>&1 </dev/null &
	sh -c "echo \$\$ >/sys/fs/cgroup/slow/cgroup.procs; for i in 1 2 3 4 5 6 7 8; do for j in 1 2 3 4; do sleep 1000 & done; done; wait" >/dev/null 2>&1 </dev/null &'
slowed() { [ "$(knob guest/slow/pids.current)" -gt 1 ] && [ "$(knob guest/slow/cpu.max)" = "1000 1000000" ]; }
check "a group of its own has next to no CPU" eventually 20 slowed
check "stop of it" nodectl stop cg --force
nodectl start cg --quiet --wait 30
shell cg 'mkdir -p /sys/fs/cgroup/mine'
OUT=$(shell cg 'cd /sys/fs/cgroup/mine && i=0; while [ $i -lt 30 ]; do mkdir d || break; cd d; i=$((i+1)); done; echo depth $i' 2>/dev/null)
like "groups go just so deep" "$OUT" '^depth 1[0-6]$'
OUT=$(shell cg 'cd /sys/fs/cgroup && i=0; while [ $i -lt 1200 ]; do mkdir many$i || break; i=$((i+1)); done; echo $i' 2>/dev/null)
[ "$OUT" -gt 900 ] && [ "$OUT" -lt 1024 ] && ok "and there are just so many" || not_ok "and there are just so many" "$OUT"
check "stop removes all of them" nodectl stop cg --force
gone() { [ ! -e "$outer" ]; }
check "from the node" eventually 10 gone

swapoff "$swap"
rm -f "$swap"
finish
