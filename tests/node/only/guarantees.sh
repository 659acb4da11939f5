#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What only cgroup v2 can promise: guaranteed memory with the sums of the groups above, and that
# it holds; disk throughput; the VPS's own CPUs; pressure.
. "$(dirname "$0")/../../live/lib.sh"
begin
top=/sys/fs/cgroup/nodectl-vps.service
MIB=$((1 << 20))

check "create" nodectl create g1 --memory 192M --memory-guaranteed 96M --swap 0 --cpus 1 --cpu-guaranteed 0.1 \
	--io-read 8M/s --io-write 4M/s --disk 256M --start --wait 60
check "and another" nodectl create g2 --memory 96M --memory-guaranteed 32M --swap 0 --cpus 0.5 --disk 128M --start --wait 60
one=$(field g1 .id) two=$(field g2 .id)
knob() { cat "$top/$1"; }
is "nothing of it is unenforced" "$(field g1 '.unenforced | length')" 0

# ---- guaranteed memory, and what the groups above must have for it
sums() { echo "$(knob memory.min) $(cat $top/[0-9]*/memory.min | awk '{ s += $1 } END { print s + 0 }')"; }
is "memory.min of the VPS" "$(knob "$one/memory.min") $(knob "$two/memory.min")" "$((96 * MIB)) $((32 * MIB))"
is "its inner group has it too" "$(knob "$one/guest/memory.min") $(knob "$two/guest/memory.min")" "$((96 * MIB)) $((32 * MIB))"
is "the group of all has the sum" "$(sums)" "$((128 * MIB)) $((128 * MIB))"
check "set" nodectl set g2 --memory-guaranteed 48M
is "moves the sum" "$(sums)" "$((144 * MIB)) $((144 * MIB))"
check "set of less" nodectl set g2 --memory-guaranteed 16M
is "moves it back" "$(sums)" "$((112 * MIB)) $((112 * MIB))"
check "stop" nodectl stop g2 --force
is "takes its part away" "$(sums)" "$((96 * MIB)) $((96 * MIB))"
check "start" nodectl start g2 --wait 60
is "brings it" "$(sums)" "$((112 * MIB)) $((112 * MIB))"
weight=$(knob cpu.weight)
check "daemon-reload" systemctl daemon-reload
is "keeps it" "$(sums) $(knob cpu.weight)" "$((112 * MIB)) $((112 * MIB)) $weight"
check "daemon-reexec" systemctl daemon-reexec
is "too" "$(sums) $(knob cpu.weight)" "$((112 * MIB)) $((112 * MIB)) $weight"
is "and memory.max, memory.high" "$(knob "$one/memory.max") $(knob "$one/memory.high")" "$((192 * MIB)) $(((192 - 3) * MIB))"
check "a property of the unit that is set by hand" systemctl set-property --runtime nodectl-vps.service CPUWeight=9000
check "repair, which mends what that did to others" nodectl repair
is "the sum is there again" "$(sums)" "$((112 * MIB)) $((112 * MIB))"
is "and the weight" "$(knob cpu.weight)" "$weight"

# ---- it holds: pages of a file that the VPS has read stay, while the node's own need memory
cached() { awk '/^(active|inactive)_file / { s += $2 } END { print int(s / 1048576) }' "$top/$1/memory.stat"; }
shell g1 'head -c 80m /dev/urandom >/file; cat /file >/dev/null'
shell g2 'head -c 60m /dev/urandom >/file; sync; cat /file >/dev/null'
guaranteed=$(cached "$one") plain=$(cached "$two")
[ "$guaranteed" -ge 60 ] && [ "$plain" -ge 45 ] && ok "two VPSs have $guaranteed and $plain MiB of files in memory" ||
	not_ok "two VPSs have files in memory" "$guaranteed and $plain MiB"
# the node wants all that is free, and half of what can be had by dropping pages of files
want=$(awk '{ m[$1] = $2 / 1024 } END { print int((m["MemFree:"] + m["MemAvailable:"]) / 2 - 70) }' /proc/meminfo)
mkdir "$WORK/fill" && mount -t tmpfs -o size=100% fill "$WORK/fill" || not_ok "a file system in memory"
check "the node needs memory: $want MiB" fallocate -l ${want}M "$WORK/fill/it"
now=$(cached "$one") other=$(cached "$two")
[ "$now" -ge $((guaranteed * 8 / 10)) ] && ok "what is guaranteed stays ($now of $guaranteed MiB) when others need memory" ||
	not_ok "what is guaranteed stays when others need memory" "$now of $guaranteed MiB"
[ "$other" -lt "$plain" ] && [ "$other" -ge 10 ] && ok "of the other, what is not goes ($other of $plain MiB)" ||
	not_ok "of the other, what is not goes" "$other of $plain MiB, 16 guaranteed"
umount "$WORK/fill"
is "both run" "$(nodectl status g1) $(nodectl status g2)" "g1 running g2 running"

