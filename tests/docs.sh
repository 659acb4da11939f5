#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What the program says of itself, against the manuals, the completion and the README.
# usage: [O=BUILD] docs.sh [TREE]
set -u
LC_ALL=C
export LC_ALL
cd "${1:-$(dirname "$0")/..}" || exit 1

build=${O:-build}
nodectl=$build/nodectl
manual=man/nodectl.8
completion=contrib/completion/nodectl.bash
passed=0 failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# check WHAT FAULTS: one test; FAULTS is a line for each thing that is wrong, or nothing.
check()
{
	if [ -z "$2" ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf '%s\n' "$2" | sed "s|^|not ok - $1: |"
}

# lacking WHERE MISSING_FROM: the lines of standard input that are not in the file.
lacking()
{
	while read -r line; do
		grep -qxF -e "$line" "$2" || echo "'$line' is not in $1"
	done
}

if ! "$nodectl" help >"$work/help" 2>&1; then
	echo "not ok - '$nodectl help' fails: $(head -n 1 "$work/help")"
	echo '0 passed, 1 failed'
	exit 1
fi

check 'tools' "$(for tool in mandoc bash awk; do
	command -v "$tool" >/dev/null || echo "$tool is missing"
done)"
for text in README.md CONTRIBUTING.md docs/ARCHITECTURE.md man/vps.conf.5 man/node.conf.5 \
	"$manual" "$completion"; do
	check "$text" "$([ -s "$text" ] || echo 'it is missing')"
done

# ---- the program's own words: commands, aliases, options -------------------------------

# "image build" is followed by two blanks or, for a long name, by its arguments.
sed -n 's/^  \(image\|net\|plan\|network\|traffic\) \([a-z][a-z]*\) .*/\1 \2/p; s/^  \([a-z]*\)  .*/\1/p' "$work/help" |
	grep -v '^nodectl' >"$work/commands"
[ "$(wc -l <"$work/commands")" -gt 20 ] || check 'help' 'it names hardly any command'

# The options of one command as its help prints them, "-t" and "--timeout" a line each.
options_of()
{
	# shellcheck disable=SC2086
	"$nodectl" help $1 | sed -n '/^Options:/,/^$/p' |
		sed -n 's/^  \(-.\), \(--[a-z0-9-]*\).*/\1 \2/p; s/^      \(--[a-z0-9-]*\).*/\1/p' |
		tr ' ' '\n'
}

aliases_of()
{
	# shellcheck disable=SC2086
	"$nodectl" help $1 | sed -n "s/^Also called '\(.*\)'\.\$/\1/p"
}

"$nodectl" help start | sed -n '/^Options of every/,/^$/p' |
	sed -n 's/^  \(-.\), \(--[a-z0-9-]*\).*/\1 \2/p; s/^      \(--[a-z0-9-]*\).*/\1/p' |
	tr ' ' '\n' >"$work/common"

grep '	FIELD("' node/fields.c >"$work/fields"
sed 's/.*FIELD("\([^"]*\)".*/\1/' "$work/fields" >"$work/vps-keys"
sed -n '/, PLAN[ ,]/s/.*FIELD("\([^"]*\)".*/\1/p' "$work/fields" >"$work/plan-keys"
sed -n 's/^	KEY("\([^"]*\)".*/\1/p; s/.*strncmp(key, "\([a-z]*\) ", .*/\1/p' node/node.c >"$work/node-keys"
for keys in vps plan node; do
	[ "$(wc -l <"$work/$keys-keys")" -gt 4 ] ||
		check "$keys keys" "the source does not name them as this test expects"
done

# ---- nodectl(8) ------------------------------------------------------------------------

# What the manual says of one command: from its ".It Cm" to the next command's.
block_of()
{
	awk -v wanted="$1" -v commands="$work/commands" '
		BEGIN { while ((getline line < commands) > 0) known[line] = 1 }
		/^\.(Ss|Sh) / { on = 0 }
		/^\.It Cm / {
			one = $3
			two = $3 " " $4
			if (two in known) on = (two == wanted)
			else if (one in known) on = (one == wanted)
		}
		on
	' "$manual"
}

# The flags that a piece of the manual defines.
flags_of()
{
	sed -n 's/^\.It //p' | tr ',' '\n' | tr ' ' '\n' | awk '
		$0 == "Fl" { flag = 1; next }
		# ".It Fl H , -no-header": what begins with a hyphen is a flag of the same row
		flag || /^-[a-z]/ { print "-" $0 }
		{ flag = 0 }
	' | sort -u
}

