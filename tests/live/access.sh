#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ssh, passwords, names, files in and out, and the console.
. "$(dirname "$0")/lib.sh"
begin ssh ssh-keygen

ssh-keygen -q -t ed25519 -N '' -C one -f "$WORK/key1"
ssh-keygen -q -t ed25519 -N '' -C two -f "$WORK/key2"
ssh_to() {
	timeout 20 ssh -F none -i "$WORK/key${KEY:-1}" -o IdentitiesOnly=yes -o BatchMode=yes \
		-o StrictHostKeyChecking=no -o UserKnownHostsFile="$WORK/known" -o LogLevel=ERROR \
		-p "$2" "root@$1" "${@:3}" </dev/null
}

# ---- ssh
exits 3 "--ssh-key of a file that is not there" nodectl create acc --ssh-key "$WORK/nosuch.pub"
echo rubbish >"$WORK/rubbish.pub"
exits 21 "--ssh-key of a file that holds no key" nodectl create acc --ssh-key "$WORK/rubbish.pub"
check "create with two keys" nodectl create acc --ssh-key "$WORK/key1.pub" --ssh-key "$WORK/key2.pub" \
	--hostname acc.example.org --nameserver 192.0.2.53 --start --wait 30
address=$(field acc '.ipv4[0]')
port=$((22000 + $(field acc .id)))
is "ssh to the address" "$(ssh_to "$address" 22 hostname)" acc.example.org
is "with the other key" "$(KEY=2 ssh_to "$address" 22 id -un)" root
is "ssh to the forwarded port of the node" "$(ssh_to "$(node_address)" "$port" hostname)" acc.example.org
six=$(field acc '.ipv6[0] // empty')
[ -z "$six" ] || is "ssh by IPv6" "$(ssh_to "$six" 22 hostname)" acc.example.org
ssh-keygen -q -t ed25519 -N '' -f "$WORK/key3"
KEY=3 exits 255 "no other key is let in" ssh_to "$address" 22 true
is "the exit code of a command by ssh" "$(ssh_to "$address" 22 'exit 7'; echo $?)" 7
mine() { md5sum ~/.ssh/known_hosts 2>&1; }
before=$(mine)
is "nodectl ssh, with options of ssh" "$(nodectl ssh acc -i "$WORK/key1" -o BatchMode=yes hostname </dev/null)" acc.example.org
is "and with --" "$(nodectl ssh acc -- -i "$WORK/key1" -oBatchMode=yes id -un </dev/null)" root
[ -s "$STORAGE/vps/acc/known_hosts" ] && ok "it remembers the host key with the VPS" || not_ok "it remembers the host key with the VPS"
is "and not with the operator" "$(mine)" "$before"
printf 'Host *\nForwardAgent yes\nForwardX11 yes\nForwardX11Trusted yes\n' >"$WORK/ssh_config"
forwards() { nodectl ssh acc -F "$WORK/ssh_config" "$@" -G </dev/null | grep -E '^forward(agent|x11) ' | sort | tr '\n' ' '; }
is "neither agent nor display go along because a file says so" "$(forwards)" "forwardagent no forwardx11 no "
is "but when asked for" "$(forwards -A -o ForwardX11=yes)" "forwardagent yes forwardx11 yes "
is "the exit code of nodectl ssh" "$(nodectl ssh acc -i "$WORK/key1" 'exit 9' </dev/null; echo $?)" 9
is "authorized_keys is root's alone" "$(shell acc 'stat -c "%u %a" /root/.ssh /root/.ssh/authorized_keys' | tr '\n' ' ')" "0 700 0 600 "

