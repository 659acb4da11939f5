#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Several addresses, pools, and prefixes that are routed to a VPS.
. "$(dirname "$0")/lib.sh"
begin

cp "$NODECTL_CONFIG" "$WORK/node.conf"
street=nodectl-street
conf_leave() {
	cp "$WORK/node.conf" "$NODECTL_CONFIG"
	ip netns del $street 2>/dev/null
	ip link del nodectl-s0 2>/dev/null
}
trap 'conf_leave; ended_early' EXIT
cat >>"$NODECTL_CONFIG" <<-END
	pool public = 10.242.16.0/28
	pool six = fd42:42:0:16::/64
END
has6=$(gateway6)

check "addresses of a pool and of the subnet" nodectl create web --ip auto --ip pool:public --ip 10.242.16.9 --start --wait 30
a=$(field web '.ipv4[0]')
is "in that order" "$(field web '.ipv4[1:] | join(" ")')" "10.242.16.9 10.242.16.1"
is "the definition has them" "$(grep -c '^ip = ' "$STORAGE/vps/web/vps.conf")" 3
like "eth0 has them all" "$(inside web ip -4 -o addr show dev eth0 | awk '{ print $4 }' | tr '\n' ' ')" "$a/.* 10.242.16.9/32 10.242.16.1/32"
for ip in "$a" 10.242.16.9 10.242.16.1; do
	check "the node reaches $ip" ping -c 1 -W 2 "$ip"
done
is "an address of a pool has a route" "$(ip -o route show 10.242.16.9 | awk '{ print $2, $3 }')" "dev nodectl0"
exits 0 "the kernel is as defined" nodectl diff web

# ---- while it runs
check "one more" nodectl set web --ip-add 10.242.16.3
check "is reached at once" ping -c 1 -W 2 10.242.16.3
check "one of the node's choice" nodectl set web --ip-add pool:public
is "is the next free one" "$(field web '.ipv4[-1]')" 10.242.16.2
check "and reached" ping -c 1 -W 2 10.242.16.2
check "one less" nodectl set web --ip-del 10.242.16.9
is "has no route" "$(ip -o route show 10.242.16.9)" ""
unlike "nor is it inside" "$(inside web ip -4 -o addr show dev eth0)" "10.242.16.9/"
is "and is nobody's" "$(ls "$STORAGE/addresses" | grep -x 10.242.16.9)" ""
exits 21 "one that it has not" nodectl set web --ip-del 10.242.16.9
check "the first one goes" nodectl set web --ip-del "$a"
is "the next is the first" "$(field web '.ipv4[0]')" 10.242.16.1
check "and reached" ping -c 1 -W 2 10.242.16.1
check "and has the way out" inside web ping -c 1 -W 2 "$(gateway4)"
is "forwards lead there" "$(nft list map inet nodectl tcp4 | grep -o "nodectl $(field web .id)\" : [0-9.]*" | awk '{ print $NF }')" 10.242.16.1
exits 0 "the kernel is as defined" nodectl diff web
check "it comes back" nodectl set web --ip-add "$a"
check "and is reached" ping -c 1 -W 2 "$a"
exits 32 "the last one goes with the VPS stopped only" nodectl set web --ip none --ip6 none
is "nothing was changed" "$(field web '.ipv4 | length')" 4

# ---- what the tenant does
inside web ip addr del 10.242.16.3/32 dev eth0
check "a change beside what the tenant took away" nodectl set web --ip-del 10.242.16.3
inside web ip link set eth0 down
check "and with its interface down" nodectl set web --ip-add 10.242.16.3
inside web ip link set eth0 up
inside web sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6'
inside web ip addr add "$(gateway4)/32" dev lo
check "and with nothing as it should be" nodectl set web --ip-add 10.242.16.4
check "and back" nodectl set web --ip-del 10.242.16.4
is "nothing is left to be repaired" "$(nodectl repair 2>&1)" ""
check "restart makes it whole" nodectl restart web --force --wait 30
for ip in 10.242.16.1 10.242.16.3 "$a"; do
	check "$ip is there again" ping -c 1 -W 2 "$ip"
done

