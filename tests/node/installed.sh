# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Sourced by the tests of the node itself, inside of the box: nodectl as it is installed, with
# the usual paths.  Of lib.sh only its ways of saying things are wanted.
. "$(dirname "${BASH_SOURCE[0]}")/../live/lib.sh"
unset NODECTL_CONFIG
NODECTL=/usr/sbin/nodectl
STORAGE=/var/lib/nodectl
WORK=$(mktemp -d)

# installed_begin: it is set up, has an image, and no VPS
installed_begin() {
	nodectl init --quiet || not_ok "init"
	have_image mini || check "image build mini" nodectl image build mini
	is "no VPS is there" "$(nodectl list -H)" ""
}

installed_end() {
	check "destroy --all" nodectl destroy --all --force --yes
	is "repair finds nothing then" "$(nodectl repair --dry-run 2>&1)" ""
	close
}

close() {
	finished=yes
	rm -rf "$WORK"
	if [ $skipped -gt 0 ]; then
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	[ $failed -eq 0 ]
	exit
}
