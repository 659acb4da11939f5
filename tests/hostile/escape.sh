#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a tenant who is root inside, or an image that is hostile, tries to reach of the node
# (SECURITY.md E2 to E10, E13, E17, E21, E23).  "canary" is the same attack on something
# that is not guarded: there it must succeed, or the test could not fail.
. "$(dirname "$0")/../live/lib.sh"
begin tar setpriv python3
# a directory of the node's that nobody inside has a name for, and that must stay as it is
PREY=$(mktemp -d /tmp/nodectl-prey.XXXXXX)
trap 'rm -rf "$PREY"; ended_early' EXIT
mkdir "$PREY/dir" && echo precious >"$PREY/dir/file" && echo precious >"$PREY/f" && chmod -R 755 "$PREY"
prey() { (cd "$PREY" && find . -printf '%p %m %u %s %y\n' | sort && cat f dir/file); }
untouched=$(prey)
sysctls() { cat /proc/sys/kernel/{core_pattern,modprobe,hotplug,sysrq,poweroff_cmd,domainname,hostname} /proc/sys/fs/suid_dumpable /proc/sys/vm/swappiness 2>/dev/null; }
settings=$(sysctls)
nodectl create evil --start --quiet && nodectl create other --start --quiet || exit 1
nodectl push evil "$TENANT" /bin/tenant --quiet || exit 1
bystander=$(field other .pid) init=$(field evil .pid)

# ---- E2: two hundred descriptors that are inherited
cat >"$WORK/fds.py" <<'PY'
import os, socket, subprocess, sys
held = [os.open(p, os.O_RDONLY) for p in ('/', '/root', '/etc/shadow', '/proc', '/sys') * 36]
held += [socket.socket(socket.AF_UNIX).detach() for _ in range(10)] + list(os.pipe()) * 5
for fd in held: os.set_inheritable(fd, True)
sys.exit(subprocess.run(sys.argv[1:], close_fds=False).returncode)
PY
like "canary: whoever inherits them has them" "$(python3 "$WORK/fds.py" sh -c 'ls /proc/self/fd | wc -l')" '^(19|2[0-9])[0-9]$'
foreign=0
for i in $(seq 10); do
	[ "$(python3 "$WORK/fds.py" "$NODECTL" exec evil -- ls /proc/self/fd | tr '\n' ' ')" = "0 1 2 3 " ] || foreign=$((foreign + 1))
done
is "E2: none of 190 inheritable descriptors is one of a command inside, ten times" $foreign 0
for i in 1 2 3; do
	python3 "$WORK/fds.py" "$NODECTL" restart evil --force --quiet
	eventually 10 inside evil true
	[ -z "$(shell evil 'ls -l /proc/1/fd' | grep -E 'shadow|socket|/root| /$|pipe')" ] || foreign=$((foreign + 1))
done
is "E2: nor of init, three starts" $foreign 0
init=$(field evil .pid)

# ---- E16: what whoever calls is: his groups, how he is laid out in memory, and where root may
# give it, that he goes before all others
strange() { setpriv --groups 64001,64002 setarch -R bash -c 'ulimit -r 50; ulimit -e 40; exec "$0" "$@"' "$@" 2>/dev/null; }
# shellcheck disable=SC2016
ways='for file in status limits personality; do cat /proc/$0/$file; done | grep -E "^(Groups|Max (nice|realtime) priority|[0-9a-f]{8}$)" | tr -s " \t\n" " "'
like "canary: on the node it is so" "$(strange sh -c "$ways" self)" '^Groups: 64001 64002 .*00040000'
plain="Groups: Max nice priority 0 0 Max realtime priority 0 0 00000000 "
is "E16: a command has nothing of the caller's groups, priorities and personality" \
	"$(strange "$NODECTL" exec evil -- sh -c "$ways" self)" "$plain"
strange "$NODECTL" restart evil --force --quiet
eventually 10 inside evil true
is "E16: nor has init" "$(inside evil sh -c "$ways" 1)" "$plain"
init=$(field evil .pid)

# ---- E3, E17: names that change while they are looked at
shell evil "mkdir -p /real /root/.ssh; cp -a /etc/. /real/; rm -rf /links; mkdir /links
	ln -s $PREY/dir /links/abs; ln -s ../../../../../../../../../../..$PREY/dir /links/rel; cp /etc/passwd /etc/shadow /etc/group /real/
	cp -a /etc /etc2; mkdir /t1; echo mine >/t1/file; ln -s $PREY/dir /t2"
