#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory, CPU, tasks and disk: what a VPS may use, and that it is held to it.
. "$(dirname "$0")/lib.sh"
begin

unenforced=$(nodectl create probe --memory 64M -j >/dev/null 2>&1; field probe '.unenforced | join(" ")')
nodectl destroy probe --yes --quiet
[ -z "$unenforced" ] || skip "all limits" "this host cannot enforce: $unenforced"

check "create with limits" nodectl create lim --memory 64M --swap 0 --tasks 64 --cpus 0.2 --weight 50 \
	--disk 300M --start
id=$(field lim .id)
group=$(field lim .cgroup)

# ---- in the kernel
is "memory in the kernel" "$(group_file "$id" memory.max memory.limit_in_bytes)" 67108864
is "tasks in the kernel" "$(group_file "$id" pids.max)" 64
is "the CPU cap in the kernel" \
	"$(group_file "$id" cpu.max || group_file "$id" cpu.cfs_quota_us)" \
	"$(group_file "$id" cpu.max >/dev/null && echo 20000 100000 || echo 20000)"
is "the CPU weight in the kernel" \
	"$(group_file "$id" cpu.weight || group_file "$id" cpu.shares)" \
	"$(group_file "$id" cpu.weight >/dev/null && echo 50 || echo 512)"
if group_file "$id" memory.memsw.limit_in_bytes >/dev/null; then
	is "memory with swap in the kernel" "$(group_file "$id" memory.memsw.limit_in_bytes)" 67108864
elif group_file "$id" memory.swap.max >/dev/null; then
	is "swap in the kernel" "$(group_file "$id" memory.swap.max)" 0
else
	skip "swap in the kernel" "this host does not account for swap"
fi
is "show -j has the same limits" "$(field lim '.limits | .memory, .tasks, .cpus, .weight, .disk' | tr '\n' ' ')" \
	"67108864 64 0.2 50 314572800 "

# ---- memory
init=$(field lim .pid)
free_before=$(awk '/MemAvailable/ { print $2 }' /proc/meminfo)
exits 137 "a process that takes more than the memory is killed" shell lim 'dd if=/dev/zero bs=1M count=200 2>/dev/null | tail >/dev/null; exit $?'
like "the limit was counted" "$(field lim .usage.oom_kills)" '^[1-9]'
is "init lives" "$(field lim .pid)" "$init"
check "and the VPS works" inside lim true
is "no process of the node was killed for it" \
	"$([ "$(awk '/MemAvailable/ { print $2 }' /proc/meminfo)" -gt $((free_before - 262144)) ] && echo none)" none
exits 0 "a tmpfs is memory of the VPS too" shell lim 'dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null'
refuse "and limited" shell lim 'dd if=/dev/zero of=/dev/shm/x bs=1M count=60'
inside lim rm -f /dev/shm/x

# ---- tasks
OUT=$(shell lim 'i=0; while [ $i -lt 100 ]; do sleep 30 & i=$((i+1)); done; wait' 2>&1 &
	sleep 1; field lim .usage.tasks)
OUT=$(timeout 20 "$NODECTL" exec lim -- sh -c 'i=0; while [ $i -lt 100 ]; do sleep 10 & i=$((i+1)); done' 2>&1)
like "fork fails at the limit of tasks" "$OUT" "can't fork|Resource temporarily"
[ "$(field lim .usage.tasks)" -le 64 ] && ok "there are never more" || not_ok "there are never more" "$(field lim .usage.tasks)"
few() { [ "$(field lim .usage.tasks)" -lt 20 ]; }
check "and it recovers" eventually 60 few
check "commands run again" inside lim true

# ---- CPU: two busy loops for two seconds in a fifth of one CPU
cpu() { field lim .usage.cpu; }
before=$(cpu)
shell lim 'for i in 1 2; do timeout 2 sh -c "while :; do :; done" & done; wait'
used=$(echo "$(cpu) $before" | awk '{ printf "%.2f", $1 - $2 }')
[ "$(echo "$used" | awk '{ print ($1 > 0.1 && $1 < 1.0) }')" = 1 ] && ok "the CPU cap holds ($used s of 4)" ||
	not_ok "the CPU cap holds" "$used s of CPU in two seconds at 0.2"
