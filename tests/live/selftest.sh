#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The self-test: that it passes here, that it fails when a limit does not hold, and that nothing
# of it stays.
. "$(dirname "$0")/lib.sh"
begin
hybrid=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print "yes"; exit }' /proc/mounts)

# result FILE TEST: what became of it
result() {
	jq -r --arg name "$2" '.tests[] | select(.name == $name).result' "$1"
}

reason() {
	jq -r --arg name "$2" '.tests[] | select(.name == $name) | "\(.promised) \(.measured) \(.reason)"' "$1"
}

# too_busy FILE TEST: it says that it could not be measured, with figures
too_busy() {
	reason "$1" "$2" | grep -Eq 'too busy to measure: others took [0-9.]+ cores|too slow, or too busy'
}

# no_faster FILE TEST: a speed, and not above what was promised
no_faster() {
	[[ $2 == io-* || $2 == rate-* ]] && jq -e --arg name "$2" \
		'.tests[] | select(.name == $name) | .result == "PASS" and .measured <= .promised * 1.05' "$1" >/dev/null
}

role() {
	nodectl list -H -o NAME | grep -- "-$1\$"
}

all_up() {
	[ "$(nodectl list -H -o NAME,STATE | grep -c '^selftest-.* running')" = 6 ]
}

# held ARGUMENT...: a self-test that waits for `go`, its process in SELFTEST
held() {
	rm -f "$WORK/go" && mkfifo "$WORK/go"
	"$NODECTL" selftest --hold "$@" >"$WORK/out" 2>"$WORK/said" <"$WORK/go" &
	SELFTEST=$!
	background+=("$SELFTEST")
	exec 8>"$WORK/go"
	eventually 60 grep -q 'ready to be measured' "$WORK/said"
}

go() {
	echo >&8
	exec 8>&-
	wait "$SELFTEST"
}

nothing() {
	[ -z "$(nodectl list -H -o NAME)" ] && ! nodectl image list -H | grep -q selftest
}

# ---- it passes
OUT=$(nodectl selftest -j 2>&1 >"$WORK/json" </dev/null)
is "the self-test passes" "$? $OUT $(jq -r '.tests[] | select(.result == "FAIL") | "\(.name) \(.promised) \(.measured) \(.reason)"' "$WORK/json")" "0  "
is "it has all rows" "$(jq -r '.tests[].name' "$WORK/json" | tr '\n' ' ')" \
	"cpu-cap cpu-weight cpu-guarantee memory memory-high memory-guarantee tasks disk inodes io-read io-write io-read-ops io-write-ops rate-in rate-out devices mknod reach spoof "
is "of three results" "$(jq -r '[.tests[].result] | unique - ["PASS", "FAIL", "UNSUPPORTED"] | length' "$WORK/json")" 0
is "and counts them" "$(jq '.passed + .failed + .unsupported - (.tests | length)' "$WORK/json")" 0
is "its schema is 1" "$(jq .schema "$WORK/json")" 1
check "in a few minutes at most" jq -e --argjson slow "$SLOW" '.seconds < 300 * $slow' "$WORK/json"
for test in $(jq -r '.tests[] | select(.result == "UNSUPPORTED").name' "$WORK/json"); do
	case $test in
	memory-high | memory-guarantee)
		[ -n "$hybrid" ] && like "$test cannot be had on cgroup v1" "$(reason "$WORK/json" $test)" 'cgroup v1' ||
			not_ok "$test is supported here" "$(reason "$WORK/json" $test)"
		;;
	*) too_busy "$WORK/json" "$test" && ok "$test: too busy" || not_ok "$test is supported" "$(reason "$WORK/json" "$test")" ;;
	esac
done
is "what passed has no reason, what did not has one" \
	"$(jq '[.tests[] | select((.result == "PASS") != (.reason == ""))] | length' "$WORK/json")" 0
check "what passed has figures" jq -e '[.tests[] | select(.result == "PASS" and (.promised == null or .measured == null or .unit == ""))] == []' "$WORK/json"
check "nothing is left of it" nothing
leaks "no group, link, mount, lease, process or file"
is "no template either" "$(ls -A "$STORAGE/templates" | grep -c selftest)" 0

# ---- a plan
if [ "$SLOW" -gt 1 ]; then
	skip "a plan's promises are kept" "a gibibyte and 20000 files take minutes here"
else
	nodectl selftest --plan nano >"$WORK/out" 2>"$WORK/said"
	is "a plan's promises are kept" "$? $(grep ' FAIL ' "$WORK/out")" "0 "
	like "memory is that of the plan" "$(grep '^memory ' "$WORK/out")" '256M'
	like "a table with a sum" "$(tail -n 1 "$WORK/out")" '^[0-9]+ passed, 0 failed, [0-9]+ unsupported, in [0-9]+ seconds$'
fi
exits 21 "a plan that is not there" nodectl selftest --plan none
exits 20 "no argument" nodectl selftest main
check "nothing is left of it" nothing