TRIES=${TRIES:-15}
run() { shell evil "setsid $1 >/root/$2 2>&1 </dev/null &"; }
run "tenant swap /t1 /t2 $((60 + TRIES))" swap1
# a tool of the node that follows names of the tenant's by /proc/PID/root, as none of ours does
escaped=0
shell evil 'i=0; until pidof tenant || [ $i -gt 50 ]; do sleep 0.1; i=$((i + 1)); done' >/dev/null
for i in $(seq 200); do [ "$(cat "/proc/$init/root/t1/file" 2>/dev/null)" = precious ] && escaped=$((escaped + 1)); done
check "canary: a tool that follows the tenant's names escapes ($escaped of 200)" [ $escaped -gt 2 ]
shell evil "ln -s $PREY/dir /etc3"
run "tenant swap /etc /etc3 $((60 + TRIES))" swap2
run "tenant swap /root/.ssh /etc3 $((1 + TRIES / 2))" swap3
got=0 failures=
began=$SECONDS
for i in $(seq "$TRIES"); do
	nodectl pull evil /t1/file "$WORK/pulled" --quiet 2>/dev/null && [ "$(cat "$WORK/pulled")" = precious ] && got=$((got + 1))
	echo stolen | nodectl push evil - /t1/file --quiet 2>/dev/null
	echo "secret$i" | nodectl passwd evil --password-stdin --quiet 2>/dev/null
	[ "$(nodectl exec -w /t1 evil -- cat file 2>/dev/null)" = precious ] && got=$((got + 1))
	[ $((i % 5)) -eq 0 ] && nodectl set evil --hostname "evil$i" --nameserver 192.0.2.$i --quiet 2>/dev/null
done
is "E3, E17: $TRIES pulls, pushes, passwords and commands while names are swapped: nothing of the node is got" $got 0
is "E17: and nothing of it is changed" "$(prey)" "$untouched"
swaps=$(shell evil 'killall tenant; sleep 1; rm -f /etc3; [ -d /etc/init.d ] || [ -e /etc/passwd ] || mv /etc2 /etc; cat /root/swap* 2>/dev/null | paste -sd+' 2>/dev/null)
echo "# $((SECONDS - began)) s of swapping${swaps:+: $((swaps)) times}"
nodectl destroy evil --force --yes --quiet

# starts, on a tree that is a trap already
nodectl create evil --start --quiet && nodectl push evil "$TENANT" /bin/tenant --quiet || exit 1
for names in etc root run var tmp home; do
	shell evil "[ -L /$names ] || { cp -a /$names /$names.was 2>/dev/null; rm -rf /$names 2>/dev/null; mv /$names /$names.old 2>/dev/null; ln -s $PREY/dir /$names; }" >/dev/null 2>&1
	nodectl restart evil --force --quiet >/dev/null 2>&1
	nodectl exec evil -- true >/dev/null 2>&1
	echo x | nodectl passwd evil --password-stdin --quiet >/dev/null 2>&1
done
is "E17: starts of a VPS whose directories lead elsewhere write nothing of the node's" "$(prey)" "$untouched"
nodectl destroy evil --force --yes --quiet

# nor does one that has links where something is mounted for it, which it makes when nothing is
for names in run sys proc; do
	nodectl create trapped --start --quiet || exit 1
	check "it makes a link of /$names" shell trapped "umount -l /$names && mv /$names /$names.was && ln -s $PREY/dir /$names && sync"
	nodectl stop trapped --force --quiet
	refuse "E4 to E7: a VPS that has put a link in the place of /$names does not start" nodectl start trapped
	like "and it is told why" "$OUT" "'/$names' of the VPS"
	nodectl destroy trapped --force --yes --quiet
done
is "E4 to E7: nothing of the node is changed by that" "$(prey)" "$untouched"

# ---- E4 to E7: an image with links in the places of what is mounted
root=$(find "$STORAGE/images/sha256" -mindepth 2 -maxdepth 2 -name root | while read -r r; do [ "$(readlink -f "$STORAGE/images/names/mini")" = "$(dirname "$r")" ] && echo "$r"; done | head -n 1)
[ -n "$root" ] || root=$(find "$STORAGE/images/sha256" -mindepth 2 -maxdepth 2 -name root | head -n 1)
trap_image() {
	rm -rf "$WORK/tree" && mkdir "$WORK/tree" && cp -a "$root/." "$WORK/tree/" && (cd "$WORK/tree" && eval "$1") &&
		tar -C "$WORK/tree" -cf "$WORK/trap.tar" . 2>/dev/null
}
traps=0 started=0
while read -r what <&7; do
	trap_image "$what" || { not_ok "image: $what" && continue; }
	traps=$((traps + 1))
	if nodectl image import trap "$WORK/trap.tar" --quiet >"$WORK/said" 2>&1; then
		if nodectl create trapped --image trap --start --quiet >"$WORK/said" 2>&1; then
			started=$((started + 1))
			shell trapped 'echo written >/dev/console; : >/dev/null; ls /dev /proc /sys' >/dev/null 2>&1
		fi
		nodectl destroy trapped --force --yes --quiet 2>/dev/null
		nodectl image remove trap --quiet
	fi
	grep -q 'nodectl: ' "$WORK/said" || [ ! -s "$WORK/said" ] || not_ok "it says why: $what" "$(cat "$WORK/said")"
	[ "$(prey)" = "$untouched" ] || { not_ok "E4 to E7: an image with '$what'" "$(prey)" && untouched=$(prey); }
