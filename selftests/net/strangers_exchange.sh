#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The ledger is a wrong one, and what it says wants other tables: a backup of before an exchange was put back, or
# a new ledger begins with another policy. The old instance judges until the new one has all that it knows: nobody
# is let go, those who are excepted stay so, and the books learn both afterwards.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
# shellcheck source=selftests/lib/held.sh
. "$ROOT/selftests/lib/held.sh"

lz_gateway_enter 300 "$@"

WORLD=203.0.113.25

# policy KEY SOURCES [COLONY]
policy()
{
	cat >"$LZ_DIR/p$1-$2.json" <<-END
	{ "version": 1, "name": "key$1-$2", "ipv6-key": $1,
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.12/31", "2001:db8:2000::/36"], "offices": ["198.51.100.14/31"] },
	  "classes": { "homes": { "of": ["homes"], "port25": { "to-world": "drop" } },
		       "offices": { "of": ["offices"], "port25": "leave-alone" } },
	  "gardens": { "care": { "kind": "strict", "mail": "drop", "web": "drop" } },
	  "capacity": { "sources": $2, "colony": ${3:-8192} } }
	END
}

# in_force NAME: this policy judges, in tables of its own
in_force()
{
	[ "$(ctl -j status | jq -r '.policy.name')" = "$1" ] && ! lz_ns_run gw test -e "$PINS~next"
}

reaches()
{
	lz_ns_run "$1" "${ENDS[@]}" once "$WORLD" "${2:-443}"
}


not()
{
	! "$@"
}

exceptions()
{
	ctl -j exception list | jq -r '.exceptions[] | "\(.prefix) \(.what) \(.ticket) \(.until[:4])"' | sort
}

# throttled: of a burst three pass, and one more in six seconds, however long the tries take
throttled()
{
	local n=0 since_ms passed_ms
	since_ms=$(lz_now_ms)
	for _ in {1..8}; do
		reaches slow 25 && n=$((n + 1))
	done
	passed_ms=$(($(lz_now_ms) - since_ms))
	echo "# $n of 8 passed in $passed_ms ms"
	[ "$n" -le $((4 + passed_ms / 6000)) ] && [ "$n" -lt 8 ]
}

