#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Forwards: ranges, addresses of the node, changes while the VPS runs, who is seen, what it costs.
. "$(dirname "$0")/lib.sh"
begin

check "a host outside" outside_make
ip addr add 10.242.9.3/24 dev nodectl-o0
# answers ADDRESS PORT: what the VPS says there, seen from outside
answers() {
	# shellcheck disable=SC2016
	timeout 5 ip netns exec "$OUTSIDE" bash -c '
		exec 9<>"/dev/tcp/$0/$1" || exit 1
		read -r -t 3 line <&9; echo "$line"' "$1" "$2" 2>/dev/null
}

serve() { # NAME PORT...: each says its own port
	local name=$1 port
	shift
	for port in "$@"; do
		shell "$name" "cd / && (nc -ll -p $port -e /bin/sh -c 'echo at $port') >/dev/null 2>&1 &"
	done
}

check "a range and one address of the node" nodectl create web --start --wait 30 \
	--publish 28910-28913:8080 --publish 10.242.9.3:28920:8081 --publish 28930:53/udp
serve web 8080 8081 8083
a=$(field web '.ipv4[0]')
a6=$(field web '.ipv6[0] // empty')
is "are shown as they were given" "$(field web '.publish | join(" ")')" \
	"28910-28913:8080 10.242.9.3:28920:8081 28930:53/udp"
like "and kept so" "$(cat "$STORAGE/vps/web/vps.conf")" "^publish = 10.242.9.3:28920:8081$"
check "the server inside is up" eventually 5 bash -c "exec 9<>/dev/tcp/$a/8083"
is "the first of the range leads to the first" "$(answers 10.242.9.1 28910)" "at 8080"
is "the last to the last" "$(answers 10.242.9.1 28913)" "at 8083"
is "the one behind it nowhere" "$(answers 10.242.9.1 28914)" ""
is "the address leads there" "$(answers 10.242.9.3 28920)" "at 8081"
is "another address does not" "$(answers 10.242.9.1 28920)" ""
if [ -n "$a6" ]; then
	is "by IPv6, too" "$(answers fd42:42:0:9::1 28910)" "at 8080"
fi

# ---- whom the VPS sees
shell web 'cd / && (nc -ll -p 8082 -e sleep 5) >/dev/null 2>&1 &'
later ip netns exec "$OUTSIDE" bash -c 'until exec 9<>/dev/tcp/10.242.9.1/28912; do sleep 0.1; done 2>/dev/null; sleep 30'
# 8082 and 10.242.9.2 as the kernel writes them
seen() { inside web cat /proc/net/tcp /proc/net/tcp6 | grep -q ":1F92 [0-9A-F]*0209F20A:"; }
check "the VPS sees the client's own address" eventually 5 seen
kill "$LATER" 2>/dev/null

# ---- while it runs
check "one more" nodectl set web --publish-add 28940:8080
is "leads there at once" "$(answers 10.242.9.1 28940)" "at 8080"
is "the others stay" "$(answers 10.242.9.1 28913)" "at 8083"
like "the definition has it" "$(cat "$STORAGE/vps/web/vps.conf")" "^publish = 28940:8080$"
exits 0 "the kernel is as defined" nodectl diff web
check "one less, by its port" nodectl set web --publish-del 28940
is "leads nowhere at once" "$(answers 10.242.9.1 28940)" ""
is "and is nobody's" "$(ls "$STORAGE/addresses" | grep 28940)" ""
exits 21 "one that is not there" nodectl set web --publish-del 28940
check "the whole list" nodectl set web --publish 28910:8083 --publish 28950-28951:8080
is "is what there is" "$(field web '.publish | join(" ")')" "28910:8083 28950-28951:8080"
is "a port that was there leads elsewhere" "$(answers 10.242.9.1 28910)" "at 8083"
is "new ones lead there" "$(answers 10.242.9.1 28950)" "at 8080"
is "old ones nowhere" "$(answers 10.242.9.1 28913)" ""
exits 0 "the kernel is as defined" nodectl diff web
check "a change of what is stopped" nodectl stop web --force
check "is written down" nodectl set web --publish-add 28960:8080
check "and there at the next start" nodectl start web --wait 30
serve web 8080
check "the server is up" eventually 5 bash -c "exec 9<>/dev/tcp/$a/8080"
is "it leads there" "$(answers 10.242.9.1 28960)" "at 8080"

