#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The inside of powercut.sh.  First everything is compared with what those outside have been
# told (claims.sh).  Then two workers change things until the power goes again, each with names
# of its own.  `rounds` says how many cuts are still to come.

here=$(cd "$(dirname "$0")" && pwd)
records=$here/records
export HOME=/root
NODECTL=/usr/sbin/nodectl
STORAGE=/var/lib/nodectl
. "$here/claims.sh"
. "$here/work.sh"
enough=/nonexistent scratch=/run

# record NUMBER PHASE VERB NAME VALUE: what is begun is known outside before it begins
record() {
	echo "op $1 $2 $3 $4 ${5:--} ." >/dev/ttyS1
	[ "$2" != begin ] || stty -F /dev/ttyS1 drain raw
}

[ -e /etc/nodectl/node.conf ] || nodectl init --ids 28001-28600 --subnet6 fd6e:6f64:6563:1::1/64 --quiet || not_ok "init"
nodectl image show mini >/dev/null 2>&1 ||
	OUT=$(nodectl image build mini 2>&1) || not_ok "image build mini" "$OUT"
if [ -s "$records" ]; then
	replay
	compare
else
	sync
fi
if [ "$(cat "$here/rounds")" = 0 ]; then
	echo "$passed passed, $failed failed"
	sync
	systemctl poweroff --force --force >/dev/null 2>&1
	exit
fi
last=$(awk '$1 == "op" && $2 > n { n = $2 } END { print n + 0 }' "$records")
echo "ready: $passed passed, $failed failed"
worker a $((last / 2 * 2)) &
worker b $((last / 2 * 2 + 1)) &
wait
