# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The node in a box, from outside: sourced by run.sh, shell.sh and powercut.sh.

NODE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$NODE/../.." && pwd)
cd "$TOP" || exit 1
mkdir -p "${O:-build}/node" || exit 1
BOX=$(cd "${O:-build}/node" && pwd)
QEMU=
RUN=
BUILDING=

# box_prepare: build what is missing, and remove what runs that were killed left
box_prepare() {
	local old
	box_guard
	# in the background, for a signal is not heard while a command is waited for
	O=${O:-build} bash "$NODE/build.sh" &
	BUILDING=$!
	wait "$BUILDING" || exit 1
	BUILDING=
	for old in "$BOX"/run.*; do
		[ -e "$old" ] && ! kill -0 "${old##*.}" 2>/dev/null && rm -rf "$old"
	done
}

# box_new: a box of this process; it goes when the process ends
box_new() {
	RUN=$BOX/run.$BASHPID
	rm -rf "$RUN"
	mkdir "$RUN" || exit 1
	box_guard
	cp "$BOX/code.tar" "$RUN/code.tar" || exit 1
	box_disk base/disk.img root || exit 1
	box_disk store.img store || exit 1
	: >"$RUN/said"
	: >"$RUN/console"
}

# box_add FILE NAME: FILE is tests/node/NAME inside
box_add() {
	mkdir -p "$RUN/add/srv/nodectl/tests/node" &&
		cp "$1" "$RUN/add/srv/nodectl/tests/node/$2" &&
		tar -C "$RUN/add" --owner=0 --group=0 -rf "$RUN/code.tar" "./srv/nodectl/tests/node/$2"
}

# box_disk BASE NAME: a disk that takes only what is written to it, and goes with the run
box_disk() {
	qemu-img create -q -f qcow2 -F raw -b "$(realpath "$BOX/$1")" "$RUN/$2.qcow2"
}

# A second signal does not keep us from it.
box_leave() {
	trap - EXIT
	trap '' INT TERM HUP
	[ -z "$BUILDING" ] || { kill "$BUILDING" && wait "$BUILDING"; } 2>/dev/null
	box_kill
	[ -z "$RUN" ] || rm -rf "$RUN"
}

# Whatever ends this process: no QEMU stays, no process that builds, and no file of the run.
box_guard() {
	trap box_leave EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# The power goes.  Not a signal that QEMU could handle.
box_kill() {
	[ -n "$QEMU" ] || return 0
	kill -KILL "$QEMU" 2>/dev/null
	wait "$QEMU" 2>/dev/null
	QEMU=
}

box_running() {
	[ -n "$QEMU" ] && kill -0 "$QEMU" 2>/dev/null
}

# box_qemu WHAT CACHE ARGUMENT...: becomes QEMU.  WHAT is for inside.sh; CACHE is `unsafe` for a
# disk that nobody reads again, `writeback` for one that is to survive.
box_qemu() {
	local what=$1 cache=$2 accel cpu login=systemd.mask=serial-getty@ttyS0.service
	shift 2
	[ "$what" != shell ] || login=
	read -r accel <"$BOX/accel"
	case $accel in
	kvm) cpu=host ;;
	# emulating what newer ones have (AVX, SMAP, five levels of pages) costs a third of all time
	tcg) accel=tcg,thread=multi cpu=Nehalem ;;
	esac
	# Addresses that are the same in every process are translated once: everything takes half
	# the time.
	# A kernel that sees no tick of the timer in time panics: on a busy machine there may be none.
	# whatever becomes of us, it does not stay
	exec setpriv --pdeathsig KILL qemu-system-x86_64 -accel "$accel" -cpu "$cpu" -smp "${NODE_CPUS:-2}" -m "${NODE_MEMORY:-2048}" \
		-nodefaults -no-user-config -display none -rtc base=utc -device virtio-rng-pci \
		-kernel "$BOX/base/vmlinuz" -initrd "$BOX/base/initrd" \
		-append "console=ttyS0 root=/dev/vda rw panic=-1 quiet loglevel=4 norandmaps net.ifnames=0 mitigations=off tsc=reliable no_timer_check init_on_alloc=0 systemd.show_status=0 $login node.do=$what" \
		-drive "file=$RUN/root.qcow2,if=virtio,cache=$cache" \
		-drive "file=$RUN/code.tar,if=virtio,format=raw,readonly=on" \
		-drive "file=$RUN/store.qcow2,if=virtio,cache=$cache" \
		-nic "user,model=virtio-net-pci${NODE_OFFLINE:+,restrict=on}" "$@"
}

# box_start WHAT CACHE ARGUMENT...: in the background; sets QEMU.  What the guest says to us is
# added to $RUN/said, its console to $RUN/console.
box_start() {
	(box_qemu "$@" \
		-chardev "file,id=console,path=$RUN/console,append=on" -serial chardev:console \
		-chardev "file,id=said,path=$RUN/said,append=on" -serial chardev:said </dev/null) &
	QEMU=$!
}

# box_watch SECONDS IDLE: until it ends by itself (0), or takes longer than SECONDS altogether
# or says nothing for IDLE seconds: then it is ended, its console is shown, 1.
box_watch() {
	local end=$((SECONDS + $1)) idle=$2 heard=$SECONDS size=0 now
	while box_running; do
		sleep 0.5
		# the script that this is a part of was killed
		kill -0 $$ 2>/dev/null || exit 1
		now=$(stat -c %s "$RUN/said" "$RUN/console" | xargs)
		[ "$now" = "$size" ] || heard=$SECONDS
		size=$now
		if [ $SECONDS -gt $end ] || [ $SECONDS -gt $((heard + idle)) ]; then
			echo "not ok - the node hangs: after $((SECONDS - end + $1)) s, silent for $((SECONDS - heard)) s"
			box_console 60
			box_kill
			return 1
		fi
	done
	wait "$QEMU"
	QEMU=
}

# box_console LINES: the end of its console, for people
box_console() {
	echo "--- the end of the node's console"
	tail -n "$1" "$RUN/console" | tr -d '\r' | sed 's/^/# /'
}
