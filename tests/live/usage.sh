#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What VPSs use, what they have met, and that the log tells of it: usage, show, log.
. "$(dirname "$0")/lib.sh"
begin

check "create with limits" nodectl create use --memory 64M --swap 0 --tasks 64 --cpus 0.2 --disk 300M --inodes 4000 \
	--start --wait 30
id=$(field use .id)

# usage_of FILTER: of `usage use -j`
usage_of() {
	nodectl usage use -j | jq -r ".vps[0] | $1"
}

# ---- the table
like "usage is a table of all VPSs" "$(nodectl usage)" '^NAME +CPU +CAP +THROTTLED '
like "with a line for each" "$(nodectl usage)" '^use +[0-9.]+s '
is "columns can be chosen" "$(nodectl usage -H -o NAME,STATE,TASKS | awk '{ sub("^[0-9]*/", "N/", $3); print $1, $2, $3 }')" "use running N/64"
is "-L lists those of the table" "$(nodectl usage -L | awk '{ print $1 }' | head -n 3 | tr '\n' ' ')" "NAME STATE CPU "
like "one VPS is shown line by line" "$(nodectl usage use)" '^ +memory: [0-9.]+[KM]/64M$'
exits 14 "of a VPS that does not exist: status 14" nodectl usage nobody
exits 21 "of a column that does not exist: status 21" nodectl usage -o COLOUR

# ---- JSON
is "usage -j has schema and VPSs" "$(nodectl usage -j | jq -r '.schema, (.vps | length)' | tr '\n' ' ')" "1 1 "
is "an object for each thing" "$(usage_of 'keys | sort | join(" ")')" \
	"cpu disk id inodes io memory name network state swap tasks uptime"
is "the limits are those of the VPS" "$(usage_of '.memory.limit, .swap.limit, .tasks.limit, .cpu.limit, .disk.limit' | tr '\n' ' ')" \
	"67108864 0 64 0.2 314572800 "
is "figures that every kernel gives are numbers" "$(usage_of '[.cpu.used, .cpu.user, .cpu.system, .cpu.periods,
	.cpu.throttled, .memory.used, .memory.peak, .memory.anon, .memory.file, .memory.refaults, .memory.major_faults,
	.memory.events.max, .memory.events.oom_kill, .tasks.used, .tasks.refused, .disk.used, .disk.available, .disk.node,
	.inodes.used, .inodes.limit, .network.in, .network.out] | map(type) | unique | join(" ")')" number
if group_file "$id" cpu.pressure >/dev/null; then
	is "pressure too" "$(usage_of '[.cpu, .memory, .io] | map(.pressure | .some, .full, .some_avg10, .full_avg10) |
		map(type) | unique | join(" ")')" number
else
	skip "pressure too" "this kernel has no PSI for groups"
fi

# ---- against the kernel and what the VPS sees
is "tasks are the kernel's" "$(usage_of .tasks.used)" "$(group_file "$id" pids.current)"
memory=$(group_file "$id" memory.current memory.usage_in_bytes) used=$(usage_of .memory.used)
[ $((used - memory)) -lt 4194304 ] && [ $((memory - used)) -lt 4194304 ] && ok "memory is the kernel's" ||
	not_ok "memory is the kernel's" "$used and $memory"
seen=$(shell use 'df -k / | tail -n 1' | awk '{ print $(NF - 3) }') used=$(usage_of '.disk.used / 1024 | floor')
[ $((used - seen)) -le 512 ] && [ $((seen - used)) -le 512 ] && ok "disk is what df says inside" ||
	not_ok "disk is what df says inside" "$used and $seen KiB"
shell use 'i=0; while [ $i -lt 200 ]; do : >/root/f$i; i=$((i+1)); done; sync'
[ "$(usage_of .inodes.used)" -ge 200 ] && ok "inodes are counted" || not_ok "inodes are counted" "$(usage_of .inodes)"
shell use 'rm -f /root/f*'

# ---- CPU
before=$(usage_of .cpu.used)
shell use 'timeout 3 sh -c "while :; do :; done"; true'
after=$(usage_of .cpu.used)
awk -v a="$before" -v b="$after" 'BEGIN { exit !(b - a > 0.1 && b - a < 2.5) }' && ok "CPU time is counted" ||
	not_ok "CPU time is counted" "from $before to $after"
awk -v t="$(usage_of .cpu.throttled)" -v n="$(usage_of .cpu.periods_throttled)" 'BEGIN { exit !(t > 1 && n > 10) }' &&
	ok "and how it was held back" || not_ok "and how it was held back" "$(usage_of .cpu)"
