#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# top: live figures, in a file, as JSON, and on a terminal.
. "$(dirname "$0")/lib.sh"
begin python3

check "create a VPS that works" nodectl create busy --memory 64M --tasks 64 --cpus 0.5 --disk 300M --start --wait 30
check "and one that sleeps" nodectl create calm --memory 64M --tasks 64 --cpus 0.5 --disk 300M --start --wait 30
check "and one that does not run" nodectl create gone --memory 64M --cpus 0.5 --disk 300M
later timeout 600 "$NODECTL" exec --no-stdin busy -- /bin/sh -c 'while :; do :; done'

# ---- plain
round=$(nodectl top)
like "into a pipe it prints one look" "$round" '^3 VPSs: 2 running, 1 stopped, CPU [0-9.]+ of [0-9]+, memory [0-9.]+[KM]$'
is "with a line for each VPS" "$(printf '%s\n' "$round" | wc -l)" 5
like "the busiest first" "$(printf '%s\n' "$round" | sed -n 3p)" '^busy +running '
# no more than that, however little others leave it
printf '%s\n' "$round" | awk '$1 == "busy" { exit !($3 > 2 && $3 < 75) }' && ok "its CPU is what its cap gives" ||
	not_ok "its CPU is what its cap gives" "$round"
like "beside the cap, and how it held it back" "$round" '^busy +running +[0-9.]+ +50 +[1-9][0-9.]+ '
like "one that does not run has its limits only" "$round" '^gone +stopped +- +50 +- +- +- +64M '
is "-n counts the rounds" "$(nodectl top -n 3 -d 0.2 | grep -c ' VPSs: ')" 3
is "-b goes on until it is ended" "$(timeout 4 "$NODECTL" top -b -d 0.3 | grep -c ' VPSs: ' | awk '{ print ($1 > 4) ? "many" : $1 }')" many
is "-H and names" "$(nodectl top -H -n 1 calm gone -s NAME | awk '{ print $1 }' | tr '\n' ' ')" "calm gone "
is "an id is a name too" "$(nodectl top -H "$(field calm .id)" | awk '{ print $1 }')" calm
is "an argument is a name, --all is all" "$(nodectl top -H --all | wc -l)" 3
is "-s sorts" "$(nodectl top -H -s -NAME | awk '{ print $1 }' | tr '\n' ' ')" "gone calm busy "
exits 14 "of a VPS that does not exist: status 14" nodectl top nobody
exits 21 "by a column that does not exist: status 21" nodectl top -s COLOUR
exits 21 "in no time: status 21" nodectl top -d 0

# ---- JSON
rounds=$(nodectl top -j -n 2 -d 0.5)
is "JSON is a line for each round" "$(printf '%s\n' "$rounds" | jq -r '.schema, (.vps | length)' | tr '\n' ' ')" "1 3 1 3 "
is "with how long it took" "$(printf '%s\n' "$rounds" | jq -s '.[1].interval | . > 0.3 and . < 3')" true
is "CPU is in cores" "$(printf '%s\n' "$rounds" | jq -s '.[1].vps[] | select(.name == "busy").cpu | . > 0.1 and . < 0.8')" true
is "every figure is there" "$(printf '%s\n' "$rounds" | jq -sr '.[0].vps[0] | keys | sort | join(" ")')" \
	"cpu cpu_limit cpu_wait id in io_wait memory memory_limit memory_wait name of_cap of_memory out read state swap tasks throttled uptime written"
is "of what does not run nothing but its limits" "$(printf '%s\n' "$rounds" |
	jq -sr '.[1].vps[] | select(.name == "gone") | .cpu, .memory, .uptime, .cpu_limit, .memory_limit' | tr '\n' ' ')" "null null null 0.5 67108864 "
is "-j alone is one line" "$(nodectl top -j -d 0.2 | wc -l)" 1
check "what cannot be written is no success" bash -c '! "$0" top -n 1 >/dev/full 2>/dev/null' "$NODECTL"

# ---- what comes and goes
later "$NODECTL" top -b -d 0.3 >"$WORK/rounds"
shown() { grep -qE "$1" "$WORK/rounds"; }
gone() { ! tail -n 3 "$WORK/rounds" | grep -q '^late '; }
nodectl create late --memory 64M --cpus 0.5 --disk 300M --start --quiet
check "a VPS that is created appears" eventually 5 shown '^late +running '
nodectl set late --memory 128M --quiet
nodectl freeze calm --quiet
check "one that is frozen is shown so" eventually 5 shown '^calm +frozen '
nodectl destroy late --force --yes --quiet
nodectl thaw calm --quiet
check "one that is destroyed goes" eventually 5 gone
kill "$LATER" && wait "$LATER" 2>/dev/null

