#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A tenant who presses on what the kernel, or nodectl, has one of (SECURITY.md D8, D11, D13, D15,
# D17, D20): his neighbour does his work meanwhile, `stop --force` ends him, nothing grows
# without bound.  Times are told and not judged.
. "$(dirname "$0")/../live/lib.sh"
begin python3 dmesg nsenter

nodectl plan create press --memory 48M --tasks 200 --cpus 0.5 --disk 128M --quiet
for name in evil victim third; do
	nodectl create $name --plan press --quiet || exit 1
done
nodectl start evil victim --quiet || exit 1
for name in evil victim; do
	nodectl push $name "$TENANT" /bin/tenant --quiet || exit 1
done
pid=$(field victim .pid)
# run TEXT: by the VPS itself, and not as a command from outside
run() { shell evil "setsid $1 >/root/said 2>&1 </dev/null &"; }
said() { shell evil 'cat /root/said' 2>/dev/null; }
p99() { inside victim tenant latency "${1:-1}" | cut -d ' ' -f 2; }
# ms COMMAND...: how long it takes
ms() {
	local began=${EPOCHREALTIME/./}
	"$@" >/dev/null 2>&1 </dev/null || echo "failed after "
	echo $(((${EPOCHREALTIME/./} - began) / 1000))
}
quiet=$(p99)
quiet_list=$(ms nodectl list) quiet_start=$(ms nodectl start third)
nodectl kill third --quiet
echo "# without any: the victim's p99 is $quiet us; list takes $quiet_list ms, a start $quiet_start ms"

# ---- D8, D11, D15, D20
storms() { shell evil 'ps' | grep -q '[t]enant storm'; }
storm() {
	local during listed started stopped
	run "tenant storm $2"
	[ -z "${3-}" ] || eventually 20 "$3"
	sleep 0.5
	check "$1: it is under way" storms
	during=$(p99)
	listed=$(ms nodectl list) started=$(ms nodectl start third)
	check "$1: another VPS starts" state_is third running
	check "$1: the victim is the same" [ "$(field victim .pid)" = "$pid" ]
	check "$1: and does its work" [ "${during:-0}" -gt 0 ]
	PATIENCE=$((30 * SLOW)) stopped=$(ms nodectl stop evil --force)
	check "$1: stop --force works" state_is evil stopped
	echo "# $1: the victim's p99 is $during us; list takes $listed ms, a start $started ms, stop --force $stopped ms"
	nodectl kill third --quiet
	nodectl start evil --quiet || exit 1
}
all_mounted() { said | grep -q all; }
mounted() { all_mounted || ! storms; }
storm "fsync and sync" fsync
storm "reclaim at the limit" reclaim
storm "namespaces" unshare
storm "mounts" mounts mounted
storm "split locks" splitlock

# ---- D13: the kernel's log
# logged WHAT [SECONDS]: what the node's log has got in a while of that storm
logged() {
	local mark="nodectl-live: $1 $$.$RANDOM"
	echo "$mark" >/dev/kmsg
	run "tenant storm $1"
	sleep "${2:-3}"
	shell evil 'killall tenant' >/dev/null 2>&1
	dmesg | grep -qF "$mark" || echo "more than there is room for"
	# not what others do on this machine meanwhile
	dmesg | sed "1,/$mark/d" | grep -E 'tenant|audit|martian|header|split|lock:|suppressed|eth0:? .*promiscuous'
}
# a pair of its own for the martians, which busybox cannot make
check "a pair of interfaces inside" nsenter -t "$(field evil .pid)" -n sh -c 'ip link add m0 type veth peer name m1 &&
	ip addr add 10.9.9.1/24 dev m0 && ip link set m0 up && ip link set m1 up'
for what in faults kills martians splitlock; do
	lines=$(logged $what)
	count=$(grep -c . <<<"$lines")
	echo "# $what: $count lines in the node's log in a while, like '$(head -n 1 <<<"$lines" | cut -c 1-100)'"
	case $what$(cat /proc/sys/debug/exception-trace 2>/dev/null) in
	faults1 | martians*) like "canary: $what are seen" "$lines" 'segfault|martian|suppressed' ;;
	esac
	check "D13: $what write no more than what the kernel allows in a moment ($count lines)" [ "$count" -le 60 ]
done
# what the kernel writes of interfaces knows no bound (README.md): the counter sees that
lines=$(logged promiscuous 1)
echo "# an interface that is promiscuous and is not, a thousand times: $(grep -c . <<<"$lines") lines, $(said)"
like "canary: a flood is seen" "$(wc -l <<<"$lines") $lines" '^([0-9]{3,} |1 more than)'

# ---- D17: nodectl itself
ours_run() {
	find /proc/[0-9]*/exe -maxdepth 0 -lname "$BIN/nodectl*" -printf '%h\n' 2>/dev/null |
		while read -r path; do echo "${path##*/} $(tr '\0' ' ' <"$path/cmdline")"; done 2>/dev/null | sort
}
before=$(ours_run)
# peak PID: of memory, in KiB
peak() { awk '$1 == "VmHWM:" { print $2 }' "/proc/$1/status" 2>/dev/null; }
bound=65536

