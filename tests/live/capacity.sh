#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The ledger: no more is promised than the node has, whoever asks at the same time, and whoever
# is killed.
. "$(dirname "$0")/lib.sh"
begin

# The same node with less to give: half a gigabyte may be guaranteed, and 2 GB promised at most.
tight=$LIVE/tight.conf
total=$(($(awk '/^MemTotal/ { print $2 }' /proc/meminfo) << 10))
grep -vE '^(reserve|ratio)-' "$NODECTL_CONFIG" >"$tight"
{
	printf 'ratio-%s = 1000\n' cpus disk tasks
	echo "ratio-memory = 0"
	echo "reserve-memory = $((total - (512 << 20)))"
} >>"$tight"
small() { nodectl --config "$tight" "$@"; }
resource() { nodectl capacity -j | jq -r ".resources[] | select(.name == \"$1\") | .$2"; }
# memory, guaranteed and at most, as the definitions have it and as the ledger does
defined() { nodectl list -j | jq -r '[([.vps[].promised.guaranteed.memory] | add // 0), ([.vps[].promised.max.memory] | add // 0), (.vps | length)] | join(" ")'; }
counted() { nodectl capacity -j | jq -r '.resources | map({ (.name): . }) | add | "\(.memory.guaranteed) \(.memory.max) \(.ids.max)"'; }
agree() { is "$1" "$(counted)" "$(defined)"; }

# ---- what it tells
is "nothing is promised" "$(counted)" "0 0 0"
is "it has what the machine has" "$(resource memory capacity) $(resource cpus capacity) $(resource tasks capacity)" \
	"$total $(nproc) $(sort -n /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max | head -n 1)"
is "and the disk of the storage" "$(resource disk capacity)" "$(($(stat -f -c '%b * %S' "$STORAGE")))"
is "what has no limit is null" "$(resource traffic capacity) $(resource traffic max_allowed)" "null null"
is "the schema" "$(nodectl capacity -j | jq -r '.schema, (.resources | length), (.plans | map(.name) | sort | join(" "))' | tr '\n' ' ')" \
	"1 7 medium nano small "
OUT=$(nodectl capacity)
like "for people" "$OUT" '^memory +[0-9.]+G +512M +0B +0B +0\.00 +100$'
like "with the plans" "$OUT" '^nano +[0-9]+ [a-z]+$'

# ---- refused, forced
check "create of what fits" small create c1 --memory 256M --memory-guaranteed 200M
agree "is counted"
exits 36 "create of what does not" small create c2 --memory 400M --memory-guaranteed 320M
like "tells the arithmetic" "$OUT" \
	'^nodectl: c2: create: memory: 320M guaranteed does not fit: 200M promised \+ 320M > 512M \([0-9.]+G less [0-9.]+G reserve\)$'
is "and leaves nothing" "$(nodectl list -H | wc -l) $(counted)" "1 $(defined)"
is "with -j too" "$(small create c2 --memory 400M --memory-guaranteed 320M -j 2>/dev/null | jq -r '.error | "\(.code) \(.name)"')" \
	"36 does-not-fit"
exits 36 "one may not be larger than the node less its reserve" small create c2 --memory 600M
like "which is told" "$OUT" 'memory: 600M does not fit: 600M > 512M'
sed 's/^ratio-memory = 0/ratio-memory = 0.01/' "$tight" >"$tight.ratio"
exits 36 "upper limits come to no more than the ratio" nodectl --config "$tight.ratio" create c2 --memory 500M
like "which is named" "$OUT" '500M does not fit: 256M in all \+ 500M > .* \(ratio-memory 0\.01 of'
rm "$tight.ratio"
check "--force makes it" small create c2 --memory 400M --memory-guaranteed 320M --force
agree "and it is counted"
like "the event log has the arithmetic" "$(nodectl log c2)" 'forced: memory: 320M guaranteed does not fit: 200M promised'
exits 36 "start of what does not fit" small start c2
like "is refused with the arithmetic" "$OUT" 'c2: start: memory: 320M guaranteed does not fit'
exits 0 "and forced" small start c2 --force
is "noted as well" "$(nodectl log c2 | grep -c forced)" 2
exits 0 "one that runs restarts" small restart c2
exits 36 "set of more" small set c1 --memory-guaranteed 220M
is "is refused" "$(field c1 .guarantees.memory)" 209715200
exits 0 "set of less is not, whatever is promised" small set c2 --memory-guaranteed 300M
exits 0 "nor set of something else" small set c1 --tasks 99
exits 0 "set --force" small set c1 --memory-guaranteed 220M --force
like "is noted" "$(nodectl log c1)" 'forced: memory: 220M guaranteed'
agree "all of it is counted"
nodectl destroy c1 c2 --force --yes --quiet
is "destroy gives it back" "$(counted)" "0 0 0"

# ---- twenty at once, of which eight fit
room=$(small plan create tenth --memory 64M --memory-guaranteed 60M --disk 64M --quiet &&
	small capacity -j | jq -r '.plans[] | select(.name == "tenth") | "\(.fits) \(.bottleneck)"')
