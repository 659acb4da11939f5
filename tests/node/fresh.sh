#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A node that has just been installed: before any VPS, and before any module was asked for.
. "$(dirname "$0")/../live/lib.sh"
unset NODECTL_CONFIG
NODECTL=/usr/sbin/nodectl

is "Debian's kernel has overlay as a module, not loaded yet" "$(grep -c '^overlay ' /proc/modules)" 0
OUT=$(nodectl doctor 2>&1)
like "doctor finds cgroup v2" "$OUT" '^cgroup2 +yes'
like "it finds overlay all the same" "$OUT" '^overlay +yes'
# what is younger than this kernel, and what nothing needs
# pools are made larger by the first start; what a hostile root takes is charged by no Linux; and
# crashes are in the log of every Debian
is "and lacks nothing else" "$(grep -E ' NO ' <<<"$OUT" | grep -vE '^(how an adopted init ended|tcx|time namespaces|pool of|log free of crashes|all kernel memory charged)')" ""
like "nodectl is not set up" "$(nodectl list 2>&1)" "nodectl init"
finished=yes
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
