#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of nodectl and of the monitor at any moment, and who waits for whom.
. "$(dirname "$0")/lib.sh"
begin
ROUNDS=${ROUNDS:-40}
RANDOM=${SEED:=$((RANDOM * 32768 + RANDOM))}
echo "# SEED=$SEED ROUNDS=$ROUNDS"

nodectl create bystander --start --quiet --wait 30 || exit 1
standing=$(field bystander .pid)
leak_state 2>/dev/null | sort >"$WORK/with-bystander"

undisturbed() {
	[ "$(field bystander .pid)" = "$standing" ] && inside bystander true
}

now() {
	case $(nodectl status victim 2>&1) in
	"victim running") echo running ;;
	"victim stopped") echo stopped ;;
	*"there is no VPS 'victim'"*) echo absent ;;
	*) nodectl status victim 2>&1 ;;
	esac
}

# bring it to the state in which a round begins
prepare() {
	local state
	state=$(now)
	[ "$state" = "$1" ] && return
	case $1 in
	absent) nodectl destroy victim --force --yes --quiet ;;
	stopped)
		[ "$state" = absent ] && nodectl create victim --quiet && return
		nodectl stop victim --force --quiet
		;;
	running)
		[ "$state" = absent ] && nodectl create victim --quiet
		nodectl start victim --quiet
		;;
	esac
}

# round BEFORE "AFTER..." COMMAND...: killed somewhere; then repair, and it is as before or as after
round() {
	local before=$1 after=$2 whom=one usec state out
	shift 2
	prepare "$before" || { trouble="cannot prepare: $(now)"; return 1; }
	usec=$((RANDOM % 12000 * SLOW))
	[ $((RANDOM % 2)) -eq 0 ] && whom=tree
	what="$* killed after $usec us ($whom)"
	"$PROBE" killat $usec $whom "$NODECTL" "$@" >"$WORK/killed"
	[ "$(cat "$WORK/killed")" = killed ] && killed=$((killed + 1))
	# what was forked and not killed goes on by itself, and holds the lock until it is through
	out=$(nodectl repair 2>&1) || { trouble="repair: $out"; return 1; }
	state=$(now)
	case " $before $after " in
	*" $state "*) ;;
	*)
		trouble="it is: $state"
		return 1
		;;
	esac
	# what survived the kill holds the lock until it is through, and repair does not wait for it
	settled() { [ -z "$(nodectl repair --dry-run 2>&1)" ] || { nodectl repair; return 1; }; }
	if ! eventually 5 settled; then
		trouble="repair --dry-run still says: $(nodectl repair --dry-run 2>&1)"
		return 1
	fi
	# one that was asked to stop may be on its way
	enters() { [ "$(now)" != running ] || out=$(inside victim true 2>&1); }
	eventually 10 enters || { trouble="exec: $out"; return 1; }
	undisturbed || { trouble="the bystander was disturbed"; return 1; }
	# whatever it is now, it can be gone on with
	return 0
}

kill_rounds() {
	local name=$1 i bad=0
	shift
	killed=0
	for i in $(seq "$ROUNDS"); do
		trouble=
		if ! round "$@"; then
			bad=$((bad + 1))
			[ $bad -le 5 ] && not_ok "$name: round $i" "$what: $trouble"
			nodectl destroy victim --force --yes --quiet 2>/dev/null
			nodectl repair >/dev/null 2>&1
		fi
	done
	is "$name: $ROUNDS times, $killed of them killed in time: before or after, and nothing else" $bad 0
}

no_victim() {
	nodectl destroy victim --force --yes --quiet 2>/dev/null
	same() {
		leak_state 2>/dev/null | sort >"$WORK/now"
		comm -13 "$WORK/with-bystander" "$WORK/now" >"$WORK/more"
		[ ! -s "$WORK/more" ]
	}
	if eventually 30 same; then ok "$1: nothing is left behind"; else not_ok "$1: nothing is left behind" "$(cat "$WORK/more")"; fi
}

