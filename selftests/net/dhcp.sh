#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What `lazaretctl portal options` prints is put into the configuration of real DHCP servers as it is;
# they accept it, and a client that asks gets the link.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/ns.sh
. "$ROOT/selftests/lib/ns.sh"
# shellcheck source=selftests/lib/t.sh
. "$ROOT/selftests/lib/t.sh"
BUILD=${LZ_BUILD:-$ROOT/build}
DHCP=$BUILD/deps/dhcp
URL=https://quarantine.example.net/captive

lz_lab_enter 240 "$@"

# options SERVER [4|6]: what is printed, of one family
options()
{
	"$BUILD/lazaretctl" portal options "$1" --policy "$ROOT/policies/hosting-provider.json" |
		awk -v part="${2:-}" '/^(\/\/|#)/ { n++ } !part || n == (part == 4 ? 1 : 2)'
}

KEA=(env LD_LIBRARY_PATH="$(dirname "$(find "$DHCP/kea-common/usr/lib" -name 'libkea-dhcpsrv.so*' | head -n 1)")"
	KEA_LOCKFILE_DIR="$LZ_DIR" KEA_PIDFILE_DIR="$LZ_DIR")
ISC=$DHCP/isc-dhcp-server/usr/sbin/dhcpd

# asked FAMILY: what a client gets
asked()
{
	lz_ns_run client python3 "$ROOT/selftests/net/dhcp_ask.py" "$1" cli0
}

gets()
{
	[ "$(asked "$1")" = "$URL" ]
}

t_need lz_ns_add server
t_need lz_ns_add client
t_need lz_link_add server srv0 client cli0
t_need lz_addr_add server srv0 192.0.2.1/24 2001:db8:1::1/64
t_need lz_wait 5 lz_ns_run client ip -6 -o address show dev cli0 scope link

# ---------------------------------------------------------------- kea

{
	echo '{ "Dhcp4": {'
	options kea 4
	echo ', "interfaces-config": { "interfaces": ["srv0"] }, "lease-database": { "type": "memfile", "persist": false },
	  "subnet4": [ { "subnet": "192.0.2.0/24", "pools": [ { "pool": "192.0.2.100 - 192.0.2.200" } ] } ] } }'
} >"$LZ_DIR/kea4.conf"
{
	echo '{ "Dhcp6": {'
	options kea 6
	echo ', "interfaces-config": { "interfaces": ["srv0"] }, "lease-database": { "type": "memfile", "persist": false },
	  "server-id": { "type": "LL", "persist": false }, "subnet6": [ { "subnet": "2001:db8:1::/64", "interface": "srv0" } ] } }'
} >"$LZ_DIR/kea6.conf"
for family in 4 6; do
	kea=("${KEA[@]}" "$DHCP/kea-dhcp$family-server/usr/sbin/kea-dhcp$family")
	t_ok "kea-dhcp$family -t" lz_ns_run server "${kea[@]}" -t "$LZ_DIR/kea$family.conf"
	lz_proc_start "kea$family" server "${kea[@]}" -c "$LZ_DIR/kea$family.conf"
	t_ok "kea-dhcp$family: the client gets the link" lz_wait 15 gets "$family"
	lz_proc_stop "kea$family"
done

# ---------------------------------------------------------------- isc

{ options isc 4; echo 'subnet 192.0.2.0 netmask 255.255.255.0 { range 192.0.2.100 192.0.2.200; }'; } >"$LZ_DIR/isc4.conf"
{ options isc 6; echo 'subnet6 2001:db8:1::/64 { }'; } >"$LZ_DIR/isc6.conf"
for family in 4 6; do
	: >"$LZ_DIR/leases$family"
	t_ok "dhcpd -$family -t" lz_ns_run server "$ISC" "-$family" -t -cf "$LZ_DIR/isc$family.conf" -lf "$LZ_DIR/leases$family"
	lz_proc_start "isc$family" server "$ISC" "-$family" -f -cf "$LZ_DIR/isc$family.conf" -lf "$LZ_DIR/leases$family" \
		-pf "$LZ_DIR/dhcpd.pid" srv0
	t_ok "dhcpd -$family: the client gets the link" lz_wait 15 gets "$family"
	lz_proc_stop "isc$family"
done

# ---------------------------------------------------------------- dnsmasq

options dnsmasq >"$LZ_DIR/dnsmasq.conf"
t_ok "dnsmasq --test" dnsmasq --test --conf-file="$LZ_DIR/dnsmasq.conf"
lz_proc_start dnsmasq server dnsmasq --keep-in-foreground --conf-file="$LZ_DIR/dnsmasq.conf" --port=0 \
	--interface=srv0 --bind-interfaces --user=root --dhcp-range=192.0.2.100,192.0.2.200,1h \
	--dhcp-range=2001:db8:1::,ra-stateless --enable-ra --leasefile-ro --pid-file="$LZ_DIR/dnsmasq.pid"
for family in 4 6; do
	t_ok "dnsmasq, IPv$family: the client gets the link" lz_wait 15 gets "$family"
done
lz_proc_stop dnsmasq
t_ok "nobody answers any more" test -z "$(asked 4 2>/dev/null)"
t_eq "no API: no such object" "$("$BUILD/lazaretctl" portal options --policy "$ROOT/policies/demo.json" >/dev/null 2>&1; echo $?)" 4
t_eq "radvd: one line" "$(options radvd | tail -n 1)" "AdvCaptivePortalAPI \"$URL\";"

[ "$T_FAILED" = 0 ] || tail -n 20 "$LZ_DIR"/log/*.log | sed 's/^/# /'
t_end
