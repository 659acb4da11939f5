#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a VPS finds in /proc of itself: its plan and not the node.  And that lxcfs, which makes
# it, may crash, hang, be killed or be missing without a VPS that fails to start or must be
# restarted.
. "$(dirname "$0")/lib.sh"
begin lxcfs unshare

# served KEY: of the lxcfs that serves this node (a machine may run others)
served() {
	sed -n "s/^$1 = //p" "$RUN/.view/server" 2>/dev/null
}
keeper() {
	ps -o ppid= -p "$(served lxcfs)" | tr -d ' '
}
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:[[:space:]]*Z' "/proc/$1/status"; }
# meminfo NAME KEY: in kB, as the VPS finds it
meminfo() {
	inside "$1" cat /proc/meminfo | awk -v key="$2:" '$1 == key { print $2 }'
}
total_is() { [ "$(meminfo "$1" MemTotal)" = "$2" ]; }
view() {
	nodectl show "$1" | sed -n 's/^ *view: //p'
}
# whole NAME: every file of the view can be read
whole() {
	shell "$1" 'cd /proc && cat cpuinfo loadavg meminfo stat swaps uptime /sys/devices/system/cpu/online >/dev/null'
}
has_again() { whole "$1" && total_is "$1" "$2" && [ "$(view "$1")" = lxcfs ]; }
node_total=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
node_mounts() { grep -c "$RUN.*lxcfs\|lxcfs.*$RUN" /proc/self/mountinfo; }

nodectl create v --memory 128M --cpus 0.5 --tasks 100 --start --quiet --wait 30 || exit 1
nodectl create w --memory 64M --cpus 0.5 --start --quiet --wait 30 || exit 1
init=$(field v .pid)

# ---- its own figures
is "show tells it" "$(view v)" lxcfs
is "and as JSON" "$(field v '"\(.view) \(.view_reason)"')" "lxcfs null"
is "memory of one" "$(meminfo v MemTotal)" $((128 * 1024))
is "memory of another" "$(meminfo w MemTotal)" $((64 * 1024))
check "what is free is less than all" test "$(meminfo v MemFree)" -lt $((128 * 1024))
before=$(meminfo v MemFree) before_w=$(meminfo w MemFree)
shell v 'dd if=/dev/zero of=/dev/shm/big bs=1M count=24' >/dev/null 2>&1
after=$(meminfo v MemFree)
check "what it uses is not free" test $((before - after)) -ge $((22 * 1024)) -a $((before - after)) -lt $((32 * 1024))
check "but nobody else's" test $((before_w - $(meminfo w MemFree))) -lt 4096
inside v rm /dev/shm/big
is "no swap" "$(meminfo v SwapTotal)" 0
is "none in swaps" "$(inside v cat /proc/swaps | wc -l)" 1
check "uptime is since its start" test "$(inside v cut -d. -f1 /proc/uptime)" -lt 300 -a "$(cut -d. -f1 /proc/uptime)" -gt 10
like "loadavg counts its own processes" "$(inside v cat /proc/loadavg)" '^[0-9.]+ [0-9.]+ [0-9.]+ [0-9]+/[0-9]{1,2} '
cpus=$(inside v nproc)
is "as many CPUs in cpuinfo as it may use" "$(inside v grep -c ^processor /proc/cpuinfo)" "$cpus"
is "in stat" "$(inside v grep -c '^cpu[0-9]' /proc/stat)" "$cpus"
is "and online" "$(inside v cat /sys/devices/system/cpu/online | tr ',' '\n' | awk -F- '{ n += $NF - $1 + 1 } END { print n }')" "$cpus"
if grep -q ' cpuacct$\|cpuacct[, ]' <(awk '$3 == "cgroup"' /proc/mounts); then
	# on cgroup v1 the times are its own; this machine has used more
	check "CPU times are its own" test "$(inside v awk '$1 == "cpu" { print $2 + $4 }' /proc/stat)" -lt 1000
	shell v 'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done'
	check "and count" test "$(inside v awk '$1 == "cpu" { print $2 + $4 }' /proc/stat)" -gt 5
fi
is "the disks of the node are not told of" "$(inside v cat /proc/diskstats)" ""
nodectl set v --memory 96M --quiet
is "a change of the limit is seen at once" "$(meminfo v MemTotal)" $((96 * 1024))
nodectl set v --memory 128M --quiet

# ---- nothing else is to be had by it
mounts=$(inside v cat /proc/self/mountinfo)
is "seven files and no directory" "$(awk '/fuse.lxcfs/ { print $5 }' <<<"$mounts" | sort | tr '\n' ' ')" \
	"/proc/cpuinfo /proc/loadavg /proc/meminfo /proc/stat /proc/swaps /proc/uptime /sys/devices/system/cpu/online "
