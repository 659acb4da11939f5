#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The life of a VPS: verbs, states, exit codes, targets, and what the tables and JSON say.
. "$(dirname "$0")/lib.sh"
begin

# ---- create
exits 0 "create makes a VPS" nodectl create web1
like "create says id and address" "$OUT" '^web1: created with id 28[0-9]{3}, [0-9.]+$'
is "a new VPS is stopped" "$(nodectl status web1)" "web1 stopped"
exits 44 "create of one that exists" nodectl create web1
exits 0 "create --idempotent of one that exists" nodectl create web1 --idempotent
exits 21 "create with a bad name" nodectl create Web_1
exits 21 "create with a name of digits" nodectl create 123
exits 21 "create with a bad size" nodectl create bad --memory 12Q
exits 21 "create with too little memory" nodectl create bad --memory 1M
exits 21 "create with an unknown plan" nodectl create bad --plan nosuch
exits 91 "create from an unknown image" nodectl create bad --image nosuch
exits 36 "create with more memory than the node has" nodectl create bad --memory 4096G
exits 20 "create with an unknown option" nodectl create bad --colour red
exits 20 "create without a name" nodectl create
exits 20 "an option given twice" nodectl create bad --hostname a --hostname b
exits 20 "--wait without --start" nodectl create bad --wait 5
exits 14 "what was refused does not exist" nodectl status bad

# ---- start, stop
exits 31 "stop of a stopped VPS" nodectl stop web1
exits 0 "stop --idempotent of a stopped VPS" nodectl stop web1 --idempotent
exits 31 "kill of a stopped VPS" nodectl kill web1
exits 31 "freeze of a stopped VPS" nodectl freeze web1
exits 31 "thaw of a stopped VPS" nodectl thaw web1
exits 31 "exec in a stopped VPS" inside web1 true
exits 31 "ps of a stopped VPS" nodectl ps web1
exits 31 "ssh to a stopped VPS" nodectl ssh web1 true
exits 31 "push into a stopped VPS" nodectl push web1 /etc/passwd /tmp/x
exits 31 "pull out of a stopped VPS" nodectl pull web1 /etc/passwd "$WORK/x"
exits 0 "start" nodectl start web1
is "start says so" "$OUT" "web1: running"
is "it runs" "$(nodectl status web1)" "web1 running"
exits 32 "start of a running VPS" nodectl start web1
exits 0 "start --idempotent of a running VPS" nodectl start web1 --idempotent
exits 32 "destroy of a running VPS" nodectl destroy web1 --yes
is "it still runs" "$(nodectl status web1)" "web1 running"
check "a command runs in it" inside web1 true
booted web1 || not_ok "web1 boots"
exits 0 "stop" nodectl stop web1
is "stop says so, and did not have to kill" "$OUT" "web1: stopped"
is "it is stopped" "$(nodectl status web1)" "web1 stopped"

# ---- restart, kill
exits 0 "restart starts one that is stopped" nodectl restart web1
pid=$(field web1 .pid)
exits 0 "restart of a running VPS" nodectl restart web1 --force
unlike "restart makes a new init" "$(field web1 .pid)" "^($pid|null)$"
exits 0 "kill" nodectl kill web1
is "kill stops it" "$(nodectl status web1)" "web1 stopped"
exits 0 "start --wait waits until it has booted" nodectl start web1 --wait 30
check "then its ssh server answers" banner "$(field web1 '.ipv4[0]')" 22
exits 0 "stop --force" nodectl stop web1 --force
like "the log has it all" "$(nodectl log web1 | cut -d' ' -f2-)" '^created with id'
is "log -n 1 is the last line" "$(nodectl log web1 -n 1 | cut -d' ' -f2-)" "killed"

# ---- a start that fails late
nodectl start web1 --quiet && nodectl stop web1 --quiet
chattr +i "$STORAGE/vps/web1"
exits 3 "a start that cannot be remembered fails" nodectl start web1
is "and leaves nothing that runs" "$(nodectl status web1)" "web1 stopped"
chattr -i "$STORAGE/vps/web1"

# ---- freeze, thaw
nodectl start web1 --quiet --wait 30
exits 0 "freeze" nodectl freeze web1
is "it is frozen" "$(nodectl status web1)" "web1 frozen"
refuse "its ssh server does not answer then" banner "$(field web1 '.ipv4[0]')" 22
exits 0 "freeze again" nodectl freeze web1
exits 0 "thaw" nodectl thaw web1
is "it runs again" "$(nodectl status web1)" "web1 running"
check "and its ssh server answers" banner "$(field web1 '.ipv4[0]')" 22
nodectl freeze web1 --quiet
exits 0 "stop of a frozen VPS" nodectl stop web1
is "that was no kill either" "$OUT" "web1: stopped"

