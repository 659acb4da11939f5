# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Sourced behind claims.sh: changes VPSs and images all the time, and says so by `record` before
# and after each.  Nothing else is said while all goes well.  What it needs for that is made in
# $scratch.

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
	local root=$scratch/$1
	mkdir -p "$root/bin" "$root/sbin" "$root/etc"
	cp /bin/busybox "$root/bin/busybox"
	ln -sf ../bin/busybox "$root/sbin/init"
	echo "$2" >"$root/etc/marker"
	sha256sum <"$root/bin/busybox" >"$root/etc/sum"
	tar -C "$root" -cf "$root.tar" . && nodectl image import "$1" "$root.tar"
}

# grow NUMBER NAME: its disk
grow() {
	local now=${size[$2]%M}
	[ "$now" -ge 128 ] || go "$1" disk "$2" $((now + 16))M nodectl set "$2" --disk $((now + 16))M
}

# plan_to NAME MEMORY: made when it is not there; VPSs that have it follow
plan_to() {
	local verb=create
	nodectl plan show "$1" >/dev/null 2>&1 && verb=set
	nodectl plan $verb "$1" --memory "$2"
}

# make NUMBER NAME MEMORY PLAN: a VPS, every other with the memory of the plan
make() {
	local args=(--memory "$3") value=$3 key=$scratch/$2.key
	key_of "$2" >"$key"
	[ "${there[$4]-no}" = yes ] && [ $((RANDOM % 2)) -eq 0 ] && args=(--plan "$4") value=$4
	go "$1" create "$2" "$value" nodectl create "$2" --image mini --ssh-key "$key" "${args[@]}" --memory-guaranteed 16M --disk 64M
}

# worker LETTER NUMBER: with names of its own, until there is $enough, or nobody who could say so
worker() {
	local which=$1 number=$2 name value
	until [ -e "$enough" ] || ! kill -0 $$ 2>/dev/null; do
		number=$((number + 2))
		name=$which$((RANDOM % 3))
		# plans have odd ones: settle tells a VPS's own from its plan's
		value=$((40 + RANDOM % 30 * 2))M
		if [ $((RANDOM % 6)) -eq 0 ]; then
			name=${name}i
			if [ "${there[$name]-no}" = yes ]; then
				go $number remove "$name" - nodectl image remove "$name"
			else
				go $number import "$name" "m$number" import "$name" "m$number"
			fi
		elif [ $((RANDOM % 8)) -eq 0 ]; then
			value=$((${value%M} + 1))M
			go $number plan "${which}p" $value plan_to "${which}p" $value
		elif [ "${there[$name]-no}" = no ]; then
			make $number "$name" $value "${which}p"
		elif [ "${running[$name]}" = no ]; then
			case $((RANDOM % 5)) in
			0) go $number destroy "$name" - nodectl destroy "$name" --yes ;;
			1) go $number set "$name" $value nodectl set "$name" --memory $value ;;
			2) grow $number "$name" ;;
			*) go $number start "$name" - nodectl start "$name" ;;
			esac
		else
			case $((RANDOM % 5)) in
			0) go $number stop "$name" - nodectl stop "$name" --force ;;
			1) go $number set "$name" $value nodectl set "$name" --memory $value ;;
			2) go $number write "$name" "t$number" write_in "$name" "t$number" ;;
			3) go $number destroy "$name" - nodectl destroy "$name" --force --yes ;;
			4) grow $number "$name" ;;
			esac
		fi
	done
}