# ---- its disk
device=$(lsblk -n -d -o MAJ:MIN "$(df --output=source "$STORAGE" | tail -n 1)" | tr -d ' ')
like "io.max is of the disk that the storage is on" "$(knob "$one/io.max")" "^$device .*rbps=$((8 * MIB)) wbps=$((4 * MIB))"
is "one without has none" "$(knob "$two/io.max")" ""
rate() {
	local began=${EPOCHREALTIME/./} took
	"$@" >/dev/null 2>&1
	took=$((${EPOCHREALTIME/./} - began))
	echo $((16 * 1000 * 1000 * 10 / took))
}
# 16 MiB, in tenths of a MiB each second
wrote=$(rate shell g1 'dd if=/dev/zero of=/w bs=1M count=16 conv=fsync')
[ "$wrote" -le 55 ] && [ "$wrote" -ge 10 ] && ok "it writes with $wrote tenths of a MiB a second, at 4 MiB" ||
	not_ok "it writes with 4 MiB a second" "$wrote tenths"
echo 1 >"$top/$one/memory.reclaim" 2>/dev/null
like "what waited for the disk is counted" "$(knob "$one/io.stat")" 'wbytes=[1-9]'
check "set while it runs" nodectl set g1 --io-write 0 --io-read 0
unlike "lifts it" "$(knob "$one/io.max")" 'wbps=[0-9]'

# ---- the weight of who wants a busy disk: with a scheduler, or a controller, that weighs.  Who gets
# how much is not looked at: the disk of the box lies in memory, and is never what they wait for.
disk=$(basename "$(readlink "/sys/dev/block/$device")")
scheduler=$(sed 's/.*\[\(.*\)\].*/\1/' "/sys/block/$disk/queue/scheduler")
refuse "a disk that cannot weigh is no disk for --io-weight" nodectl set g1 --io-weight 10000
like "and it is said why" "$OUT" "cannot enforce the limit 'io-weight'"
is "what was refused is not kept" "$(field g1 .limits.io_weight)" "$(field g2 .limits.io_weight)"
modprobe -q bfq
if echo bfq >"/sys/block/$disk/queue/scheduler" 2>/dev/null; then
	check "with bfq it is taken" nodectl set g1 --io-weight 10000
	check "by both" nodectl set g2 --io-weight 100
	is "and in the kernel" "$(knob "$one/io.bfq.weight") $(knob "$two/io.bfq.weight")" "default 1000 default 100"
else
	skip "disk weight by bfq" "this kernel has no bfq"
fi
if echo "$device enable=1 ctrl=auto" >/sys/fs/cgroup/io.cost.qos 2>/dev/null; then
	check "with io.cost it is taken too" nodectl set g1 --io-weight 300
	is "and in the kernel as it is" "$(knob "$one/io.weight")" "default 300"
	check "back to what all have" nodectl set g1 --io-weight 100
	is "is as much as the other has" "$(knob "$one/io.weight")" "$(knob "$two/io.weight")"
else
	skip "disk weight by io.cost" "this kernel has no io.cost"
fi

# ---- its CPUs
is "one that may use one CPU has one" "$(knob "$one/cpuset.cpus.effective" | grep -cE '^[0-9]+$')" 1
is "and sees one" "$(inside g1 nproc)" 1
is "its weight is of what is guaranteed" "$(knob "$one/cpu.weight")" $((10000 / $(nproc) / 10))
check "set of the cap" nodectl set g1 --cpus 0
is "gives it all" "$(knob "$one/cpuset.cpus.effective")" "$(cat /sys/fs/cgroup/cpuset.cpus.effective)"

# ---- its pressure
stall() { awk '/^some/ { sub("total=", "", $5); print $5 }' "$top/$one/$1.pressure"; }
nodectl set g1 --cpus 0.2 --quiet
before=$(stall cpu)
shell g1 'for i in 1 2; do timeout 3 sh -c "while :; do :; done" & done; wait' >/dev/null 2>&1
[ "$(stall cpu)" -gt "$before" ] && ok "cpu.pressure counts what it waits for" || not_ok "cpu.pressure counts what it waits for" "$before, $(stall cpu)"
like "inside it is its own" "$(inside g1 cat /sys/fs/cgroup/memory.pressure)" '^some avg10='

# ---- and memory.low and memory.high are the VPS's, within what it has
check "a group of the VPS's own, with both" shell g1 'cd /sys/fs/cgroup && mkdir leaf mine && for i in 1 2 3 4 5; do
		for pid in $(cat cgroup.procs); do echo $pid >leaf/cgroup.procs; done
		echo +memory >cgroup.subtree_control && break
	done 2>/dev/null; echo 8M >mine/memory.low && echo 16M >mine/memory.high && echo max >mine/memory.max'
is "is what it is told" "$(knob "$one/guest/mine/memory.low") $(knob "$one/guest/mine/memory.high")" "$((8 * MIB)) $((16 * MIB))"
nodectl set g1 --cpus 0 --quiet
before=$(stall memory)
shell g1 'sh -c "echo \$\$ >/sys/fs/cgroup/mine/cgroup.procs; exec timeout 30 dd if=/dev/zero of=/high bs=1M count=40" 2>/dev/null'
counted=$(awk '/^high / { print $2 }' "$top/$one/guest/mine/memory.events")
[ "$counted" -gt 0 ] && ok "its memory.high holds ($counted times)" || not_ok "its memory.high holds" "$counted"
[ "$(stall memory)" -gt "$before" ] && ok "memory.pressure counts what it waits for" ||
	not_ok "memory.pressure counts what it waits for" "$before, $(stall memory)"
is "nodectl shows it" "$(nodectl usage g1 -j | jq '[.. | .memory? | objects | .pressure.some > 0] | any')" true

echo "$scheduler" >"/sys/block/$disk/queue/scheduler"

finish
