#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through t_ok and t_need
#
# lazaretd on the devices of a provider's gateway: a VLAN on a bond, a ppp device that is parsed from
# its IP header, a port and its own VLAN refused.  Real TCP from behind each; who is held is led to a
# stand-in for the portal from each, and from a trunk whose frames bear the VLAN's tag; run by run.sh.

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/ns.sh
. "$here/../lib/ns.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/t.sh
. "$here/../lib/t.sh"
# shellcheck source-path=SCRIPTDIR source=devices.sh
. "$here/devices.sh"
ENDS=(python3 "$here/../net/tcp_ends.py")
WORLD=203.0.113.25
WORLD6=2001:db8:ffff::25

lz_lab_enter 540 "$@"

INSTANCE=guest

ctl()
{
	lz_ns_run gw "$LZ_BUILD/lazaretctl" --instance "$INSTANCE" "$@"
}

daemon_start()
{
	lz_proc_start "daemon-$INSTANCE" gw "$LZ_DIR/bin/lazaretd" --instance "$INSTANCE" --policy "$LZ_DIR/$1" \
		--state "$LZ_DIR/state-$INSTANCE" --run "/run/lazaret-$INSTANCE"
	lz_wait 240 ctl status
}

# policy FILE MATCH: customers arrive on MATCH, a list of JSON strings
policy()
{
	cat >"$LZ_DIR/$1" <<-END
	{ "version": 1, "name": "guest",
	  "interfaces": { "access": { "side": "customer", "match": [$2] },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "dynamic": ["100.64.0.0/10", "2001:db8:1000::/36"] },
	  "portal": { "url": "http://quarantine.example.net/", "contact": "abuse desk", "provider": "Example Net" },
	  "gardens": { "strict": { "mail": "smtp-554", "web": "page", "tls": "tcp-reset" } },
	  "classes": { "dynamic": { "of": ["dynamic"], "port25": { "to-world": "icmp-admin" } } },
	  "capacity": { "sources": 4096, "colony": 1024 } }
	END
}

# from NUMBER: the customer's way to the world goes through subnet NUMBER
from()
{
	ip -n "$LZ_LAB-cpe" route replace 203.0.113.0/24 via "100.64.$1.1" &&
		ip -n "$LZ_LAB-cpe" route replace 2001:db8:ffff::/64 via "2001:db8:1000:$1::1"
}

# refused: at once, and with the true error
refused()
{
	local said
	said=$(lz_ns_run cpe timeout 20 nc -v -w 15 "$WORLD" 25 2>&1 </dev/null)
	echo "$said"
	[[ $said == *"No route to host"* ]]
}

refused6()
{
	local said
	said=$(lz_ns_run cpe timeout 20 nc -v -w 15 "$WORLD6" 25 2>&1 </dev/null)
	echo "$said"
	[[ $said == *"Permission denied"* ]]
}

# led WHAT NUMBER: the customer in subnet NUMBER, held
led()
{
	from "$2"
	t_ok "$1: hold" ctl quarantine add "100.64.$2.2" for 1h garden strict
	t_ok "$1: the page" lz_wait 20 shows_page
	t_eq "$1: the sink" "$(lz_ns_run cpe "${ENDS[@]}" greeting "$WORLD" 25)" "554 5.7.1 sink for $WORLD 25"
	t_ok "$1: TLS is refused" tls_refused
	t_ok "$1: release" ctl quarantine del "100.64.$2.2"
	t_ok "$1: the site is reached" lz_ns_run cpe "${ENDS[@]}" once "$WORLD" 80
}

# With a reset; how fast says little in an emulated machine.
tls_refused()
{
	lz_ns_run cpe timeout 20 nc -v -w 15 "$WORLD" 443 2>&1 </dev/null | tee /dev/stderr | grep -q "Connection refused"
}