# ---- passwords
hash_of() { shell acc "grep '^$1:' /etc/shadow | cut -d: -f2"; }
is "root has no password at first" "$(hash_of root)" "*"
check "passwd of a running VPS" bash -c "echo 'first secret' | $NODECTL passwd acc --password-stdin"
like "is a hash inside" "$(hash_of root)" '^\$6\$'
is "of just that password" "$(perl -e 'print crypt($ARGV[0], $ARGV[1])' 'first secret' "$(hash_of root)")" "$(hash_of root)"
is "shadow keeps its owner and mode" "$(shell acc 'stat -c "%u:%g %a" /etc/shadow')" "0:0 600"
unlike "the password is nowhere on the node" "$(grep -rs 'first secret' "$STORAGE/vps/acc/vps.conf" "$STORAGE/vps/acc/log" "$RUN/acc/run")" .
exits 21 "passwd of an unknown user" bash -c "echo x | $NODECTL passwd acc -u nosuch --password-stdin"
exits 21 "an empty password" bash -c "echo | $NODECTL passwd acc --password-stdin"
check "passwd of another user" bash -c "echo other | $NODECTL passwd acc -u daemon --password-stdin"
like "sets that user's" "$(hash_of daemon)" '^\$6\$'
before=$(hash_of root)
nodectl stop acc --quiet
check "passwd of a stopped VPS" bash -c "echo second | $NODECTL passwd acc --password-stdin"
is "leaves it stopped" "$(nodectl status acc)" "acc stopped"
exits 21 "passwd of an unknown user of a stopped VPS" bash -c "echo x | $NODECTL passwd acc -u nosuch --password-stdin"
nodectl start acc --quiet --wait 30
unlike "is in force after the start" "$(hash_of root)" "^\\*|$(sed 's/[$./]/\\&/g' <<<"$before")"
exits 21 "create with an empty password" bash -c "echo | $NODECTL create pw --password-stdin"
exits 14 "makes nothing" nodectl status pw
check "create --password-stdin" bash -c "echo third | $NODECTL create pw --password-stdin --start"
like "sets root's" "$(shell pw "grep ^root: /etc/shadow")" '^root:\$6\$'
shell acc 'rm /etc/shadow; mkfifo /etc/shadow'
exits 3 "a fifo in the place of shadow stops nobody" bash -c "echo x | timeout 20 $NODECTL passwd acc --password-stdin"
shell acc 'rm /etc/shadow; echo "root:*:19000:0:99999:7:::" >/etc/shadow'

# ---- names
like "hosts names the VPS" "$(inside acc cat /etc/hosts)" "^$address[[:space:]]acc.example.org"
like "resolv.conf has the name server" "$(inside acc cat /etc/resolv.conf)" '^nameserver 192.0.2.53$'
is "hostname is written" "$(inside acc cat /etc/hostname)" acc.example.org
shell acc 'echo "10.0.0.1 mine" >/etc/hosts; sed -i 1d /etc/resolv.conf; echo "nameserver 192.0.2.99" >>/etc/resolv.conf; echo "# mine" >>/root/.ssh/authorized_keys'
nodectl set acc --hostname new.example.org --nameserver 192.0.2.54 --quiet
nodectl restart acc --quiet --wait 30
is "without our mark hosts is the tenant's" "$(inside acc cat /etc/hosts)" "10.0.0.1 mine"
like "resolv.conf too" "$(inside acc cat /etc/resolv.conf | tr '\n' ' ')" '^nameserver 192.0.2.53 nameserver 192.0.2.99 $'
like "authorized_keys is written once" "$(inside acc cat /root/.ssh/authorized_keys)" '^# mine$'
is "the host name is new" "$(inside acc hostname)" new.example.org
shell acc 'rm /etc/hosts /etc/resolv.conf; mkfifo /etc/hosts; ln -s /etc/passwd /etc/resolv.conf'
check "a fifo in the place of hosts does not stop a start" nodectl restart acc --wait 30
like "a link in the place of resolv.conf is not followed" "$(inside acc cat /etc/passwd)" '^root:'
is "host keys stay" "$(nodectl ssh acc -i "$WORK/key1" -o StrictHostKeyChecking=yes echo same </dev/null)" same

# ---- push and pull
head -c 5M /dev/urandom >"$WORK/five"
: >"$WORK/nothing"
check "push of 5 MB" nodectl push acc "$WORK/five" /tmp/five
is "arrives whole" "$(inside acc md5sum /tmp/five | cut -d' ' -f1)" "$(md5sum <"$WORK/five" | cut -d' ' -f1)"
check "pull of 5 MB" nodectl pull acc /tmp/five "$WORK/back"
check "comes back whole" cmp "$WORK/five" "$WORK/back"
check "push of an empty file" nodectl push acc "$WORK/nothing" /tmp/nothing
is "is empty" "$(shell acc 'stat -c %s /tmp/nothing')" 0
check "pull of an empty file" nodectl pull acc /tmp/nothing "$WORK/empty"
is "is empty too" "$(stat -c %s "$WORK/empty")" 0
check "push over a longer file" nodectl push acc "$WORK/nothing" /tmp/five
is "leaves nothing of it" "$(shell acc 'stat -c %s /tmp/five')" 0
chmod 750 "$WORK/five"
nodectl push acc "$WORK/five" /tmp/mode --quiet
is "the mode goes along, the owner is root" "$(shell acc 'stat -c "%u %a" /tmp/mode')" "0 750"
is "push of standard input, pull to standard output" \
	"$(echo through | nodectl push acc - /tmp/through --quiet && nodectl pull acc /tmp/through -)" through
