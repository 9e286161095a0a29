#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317,SC2016 # functions are called through t_ok and t_need
#
# Interfaces that come while the gateway works, as sessions do: one that cannot have a hook beside the others
# takes nothing from them; and what goes while hooks are attached is no failure of who attaches them.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
lz_gateway_enter 300 "$@"

HELD=198.51.100.10 WORLD=203.0.113.25

has_tc()
{
	[ "$(hook_of "$1")" = tc ]
}

side_of()
{
	ctl -j status | jq -r ".interfaces[] | select(.interface == \"$1\") | .side"
}

clash_told()
{
	ctl health 2>&1 | grep -q "^FAILED hooks: $1: has a hook: it does not fit beside the others: cannot stand beside "
}

reach()
{
	lz_ns_run shop "${ENDS[@]}" once "$WORLD" 443
}

unfit_told()
{
	ctl health 2>&1 | grep -q "^FAILED hooks: $1: no hook is attached: it does not fit beside the others: cannot stand beside "
}

# unfit PORT WHAT: it is there, and takes nothing from the others
unfit()
{
	t_ok "$2: it is told" lz_wait 5 unfit_told "$1"
	t_need port_add p3
	t_ok "$2: another newcomer gets its hook" lz_wait 5 has_hook p3
	t_need hook_steal acc0
	t_ok "$2: a hook that is taken off comes back" lz_wait 5 has_hook acc0
	t_ok "$2: who is held is stopped" eval "! reach"
	daemon_kill
	t_need daemon_start "$LZ_DIR/one.json"
	t_ok "$2: the daemon starts beside it" has_hook p3
	t_ok "$2: and who is held is stopped" eval "! reach"
	t_need port_del p3
	t_need port_del "$1"
	t_ok "$2: nothing is told when it is gone" lz_wait 5 ctl health
}

# ---------------------------------------------------------------- sessions that come and go

churn_start()
{
	for i in $(seq 30); do
		port_add "p$i" || return 1
	done
	lz_proc_start churn gw bash -c 'while :; do
		i=$((RANDOM % 30 + 1))
		ip link del "p$i"
		ip link add "p$i" up type veth peer name "q$i" netns "$0"
	done' "$LZ_LAB-far"
}

applies()
{
	local name
	for _ in 1 2 3; do
		for name in two one; do
			ctl policy apply "$LZ_DIR/$name.json" --yes || return 1
		done
	done
}

offices_write one '"acc0", "p*"'
offices_write two '"acc0", "p*"'
t_need lz_provider_add
t_need lz_ns_add far
t_need lz_customer_add shop $HELD 2001:db8:2000::10
: >"$LZ_DIR/came"
t_need lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 443
t_need lz_port_wait 5 world 443
t_need daemon_start "$LZ_DIR/one.json"
t_ok "who is free reaches the world" reach
t_need ctl quarantine add $HELD garden strict for 1h

t_need port_add p1 index 1000
t_ok "a newcomer gets its hook" lz_wait 5 has_hook p1
t_need port_add p2 index 66536
unfit p2 "one whose number comes round"
t_need ip -n "$LZ_LAB-gw" link add p2 link p1 type macvlan
unfit p2 "one that runs over another"
t_need port_del p1

# Two that have their hooks, and are put one over the other.
t_need port_add p1
t_need ip -n "$LZ_LAB-gw" link add p2 type bridge forward_delay 0
t_need ip -n "$LZ_LAB-gw" link set p2 up
t_ok "a bridge gets its hook" lz_wait 5 has_tc p2
t_need ctl policy apply "$LZ_DIR/two.json" --yes
t_need ip -n "$LZ_LAB-gw" link set p1 master p2
t_ok "two with hooks, one over the other: it is told" lz_wait 5 clash_told p2
t_need ctl policy undo
t_eq "after an undo both have their roles" "$(side_of p1) $(side_of p2)" "customer customer"
t_need ip -n "$LZ_LAB-gw" link set p1 nomaster
t_ok "nothing is told when they are apart" lz_wait 5 ctl health

# One that does not fit, while two policies are planned; then another of the same low 16 bits.
offices_write three '"acc0", "p1"'
t_need ctl policy apply "$LZ_DIR/three.json" --confirm 60 --yes
t_need ip -n "$LZ_LAB-gw" link add p3 index 1003 link p1 type macvlan
sleep 2 # two looks
t_need port_del p3
t_need ctl policy undo
t_need port_add p4 index 66539
t_ok "what did not fit leaves nothing behind" lz_wait 5 has_hook p4
t_need port_del p4
t_need port_del p2
t_need port_del p1
t_ok "all is well" lz_wait 5 ctl health

t_need churn_start
started=0
for _ in 1 2 3 4; do
	daemon_kill
	lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach >/dev/null 2>&1
	rm -rf "$STATE"
	daemon_start "$LZ_DIR/one.json" && started=$((started + 1))
done
t_eq "ports come and go: first starts" $started 4
t_ok "ports come and go: six policies" applies
t_end
