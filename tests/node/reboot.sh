#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A reboot of the whole node, the installed nodectl with the usual paths: `reboot.sh before`
# runs VPSs, the node is rebooted under them, `reboot.sh after` looks at what is there.
# Of lib.sh only its way of saying things is wanted: its node is another one.
. "$(dirname "$0")/../live/lib.sh"
unset NODECTL_CONFIG
NODECTL=/usr/sbin/nodectl
STORAGE=/var/lib/nodectl

close() {
	finished=yes
	echo "$passed passed, $failed failed"
	[ $failed -eq 0 ]
	exit
}

before() {
	nodectl init --quiet || not_ok "init"
	check "the units work" systemctl start nodectl.service
	check "image build mini" nodectl image build mini
	check "create" nodectl create run1 --image mini --memory 64M --start --wait 60
	check "create another" nodectl create run2 --image mini --memory 64M --publish 18080:80 --onboot yes --start
	check "and one that must not start by itself" nodectl create never --image mini --memory 64M --onboot no --start
	check "and one that is stopped" nodectl create still --image mini
	check "write in one" shell run1 'echo kept >/root/file'
	is "three run" "$(nodectl list -H -o STATE | sort | uniq -c | xargs)" "3 running 1 stopped"
	close
}

up() {
	[ "$(systemctl is-active nodectl.service)" = active ]
}

after() {
	like "the node has booted again" "$(cut -d. -f1 /proc/uptime)" '^[0-9]{1,2}$'
	check "nodectl.service starts" eventually 120 up
	is "what ran runs, and nothing else" "$(nodectl list -H -o NAME,STATE -s NAME | xargs)" \
		"never stopped run1 running run2 running still stopped"
	is "repair finds nothing" "$(nodectl repair --dry-run 2>&1)" ""
	is "what was written is there" "$(inside run1 cat /root/file)" kept
	unlike "they had been asked to stop, and did" "$(nodectl log run1; nodectl log run2)" 'killed|crash|cut off|did not power off'
	like "the forward is back" "$(nft list map inet nodectl tcp4)" "18080"
	check "start of the others" nodectl start never still --wait 60
	check "shutdown" nodectl shutdown --yes
	is "stops all" "$(nodectl list -H -o STATE | sort -u)" stopped
	check "destroy --all" nodectl destroy --all --yes
	is "repair finds nothing then" "$(nodectl repair --dry-run 2>&1)" ""
	close
}

"$1"
