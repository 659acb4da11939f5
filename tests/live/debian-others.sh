#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Other systems: Debian 13, sysvinit, busybox.  Each is up, reboots, and stops by its own way.
. "$(dirname "$0")/lib.sh"
begin

# system NAME IMAGE: the life of one of that kind
system() {
	local name=$1 image=$2 before
	check "$name: create, start, and it is up" nodectl create "$name" --image "$image" --plan small --disk 3G --start --wait 90
	check "$name: ssh answers" booted "$name" 30
	check "$name: a command runs" inside "$name" true
	check "$name: ping of the gateway" inside "$name" ping -c 1 -W 2 "$(gateway4)"
	is "$name: the host name" "$(inside "$name" hostname)" "$name"
	before=$(field "$name" .pid)
	inside "$name" reboot >/dev/null 2>&1
	check "$name: reboot inside" eventually 60 init_is_not "$name" "$before"
	check "$name: it is up again" booted "$name" 60
	exits 0 "$name: stop" nodectl stop "$name" --timeout 60
	is "$name: was not forced" "$OUT" "$name: stopped"
	check "$name: start again" nodectl start "$name" --wait 90
	check "$name: ssh answers again" booted "$name" 30
	inside "$name" poweroff >/dev/null 2>&1
	check "$name: poweroff inside stops it" eventually 60 state_is "$name" stopped
	nodectl start "$name" --quiet
	nodectl freeze "$name" --quiet
	exits 0 "$name: stop of it frozen, and not yet booted" nodectl stop "$name" --timeout 60
}

system busybox mini

if need_image debian-13 debian-13; then
	system trixie debian-13
	nodectl start trixie --quiet --wait 90
	is "trixie: systemctl is-system-running" "$(inside trixie systemctl is-system-running)" running
	is "trixie: systemctl --failed" "$(inside trixie systemctl --failed --plain --no-legend)" ""
	like "trixie: it is that" "$(inside trixie cat /etc/os-release)" 'VERSION_CODENAME=trixie'
	nodectl stop trixie --quiet
else
	skip "trixie" "the image debian-13 cannot be built here"
fi

if need_image debian-12-sysv debian-12 --init sysvinit-core; then
	system sysv debian-12-sysv
	nodectl start sysv --quiet --wait 90
	is "sysv: init is sysvinit" "$(inside sysv readlink /proc/1/exe)" /usr/sbin/init
	like "sysv: the run level" "$(inside sysv runlevel)" '^N 2$'
	nodectl stop sysv --quiet
else
	skip "sysv" "the image of Debian with sysvinit cannot be built here"
fi

finish
