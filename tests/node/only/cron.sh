#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What nodectl leaves to cron, by the node's own cron daemon: after a minute the history is
# there, after two the VPS is in the report; and the timer of systemd does the same.
. "$(dirname "$0")/../installed.sh"

command -v cron >/dev/null || skip_all "there is no cron"
# rows: of minutes
rows() {
	python3 -c '
import sqlite3
print(sqlite3.connect("'$STORAGE'/usage.db").execute("SELECT count(*) FROM usage WHERE span = 60").fetchone()[0])' 2>/dev/null || echo 0
}

# minutes N: at least so many are there
minutes() {
	[ "$(rows)" -ge "$1" ]
}

installed_begin
check "what cron does was installed" test -f /etc/cron.d/nodectl
rm -f $STORAGE/usage.*
check "create" nodectl create cronned --image mini --disk 256M --memory 64M --start
check "cron runs" systemctl start cron
check "after its minute there is a history" eventually 90 minutes 1
check "and goes on" eventually 90 minutes 2
like "the VPS is in the report" "$(nodectl report cronned)" '^cronned +running '
systemctl stop cron
unlike "cron had nothing to tell" "$(journalctl -u cron -o cat 2>/dev/null; cat /var/mail/root 2>/dev/null)" 'nodectl: '
before=$(rows)
check "the timer starts" systemctl start nodectl-sample.timer
check "and samples too" eventually 90 minutes $((before + 1))
systemctl stop nodectl-sample.timer
installed_end