kill_rounds "create" absent stopped create victim
no_victim "create"
kill_rounds "start" stopped running start victim
no_victim "start"
kill_rounds "stop --force" running stopped stop victim --force
no_victim "stop --force"
kill_rounds "destroy" stopped absent destroy victim --yes
no_victim "destroy"
ROUNDS=$((ROUNDS / 4))
kill_rounds "stop" running stopped stop victim --timeout 5
no_victim "stop"
kill_rounds "restart" running stopped restart victim --force
no_victim "restart"
# two steps, and stopped is between them
kill_rounds "destroy --force" running "stopped absent" destroy victim --force --yes
no_victim "destroy --force"
is "the bystander's init is the same" "$(field bystander .pid)" "$standing"

# repair itself is killed
nodectl create victim --quiet
bad=0
for i in $(seq 10); do
	"$PROBE" killat $((RANDOM % 12000 * SLOW)) tree "$NODECTL" start victim >/dev/null
	"$PROBE" killat $((RANDOM % 6000 * SLOW)) tree "$NODECTL" repair >/dev/null
	nodectl repair >/dev/null 2>&1
	case $(now) in running | stopped) ;; *) bad=$((bad + 1)) ;; esac
	OUT=$(nodectl repair --dry-run 2>&1)
	[ -z "$OUT" ] || eventually 5 settled || { bad=$((bad + 1)); echo "# $OUT"; }
	[ "$(now)" = stopped ] || nodectl stop victim --force --quiet
done
is "repair killed and run again" $bad 0

# without repair the next command puts it in order as well
bad=0
for i in $(seq 10); do
	"$PROBE" killat $((RANDOM % 12000 * SLOW)) tree "$NODECTL" start victim >/dev/null
	nodectl start victim --quiet --idempotent 2>"$WORK/err" && inside victim true || bad=$((bad + 1))
	"$PROBE" killat $((RANDOM % 12000 * SLOW)) tree "$NODECTL" stop victim --force >/dev/null
	nodectl stop victim --force --quiet --idempotent 2>>"$WORK/err" && [ "$(now)" = stopped ] || bad=$((bad + 1))
done
is "start and stop after a start and stop that were killed" $bad 0
[ $bad -eq 0 ] || sed 's/^/# /' "$WORK/err"

# ---- the monitor
# what the cut off ones have left in the sums over all VPSs is repair's
nodectl repair >/dev/null
nodectl start victim --quiet --wait 30
pid=$(field victim .pid)
monitor=$(field victim .monitor)
kill -9 "$monitor"
sleep 0.2
is "kill -9 of the monitor does not end the VPS" "$(nodectl status victim)" "victim running"
adopted() { case $(field victim .monitor) in null | "$monitor") return 1 ;; esac; }
check "status gives it a new one" eventually 5 adopted
is "with the same init" "$(field victim .pid)" "$pid"
is "repair has nothing to do" "$(nodectl repair --dry-run)" ""

# poll(2) refuses more descriptors than may be open
monitor=$(field victim .monitor)
ticks() { awk '{ print $14 + $15 }' "/proc/$monitor/stat"; }
check "it may open no more" prlimit --pid "$monitor" --nofile=4:
# what it waits in was begun before
timeout 2 "$NODECTL" console victim </dev/null >/dev/null 2>&1
before=$(ticks)
sleep 2
used=$(($(ticks) - before))
[ $used -lt 50 ] && ok "a monitor that cannot wait does not spin" || not_ok "a monitor that cannot wait does not spin" "$used ticks"
kill -9 "$pid"
check "and sees all the same that init has ended" eventually 10 sh -c "! grep -qs '^State:.[^Z]' /proc/$monitor/status"
nodectl repair >/dev/null
nodectl stop victim --force --idempotent --quiet
check "it starts again" nodectl start victim --quiet --wait 30
pid=$(field victim .pid)
is "repair has nothing to do then" "$(nodectl repair --dry-run)" ""

