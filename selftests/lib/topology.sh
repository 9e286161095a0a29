# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034 # the addresses are for whoever sources this
#
# A small provider in network namespaces; source ns.sh first.
#
#	home, shop, bot ...    sw            gw                     world
#	customers, one port -- access ====== acc0        upl0 ===== the Internet
#	each                   switch        |  gateway  |          203.0.113.0/25
#	                                     srv0                   2001:db8:ffff::/64
#	                                     |
#	                                     smarthost 192.0.2.25, 2001:db8:25::25
#
# Customers share one segment, as behind a DSLAM or an access switch: the gateway sees
# them all on one interface and can tell them apart by nothing but their addresses.
# The world answers on every address of its two prefixes, for tests of fan-out.

LZ_GW_ACCESS=acc0
LZ_GW_SERVERS=srv0
LZ_GW_UPLINK=upl0
LZ_SMARTHOST4=192.0.2.25
LZ_SMARTHOST6=2001:db8:25::25
LZ_MX4=203.0.113.25
LZ_MX6=2001:db8:ffff::25
LZ_OTHER_MX4=203.0.113.26

# lz_provider_add: gateway, access switch, smarthost and the world; no customers yet.
lz_provider_add()
{
	lz_ns_add gw router && lz_ns_add sw && lz_ns_add smarthost && lz_ns_add world &&
		provider_add_access && provider_add_servers && provider_add_world
}

provider_add_access()
{
	lz_link_add gw "$LZ_GW_ACCESS" sw gw &&
		ip -n "$LZ_LAB-sw" link add br0 type bridge &&
		ip -n "$LZ_LAB-sw" link set gw master br0 &&
		ip -n "$LZ_LAB-sw" link set br0 up
}

provider_add_servers()
{
	lz_link_add gw "$LZ_GW_SERVERS" smarthost eth0 &&
		lz_addr_add gw "$LZ_GW_SERVERS" 192.0.2.1/24 2001:db8:25::1/64 &&
		lz_addr_add smarthost eth0 "$LZ_SMARTHOST4/24" "$LZ_SMARTHOST6/64" &&
		ns_route_default smarthost 192.0.2.1 2001:db8:25::1
}

provider_add_world()
{
	lz_link_add gw "$LZ_GW_UPLINK" world eth0 &&
		lz_addr_add gw "$LZ_GW_UPLINK" 203.0.113.254/30 2001:db8:fffe::2/64 &&
		lz_addr_add world eth0 203.0.113.253/30 2001:db8:fffe::1/64 &&
		ns_route_default world 203.0.113.254 2001:db8:fffe::2 &&
		ns_route_default gw 203.0.113.253 2001:db8:fffe::1 &&
		ip -n "$LZ_LAB-world" route add local 203.0.113.0/25 dev lo &&
		ip -n "$LZ_LAB-world" route add local 2001:db8:ffff::/64 dev lo
}

ns_route_default()
{
	ip -n "$LZ_LAB-$1" route add default via "$2" &&
		ip -n "$LZ_LAB-$1" -6 route add default via "$3"
}

# lz_customer_add NAME IPV4 IPV6: a host on the access segment.  IPV4 is from a /24 and
# IPV6 from a /64 whose .1 and ::1 are the gateway's; it gets them with the first
# customer of that prefix.
lz_customer_add()
{
	local name=$1 v4=$2 v6=$3 gw4=${2%.*}.1 gw6=${3%::*}::1

	lz_ns_add "$name" && lz_link_add "$name" eth0 sw "$name" &&
		ip -n "$LZ_LAB-sw" link set "$name" master br0 &&
		lz_addr_add "$name" eth0 "$v4/24" "$v6/64" || return 1
	ip -n "$LZ_LAB-gw" address replace "$gw4/24" dev "$LZ_GW_ACCESS" &&
		ip -n "$LZ_LAB-gw" address replace "$gw6/64" dev "$LZ_GW_ACCESS" &&
		ns_route_default "$name" "$gw4" "$gw6"
}
