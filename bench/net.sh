#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the network of a VPS costs: throughput beside a bare veth pair in the same run, the guard
# and the meter for each packet, one connection and one more forward with few and with many
# VPSs.  usage: bench/net.sh [rounds]; as root; `make bench-net N=5`.
#
# Rounds are interleaved.  Everything is in namespaces and a directory of its own.

# "A && B || die" is meant: whichever fails.
# shellcheck disable=SC2015

set -u

rounds=${1:-5}
cd "$(dirname "$0")/.." || exit
build=${O:-build}
nodectl=$PWD/$build/nodectl timer=$PWD/$build/timer

[ "$(id -u)" = 0 ] || { echo "bench: must be run as root" >&2; exit 1; }
command -v iperf3 >/dev/null || { echo "bench: iperf3 is not installed" >&2; exit 1; }
if [ -z "${BENCH_INSIDE-}" ]; then
	BENCH_INSIDE=1 exec unshare --net --mount -- "$0" "$rounds"
fi

die() { echo "bench: $*" >&2; exit 1; }

work=$(mktemp -d /var/tmp/nodectl-bench.XXXXXX) || exit
run=/run/nodectl-bench.$$
pins=/sys/fs/bpf/nodectl/$(stat -Lc %i /proc/self/ns/net)
export NODECTL_CONFIG=$work/node.conf
servers=() holders=() stats=

