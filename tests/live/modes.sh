#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How a VPS is connected: routed, none, and from one to the other.
. "$(dirname "$0")/lib.sh"
begin python3 nsenter nft

frames=$TESTS/frames.py
bridge=$(sed -n 's/^bridge = //p' "$NODECTL_CONFIG")
bridge=${bridge:-nodectl0}
cp "$NODECTL_CONFIG" "$WORK/node.conf"
conf_leave() {
	ip link del group 28999 2>/dev/null
	cp "$WORK/node.conf" "$NODECTL_CONFIG"
}
trap 'conf_leave; ended_early' EXIT
echo "pool public = 10.242.17.0/28" >>"$NODECTL_CONFIG"
g4=$(gateway4) g6=$(gateway6) node=$(node_address)

# ---- none
check "create without a network" nodectl create alone --net-mode none --start --wait 30
is "has lo alone" "$(inside alone ls /sys/class/net | tr '\n' ' ')" "lo "
is "no address, interface or forward" "$(field alone '[.net_mode, (.ipv4 | length), .interface, (.publish | length)] | join(" ")')" "none 0  0"
exits 0 "it is as defined" nodectl diff alone
is "nor is there traffic" "$(nodectl traffic alone -j | jq '.vps[0].bytes_in // 0')" 0
for option in "--publish 28905:80" "--ip auto" "--rate-in 10M" "--smtp yes" "--ip-add auto"; do
	# shellcheck disable=SC2086
	exits 21 "$option needs a network" nodectl set alone $option
done
like "says how to get one" "$OUT" "net-mode bridge or routed"
exits 21 "create refuses it, too" nodectl create bad --net-mode none --publish 28905:80
exits 21 "a mode that is none" nodectl create bad --net-mode bridged
echo "publish = 28907:80" >>"$STORAGE/vps/alone/vps.conf"
sed -i 's/^net-mode = .*/net-mode = none\nip = 10.242.9.9\/16/' "$STORAGE/vps/alone/vps.conf"
is "repair gives it nothing that it keeps for later" "$(nodectl repair 2>&1 | grep -E 'forward|connections|allow-in|wants')" ""
sed -i '/^publish = 28907/d; /^ip = 10.242.9.9/d' "$STORAGE/vps/alone/vps.conf"
nodectl repair --quiet >/dev/null 2>&1
nodectl create usual --network none --quiet
is "on no network is no reason to be routed" "$(field usual .net_mode)" bridge
nodectl destroy usual --yes --quiet
check "restart" nodectl restart alone --force
check "stop" nodectl stop alone --force

# ---- routed
check "create a routed one" nodectl create road --net-mode routed --ip auto --ip pool:public --publish 28906:8080 --start --wait 30
check "and another" nodectl create path --net-mode routed --start --wait 30
like "net show tells its gateway" "$(nodectl net show road)" "^ *gateway: 169.254.0.1$"
is "and the ways to it" "$(nodectl net show road -j | jq -r '.vps[0].node_routes | map(select(contains(":") | not)) | join(",")')" \
	"$(field road '.ipv4 | map(. + "/32 dev nv'"$(field road .id)"'") | join(",")')"
check "and one on the bridge" nodectl create dock --start --wait 30
id=$(field road .id) pid=$(field road .pid)
a=$(field road '.ipv4[0]') pool=$(field road '.ipv4[1]') a6=$(field road '.ipv6[0] // empty')
b=$(field path '.ipv4[0]') d=$(field dock '.ipv4[0]')
is "is on no bridge" "$(readlink "/sys/class/net/nv$id/master")" ""
is "has its address alone" "$(inside road ip -4 -o addr show dev eth0 | awk '{ print $4 }' | tr '\n' ' ')" "$a/32 $pool/32 "
like "and a way out that is the same everywhere" "$(inside road ip route)" "default via 169.254.0.1 dev eth0"
like "which it need not ask for" "$(inside road ip neigh show 169.254.0.1)" "PERMANENT"
is "the node leads to it" "$(ip -o route show proto 110 | grep -c "dev nv$id ")" 2
like "comes from the gateway" "$(ip route get "$a")" "dev nv$id src $g4 "
check "ping of the gateway" inside road ping -c 1 -W 2 169.254.0.1
check "ping of the bridge's address" inside road ping -c 1 -W 2 "$g4"
check "ping of the node" inside road ping -c 1 -W 2 "$node"
check "ping from the node" ping -c 1 -W 2 "$a"
check "and of its other address" ping -c 1 -W 2 "$pool"
if [ -n "$g6" ]; then
	like "the same by IPv6" "$(inside road ip -6 route)" "default via fe80::1 dev eth0"
	check "ping of the gateway by IPv6" inside road ping6 -c 1 -W 2 fe80::1%eth0
	check "ping of the node by IPv6" inside road ping6 -c 1 -W 2 "$g6"
	check "ping from the node by IPv6" ping -6 -c 1 -W 2 "$a6"
