# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# A laboratory of network namespaces, for bash scripts that source this file.
#
#	. "$(dirname "$0")/../lib/ns.sh"
#	lz_lab_enter 120 "$@"		# everything below runs inside the lab
#	lz_ns_add gw
#	lz_ns_add host
#	lz_link_add gw acc0 host eth0
#	lz_ns_run gw ip link
#
# Clean-up is the kernel's job, not ours.  lz_lab_enter runs the script again as
# process 1 of its own PID namespace, in its own mount namespace with a private /run
# and a private bpffs.  When that process ends - return, failed test, Ctrl-C, kill,
# even SIGKILL - the kernel ends every process in it, and with the last one go the
# mounts, the network namespaces, the BPF pins and all files in $LZ_DIR.  Nothing is
# ever killed by name, nothing on the machine can be mistaken for the lab's, and a
# production instance on the same machine can be neither seen nor touched.
#
# Inside the lab:
#	LZ_LAB	prefix of every namespace's name, lz-<pid> or what the caller set
#	LZ_DIR	scratch folder on a tmpfs; LZ_DIR/log has one file for each process

# lz_lab_enter SECONDS [ARG...]: go on inside a fresh lab, at most SECONDS long.
#
# Returns only inside.  Outside it never returns: the exit status is the inner
# script's, 124 when time ran out, 128+N after signal N.  Needs root.
lz_lab_enter()
{
	local limit_s=$1 inner status=0
	shift

	if [ "${LZ_LAB_INSIDE:-}" = 1 ] && [ $$ = 1 ]; then
		unset LZ_LAB_INSIDE
		lab_furnish || { echo "lab: cannot furnish /run and /sys/fs/bpf" >&2; exit 1; }
		return 0
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "lab: needs root; run it with sudo" >&2
		exit 1
	fi

	# A background job ignores SIGINT unless told otherwise, and bash cannot undo
	# that; pdeathsig ties each link of the chain to the one before it.
	env --default-signal=INT,QUIT \
		setpriv --pdeathsig KILL \
		timeout --foreground --signal=KILL "$limit_s" \
		setpriv --pdeathsig KILL \
		unshare --mount --propagation private --pid --fork --kill-child=KILL --mount-proc \
		env LZ_LAB_INSIDE=1 LZ_LAB="${LZ_LAB:-lz-$$}" bash "$0" "$@" <&0 &
	inner=$!
	trap 'lab_abandon "$inner" INT 130' INT
	trap 'lab_abandon "$inner" TERM 143' TERM
	trap 'lab_abandon "$inner" HUP 129' HUP
	wait "$inner" || status=$?
	trap - INT TERM HUP
	if [ "$status" = 137 ]; then
		echo "lab: stopped after its time limit of $limit_s s" >&2
		status=124
	fi
	exit "$status"
}

lab_abandon()
{
	trap '' INT TERM HUP
	kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	printf '\nlab: stopped by SIG%s; its processes, namespaces and files are gone\n' "$2" >&2
	exit "$3"
}

lab_furnish()
{
	mount -t tmpfs -o mode=755 lz-run /run &&
		mount -t bpf -o mode=700 lz-bpf /sys/fs/bpf || return 1
	LZ_DIR=/run/lz
	mkdir -p /run/netns /run/lock "$LZ_DIR/log" || return 1
	declare -gA LZ_PROC=()
	lab_add_users && lab_cut_dns
}

# The accounts the mail servers and the daemon change to, without touching the
# machine's own: a longer copy of passwd and group is mounted over them.
lab_add_users()
{
	local name id=64000

	cp /etc/passwd /etc/group "$LZ_DIR/" || return 1
	for name in postfix postdrop lazaret lazaret-portal; do
		id=$((id + 1))
		getent group "$name" >/dev/null ||
			echo "$name:x:$id:" >>"$LZ_DIR/group"
		getent passwd "$name" >/dev/null ||
			echo "$name:x:$id:$id::/nonexistent:/usr/sbin/nologin" >>"$LZ_DIR/passwd"
	done
	mount --bind "$LZ_DIR/passwd" /etc/passwd && mount --bind "$LZ_DIR/group" /etc/group
}

# Nothing in the lab may wait for a name server that is not there.
lab_cut_dns()
{
	sed 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf >"$LZ_DIR/nsswitch.conf" &&
		mount --bind "$LZ_DIR/nsswitch.conf" /etc/nsswitch.conf
}

