#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a VPS may not send goes nowhere, whatever becomes of rulesets, filters and processes.
. "$(dirname "$0")/lib.sh"
begin python3 nsenter nft tc

frames=$TESTS/frames.py
bridge=$(sed -n 's/^bridge = //p' "$NODECTL_CONFIG")
bridge=${bridge:-nodectl0}
nodectl doctor -j | jq -e '.features[] | select(.feature == "guard").present' >/dev/null ||
	skip_all "this kernel cannot guard a link"

check "create" nodectl create guard --start --wait 30
check "and a neighbour" nodectl create neighbour --start --wait 30
id=$(field guard .id) pid=$(field guard .pid)
own4=$(field guard '.ipv4[0]') own6=$(field guard '.ipv6[0] // empty') other4=$(gateway4)
mac=$(inside guard cat /sys/class/net/eth0/address)
# a VPS without IPv6 has its link-local address
own6=${own6:-$(inside guard ip -6 addr show dev eth0 | sed -n 's,.*inet6 \(fe80[^/]*\).*,\1,p')}

attack() {
	timeout $((60 * SLOW)) nsenter -t "$pid" -n python3 "$frames" send "$mac" "$own4" "$own6" "$other4" "$@"
}

dropped() {
	nodectl traffic guard -j | jq ".vps[0].dropped.\"$1\""
}

# seen COMMAND...: the kinds that reach the bridge, and those that reach the neighbour
seen() {
	local one two
	later timeout $((60 * SLOW)) python3 "$frames" watch "$bridge" >"$WORK/bridge"
	one=$LATER
	later timeout $((60 * SLOW)) nsenter -t "$(field neighbour .pid)" -n python3 "$frames" watch eth0 >"$WORK/neighbour"
	two=$LATER
	eventually 20 grep -q ready "$WORK/bridge" && eventually 20 grep -q ready "$WORK/neighbour"
	"$@"
	kill "$one" "$two"
	wait "$one" "$two"
	sed -i '/^ready$/d' "$WORK/bridge" "$WORK/neighbour"
}

# ---- every rule
declare -A before
while read -r kind reason; do
	[ "$reason" = None ] || before[$reason]=$(dropped "$reason")
done < <(python3 "$frames" kinds)
seen attack
is "only what is good comes to the bridge" "$(cat "$WORK/bridge")" "good 3"
is "the neighbour sees nothing" "$(cat "$WORK/neighbour")" ""
for reason in "${!before[@]}"; do
	kinds=$(python3 "$frames" kinds | awk -v r="$reason" '$2 == r' | wc -l)
	is "$reason: each of $kinds kinds is dropped and counted" \
		$(($(dropped "$reason") - before[$reason])) $((kinds * 3))
done

# ---- whatever others do
flushes() {
	local text=$WORK/ruleset
	nft list ruleset >"$text"
	until [ -e "$WORK/enough" ]; do
		nft flush ruleset
		[ ! -e "$PINS/nv$id-from" ] || tc qdisc del dev "nv$id" clsact 2>/dev/null
		sleep 0.1
	done
	nft -f "$text"
}
storm() {
	later flushes
	local flush=$LATER
	for _ in 1 2; do
		attack arp-ip spoof4 spoof6 ra na-mac dhcp vlan smtp
		sleep 1
	done
	touch "$WORK/enough"
	wait "$flush"
}
seen storm
is "nothing comes through while rulesets and filters are flushed" "$(cat "$WORK/bridge")" ""
nodectl diff --fix guard neighbour >/dev/null 2>&1
is "the guard is what it was" "$(nodectl diff guard | grep -c guard)" 0
if [ ! -e "$PINS/nv$id-from" ]; then
	skip "nothing comes through while filters are flushed" "before Linux 6.6 the guard is a filter itself"
	tc qdisc del dev "nv$id" clsact
	like "a flush of filters is seen" "$(nodectl diff guard)" 'guard of what it sends'
	check "and mended" nodectl diff --fix guard
	seen attack arp-ip spoof4 spoof6 ra na-mac dhcp vlan smtp
	is "then nothing comes through" "$(cat "$WORK/bridge")" ""
