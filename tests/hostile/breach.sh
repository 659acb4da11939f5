#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a tenant who is root inside tries to change for others, or to learn of them: the programs
# that enter his VPS, the image that all share, the clock, what files tell (SECURITY.md E1, K1,
# D19, I1 to I8).  "canary" is the same attack where nothing guards.
. "$(dirname "$0")/../live/lib.sh"
begin tar python3

sums() { sha256sum "$BIN"/nodectl "$BIN"/nodectl-monitor "$BIN"/nodectl-import && stat -c '%a %u %s' "$BIN"/nodectl*; }
untouched=$(sums)
sizes=$(stat -c %s "$BIN"/nodectl "$BIN"/nodectl-monitor | paste -sd,)
nodectl create evil --start --quiet && nodectl create neighbour7 --start --quiet || exit 1
nodectl push evil "$TENANT" /bin/tenant --quiet && nodectl push neighbour7 "$TENANT" /bin/tenant --quiet || exit 1
said() { shell evil "cat /root/$1" 2>/dev/null; }
# run TEXT FILE: by the VPS itself, and not as a command from outside
run() { shell evil "setsid $1 >/root/$2 2>&1 </dev/null &"; }

# ---- E1: each command that enters is a program of the node's for a moment
run "tenant grab $sizes 8" grabbed
for i in $(seq 10); do
	inside evil true
	echo "secret$i" | nodectl passwd evil --password-stdin --quiet
	echo text | nodectl push evil - /root/pushed --quiet
	nodectl exec -t evil -- true >/dev/null 2>&1 </dev/null
	python3 -c 'import pty, sys; pty.spawn(sys.argv[1:])' timeout 10 "$NODECTL" enter evil >/dev/null 2>&1 < <(echo exit; sleep 0.3)
done
grabbed() { said grabbed | grep -q looks; }
check "E1: it has looked" eventually 20 grabbed
like "E1: of what enters, caught in the middle and held there, nothing can be had" "$(said grabbed)" \
	'guarded [1-9][0-9]*, into 0, handles 0, changed 0$'
echo "# $(said grabbed | tail -n 1)"
shell neighbour7 'cp /bin/tenant /root/own; echo >>/root/own; setsid /root/own name >/dev/null 2>&1 </dev/null &'
like "canary: of a program of its own both can" \
	"$(shell neighbour7 'tenant grab $(stat -c %s /root/own) 0.5')" 'handles [1-9][0-9]*, changed [1-9]'

# it has the kernel execute, in place of a script, the program that executes it, with its own ld.so
shell evil 'mkdir -p /lib64 /lib; tenant loader /lib64/ld-linux-x86-64.so.2; tenant loader /lib/ld-linux-aarch64.so.1
	printf "#!/proc/self/exe\n" >/root/self; chmod 755 /root/self'
OUT=$(inside evil /root/self 2>&1)
like "E1: what '#!/proc/self/exe' leads to cannot be changed in any way, while it runs or later" "$OUT" \
	"^($(tr , '|' <<<"$sizes")) bytes, changed 0\$"
cp "$NODECTL" "$WORK/copy"
like "canary: the node's root changes a program by such a descriptor" "$("$TENANT" reopen 9 0 9<"$WORK/copy")" ', changed [1-9]'
is "E1: the programs are what they were" "$(sums)" "$untouched"

# the same when it starts: what the image has for the making of keys, and for init
root=$(readlink -f "$STORAGE/images/names/mini")/root
trap_image() {
	rm -rf "$WORK/tree" && mkdir "$WORK/tree" && cp -a "$root/." "$WORK/tree/" && cp "$TENANT" "$WORK/tree/bin/tenant" &&
		(cd "$WORK/tree" && eval "$1") && tar -C "$WORK/tree" -cf "$WORK/trap.tar" . 2>/dev/null &&
		nodectl image import trap "$WORK/trap.tar" --quiet
}
# shellcheck disable=SC2016
check "an image whose ssh-keygen looks around" trap_image 'mkdir -p usr/bin etc/ssh; rm -f usr/bin/ssh-keygen etc/ssh/*key*
	printf "#!/bin/sh\ngrep Seccomp: /proc/self/status >>/root/filter\ntenant grab '"$sizes"' 1 >>/root/grabbed 2>&1\n" >usr/bin/ssh-keygen; chmod 755 usr/bin/ssh-keygen'
