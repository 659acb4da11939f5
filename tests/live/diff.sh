#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Drift: each knob that is changed behind nodectl's back is named and mended, and then there is
# silence.
. "$(dirname "$0")/lib.sh"
begin bridge tc

plan=$(dirname "$NODECTL_CONFIG")/plans/drift.conf
cat >"$plan" <<END
memory = 96M
swap = 0
tasks = 100
cpus = 0.5
rate-in = 20M
rate-out = 10M
disk = 64M
END
exits 0 "--fix where no VPS runs" nodectl diff --fix
check "create" nodectl create one --plan drift --start
check "create another" nodectl create two --plan drift
id=$(field one .id)
bare=$(nodectl diff 2>&1)
exits 0 "diff of VPSs that are as defined" nodectl diff
is "nothing is said" "$OUT" ""
exits 0 "by name" nodectl diff one two
exits 0 "by id" nodectl diff "$id"
exits 0 "--all" nodectl diff --all
is "JSON is empty" "$(nodectl diff -j)" '{"schema":1,"differences":[]}'
exits 14 "of no VPS" nodectl diff none
exits 0 "--fix of what is equal" nodectl diff --fix
is "nothing is said" "$OUT" ""
[ -z "$bare" ] || not_ok "there is no drift after create and start" "$bare"

# the file of the outer group in whatever hierarchy it is
knob_path() {
	local path
	for path in $(groups); do
		for path in "$path"/nodectl*/"$id"; do
			[ -e "$path/$1" ] && echo "$path/$1" && return
		done
	done
	return 1
}

# drifts NAME WHAT REGEX: one line names it; --fix mends it; nothing is left
drifts() {
	exits 1 "$1: diff sees it" nodectl diff one
	like "$1: it is named" "$OUT" "^one: $2: wants $3$"
	is "$1: and it alone" "$(wc -l <<<"$OUT")" 1
	exits 0 "$1: --fix" nodectl diff one --fix
	like "$1: it is said to be mended" "$OUT" "^one: $2: wants $3 \(mended\)$"
	exits 0 "$1: then all is equal" nodectl diff one
	is "$1: and silent" "$OUT" ""
}

# each file that a limit is in, with another value that the kernel takes
while read -r file value; do
	path=$(knob_path "$file") || continue
	was=$(cat "$path")
	[ "$was" != "$value" ] || continue
	echo "$value" >"$path" || { not_ok "$file can be changed"; continue; }
	drifts "$file" "$file" "$was, has $(cat "$path")"
	is "$file: the kernel has what it had" "$(cat "$path")" "$was"
done <<END
memory.max 134217728
memory.high 50331648
memory.swap.max 4194304
memory.oom.group 1
cpu.max 70000 100000
cpu.weight 77
pids.max 90
memory.limit_in_bytes 50331648
memory.memsw.limit_in_bytes 134217728
cpu.cfs_quota_us 70000
cpu.shares 77
cgroup.max.descendants 7
cgroup.max.depth max
END

# ---- several at once
for file in pids.max cgroup.max.depth; do echo 50 >"$(knob_path $file)"; done
exits 1 "two knobs" nodectl diff one
is "are two lines" "$(wc -l <<<"$OUT")" 2
is "and two differences in JSON" "$(nodectl diff one -j | jq -r '.differences[] | "\(.vps) \(.what) \(.wants) \(.has) \(.remedy) \(.mended)"' | sort | tr '\n' ';')" \
	"one cgroup.max.depth 16 50 fix false;one pids.max 100 50 fix false;"
exits 9 "of one that somebody holds all the time" flock "$STORAGE/vps/one/lock" timeout $((60 * SLOW)) "$NODECTL" diff one
like "it is told who" "$OUT" '^nodectl: .*locked by'
is "--fix in JSON" "$(nodectl diff one --fix -j | jq -r '.differences[].mended' | sort -u)" true
exits 0 "then all is equal" nodectl diff one

# ---- devices
if command -v bpftool >/dev/null; then
	path=$(dirname "$(knob_path cgroup.max.depth)")
	detach() { bpftool cgroup detach "$path" "$1" id "$(bpftool cgroup list "$path" -j | jq --arg type "$1" '.[] | select(.attach_type == $type).id')" multi; }
	detach cgroup_device
	drifts "the device policy" "device policy" "attached, has none"
	detach cgroup_setsockopt
	drifts "the socket policy" "socket policy" "attached, has none"
