#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A tenant who takes all there is (SECURITY.md D1 to D7, D12): another VPS has what it had, is not
# much slower than before, and `stop --force` ends the worst of it.
. "$(dirname "$0")/../live/lib.sh"
begin

nodectl plan create flood --memory 128M --tasks 200 --cpus 0.5 --disk 64M --quiet
evil_anew() {
	nodectl start evil --quiet --idempotent || exit 1
}
# run TEXT: by the VPS itself, and not as a command from outside
run() { shell evil "setsid $1 >/root/said 2>&1 </dev/null &"; }
said() { shell evil 'cat /root/said' 2>/dev/null; }
for name in evil victim; do
	nodectl create $name --plan flood --start --quiet && nodectl push $name "$TENANT" /bin/tenant --quiet || exit 1
done
pid=$(field victim .pid)

# a slow machine is not through with all that it has to close when stop has waited enough
ended() {
	timeout $((30 * SLOW)) "$NODECTL" stop evil --force --idempotent ||
		timeout $((30 * SLOW)) "$NODECTL" stop evil --force --idempotent
}

# ---- pools: one takes all that it can get, the other asks for a few
for what in terminals aio inotify uts files locks threads forks; do
	want=50
	run "tenant take $what 60"
	# it has been refused; or its own memory ended first, and the taker with it
	through() { [ -n "$(said)" ] || ! shell evil 'ps' | grep -q '[t]enant take'; }
	eventually 15 through
	took=$(said)
	is "$what: while one VPS holds ${took:-all that its memory has room for}, another has what it asks for" \
		"$(inside victim tenant some $what $want)" $want
	[ -z "$took" ] || check "$what: it did take some" [ "$took" -ge 20 ]
	if [ $what = inotify ] && [ -n "$took" ]; then
		is "canary: in the VPS itself nothing is left of it" "$(inside evil tenant some $what $want)" 0
	fi
	check "$what: stop --force of the taker" ended
	evil_anew
done

# what a taker has must be given back, and that may be more work than his cap lets through
run "tenant take terminals 60"
through() { [ -n "$(said)" ] || ! shell evil 'ps' | grep -q '[t]enant take'; }
eventually 15 through
check "with a hundredth of a processor" nodectl set evil --cpus 0.01 --cpu-guaranteed 0 --quiet
check "stop --force ends it all the same" ended
check "as before" nodectl set evil --cpus 0.5 --quiet
evil_anew

# ---- floods: a server's small work in the victim, before, meanwhile, and after
p99() { inside "$1" tenant latency "${2:-1.5}" | cut -d ' ' -f 2; }
worst=$(p99 victim)
# flood NAME TEXT
flood() {
	local quiet during began took
	run "$2"
	sleep 0.5
	during=$(p99 victim)
	check "$1: the victim is the same" [ "$(field victim .pid)" = "$pid" ]
	began=${EPOCHREALTIME/./}
	check "$1: stop --force works" ended
	took=$(((${EPOCHREALTIME/./} - began) / 1000))
	quiet=$(p99 victim 1)
	[ "$quiet" -le "$worst" ] || worst=$quiet
	echo "# $1: the victim's p99 is $during us, without $quiet us (at worst $worst); stopped in $took ms"
	# machines are noisy: the figure is told, and not judged
	check "$1: the victim does its work meanwhile" [ "${during:-0}" -gt 0 ]
	evil_anew
}
flood "fork bomb" "tenant flood forks"
flood "memory" "sh -c 'while :; do tenant flood memory; done'"
flood "processors" "tenant flood cpu"
flood "tmpfs" "tenant flood /dev/shm/flood"
flood "disk" "tenant flood /root/flood"
flood "console" "tenant flood /dev/console"
flood "network namespaces" "tenant flood namespaces"
quiet=$(p99 victim 1)
inside victim sh -c 'setsid tenant flood cpu >/dev/null 2>&1 </dev/null &'
sleep 0.3
own=$(p99 victim)
shell victim 'killall tenant' >/dev/null 2>&1
echo "# a flood in the victim itself: its p99 is $own us, without $quiet us"

# a flood of the console: what the node keeps of it has a bound
is "what the node keeps of a console is 64 KiB" "$(stat -c %s "$RUN/evil/console.ring")" $((65536 + 64))

# ---- what no group is charged for (SECURITY.md M4, M5, N14): neighbour entries have a bound of ours
unreclaimable() { awk '$1 == "SUnreclaim:" { print $2 }' /proc/meminfo; }
neighbours() { nodectl net show "$1" -j | jq -r ".vps[0].neighbours.$2"; }
doctor_has() { nodectl doctor -j | jq -e --arg name "$1" '.features[] | select(.feature == $name).present' >/dev/null; }
most=16384 message=3000
check "the kernel bounds them" doctor_has neighbours-bounded
if doctor_has neighbours-refused; then
	over=$most ended="No buffer space available"
