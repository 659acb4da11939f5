#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Changes that are cut off: `set`, `set --plan` and `plan set` killed at any moment.  After
# `repair` definition, kernel, disk and ledger are one, whichever of before and after it is.
#
#	N=100 tests/run-live.sh -v cutoff	as many rounds; SEED=... the same ones again
. "$(dirname "$0")/lib.sh"
begin
N=${N:-${ROUNDS:-16}}
RANDOM=${SEED:=$((RANDOM * 32768 + RANDOM))}
echo "# SEED=$SEED N=$N"

nodectl plan create cut --memory 96M --tasks 150 --cpus 0.5 --disk 64M --quiet
nodectl plan create off --memory 80M --memory-guaranteed 32M --tasks 120 --cpu-guaranteed 0.1 --disk 72M --rate-in 50M --quiet
nodectl create runs --plan cut --start --quiet --wait 30
nodectl create rests --plan cut --quiet
nodectl create other --plan cut --start --quiet --wait 30

# one of what a VPS may be given, with a value of chance
one_option() {
	case $((RANDOM % 10)) in
	0) echo "--memory $((RANDOM % 64 + 64))M" ;;
	1) echo "--memory-guaranteed $((RANDOM % 48))M" ;;
	2) echo "--swap $((RANDOM % 32))M" ;;
	3) echo "--cpus 0.$((RANDOM % 8 + 2))" ;;
	4) echo "--cpu-guaranteed 0.0$((RANDOM % 9))" ;;
	5) echo "--tasks $((RANDOM % 100 + 60))" ;;
	6) echo "--disk $((RANDOM % 24 + 64))M" ;;
	7) echo "--io-read $((RANDOM % 50 + 1))M/s" ;;
	8) echo "--rate-in $((RANDOM % 90 + 10))M" ;;
	9) echo "--rate-out $((RANDOM % 90 + 10))M --weight $((RANDOM % 900 + 1))" ;;
	esac
}

# what is to be changed; options that a plan gives as well can all be given to it
change() {
	local name=runs
	[ $((RANDOM % 3)) -gt 0 ] || name=rests
	case $((RANDOM % 5)) in
	0) echo "plan set cut $(one_option) $(one_option)" | sed 's/ --weight [0-9]*//g' ;;
	1) echo "set $name --plan $([ $((RANDOM % 2)) -eq 0 ] && echo cut || echo off)" ;;
	2) echo "set $name --memory plan --disk plan --tasks $((RANDOM % 100 + 60))" ;;
	*) echo "set $name $(one_option) $(one_option) $(one_option)" ;;
	esac
}

# What differs, but for a plan that has not come to all of its VPSs, as only `plan set` does that,
# and for disks that this kernel lets grow at the next start.
drift() {
	nodectl diff -j 2>&1 | jq -r '.differences[]? | select(.remedy == "fix") | "\(.vps) \(.what) \(.wants) \(.has)"'
}
# the ledger counts what the definitions say; what repair finds without being told is in it, too
books() {
	nodectl list -j | jq -c '[.vps[].promised.guaranteed.memory, .vps[].promised.max.tasks] | add' &&
		nodectl capacity -j | jq -c '[.resources[] | (select(.name == "memory").guaranteed), (select(.name == "tasks").max)] | add'
}

settled() { nodectl repair >/dev/null 2>&1 && [ -z "$(nodectl repair --dry-run 2>&1)" ]; }
killed=0 drifted=0 bad=0 after=0 before=0
init=$(field runs .pid)
for ((i = 1; i <= N; i++)); do
	words=$(change)
	was=$(md5sum "$STORAGE"/vps/*/vps.conf)
	# what a change takes is 3 to 60 ms: most of the moments are at its beginning
	usec=$((RANDOM % (RANDOM % 4 ? 12000 : 60000) * SLOW))
	whom=one
	[ $((RANDOM % 2)) -eq 0 ] || whom=tree
	# shellcheck disable=SC2086
	timeout 60 "$PROBE" killat $usec $whom "$NODECTL" $words >"$WORK/how"
	trouble=
	if [ "$(cat "$WORK/how")" = killed ]; then
		killed=$((killed + 1))
		[ "$(md5sum "$STORAGE"/vps/*/vps.conf)" = "$was" ] && before=$((before + 1)) || after=$((after + 1))
		[ -z "$(drift)" ] || drifted=$((drifted + 1))
	fi
	eventually 10 settled || trouble="repair: $(nodectl repair 2>&1)"
	[ -z "$(drift)" ] || trouble+=" diff: $(drift)"
	[ "$(books | sort -u | wc -l)" = 1 ] || trouble+=" ledger: $(books | tr '\n' ' ')"
	[ -z "$(find "$STORAGE/vps" -mindepth 2 -name '.*')" ] || trouble+=" left: $(find "$STORAGE/vps" -mindepth 2 -name '.*')"
	[ "$(field runs .pid)" = "$init" ] && inside runs true || trouble+=" the VPS was disturbed"
	[ -z "$trouble" ] || { bad=$((bad + 1)); not_ok "round $i: $words, killed after $usec us" "$trouble"; }
done
is "$N changes, $killed killed in time ($before before, $after after it was written down; $drifted had left the kernel otherwise): repaired, all are one" \
	$bad 0
check "a plan that did not come to all VPSs is brought by plan set" nodectl plan set cut --quiet
is "and then there is no difference" "$(nodectl diff 2>&1 | grep -v 'at the next start')" ""
check "they start and stop" nodectl restart --all --force --quiet
is "nor when they were started anew" "$(nodectl diff 2>&1)" ""

# ---- on the way from one limit to another, none is lifted
memory_file() {
	local path id
	id=$(field runs .id)
	for path in $(groups); do
		for path in "$path"/nodectl*/"$id"/{memory.max,memory.limit_in_bytes}; do
			[ -e "$path" ] && echo "$path" && return
		done
	done
}
file=$(memory_file)
(while :; do read -r now <"$file" && echo "$now"; done) >"$WORK/seen" &
watcher=$!
background+=("$watcher")
shell runs 'timeout 6 sh -c "while :; do dd if=/dev/zero of=/load bs=1M count=20; done"' >/dev/null 2>&1 &
background+=($!)
for ((i = 1; i <= 20; i++)); do
	nodectl set runs --memory $((RANDOM % 64 + 64))M --swap $((RANDOM % 32))M --quiet || not_ok "set --memory under load"
done
kill "$watcher"
wait "$watcher" 2>/dev/null
check "it was looked at often ($(wc -l <"$WORK/seen") times)" test "$(wc -l <"$WORK/seen")" -gt 100
is "and never had more than 128M, nor less than 64M" \
	"$(awk -v most=$((128 << 20)) -v least=$((64 << 20)) '$1 == "max" || $1 > most || $1 < least' "$WORK/seen" | sort -u | head -n 3)" ""

# ---- refused in its middle
was=$(md5sum <"$STORAGE/vps/rests/vps.conf")
exits 36 "a change that does not fit is refused" nodectl set rests --memory-guaranteed 900G --memory 900G
is "the definition is as it was" "$(md5sum <"$STORAGE/vps/rests/vps.conf")" "$was"
is "and nothing lies beside it" "$(find "$STORAGE/vps" -mindepth 2 -name '.*')" ""

nodectl destroy --all --yes --force --quiet
nodectl plan remove cut off --quiet
leaks
finish
