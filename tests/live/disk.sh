#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The size of a disk: grown, shrunk, refused with numbers, and never lost.
. "$(dirname "$0")/lib.sh"
begin e2fsck sha256sum

live=$(nodectl doctor -j | jq -r '.features[] | select(.feature == "disk-live").present')
image=$STORAGE/vps/disk/volume.img

# mib: the size that df tells inside
mib() {
	inside disk df -m / | awk 'END { print $2 }'
}

# has NAME MIB: df inside tells that much, but for ext4's own tables
has() {
	local got
	got=$(mib)
	if [ "$got" -gt $(($2 * 88 / 100)) ] && [ "$got" -le "$2" ]; then
		ok "$1"
	else
		not_ok "$1" "df tells ${got}M of ${2}M"
	fi
}

size() {
	stat -c %s "$image"
}

sum() {
	inside disk sha256sum /root/kept | cut -d ' ' -f 1
}

# sound NAME: nothing is wrong with the file system of the stopped VPS
sound() {
	check "$1" e2fsck -f -n "$image"
}

check "create" nodectl create disk --disk 64M --start
has "df inside is the promise" 64
inside disk dd if=/dev/urandom of=/root/kept bs=1M count=8 2>/dev/null
kept=$(sum)

# ---- growing while it runs
inode=$(stat -c %i "$image")
check "set --disk 400M of a running VPS" nodectl set disk --disk 400M
if [ "$live" = true ]; then
	unlike "it is not put off" "$OUT" "next start"
	has "df inside is the new promise at once" 400
	is "nothing is pending" "$(field disk '.pending | length')" 0
	is "the same file has it" "$(stat -c %i "$image")" "$inode"
	check "what is more can be used at once" inside disk dd if=/dev/zero of=/root/more bs=1M count=100
	inside disk rm /root/more
else
	like "this kernel cannot, and it says when" "$OUT" "disk = 400M \\(at the next start\\)"
	is "it is shown as pending" "$(field disk '.pending | join(" ")')" disk
	has "df inside is what it was" 64
	is "repair has nothing to say to that" "$(nodectl repair 2>&1)" ""
	check "the next start" nodectl restart disk --timeout 0
	has "brings it" 400
	is "nothing is pending then" "$(field disk '.pending | length')" 0
fi
is "the file has its size" "$(size)" $((400 << 20))
is "no file was lost" "$(sum)" "$kept"

# ---- what cannot be
exits 32 "a running VPS does not shrink" nodectl set disk --disk 64M
like "it says what to do" "$OUT" "stop it first"
inside disk dd if=/dev/urandom of=/root/much bs=1M count=40 2>/dev/null
exits 21 "nor below what is in use" nodectl set disk --disk 32M
like "which is told" "$OUT" 'disk: 32M is less than the [0-9]+M that are in use'
inside disk rm /root/much
exits 21 "a number that is no disk" nodectl set disk --disk 15M
exits 21 "inodes that no disk of that size has" nodectl set disk --inodes 1000000
like "it says what could be had" "$OUT" "with 400M of disk it has [0-9]+, and [0-9]+ more come with each 128M; --disk [0-9]+M has"
exits 21 "inodes are not taken away" nodectl set disk --inodes 5
exits 36 "more than the node may promise" nodectl set disk --disk 900T
is "nothing was changed by all that" "$(field disk .limits.disk) $(size)" "$((400 << 20)) $((400 << 20))"
nodectl set disk --disk 800M --dry-run --quiet
is "nor by --dry-run" "$(field disk .limits.disk) $(size)" "$((400 << 20)) $((400 << 20))"

# ---- at rest
check "stop" nodectl stop disk --timeout 0
exits 21 "no smaller than what is used" nodectl set disk --disk 16M
least=$(printf '%s\n' "$OUT" | sed -n 's/.*the least is \([0-9]*M\).*/\1/p')
like "it says how small it can be" "$least" '^[0-9]+M$'
sound "and left it as it was"
check "that is had" nodectl set disk --disk "$least"
is "by the file too" "$(size)" $((${least%M} << 20))
sound "it is sound"
check "start" nodectl start disk
check "df inside is no more than that" test "$(mib)" -le "${least%M}"
is "no file was lost by that" "$(sum)" "$kept"
check "stop again" nodectl stop disk --timeout 0
check "grow it at rest" nodectl set disk --disk 300M
is "the file grew" "$(size)" $((300 << 20))
sound "it is sound, too"

# ---- killed anywhere
agree() {
	nodectl repair --quiet >/dev/null 2>&1
	[ "$(field disk .limits.disk)" = "$(size)" ] && e2fsck -f -n "$image" >/dev/null 2>&1
}
broken=0 killed=0
for i in $(seq 1 12); do
	want=$((i % 2 ? 64 : 200))
	(exec "$NODECTL" set disk --disk ${want}M --quiet) >/dev/null 2>&1 &
	sleep "0.0$((i * 7 % 10))$i"
	kill -KILL $! 2>/dev/null
	{ wait $!; } 2>/dev/null
	[ $? -ne 137 ] || killed=$((killed + 1))
	agree || broken=$((broken + 1))
done
is "after a kill at any moment repair makes definition and disk agree ($killed of 12 killed)" $broken 0
is "nothing is left of it" "$(find "$STORAGE/vps/disk" -name '.*')" ""
check "it starts" nodectl start disk
is "and has its file" "$(sum)" "$kept"

# ---- the promise of inodes
check "create with inodes" nodectl create few --disk 64M --inodes 2000 --start
inodes=$(inside few df -i / | awk 'END { print $2 }')
if [ "$inodes" -ge 2000 ] && [ "$inodes" -lt 2016 ]; then
	ok "df -i inside is the promise"
else
	not_ok "df -i inside is the promise" "$inodes, not 2000"
fi
check "they are asked for again" nodectl set few --inodes 2000
refuse "they run out" shell few 'i=0; while [ $i -lt 2100 ]; do : >/root/$i || exit 1; i=$((i+1)); done'
check "a second later the VPS works" inside few true
finish
