#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through t_ok and t_need
#
# The device kinds of a provider's gateway that a test machine's kernel may lack: each is
# made between two namespaces and carries pings in both families.  What other tests build
# upon; run by run.sh.

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/ns.sh
. "$here/../lib/ns.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/t.sh
. "$here/../lib/t.sh"
# shellcheck source-path=SCRIPTDIR source=devices.sh
. "$here/devices.sh"

lz_lab_enter 120 "$@"

# both_ping NUMBER: gw and cpe reach each other in subnet NUMBER.
both_ping()
{
	lz_ns_run cpe ping -c 2 -i 0.2 -W 5 "100.64.$1.1" &&
		lz_ns_run gw ping -6 -c 2 -i 0.2 -W 5 "2001:db8:64:$1::2"
}

# addresses NUMBER GW-DEVICE CPE-DEVICE
addresses()
{
	lz_addr_add gw "$2" "100.64.$1.1/24" "2001:db8:64:$1::1/64" &&
		lz_addr_add cpe "$3" "100.64.$1.2/24" "2001:db8:64:$1::2/64"
}

kind_of()
{
	ip -n "$LZ_LAB-$1" -d -j link show "$2" | jq -r '.[0].linkinfo.info_kind'
}

echo "# kernel $(uname -r)"
t_need lz_ns_add gw router
t_need lz_ns_add cpe

t_need lz_bond_add gw cpe bond0
t_need addresses 1 bond0 bond0
t_eq "bond0 is a bond" "$(kind_of gw bond0)" bond
t_ok "a bond of two links passes traffic" both_ping 1

t_need lz_vlan_add gw bond0 802.1Q 100
t_need lz_vlan_add cpe bond0 802.1Q 100
t_need addresses 2 bond0.100 bond0.100
t_eq "bond0.100 is a vlan" "$(kind_of gw bond0.100)" vlan
t_ok "a VLAN on the bond passes traffic" both_ping 2

t_need lz_vlan_add gw bond0 802.1ad 200
t_need lz_vlan_add cpe bond0 802.1ad 200
t_need lz_vlan_add gw bond0.200 802.1Q 7
t_need lz_vlan_add cpe bond0.200 802.1Q 7
t_need addresses 3 bond0.200.7 bond0.200.7
t_ok "QinQ on the bond passes traffic" both_ping 3

t_need lz_ppp_add gw cpe ppp0 100.64.4.1 100.64.4.2
t_need lz_addr_add gw ppp0 2001:db8:64:4::1/64
t_need lz_addr_add cpe ppp0 2001:db8:64:4::2/64
t_eq "ppp0 has no Ethernet header" "$(ip -n "$LZ_LAB-gw" -j link show ppp0 | jq -r '.[0].link_type')" ppp
t_ok "PPP over a serial line passes traffic" both_ping 4

t_need lz_pppoe_add gw cpe bond0 100.64.5.1 100.64.5.2
t_need lz_addr_add gw ppp1 2001:db8:64:5::1/64
t_need lz_addr_add cpe ppp1 2001:db8:64:5::2/64
t_ok "PPPoE over the bond passes traffic" both_ping 5

for kind in tun tap; do
	number=$((number == 6 ? 7 : 6))
	t_need lz_tunnel_add gw cpe bond0 "$kind" "$kind"0 $((5000 + number))
	t_need addresses "$number" "$kind"0 "$kind"0
	t_ok "a $kind device passes traffic" both_ping "$number"
done

t_need ip -n "$LZ_LAB-gw" link add dummy0 type dummy
t_eq "dummy0 is a dummy" "$(kind_of gw dummy0)" dummy

t_need lz_ns_run gw tc qdisc add dev bond0 root netem delay 300ms
t_ok "netem delays by 300 ms" lz_slower_than 300 lz_ns_run cpe ping -c 1 -W 5 100.64.1.1
t_end
