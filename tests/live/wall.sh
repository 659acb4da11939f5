#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What comes in to a VPS, and what it reaches of the node.
#
# Hostile classes (N1 and so on of the threat list), and where each is tried:
#   N1 MAC addresses, N2 ARP, N3 IPv4 sources and options, N4 neighbour discovery, N5 router
#   advertisements and headers, N6 DHCP servers, N7 tags and other protocols, N8 queries and
#   broadcast floods: guard.sh, by raw frames, with a canary; the oracle of tests/guard
#   N9 what a neighbour sees: guard.sh (watches in it)
#   N10 ports of the node, at all its addresses, and what is beside it: here
#   N11 VPS to VPS: network.sh, two-nodes.sh
#   N12 the table of connections: here
#   N15 packet rates: guard.sh, rate.sh
#   N17 flushed rulesets at 10 Hz, filters, a guard taken away: guard.sh; repair of them: here
#   N18 order of rules: make guard-oracle
#   N13 the table of neighbours, N16 interfaces that the tenant renames, removes and moves:
#   hostile/wire.sh
# Nowhere yet: N14 (routes and rules in great number).
. "$(dirname "$0")/lib.sh"
begin python3 nsenter

check "a host outside" outside_make
# which reaches the VPSs through the node
ip -n "$OUTSIDE" link set lo up
ip -n "$OUTSIDE" route add default via 10.242.9.1
ip -n "$OUTSIDE" -6 route add default via fd42:42:0:9::1

# from WHERE...: `outside` or nothing, for the node itself
from() {
	case $1 in
	outside) shift && timeout 10 ip netns exec "$OUTSIDE" "$@" ;;
	node) shift && timeout 10 "$@" ;;
	esac
}

# tcp WHERE ADDRESS PORT: what answers there
tcp() {
	local seconds
	# a busy machine gets a second chance
	for seconds in 1 2; do
		# shellcheck disable=SC2016
		from "$1" timeout $seconds bash -c '
			exec 9<>"/dev/tcp/$0/$1" || exit 1
			read -r line <&9 && echo "$line"' "$2" "$3" 2>/dev/null && break
	done
}

# udp WHERE ADDRESS PORT
udp() {
	from "$1" python3 -c '
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(1)
s.connect((sys.argv[1], int(sys.argv[2])))
s.send(b"x")
try: print(s.recv(99).decode())
except OSError: pass
' "$2" "$3"
}

pings() {
	from "$1" ping -c 1 -W 1 "$2" >/dev/null 2>&1 && echo yes
}

# A server that says its own port; udp:PORT by UDP.  In the VPS's network, with the host's python.
serve() {
	local name=$1 pid
	shift
	pid=$(field "$name" .pid)
	later nsenter -t "$pid" -n python3 -c '
import selectors, socket, sys
sel = selectors.DefaultSelector()
for word in sys.argv[1:]:
    udp, port = word.startswith("udp:"), int(word.split(":")[-1])
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", port)); udp or s.listen(64); sel.register(s, 1, (udp, port))
open("/proc/self/comm", "w").write("served")
kept = []
while True:
    for key, _ in sel.select():
        udp, port = key.data
        text = b"at %d" % port
        if udp:
            _, peer = key.fileobj.recvfrom(99); key.fileobj.sendto(text, peer)
        else:
            c, _ = key.fileobj.accept(); c.send(text + b"\n"); kept = kept[-8:] + [c]
' "$@"
	eventually 10 grep -qs served "/proc/$LATER/comm"
}

check "a VPS that is open to some" nodectl create wall --start --wait 30 --publish 28910:80 --publish 28911:81 \
	--allow-in icmp,tcp/22,80,8000-8010,udp/53