# ---- records of the node itself whose writer was killed
gone=$(bash -c 'echo $$')
plans=$(dirname "$NODECTL_CONFIG")/plans
mkdir -p "$STORAGE/networks" "$plans" "$STORAGE/templates/.skeleton.$gone/up" "$STORAGE/reports/2020-01"
for left in "$STORAGE/.usage.totals.$gone" "$STORAGE/networks/.lan.$gone" "$plans/.small.plan.$gone" \
	"$STORAGE/reports/2020-01/.usage.csv.$gone" "$(dirname "$NODECTL_CONFIG")/.node.conf.$gone" "$STORAGE/.booted.$$"; do
	echo half >"$left"
done
half() { nodectl repair "$@" 2>&1 | sed -n "s/^the node: '\(.*\)$gone' was never written whole$/\1/p" | sort | xargs; }
found=".lan. .node.conf. .skeleton. .small.plan. .usage.csv. .usage.totals."
is "records that were never whole are found" "$(half --dry-run)" "$found"
is "and removed" "$(half; half)" "$found"
check "one whose writer lives is not" [ -e "$STORAGE/.booted.$$" ]
rm -r "$STORAGE/.booted.$$" "$STORAGE/reports/2020-01"
ln -s ../sha256/none "$STORAGE/images/names/.half"
is "nor is an image's name" "$(nodectl repair; nodectl repair --dry-run)" "unfinished image name 'half'"
if [ "$(cat /sys/kernel/rcu_expedited)" = 0 ]; then
	ln -s 1 /sys/fs/bpf/nodectl/hurry && echo 1 >/sys/kernel/rcu_expedited
	is "RCU is as it was before somebody in a hurry was killed" "$(nodectl repair; nodectl repair --dry-run; cat /sys/kernel/rcu_expedited)" \
		"rcu_expedited: somebody who was killed has left it on"$'\n'0
fi

# ---- a stop that was killed, and whose number another process has got: the VPS is cleaned up
nodectl create stale --start --quiet || exit 1
link=nv$(field stale .id)
check "it has its interface" test -e "/sys/class/net/$link"
echo "stop $$ 1" >"$RUN/stale/intent"
kill -9 "$(sed -n 's/^init = //p' "$RUN/stale/run")"
is "a stale intent keeps nobody from cleaning up" "$(eventually 10 test ! -e "/sys/class/net/$link" && echo clean)" clean
nodectl destroy stale --force --yes --quiet

shell victim 'echo after adoption >/dev/console'
heard() { nodectl log victim --console | grep -q 'after adoption'; }
check "the console works again" eventually 5 heard
nodectl freeze victim --quiet
kill -9 "$(field victim .monitor)"
check "one that is frozen gets a monitor at once" timeout $((5 * SLOW)) "$NODECTL" show victim
check "and it watches" [ "$(field victim .monitor)" != null ]
nodectl thaw victim --quiet
shell victim 'echo after thaw >/dev/console'
heard() { nodectl log victim --console | grep -q 'after thaw'; }
check "and thawed, its console" eventually 5 heard
monitor=$(field victim .monitor)
kill -9 "$monitor"
eventually 5 sh -c "! grep -qs '^State:.[^Z]' /proc/$monitor/status"
is "repair finds a dead monitor" "$(nodectl repair)" "victim: its monitor is gone"
is "and then nothing" "$(nodectl repair --dry-run)" ""
inside victim reboot -f
check "reboot inside restarts it still" eventually 30 init_is_not victim "$pid"
booted victim
kill -9 "$(field victim .monitor)"
sleep 0.1
nodectl status victim >/dev/null
pid=$(field victim .pid)
inside victim poweroff
if nodectl doctor | grep -q '^how an adopted init ended *yes'; then
	check "after an adoption poweroff inside stops it" eventually 30 state_is victim stopped
	sleep 1
	is "and it stays so" "$(nodectl status victim)" "victim stopped"
	nodectl start victim --quiet --wait 30
