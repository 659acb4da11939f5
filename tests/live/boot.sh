#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What comes up with the node, in which order, and how all goes down: `boot` and `shutdown`.
. "$(dirname "$0")/lib.sh"
begin
rm -f "$STORAGE/booted"

states() { nodectl list -H -o NAME,STATE -s NAME | awk '{ print $1 ":" $2 }' | xargs; }
running() { nodectl list -H -o STATE | grep -c '^running$'; }
# said OUTPUT: the names of its lines, in their order
said() { printf '%s\n' "$1" | sed -n 's/: \(running\|stopped\)$//p' | xargs; }

nodectl create last --onboot last --order 10 --start --quiet
nodectl create still --onboot last --order 20 --quiet
nodectl create always --onboot yes --order 30 --quiet
nodectl create never --onboot no --order 5 --start --quiet
nodectl create deaf --onboot last --order 1 --stop-timeout 2 --start --quiet
shell deaf 'printf "#!/bin/sh\ntrap : USR1 USR2 TERM PWR\necho deaf >/dev/console\nuntil rm /root/end 2>/dev/null; do sleep 1; done\n" >/sbin/deaf; chmod 755 /sbin/deaf'
nodectl set deaf --init /sbin/deaf --quiet
nodectl restart deaf --force --quiet
deaf() { nodectl log deaf --console | grep -q deaf; }
check "four are to run, and one that will not listen" eventually 20 deaf
is "boot would start what belongs up and is not, by --order" "$(nodectl boot --dry-run)" always
is "as JSON too" "$(nodectl boot --dry-run -j | jq -c '[.schema, .vps]')" '[1,["always"]]'
exits 0 "boot starts it" nodectl boot
is "and nothing else" "$(states)" "always:running deaf:running last:running never:running still:stopped"

# ---- shutdown: each in its turn
exits 0 "shutdown" nodectl shutdown --yes
is "stops them in the reverse of their order" "$(said "$OUT")" "always last never deaf"
is "all of them" "$(states)" "always:stopped deaf:stopped last:stopped never:stopped still:stopped"
unlike "who was asked and listened was not killed" "$(nodectl log last; nodectl log always)" 'killed'
like "who did not was, when its time was up" "$(nodectl log deaf | tail -n 1)" 'killed'
is "boot would start what ran, and what always runs" "$(nodectl boot --dry-run | xargs)" "deaf last always"

# ---- boot --once: what a unit does
exits 0 "boot --once" nodectl boot --once
is "starts them" "$(states)" "always:running deaf:running last:running never:stopped still:stopped"
is "all of them" "$(nodectl list -j | jq -r '[.vps[] | select(.state == "running")] | length')" 3
nodectl stop always --force --quiet
exits 0 "boot --once again" nodectl boot --once
is "starts nothing that the operator has stopped since" "$(nodectl status always)" "always stopped"
nodectl shutdown --yes --quiet --force
exits 0 "boot --once after a shutdown, as by soft-reboot" nodectl boot --once
is "starts what went down with the node" "$(states)" "always:running deaf:running last:running never:stopped still:stopped"
nodectl stop always --force --quiet
exits 3 "boot that cannot say what it did" bash -c "'$NODECTL' boot >/dev/full"
nodectl stop always --force --quiet
exits 0 "boot without it" nodectl boot
is "does" "$(nodectl status always)" "always running"

# ---- within a bound
nodectl set deaf --stop-timeout 60 --quiet
eventually 20 deaf
began=$SECONDS
exits 0 "shutdown --timeout" nodectl shutdown --yes --timeout 4
took=$((SECONDS - began))
[ $took -ge 2 ] && [ $took -le 30 ] && ok "takes as long, whatever a VPS wants ($took s)" || not_ok "takes as long, whatever a VPS wants" "$took s"
is "and leaves none" "$(running)" 0
exits 0 "shutdown of nothing" nodectl shutdown --yes
is "says nothing" "$OUT" ""
is "a stop by the operator is for good" "$(nodectl start last --quiet; nodectl stop last --force --quiet; nodectl boot --dry-run | xargs)" "deaf always"