# ---- one at a time, and repair leaves it alone
nodectl create selftest-mine --quiet
held
exits 9 "a second one is refused" nodectl selftest
is "repair leaves one that runs alone" "$(nodectl repair 2>&1)" ""
check "all six are there" all_up
kill -INT "$SELFTEST"
wait "$SELFTEST"
is "SIGINT ends it" "$? $(tail -n 1 "$WORK/said")" "3 nodectl: interrupted"
exec 8>&-
is "and nothing is left" "$(nodectl list -H -o NAME)" selftest-mine
refuse "no image" nodectl image show "$(nodectl image list -H | awk '/selftest/ { print $1 }')"

# ---- while it measures
"$NODECTL" selftest >/dev/null 2>&1 </dev/null &
SELFTEST=$!
background+=("$SELFTEST")
eventually 30 all_up
sleep 1
kill -TERM "$SELFTEST"
wait "$SELFTEST"
is "SIGTERM ends it while it measures" "$?" 3
is "and nothing is left" "$(nodectl list -H -o NAME)" selftest-mine

# ---- killed
"$NODECTL" selftest >/dev/null 2>&1 </dev/null &
SELFTEST=$!
background+=("$SELFTEST")
eventually 30 all_up
sleep 1
kill -KILL "$SELFTEST"
wait "$SELFTEST" 2>/dev/null
check "a killed one leaves its VPSs" all_up
probes() {
	for name in $(nodectl list -H -o NAME | grep -v mine); do nodectl ps "$name" -H | tail -n +2 | sed "s/^/$name: /"; done
}
no_probes() { [ -z "$(probes)" ]; }
eventually 5 no_probes
is "idle: what ran inside has ended with it" "$(probes)" ""
is "repair finds them, and the image" "$(nodectl repair --dry-run | grep -c 'of a self-test that was cut off')" 8
check "repair" nodectl repair
is "and removes them, and no other" "$(nodectl list -H -o NAME)" selftest-mine
is "repair finds nothing then" "$(nodectl repair --dry-run)" ""
nodectl destroy selftest-mine --yes --quiet

# ---- it is no test if it cannot fail: each limit is weakened behind its back

# knob ROLE NAME VALUE: in the first hierarchy that has it
knob() {
	local path id
	id=$(field "$(role "$1")" .id)
	for path in $(groups); do
		for path in "$path"/nodectl*/"$id"; do
			[ -e "$path/$2" ] && echo "$3" >"$path/$2" && return
		done
	done
	return 1
}

either() {
	knob "$1" "$2" "$3" 2>/dev/null || knob "$1" "$4" "$5"
}

held -j
main=$(role main) id=$(field "$(role main)" .id)
check "weaker: memory" either main memory.max 134217728 memory.memsw.limit_in_bytes 134217728
knob main memory.limit_in_bytes 134217728 2>/dev/null
[ -n "$hybrid" ] || check "weaker: memory.high" knob main memory.high max
[ -n "$hybrid" ] || check "weaker: memory.min" knob guaranteed memory.min 0
check "weaker: tasks" knob main pids.max 80
check "weaker: the cap" either main cpu.max "100000 100000" cpu.cfs_quota_us 100000
check "weaker: a weight" either three cpu.weight 100 cpu.shares 1024
either one cpu.weight 100 cpu.shares 1024
check "weaker: a guarantee" either guaranteed cpu.weight 1 cpu.shares 2
check "weaker: the guard" unguard "$id"
check "weaker: a rate to it" tc qdisc del dev "nv$id" root
check "weaker: a rate from it" tc qdisc del dev "ni$id" root
for path in $(groups); do
	for path in "$path"/nodectl*/"$id"; do
		[ -e "$path/io.max" ] && sed 's/ .*/ rbps=max wbps=max riops=max wiops=max/' "$path/io.max" >"$path/io.max"
		for file in "$path"/blkio.throttle.{read,write}_{bps,iops}_device; do
			[ -e "$file" ] && sed 's/ .*/ 0/' "$file" >"$file"
		done
		if [ -e "$path/cgroup.controllers" ] && command -v bpftool >/dev/null; then
			program=$(bpftool cgroup list "$path" -j | jq '.[0].id')
			check "weaker: devices" bpftool cgroup detach "$path" cgroup_device id "$program" multi
		fi
	done
done
go
is "it ends with status 1" "$?" 1
for test in cpu-cap cpu-weight cpu-guarantee memory memory-high memory-guarantee tasks io-read io-write \
	io-read-ops io-write-ops rate-in rate-out devices spoof; do
	case $test in
	memory-*) [ -z "$hybrid" ] || continue ;;
	devices) command -v bpftool >/dev/null || continue ;;
	esac
	# a machine that is emulated, or robbed of its time, may not get to the figure at which it would be seen
	too_busy "$WORK/out" $test && ok "$test: too busy" && continue
	# nor be faster than what it is limited to
	no_faster "$WORK/out" $test && ok "$test: no faster without" && continue
	is "$test fails when it does not hold" "$(result "$WORK/out" $test) $(result "$WORK/out" $test | grep -v FAIL; reason "$WORK/out" $test | grep -o 'too busy')" "FAIL "
done
is "the others pass" "$(for test in disk inodes mknod reach; do result "$WORK/out" $test; done | sort -u)" PASS
check "and nothing is left" nothing
# what was taken from one behind nodectl's back is missing from the sum of all
[ -n "$hybrid" ] || nodectl repair --quiet >/dev/null

finish