else
	# nobody can tell once the machine's pid 1 has reaped it; what was not powered off must
	# come back
	either() { state_is victim stopped || init_is_not victim "$pid"; }
	check "after an adoption poweroff inside stops it, or is like a reboot" eventually 30 either
	sleep 1
	nodectl start victim --quiet --idempotent
	booted victim
fi
monitor=$(field victim .monitor)
"$NODECTL" exec victim -- sh -c 'sleep 0.5; poweroff' >/dev/null 2>&1 &
background+=($!)
eventually 5 shell victim 'ps | grep -q "[s]leep 0.5"'
kill -9 "$monitor"
sleep 3
check "poweroff without a monitor: it is stopped" eventually 20 state_is victim stopped
is "and repair leaves nothing" "$(nodectl repair >/dev/null; nodectl repair --dry-run)" ""
nodectl start victim --quiet --wait 30
kill -9 "$(field victim .monitor)" "$(field victim .pid)"
sleep 0.2
nodectl repair >/dev/null
case $(nodectl status victim) in
"victim stopped" | "victim running") ok "monitor and init killed at once: stopped or running" ;;
*) not_ok "monitor and init killed at once: stopped or running" "$(nodectl status victim)" ;;
esac
check "and start works" nodectl start victim --idempotent

# ---- what cannot be looked at is not said to be nobody's
nodectl start victim --quiet --idempotent
mv "$STORAGE/vps/victim" "$STORAGE/victim"
ln -s victim "$STORAGE/vps/victim"
exits 3 "repair of one that cannot be looked at" nodectl repair
like "says so" "$OUT" '^(nodectl: )?victim: cannot be looked at'
unlike "takes nothing of it for garbage" "$OUT" 'no such VPS|nobody has it|no VPS with it'
rm "$STORAGE/vps/victim"
mv "$STORAGE/victim" "$STORAGE/vps/victim"
is "and it is as it was" "$(nodectl repair --dry-run; nodectl status victim)" "victim running"

# ---- a run record that is damaged, while the VPS runs
nodectl start victim --quiet --idempotent
pid=$(field victim .pid) monitor=$(field victim .monitor) started=$(date -d "$(field victim .started)" +%s)
cp "$RUN/victim/run" "$WORK/run"
damage() {
	case $1 in
	garbage) head -c 300 /dev/urandom >"$RUN/victim/run" ;;
	cut) head -c 60 "$WORK/run" >"$RUN/victim/run" ;;
	empty) : >"$RUN/victim/run" ;;
	gone) rm "$RUN/victim/run" ;;
	"another init") sed -i 's/^init = .*/init = 2/' "$RUN/victim/run" ;;
	esac
}
for how in garbage cut empty gone "another init"; do
	damage "$how"
	like "a record ($how): status says error, not stopped" "$(nodectl status victim)" '^victim error: it runs, but its run record is damaged'
	damage "$how"
	exits 32 "start does not undo what runs" nodectl start victim
	is "the same init and monitor are found" "$(field victim .pid) $(field victim .monitor)" "$pid $monitor"
	damage "$how"
	check "a command finds it too" inside victim true
done
now=$(date -d "$(field victim .started)" +%s)
check "since when it runs is known still" [ $((now > started ? now - started : started - now)) -le 2 ]
damage gone
is "repair names it" "$(nodectl repair)" "victim: its run record is damaged"
is "and has mended it" "$(nodectl repair --dry-run; nodectl status victim)" "victim running"
rm -r "$RUN/victim"
check "stop of a VPS whose whole run directory is gone" nodectl stop victim --force
is "is a stop" "$(nodectl status victim)" "victim stopped"
check "start" nodectl start victim

# ---- locks
shell victim 'printf "%s\n" "#!/bin/sh" "trap : TERM USR1 USR2 PWR INT HUP" "while :; do sleep 1000 & wait; done" >/sbin/deaf; chmod 755 /sbin/deaf'
nodectl set victim --init /sbin/deaf --quiet
nodectl restart victim --force --quiet
"$NODECTL" stop victim --timeout 15 >/dev/null 2>&1 &
stopper=$!
background+=($stopper)
sleep 0.5
for reader in "status victim" "show victim" "list" "ps victim" "log victim" "exec victim -- true"; do
	# shellcheck disable=SC2086
	check "while stop holds the lock '${reader%% *}' answers" timeout 8 "$NODECTL" $reader