# ---- a shutdown, or a restart, that is cut off forgets nobody
nodectl start deaf --quiet && eventually 20 deaf
cut_off() {
	setsid "$NODECTL" "$@" --timeout 60 >/dev/null 2>&1 &
	local group=$!
	eventually 20 grep -q '^stop' "$RUN/deaf/intent"
	kill -9 -- "-$group"
	wait "$group" 2>/dev/null
}
cut_off shutdown --yes
is "it runs on" "$(nodectl status deaf)" "deaf running"
is "and repair lets it be started again by a reboot" "$(nodectl repair >/dev/null; ls "$RUN/deaf" | grep -x down; nodectl repair --dry-run)" ""
shell deaf ': >/root/end'
check "it may have been asked, and powers off later" eventually 20 state_is deaf stopped
like "then the next boot starts it" "$(nodectl boot --dry-run | xargs)" deaf
nodectl start deaf --quiet && eventually 20 deaf
cut_off restart deaf
pid=$(field deaf .pid)
inside deaf reboot -f
check "a reboot after a restart that was cut off brings it back" eventually 30 init_is_not deaf "$pid"
eventually 20 deaf
refuse "of which nothing stays" test -e "$RUN/deaf/returns"
# nobody takes hold of it in between, as a command does that enters it
pid=$(field deaf .pid)
shell deaf '(until [ -e /root/now ]; do sleep 0.2; done; rm /root/now; reboot -f) >/dev/null 2>&1 </dev/null &'
cut_off shutdown --yes
nsenter -t "$pid" -U -m -S 0 -G 0 touch /root/now || not_ok "it is told to reboot"
check "a reboot after a shutdown that was cut off brings it back" eventually 30 init_is_not deaf "$pid"
eventually 20 deaf
# it was killed before it had said what it is at
pid=$(field deaf .pid)
shell deaf '(until [ -e /root/now ]; do sleep 0.2; done; rm /root/now; reboot -f) >/dev/null 2>&1 </dev/null &'
touch "$RUN/deaf/down"
nsenter -t "$pid" -U -m -S 0 -G 0 touch /root/now || not_ok "it is told to reboot"
check "and after one that came to nothing but its mark" eventually 30 init_is_not deaf "$pid"
eventually 20 deaf
touch -d '-20 minutes' "$RUN/deaf/returns"
shell deaf ': >/root/end'
check "powered off long after one that was cut off" eventually 20 state_is deaf stopped
unlike "it is not started by the next boot" "$(nodectl boot --dry-run | xargs)" deaf
nodectl start deaf --quiet && eventually 20 deaf
cut_off shutdown --yes
kill -9 "$(sed -n 's/^init = //p' "$RUN/deaf/run")"
check "one that ended after it was cut off" eventually 20 state_is deaf stopped
like "is started by the next boot" "$(nodectl boot --dry-run | xargs)" deaf

# ---- a stop that is cut off is one all the same; but not for ever
nodectl start deaf --quiet && eventually 20 deaf
pid=$(field deaf .pid)
shell deaf '(until [ -e /root/now ]; do sleep 0.2; done; rm /root/now; reboot -f) >/dev/null 2>&1 </dev/null &'
cut_off stop deaf
nsenter -t "$pid" -U -m -S 0 -G 0 touch /root/now || not_ok "it is told to reboot"
check "a reboot after a stop that was cut off brings it back" eventually 30 init_is_not deaf "$pid"
eventually 20 deaf
cut_off stop deaf
pid=$(field deaf .pid)
kill -9 "$(field deaf .monitor)" "$pid"
eventually 20 test ! -e "/proc/$pid"
rm "$STORAGE/vps/deaf/running" && mkdir "$STORAGE/vps/deaf/running"
exits 3 "repair of a stop that cannot be finished" nodectl repair
like "tells that" "$OUT" 'deaf: what was cut off cannot be finished'
like "and its log why" "$(nodectl log deaf)" "cannot finish a stop: cannot remove 'running': Is a directory"
exits 3 "nor is it started" nodectl start deaf
like "it is still there to be repaired" "$(nodectl repair --dry-run)" 'deaf: an operation was cut off'
rmdir "$STORAGE/vps/deaf/running" && touch "$STORAGE/vps/deaf/running"
is "one whose stop was cut off, and which has ended" "$(nodectl repair >/dev/null; nodectl status deaf)" "deaf stopped"
unlike "is not started by the next boot" "$(nodectl boot --dry-run | xargs)" deaf
nodectl start deaf --quiet && eventually 20 deaf
ended() { nodectl log deaf | grep -c 'init ended'; }
before=$(ended)
python3 -c '
import subprocess, sys, time
stop = subprocess.Popen([sys.argv[1], "stop", "deaf", "--timeout", "60"])
while True:
    try:
        if open(sys.argv[2] + "/deaf/intent").read().startswith("stop"):
            break
    except OSError:
        pass
    time.sleep(0.05)