fi

# ---- broadcasts and packets
# attack_many MAC NAME COUNT: as fast as it can; how many milliseconds it took is in $WORK/took
attack_many() {
	nsenter -t "$pid" -n python3 -c '
import socket, struct, sys, time
me = bytes.fromhex(sys.argv[1].replace(":", ""))
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); out.bind(("eth0", 0))
body = b"nodectl-hostile:" + sys.argv[4].encode().ljust(16, b".")
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + 8 + len(body), 1, 0, 64, 17, 0, socket.inet_aton(sys.argv[2]), socket.inet_aton("192.0.2.1"))
total = sum(struct.unpack("!10H", head))
total = (total & 65535) + (total >> 16)
head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 65535) + head[12:]
began = time.monotonic()
for _ in range(int(sys.argv[5])):
    out.send(bytes.fromhex(sys.argv[3]) + me + b"\x08\0" + head + struct.pack("!HHHH", 1, 1, 8 + len(body), 0) + body)
print(int((time.monotonic() - began) * 1000))
' "$mac" "$own4" "$1" "$2" "$3" >"$WORK/took"
}
sleep 2
seen attack_many ffffffffffff many 1000
is "of 1000 broadcasts at once some hundred get out" \
	"$(awk '$1 == "many" { print ($2 >= 90 && $2 <= 250 + 0.055 * ms) ? "yes" : $2 }' ms="$(cat "$WORK/took")" "$WORK/bridge")" yes
most=$((1000 / SLOW))
check "a packet rate is set while it runs" nodectl set guard --packet-rate $most --quiet
node_mac=$(tr -d : <"/sys/class/net/$bridge/address")
sleep 1
seen attack_many "$node_mac" rate 3000
is "of 3000 packets at once few get out" \
	"$(awk -v most=$most -v ms="$(cat "$WORK/took")" '$1 == "rate" {
		print ($2 >= most * 0.06 && $2 <= most * (0.5 + 1.2 * ms / 1000)) ? "yes" : $2 " in " ms " ms" }' "$WORK/bridge")" yes
check "and lifted" nodectl set guard --packet-rate 0 --quiet
seen attack_many "$node_mac" rate 3000
is "then all do" "$(cat "$WORK/bridge")" "rate 3000"

# ---- mail, live
check "mail is opened" nodectl set guard --smtp yes --quiet
seen attack smtp
is "then it gets out" "$(cat "$WORK/bridge")" "smtp 3"
check "and closed" nodectl set guard --smtp no --quiet
seen attack smtp
is "then not" "$(cat "$WORK/bridge")" ""

# ---- the canary: without the guard the same frames do come through
unguard "$id"
check "a guard that is gone is found" eventually 5 sh -c "nodectl=$NODECTL; \$nodectl diff guard | grep -q 'guard of what it sends'"
seen attack
for kind in arp-ip spoof4 dhcp vlan smtp lldp; do
	like "without it, $kind comes through" "$(cat "$WORK/bridge")" "^$kind 3$"
done
like "repair finds it" "$(nodectl repair 2>&1)" "guard"
is "and brings it back" "$(nodectl diff guard)" ""
seen attack
is "then only what is good comes through again" "$(cat "$WORK/bridge")" "good 3"

# ---- nothing stays
check "destroy" nodectl destroy guard neighbour --force --yes --quiet
check "its pins are gone" eventually 5 sh -c "! ls $PINS 2>/dev/null | grep -q 'nv$id'"
is "the meter has forgotten it" "$(nodectl traffic -j | jq '.vps | length')" 0
is "repair finds nothing" "$(nodectl repair 2>&1)" ""
finish
