#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A port of the machine on the bridge: public addresses with a gateway outside, who else has
# them, what passes there and what does not.
. "$(dirname "$0")/lib.sh"
begin python3 nsenter bridge

street=nodectl-street
cp "$NODECTL_CONFIG" "$WORK/node.conf"
street_leave() {
	cp "$WORK/node.conf" "$NODECTL_CONFIG"
	nodectl init --quiet >/dev/null 2>&1
	ip netns del $street 2>/dev/null
	ip link del nodectl-u0 2>/dev/null
	ip link del nodectl-b9 2>/dev/null
}
trap 'street_leave; ended_early' EXIT
ip netns del $street 2>/dev/null
ip link del nodectl-u0 2>/dev/null
bridge=$(sed -n 's/^bridge = //p' "$NODECTL_CONFIG")
bridge=${bridge:-nodectl0}
table=nodectl
has6=$(gateway6)

check "a router outside" ip netns add $street
ip link add nodectl-u0 type veth peer name s1 netns $street
# one that sends back where it came from what is for others there
ip netns exec $street sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n $street link set lo up
ip -n $street link set s1 up
ip -n $street addr add 10.242.18.1/28 dev s1
ip -n $street addr add 10.242.19.1/32 dev s1
ip -n $street -6 addr add fd42:42:0:18::1/64 dev s1 nodad
ip addr add 10.242.20.1/24 dev nodectl-u0
# since WORD...: what the router has seen since the last mark
mark() { mark=$(wc -l <"$WORK/seen"); }
since() { tail -n +$((mark + 1)) "$WORK/seen"; }
outside_sees() { eventually 5 ip netns exec "$OUTSIDE" ping -c 1 -W 1 "$1"; }
outside() {
	timeout 10 ip netns exec $street "$@"
}
cat >>"$NODECTL_CONFIG" <<-END
	uplink = nodectl-u0
	pool street = 10.242.18.0/28, gateway 10.242.18.1
END
[ -z "$has6" ] || echo "pool street6 = fd42:42:0:18::/64, gateway fd42:42:0:18::1" >>"$NODECTL_CONFIG"

# ---- the port
exits 21 "a port with an address of the node is refused" nodectl init
like "and left as it is" "$OUT" "uplink 'nodectl-u0': the node has its address 10.242.20.1/24 there"
is "with its address" "$(ip -4 -o addr show dev nodectl-u0 | awk '{ print $4 }')" 10.242.20.1/24
ip addr del 10.242.20.1/24 dev nodectl-u0
check "one without is taken" nodectl init
like "it is on the bridge" "$(ip -d link show nodectl-u0)" "master $bridge"
like "learning, and not isolated" "$(bridge -d link show dev nodectl-u0)" "learning on flood on"
unlike "nor isolated" "$(bridge -d link show dev nodectl-u0)" "isolated on"
is "diff is content" "$(nodectl diff | grep -c uplink)" 0
# with a MAC address of its own
outside_make
ip link add nodectl-b9 type bridge
ip addr del 10.242.9.1/24 dev nodectl-o0
ip link set nodectl-o0 master nodectl-b9
ip addr add 10.242.9.1/24 dev nodectl-b9
ip link set nodectl-b9 up
check "another bridge of the machine is left alone" outside_sees 10.242.9.1
ip link del nodectl-b9
outside_leave
ip link set nodectl-u0 nomaster
like "it tells of one that is not" "$(nodectl diff)" "^node: uplink: wants 'a port of $bridge'.*no port of it|^node: uplink: wants a port of $bridge.*no port of it"
check "and brings it back" nodectl diff --fix
like "to the bridge" "$(ip link show nodectl-u0)" "master $bridge"

ip netns exec $street sysctl -qw net.ipv6.conf.s1.keep_addr_on_down=1
ip -n $street link set s1 down
ip link set nodectl-u0 down
later sh -c "sleep 1; ip -n $street link set s1 up"
check "one whose cable takes its time" nodectl init --quiet
like "is waited for" "$(ip link show nodectl-u0)" LOWER_UP

