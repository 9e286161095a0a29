#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A customer with an IPv6 /48, told apart by /64: whichever of his 65,537 addresses sends, all of him is held, and
# all of him is let go; in one step, and in a time in which others can wait.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 120 "$@"

V4=198.51.100.10
V6=2001:db8:2000::/48
cat >"$LZ_DIR/policy.json" <<-'END'
	{ "version": 1, "name": "whole",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "customers": { "file": "customers.csv" },
	  "sets": { "homes": ["198.51.100.0/24", "2001:db8:2000::/36"] },
	  "ladders": { "one": { "steps": ["garden:leaky 1h"] } },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone", "limits": [
		{ "name": "few", "count": "smtp-connections", "at-most": "5/1h", "then": "ladder:one" } ] } } }
END
printf '%s\n' "BIZ,$V4/32" "BIZ,$V6" >"$LZ_DIR/customers.csv"

# takes_ms COMMAND...: of the controller's loop, whatever else runs; what it says is in said
takes_ms()
{
	local stat begun
	stat=/proc/$(pgrep -P "${LZ_PROC[daemon]}" -x lazaretd-ctl)/schedstat
	begun=$(cut -d ' ' -f 1 "$stat")
	"$@" >"$LZ_DIR/said" || echo "failed"
	echo $((($(cut -d ' ' -f 1 "$stat") - begun) / 1000000))
}

touched()
{
	jq -r '.touched | sort | join(" ")' "$LZ_DIR/said"
}

held_is()
{
	[ "$(ctl -j status | jq .colony.held)" = "$1" ]
}

# guard_is ACTIVE HELD: as the guard counts both
guard_is()
{
	[ "$(ctl -j quarantine guard | jq -c '[.active_sources, .held_automatically]')" = "[$1,$2]" ]
}

# reaches SOURCE ADDRESS: port 25 of the world
reaches()
{
	lz_ns_run home timeout 3 nc -z -w 2 -s "$1" "$2" 25
}

shut()
{
	! reaches "$@"
}

send()
{
	for _ in $(seq 10); do lz_ns_run home nc -z -w 1 -s "$1" "$2" 25; done
}

t_need lz_provider_add
t_need lz_customer_add home "$V4" 2001:db8:2000::10
t_need lz_addr_add home eth0 2001:db8:2000:5::10/64
t_need ip -n "$LZ_LAB-gw" address replace 2001:db8:2000:5::1/64 dev acc0
: >"$LZ_DIR/came"
lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 25
t_need lz_port_wait 5 world 25
t_need daemon_start "$LZ_DIR/policy.json"
t_ok "another /64 of his reaches port 25" lz_wait 5 reaches 2001:db8:2000:5::10 2001:db8:ffff::25

# ---------------------------------------------------------------- by an operator

HELD_MS=$(takes_ms ctl -j quarantine add "$V4" for 1h)
t_eq "held by one address, he is with all" "$(touched)" "$V4 $V6"
t_eq "and nothing is said of others" "$(jq -r '.note // "-"' "$LZ_DIR/said")" -
t_ok "as many as there are" held_is 65537
t_ok "this one is shut" shut "$V4" 203.0.113.25
t_ok "another /64 is" shut 2001:db8:2000:5::10 2001:db8:ffff::25
t_eq "the last of them is" "$(ctl -j source show 2001:db8:2000:ffff::1 | jq -r .source.garden)" leaky
t_ok "doctor agrees" ctl doctor
t_ok "for the guard he is one who has sent, not 65,537" lz_wait 15 guard_is 1 0
AGAIN_MS=$(takes_ms ctl -j quarantine add 2001:db8:2000:8888::1 for 2h)
SHOWN_MS=$(takes_ms ctl -j quarantine show 2001:db8:2000:5::1)
FREED_MS=$(takes_ms ctl -j quarantine del 2001:db8:2000:8888::1)
t_eq "let go with all" "$(touched)" "$V4 $V6"
echo "# held in $HELD_MS ms, extended in $AGAIN_MS, shown in $SHOWN_MS, let go in $FREED_MS"
t_ok "in seconds" test $((HELD_MS + AGAIN_MS + SHOWN_MS + FREED_MS)) -lt 10000
t_ok "nobody is held" held_is 0

# ---------------------------------------------------------------- with exceptions