done
exits 9 "a second command waits, and then exits 9" nodectl start victim
like "naming the holder" "$OUT" "locked by 'nodectl stop' \(pid $stopper\)"
exits 0 "another VPS is not locked" timeout 3 "$NODECTL" set bystander --order 5
wait $stopper
is "the first has done its work" "$?:$(nodectl status victim)" "0:victim stopped"
check "and the lock is free" nodectl start victim
nodectl stop victim --force --quiet &
nodectl start victim --quiet --idempotent
wait
case $(now) in running | stopped) ok "stop and start at once: one after the other" ;; *) not_ok "stop and start at once" "$(now)" ;; esac

# ---- a number of init's that belongs to another by now
nodectl start victim --quiet --idempotent
cp "$RUN/victim/run" "$WORK/run"
sed -i "s/^init = .*/init = $standing/; s/^init-start = .*/$(grep ^init-start "$RUN/bystander/run")/" "$RUN/victim/run"
exits 31 "no command enters another VPS" nodectl exec victim -- hostname
like "and it is said why" "$OUT" "its init \\(process $standing\\) is not in its control group"
exits 31 "nor is a password set there" sh -c "echo x | $NODECTL passwd victim --password-stdin"
cp "$WORK/run" "$RUN/victim/run"
check "with the right one it does" inside victim true

# ---- a definition with the id of another
nodectl stop victim --force --quiet --idempotent
conf=$STORAGE/vps/victim/vps.conf
cp "$conf" "$WORK/conf"
sed -i "s/^id = .*/id = $(field bystander .id)/" "$conf"
exits 21 "a VPS with the id of another is not started" nodectl start victim
exits 3 "repair that only looks, and cannot look at one" nodectl repair --dry-run
like "tells" "$OUT" "victim: vps.conf: id .* is that of 'bystander'"
like "and says so at the end" "$OUT" '^nodectl: 1 of these could not be looked at$'
mkdir "$RUN/nobody"
exits 3 "repair that could not mend one" nodectl repair
like "names it" "$OUT" "victim: vps.conf: id .* is that of 'bystander'"
like "says so at the end" "$OUT" '^nodectl: 1 of these could not be mended$'
like "and goes on with the rest" "$OUT" "^$RUN/nobody: there is no such VPS$"
[ ! -e "$RUN/nobody" ] && ok "which is mended" || not_ok "which is mended"
OUT=$(nodectl repair -j 2>/dev/null)
is "in JSON, too" "$(jq -r '(.found // empty | length), (.error.code // empty)' <<<"$OUT" | tr '\n' ' ')" "1 3 "
cp "$WORK/conf" "$conf"
is "then all is well" "$(nodectl repair)" ""
nodectl start victim --quiet
sed -i "s/^id = .*/id = $(field bystander .id)/" "$conf"
check "such a VPS is stopped by its own id" nodectl stop victim --force
is "and not another" "$(field bystander .pid)" "$standing"
cp "$WORK/conf" "$conf"
is "then it is stopped" "$(nodectl status victim)" "victim stopped"

