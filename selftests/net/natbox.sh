#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through t_ok and t_need
#
# A gateway without an uplink port in its policy, as one that NATs has: the return hook is tc egress of the
# customers' port, which our own refusals leave by, too. A reset of ours comes from port 25; whoever refuses what
# comes from there must not take it for a stranger's.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
lz_gateway_enter 180 "$@"

SHOP4=198.51.100.10 SHOP6=2001:db8:2000::10

# policy_write HOOK
policy_write()
{
	cat >"$LZ_DIR/policy.json" <<-END
	{ "version": 1, "name": "nat-box",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "hook": "$1",
	                              "source-validation": "strict" } },
	  "sets": { "offices": ["198.51.100.0/24", "2001:db8:2000::/36"] },
	  "classes": { "offices": { "of": ["offices"],
	    "port25": { "to-world": "tcp-reset", "from-port-25": "drop" } } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

refused()
{
	ctl -j policy counters | jq '.rules[0].refused_packets'
}

# From outside, as somebody's triangle: source port 25, a SYN-ACK that nobody asked for.
triangle()
{
	lz_ns_run world timeout 10 python3 - "$SHOP4" <<-'END'
	import socket, struct, sys
	s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
	for _ in range(5):
	    s.sendto(struct.pack("!HHIIBBHHH", 25, 40000, 1, 1, 0x50, 0x12, 1024, 0, 0), (sys.argv[1], 0))
	END
}

# one HOOK
one()
{
	policy_write "$1"
	t_need lz_proc_start daemon gw "$BUILD/lazaretd" --instance lab --policy "$LZ_DIR/policy.json" \
		--state "$LZ_DIR/state-$1" --run /run/lazaret-lab
	t_need lz_wait 20 ctl status
	t_ok "$1: refused at once, IPv4" lz_ns_run shop "${ENDS[@]}" refused "$LZ_MX4" 25
	t_ok "$1: refused at once, IPv6" lz_ns_run shop "${ENDS[@]}" refused "$LZ_MX6" 25
	t_eq "$1: none of the resets was taken for a stranger's" "$(refused)" 2
	t_need triangle
	t_eq "$1: a stranger's is dropped" "$(refused)" 7
	daemon_kill
	t_need lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach
}

t_need lz_provider_add
t_need lz_customer_add shop "$SHOP4" "$SHOP6"
one tc
one xdp
one xdp-generic
t_end