shell acc 'mkfifo /tmp/fifo; ln -s /etc/issue /tmp/link; ln -s /tmp/nowhere /tmp/dangling'
exits 21 "pull of a fifo is refused" timeout 20 "$NODECTL" pull acc /tmp/fifo "$WORK/fifo"
refuse "push into a fifo is refused" timeout 20 "$NODECTL" push acc "$WORK/five" /tmp/fifo
exits 21 "pull of a device" nodectl pull acc /dev/zero "$WORK/zero"
exits 21 "pull of a directory" nodectl pull acc /etc "$WORK/dir"
exits 21 "push of a directory" nodectl push acc "$WORK" /tmp/dir
exits 3 "pull of what is not there" nodectl pull acc /nosuch "$WORK/none"
exits 3 "push of what is not there" nodectl push acc "$WORK/nosuch" /tmp/none
exits 3 "push into a directory that is not there" nodectl push acc "$WORK/five" /nosuch/x
[ ! -e "$WORK/none" ] && [ -z "$(find "$WORK" -maxdepth 1 -name '*.part.*')" ] &&
	ok "a pull that failed leaves no file" || not_ok "a pull that failed leaves no file"
nodectl pull acc /tmp/link "$WORK/link" --quiet
is "a link inside is the VPS's own" "$(cat "$WORK/link")" "$(inside acc cat /etc/issue)"
shell acc "ln -s $WORK/five /tmp/out; ln -s /../../../../../..$WORK/five /tmp/out2"
exits 3 "a link to a path of the node leads nowhere" nodectl pull acc /tmp/out "$WORK/got"
exits 3 "nor does one with dots" nodectl pull acc /tmp/out2 "$WORK/got"
before=$(md5sum <"$WORK/five")
nodectl push acc "$WORK/nothing" /tmp/out --quiet >/dev/null 2>&1
is "a push through such a link does not touch the node's file" "$(md5sum <"$WORK/five")" "$before"
shell acc 'dd if=/dev/zero of=/fill bs=1M' >/dev/null 2>&1
refuse "push onto a full disk fails" nodectl push acc "$WORK/five" /tmp/full
inside acc rm -f /fill

# ---- console
like "log --console has what was printed" "$(nodectl log acc --console | tr -d '\r')" 'nodectl mini|login:'
if command -v python3 >/dev/null; then
	# console NAME EXPECT SEND [EXPECT SEND]...: talk to it; what it printed goes to $WORK/console
	console() {
		timeout 60 python3 "$TESTS/talk.py" "$WORK/console" "$NODECTL" console "$@"
	}
	echo fourth | nodectl passwd acc --password-stdin --quiet
	check "console: shows what was printed, then takes keys" console acc 'login:' '\r' 'login:' '\x01q'
	check "console: a login" console acc - '\r' 'login:' 'root\r' 'assword:' 'fourth\r' '# ' 'tty; echo in $((6*7))\r' 'in 42' 'exit\r' 'login:' '\x01q'
	like "is on the console" "$(tr -d '\r' <"$WORK/console")" '/dev/(console|pts/0)'
	mkfifo "$WORK/quiet"
	exec 8<>"$WORK/quiet"
	OUT=$(timeout 30 "$NODECTL" console acc 2>&1 >/dev/full <&8)
	exec 8>&-
	like "a console that cannot be shown says so" "$OUT" 'cannot write standard output: No space left'
	check "Ctrl-a Ctrl-a is one Ctrl-a" console acc - 'x\x01\x01y\r' 'assword:' '\x01q'
	# printed TEXT: by the console of now
	printed() { grep -q "$1" "$WORK/console"; }
	nodectl stop acc --quiet
	: >"$WORK/console"
	(console acc 'not running' - 'login:' '\x01q'; echo $? >"$WORK/attached") &
	check "console of a VPS that is not running says so and waits" eventually 30 printed 'not running'
	nodectl start acc --quiet
	wait $!
	is "console attached before the start sees the boot" "$(cat "$WORK/attached")" 0
	: >"$WORK/console"
	(console acc 'login:' '\r' 'login:' - 'new boot' - 'login:' '\x01q'; echo $? >"$WORK/attached") &
	talker=$!
	eventually 30 printed 'login:'
	shell acc 'printf "#!/bin/sh\necho new boot >/dev/console\n" >/etc/rc.local; chmod 755 /etc/rc.local'
	inside acc reboot
	wait $talker
	is "console stays attached over a reboot" "$(cat "$WORK/attached")" 0
	exits 0 "a flood on the console does not hurt" timeout 30 "$NODECTL" exec acc -- sh -c 'dd if=/dev/zero bs=64k count=16 2>/dev/null | tr "\0" x >/dev/console'
	is "the ring holds 64 KiB of it" "$(nodectl log acc --console | wc -c)" 65536
	check "the console works after it" console acc - '\r' 'login:' '\x01q'
else
	skip "console" "'python3' is not installed"
fi

finish
