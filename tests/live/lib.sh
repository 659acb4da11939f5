# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Shared by the scripts of tests/live: source it first, end with `finish`.
#
# A node of our own, so that an operator's VPSs are never met: its own configuration, storage
# and run directory, and ids 28001 to 28600, from which interfaces (nv28001), control groups
# (28001), host ids and ports (50001) follow.  The bridge and the nft table are the
# machine's; whether they were there before is remembered, and they go again if nobody else
# uses them.  The storage stays between runs: images are built once per checkout, and what a
# run that was killed left behind is found by the next one.

set -u
export LC_ALL=C
umask 022

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$TESTS/../.." && pwd)
BUILD=${BUILD:-$TOP/build}
LIVE=$BUILD/live
STORAGE=$LIVE/storage
RUN=/run/nodectl-live
BIN=$LIVE/bin
NODECTL=$BIN/nodectl
PROBE=$BIN/probe
TENANT=$BIN/tenant
BEFORE=$RUN.before
LOCK=$RUN.lock
FIRST_ID=28001
LAST_ID=28600
export NODECTL_CONFIG=$LIVE/node.conf

# How many times longer than on a machine of its own a thing may take: the box says it.
SLOW=${SLOW:-1}

passed=0 failed=0 skipped=0 finished=
background=()
WORK=

# What a weakened build is to fail (run-canaries.sh), a pattern a line: when all of it has failed,
# the rest of the script has nothing more to tell.
UNTIL=${UNTIL-}

# ---- saying what happened

ok() {
	passed=$((passed + 1))
	echo "ok - $1"
}

not_ok() {
	failed=$((failed + 1))
	echo "not ok - $1"
	[ -z "${2-}" ] || printf '%s\n' "$2" | head -n 20 | sed 's/^/# /'
	until_all "$1"
}

# until_all NAME: which has failed
until_all() {
	local pattern left=
	[ -n "$UNTIL" ] || return 0
	while IFS= read -r pattern; do
		# shellcheck disable=SC2053
		[[ $1 == $pattern ]] || left+=${left:+$'\n'}$pattern
	done <<<"$UNTIL"
	UNTIL=$left
	[ -n "$left" ] || exit 1
}

skip() {
	skipped=$((skipped + 1))
	echo "skip - $1 # $2"
}

# skip_all REASON: nothing of this script can be tested here
skip_all() {
	skip "$(basename "$0" .sh)" "$1"
	finished=yes
	echo "0 passed, 0 failed, $skipped skipped"
	exit 0
}

# check NAME COMMAND...: it succeeds
check() {
	local name=$1
	shift
	if OUT=$("$@" 2>&1 </dev/null); then
		ok "$name"
	else
		not_ok "$name" "exit $?: $* ## $OUT"
	fi
}

# refuse NAME COMMAND...: it fails, whatever the exit status (but no time-out, no crash)
refuse() {
	local name=$1 got
	shift
	OUT=$("$@" 2>&1 </dev/null)
	got=$?
	if [ $got -eq 0 ] || [ $got -eq 124 ] || [ $got -ge 134 ]; then
		not_ok "$name" "exit $got: $* ## $OUT"
	else
		ok "$name"
	fi
}

# exits STATUS NAME COMMAND...: with just this exit status
exits() {
	local want=$1 name=$2 got
	shift 2
	OUT=$("$@" 2>&1 </dev/null)
	got=$?
	if [ $got -eq "$want" ]; then
		ok "$name"
	else
		not_ok "$name" "exit $got, not $want: $* ## $OUT"
	fi
}

# is NAME GOT WANT
is() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "got '$2', not '$3'"
	fi
}

# like NAME GOT REGEX; unlike NAME GOT REGEX
like() {
	if printf '%s\n' "$2" | grep -Eq -- "$3"; then
		ok "$1"
	else
		not_ok "$1" "no /$3/ in: $2"
	fi
}

unlike() {
	if printf '%s\n' "$2" | grep -Eq -- "$3"; then
		not_ok "$1" "/$3/ in: $2"
	else
		ok "$1"
	fi
}

# ---- doing things

