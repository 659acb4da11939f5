#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Power cuts at every flush, without a machine to cut the power of: VPSs and images are made,
# changed and removed on this machine, in a storage whose disk notes each write (QEMU's
# blklogwrites, below a loop device).  Of each moment at which something was flushed, the disk
# is made again as it was then, once with nothing that was written later and once with some of
# it.  Everything that nodectl had said by then to be done must be there, nothing half done, and
# repair must have nothing left to do.
#
#	tests/node/flushes.sh [SECONDS [N]]	SECONDS of work, 3 if it is not said; at most N
#						flushes, evenly, else all
#	SEED=...				other writes that get lost
#
# All of it is in a mount namespace of its own.
[ -n "${FLUSHES-}" ] || FLUSHES=yes exec unshare --mount --propagation private bash "$0" "$@"
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../live/lib.sh"
seconds=${1:-3} most=${2:-1000000} SEED=${SEED:-$RANDOM}
began=$SECONDS

until alone 2>/dev/null; do sleep 2; done
dir=$BUILD/node/flushes.$$
STORAGE=$dir/mnt
BIN=$dir/bin PROBE=$dir/bin/probe TENANT=$dir/bin/tenant
NODECTL=$BIN/nodectl
# there too, for the plans lie beside it
NODECTL_CONFIG=$STORAGE/etc/node.conf
records=$dir/records
sums=$dir/sums
enough=$dir/enough
working='' noting=''

# A child of stop may be at its work for a moment.
away() {
	nodectl stop --all --force --quiet --idempotent </dev/null
	eventually 20 umount "$STORAGE" || umount -l "$STORAGE"
}

