#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A tenant against what all network namespaces share (SECURITY.md N13: the kernel's table of
# neighbours), and against what the node knows of its interface (N16: renamed, removed, moved).
. "$(dirname "$0")/../live/lib.sh"
begin python3 nsenter

check "a host outside" outside_make
for name in evil victim; do
	check "VPS $name" nodectl create $name --start --wait 30 --rate-in 100M
done
a=$(field victim '.ipv4[0]') a6=$(field victim '.ipv6[0] // empty') e=$(field evil '.ipv4[0]')
other=$(field victim .id)
g4=$(gateway4) g6=$(gateway6)
bridge=$(sed -n 's/^bridge = //p' "$NODECTL_CONFIG")
bridge=${bridge:-nodectl0}
# by NAME COMMAND...: as the root of that VPS, by the node's programs
by() {
	local pid
	pid=$(field "$1" .pid)
	shift
	timeout 60 nsenter -t "$pid" -U -n "$@"
}
# reached: the node and the victim reach each other, by each family
reached() {
	ping -c 1 -W 2 "$a" && by victim ping -c 1 -W 2 "$g4" || return 1
	[ -z "$a6" ] || { ping -6 -c 1 -W 2 "$a6" && by victim ping -6 -c 1 -W 2 "$g6"; }
}
check "the node and the victim reach each other" reached

# ---- N13: the kernel has one table of neighbours
known() { ip neigh show nud permanent dev "$bridge" | awk '{ print $1 }' | grep -cxF "$1"; }
is "where a VPS is the node knows for ever" "$(known "$a")${a6:+ $(known "$a6")}" "1${a6:+ 1}"
is "and where the node is the VPS does" "$(by victim ip neigh show nud permanent dev eth0 |
	awk '{ print $1 }' | grep -cxF -e "$g4" -e "${g6:-$g4}")" "$([ -n "$g6" ] && echo 2 || echo 1)"
check "another address" nodectl set victim --ip-add auto
more=$(field victim '.ipv4[1]')
is "is known, too" "$(known "$more")" 1
check "it goes" nodectl set victim --ip-del "$more"
is "and is known no more" "$(known "$more")" 0

# fill DEVICE SECONDS NETWORK NETWORK6: with neighbours that somebody says are there
fill() {
	exec python3 -c '
import ipaddress, socket, struct, sys, time
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
index = socket.if_nametoindex(sys.argv[1])
def entry(address, last):
    body = struct.pack("=BBHiHBB", {4: socket.AF_INET, 16: socket.AF_INET6}[len(address)], 0, 0, index, 4, 0, 0)
    body += struct.pack("=HH", 4 + len(address), 1) + address + struct.pack("=HH6sxx", 10, 2, bytes((2, 0, 0, 0, 0, last)))
    return struct.pack("=IHHII", 16 + len(body), 28, 0x501, 1, 0) + body
passes = [[b"".join(entry((ipaddress.ip_address(base) + n).packed, last) for n in range(first, first + 100))
           for base in sys.argv[3:] for first in range(256, 2256, 100)] for last in (1, 2)]
end, n = time.time() + float(sys.argv[2]), 0
while time.time() < end:
    for batch in passes[n % 2]: s.send(batch)
    if n == 1: print("full", flush=True)
    n += 1
' "$@"
}
# seek SECONDS BASE BASE6: to look for as many as there are, as who connects to them does
seek() {
	exec python3 -c '
import ipaddress, itertools, socket, sys, time
kinds = [(socket.AF_INET, sys.argv[2])] + [(socket.AF_INET6, b) for b in sys.argv[3:]]
end, n = time.time() + float(sys.argv[1]), 0
pools = [(itertools.cycle([socket.socket(f, socket.SOCK_DGRAM) for i in range(200)]), ipaddress.ip_address(b)) for f, b in kinds]
while time.time() < end:
    for sockets, base in pools:
        s = next(sockets); s.setblocking(False)
        try: s.sendto(b"x", (str(base + 512 + n % 60000), 9))
        except OSError: pass
    n += 1
print(n)
' "$@"
}
thresholds=$(sysctl net.ipv{4,6}.neigh.default.gc_thresh{2,3} | tr -d ' ')
way=$(ip route show default | awk '{ print $3, $5; exit }')
lladdr=$(ip neigh show "${way% *}" dev "${way#* }" 2>/dev/null | sed -n 's/.*lladdr \([^ ]*\) .*/\1/p')
# the machine's own way out is not to be lost meanwhile
[ -z "$lladdr" ] || ip neigh replace "${way% *}" lladdr "$lladdr" nud permanent dev "${way#* }"
back() {
	# shellcheck disable=SC2086
	sysctl -qw $thresholds
	[ -z "$lladdr" ] || ip neigh replace "${way% *}" lladdr "$lladdr" nud reachable dev "${way#* }"
}
trap 'back; ended_early' EXIT
for threshold in $thresholds; do
	case $threshold in
	*thresh2=32768 | *thresh3=65536) ;;
	*) not_ok "the table has room for many" "$threshold" ;;
	esac
done
for n in 3 4; do
	ip -n "$OUTSIDE" addr add 10.242.9.$n/24 dev o1
	ip -n "$OUTSIDE" -6 addr add fd42:42:0:9::$n/64 dev o1 nodad
