#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Who talks to port 25: `source list` and `top` under real connections, their order, their rates, and what they
# are asked that is wrong. Nobody who may look can end the controller by it.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 120 "$@"

cat >"$LZ_DIR/policy.json" <<-END
	{ "version": 1, "name": "sources",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/24"] },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone" } },
	  "capacity": { "sources": 4096, "colony": 1024 } }
END

# order COMMAND...: the customers' addresses, as they come
order()
{
	ctl -j "$@" | jq -r '[.. | objects | .address? // empty | select(startswith("198.51.100."))] | join(" ")'
}

# repeat NAME N: so many connections to port 25, one after the other
repeat()
{
	local i
	for ((i = 0; i < $2; i++)); do
		lz_ns_run "$1" "${ENDS[@]}" refused "$LZ_MX4" 25 >/dev/null
	done
}

# refused_word WORDS...: of a question that is none
refused_word()
{
	ctl "$@" 2>&1
	echo $?
}

t_need lz_provider_add
t_need lz_customer_add shop 198.51.100.11 2001:db8:1000::11
t_need lz_customer_add office 198.51.100.12 2001:db8:1000::12
t_need daemon_start "$LZ_DIR/policy.json"
CONTROLLER=$(pgrep -P "${LZ_PROC[daemon]}" -x lazaretd-ctl)

# ---------------------------------------------------------------- who has been there

t_eq "nobody" "$(order source list)" ""
repeat shop 3
repeat office 6
t_eq "by connections" "$(order source list)" "198.51.100.12 198.51.100.11"
t_eq "as many as there were" "$(ctl -j source list |
	jq -c '[.sources[] | [.address, .smtp_connections, .smtp_destinations]]')" \
	'[["198.51.100.12",6,1],["198.51.100.11",3,1]]'
repeat shop 1
sleep 0.1
for sort in examined syn smtp_connections smtp-connections; do
	t_eq "by $sort" "$(order source list --sort $sort)" "198.51.100.12 198.51.100.11"
done
t_eq "no more than are wanted" "$(ctl -j source list --limit 1 | jq -c '[(.sources | length), .total]')" "[1,2]"
repeat shop 3
t_eq "the other is first now" "$(order source list)" "198.51.100.11 198.51.100.12"

# ---------------------------------------------------------------- who is at it now

lz_proc_start beat-shop shop "${ENDS[@]}" beat "$LZ_DIR/beat.shop" "$LZ_MX4" 25 20
lz_proc_start beat-office office "${ENDS[@]}" beat "$LZ_DIR/beat.office" "$LZ_MX4" 25 100
sleep 0.5
ctl -j top count 1 >"$LZ_DIR/top"
t_eq "the busiest first" "$(jq -r '[.. | objects | .address? // empty] | join(" ")' "$LZ_DIR/top")" \
	"198.51.100.11 198.51.100.12"
t_ok "at the rate of its connections" jq -e '[.. | objects | select(.address) | .smtp_connections_per_s]
	| .[0] >= 20 and .[0] <= 80 and .[1] >= 5 and .[1] <= 20' "$LZ_DIR/top"
t_eq "twice: two answers" "$(ctl -j top count 2 | jq -s length)" 2
t_eq "no more than are wanted" "$(ctl -j top count 1 --limit 1 | jq '[.. | objects | select(.address)] | length')" 1
lz_proc_stop beat-shop
lz_proc_stop beat-office

# ---------------------------------------------------------------- what is asked wrongly

# wrong WORDS...: a question, asked for what cannot be
wrong()
{
	t_eq "$*: no such order" "$(refused_word "$@" --sort x)" \
		"lazaretctl: sort x: want examined, syn, smtp_connections, dropped, would_drop or seen
1"
	t_eq "$*: nobody" "$(refused_word "$@" --limit 0 | tail -n 1)" 1
	t_eq "$*: more than can be" "$(refused_word "$@" --limit 99999999 | tail -n 1)" 1
}

wrong source list
wrong top count 1
for ((i = 0; i < 20; i++)); do
	lz_ns_run gw timeout -s KILL 0.1 "$BUILD/lazaretctl" --instance lab top count 9 >/dev/null
done
t_ok "after twenty who went away it answers" ctl -q source list
t_eq "the controller is the same" "$(pgrep -P "${LZ_PROC[daemon]}" -x lazaretd-ctl)" "$CONTROLLER"
t_end
