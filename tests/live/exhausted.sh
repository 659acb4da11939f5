#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A node that has run out: its disk or its /run is full, has no inode left, or takes no writes;
# and a command that gets no descriptor or no memory.  Whatever is asked then is done or refused
# with a reason, nothing is half done, and what takes nothing (list, show, stop, destroy) works.
. "$(dirname "$0")/lib.sh"
begin mkfs.ext4

poor=$WORK/poor
mini=$(nodectl image show mini -j | jq -r .digest)
small() {
	NODECTL_CONFIG=$WORK/node.conf nodectl "$@"
}
small_leave() {
	[ -z "${filler-}" ] || rm -rf "$filler"
	small destroy --all --force --yes --quiet 2>/dev/null
	small repair --quiet >/dev/null 2>&1
	# what keeps lxcfs for the VPSs there goes a moment after the last of them
	for disk in run storage; do
		! mountpoint -q "$poor/$disk" || eventually 10 umount "$poor/$disk" || umount -l "$poor/$disk"
	done
	return 0
}
trap 'small_leave; ended_early' EXIT

# afresh WHAT MKFS-OPTION...: a node with a small disk and a small /run, two VPSs that run and
# one that does not
afresh() {
	small_leave
	rm -f "$WORK/disk.img"
	truncate -s 160M "$WORK/disk.img"
	mkfs.ext4 -q -m 0 -O ^has_journal "$@" "$WORK/disk.img" || return 1
	mkdir -p "$poor/storage" "$poor/run"
	mount -o loop,errors=remount-ro "$WORK/disk.img" "$poor/storage" &&
		mount -t tmpfs -o "size=${RUN_SIZE:-4m},nr_inodes=400" none "$poor/run" || return 1
	sed "s,^run = .*,run = $poor/run,; s,^storage = .*,storage = $poor/storage," "$NODECTL_CONFIG" >"$WORK/node.conf"
	echo "reserve-disk = 0" >>"$WORK/node.conf"
	rm -rf "$WORK/plans" && cp -r "$(dirname "$NODECTL_CONFIG")/plans" "$WORK/"
	chmod 700 "$poor/storage"
	# the image that is used; others may be larger than the disk
	mkdir -m 700 -p "$poor/storage/images/sha256" "$poor/storage/images/names" &&
		cp -a "$STORAGE/images/sha256/$mini" "$poor/storage/images/sha256/" &&
		cp -a "$STORAGE/images/names/mini" "$poor/storage/images/names/" &&
		cp -a "$STORAGE/templates" "$poor/storage/" || return 1
	small init --quiet || return 1
	small plan create poor --memory 64M --tasks 60 --disk 16M --quiet
	small create runs --plan poor --start --quiet && small create goes --plan poor --start --quiet &&
		small create rests --plan poor --quiet && small sample --quiet && sync -f "$poor/storage"
}

ids_of() { small list -j 2>/dev/null | jq -r '.vps[] | "\(.name) \(.id)"'; }

# asked WHAT COMMAND...: done, or refused in one line with a documented code.  Sets `got`.
asked() {
	local what=$1
	shift
	OUT=$(echo secret | small "$@" 2>&1)
	got=$?
	case $got in
	0) ;;
	3 | 5 | 9 | 14 | 21 | 31 | 32 | 33 | 46 | 91 | 92 | 126 | 127)
		case $OUT in
		*"nodectl: "*) ;;
		*) bad+=" $1: no reason ($got: $OUT)" ;;
		esac
		;;
	*) bad+=" $*: exit $got ($OUT)" ;;
	esac
}