check "and another, open to all" nodectl create plain --publish none --start --wait 30
a=$(field wall '.ipv4[0]') a6=$(field wall '.ipv6[0] // empty') b=$(field plain '.ipv4[0]')
serve wall 80 81 8000 8010 8011 udp:53 udp:54
serve plain 81 udp:54
shell wall 'cd / && (nc -ll -p 82 -e cat) >/dev/null 2>&1 &'
like "the definition has it" "$(cat "$STORAGE/vps/wall/vps.conf")" "^allow-in = icmp,tcp/22,80,8000-8010,udp/53$"
is "show has it" "$(field wall .allow_in) $(field plain .allow_in)" "icmp,tcp/22,80,8000-8010,udp/53 all"
exits 0 "the kernel is as defined" nodectl diff wall plain

# everything WHERE ADDRESS: what gets in, of what is there
everything() {
	local got
	got=$(from "$1" python3 -c '
import socket, sys, threading
to, got = sys.argv[1], {}
family = socket.AF_INET6 if ":" in to else socket.AF_INET
def ask(kind, port):
    s = socket.socket(family, kind); s.settimeout(1.5)
    try:
        s.connect((to, port))
        if kind == socket.SOCK_DGRAM: s.send(b"x")
        got[kind, port] = s.recv(99).strip() == b"at %d" % port
    except OSError: pass
asked = [(socket.SOCK_STREAM, p) for p in (80, 81, 8000, 8010, 8011)] + [(socket.SOCK_DGRAM, p) for p in (53, 54)]
threads = [threading.Thread(target=ask, args=one) for one in asked]
for t in threads: t.start()
for t in threads: t.join()
print(*["%s/%d" % ("tcp" if k == socket.SOCK_STREAM else "udp", p) for k, p in asked if got.get((k, p))])
' "$2")
	[ "$(pings "$1" "$2")" = yes ] && got+=" icmp"
	echo "${got# }"
}
is "what is allowed gets in, and nothing else" "$(everything outside "$a")" "tcp/80 tcp/8000 tcp/8010 udp/53 icmp"
is "from the node itself, too" "$(everything node "$a")" "tcp/80 tcp/8000 tcp/8010 udp/53 icmp"
if [ -n "$a6" ]; then
	is "and by IPv6" "$(everything outside "$a6")" "tcp/80 tcp/8000 tcp/8010 udp/53 icmp"
fi
is "all gets in to one that is open" "$(tcp outside "$b" 81) $(udp outside "$b" 54) $(pings outside "$b")" "at 81 at 54 yes"
is "a forward to what is allowed" "$(tcp outside 10.242.9.1 28910)" "at 80"
is "and one to what is not" "$(tcp outside 10.242.9.1 28911)" ""

# ---- what it asks for, it gets
answer() {
	exec ip netns exec "$OUTSIDE" python3 -c '
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("10.242.9.2", 7777)); s.listen(); print("ready", flush=True)
while True:
    c, _ = s.accept(); c.send(b"answered\n"); c.close()
'
}
later answer >"$WORK/answer"
eventually 5 grep -q ready "$WORK/answer"
check "nothing at all may come in" nodectl set wall --allow-in none
is "is shown so" "$(field wall .allow_in)" none
is "nothing comes in" "$(everything outside "$a")" ""
is "but what it asks for" "$(shell wall 'nc -w 3 10.242.9.2 7777 </dev/null')" answered
check "and answers to its echo" inside wall ping -c 1 -W 2 10.242.9.2
if [ -n "$a6" ]; then
	check "by IPv6, for its neighbours find it" inside wall ping -c 1 -W 2 fd42:42:0:9::2
fi
# a closed port of UDP is told by an ICMP error, which belongs to what was asked
is "so are errors" "$(nsenter -t "$(field wall .pid)" -n python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3)
s.connect(("10.242.9.2", 9)); s.send(b"x")
try: s.recv(9)
except ConnectionRefusedError: print("refused")
')" refused

