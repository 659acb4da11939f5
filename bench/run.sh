#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How long a user waits for nodectl, beside the kernel's own share of it
# (build/floor) and beside LXC, with the same root directory, limits, filter and
# kind of network.  usage: bench/run.sh [rounds]; as root; `make bench N=20`.
#
# All rounds are interleaved, so that whatever else the machine does meets all
# three.  Everything is in namespaces and a directory of its own.

# "A && B || die" is meant: whichever fails.
# shellcheck disable=SC2015

set -u

rounds=${1:-20}
cd "$(dirname "$0")/.." || exit
build=${O:-build}
nodectl=$PWD/$build/nodectl timer=$PWD/$build/timer floor=$PWD/$build/floor

[ "$(id -u)" = 0 ] || { echo "bench: must be run as root" >&2; exit 1; }
if [ -z "${BENCH_INSIDE-}" ]; then
	BENCH_INSIDE=1 exec unshare --net --mount -- "$0" "$rounds"
fi

die() { echo "bench: $*" >&2; exit 1; }

work=$(mktemp -d /var/tmp/nodectl-bench.XXXXXX) || exit
data=$work/data lxc=$work/lxc run=/run/nodectl-bench.$$
export NODECTL_CONFIG=$work/node.conf
subid=root:1000000:65536 added=()
pivots=$(compgen -G '/sys/fs/cgroup/*/lxc.pivot' >/dev/null || echo ours)

cleanup() {
	trap '' INT TERM HUP
	trap - EXIT
	"$nodectl" destroy -yq --force bench >/dev/null 2>&1
	if [ -d "$lxc/peer" ]; then
		lxc-stop -P "$lxc" -n peer -k >/dev/null 2>&1
		lxc-destroy -P "$lxc" -n peer >/dev/null 2>&1
	fi
	# LXC leaves this one behind; it is empty
	[ -z "$pivots" ] || rmdir /sys/fs/cgroup/*/lxc.pivot 2>/dev/null
	for file in ${added[@]+"${added[@]}"}; do
		sed -i "/^$subid\$/d" "$file"
	done
	# a stop answers before its last steps, and lxcfs goes when nobody needs it any more: they
	# hold the directories for a moment
	for _ in $(seq 30); do
		sleep 0.1
		umount "$run" 2>/dev/null
		rm -rf --one-file-system "$work" "$run" 2>/dev/null && break
	done
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- set up ----------------------------------------------------------------

chmod 755 "$work" # LXC's root of the user namespace walks through
mkdir "$data" "$lxc"
cat >"$NODECTL_CONFIG" <<-END
	storage = $work/storage
	run = $run
	subnet = 10.77.0.1/16
	subnet6 = fd77:6e64:1::1/64
	ids = 27501-27600
END
# LXC looks for its bridge in sysfs, which shows the interfaces of whoever mounted it
mkdir "$work/cgroup"
mount --rbind /sys/fs/cgroup "$work/cgroup" && umount --recursive --lazy /sys &&
	mount -t sysfs -o nosuid,nodev,noexec sysfs /sys &&
	mount --rbind "$work/cgroup" /sys/fs/cgroup && umount --recursive "$work/cgroup" ||
	die "cannot mount sysfs"
# what lasts until the next boot is on a tmpfs, as /run is where systemd boots
mkdir -p "$run" && mount -t tmpfs -o size=8m,mode=700 tmpfs "$run" || die "cannot mount a tmpfs"
ip link set lo up
"$nodectl" init -q && "$nodectl" image build mini -q >/dev/null || die "cannot set up a node"
image=$(echo "$work"/storage/images/sha256/*/root)

peer=yes
if ! command -v lxc-start >/dev/null; then
	peer=
	printf 'bench: *** LXC IS NOT INSTALLED: no peer to compare with (apt-get install lxc) ***\n' >&2
fi

