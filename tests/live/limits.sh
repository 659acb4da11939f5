#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory, CPU, tasks and disk: what a VPS may use, and that it is held to it.
. "$(dirname "$0")/lib.sh"
begin

unenforced=$(nodectl create probe --memory 64M -j >/dev/null 2>&1; field probe '.unenforced | join(" ")')
nodectl destroy probe --yes --quiet
[ -z "$unenforced" ] || skip "all limits" "this host cannot enforce: $unenforced"

check "create with limits" nodectl create lim --memory 64M --memory-guaranteed 0 --swap 0 --tasks 64 --cpus 0.2 \
	--weight 50 --disk 300M --start
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
killed() { awk '$1 == "oom_kill" { print $2 }' /proc/vmstat; }
killed_before=$(killed) kills_before=$(field lim .usage.oom_kills)
exits 137 "a process that takes more than the memory is killed" shell lim 'dd if=/dev/zero bs=1M count=200 2>/dev/null | tail >/dev/null; exit $?'
like "the limit was counted" "$(field lim .usage.oom_kills)" '^[1-9]'
is "init lives" "$(field lim .pid)" "$init"
check "and the VPS works" inside lim true
is "nobody else was killed for it" $(($(killed) - killed_before)) $(($(field lim .usage.oom_kills) - kills_before))
exits 0 "a tmpfs is memory of the VPS too" shell lim 'dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null'
refuse "and limited" shell lim 'dd if=/dev/zero of=/dev/shm/x bs=1M count=60'
inside lim rm -f /dev/shm/x

# ---- tasks
OUT=$(shell lim 'i=0; while [ $i -lt 100 ]; do sleep 30 & i=$((i+1)); done; wait' 2>&1 &
	sleep 1; field lim .usage.tasks)
OUT=$(nodectl exec lim -- sh -c "i=0; while [ \$i -lt 100 ]; do sleep $((20 * SLOW)) & i=\$((i+1)); done" 2>&1)
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
[ "$(echo "$used" | awk '{ print ($1 > 0 && $1 < 1.6) }')" = 1 ] && ok "the CPU cap holds ($used s of 4)" ||
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

# ---- refused: nothing is changed
shell lim 'dd if=/dev/zero of=/dev/shm/x bs=1M count=18; dd if=/dev/zero of=/run/x bs=1M count=14' >/dev/null 2>&1
exits 21 "memory below what cannot be taken back is refused" nodectl set lim --memory 24M --tasks 100 --cpus 0.5
like "with what is used" "$OUT" "memory: 24M is less than the [0-9.]+M that it uses now"
is "nothing of it is in the kernel" \
	"$(group_file "$id" memory.max memory.limit_in_bytes) $(group_file "$id" pids.max) $(group_file "$id" cpu.max cpu.cfs_quota_us | sed 's/-1/max 100000/')" \
	"$((80 << 20)) 200 max 100000"
is "nor in the definition" "$(field lim '.limits | .memory, .tasks, .cpus' | tr '\n' ' ')" "$((80 << 20)) 200 0 "
inside lim rm -f /dev/shm/x /run/x
shell lim 'dd if=/dev/zero of=/cache bs=1M count=60; cat /cache >/dev/null' 2>/dev/null
check "what can be taken back is" nodectl set lim --memory 24M
is "and the limit is lower" "$(group_file "$id" memory.max memory.limit_in_bytes)" $((24 << 20))
nodectl set lim --memory 80M --quiet
inside lim rm -f /cache
if [ "$(nodectl create weigh --io-weight 300 2>&1 >/dev/null; echo $?)" = 0 ]; then
	skip "a weight that the disk does not have" "the disk of this host has weights"
	nodectl destroy weigh --yes --quiet
else
	exits 5 "a weight that the disk does not have is refused" nodectl create weigh --io-weight 300
	like "by name" "$OUT" "'io-weight'.*--allow-unenforced io-weight"
	check "unless accepted" nodectl create weigh --io-weight 300 --allow-unenforced io-weight --start
	is "and shown" "$(field weigh '.unenforced | join(" ")')" io-weight
	nodectl destroy weigh --force --yes --quiet
fi

