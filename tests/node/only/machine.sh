#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A root that may everything, kernel modules, udev: what a node has and a container has not.
. "$(dirname "$0")/../../live/lib.sh"
begin

# ---- modules: nobody loads them but the kernel, when nodectl asks for what they do
check "create and start" nodectl create m --start --wait 60
for module in overlay veth bridge nf_tables loop nft_chain_nat nft_masq; do
	like "module $module is there, and nodectl did not have to load it" "$(cut -d' ' -f1 /proc/modules)" "^$module$"
done
is "the kernel is not tainted" "$(cat /proc/sys/kernel/tainted)" 0
like "nft shows the forward" "$(nft list map inet nodectl tcp4)" "comment \"nodectl $(field m .id)\""

# ---- rights
limit() { awk -v name="$1" 'index($0, name) == 1 { sub(name " *", ""); print $1, $2 }' "/proc/$2/limits"; }
init=$(field m .pid)
is "init may have this many files" "$(limit 'Max open files' "$init")" "1024 524288"
is "locked memory" "$(limit 'Max locked memory' "$init")" "$((8 << 20)) $((64 << 20))"
is "core dumps" "$(limit 'Max core file size' "$init")" "0 unlimited"
is "bytes of message queues" "$(limit 'Max msgqueue size' "$init")" "819200 819200"
is "no limit of processes beside the VPS's" "$(limit 'Max processes' "$init")" "unlimited unlimited"
is "no niceness" "$(limit 'Max nice priority' "$init") $(limit 'Max realtime priority' "$init")" "0 0 0 0"
is "a command has the same" "$(inside m sh -c 'ulimit -Sn; ulimit -Hn' | tr '\n' ' ')" "1024 524288 "
is "the monitor is the last to go when memory ends" "$(cat "/proc/$(field m .monitor)/oom_score_adj")" -800
spared() { [ "$(cat "/proc/$init/oom_score_adj")" = 0 ]; }
check "init is as the node's own when it has started the others" eventually 15 spared
is "a command goes before the node's own" "$(inside m cat /proc/self/oom_score_adj)" 500
refuse "and cannot make itself so" shell m 'echo -100 >/proc/self/oom_score_adj'

# ---- udev looks at each new interface and each loop device
udevadm settle 2>/dev/null
id=$(field m .id)
is "udev leaves the link its name" "$([ -e "/sys/class/net/nv$id" ] && echo there)" there
is "and the bridge its address" "$(ip -4 -o addr show dev nodectl0 | grep -c "$(gateway4)/")" 1
mac=$(inside m cat /sys/class/net/eth0/address)
nodectl restart m --force --wait 60 --quiet
udevadm settle 2>/dev/null
is "the VPS keeps its hardware address" "$(inside m cat /sys/class/net/eth0/address)" "$mac"
for i in 1 2 3 4 5 6; do
	nodectl restart m --force --quiet || not_ok "restart $i, with udev looking on"
done
ok "restarted again and again, with udev looking on"
check "it runs" inside m true
nodectl stop m --force --quiet
loops() { ! cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -q "$STORAGE"; }
check "no loop device is kept" eventually 10 loops

finish