else
	skip "IPv6 of a routed VPS" "the node of the tests has no subnet6"
fi
check "a tenant forgets where the gateway is" shell road "ip neigh flush dev eth0 nud permanent; ip neigh flush dev eth0"
check "it is told when it asks" inside road ping -c 1 -W 3 "$g4"
for from in road dock; do
	for to in $a $b $d; do
		[ "$to" = "$(field "$from" '.ipv4[0]')" ] ||
			refuse "no way from $from to $to" inside "$from" ping -c 1 -W 1 "$to"
	done
done
refuse "nor by the gateway" shell dock "ip route add $a via $g4; ping -c 1 -W 1 $a"
shell road 'mkdir -p /srv/www; echo hello from road >/srv/www/index.html; httpd -p 8080 -h /srv/www'
http() {
	exec 9<>"/dev/tcp/$1/28906"
	printf 'GET /index.html HTTP/1.0\r\n\r\n' >&9
	timeout 5 cat <&9
	exec 9>&-
}
like "a forward leads to it" "$(http "$node")" "hello from road"
for from in path dock road; do
	[ "$from" = dock ] && [ "$(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null)" = 1 ] && continue
	like "and so it does for $from" "$(shell "$from" "wget -q -O - http://$node:28906/index.html" 2>&1)" "hello from road"
done
later python3 -m http.server --bind "$g4" 28990 --directory "$WORK" >/dev/null 2>&1
eventually 60 bash -c "exec 3<>/dev/tcp/$g4/28990"
refuse "the node is closed to it" inside road nc -w 1 "$g4" 28990 -e true
kill "$LATER"
nodectl set road --rate-in 10M --rate-out 10M --quiet
exits 0 "rates, routes and guard are as defined" nodectl diff road

# ---- the guard, where nobody else is
mac=$(inside road cat /sys/class/net/eth0/address)
own6=${a6:-$(inside road ip -6 addr show dev eth0 | sed -n 's,.*inet6 \(fe80[^/]*\).*,\1,p')}
later timeout 60 nsenter -t "$(field path .pid)" -n python3 "$frames" watch eth0 >"$WORK/other"
watch=$LATER
eventually 20 grep -q ready "$WORK/other"
before=$(nodectl traffic road -j | jq '.vps[0].dropped | add')
timeout 60 nsenter -t "$pid" -n python3 "$frames" send "$mac" "$a" "$own6" "$g4" arp-ip spoof4 spoof6 ra na-mac dhcp vlan smtp
dropped() { [ "$(nodectl traffic road -j | jq '.vps[0].dropped | add')" -ge $((before + 24)) ]; }
check "what it may not send is dropped" eventually 5 dropped
kill "$watch"
wait "$watch"
is "the other sees nothing of it" "$(grep -v ready "$WORK/other")" ""

# ---- while it runs
check "one address more" nodectl set road --ip-add 10.242.17.9
check "is reached at once" ping -c 1 -W 2 10.242.17.9
check "and a prefix" nodectl set road --route-add 10.242.17.12/30
like "leads there" "$(ip -o route show 10.242.17.12/30)" "via $a dev nv$id"
check "and less" nodectl set road --ip-del 10.242.17.9 --route-del 10.242.17.12/30
is "has no route" "$(ip -o route show 10.242.17.9)$(ip -o route show 10.242.17.12/30)" ""

# ---- what others do
ip route del "$a" dev "nv$id"
ip route add 10.242.17.13 dev "nv$id" proto 110
ip route add 10.242.17.14 dev "$bridge" proto 110
ip route add 10.242.17.15 dev "$bridge"
like "repair tells" "$(nodectl repair --dry-run)" "route $a/32"
nodectl repair >"$WORK/repair" 2>&1
like "of a stray of a VPS's" "$(cat "$WORK/repair")" "route to 10.242.17.13/32"
like "and of the bridge's" "$(cat "$WORK/repair")" "route to 10.242.17.14/32"
is "restores and removes" "$(ip -o route show "$a" | wc -l) $(ip -o route show proto 110 | grep -c '17\.1[34]')" "1 0"
is "and leaves alone what is not ours" "$(ip -o route show 10.242.17.15 | wc -l)" 1
ip route del 10.242.17.15 dev "$bridge"
is "then nothing is found" "$(nodectl repair)" ""
ip link set "nv$id" master "$bridge"
ip link set "nv$id" group 0
sysctl -qw "net.ipv4.conf.nv$id.rp_filter=0"
exits 1 "somebody puts it on the bridge" nodectl diff road
for what in bridge group sysctls; do
	like "$what is named" "$OUT" "road: $what: wants"
