#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through t_ok and t_need
#
# The less usual ways to the portal: frames with a priority tag, in the frame and beside it; a tun device,
# which has no Ethernet header; a kernel that answers with SYN cookies.  And what the portal has when a
# hold ends: it goes on for 30 seconds, and then not one packet more.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/ns.sh
. "$ROOT/selftests/lib/ns.sh"
# shellcheck source=selftests/lib/topology.sh
. "$ROOT/selftests/lib/topology.sh"
# shellcheck source=selftests/lib/t.sh
. "$ROOT/selftests/lib/t.sh"
# shellcheck source=selftests/vm/devices.sh
. "$ROOT/selftests/vm/devices.sh"

lz_lab_enter 540 "$@"
# shellcheck source=selftests/lib/steer.sh
. "$ROOT/selftests/lib/steer.sh"

HOME4=198.51.100.10 HOME6=2001:db8:2000::10
FAR4=198.51.100.130 FAR6=2001:db8:2000:9::2

# led WHAT NAME: page and sink, both families
led()
{
	t_eq "$1: the page, v4" "$(get "$2" $SITE4)" "page for $SITE4 80"
	t_eq "$1: the page, v6" "$(get "$2" $SITE6)" "page for $SITE6 80"
	t_eq "$1: the sink, v4" "$(say "$2" $SITE4)" "554 5.7.1 sink for $SITE4 25"
	t_eq "$1: the sink, v6" "$(say "$2" $SITE6)" "554 5.7.1 sink for $SITE6 25"
	t_ok "$1: TLS fails at once, v4" fast "$2" $SITE4 443
	t_ok "$1: TLS fails at once, v6" fast "$2" $SITE6 443
}

hold()
{
	local address
	for address; do
		ctl quarantine add "$address" for 1h garden strict || return 1
	done
}

# ---------------------------------------------------------------- tagged frames

tag_on()
{
	lz_ns_run home tc qdisc replace dev eth0 clsact &&
		lz_ns_run home tc filter replace dev eth0 egress prio 1 handle 1 bpf da \
			obj "$BUILD/selftests/net/tag.bpf.o" sec tc
}

tag_seen()
{
	lz_ns_run gw timeout 5 tcpdump -n -e -l -c 1 -i acc0 'vlan and tcp dst port 80' 2>/dev/null | grep 'vlan 0, p 3'
}

# What the gateway's port gets: a tag beside the frame, as cards with an offload give it, or inside it.
tagged()
{
	local where
	t_need tag_on
	tag_seen >"$LZ_DIR/tag-seen" &
	for where in on off; do
		t_need lz_ns_run home ethtool -K eth0 tx-vlan-hw-insert "$where"
		led "$1, a tag $([ $where = on ] && echo beside || echo inside) the frame" home
	done
	t_need lz_ns_run home tc qdisc del dev eth0 clsact
	wait $!
	t_ok "$1: frames were tagged" [ -s "$LZ_DIR/tag-seen" ]
}

# ---------------------------------------------------------------- SYN cookies

cookies_taken()
{
	lz_ns_run gw nstat -asz TcpExtSyncookiesRecv | awk '$1 ~ /SyncookiesRecv/ { print $2 }'
}

cookies()
{
	local before
	t_need lz_ns_run gw sysctl -qw net.ipv4.tcp_syncookies=2
	before=$(cookies_taken)
	led "$1, SYN cookies" home
	t_eq "$1, SYN cookies: taken" "$(($(cookies_taken) - before))" 4
	t_need lz_ns_run gw sysctl -qw net.ipv4.tcp_syncookies=1
}

# ---------------------------------------------------------------- the end of a hold

# The port of a connection to the page, whose TIME_WAIT is still there, must not be deaf to the site. Where both
# ends close at once the client would have one, too, and could not take the port again.
same_port()
{
	local via=(--local-port 45678 --max-time 8 -H "Connection: close")
	[ "$(get other "$SITE4" "${via[@]}")" = "page for $SITE4 80" ] && ctl quarantine del 198.51.100.11 &&
		[ "$(get other "$SITE4" "${via[@]}")" = "the site" ]
}