done 7<<EOT
rm -rf dev; ln -s $PREY/dir dev
rm -rf dev; ln -s ../../../../../../../../..$PREY/dir dev
rm -rf dev; ln -s / dev
rm -rf proc; ln -s $PREY/dir proc
rm -rf sys; ln -s $PREY/dir sys
rm -rf run; ln -s $PREY/dir run
rm -rf proc; mkdir proc; mkdir proc/self; ln -s $PREY/dir proc/self/fd; echo 1 >proc/mounts
mkdir -p dev; rm -rf dev/pts; ln -s $PREY/dir dev/pts; ln -sf $PREY/f dev/console; ln -sf $PREY/f dev/null
mkdir -p dev; ln -sf /proc/sys/kernel/core_pattern dev/null; ln -sf /proc/sysrq-trigger dev/console; ln -sf /proc/sysrq-trigger dev/ptmx
mkdir -p sys/fs; ln -s $PREY/dir sys/fs/cgroup
rm -rf etc; ln -s $PREY/dir etc
rm -rf root; ln -s $PREY/dir root
rm -f etc/shadow etc/passwd etc/hosts; ln -s $PREY/f etc/shadow; ln -s $PREY/f etc/hosts; ln -s $PREY/f etc/passwd; ln -sf $PREY/f etc/hostname; ln -sf $PREY/f etc/resolv.conf
rm -rf proc; ln -s self proc; rm -rf sys; ln -s sys sys
EOT
is "E4 to E7: $traps images with traps ($started started): nothing of the node is changed" "$(prey)" "$untouched"
is "nor any setting" "$(sysctls)" "$settings"
mkdir "$WORK/naive" && ln -s "$PREY/dir" "$WORK/naive/dev"
is "canary: whoever mounts by name meets the node" "$(unshare -m sh -c "mount -t tmpfs none '$WORK/naive/dev' && : >'$WORK/naive/dev/x' && ls $PREY/dir")" x

nodectl create evil --start --quiet && nodectl push evil "$TENANT" /bin/tenant --quiet || exit 1
init=$(field evil .pid) id=$(field evil .id)

