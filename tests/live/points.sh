#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Operations whose N-th system call kills them, or fails: repair, and it is as before or as after.
# POINTS=N calls of each operation, or EVERY=1 for all of them (make killpoints).  The sample is
# the same each time, as far as two runs are alike; SEED=N makes others.
. "$(dirname "$0")/lib.sh"
begin python3
[ -n "${SEED-}" ] || SEED=$([ -z "${EVERY-}" ] && echo 1 || echo $RANDOM)
# the second node of `init`
second_leave() {
	ip link del nodectl-pts 2>/dev/null
	nft delete table inet nodectl-nodectl-pts 2>/dev/null
}
trap 'second_leave; ended_early' EXIT
export SLOW STORAGE RUN BIN WORK NODECTL AT=$BIN/at
[ "$AT" -nt "$TESTS/../kill/at.c" ] || ${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -O2 -Wall -o "$AT" "$TESTS/../kill/at.c" || exit 1
[ "$BIN/alloc.so" -nt "$TESTS/../kill/alloc.c" ] ||
	${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -O2 -Wall -fno-builtin -shared -fPIC -o "$BIN/alloc.so" "$TESTS/../kill/alloc.c" || exit 1
mini=$(nodectl image show mini -j | jq -r .digest)
mkdir "$WORK/root"
tar -C "$STORAGE/images/sha256/$mini/root" -c . | tar -C "$WORK/root" -x
echo points >"$WORK/root/etc/motd"
tar -C "$WORK/root" -c -f "$WORK/points.tar" .

# points TITLE OPTION... [OPERATION...]: its lines are ours
points() {
	local title=$1 line ended=
	shift
	# shellcheck disable=SC2086
	while read -r line; do
		case $line in
		"ok - "*) ok "$title: ${line#ok - }" ;;
		"not ok - "*) not_ok "$title: ${line#not ok - }" ;;
		"# "*" points, "*" failed") echo "$line" && ended=yes ;;
		*) echo "$line" ;;
		esac
	done < <(python3 "$TESTS/../kill/points.py" --seed "$SEED" --points "${POINTS:-3}" ${EVERY:+--every $EVERY} "$@" ${OPERATIONS-} 2>&1)
	[ -n "$ended" ] || not_ok "$title: it did not come to its end"
}

# known TITLE OPTION... OPERATION: what was found once; a few of it where a machine is emulated
known() {
	local title=$1
	shift
	# shellcheck disable=SC2046
	OPERATIONS='' EVERY='' points "$title" $([ "$SLOW" -eq 1 ] || echo --most 6) "$@"
}

points "killed at a call"
points "a call fails" --error
points "calls fail from there on" --error --lasting
points "no memory" --memory
points "a call is cut short" --short
if [ -z "${OPERATIONS-}" ]; then
	known "nothing inside, and it says so" --error --calls prctl,sendto exec
	known "the library of nftables gives up" --error --calls recvmsg init
	known "no memory for a table" --memory --every 9 capacity
	known "its signals cannot be read any more" --error --lasting --calls read exec
	known "whether it was executed cannot be told" --error --calls poll,recvfrom exec-cat
	known "what it reads and prints cannot be waited for" --error --lasting --calls poll exec-cat
	known "no memory to count CPUs" --memory --every 1 freeze repair
	known "a descriptor that does not get there" --error --calls sendmsg start
	known "who enters is killed before it is told to go on" --whom one --calls recvfrom exec passwd adopt
	known "who lets it in is killed before it says so" --whom one --calls sendto adopt
	known "who works in one that does not run is killed" --whom one --calls rename passwd-offline
	known "nodectl is killed while who is inside gives up its ids" --whom root --calls setresuid,setgroups,prctl exec-sleep
	known "whether it has an interface cannot be told" --error --calls ioctl set-address
	known "what its status is cannot be read" --error --calls read,openat set-publish
	known "resize2fs cannot write, and does not say so" --error --calls write,lseek set-disk
	known "a pin that cannot be looked at" --error --calls access,newfstatat,poll stop-force
	known "the mark that it is to run cannot be removed" --error --calls unlinkat stop-force
fi

finish
