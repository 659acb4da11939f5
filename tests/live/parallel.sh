#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Many commands at once.
. "$(dirname "$0")/lib.sh"
begin
COUNT=20

# smaller than is usual: they are many for the memory of the node in a box
for i in $(seq $COUNT); do
	"$NODECTL" create "p$i" --ip auto --memory 48M >"$WORK/create.$i" 2>&1 &
	pids[i]=$!
done
bad=0
for i in $(seq $COUNT); do
	wait "${pids[i]}" || { bad=$((bad + 1)); sed 's/^/# /' "$WORK/create.$i"; }
done
is "create x$COUNT at once" $bad 0
list=$(nodectl list -j)
distinct() { jq -r "$1" <<<"$list" | sort -u | grep -c .; }
is "distinct ids" "$(distinct '.vps[].id')" $COUNT
is "distinct addresses" "$(distinct '.vps[].ipv4[]')" $COUNT
is "distinct ports" "$(distinct '.vps[].publish[]')" $COUNT
six=$(distinct '.vps[].ipv6[]')
[ "$six" = 0 ] || is "distinct IPv6 addresses" "$six" $COUNT
check "start --all" nodectl start --all
is "all run" "$(nodectl list -H -o STATE | sort | uniq -c | awk '{ print $1, $2 }')" "$COUNT running"
bad=0
for i in $(seq $COUNT); do
	[ "$(inside "p$i" hostname)" = "p$i" ] || bad=$((bad + 1))
done
is "each is itself" $bad 0
is "each has its own init" "$(nodectl list -j | jq -r '.vps[].pid' | sort -u | wc -l)" $COUNT

# one name, many who want it
for i in $(seq 10); do
	"$NODECTL" create same >/dev/null 2>"$WORK/same.$i" &
	pids[i]=$!
done
won=0 refused=0
for i in $(seq 10); do
	wait "${pids[i]}"
	case $? in 0) won=$((won + 1)) ;; 44 | 9) refused=$((refused + 1)) ;; esac
done
is "one name at once: one gets it, the others are refused" "$won $refused" "1 9"
for i in $(seq 10); do
	"$NODECTL" start same >/dev/null 2>&1 &
	pids[i]=$!
done
won=0 refused=0
for i in $(seq 10); do
	wait "${pids[i]}"
	case $? in 0) won=$((won + 1)) ;; 32 | 9) refused=$((refused + 1)) ;; esac
done
is "start of one at once: one starts it" "$won $refused" "1 9"
for i in $(seq 10); do
	"$NODECTL" create "q$i" --ip "$(gateway4 | sed 's/\.[0-9]*\.[0-9]*$/.251.9/')" >"$WORK/said.$i" 2>&1 &
	pids[i]=$!
done
won=0 refused=0 odd=
for i in $(seq 10); do
	wait "${pids[i]}"
	got=$?
	case $got in 0) won=$((won + 1)) ;; 78) refused=$((refused + 1)) ;; *) odd+=" $got: $(cat "$WORK/said.$i");" ;; esac
done
is "one address at once: one gets it" "$won $refused$odd" "1 9"

# everything at once on the same VPSs, with readers and repair in between
for i in $(seq 6); do
	(for round in 1 2 3; do
		nodectl restart "p$i" --force --quiet
		nodectl stop "p$i" --force --quiet --idempotent
		nodectl start "p$i" --quiet --idempotent
	done) >"$WORK/storm.$i" 2>&1 &
	pids[i]=$!
done
(while [ ! -e "$WORK/enough" ]; do nodectl list; nodectl repair; nodectl show p1; done) >"$WORK/readers" 2>&1 &
readers=$!
bad=0
for i in $(seq 6); do wait "${pids[i]}" || bad=$((bad + 1)); done
: >"$WORK/enough"
wait $readers
is "restarts, readers and repair at once" "$bad$(cat "$WORK"/storm.*)" 0
unlike "repair takes no work under way for garbage" "$(cat "$WORK/readers")" 'no VPS with it|nobody has it|cut off|never created'
is "all of them run" "$(nodectl list -H -o STATE p1 p2 p3 p4 p5 p6 | sort -u)" running

check "stop --all" nodectl stop --all --force --idempotent
is "all are stopped" "$(nodectl list -H -o STATE | sort -u)" stopped
check "destroy --all" nodectl destroy --all --yes
is "none is left" "$(nodectl list -H)" ""

# who comes while others are at it waits until they are through, also for longer
later flock "$STORAGE/vps/.naming" sleep 12
eventually 5 bash -c "! flock -n '$STORAGE/vps/.naming' true"
check "a create waits for others" nodectl create waits --quiet
wait "$LATER"
nodectl destroy waits --yes --quiet

# and created, started and destroyed in parallel
bad=0
for i in $(seq $COUNT); do
	(nodectl create "r$i" --start --quiet && inside "r$i" true && nodectl destroy "r$i" --force --yes --quiet) >"$WORK/r.$i" 2>&1 &
	pids[i]=$!
done
for i in $(seq $COUNT); do
	wait "${pids[i]}" || { bad=$((bad + 1)); sed 's/^/# /' "$WORK/r.$i"; }
done
is "whole lives x$COUNT at once" $bad 0

# one that has the name of another which is just going
if command -v strace >/dev/null; then
	nodectl create again --quiet
	later strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:delay_enter=500000 \
		"$NODECTL" destroy again --yes --quiet
	eventually 5 nodectl create again --start --quiet
	wait "$LATER"
	is "a new VPS keeps what the one of its name before had" "$(nodectl status again)" "again running"
	is "its leases too" "$(nodectl repair --dry-run 2>&1)" ""
else
	skip "a name that is used again" "strace is not installed"
fi

finish