check "it starts" nodectl create trapped --image trap --start --quiet
OUT=$(shell trapped 'cat /root/grabbed')
like "E1: while it starts nothing can be had" "$OUT" 'guarded [1-9][0-9]*, into 0, handles 0, changed 0$'
is "B9: it has the filter of a VPS" "$(shell trapped 'sort -u /root/filter' | tr -s '\t' ' ')" "Seccomp: 2"
unlike "not once" "$OUT" '(into|handles|changed) [1-9]'
nodectl destroy trapped --force --yes --quiet
nodectl image remove trap --quiet
check "an image whose init is who starts it" trap_image 'mkdir -p lib64 lib; "$TENANT" loader lib64/ld-linux-x86-64.so.2; "$TENANT" loader lib/ld-linux-aarch64.so.1
	rm -f sbin/init; printf "#!/proc/self/exe\n" >sbin/init; chmod 755 sbin/init'
nodectl create trapped --image trap --restart no --start --quiet
changed() { nodectl log trapped --console 2>/dev/null | grep -q 'bytes, changed'; }
check "E1: it has had its try" eventually 10 changed
unlike "E1: and has changed nothing" "$(nodectl log trapped --console)" 'changed [1-9]'
nodectl destroy trapped --force --yes --quiet
nodectl image remove trap --quiet
is "E1: the programs are what they were after that too" "$(sums)" "$untouched"

