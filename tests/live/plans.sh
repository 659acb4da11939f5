#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Plans, what a VPS has of its own, and changes of VPSs that run.
. "$(dirname "$0")/lib.sh"
begin

plans=$LIVE/plans
kernel_memory() { group_file "$1" memory.max memory.limit_in_bytes; }
kernel_tasks() { group_file "$1" pids.max; }
# hold NAME MEGABYTES: a process of the VPS has that much, and waits
hold() {
	later "$NODECTL" exec "$1" -- sh -c "dd if=/dev/zero bs=${2}M count=1 | sleep 100" >/dev/null 2>&1
	eventually 10 uses "$1" "$2"
}
uses() { [ "$(field "$1" .usage.memory)" -ge $(($2 << 20)) ]; }
release() { shell "$1" 'kill $(pidof dd sleep)'; }
limit() { field "$1" ".limits.$2"; }

# ---- the commands
exits 0 "plan create" nodectl plan create tiny --cpus 0.5 --cpu-guaranteed 0.02 --memory 64M \
	--memory-guaranteed 16M --swap 0 --tasks 64 --disk 64M
like "is a file that people can read" "$(cat "$plans/tiny.conf")" '^memory = 64M$'
is "and others too" "$(stat -c %a "$plans/tiny.conf")" 644
exits 44 "plan create of one that exists" nodectl plan create tiny --memory 1G
exits 44 "with --idempotent, when it is another" nodectl plan create tiny --memory 1G --idempotent
exits 0 "but not when it is the same" nodectl plan create tiny --cpus 0.5 --cpu-guaranteed 0.02 \
	--memory 64M --memory-guaranteed 16M --swap 0 --tasks 64 --disk 64M --idempotent
exits 21 "plan create with a bad name" nodectl plan create 'a/b' --memory 1G
exits 21 "with a bad value" nodectl plan create p1 --memory lots
exits 21 "with a size that overflows" nodectl plan create p1 --memory 99999999999P
exits 21 "with a guarantee above the memory" nodectl plan create p1 --memory 1G --memory-guaranteed 2G
like "which names both" "$OUT" '2G is more than the memory of 1G'
exits 21 "with a guarantee above the cap" nodectl plan create p1 --cpus 0.5 --cpu-guaranteed 1
exits 20 "with what no plan gives" nodectl plan create p1 --ip auto
is "none of these was made" "$(ls "$plans"/p1.conf 2>&1 | grep -c 'No such')" 1
for verb in show set remove; do
	exits 21 "plan $verb of one that does not exist" nodectl plan $verb none
done
exits 21 "create with one that does not exist" nodectl create x --plan none
is "plan show -j has base units" "$(nodectl plan show tiny -j |
	jq -r '.schema, .name, .cpus, .cpu_guaranteed, .memory, .memory_guaranteed, .tasks, .disk' | tr '\n' ' ')" \
	"1 tiny 0.5 0.02 67108864 16777216 64 67108864 "
is "plan list -j too" "$(nodectl plan list -j | jq -r '.plans[] | select(.name == "tiny").memory')" 67108864
like "plan list is a table" "$(nodectl plan list)" '^tiny +0\.5 +0\.02 +64M +16M +0B +64 +64M +0$'
echo 'memory = lots' >"$plans/odd.conf"
like "one that cannot be read is told beside the others" "$(nodectl plan list 2>&1)" "odd.conf: line 1: memory"
rm "$plans/odd.conf"

# ---- a VPS remembers its plan and what is its own
check "create with a plan and memory of its own" nodectl create p1 --plan tiny --memory 96M --start
check "create with the plan alone" nodectl create p2 --plan tiny --start
check "and one that is stopped" nodectl create p3 --plan tiny
one=$(field p1 .id) two=$(field p2 .id)
is "overrides are shown" "$(field p1 '.plan, (.overrides | join(" "))' | tr '\n' ' ')" "tiny memory "
is "and that there are none" "$(field p2 '.overrides | length')" 0
is "guarantees are shown" "$(field p1 '.guarantees | .cpus, .memory' | tr '\n' ' ')" "0.02 16777216 "
is "and what is promised" "$(field p1 '.promised | .guaranteed.memory, .max.memory, .max.traffic' | tr '\n' ' ')" \
	"16777216 100663296 null "
like "show tells its own" "$(nodectl show p1)" 'its own: memory'
is "plan show names its VPSs" "$(nodectl plan show tiny -j | jq -r '.vps | join(" ")')" "p1 p2 p3"
exits 44 "plan remove of one in use" nodectl plan remove tiny
like "names a VPS" "$OUT" "plan 'tiny' is in use by VPS 'p[123]'"

