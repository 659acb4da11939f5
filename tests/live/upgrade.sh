#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An upgrade: the programs are replaced while VPSs run and commands are under way.  Nothing
# restarts; commands are the new one's at once, the monitor at the VPS's next start.
# (With systemd's units and a package's steps: tests/node/only/systemd.sh.)
. "$(dirname "$0")/lib.sh"
begin sha256sum

# another file of the same program: a byte behind the end of it
newer() {
	cp "$1" "$1.new" && printf '\n' >>"$1.new" && chmod 755 "$1.new" && mv "$1.new" "$1"
}
upgrade() {
	local program
	for program in nodectl nodectl-monitor nodectl-import; do newer "$BIN/$program" || return 1; done
}
sum() { sha256sum <"$1" | cut -c 1-12; }
who() {
	local pid
	pid=$(field "$1" .pid)
	echo "$pid $(cut -d ' ' -f 22 "/proc/$pid/stat") $(stat -Lc %i "/proc/$pid/ns/mnt")"
}

nodectl create one --start --quiet --wait 30 || exit 1
nodectl create two --start --quiet --wait 30 || exit 1
init_one=$(who one) init_two=$(who two)
monitor_one=$(field one .monitor) monitor_two=$(field two .monitor)
old=$(sum "$BIN/nodectl-monitor")
shell two 'setsid sh -c "while :; do date +%s >>/root/beats; sleep 1; done" >/dev/null 2>&1 </dev/null &'

# what is under way while it happens
mkfifo "$WORK/keys"
"$NODECTL" exec one -- sh -c 'read line; echo "got $line"' <"$WORK/keys" >"$WORK/answer" 2>&1 &
under_way=$!
exec 8>"$WORK/keys"
check "all three programs are replaced" upgrade
is "the VPSs' inits are the same" "$(who one); $(who two)" "$init_one; $init_two"
is "and so are their monitors" "$(field one .monitor) $(field two .monitor)" "$monitor_one $monitor_two"
like "which are the old program" "$(readlink "/proc/$monitor_one/exe") $(sum "/proc/$monitor_one/exe")" "nodectl-monitor.* \(deleted\) $old"
echo hello >&8
exec 8>&-
wait $under_way
is "a command that was under way ends well" "$? $(cat "$WORK/answer")" "0 got hello"

# ---- the new one and VPSs of the old
check "exec" inside one true
check "push" nodectl push one /etc/hostname /root/pushed
check "passwd" bash -c "echo secret | $NODECTL passwd one --password-stdin"
check "set" nodectl set one --memory 72M --tasks 90
is "is in the kernel" "$(group_file "$(field one .id)" memory.max memory.limit_in_bytes) $(group_file "$(field one .id)" pids.max)" "$((72 << 20)) 90"
check "freeze and thaw" sh -c "$NODECTL freeze one && $NODECTL thaw one"
shell one 'echo after the upgrade >/dev/console'
heard() { nodectl log one --console | grep -q 'after the upgrade'; }
check "the console of the old monitor is read by the new one" eventually 5 heard
is "repair finds nothing to do" "$(nodectl repair --dry-run 2>&1)" ""
is "nor does diff" "$(nodectl diff 2>&1)" ""
is "nothing was restarted by all that" "$(who one); $(who two)" "$init_one; $init_two"

# ---- the next start
check "a reboot from inside" inside one reboot -f
check "it comes back" eventually 20 init_is_not one "${init_one%% *}"
new=$(sum "$BIN/nodectl-monitor")
is "with the new monitor" "$(sum "/proc/$(field one .monitor)/exe")" "$new"
[ "$new" != "$old" ] && ok "which is another file" || not_ok "which is another file"
is "the other VPS still has its own" "$(sum "/proc/$(field two .monitor)/exe") $(who two)" "$old $init_two"
kill -9 "$monitor_two"
adopted() { case $(field two .monitor) in null | "$monitor_two") return 1 ;; esac; }
check "a monitor that dies gets a successor" eventually 5 adopted
is "of the new program" "$(sum "/proc/$(field two .monitor)/exe")" "$new"
is "and the VPS does not notice" "$(who two)" "$init_two"
check "what runs in it ran on without a gap" shell two \
	"awk 'NR > 1 && \$1 - last > $((5 * SLOW)) { exit 1 } { last = \$1 }' /root/beats"

# ---- the program is not there for a while, as with a package manager that removes it first
init_one=$(who one)
mv "$BIN/nodectl" "$BIN/nodectl.away"
kill -INT "${init_one%% *}" 2>/dev/null # what ctrl-alt-del does: init reboots
gone() { [ ! -d "/proc/${init_one%% *}/root/bin" ]; }
check "a VPS reboots while there is no nodectl" eventually 20 gone
sleep 1
mv "$BIN/nodectl.away" "$BIN/nodectl"
check "it comes back as soon as there is one" eventually 20 init_is_not one "${init_one%% *}"
init_one=$(who one)
exec 8<>"$BIN/nodectl" # open for writing: it cannot be executed
kill -INT "${init_one%% *}" 2>/dev/null
check "a VPS reboots while nodectl is being written" eventually 20 gone
sleep 1
exec 8>&-
check "it comes back then, too" eventually 20 init_is_not one "${init_one%% *}"

# ---- ten upgrades while commands run
(for i in 1 2 3 4 5 6 7 8 9 10; do upgrade; sleep 0.2; done) &
upgrades=$!
bad=0 count=0
while kill -0 $upgrades 2>/dev/null; do
	count=$((count + 1))
	OUT=$({ nodectl restart one --force --quiet && inside one true && nodectl set one --tasks $((count % 50 + 60)) --quiet; } 2>&1) ||
		{ bad=$((bad + 1)) && echo "# $OUT"; }
done
wait $upgrades
is "$count restarts, commands and changes during ten upgrades" $bad 0
is "of which the bystander saw nothing" "$(who two)" "$init_two"
check "stop of a VPS by the last of them" nodectl stop two --timeout 10
check "and its start" nodectl start two
is "repair finds nothing then" "$(nodectl repair --dry-run 2>&1)" ""

finish