fi

# ---- network
ip link set "nv$id" down
drifts "the link" link "up, has down"
bridge link set dev "nv$id" isolated off
drifts "a flag of the port" isolated "on, has off"
bridge link set dev "nv$id" learning on
drifts "another" learning "off, has on"
bridge fdb del "$(printf '02:6e:64:%02x:%02x:%02x' $((id >> 16)) $((id >> 8 & 255)) $((id & 255)))" dev "nv$id" master
drifts "its MAC address" "MAC address of the port" "there, has none"
tc qdisc del dev "nv$id" root
drifts "a rate" rate-in "20M, has 0"
ip link del "ni$id"
drifts "the other" rate-out "10M, has 0"
ip link set "nv$id" nomaster
exits 1 "off the bridge" nodectl diff one
like "is named" "$OUT" "^one: bridge: wants nodectl0, has none$"
exits 0 "--fix" nodectl diff one --fix
exits 0 "then all is equal" nodectl diff one
check "and it is reached" booted one
nft flush map inet nodectl tcp4
port=$(field one '.publish[0]')
address=$(field one '.ipv4[0]')
drifts "a forward" "forward $port" "$address, has none"
nft add element inet nodectl tcp4 "{ 55555 comment \"nodectl $id\" : $address . 80 }"
drifts "one too many" "forward 55555:80" "none, has $address"

# ---- disk
sed -i 's/^disk = .*/disk = 80M/' "$STORAGE/vps/two/vps.conf"
grep -q '^override = disk' "$STORAGE/vps/two/vps.conf" || echo 'override = disk' >>"$STORAGE/vps/two/vps.conf"
exits 1 "the disk of one that is stopped" nodectl diff two
like "is named" "$OUT" "^two: disk: wants 80M, has 64M$"
exits 0 "--fix" nodectl diff two --fix
like "makes it so" "$OUT" "mended"
exits 0 "then all is equal" nodectl diff two
check "and it starts" nodectl start two
blocks=$(inside two df -k / | awk 'NR == 2 { print $2 }')
check "with that disk" [ "$blocks" -le 81920 ]

# ---- what only a start brings
nodectl set two --hostname other --quiet
exits 1 "a host name" nodectl diff two
is "is told as pending" "$OUT" "two: hostname: wants other, has two (at the next start)"
exits 1 "--fix cannot help it" nodectl diff two --fix
nodectl restart two --force --quiet
exits 0 "a restart can" nodectl diff two

# ---- a plan that was edited
cp "$plan" "$WORK/drift.conf"
sed -i 's/^tasks = .*/tasks = 300/' "$plan"
exits 1 "a plan that is ahead" nodectl diff
is "of the VPSs that follow it" "$(sort <<<"$OUT" | tr '\n' ';')" "one: plan drift: tasks: wants 300, has 100 ('nodectl plan set' applies it);two: plan drift: tasks: wants 300, has 100 ('nodectl plan set' applies it);"
cp "$WORK/drift.conf" "$plan"
exits 0 "back again" nodectl diff

# ---- it changes nothing
sum=$(md5sum "$STORAGE"/vps/*/vps.conf)
nodectl diff --fix --quiet
is "no definition is touched" "$(md5sum "$STORAGE"/vps/*/vps.conf)" "$sum"
like "the log says what was done" "$(nodectl log one)" 'brought back to its definition'
nodectl stop two --force --quiet
exits 0 "of a stopped VPS there is nothing in the kernel" nodectl diff two

# ---- the parent of all
parent=$(for path in $(groups); do ls -d "$path"/nodectl-vps.service/cpu.weight "$path"/nodectl-vps.service/cpu.shares; done 2>/dev/null | head -n 1)
was=$(cat "$parent")
echo 77 >"$parent"
exits 1 "the group of all VPSs" nodectl diff
like "is the node's" "$OUT" "^node: cpu.(weight|shares): wants $was, has 77$"
exits 0 "--fix" nodectl diff --fix
is "mends it" "$(cat "$parent")" "$was"

rm -f "$plan"
finish