# One goes by an operator's hand, the other by itself; requests soon after, 28 s after, and too late.
# Without early demultiplexing: with it, the kernel hands a connection on to its socket for as long as
# both live and no route changes, which the portal ends after 15 s.
# The times are seconds from talk-at's start; the kernel's clock has whole ones. Freed by hand within 6 s of
# it, the first goes on until 29 to 36: 28 is sooner, 38 later. The other's hold of 6 s began up to 4 s before
# it, so it ends at 2 to 7 and goes on until 32 to 37: 8 is after the end, 31 and 44 are on both sides of that.
ends()
{
	local name
	t_need lz_ns_run gw sysctl -qw net.ipv4.ip_early_demux=0
	t_need hold 198.51.100.11
	t_ok "an end: hold for 6 s" ctl quarantine add 198.51.100.12 for 6s garden strict
	lz_proc_start talk-freed home "${ENDS[@]}" talk-at "$LZ_DIR/freed" $SITE4 80 2 14 28 38
	lz_proc_start talk-over late "${ENDS[@]}" talk-at "$LZ_DIR/over" $SITE4 80 8 20 31 44
	t_ok "an end: pages are open" lz_wait 5 grep -q "page for" "$LZ_DIR/freed"
	t_ok "an end: release" ctl quarantine del $HOME4
	t_eq "an end: the very next request" "$(get home $SITE4)" "the site"
	sleep 7
	t_eq "an end by itself: the very next request" "$(get late $SITE4)" "the site"
	t_need lz_ns_run other sysctl -qw net.ipv4.tcp_max_tw_buckets=0
	t_ok "an end: the port of a page's connection reaches the site" same_port
	t_ok "an end: it is over" lz_wait 60 grep -q gone "$LZ_DIR/over"
	for name in freed over; do
		t_eq "$name: asked four times within 30 s" "$(grep -c "page for $SITE4" "$LZ_DIR/$name")" 4
		t_eq "$name: then reset by the site, at once" "$(tail -n 1 "$LZ_DIR/$name" | cut -c 1-12)" "gone after 0"
	done
}

# ---------------------------------------------------------------- a gateway without IPv6

set_ipv6()
{
	lz_ns_run gw sysctl -qw net.ipv6.conf.all.disable_ipv6="$1" net.ipv6.conf.lo.disable_ipv6="$1"
}

leads_ipv6()
{
	ip -n "$LZ_LAB-gw" -6 rule | grep -q '^250:' && ip -n "$LZ_LAB-gw" -6 route show table 19546 | grep -q '^local default'
}

without_ipv6()
{
	INSTANCE=four
	t_need set_ipv6 1
	t_need steer_daemon_start tc acc0
	t_need hold $HOME4
	t_eq "IPv6 switched off: the page" "$(get home $SITE4)" "page for $SITE4 80"
	t_ok "IPv6 switched off: healthy" ctl health
	t_need set_ipv6 0
	t_ok "IPv6 switched on: led there, too" lz_wait 3 leads_ipv6
	lz_proc_stop daemon-four
	t_need lz_ns_run gw "$BIN/lazaretd" --instance four --detach
}

# ---------------------------------------------------------------- tun

# A customer whose line is a tun device on the gateway; the frames themselves go by UDP.
tun_up()
{
	lz_ns_add far && lz_link_add gw lnk0 far lnk0 && lz_addr_add gw lnk0 10.9.0.1/24 &&
		lz_addr_add far lnk0 10.9.0.2/24 && lz_tunnel_add gw far lnk0 tun tun0 5006 &&
		lz_addr_add gw tun0 198.51.100.129/30 2001:db8:2000:9::1/64 &&
		lz_addr_add far tun0 "$FAR4/30" "$FAR6/64" && ns_route_default far 198.51.100.129 2001:db8:2000:9::1 &&
		lz_wait 5 get far "$SITE6"
}

tun()
{
	INSTANCE=tun
	t_need tun_up
	t_need steer_daemon_start auto tun0
	t_need hold $FAR4 $FAR6
	led "tun" far
	t_ok "tun: release" ctl quarantine del $FAR4
	t_eq "tun: the very next request" "$(get far $SITE4)" "the site"
	lz_proc_stop daemon-tun
	t_need lz_ns_run gw "$BIN/lazaretd" --instance tun --detach
}

t_need steer_lab_up
t_need lz_customer_add home $HOME4 $HOME6
t_need lz_customer_add late 198.51.100.12 2001:db8:2000:2::10
t_need lz_customer_add other 198.51.100.11 2001:db8:2000:1::10
t_need lz_wait 5 get home $SITE6

for HOOK in ${HOOKS-xdp tc xdp-generic}; do
	INSTANCE=$HOOK
	t_need steer_daemon_start "$HOOK" acc0
	t_need hold $HOME4 $HOME6
	tagged "$HOOK"
	cookies "$HOOK"
	[ "$HOOK" = "${ENDS_HOOK:-tc}" ] && ends
	lz_proc_stop "daemon-$HOOK"
	t_need lz_ns_run gw "$BIN/lazaretd" --instance "$HOOK" --detach
done
tun
without_ipv6
t_end
