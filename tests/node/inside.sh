#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs inside of the box, at each boot, as the last of systemd's units (node.service); the
# kernel's command line says what is wanted.  What is for those outside goes to ttyS1.

do=$(sed -n 's/.*\bnode\.do=\([a-z]*\).*/\1/p' /proc/cmdline)
here=/srv/nodectl/tests/node
state=/var/lib/node-in-a-box
export LC_ALL=C HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export BUILD=/srv/build

ip link set lo up
# its module may still be on its way
for ((i = 0; i < 600; i++)); do
	[ -e /sys/class/net/eth0 ] && break
	sleep 0.1
done
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2

mkdir -p "$state"
storage=/var/lib/nodectl
[ "$do" != test ] || storage=$BUILD/live/storage
mkdir -p "$storage"
mount /dev/vdc "$storage"
chmod 700 "$storage"

touch "$BUILD"/live/bin/* # newer than their sources: there is no compiler here

# as the package would
systemctl daemon-reload
systemctl start nodectl-vps.service
systemctl -q enable nodectl-vps.service
[ "$do" = powercut ] || systemctl -q enable nodectl.service

# who logs in (after this) finds a node that is set up
[ "$do" != shell ] || { nodectl init --quiet; exit; }

stty -F /dev/ttyS1 raw 115200
exec >/dev/ttyS1 2>&1 </dev/null

case $do in
test) bash "$here/suite.sh" ;;
powercut) bash "$here/cuts.sh" ;;
*) echo "not ok - nothing is known of '$do'" && systemctl poweroff --force ;;
esac