while read -r command; do
	block_of "$command" >"$work/block"
	if [ ! -s "$work/block" ]; then
		check "$manual" "the command '$command' is missing"
		continue
	fi
	flags_of <"$work/block" >"$work/flags"
	# these have options of "create", and say so
	case $command in
	set | 'plan create' | 'plan set') block_of create | flags_of >>"$work/flags" ;;
	esac
	check "$manual, $command" "$(
		options_of "$command" | lacking "the command's options" "$work/flags"
		for alias in $(aliases_of "$command" | tr ' ' '_'); do
			alias=$(echo "$alias" | tr '_' ' ')
			grep -qE "^\.Cm (.* )?$alias( |\$)" "$work/block" ||
				echo "the alias '$alias' is missing"
		done
	)"
	# and nothing that has gone
	case $command in
	set | 'plan create' | 'plan set') continue ;;
	esac
	check "$manual, $command, the other way" "$(
		options_of "$command" >"$work/real"
		lacking "'nodectl help $command'" "$work/real" <"$work/flags"
	)"
done <"$work/commands"

awk '/^\.Ss Options of every/ { on = 1; next } /^\.S[sh] / { on = 0 } on' "$manual" |
	flags_of >"$work/flags"
check "$manual, options of every command" "$(lacking 'the manual' "$work/flags" <"$work/common")"

check "$manual, columns of list" "$(
	"$nodectl" list -L | awk '{ print $1 }' | while read -r column; do
		grep -q "^\.It $column Ta " "$manual" || echo "the column $column is missing"
	done
)"
check "$manual, members of JSON" "$(
	sed -n 's/^	{ "[A-Z0-9]*", "\([a-z_0-9]*\)".*/\1/p' nodectl/view.c | while read -r member; do
		grep -q "^\.It [-A-Z0-9]* Ta $member Ta " "$manual" ||
			echo "the member '$member' is missing"
	done
)"
check "$manual, columns of usage" "$(
	"$nodectl" usage -L | awk '{ print $1 }' | while read -r column; do
		grep -q "^\.It $column Ta " "$manual" || grep -q "^The columns .*\b$column\b" "$manual" ||
			echo "the column $column is missing"
	done
)"
check "$manual, members of usage" "$(
	sed -n 's/.*FIGURE("\([a-z_.]*\)", .*/\1/p; s/.*member_set(object, "\([a-z_.]*\)".*/\1/p' \
		nodectl/view_usage.c | while read -r member; do
		grep -q "^\.It [-A-Z0-9]* Ta $member Ta " "$manual" || [ "$member" = id ] ||
			echo "the member '$member' is missing"
	done
)"
check "$manual, columns of top" "$(
	"$nodectl" top -L | awk '{ print $1 }' | while read -r column; do
		grep -q "^\.It $column Ta " "$manual" || echo "the column $column is missing"
	done
	sed -n 's|^	{ "[A-Z%/s]*", "\([a-z_]*\)", .*TOP_.*|\1|p' nodectl/top_figures.c | while read -r member; do
		grep -q "^\.It [A-Z%/s]* Ta $member Ta " "$manual" || echo "the member '$member' is missing"
	done
)"
check "$manual, exit status" "$(
	sed -n 's/^	\(ERR_[A-Z_]*\) = \([0-9]*\),.*/\1 \2/p' include/err.h | while read -r kind number; do
		name=$(sed -n "s/.*{ $kind, \"\([a-z-]*\)\" },.*/\1/p" base/err.c)
		grep -q "^\.It $number Ta $name Ta " "$manual" ||
			echo "$number, $name is missing"
	done
)"

# ---- the files -------------------------------------------------------------------------

section()
{
	awk -v name="$2" '/^\.Sh / { on = (index($0, ".Sh " name) == 1) } on' "$1" |
		sed -n 's/^\.It Cm \([a-z0-9-]*\).*/\1/p'
}

same_keys()
{
	check "$1" "$(lacking "$2" "$work/documented" <"$3")"
	check "$1, the other way" "$(lacking 'the source' "$3" <"$work/documented")"
}