# ---- K1: one image for all
file=$(cd "$root" && find . -type f -size +8k ! -name 'busybox*' ! -name '*init*' ! -path './etc/*' | sort | head -n 1)
[ -n "$file" ] || file=$(cd "$root" && find . -type f -size +8k | sort | head -n 1)
file=${file#.}
digest() { (cd "$root" && find . -type f -print0 | sort -z | xargs -0 sha256sum && find . -printf '%p %m %U %s\n' | sort) | sha256sum; }
shared=$(digest) own=$(sha256sum <"$root$file")
read_of() { nodectl pull "$1" "$file" - 2>/dev/null | sha256sum; }
is "K1: $file is the image's for both" "$(read_of evil) $(read_of neighbour7)" "$own $own"
# the neighbour has it mapped meanwhile
OUT=$(inside evil tenant poison "$file")
is "K1: by a descriptor of the image's nothing can be changed: $(tr '\n' '|' <<<"$OUT")" "$(tr -d ' \n' <<<"$OUT")" ""
check "canary: for itself it has" [ "$(read_of evil)" != "$own" ]
is "K1: the neighbour reads what it did" "$(read_of neighbour7)" "$own"
is "K1: and the image is what it was" "$(digest)" "$shared"
direct=$(dd if="$root$file" iflag=direct bs=1M 2>/dev/null | sha256sum)
[ "$direct" = "$(sha256sum </dev/null)" ] || is "K1: on the disk too" "$direct" "$own"
mkdir -p "$WORK/o"/{low,up1,up2,work1,work2,one,two} && head -c 20000 /dev/urandom >"$WORK/o/low/file"
cat >"$WORK/overlays" <<'SH'
cd "$1" && for n in 1:one 2:two; do mount -t overlay -o "lowerdir=low,upperdir=up${n%:*},workdir=work${n%:*}" none "${n#*:}" || exit; done
sum() { sha256sum <two/file; }
first=$(sum); "$2" poison one/file >/dev/null; [ "$(sum)" = "$first" ] && echo apart
"$2" poison low/file >/dev/null; [ "$(sum)" = "$first" ] || echo poisoned
SH
# an overlay on an overlay's directory may be more than a kernel has: then on a tmpfs
OUT=$(unshare -m sh "$WORK/overlays" "$WORK/o" "$TENANT" 2>&1) ||
	OUT=$(unshare -m sh -c "mount -t tmpfs none '$WORK/o' && cd '$WORK/o' && mkdir low up1 up2 work1 work2 one two && head -c 20000 /dev/urandom >low/file && exec sh '$WORK/overlays' '$WORK/o' '$TENANT'" 2>&1)
is "canary: who writes below the layers changes it for both" "$(tr '\n' ' ' <<<"$OUT")" "apart poisoned "

# ---- K1: doors into the kernel that have led there: AF_ALG, RXRPC, XFRM, KEY
OUT=$(inside evil tenant sockets)
is "K1: families of sockets" "$(sed -n 's/^family //p' <<<"$OUT" | tr '\n' ' ')" "1 2 10 16 17 "
is "K1: pairs are local ones" "$(sed -n 's/^pairs //p' <<<"$OUT")" 1
is "K1: protocols of the internet" "$(sed -n 's/^inet6\? [123] //p' <<<"$OUT" | sort -nu | tr '\n' ' ')" "0 1 6 17 58 255 "
is "K1: none by another type" "$(grep -E '^inet6? ([4-9]|1.) ' <<<"$OUT")" ""
is "K1: protocols of netlink" "$(sed -n 's/^netlink //p' <<<"$OUT" | grep -vxE '0|4|12|15|16')" ""
unlike "K1: no protocol is looked for to make a pair" "$OUT" '^looked'
OUT=$("$TENANT" sockets few)
like "canary: on the node it is" "$OUT" '^looked'
like "canary: and there is more" "$OUT" '^netlink (9|11)$'

# ---- D19: the clock
clock() { python3 -c 'import time; print(round(time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)))'; }
before=$(clock)
OUT=$(inside evil tenant clock 86400)
is "D19: the clock cannot be set, nor as root of another user namespace" "$OUT" 0
like "D19: by no command either" "$(inside evil date -s "2001-01-01 00:00:00" 2>&1)" 'not permitted'
refuse "D19: nor by hwclock" inside evil hwclock -w
check "D19: the node's clock is as it was" [ $(($(clock) - before)) -ge -1 -a $(($(clock) - before)) -le 1 ]
check "canary: the node's root may" [ "$("$TENANT" clock 0 | tail -n 1 | awk '{ print $NF }')" = 2 ]

# ---- I1, I2: what files tell of others
words=("$(hostname)x" neighbour7 "$(field neighbour7 .uuid)" "$(field neighbour7 '.ipv4[0]')" "$(ip -o link show "nv$(field neighbour7 .id)" | sed -n 's/.*ether \([0-9a-f:]*\).*/\1/p')" "$STORAGE" "$RUN" "$(cat /etc/machine-id 2>/dev/null)")
words[0]=$(hostname)
# a name that is a word of the kernel's own says nothing
[[ ${words[0]} =~ ^(localhost|debian|linux|vm|runsc|node|)$ ]] && words[0]=
OUT=$(inside evil tenant words "${words[@]}" | grep -vE ' in /proc/(self|thread-self|[0-9]+)/(task/[0-9]+/)?(cmdline|environ)$')
is "I1, I2: no file of /proc and /sys tells of the node or a neighbour (${#words[@]} words)" "$OUT" ""
# a root inside may take the masks away: then a loop device says which file it is, see README.md
like "canary: its own name is found" "$(inside evil tenant words evil)" '^evil in /proc/sys/kernel/hostname$'

# ---- I4: memory that is merged can be felt by who shares it
is "I4: no process of a VPS has its memory merged" "$(for pid in $(nodectl ps evil -j | jq '.processes[].pid'); do grep -sE '^ksm_merge_any: yes' "/proc/$pid/ksm_stat"; done)" ""

# ---- I8: what a VPS leaves
shell evil 'printf "ghost%s\n" of-evil >/root/ghost; printf "ghost%s\n" of-evil >/dev/console; printf "ghost%s\n" of-evil >/dev/shm/ghost; sync'
found() { grep -cFa ghostof-evil "$1"; }
sync
volume=$(find "$STORAGE/vps/evil" -name '*.img' | head -n 1)
check "canary: its volume has what it wrote" [ "$(found "$volume")" -ge 1 ]
base=$(awk '{ print $2; exit }' "/proc/$(field evil .pid)/uid_map")
id=$(field evil .id)
nodectl destroy evil --force --yes --quiet
# ids go round, and this is where the round is
printf %s $((id - 1)) >"$STORAGE/ids/.last"
nodectl create heir --start --quiet || exit 1
is "I8: the next one has its id and its host ids" "$(field heir .id) $(awk '{ print $2; exit }' "/proc/$(field heir .pid)/uid_map")" "$id $base"
volume=$(find "$STORAGE/vps/heir" -name '*.img' | head -n 1)
sync
is "I8: the next one's volume has nothing of it" "$(found "$volume")" 0
unlike "I8: nor its console" "$(nodectl log heir --console)" ghostof-evil
is "I8: nor its memory" "$(shell heir 'ls -A /dev/shm; ls /root/ghost 2>/dev/null')" ""
nodectl destroy heir --force --yes --quiet
is "I8: no file of the node belongs to who has gone" "$(find "$STORAGE" "$RUN" /tmp /dev/shm -xdev -uid "+$((base - 1))" -uid "-$((base + 65536))" 2>/dev/null | head -n 3)" ""

is "the programs are what they were" "$(sums)" "$untouched"
finish
