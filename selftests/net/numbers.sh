#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through t_ok and t_need
#
# Spambots with a TCP stack of their own, and a real mail server: whatever such a stack does with ports and numbers,
# the limits count its connections, and a handshake is evidence.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
# shellcheck source=selftests/lib/mail.sh
. "$ROOT/selftests/lib/mail.sh"
lz_gateway_enter 180 "$@"

BOT=198.51.100.10 MAILS=30

# A class for each use of a limit of five an hour; nobody validates sources.
policy_write()
{
	cat >"$LZ_DIR/policy.json" <<-'END'
	{ "version": 1, "name": "numbers",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "none" },
	                  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "evidence": { "quarantine-needs": "handshake" },
	  "sets": { "dropped": ["198.51.100.32/27"], "stepped": ["198.51.100.64/27"], "held": ["198.51.100.96/27"] },
	  "ladders": { "home": { "steps": ["garden:leaky 1h"] } },
	  "classes": {
	    "dropped": { "of": ["dropped"], "limits": [
	      { "name": "hour", "count": "smtp-connections", "at-most": "5/1h", "then": "drop" }] },
	    "stepped": { "of": ["stepped"], "limits": [
	      { "name": "hour", "count": "smtp-connections", "at-most": "5/1h", "then": "ladder:home" }] },
	    "held": { "of": ["held"], "limits": [
	      { "name": "hour", "count": "smtp-connections", "at-most": "5/1h", "then": "hold 1h" }] } },
	  "guard": { "active-sources": "100%" },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

# sends HOW SOURCE: how many of $MAILS mails the server has taken
sends()
{
	ip -n "$LZ_LAB-gw" route replace "$2/32" via "$BOT"
	lz_ns_run bot timeout 60 python3 "$ROOT/selftests/net/own_stack.py" "$1" "$2" "$LZ_OTHER_MX4" "$MAILS"
}

is_held()
{
	ctl quarantine list | grep -q "$1"
}

# at_most N HOW SOURCE
at_most()
{
	local taken
	taken=$(sends "$2" "$3")
	echo "# $2: $taken of $MAILS taken"
	[ "$taken" -ge 5 ] && [ "$taken" -le "$1" ]
}

t_need lz_provider_add
t_need lz_customer_add bot "$BOT" 2001:db8:2000:2::10
t_need lz_sink_start "$LZ_OTHER_MX4"
policy_write
t_need daemon_start "$LZ_DIR/policy.json"
t_ok "connections as any: five" at_most 5 plain 198.51.100.40
# one more for each that is counted, because a SYN-ACK may get lost
t_ok "by one and the same SYN: no more than ten" at_most 10 again 198.51.100.41
# the sixth handshake is told, and the controller takes its time
t_ok "a ladder: stopped" at_most 15 plain 198.51.100.70
t_ok "and held" is_held 198.51.100.70
t_ok "handshakes out of order: stopped, too" at_most 15 skip 198.51.100.71
t_ok "and held" is_held 198.51.100.71
t_ok "a limit that holds: five" at_most 5 plain 198.51.100.100
t_ok "and held" is_held 198.51.100.100
t_ok "handshakes out of order: five" at_most 5 skip 198.51.100.101
t_ok "and held" is_held 198.51.100.101

[ "$T_FAILED" = 0 ] || tail -n 20 "$LZ_DIR"/log/*.log | sed 's/^/# /'
t_end