done
ip -n "$OUTSIDE" link add d0 type bridge
sysctl -qw net.ipv{4,6}.neigh.default.gc_thresh2=512 net.ipv{4,6}.neigh.default.gc_thresh3=1024
later ip netns exec "$OUTSIDE" bash -c "$(declare -f fill); fill d0 7 10.243.0.0 fd42:42:0:43::" >"$WORK/full"
eventually 10 grep -q full "$WORK/full"
# whom nobody has used for five seconds is forgotten
sleep 5.5
refuse "canary: when it is full the node finds nobody" ping -c 1 -W 1 10.242.9.3
refuse "canary: nor by IPv6" ping -6 -c 1 -W 1 fd42:42:0:9::3
check "but its VPSs, and they it" reached
wait "$LATER"
back
later by evil bash -c "$(declare -f seek); seek 5 ${g4%.*}.0 ${g6:+${g6%::*}::}" >"$WORK/sought"
sleep 1
check "while a VPS looks for all that could be there the node finds others" ping -c 1 -W 2 10.242.9.4
check "and by IPv6" ping -6 -c 1 -W 2 fd42:42:0:9::4
check "and the victim, and it the node" reached
wait "$LATER" 2>/dev/null
sought=$(cat "$WORK/sought")
echo "# it looked for ${sought:-addresses until it was ended, and not for all} of each family"
trap ended_early EXIT

# ---- N16: what a tenant does to its interface
# of all others nothing changes: index, name, MTU, bridge, queues
others() {
	for name in "$bridge" "nv$other" nodectl-o0 "${way#* }"; do
		ip -o link show "$name"
		tc qdisc show dev "$name"
	done | sed 's/ refcnt [0-9]*//'
	by victim ip -o addr show dev eth0 | sed 's/ valid_lft .*//'
}
renamed() { by evil sh -c 'ip link set eth0 down; ip link set eth0 name lan0; ip link set lan0 up'; }
bridged() {
	by evil sh -c 'ip link set eth0 address 02:00:00:00:00:99 mtu 68 txqueuelen 1 group 77 alias "nodectl uplink"
		ip link add br0 type bridge && ip link set eth0 master br0 && ip link set br0 up'
}
# what is there instead has its index
moved() {
	local index
	index=$(by evil cat /sys/class/net/eth0/ifindex 2>/dev/null || by evil ip -o link show eth0 | cut -d: -f1)
	later nsenter -t "$(field evil .pid)" -U -n unshare -n sleep 60
	# shellcheck disable=SC2016
	eventually 10 bash -c '[[ " $(readlink /proc/{$$,"$1","$0"}/ns/net | sort | uniq -c | wc -l)" -eq 3 ]]' "$LATER" "$(field evil .pid)"
	by evil ip link set eth0 netns "$LATER"
	by evil ip link add eth0 index "${index%%:*}" type bridge
}
removed() { by evil ip link del eth0; }
churned() {
	later nsenter -t "$(field evil .pid)" -U -n timeout 40 bash -c 'while :; do
		ip link add a type veth peer name b; ip link set a name nv1; ip link del nv1
		ip link add nv'"$other"' type bridge; ip link set eth0 mtu 1400; ip link del nv'"$other"'
		ip link set eth0 down; ip link set eth0 name x; ip link set x name eth0; ip link set eth0 up; done 2>/dev/null'
}
# ends NAME COMMAND...: within its time, whatever it says of a VPS that was taken apart
ends() {
	local name=$1 status
	shift
	OUT=$(timeout --foreground -k 2 $((15 * SLOW)) "$NODECTL" "$@" 2>&1 </dev/null)
	status=$?
	if [ $status -lt 100 ]; then ok "$name"; else not_ok "$name" "exit $status: $OUT"; fi
	[ $status = 0 ] || echo "# $*: exit $status: $(head -n 1 <<<"$OUT")"
}
before=$(others)
for trick in renamed bridged moved removed churned; do
	if $trick >"$WORK/trick" 2>&1; then ok "$trick: it may"; else not_ok "$trick: it may" "$(cat "$WORK/trick")"; fi
	ends "$trick: diff" diff evil
	ends "$trick: net show" net show evil
	check "$trick: another rate, and less memory" nodectl set evil --rate-in 60M --rate-out 50M --memory 200M
	check "$trick: another address" nodectl set evil --ip-add auto
	more=$(field evil '.ipv4[1]')
	ends "$trick: repair" repair
	exits 0 "$trick: diff of the neighbour" nodectl diff victim
	check "$trick: another rate of the neighbour's" nodectl set victim --rate-in 90M
	check "$trick: and back" nodectl set victim --rate-in 100M
	is "$trick: nothing else is touched" "$(others)" "$before"
	check "$trick: the neighbour is undisturbed" reached
	[ $trick != churned ] || kill "$LATER" 2>/dev/null
	check "$trick: stop" nodectl stop evil --force
	check "$trick: start" nodectl start evil --wait 30
	exits 0 "$trick: all is as defined" nodectl diff evil
	check "$trick: it is reached" ping -c 1 -W 2 "$e"
	check "$trick: by both addresses" ping -c 1 -W 2 "$more"
	check "$trick: as before" nodectl set evil --rate-out 0 --ip-del "$more"
done
is "the neighbour has never been stopped" "$(nodectl status victim)" "victim running"
check "a stop" nodectl stop victim --force
forgotten() { [ "$(known "$a")" = 0 ]; }
check "after which the node forgets where it was" eventually 5 forgotten
finish
