# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for nodectl(8).  Commands and options stand here, checked against
# 'nodectl help' by tests/docs.sh; names of VPSs, images and plans are asked for.

# Not echo, to which -n and -e are its own.
_nodectl_words()
{
	printf '%s ' "$@"
}

_nodectl_verbs()
{
	case $1 in
	image)
		_nodectl_words build import list ls show info remove rm
		;;
	plan)
		_nodectl_words create set list ls show info remove rm
		;;
	net)
		_nodectl_words show
		;;
	network)
		_nodectl_words create list ls remove rm
		;;
	traffic)
		_nodectl_words add
		;;
	'')
		_nodectl_words create start stop restart reboot kill freeze pause thaw resume
		_nodectl_words destroy rm delete list ls show info status usage top ps pid log exec enter console
		_nodectl_words ssh passwd push pull set diff image net plan network capacity init boot shutdown
		_nodectl_words doctor selftest report traffic metrics sample repair help
		;;
	esac
}

# What a plan may give.
_nodectl_limits()
{
	_nodectl_words --cpus --cpu-guaranteed --weight --memory --memory-guaranteed --swap --tasks
	_nodectl_words --disk --inodes
	_nodectl_words --io-read --io-write --io-weight --rate-in --rate-out --packet-rate --smtp
	_nodectl_words --allow-in --connections --traffic --traffic-period --traffic-count --traffic-action
}

# What 'create' and 'set' share: the keys of vps.conf(5) that are options.
_nodectl_fields()
{
	_nodectl_limits
	_nodectl_words --plan --net-mode --network --ip --ip6 --route --publish --hostname --nameserver --init
	_nodectl_words --stop-signal --stop-timeout --restart --onboot --order --allow-unenforced
}

_nodectl_common()
{
	_nodectl_words -j --json -q --quiet -y --yes --idempotent --config -h --help
}

# The options of one command, without the common ones.
_nodectl_options()
{
	case $1 in
	create)
		_nodectl_fields
		_nodectl_words --image --ssh-key
		_nodectl_words --start --wait --password-stdin -f --force
		;;
	set)
		_nodectl_fields
		_nodectl_words --ip-add --ip-del --ip6-add --ip6-del --route-add --route-del
		_nodectl_words --publish-add --publish-del
		_nodectl_words -n --dry-run -f --force
		;;
	'plan create')
		_nodectl_limits
		;;
	'plan set')
		_nodectl_limits
		_nodectl_words -n --dry-run -f --force
		;;
	diff)
		_nodectl_words -a --all --fix
		;;
	start)
		_nodectl_words -a --all -f --force --wait
		;;
	stop | shutdown)
		_nodectl_words -a --all -t --timeout -f --force
		;;
	restart | reboot)
		_nodectl_words -a --all -t --timeout -f --force --wait
		;;
	kill | freeze | pause | thaw | resume | status)
		_nodectl_words -a --all
		;;
	destroy | rm | delete)
		_nodectl_words -a --all -f --force
		;;
	usage)
		_nodectl_words -a --all -o --columns -s --sort -H --no-header -L --list-columns
		;;
	traffic)
		_nodectl_words -a --all -w --watch -d --delay
		;;
	top)
		_nodectl_words -a --all -d --delay -b --batch -n --count -s --sort -H --no-header
		_nodectl_words -L --list-columns
		;;
	list | ls)
		_nodectl_words -o --columns -s --sort -H --no-header -L --list-columns
		;;
	exec)
		_nodectl_words -t --tty -T --no-tty -n --no-stdin -e --env -w --cwd
		;;
	log)
		_nodectl_words -n --lines --console
		;;
	passwd)
		_nodectl_words -u --user --password-stdin
		;;
	'image build')
		_nodectl_words --suite --mirror --include --init --name
		;;
	ps | doctor | capacity | 'image list' | 'image ls' | 'plan list' | 'plan ls' | \
		'network list' | 'network ls')
		_nodectl_words -H --no-header
		;;
	init)
		_nodectl_words --storage --run --bridge --uplink --net-mode --subnet --subnet6 --ids --ssh-port
		;;
	report)
		_nodectl_words -a --all -p --period --format -H --no-header --save --verify
		;;
	metrics)
		_nodectl_words --output
		;;
	selftest)
		_nodectl_words --plan --hold -H --no-header
		;;
	boot)
		_nodectl_words -n --dry-run --once
		;;
	repair)
		_nodectl_words -n --dry-run
		;;
	esac
}

