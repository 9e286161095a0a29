# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Devices of a provider's gateway between two namespaces of a lab, for tests in the guest;
# source ../lib/ns.sh first.  They carry traffic when the function returns 0.

# lz_bond_add NS NS NAME: a bond of two links in each, members NAME-a and NAME-b.
lz_bond_add()
{
	local ns member
	for member in a b; do
		lz_link_add "$1" "$3-$member" "$2" "$3-$member" || return 1
	done
	for ns in "$1" "$2"; do
		# An empty bond0 comes with the module; it is only in the guest's first namespace.
		ip -n "$LZ_LAB-$ns" link add "$3" type bond mode balance-xor miimon 100 || return 1
		for member in a b; do
			ip -n "$LZ_LAB-$ns" link set "$3-$member" down &&
				ip -n "$LZ_LAB-$ns" link set "$3-$member" master "$3" || return 1
		done
		ip -n "$LZ_LAB-$ns" link set "$3" up || return 1
	done
}

# lz_vlan_add NS DEV 802.1Q|802.1ad ID: DEV.ID
lz_vlan_add()
{
	ip -n "$LZ_LAB-$1" link add link "$2" name "$2.$4" type vlan proto "$3" id "$4" &&
		ip -n "$LZ_LAB-$1" link set "$2.$4" up
}

# lz_ppp_add NS NS DEV ADDRESS ADDRESS: PPP over a pseudo terminal; DEV is ppp<number>.
lz_ppp_add()
{
	local unit=${3#ppp}
	modprobe -q ppp_async
	lz_proc_start "$3" "$1" pppd nodetach noauth nodefaultroute local +ipv6 unit "$unit" \
		"$4:$5" pty "nsenter --net=/run/netns/$LZ_LAB-$2 pppd notty noauth \
		nodefaultroute local +ipv6 unit $unit $5:$4"
	lz_wait 20 ppp_is_up "$1" "$3" && lz_wait 20 ppp_is_up "$2" "$3"
}

ppp_is_up()
{
	ip -n "$LZ_LAB-$1" -4 address show "$2" | grep -q inet
}

# lz_pppoe_add NS NS DEV ADDRESS ADDRESS: access concentrator in the first namespace, client
# in the second; the device in each is the next free ppp.  The client is the kernel's
# PPPoE; Debian 12's server puts the frames on the wire from user space, they look the same.
lz_pppoe_add()
{
	modprobe -q pppoe
	printf 'noauth\nnodefaultroute\nlocal\n' >"$LZ_DIR/pppoe-options"
	lz_proc_start pppoe-server "$1" pppoe-server -F -I "$3" -L "$4" -R "$5" -N 1 \
		-O "$LZ_DIR/pppoe-options" -C lz-ac
	lz_proc_start pppoe-client "$2" pppd nodetach noauth nodefaultroute \
		plugin rp-pppoe.so "$3"
	lz_wait 30 pppoe_is_up "$2" "$5" && lz_wait 10 pppoe_is_up "$1" "$4"
}

pppoe_is_up()
{
	ip -n "$LZ_LAB-$1" -4 address | grep -q "inet $2 peer"
}

# lz_tunnel_add NS NS DEV tun|tap NAME PORT: a tun or tap device in each, joined by UDP over
# the first addresses of DEV.
lz_tunnel_add()
{
	local ns local4 peer4
	modprobe -q tun
	for ns in "$1" "$2"; do
		local4=$(first_address4 "$ns" "$3")
		[ "$ns" = "$1" ] && peer4=$(first_address4 "$2" "$3") || peer4=$(first_address4 "$1" "$3")
		lz_proc_start "$5-$ns" "$ns" socat "TUN,tun-type=$4,tun-name=$5,iff-no-pi,iff-up" \
			"UDP4-DATAGRAM:$peer4:$6,bind=$local4:$6"
	done
	lz_wait 10 ip -n "$LZ_LAB-$1" link show "$5" && lz_wait 10 ip -n "$LZ_LAB-$2" link show "$5"
}

first_address4()
{
	ip -n "$LZ_LAB-$1" -4 -j address show "$2" | jq -r '.[0].addr_info[0].local'
}

# lz_slower_than MS COMMAND [ARG...]: it succeeds, and takes at least that long.
lz_slower_than()
{
	local limit_ms=$1 start_ms
	start_ms=$(lz_now_ms)
	shift
	"$@" && [ $(($(lz_now_ms) - start_ms)) -ge "$limit_ms" ]
}
