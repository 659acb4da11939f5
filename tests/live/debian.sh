#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian 12 with systemd, as it comes: it boots whole, and what an administrator does works.
. "$(dirname "$0")/lib.sh"
begin ssh ssh-keygen
need_image debian-12 debian-12 || skip_all "the image debian-12 cannot be built here"

ssh-keygen -q -t ed25519 -N '' -f "$WORK/key"
check "create and start" nodectl create deb --image debian-12 --plan small --disk 4G --hostname deb.example.org \
	--ssh-key "$WORK/key.pub" --start --wait 90
address=$(field deb '.ipv4[0]')

# ---- booted whole
# --wait is over when the word is "running" or "degraded"
is "systemctl is-system-running" "$(inside deb systemctl is-system-running)" running
is "systemctl --failed" "$(inside deb systemctl --failed --plain --no-legend)" ""
is "no unit waits" "$(inside deb systemctl list-jobs --no-legend 2>/dev/null)" ""
is "systemd-detect-virt" "$(inside deb systemd-detect-virt --container)" container-other
is "the host name" "$(inside deb hostname -f)" deb.example.org
like "machine-id is its own" "$(inside deb cat /etc/machine-id)" '^[0-9a-f]{32}$'
is "ssh" "$(timeout 20 ssh -F none -i "$WORK/key" -o BatchMode=yes -o StrictHostKeyChecking=no \
	-o UserKnownHostsFile="$WORK/known" -o LogLevel=ERROR "root@$address" 'hostname; echo $USER' </dev/null | tr '\n' ' ')" \
	"deb.example.org root "
like "and who logs in is told the plan" "$(timeout 20 ssh -tt -F none -i "$WORK/key" -o BatchMode=yes -o StrictHostKeyChecking=no \
	-o UserKnownHostsFile="$WORK/known" -o LogLevel=ERROR "root@$address" </dev/null | tr -d '\r')" '^  memory   [0-9.]+[KMG] of 1\.0G|^  disk     - of 4\.0G'
like "a session by ssh is logind's" "$(timeout 20 ssh -F none -i "$WORK/key" -o BatchMode=yes -o StrictHostKeyChecking=no \
	-o UserKnownHostsFile="$WORK/known" -o LogLevel=ERROR "root@$address" 'cat /proc/self/cgroup' </dev/null)" 'session-|user@0|ssh.service'
like "the journal has the boot" "$(inside deb journalctl -b --no-pager)" 'systemd\[1\]: .*Startup finished|Reached target'
is "no line of the journal says that a mount failed" "$(inside deb journalctl -b -p err --no-pager -q | grep -i mount)" ""
check "ping of the gateway" inside deb ping -c 1 -W 2 "$(gateway4)"
check "ping as another user" inside deb su -s /bin/sh nobody -c "ping -c 1 -W 2 $(gateway4)"
like "df shows the disk of the plan" "$(inside deb df -m --output=size / | tail -n 1)" '^ *(3[6-9]|40)[0-9]{2}$'

# ---- what it sees of itself
is "free shows the memory of the plan" "$(inside deb free -m | awk '/^Mem:/ { print $2 }')" 1024
like "top as well" "$(inside deb env COLUMNS=120 top -bn1)" '^MiB Mem : +1024\.0 total'
like "uptime is since its start" "$(inside deb uptime -p)" '^up [0-9]+ minutes?$'
check "vmstat" inside deb vmstat
is "nproc is that of the plan" "$(inside deb nproc)" 1
is "getconf" "$(inside deb getconf _NPROCESSORS_ONLN)" 1
is "lscpu" "$(inside deb lscpu -p=cpu | grep -vc '^#')" 1
is "w" "$(inside deb w -h | wc -l)" 0

# ---- an administrator's day
check "useradd" inside deb useradd -m -s /bin/bash alice
is "su" "$(inside deb su - alice -c 'id -un; pwd' | tr '\n' ' ')" "alice /home/alice "
check "a unit of one's own" inside deb systemd-run --wait -q /bin/true
is "with limits of its own" "$(inside deb systemd-run --wait -q -P -p ProtectSystem=strict -p PrivateTmp=yes -p ProtectHome=yes -p DynamicUser=yes sh -c 'echo sealed')" sealed
check "a timer" inside deb systemctl list-timers --no-pager
check "set-hostname" inside deb hostnamectl set-hostname other.example.org
check "systemctl restart ssh" inside deb systemctl restart ssh
check "timedatectl" inside deb timedatectl
if mirror_reachable; then
	PATIENCE=240
	check "apt-get update over the NAT" inside deb apt-get -qq update
	check "apt-get install" inside deb env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends hello sudo cron
	is "hello" "$(inside deb hello)" "Hello, world!"
	is "cron runs" "$(inside deb systemctl is-active cron)" active
	shell deb 'echo "* * * * * root touch /run/cron-was-here" >/etc/cron.d/test; usermod -aG sudo alice; echo "alice ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/alice'
	is "sudo" "$(inside deb su - alice -c 'sudo -n id -un')" root
	cron=yes
else
	cron=
	for what in "apt-get" "sudo" "cron"; do skip "$what" "Debian's mirror cannot be reached from this machine"; done
fi

# ---- reboot, stop
before=$(field deb .pid)
id=$(inside deb cat /etc/machine-id)
shell deb 'echo kept >/root/file'
inside deb reboot
check "reboot inside" eventually 60 init_is_not deb "$before"
up() { [ "$(inside deb systemctl is-system-running)" = running ]; }
check "is up again" eventually 90 up
is "with the same address" "$(field deb '.ipv4[0]')" "$address"
like "inside too" "$(inside deb ip -4 -o addr show dev eth0)" "inet $address/"
is "the same machine-id" "$(inside deb cat /etc/machine-id)" "$id"
is "files are kept" "$(inside deb cat /root/file)" kept
is "the journal has both boots" "$(inside deb journalctl --no-pager -q _PID=1 | grep -c 'Startup finished')" 2
is "nothing failed" "$(inside deb systemctl --failed --plain --no-legend)" ""
if [ -n "$cron" ]; then
	ran() { inside deb test -e /run/cron-was-here; }
	check "a job of cron ran" eventually 75 ran
fi
exits 0 "stop" nodectl stop deb --timeout 60
is "was not forced" "$OUT" "deb: stopped"
check "start" nodectl start deb --wait 90
inside deb poweroff
check "poweroff inside" eventually 60 state_is deb stopped
sleep 1
is "and it stays so" "$(nodectl status deb)" "deb stopped"
like "the console has it all" "$(nodectl log deb --console | tr -d '\r')" 'Power|power|login:'

finish