# Nothing may hang a run.  What waits for a boot waits longer on a slow machine.
nodectl() {
	local args=("$@") i
	for ((i = 1; SLOW > 1 && i < $#; i++)); do
		[ "${args[i - 1]}" = --wait ] && [[ ${args[i]} =~ ^[3-9][0-9]$ ]] && args[i]=$((args[i] * SLOW))
	done
	timeout --foreground -k 5 "${PATIENCE:-120}" "$NODECTL" ${args[@]+"${args[@]}"}
}

# inside NAME COMMAND...
inside() {
	local name=$1
	shift
	nodectl exec "$name" -- "$@"
}

# shell NAME TEXT: by the VPS's own shell
shell() {
	nodectl exec "$1" -- /bin/sh -c "$2"
}

# field NAME FILTER: of `show -j`
field() {
	nodectl show "$1" -j | jq -r "$2"
}

# eventually SECONDS COMMAND...: it succeeds within that time
eventually() {
	local end=$((SECONDS + $1 * SLOW + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

state_is() {
	[ "$(nodectl status "$1")" = "$1 $2" ]
}

# booted NAME [SECONDS]: its ssh server answers
banner() {
	local line=
	exec 9<>"/dev/tcp/$1/$2" && read -r -t 5 line <&9
	exec 9>&-
	case $line in SSH-*) return 0 ;; esac
	return 1
}

booted() {
	eventually "${2:-20}" banner "$(field "$1" '.ipv4[0]')" 22
}

# init_is_not NAME PID: it runs, with another init
init_is_not() {
	local pid
	pid=$(field "$1" '.pid // 0')
	[ "$pid" != 0 ] && [ "$pid" != "$2" ]
}

# the machine's own address, as others reach it
node_address() {
	ip -4 -o addr show scope global | awk '$2 != "nodectl0" { sub("/.*", "", $4); print $4; exit }'
}

gateway4() {
	sed -n 's,^subnet = \(.*\)/.*,\1,p' "$NODECTL_CONFIG"
}

gateway6() {
	sed -n 's,^subnet6 = \(.*\)/.*,\1,p' "$NODECTL_CONFIG"
}

# A host of the world, 10.242.9.2 and fd42:42:0:9::2 in the namespace OUTSIDE: the node's way
# out for it is a link of its own, where the node is .1 and ::1.  It goes with the script.
OUTSIDE=nodectl-outside
outside_leave() {
	ip netns del $OUTSIDE 2>/dev/null
	ip link del nodectl-o0 2>/dev/null
}

outside_make() {
	outside_leave
	ip netns add $OUTSIDE &&
		ip link add nodectl-o0 type veth peer name o1 netns $OUTSIDE &&
		ip addr add 10.242.9.1/24 dev nodectl-o0 &&
		ip -6 addr add fd42:42:0:9::1/64 dev nodectl-o0 nodad &&
		ip link set nodectl-o0 up &&
		ip -n $OUTSIDE addr add 10.242.9.2/24 dev o1 &&
		ip -n $OUTSIDE -6 addr add fd42:42:0:9::2/64 dev o1 nodad &&
		ip -n $OUTSIDE link set o1 up
}

# later COMMAND...: in the background, ended with the script; sets LATER
later() {
	"$@" &
	LATER=$!
	background+=("$LATER")
}

# group_file ID FILE...: the first of the control files of a VPS that this host has
group_file() {
	local id=$1 path file
	shift
	for file in "$@"; do
		for path in $(groups); do
			for path in "$path"/nodectl*/"$id/$file"; do
				[ -e "$path" ] && cat "$path" && return
			done
		done
	done
	return 1
}

groups() {
	awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts | sort -u
}

# ---- what must not be left

ours='28[0-6][0-9][0-9]'

processes_left() {
	local uid path stat
	local low=$((524288 + FIRST_ID * 65536)) high=$((524288 + (LAST_ID + 1) * 65536))

	stat -c '%u %n' /proc/[0-9]* 2>/dev/null |
		awk -v low=$low -v high=$high '$1 >= low && $1 < high { print $2 }' |
		while read -r path; do
			# one that has ended and waits for the machine's pid 1 is none
			read -r stat <"$path/stat" || continue
			case ${stat##*)} in
			" Z"* | " X"*) ;;
			*) echo "process of our host ids: ${stat%%)*})" ;;
			esac
		done 2>/dev/null
	# by what it was called with: who keeps the views may be replaced, and is another one then
	find /proc/[0-9]*/exe -maxdepth 0 -lname "$BIN/nodectl*" -printf '%h\n' 2>/dev/null |
		while read -r path; do
			echo "process of nodectl: $(tr '\0' ' ' <"$path/cmdline")"
		done 2>/dev/null
}

bpf_left() {
	local path mine
	command -v bpftool >/dev/null || return
	# programs of other VPSs come and go: those are held by a group that is there
	mine=$(for path in $(groups); do
		for path in "$path"/nodectl*/[0-9]*; do
			case ${path##*/} in $ours) continue ;; esac
			[ -d "$path" ] && bpftool cgroup list "$path" 2>/dev/null | awk '{ print $1 }'
		done
	done)
	bpftool prog list 2>/dev/null | awk -F: '/cgroup_device/ && !/ name sd_/ { print $1 }' |
		grep -Fxv -- "${mine:-none}" | sed 's/^/BPF program /'
}

leak_state() {
	local path file
	for path in /sys/class/net/nv$ours /sys/class/net/ni$ours; do
		[ -e "$path" ] && echo "interface ${path##*/}"
	done
	for path in $(groups); do
		for path in "$path"/nodectl*/$ours; do
			[ -d "$path" ] && echo "control group $path"
		done
	done
	nft list table inet nodectl 2>/dev/null |
		grep -oE "[0-9]+ comment \"nodectl $ours\"" | sed 's/^/forward of port /'
	for path in /sys/block/loop*/loop/backing_file; do
		[ -e "$path" ] && read -r file <"$path" && case $file in
		"$LIVE"/*) echo "loop device with $file" ;;
		esac
	done 2>/dev/null
	grep -F -e "$LIVE" -e "$RUN/" /proc/self/mountinfo | sed 's/^/mount /'
	processes_left
	bpf_left
	for path in ids addresses vps trash images/staging; do
		find "$STORAGE/$path" -mindepth 1 -maxdepth 1 ! -name .last ! -name .naming \
			-printf "$path/%f\n" 2>/dev/null
	done
	find "$RUN" -mindepth 1 -maxdepth 1 ! -name '.ledger*' -printf "$RUN/%f\n" 2>/dev/null
}

leaks_now() {
	leak_state 2>/dev/null | sort >"$WORK/after"
	comm -13 "$WORK/before" "$WORK/after" >"$WORK/leaks"
	[ ! -s "$WORK/leaks" ]
}

# Everything that a script made is gone: one result, or one failure for each thing left.  What
# stop leaves to a child, and what the kernel removes later, gets its time.
leaks() {
	local line
	if eventually 30 leaks_now; then
		ok "${1:-nothing is left behind}"
		return
	fi
	while read -r line; do
		not_ok "${1:-nothing is left behind}: $line"
	done <"$WORK/leaks"
}

# ---- the node of the tests

machine_note() {
	local pool
	[ -e "$BEFORE" ] && return
	{
		[ -e /sys/class/net/nodectl0 ] && echo bridge
		nft list table inet nodectl >/dev/null 2>&1 && echo table
		echo "net.ipv4.ip_forward=$(cat /proc/sys/net/ipv4/ip_forward)"
		echo "net.ipv6.conf.all.forwarding=$(cat /proc/sys/net/ipv6/conf/all/forwarding)"
		echo "kernel.pty.max=$(cat /proc/sys/kernel/pty/max)"
		echo "fs.aio-max-nr=$(cat /proc/sys/fs/aio-max-nr)"
		echo "kernel.pid_max=$(cat /proc/sys/kernel/pid_max)"
		for pool in ipv{4,6}/neigh/default/gc_thresh{2,3}; do
			echo "net/$pool=$(cat /proc/sys/net/$pool)"
		done
		find /sys/fs/bpf/nodectl -mindepth 1 -maxdepth 1 -printf 'pin %f\n' 2>/dev/null
	} >"$BEFORE"
}

# What was pinned since, in this and other network namespaces: not where a VPS is, and what is of
# the whole machine only when none is anywhere.
pins_restore() {
	local pin
	find /sys/fs/bpf/nodectl -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort -r |
		while read -r pin; do
			grep -qx "pin $pin" "$BEFORE" && continue
			case $pin in
			[0-9]*) set -- "/sys/fs/bpf/nodectl/$pin"/nv* ;;
			*) set -- /sys/fs/bpf/nodectl/*/nv* ;;
			esac
			[ -e "$1" ] || rm -r "/sys/fs/bpf/nodectl/$pin"
		done
	rmdir /sys/fs/bpf/nodectl 2>/dev/null
}

# Back to how it was, unless somebody else has come to need it.
machine_restore() {
	local line
	[ -e "$BEFORE" ] || return 0
	if ! grep -qx bridge "$BEFORE" &&
		[ -z "$(ls /sys/class/net/nodectl0/brif 2>/dev/null)" ] && [ ! -e /etc/nodectl/node.conf ]; then
		ip link del nodectl0 2>/dev/null
		grep -qx table "$BEFORE" || nft delete table inet nodectl 2>/dev/null
		while read -r line; do
			case $line in *=*) sysctl -qw "$line" ;; esac
		done <"$BEFORE"
		pins_restore
		rm -f "$RUN"/.ledger*
		rmdir "$RUN" 2>/dev/null
	fi
	rm -f "$BEFORE"
}

# The same networks as a node that is there, so that both want the same bridge and rules.
node_conf() {
	local subnet=10.77.0.1/16 subnet6=fd6e:6f64:6563:1::1/64 theirs=/etc/nodectl/node.conf
	if [ -e $theirs ]; then
		subnet=$(sed -n 's/^subnet = //p' $theirs)
		subnet6=$(sed -n 's/^subnet6 = //p' $theirs)
		grep -E '^(mtu|bridge) =' $theirs
	elif [ -e /sys/class/net/nodectl0 ]; then
		subnet6=$(ip -6 -o addr show dev nodectl0 scope global | awk '{ print $4; exit }')
		subnet=$(ip -4 -o addr show dev nodectl0 | awk '{ print $4; exit }')
	fi
	echo "storage = $STORAGE"
	echo "run = $RUN"
	echo "ids = $FIRST_ID-$LAST_ID"
	echo "subnet = $subnet"
	[ -z "$subnet6" ] || echo "subnet6 = $subnet6"
	awk '$1 == "nameserver" && $2 !~ /^(127\.|::1$)/ { print "nameserver = " $2 }' /etc/resolv.conf |
		head -n 3
	echo "plan = nano"
	echo "image = mini"
	# tests promise much and use little, also on a small machine
	printf 'ratio-%s = 100\n' cpus memory disk tasks
}

# program_build PROGRAM SOURCE: in the box it is there already
program_build() {
	[ "$1" -nt "$2" ] || ${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -O1 -Wall -static -pthread -o "$1" "$2"
}

# A copy of the programs: a build under way is not in the tests' way.
programs() {
	local program
	mkdir -p "$BIN"
	for program in nodectl nodectl-monitor nodectl-import; do
		if [ ! -x "$BUILD/$program" ]; then
			echo "$BUILD/$program is missing: make" >&2
			return 1
		fi
		cmp -s "$BUILD/$program" "$BIN/$program" || install "$BUILD/$program" "$BIN/$program" || return 1
	done
	program_build "$PROBE" "$TESTS/probe.c" && program_build "$TENANT" "$TESTS/../hostile/tenant.c"
}

have_image() {
	nodectl image show "$1" >/dev/null 2>&1
}

# need_image NAME ARGUMENT...: built once for these sources, kept in the storage
need_image() {
	local name=$1 stamp=$LIVE/image-$1 sources
	shift
	sources=$(cat "$TOP"/images/image_*.c "$TOP"/images/motd.h 2>/dev/null | cksum)
	if have_image "$name"; then
		# the box has no sources, and its images are as new as its disk
		[ -e "$TOP/images/motd.h" ] || return 0
		[ "$(cat "$stamp" 2>/dev/null)" != "$sources" ] || return 0
		"$NODECTL" image remove "$name" --quiet
	fi
	echo "$sources" >"$stamp"
	echo "# building image '$name'"
	PATIENCE=600 nodectl image build "$@" --name "$name" >"$WORK/build" 2>&1 </dev/null && return
	sed 's/^/# /' "$WORK/build"
	return 1
}

mirror_reachable() {
	local host
	host=$(sed -n '/^#/!s,.*http://\([^/ ]*\).*,\1,p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
		grep -m1 debian)
	timeout 10 bash -c "exec 3<>/dev/tcp/${host:-deb.debian.org}/80" 2>/dev/null
}

clean_up() {
	local pid
	for pid in ${background[@]+"${background[@]}"}; do
		kill "$pid" 2>/dev/null
	done
	nodectl destroy --all --force --yes --quiet 2>&1 </dev/null | sed 's/^/# /'
	nodectl image list -j 2>/dev/null | jq -r '.images[].name' | grep -vxE 'mini|debian-1[0-9](-sysv)?' |
		xargs -r "$NODECTL" image remove --quiet
	nodectl repair </dev/null 2>&1 | sed 's/^/# repaired: /'
	outside_leave
}

leave() {
	trap - EXIT INT TERM
	clean_up
	[ -n "${LIVE_RUNNER-}" ] || { machine_restore; rm -f "$LOCK"; }
	rm -rf "$WORK"
}

ended_early() {
	[ -n "$finished" ] || not_ok "$(basename "$0" .sh): ended before its end"
	echo "$passed passed, $failed failed, $skipped skipped"
	leave
	exit 1
}

finish() {
	local pid
	finished=yes
	for pid in ${background[@]+"${background[@]}"}; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	check "destroy --all leaves no VPS" nodectl destroy --all --force --yes --quiet
	leaks
	is "repair finds nothing" "$(nodectl repair --dry-run 2>&1)" ""
	leave
	if [ $skipped -gt 0 ]; then
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	[ $failed -eq 0 ]
	exit
}

# One run at a time on the whole machine, for the ids are the same wherever the storage is.
# (No flock: a descriptor would be inherited.)
alone() {
	local pid
	until (set -C && echo $$ >"$LOCK") 2>/dev/null; do
		read -r pid 2>/dev/null <"$LOCK"
		if [ -n "${pid-}" ] && [ "$pid" != $$ ] && kill -0 "$pid" 2>/dev/null; then
			echo "another run of the live tests is under way: pid $pid" >&2
			return 1
		fi
		rm -f "$LOCK"
	done
}

# Where the guard of this network namespace is pinned.
PINS=/sys/fs/bpf/nodectl/$(stat -Lc %i /proc/self/ns/net)

# unguard ID: what that VPS sends is looked at by nobody
unguard() {
	if [ -e "$PINS/nv$1-from" ]; then
		rm "$PINS/nv$1-from"
	else
		tc filter del dev "nv$1" ingress prio 1
	fi
}

# begin TOOL...: the node is there, the image 'mini' too, and nothing else
begin() {
	local tool
	[ "$(id -u)" = 0 ] || skip_all "it must be run as root"
	for tool in jq nft ip "$@"; do
		command -v "$tool" >/dev/null || skip_all "'$tool' is not installed"
	done
	mkdir -p "$LIVE" || exit 1
	[ -n "${LIVE_RUNNER-}" ] || alone || exit 1
	WORK=$(mktemp -d "/tmp/nodectl-live.XXXXXX") || exit 1
	trap ended_early EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	machine_note
	programs || exit 1
	grep -qs '^ratio-tasks' "$NODECTL_CONFIG" || node_conf >"$NODECTL_CONFIG"
	# as they come now, not as they came when the storage was made
	rm -rf "$LIVE/plans"
	nodectl init --quiet || exit 1
	# left by a run that was killed
	clean_up >/dev/null
	need_image mini mini || exit 1
	leak_state 2>/dev/null | sort >"$WORK/before"
}