# ---- while it runs
check "open to all" nodectl set wall --allow-in all
is "all comes in" "$(everything outside "$a")" "tcp/80 tcp/81 tcp/8000 tcp/8010 tcp/8011 udp/53 udp/54 icmp"
is "nothing of it is left" "$(nft list table inet nodectl | sed -n "/set \(shut\|open\|closed\|port\|protocol\)/,/}/p" | grep -c "nodectl $(field wall .id)\"")" 0
# it says one more word when it is told to
later ip netns exec "$OUTSIDE" bash -c "exec 9<>/dev/tcp/$a/82; echo one >&9; read -r x <&9; echo \$x
	until [ -e $WORK/go ]; do sleep 0.1; done; echo two >&9; read -r x <&9; echo \$x" >"$WORK/kept"
eventually 5 grep -q one "$WORK/kept"
check "closed again, but for one" nodectl set wall --allow-in tcp/8011
is "that one comes in" "$(everything outside "$a")" "tcp/8011"
touch "$WORK/go"
check "a connection that was there stays" eventually 5 grep -q two "$WORK/kept"
exits 21 "what is no port" nodectl set wall --allow-in 22
like "says what is one" "$OUT" "a port is of tcp or udp, like tcp/22"
exits 0 "the kernel is as defined" nodectl diff wall

# ---- a plan gives it
check "a plan" nodectl plan create shut --memory 256M --disk 2G --allow-in tcp/80
check "to a VPS" nodectl set wall --plan shut --allow-in plan --force
is "that has no own" "$(field wall .allow_in) $(everything outside "$a")" "tcp/80 tcp/80"
check "and is changed" nodectl plan set shut --allow-in tcp/81,udp
is "with the VPS" "$(everything outside "$a")" "tcp/81 udp/53 udp/54"
check "back" nodectl set wall --plan nano --allow-in tcp/80 --force
check "the plan goes" nodectl plan remove shut --yes

# ---- what is lost is found
nft flush set inet nodectl closed4
is "a set that was emptied lets all in" "$(tcp outside "$a" 81)" "at 81"
exits 1 "diff finds it" nodectl diff wall
like "and says it" "$OUT" "allow-in all else of $a"
check "and mends it" nodectl diff --fix wall
is "then it is closed" "$(everything outside "$a")" "tcp/80"
nft add element inet nodectl open4 "{ $a . tcp . 81 comment \"nodectl $(field wall .id)\" }"
exits 1 "too much is found" nodectl diff wall
check "too" nodectl diff --fix wall
is "and closed" "$(tcp outside "$a" 81)" ""
check "a stop" nodectl stop wall --force
is "leaves no element" "$(nft list table inet nodectl | grep -c "nodectl $(field wall .id)\"")" 0
check "a start" nodectl start wall --wait 30
serve wall 80 81
is "brings them" "$(everything outside "$a")" "tcp/80"
nft add element inet nodectl shut4 "{ 10.242.9.77 . 0-255 comment \"nodectl $LAST_ID\" }"
like "of nobody's, repair finds it" "$(nodectl repair 2>&1)" "firewall of id $LAST_ID: no VPS with it runs"
is "and removes it" "$(nft list set inet nodectl shut4 | grep -c 10.242.9.77)" 0