awk -v part="$(usage_of .cpu.of_limit)" 'BEGIN { exit !(part > 0.01 && part < 1.2) }' &&
	ok "used of the cap is a part of 1" || not_ok "used of the cap is a part of 1" "$(usage_of .cpu.of_limit)"
if group_file "$id" cpu.pressure >/dev/null; then
	awk -v some="$(usage_of .cpu.pressure.some)" 'BEGIN { exit !(some > 1) }' && ok "it waited for the CPU" ||
		not_ok "it waited for the CPU" "$(usage_of .cpu.pressure)"
fi

# ---- disk
written=$(usage_of .io.written)
shell use 'dd if=/dev/zero of=/root/big bs=1M count=8 conv=fsync 2>/dev/null || dd if=/dev/zero of=/root/big bs=1M count=8; sync' >/dev/null 2>&1
now=$(usage_of .io.written)
if group_file "$id" io.stat >/dev/null; then
	[ $((now - written)) -ge 8388608 ] && [ $((now - written)) -lt 33554432 ] && ok "what is written is counted, once" ||
		not_ok "what is written is counted, once" "from $written to $now: $(group_file "$id" io.stat)"
	[ "$(usage_of .io.written_ops)" -gt 0 ] && ok "and in how many requests" || not_ok "and in how many requests"
else
	like "v1 counts nothing, or what went past the cache" "$now" '^(null|[0-9]+)$'
fi

# ---- written out for minutes, by a tenant who has few writes a second
# Of a file system that a sync(2) is under way in the kernel makes no other mount meanwhile, and
# whoever waits for one cannot be killed.  A limit on its device makes that as slow as it may be.
device=$(for path in /sys/block/loop*/loop; do
	[ "$(cat "$path/backing_file" 2>/dev/null)" = "$STORAGE/vps/use/volume.img" ] && cat "${path%/loop}/dev"
done)
host=$(field use .uid_base)
# slowly BYTES: of what is written there, in a second; 0: as fast as it goes
slowly() {
	local path
	for path in $(groups); do
		if [ -e "$path/blkio.throttle.write_bps_device" ]; then
			echo "$device $1" >"$path/blkio.throttle.write_bps_device"
		fi
		for path in "$path"/nodectl*/"$id/io.max"; do
			[ ! -e "$path" ] || echo "$device wbps=${1/#0/max}" >"$path"
		done
	done
}
trap 'slowly 0 2>/dev/null; ended_early' EXIT
syncs() {
	local path
	for path in $(grep -ls '(sync) D ' /proc/[0-9]*/stat); do
		[ "$(stat -c %u "${path%/stat}" 2>/dev/null)" = "$host" ] && return
	done
	return 1
}
syncs_no_more() { ! syncs; }
# ask COMMAND...: it answers, with the time that anything may take
ask() { PATIENCE=$((20 * SLOW)) nodectl "$@" >"$WORK/asked"; }
used=$(usage_of .disk.used)
shell use 'dd if=/dev/zero of=/root/slow bs=1M count=4' >/dev/null 2>&1
slowly 32768
shell use 'setsid sync -f /root/slow >/dev/null 2>&1 </dev/null &'
if eventually 10 syncs; then
	sleep 0.5
	check "sample waits for no sync of a tenant's" ask sample
	check "nor does usage" ask usage use -j
	now=$(jq '.vps[0].disk.used' "$WORK/asked")
	[ "${now:-0}" -ge $((used + 4194304)) ] && ok "and it knows what the disk holds" ||
		not_ok "and it knows what the disk holds" "$now after $used"
	check "nor does top" ask top -n 1
	check "canary: it was under way all the while" syncs
else
	skip "a tenant's sync" "this kernel has no limit that holds it up"
fi
slowly 0
check "it ends with the limit" eventually 30 syncs_no_more
trap ended_early EXIT
shell use 'rm -f /root/slow'

# ---- out of memory
# one buffer that the kernel fills: a program that touches page after page near its limit is slowed
# down by memory.high, for minutes where everything is slow
victim=$'/bin/busybox\n\'z'
inside use ln -s busybox "$victim"
eat() {
	inside use "$victim" dd if=/dev/zero of=/dev/null bs=200M count=1 >/dev/null 2>&1
}
oom_lines() {
	nodectl log use | grep -c ' out of memory: '
}
told() {
	[ "$(oom_lines)" -gt "$1" ]
}
seen=$(oom_lines)
eat
check "a kill is in the log" eventually 5 told "$seen"
line=$(nodectl log use -n 1)
like "with the victim, its memory and the limit" "$line" \
	"out of memory: (killed|[0-9]+ processes killed, [0-9]+ in all, the last) '.*' \(pid ([0-9]+ inside, )?[0-9]+ on the node, [0-9.]+[KM] resident\), at its limit of 64M"