_nodectl_columns()
{
	_nodectl_words ID NAME STATE ERROR PLAN OVERRIDES IMAGE DIGEST HOSTNAME IPV4 IPV6 ROUTES PUBLISH NETMODE NETWORK
	_nodectl_words ALLOW INTERFACE DROPPED CPUS WEIGHT GUARANTEES MEMORY SWAP TASKS DISK TRAFFIC UPTIME CPU MET
	_nodectl_words QUOTA PID MONITOR IDS CGROUP RESTART
	_nodectl_words ONBOOT PENDING VIEW UNENFORCED UUID CREATED STARTED
}

_nodectl_usage_columns()
{
	_nodectl_words NAME STATE CPU CAP THROTTLED CPUWAIT MEMORY PEAK ANON FILE HIGH FULL REFAULTS
	_nodectl_words KILLED MEMWAIT SWAP READ WRITTEN IOWAIT DISK INODES IN OUT TASKS REFUSED UPTIME
}

_nodectl_top_columns()
{
	_nodectl_words NAME STATE CPU% CAP% HELD% WAIT% MEMORY LIMIT MWAIT% READ/s WRITE/s DISK% IN/s
	_nodectl_words OUT/s TASKS UPTIME USED% MEM% SWAP
}

# Does this option take a value of its own?  An option of one letter means what it means
# in the command it belongs to.
_nodectl_takes_value()
{
	case $1 in
	--wait | --timeout | -t | --columns | -o | --sort | -s | --env | -e | --cwd | \
		--lines | --user | -u | --suite | --mirror | --include | --init | --name | \
		--config | --image | --plan | --cpus | --cpu-guaranteed | --weight | --memory | \
		--memory-guaranteed | --swap | --tasks | --io-read | --io-write | --io-weight | \
		--rate-in | --rate-out | --packet-rate | --smtp | --allow-in | --connections | --traffic | --traffic-period | \
		--traffic-count | --traffic-action | \
		--disk | --inodes | --ip | --ip6 | --ip-add | --ip-del | --ip6-add | --ip6-del | --route | --route-add | \
		--route-del | --publish | --publish-add | --publish-del | --hostname | --nameserver | \
		--ssh-key | --stop-signal | --stop-timeout | --restart | --onboot | --order | \
		--allow-unenforced | --storage | --run | --bridge | --uplink | --net-mode | --network | --subnet | --subnet6 | --ids | \
		--ssh-port | --delay | -d | --count | --period | -p | --format | --output)
		[ "$1 $2" != '-t exec' ]
		;;
	-w)
		[ "$2" = exec ] || [ "$2" = ssh ]
		;;
	-n)
		[ "$2" = log ] || [ "$2" = top ]
		;;
	*)
		false
		;;
	esac
}

# The value of an option.
_nodectl_value()
{
	local option=$1 verb=$2 current=$3 words=

	case $option in
	--image)
		words=$(_nodectl_names image)
		;;
	--network)
		words="none $(_nodectl_names network)"
		;;
	--plan)
		words=$(_nodectl_names plan)
		;;
	--ssh-key | --config | --storage | --run | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		compopt -o filenames 2>/dev/null
		return
		;;
	--net-mode)
		words='bridge routed none'
		;;
	--ip | --ip6)
		words='auto none'
		;;
	--publish)
		words=none
		;;
	--allow-in)
		words='all none'
		;;
	--restart)
		words='on-crash no'
		;;
	--smtp)
		words='yes no'
		;;
	--onboot)
		words='yes no last'
		;;
	--allow-unenforced)
		words='memory memory-guaranteed swap cpus cpu-guaranteed weight tasks io-read io-write io-weight rate-in rate-out'
		;;
	--stop-signal)
		words='auto SIGTERM SIGINT SIGHUP SIGQUIT SIGUSR1 SIGUSR2 SIGPWR SIGCONT SIGRTMIN+3'
		;;
	--period | -p)
		words='month last-month today yesterday'
		;;
	--traffic-period)
		words='month day:1 rolling'
		;;
	--traffic-count)
		words='sum in out max'
		;;
	--traffic-action)
		words='none suspend throttle:10M'
		;;
	--format)
		words='table csv json html text-mail'
		;;
	--suite)
		words='bookworm trixie'
		;;
	--init)
		words=/sbin/init
		[ "$verb" = 'image build' ] && words='systemd sysvinit-core'
		;;
	--columns | -o | --sort | -s)
		words=$(_nodectl_columns)
		[ "$verb" = usage ] && words=$(_nodectl_usage_columns)
		[ "$verb" = top ] && words=$(_nodectl_top_columns)
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

