#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two nodes on one machine: each has its bridge, its table and its rules.
. "$(dirname "$0")/lib.sh"
begin

second() {
	timeout --foreground -k 5 "${PATIENCE:-120}" "$NODECTL" --config "$WORK/second/node.conf" "$@"
}
# whatever happens, it goes before the first one's cleaning up
second_leave() {
	[ -e "$WORK/second/node.conf" ] || return 0
	second destroy --all --force --yes --quiet
	second repair --quiet
	ip link del nodectl-two 2>/dev/null
	nft delete table inet nodectl-nodectl-two 2>/dev/null
	rm -rf /run/nodectl-live-two /run/nodectl-live-three
}
trap 'second_leave; ended_early' EXIT

check "a VPS of the first node" nodectl create one --start --wait 30
rules=$(nft -s list table inet nodectl | grep -E 'masquerade|drop')
like "the first has its masquerade" "$rules" "saddr .* masquerade"

check "a second node, with its own bridge" second init --quiet --storage "$WORK/second/storage" \
	--run /run/nodectl-live-two --bridge nodectl-two --subnet 10.242.0.1/24 \
	--subnet6 fd42:42:0:2::1/64 --ids 28601-28620
check "it builds its image" second image build mini --name mini
for key in cpus memory disk tasks; do echo "ratio-$key = 100" >>"$WORK/second/node.conf"; done
check "and starts a VPS" second create other --image mini --plan nano --start --wait 30
is "the first one's rules are what they were" \
	"$(nft -s list table inet nodectl | grep -E 'masquerade|drop')" "$rules"
like "the second one's are its own" "$(nft list table inet nodectl-nodectl-two)" \
	'ip saddr 10.242.0.0/24 oifname != "nodectl-two" .*masquerade'
a=$(field one '.ipv4[0]')
b=$(second show other -j | jq -r '.ipv4[0]')
like "its VPS has an address of its subnet" "$b" '^10\.242\.0\.'
check "the node reaches the first's" banner "$a" 22
check "and the second's" banner "$b" 22
refuse "the first's does not reach the second's" inside one nc -w 1 "$b" 22 -e true
id=$(second show other -j | jq -r .id)
check "the second's forward leads to it" banner "$(node_address)" $((22000 + id))
port=$((22000 + $(field one .id)))
check "the first's to its own" banner "$(node_address)" "$port"
like "in the second's table" "$(nft list map inet nodectl-nodectl-two tcp4)" "nodectl $id\" : $b"
unlike "and only there" "$(nft list map inet nodectl tcp4)" "nodectl $id\""
refuse "nor the other way round" timeout 5 "$NODECTL" --config "$WORK/second/node.conf" exec other -- nc -w 1 "$a" 22 -e true
is "repair of the first finds nothing" "$(nodectl repair --dry-run 2>&1)" ""
is "nor that of the second" "$(second repair --dry-run 2>&1)" ""
exits 0 "diff of the first" nodectl diff one
exits 0 "diff of the second" second diff other

nft flush map inet nodectl-nodectl-two tcp4
exits 1 "a forward that is gone" second diff other
like "is named with its table" "$OUT" "inet nodectl-nodectl-two|forward"
exits 0 "the first misses nothing" nodectl diff one
exits 0 "--fix brings it back" second diff other --fix
check "it leads there again" banner "$(node_address)" $((22000 + id))

# ---- one that was given the ids of another
pid=$(field one .pid)
mkdir "$WORK/third"
sed "s,$WORK/second/storage,$WORK/third/storage,; s,/run/nodectl-live-two,/run/nodectl-live-three,
	s/^ids = .*/ids = $FIRST_ID-$LAST_ID/" "$WORK/second/node.conf" >"$WORK/third/node.conf"
third() {
	timeout --foreground -k 5 "${PATIENCE:-120}" "$NODECTL" --config "$WORK/third/node.conf" "$@"
}
check "a third node with the ids of the first" third init --quiet
OUT=$(third repair 2>&1)
is "its repair names the id, once" "$(grep -c "^id $(field one .id): a VPS of another node runs with it" <<<"$OUT")" 1
is "and nothing else" "$(grep -vc '^id ' <<<"$OUT")" 0
is "the first's VPS runs on" "$(field one .pid)" "$pid"
check "and answers" banner "$a" 22

check "the second's VPS goes" second destroy other --force --yes
check "the first's still answers" banner "$a" 22
is "and its rules stand" "$(nft -s list table inet nodectl | grep -E 'masquerade|drop')" "$rules"
second_leave
trap ended_early EXIT
finish
