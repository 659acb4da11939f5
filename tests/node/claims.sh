# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Sourced by cuts.sh and flushes.sh: is a storage what `records` says?  That has, a line each,
# what was begun and what was done before the power went:
#
#	op NUMBER begin|done|undone|failed VERB NAME VALUE .
#
# What was under way may have happened or not, and whoever sources this learns which, by
# `record NUMBER PHASE VERB NAME VALUE`.  NODECTL and STORAGE say whose storage it is.

patience=450
passed=0 failed=0

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
	timeout -k 5 $patience "$NODECTL" "$@"
}

# ---- what must be

# By name, of VPSs (a0), images (a0i) and plans (ap).  `memory` of a VPS is a size, or the name of
# the plan that it has it from; `under` is "NUMBER VERB VALUE" of what was begun and not done.
declare -A there memory size text running under

apply() {
	local verb=$1 name=$2 value=$3
	case $verb in
	create) there[$name]=yes memory[$name]=$value size[$name]=64M text[$name]= running[$name]=no ;;
	destroy) there[$name]=no running[$name]=no ;;
	start) running[$name]=yes ;;
	stop) running[$name]=no ;;
	set) memory[$name]=$value ;;
	disk) size[$name]=$value ;;
	write) text[$name]=$value ;;
	import) there[$name]=yes text[$name]=$value ;;
	plan) there[$name]=yes memory[$name]=$value ;;
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

# key_of NAME: who may log in there
key_of() {
	echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA $1"
}

# What the first start writes into a VPS, and none again when it is lost.
first_due() {
	echo "# written by nodectl at each start; remove this line to keep your own"
	key_of "$1"
}

# ---- what is

is_there() {
	local status
	case $1 in
	*i) nodectl image show "$1" ;;
	*p) nodectl plan show "$1" ;;
	*) nodectl status "$1" ;;
	esac >/dev/null 2>&1
	status=$?
	[ $status -lt 124 ] || not_ok "nodectl says whether $1 is there" "exit $status"
	return $status
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
	plan) [ "$(memory_of "$name")" = "$(bytes "$value")" ] && happened=yes || happened=no ;;
	disk) [ "$(disk_of "$name")" = "$(bytes "$value")" ] && happened=yes || happened=no ;;
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
	case $1 in
	*p) nodectl plan show "$1" -j 2>/dev/null | jq -r '[.. | .memory? | numbers][0]' ;;
	*) nodectl show "$1" -j | jq -r .memory ;;
	esac
}

# what it must have
memory_due() {
	local due=${memory[$1]}
	case $due in *p) due=${memory[$due]} ;; esac
	bytes "$due"
}

check_memory() {
	local got
	got=$(memory_of "$1")
	[ "$got" = "$(memory_due "$1")" ] && ok "$1 has its ${memory[$1]} of memory" ||
		not_ok "$1 has its ${memory[$1]} of memory" "$got, not $(memory_due "$1")"
}

disk_of() {
	nodectl show "$1" -j | jq -r .limits.disk
}

check_image() {
	local name=$1 digest root
	digest=$(nodectl image show "$name" -j | jq -r .digest)
	root=$STORAGE/images/sha256/$digest/root
	if [ "$(cat "$root/etc/marker")" = "${text[$name]}" ] &&
		[ "$(sha256sum <"$root/bin/busybox")" = "$(cat "$root/etc/sum")" ]; then
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
	[ "$(nodectl status "$name")" = "$name running" ] && now=yes || now=no
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
	got=$(nodectl status "$name" 2>&1)
	[ "$got" = "$name $want" ] && ok "boot left $name $want, as it was" || not_ok "boot left $name $want, as it was" "$got"
	want=${text[$name]}
	check_memory "$name"
	got=$(nodectl start "$name" --idempotent 2>&1) || { not_ok "$name starts" "$got"; return; }
	got="$(disk_of "$name") $(stat -c %s "$STORAGE/vps/$name/volume.img")"
	want="$(bytes "${size[$name]}") $(bytes "${size[$name]}")"
	[ "$got" = "$want" ] && ok "$name has its ${size[$name]} of disk" || not_ok "$name has its ${size[$name]} of disk" "$got"
	want=${text[$name]}
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
	got=$(nodectl exec "$name" -- sh -c 'head -n 1 /etc/resolv.conf; cat /root/.ssh/authorized_keys' 2>&1)
	[ "$got" = "$(first_due "$name")" ] && ok "$name has what its first start wrote" || not_ok "$name has what its first start wrote" "$got"
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
			case $name in *i) check_image "$name" ;; *p) check_memory "$name" ;; *) check_vps "$name" ;; esac
		else
			is_there "$name" && not_ok "$name is gone" || ok "$name is gone"
		fi
	done
	for name in $(nodectl list -H -o NAME) $(nodectl image list -H -o NAME | grep -vxE 'mini|debian-12'); do
		[ "${there[$name]-no}" = yes ] || not_ok "nothing else is there" "$name"
	done
	# on a slow machine lxcfs may not answer before a VPS is up: repair gives it its view
	got=$(nodectl repair --dry-run 2>&1)
	if [ -n "$got" ] && ! grep -qv 'no view of itself' <<<"$got"; then
		printf '%s\n' "$got" | sed 's/^/# /'
		nodectl repair >/dev/null 2>&1
		got=$(nodectl repair --dry-run 2>&1)
	fi
	[ -z "$got" ] && ok "repair --dry-run says nothing when they run" || not_ok "repair --dry-run says nothing when they run" "$got"
}