stop.kill()
time.sleep(600)' "$NODECTL" "$RUN" &
background+=("$!")
zombie() { [ "$(ps -o stat= --ppid "$1" | cut -c1)" = Z ]; }
eventually 20 zombie "$!" || not_ok "a stop is killed that nobody waits for"
kill -9 "$(sed -n 's/^init = //p' "$RUN/deaf/run")"
more() { [ "$(ended)" -gt "$before" ]; }
check "a stop that was killed and that nobody has waited for keeps nobody from cleaning up" eventually 20 more
kill "$!"

# ---- somebody is at a VPS until the very end of the time
nodectl start deaf --quiet --idempotent && eventually 20 deaf
flock "$STORAGE/vps/deaf/lock" sleep 15 &
background+=("$!")
eventually 5 bash -c "! flock -n '$STORAGE/vps/deaf/lock' true"
exits 0 "shutdown asks for the last time when its time is up" nodectl shutdown --yes --timeout 12
is "and leaves none" "$(running)" 0

# ---- one that is broken does not keep the others down
mv "$STORAGE/vps/deaf/volume.img" "$STORAGE/vps/deaf/volume.gone"
nodectl create late --onboot yes --order 5000 --quiet
exits 3 "boot with one that cannot start" nodectl boot
like "names it" "$OUT" '^nodectl: deaf: '
is "and starts the others" "$(states)" "always:running deaf:stopped last:stopped late:running never:stopped still:stopped"
mv "$STORAGE/vps/deaf/volume.gone" "$STORAGE/vps/deaf/volume.img"
is "which the next boot tries again" "$(nodectl boot --dry-run)" deaf
cp "$STORAGE/vps/last/vps.conf" "$WORK/vps.conf"
echo nonsense >>"$STORAGE/vps/last/vps.conf"
exits 3 "boot with one of which nobody knows whether it belongs up" nodectl boot
like "names it" "$OUT" '^nodectl: last: '
cat "$WORK/vps.conf" >"$STORAGE/vps/last/vps.conf"
exits 0 "shutdown --force asks nobody" nodectl shutdown --yes --force
is "and leaves none running" "$(running)" 0

# ---- one that waits to be started again after a crash
nodectl create falls --start --quiet --wait 30
shell falls 'printf "#!/bin/sh\nexit 1\n" >/sbin/crasher; chmod 755 /sbin/crasher'
nodectl stop falls --quiet --force
nodectl set falls --init /sbin/crasher --quiet
nodectl start falls --quiet
check "one that crashes is to be started again" eventually 30 state_is falls "error: init crashed; it will be started again in a moment"
exits 0 "shutdown" nodectl shutdown --yes --timeout 10
starts() { nodectl log falls | grep -c 'starting again'; }
before=$(starts)
like "the next boot starts it" "$(nodectl boot --dry-run | xargs)" falls
sleep 9
is "and nothing else does" "$(starts)" "$before"
nodectl destroy falls --force --yes --quiet

# ---- one that is always just between two starts
nodectl create loops --start --quiet --wait 30
shell loops 'printf "#!/bin/sh\nreboot -f\n" >/etc/rc.local; chmod 755 /etc/rc.local'
inside loops reboot -f
bad=
for i in 1 2 3 4 5; do
	"$NODECTL" shutdown --yes --timeout 10 >"$WORK/said" 2>&1 || bad+=" $i: $(cat "$WORK/said")"
	sleep 1
	[ "$(running)" -eq 0 ] || bad+=" $i: it runs"
	nodectl start loops --quiet --idempotent
	sleep "0.$((i * 2 - 1))"
done
is "a VPS that reboots all the time is not missed" "$bad" ""

# ---- one that waits for its next start, for it reboots all the time
nodectl start loops --quiet --idempotent
waits() { nodectl status loops | grep -Eq 'init rebooted .* started again within (8|16|32) s$'; }
check "after many reboots there is a pause" eventually 60 waits
exits 0 "shutdown" nodectl shutdown --yes --timeout 10
waited() { ! pgrep -f -- "--config $NODECTL_CONFIG @ended loops "; }
check "ends it" eventually 5 waited
like "the next boot starts it" "$(nodectl boot --dry-run | xargs)" loops
lines=$(nodectl log loops | wc -l)
nodectl boot >/dev/null 2>&1
like "and it does" "$(nodectl log loops | tail -n +$((lines + 1)))" ' started$'

finish
