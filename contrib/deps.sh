#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Install what contrib/packages names and this machine lacks.  usage: deps.sh [@MARK]
set -eu
cd "$(dirname "$0")/.."

missing=
for package in $(awk -v mark="${1:-}" '{ sub(/#.*/, "") } NF == 1 || $2 == mark { print $1 }' contrib/packages); do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "deps: root is needed to install:$missing" >&2
	exit 1
fi
echo "==> installing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	exit 1
fi