[ "$(field lim '.usage.throttled > 0')" = true ] && ok "throttling is shown" || not_ok "throttling is shown"

# ---- disk
blocks=$(inside lim df -k / | awk 'NR == 2 { print $2 }')
[ "$blocks" -le 307200 ] && [ "$blocks" -ge 260000 ] && ok "df shows the plan's size" ||
	not_ok "df shows the plan's size" "$blocks KiB of 307200"
OUT=$(shell lim 'dd if=/dev/zero of=/big bs=1M count=400' 2>&1)
like "a full disk is ENOSPC inside" "$OUT" 'No space left on device'
refuse "for others too" shell lim 'dd if=/dev/zero of=/more bs=1M count=1'
[ "$(du -k "$STORAGE/vps/lim" | awk 'END { print $1 }')" -le 310000 ] && ok "and takes no more of the node's disk" ||
	not_ok "and takes no more of the node's disk" "$(du -k "$STORAGE/vps/lim")"
check "commands still run" inside lim true
exits 0 "stop and start with a full disk" nodectl restart lim
check "it runs" inside lim rm /big
check "and can be written again" shell lim 'echo x >/more'
OUT=$(nodectl create ino --inodes 2000 --start --quiet && shell ino 'mkdir /many; cd /many; i=0; while [ $i -lt 3000 ]; do : >$i || exit 9; i=$((i+1)); done' 2>&1)
like "the limit of inodes is held" "$OUT" 'No space left on device'
nodectl destroy ino --force --yes --quiet

# ---- changed while it runs
exits 0 "set of limits of a running VPS" nodectl set lim --memory 96M --tasks 200 --cpus 1.5 --weight 200
is "memory is changed in the kernel" "$(group_file "$id" memory.max memory.limit_in_bytes)" $((96 << 20))
is "tasks too" "$(group_file "$id" pids.max)" 200
like "the CPU cap too" "$(group_file "$id" cpu.max || group_file "$id" cpu.cfs_quota_us)" '^150000'
exits 0 "lowering too" nodectl set lim --memory 80M
is "memory is lowered in the kernel" "$(group_file "$id" memory.max memory.limit_in_bytes)" $((80 << 20))
exits 0 "--cpus 0 lifts the cap" nodectl set lim --cpus 0
like "in the kernel" "$(group_file "$id" cpu.max || group_file "$id" cpu.cfs_quota_us)" '^(max|-1)'
nodectl restart lim --force --quiet
is "and all of it is there after the next start" "$(group_file "$id" memory.max memory.limit_in_bytes) $(group_file "$id" pids.max)" \
	"$((80 << 20)) 200"

# ---- exec counts as the VPS
pid_in() {
	"$NODECTL" exec lim -- sleep 20 &
	background+=($!)
	eventually 5 shell lim 'ps | grep -q "[s]leep 20"'
	grep -l '^sleep$' /proc/[0-9]*/comm 2>/dev/null | while read -r path; do
		grep -q "$group" "${path%comm}cgroup" && cat "${path%comm}cgroup"
	done
}
OUT=$(pid_in)
for controller in memory pids cpu; do
	if grep -qw "$controller" /proc/self/cgroup; then
		like "exec is in the VPS's group of $controller" "$OUT" ":[a-z,]*$controller[a-z,]*:/$group"
	fi
done
like "and in the guest's" "$OUT" "^0::/$group/guest"

# ---- a VPS that was started by an older nodectl, without a controller of today's
blkio=$(awk '$3 == "cgroup" && $4 ~ /(^|,)blkio(,|$)/ { print $2; exit }' /proc/mounts)
if [ -n "$blkio" ]; then
	for pid in $(cat "$blkio/$group/tasks"); do echo "$pid" >"$blkio/tasks"; done 2>/dev/null
	check "its group of blkio goes" rmdir "$blkio/$group"
	check "commands still run" inside lim true
fi

finish
