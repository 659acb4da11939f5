#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A storm: clients do all sorts of things to the same VPSs, while whatever of nodectl runs is
# killed ten times a second.  Then one `repair`, and all is in order; who stood by saw nothing.
#
#	STORM=180 tests/run-live.sh -v storm	that many seconds; SEED=... the same choices again
. "$(dirname "$0")/lib.sh"
begin
STORM=${STORM:-20}
CLIENTS=${CLIENTS:-8}
COUNT=${COUNT:-20}
RANDOM=${SEED:=$((RANDOM * 32768 + RANDOM))}
echo "# SEED=$SEED STORM=$STORM CLIENTS=$CLIENTS COUNT=$COUNT"

nodectl plan create storm --memory 64M --tasks 100 --cpus 0.5 --disk 32M --quiet
for i in 1 2 3; do
	nodectl create "still$i" --plan storm --start --quiet || exit 1
done

# who a VPS that stands by is: init, since when, and whether what runs in it was ever disturbed
shell still1 'setsid sh -c "while :; do date +%s >>/root/beats; sleep 1; done" >/dev/null 2>&1 </dev/null &'
stands() {
	local pid
	pid=$(field "$1" .pid)
	echo "$1 $pid $(cut -d ' ' -f 22 "/proc/$pid/stat") $(stat -Lc %i "/proc/$pid/ns/net")"
}
bystanders() { for i in 1 2 3; do stands "still$i"; done; }
before=$(bystanders)
conf=$(md5sum "$STORAGE"/vps/still*/vps.conf)

# something to do, by chance
deed() {
	local name=s$((RANDOM % COUNT + 1))
	case $((RANDOM % 16)) in
	0 | 1 | 2) echo "create $name --plan storm" ;;
	3 | 4 | 5) echo "start $name" ;;
	6 | 7) echo "stop $name --force" ;;
	8) echo "restart $name --force" ;;
	9) echo "set $name --memory $((RANDOM % 64 + 48))M --tasks $((RANDOM % 100 + 60)) --rate-in $((RANDOM % 90 + 10))M" ;;
	10) echo "set $name --cpus 0.$((RANDOM % 8 + 2)) --disk $((RANDOM % 24 + 32))M" ;;
	11) echo "exec $name -- true" ;;
	12) echo "freeze $name" ;;
	13) echo "thaw $name" ;;
	14) echo "passwd $name --password-stdin" ;;
	15) echo "destroy $name --force --yes" ;;
	esac
}

# odd STATUS WORDS CLIENT: what no command may end with
odd() { echo "$1 $2 ## $(tr '\n' ' ' <"$WORK/said.$3")" >>"$WORK/odd"; }

# What a command may answer: that it was killed, or a documented code.  Nothing takes longer than
# the waiting for those that were stopped in its way.
client() {
	local end=$((SECONDS + STORM)) words got
	RANDOM=$((SEED + $1))
	while [ $SECONDS -lt $end ]; do
		words=$(deed)
		# shellcheck disable=SC2086
		echo secret | timeout -k 5 $((60 * SLOW)) "$NODECTL" $words >"$WORK/said.$1" 2>&1
		got=$?
		echo "$got ${words%% *}"
		case $got in
		0 | 137 | 3 | 9 | 14 | 21 | 31 | 32 | 33 | 36 | 44 | 46 | 126 | 127) ;;
		# of a create that was killed the port is repair's to give back
		78) grep -q ': create: host port .* is published by' "$WORK/said.$1" || odd "$got" "$words" "$1" ;;
		*) odd "$got" "$words" "$1" ;;
		esac
		# system errors are looked at by people
		[ $got -ne 3 ] || echo "$words ## $(tr '\n' ' ' <"$WORK/said.$1")" >>"$WORK/errors"
	done
}

: >"$WORK/odd" && : >"$WORK/errors"
began=$SECONDS
for ((i = 0; i < CLIENTS; i++)); do
	client $i >"$WORK/client.$i" 2>/dev/null &
	pids[i]=$!