section man/vps.conf.5 DESCRIPTION >"$work/documented"
same_keys man/vps.conf.5 'the manual' "$work/vps-keys"
section man/node.conf.5 DESCRIPTION >"$work/documented"
same_keys man/node.conf.5 'the manual' "$work/node-keys"
section man/node.conf.5 PLANS >"$work/documented"
same_keys 'man/node.conf.5, plans' 'the section PLANS' "$work/plan-keys"

for page in man/*.[58]; do
	# a page that is not installed is "not found"; each of ours is looked for below
	check "mandoc -Tlint $page" "$(mandoc -Tlint "$page" 2>/dev/null |
		grep -v 'referenced manual not found')"
	check "$page, sections" "$(
		for name in 'EXIT STATUS' FILES EXAMPLES 'SEE ALSO'; do
			grep -qx ".Sh $name" "$page" || echo "$name is missing"
		done
	)"
done

# ---- completion ------------------------------------------------------------------------

ask()
{
	bash -c '. "$0" && "$@"' "$completion" "$@" | tr ' ' '\n' | sed '/^$/d' | sort -u
}

check "$completion" "$(bash -n "$completion" 2>&1)"
for noun in '' image net plan network traffic; do
	ask _nodectl_verbs "$noun" >"$work/has"
	while read -r command; do
		{ echo "$command"; aliases_of "$command"; } | while read -r one; do
			case $noun:$one in
			:*' '*) ;;
			:*) echo "$one" ;;
			*:"$noun "*) echo "${one#"$noun "}" ;;
			esac
		done
	done <"$work/commands" | sort -u >"$work/wanted"
	# the nouns, help, and the name that most others have for destroy
	[ -n "$noun" ] || printf '%s\n' image net plan network traffic help delete >>"$work/wanted"
	check "$completion, commands '$noun'" "$(
		lacking 'it' "$work/has" <"$work/wanted"
		lacking "'nodectl help'" "$work/wanted" <"$work/has"
	)"
done
while read -r command; do
	options_of "$command" | sort -u >"$work/wanted"
	{ echo "$command"; aliases_of "$command"; } | while read -r name; do
		ask _nodectl_options "$name" >"$work/has"
		lacking "its '$name'" "$work/has" <"$work/wanted"
		lacking "'nodectl help $name'" "$work/wanted" <"$work/has"
	done >"$work/faults"
	check "$completion, $command" "$(cat "$work/faults")"
done <"$work/commands"
ask _nodectl_common >"$work/has"
check "$completion, common options" "$(lacking 'it' "$work/has" <"$work/common")"
ask _nodectl_columns >"$work/has"
"$nodectl" list -L | awk '{ print $1 }' >"$work/wanted"
check "$completion, columns" "$(
	lacking 'it' "$work/has" <"$work/wanted"
	lacking "'nodectl list -L'" "$work/wanted" <"$work/has"
)"

ask _nodectl_top_columns >"$work/has"
"$nodectl" top -L | sort -u >"$work/wanted"
check "$completion, columns of top" "$(
	lacking 'it' "$work/has" <"$work/wanted"
	lacking "'nodectl top -L'" "$work/wanted" <"$work/has"
)"
ask _nodectl_usage_columns >"$work/has"
"$nodectl" usage -L | awk '{ print $1 }' | sort -u >"$work/wanted"
check "$completion, columns of usage" "$(
	lacking 'it' "$work/has" <"$work/wanted"
	lacking "'nodectl usage -L'" "$work/wanted" <"$work/has"
)"

# What is offered behind the words, of a node whose VPSs are V1 and V2, and network N1.
offered()
{
	bash -c '. "$0"
		_nodectl_names()
		{
			[ "$1" = vps ] && echo V1 V2
			[ "$1" = network ] && echo N1
		}
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		_nodectl 2>/dev/null
		echo ${COMPREPLY[*]}' "$completion" nodectl "$@"
}

# offers WANTED WORD...
offers()
{
	wanted=$1
	shift
	check "$completion: nodectl $*" "$(
		has=$(offered "$@")
		[ "$has" = "$wanted" ] || echo "it offers '$has' and not '$wanted'"
	)"
}

offers 'V1 V2' start ''
offers 'V1 V2' diff ''
offers 'V1 V2' show --json V
offers 'V1 V2' net show ''
offers 'show' net ''
offers 'create list ls remove rm' network ''
offers 'N1' network remove ''
offers 'create list ls remove rm' help network ''
offers 'build' image b
offers 'V1 V2 add' traffic ''
offers 'V1 V2' traffic -w V
offers 'V1 V2' traffic add ''
offers '--watch' traffic V1 --wa
offers '--wait' start V1 --wa
offers '' exec -w V
offers 'month last-month today yesterday' report --period ''

# ---- what people copy ------------------------------------------------------------------

# The first words of each command: in a block with prompts, behind them and behind pipes, for
# the rest is output; in one without, each line.
commands_in()
{
	awk '
		function tell(line) {
			gsub(/\| *nodectl /, "\n# nodectl ", line)
			count = split(line, part, "\n")
			for (i = 1; i <= count; i++)
				if (sub(/^[#$]? *nodectl +/, "", part[i]))
					print part[i]
		}
		function finish(  n) {
			for (n = 1; n <= lines; n++)
				if (!prompts || line[n] ~ /^[#$] /)
					tell(line[n])
			lines = prompts = 0
		}
		/^```|^\.Bd|^\.Ed/ { if (on) finish(); on = !on; next }
		on { line[++lines] = $0; prompts += /^[#$] nodectl/ }
	' "$1"
}

unknown_commands()
{
	while read -r first second _; do
		case $first in
		help | --version | delete | -*) continue ;;
		esac
		{ cat "$work/commands"; cat "$work/aliases"; } |
			grep -qxF -e "$first" -e "$first $second" ||
			echo "'nodectl $first $second' is no command"
	done
}

while read -r command; do aliases_of "$command"; done <"$work/commands" >"$work/aliases"
for text in README.md CONTRIBUTING.md docs/*.md; do
	check "$text" "$(commands_in "$text" | unknown_commands)"
done
for page in man/*.[58]; do
	check "$page, examples" "$(commands_in "$page" | unknown_commands)"
done

check 'make targets in README.md and CONTRIBUTING.md' "$(
	awk '/^```/ { on = !on; next } on' README.md CONTRIBUTING.md |
		sed -n 's/^[#$]\{0,1\} *make  *\([a-z][a-z-]*\).*/\1/p' | sort -u | while read -r target; do
		grep -q "^$target:" Makefile || echo "there is no 'make $target'"
	done
)"