# ---- E8: control groups
outer() {
	local path file
	for path in $(groups); do
		for path in "$path"/nodectl*/"$id"; do
			for file in "$path"/{memory,pids,cpu,io,blkio,cpuset}.*; do
				case $file in *max | *limit_in_bytes | *quota_us | *weight | *shares | *cpus) echo "$file $(cat "$file" 2>/dev/null | xargs)" ;; esac
			done
		done
	done
}
limits=$(outer)
check "E8: its limits are known ($(wc -l <<<"$limits"))" [ "$(wc -l <<<"$limits")" -ge 4 ]
# shellcheck disable=SC2016
shell evil 'mkdir -p /mnt/g; tenant groups /mnt/g >/root/mounted; mkdir -p /mnt/two; mount -t cgroup2 none /mnt/two
	for dir in /sys/fs/cgroup /mnt/two $(cat /root/mounted); do
		for file in $dir/*; do [ -f "$file" ] || continue; for value in max 999999999999 1 -1 /bin/evil; do echo "$value" >"$file"; done; done
		mkdir "$dir/sub"; echo 1 >"$dir/../cgroup.procs"; echo 1 >"$dir/sub/cgroup.procs"; echo /bin/evil >"$dir/release_agent"; echo 1 >"$dir/notify_on_release"
		echo 0 >"$dir/sub/memory.limit_in_bytes"; echo a >"$dir/devices.allow"; done' >/dev/null 2>&1
echo "# v1 hierarchies that could be mounted: $(shell evil 'wc -l </root/mounted')"
is "E8: after every value in every file its limits are what they were" "$(outer)" "$limits"
eventually 5 inside evil true
outside=$(for pid in $(nodectl ps evil -j | jq '.processes[].pid'); do sed 's/.*://' "/proc/$pid/cgroup" 2>/dev/null; done | grep -v "/$id\(/\|\$\)" | grep -v '^/$' | sort -u)
is "E8: no process of its is in another group" "$outside" ""
is "E8: no release agent is set" "$(for path in $(groups); do cat "$path/release_agent" 2>/dev/null; done | grep evil)" ""
refuse "E10: and no device was allowed by that" shell evil 'mknod /root/mem c 1 1'

# ---- E9: each file of proc and sys that opens for writing
# shellcheck disable=SC2046
written=$(inside evil tenant walk /proc /sys 2>/dev/null | sort -u)
like "canary: what is its own opens" "$written" '^/proc/sys/net/ipvN/ip_forward$'
like "canary: on the node more does" "$("$TENANT" walk /proc/sys/kernel)" '^/proc/sys/kernel/core_pattern$'
unknown=$(grep -vxE -f "$TESTS/../hostile/writable" <<<"$written")
is "E9: nothing but what is on the list does ($(wc -l <<<"$written") files)" "$unknown" ""
shell evil 'umount /proc/keys /proc/interrupts /proc/diskstats /proc/acpi /sys/firmware /sys/module /sys/power /sys/devices/virtual/powercap' >/dev/null 2>&1
bare=$(inside evil tenant walk /proc /sys 2>/dev/null | sort -u)
is "E9: nor when its masks are taken away ($(wc -l <<<"$bare") files)" "$(grep -vxE -f "$TESTS/../hostile/writable" <<<"$bare")" ""
is "E9: no setting of the node has changed" "$(sysctls)" "$settings"

# ---- E10: device nodes
for dir in /root /dev/shm; do
	like "E10: no device node can be made in $dir" "$(inside evil tenant nodes $dir)" '^[0-9]{5} tried, 0 made, 0 opened$'
done
mkdir "$WORK/nodes" && mount -t tmpfs none "$WORK/nodes"
like "canary: the node's root makes them" "$("$TENANT" nodes "$WORK/nodes" shut)" '^[0-9]{5} tried, [1-9][0-9]+ made, 0 opened$'
umount "$WORK/nodes"

# ---- E13: other users of the node
stranger() { setpriv --reuid 64123 --regid 64123 --clear-groups "$@"; }
reached=
for path in "$STORAGE/vps" "$STORAGE/vps/evil/volume.img" "$STORAGE/images" "$RUN" "$RUN/evil/run" "$RUN/evil/console" "/proc/$init/root/etc/passwd" "/proc/$init/cwd/etc" "/proc/$init/environ" "/proc/$init/fd"; do
	stranger cat "$path" >/dev/null 2>&1 && reached+=" $path"
	stranger ls "$path/" >/dev/null 2>&1 && reached+=" $path/"
done
is "E13: another user of the node reaches nothing of a VPS" "$reached" ""
check "canary: what is open he reads" stranger cat /etc/passwd
refuse "E13: nor does he use nodectl" stranger "$NODECTL" list
is "E13: nothing of ours is setuid" "$(find "$BIN" "$STORAGE" -xdev -perm /6000 -type f ! -path '*/images/*' 2>/dev/null)" ""

# ---- E21: names and output that drive a terminal
shell evil 'printf "\033[2J\033]0;owned\a\233\n" >/dev/console; hostname "$(printf "a\033[2Jb")"; setsid tenant name >/dev/null 2>&1 </dev/null &'
sleep 0.3
raw=$(printf '[\001-\010\016-\037\177]')
driven=
for words in "list" "show evil" "ps evil" "status evil" "log evil" "top -n 1" "net show evil" "pid $init"; do
	# shellcheck disable=SC2086
	nodectl $words 2>&1 </dev/null | grep -q "$raw" && driven+=" '$words'"
done
is "E21: nothing that a tenant chose drives the operator's terminal" "$driven" ""
check "canary: the process's name does, as it is" grep -q "$raw" "$(for pid in $(nodectl ps evil -j | jq '.processes[].pid'); do grep -lE "2Jx" "/proc/$pid/comm"; done 2>/dev/null | head -n 1)"

# ---- E23: signals
reached=$(inside evil tenant signals 2 100000)
own=$(shell evil 'ls -d /proc/[0-9]* | wc -l')
check "E23: of all process numbers it reaches its own ($reached of $own)" [ "$reached" -le $((own + 3)) ]
check "canary: which are some" [ "$reached" -ge 1 ]
shell evil 'kill -9 -1' >/dev/null 2>&1
is "E23: after 'kill -9 -1' inside the other VPS is as it was" "$(field other .pid)" "$bystander"
check "and the node's monitor of this one lives" test -d "/proc/$(field evil .monitor)"

is "the node's directory is as it was" "$(prey)" "$untouched"
rm -rf "$PREY"
trap ended_early EXIT
finish
