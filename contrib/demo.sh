#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The main job, shown for real: an image, a VPS from it, a login by ssh, a look around
# inside, and everything gone again.  usage: demo.sh [debian-12|debian-13|mini]
set -euo pipefail
cd "$(dirname "$0")/.."

image=${1:-debian-12}
build=${O:-build}
nodectl=$PWD/$build/nodectl
demo=$PWD/$build/demo
name=web1
begin=$EPOCHREALTIME

[ "$(id -u)" -eq 0 ] || { echo "demo: run it as root" >&2; exit 1; }

bold= dim= plain=
if [ -t 1 ]; then
	bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi

step() { printf '\n%s==> %s%s\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ %s%s\n' "$dim" "$*" "$plain"; }
run() {
	show "$(sed "s#$nodectl#nodectl#; s#$demo/##g" <<<"$*")"
	"$@"
}

# The demo has a node of its own, so that it can go as it came.  A machine that is a node
# already keeps its low numbers.
ids=1-100
[ ! -e /etc/nodectl/node.conf ] || ids=26001-26100
bridge_was=$(ip -o link show nodectl0 2>/dev/null || true)
forward_was=$(cat /proc/sys/net/ipv4/ip_forward)
forward6_was=$(cat /proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null || true)
pins_were=$(ls /sys/fs/bpf/nodectl 2>/dev/null || true)

leave() {
	local code=$?
	trap - EXIT INT TERM
	if [ -e "$demo/node.conf" ]; then
		"$nodectl" destroy --quiet --yes --force --all 2>/dev/null || true
		"$nodectl" repair --quiet || true
	fi
	if [ -z "$bridge_was" ] && [ -e "$demo/node.conf" ]; then
		ip link del nodectl0 2>/dev/null || true
		nft delete table inet nodectl 2>/dev/null || true
		echo "$forward_was" >/proc/sys/net/ipv4/ip_forward
		[ -z "$forward6_was" ] || echo "$forward6_was" >/proc/sys/net/ipv6/conf/all/forwarding
		for pin in $(ls /sys/fs/bpf/nodectl 2>/dev/null); do
			grep -qxF "$pin" <<<"$pins_were" || rm -r "/sys/fs/bpf/nodectl/$pin"
		done
		rmdir /sys/fs/bpf/nodectl 2>/dev/null || true
	fi
	rm -rf "$demo/run" "$demo/key" "$demo/key.pub" "$demo/node.conf" "$demo/plans"
	exit "$code"
}
trap leave EXIT
trap 'exit 130' INT TERM

export NODECTL_CONFIG=$demo/node.conf
mkdir -p -m 700 "$demo"
rm -f "$demo/key" "$demo/key.pub" "$demo/node.conf"

step "This machine becomes a node"
run "$nodectl" init --storage "$demo/storage" --run "$demo/run" --ids "$ids"

step "An image: $image"
if "$nodectl" image show "$image" >/dev/null 2>&1; then
	echo "built by an earlier demo; 'make clean' removes it"
else
	run "$nodectl" image build "$image"
fi
run "$nodectl" image list

step "A VPS from it, and a key to log in with"
ssh-keygen -q -t ed25519 -N '' -C demo -f "$demo/key"
run "$nodectl" create "$name" --image "$image" --plan small --ssh-key "$demo/key.pub"

step "Start it, and wait until it has booted"
started=$EPOCHREALTIME
run "$nodectl" start "$name" --wait 120
awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN { printf "booted in %.2f seconds\n", b - a }'

step "Log in by ssh, as its owner would"
inside='
say() { printf "\n# %s\n" "$*"; "$@"; }
say hostname
say id
command -v systemctl >/dev/null && say systemctl is-system-running
command -v systemctl >/dev/null && say systemctl --failed --no-pager --no-legend
say ip -brief address show eth0 2>/dev/null || say ip address show eth0
say ping -c 2 -W 2 $(ip route | sed -n "s/^default via \([^ ]*\).*/\1/p")
say free -m
say df -h /
say nproc
'
# the port of the node, as from anywhere else: OpenSSH's client to the VPS's own sshd
port=$("$nodectl" show "$name" -j | sed 's/.*"publish":\["\([0-9]*\):22.*/\1/')
address=$(ip -4 -o address show dev nodectl0 | awk '{ sub("/.*", "", $4); print $4; exit }')
ssh=(ssh -i "$demo/key" -p "$port" -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no
	-o LogLevel=ERROR -o IdentitiesOnly=yes -o ConnectTimeout=10)
show "ssh -p $port root@$address"
"${ssh[@]}" "root@$address" sh -s <<<"$inside"

step "What the operator sees"
run "$nodectl" list
show "nodectl show $name"
"$nodectl" show "$name"

step "Stop it, and let it go"
run "$nodectl" stop "$name"
run "$nodectl" destroy "$name" --yes
show "nodectl repair --dry-run"
"$nodectl" repair --dry-run
echo "nothing is left behind"

awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "\nDone in %.1f seconds.\n", b - a }'