# ---- the node's table of connections, which all share: N12
tracked() {
	cat /proc/sys/net/netfilter/nf_conntrack_count
}
# flood KIND FROM-PORTS TO: 20 for each, every one another connection
flood() { # udp|syn SOURCE TARGET COUNT, in the network of whoever calls
	python3 -c '
import os, random, socket, struct, sys
kind, source, target, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 65535) + (total >> 16)
    return ~total & 65535
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP if kind == "udp" else socket.IPPROTO_TCP)
for i in range(count):
    ports = struct.pack("!HH", 1024 + i % 60000, 30000 + i // 60000)
    if kind == "udp":
        body = ports + struct.pack("!HH", 8, 0)
    else:
        head = ports + struct.pack("!IIBBH", i, 0, 0x50, 2, 1024)
        pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!HH", 6, 20)
        body = head + struct.pack("!HH", checksum(pseudo + head + struct.pack("!HH", 0, 0)), 0)
    try: s.sendto(body, (target, 0))
    except OSError: pass
' "$@"
}
within() { # NAME GOT LOW HIGH
	if [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]; then ok "$1"; else not_ok "$1" "$2 is not from $3 to $4"; fi
}
check "a bound of connections" nodectl set plain --connections 500
is "is shown" "$(field plain .limits.connections) $(field wall .limits.connections)" "500 0"
like "is in the kernel" "$(nft list set inet nodectl conns)" "ct count over 500"
most=$(($(cat /proc/sys/net/netfilter/nf_conntrack_max) / 8))
[ $most -le 32768 ] || most=32768
like "another has the usual" "$(nft list set inet nodectl conns)" "ct count over $most"
exits 0 "the kernel is as defined" nodectl diff plain wall
for kind in udp syn; do
	count=$(tracked)
	check "20000 connections ($kind) that it begins" \
		nsenter -t "$(field plain .pid)" -n bash -c "$(declare -f flood); flood $kind $b 10.242.9.2 20000"
	grown=$(($(tracked) - count))
	echo "# the table has grown by $grown"
	[ $kind = udp ] && within "are bound" $grown 400 600
	[ $kind = syn ] && within "and have no room of their own" $grown -600 100
done
is "its neighbour connects" "$(shell wall 'nc -w 3 10.242.9.2 7777 </dev/null')" answered
refuse "it does not, for it has used up its own" inside plain nc -w 1 10.242.9.2 7777
count=$(tracked)
check "20000 connections that come to it" ip netns exec "$OUTSIDE" bash -c "$(declare -f flood); flood udp 10.242.9.2 $b 20000"
grown=$(($(tracked) - count))
echo "# the table has grown by $grown"
within "are bound, too" $grown 400 600
is "its neighbour is reached" "$(tcp outside "$a" 80)" "at 80"
check "a larger bound" nodectl set plain --connections 2000
check "gives room at once" inside plain nc -w 3 10.242.9.2 7777
nft flush set inet nodectl conns
exits 1 "a bound that is lost is found" nodectl diff plain
like "and told" "$OUT" "connections from it"
check "and mended" nodectl diff --fix plain wall
is "then it is there" "$(nft list set inet nodectl conns | grep -c 'ct count over 2000')" 1
exits 21 "a bound that is none" nodectl set plain --connections 3

