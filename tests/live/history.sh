#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# History of usage: what is sampled is what the interface counted, whatever happens; reports.
. "$(dirname "$0")/lib.sh"
begin python3 nsenter

flow=$TESTS/flow.py
rm -rf "$STORAGE"/usage.* "$STORAGE"/reports

exits 3 "without a sample there is no report, and it says what to do" nodectl report
like "by name" "$OUT" "run 'nodectl sample'"
check "create" nodectl create hist --rate-in 400M --rate-out 400M --traffic 100G --start --wait 30
id=$(field hist .id)
address=$(field hist '.ipv4[0]')

# counted WAY: by the node's end of its link, as the VPS sees it
counted() {
	cat "/sys/class/net/nv$id/statistics/$([ "$1" = in ] && echo tx || echo rx)_bytes"
}

# told KEY [PERIOD]: by the report of today
told() {
	nodectl report hist -j --period "${2:-today}" | jq -r ".vps[0].$1"
}

use() {
	timeout 60 python3 "$flow" "$1" "$(field hist .pid)" "$address" 1 >/dev/null
}

# near NAME GOT WANT: within 1 %
near() {
	if [ "${3:-0}" -gt 1000000 ] && awk -v got="$2" -v want="$3" 'BEGIN { exit !(got >= want * 0.99 && got <= want * 1.01) }'; then
		ok "$1"
	else
		not_ok "$1" "$2 and not $3"
	fi
}

sampled() {
	local said
	said=$(nodectl sample 2>&1 </dev/null) && [ -z "$said" ]
}

# ---- what the interface counted
check "the first sample says nothing" sampled
use in && use out
check "nor does the second" sampled
near "what came in is in the report" "$(told traffic_in)" "$(counted in)"
near "what went out too" "$(told traffic_out)" "$(counted out)"
near "and in that of the month" "$(told traffic_in month)" "$(counted in)"

# ---- a restart
before_in=$(counted in) before_out=$(counted out)
check "sample" sampled
check "restart" nodectl restart hist --timeout 0 --quiet
use in && use out
check "sample after a restart" sampled
near "a restart loses nothing that came in" "$(told traffic_in)" $((before_in + $(counted in)))
near "nor of what went out" "$(told traffic_out)" $((before_out + $(counted out)))

# ---- the database
rm -f "$STORAGE"/usage.db*
use in
check "sample without a database" sampled
near "one that is lost loses no byte" "$(told traffic_in)" $((before_in + $(counted in)))
printf 'no database at all, and never was one' >"$STORAGE/usage.db"
rm -f "$STORAGE"/usage.db-*
OUT=$(nodectl sample 2>&1)
like "one that is damaged is told of" "$OUT" "damaged .*set aside as usage.db.broken-"
like "and kept" "$(ls "$STORAGE")" "^usage.db.broken-"
near "and loses no byte either" "$(told traffic_in)" $((before_in + $(counted in)))
check "the VPS runs on" state_is hist running

# ---- several at a time
for i in 1 2 3 4 5; do
	nodectl sample &
done 2>"$WORK/several"
wait
is "five samples at a time are in nobody's way" "$(cat "$WORK/several")" ""
near "and count nothing twice" "$(told traffic_in)" $((before_in + $(counted in)))

# ---- figures
PATIENCE=20 shell hist 'timeout 2 sh -c "while :; do :; done"; true'
shell hist 'dd if=/dev/zero of=/root/big bs=1M count=20 2>/dev/null; sync'
check "sample" sampled
awk -v got="$(told cpu)" 'BEGIN { exit !(got > 0.1 && got < 60) }' && ok "CPU time is told" || not_ok "CPU time is told" "$(told cpu)"
[ "$(told disk)" -gt 20000000 ] && ok "so is the disk" || not_ok "so is the disk" "$(told disk)"
is "and the quota" "$(told quota_limit) $(told quota_state)" "107374182400 ok"
is "and that its guarantee held" "$(told cpu_below | cut -d. -f1)" 0
like "the table has it" "$(nodectl report hist)" '^hist +running '
exits 21 "a period that is none is refused" nodectl report --period soon
exits 21 "so is a format" nodectl report --format pdf
exits 14 "and a VPS that nobody knows" nodectl report nobody