# ---- a plan that changes
sed -i '1i # mine' "$plans/tiny.conf"
OUT=$(nodectl plan set tiny --memory 80M --tasks 72 --dry-run)
like "plan set --dry-run says whom and what" "$OUT" '^p2: memory = 80M$'
like "also one that is stopped" "$OUT" '^p3: tasks = 72$'
unlike "but not what is a VPS's own" "$OUT" '^p1: memory'
is "and changes nothing" "$(limit p2 memory) $(kernel_tasks "$two") $(grep -c 'tasks = 64' "$plans/tiny.conf")" "67108864 64 1"
exits 0 "plan set" nodectl plan set tiny --memory 80M --tasks 72
is "one that runs has it at once" "$(limit p2 memory) $(kernel_memory "$two") $(kernel_tasks "$two")" "83886080 83886080 72"
is "one that is stopped has it too" "$(limit p3 memory) $(limit p3 tasks)" "83886080 72"
is "what is a VPS's own stays, the rest follows" "$(limit p1 memory) $(kernel_memory "$one") $(kernel_tasks "$one")" \
	"100663296 100663296 72"
like "the file keeps what people wrote" "$(cat "$plans/tiny.conf")" '^# mine$'
is "plan set -j tells the same" "$(nodectl plan set tiny --tasks 74 -j |
	jq -r '.plan.tasks, (.vps[] | .name + ":" + .changes[0].change)' | tr '\n' ' ')" \
	"74 p1:tasks = 74 p2:tasks = 74 p3:tasks = 74 "
sed -i 's/^tasks = .*/tasks = 76/' "$plans/tiny.conf"
is "a file that was edited changes no VPS" "$(limit p2 tasks) $(kernel_tasks "$two")" "74 74"
exits 0 "until plan set" nodectl plan set tiny
is "then it does" "$(limit p2 tasks) $(kernel_tasks "$two")" "76 76"
exits 36 "a plan that does not fit the node is refused" nodectl plan set tiny --memory 7000P --memory-guaranteed 6000P
is "and nothing changed" "$(grep -c '^memory = 80M' "$plans/tiny.conf") $(limit p3 memory) $(kernel_memory "$two")" "1 83886080 83886080"
exits 21 "plan set with a guarantee above the cap" nodectl plan set tiny --memory-guaranteed 1G

# ---- one that cannot follow does not keep the others from it
check "one uses much" hold p2 50
exits 21 "plan set below what one uses" nodectl plan set tiny --memory 40M
like "names it and what it uses" "$OUT" 'p2: memory: 40M is less than the 5[0-9]M that it uses now'
is "that one is as before" "$(limit p2 memory) $(kernel_memory "$two")" "83886080 83886080"
is "the others followed" "$(limit p3 memory)" 41943040
release p2
exits 0 "it follows when it can" nodectl plan set tiny --memory 64M
is "and has it" "$(limit p2 memory) $(kernel_memory "$two")" "67108864 67108864"
mv "$STORAGE/vps/p3/vps.conf" "$WORK/p3.conf"
mkdir "$STORAGE/vps/p3/vps.conf"
exits 21 "one that cannot be read is not passed over" nodectl plan set tiny --tasks 80
like "it is named" "$OUT" 'p3: .*vps.conf.*Is a directory'
is "the others followed again" "$(limit p2 tasks)" 80
rmdir "$STORAGE/vps/p3/vps.conf"
mv "$WORK/p3.conf" "$STORAGE/vps/p3/vps.conf"
exits 0 "it follows when it can be read" nodectl plan set tiny
is "and has that too" "$(limit p3 tasks)" 80
nodectl plan set tiny --tasks 76 --quiet

# ---- a VPS that changes
exits 0 "set makes a value the VPS's own" nodectl set p2 --tasks 90
is "it is" "$(field p2 '.overrides | join(" ")') $(kernel_tasks "$two")" "tasks 90"
exits 0 "set --tasks plan gives it back" nodectl set p2 --tasks plan
is "it has the plan's" "$(field p2 '.overrides | length') $(kernel_tasks "$two")" "0 76"
nodectl plan create other --memory 72M --memory-guaranteed 8M --swap 0 --tasks 80 --disk 64M --quiet
exits 0 "set --plan moves it" nodectl set p1 --plan other
is "what is not its own is the new plan's" "$(field p1 .plan) $(limit p1 memory) $(limit p1 tasks) $(limit p1 cpus)" \
	"other 100663296 80 0"