# ---- a VPS outside
# what the router sees, a line a frame
later ip netns exec $street python3 -u -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(("s1", 3))
mac = lambda b: ":".join("%02x" % c for c in b)
ip = lambda b: socket.inet_ntop(socket.AF_INET if len(b) == 4 else socket.AF_INET6, b)
print("watching")
while True:
    try: f, who = s.recvfrom(2000)
    except OSError: continue
    if who[2] == 4: continue
    head, kind = mac(f[6:12]) + " > " + mac(f[:6]), f[12:14]
    if kind == b"\x08\x06": print(head, "arp", f[21], ip(f[28:32]), "for", ip(f[38:42]))
    elif kind == b"\x08\x00": print(head, "ip", ip(f[26:30]), ">", ip(f[30:34]), "proto", f[23], "evil" if b"evil" in f else "")
    elif kind == b"\x86\xdd": print(head, "ip6", ip(f[22:38]), ">", ip(f[38:54]), "icmp6 %d %s" % (f[54], ip(f[62:78])) if f[20] == 58 and len(f) >= 78 else "")
    else: print(head, "type", kind.hex())
' >"$WORK/seen"
eventually 5 grep -q watching "$WORK/seen"
check "a VPS with a public address" nodectl create web --ip pool:street --ip6 "$([ -n "$has6" ] && echo pool:street6 || echo none)" --start --wait 30
a=$(field web '.ipv4[0]') a6=$(field web '.ipv6[0] // empty')
is "which is not the gateway's" "$a" 10.242.18.2
mac=$(inside web cat /sys/class/net/eth0/address)
like "its address was asked for before" "$(cat "$WORK/seen")" "^$mac > ff:ff:ff:ff:ff:ff arp 1 0.0.0.0 for $a"
announced() { grep -q "^$mac > ff:ff:ff:ff:ff:ff arp 1 $a for $a" "$WORK/seen"; }
check "and is announced" eventually 5 announced
if [ -n "$a6" ]; then
	announced6() { grep -q "^$mac > 33:33:00:00:00:01 ip6 $a6 > ff02::1 icmp6 136 $a6" "$WORK/seen"; }
	check "by IPv6, too" eventually 5 announced6
fi
like "its way out is outside" "$(inside web ip route show default)" "via 10.242.18.1 dev eth0"
check "it reaches the router" inside web ping -c 1 -W 2 10.242.18.1
check "and what is behind it" inside web ping -c 1 -W 2 10.242.19.1
check "and is reached" outside ping -c 1 -W 2 "$a"
if [ -n "$a6" ]; then
	check "by IPv6 it reaches the router" inside web ping -6 -c 1 -W 2 fd42:42:0:18::1
	check "and is reached" outside ping -6 -c 1 -W 2 "$a6"
	local6=$(nsenter -t "$(field web .pid)" -n ip -6 -o addr show dev eth0 scope link | awk '{ sub("/.*", "", $4); print $4 }')
	router6=$(ip -n $street -6 -o addr show dev s1 scope link | awk '{ sub("/.*", "", $4); print $4; exit }')
	refuse "not at its address of the link" outside ping -6 -c 1 -W 1 "$local6%s1"
	pid=$(field web .pid)
	# until it is known to be nobody else's it is not taken as the source of anything
	settled() { ! nsenter -t "$pid" -n ip -6 addr show dev eth0 tentative | grep -q inet6; }
	check "its own has settled" eventually 10 settled
	refuse "nor the other way round" nsenter -t "$pid" -n ping -6 -c 1 -W 1 "$router6%eth0"
	refuse "nor from its public address" nsenter -t "$pid" -n ping -6 -c 1 -W 1 -I "$a6" "$router6%eth0"
	mark
	nsenter -t "$pid" -n ping -6 -c 1 -W 1 -I "$a6" ff02::1%eth0 >/dev/null
	unlike "nor all at once" "$(since)" "$a6 > ff02::1 icmp6 128"
	check "which is found there, though" nsenter -t "$pid" -n sh -c "ip -6 neigh get $router6 dev eth0 | grep -qv FAILED"
fi
check "the node and it reach each other" ping -c 1 -W 2 "$a"
check "from both sides" inside web ping -c 1 -W 2 "$(gateway4)"
exits 0 "the kernel is as defined" nodectl diff web
is "net show has it all" "$(nodectl net show web -j | jq -r '.vps[0] | "\(.gateways[0]) \(.uplink)"')" "10.242.18.1 nodectl-u0"

