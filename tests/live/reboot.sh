#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What becomes of a VPS whose init ends: reboot, poweroff, crash.
. "$(dirname "$0")/lib.sh"
begin
nodectl create re --start --quiet --wait 30 || exit 1
nodectl create once --restart no --start --quiet --wait 30 || exit 1
address=$(field re '.ipv4[0]')
port=$((22000 + $(field re .id)))

# ---- reboot
pid=$(field re .pid)
inside re sh -c 'echo kept >/root/file'
# what asks for it may be ended by it before it can say so
asked() {
	inside "$@"
	case $? in 0 | 129 | 137 | 143) return 0 ;; esac
	return 1
}
check "reboot inside" asked re reboot
check "it comes up again" eventually 30 init_is_not re "$pid"
booted re || not_ok "and boots"
is "with the same address" "$(field re '.ipv4[0]')" "$address"
like "inside too" "$(inside re ip -4 addr show dev eth0)" "inet $address/"
check "its forward leads to it" banner "$(node_address)" "$port"
is "files are kept" "$(inside re cat /root/file)" kept
is "it is one VPS still" "$(nodectl list -H -o NAME re)" re
like "the log says what happened" "$(nodectl log re)" 'init ended: reboot'
for i in 1 2 3; do
	pid=$(field re .pid)
	inside re reboot -f
	eventually 30 init_is_not re "$pid" || not_ok "reboot number $i"
done
ok "four reboots in a row are no crashes"
pid=$(field once .pid)
inside once reboot
check "restart=no does not forbid a reboot" eventually 30 init_is_not once "$pid"

# ---- nor is the node's configuration: somebody edits it
pid=$(field re .pid)
cp "$NODECTL_CONFIG" "$WORK/node.conf"
inside re sh -c '(sleep 1; reboot -f) >/dev/null 2>&1 </dev/null &'
echo "mode = nonsense" >>"$NODECTL_CONFIG"
eventually 10 test ! -e "/proc/$pid"
sleep 1
cat "$WORK/node.conf" >"$NODECTL_CONFIG"
check "one that reboots while node.conf is wrong comes up when it is right" eventually 30 init_is_not re "$pid"
booted re || not_ok "and boots then"

# ---- what it takes to start again is not there at that moment
# these were many reboots by now: they are forgotten
nodectl restart re --quiet --wait 30
pid=$(field re .pid)
nsenter -t "$pid" -m sleep 1000 &
holder=$!
background+=("$holder")
eventually 5 test "$(readlink "/proc/$holder/ns/mnt")" = "$(readlink "/proc/$pid/ns/mnt")"
inside re reboot
told() { nodectl log re | tail -n +"$1" | grep -q "$2"; }
lines=$(nodectl log re | wc -l)
sleep 17
kill "$holder"
check "a VPS whose disk is in use for a while comes back when it is not" eventually 60 told $((lines + 1)) 'starting again'
check "and runs" eventually 20 state_is re running

# ---- poweroff
check "poweroff inside" asked re poweroff
check "stops it" eventually 30 state_is re stopped
sleep 1
is "and it stays so" "$(nodectl status re)" "re stopped"
group_gone() { [ -z "$(leak_state 2>/dev/null | grep -E "control group.*/$(field re .id)$|interface nv$(field re .id)$")" ]; }
check "nothing of it is left in the kernel" eventually 5 group_gone
exits 31 "stop then" nodectl stop re
check "start then" nodectl start re --wait 30
inside re halt -f
check "halt stops it as well" eventually 30 state_is re stopped
nodectl start re --quiet --wait 30

# ---- crash
pid=$(field re .pid)
kill -9 "$pid"
check "a crashed init is started again" eventually 30 init_is_not re "$pid"
booted re || not_ok "and boots"
is "with the same address" "$(field re '.ipv4[0]')" "$address"
like "the log says so" "$(nodectl log re)" 'init ended: crash'
pid=$(field re .pid)
kill -9 "$pid"
check "so is one that crashes again" eventually 60 init_is_not re "$pid"
booted re || not_ok "and boots"
asked re poweroff
check "and of that error nothing stays" eventually 30 state_is re stopped
nodectl start re --quiet --wait 30
pid=$(field once .pid)
kill -9 "$pid"
check "with restart=no it is not" eventually 30 state_is once "error: init crashed"
is "list shows the error" "$(nodectl list -H -o STATE once)" error
like "so does show" "$(nodectl show once)" 'error: init crashed'
sleep 1
is "and it stays so" "$(nodectl status once)" "once error: init crashed"
check "start of it" nodectl start once
is "clears the error" "$(nodectl status once)" "once running"
kill -9 "$(field once .pid)"
eventually 30 state_is once "error: init crashed"
exits 0 "stop of it" nodectl stop once
is "clears the error too" "$(nodectl status once)" "once stopped"