# ---- what was started with goes with the stop, whatever the definition says by then
check "a bound" nodectl set wall --connections 700 --allow-in tcp/22,80
mac=$(nft list set inet nodectl conns | grep -o '[0-9a-f:]* ct count over 700 ' | cut -d' ' -f1)
nft "delete element inet nodectl conns { $mac ct count over 700 }; add element inet nodectl conns { $mac ct count over 9999 comment \"nodectl $(field wall .id)\" }"
check "of which the kernel has another" nodectl set wall --connections 800
is "is what is set" "$(nft list set inet nodectl conns | grep -c "$mac ct count over 800 ")" 1
sed -i 's/^allow-in = .*/allow-in = tcp\/22/; s/^connections = .*/connections = 900/; /^publish = 28911:/d' "$STORAGE/vps/wall/vps.conf"
check "a stop" nodectl stop wall --force
gone() { ! nft list table inet nodectl | grep -qE "nodectl $(field wall .id)\"|: $a \. "; }
check "leaves nothing of what it had" eventually 5 gone
check "a start" nodectl start wall --wait 30
is "has what is defined" "$(nft list set inet nodectl port4 | grep -cE "${a//./\\.} \\. (tcp|6) \\. ") $(nft list set inet nodectl conns | grep -c 'ct count over 900 ')" "1 1"
exits 0 "and no more" nodectl diff wall
check "as before" nodectl set wall --allow-in tcp/80 --connections 0 --publish-add 28911:81
serve wall 80 81

# ---- the whole picture
check "rates" nodectl set wall --rate-in 100M --rate-out 50M --packet-rate 50000
net() {
	nodectl net show wall -j | jq -r ".vps[0]$1"
}
is "net show has its addresses" "$(net '.ipv4[0]')" "$a"
is "its forwards" "$(net '.publish | join(" ")')" "28910:80 28911:81"
is "what may come in" "$(net .allow_in)" tcp/80
is "its queues" "$(net '.queues | "\(.in.rate) \(.in.kernel_rate) \(.out.rate) \(.out.kernel_rate) \(.in.packets)"')" \
	"100000000 100000000 50000000 50000000 0"
like "what passed" "$(net .traffic.packets_in)" "^[1-9]"
is "and nothing otherwise than defined" "$(net '.differences | length')" 0
later ip netns exec "$OUTSIDE" bash -c "exec 9<>/dev/tcp/$a/80; sleep 5"
come() { [ "$(net .connections.come)" -ge 1 ]; }
check "the connection that came to it" eventually 5 come
kill "$LATER" 2>/dev/null
like "people can read it" "$(nodectl net show wall)" "^ *rate in: 100M; 0 packets \(0 bytes\) wait, 0 dropped$"
like "of all VPSs" "$(nodectl net show)" "^ *name: plain$"
exits 14 "of one that is none" nodectl net show nobody

# ---- repair brings back what a flush took, and leaves nothing out
nft delete table inet nodectl
like "what is otherwise is told" "$(nodectl net show wall)" "^ *otherwise: allow-in all else of $a: wants closed, has none"
like "repair --dry-run finds it" "$(nodectl repair --dry-run 2>&1)" "^plain: .connections from it. is .none"
check "repair" nodectl repair
is "brings forwards back" "$(tcp outside 10.242.9.1 28910)" "at 80"
is "and walls" "$(everything outside "$a")" tcp/80
exits 0 "all is as defined" nodectl diff wall plain
is "then repair finds nothing" "$(nodectl repair 2>&1)" ""
check "a VPS that is stopped" nodectl stop plain --force
is "has a picture, too" "$(nodectl net show plain -j | jq -c '.vps[0] | [.state, .queues, .ipv4[0]]')" "[\"stopped\",null,\"$b\"]"
check "and runs again" nodectl start plain --wait 30

# ---- what a VPS reaches of the node: N10
conf_back() {
	sed -i '/^host-open/d' "$NODECTL_CONFIG"
	ip route del 169.254.77.77/32 2>/dev/null
}
trap 'conf_back; ended_early' EXIT
later python3 -c '
import socket
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    for port in 28921, 28922:
        s = socket.socket(socket.AF_INET6, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", port)); kind == socket.SOCK_STREAM and s.listen()
        globals()["s%d%d" % (kind, port)] = s
open("/proc/self/comm", "w").write("served")
import selectors
sel = selectors.DefaultSelector()
for name, s in list(globals().items()):
    if isinstance(s, socket.socket) and name != "s": sel.register(s, 1)
while True:
    for key, _ in sel.select():
        s = key.fileobj; port = s.getsockname()[1]
        if s.type == socket.SOCK_DGRAM: _, peer = s.recvfrom(99); s.sendto(b"at %d" % port, peer)
        else: c, _ = s.accept(); c.send(b"at %d" % port); c.close()
'
eventually 5 grep -qs served "/proc/$LATER/comm"
# reached ADDRESS...: of the ports that listen on the node, those that the VPS gets an answer from
reached() {
	timeout 30 nsenter -t "$(field plain .pid)" -n python3 -c '
import errno, socket, sys, threading
got = set()
def ask(to, kind, port):
    s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, kind); s.settimeout(1.5)
    try:
        s.connect((to, port))
        if kind == socket.SOCK_DGRAM: s.send(b"x"); s.recv(99)
        got.add((kind == socket.SOCK_DGRAM, port))
    except OSError as e:
        # refused is an answer, too
        if e.errno == errno.ECONNREFUSED: got.add((kind == socket.SOCK_DGRAM, port))
threads = []
for to in sys.argv[2:]:
    for port in set(map(int, sys.argv[1].split())) | {22, 53, 111, 1}:
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            threads.append(threading.Thread(target=ask, args=(to, kind, port)))
for t in threads: t.start()
for t in threads: t.join()
print(*["%s/%d" % ("udp" if udp else "tcp", port) for udp, port in sorted(got)])
' "$(ss -Hltun | awk '{ sub(/.*:/, "", $5); print $5 }' | sort -u | tr '\n' ' ')" "$@"
}
g=$(gateway4) g6=$(gateway6)
addresses="$g 10.242.9.1 $(node_address) ${g6:+$g6 fd42:42:0:9::1}"
# shellcheck disable=SC2086
is "of the node a VPS reaches no port at any address" "$(reached $addresses)" ""
check "but its echo" inside plain ping -c 1 -W 2 "$g"
check "at each" inside plain ping -c 1 -W 2 10.242.9.1
nsenter -t "$(field plain .pid)" -n ip route add 10.242.9.1/32 dev eth0
refuse "the node does not tell by ARP what other addresses it has" inside plain ping -c 1 -W 2 10.242.9.1
nsenter -t "$(field plain .pid)" -n ip route del 10.242.9.1/32 dev eth0
ip -n "$OUTSIDE" addr add 169.254.77.77/32 dev lo
ip route add 169.254.77.77/32 via 10.242.9.2
check "what is beside the node is there for the node" ping -c 1 -W 2 169.254.77.77
refuse "and not for a VPS" inside plain ping -c 1 -W 2 169.254.77.77
echo "host-open = tcp/28921,udp/28922" >>"$NODECTL_CONFIG"
exits 1 "diff tells of what is to be opened" nodectl diff
like "and where" "$OUT" "^node: ruleset: wants"
check "init opens it" nodectl init --quiet
is "diff is content" "$(nodectl diff | grep -c ruleset)" 0
# shellcheck disable=SC2086
is "a VPS reaches it, and only it" "$(reached $addresses)" "tcp/28921 udp/28922"
sed -i '/^host-open/d' "$NODECTL_CONFIG"
check "diff --fix closes it" nodectl diff --fix
# shellcheck disable=SC2086
is "then it is closed" "$(reached $addresses)" ""
for text in all 53 "tcp/99999"; do
	echo "host-open = $text" >>"$NODECTL_CONFIG"
	exits 21 "host-open = $text is no list of ports" nodectl list
	sed -i '/^host-open/d' "$NODECTL_CONFIG"
done
bridge=$(sed -n 's/^bridge = //p' "$NODECTL_CONFIG")
bridge=${bridge:-nodectl0}
sysctl -qw "net.ipv6.conf.$bridge.accept_ra=2" "net.ipv4.conf.$bridge.accept_redirects=1" "net.ipv4.conf.$bridge.arp_ignore=0"
is "what makes the node listen to tenants is found" "$(nodectl diff | sed -n 's/^node: \(ipv[46] [a-z_]*\):.*/\1/p' | sort | tr '\n' ' ')" \
	"ipv4 accept_redirects ipv4 arp_ignore ipv6 accept_ra "
check "and mended" nodectl diff --fix
is "then it does not" "$(cat "/proc/sys/net/ipv6/conf/$bridge/accept_ra" "/proc/sys/net/ipv4/conf/$bridge/accept_redirects" "/proc/sys/net/ipv4/conf/$bridge/arp_ignore" | tr '\n' ' ')" "0 0 1 "

conf_back
trap ended_early EXIT
finish
