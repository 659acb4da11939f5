#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Commands in a VPS: exit codes, streams, signals, terminals, and what they must not see.
. "$(dirname "$0")/lib.sh"
begin
nodectl create x --start --quiet || exit 1

# ---- exit codes
exits 0 "exec of true" inside x true
exits 1 "exec of false" inside x false
exits 42 "the command's own exit code" shell x 'exit 42'
exits 255 "255 too" shell x 'exit 255'
for signal in KILL:9 TERM:15 SEGV:11 INT:2 HUP:1; do
	exits $((128 + ${signal#*:})) "128 + N when killed by SIG${signal%:*}" shell x "kill -${signal%:*} \$\$"
done
exits 127 "127: not found" inside x nosuch
like "with the reason" "$OUT" "x: exec: .*'nosuch'"
exits 127 "127: a path that is not there" inside x /nosuch/program
exits 126 "126: not executable" inside x /etc/passwd
exits 126 "126: a directory" inside x /etc
exits 126 "126: a directory to start in that is not there" nodectl exec -w /nosuch x -- true
exits 20 "exec without a command" nodectl exec x
exits 0 "without --" nodectl exec x true
is "options of the command are the command's" "$(nodectl exec x echo -e -j --help)" "-j --help"

# ---- streams
is "standard output" "$(shell x 'echo out; echo err >&2' 2>/dev/null)" out
is "standard error" "$(shell x 'echo out; echo err >&2' 2>&1 >/dev/null)" err
is "their order in one file" "$(for i in 1 2 3 4 5; do
	shell x 'echo a; echo b >&2; echo c; echo d >&2' >"$WORK/order" 2>&1
	tr -d '\n' <"$WORK/order"
done)" "abcdabcdabcdabcdabcd"
is "standard input from a pipe" "$(echo in | inside x cat)" in
is "standard input from a file" "$(inside x cat <<<"in")" in
is "the end of standard input" "$(inside x wc -c </dev/null)" 0
head -c 10M /dev/urandom >"$WORK/data"
inside x cat <"$WORK/data" >"$WORK/back"
check "10 MB of binary data, by files" cmp "$WORK/data" "$WORK/back"
cat "$WORK/data" | inside x cat | cat >"$WORK/back"
check "10 MB of binary data, by pipes" cmp "$WORK/data" "$WORK/back"
is "10 MB in" "$(inside x md5sum <"$WORK/data" | cut -d' ' -f1)" "$(md5sum <"$WORK/data" | cut -d' ' -f1)"
timeout 20 bash -c "'$NODECTL' exec x -- yes | head -n 1" >"$WORK/yes" 2>/dev/null
is "yes | head ends" "$?:$(cat "$WORK/yes")" "0:y"
timeout 20 bash -c "head -c 3M /dev/zero | '$NODECTL' exec x -- head -c 1 | wc -c" >"$WORK/head" 2>/dev/null
is "a command that does not read all of its input" "$?:$(cat "$WORK/head")" "0:1"
inside x sh -c 'echo last; exec 1>&-; sleep 0.2' >"$WORK/last"
is "a command that closes its output" "$(cat "$WORK/last")" last
check "with standard input closed" bash -c "'$NODECTL' exec x -- true <&-"
check "with standard output closed" bash -c "'$NODECTL' exec x -- true >&-"
is "the streams can be opened by name" "$(echo in | inside x sh -c 'cat /dev/stdin; echo out >/dev/stdout; echo err >/dev/stderr' 2>&1 | tr '\n' ' ')" "in out err "
is "a child that stays does not keep exec" "$(timeout 10 "$NODECTL" exec x -- sh -c 'sleep 300 >/dev/null 2>&1 & echo done')" "done"
is "nor does one that keeps its streams" "$(timeout 10 "$NODECTL" exec x -- sh -c 'sleep 300 & echo done' 2>&1)" "done"
is "nor one that never stops printing" "$(timeout 10 "$NODECTL" exec x -- sh -c 'yes >&2 & echo done' 2>/dev/null)" "done"
# exec waits for it a quarter of a second, in which a busy machine may not let it
late() { [ "$(inside x sh -c '(while kill -0 $$; do :; done 2>/dev/null; echo late) & echo early' | tr '\n' ' ')" = "early late " ]; }
check "what comes just after the end is not lost" eventually 5 late
is "what the command had printed waits for its reader" "$(inside x sh -c 'head -c 60000 /dev/zero' | (sleep 1; wc -c))" 60000
exits 46 "output that cannot be written is a failure" sh -c "$NODECTL exec x -- echo lost >/dev/full"
like "which says so" "$OUT" "x: exec: cannot write standard output: No space left on device"
is "-n leaves a loop its list" "$(printf '%s\n' a b c | while read -r l; do nodectl exec -n x -- true; echo "$l"; done | tr '\n' ' ')" "a b c "
is "the command's input is empty then" "$(echo in | nodectl exec --no-stdin x -- wc -c)" 0
exits 21 "-n with a terminal" nodectl exec -n -t x -- true
inside x pkill sleep 2>/dev/null || shell x 'killall sleep' 2>/dev/null

# ---- environment
is "--env" "$(nodectl exec -e A=1 -e 'B=two words' x -- sh -c 'echo "$A $B"')" "1 two words"
exits 21 "--env without a value" nodectl exec -e A x -- true
is "--cwd" "$(nodectl exec -w /etc x -- pwd)" /etc
is "the usual directory is /root" "$(inside x pwd)" /root
is "nothing of the caller's environment" "$(SECRET=1 nodectl exec x -- env | grep -c SECRET)" 0
like "container= is set" "$(inside x env)" '^container=nodectl$'
like "PATH is set" "$(inside x env)" '^PATH=/usr/local/sbin:'
is "it is root" "$(inside x id -u)" 0
is "umask" "$(shell x umask)" 0022
is "no signal is blocked or ignored" "$(inside x grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '0\n\t')" "SigBlk:SigIgn:"
if command -v python3 >/dev/null; then
	# 32 and 33 are glibc's own, and only the raw call (13 on x86-64) ignores them
	ignoring='import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
for signal in 32, 33:
    libc.syscall(13, signal, ctypes.create_string_buffer(struct.pack("4Q", 1, 0, 0, 0)), None, 8)
os.execvp(sys.argv[1], sys.argv[1:])'
	is "nor one that the C library keeps for itself" "$(python3 -c "$ignoring" "$NODECTL" exec x -- grep SigIgn /proc/self/status </dev/null | tr -d '0\n\t')" "SigIgn:"
fi

# ---- nothing of the node
OUT=$(nodectl exec x -- ls -l /proc/self/fd 9</etc/passwd 8>"$WORK/eight" <"$WORK/data" 2>&1)
unlike "no path of the node among its descriptors" "$OUT" 'passwd|eight|/work|/tmp/|/run/|/var/lib'
unlike "no further descriptor" "$OUT" ' [4-9] ->'
is "its parent is not visible" "$(shell x 'grep PPid /proc/$$/status' | tr -d '\t')" "PPid:0"
unlike "nor any process of nodectl" "$(inside x ps)" 'nodectl'
is "the control group is the VPS's" "$(shell x 'grep -c "0::/$" /proc/self/cgroup')" 1

# ---- signals
signalled() {
	local pid
	"$NODECTL" exec x -- sh -c 'trap "echo got; exit 7" TERM; echo ready; while :; do sleep 0.1; done' >"$WORK/term" &
	pid=$!
	eventually 10 grep -q ready "$WORK/term"
	kill -TERM $pid
	wait $pid
}
signalled
is "SIGTERM for exec is for the command" "$?:$(tail -n 1 "$WORK/term")" "7:got"
"$NODECTL" exec x -- sleep 4711 &
pid=$!
eventually 10 shell x 'pgrep -f "sleep 4711" || ps | grep -q "[s]leep 4711"'
kill -TERM $pid
wait $pid
is "a command that SIGTERM ends" $? 143
refuse "is no longer there" shell x 'ps | grep "[s]leep 4711"'
"$NODECTL" exec x -- sleep 4712 &
pid=$!
eventually 10 shell x 'ps | grep -q "[s]leep 4712"'
kill -KILL $pid
wait $pid 2>/dev/null
no_4712() { ! shell x 'ps | grep "[s]leep 4712"'; }
check "kill -9 of exec ends the command too" eventually 5 no_4712

# ---- terminals
if command -v script >/dev/null; then
	# its input stays open: script(1) types the end of it into whatever the terminal is by then
	mkfifo "$WORK/keys"
	exec 7<>"$WORK/keys"
	tty() {
		timeout 30 script -qec "$*" /dev/null <&7 2>&1 7<&- | tr -d '\r'
	}
	like "with a terminal the command has one" "$(tty "$NODECTL exec x -- tty")" '^/dev/pts/[0-9]+$'
	like "-T: it has none" "$(tty "$NODECTL exec -T x -- tty")" 'not a tty'
	unlike "nor does it reach ours by /dev/tty" "$(tty "$NODECTL exec -T x -- sh -c 'echo LEAK >/dev/tty'")" '^LEAK'
	unlike "nor with a pipe" "$(tty "$NODECTL exec x -- sh -c 'echo LEAK >/dev/tty' | cat")" '^LEAK'
	is "the exit code comes through" "$(tty "sh -c '$NODECTL exec x -- sh -c \"exit 5\"; echo \$?'" | tail -n 1)" 5
	is "a signal too" "$(tty "sh -c '$NODECTL exec x -- sh -c \"kill -9 \\\$\\\$\"; echo \$?'" | tail -n 1)" 137
	like "the window's size is handed on" \
		"$(tty "sh -c 'stty rows 33 cols 77; $NODECTL exec x -- stty size'" | tail -n 1)" '^33 77$'
	rm -f "$WORK/typed"
	(eventually 10 shell x 'ps | grep -q "[s]leep 4713"' && printf '\003' >&7) &
	like "Ctrl-C ends what the command has started, too" \
		"$(tty "bash -c 'trap : INT; $NODECTL exec -T x -- sh -c \"sleep 4713; echo slept\"; echo got \$?'" | tail -n 1)" 'got 130$'
	wait $!
	is "the terminal is put back" \
		"$(tty "sh -c 'stty -g >$WORK/stty; $NODECTL exec x -- true; stty -g | cmp - $WORK/stty && echo same'" | tail -n 1)" same
	like "output that cannot be written ends it" \
		"$(tty "bash -c '$NODECTL exec -t x -- cat /dev/zero >/dev/full; echo got \$?'" | tr '\n' ' ')" 'cannot write standard output: No space.* got 46'
	like "nor does it hang when nobody takes it" "$(tty "$NODECTL exec -t x -- yes | head -n 1; echo over")" '^over$'
	like "TERM is handed on" "$(tty "env TERM=vt220 $NODECTL exec x -- sh -c 'echo \$TERM'")" vt220
	like "enter is a login shell of root" "$(printf 'id -un; pwd; exit 3\n' |
		timeout 30 script -qec "$NODECTL enter x" /dev/null 2>&1 | tr -d '\r')" '^root$'
	exec 7<&-
else
	skip "terminals" "'script' is not installed"
fi
exits 21 "--tty without a terminal" nodectl exec -t x -- true
is "enter without a terminal runs a shell on its input" "$(echo 'echo hello' | nodectl enter x)" hello

# ---- many
for i in $(seq 50); do
	"$NODECTL" exec x -- sh -c "echo line $i; exit $i" >"$WORK/many.$i" 2>&1 &
	pids[i]=$!
done
bad=0
for i in $(seq 50); do
	wait "${pids[i]}"
	[ $? -eq "$i" ] && [ "$(cat "$WORK/many.$i")" = "line $i" ] || bad=$((bad + 1))
done
is "50 at once, each with its own exit code and output" $bad 0
is "no process stays inside" "$(shell x 'ps | grep -c "[l]ine "')" 0

# ---- who calls it may ignore that children end, or block signals
exits 7 "a caller that ignores SIGCHLD gets the exit code" timeout $((10 * SLOW)) \
	env --ignore-signal=CHLD --block-signal=ALRM,TERM "$NODECTL" exec x -- sh -c 'exit 7'
nodectl create ignored --quiet
check "a VPS started by such a caller" env --ignore-signal=CHLD "$NODECTL" start ignored --quiet --wait 30
inside ignored poweroff
check "is stopped by its poweroff" eventually 20 state_is ignored stopped
unlike "and is not taken for one that crashed" "$(nodectl log ignored)" 'init ended: (crash|unknown)'

# ---- job control: as long as what has ended inside is not reaped, the VPS cannot end
"$NODECTL" exec ignored -- true 2>/dev/null
nodectl start ignored --quiet
"$NODECTL" exec ignored -- sleep 1000 >/dev/null 2>&1 &
pid=$!
eventually 5 shell ignored 'ps | grep -q "[s]leep 1000"'
for signal in TSTP TTIN TTOU; do kill -$signal $pid; done
check "of a VPS with a command that somebody wanted to suspend" timeout $((20 * SLOW)) "$NODECTL" stop ignored --force
wait $pid
is "that ends too" $? 137
nodectl start ignored --quiet
OUT=$(python3 -c '
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.execvp(sys.argv[1], sys.argv[1:])
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    while data := os.read(fd, 4096):
        sys.stdout.write(data.decode())
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))' timeout $((10 * SLOW)) "$NODECTL" exec -t ignored -- true 2>&1)
is "in the background there is no terminal for it" "$? $(tr -d '\r' <<<"$OUT")" "20 nodectl: ignored: exec: it is in the background, and has no terminal there"
nodectl destroy ignored --force --yes

# ---- a VPS that goes away
"$NODECTL" exec x -- sleep 1000 >/dev/null 2>&1 &
pid=$!
eventually 5 shell x 'ps | grep -q "[s]leep 1000"'
nodectl kill x --quiet
wait $pid
is "a VPS that is killed ends its commands" $? 137

# ---- what starts a VPS leaves nothing of itself in it
exec 9<"$WORK/data"
nodectl start x --quiet
exec 9<&-
like "init has no descriptor of the node's" \
	"$(ls -l "/proc/$(field x .pid)/fd" 2>&1 | grep -c "$WORK\|/work\|/etc/")" '^0$'
unlike "nor has the monitor" "$(ls -l "/proc/$(field x .monitor)/fd")" "$WORK/data"

finish
