#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Quotas that act: one that is used up throttles for real or suspends, is told once, and lifted.
. "$(dirname "$0")/lib.sh"
begin python3 nsenter faketime

flow=$TESTS/flow.py
rm -rf "$STORAGE"/usage.*
hooks=$(dirname "$NODECTL_CONFIG")/hooks
mkdir -p "$hooks"
cat >"$hooks/quota" <<END
#!/bin/sh
{ echo "\$NODECTL_VPS \$NODECTL_WHAT \$NODECTL_FROM \$NODECTL_TO"; cat; } >>$WORK/hook
END
chmod 755 "$hooks/quota"

check "create with a quota" nodectl create quo --rate-in 200M --rate-out 200M --traffic 40M \
	--traffic-action throttle:4M --start --wait 30
id=$(field quo .id)
address=$(field quo '.ipv4[0]')

# rate WAY SECONDS: in Mbit/s
rate() {
	timeout 60 python3 "$flow" "$1" "$(field quo .pid)" "$address" "$2" | awk '/^mean/ { print $2 / 1000000 }'
}

# between NAME LOW HIGH WAY: measured
between() {
	local try got=
	for try in 1 2 3; do
		got="$got $(rate "$4" 2)"
		awk -v got="${got##* }" -v low="$2" -v high="$3" 'BEGIN { exit !(got > low && got < high) }' && ok "$1" && return
	done
	not_ok "$1" "Mbit/s:$got"
}

told() {
	nodectl report quo -j | jq -r ".vps[0].$1"
}

# times TEXT: how often the log says that
times() {
	nodectl log quo | grep -c -- "$1"
}

definition=$(cat "$STORAGE/vps/quo/vps.conf")
check "sample" nodectl sample
is "nothing is done yet" "$(told quota_state)" ok

# ---- used up
rate in 2 >/dev/null
[ "$(cat "/sys/class/net/nv$id/statistics/tx_bytes")" -gt 42000000 ] || rate in 3 >/dev/null
is "no sample, no change" "$(field quo .quota.throttle)" 0
check "the sample that sees it" nodectl sample
is "throttles" "$(field quo .quota.throttle)" 4000000
is "as the report says" "$(told quota_state)" throttled
between "what comes in is as slow as it says" 2.6 4.8 in
between "what goes out too" 2.6 4.8 out
like "show tells" "$(nodectl show quo)" "traffic quota: used up: throttled to 4M"
is "the definition is what it was" "$(cat "$STORAGE/vps/quo/vps.conf")" "$definition"
is "nothing differs from it" "$(nodectl diff quo)" ""
is "and repair mends nothing" "$(nodectl repair 2>&1)" ""
is "it is in the log" "$(times 'traffic: .* used, which is all; throttled to 4M')" 1
is "the hook was told" "$(grep -c '^quo traffic ok over$' "$WORK/hook")" 1
is "with JSON" "$(grep '^{' "$WORK/hook" | jq -r '.what + " " + .to + " " + (.throttle | tostring)' | tail -n 1)" "traffic over 4000000"
check "further samples" nodectl sample
check "do it once" nodectl sample
is "only" "$(times 'which is all') $(grep -c over "$WORK/hook")" "1 2"

# ---- it stays
check "a restart" nodectl restart quo --timeout 0 --quiet
between "leaves it throttled" 2.6 4.8 in
check "a change of its rates" nodectl set quo --rate-in 100M --quiet
between "too" 2.6 4.8 in

# ---- killed between the decision and what follows from it
sed -i 's/^traffic-told = .*/traffic-told = ok/' "$STORAGE/vps/quo/quota"
tc qdisc del dev "nv$id" root 2>/dev/null
check "the next sample" nodectl sample
between "does what was decided" 2.6 4.8 in
is "and tells it" "$(times 'which is all')" 2