# ---- killed while it changes limits, at any moment
reads_as() {
	echo "$(group_file "$id" memory.max memory.limit_in_bytes) $(group_file "$id" pids.max) $(group_file "$id" cpu.max cpu.cfs_quota_us | cut -d ' ' -f 1 | sed 's/^-1$\|^max$/0/')"
}
said() {
	field lim '.limits | "\(.memory) \(.tasks) \(.cpus * 100000 | round)"'
}
mended=0 wrong=
for ((i = 1; i <= ${ROUNDS:-20}; i++)); do
	timeout 20 "$PROBE" killat $((RANDOM % 14000 + 1000)) one "$NODECTL" set lim --quiet --tasks $((RANDOM % 200 + 100)) \
		--memory $((RANDOM % 100 + 64))M --cpus 0.$((RANDOM % 9 + 1)) --weight $((RANDOM % 900 + 1)) >/dev/null 2>&1
	[ "$(reads_as)" = "$(said)" ] || mended=$((mended + 1))
	nodectl repair --quiet >/dev/null 2>&1
	[ "$(reads_as)" = "$(said)" ] && [ -z "$(nodectl repair --dry-run 2>&1)" ] || wrong+=" $(reads_as) for $(said);"
done
is "after a killed set and repair, kernel and definition are one ($mended of ${ROUNDS:-20} were not)" "$wrong" ""
nodectl set lim --memory 80M --cpus 0 --quiet
for file in $(for path in $(groups); do echo "$path"/nodectl*/"$id"/pids.max; done); do
	[ ! -e "$file" ] || echo 77 >"$file"
done
like "repair finds a knob that somebody else has turned" "$(nodectl repair --dry-run)" "^lim: 'pids.max' is '77', not '[0-9]+'\$"
nodectl repair --quiet >/dev/null
is "and turns it back" "$(group_file "$id" pids.max)" "$(field lim .limits.tasks)"

# ---- whom the OOM killer takes
spared() { [ "$(cat "/proc/$(field lim .pid)/oom_score_adj")" = 0 ]; }
nodectl restart lim --force --quiet
init=$(field lim .pid)
is "what runs in a VPS is killed before what runs on the node" "$(shell lim 'cat /proc/self/oom_score_adj')" 500
check "init is spared when it has started the others" eventually 15 spared
is "who are not" "$(shell lim 'for p in /proc/[0-9]*; do [ $p = /proc/1 ] || cat $p/oom_score_adj; done | sort -u')" 500
refuse "nor can they be below the node's own" shell lim 'echo -1 >/proc/self/oom_score_adj'
# a tmpfs is memory that no kill gives back
shell lim 'mkdir -p /fill && mount -t tmpfs none /fill && for i in 1 2 3; do dd if=/dev/zero of=/fill/$i bs=1M count=90 & done; wait' >/dev/null 2>&1
like "a full tmpfs makes the OOM killer come" "$(field lim .usage.oom_kills)" '^[1-9]'
is "init outlives it" "$(field lim .pid)" "$init"
nodectl restart lim --force --quiet

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

# ---- guarantees, CPUs and disk speed
cpus=$(nproc --all)
unified=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
nodectl destroy lim --force --yes --quiet
check "create with guarantees" nodectl create gua --memory 128M --memory-guaranteed 64M --swap 0 --cpus 0.5 \
	--cpu-guaranteed 0.25 --io-read 8M/s,2000iops --io-write 6M/s --start
id=$(field gua .id)
is "guaranteed memory in the kernel" "$(group_file "$id" memory.min memory.soft_limit_in_bytes)" $((64 << 20))
is "guaranteed CPU in the kernel" "$(group_file "$id" cpu.weight cpu.shares)" \
	"$(group_file "$id" cpu.weight >/dev/null && echo $((10000 / cpus / 4)) || echo $((10000 / cpus / 4 * 1024 / 100)))"
is "a cap of half a CPU leaves one of them" "$(inside gua nproc)" 1
like "no huge page may be used" "$(group_file "$id" hugetlb.2MB.max hugetlb.2MB.limit_in_bytes || echo 0)" '^0$'
check "more CPUs" nodectl set gua --cpus 1.5
is "are seen at once" "$(inside gua nproc)" $((cpus < 2 ? cpus : 2))
check "no cap" nodectl set gua --cpus 0
is "leaves all" "$(inside gua nproc)" "$cpus"

is "the speed of the disk in the kernel" "$(group_file "$id" io.max | grep -o 'rbps=.*' || group_file "$id" blkio.throttle.read_bps_device | cut -d ' ' -f 2)" \
	"$(group_file "$id" io.max >/dev/null && echo "rbps=8388608 wbps=6291456 riops=2000 wiops=max" || echo 8388608)"
nodectl destroy gua --force --yes --quiet

finish
