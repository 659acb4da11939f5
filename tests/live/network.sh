#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Addresses, the bridge, forwards, and what is closed.
. "$(dirname "$0")/lib.sh"
begin

check "create with an address of its own choice" nodectl create net1 --start --wait 30
check "and another one" nodectl create net2 --start --wait 30 --publish 28901:8080 --publish 28902:5353/udp
a=$(field net1 '.ipv4[0]')
b=$(field net2 '.ipv4[0]')
a6=$(field net1 '.ipv6[0] // empty')
b6=$(field net2 '.ipv6[0] // empty')
id1=$(field net1 .id)
node=$(node_address)
g4=$(gateway4)
g6=$(gateway6)

# ---- inside
unlike "each has its own address" "$a" "^$b$"
like "eth0 has it" "$(inside net1 ip -4 addr show dev eth0)" "inet $a/"
like "the gateway is the way out" "$(inside net1 ip route)" "default via $g4 dev eth0"
is "only lo and eth0 are there" "$(inside net1 ls /sys/class/net | tr '\n' ' ')" "eth0 lo "
is "lo is up" "$(inside net1 ping -c 1 -W 2 127.0.0.1 >/dev/null && echo yes)" yes
is "the MTU is the bridge's" "$(inside net1 cat /sys/class/net/eth0/mtu)" "$(cat /sys/class/net/nodectl0/mtu)"
check "ping of the gateway" inside net1 ping -c 1 -W 2 "$g4"
check "ping of the node's own address" inside net1 ping -c 1 -W 2 "$node"
check "ping from the node" ping -c 1 -W 2 "$a"
if [ -n "$a6" ]; then
	like "eth0 has its IPv6 address" "$(inside net1 ip -6 addr show dev eth0)" "inet6 $a6/"
	check "ping of the gateway by IPv6" inside net1 ping6 -c 1 -W 2 "$g6"
	check "ping from the node by IPv6" ping -6 -c 1 -W 2 "$a6"
	check "ssh answers by IPv6" banner "$a6" 22
else
	skip "IPv6" "the node of the tests has no subnet6"
fi
like "the name is in hosts" "$(inside net1 cat /etc/hosts)" "^$a[[:space:]]net1"
like "ping of its own name" "$(inside net1 ping -c 1 -W 2 net1)" "$a"

# ---- closed
refuse "no ping from VPS to VPS" inside net1 ping -c 1 -W 1 "$b"
refuse "no connection from VPS to VPS" inside net1 nc -w 1 "$b" 22 -e true
[ -z "$a6" ] || refuse "nor by IPv6" inside net1 ping6 -c 1 -W 1 "$b6"
refuse "nor on the same link by a route of its own" shell net1 "ip route add $b/32 dev eth0; ping -c 1 -W 1 $b"
check "the other gets one back" inside net2 ip route add "$a/32" dev eth0
refuse "nor when both want it" inside net1 ping -c 1 -W 1 "$b"
# where br_netfilter stops what is switched, it is ARP that would pass
unlike "nor does one find the other" "$(inside net1 ip neigh)" "^${b//./\\.} .*lladdr"
inside net2 ip route del "$a/32"
inside net1 ip route del "$b/32" 2>/dev/null
check "the other still answers the node" banner "$b" 22
if command -v python3 >/dev/null; then
	later python3 -m http.server --bind "$g4" 28990 --directory "$WORK" >/dev/null 2>&1
	eventually 60 bash -c "exec 3<>/dev/tcp/$g4/28990"
	check "a service of the node answers the node" bash -c "exec 3<>/dev/tcp/$g4/28990"
	refuse "and no VPS" inside net1 nc -w 1 "$g4" 28990 -e true
	kill "$LATER"
else
	skip "a service of the node is closed to VPSs" "'python3' is not installed"
fi

# ---- forwards
port=$((22000 + id1))
is "the usual forward is for ssh" "$(field net1 '.publish | join(" ")')" "$port:22"
check "the node's own address leads to it" banner "$node" "$port"
check "so does the gateway's" banner "$g4" "$port"
refuse "no forward leads to it from 127.0.0.1" banner 127.0.0.1 "$port"
if [ "$(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null)" = 1 ]; then
	# br_netfilter then translates on the bridge itself, and isolated ports do not meet there
	skip "a VPS reaches another by its forward" "net.bridge.bridge-nf-call-iptables is 1 on this host"
