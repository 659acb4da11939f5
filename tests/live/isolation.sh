#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a VPS must not see, make or reach, and what it may do all the same.
. "$(dirname "$0")/lib.sh"
begin
nodectl create iso --start --quiet --wait 30 || exit 1
nodectl create other --start --quiet --wait 30 || exit 1
nodectl push iso "$PROBE" /bin/probe --quiet || exit 1
nodectl push other "$PROBE" /bin/probe --quiet || exit 1
init=$(field iso .pid)
id=$(field iso .id)

# ---- processes
# the shell, and two of its own; one of the VPS's may come or go between
all_own() { [ "$(shell iso 'ls -d /proc/[0-9]* | wc -l')" = "$(($(nodectl ps iso -j | jq '.processes | length') + 3))" ]; }
check "every process inside is the VPS's own" eventually 5 all_own
unlike "no process of the node by name" "$(inside iso ps)" 'nodectl|bash|run-live|kthreadd'
is "init is pid 1" "$(inside iso cat /proc/1/comm)" init
refuse "no signal reaches a pid of the node" shell iso "kill -0 $init"
refuse "nor one of another VPS" shell iso "kill -0 $(field other .pid)"
shell other 'sleep 8888 & echo $! >/tmp/pid' >/dev/null
unlike "another VPS's processes are not seen" "$(inside iso ps)" 8888

# ---- namespaces: a command from outside is where the VPS is, in each of them
elsewhere=
for space in cgroup ipc mnt net pid user uts; do
	of=$(inside iso readlink "/proc/self/ns/$space")
	[ -n "$of" ] && [ "$of" = "$(inside iso readlink "/proc/1/ns/$space")" ] &&
		[ "$of" != "$(readlink "/proc/self/ns/$space")" ] || elsewhere+=" $space"
done
is "a command is in all namespaces of the VPS, and in none of the node's" "$elsewhere" ""

# ---- mounts, paths
mounts=$(inside iso cat /proc/self/mountinfo)
unlike "no path of the node among the mounts" "$mounts" "$LIVE|/work/| /home|/var/lib/nodectl|/tmp|sha256|vps/"
unlike "no device of the node among them" "$mounts" '/dev/vd|/dev/sd|/dev/nvme|loop'
unlike "no other file systems than a VPS's" \
	"$(sed 's/.* - //' <<<"$mounts" | awk '{ print $1 }' | sort -u | tr '\n' ' ')" \
	'(^| )(ext4|xfs|btrfs|devtmpfs|debugfs|tracefs|securityfs|bpf|cgroup|pstore|configfs) '
# /dev, the console and what is covered are the node's own
is "devices work nowhere but in /dev" "$(awk '$5 !~ "^/dev(/console)?$" && $4 != "/null" && $6 !~ /(^|,)nodev(,|$)/ { print $5, $6 }' <<<"$mounts" | grep -v '^/dev/pts ')" ""
unlike "init's descriptors lead nowhere else" "$(inside iso ls -l /proc/1/fd)" "$LIVE|/work|/run/nodectl|/var/lib"
is "its root and directory are the VPS's" "$(inside iso readlink /proc/1/root) $(inside iso readlink /proc/1/cwd)" "/ /"
unlike "its environment is made from scratch" "$(shell iso 'tr "\0" "\n" </proc/1/environ')" 'SSH|HOME=/root/|PWD|NODECTL'
refuse "no way out by .. of the root" shell iso "ls /../../../../..$LIVE"
refuse "no way out by init's root on the node" shell iso "ls /proc/1/root$LIVE"

# ---- devices
is "/dev has just these" "$(inside iso ls /dev | grep -vx log | tr '\n' ' ')" \
	"console fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "
OUT=$(inside iso /bin/probe call mknod_char mknod_block mknod_null mknod_fifo)
is "no device node can be made, a fifo can" "$(tr '\n' ' ' <<<"$OUT")" \
	"mknod_char EPERM mknod_block EPERM mknod_null EPERM mknod_fifo 0 "
OUT=$(inside iso /bin/probe open /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/ptmx | grep -v ' 0$')
is "the devices of the table open" "$OUT" ""
# even a node that the VPS should never have had
dev=/proc/$init/root/dev
mknod "$dev/kmsg" c 1 11 && mknod "$dev/mem" c 1 1 && mknod "$dev/fuse" c 10 229 &&
	mknod "$dev/tun" c 10 200 && mknod "$dev/loopc" c 10 237 && mknod "$dev/null2" c 1 3 &&
	mknod "$dev/nothing" c 1 10 &&
	mknod "$dev/disk" b "$(stat -c '%Hd' /)" "$(stat -c '%Ld' /)" && mknod "$dev/loop0" b 7 0 &&
	chmod 666 "$dev"/{kmsg,mem,fuse,tun,loopc,null2,disk,loop0,nothing}