cleanup() {
	trap '' INT TERM HUP
	trap - EXIT
	[ -z "$stats" ] || sysctl -qw kernel.bpf_stats_enabled="$stats"
	kill ${servers[@]+"${servers[@]}"} ${holders[@]+"${holders[@]}"} 2>/dev/null
	"$nodectl" destroy -yq --force --all >/dev/null 2>&1
	for _ in $(seq 50); do
		sleep 0.1
		umount "$run" 2>/dev/null
		rm -rf --one-file-system "$work" "$run" 2>/dev/null && break
	done
	rm -rf "$pins"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- set up ----------------------------------------------------------------

mkdir -p "$run" && mount -t tmpfs -o size=8m,mode=700 tmpfs "$run" || die "cannot mount a tmpfs"
cat >"$NODECTL_CONFIG" <<-END
	storage = $work/storage
	run = $run
	subnet = 10.77.0.1/16
	ids = 20401-20410
	image = mini
	plan = nano
END
ip link set lo up
"$nodectl" init -q && "$nodectl" image build mini -q >/dev/null || die "cannot set up a node"
# frames between ports are the bridge's own: a forward from VPS to VPS needs that
sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null
"$nodectl" create one -q --publish 5201:5201 --start && "$nodectl" create two -q --publish none --start ||
	die "cannot start VPSs"
of() {
	"$nodectl" show "$1" -j | jq -r "$2"
}
one=$(of one .pid) two=$(of two .pid) one4=$(of one '.ipv4[0]')

# The bare pairs: two, for what goes from one through the node to another.
bare() { # NAME SUBNET: sets HOLDER
	unshare --net sleep 10000 &
	HOLDER=$!
	holders+=("$HOLDER")
	sleep 0.2
	ip link add "$1" type veth peer name eth0 netns "$HOLDER"
	ip addr add "$2.1/24" dev "$1" && ip link set "$1" up
	nsenter -t "$HOLDER" -n sh -c "ip link set lo up; ip addr add $2.2/24 dev eth0; ip link set eth0 up; ip route add default via $2.1" ||
		die "cannot make a bare pair"
}
bare bare1 10.78.1
first=$HOLDER
bare bare2 10.78.2
second=$HOLDER

serve() { # PID
	nsenter -t "$1" -n iperf3 -s >/dev/null 2>&1 &
	servers+=("$!")
}
serve "$first"
serve "$one"
sleep 0.5

# --- measure ---------------------------------------------------------------

# rate FILE ADDRESS [nsenter ...]: Mbit/s of two seconds
rate() {
	local file=$1 to=$2
	shift 2
	"$@" iperf3 -J -t 2 -c "$to" | jq '.end.sum_received.bits_per_second / 1e6 | floor' >>"$work/$file" ||
		die "cannot measure '$file'"
}
median() {
	sort -n "$work/$1" | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'
}
best() {
	sort -n "$work/$1" | tail -n 1
}
for _ in $(seq "$rounds"); do
	rate bare-host 10.78.1.2
	rate vps-host "$one4"
	rate bare-bare 10.78.1.2 nsenter -t "$second" -n
	rate vps-vps 10.77.0.1 nsenter -t "$two" -n
done
# The best is what the path can; the median shows what else the machine does.
compare() { # WHAT VPS BARE
	awk -v what="$1" -v vps="$(best "$2")" -v bare="$(best "$3")" -v median="$(median "$2")" -v other="$(median "$3")" '
		BEGIN {
			printf "%-26s best %6d, bare %6d Mbit/s: %5.1f %%", what, vps, bare, 100 * vps / bare
			printf "   median %6d, bare %6d: %5.1f %%\n", median, other, 100 * median / other
		}'
}
echo "throughput, $rounds rounds"
compare "node to VPS" vps-host bare-host
compare "VPS to VPS, by a forward" vps-vps bare-bare

# What the kernel says its programs take.
stats=$(cat /proc/sys/kernel/bpf_stats_enabled)
sysctl -qw kernel.bpf_stats_enabled=1
rate counted "$one4"
ping -q -f -c 5000 "$one4" >/dev/null
for way in from to; do
	bpftool link show pinned "$pins/nv$(of one .id)-$way" 2>/dev/null | sed -n 's/.*prog \([0-9]*\).*/\1/p' | head -n 1 >"$work/prog"
	bpftool prog show id "$(cat "$work/prog")" -j 2>/dev/null |
		jq -r --arg way "$way" 'select(.run_cnt) | "guard and meter, \($way) a VPS: \(.run_time_ns / .run_cnt | floor) ns a packet (\(.run_cnt) packets)"'
done
sysctl -qw kernel.bpf_stats_enabled="$stats"
stats=

# One connection by a forward, and one more forward, with few and with many.
serve_tcp() {
	nsenter -t "$one" -n python3 -c '
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 5300)); s.listen(128)
while True: s.accept()[0].close()' &
	servers+=("$!")
}
serve_tcp
"$nodectl" set one -q --publish-add 5300:5300
sleep 0.5
connect() { # microseconds for each of 500
	nsenter -t "$second" -n python3 -c '
import socket, time
t = time.perf_counter()
for _ in range(500):
    s = socket.create_connection(("10.78.2.1", 5300)); s.recv(1); s.close()
print(round((time.perf_counter() - t) / 500 * 1e6))'
}
add() { # microseconds, the median of 9: one forward more, and what may come in
	local i
	rm -f "$work/added" "$work/walled"
	for i in 1 2 3 4 5 6 7 8 9; do
		"$timer" "$nodectl" set one -q --publish-add 5400:5400 >>"$work/added"
		"$nodectl" set one -q --publish-del 5400
		"$timer" "$nodectl" set one -q --allow-in tcp/1-$((60000 + i)) >>"$work/walled"
	done
	"$nodectl" set one -q --allow-in all
	echo "$(median added) $(median walled)"
}
few="$(connect) $(add)"
{
	seq 1000 5999 | awk '{ printf "add element inet nodectl tcp4 { %d : 10.77.%d.%d . 80 }\n", $1 + 20000, 100 + $1 / 250, $1 % 250 + 1 }'
	seq 0 999 | awk '{
		a = sprintf("10.77.%d.%d", 100 + $1 / 250, $1 % 250 + 1)
		printf "add element inet nodectl closed4 { %s }\n", a
		printf "add element inet nodectl conns4 { %s ct count over 32768 }\n", a
		for (p = 0; p < 5; p++) printf "add element inet nodectl port4 { %s . tcp . %d }\n", a, 80 + 2 * p
	}'
} >"$work/many"
nft -f "$work/many" || die "cannot add the elements of 1000 VPSs"
many="$(connect) $(add)"
echo
echo "                               one VPS    1000 VPSs with 5 forwards and 5 ports each"
paste <(echo "$few" | tr ' ' '\n') <(echo "$many" | tr ' ' '\n') | awk '
	NR == 1 { printf "a connection by a forward   %7s us   %7s us\n", $1, $2 }
	NR == 2 { printf "one more forward, live      %7.1f ms   %7.1f ms\n", $1 / 1000, $2 / 1000 }
	NR == 3 { printf "another --allow-in, live    %7.1f ms   %7.1f ms\n", $1 / 1000, $2 / 1000 }'