done
"$PROBE" killer "$BIN/nodectl" 100 "$STORM" "$SEED" >"$WORK/killed" &
killer=$!
for ((i = 0; i < CLIENTS; i++)); do wait "${pids[i]}"; done
wait $killer
is "no command crashed, hung, or said what no command says" "$(cat "$WORK/odd")" ""
echo "# $(cat "$WORK"/client.* | wc -l) commands in $((SECONDS - began)) s, $(cat "$WORK"/client.* | grep -c '^0 ') of them well; killed: $(sort "$WORK/killed" | uniq -c | xargs)"
sort "$WORK/errors" | sed 's/[0-9][0-9]*/N/g' | uniq -c | sort -rn | head -n 12 | sed 's/^/# system error: /'
check "some were killed ($(wc -l <"$WORK/killed"))" [ "$(wc -l <"$WORK/killed")" -ge "$STORM" ]

# what was forked and not killed goes on by itself; when it is through there is one repair
quiet() { ! find /proc/[0-9]*/exe -maxdepth 0 -lname "$NODECTL" -printf '%h\n' 2>/dev/null | sed 's,/exe,,' | xargs -rI{} sh -c 'tr "\0" " " <{}/cmdline' | grep -v @view | grep -q .; }
eventually 15 quiet
nodectl repair >"$WORK/repaired" 2>&1
is "one repair mends all" "$?" 0
echo "# repair found $(wc -l <"$WORK/repaired") things"
is "a second one finds nothing" "$(nodectl repair --dry-run 2>&1)" ""

is "those that stood by are who they were" "$(bystanders)" "$before"
is "their definitions too" "$(md5sum "$STORAGE"/vps/still*/vps.conf)" "$conf"
check "what ran in one ran on, without a gap" shell still1 \
	"awk 'NR > 1 && \$1 - last > $((5 * SLOW)) { exit 1 } { last = \$1 }' /root/beats && [ \$((\$(date +%s) - \$(tail -n 1 /root/beats))) -le $((5 * SLOW)) ]"
for i in 1 2 3; do
	check "a command enters still$i" inside "still$i" true
done

# every definition can be read, and no VPS is in a state that has no name
list=$(nodectl list -j)
is "every VPS is stopped, runs or is frozen" "$(jq -r '.vps[] | select(.state | IN("stopped", "running", "frozen") | not) | "\(.name) \(.state)"' <<<"$list")" ""
is "and there are as many as directories" "$(jq '.vps | length' <<<"$list")" "$(find "$STORAGE/vps" -mindepth 1 -maxdepth 1 ! -name '.*' | wc -l)"
for name in $(jq -r '.vps[].name' <<<"$list"); do
	nodectl show "$name" -j 2>&1 | jq -e '.error == null' >/dev/null || not_ok "show $name" "$(nodectl show "$name" 2>&1)"
done
books() {
	nodectl list -j | jq -c '[([.vps[].promised.guaranteed.memory] | add), ([.vps[].promised.max.tasks] | add), ([.vps[].promised.max.memory] | add)]'
	nodectl capacity -j | jq -c '[.resources[] | (select(.name == "memory").guaranteed)] + [.resources[] | select(.name == "tasks").max] + [.resources[] | select(.name == "memory").max]'
}
is "the ledger is the sum of all definitions" "$(books | sed -n 2p)" "$(books | sed -n 1p)"
sums=$(nodectl capacity -j)
rm -f "$RUN/.ledger"
is "and is so when it is made anew" "$(nodectl capacity -j | jq -c .resources)" "$(jq -c .resources <<<"$sums")"
is "definition and kernel are one" "$(nodectl diff 2>&1 | grep -v 'at the next start')" ""

# and all of them can be gone on with
nodectl thaw --all --quiet 2>/dev/null
bad=
for name in $(jq -r '.vps[].name | select(startswith("s") and (startswith("still") | not))' <<<"$list"); do
	OUT=$({ nodectl start "$name" --idempotent --quiet && inside "$name" true && nodectl stop "$name" --force --quiet; } 2>&1) ||
		bad+="$name: $OUT"$'\n'
done
is "each of them starts, takes a command and stops" "$bad" ""

nodectl destroy --all --force --yes --quiet
nodectl plan remove storm --quiet
finish