is "each read-only, nosuid, nodev, noexec" "$(awk '/fuse.lxcfs/ { print $6 }' <<<"$mounts" | sort -u)" "ro,nosuid,nodev,noexec,relatime"
is "each with a name that tells nothing" "$(awk '/fuse.lxcfs/ { print $(NF - 1), $4 == $5 }' <<<"$mounts" | sort -u)" "lxcfs 1"
refuse "not to be written" shell v 'echo 1 >/proc/uptime'
refuse "nor mounted otherwise" shell v 'mount -t fuse.lxcfs lxcfs /mnt || exit 1'
is "the node has no mount of it" "$(node_mounts)" 0
is "its holder sees the files alone" "$(awk '{ print $5 }' "/proc/$(served holder)/mountinfo" | sort | tr '\n' ' ')" "/ /0 /1 /2 /3 /4 /5 /6 "
is "lxcfs is where no session takes it along" "$(sed -n 's/^0:://p' "/proc/$(served lxcfs)/cgroup")" /nodectl-vps.service/monitors
is "and so is its keeper" "$(sed -n 's/^0:://p' "/proc/$(keeper)/cgroup")" /nodectl-vps.service/monitors
is "one lxcfs for both" "$(pgrep -P "$(keeper)" -x lxcfs | wc -l)" 1
like "doctor knows" "$(nodectl doctor)" '^view of a VPS in /proc +yes'

# ---- lxcfs crashes
old=$(served lxcfs)
kill -9 "$old"
check "after kill -9 of lxcfs it is there again" eventually 10 has_again v $((128 * 1024))
check "for every VPS" eventually 10 has_again w $((64 * 1024))
unlike "by a new one" "$(served lxcfs)" "^($old)?$"
is "no VPS was restarted" "$(field v .pid)" "$init"
like "the event log says so" "$(nodectl log v)" 'lxcfs ended; it has its view by a new one'
is "over each file one mount, no more" "$(inside v grep -c fuse.lxcfs /proc/self/mountinfo)" 7
is "repair finds nothing" "$(nodectl repair --dry-run)" ""

# ---- its keeper is killed: nobody notices until lxcfs ends too
old=$(served lxcfs)
kill -9 "$(keeper)"
check "without its keeper lxcfs serves on" whole v
like "repair finds VPSs without a keeper" "$(nodectl repair --dry-run)" '^v: it has no view of itself in /proc$'
check "repair" nodectl repair
check "gives them one" has_again v $((128 * 1024))
check "that watches" has_again w $((64 * 1024))
is "repair finds nothing more" "$(nodectl repair --dry-run)" ""
check "the old lxcfs, which nobody uses, ended" eventually 10 gone "$old"
kill -9 "$(keeper)"
kill -9 "$(served lxcfs)"
refuse "without both a file cannot be read" cat "/proc/$init/root/proc/meminfo"
is "show tells why" "$(view v)" "none (lxcfs has ended; 'nodectl repair' starts a new one)"
is "as JSON too" "$(field v .view)" none
like "repair finds it" "$(nodectl repair --dry-run)" '^v: it has no view of itself in /proc$'
is "whoever enters finds all in order" "$(meminfo v MemTotal)" $((128 * 1024))
check "and so do all others" eventually 10 has_again w $((64 * 1024))
kill -9 "$(keeper)"
kill -9 "$(served lxcfs)"
check "the next start" nodectl create x --memory 64M --start --wait 30
is "has a view" "$(meminfo x MemTotal)" $((64 * 1024))
check "and gives all others theirs" eventually 10 has_again v $((128 * 1024))
check "all of them" eventually 10 has_again w $((64 * 1024))
nodectl destroy x --force --yes --quiet

# ---- lxcfs hangs
old=$(served lxcfs)
kill -STOP "$old"
began=$SECONDS
check "a start while lxcfs hangs" nodectl create y --memory 64M --start
check "takes no longer than a few seconds" test $((SECONDS - began)) -le 25
check "it runs, and its /proc can be read" eventually 10 whole y
like "the event log says why" "$(nodectl log y)" 'its /proc tells of the node: lxcfs does not answer'
check "the one that hangs is replaced" eventually 20 gone "$old"
check "VPSs have their view again" eventually 10 has_again v $((128 * 1024))
check "and the new one gets it" eventually 10 has_again y $((64 * 1024))
nodectl destroy y --force --yes --quiet

# ---- a frozen VPS
nodectl freeze w --quiet
kill -9 "$(served lxcfs)"
check "a frozen VPS gets its new view as well" eventually 10 eval 'nodectl log w | tail -n 1 | grep -q "by a new one"'
nodectl thaw w --quiet
check "and has it when thawed" has_again w $((64 * 1024))