# The daemon is killed: nobody wants its log any more.
leave() {
	trap - EXIT
	trap '' INT TERM HUP
	[ ! -d "$dir" ] || : >"$enough"
	[ -z "$working" ] || wait "$working"
	mountpoint -q "$STORAGE" && away
	[ -z "$noting" ] || { kill -KILL "$noting" && wait "$noting"; } 2>/dev/null
	umount -l "$dir/noted" 2>/dev/null
	machine_restore
	rm -f "$LOCK"
	rm -rf "$dir"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# What runs that were killed left.  Their disks last as long as their VPSs: each is a child of
# its monitor.
leftovers() {
	local old pids
	for old in "$BUILD"/node/flushes.*; do
		[ -e "$old" ] || continue
		[ "$old" = "$dir" ] || ! kill -0 "${old##*.}" 2>/dev/null || continue
		pids=$(find /proc/[0-9]*/exe -maxdepth 0 -lname "$old/bin/*" -printf '%h\n' 2>/dev/null | cut -d/ -f3 | xargs)
		# shellcheck disable=SC2086
		[ -z "$pids" ] || kill -KILL $pids $(pgrep -P "${pids// /,}")
		awk -v at="$old/" 'index($5, at) == 1 { print $5 }' /proc/self/mountinfo | tac | xargs -r umount -l
		rm -rf "$old"
	done
}

stop_here() {
	echo "not ok - $1"
	echo "0 passed, 1 failed"
	exit 1
}

leftovers
machine_note
mkdir -p "$dir/mnt" "$dir/run" && programs || exit 1
: >"$sums"

# ---- a storage, and what writes to it

truncate -s 1G "$dir/disk"
mke2fs -q -t ext4 -E lazy_itable_init=1,lazy_journal_init=1 "$dir/disk" &&
	mount -o loop "$dir/disk" "$STORAGE" || stop_here "a disk"
mkdir "$STORAGE/etc"
RUN=$dir/run node_conf >"$NODECTL_CONFIG"
echo "reserve-disk = 0" >>"$NODECTL_CONFIG"
OUT=$({ nodectl init --quiet && nodectl repair && nodectl image build mini --quiet; } 2>&1) || stop_here "a storage: $OUT"
umount "$STORAGE"
cp --sparse=always "$dir/disk" "$dir/before"

: >"$dir/log"
: >"$dir/noted"
# It says who it is when its export is there.  A session of its own: who ends our group leaves the
# VPSs their disk until they are stopped.
setsid setpriv --pdeathsig KILL qemu-storage-daemon --pidfile "$dir/pid" \
	--blockdev "driver=file,node-name=disk,filename=$dir/disk" \
	--blockdev "driver=file,node-name=log,filename=$dir/log" \
	--blockdev "driver=blklogwrites,node-name=both,file=disk,log=log,log-super-update-interval=1" \
	--export "type=fuse,id=noted,node-name=both,mountpoint=$dir/noted,writable=on" </dev/null &
noting=$!
eventually 20 test -s "$dir/pid" && mount -o loop "$dir/noted" "$STORAGE" ||
	stop_here "a disk that notes what is written"

# How many writes and flushes there have been.
written() {
	od -A n -t u8 -j 16 -N 8 "$dir/log" | tr -d ' '
}

# What was begun is said before it begins, what was done afterwards.
record() {
	echo "$(written) op $1 $2 $3 $4 ${5:--} ." >>"$dir/told"
}

: >"$dir/told"
# in a group of its own, for the same reason: no operation ends halfway
set -m
(
	. "$here/claims.sh"
	. "$here/work.sh"
	scratch=$dir
	worker a 0 &
	worker b 1 &
	wait
) >"$dir/work" 2>&1 </dev/null &
working=$!
set +m
# in the background, for a signal is not heard while a command is waited for
setpriv --pdeathsig KILL sleep "$seconds" &
wait $!
: >"$enough"
wait "$working"
working=
if [ -s "$dir/work" ]; then
	head -n 20 "$dir/work"
	stop_here "the work itself"
fi
grep -q ' op [0-9]* done ' "$dir/told" || stop_here "there was work: no operation was done"
away
kill "$noting"
gone() { ! kill -0 "$noting" 2>/dev/null; }
eventually 10 gone || stop_here "qemu-storage-daemon ends"
noting=
awk '$4 == "begin" { b++; verb[$5]++ } $4 == "done" { d++ }
	END { printf "# %d operations begun, %d done:", b, d; for (v in verb) printf " %s %d", v, verb[v]; print "" }' "$dir/told"

# ---- the disk, as it was

# look WRITTEN WHAT: is the storage in $dir/look what had been said by then?
look() {
	awk -v written="$1" '$1 <= written { sub(/^[0-9]+ /, ""); print }' "$dir/told" >"$records"
	if ! mount -o loop "$dir/look" "$STORAGE"; then
		echo "not ok - $2: it can be mounted"
		echo "0 1" >>"$sums"
		return
	fi
	rm -rf "${dir:?}"/run/* "$dir/sum"
	(
		. "$here/claims.sh"
		record() { :; }
		replay
		compare
		echo "$passed $failed" >"$dir/sum"
	) </dev/null >"$dir/looked" 2>&1
	if [ -s "$dir/sum" ]; then
		cat "$dir/sum" >>"$sums"
	else
		echo "not ok - $2: it is compared to the end"
		tail -n 6 "$dir/looked" | sed 's/^/# /'
		echo "0 1" >>"$sums"
	fi
	if grep -q '^not ok' "$dir/looked"; then
		echo "# $2, SEED=$SEED; what had been said then, at last:"
		tail -n 6 "$records" | sed 's/^/# /'
		grep -A20 '^not ok' "$dir/looked" | grep -E '^(not ok|#)'
	fi
	away
}

flushes=()
while read -r at; do flushes+=("$at"); done < <(python3 "$here/replay.py" flushes "$dir/log")
count=${#flushes[@]}
step=$(((count + most - 1) / most))
made=0 looked=0
cp --sparse=always "$dir/before" "$dir/disk"
for ((i = 0; i < count; i += step)); do
	upto=$((flushes[i] + 1))
	next=${flushes[i + 1]-$upto}
	python3 "$here/replay.py" apply "$dir/log" "$dir/disk" $made $upto
	made=$upto
	cp --sparse=always "$dir/disk" "$dir/look"
	look $upto "at flush $i"
	looked=$((looked + 1))
	[ "$next" -gt $upto ] || continue
	# and what a disk with a cache may have written out of what came then
	cp --sparse=always "$dir/disk" "$dir/look"
	python3 "$here/replay.py" some "$dir/log" "$dir/look" $upto "$next" "$SEED.$i"
	look $upto "at flush $i, and some of what followed"
	looked=$((looked + 1))
done
echo "# $count flushes; $looked disks looked at, in $((SECONDS - began)) s altogether"
awk '{ p += $1; f += $2 } END { printf "%d passed, %d failed\n", p, f; exit f != 0 || p == 0 }' "$sums"
