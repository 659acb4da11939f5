#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nodectl top: rates as text and JSON, and live on a terminal that is as before afterwards.
. "$(dirname "$0")/lib.sh"
begin python3 jq

check "create one that works" nodectl create busy --image mini --memory 64M --cpus 0.5 --swap 0 --start
check "and one that rests" nodectl create idle --image mini --memory 64M --swap 0 --start
check "and one that is stopped" nodectl create still --image mini --memory 64M --swap 0
shell busy 'timeout 300 sh -c "while :; do :; done"' >/dev/null 2>&1 &
background+=($!)

# ---- text
text=$(nodectl top </dev/null | cat)
like "without a terminal one look is text" "$text" '^ *NAME +STATE +CPU%'
is "with a line for each VPS" "$(grep -cE '^(busy|idle|still) ' <<<"$text")" 3
like "the busiest first" "$(sed -n 3p <<<"$text")" '^busy +running'
like "what is stopped has no figures" "$(grep ^still <<<"$text")" 'stopped +- '
is "--count looks so many times" "$(nodectl top --count 2 --delay 1 | grep -c NAME)" 2
like "--sort by name" "$(nodectl top --count 1 --delay 1 --sort name | sed -n 3p)" '^busy'
like "and turned" "$(nodectl top --count 1 --delay 1 --sort=-name | sed -n 3p)" '^still'

# ---- JSON
json=$(nodectl top -j --delay 2)
is "JSON is one line a look" "$(wc -l <<<"$json") $(jq .schema <<<"$json")" "1 1"
is "the CPU of one is near its cap of half a CPU" \
	"$(jq '.vps[] | select(.name == "busy").cpu | . > 0.3 and . < 0.6' <<<"$json")" true
is "that of the other is not" "$(jq '.vps[] | select(.name == "idle").cpu < 0.2' <<<"$json")" true
is "and one that is stopped has none" "$(jq -c '.vps[] | select(.name == "still") | [.cpu, .memory]' <<<"$json")" "[null,null]"

# ---- what is wrong
exits 21 "an unknown column" nodectl top --sort colour
exits 21 "no delay at all" nodectl top --delay 0
exits 21 "a count of nothing" nodectl top --count 0
exits 20 "an argument" nodectl top busy

# ---- live
talk() {
	TERM=${TERM_OF:-xterm} timeout 60 python3 "$TESTS/talk.py" "$WORK/screen" "$NODECTL" top --delay=1 "$@"
}
check "live: keys sort, filter, hold and leave" talk 'busy' '>' 'running' 'r' 'quit' '/' 'only names with' 'idl' 'idl' $'\n' \
	'filter: idl' ' ' 'go on' 'q'
leaves() {
	grep -q $'\e\\[?1049l' "$WORK/screen" && grep -q $'\e\\[?25h' "$WORK/screen"
}
check "and the terminal is as it was" leaves
TERM_OF=vt100 check "on an old terminal as well" talk 'busy' 'q'
exits 3 "a terminal that nobody knows is told" env TERM=no-such-terminal script -qec "$NODECTL top" /dev/null

finish