is "capacity tells how many fit" "$room" "8 memory"
for i in $(seq 20); do
	small create "m$i" --plan tenth >/dev/null 2>"$WORK/create.$i" &
	pids[i]=$!
done
made=0 refused=0
for i in $(seq 20); do
	wait "${pids[i]}"
	case $? in 0) made=$((made + 1)) ;; 36) refused=$((refused + 1)) ;; esac
done
is "20 creates at once: as many are made as fit, the others refused" "$made $refused" "8 12"
agree "and the sums are right"
for name in $(nodectl list -H -o NAME); do
	small set "$name" --memory-guaranteed 66M --memory 66M >/dev/null 2>&1 &
done
wait
agree "and after as many changes at once"
is "of which as many were made as fit" "$(resource memory guaranteed)" $((8 * 60 + 5 * 6 << 20))
nodectl destroy --all --yes --force --quiet
nodectl plan remove tenth --quiet
is "all is given back" "$(counted)" "0 0 0"

# ---- killed at any point
bad=0
rounds=${LIVE_FULL:+100}
for i in $(seq "${rounds:-20}"); do
	name=k$((RANDOM % 3)) size=$((20 + RANDOM % 40))
	case $((RANDOM % 4)) in
	0) set -- create "$name" --memory 64M --memory-guaranteed ${size}M --disk 64M ;;
	1) set -- destroy "$name" --yes --force ;;
	2) set -- set "$name" --memory-guaranteed ${size}M --tasks $((50 + RANDOM % 50)) ;;
	3) set -- plan set nano --tasks $((200 + RANDOM % 50)) ;;
	esac
	"$NODECTL" "$@" >/dev/null 2>&1 &
	sleep "0.0$((RANDOM % 2))$((RANDOM % 10))"
	{ kill -9 $! && wait $!; } 2>/dev/null
	[ "$(counted)" = "$(defined)" ] || bad=$((bad + 1))
done
is "whatever is killed, the ledger is what the definitions say" $bad 0
nodectl repair >/dev/null
nodectl plan set nano --tasks 256 --quiet

# ---- it is a cache
nodectl destroy --all --yes --force --quiet
check "create" nodectl create e1 --memory 64M --memory-guaranteed 32M --disk 64M
rm "$RUN/.ledger"
agree "without its file it is made anew"
sed -i 's/^memory-guaranteed = .*/memory-guaranteed = 48M/' "$STORAGE/vps/e1/vps.conf"
like "what was edited by hand is found by repair" "$(nodectl repair --dry-run)" \
	'ledger: e1: memory guaranteed: 48M, and 32M was counted'
nodectl repair >/dev/null
is "and corrected" "$(resource memory guaranteed)" $((48 << 20))
sed -i 's/^memory-guaranteed = .*/memory-guaranteed = 40M/' "$STORAGE/vps/e1/vps.conf"
exits 0 "or by the next start" nodectl start e1
agree "which counts it"

# ---- the same cost at any number of VPSs
many=$WORK/many
mkdir -p "$many"
sed -e "s,^storage = .*,storage = $many/storage," -e "s,^run = .*,run = $many/run," -e 's/^ids = .*/ids = 1-2000/' \
	"$NODECTL_CONFIG" >"$many/node.conf"
crowd() { nodectl --config "$many/node.conf" "$@"; }
crowd init --quiet
# milliseconds of the fastest of ten: what it takes, not what else the machine does
fastest() {
	local i start best=999999
	for i in 1 2 3 4 5 6 7 8 9 10; do
		start=${EPOCHREALTIME/./}
		"$@" >/dev/null 2>&1
		i=$((${EPOCHREALTIME/./} - start))
		[ $i -lt $best ] && best=$i
	done
	echo "$((best / 1000)).$((best / 100 % 10))"
}
digest=$(nodectl image show mini -j | jq -r .digest)
empty=$(fastest "$NODECTL" --config "$many/node.conf" capacity -j)
mkdir "$many"/storage/vps/w{1..1000}
for i in {1..1000}; do
	printf 'name = w%d\nid = %d\ndigest = %s\nmemory = 64M\nmemory-guaranteed = 1M\ntasks = 10\ncpus = 0.01\ndisk = 16M\n' \
		"$i" "$i" "$digest" >"$many/storage/vps/w$i/vps.conf"
done
rm "$many/run/.ledger"
is "1000 definitions are counted" "$(crowd capacity -j | jq -r '.resources[] | select(.name == "memory").guaranteed')" $((1000 << 20))
full=$(fastest "$NODECTL" --config "$many/node.conf" capacity -j)
refused=$(fastest "$NODECTL" --config "$many/node.conf" create no --memory 9000P --image "$digest")
echo "# capacity: $empty ms without VPSs, $full ms with 1000; a refused create $refused ms"
awk -v full="$full" -v empty="$empty" -v refused="$refused" \
	'BEGIN { exit !(full < 2 * empty + 3 && refused < 2 * empty + 5) }' &&
	ok "capacity and admission take as long with 1000 VPSs as without" ||
	not_ok "capacity and admission take as long with 1000 VPSs as without" "$empty, $full, $refused ms"

finish