else
	# who makes one too many is killed, and his message worked off
	over=$((most + message)) ended=
fi
is "a VPS may have so many" "$(neighbours evil most)" $most
before=$(unreclaimable)
for device in eth0 lo; do
	said=$(inside evil tenant neighbours 60000 $device)
	is "a flood by $device is ended" "${said#* }" "$ended"
	echo "# $device: ${said:-killed}; $(neighbours evil held) entries, $((($(unreclaimable) - before) / 1024)) MiB of the node"
	[ "$(neighbours evil held)" -le $((over + 16)) ] && ok "$device: no more than the bound" || not_ok "$device: no more than the bound" "$(neighbours evil held)"
	check "$device: it is told" [ "$(neighbours evil refused)" -gt 0 ]
	nodectl stop evil --force --idempotent --quiet
	# what stop leaves to do goes on beside
	has_none() { [ "$(nodectl net show evil -j | jq -c '.vps[0].neighbours')" = null ]; }
	check "$device: a stopped one has none" eventually 15 has_none
	evil_anew
done
said=$(inside evil tenant arp 20000)
is "nor more by arp(8)" "$([ "$(neighbours evil held)" -le $((most + 16)) ] && echo "${said#* }")" "$ended"
[ "$(neighbours evil held)" -gt $((most - 100)) ] && ok "it has what it may" || not_ok "it has what it may" "$(neighbours evil held)"
check "and in it all else goes on" inside evil true
is "another has room" "$(inside victim tenant neighbours 500 | cut -d ' ' -f 2)" all
# many at once: nobody of them has more than one message
for i in 1 2 3 4 5 6; do shell evil 'tenant neighbours 60000 >/dev/null 2>&1 & tenant neighbours 60000 >/dev/null 2>&1 & wait' >/dev/null 2>&1; done
[ "$(neighbours evil held)" -le $((over + 12 * message)) ] && ok "nor by many at once" || not_ok "nor by many at once" "$(neighbours evil held)"
nodectl stop evil --force --idempotent --quiet
evil_anew
if command -v bpftool >/dev/null; then
	# without its cell nobody knows it
	cell=$(stat -L -c %i "/proc/$(field evil .pid)/ns/user")
	check "canary: without the bound" bpftool map delete pinned /sys/fs/bpf/nodectl/neighbours/accounts \
		key $((cell & 255)) $((cell >> 8 & 255)) $((cell >> 16 & 255)) $((cell >> 24))
	before=$(unreclaimable)
	is "all come" "$(inside evil tenant neighbours 60000 | cut -d ' ' -f 2)" all
	grown=$(($(unreclaimable) - before))
	check "and it is felt" [ $grown -gt 10240 ]
	like "diff tells of it" "$(nodectl diff evil)" "neighbours: wants bounded, has as many as it likes"
	check "and gives it a bound" nodectl diff evil --fix
	is "from then on" "$(neighbours evil most) $(nodectl diff evil)" "$most "
	check "kill works" nodectl kill evil
	given_back() { [ $(($(unreclaimable) - before)) -lt $((grown / 3)) ]; }
	check "and gives it back" eventually 15 given_back
fi

# ---- queues of interfaces
evil_again() { nodectl stop evil --force --idempotent --quiet && evil_anew; }
evil_again
if doctor_has neighbours-refused; then
	full="No buffer space available"
	is "so many packets may wait at an interface" "$(inside evil tenant length 10000)" taken
	is "and no more" "$(inside evil tenant length 10001)" "$full"
	is "nor by ifconfig(8)" "$(inside evil tenant length 100 ioctl)" "Operation not permitted"
	is "an interface with thousands of queues is refused" "$(inside evil tenant queues 1 4096)" "0 $full"
	is "nor has its other end so many" "$(inside evil tenant queues 1 4096 other)" "0 $full"
	is "nor where they are named behind more attributes than can be looked at" "$(inside evil tenant queues 1 4096 behind)" "0 $full"
	said=$(inside evil tenant queues 20 100)
	is "so many queues, and no more" "$said" "6 $full"
	is "another may make some" "$(inside victim tenant queues 4 1)" "4 all"
	evil_again
	said=$(inside evil tenant queues 600 1)
	is "one by one they come to an end, too" "${said#* }" "$full"
	echo "# after ${said%% *}"
	[ "${said%% *}" -ge 300 ] && ok "after many" || not_ok "after many" "$said"
	evil_again
	# who made the namespace needs no capability of his own there
	run "tenant helper 60000"
	through() { [ "$(said)" = done ]; }
	check "without a capability" eventually 60 through
	# and those few that the kernel makes by itself, for what a VPS sends
	[ "$(neighbours evil held)" -le $((most + 16)) ] && ok "there are no more than the bound either" || not_ok "there are no more than the bound either" "$(neighbours evil held)"
	# each may write a line to the node's log
	evil_again
	level=$(cut -f 1 /proc/sys/kernel/printk)
	dmesg -n 1
	said=$(inside evil tenant toggle 40000)
	dmesg -n "$level"
	is "changes of an interface come to an end" "${said#* }" "$full"
	echo "# after ${said%% *}"
else
	is "who makes too many is killed" "$(inside evil tenant queues 1 600)" ""
	check "it is told" [ "$(neighbours evil refused)" -gt 0 ]
fi
evil_again

# ---- nor for what a socket has the kernel keep by an option: rings of packets, memberships
rings() { nodectl net show evil -j | jq -r ".vps[0].rings.$1"; }
full="Cannot allocate memory"
check "the kernel bounds rings" doctor_has "socket policy"
is "a VPS may have so much in rings" "$(rings most)" $((32 << 20))
is "a hundred of a mebibyte are too many" "$(inside evil tenant rings 100 1024)" "32 $full"
is "it is told" "$(rings refused)" 1
is "one after the other they are none" "$(inside evil tenant rings 100 1024 close)" "100 all"
is "as many to send from are as many" "$(inside evil tenant rings 100 1024 twice)" "16 $full"
is "namespaces of his own are his" "$(inside evil tenant rings 100 1024 nested)" "32 $full"
evil_again
is "nor more by an option that is longer than a page" "$(inside evil tenant rings 100 1024 long)" "32 $full"
is "nor one of gibibytes" "$(inside evil tenant rings 1 2000000)" "0 $full"
is "nor many small ones" "$(inside evil tenant rings 100 64)" "64 $full"
is "one that is in use is counted on" "$(inside evil tenant again 20480)" "Device or resource busy $full"
is "many at once get no more" "$(inside evil tenant race 100 2048 | awk '{ print ($1 > 0 && $1 <= 16) ? "so" : $1 }')" so
evil_again
run "tenant rings 32 1024 stay"
has_all() { [ "$(said)" = "32 all" ]; }
check "while one has them all" eventually 15 has_all
is "he is told of" "$(rings asked)" $((32 << 20))
is "another may have its own" "$(inside victim tenant rings 32 1024)" "32 all"
shell evil 'killall tenant' >/dev/null 2>&1
given_back() { [ "$(inside evil tenant rings 32 1024)" = "32 all" ]; }
check "what is closed is given back" eventually 15 given_back
is "what is larger than it says is counted as it is" "$(inside evil tenant rings 100 2052 odd)" "8 $full"
before=$(rings asked)
is "who is nobody asks for nothing" "$(inside evil tenant nobody) $(rings asked)" "refused $before"
evil_again
said=$(inside evil tenant rings 4000 2048 close)
is "nor can it be had again and again" "${said#* }" "$full"
[ "${said%% *}" -ge 100 ] && ok "after a while" || not_ok "after a while" "$said"
evil_again
is "a group of packet sockets has room for many" "$(inside evil tenant fanout 1024)" made
is "and not for all there could be" "$(inside evil tenant fanout 1025)" "Invalid argument"
is "other long options are taken as they are" "$(inside evil tenant option)" taken
said=$(inside evil tenant joins 40000 packets)
is "memberships come to an end" "${said#* }" "No buffer space available"
echo "# after ${said%% *}"
[ "${said%% *}" -ge 16000 ] && ok "after many" || not_ok "after many" "$said"
said=$(inside evil tenant joins 5000 ip6)
is "whatever they are in" "${said#* }" "No buffer space available"
is "another has its own" "$(inside victim tenant joins 500 ip6)" "500 all"
evil_again
is "and so has the next life" "$(inside evil tenant joins 500 ip6) $(rings refused)" "500 all 0"
if command -v bpftool >/dev/null; then
	group=$(find /sys/fs/cgroup -path "*/nodectl-vps.service/$(field evil .id)" -exec test -e {}/cgroup.kill \; -print -quit)
	program=$(bpftool cgroup list "$group" -j | jq '.[] | select(.attach_type == "cgroup_setsockopt").id')
	check "canary: without the bound" bpftool cgroup detach "$group" cgroup_setsockopt id "$program" multi
	is "all come" "$(inside evil tenant rings 100 1024)" "100 all"
	evil_again
	is "a start brings it back" "$(inside evil tenant rings 100 1024)" "32 $full"
fi

is "the victim was never disturbed" "$(field victim .pid)" "$pid"
nodectl destroy --all --force --yes --quiet
nodectl plan remove flood --quiet
finish