# ---- the tenant does things to /proc
shell v 'echo mine >/etc/mine; mount --bind /etc/mine /proc/uptime; umount /proc/loadavg'
shell w 'mount -t tmpfs none /proc; mkdir /proc/self /proc/sys; ln -s /etc/passwd /proc/meminfo; ln -s / /proc/stat; mkfifo /proc/uptime'
kill -9 "$(served lxcfs)"
check "a tenant's own mounts keep nobody from it" eventually 10 total_is v $((128 * 1024))
is "what he has put there stays" "$(inside v cat /proc/uptime)" mine
like "what he has taken away comes back" "$(shell v 'grep /proc/loadavg /proc/self/mountinfo')" 'fuse.lxcfs'
is "in a /proc of another kind nothing is mounted" "$(shell w 'umount -l /proc 2>/dev/null; grep -c "fuse.lxcfs" /proc/self/mountinfo')" 7
is "nor by his links anywhere else" "$(inside w awk '/fuse.lxcfs/ && $5 !~ "^/(proc|sys)/"' /proc/self/mountinfo)" ""
is "repair is not troubled by it" "$(nodectl repair --dry-run)" ""
check "a restart puts all in order" nodectl restart v --force --wait 30
check "with its view" has_again v $((128 * 1024))

# ---- reboot
before=$(field v .pid)
inside v reboot
check "reboot inside" eventually 30 init_is_not v "$before"
check "keeps it" eventually 10 has_again v $((128 * 1024))

# ---- lxcfs does nothing but crash
crash() {
	local pid
	pid=$(served lxcfs)
	[ -n "$pid" ] && kill -9 "$pid" 2>/dev/null && eventually 5 gone "$pid"
}
for _ in 1 2 3 4 5; do
	eventually 10 test -e "$RUN/.view/server"
	crash
done
check "after five crashes VPSs are left with the node's files" eventually 10 total_is v "$node_total"
like "show tells why" "$(view v)" '^none \(lxcfs ended 5 times within 60 seconds\)$'
is "no mount of it is left" "$(inside v grep -c lxcfs /proc/self/mountinfo)" 0
check "repair" nodectl repair
check "tries again" eventually 10 has_again v $((128 * 1024))

# ---- many at once
names=
for i in 1 2 3 4; do
	names="$names p$i"
	nodectl create "p$i" --memory 64M --quiet
done
nodectl stop v --force --quiet
nodectl destroy w --force --yes --quiet
nobody() { [ ! -e "$RUN/.view" ] && [ -z "$(pgrep -f "^nodectl --config $NODECTL_CONFIG @view")" ]; }
check "when no VPS runs, lxcfs and its keeper end" eventually 10 nobody
if [ "$(cat /proc/1/comm)" != systemd ] && ! ls -d "/sys/fs/cgroup/unified/nodectl-vps.service"/[0-9]* >/dev/null 2>&1; then
	is "with the group that they were in" "$(ls -d /sys/fs/cgroup/unified/nodectl-vps.service 2>/dev/null)" ""
fi
# shellcheck disable=SC2086
check "four starts at once" nodectl start $names
is "share one lxcfs" "$(for i in $names; do sed -n 's/^lxcfs = //p' "$RUN/$i/view"; done | sort -u | wc -l)" 1
is "of one keeper" "$(pgrep -c -f "^nodectl --config $NODECTL_CONFIG @view")" 2
for i in $names; do
	is "$i has its view" "$(meminfo "$i" MemTotal)" $((64 * 1024))
done
# shellcheck disable=SC2086
nodectl destroy $names --force --yes --quiet
check "and go with them" eventually 10 nobody

# ---- without lxcfs, or without wanting it
without() {
	unshare -m bash -c 'mount --make-rprivate / && for f in /usr/bin/lxcfs /usr/local/bin/lxcfs; do [ ! -e $f ] || mount --bind /dev/null $f || exit 1; done; exec timeout 120 "$@"' - "$NODECTL" "$@"
}
check "a node without lxcfs starts VPSs" without start v --wait 30
is "with the node's /proc" "$(meminfo v MemTotal)" "$node_total"
is "show tells why" "$(view v)" "none (lxcfs is not installed)"
like "the event log too" "$(nodectl log v | tail -n 2)" 'its /proc tells of the node: lxcfs is not installed'
like "doctor says what that costs" "$(without doctor)" '^view of a VPS in /proc +NO +free, top and uptime'
is "repair has nothing to say without lxcfs" "$(without repair --dry-run)" ""
is "once it is installed, repair has" "$(nodectl repair)" "v: it has no view of itself in /proc"
check "and a VPS that runs gets it" has_again v $((128 * 1024))
nodectl stop v --force --quiet
check "it ends again" eventually 10 nobody
echo "view = none" >>"$NODECTL_CONFIG"
check "start with view = none in node.conf" nodectl start v --wait 30
is "the node's files" "$(meminfo v MemTotal)" "$node_total"
is "as wanted" "$(view v)" "none (node.conf)"
is "JSON" "$(field v '"\(.view) \(.view_reason)"')" "none node.conf"
check "no lxcfs runs for it" nobody
is "and repair wants none" "$(nodectl repair --dry-run)" ""
sed -i '/^view = none$/d' "$NODECTL_CONFIG"
nodectl stop v --force --quiet
is "stopped, there is nothing to tell" "$(view v)$(field v .view)" null

finish