# ---- the next period, which comes for one sample only: the clock is set back after it
in=$(told traffic_in)
FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 faketime -f +40d "$NODECTL" sample >"$WORK/out" 2>&1
is "a sample of the next month" "$? $(cat "$WORK/out")" "0 "
is "lifts it" "$(field quo .quota.throttle)" 0
like "and says so" "$(nodectl log quo)" "traffic: .* of 40.*M used, well again"
is "its tenant reads the same" "$(inside quo cat /run/vps/status.json | jq -r '"\(.traffic.state) \(.traffic.throttle)"')" "ok null"
check "the clock is set back" nodectl sample
is "and it is throttled again" "$(field quo .quota.throttle)" 4000000
is "its tenant reads that" "$(inside quo cat /run/vps/status.json | jq -r '"\(.traffic.state) \(.traffic.throttle)"')" "throttled 4000000"
[ "$(($(told traffic_in) - in))" -lt 100000 ] && ok "no byte was counted twice" ||
	not_ok "no byte was counted twice" "$in $(told traffic_in)"

# ---- lifted
check "more traffic" nodectl traffic add quo 10G
is "is not throttled any more" "$(field quo .quota.throttle)" 0
between "it is as fast as before" 20 120 in
like "the log says so" "$(nodectl log quo)" "traffic: .* of 10[.0-9]*G used, well again"
is "what was added counts" "$(told quota_limit)" $((40 * 1048576 + 10 * 1073741824))
exits 21 "more of nothing is refused" nodectl traffic add quo nothing
exits 14 "so is more for nobody" nodectl traffic add nobody 1G

# ---- suspended
check "set another action" nodectl set quo --traffic-action suspend --traffic 1M --quiet
sed -i 's/^added = .*/added = 0/' "$STORAGE/vps/quo/quota"
check "sample" nodectl sample
check "it is stopped" state_is quo stopped
sed -i 's/^suspended = .*/suspended = no/' "$STORAGE/vps/quo/quota"
nodectl start quo --quiet
sed -i 's/^suspended = .*/suspended = yes/' "$STORAGE/vps/quo/quota"
check "a sample" nodectl sample
check "stops one that was not stopped when that was decided" state_is quo stopped
exits 105 "and cannot be started" nodectl start quo
like "with the way out" "$OUT" "traffic add quo SIZE"
check "sample again" nodectl sample
is "it was told once" "$(times 'which is all; suspended')" 1
check "more traffic" nodectl traffic add quo 10G
check "and it runs" state_is quo running

# ---- a disk
PATIENCE=30 shell quo 'dd if=/dev/zero of=/root/big bs=1M count=60 2>/dev/null; sync'
used=$(nodectl usage quo -j | jq '.vps[0].disk.used')
size=$(field quo '.limits.disk')
echo "warn = $((used * 100 / size > 1 ? used * 100 / size : 1))" >>"$NODECTL_CONFIG"
check "sample" nodectl sample
is "a disk at its threshold is told of" "$(times 'disk: .* a warning')" 1
shell quo 'rm /root/big; sync'
check "sample" nodectl sample
sed -i '/^warn = /d' "$NODECTL_CONFIG"
check "sample" nodectl sample
is "and that it is well again" "$(times 'disk: .* well again')" 1

# a hook that does not listen is not waited for
printf '#!/bin/sh\ntrap "" TERM\necho began >>%s\nsleep 1000\n' "$WORK/stubborn" >"$hooks/quota"
PATIENCE=30 shell quo 'dd if=/dev/zero of=/root/big bs=1M count=60 2>/dev/null; sync'
echo "warn = $((used * 100 / size > 1 ? used * 100 / size : 1))" >>"$NODECTL_CONFIG"
check "sample ends whatever the hook does" timeout $((25 * SLOW)) "$NODECTL" sample
is "which was run" "$(cat "$WORK/stubborn")" began
sed -i '/^warn = /d' "$NODECTL_CONFIG"

rm -rf "$hooks" "$STORAGE"/usage.*
finish