# ---- conflicts
check "another VPS" nodectl create other --publish none --start
exits 78 "a port of a range of another's" nodectl set other --publish-add 28949-28950:80
like "names whose" "$OUT" "28950/tcp is published by 'web'"
is "nothing of it is kept" "$(field other '.publish | length')$(ls "$STORAGE/addresses" | grep 28949)" "0"
exits 78 "the same at create" nodectl create bad --publish 28960:80
exits 21 "twice the same port" nodectl set other --publish-add 28970:80 --publish-add 28970:81
check "UDP is another" nodectl set other --publish-add 28950:80/udp
check "so is one address" nodectl set other --publish-add 10.242.9.3:28950:80
exits 21 "more ports than a VPS may have" nodectl set other --publish-add 30000-31100:80
exits 21 "a range that ends too late" nodectl set other --publish-add 30000-30010:65530
check "many ports at once" nodectl set other --publish-add 30000-30999:1000
is "are all in the table" "$(nft list map inet nodectl tcp4 | grep -o "nodectl $(field other .id)\"" | wc -l)" 1000
exits 0 "the kernel is as defined" nodectl diff other
check "and go at once" nodectl set other --publish none
is "out of the maps" "$(nft list maps | grep -c "nodectl $(field other .id)\"")" 0
is "and free" "$(ls "$STORAGE/addresses" | grep -c -- -30)" 0

# ---- from VPS to VPS
if [ "$(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null)" = 1 ]; then
	skip "a VPS reaches another by its forward" "net.bridge.bridge-nf-call-iptables is 1 on this host"
else
	is "a VPS reaches another by its forward" "$(shell other "nc -w 2 10.242.9.1 28960 </dev/null")" "at 8080"
	is "and itself" "$(shell web "nc -w 2 10.242.9.1 28960 </dev/null")" "at 8080"
fi

# ---- what is cut off, is found
nodectl set other --publish-add 28980:80 --quiet
sed -i '/^publish = 28980/d' "$STORAGE/vps/other/vps.conf"
exits 1 "diff finds one forwarded too many" nodectl diff other
check "which --fix takes away" nodectl diff other --fix
exits 0 "then all is equal" nodectl diff other
nodectl set other --publish-add 28981:80 --quiet
sed -i '/^publish = 28981/d' "$STORAGE/vps/other/vps.conf"
found=$(nodectl repair 2>&1)
like "repair finds a port that nobody has" "$found" "lease tcp-28980 of 'other': nobody has it"
like "and one forwarded too many" "$found" "^other: .*28981"
exits 0 "which it takes away" nodectl diff other

# ---- the price does not depend on how many there are
took() { # COMMAND...: microseconds, the least of some
	local best=999999999 start end i
	for ((i = 0; i < 2 + 6 / SLOW; i++)); do
		start=$(date +%s%N)
		"$@" >/dev/null 2>&1
		end=$(date +%s%N)
		[ $(((end - start) / 1000)) -ge $best ] || best=$(((end - start) / 1000))
	done
	echo $best
}
change() {
	nodectl set other --publish-add 28990:80 --quiet && nodectl set other --publish-del 28990 --quiet
}
# nobody listens there: a packet to the VPS and one back
connect() {
	ip netns exec "$OUTSIDE" bash -c 'for ((i = 0; i < $1; i++)); do (exec 9<>/dev/tcp/10.242.9.1/28951); done' - $((200 / SLOW))
}
change_few=$(took change) connect_few=$(took connect)
seq 40001 45000 | awk '{ printf "add element inet nodectl tcp4 { %d comment \"nodectl 28600\" : 10.77.200.%d . 80 }\n", $1, $1 % 250 + 1 }' |
	sed "s/28600/$LAST_ID/" >"$WORK/many"
check "5000 forwards, as of 1000 VPSs" nft -f "$WORK/many"
change_many=$(took change) connect_many=$(took connect)
echo "# adding and removing one: $change_few us, with 5000 others $change_many us"
echo "# $((200 / SLOW)) connections: $connect_few us, with 5000 others $connect_many us"
check "adding one more costs the same" [ "$change_many" -lt $((change_few * 2 + 20000)) ]
check "so does a packet" [ "$connect_many" -lt $((connect_few * 2 + 50000)) ]
nft flush map inet nodectl tcp4
check "a map that was emptied" nodectl diff --fix web other
is "is filled again" "$(answers 10.242.9.1 28960)" "at 8080"

finish
