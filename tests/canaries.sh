#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The weakenings of tests/hostile/weak still fit the sources and the tests that they are for, so
# that `make canaries` does not find it out later.  usage: canaries.sh [TREE]
set -u
export LC_ALL=C
cd "${1:-$(dirname "$0")/..}" || exit 1
. tests/hostile/weak.sh

passed=0 failed=0

# check WHAT FAULTS: one test; FAULTS is a line for each violation, or nothing.
check() {
	if [ -z "$2" ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf '%s\n' "$2" | sed "s|^|not ok - $1: |"
}

# It can be read, its lines are there once, and the script has its checks.
faults() {
	local script text
	weak_read "$1" || return
	text=$(weak_text .) || { echo "$text" && return; }
	script=$(weak_script . "$weak_in")
	[ -n "$script" ] || { echo "there is no script '$weak_in'" && return; }
	for text in "${weak_checks[@]}"; do
		grep -qF -- "\"$text" "$script" || echo "$script has no check '$text'"
	done
}

tried=' '
for name in $(weak_names); do
	check "weakening '$name'" "$(faults "$name")"
	weak_read "$name" >/dev/null && tried+="$weak_in "
done
check 'every hostile test has a canary' "$(for script in tests/hostile/*.sh; do
	name=$(basename "$script" .sh)
	[ "$name" = weak ] || [[ $tried == *" $name "* ]] || echo "$script has none"
done)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