# ---- prefixes
check "another VPS" nodectl create gate --start --wait 30
b=$(field gate '.ipv4[0]')
check "a prefix routed to it" nodectl set gate --route-add 10.242.16.12/30
like "leads there" "$(ip -o route show 10.242.16.12/30)" "via $b dev nodectl0"
is "is shown" "$(field gate '.routes | join(" ")')" 10.242.16.12/30
inside gate ip addr add 10.242.16.13/32 dev lo
check "what has an address of it answers" ping -c 1 -W 2 10.242.16.13
exits 78 "an address of it for another" nodectl set web --ip-add 10.242.16.14
like "names whose" "$OUT" "gate"
exits 78 "a prefix with somebody's address" nodectl set gate --route-add 10.242.16.0/30
like "names whose" "$OUT" "web"
exits 78 "a part of it for another" nodectl set web --route-add 10.242.16.12/31
exits 21 "one of no pool" nodectl set gate --route-add 10.243.0.0/24
exits 21 "one that is an address" nodectl set gate --route-add 10.242.16.5/29
is "none of these kept a lease" "$(ls "$STORAGE/addresses" | grep -E '16\.14|net-' | tr '\n' ' ')" "net-10.242.16.12-30 "
exits 0 "the kernel is as defined" nodectl diff gate
ip route del 10.242.16.12/30
exits 1 "a route that is gone" nodectl diff gate
like "is named" "$OUT" "route 10.242.16.12/30"
exits 0 "--fix" nodectl diff gate --fix
like "brings it back" "$(ip -o route show 10.242.16.12/30)" "via $b"
check "one less" nodectl set gate --route-del 10.242.16.12/30
is "has no route" "$(ip -o route show 10.242.16.12/30)" ""
check "again" nodectl set gate --route-add 10.242.16.12/30
check "stop takes it away" nodectl stop gate --force
gone() { [ -z "$(ip -o route show 10.242.16.12/30)" ]; }
check "with its route" eventually 5 gone

# ---- IPv6
if [ -n "$has6" ]; then
	check "IPv6 of a pool, and a prefix" nodectl create six --ip6 auto --ip6 pool:six --route fd42:42:0:16:8000::/72 --start --wait 30
	is "has both" "$(field six '.ipv6 | length')" 2
	check "the node reaches the one of the pool" ping -6 -c 1 -W 2 "$(field six '.ipv6[1]')"
	like "the prefix leads there" "$(ip -6 -o route show fd42:42:0:16:8000::/72)" "via $(field six '.ipv6[0]')"
	check "live, too" nodectl set six --ip6-add fd42:42:0:16::77
	check "is reached at once" ping -6 -c 1 -W 2 fd42:42:0:16::77
	check "and goes" nodectl set six --ip6-del fd42:42:0:16::77
	is "with its route" "$(ip -6 -o route show fd42:42:0:16::77)" ""
else
	skip "IPv6" "the node of the tests has no subnet6"
fi

# ---- parallel creates get different ones
for i in 1 2 3 4 5 6; do
	nodectl create "par$i" --ip pool:public --quiet &
done
wait
got=$(for i in 1 2 3 4 5 6; do field "par$i" '.ipv4[0]'; done | sort -u | wc -l)
is "six creates at once, six addresses" "$got" 6
exits 36 "a pool that is used up" bash -c 'for i in $(seq 9); do timeout 60 "$0" create "more$i" --ip pool:public --quiet || exit; done' "$NODECTL"
like "says so" "$OUT" "no address is free in the node's pool public"
exits 21 "a pool that is none" nodectl create bad --ip pool:none
exits 78 "an address that somebody has" nodectl create bad --ip 10.242.16.1