like "its name cannot pretend to be a line or the end of the name" "$line" "'busybox.x0a.x27z'"
like "and what the memory was" "$line" '; .*anon [0-9]+M'
kills=$(usage_of .memory.events.oom_kill)
[ "$kills" -ge 1 ] && ok "usage counts it" || not_ok "usage counts it" "$kills"
is "show counts it as well" "$(field use .limits_met.oom_kills)" "$kills"
like "and says so" "$(nodectl show use)" 'limits met: [0-9]+ killed for want of memory'
is "log -j has it" "$(nodectl log use -j | jq -r '[.events[] | select(.event | startswith("out of memory"))] | length')" "$(oom_lines)"

# what a program writes into the kernel's log is not believed
host=$(field use .uid_base)
echo "Memory cgroup out of memory: Killed process 1 (forged) total-vm:1kB, anon-rss:1kB, file-rss:1kB, shmem-rss:1kB, UID:$host pgtables:1kB oom_score_adj:0" >/dev/kmsg
refuse "a tenant has no way to the kernel's log" shell use 'mknod /dev/kmsg c 1 11'
seen=$(oom_lines)
sleep 1
eat
check "the next kill is in the log" eventually 5 told "$seen"
unlike "and a forged line is not" "$(nodectl log use)" forged

# ---- many
seen=$(oom_lines) kills=$(usage_of .memory.events.oom_kill)
shell use "i=0; while [ \$i -lt 12 ]; do (dd if=/dev/zero bs=100M count=1 2>/dev/null | tail >/dev/null); i=\$((i+1)); done" >/dev/null 2>&1
summed() { [ "$(sum)" = "$(($(usage_of .memory.events.oom_kill) - kills))" ]; }
sum() {
	nodectl log use | sed -n 's/.* out of memory: //p' | tail -n "+$((seen + 1))" |
		awk '/^killed|^a process/ { n++ } / processes killed,/ { n += $1 } END { print n + 0 }'
}
eventually 30 summed
more=$(($(usage_of .memory.events.oom_kill) - kills)) lines=$(($(oom_lines) - seen))
[ "$more" -ge 10 ] && ok "twelve kills are counted" || not_ok "twelve kills are counted" "$more"
is "the lines of the log add up" "$(sum)" "$more"
[ "$lines" -ge 1 ] && [ "$lines" -le 20 ] && ok "in a few lines" || not_ok "in a few lines" "$lines"

# on a slow machine that may have been all that is told at once; who starts it hears of more
nodectl restart use --force --quiet

# ---- tasks
tasks_told() {
	nodectl log use | grep -q ' tasks: [0-9]* refused at the limit of 64'
}
shell use "i=0; while [ \$i -lt 100 ]; do sleep $((10 * SLOW)) & i=\$((i+1)); done" >/dev/null 2>&1
check "a refused task is in the log" eventually 8 tasks_told
[ "$(usage_of .tasks.refused)" -ge 1 ] && ok "and counted" || not_ok "and counted" "$(usage_of .tasks)"
few_tasks() {
	[ "$(usage_of .tasks.used)" -lt 20 ]
}
check "until they end" eventually 30 few_tasks

# ---- the monitor
monitor=$(field use .monitor)
private=$(awk '/^Private_/ { n += $2 } END { print n }' "/proc/$monitor/smaps_rollup")
[ "$private" -lt 256 ] && ok "the monitor is still small" || not_ok "the monitor is still small" "$private kB private"
before=$(nodectl log use | wc -l)
kill -9 "$monitor"
new_monitor() {
	local new
	new=$(field use '.monitor // 0')
	[ "$new" != 0 ] && [ "$new" != "$monitor" ]
}
check "a successor of a monitor that was killed" eventually 10 new_monitor
sleep 2
is "tells nothing twice" "$(nodectl log use | tail -n +$((before + 1)) | grep -cE 'out of memory|tasks:')" 0
seen=$(oom_lines)
eat
check "and tells of the next kill" eventually 5 told "$seen"

# ---- not running
nodectl stop use --force --quiet
is "a VPS that does not run uses nothing" "$(usage_of '.state, .memory.used, .cpu.used, .tasks.used, .memory.events.oom_kill, .uptime' | tr '\n' ' ')" \
	"stopped 0 0 0 0 0 "
[ "$(usage_of .disk.used)" -gt 0 ] && ok "but disk" || not_ok "but disk" "$(usage_of .disk)"
check "started again" nodectl start use
is "its counts begin at 0" "$(usage_of '.memory.events.oom_kill, .tasks.refused' | tr '\n' ' ')" "0 0 "
seen=$(oom_lines)
eat
check "and the log tells of the first kill" eventually 5 told "$seen"

finish