# ---- another, and what is between them
check "another VPS" nodectl create two --ip pool:street --start --wait 30
b=$(field two '.ipv4[0]')
refuse "they do not reach each other by the wire" inside web ping -c 2 -W 1 "$b"
nsenter -t "$(field web .pid)" -n ip route add "$b/32" dev eth0
refuse "nor on their own link" inside web ping -c 2 -W 1 "$b"
nsenter -t "$(field web .pid)" -n ip route del "$b/32" dev eth0
# sent to the node's end of its own link a frame goes up, and not to the bridge's address
nsenter -t "$(field two .pid)" -n python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7070)); s.settimeout(30)
print("ready", flush=True)
got = ""
try:
    while got != "node":
        got = s.recv(99).decode()
        print(got, flush=True)
except OSError: pass
' >"$WORK/heard" &
listener=$!
eventually 5 grep -q ready "$WORK/heard"
nsenter -t "$(field web .pid)" -n sh -c "
	ip neigh replace $b lladdr 06:${mac#02:} dev eth0 nud permanent; ip route replace $b/32 dev eth0"
for who in "$(field web .pid) past" "$$ node"; do
	nsenter -t "${who% *}" -n python3 -c '
import socket, sys
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), (sys.argv[1], 7070))' "$b" "${who#* }"
done
wait $listener
is "nor by the address of their links' other ends" "$(tr '\n' ' ' <"$WORK/heard")" "ready node "
nsenter -t "$(field web .pid)" -n sh -c "ip route del $b/32 dev eth0; ip neigh del $b dev eth0"
check "a private address beside" nodectl set two --ip-add auto
private=$(field two '.ipv4[1]')
mark
check "what it sends from that goes by the node" nsenter -t "$(field two .pid)" -n ping -c 1 -W 2 -I "$private" "$(gateway4)"
nsenter -t "$(field two .pid)" -n ip route add 10.242.19.1/32 dev eth0 src "$private"
nsenter -t "$(field two .pid)" -n ping -c 2 -W 1 -I "$private" 10.242.19.1 >/dev/null 2>&1

# ---- what does not leave
# spoof PID: frames with addresses of others
spoof() {
	nsenter -t "$1" -n python3 -c '
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0))
own = s.getsockname()[4]
def sum16(d):
    t = sum(struct.unpack("!%dH" % (len(d) // 2), d))
    while t >> 16: t = (t & 65535) + (t >> 16)
    return ~t & 65535
def ip(src, dst, proto, body):
    h = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, proto, 0, socket.inet_aton(src), socket.inet_aton(dst))
    return h[:10] + struct.pack("!H", sum16(h)) + h[12:] + body
udp = struct.pack("!HHHH", 7, 7, 12, 0) + b"evil"
gw = b"\xff" * 6
for i in range(20):
    for src in "10.242.18.9", "10.242.19.9", sys.argv[1], "10.242.18.1":
        s.send(gw + own + b"\x08\x00" + ip(src, "10.242.18.1", 17, udp))
    s.send(gw + b"\x02\x00\x00\x00\x00\x99" + b"\x08\x00" + ip(sys.argv[2], "10.242.18.1", 17, udp))
    s.send(gw + own + b"\x08\x06" + struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 2, own, socket.inet_aton("10.242.18.1"), gw, socket.inet_aton("10.242.18.1")))
    s.send(gw + own + b"\x08\x06" + struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, own, socket.inet_aton(sys.argv[1]), gw, socket.inet_aton("10.242.18.1")))
    s.send(gw + own + b"\x81\x00\x00\x05\x08\x00" + ip(sys.argv[2], "10.242.18.1", 17, udp))
' "$private" "$b"
}
sleep 0.3
mark
check "frames with addresses of others" spoof "$(field two .pid)"
check "and one with its own" nsenter -t "$(field two .pid)" -n ping -c 1 -W 2 10.242.18.1
latter() { since | grep -q "ip $b > 10.242.18.1 proto 1"; }
check "the latter leaves" eventually 5 latter
is "none of the former does" "$(since | grep -E "evil|for $private|arp 2|type 8100|^02:00:00:00:00:99|arp 1 $private")" ""
ping -c 1 -W 1 10.77.250.250 >/dev/null 2>&1
sleep 0.3
is "nothing of the node's own leaves" "$(grep -c "^02:6e:64:00:00:00 >" "$WORK/seen")" 0
ip -n $street addr add 10.77.0.9/16 dev s1 2>/dev/null
refuse "from outside the node is not reached" outside ping -c 1 -W 1 "$(gateway4)"
ip -n $street route add "$private/32" dev s1
refuse "nor a private address" outside ping -c 1 -W 1 "$private"
ip -n $street addr del 10.77.0.9/16 dev s1
# another there pretends to have the VPS's MAC address
outside python3 -c '
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("s1", 0))
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
for i in range(20): s.send(b"\xff" * 6 + mac + b"\x08\x06" + bytes(46))
' "$mac"
check "who pretends to have its MAC address does not take it" outside ping -c 1 -W 2 "$a"

