#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# VPSs below a systemd that is reloaded, executed anew, restarts our units, and sees nodectl
# upgraded: none of it touches a VPS that runs.  And they outlive whoever started them.
. "$(dirname "$0")/../installed.sh"
group=/sys/fs/cgroup/nodectl-vps.service

# What systemd knows of the group of all VPSs after a reload, beside what is written there.
told() {
	echo "$(systemctl show -P MemoryMin nodectl-vps.service) $(systemctl show -P CPUWeight nodectl-vps.service)"
}

unit_has_group() {
	is "$1" "$(systemctl is-active nodectl-vps.service) $(systemctl show -P ControlGroup nodectl-vps.service) $(stat -c %F $group 2>&1)" \
		"active /nodectl-vps.service directory"
}

# Everything that must be as it was, of one VPS: its processes, their groups, what is written in
# each group, the device policy, its network.
seen() {
	local id path
	id=$(field "$1" .id)
	field "$1" '"init \(.pid) monitor \(.monitor) state \(.state) \(.usage.oom_kills)"'
	cat "/proc/$(field "$1" .pid)/cgroup" "/proc/$(field "$1" .monitor)/cgroup"
	for path in $group $group/$id $group/$id/guest; do
		(cd "$path" && grep -H . ./*.max ./*.min ./*.low ./*.high ./*.weight ./cpuset.* ./memory.oom.group \
			./cgroup.max.* ./cgroup.subtree_control ./cgroup.controllers ./cgroup.freeze ./cgroup.type 2>/dev/null) | sed "s,^,$path ,"
	done
	find $group/$id -name cgroup.procs -exec grep -H . {} +
	bpftool cgroup list $group/$id | awk 'NR > 1 { print "policy", $2 }'
	cat "/sys/class/net/nv$id/ifindex" "/sys/class/net/nv$id/operstate"
	ip -o link show "nv$id" | cut -d' ' -f3
	nft list map inet nodectl tcp4 | grep "nodectl $id\""
	banner "$(field "$1" '.ipv4[0]')" 22 && echo "ssh answers"
}

# as they stand, with their servers up and nobody's connection left
note() {
	local name
	for name in one two; do
		eventually 30 eval "seen $name >'$WORK/$name'; grep -q 'ssh answers' '$WORK/$name' && seen $name >'$WORK/now'; cmp -s '$WORK/$name' '$WORK/now'" ||
			echo "# '$name' does not come to rest"
	done
}

same() {
	local name
	for name in one two; do
		# a child of dropbear goes a moment after its connection
		if eventually 30 eval "seen $name >'$WORK/now'; cmp -s '$WORK/$name' '$WORK/now'"; then
			ok "$1: '$name' is what it was"
		else
			not_ok "$1: '$name' is what it was" "$(diff "$WORK/$name" "$WORK/now")"
		fi
	done
}

# refused NAME COMMAND...: and the unit is active as before
refused() {
	local name=$1
	shift
	refuse "$name is refused" "$@"
	like "with a reason" "$OUT" 'Operation refused'
}

installed_begin
OUT=$(systemd-analyze verify --man=no /usr/lib/systemd/system/nodectl.service /usr/lib/systemd/system/nodectl-vps.service 2>&1)
is "systemd finds nothing wrong with the units" "$OUT" ""
unit_has_group "the delegated group is there before any VPS"
check "start of the units" systemctl start nodectl.service
OUT=$(journalctl -q -b -o cat -u nodectl-vps.service -u nodectl.service 2>&1)
unlike "and in its journal neither" "$OUT" 'unsafe|deprecated|[Ff]ailed|ignor'

# ---- whoever started them: a unit that ends, with all that is left in its groups, as a session does
for name in one two; do
	check "create $name" nodectl create $name --image mini --disk 256M --memory 64M --memory-guaranteed 20M --swap 32M --tasks 60 \
		--cpus 0.5 --weight 70
done
check "started by a service, which ends" systemd-run --wait -q /usr/sbin/nodectl start one --wait 60
check "started in a scope" systemd-run --scope -q -u starter sh -c '/usr/sbin/nodectl start two --wait 60; setsid sleep 600 </dev/null >/dev/null 2>&1 & :'
check "which is killed" systemctl kill -s KILL starter.scope
for name in one two; do
	like "init of '$name' is in its own group" "$(cat "/proc/$(field $name .pid)/cgroup")" "^0::/nodectl-vps.service/$(field $name .id)/guest"
	like "its monitor in the one of monitors" "$(cat "/proc/$(field $name .monitor)/cgroup")" '^0::/nodectl-vps.service/monitors$'
	is "'$name' runs" "$(nodectl status $name)" "$name running"
done
ended() { ! systemctl is-active -q starter.scope; }
eventually 10 ended
note
like "the limits can be read" "$(cat "$WORK/one")" 'pids.max:60'

# ---- systemd itself
check "daemon-reload" systemctl daemon-reload
same daemon-reload
is "it knows what all VPSs are guaranteed" "$(told)" "$((40 << 20)) $(cat $group/cpu.weight)"
check "daemon-reexec" systemctl daemon-reexec
# that has loaded its programs anew, ours are not its own
same daemon-reexec
check "a unit with limits beside them" systemd-run --wait -q -p MemoryMax=50M -p MemoryMin=1M -p CPUQuota=50% -p TasksMax=20 \
	-p IOWeight=50 -p AllowedCPUs=0 /bin/true
same "a unit with limits beside them"
check "daemon-reload after it" systemctl daemon-reload
same "daemon-reload after it"
unit_has_group "the unit is still what has the groups"

# ---- our units
check "restart of nodectl.service" systemctl restart nodectl.service
same "restart of nodectl.service"
check "stop of nodectl.service" systemctl stop nodectl.service
same "stop of nodectl.service"
check "start of nodectl.service" systemctl start nodectl.service
for verb in restart stop try-restart reload-or-restart; do
	refused "$verb of nodectl-vps.service" systemctl $verb nodectl-vps.service
done
same "our units"
unit_has_group "the unit has them still"

# ---- an upgrade: all files are replaced, and the units restarted as a package would
old=$(sha256sum <"/proc/$(field one .monitor)/exe")
replace() {
	local file
	# the archive that this node was made of; a byte behind the end makes another file of each
	tar -C "$WORK" -xf /dev/vdb ./usr &&
		for file in usr/sbin/nodectl usr/lib/nodectl/nodectl-monitor usr/lib/nodectl/nodectl-import; do
			printf '\n' >>"$WORK/$file"
		done &&
		(cd "$WORK" && find usr -type f) | while read -r file; do
			install -p "$WORK/$file" "/$file.new" && mv "/$file.new" "/$file" || return 1
		done
}
check "every file of nodectl is replaced" replace
like "the monitor is the one of before" "$(readlink "/proc/$(field one .monitor)/exe")" 'nodectl-monitor.*deleted'
check "daemon-reload, as packages do" systemctl daemon-reload
check "restart, as packages do" systemctl restart nodectl.service
same "an upgrade"
check "a command of the new one in a VPS of the old" inside one true
check "a limit changed by the new one" nodectl set one --memory 72M
is "is in the kernel" "$(cat "$group/$(field one .id)/memory.max")" $((72 << 20))
init=$(field one .pid)
shell one reboot
check "a reboot from inside" eventually 60 init_is_not one "$init"
is "brings the monitor of the new" "$(sha256sum <"/proc/$(field one .monitor)/exe")" "$(sha256sum </usr/lib/nodectl/nodectl-monitor)"
[ "$old" != "$(sha256sum </usr/lib/nodectl/nodectl-monitor)" ] && ok "which is another" || not_ok "which is another" "$old"
is "with the limits" "$(cat "$group/$(field one .id)/memory.max" "$group/$(field one .id)/pids.max" | xargs)" "$((72 << 20)) 60"
check "stop of one that the old one started" nodectl stop two

# ---- no VPS at all
check "stop of the last" nodectl stop one
unit_has_group "the empty group is kept"
check "daemon-reload without any VPS" systemctl daemon-reload
check "daemon-reexec without any VPS" systemctl daemon-reexec
unit_has_group "and is kept then"
check "start all of them" nodectl start --all --wait 60
note
like "they have their limits" "$(cat "$WORK/two")" 'pids.max:60'
nodectl stop --all --force --quiet

# ---- started before the unit was: by an operator who had not enabled it
mkdir -p /run/systemd/system/nodectl-vps.service.d
printf '[Unit]\nRefuseManualStop=no\n' >/run/systemd/system/nodectl-vps.service.d/stop.conf
systemctl daemon-reload
check "without the unit" systemctl stop nodectl.service nodectl-vps.service
rm -r /run/systemd/system/nodectl-vps.service.d
systemctl daemon-reload
check "VPSs start as well" nodectl start --all --wait 60
note
check "and the unit after them" systemctl start nodectl-vps.service
same "the unit that starts after them"
systemctl daemon-reload
same "daemon-reload then"
unit_has_group "the unit has them"
check "nodectl.service" systemctl start nodectl.service
same "and with it all"
nodectl stop --all --force --quiet
unit_has_group "until the last is gone, and after"

installed_end
