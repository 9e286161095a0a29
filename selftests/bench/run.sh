#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: run.sh [--quick] [FIGURE...]
#
# The whole of `make bench`: a laboratory of veth pairs, one namespace a rival, each with its own
# rules; then selftests/bench/bench inside it. Results: $LZ_BUILD/bench.json, bench.svg, a table.
# FIGURE is a letter, a to m: only these.
set -u

cd "$(dirname "$0")/../.." || exit 2
export LZ_BUILD=${LZ_BUILD:-$PWD/build}
export LZ_LAB=lz-bench
. selftests/lib/ns.sh
ROOT=$PWD

SKB_RIVALS="nft-set nft-limit nft-interval hashlimit ipset-ip ipset-net"
XDP_FILTER_N=10000 # what its map takes
BENCH=$LZ_BUILD/selftests/bench/bench
OBJECT=$LZ_BUILD/selftests/bench/bench.bpf.o

# rival_add NAME: a pair gen:NAME -- NAME:in, with the address the frames are for. A veth without
# XDP takes frames that XDP sent only when generic receive offload is on.
rival_add()
{
	lz_ns_add "$1" && lz_link_add gen "$1" "$1" in || return 1
	ip -n "$LZ_LAB-$1" link set in address 02:00:00:00:00:00 || return 1
	case " $SKB_RIVALS " in
	*" $1 "*) lz_ns_run "$1" ethtool -K in gro on ;;
	esac
}

# list KIND: addresses or prefixes of the scene, one a line, as the bench itself uses them.
list()
{
	"$BENCH" "${QUICK[@]}" --list "$1"
}

nft_elements()
{
	echo "add element netdev lz $1 {"
	sed 's/$/,/'
	echo "}"
}

fill()
{
	case $1 in
	nft-set) list held | nft_elements held | lz_ns_run "$1" nft -f - ;;
	nft-interval) list ranges | nft_elements ranges | lz_ns_run "$1" nft -f - ;;
	ipset-ip)
		{ echo "create held hash:ip hashsize 1048576 maxelem 1048576 timeout 86400"
		  list held | sed 's/^/add held /'; } | lz_ns_run "$1" ipset restore ;;
	ipset-net)
		{ echo "create ranges hash:net hashsize 1048576 maxelem 1048576"
		  list ranges | sed 's/^/add ranges /'; } | lz_ns_run "$1" ipset restore ;;
	esac
}

# Its own command takes one address at a time and some milliseconds for each: the first is added by
# it, the others are copies of what it wrote.
xdp_filter_load()
{
	local map=/sys/fs/bpf/xdp-filter/filter_ipv4 first value
	first=$(list held | head -n 1)
	lz_ns_run xdp-filter xdp-filter load -m native -p allow -f ipv4 in &&
		lz_ns_run xdp-filter xdp-filter ip -m src "$first" || return 1
	value=$(bpftool -j map dump pinned "$map" |
		jq -r '.[0].values[0].value | map(ltrimstr("0x")) | join(" ")')
	list held | head -n "$XDP_FILTER_N" | tail -n +2 | tr . ' ' |
		sed "s|.*|map update pinned $map key & value hex $value|" >"$LZ_DIR/xdp-filter.batch"
	bpftool batch file "$LZ_DIR/xdp-filter.batch"
}

rules_load()
{
	case $1 in
	lazaret-* | xdp-empty | xdp-line*) ;;
	xdp-filter) xdp_filter_load ;;
	nft-*) lz_ns_run "$1" nft -f "selftests/bench/rules/$1.nft" && fill "$1" ;;
	*) fill "$1" && lz_ns_run "$1" iptables-restore "selftests/bench/rules/$1.rules" ;;
	esac
}

# wanted LETTERS: is one of them among the figures that were asked for?
wanted()
{
	[ -z "$FIGURES" ] || [[ $FIGURES == *[$1]* ]]
}

rivals()
{
	wanted bcd && echo xdp-empty xdp-line
	wanted b && echo lazaret-b nft-limit hashlimit
	wanted bc && echo xdp-line-128
	wanted c && echo xdp-line-c lazaret-c nft-set ipset-ip lazaret-c-10k xdp-filter
	wanted d && echo xdp-line-1024 lazaret-d nft-interval ipset-net
}

main()
{
	local rival measured=()
	if wanted hijkl; then
		control_measure || { echo "bench: set-up of the gateway failed" >&2; exit 2; }
		measured=(--measured "$ROWS")
	fi
	lz_ns_add gen || exit 2
	for rival in $(rivals); do
		if ! rival_add "$rival" || ! rules_load "$rival"; then
			echo "bench: set-up of $rival failed" >&2
			exit 2
		fi
	done
	"$BENCH" "${QUICK[@]}" --figures "$FIGURES" "${measured[@]}" --net "/run/netns/$LZ_LAB" "$OBJECT" \
		policies/small-cable-isp.json "$LZ_BUILD/bench.json" "$LZ_BUILD/bench.svg"
}

lz_lab_enter 3600 "$@"
. selftests/lib/lazaretd.sh
. selftests/bench/control.sh
QUICK=()
FIGURES=
for word; do
	case $word in
	--quick) QUICK=(--quick) ;;
	[a-m] | [a-m]*[a-m]) FIGURES+=$word ;;
	*) echo "usage: run.sh [--quick] [FIGURE...]: letters a to m" >&2; exit 2 ;;
	esac
done
main