# lz_ns_add NAME [router]: a network namespace with loopback up, IPv6 without
# duplicate address detection (an address is usable at once); router: it forwards.
lz_ns_add()
{
	ip netns add "$LZ_LAB-$1" || return 1
	ip -n "$LZ_LAB-$1" link set lo up || return 1
	# shellcheck disable=SC2016 # $1 is the inner shell's
	lz_ns_run "$1" sh -c '
		cd /proc/sys/net || exit 1
		for conf in all default; do
			echo 0 >ipv6/conf/$conf/accept_dad
			echo 0 >ipv6/conf/$conf/accept_ra
			echo 0 >ipv4/conf/$conf/rp_filter
		done
		if [ "$1" = router ]; then
			echo 1 >ipv4/ip_forward
			echo 1 >ipv6/conf/all/forwarding
		fi' sh "${2:-host}"
}

# lz_ns_run NAME COMMAND [ARG...]: run in a namespace; /proc/sys/net and /proc/net
# follow it, /sys/class/net does not.
lz_ns_run()
{
	local ns=$1
	shift
	nsenter --net="/run/netns/$LZ_LAB-$ns" -- "$@"
}

# lz_link_add NS DEV NS DEV: a veth pair between two namespaces, up.
#
# Transmit offloads are off, so that frames look as they do behind a real NIC:
# with finished checksums and no longer than the MTU.
lz_link_add()
{
	ip link add "$2" netns "$LZ_LAB-$1" type veth peer name "$4" netns "$LZ_LAB-$3" &&
		link_raise "$1" "$2" && link_raise "$3" "$4"
}

link_raise()
{
	lz_ns_run "$1" ethtool -K "$2" tx off >/dev/null &&
		ip -n "$LZ_LAB-$1" link set "$2" up
}

# lz_addr_add NS DEV ADDRESS/LENGTH...
lz_addr_add()
{
	local ns=$1 dev=$2 address
	shift 2
	for address; do
		ip -n "$LZ_LAB-$ns" address add "$address" dev "$dev" || return 1
	done
}

# lz_proc_start NAME NS COMMAND [ARG...]: start in the background, output to
# $LZ_DIR/log/NAME.log; the process id is in LZ_PROC[NAME].  In a subshell that would be lost,
# and the process with it: refused.
lz_proc_start()
{
	local name=$1 ns=$2
	if [ "$BASHPID" != $$ ]; then
		echo "lz_proc_start $name: not in a subshell: t_need runs in this one, t_ok and \$() do not" >&2
		return 1
	fi
	shift 2
	nsenter --net="/run/netns/$LZ_LAB-$ns" -- "$@" >"$LZ_DIR/log/$name.log" 2>&1 </dev/null &
	LZ_PROC[$name]=$!
}

# lz_proc_alive NAME
lz_proc_alive()
{
	[ -n "${LZ_PROC[$1]:-}" ] && kill -0 "${LZ_PROC[$1]}" 2>/dev/null
}

# lz_proc_stop NAME [SIGNAL]: end a started process, by force after 5 s.
# Returns its exit status.
lz_proc_stop()
{
	local pid=${LZ_PROC[$1]:-}

	[ -n "$pid" ] || return 0
	kill -"${2:-TERM}" "$pid" 2>/dev/null
	lz_wait 5 proc_gone "$pid" || kill -KILL "$pid" 2>/dev/null
	unset "LZ_PROC[$1]"
	wait "$pid" 2>/dev/null
}

# A zombie is gone: its parent has just not collected it yet.
proc_gone()
{
	! kill -0 "$1" 2>/dev/null || grep -qs '^State:.*Z' "/proc/$1/status"
}

# lz_wait SECONDS COMMAND [ARG...]: until COMMAND succeeds; 1 when time is up.
lz_wait()
{
	local end_ms=$(($(lz_now_ms) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(lz_now_ms)" -lt "$end_ms" ] || return 1
		sleep 0.05
	done
}

# lz_port_wait SECONDS NS PORT: until something listens on a TCP port there.
lz_port_wait()
{
	lz_wait "$1" port_listens "$2" "$3"
}

# Asks the kernel, so that the server does not log a visitor who says nothing.
port_listens()
{
	lz_ns_run "$1" ss -Hltn "sport = :$2" | grep -q .
}

# lz_now_ms: milliseconds of wall clock, for measuring how long a command took.
lz_now_ms()
{
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}