mkfifo "$WORK/read" "$WORK/unread"
(head -c $(((bound + 1) << 10)) && touch "$WORK/through" && cat) <"$WORK/read" >/dev/null &
"$NODECTL" exec evil -- cat /dev/zero >"$WORK/read" &
endless=$!
background+=("$endless")
check "D17: more comes through than may be kept" eventually 20 test -e "$WORK/through"
check "D17: output without end is passed on in bounded memory ($(peak $endless) KiB)" [ "$(peak $endless)" -le $bound ]
kill $endless
sleep 60 <"$WORK/unread" &
reader=$!
background+=("$reader")
"$NODECTL" exec evil -- cat /dev/zero >"$WORK/unread" &
endless=$!
background+=("$endless")
sleep 1
check "D17: and so it is when nobody reads" [ "$(peak $endless)" -le $bound ]
kill $endless $reader

many=$((200 / SLOW)) pids=() answered=0 refused=0 odd=
for i in $(seq $many); do
	nodectl exec evil -- sleep 2 >"$WORK/said.$i" 2>&1 </dev/null &
	pids+=($!)
done
worst=0
for at in 1 2 3 4; do
	sleep 0.4
	for exe in $(find /proc/[0-9]*/exe -maxdepth 0 -lname "$BIN/nodectl" 2>/dev/null); do
		size=$(peak "$(basename "$(dirname "$exe")")")
		[ "${size:-0}" -le "$worst" ] || worst=$size
	done
done
check "canary: they were met" [ "$worst" -gt 0 ]
for i in $(seq $many); do
	wait "${pids[i - 1]}"
	status=$?
	if [ $status -eq 0 ]; then
		answered=$((answered + 1))
	elif [ "$(grep -c . "$WORK/said.$i")" = 1 ] && grep -q '^nodectl: evil: ' "$WORK/said.$i"; then
		refused=$((refused + 1))
	else
		odd+=" $status: $(head -c 200 "$WORK/said.$i");"
	fi
done
is "D17: of $many commands at once $answered ran, $refused were refused in words, and no other was" "$odd" ""
check "D17: each in bounded memory (at most $worst KiB)" [ "$worst" -le $bound ]
check "D17: many did run" [ $answered -ge 20 ]

long=$(head -c 120000 /dev/zero | tr '\0' a)
is "D17: arguments of a megabyte arrive" \
	"$(inside evil sh -c 'echo $# ${#8}' x "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" 2>&1)" "8 120000"
is "D17: nothing of a large environment does" "$(BIG=$long BIG2=$long inside evil sh -c 'env | grep -c BIG')" 0

listening=
for exe in $(find /proc/[0-9]*/exe -maxdepth 0 -lname "$BIN/nodectl*" 2>/dev/null); do
	for inode in $(find "$(dirname "$exe")/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null | tr -dc '0-9\n'); do
		grep -qsE "\b$inode\b" /proc/net/{tcp,tcp6,udp,udp6,raw,raw6,packet} && listening+=" $inode"
	done
done
is "D17: nothing of nodectl is open to any network" "$listening" ""
monitor=$(field evil .monitor)
cat >"$WORK/clients.py" <<'PY'
import os, socket, sys, time
os.chdir(os.path.dirname(sys.argv[1]))
held = []
for i in range(300):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.setblocking(False)
    try: s.connect('console')
    except OSError: pass
    held.append(s)
print('held', flush=True)
time.sleep(float(sys.argv[2]))
PY
python3 "$WORK/clients.py" "$RUN/evil/console" 3 >"$WORK/held" &
held() { grep -q held "$WORK/held"; }
check "300 connections to the console that say nothing" eventually 10 held
sleep 0.3
count=$(find "/proc/$monitor/fd" -mindepth 1 2>/dev/null | wc -l)
check "D17: the monitor holds few of them ($count descriptors, $(peak "$monitor") KiB)" [ "$count" -ge 1 -a "$count" -le 64 ]
check "D17: and its memory is bounded" [ "$(peak "$monitor")" -le $bound ]
check "the console's text is to be had meanwhile" nodectl log evil
wait $!
settled() { [ -z "$(comm -13 <(echo "$before") <(ours_run))" ]; }
eventually 15 settled
is "D17: nothing of all that is left" "$(comm -13 <(echo "$before") <(ours_run))" ""

# ---- threads of the kernel that poll before everybody else, at nobody's charge
state_is evil running || nodectl start evil --quiet
sets() { shell evil "exec 3<>$1 && echo some 150000 1000000 >&3"; }
inside evil mkdir -p /sys/fs/cgroup/mine
if nodectl doctor -j | jq -e '.features[] | select(.feature == "pressure-triggers-refused").present' >/dev/null; then
	for file in /proc/pressure/memory /proc/pressure/cpu /sys/fs/cgroup/memory.pressure /sys/fs/cgroup/mine/cpu.pressure; do
		inside evil test -e "$file" || continue
		refuse "no trigger of $file" sets "$file"
		check "which can be read" inside evil cat "$file"
	done
else
	like "doctor says that triggers of pressure are not refused" "$(nodectl doctor)" '^pressure-triggers-refused +NO +a hostile root'
fi
inside evil rmdir /sys/fs/cgroup/mine

is "the victim was never disturbed" "$(field victim .pid)" "$pid"
nodectl destroy --all --force --yes --quiet
nodectl plan remove press --quiet
finish