OUT=$(inside iso /bin/probe open /dev/kmsg /dev/mem /dev/fuse /dev/tun /dev/loopc /dev/disk /dev/loop0 /dev/nothing)
is "a device outside of the table does not open" "$(awk '{ print $2 }' <<<"$OUT" | sort -u)" EPERM
is "one of the table does, whatever its name" "$(inside iso /bin/probe open /dev/null2)" "/dev/null2 0"
rm -f "$dev"/{kmsg,mem,fuse,tun,loopc,null2,disk,loop0,nothing}
is "its /dev cannot be filled with files" "$(shell iso 'dd if=/dev/zero of=/dev/big bs=1M count=5' >/dev/null 2>&1; echo $?)" 1
inside iso rm -f /dev/big

# ---- system calls
want="bpf ENOSYS keyctl ENOSYS add_key ENOSYS io_uring_setup ENOSYS perf_event_open ENOSYS
userfaultfd ENOSYS fsopen ENOSYS unknown ENOSYS kexec_load EPERM init_module EPERM swapon EPERM
acct EPERM open_by_handle_at EPERM quotactl EPERM iopl EPERM umount_force EPERM personality EPERM
socket_vsock EAFNOSUPPORT socket_alg EAFNOSUPPORT socket_sctp EPROTONOSUPPORT
socket_audit EAFNOSUPPORT socket_xfrm EPROTONOSUPPORT socket_inet 0 tcp_ulp ENOPROTOOPT
clock_settime EPERM"
# shellcheck disable=SC2086
set -- $want
names=
for i in $(seq 1 2 $#); do names="$names ${!i}"; done
# shellcheck disable=SC2086
OUT=$(inside iso /bin/probe call $names)
while [ $# -gt 0 ]; do
	is "system call $1" "$(awk -v call="$1" '$1 == call { print $2 }' <<<"$OUT")" "$2"
	shift 2
done
[ "$(uname -m)" != x86_64 ] || exits 159 "an i386 system call ends the process" inside iso /bin/probe i386
is "init has the filter too" "$(awk '/^Seccomp:/ { print $2 }' "/proc/$init/status")" 2

# ---- capabilities, setuid
# SYS_MODULE RAWIO TIME MAC_* BPF PERFMON SYSLOG AUDIT_* WAKE_ALARM BLOCK_SUSPEND CHECKPOINT_RESTORE IMMUTABLE MKNOD
dropped=0
for bit in 16 17 25 32 33 39 38 34 30 37 35 36 40 9 27; do dropped=$((dropped | 1 << bit)); done
for who in 1 self; do
	status=$(inside iso cat "/proc/$who/status")
	for set in CapBnd CapEff CapPrm; do
		caps=$((16#$(awk -v set="$set:" '$1 == set { print $2 }' <<<"$status")))
		is "$set of $who lacks what a VPS cannot use" $((caps & dropped)) 0
		[ $((caps & 1 << 21)) -ne 0 ] && ok "and has CAP_SYS_ADMIN" || not_ok "and has CAP_SYS_ADMIN" "$caps"
	done
	is "nothing is inheritable or ambient in $who" \
		"$(awk '/^Cap(Inh|Amb)/ { print $2 }' <<<"$status" | sort -u)" 0000000000000000
	is "no_new_privs is off in $who" "$(awk '/^NoNewPrivs/ { print $2 }' <<<"$status")" 0
done
is "setuid works" "$(shell iso 'cp /bin/probe /usr/local/bin/sprobe; chmod 4755 /usr/local/bin/sprobe; su -s /bin/sh nobody -c "id -u; /usr/local/bin/sprobe euid"' | tr '\n' ' ')" "65534 0 "
unlike "the VPS's root is no root of the node" "$(stat -c %u "/proc/$init/root/usr/local/bin/sprobe")" '^[0-9]{1,4}$'
refuse "other ids cannot be used" shell iso "chown 70000 /tmp"
check "tar, chown and chmod of its own work" shell iso 'mkdir /tmp/d && chown 1000:1000 /tmp/d && chmod 2755 /tmp/d && [ "$(stat -c %u /tmp/d)" = 1000 ]'

# ---- control groups
is "it sees itself at the top" "$(inside iso cat /proc/1/cgroup | sed 's/.*://' | sort -u)" /
check "it may make groups" shell iso 'mkdir /sys/fs/cgroup/mine && sh -c "echo \$\$ >/sys/fs/cgroup/mine/cgroup.procs && grep -q mine /proc/self/cgroup" && sleep 0.2 && rmdir /sys/fs/cgroup/mine'
is "no limit of the VPS is inside its view" "$(inside iso sh -c 'cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.limit_in_bytes 2>/dev/null | grep -vx max')" ""
refuse "freezing itself is refused or harmless" shell iso 'echo 1 >/sys/fs/cgroup/cgroup.freeze'
before=$(group_file "$id" memory.max memory.limit_in_bytes) tasks=$(group_file "$id" pids.max)
for controller in memory pids cpu; do
	shell iso "mkdir -p /mnt/$controller; mount -t cgroup -o $controller none /mnt/$controller && for f in /mnt/$controller/memory.limit_in_bytes /mnt/$controller/pids.max /mnt/$controller/cpu.cfs_quota_us; do [ -e \$f ] && echo -1 >\$f; echo max >\$f; done; umount /mnt/$controller" >/dev/null 2>&1
done
shell iso 'for f in /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max; do echo max >$f; done' >/dev/null 2>&1
is "the VPS cannot change its own limits" "$(group_file "$id" memory.max memory.limit_in_bytes) $(group_file "$id" pids.max)" "$before $tasks"

# ---- the kernel's settings
for path in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/swappiness \
	/proc/sys/kernel/panic /proc/sys/fs/file-max /proc/sys/kernel/sysrq /proc/sysrq-trigger \
	/proc/irq/default_smp_affinity /proc/kcore /proc/kmsg; do
	[ -e "$path" ] || continue
	[ "$path" = /proc/sysrq-trigger ] && what=h || what=1
	refuse "$path is not writable" shell iso "echo $what >$path"
done
check "a setting of its own is" shell iso 'echo 1 >/proc/sys/net/ipv4/ip_forward && echo 70000 >/proc/sys/kernel/shmmni 2>/dev/null; [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]'
refuse "/sys is read-only" shell iso 'echo 1 >/sys/kernel/mm/ksm/run'
refuse "the kernel's log is not read" inside iso dmesg
for path in /proc/keys /proc/interrupts /proc/diskstats; do
	is "$path is covered" "$(inside iso cat $path)" ""
done
for path in /sys/firmware /sys/module /sys/power /proc/acpi; do
	is "$path is covered" "$(shell iso "ls $path 2>/dev/null")" ""
done
is "the host name is its own" "$(inside iso hostname)" iso
check "and can be changed" inside iso hostname changed
is "without the node's" "$([ "$(hostname)" = changed ] && echo same)" ""

# ---- mounts of its own
OUT=$(inside iso /bin/probe call mount_proc mount_debugfs mount_bpf mount_ext4)
like "it may mount proc" "$OUT" '^mount_proc 0$'
inside iso umount /mnt
like "debugfs it may not" "$OUT" '^mount_debugfs E(PERM|NODEV|ACCES)$'
like "bpf it may not" "$OUT" '^mount_bpf E(PERM|NODEV|ACCES)$'
like "nor a file system of a device" "$OUT" '^mount_ext4 E'
check "a tmpfs and a bind it may" shell iso 'mount -t tmpfs none /mnt && mount --bind /etc /srv && umount /srv /mnt'
unlike "nothing of that is a mount of the node" "$(cat /proc/self/mountinfo)" '/mnt/(memory|pids|cpu)|debugfs /mnt'

# ---- with the masks taken away nothing more opens
shell iso 'umount /proc/keys /proc/interrupts /proc/diskstats /sys/firmware /sys/module /sys/power /proc/acpi' >/dev/null 2>&1
refuse "without masks: /sys is read-only still" shell iso 'mount -o remount,rw /sys && echo 0 >/sys/module/printk/parameters/time'
refuse "and sysrq is not to be had" shell iso 'echo h >/proc/sysrq-trigger'

# ---- shared memory, message queues and sockets are apart
shell other 'echo x >/dev/shm/theirs; mkdir -p /dev/mqueue; touch /dev/mqueue/theirs' >/dev/null 2>&1
unlike "another's shared memory is not seen" "$(inside iso ls /dev/shm /dev/mqueue)" theirs
unlike "another's sockets are not seen" "$(inside iso cat /proc/net/unix)" '@|/run/nodectl'
is "the other one still works" "$(inside other hostname)" other

# ---- root of the VPS on the node
[ "$(stat -c %a "$STORAGE")" = 700 ] && ok "the storage is root's alone" || not_ok "the storage is root's alone"
is "and so is the volume" "$(stat -c '%u %a' "$STORAGE/vps/iso")" "0 700"

finish
