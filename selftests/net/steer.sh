#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The web and mail of a held host are led to the portal, with real sockets at all ends: each hook, both
# families; a stand-in takes the portal's place.  What is refused is refused fast, a released host
# finishes its page and its next connection is free, the neighbour notices nothing.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/ns.sh
. "$ROOT/selftests/lib/ns.sh"
# shellcheck source=selftests/lib/topology.sh
. "$ROOT/selftests/lib/topology.sh"
# shellcheck source=selftests/lib/t.sh
. "$ROOT/selftests/lib/t.sh"

lz_lab_enter 540 "$@"
# shellcheck source=selftests/lib/steer.sh
. "$ROOT/selftests/lib/steer.sh"

HELD4=198.51.100.10 HELD6=2001:db8:2000::10

log()
{
	cat "$LZ_DIR/log/daemon-$INSTANCE.log"
}

counted()
{
	[ "$(ctl -j status | jq '[.interfaces[].steered_packets] | add')" -gt 0 ]
}

# led WHAT: everything that a held host must see
led()
{
	local what=$1
	t_eq "$what: the page, v4" "$(get office "$SITE4")" "page for $SITE4 80"
	t_eq "$what: the page, v6" "$(get office $SITE6)" "page for $SITE6 80"
	t_eq "$what: the page of any address" "$(get office 203.0.113.81)" "page for 203.0.113.81 80"
	t_eq "$what: the sink, v4" "$(say office $SITE4)" "554 5.7.1 sink for $SITE4 25"
	t_eq "$what: the sink, v6" "$(say office $SITE6)" "554 5.7.1 sink for $SITE6 25"
	t_ok "$what: TLS fails at once, v4" fast office $SITE4 443
	t_ok "$what: TLS fails at once, v6" fast office $SITE6 443
	t_eq "$what: the neighbour sees the site, v4" "$(get shop $SITE4)" "the site"
	t_eq "$what: the neighbour sees the site, v6" "$(get shop $SITE6)" "the site"
	t_ok "$what: one port again and again (TIME_WAIT)" \
		lz_ns_run office "${ENDS[@]}" again $SITE4 80 5
	t_ok "$what: counted" counted
}

# released WHAT: a connection that the page has goes on, a new one is free
released()
{
	local what=$1 talk="$LZ_DIR/talk-$INSTANCE"
	mkfifo "$talk.go"
	lz_proc_start "talk-$INSTANCE" office "${ENDS[@]}" talk "$talk.go" "$talk" $SITE4 80
	t_ok "$what: a page is open" lz_wait 3 grep -q "page for" "$talk"
	t_ok "$what: release" ctl quarantine del $HELD4
	t_eq "$what: the very next request" "$(get office "$SITE4")" "the site"
	echo >"$talk.go"
	t_ok "$what: the open page goes on" lz_wait 3 has_two "$talk"
	lz_proc_stop "talk-$INSTANCE"
}

has_two()
{
	[ "$(grep -c "page for" "$1")" = 2 ]
}

# flooded WHAT: one held host's SYNs do not take the portal from another
flooded()
{
	lz_proc_start "flood-$INSTANCE" office hping3 -q -S -p 80 --flood $SITE4
	sleep 1
	t_eq "$1: another held host sees the page" "$(get shop2 $SITE4)" "page for $SITE4 80"
	t_eq "$1: the neighbour sees the site" "$(get shop $SITE4)" "the site"
	lz_proc_stop "flood-$INSTANCE" INT
	t_ok "$1: was limited" limited
}

limited()
{
	[ "$(ctl -j status | jq '[.interfaces[].steer_limited_packets] | add')" -gt 100 ]
}

portal_pid()
{
	pgrep -P "${LZ_PROC[daemon-$INSTANCE]}" -f lazaret-portal
}

another_pid()
{
	[ -n "$(portal_pid)" ] && [ "$(portal_pid)" != "$1" ]
}

not_healthy()
{
	! ctl health && ctl -j health | jq -e '.checks[] | select(.name == "portal") | .ok == false'
}

shows_page()
{
	[ "$(get office "$SITE4")" = "page for $SITE4 80" ]
}

rules()
{
	ip -n "$LZ_LAB-gw" rule
	ip -n "$LZ_LAB-gw" -6 rule
	ip -n "$LZ_LAB-gw" route show table 19546 2>/dev/null
	ip -n "$LZ_LAB-gw" -6 route show table 19546 2>/dev/null
}

# faults: nothing that happens to the portal lets a held host out
faults()
{
	local old rules_now
	old=$(portal_pid)
	kill -KILL "$old"
	t_ok "portal killed: another one" lz_wait 5 another_pid "$old"
	t_ok "portal killed: the page again" lz_wait 5 shows_page
	rules_now=$(rules)
	ip -n "$LZ_LAB-gw" rule del priority 250
	ip -n "$LZ_LAB-gw" -6 rule del priority 250
	ip -n "$LZ_LAB-gw" route flush table 19546
	t_ok "rules flushed: nothing leaks" test "$(get office $SITE4 --max-time 1)" != "the site"
	t_ok "rules flushed: back within two seconds" lz_wait 2 test "$(sleep 1; rules)" = "$rules_now"
	t_ok "rules flushed: the page again" lz_wait 3 shows_page
	mv "$BIN/lazaret-portal" "$BIN/away"
	kill -KILL "$(portal_pid)"
	t_ok "portal gone: an alarm" lz_wait 5 not_healthy
	t_ok "portal gone: refused at last" lz_wait 10 fast office $SITE4 80
	t_ok "portal gone: mail too" fast office $SITE4 25
	t_ok "portal gone: the neighbour sees the site" test "$(get shop $SITE4)" = "the site"
	mv "$BIN/away" "$BIN/lazaret-portal"
	t_ok "portal back: the page" lz_wait 15 shows_page
	t_ok "portal back: healthy" lz_wait 5 ctl health
}