# ---- what comes in
serve() { # NAME PORT...
	local name=$1 port
	shift
	for port in "$@"; do
		shell "$name" "cd / && (nc -ll -p $port -e /bin/sh -c 'echo at $port') >/dev/null 2>&1 &"
	done
}
tcp() { # ADDRESS PORT
	# shellcheck disable=SC2016
	outside timeout 2 bash -c 'exec 9<>"/dev/tcp/$0/$1" || exit 1; read -r -t 1 line <&9; echo "$line"' "$1" "$2" 2>/dev/null
}
serve web 80 81
check "its servers are there" eventually 5 bash -c "exec 9<>/dev/tcp/$a/81"
is "all comes in" "$(tcp "$a" 80) $(tcp "$a" 81)" "at 80 at 81"
later ip netns exec $street python3 -c '
import socket, threading
def echo(f):
    s = socket.socket(f, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("10.242.19.1" if f == socket.AF_INET else "fd42:42:0:18::1", 7777)); print("ready", flush=True)
    while True:
        d, p = s.recvfrom(99); s.sendto(d, p)
t = socket.socket(); t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); t.bind(("10.242.19.1", 7777)); t.listen()
threading.Thread(target=echo, args=(socket.AF_INET,), daemon=True).start()
threading.Thread(target=echo, args=(socket.AF_INET6,), daemon=True).start()
while True: c, _ = t.accept(); c.send(b"answered\n"); c.close()
' >"$WORK/answer"
eventually 5 grep -q ready "$WORK/answer"
check "only one port may come in" nodectl set web --allow-in tcp/80
is "it does, and no other" "$(tcp "$a" 80) $(tcp "$a" 81)" "at 80 "
refuse "nor does its echo" outside ping -c 1 -W 1 "$a"
refuse "nor UDP" outside python3 -c "
import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.connect(('$a', 7)); s.send(b'x'); s.recv(9)"
is "the kernel looks at it twice" "$(nft list set bridge $table shut4 | grep -c "$a . 0-255")" 1
check "what it asks for comes" inside web ping -c 1 -W 2 10.242.19.1
is "by TCP" "$(shell web 'nc -w 3 10.242.19.1 7777 </dev/null')" answered
udp() { # FAMILY ADDRESS
	nsenter -t "$(field web .pid)" -n python3 -c '
import socket, sys
s = socket.socket(getattr(socket, sys.argv[1]), socket.SOCK_DGRAM); s.settimeout(2)
s.connect((sys.argv[2], 7777)); s.send(b"said"); print(s.recv(9).decode())' "$1" "$2"
}
is "by UDP" "$(udp AF_INET 10.242.19.1)" said
if [ -n "$a6" ]; then
	is "by UDP of IPv6" "$(udp AF_INET6 fd42:42:0:18::1)" said
	refuse "which is closed otherwise" outside ping -6 -c 1 -W 1 "$a6"
fi
exits 0 "the kernel is as defined" nodectl diff web
nft flush set bridge $table shut4
# where br_netfilter shows bridged packets to the other table they are looked at there, too
if [ "$(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || echo 0)" = 0 ]; then
	is "a set that was emptied lets all in" "$(tcp "$a" 81)" "at 81"
fi
exits 1 "diff finds it" nodectl diff web
like "and where" "$OUT" "bridge $table|allow-in"
check "and mends it" nodectl diff --fix web
is "then it is closed" "$(tcp "$a" 81)" ""
nft delete table bridge $table
like "a table that is gone is told" "$(nodectl diff)" "^node: ruleset"
check "repair" nodectl repair
is "brings it back" "$(tcp "$a" 80) $(tcp "$a" 81)" "at 80 "
check "open to all again" nodectl set web --allow-in all
is "all comes in" "$(tcp "$a" 81)" "at 81"
check "it stops" nodectl stop two --force