# ---- crash again and again
nodectl start once --quiet
shell once 'printf "#!/bin/sh\nexit 1\n" >/sbin/crasher; chmod 755 /sbin/crasher'
nodectl stop once --quiet --force
nodectl set once --init /sbin/crasher --restart on-crash --quiet
nodectl start once --quiet
check "an init that crashes each time is left alone" eventually 60 state_is once "error: init crashed too often"
like "the log says so" "$(nodectl log once)" 'crashed too often; left stopped'
nodectl start once --quiet
check "start forgets the crashes" eventually 60 state_is once "error: init crashed; it will be started again in a moment"
nodectl stop once --force --idempotent --quiet
nodectl set once --init /sbin/init --quiet
check "start of it, when it was mended" nodectl start once --wait 30
is "it runs" "$(nodectl status once)" "once running"

# ---- reboot again and again
rebooter='printf "#!/bin/sh\nreboot -f\n" >/sbin/rebooter; chmod 755 /sbin/rebooter'
shell once "$rebooter"
nodectl stop once --quiet --force
nodectl set once --init /sbin/rebooter --quiet
ends() { nodectl log once | grep -cE 'init (ended|rebooted)'; }
# waits SECONDS: it was told that it does, so long at most
waits() { nodectl status once | grep -Eq "^once error: init rebooted [0-9]+ times in 10 minutes; it will be started again within ($1) s\$"; }
waiter() { pgrep -f -- "--config $NODECTL_CONFIG @ended once "; }
unwaited() { ! waiter; }
before=$(ends)
lines=$(nodectl log once | wc -l)
nodectl start once --quiet
check "an init that reboots each time is to be started again" eventually 30 waits '[0-9]+'
sleep 20
after=$(ends)
[ $((after - before)) -ge 5 ] && [ $((after - before)) -le 12 ] && ok "and is, but not all the time ($((after - before)) times)" ||
	not_ok "and is, but not all the time" "$((after - before)) times"
[ $(($(nodectl log once | wc -l) - lines)) -le $((after - before + 6)) ] && ok "the log has a line for each" ||
	not_ok "the log has a line for each" "$(nodectl log once | tail -n +$((lines + 1)))"
check "the pauses grow" eventually 30 waits '(8|16|32)'
is "list shows them" "$(nodectl list -H -o STATE once)" error
like "so does show" "$(nodectl show once)" 'error: init rebooted'
exits 0 "stop --force in a pause" nodectl stop once --force
is "is a stop" "$(nodectl status once)" "once stopped"
check "and nobody waits any more" eventually 5 unwaited
before=$(ends)
more() { [ "$(ends)" -gt $((before + $1)) ]; }
nodectl start once --quiet
check "start forgets the reboots" eventually 15 more 2
check "a pause again" eventually 60 waits '(8|16|32)'
before=$(ends)
exits 0 "start in a pause" nodectl start once
check "is one, at once" eventually 10 more 0
check "a pause again" eventually 60 waits '(8|16|32)'
before=$(ends)
exits 0 "restart in a pause" nodectl restart once
check "is one as well" eventually 10 more 0
check "a pause again" eventually 60 waits '(8|16|32)'
exits 0 "repair then" nodectl repair
check "leaves it as it is" eventually 30 waits '(8|16|32)'
exits 0 "destroy --force in a pause" nodectl destroy once --force --yes
check "leaves nobody who waits" eventually 5 unwaited

# ---- an operator in between
nodectl restart re --quiet --wait 30
pid=$(field re .pid)
kill -9 "$pid"
nodectl stop re --force --quiet 2>/dev/null
sleep 2
if [ "$(nodectl status re)" = "re stopped" ] || [ "$(nodectl status re)" = "re running" ]; then
	ok "stop at the moment of a crash: one or the other"
else
	not_ok "stop at the moment of a crash: one or the other" "$(nodectl status re)"
fi
nodectl start re --quiet --idempotent
inside re reboot -f &
nodectl destroy re --force --yes --quiet
wait $!
sleep 1
exits 14 "destroy at the moment of a reboot: it stays gone" nodectl status re

finish