# ---- on a terminal
# screen NAME [SETTING...] -- ACTION...: top on a terminal
screen() {
	local name=$1 settings=()
	shift
	while [ "$1" != -- ]; do
		settings+=("$1")
		shift
	done
	shift
	check "$name" timeout 100 python3 "$TESTS/screen.py" "${settings[@]}" -- "$NODECTL" top -d 0.5 -- "$@"
}
screen "it shows VPSs, and its keys" SIZE=24x130 -- 'line:0:nodectl top - .*every 0.5s' 'line:1:3 VPSs: 2 running' \
	'line:2:^NAME +STATE +vCPU% +CAP%' 'line:3:^busy +running +[0-9.]+ +50 ' 'see:^gone +stopped' \
	'line:-1:q quit  < > sort  r reverse  / filter  d delay  space hold' type:q end:0
screen "> sorts by the next column, r turns it round" SIZE=24x130 -- 'line:2: vCPU% ' 'type:>' 'line:2: vCAP% ' type:r 'line:2: .CAP% ' \
	'type:<<' 'line:2: vSTATE' 'type:\e[D' 'line:2:^vNAME' 'line:3:^busy' 'type:r' 'line:3:^gone' type:q end:0
screen "i leaves out what does not run" SIZE=24x130 -- 'see:^gone ' type:i 'unsee:^gone ' type:i 'see:^gone ' type:q end:0
screen "/ filters names" SIZE=24x130 -- 'see:^calm ' type:/us 'line:-1:only names with: us_' 'type:\n' 'unsee:^calm ' 'see:^busy ' \
	'line:0:names with us' 'type:/\x7f\x7f\n' 'see:^calm ' type:q end:0
screen "escape leaves the filter as it was" SIZE=24x130 -- 'see:^calm ' type:/zz 'type:\e' 'line:-1:q quit' 'see:^calm ' type:q end:0
screen "d, + and - set the delay" SIZE=24x130 -- type:d 'line:-1:seconds: _' 'type:1.5\n' 'line:0:every 1.5s' 'type:d0\n' \
	'line:-1:not between 0.1 and 3600' 'type:+' 'line:0:every 2.5s' 'type:--' 'line:0:every 1s' type:q end:0
screen "space holds the display" SIZE=24x130 -- 'see:^busy ' 'type: ' 'line:0:HELD' hold:2 'type: ' 'unsee:HELD ' type:q end:0
screen "enter shows one VPS" SIZE=40x130 -- 'see:^busy ' 'type:\eOB\n' 'see:CPU time: ' 'see:memory: .*/64M' 'see:inodes: ' \
	'type:\n' 'line:2:^NAME' type:q end:0
screen "h helps" SIZE=30x100 -- type:h 'see:choose a VPS' type:h 'line:2:^NAME' type:q end:0
screen "it goes along with the window" SIZE=24x130 -- 'see:^busy ' size:10x60 'line:9:q quit' 'line:2:^NAME' size:40x160 'line:39:help' \
	'line:2:UPTIME' size:3x20 hold:0.1 size:24x80 'line:23:q quit' type:q end:0
for term in vt100 xterm-256color linux screen; do
	screen "on TERM=$term as well" TERM=$term SIZE=24x130 -- 'line:3:^busy +running' 'type:\n' 'see:CPU time' 'type:\n' 'see:^calm ' \
		size:12x90 'line:11:q quit' type:q end:0
done
for signal in TERM:143 INT:130 HUP:129 QUIT:131; do
	screen "the terminal is restored after SIG${signal%:*}" SIZE=24x130 -- 'see:^busy ' "signal:${signal%:*}" "end:${signal#*:}"
done
screen "nothing flickers: what does not change is not written" SIZE=24x130 -- 'type:/gone\n' 'unsee:^busy ' 'type:d60\n' 'line:0:every 60s' \
	hold:2 type:q end:0
check "a terminal that cannot be drawn on gets plain text" timeout 60 python3 "$TESTS/screen.py" TERM=dumb SIZE=24x200 -- \
	"$NODECTL" top -n 1 -- 'see:3 VPSs' end:0
check "one that nobody knows too" timeout 60 python3 "$TESTS/screen.py" TERM=nonsense SIZE=24x200 -- \
	"$NODECTL" top -b -d 0.3 -- 'see:3 VPSs' 'see:busy +running' signal:INT end:-2
check "and has an end" timeout 60 python3 "$TESTS/screen.py" TERM=nonsense SIZE=24x200 -- \
	"$NODECTL" top -d 0.3 -- 'see:3 VPSs' end:0

finish