# ---- an address that somebody has
check "somebody outside has one" ip -n $street addr add "$b/28" dev s1
taken=$(ip -n $street -o link show s1 | sed 's/.*ether \([0-9a-f:]*\).*/\1/')
exits 78 "a VPS with it does not start" nodectl start two
like "and it is told who has it" "$OUT" "address $b is used by $taken on uplink 'nodectl-u0' .'--force'"
is "nothing of it is left" "$(nodectl status two)" "two stopped"
check "unless it is forced to" nodectl start two --force --wait 30
ip -n $street addr add 10.242.18.12/28 dev s1
exits 78 "nor is it given to one that runs" nodectl set web --ip-add 10.242.18.12
is "which has it not then" "$(field web '.ipv4 | join(" ")')" "$a"
ip -n $street addr del 10.242.18.12/28 dev s1
mark
check "when nobody has it it is" nodectl set web --ip-add 10.242.18.12
is "and announced" "$(eventually 5 grep -q "arp 1 10.242.18.12 for 10.242.18.12" "$WORK/seen" && echo yes)" yes
if [ -n "$a6" ]; then
	ip -n $street -6 addr add fd42:42:0:18::77/64 dev s1 nodad
	exits 78 "by IPv6 somebody has one, too" nodectl set web --ip6-add fd42:42:0:18::77
	like "and is told" "$OUT" "address fd42:42:0:18::77 is used by $taken"
fi
ip -n $street addr del "$b/28" dev s1

# ---- without it
nodectl stop two --force --quiet
ip link set nodectl-u0 down nomaster
ip link set nodectl-u0 name nodectl-u9
exits 3 "without the port one with such an address does not start" nodectl start two
like "which is told" "$OUT" "uplink 'nodectl-u0': there is no such interface"
check "another does" nodectl create inner --start --wait 30
like "diff tells of it" "$(nodectl diff)" "^node: uplink: wants.*no such interface"
ip link set nodectl-u9 name nodectl-u0
check "it comes back" nodectl start two --wait 30
check "with its way out" inside two ping -c 1 -W 2 10.242.18.1

sed -i '/^uplink/d' "$NODECTL_CONFIG"
like "an uplink that is none any more" "$(nodectl diff)" "^node: uplink: .*none of this node's"
check "init takes it off" nodectl init --quiet
unlike "the bridge" "$(ip -d link show nodectl-u0)" "master"
is "and its rules" "$(nft list tables | grep -c "bridge $table")" 0
is "diff is content" "$(nodectl diff | grep -c uplink)" 0

# ---- a port of the operator's own, beside the gateway of a pool
check "it is the operator's" ip link set nodectl-u0 master "$bridge" up
# heard MAC: what two hears when web sends it to that address
heard() {
	nsenter -t "$(field web .pid)" -n sh -c "
		ip neigh replace $b lladdr $1 dev eth0 nud permanent; ip route replace $b/32 dev eth0"
	nsenter -t "$(field two .pid)" -n python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7071)); s.settimeout(20)
print("ready", flush=True)
got = ""
while got != "node":
    got = s.recv(99).decode()
    print(got, flush=True)
' >"$WORK/heard" &
	listener=$!
	eventually 5 grep -q ready "$WORK/heard"
	for who in "$(field web .pid) past" "$$ node"; do
		nsenter -t "${who% *}" -n python3 -c '
import socket, sys
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), (sys.argv[1], 7071))' "$b" "${who#* }"
		sleep 0.3
	done
	wait $listener
	tr '\n' ' ' <"$WORK/heard"
}
own=$(cat "/sys/class/net/$bridge/address")
is "by its MAC address no VPS gets past the walls" "$(heard "$(cat /sys/class/net/nodectl-u0/address)")" "ready node "
is "nor by the bridge's" "$(heard "$own")" "ready node "
ip link set nodectl-u0 down nomaster

# ---- a bridge with a MAC address of its own
ip link set "$bridge" address 02:00:00:00:00:77
# a datagram is sent once, and may be lost while the bridge learns its new address
passes() { [ "$(heard 02:00:00:00:00:77)" = "ready past node " ]; }
check "canary: by one that the rules do not know it does" eventually 20 passes
exits 21 "which is refused" nodectl init
like "and told" "$OUT" "bridge '$bridge': it has the MAC address 02:00:00:00:00:77,.*'ip link set $bridge address $own'"
like "diff tells of it" "$(nodectl diff)" "^node: MAC address: wants $own, has 02:00:00:00:00:77"
ip link set "$bridge" address "$own"
check "with its own it is taken" nodectl init --quiet
nodectl destroy --all --force --yes --quiet
street_leave
trap ended_early EXIT
finish
