#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A reboot of the whole node: `reboot.sh before` runs VPSs, the node is rebooted under them,
# `reboot.sh after` looks at what is there.
. "$(dirname "$0")/installed.sh"

before() {
	installed_begin
	check "the units work" systemctl start nodectl.service
	check "create" nodectl create run1 --image mini --disk 256M --memory 64M --order 30 --start --wait 60
	check "create another" nodectl create run2 --image mini --disk 256M --memory 64M --order 20 --publish 18080:80 --onboot yes --start --wait 60
	check "and one that must not start by itself" nodectl create never --image mini --disk 256M --memory 64M --onboot no --start
	check "and one that is stopped" nodectl create still --image mini --disk 256M
	check "and one that is stopped, and belongs up" nodectl create up --image mini --disk 256M --memory 64M --order 10 --onboot yes
	check "and one that does not listen" nodectl create deaf --image mini --disk 256M --memory 64M --order 1 --stop-timeout 5 --start
	shell deaf 'printf "#!/bin/sh\ntrap : USR1 USR2 TERM PWR\necho deaf >/dev/console\nwhile :; do sleep 1; done\n" >/sbin/deaf; chmod 755 /sbin/deaf'
	nodectl set deaf --init /sbin/deaf --quiet
	nodectl restart deaf --force --quiet
	check "which it shows" eventually 30 deaf
	check "and one that is broken" nodectl create broken --image mini --disk 256M --onboot yes --order 2
	rm "$STORAGE/vps/broken/volume.img"
	nodectl list -H -o NAME,STATE -s NAME | xargs >/var/lib/node-in-a-box/states
	like "four run" "$(cat /var/lib/node-in-a-box/states)" 'deaf running never running run1 running run2 running still stopped up stopped'
	# somebody is still at work in it
	setsid "$NODECTL" exec run1 -- sleep 1000 </dev/null >/dev/null 2>&1 &
	check "write in one, and do not sync it" shell run1 'echo kept >/root/file'
	date +%s >/var/lib/node-in-a-box/asked
	close
}

deaf() {
	nodectl log deaf --console | grep -q deaf
}

booted_node() {
	case $(systemctl is-active nodectl.service) in active | failed) ;; *) return 1 ;; esac
}

# ended NAME: how its last life ended, and when
ended() {
	nodectl log "$1" | sed -n 's/^\([^ ]*\) \(stopped\|killed\)$/\1 \2/p' | tail -n 1
}

after() {
	local uptime took
	read -r uptime _ </proc/uptime
	took=$(($(date +%s) - ${uptime%.*} - $(cat /var/lib/node-in-a-box/asked)))
	[ $took -le 90 ] && ok "the node was down and up again in time ($took s)" || not_ok "the node was down and up again in time" "$took s"
	check "the boot of VPSs ends" eventually 120 booted_node
	is "what belongs up is up, and nothing else" "$(nodectl list -H -o NAME,STATE -s NAME | xargs)" \
		"broken stopped deaf running never stopped run1 running run2 running still stopped up running"

	# ---- how they went down
	is "who was asked stopped" "$(for name in run1 run2 never; do ended $name; done | cut -d' ' -f2 | xargs)" "stopped stopped stopped"
	is "who did not listen was killed" "$(ended deaf | cut -d' ' -f2)" killed
	is "the highest order went first" "$(for name in run1 run2 deaf; do ended $name; done | sort -s -k1,1 | cut -d' ' -f2 | xargs)" "stopped stopped killed"
	is "and each disk was unmounted" "$(dmesg | grep -E 'EXT4-fs \(loop.*(recover|orphan)')" ""
	is "what was written is there" "$(inside run1 cat /root/file)" kept

	# ---- how they came up
	is "one that is broken is said to be" "$(systemctl is-active nodectl.service) $(systemctl is-active nodectl-vps.service)" "failed active"
	like "by name" "$(journalctl -q -b -o cat -u nodectl.service)" 'nodectl: broken: .*volume'
	# lxcfs may have been late for the first ones, and systemd have written what its units say
	check "a sample, as cron takes each minute" nodectl sample
	only_broken() {
		repaired=$(nodectl repair --dry-run 2>&1 | grep -v '^nodectl: 1 of these could not be looked at$')
		[ "$repaired" = "broken: cannot open 'volume.img': No such file or directory" ]
	}
	eventually 20 only_broken
	is "repair names it, and finds nothing else" "$repaired" "broken: cannot open 'volume.img': No such file or directory"
	like "the forward is back" "$(nft list map inet nodectl tcp4)" "18080"
	check "ssh answers" booted run2 60
	check "start of the others" nodectl start never still --wait 60
	nodectl destroy broken --yes --quiet || not_ok "destroy of the broken one"
	check "restart of the unit, then" systemctl restart nodectl.service
	is "is enough" "$(systemctl is-active nodectl.service)" active
	installed_end
}

"$1"