# ---- a pool with a gateway of its own: a machine beside the bridge, on a port that is put there
nodectl destroy --all --force --yes --quiet
ip netns del $street 2>/dev/null
ip link del nodectl-s0 2>/dev/null
check "a gateway beside the bridge" ip netns add $street
ip link add nodectl-s0 type veth peer name s1 netns $street
ip link set nodectl-s0 master "$(sed -n 's/^bridge = //p' "$NODECTL_CONFIG" | grep . || echo nodectl0)" up
ip -n $street link set s1 up
ip -n $street addr add 10.242.18.1/28 dev s1
ip -n $street addr add 10.242.19.1/32 dev s1
ip -n $street -6 addr add fd42:42:0:18::1/64 dev s1 nodad
echo "pool street = 10.242.18.0/28, gateway 10.242.18.1" >>"$NODECTL_CONFIG"
[ -z "$has6" ] || echo "pool street6 = fd42:42:0:18::/64, gateway fd42:42:0:18::1" >>"$NODECTL_CONFIG"
for text in "10.242.20.0/28, gateway 10.242.21.1" "10.242.20.0/28, gateway 10.242.20.0" "10.242.20.0/28, 10.242.20.1"; do
	echo "pool bad = $text" >>"$NODECTL_CONFIG"
	exits 21 "pool bad = $text is refused" nodectl list
	sed -i '/^pool bad/d' "$NODECTL_CONFIG"
done
check "the node takes it" nodectl init --quiet
check "a VPS with an address of it" nodectl create web --ip pool:street --ip6 "$([ -n "$has6" ] && echo pool:street6 || echo none)" --start --wait 30
is "the gateway is not given away" "$(field web '.ipv4[0]')" 10.242.18.2
is "nor to who asks for it" "$(nodectl set web --ip-add 10.242.18.1 2>&1)" \
	"nodectl: web: set: address 10.242.18.1 is the gateway of pool 'street'"
like "it is the way out, on its link" "$(inside web ip route show default)" "default via 10.242.18.1 dev eth0 .*onlink"
check "and reached" inside web ping -c 1 -W 2 10.242.18.1
check "what is behind it is reached" inside web ping -c 1 -W 2 10.242.19.1
if [ -n "$has6" ]; then
	like "by IPv6, too" "$(inside web ip -6 route show default)" "default via fd42:42:0:18::1 dev eth0"
	check "and reached" inside web ping -6 -c 1 -W 2 fd42:42:0:18::1
fi
ip -n $street route add 10.242.0.0/16 dev s1
check "the node reaches the VPS" ping -c 1 -W 2 10.242.18.2
check "and the VPS the node" inside web ping -c 1 -W 2 "$(gateway4)"
shell web "cd / && (nc -ll -p 80 -e /bin/sh -c 'echo at 80') >/dev/null 2>&1 &"
check "a forward to it" nodectl set web --publish-add 28940:80
served() { [ "$(timeout 3 bash -c "exec 9<>/dev/tcp/$(gateway4)/28940; read -r -t 2 x <&9; echo \$x")" = "at 80" ]; }
check "is answered by the way that it came" eventually 5 served
check "an address of the subnet beside it" nodectl set web --ip-add auto
a=$(field web '.ipv4[1]')
check "is reached" ping -c 1 -W 2 "$a"
like "its answers go through the node" "$(inside web ip route get 10.242.19.1 from "$a")" "via $(gateway4)"
like "those of the other past it" "$(inside web ip route get 10.242.19.1 from 10.242.18.2)" "via 10.242.18.1"
like "which is where all else goes" "$(inside web ip route get 10.242.19.1)" "via 10.242.18.1 .*src 10.242.18.2"
check "the address of the pool goes" nodectl set web --ip-del 10.242.18.2
like "then all goes through the node" "$(inside web ip route show default)" "default via $(gateway4) dev eth0"
is "and nothing otherwise" "$(inside web ip rule show | grep -c 'lookup 1[0-9][0-9]')" 0
check "it comes back" nodectl set web --ip-add pool:street
like "with its way out" "$(inside web ip route show default)" "default via 10.242.18.1 dev eth0"
check "and is reached" inside web ping -c 1 -W 2 10.242.19.1
exits 0 "the kernel is as defined" nodectl diff web
nodectl stop web --force --quiet
sed -i 's/^pool street = .*/pool street = 10.242.18.0\/28, gateway 10.242.18.2/' "$NODECTL_CONFIG"
exits 78 "a gateway that somebody has starts nothing" nodectl start web
like "and is told" "$OUT" "pool street: its gateway 10.242.18.2 belongs to 'web'"
exits 78 "nor is the node set up with it" nodectl init

nodectl destroy --all --force --yes --quiet
is "no route is left" "$(ip -o route show | grep 10.242.16)" ""
conf_leave
trap ended_early EXIT
finish