# ---- an init that does not listen
nodectl start web1 --quiet
shell web1 'printf "%s\n" "#!/bin/sh" "trap : TERM USR1 USR2 PWR INT HUP" "while :; do sleep 1000 & wait; done" >/sbin/deaf; chmod 755 /sbin/deaf'
nodectl stop web1 --quiet --force
exits 0 "set --init" nodectl set web1 --init /sbin/deaf
nodectl start web1 --quiet
exits 133 "start --wait of what never boots" nodectl restart web1 --force --wait 1
exits 0 "stop of an init that does not listen" nodectl stop web1 --timeout 1
like "stop says that it killed" "$OUT" "did not power off in time and was killed"
is "then it is stopped" "$(nodectl status web1)" "web1 stopped"
exits 21 "stop with a bad time" nodectl stop web1 --timeout soon
nodectl set web1 --init /sbin/nosuch --quiet
exits 47 "start without its init" nodectl start web1
like "says which" "$OUT" "/sbin/nosuch"
is "and leaves it stopped" "$(nodectl status web1)" "web1 stopped"
nodectl set web1 --init /sbin/init --quiet

# ---- set
nodectl start web1 --quiet
exits 0 "set --dry-run" nodectl set web1 --memory 128M --dry-run
is "changes nothing" "$(field web1 .memory)" $((256 << 20))
exits 0 "set of a running VPS" nodectl set web1 --memory 128M --hostname www.example.org
like "says what comes later" "$OUT" 'hostname = www.example.org \(at the next start\)'
is "is saved" "$(field web1 .memory)" $((128 << 20))
exits 21 "set with a bad value" nodectl set web1 --cpus lots
exits 21 "set with a number beyond all numbers" nodectl set web1 --weight 99999999999999999999
like "tells the range" "$OUT" "'99999999999999999999' is not a number from 1 to 10000"
exits 20 "set of an unknown option" nodectl set web1 --colour red
nodectl restart web1 --quiet --force
is "the host name is there after the next start" "$(inside web1 hostname)" www.example.org

# ---- several targets, ids, --all
id=$(field web1 .id)
is "a target may be the id" "$(nodectl status "$id")" "web1 running"
nodectl create web2 --quiet
nodectl create web3 --quiet
exits 0 "start of several" nodectl start web2 web3
is "a line for each" "$(printf '%s\n' "$OUT" | sort | tr '\n' ' ')" "web2: running web3: running "
exits 32 "several of which one fails: the worst exit code" nodectl start web3 nosuch
like "and the others are named" "$OUT" "there is no VPS 'nosuch'"
exits 0 "stop --all" nodectl stop --all --timeout 20
is "all are stopped" "$(nodectl status --all | sort | tr '\n' ' ')" "web1 stopped web2 stopped web3 stopped "
exits 0 "start --all" nodectl start --all
is "all run" "$(nodectl list -H -o STATE | sort -u)" running
exits 20 "--all and a name" nodectl stop --all web1
exits 20 "start without a target" nodectl start

# ---- no such VPS
for verb in start stop restart kill freeze thaw "destroy --yes" status show ps log enter console \
	ssh "set --memory 64M"; do
	# shellcheck disable=SC2086
	exits 14 "$verb: no such VPS" nodectl $verb nosuch
done
exits 14 "exec: no such VPS" nodectl exec nosuch -- true
exits 14 "passwd: no such VPS" nodectl passwd nosuch --password-stdin
exits 14 "push: no such VPS" nodectl push nosuch /etc/passwd /x
exits 14 "pull: no such VPS" nodectl pull nosuch /etc/passwd "$WORK/x"
exits 14 "an id that nobody has" nodectl status 28600

# ---- tables and JSON
like "list has its columns" "$(nodectl list | head -n 1)" \
	'^ID +NAME +STATE +PLAN +IPV4 +CPUS +MEMORY +DISK +TRAFFIC +UPTIME$|^ *ID +NAME'