else
	is "a VPS reaches another by its forward" \
		"$(shell net2 "(sleep 1) | nc -w 2 $node $port | head -c 4" 2>&1)" "SSH-"
	is "and itself" "$(shell net1 "(sleep 1) | nc -w 2 $node $port | head -c 4" 2>&1)" "SSH-"
fi
is "named forwards take the place of the usual one" "$(field net2 '.publish | sort | join(" ")')" \
	"28901:8080 28902:5353/udp"
refuse "which is not there then" banner "$node" $((22000 + $(field net2 .id)))
shell net2 'mkdir -p /srv/www; echo hello from net2 >/srv/www/index.html; httpd -p 8080 -h /srv/www'
http() {
	exec 9<>"/dev/tcp/$node/28901"
	printf 'GET /index.html HTTP/1.0\r\n\r\n' >&9
	timeout 5 cat <&9
	exec 9>&-
}
like "--publish of a port of one's own" "$(http)" "hello from net2"
later nodectl exec net2 -- sh -c 'while :; do echo pong | nc -u -l -p 5353 -w 1; done' >/dev/null 2>&1
if shell net2 'nc -u -l -p 5354 -w 1 </dev/null' >/dev/null 2>&1; then
	udp() {
		exec 9<>"/dev/udp/$node/28902"
		echo ping >&9
		read -r -t 1 OUT <&9
	}
	check "--publish of a UDP port" eventually 10 udp
else
	# the count of packets says it as well: busybox' nc has no UDP here
	before=$(field net2 .traffic.packets_in)
	for i in 1 2 3; do echo ping >"/dev/udp/$node/28902"; done
	arrived() { [ "$(field net2 .traffic.packets_in)" -ge $((before + 3)) ]; }
	check "--publish of a UDP port: datagrams arrive" eventually 5 arrived
fi
like "the forwards are in the table" "$(nft list map inet nodectl tcp4)" "28901 comment \"nodectl [0-9]+\" : $b . 8080"

# ---- none, fixed, taken
check "--publish none" nodectl create net3 --publish none --start
is "publishes nothing" "$(field net3 '.publish | length')" 0
unlike "and nothing is in the maps" "$(nft list maps)" "nodectl $(field net3 .id)\""
check "it has its address all the same" inside net3 ping -c 1 -W 2 "$g4"
exits 78 "a host port that somebody has" nodectl create bad --publish 28901:80
like "names who" "$OUT" net2
exits 78 "the same for UDP" nodectl create bad --publish 28902:53/udp
check "TCP and UDP do not meet" nodectl create net4 --publish 28902:80
exits 21 "a port that is none" nodectl create bad --publish 70000:80
exits 21 "a forward that is none" nodectl create bad --publish 80
free=${g4%.*.*}.250.7
check "--ip fixed" nodectl create net5 --ip "$free" --start
is "is what it has" "$(inside net5 ip -4 -o addr show dev eth0 | grep -o "inet $free/")" "inet $free/"
exits 78 "--ip that is taken" nodectl create bad --ip "$free"
like "names who" "$OUT" net5
exits 78 "--ip of the gateway" nodectl create bad --ip "$g4"
exits 21 "--ip outside of the subnet" nodectl create bad --ip 198.51.100.1
exits 21 "--ip that is none" nodectl create bad --ip 10.77.0
exits 14 "none of these was made" nodectl status bad
is "nor kept a lease" "$(grep -lx bad -r "$STORAGE/ids" "$STORAGE/addresses")" ""
check "--ip none" nodectl create net6 --ip none --ip6 none --start
is "has no interface" "$(inside net6 ls /sys/class/net | tr '\n' ' ')$(field net6 .interface)" "lo null"
is "no forward" "$(field net6 '.publish | length')" 0
check "and runs" inside net6 true
exits 21 "ssh to one without address" nodectl ssh net6 true
nodectl destroy net5 --force --yes --quiet
check "an address that was given back can be taken again" nodectl create net7 --ip "$free"
nodectl stop net2 --force --quiet
table_without() { ! nft list table inet nodectl | grep -q 28901; }
check "a stopped VPS has no forward" eventually 5 table_without
check "start brings it back" nodectl start net2
like "to the same place" "$(nft list map inet nodectl tcp4)" "28901 comment \"nodectl [0-9]+\" : $b . 8080"

# ---- a guest that changes its own network
shell net1 'ip link set eth0 down; ip link set eth0 name lan0; ip addr flush dev lan0' 2>/dev/null
check "stop of a VPS that broke its own network" nodectl stop net1
check "start makes it whole again" nodectl start net1 --wait 30
check "it answers" banner "$a" 22

finish
