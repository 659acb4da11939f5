#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fuzz what reads the words of others.  usage: tests/fuzz/run.sh SECONDS [TARGET...]; as root.
#
# Inputs that were found to lead somewhere new are kept in $O/fuzz/corpus, and the next run goes on
# from them; one that is wrong is copied to $O/fuzz/found, and `$O/fuzz/TARGET FILE` shows it again.
set -u
cd "$(dirname "$0")/../.." || exit
seconds=$1
shift
build=$(cd "${O:-build}/fuzz" && pwd) || exit
all="definition value state archive guard"

[ "$(id -u)" = 0 ] || { echo "fuzz: must be run as root" >&2; exit 1; }
# a mistake of ours must not reach this machine's files: they are read-only for us
if [ -z "${FUZZ_INSIDE-}" ]; then
	FUZZ_INSIDE=1 exec unshare --mount -- "$0" "$seconds" "$@"
fi
work=$(mktemp -d /dev/shm/nodectl-fuzz.XXXXXX) || exit
target=
cleanup() {
	trap '' INT TERM HUP
	trap - EXIT
	[ -z "$target" ] || kill "$target" 2>/dev/null
	umount "$work/scratch" "$work/out" 2>/dev/null
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -p "$build/corpus" "$build/found"
mkdir "$work/out" "$work/scratch" "$work/seeds"
mount -t tmpfs -o size=512m,mode=700 tmpfs "$work/scratch" || exit
mount --bind "$build" "$work/out" || exit
mount -o remount,bind,ro / || exit

# seed TARGET NUMBER NAME: standard input is one; NUMBER chooses the parser
seed() {
	mkdir -p "$work/seeds/$1"
	{
		[ -z "$2" ] || printf "\\x$(printf %02x "$2")"
		cat
	} >"$work/seeds/$1/$3"
}

seeds() {
	local number=0 text mac
	printf 'cpus = 1\ncpu-guaranteed = 0.1\nmemory = 1G\nmemory-guaranteed = 256M\nswap = 0\ntasks = 1024\ndisk = 10G\ninodes = 100000\nio-write = 4M,200\nrate-out = 100M\ntraffic = 1T\n' |
		seed definition 1 plan
	printf 'id = 7\nname = web1\nuuid = 5c4bd15c-1f6b-4c5e-9d53-b5e4a9d0a111\ncreated = 2026-11-21T17:40:28Z\nimage = mini\ndigest = %064d\nhostname = web1\nmemory = 512M\nmemory-guaranteed = 128M\ncpus = 1.5\nweight = 200\ntasks = 100\ndisk = 10G\nip = 10.77.0.9/16\nip6 = fd00::9/64\npublish = 22007:22\npublish = 203.0.113.5:8000-8010:80/udp\nroute = 2001:db8:7::/48\nrate-in = 10M\nio-read = 4M\ntraffic = 100G\nrestart = on-crash\n' 0 |
		seed definition 0 vps
	printf 'storage = /var/lib/nodectl\nrun = /run/nodectl\nbridge = nodectl0\nsubnet = 10.77.0.1/16\nsubnet6 = fd77::1/64\nids = 1-100\npool public = 203.0.113.0/24\nfree = 10.0.0.0/8\nratio-memory = 1.5\nkeep-days = 10\n' |
		seed definition 2 node
	for text in '0 512M' '0 1.5G' '0 100Mbit' '1 1.5' '1 10m' '1 SIGRTMIN+3' '2 10.77.0.1/16' '2 2001:db8::1/64' '2 ::ffff:1.2.3.4' \
		'3 22001:22' '3 203.0.113.5:8000-8010:80/udp' '3 [2001:db8::5]:80:80' '3 udp-203.0.113.5-53' '4 tcp/22,80,443,icmp' \
		'4 udp/1000-2000' '5 last-month' '5 2026-11-01..2026-11-09' '6 publish=22001:22' '6 traffic-action=throttle:4M' \
		'6 memory=1G' '6 ssh-key=ssh-ed25519 AAAA x'; do
		printf '%s' "${text#* }" | seed value "${text%% *}" "$((number += 1))"
	done
	printf 'create\nweb1\n--image\nmini\n--memory\n1G\n--publish\n80:80\n-j' | seed value 7 create
	printf 'set\nweb1\n--plan=small\n--idempotent' | seed value 7 set
	printf 'id = 7\nboot = %s\ninit = 12\ninit-start = 34\nmonitor = 56\nmonitor-start = 78\nstarted = 90\nend\n' \
		"$(cat /proc/sys/kernel/random/boot_id)" | seed state 0 run
	printf 'lxcfs = 1\nlxcfs-start = 2\nholder = 3\nholder-start = 4\ndevice = 5\n' | seed state 1 view
	seed state 2 stat </proc/self/stat
	printf 'traffic = over\ntraffic-told = ok\ndisk = ok\nthrottle = 4000000\nsuspended = no\nadded = 5\nsince = 6\n' | seed state 3 quota
	seed state 5 mountinfo </proc/self/mountinfo
	printf '254:0 rbytes=1 wbytes=2 rios=3 wios=4\n' | seed state 5 io
	printf 'some avg10=0.12 avg60=0.00 avg300=0.00 total=2345\nfull avg10=0.00 total=5\n' | seed state 5 pressure

	# a tree with one of everything that an image may have
	mkdir -p "$work/tree/sbin" "$work/tree/dev" "$work/tree/etc" "$work/tree/proc" "$work/tree/run" "$work/tree/sys"
	echo '#!/bin/sh' >"$work/tree/sbin/init"
	chmod 4755 "$work/tree/sbin/init"
	ln "$work/tree/sbin/init" "$work/tree/etc/hard"
	ln -s ../sbin/init "$work/tree/etc/soft"
	mkfifo "$work/tree/etc/fifo"
	mkdir -p "$work/seeds/archive"
	for text in gnu pax ustar v7; do
		tar -C "$work/tree" --format="$text" -cf "$work/seeds/archive/$text" . 2>/dev/null
	done
	gzip -c "$work/seeds/archive/pax" >"$work/seeds/archive/gz"
	xz -c "$work/seeds/archive/pax" >"$work/seeds/archive/xz"
	zstd -q -c "$work/seeds/archive/pax" >"$work/seeds/archive/zst"
	rm -rf "$work/tree"

	# frames of that VPS: IPv4, ARP, a neighbour solicitation
	mac='\x02\x6e\x64\x00\x00\x07'
	printf '\xff\xff\xff\xff\xff\xff'"$mac"'\x08\x00\x45\x00\x00\x1c\x00\x01\x00\x00\x40\x11\x00\x00\x0a\x4d\x00\x09\xff\xff\xff\xff\x03\xe8\x03\xe8\x00\x08\x00\x00' | seed guard 0 ipv4
	printf '\xff\xff\xff\xff\xff\xff'"$mac"'\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01'"$mac"'\x0a\x4d\x00\x09\x00\x00\x00\x00\x00\x00\x0a\x4d\x00\x01' | seed guard 0 arp
	printf '\x33\x33\x00\x00\x00\x01'"$mac"'\x86\xdd\x60\x00\x00\x00\x00\x20\x3a\xff\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x87\x00\x00\x00\x00\x00\x00\x00\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01'"$mac" | seed guard 0 nd
}

passed=0 failed=0
seeds
for name in ${*:-$all}; do
	mkdir -p "$work/out/corpus/$name" "$work/seeds/$name"
	size=4096
	[ "$name" != archive ] || size=65536
	FUZZ_SCRATCH=$work/scratch ASAN_OPTIONS=detect_leaks=0 "$build/$name" -max_total_time="$seconds" -timeout=20 \
		-rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=$size -print_final_stats=1 -artifact_prefix="$work/out/found/$name-" \
		"$work/out/corpus/$name" "$work/seeds/$name" >"$work/log" 2>&1 &
	target=$!
	if wait "$target"; then
		passed=$((passed + 1))
		echo "# $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log") inputs, $(grep -o 'cov: [0-9]*' "$work/log" |
			tail -n 1)"
	else
		failed=$((failed + 1))
		echo "not ok - $name"
		grep -aE '^(wrong:|==[0-9]+==|SUMMARY|.*(runtime error|Assertion)|    #[0-9] )' "$work/log" | head -n 20 | sed 's/^/# /'
		sed -n "s,.*$work/out/found/,# $build/found/,p" "$work/log"
	fi
	target=
	find "$work/scratch" -mindepth 1 -delete
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" = 0 ]
