#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A test that cannot fail is none: each weakening of tests/hostile/weak takes one protection away
# in a copy of the tree, and the checks that it names must then be red.
#
#	[O=BUILD] tests/run-canaries.sh [NAME...]	all, or only the named ones
#
# The copy lies below the build folder and goes again; what the scripts printed stays in
# BUILD/canaries.log.  One run at a time on the whole machine, as of run-live.sh.

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
mkdir -p "$top/${O:=build}" || exit 1
case $O in /*) build=$O ;; *) build=$top/$O ;; esac
tree=$build/canaries
BUILD=$tree/build
. "$here/live/lib.sh"
. "$here/hostile/weak.sh"
[ "$(id -u)" = 0 ] || { echo "canaries: they must be run as root" >&2 && exit 1; }
log=$build/canaries.log
running=

# What is built already need not be built again: all times are kept.
tree_make() {
	rm -rf --one-file-system "$tree" && mkdir -p "$BUILD" &&
		tar -C "$top" -c --exclude=./.git --exclude=./build --exclude="./$O" . | tar -C "$tree" -x &&
		if [ "$O" = build ]; then cp -a "$build"/{obj,gen,filter-generator,nodectl*} "$BUILD/"; fi
}

tree_build() {
	env -u MAKEFLAGS -u MFLAGS make -s --no-print-directory -C "$tree" -j"$(nproc)" O=build WERROR= all >"$BUILD/said" 2>&1 </dev/null
}

# As if it had never been: the node's rules and the guard of a weakened build are replaced by
# those of the one that is tested.
weak_end() {
	cp "$top/$weak_file" "$tree/$weak_file"
	case $weak_file in
	netns/*) [ ! -e "$NODECTL_CONFIG" ] || "$build/nodectl" init --quiet ;;
	esac
}

# red CHECK: what its failures printed
red() {
	local line on='' pattern
	pattern=$(weak_pattern "$1")
	while IFS= read -r line; do
		case $line in
		'not ok - '*)
			# shellcheck disable=SC2053
			[[ ${line#not ok - } == $pattern ]] && on=yes || on=
			;;
		'# '*) ;;
		*) on= ;;
		esac
		[ -z "$on" ] || printf '%s\n' "$line"
	done <"$BUILD/out"
}

# green CHECK: it came, and nothing was wrong with it
green() {
	local line pattern
	pattern=$(weak_pattern "$1")
	while IFS= read -r line; do
		# shellcheck disable=SC2053
		[[ $line == 'ok - '* && ${line#ok - } == $pattern ]] && return
	done <"$BUILD/out"
	return 1
}

# What is wrong with what the script printed: nothing, or one line.
verdict() {
	local check text all=
	for check in "${weak_checks[@]}"; do
		text=$(red "$check")
		all+=$text
		[ -z "$text" ] || continue
		if green "$check"; then
			echo "'$check' is as green as ever: the test has a hole"
		else
			echo "$weak_in did not come to '$check'" && tail -n 5 "$BUILD/out"
		fi
		return
	done
	for text in ${weak_says[@]+"${weak_says[@]}"}; do
		[[ $all == *"$text"* ]] || printf "'%s' failed, but does not say '%s'\n%s\n" "${weak_checks[0]}" "$text" "$all"
	done
}

# What keeps the views for VPSs, for one, goes a moment after the last of them.
nothing_left() {
	leak_state 2>/dev/null | sort | comm -13 "$BUILD/before" - >"$BUILD/left"
	[ ! -s "$BUILD/left" ]
}

canary() {
	local name=$1 wrong began=$SECONDS text patterns=
	wrong=$(weak_read "$name") || { not_ok "canary $name" "$wrong" && return; }
	weak_read "$name"
	text=$(weak_text "$tree" && echo x) || { not_ok "canary $name" "$text" && return; }
	printf '%s' "${text%x}" >"$tree/$weak_file"
	for text in "${weak_checks[@]}"; do
		patterns+=${patterns:+$'\n'}$(weak_pattern "$text")
	done
	if ! tree_build; then
		not_ok "canary $name: it does not build" "$(tail -n 5 "$BUILD/said")"
		weak_end
		return
	fi
	UNTIL=$patterns timeout -k 30 $((${CANARY_SECONDS:-300} * SLOW)) \
		bash "$tree/$(weak_script "$tree" "$weak_in")" >"$BUILD/out" 2>&1 </dev/null &
	running=$!
	wait "$running"
	running=
	{ echo "=== $name: $weak_about" && cat "$BUILD/out"; } >>"$log"
	wrong=$(verdict)
	if [ -z "$wrong" ]; then
		ok "canary $name: \"${weak_checks[0]}\" failed"
	else
		not_ok "canary $name" "$wrong"
	fi
	echo "# $weak_in: $((SECONDS - began)) s"
	weak_end
	eventually 30 nothing_left || not_ok "canary $name leaves nothing behind" "$(cat "$BUILD/left")"
}

go_away() {
	trap - EXIT
	if [ -n "$running" ]; then
		kill "$running" 2>/dev/null
		wait "$running" 2>/dev/null
	fi
	[ -z "${weak_file-}" ] || [ ! -d "$tree" ] || weak_end
	[ ! -e "$BUILD/before" ] || eventually 30 nothing_left
	machine_restore
	rm -f "$LOCK"
	rm -rf --one-file-system "$tree"
}

alone || exit 1
export LIVE_RUNNER=$$
trap go_away EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
machine_note
: >"$log"
tree_make && tree_build || { echo "canaries: the copy in '$tree' cannot be built: $(tail -n 3 "$BUILD/said")" >&2 && exit 1; }
leak_state 2>/dev/null | sort >"$BUILD/before"
for name in ${*:-$(weak_names)}; do
	canary "$name"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
