#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The node in a box: what QEMU boots, under $O/node, each part kept until what it is made of
# changes.
#
#	base-HASH/	disk.img: Debian 12 with systemd and what nodectl needs, and its vmlinuz and
#			initrd.  Made of the lists of packages and of this script.
#	store-HASH.img	a disk with an image store that has debian-12.  Made of images/.
#	code.tar	nodectl as `make install` lays it out, and the tests; made each time
#	accel		kvm where that works now, else tcg
#
# Nothing is mounted and nothing is left running; mmdebstrap needs root and the network.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
build=$(mkdir -p "${O:-build}/node" && cd "${O:-build}" && pwd)
box=$build/node
suite=bookworm

[ "$(id -u)" -eq 0 ] || { echo "the node in a box: run it as root" >&2; exit 1; }

exec 9>"$box/lock"
flock 9

tmp=$box/tmp.$$
working=

# A second signal does not keep us from it.
leave() {
	trap - EXIT
	trap '' INT TERM HUP
	[ -z "$working" ] || { kill -KILL "$working" && wait "$working"; } 2>/dev/null || :
	rm -rf "$tmp"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
rm -rf "$box"/tmp.*
mkdir "$tmp"
# of mmdebstrap and others
export TMPDIR=$tmp

say() {
	echo "==> $*"
}

# quietly COMMAND...: shown only when it fails.  In namespaces that end with us, and with them
# every process and every mount; in the background, for a signal is not heard while a command is
# waited for.
quietly() {
	setpriv --pdeathsig KILL unshare --mount --mount-proc --pid --fork --kill-child=KILL \
		"$@" >"$tmp/log" 2>&1 9>&- </dev/null &
	working=$!
	wait "$working" && working= && return
	tail -n 30 "$tmp/log" >&2
	exit 1
}

hash_of() {
	sha256sum | cut -c 1-16
}

# ---- the base: a Debian with the distribution's own kernel

# What contrib/packages has for running nodectl and its tests; compilers stay outside.
listed() {
	sed -n '/^# running/,$ { s/#.*//; /@/d; p }' contrib/packages |
		grep -vE -- '-dev$|^$|^(clang-format|mandoc|qemu-.*)$'
}

# The packages of the shared libraries that the programs were linked with.
libraries() {
	ldd "$build/nodectl" "$build/nodectl-import" | awk '$2 == "=>" { print $3 }' | sort -u |
		while read -r path; do
			dpkg-query -S "$path" 2>/dev/null || dpkg-query -S "/usr$path" 2>/dev/null ||
				dpkg-query -S "$(realpath "$path")"
		done | cut -d: -f1 | sort -u
}

packages=$( (listed && libraries && cat "$here/packages") | sed 's/#.*//' | sort -u | xargs | tr ' ' ,)
base=$box/base-$(cat "$here/build.sh" "$here/node.service" <<<"$packages" - | hash_of)

# Runs with $1, the new root, before the packages: an initramfs with what finds the disk alone.
before='
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
printf "MODULES=list\nCOMPRESS=zstd\nRESUME=none\n" >"$1/etc/initramfs-tools/conf.d/node"
printf "%s\n" virtio_pci virtio_blk ext4 crc32c_generic >"$1/usr/share/initramfs-tools/modules.d/node"
'
# And after them.  The masked units are a desktop'\''s or a server'\''s, and take seconds.
after='
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
	e2scrub_reap.service fstrim.timer systemd-pstore.service systemd-random-seed.service \
	systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-networkd.service \
	systemd-networkd.socket systemd-tmpfiles-clean.timer getty@tty1.service \
	sys-kernel-debug.mount sys-kernel-tracing.mount dev-mqueue.mount dev-hugepages.mount; do
	ln -sf /dev/null "$1/etc/systemd/system/$unit"
done
mkdir -p "$1/etc/systemd/journald.conf.d" "$1/etc/systemd/system/serial-getty@ttyS0.service.d"
printf "[Journal]\nStorage=volatile\n" >"$1/etc/systemd/journald.conf.d/node.conf"
printf "[Unit]\nAfter=node.service\n[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 - \$TERM\n" \
	>"$1/etc/systemd/system/serial-getty@ttyS0.service.d/node.conf"
ln -sf /lib/systemd/system/multi-user.target "$1/etc/systemd/system/default.target"
mkdir -p "$1/etc/systemd/system/multi-user.target.wants"
ln -s ../node.service "$1/etc/systemd/system/multi-user.target.wants/node.service"
echo node-in-a-box >"$1/etc/hostname"
printf "127.0.0.1 localhost\n127.0.1.1 node-in-a-box\n::1 localhost\n" >"$1/etc/hosts"
echo "nameserver 10.0.2.3" >"$1/etc/resolv.conf"
: >"$1/etc/fstab"
passwd --root "$1" --delete root
# jq compiles its library each time: 0.3 s where everything is slow; gojq does not
ln -s /usr/bin/gojq "$1/usr/local/bin/jq"
rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/* "$1"/var/log/*
'

base_make() {
	local root=$tmp/root
	say "building the node's disk: Debian $suite, $(tr , '\n' <<<"$packages" | wc -l) packages"
	quietly mmdebstrap --mode=root --variant=minbase --format=directory \
		--include="$packages" --setup-hook="$before" \
		--customize-hook="copy-in '$here/node.service' /etc/systemd/system" \
		--customize-hook="$after" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' "$suite" "$root"
	mkdir "$tmp/base"
	cp "$root"/boot/vmlinuz-* "$tmp/base/vmlinuz"
	cp "$root"/boot/initrd.img-* "$tmp/base/initrd"
	quietly mke2fs -q -t ext4 -L node -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$tmp/base/disk.img" 3G
	rm -rf "$root" "$box"/base-*
	mv "$tmp/base" "$base"
}

# ---- the store: what would take long inside

store=$box/store-$(cat images/image_debian.c images/image_facts.c images/image_store.c images/store.c | hash_of).img

store_make() {
	local root=$tmp/storage
	say "building the disk with image debian-12"
	export NODECTL_CONFIG=$tmp/node.conf
	# init also makes the bridge: in a network of its own, which goes with it
	quietly unshare --net "$build/nodectl" init --storage "$root" --run "$tmp/run"
	quietly "$build/nodectl" image build debian-12
	quietly mke2fs -q -t ext4 -L store -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$tmp/store.img" 8G
	rm -rf "$root" "$box"/store-*
	mv "$tmp/store.img" "$store"
}

# ---- the code: no disk needs to be made when only that has changed

code_make() {
	local root=$tmp/code program
	quietly make -s install O="$build" DESTDIR="$root" PREFIX=/usr
	mkdir -p "$root/srv/nodectl/tests" "$root/srv/build/live/bin"
	cp -r tests/run-live.sh tests/live tests/hostile tests/kill tests/node "$root/srv/nodectl/tests/"
	for program in live/probe hostile/tenant kill/at; do
		quietly "${CC:-gcc}" -std=gnu17 -D_GNU_SOURCE -O1 -Wall -static -pthread \
			-o "$root/srv/build/live/bin/${program#*/}" tests/$program.c
	done
	quietly "${CC:-gcc}" -std=gnu17 -D_GNU_SOURCE -O2 -Wall -fno-builtin -shared -fPIC \
		-o "$root/srv/build/live/bin/alloc.so" tests/kill/alloc.c
	ln -s /usr/sbin/nodectl /usr/lib/nodectl/nodectl-monitor /usr/lib/nodectl/nodectl-import \
		"$root/srv/build/"
	tar -C "$root" --owner=0 --group=0 -cf "$tmp/code.tar" .
	mv "$tmp/code.tar" "$box/code.tar"
}

# A kernel that finds no root panics and, told so, ends QEMU: at once with a KVM that works.
kvm_works() {
	timeout -k 1 20 qemu-system-x86_64 -accel kvm -cpu host -m 256 -nodefaults \
		-display none -serial none -no-reboot -kernel "$base/vmlinuz" -append "panic=-1 quiet"
}

accel_make() {
	local accel=tcg
	# also what bash says of one that aborts
	if [ -w /dev/kvm ] && kvm_works >"$tmp/log" 2>&1 9>&- </dev/null; then
		accel=kvm
	fi
	say "QEMU runs with $accel"
	echo "$accel" >"$tmp/accel"
	mv "$tmp/accel" "$box/accel"
}

[ -e "$base" ] || base_make
[ -e "$store" ] || store_make
accel_make
code_make
ln -sfn "${base##*/}" "$box/base"
ln -sfn "${store##*/}" "$box/store.img"