peer_set_up() {
	local file
	for file in /etc/subuid /etc/subgid; do
		grep -qx "$subid" "$file" 2>/dev/null && continue
		echo "$subid" >>"$file" && added+=("$file")
	done
	ip link add lxcbench0 type bridge && ip addr add 10.79.0.1/24 dev lxcbench0 &&
		ip link set lxcbench0 up || die "cannot make the peer's bridge"
	# its root directory, with the ids that its map wants: made once, copied each time
	cp -a "$image" "$lxc/image"
	find "$lxc/image" -printf '%U %G %p\0' | while read -r -d '' uid gid path; do
		chown -h $((uid + 1000000)):$((gid + 1000000)) "$path"
	done
	cat >"$lxc/peer.conf" <<-END
		lxc.idmap = u 0 1000000 65536
		lxc.idmap = g 0 1000000 65536
		lxc.net.0.type = veth
		lxc.net.0.link = lxcbench0
		lxc.net.0.name = eth0
		lxc.net.0.flags = up
		lxc.net.0.hwaddr = 02:6e:64:ff:ff:01
		lxc.net.0.ipv4.address = 10.79.0.2/24
		lxc.net.0.ipv4.gateway = 10.79.0.1
		lxc.cgroup.memory.limit_in_bytes = 268435456
		lxc.cgroup.pids.max = 1024
		lxc.cgroup.cpu.cfs_quota_us = 100000
		lxc.cgroup2.memory.max = 268435456
		lxc.cgroup2.pids.max = 1024
		lxc.cgroup2.cpu.max = 100000 100000
		lxc.seccomp.profile = /usr/share/lxc/config/common.seccomp
		lxc.mount.auto = proc:mixed sys:mixed
		lxc.init.cmd = /sbin/init
	END
}
[ -z "$peer" ] || peer_set_up

# --- measure ---------------------------------------------------------------

# measure NAME COMMAND...: one figure more for NAME
measure() {
	local name=$1
	shift
	"$timer" "$@" >>"$data/$name" || die "cannot measure '$name'"
}

# measure_ssh NAME ADDRESS COMMAND...: for NAME.start and NAME.ssh
measure_ssh() {
	local name=$1 address=$2 figures
	shift 2
	figures=$("$timer" -s "$address" "$@") || die "cannot measure '$name'"
	echo "${figures% *}" >>"$data/$name.start"
	echo "${figures#* }" >>"$data/$name.ssh"
}

# memory_of NAME PID: resident and private kilobytes
memory_of() {
	awk -v name="$data/$1" '/^Rss:/ { print $2 >>(name ".rss") }
		/^Private_/ { private += $2 }
		END { print private >>(name ".private") }' "/proc/$2/smaps_rollup"
}

round_floor() {
	"$floor" -s -n 1 "$image" "$work"/storage/templates/ext4-* >"$work/floor" ||
		die "cannot measure the floor"
	awk -v data="$data" '$1 == "START" { print $2 >>(data "/floor.start") }
		$1 == "STOP" { print $2 >>(data "/floor.stop") }
		$1 == "veth" && $2 == "gone" { print $3 >>(data "/floor.unlink") }' "$work/floor"
}

# The addresses go up with the ids, so that no round meets another one's ARP entry.
round_nodectl() {
	local address monitor
	measure nodectl.create "$nodectl" create bench --image mini --memory 256M --cpus 1 \
		--tasks 1024
	address=$(sed -n 's/^ip = \([0-9.]*\).*/\1/p' "$work/storage/vps/bench/vps.conf")
	measure_ssh nodectl "$address" "$nodectl" start bench
	measure nodectl.exec "$nodectl" exec bench true
	monitor=$(sed -n 's/^monitor = //p' "$run/bench/run")
	memory_of nodectl "$monitor"
	measure nodectl.stop "$nodectl" stop --force bench
	sleep 0.1 # its background half, which destroy would wait for
	measure nodectl.destroy "$nodectl" destroy --yes bench
}

round_lxc() {
	local created copied init
	created=$("$timer" lxc-create -P "$lxc" -n peer -t none -f "$lxc/peer.conf") &&
		copied=$("$timer" cp -a "$lxc/image" "$lxc/peer/rootfs") ||
		die "cannot create the peer"
	echo $((created + copied)) >>"$data/lxc.create"
	echo "lxc.rootfs.path = dir:$lxc/peer/rootfs" >>"$lxc/peer/config"
	measure_ssh lxc 10.79.0.2 lxc-start -P "$lxc" -n peer -d
	measure lxc.exec lxc-attach -P "$lxc" -n peer -- true
	init=$(lxc-info -P "$lxc" -n peer -p -H)
	memory_of lxc "$(awk '/^PPid:/ { print $2 }' "/proc/$init/status")"
	measure lxc.stop lxc-stop -P "$lxc" -n peer -k
	measure lxc.destroy lxc-destroy -P "$lxc" -n peer
}