# The narrowest counts; one for all of him is no reason to ask for each of his addresses.
t_need ctl exception add "$V6" port25 until 2099-01-01 ticket RT-1
t_need ctl exception add 2001:db8:2000:ffff::/64 all until 2099-01-01 ticket RT-2
LOOK_MS=$(takes_ms ctl -j quarantine add "$V4" for 1h | tail -n 1)
t_ok "the last of them has an exception from all: he is not held" held_is 0
echo "# found in $LOOK_MS ms"
t_ok "found soon" test "$LOOK_MS" -lt 100
t_need ctl exception del 2001:db8:2000:ffff::/64
t_need ctl exception add "$V6" all until 2099-01-01 ticket RT-1
t_need ctl exception add 2001:db8:2000::/64 port25 until 2099-01-01 ticket RT-2
t_eq "all but one have one: he is not held, either" "$(status_of ctl quarantine add "$V4" for 1h)" 2
t_need ctl exception del 2001:db8:2000::/64
t_need ctl exception add "$V6" port25 until 2099-01-01 ticket RT-1
t_ok "one from port 25 lets him be held" ctl quarantine add "$V4" for 1h
t_ok "with all" held_is 65537
t_need ctl quarantine del "$V4"
t_need ctl exception del "$V6"

# ---------------------------------------------------------------- by a ladder, the clock, and a list

sleep 2 # what is older than a release is no evidence
send 2001:db8:2000::10 2001:db8:ffff::25
t_ok "who sends from one /64 is held with all" lz_wait 10 held_is 65537
t_ok "the /64 that has sent is shut" shut 2001:db8:2000::10 2001:db8:ffff::25
t_ok "another one is" shut 2001:db8:2000:5::10 2001:db8:ffff::25
t_ok "his IPv4 is" shut "$V4" 203.0.113.25
t_ok "one is held by himself, of one who has sent" guard_is 1 1
t_ok "for a moment now" ctl quarantine set "$V4" for 2s
t_ok "it ends for all" lz_wait 10 held_is 0
echo "2001:db8:2000:8001::5 1h leaky T-1" >"$LZ_DIR/list"
t_eq "a line of a list that nobody watches is one host" "$(ctl -j quarantine import "$LZ_DIR/list" |
	jq -c '[.held, .along, .apart]')" "[65537,65536,0]"
t_ok "undone" ctl -q quarantine undo --since 1min --source import
t_ok "nobody is held" held_is 0

# ---------------------------------------------------------------- he gives an address away

t_ok "held again" ctl quarantine add "$V4" for 1h
sed -i "s/BIZ,$V4/OTHER,$V4/" "$LZ_DIR/customers.csv"
t_ok "his IPv4 is another's" ctl policy apply "$LZ_DIR/policy.json" --yes
is_others()
{
	[ "$(ctl -j quarantine show "$V4" | jq -r '"\(.customer) \(.touched | join(" "))"')" = "OTHER $V4" ]
}
t_ok "who has it by a case of his own" lz_wait 20 is_others
ctl -j quarantine show 2001:db8:2000:1::1 >"$LZ_DIR/said"
t_eq "the rest is as it was" "$(touched)" "$V6"
daemon_kill
t_need daemon_start ""
t_ok "a new daemon holds all of it" held_is 65537
t_ok "in the data plane, too" ctl doctor
t_ok "and knows at once who has sent" guard_is 2 0

# ---------------------------------------------------------------- one of his prefixes lies in another

t_need ctl quarantine del "$V4"
t_need ctl quarantine del 2001:db8:2000:1::1
printf '%s\n' "BIZ,$V6" "BIZ,2001:db8:2000:5::/64" >"$LZ_DIR/customers.csv"
t_ok "a list that says so is one" ctl policy apply "$LZ_DIR/policy.json" --yes
t_ok "he is held" ctl quarantine add 2001:db8:2000:5::10 for 1h
t_ok "by each address once" held_is 65536
t_ok "for longer" ctl quarantine add 2001:db8:2000:5::10 for 2h
t_ok "by as many" held_is 65536
t_ok "let go" ctl quarantine del 2001:db8:2000:5::10
t_ok "by as many" held_is 0

daemon_stop
t_eq "nothing failed" "$(grep -cE 'event=(ledger-failed|controller-hangs|not-held)' "$LZ_DIR/log/daemons.log")" 0
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
