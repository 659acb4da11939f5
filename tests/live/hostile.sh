#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a tenant who is root inside prepares for the operator's next command.
. "$(dirname "$0")/lib.sh"
begin
nodectl create evil --start --quiet || exit 1

# ---- links to what nodectl has open (CVE-2024-21626)
canary=$(mktemp /tmp/nodectl-canary.XXXXXX)
chmod 644 "$canary"
echo canary >"$canary"
up=../../../../../../../../../../../../tmp
reached=
for fd in $(seq 0 40); do
	shell evil "rm -rf /root /mnt; ln -s /proc/self/fd/$fd /root; ln -s /proc/self/fd/$fd/$up /mnt"
	[ "$(inside evil cat "$up/${canary#/tmp/}" 2>/dev/null)" = canary ] && reached+=" exec:$fd"
	nodectl exec -w "/proc/self/fd/$fd" evil -- cat "$up/${canary#/tmp/}" 2>/dev/null | grep -q canary && reached+=" cwd:$fd"
	nodectl pull evil "/mnt/${canary#/tmp/}" - 2>/dev/null | grep -q canary && reached+=" pull:$fd"
	nodectl push evil /etc/hostname "/mnt/${canary#/tmp/}.pushed" --quiet 2>/dev/null
	[ -e "$canary.pushed" ] && reached+=" push:$fd" && rm -f "$canary.pushed"
done
rm -f "$canary"
is "no descriptor of ours is a way to the node" "$reached" ""
shell evil 'rm -rf /root /mnt; mkdir /root /mnt'
nodectl push evil "$PROBE" /bin/probe --quiet
is "nor is one of ours open inside" "$(inside evil ls /proc/self/fd | tr '\n' ' ')" "0 1 2 3 "
(exec <&- >&- 2>&-; exec "$NODECTL" push evil /etc/hostname /root/closed)
is "without standard input and output nothing is mixed up" "$(inside evil cat /root/closed)" "$(cat /etc/hostname)"
mkfifo "$WORK/fifo"
echo fifo >"$WORK/fifo" &
like "a named pipe's path is not told" "$(inside evil sh -c 'readlink /proc/self/fd/0; cat' <"$WORK/fifo" | tr '\n' ' ')" '^pipe:.* fifo $'
wait
if command -v python3 >/dev/null; then
	like "no socket of the node's network gets in" "$(python3 - "$NODECTL" <<'EOF'
import socket, subprocess, sys
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen()
client = socket.create_connection(listener.getsockname())
command = [sys.argv[1], 'exec', 'evil', '--', 'readlink', '/proc/self/fd/0']
print(subprocess.run(command, stdin=client, stdout=subprocess.PIPE).stdout.decode())
EOF
	)" '^pipe:'
fi

# ---- processes of ours that are stopped as soon as they are inside
stop_all() {
	nodectl exec -T evil -- sh -c 'setsid probe stop-all </dev/null >/dev/null 2>&1 &'
}
stop_all
began=$SECONDS
OUT=$(for i in 1 2 3; do echo secret | nodectl passwd evil --password-stdin --quiet 2>&1; done)
took=$((SECONDS - began))
check "passwd does not wait for ever ($took s)" [ $took -le $((60 + 30 * SLOW)) ]
like "and says so" "$OUT" "does not answer|^$"
for i in 1 2 3 4 5; do
	timeout --foreground -s INT -k 5 1 "$NODECTL" exec -T evil -- true </dev/null >/dev/null 2>&1
	[ $? -ne 137 ] || not_ok "exec is ended by Ctrl-C" "it had to be killed"
done
kill -9 "$(sed -n 's/^monitor = //p' "$RUN/evil/run")"
check "kill ends a VPS that lets no new monitor in" timeout $((30 * SLOW)) "$NODECTL" kill evil
check "and it starts again" nodectl start evil --quiet

# ---- groups of its own that are in the way of commands from outside
check "it enables controllers for groups of its own, if it has any" shell evil 'cd /sys/fs/cgroup && mkdir -p all exec
	for i in 1 2 3 4 5; do
		for pid in $(cat cgroup.procs); do echo $pid >all/cgroup.procs; done
		for c in $(cat cgroup.controllers); do echo +$c; done >cgroup.subtree_control && break
	done 2>/dev/null; [ "$(cat cgroup.controllers)" = "$(cat cgroup.subtree_control)" ]'
commands_pass() {
	local began=$SECONDS
	check "exec with $1" inside evil true
	check "passwd with $1" bash -c "echo secret | $NODECTL passwd evil --password-stdin"
	check "push with $1" nodectl push evil /etc/hostname /root/pushed
	check "not one of them waits" [ $((SECONDS - began)) -le $((9 * SLOW)) ]
}
# by a process that is not in that group: it would freeze itself
in_exec() { shell evil "echo \$\$ 2>/dev/null >/sys/fs/cgroup/all/cgroup.procs; cd /sys/fs/cgroup/exec && { $1; } 2>/dev/null; true"; }
in_exec 'echo 1 >cgroup.freeze'
commands_pass "a frozen group"
in_exec 'echo 0 >cgroup.freeze; [ ! -e pids.max ] || echo 0 >pids.max'
commands_pass "a full group"
in_exec '[ ! -e pids.max ] || echo max >pids.max; mkdir -p more; for c in $(cat cgroup.controllers); do echo +$c >cgroup.subtree_control; done'
commands_pass "a group that takes no process"
in_exec 'rmdir more; cd ..; rmdir exec; i=0; while mkdir many$i; do i=$((i + 1)); done'
commands_pass "all the groups that there may be"
"$NODECTL" exec evil -- sleep 4714 &
slept=$!
eventually 5 sh -c "$NODECTL ps evil | grep -q sleep"
like "ps shows such a command" "$(nodectl ps evil)" 'sleep$'
like "and pid whose it is" "$(nodectl pid "$(nodectl ps evil -j | jq -r '.processes[] | select(.name == "sleep").pid' | head -n 1)")" '^[0-9]+ evil '
nodectl freeze evil --quiet
is "it is frozen with the VPS" "$(sed -n 's/^State:\t\([A-Z]\).*/\1/p; s/^frozen 1/frozen/p' "$(dirname "$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/x")/$(field evil .cgroup | sed 's,^/,,')/cgroup.events" | head -n 1)" frozen
nodectl thaw evil --quiet
check "and ended with it" nodectl kill evil
wait $slept
is "by a signal" $? 137
check "it starts again" nodectl start evil --quiet

# ---- a boot that never ends
shell evil "sed -i /dropbear/d /etc/inittab"
check "it stops" nodectl stop evil --force
later nodectl start evil --wait 12 --quiet 2>/dev/null
eventually 5 state_is evil running
init=$(field evil .pid)
shell evil 'reboot -f' >/dev/null 2>&1
check "one that reboots while 'start --wait' looks is started again" eventually 10 init_is_not evil "$init"
check "and can be stopped meanwhile" timeout $((10 * SLOW)) "$NODECTL" stop evil --force
wait "$LATER"
check "start" nodectl start evil --quiet
shell evil 'cp /bin/busybox /sbin/systemd; ln -sf systemd /sbin/init
	printf "#!/bin/sh\nsleep 300 & sleep 300\n" >/bin/systemctl; chmod 755 /bin/systemctl'
check "it stops" nodectl stop evil --force
began=$SECONDS
exits 133 "a systemctl that hangs is not waited for" timeout 60 "$NODECTL" start evil --wait 2
check "in time" [ $((SECONDS - began)) -le 40 ]

# ---- no inode left
nodectl create full --disk 64M --start --quiet
shell full 'mkdir /i; i=0; while : >/i/$i; do i=$((i + 1)); done 2>/dev/null'
for i in 1 2; do
	check "a VPS without a free inode stops ($i)" nodectl stop full --timeout 10
	check "and starts" nodectl start full
	is "having none for itself" "$(shell full 'touch /more 2>/dev/null || echo full')" full
done

nodectl stop full --force --quiet
# as volumes were before there were spare files
spares() {
	mkdir -p "$WORK/disk" && mount -o loop "$STORAGE/vps/$1/volume.img" "$WORK/disk" || return 1
	ls "$WORK/disk/spare" 2>/dev/null | wc -l
	[ -z "${2-}" ] || eval "$2"
	umount "$WORK/disk"
}
spares full 'rm -r "$WORK/disk/spare"; i=0; while : >"$WORK/disk/up/i/more$i"; do i=$((i + 1)); done 2>/dev/null' >/dev/null
exits 46 "an old volume without a free inode does not start" nodectl start full
like "and the way out is told" "$OUT" "no inode left to mount it; 'nodectl set' with a larger --disk makes more"
check "which is one" nodectl set full --disk 160M
check "it starts" nodectl start full
check "and stops" nodectl stop full --force
is "with files to spare from now on" "$(spares full)" 8

# ---- init where nobody looks for it
nodectl kill evil --quiet
check "create" nodectl create moved --start --quiet
init=$(field moved .pid)
echo "$init" >"$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/cgroup.procs"
check "init is killed in whatever group it is" nodectl kill moved
refuse "so that nothing of it is left" test -d "/proc/$init/root/bin"
check "and it starts again" nodectl start moved --quiet
mv "$BIN/nodectl-monitor" "$BIN/nodectl-monitor.away"
kill -9 "$(sed -n 's/^monitor = //p' "$RUN/moved/run")"
check "a VPS is stopped without a monitor when none can be had" nodectl stop moved --timeout 5
mv "$BIN/nodectl-monitor.away" "$BIN/nodectl-monitor"

# ---- a node whose /run is full, and a console that prints all the same
mkdir "$WORK/run" && mount -t tmpfs -o size=300k none "$WORK/run" || exit 1
sed "s,^run = .*,run = $WORK/run," "$NODECTL_CONFIG" >"$WORK/node.conf"
cp -r "$(dirname "$NODECTL_CONFIG")/plans" "$WORK/"
full() {
	NODECTL_CONFIG=$WORK/node.conf nodectl "$@"
}
full create tight --quiet
head -c 240k /dev/zero >"$WORK/run/fill"
check "with 60 KiB it starts" full start tight
head -c 300k /dev/zero >"$WORK/run/fill" 2>/dev/null
full exec -T tight -- sh -c 'i=0; while [ $i -lt 3000 ]; do echo 1234567890123456789012345678901234567890; i=$((i + 1)); done >/dev/console' </dev/null
is "its monitor lives on" "$(tr '\0' ' ' <"/proc/$(sed -n 's/^monitor = //p' "$WORK/run/tight/run")/cmdline" | cut -d' ' -f1-2)" "nodectl-monitor tight"
check "it is stopped with no room at all" full stop tight --timeout 5
is "and stays so" "$(sleep 1; full status tight)" "tight stopped"
exits 46 "what cannot start says why" full start tight
check "destroy" full destroy tight --yes
# what keeps lxcfs for the VPSs there goes a moment after the last of them
eventually 10 umount "$WORK/run" 2>/dev/null

finish