# the first round fills caches, makes the template of volumes, and counts for nothing
for ((i = 0; i <= rounds; i++)); do
	[ "$i" != 1 ] || rm -f "$data"/*
	[ ! -t 2 ] || printf '\rbench: round %d of %d ' "$i" "$rounds" >&2
	round_nodectl
	round_floor
	[ -z "$peer" ] || round_lxc
done
[ ! -t 2 ] || printf '\r\033[K' >&2

# --- tell ------------------------------------------------------------------

# stat NAME PERCENT: that percentile of the figures, "-" without any
stat_of() {
	[ -s "$data/$1" ] || { echo -; return; }
	sort -n "$data/$1" | awk -v p="$2" '{ v[NR] = $1 }
		END { i = int(NR * p / 100 + 0.5); print v[i < 1 ? 1 : i] }'
}

# verdict NAME DIVISOR AIM BASE FACTOR: BASE is the name of a figure, or "-" for FACTOR itself
verdict() {
	local figure limit=$5
	figure=$(stat_of "nodectl.$1" 50)
	[ "$4" = - ] || limit=$(stat_of "$4" 50)
	[ "$limit" != - ] || return 0
	awk -v f="$figure" -v d="$2" -v aim="$3" -v limit="$limit" \
		-v factor="$([ "$4" = - ] && echo 1 || echo "$5")" 'BEGIN {
		limit *= factor
		printf "  %s (" (d > 1 ? "%.2f" : "%d") "): %s", aim, limit / d,
			f <= limit ? "met" : "missed"
	}'
}

# row WHAT UNIT NAME DIVISOR [AIM BASE FACTOR]...
row() {
	local what=$1 unit=$2 name=$3 divisor=$4
	shift 4
	awk -v what="$what" -v unit="$unit" -v d="$divisor" \
		-v n50="$(stat_of "nodectl.$name" 50)" -v n95="$(stat_of "nodectl.$name" 95)" \
		-v l50="$(stat_of "lxc.$name" 50)" -v l95="$(stat_of "lxc.$name" 95)" \
		-v f50="$(stat_of "floor.$name" 50)" '
	function show(x) { return x == "-" ? "-" : sprintf(d > 1 ? "%.2f" : "%d", x / d) }
	function ratio(x) { return x == "-" || x == 0 ? "-" : sprintf("%.2f", n50 / x) }
	BEGIN {
		printf "%-22s %-3s %8s %8s %8s %8s %8s %7s %7s", what, unit, show(n50),
			show(n95), show(f50), show(l50), show(l95), ratio(f50), ratio(l50)
	}'
	while [ $# -gt 0 ]; do
		verdict "$name" "$divisor" "$1" "$2" "$3"
		shift 3
	done
	echo
}

table() {
	printf '%-26s %17s %8s %17s %15s\n' "$rounds rounds" "nodectl" "floor" "LXC" \
		"nodectl over"
	printf '%-26s %8s %8s %8s %8s %8s %7s %7s  %s\n' "" median p95 median median p95 floor LXC aim
	row "create" ms create 1000
	row "start, init exec'd" ms start 1000 "floor x 1.5" floor.start 1.5 "LXC / 4" lxc.start 0.25
	row "start, ssh greets" ms ssh 1000
	row "exec of true" ms exec 1000 "LXC / 4" lxc.exec 0.25
	row "stop --force" ms stop 1000 "LXC / 5" lxc.stop 0.2
	row "destroy" ms destroy 1000
	row "monitor, resident" kB rss 1
	row "monitor, private" kB private 1 "256 kB" - 256
}
table
cat <<-END

	create: LXC's is 'lxc-create -t none' and 'cp -a' of a root that has its ids already.
	stop: the floor waits $(stat_of floor.unlink 50) us of its $(stat_of floor.stop 50) until the veth is gone; nodectl answers before.
	$(lxc-start --version 2>/dev/null | sed 's/^/LXC /') on Linux $(uname -r), $(nproc) CPUs, load $(cut -d' ' -f1-3 /proc/loadavg)
END