is "list -H -o chooses" "$(nodectl list -H -o NAME,STATE web2)" "web2 running"
is "list -s sorts" "$(nodectl list -H -o NAME -s -NAME | tr '\n' ' ')" "web3 web2 web1 "
is "list -o +COL,-COL changes the usual" "$(nodectl list -o +PID,-DISK | head -n 1 | grep -c 'DISK\|PID')" 1
exits 21 "list of an unknown column" nodectl list -o COLOUR
check "list -L lists the columns" nodectl list -L
list=$(nodectl list -j)
is "list -j is one JSON object of schema 1" "$(jq -r '.schema' <<<"$list")" 1
is "with every VPS" "$(jq -r '[.vps[].name] | sort | join(" ")' <<<"$list")" "web1 web2 web3"
show=$(nodectl show web1 -j)
is "show -j has base units" "$(jq -r '.memory, .disk, .cpus' <<<"$show" | tr '\n' ' ')" "134217728 2147483648 0.5 "
is "show -j knows the VPS by its id" "$(jq -r '.uid_base, .interface' <<<"$show" | tr '\n' ' ')" \
	"$((524288 + id * 65536)) nv$id "
like "show -j names its control group" "$(jq -r .cgroup <<<"$show")" "/$id\$"
for key in pid publish limits usage unenforced created started; do
	is "show -j has $key" "$(jq "has(\"$key\") and .$key != null" <<<"$show")" true
done
check "show prints for people too" nodectl show web1
is "status -j" "$(nodectl status web1 -j | jq -r '.name, .state' | tr '\n' ' ')" "web1 running "
is "ps -j has init" "$(nodectl ps web1 -j | jq -r '.processes[] | select(.pid_inside == 1).uid')" 0
like "ps prints a table" "$(nodectl ps web1)" '^ *[0-9]+ +1 +0 +[0-9.]+[KM]? +init$|^ *[0-9]+ +1 +0 '
pid=$(field web1 .pid)
like "pid tells whose process it is" "$(nodectl pid "$pid")" "^$pid web1 1 "
exits 14 "pid of a process of the node" nodectl pid $$
is "log -j" "$(nodectl log web1 -j | jq -r '.events[0].event' | cut -d' ' -f1)" created
OUT=$(nodectl start nosuch -j 2>/dev/null)
is "a failure in JSON" "$(jq -r '.schema, .error.code, .error.name' <<<"$OUT" | tr '\n' ' ')" "1 14 no-vps "
is "create -j" "$(nodectl create web4 -j | jq -r '.vps.name')" web4
is "stop -j" "$(nodectl stop web2 --force -j | jq -r '.vps.state')" stopped
is "--quiet says nothing" "$(nodectl start web2 --quiet)" ""
check "plan list" nodectl plan list
check "plan show" nodectl plan show nano
exits 21 "plan show of an unknown plan" nodectl plan show nosuch

# ---- the program itself
check "help" nodectl help
check "help VERB" nodectl help create
like "--version" "$(nodectl --version)" '^nodectl [0-9]'
exits 20 "an unknown verb" nodectl strat web1
like "has the nearest names" "$OUT" "start"
exits 20 "no verb" nodectl
is "doctor -j" "$(nodectl doctor -j | jq -r '.schema')" 1
exits 0 "init again changes nothing" nodectl init
unlike "and makes nothing" "$OUT" '^made '
exits 0 "nor with what node.conf says" nodectl init --storage "$STORAGE" --run "$RUN"
exits 0 "what is said twice is what was said last" nodectl init --run "$RUN/other" --run "$RUN"
exits 0 "nor is what it has anyway another" nodectl init --ids "$FIRST_ID-$LAST_ID" --ssh-port 22000 --uplink none
exits 44 "it does not change what that says" nodectl init --storage "$STORAGE" --run "$RUN/other"
like "which is named" "$OUT" "exists already, with another 'run'"
exits 3 "a node that is not set up" env NODECTL_CONFIG="$WORK/none.conf" "$NODECTL" list
like "says what to do" "$OUT" "nodectl init"

# ---- destroy
exits 0 "destroy" nodectl destroy web4 --yes
exits 14 "then there is no such VPS" nodectl status web4
exits 32 "destroy --all spares what runs" nodectl destroy --all --yes
exits 0 "destroy --force takes what runs" nodectl destroy web1 web2 --force --yes
is "only these are gone" "$(nodectl list -H -o NAME)" web3

# ---- output that cannot be written is said to be lost
exits 3 "list into a full disk" bash -c "$NODECTL list >/dev/full"
like "and why" "$OUT" '^nodectl: cannot write to standard output'

finish