# A rule of somebody else that would take our packets away is said, and nothing is led.
conflict()
{
	INSTANCE=conflict
	cp "$LZ_DIR/tc.json" "$LZ_DIR/conflict.json"
	ip -n "$LZ_LAB-gw" rule add priority 100 fwmark 0x4c5a0000 lookup 77
	t_need daemon_start
	t_ok "a foreign rule: said in one line" \
		grep -q 'event=portal-failed.*ip rule 100 (fwmark 0x4c5a0000.*is in the way' \
		"$LZ_DIR/log/daemon-conflict.log"
	t_ok "a foreign rule: an alarm" not_healthy
	t_ok "a foreign rule: hold" hold_both
	t_ok "a foreign rule: refused" fast office $SITE4 80
	ip -n "$LZ_LAB-gw" rule del priority 100
	lz_proc_stop daemon-conflict
	t_need daemon_start
	t_ok "a foreign rule gone: the page" lz_wait 5 shows_page
	comes_later
	lz_proc_stop daemon-conflict
	t_ok "a foreign rule: detach" lz_ns_run gw "$BIN/lazaretd" --instance conflict --detach
}

# comes RULE...: an operator's rule, in both families, while the portal leads
comes()
{
	ip -n "$LZ_LAB-gw" rule add "$@" && ip -n "$LZ_LAB-gw" -6 rule add "$@"
}

goes()
{
	ip -n "$LZ_LAB-gw" rule del priority "$1" && ip -n "$LZ_LAB-gw" -6 rule del priority "$1"
}

in_the_way()
{
	not_healthy && ctl -j health | jq -e --arg rule "$1" '.checks[] | select(.name == "portal") | .why | contains($rule)'
}

# Rules that come later: what takes every packet is said and nothing is led until it is gone; what has no
# way for them, or only for others, changes nothing.
comes_later()
{
	local rule
	ip -n "$LZ_LAB-gw" route add default via 203.0.113.253 table 77
	ip -n "$LZ_LAB-gw" -6 route add default via 2001:db8:fffe::1 table 77
	for rule in "priority 100 lookup 77" "priority 249 not fwmark 0xca6c lookup 77" "priority 9 unreachable" \
		"priority 99 goto 32766"; do
		# shellcheck disable=SC2086 # words of a rule
		t_ok "$rule" comes $rule
		t_ok "$rule: an alarm that names it" lz_wait 3 in_the_way "ip rule $(cut -d ' ' -f 2 <<<"$rule") ("
		t_ok "$rule: refused at once" lz_wait 3 fast office $SITE4 80
		t_ok "$rule: gone" goes "$(cut -d ' ' -f 2 <<<"$rule")"
		t_ok "$rule: the page again" lz_wait 5 shows_page
		t_ok "$rule: healthy" lz_wait 5 ctl health
	done
	ip -n "$LZ_LAB-gw" -6 rule add priority 101 lookup 77
	t_ok "only of IPv6: named so" lz_wait 3 in_the_way "ip -6 rule 101 ("
	ip -n "$LZ_LAB-gw" -6 rule del priority 101
	t_ok "rules that take nothing of ours" comes priority 220 lookup 220
	ip -n "$LZ_LAB-gw" rule add priority 102 lookup main suppress_prefixlength 0
	ip -n "$LZ_LAB-gw" rule add priority 103 from 192.0.2.0/24 lookup 77
	sleep 1.5
	t_ok "... are no alarm" lz_wait 5 ctl health
	t_eq "... and the page is there" "$(get office $SITE4)" "page for $SITE4 80"
	t_ok "preflight tells of one for some sources" one_for_some
	for rule in 102 103; do
		ip -n "$LZ_LAB-gw" rule del priority $rule
	done
	goes 220
}

one_for_some()
{
	lz_ns_run gw "$BIN/lazaretd" --preflight --policy "$LZ_DIR/conflict.json" | tee /dev/stderr |
		grep '^warn .*ip rule 103 (.*from 192.0.2.0/24, table 77) is for some, before 250'
}

hold_both()
{
	ctl quarantine add "$HELD4" for 1h garden strict && ctl quarantine add "$HELD6" for 1h garden strict &&
		ctl quarantine add 198.51.100.12 for 1h garden strict
}

# ---------------------------------------------------------------- set-up

t_need steer_lab_up
t_need lz_customer_add office $HELD4 $HELD6
t_need lz_customer_add shop 198.51.100.11 2001:db8:2000:1::10
t_need lz_customer_add shop2 198.51.100.12 2001:db8:2000:2::10
t_need lz_wait 5 get shop $SITE6

RULES_BEFORE=$(rules)

# ---------------------------------------------------------------- every hook

for HOOK in ${HOOKS:-xdp tc xdp-generic}; do
	INSTANCE=$HOOK
	t_need steer_daemon_start "$HOOK" acc0
	t_ok "$HOOK: hold" hold_both
	led "$HOOK"
	released "$HOOK"
	if [ "$HOOK" = tc ]; then
		t_ok "hold again" hold_both
		faults
		flooded "a flood"
	fi
	t_eq "$HOOK: portal's user" "$(stat -c %u "/proc/$(portal_pid)")" "$(id -u lazaret-portal)"
	lz_proc_stop "daemon-$INSTANCE"
	t_ok "$HOOK: detach" lz_ns_run gw "$BIN/lazaretd" --instance "$HOOK" --detach
	t_eq "$HOOK: no rule left" "$(rules)" "$RULES_BEFORE"
done
conflict
[ "${SHOW:-}" ] && log; t_end
