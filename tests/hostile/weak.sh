# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# What a weakening is: a file of tests/hostile/weak, shared by tests/canaries.sh and
# tests/run-canaries.sh.
#
#	# which protection goes (its id in the threat list), in a line or two
#	script isolation			of tests/live or tests/hostile
#	check  its name as the script has it	or how that begins; $name stands for anything
#	says   text				which the failure must print, if there are more ways to fail
#	file   runtime/mounts.c
#	-	lines that are there, once
#	+	what stands there instead
#
# There may be several checks and texts.  No line numbers and no lines around: it goes stale only
# with the lines themselves.

WEAK=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/weak

weak_names() {
	(cd "$WEAK" && ls)
}

# The path of a script in a tree, or nothing.
weak_script() {
	local path
	for path in "tests/live/$2.sh" "tests/hostile/$2.sh"; do
		[ ! -e "$1/$path" ] || echo "$path"
	done
}

# weak_read NAME: into weak_about, weak_script, weak_file, weak_old, weak_new, and the arrays
# weak_checks and weak_says; says what is wrong and fails
weak_read() {
	local line word rest
	weak_about='' weak_in='' weak_file='' weak_old='' weak_new='' weak_checks=() weak_says=()
	[ -f "$WEAK/$1" ] || { echo "there is no $WEAK/$1" && return 1; }
	while IFS= read -r line; do
		read -r word rest <<<"$line"
		case $line in
		-*) weak_old+=${line#-}$'\n' ;;
		+*) weak_new+=${line#+}$'\n' ;;
		'# '*) weak_about+=${weak_about:+ }${line#\# } ;;
		'script '*) weak_in=$rest ;;
		'check '*) weak_checks+=("$rest") ;;
		'says '*) weak_says+=("$rest") ;;
		'file '*) weak_file=$rest ;;
		*) echo "nobody knows '$line'" && return 1 ;;
		esac
	done <"$WEAK/$1"
	[ -n "$weak_about" ] || { echo "it does not say which protection goes" && return 1; }
	[ -n "$weak_in" ] && [ ${#weak_checks[@]} -gt 0 ] || { echo "it names no check" && return 1; }
	[ -n "$weak_file" ] && [ -n "$weak_old" ] || { echo "it takes nothing away" && return 1; }
}

# weak_pattern CHECK: of what it prints
weak_pattern() {
	# shellcheck disable=SC2016
	sed 's/[][*?\\]/\\&/g; s/\${*[A-Za-z_0-9]*}*/*/g' <<<"$1*"  | sed 's/\\\*$/*/'
}

# weak_text TREE: the file weakened, or what is wrong
weak_text() {
	local text rest
	[ -f "$1/$weak_file" ] || { echo "there is no $weak_file" && return 1; }
	text=$(cat "$1/$weak_file" && echo x)
	text=${text%x}
	rest=${text#*"$weak_old"}
	[ "$rest" != "$text" ] || { echo "$weak_file does not have the lines that it takes away" && return 1; }
	[[ $rest != *"$weak_old"* ]] || { echo "$weak_file has the lines that it takes away more than once" && return 1; }
	printf '%s' "${text%%"$weak_old"*}$weak_new$rest"
}