# what all of them do while there is nothing left; $1 says what is missing, $2 how it is called
poverty() {
	local what=$1 why=$2 pid words refused=0 before
	pid=$(small show runs -j | jq .pid)
	before=$(md5sum "$poor"/storage/vps/*/vps.conf)
	bad=
	while read -r words; do
		# shellcheck disable=SC2086
		asked "$what" $words
		[ $got -eq 0 ] && [ "${words%% *}" = restart ] && pid=$(small show runs -j | jq .pid)
		[ $got -eq 0 ] && continue
		refused=$((refused + 1))
		echo "# $what: $words: $got: $OUT"
		[ -z "$why" ] || grep -Eq "$why" <<<"$OUT" || bad+=" $words says: $OUT;"
	done <<-EOF
		create more --plan poor
		create moreruns --plan poor --start
		set rests --memory 48M
		set rests --disk 24M
		set runs --memory 60M
		plan create another --memory 32M --disk 16M
		plan set poor --tasks 70
		start rests
		passwd rests --password-stdin
		passwd runs --password-stdin
		push runs /etc/services /root/services
		network create apart
		sample
		freeze runs
		thaw runs
		image import again /etc/hostname
		repair
		restart runs --force
	EOF
	is "$what: what cannot be done says why ($refused of 18)" "$bad" ""
	for name in more moreruns; do
		if small status "$name" >/dev/null 2>&1; then
			small destroy "$name" --force --yes --quiet || not_ok "$what: destroy of $name"
		fi
	done
	is "$what: what could not start again was not stopped by restart" "$(small show runs -j | jq .pid)" "$pid"
	is "$what: nothing is half done" "$(find "$poor/storage/vps" -mindepth 1 -maxdepth 1 ! -name runs ! -name goes ! -name rests ! -name .naming; find "$poor/storage" -name '*.tmp*' -o -name '.*.new')" ""
	bad=
	for words in list "list -j" "show runs" "show runs -j" "status goes" "ps runs" "log runs" capacity \
		"exec runs -- true" "net show runs" doctor; do
		# shellcheck disable=SC2086
		OUT=$(small $words 2>&1) || [ "$words" = doctor ] || bad+=" $words: $OUT;"
	done
	is "$what: what only looks works" "$bad" ""
	[ -n "${FROZEN_OK-}" ] || is "$what: every VPS has a state" "$(small list -H -o STATE | sort -u | grep -vxE 'running|stopped' | xargs)" ""
}

# what must work with nothing at all, and leaves nothing
ends() {
	local what=$1 init
	init=$(small show goes -j | jq .pid)
	check "$what: stop works" timeout 20 "$NODECTL" --config "$WORK/node.conf" stop goes --timeout 3
	is "$what: it is stopped" "$(small status goes) $([ -d "/proc/$init/root/bin" ] && echo lives)" "goes stopped "
	check "$what: destroy works" small destroy goes --yes
	is "$what: and it is gone" "$(small status goes 2>&1 | grep -c 'there is no VPS')" 1
	check "$what: so does destroy --force of one that runs" small destroy runs --force --yes
	check "$what: and of the last" small destroy --all --yes --force
}

# with room again it is as if nothing had been
recovers() {
	local what=$1
	eventually 5 sh -c "[ -z \"\$($NODECTL --config $WORK/node.conf repair)\" ]"
	is "$what, and then not: repair has nothing to do" "$(small repair --dry-run 2>&1)" ""
	check "$what, and then not: a VPS is made and starts" small create anew --plan poor --start
	check "$what, and then not: and takes a command" small exec anew -- true
	check "$what, and then not: and goes" small destroy anew --force --yes
}

# ---- the disk is full
afresh || exit 1
filler=$poor/storage/filler
mkdir "$filler"
dd if=/dev/zero of="$filler/fill" bs=64k status=none 2>/dev/null
dd if=/dev/zero of="$filler/fill2" bs=1k status=none 2>/dev/null
is "no block is left" "$(df --output=avail "$poor/storage" | tail -n 1 | tr -d ' ')" 0
poverty "a full disk" ""
ends "a full disk"
rm -rf "$filler"
recovers "a full disk"
mkdir "$filler"
dd if=/dev/zero of="$filler/fill" bs=64k status=none 2>/dev/null
dd if=/dev/zero of="$filler/fill2" bs=1k status=none 2>/dev/null
check "a full disk: an image is removed, which makes room" small image remove mini
exits 91 "and is gone" small image show mini

# ---- no inode is left
afresh -N 1024 || exit 1
filler=$poor/storage/filler
mkdir "$filler"
i=0; while : >"$filler/$i"; do i=$((i + 1)); done 2>/dev/null
is "no inode is left" "$(df --output=iavail "$poor/storage" | tail -n 1 | tr -d ' ')" 0
poverty "no inode" ""
ends "no inode"
rm -rf "$filler"
recovers "no inode"

# ---- an error of the disk: it takes no writes from now on.  Some kernels heed that only where there
# is a journal to give up.
afresh -O has_journal || exit 1
device=$(findmnt -no SOURCE "$poor/storage")
echo 1 >"/sys/fs/ext4/${device#/dev/}/trigger_fs_error"
refuse "the disk takes no writes" touch "$poor/storage/x"
poverty "a read-only disk" "Read-only|"
init=$(small show goes -j | jq .pid)
exits 3 "a read-only disk: stop says what it could not do" timeout 20 "$NODECTL" --config "$WORK/node.conf" stop goes --timeout 3
like "which is to remember it" "$OUT" "it is stopped, but would start again with the node: .*Read-only"
is "a read-only disk: it is stopped" "$(small status goes) $([ -d "/proc/$init/root/bin" ] && echo lives)" "goes stopped "
refuse "a read-only disk: destroy does not pretend" small destroy goes --yes
like "it says why" "$OUT" "Read-only file system"
small kill runs >/dev/null 2>&1
is "nothing runs any more" "$(small list -H -o STATE | sort -u)" stopped
eventually 10 umount "$poor/storage"
e2fsck -fy "$WORK/disk.img" >/dev/null 2>&1
check "when its disk is repaired" mount -o loop "$WORK/disk.img" "$poor/storage"
is "what ran is known to be down" "$(small list -H -o STATE | sort -u)" stopped
recovers "a read-only disk"
check "and what was there can be destroyed" small destroy --all --yes --force

# ---- an archive that is larger than it looks
afresh || exit 1
cat >"$WORK/bomb.py" <<'PY'
import sys, tarfile
import io, random
noise = random.Random(1)
data = b"".join(noise.randbytes(128) + bytes(3968) for _ in range(40 << 8))
with tarfile.open(sys.argv[1], "w:gz") as tar:
    for name in "one", "two", "three", "four":
        info = tarfile.TarInfo("etc/" + name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
PY
python3 "$WORK/bomb.py" "$WORK/bomb.tar.gz"
avail() { df --output=avail "$poor/storage" | tail -n 1 | tr -d ' '; }
before=$(avail)
exits 46 "an archive that would fill the disk is refused" small image import bomb "$WORK/bomb.tar.gz"
like "before it has" "$OUT" "leaves to VPSs"
check "and gone" [ "$(avail)" -gt $((before - 2048)) ]
rm "$WORK/bomb.tar.gz"

# ---- /run is full, and then without inodes
afresh || exit 1
filler=$poor/run/filler
mkdir "$filler"
dd if=/dev/zero of="$filler/fill" bs=4k status=none 2>/dev/null
is "no page of /run is left" "$(df --output=avail "$poor/run" | tail -n 1 | tr -d ' ')" 0
monitor=$(small show goes -j | jq .monitor)
shell_small() { small exec "$1" -- /bin/sh -c "$2"; }
shell_small goes 'i=0; while [ $i -lt 2000 ]; do echo 1234567890123456789012345678901234567890; i=$((i + 1)); done >/dev/console' >/dev/null 2>&1
poverty "a full /run" ""
is "a full /run: the monitor lives" "$(small show goes -j | jq .monitor)" "$monitor"
ends "a full /run"
rm -rf "$filler"
recovers "a full /run"

afresh || exit 1
filler=$poor/run/filler
mkdir "$filler"
i=0; while : >"$filler/$i"; do i=$((i + 1)); done 2>/dev/null
monitor=$(small show goes -j | jq .monitor)
poverty "no inode in /run" ""
is "no inode in /run: the monitor lives" "$(small show goes -j | jq .monitor)" "$monitor"
ends "no inode in /run"
rm -rf "$filler"
recovers "no inode in /run"

# ---- a command without descriptors, or memory: each number of them
afresh || exit 1
init=$(small show runs -j | jq .pid)
bad= worked=0 tried=0
echo secret >"$WORK/secret"
# limited LIMIT WORDS: in a shell that has no more than that
limited() {
	# shellcheck disable=SC2016,SC2086
	OUT=$(NODECTL_CONFIG=$WORK/node.conf timeout -k 5 60 sh -c 'ulimit '"$1"' && exec "$0" "$@"' "$NODECTL" $2 <"$WORK/secret" 2>&1)
	got=$?
	tried=$((tried + 1))
	case $got in
	0) worked=$((worked + 1)) ;;
	3 | 5 | 9 | 14 | 31 | 32 | 33 | 36 | 44 | 46 | 91 | 126 | 127) [ -n "$OUT" ] || bad+=" $1 $2: $got without a reason;" ;;
	*) bad+=" $1 $2: exit $got ($OUT);" ;;
	esac
}
for n in 3 4 5 6 7 8 9 10 11 12 14 16 18 20 24 28 32 48; do
	for words in "list" "show runs" "set rests --memory 50M" "exec runs -- true" "start rests" "stop rests --force" \
		"create extra --plan poor" "destroy extra --yes --force" "passwd runs --password-stdin" "sample" "repair"; do
		limited "-n $n" "$words"
	done
	small stop rests --force --quiet 2>/dev/null
	small destroy extra --force --yes --quiet 2>/dev/null
done
is "$tried commands with few descriptors ($worked worked): each is done or refused" "$bad" ""
is "nothing is left of them" "$(small repair >/dev/null 2>&1; small repair --dry-run 2>&1)" ""
is "the VPS that ran runs" "$(small show runs -j | jq .pid)" "$init"
is "64 are enough for all of them" "$(bad=; worked=0 tried=0; for words in list "show runs" "set rests --memory 51M" "exec runs -- true" "start rests" "stop rests --force" sample repair; do limited "-n 64" "$words"; [ $got -eq 0 ] || echo "$words: $OUT"; done)" ""
bad= worked=0 tried=0
for n in 7000 7500 8000 8500 9000 10000 12000 16000; do
	for words in "list" "show runs" "set rests --memory 50M" "exec runs -- true" "start rests" "stop rests --force" \
		"create extra --plan poor" "destroy extra --yes --force" "passwd runs --password-stdin" "sample"; do
		limited "-v $n" "$words"
	done
	small stop rests --force --quiet 2>/dev/null
	small destroy extra --force --yes --quiet 2>/dev/null
done
is "$tried commands with little memory ($worked worked): each is done or refused" "$bad" ""
is "nothing is left of them either" "$(small repair >/dev/null 2>&1; small repair --dry-run 2>&1)" ""
is "the VPS that ran still runs" "$(small show runs -j | jq .pid)" "$init"

small_leave
trap ended_early EXIT
finish