# ---- formats
is "CSV is read by a reader of CSV" "$(nodectl report --format csv | python3 -c '
import csv, sys
rows = list(csv.DictReader(sys.stdin))
print([r["traffic_in"] for r in rows if r["name"] == "hist"][0], len({len(r) for r in rows}))')" "$(told traffic_in month) 1"
is "HTML is whole" "$(nodectl report --format html | python3 -c '
import html.parser, sys
class Page(html.parser.HTMLParser):
    open, wrong = [], 0
    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "line", "rect", "path", "br"): self.open.append(tag)
    def handle_startendtag(self, tag, attrs): pass
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag: self.wrong += 1
page = Page(); page.feed(sys.stdin.read()); print(page.wrong, len(page.open))')" "0 0"
like "mail begins with what matters" "$(nodectl report --format text-mail | head -n 3 | tail -n 1)" '^(Nothing needs a look\.|[0-9]+ needs? a look:)$'
check "a report is kept" nodectl report --period month --save
is "as CSV and HTML" "$(ls "$STORAGE/reports/$(date -u +%Y-%m)" | tr '\n' ' ')" "usage.csv usage.html "
check "metrics are written" nodectl metrics --output "$WORK/nodectl.prom"
like "with what was counted" "$(cat "$WORK/nodectl.prom")" "^nodectl_vps_network_bytes_total\{vps=\"hist\",direction=\"in\"\} $(told traffic_in month)\$"
if command -v promtool >/dev/null; then
	is "promtool finds no fault" "$(promtool check metrics <"$WORK/nodectl.prom" 2>&1)" ""
else
	skip "promtool finds no fault" "'promtool' is not installed"
fi

# ---- what the tenant is told
notice() {
	inside hist cat /run/vps/status.json | jq -r "$1"
}
is "its plan, as show has it" "$(notice '[.name, .plan, .memory.limit, .traffic.limit] | @csv')" \
	"$(nodectl show hist -j | jq -r '[.name, .plan, .limits.memory, .limits.traffic] | @csv')"
nodectl sample
is "its traffic, as the report has it" "$(notice '"\(.traffic.used) \(.traffic.left) \(.traffic.state)"')" \
	"$(nodectl report hist --period month -j | jq -r '.vps[0] | "\(.quota_used) \(.quota_limit - .quota_used) \(.quota_state)"')"
is "and when that begins anew" "$(notice .traffic.reset)" "$(date -u -d "$(date -u +%Y-%m-01) 1 month" +%Y-%m-01T00:00:00Z)"
[ "$(notice .disk.used)" -gt 20000000 ] && [ "$(notice .memory.used)" -gt 0 ] && ok "its disk and memory" ||
	not_ok "its disk and memory" "$(notice .)"
like "who logs in sees it" "$(inside hist sh -lic true 2>&1)" '^  traffic  [0-9.]+[BKMG] of 100\.0G until '
for change in 'echo x >/run/vps/new' 'echo x >/run/vps/status.json' 'rm /run/vps/status.json' \
	'mv /run/vps/status.json /run/vps/other' 'chmod 666 /run/vps/status.json' 'chmod 777 /run/vps' \
	'mount -o remount,size=1g /run/vps'; do
	refuse "not even its root may: $change" inside hist sh -c "$change"
done
shell hist 'exec 9</run/vps/status.json; sleep 60 & umount /run/vps; rmdir /run/vps; mkdir /root/trap; ln -s /root/trap /run/vps'
is "a sample goes on without it" "$(nodectl sample 2>&1)" ""
is "and follows no link of the tenant's" "$(inside hist ls /root/trap)" ""
shell hist 'rm /run/vps; mkdir /run/vps; mount -t tmpfs none /run/vps'
is "nor writes into a place that is not its own" "$(nodectl sample 2>&1; inside hist ls /run/vps)" ""
nodectl restart hist --force --quiet
is "after a restart it is there again" "$(notice .traffic.limit)" 107374182400

# ---- who is gone is not forgotten
check "destroy" nodectl destroy hist --force --yes --quiet
check "sample" sampled
is "it is still in the report" "$(told state)" gone
rm -rf "$STORAGE"/usage.* "$STORAGE"/reports
finish