# ---- a definition that cannot be read, of a VPS that runs
nodectl set victim --init /sbin/init --quiet
cp "$conf" "$WORK/conf"
spoil() {
	case $1 in
	empty) : >"$conf" ;;
	cut) head -c 100 "$WORK/conf" >"$conf" ;;
	garbage) head -c 500 /dev/urandom >"$conf" ;;
	gone) rm "$conf" ;;
	esac
}
for how in empty cut garbage gone; do
	cp "$WORK/conf" "$conf"
	nodectl start victim --quiet --wait 30
	pid=$(field victim .pid)
	spoil $how
	like "a definition ($how): status says what is broken" "$(nodectl status victim 2>/dev/null)" "^victim error: .*(vps.conf|is missing)"
	like "and the way out" "$(nodectl status victim 2>&1 >/dev/null)" "'nodectl stop', 'kill' and 'destroy' still work; it was started with $RUN/victim/vps.conf"
	is "list goes on, and says error" "$(nodectl list -H -o NAME,STATE --sort name victim bystander 2>/dev/null | tr -s ' \n' ' ')" "bystander running victim error "
	check "show too" sh -c "$NODECTL show victim -j | jq -e '.state == \"error\" and .error != null'"
	refuse "start refuses" nodectl start victim
	like "and names the way" "$OUT" "see 'nodectl status victim'"
	refuse "restart does not stop what it could not start" nodectl restart victim --force
	[ -d "/proc/$pid/root/bin" ] && ok "it runs on" || not_ok "it runs on"
	check "stop works" nodectl stop victim --timeout 20
	like "with a warning" "$OUT" "^nodectl: going on without the definition: "
	[ ! -d "/proc/$pid/root/bin" ] && ok "nothing runs" || not_ok "nothing runs"
done
cp "$WORK/conf" "$conf"
nodectl start victim --quiet --wait 30
pid=$(field victim .pid)
spoil empty
kill -INT "$pid" 2>/dev/null # what ctrl-alt-del does: busybox' init reboots
comes_back() {
	local now
	now=$(sed -n 's/^init = //p' "$RUN/victim/run" 2>/dev/null)
	[ -n "$now" ] && [ "$now" != "$pid" ] && [ -d "/proc/$now/root/bin" ]
}
check "one that reboots by itself comes back as it was started" eventually 30 comes_back
check "kill works, without what it was started with too" sh -c "rm '$RUN/victim/vps.conf' && '$NODECTL' kill victim"
check "destroy --force works" nodectl destroy victim --force --yes
same() {
	leak_state 2>/dev/null | sort >"$WORK/now"
	comm -13 "$WORK/with-bystander" "$WORK/now" >"$WORK/more"
	[ ! -s "$WORK/more" ]
}
check "nothing is left of it" eventually 10 same
is "repair has nothing to do" "$(nodectl repair)" ""
nodectl create victim --quiet
: >"$conf"
check "destroy of a stopped one works" nodectl destroy victim --yes
check "nothing is left of it either" eventually 10 same
nodectl create victim --start --quiet
: >"$conf"
check "shutdown of the node stops it" nodectl shutdown --yes
is "and all others" "$(nodectl list -H -o STATE bystander)" stopped
nodectl destroy victim --yes --quiet 2>/dev/null
nodectl start bystander --quiet
standing=$(field bystander .pid)

# ---- repair while others work
churn() {
	local i
	for i in $(seq 6); do
		nodectl create "churn$1$i" --start --quiet
		nodectl stop "churn$1$i" --force --quiet
		nodectl destroy "churn$1$i" --yes --quiet
	done
}
# a view of itself is given to it a moment later where lxcfs is slow to start
calm() { [ -z "$(nodectl repair --dry-run 2>&1)" ]; }
check "nothing is to be repaired" eventually 30 calm
churn a &
one=$!
churn b &
while kill -0 $one 2>/dev/null; do nodectl repair --dry-run; done >"$WORK/named" 2>&1
wait
is "repair names nothing of what they do" "$(cat "$WORK/named")" ""

# ---- what cannot be read is no garbage
lease=$STORAGE/ids/$(field bystander .id)
mv "$lease" "$WORK/lease"
mkdir "$lease"
exits 3 "repair with a lease that cannot be read says so" nodectl repair
like "and which" "$OUT" "bystander: lease: cannot read '${lease##*/}'"
rmdir "$lease"
mv "$WORK/lease" "$lease"
is "and with it, it has nothing to say" "$(nodectl repair --dry-run 2>&1)" ""

is "the bystander was never disturbed" "$(field bystander .pid)" "$standing"

finish