is "in the kernel too" "$(kernel_memory "$one") $(kernel_tasks "$one")" "100663296 80"
exits 0 "set --plan with one more of its own" nodectl set p1 --plan tiny --memory plan --tasks 77
is "has both" "$(field p1 '.overrides | join(" ")') $(kernel_memory "$one") $(kernel_tasks "$one")" "tasks 67108864 77"
exits 21 "set --plan to one that does not exist" nodectl set p1 --plan none
exits 0 "a plan that nobody has can be removed" nodectl plan remove other
OUT=$(nodectl set p1 --memory 70M --hostname new --dry-run)
like "set --dry-run says what" "$OUT" '^p1: memory = 70M$'
like "what waits for the next start" "$OUT" 'hostname = new \(at the next start\)'
like "and what would be written where" "$OUT" "would write '73400320' to /sys/fs/cgroup.*/$one/memory"
is "and changes nothing" "$(limit p1 memory) $(kernel_memory "$one")" "67108864 67108864"
like "the log has what was changed" "$(nodectl log p1)" 'changed: .*memory = 64M.*tasks = 77|changed: .*tasks = 77'

# ---- all or nothing
check "it uses much" hold p1 40
exits 21 "set below what it uses" nodectl set p1 --memory 24M --memory-guaranteed 0 --tasks 99
like "tells the numbers" "$OUT" 'memory: 24M is less than the 4[0-9]M that it uses now'
is "and nothing is changed" "$(limit p1 tasks) $(kernel_tasks "$one") $(limit p1 memory) $(kernel_memory "$one") $(field p1 .guarantees.memory)" \
	"77 77 67108864 67108864 16777216"
release p1
exits 21 "set with a guarantee above the memory" nodectl set p1 --memory-guaranteed 1G
exits 21 "set with a size that overflows" nodectl set p1 --memory 99999999999999999999P
exits 36 "set of more than the node has" nodectl set p1 --memory 8000P
exits 0 "traffic is promised" nodectl set p1 --traffic 1T
is "and shown as not enforced" "$(field p1 '.unenforced | index("traffic") != null')" true
like "with the reason" "$(nodectl show p1)" 'traffic \(it is counted, but no traffic-action is set\)'
is "nothing to change is said" "$(nodectl set p1 --traffic 1T)" "p1: nothing to change"

# ---- killed at any point, definition, kernel and ledger are equal after repair
rounds=${LIVE_FULL:+100}
# unequal: what is not as the definition has it
unequal() {
	local memory tasks cpus
	read -r memory tasks cpus < <(field p1 '.limits | "\(.memory) \(.tasks) \(.cpus * 1000 | round)"')
	[ "$(kernel_memory "$one") $(kernel_tasks "$one")" = "$memory $tasks" ] ||
		echo "kernel: $(kernel_memory "$one") $(kernel_tasks "$one"), defined: $memory $tasks"
	group_file "$one" cpu.max cpu.cfs_quota_us | grep -q "^${cpus}00\b" ||
		echo "cpu: $(group_file "$one" cpu.max cpu.cfs_quota_us), defined: $cpus"
	nodectl repair --dry-run 2>&1
}
left=0 took=${EPOCHREALTIME/./}
nodectl set p1 --memory 66M --tasks 55 --quiet
took=$((${EPOCHREALTIME/./} - took))
for i in $(seq "${rounds:-40}"); do
	"$NODECTL" set p1 --memory $((64 + RANDOM % 30))M --memory-guaranteed $((RANDOM % 30))M \
		--tasks $((50 + RANDOM % 90)) --cpus 0.$((1 + RANDOM % 9)) >/dev/null 2>&1 &
	sleep "$(printf '0.%06d' $((RANDOM * 32768 % (took < 999999 ? took : 999999))))"
	{ kill -9 $! && wait $!; } 2>/dev/null
	[ -e "$RUN/p1/intent" ] && left=$((left + 1))
	nodectl repair >"$WORK/repaired" 2>&1
	unequal >"$WORK/unequal"
	[ ! -s "$WORK/unequal" ] || sed "s/^/round $i: /" "$WORK/repaired" "$WORK/unequal"
done >"$WORK/rounds"
is "definition, kernel and ledger are equal after a set that was killed (x${rounds:-40}, $left in the middle)" "$(cat "$WORK/rounds")" ""

finish