shows_page()
{
	[ "$(lz_ns_run cpe curl -s --max-time 5 "http://$WORLD/")" = "page for $WORLD 80" ]
}

hook_of()
{
	ctl -j status | jq -r --arg name "$1" '.interfaces[] | select(.interface == $name) | .hook'
}

t_need lz_ns_add gw router
t_need lz_ns_add cpe
t_need lz_ns_add world
t_need lz_link_add gw upl0 world upl0
t_need lz_addr_add gw upl0 203.0.113.1/24
t_need lz_addr_add world upl0 "$WORLD/24"
t_need lz_addr_add gw upl0 2001:db8:ffff::1/64
t_need lz_addr_add world upl0 "$WORLD6/64"
t_need ip -n "$LZ_LAB-world" route add 100.64.0.0/10 via 203.0.113.1
t_need ip -n "$LZ_LAB-world" route add 2001:db8:1000::/36 via 2001:db8:ffff::1
t_need lz_bond_add gw cpe bond0
t_need lz_vlan_add gw bond0 802.1Q 100
t_need lz_vlan_add cpe bond0 802.1Q 100
t_need lz_addr_add gw bond0.100 100.64.2.1/24
t_need lz_addr_add cpe bond0.100 100.64.2.2/24
t_need lz_addr_add gw bond0.100 2001:db8:1000:2::1/64
t_need lz_addr_add cpe bond0.100 2001:db8:1000:2::2/64
t_need lz_ppp_add gw cpe ppp0 100.64.4.1 100.64.4.2
t_need lz_addr_add gw ppp0 2001:db8:1000:4::1/64
t_need lz_addr_add cpe ppp0 2001:db8:1000:4::2/64
: >"$LZ_DIR/came"
lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 25 80
t_need lz_port_wait 20 world 25
from 2
t_ok "before: port 25 is open" lz_ns_run cpe "${ENDS[@]}" once "$WORLD" 25
from 4
t_ok "before: over ppp and IPv6 too" lz_wait 10 lz_ns_run cpe "${ENDS[@]}" once "$WORLD6" 25

t_need mkdir "$LZ_DIR/bin"
t_need cp "$LZ_BUILD/lazaretd" "$LZ_DIR/bin/"
t_need cp "$here/../lib/portal_standin.py" "$LZ_DIR/bin/lazaret-portal"
t_need chmod 755 "$LZ_DIR" "$LZ_DIR/bin" "$LZ_DIR/bin/lazaret-portal"
policy one.json '"bond0.1*", "ppp*"'
policy both.json '"bond0", "bond0.100"'
t_need daemon_start one.json
t_eq "the VLAN on the bond is judged in tc" "$(hook_of bond0.100)" tc
t_eq "so is ppp" "$(hook_of ppp0)" tc
for number in 2 4; do
	from "$number"
	t_ok "subnet $number: port 25 is refused, truthfully" refused
	t_ok "subnet $number: port 80 passes" lz_ns_run cpe "${ENDS[@]}" once "$WORLD" 80
	t_ok "subnet $number, IPv6: port 25 is refused, truthfully" refused6
	t_ok "subnet $number, IPv6: port 80 passes" lz_ns_run cpe "${ENDS[@]}" once "$WORLD6" 80
done
t_eq "a port and its own VLAN are refused" "$(ctl policy apply "$LZ_DIR/both.json" --yes \
	>/dev/null 2>"$LZ_DIR/both.err"; echo $?)" 1
t_ok "... with the reason" grep -q "judged twice" "$LZ_DIR/both.err"
t_ok "... and nothing has changed" refused
led "a VLAN device" 2
led "a ppp device" 4
lz_proc_stop daemon-guest
t_need lz_ns_run gw "$LZ_DIR/bin/lazaretd" --instance guest --detach
INSTANCE=trunk
policy trunk.json '"bond0"'
t_need daemon_start trunk.json
led "tagged frames of a trunk" 2
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR"/log/daemon-*.log
t_end