done
exits 0 "--fix" nodectl diff road --fix
exits 0 "takes it off again" nodectl diff road
check "and it answers" ping -c 1 -W 2 "$a"

# ---- from one to the other
check "a running one is to be on the bridge" nodectl set road --net-mode bridge
is "which is pending" "$(field road '.pending | join(" ")')" net-mode
like "and told by diff" "$(nodectl diff road)" "net-mode: wants bridge, has routed \(at the next start\)"
check "until then changes are made where it is" nodectl set road --ip-add 10.242.17.9 --rate-in 20M
check "as is seen" ping -c 1 -W 2 10.242.17.9
check "restart" nodectl restart road --force --wait 30
is "puts it there" "$(basename "$(readlink "/sys/class/net/nv$id/master")")" "$bridge"
exits 0 "as defined" nodectl diff road
check "with all its addresses" ping -c 1 -W 2 10.242.17.9
check "and none at all" nodectl set road --net-mode none
check "which it is after a restart" nodectl restart road --force
is "without an interface" "$(inside road ls /sys/class/net | tr '\n' ' ')" "lo "
is "a route" "$(ip -o route show proto 110 | grep -c 242.17)" 0
is "or a forward" "$(nft list table inet nodectl | grep -c "nodectl $id\"")" 0
exits 0 "as defined" nodectl diff road
is "its addresses stay its own" "$(cat "$STORAGE/addresses/10.242.17.9")" road
check "back to where it was" nodectl set road --net-mode routed
check "restart" nodectl restart road --force --wait 30
check "it answers again" ping -c 1 -W 2 "$a"
check "one without any gets an address with a network" nodectl set alone --net-mode routed
check "and starts" nodectl start alone --wait 30
check "and answers" ping -c 1 -W 2 "$(field alone '.ipv4[0]')"
echo "net-mode = routed" >>"$NODECTL_CONFIG"
check "the node's choice for those that do not say" nodectl create plain
is "is taken" "$(field plain .net_mode)" routed

