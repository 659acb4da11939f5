#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The inside of powercut.sh.  `records`, which those outside kept, says what was begun and what
# was done before the power went:
#
#	op BOX-WIDE-NUMBER begin|done|undone|failed VERB NAME VALUE .
#
# First everything is compared with that; what was under way may have happened or not, and the
# records learn which.  Then two workers change things until the power goes again, each with
# names of its own.  `rounds` says how many cuts are still to come.

here=$(cd "$(dirname "$0")" && pwd)
records=$here/records
patience=60
passed=0 failed=0
export HOME=/root

ok() {
	passed=$((passed + 1))
	echo "ok - $1"
}

not_ok() {
	failed=$((failed + 1))
	echo "not ok - $1"
	[ -z "${2-}" ] || printf '%s\n' "$2" | head -n 20 | sed 's/^/# /'
}

nodectl() {
	timeout -k 5 $patience /usr/sbin/nodectl "$@"
}

# ---- what must be

declare -A there memory text running # by name; `there` is yes, or maybe with the change under way
declare -A under                     # by name: "NUMBER VERB VALUE" that was begun and not done

apply() {
	local verb=$1 name=$2 value=$3
	case $verb in
	create) there[$name]=yes memory[$name]=$value text[$name]= running[$name]=no ;;
	destroy) there[$name]=no running[$name]=no ;;
	start) running[$name]=yes ;;
	stop) running[$name]=no ;;
	set) memory[$name]=$value ;;
	write) text[$name]=$value ;;
	import) there[$name]=yes text[$name]=$value ;;
	remove) there[$name]=no ;;
	esac
}

replay() {
	local word number phase verb name value end
	while read -r word number phase verb name value end; do
		[ "$word" = op ] && [ "$end" = . ] || continue
		: "${there[$name]:=no}"
		[ "$value" != - ] || value=
		case $phase in
		begin) under[$name]="$number $verb $value" ;;
		done)
			apply "$verb" "$name" "$value"
			unset "under[$name]"
			;;
		*) unset "under[$name]" ;;
		esac
	done <"$records"
}

# ---- what is

is_there() {
	case $1 in
	*i) /usr/sbin/nodectl image show "$1" >/dev/null 2>&1 ;;
	*) /usr/sbin/nodectl status "$1" >/dev/null 2>&1 ;;
	esac
}

# settle NAME: what was under way has happened or not
settle() {
	local name=$1 number verb value now was=${there[$1]}
	read -r number verb value <<<"${under[$name]}"
	is_there "$name" && now=yes || now=no
	case $verb in
	create | import) happened=$now ;;
	destroy | remove) [ $now = no ] && happened=yes || happened=no ;;
	set) [ "$(memory_of "$name")" = "$(bytes "$value")" ] && happened=yes || happened=no ;;
	*) happened=later ;; # when it runs, or not
	esac
	# of these the half is a stop, and that may be done
	[ "$verb" = destroy ] && [ $happened = no ] && happened=later
	echo "# $verb $name $value was under way ($was): happened: $happened"
	[ $happened = later ] && return
	unset "under[$name]"
	if [ $happened = yes ]; then
		apply "$verb" "$name" "$value"
		record "$number" "done" "$verb" "$name" "$value"
	else
		record "$number" undone "$verb" "$name" "$value"
	fi
}

bytes() {
	echo $((${1%M} << 20))
}

memory_of() {
	/usr/sbin/nodectl show "$1" -j | jq -r .memory
}

check_image() {
	local name=$1 digest root
	digest=$(/usr/sbin/nodectl image show "$name" -j | jq -r .digest)
	root=/var/lib/nodectl/images/sha256/$digest/root
	if [ "$(cat "$root/etc/marker")" = "${text[$name]}" ] && cmp -s /bin/busybox "$root/bin/busybox"; then
		ok "image $name is whole"
	else
		not_ok "image $name is whole" "$root, not ${text[$name]}: $(ls -l "$root" "$root/etc" "$root/bin" 2>&1)"
	fi
}

# settle_state NAME: start, stop and the first half of destroy, seen by what boot has started
settle_state() {
	local name=$1 number verb value now
	read -r number verb value <<<"${under[$name]-}"
	case $verb in start | stop | destroy) ;; *) return ;; esac
	[ "$(/usr/sbin/nodectl status "$name")" = "$name running" ] && now=yes || now=no
	if [ $now = "${running[$name]}" ]; then
		record "$number" undone "$verb" "$name" -
	else
		[ "$verb" = start ] || verb=stop
		record "$number" "done" "$verb" "$name" -
		running[$name]=$now
	fi
	unset "under[$name]"
}

check_vps() {
	local name=$1 got want=${text[$1]} number verb value
	settle_state "$name"
	[ "${running[$name]}" = yes ] && want=running || want=stopped
	got=$(/usr/sbin/nodectl status "$name" 2>&1)
	[ "$got" = "$name $want" ] && ok "boot left $name $want, as it was" || not_ok "boot left $name $want, as it was" "$got"
	want=${text[$name]}
	got=$(memory_of "$name")
	[ "$got" = "$(bytes "${memory[$name]}")" ] && ok "$name has its ${memory[$name]} of memory" ||
		not_ok "$name has its ${memory[$name]} of memory" "$got"
	got=$(nodectl start "$name" --idempotent 2>&1) || { not_ok "$name starts" "$got"; return; }
	got=$(nodectl exec "$name" -- cat /root/text 2>/dev/null)
	if [ -n "${under[$name]-}" ]; then
		read -r number verb value <<<"${under[$name]}"
		if [ "$got" = "$value" ]; then
			record "$number" "done" write "$name" "$value"
			want=$value
		else
			record "$number" undone write "$name" "$value"
		fi
		unset "under[$name]"
	fi
	[ "$got" = "$want" ] && ok "$name starts, and holds what was written" || not_ok "$name holds what was written" "'$got', not '$want'"
	# where the workers go on
	[ "${running[$name]}" = yes ] && return
	nodectl stop "$name" --force --quiet || not_ok "$name stops"
}