# stands WHAT [FAULTS]: everything as it did under the ledger that was lost
stands()
{
	t_ok "$1: who was held since then stays held" not reaches new
	t_ok "$1: in the data plane, who is throttled is" throttled
	t_ok "$1: who was excepted stays so" reaches free 25
	t_eq "$1: how hard, and by whom" "$(row 198.51.100.11)" "garden:care operator"
	t_ok "$1: until when" test "$(left_s 198.51.100.11)" -gt 10500
	t_eq "$1: who was held harder since then stays so" "$(row 198.51.100.10)" "garden:strict operator"
	t_eq "$1: a rate is the same rate" "$(row 198.51.100.14)" "throttle 3/18s operator"
	t_ok "$1: why says that nobody knows" grep -q "this ledger does not say by whom" <(ctl why 198.51.100.11)
	t_eq "$1: a whole list is" "$(ctl quarantine export | grep -c "^198.18.")" 3072
	if [ $# = 1 ]; then
		agreed "$1"
	else
		t_eq "$1: doctor finds nothing else" "$(ctl doctor | awk '/^FAULT/ { print $2 }')" "$2"
	fi
}

policy 64 4096
policy 56 4096
policy 56 20000
policy 60 1024 1024
t_need lz_provider_add
t_need lz_customer_add old 198.51.100.10 2001:db8:2000:10::10
t_need lz_customer_add new 198.51.100.11 2001:db8:2000:11::10
t_need lz_customer_add free 198.51.100.12 2001:db8:2000:12::10
t_need lz_customer_add slow 198.51.100.14 2001:db8:2000:14::10
lz_proc_start world world "${ENDS[@]}" serve "$LZ_DIR/reached" 25 443
t_need lz_port_wait 5 world 25

t_need daemon_start "$LZ_DIR/p64-4096.json"
t_need ctl quarantine add 198.51.100.10 garden leaky for 5h reason before
t_need ctl exception add 198.51.100.13 port25 until 2029-06-01 ticket RT-6
daemon_stop
cp -a "$STATE" "$LZ_DIR/backup"

# ---------------------------------------------------------------- what the backup does not know

t_need daemon_start "$LZ_DIR/p64-4096.json"
t_need ctl policy apply "$LZ_DIR/p56-4096.json" --yes
t_ok "before: other tables" lz_wait 20 in_force key56-4096
t_need ctl quarantine add 198.51.100.15 throttle 5/h for 3h # another row, which is nobody's in the new tables
t_need ctl quarantine add 198.51.100.14 throttle 10/min for 3h
t_need ctl quarantine del 198.51.100.15
t_need ctl quarantine add 198.51.100.11 garden care for 3h reason after
t_need ctl quarantine add 198.51.100.10 garden strict for 2h
t_need ctl quarantine add 2001:db8:2000:1515::15 garden strict for 3h
t_need ctl exception add 198.51.100.12 port25 until 2030-06-01 ticket RT-7
t_need ctl exception add 198.51.100.13 all until 2031-06-01 ticket RT-8
t_need ctl exception add 2001:db8:2000:1600::/56 all until 2031-06-01 ticket RT-9
for n in {0..11}; do
	printf "198.18.$n.%d 3h\n" {0..255}
done >"$LZ_DIR/many"
t_need ctl quarantine import "$LZ_DIR/many" --yes
t_ok "before: held" not reaches new
t_ok "before: throttled" throttled
t_ok "before: excepted" reaches free 25
daemon_kill

# ---------------------------------------------------------------- a backup, of before the tables were exchanged

rm -rf "$STATE" && cp -a "$LZ_DIR/backup" "$STATE"
WORLD=$WORLD t_need beat_start new free
t_need daemon_start "$LZ_DIR/p64-4096.json"
t_ok "a backup: its policy wants the tables of then" lz_wait 20 in_force key64-4096
beat_stop "a backup"
t_ok "a backup: says what it is" logged "event=holds-learnt .*excepted: this ledger is an older copy"
stands "a backup"
t_eq "a backup: who was held by a longer prefix is, in each of its parts" \
	"$(ctl quarantine export | grep -c "^2001:db8:2000:15")" 256
t_eq "a backup: exceptions are on the books" "$(exceptions)" "198.51.100.12 port25 unknown 2030
198.51.100.13 all RT-6 2031
2001:db8:2000:1600::/56 all unknown 2031"
daemon_kill
t_need daemon_start "$LZ_DIR/p64-4096.json"
t_ok "the start after: it is the ledger of this kernel" not logged holds-learnt
stands "the start after"
t_ok "the start after: it can let them go" ctl quarantine del 198.51.100.11
t_ok "who is free then" reaches new
t_need ctl quarantine add 198.51.100.11 garden care for 3h
t_ok "an exception can be taken away" ctl exception del 198.51.100.12
t_ok "which is in force no more" not reaches free 25
t_need ctl exception add 198.51.100.12 port25 until 2030-06-01 ticket RT-7
daemon_stop

# ---------------------------------------------------------------- a new ledger, and a policy of another key

rm -rf "$STATE"
t_need beat_start new free
t_need daemon_start "$LZ_DIR/p56-4096.json"
t_ok "a new ledger: its policy is in force" lz_wait 20 in_force key56-4096
beat_stop "a new ledger"
t_ok "a new ledger: says what it is" logged "event=holds-learnt .*this ledger is not the one that they were held by"
stands "a new ledger"
t_eq "a new ledger: one source again" "$(ctl quarantine export | grep -c "^2001:db8:2000:15")" 1
daemon_stop

# ---------------------------------------------------------------- a new ledger, and one with more room comes later

rm -rf "$STATE"
t_need beat_start new free
t_need daemon_start ""
ctl policy apply "$LZ_DIR/p56-20000.json" >"$LZ_DIR/out" 2>&1
t_eq "the policy comes later: not without a yes" $? 7
t_ok "the policy comes later: says what would happen" grep -q -- "--yes" "$LZ_DIR/out"
ctl policy apply "$LZ_DIR/p56-20000.json" --yes --confirm 60 >"$LZ_DIR/out" 2>&1
t_eq "the policy comes later: not with a deadline" $? 1
t_ok "the policy comes later: applied" ctl policy apply "$LZ_DIR/p56-20000.json" --yes
t_ok "the policy comes later: is in force" lz_wait 20 in_force key56-20000
beat_stop "the policy comes later"
stands "the policy comes later"
daemon_stop

# ---------------------------------------------------------------- a new ledger, and a policy with less room

rm -rf "$STATE"
t_need beat_start new free
t_need daemon_start "$LZ_DIR/p60-1024.json"
t_ok "less room: its policy is in force, in tables that have it" lz_wait 20 in_force key60-1024
beat_stop "less room"
stands "less room" colony-room:
t_ok "less room: health says that it is too little" grep -qE "colony-room.* [3-9]..? % full" <(ctl health)
t_ok "less room: nobody else is held" not ctl quarantine add 198.51.100.77 for 1h
daemon_stop

# ---------------------------------------------------------------- no room to learn

mv "$STATE" "$LZ_DIR/whole"
t_need mkdir "$STATE"
t_need mount -t tmpfs -o size=8m,mode=755 lz-state "$STATE"
cp -a "$LZ_DIR/backup/." "$STATE"
dd if=/dev/zero of="$STATE/other" bs=4k >/dev/null 2>&1
truncate -s -160K "$STATE/other"
t_need daemon_start ""
t_ok "no room to learn: says so" lz_wait 10 logged "event=ledger-failed .*database or disk is full"
t_ok "no room to learn: nobody is let go" not reaches new
t_ok "no room to learn: in the tables of the backup's policy" in_force key64-4096
daemon_kill
t_need daemon_start ""
t_ok "no room to learn: nor by the start after" not reaches new
rm "$STATE/other"
t_ok "with room they are learnt" lz_wait 45 logged "event=holds-learnt"
stands "learnt late"
t_eq "learnt late: exceptions are on the books" "$(exceptions)" "198.51.100.12 port25 unknown 2030
198.51.100.13 all RT-6 2031
2001:db8:2000:1600::/56 all unknown 2031"
daemon_stop
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