check 'make uninstall' "$(
	make -s O="$build" DESTDIR="$work/there" install 2>&1
	[ -x "$work/there/usr/local/sbin/nodectl" ] || echo 'make install installs nothing'
	make -s O="$build" DESTDIR="$work/there" uninstall 2>&1
	find "$work/there" ! -type d | sed "s|^$work/there|it leaves |"
)"

check "node/node.c: what 'nodectl init' writes" "$(
	sed -n 's/^	KEY("\([a-z0-9-]*\)".*/\1/p' node/node.c | while read -r key; do
		sed -n '/^static char \*config_make/,/^}/p' node/node.c |
			grep -q "\"#\{0,1\}$key = " || [ "$key" = nameserver ] || echo "it has no line of '$key'"
	done
)"

# The rows of a table of steps, as the source has them and as the architecture tells them.
steps_in()
{
	sed -n "/$2\[\] = {/,/^};/s/^	{ \"\([a-z]*\)\".*/\1/p" "$1" >"$work/source"
	awk -v name="$2" '
		index($0, "**`" name "[]`**") == 1 { on = 1 }
		on && /^\|/ { seen = 1; if ($1 == "|" && $2 != "row") print $2 }
		on && seen && !/^\|/ { exit }
	' docs/ARCHITECTURE.md >"$work/told"
	[ -s "$work/source" ] || echo "there is no $2[] in $1 as this test expects it"
	diff "$work/source" "$work/told" | grep '^[<>]' | sed "s/^</missing:/; s/^>/not in $2[]:/"
}

check 'docs/ARCHITECTURE.md, host_steps[]' "$(steps_in runtime/start.c host_steps)"
check 'docs/ARCHITECTURE.md, guest_steps[]' "$(steps_in runtime/guest.c guest_steps)"

check docs/ARCHITECTURE.md "$(
	find . -path ./build -prune -o -path './.*' -prune -o -type f -print |
		sed 's|^\./||' | grep / | sed 's|/[^/]*$||' | sort -u | while read -r folder; do
		grep -qF "\`$folder/\`" docs/ARCHITECTURE.md || echo "the folder '$folder/' is missing"
	done
)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