compare() {
	local name got
	got=$(nodectl repair 2>&1) && ok "repair" || not_ok "repair" "$got"
	[ -z "$got" ] || printf '%s\n' "$got" | sed 's/^/# repaired: /'
	got=$(nodectl repair --dry-run 2>&1)
	[ -z "$got" ] && ok "then repair --dry-run says nothing" || not_ok "then repair --dry-run says nothing" "$got"
	got=$(nodectl list -H -o STATE 2>&1 | sort -u | xargs)
	case $got in "" | stopped) ok "nothing runs" ;; *) not_ok "nothing runs" "$got" ;; esac

	for name in "${!under[@]}"; do
		settle "$name"
	done
	got=$(nodectl boot 2>&1) && ok "boot" || not_ok "boot" "$got"
	for name in $(printf '%s\n' "${!there[@]}" | sort); do
		if [ "${there[$name]}" = yes ]; then
			if ! is_there "$name"; then
				not_ok "$name is there" "$(nodectl status "$name" 2>&1)"
				continue
			fi
			ok "$name is there"
			case $name in *i) check_image "$name" ;; *) check_vps "$name" ;; esac
		else
			is_there "$name" && not_ok "$name is gone" || ok "$name is gone"
		fi
	done
	for name in $(nodectl list -H -o NAME) $(nodectl image list -H -o NAME | grep -vxE 'mini|debian-12'); do
		[ "${there[$name]-no}" = yes ] || not_ok "nothing else is there" "$name"
	done
	got=$(nodectl repair --dry-run 2>&1)
	[ -z "$got" ] && ok "repair --dry-run says nothing when they run" || not_ok "repair --dry-run says nothing when they run" "$got"
}

# ---- change

# record NUMBER PHASE VERB NAME VALUE: what is begun is known outside before it begins
record() {
	echo "op $1 $2 $3 $4 ${5:--} ." >/dev/ttyS1
	[ "$2" != begin ] || stty -F /dev/ttyS1 drain raw
}

# go NUMBER VERB NAME VALUE COMMAND...
go() {
	local number=$1 verb=$2 name=$3 value=$4 out
	shift 4
	record "$number" begin "$verb" "$name" "$value"
	if out=$("$@" 2>&1); then
		record "$number" "done" "$verb" "$name" "$value"
		apply "$verb" "$name" "$value"
	else
		# nobody but us changes it: it should have worked
		echo "not ok - $verb $name $value while nothing was cut"
		printf '%s\n' "$out" | sed 's/^/# /'
		record "$number" failed "$verb" "$name" "$value"
		exit
	fi
}

write_in() {
	nodectl exec "$1" -- sh -c "echo '$2' >/root/text.new && mv /root/text.new /root/text && sync"
}

import() {
	local root=/run/import.$BASHPID
	mkdir -p "$root/bin" "$root/sbin" "$root/etc"
	cp /bin/busybox "$root/bin/busybox"
	ln -sf ../bin/busybox "$root/sbin/init"
	echo "$2" >"$root/etc/marker"
	tar -C "$root" -cf "$root.tar" . && nodectl image import "$1" "$root.tar"
}

worker() {
	local which=$1 number=$2 name value
	while :; do
		number=$((number + 2))
		name=$which$((RANDOM % 3))
		value=$((40 + RANDOM % 60))M
		if [ $((RANDOM % 6)) -eq 0 ]; then
			name=${name}i
			if [ "${there[$name]-no}" = yes ]; then
				go $number remove "$name" - nodectl image remove "$name"
			else
				go $number import "$name" "m$number" import "$name" "m$number"
			fi
		elif [ "${there[$name]-no}" = no ]; then
			go $number create "$name" $value nodectl create "$name" --image mini --memory $value --disk 64M
		elif [ "${running[$name]}" = no ]; then
			case $((RANDOM % 5)) in
			0) go $number destroy "$name" - nodectl destroy "$name" --yes ;;
			1) go $number set "$name" $value nodectl set "$name" --memory $value ;;
			*) go $number start "$name" - nodectl start "$name" ;;
			esac
		else
			case $((RANDOM % 4)) in
			0) go $number stop "$name" - nodectl stop "$name" --force ;;
			1) go $number set "$name" $value nodectl set "$name" --memory $value ;;
			2) go $number write "$name" "t$number" write_in "$name" "t$number" ;;
			3) go $number destroy "$name" - nodectl destroy "$name" --force --yes ;;
			esac
		fi
	done
}

# ----

[ -e /etc/nodectl/node.conf ] || nodectl init --quiet || not_ok "init"
/usr/sbin/nodectl image show mini >/dev/null 2>&1 ||
	OUT=$(nodectl image build mini 2>&1) || not_ok "image build mini" "$OUT"
if [ -s "$records" ]; then
	replay
	compare
else
	sync
fi
if [ "$(cat "$here/rounds")" = 0 ]; then
	echo "$passed passed, $failed failed"
	sync
	systemctl poweroff --force --force >/dev/null 2>&1
	exit
fi
last=$(awk '$1 == "op" && $2 > n { n = $2 } END { print n + 0 }' "$records")
echo "ready: $passed passed, $failed failed"
worker a $((last / 2 * 2)) &
worker b $((last / 2 * 2 + 1)) &
wait
