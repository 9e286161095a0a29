#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through t_ok and t_need
#
# Linux takes off any number of priority tags and routes what is below: no number of them leads a customer past his
# class, or a held one out.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
lz_gateway_enter 90 "$@"

SHOP=198.51.100.10
TAGS=(python3 "$ROOT/selftests/net/tags.py")

# policy HOOK
policy()
{
	cat >"$LZ_DIR/$1.json" <<-END2
	{ "version": 1, "name": "$1",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "hook": "$1" },
			  "transit": { "side": "uplink", "match": ["upl0"], "hook": "tc" } },
	  "sets": { "homes": ["198.51.100.0/24"] },
	  "classes": { "homes": { "of": ["homes"], "port25": { "to-world": "drop" } } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END2
}

# came PORT: in how many tags the SYNs to it were that came to the world
came()
{
	local before
	before=$(wc -l <"$LZ_DIR/came")
	lz_ns_run shop "${TAGS[@]}" send "$MAC" "$SHOP" "$LZ_MX4" "$1" || return
	sleep 0.5
	echo $(($(wc -l <"$LZ_DIR/came") - before))
}

t_need lz_provider_add
t_need lz_customer_add shop $SHOP 2001:db8:2000::10
MAC=$(ip -n "$LZ_LAB-gw" -j link show acc0 | jq -r '.[0].address')
lz_proc_start watch world "${TAGS[@]}" watch "$LZ_DIR/came" $SHOP
t_need lz_wait 5 grep -q watching "$LZ_DIR/came"
t_eq "the kernel routes what is below any number of them" "$(came 25)" 13
for hook in xdp tc; do
	policy $hook
	t_need daemon_start "$LZ_DIR/$hook.json"
	t_need ctl -q policy apply "$LZ_DIR/$hook.json" --yes
	t_eq "$hook: mail in none to twelve is refused" "$(came 25)" 0
	# the switch holds one tag beside the frame, so there are eleven in it
	t_eq "$hook: the web passes in up to eight, and one beside" "$(came 443)" 10
	t_need ctl -q quarantine add $SHOP for 1h garden strict
	t_eq "$hook: who is held does not get out" "$(came 443)" 0
	t_need ctl -q quarantine del $SHOP
	t_need daemon_stop
done
t_end