# Silent when the node is not set up or we are not root.
_nodectl_names()
{
	local config=()

	[ -n "$_nodectl_config" ] && config=(--config "$_nodectl_config")
	"$_nodectl_program" "${config[@]}" @names "$1" 2>/dev/null
}

# The argument number $2 (from 0) of command $1.
_nodectl_argument()
{
	local words="" files=""

	case $1 in
	start | stop | shutdown | restart | reboot | kill | freeze | pause | thaw | resume | \
		destroy | rm | delete | list | ls | status | usage | report | top | diff)
		words=$(_nodectl_names vps)
		;;
	traffic)
		words=$(_nodectl_names vps)
		[ "$2" = 0 ] && words+=" add"
		;;
	'net show')
		words=$(_nodectl_names vps)
		;;
	'traffic add' | show | info | ps | log | enter | console | passwd | set | exec | ssh)
		[ "$2" = 0 ] && words=$(_nodectl_names vps)
		;;
	push | pull)
		[ "$2" = 0 ] && words=$(_nodectl_names vps)
		[ "$1 $2" = 'push 1' ] || [ "$1 $2" = 'pull 2' ] && files=yes
		;;
	'image build')
		[ "$2" = 0 ] && words='debian-12 debian-13 mini'
		;;
	'image import')
		[ "$2" = 0 ] && words=$(_nodectl_names image) || files=yes
		;;
	'image show' | 'image info')
		[ "$2" = 0 ] && words=$(_nodectl_names image)
		;;
	'image remove' | 'image rm')
		words=$(_nodectl_names image)
		;;
	'plan set' | 'plan show' | 'plan info')
		[ "$2" = 0 ] && words=$(_nodectl_names plan)
		;;
	'network remove' | 'network rm')
		words=$(_nodectl_names network)
		;;
	'plan remove' | 'plan rm')
		words=$(_nodectl_names plan)
		;;
	help)
		[ "$2" = 0 ] && words=$(_nodectl_verbs '')
		;;
	'help image' | 'help plan' | 'help network' | 'help net')
		[ "$2" = 0 ] && words=$(_nodectl_verbs "${1#help }")
		;;
	esac
	if [ -n "$files" ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$3")
		compopt -o filenames 2>/dev/null
	else
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$3")
	fi
}

# Does $1 take a verb, and is $2, if given, one of them?
_nodectl_is_noun()
{
	[[ $1 = @(image|plan|network|net|traffic) ]] || return
	[ $# = 1 ] || [[ " $(_nodectl_verbs "$1")" = *" $2 "* ]]
}

_nodectl()
{
	local current=${COMP_WORDS[COMP_CWORD]} verb="" i word count=0 options=yes
	local _nodectl_program=${COMP_WORDS[0]} _nodectl_config=""

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ "$word" = -- ]; then
			options=
		elif [ -n "$options" ] && [[ $word = -* ]]; then
			_nodectl_takes_value "$word" "$verb" || continue
			# '--image=mini' arrives as three words
			if [ "${COMP_WORDS[i + 1]}" = = ]; then
				((i++))
				((i == COMP_CWORD)) && current=
				((i == COMP_CWORD)) && ((i--))
			fi
			if ((i + 1 == COMP_CWORD)); then
				_nodectl_value "$word" "$verb" "$current"
				return
			fi
			[ "$word" = --config ] && _nodectl_config=${COMP_WORDS[i + 1]}
			((i++))
		elif [ -z "$verb" ] || _nodectl_is_noun "$verb" "$word" ||
			{ [ "$verb" = help ] && _nodectl_is_noun "$word"; }; then
			verb=${verb:+$verb }$word
		else
			count=$((count + 1))
			# what follows the name is the tenant's command
			[ "$verb" = exec ] || [ "$verb" = ssh ] && options=
		fi
	done

	if [[ $current = -* ]] && [ -n "$options" ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_nodectl_options "$verb") $(_nodectl_common)" -- "$current")
	elif [ -z "$verb" ] || { _nodectl_is_noun "$verb" && [ "$verb" != traffic ]; }; then
		mapfile -t COMPREPLY < <(compgen -W "$(_nodectl_verbs "$verb")" -- "$current")
	else
		_nodectl_argument "$verb" "$count" "$current"
	fi
}

complete -F _nodectl nodectl