# ---- a private network
conf_leave
echo "pool public = 10.242.17.0/28" >>"$NODECTL_CONFIG"
nodectl destroy --all --force --yes --quiet
private_networks() {
	reaches() { # FROM TO
		inside "$1" ping -c 1 -W 1 "$(field "$2" '.ipv4[0]')" &&
			{ [ -z "$g6" ] || inside "$1" ping6 -c 1 -W 1 "$(field "$2" '.ipv6[0]')"; }
	}
	neither() { # FROM TO: fails when it is by no family
		local by4
		inside "$1" ping -c 1 -W 1 "$(field "$2" '.ipv4[0]')" &
		by4=$!
		[ -n "$g6" ] && inside "$1" ping6 -c 1 -W 1 "$(field "$2" '.ipv6[0]')" && return 0
		wait "$by4"
	}
	check "create a network" nodectl network create live-blue
	check "and another" nodectl network create live-red
	exits 44 "it is there already" nodectl network create live-blue
	exits 21 "a name that is none" nodectl network create Blue
	exits 21 "a network that is none" nodectl create bad --network live-green
	like "names the way out" "$OUT" "nodectl network create live-green"
	exits 21 "one on the bridge" nodectl create bad --network live-blue --net-mode bridge
	nodectl create one --network live-blue --start --wait 30 --quiet
	nodectl create two --network live-blue --ip auto --ip pool:public --start --wait 30 --quiet
	nodectl create three --network live-red --start --wait 30 --quiet
	nodectl create four --net-mode routed --start --wait 30 --quiet
	nodectl create five --start --wait 30 --quiet
	is "who is on one is routed" "$(field one '[.net_mode, .network] | join(" ")')" "routed live-blue"
	like "the list says who" "$(nodectl network list)" "live-blue +[0-9]+ one, two"
	check "one reaches two" reaches one two
	check "two reaches one" reaches two one
	check "and its other address" inside one ping -c 1 -W 2 "$(field two '.ipv4[1]')"
	like "ssh of two answers one" "$(shell one "(sleep 1) | nc -w 2 $(field two '.ipv4[0]') 22 | head -c 4")" "SSH-"
	for pair in "one three" "three one" "one four" "four one" "two five" "five two" "three four"; do
		# shellcheck disable=SC2086
		refuse "no way from ${pair% *} to ${pair#* }" neither $pair
	done
	# the same frames, from who is on no network but says that he is
	later timeout 30 nsenter -t "$(field three .pid)" -n python3 "$frames" watch eth0 >"$WORK/other"
	watch=$LATER
	eventually 20 grep -q ready "$WORK/other"
	inside one ping -c 3 -i 0.1 -W 1 "$(field two '.ipv4[0]')" >/dev/null
	shell four "ip addr add $(field one '.ipv4[0]')/32 dev eth0"
	refuse "nor with the address of one who is on it" inside four ping -c 1 -W 1 -I "$(field one '.ipv4[0]')" "$(field two '.ipv4[0]')"
	kill "$watch"
	wait "$watch"
	is "who is on another sees nothing" "$(grep -v ready "$WORK/other")" ""
	# one that goes while somebody is about to come onto it
	for state in running stopped; do
		[ $state = running ] || nodectl stop four --force --quiet
		nodectl network create live-gone --quiet
		later python3 -c '
import fcntl, os, sys, time
lock = open(sys.argv[1] + "/.naming", "r+"); fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True); time.sleep(float(sys.argv[3])); os.unlink(sys.argv[2])' \
			"$STORAGE/vps" "$STORAGE/networks/live-gone" $((2 * SLOW)) >"$WORK/naming"
		eventually 5 grep -q held "$WORK/naming"
		exits 21 "$state: a network that goes meanwhile is refused" nodectl set four --network live-gone
		like "$state: and the way out is told" "$OUT" "there is no network 'live-gone'"
		wait "$LATER"
		is "$state: it is on none" "$(field four '.network // "none"')" none
		exits 0 "$state: the kernel is as defined" nodectl diff four
	done
	nodectl start four --wait 30 --quiet
	check "it changes while it runs" nodectl set three --network live-blue
	check "to reach the others" reaches three one
	check "and to reach them no more" nodectl set three --network none
	refuse "as it is" neither three one
	exits 0 "the kernel is as defined" nodectl diff one two three
	exits 21 "it cannot go to the bridge" nodectl set one --net-mode bridge
	exits 44 "a network with somebody on it stays" nodectl network remove live-blue
	exits 0 "the same again" nodectl create one --network live-blue --idempotent
	number() { sed -n 's/^network = live-[a-z]* //p' "$STORAGE/vps/$1/vps.conf"; }
	blue=$(number one)
	sed -i '/^network = /d' "$STORAGE/vps/four/vps.conf"
	echo "network = live-blue $((blue + 70))" >>"$STORAGE/vps/four/vps.conf"
	exits 21 "one from elsewhere gets nobody's by a change" nodectl set four --weight 200
	like "and hears how" "$OUT" "another network than the one it was on"
	check "but by its name" nodectl set four --network live-blue
	is "does" "$(number four)" "$blue"
	check "and off it again" nodectl set four --network none
	nft delete table inet nodectl
	like "diff tells of rules that are gone" "$(nodectl diff one)" "network [0-9]+ of $(field one '.ipv4[0]'): wants network4"
	exits 0 "--fix" nodectl diff --fix one two
	check "brings them back" reaches one two
	refuse "and no more" neither one four
	check "stop" nodectl stop two --force
	off() { ! nft list set inet nodectl member4 | grep -q "nodectl $(field two .id)\""; }
	check "takes it off" eventually 5 off
	check "start" nodectl start two --wait 30
	check "puts it on again" reaches one two
	nodectl destroy --all --force --yes --quiet
	check "remove" nodectl network remove live-blue live-red
	exits 21 "one that is not there" nodectl network remove live-blue
}
# a table of a nodectl that knew no networks drops what is between VPSs, also of other nodes
elder=$(nft list ruleset | grep -cE 'iifgroup .* oifgroup .* ct status ! dnat drop')
if [ "$elder" = 0 ]; then
	private_networks
else
	skip "private networks" "another node on this machine has the rules of an older nodectl"
fi

# ---- a bridge has 1024 ports
conf_leave
ports=$((1023 - $(find "/sys/class/net/$bridge/brif" -mindepth 1 | wc -l)))
for ((i = 0; i < ports; i++)); do
	echo "link add nm$i group 28999 master $bridge type ifb"
done >"$WORK/ports"
if ip -batch "$WORK/ports" 2>/dev/null; then
	nodectl create full1 --quiet
	exits 36 "the 1024th port is the last" nodectl start full1
	like "and the way out is named" "$OUT" "net-mode routed"
	check "which is none of them" nodectl set full1 --net-mode routed
	check "and starts" nodectl start full1 --wait 30
	check "and answers" ping -c 1 -W 2 "$(field full1 '.ipv4[0]')"
else
	skip "more VPSs than a bridge has ports" "the kernel has no ifb interfaces"
fi
ip link del group 28999 2>/dev/null

nodectl destroy --all --force --yes --quiet
is "no route is left" "$(ip -o route show proto 110 | grep -c 242.17)" 0
trap ended_early EXIT
finish
