#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Hosts that are held each for itself become one customer's: the end of one hold, and its undoing, end no
# other.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 240 "$@"

MINE=198.51.100.61
SHORT=198.51.100.60
UNDONE=198.51.100.62

cat >"$LZ_DIR/policy.json" <<-'END'
	{ "version": 1, "name": "joined",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/25"] },
	  "customers": { "file": "customers.csv" },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone" } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
END

is_free()
{
	[ "$(ctl -j quarantine list | jq "[.entries[] | select(.address == \"$1\")] | length")" = 0 ]
}

until_of()
{
	ctl -j quarantine show "$1" | jq -r .until
}

t_need lz_provider_add
t_need lz_customer_add host "$MINE" 2001:db8:2000:61::10
echo "C9,198.51.100.90/32" >"$LZ_DIR/customers.csv"
t_need daemon_start "$LZ_DIR/policy.json"

t_ok "a host" ctl quarantine add "$MINE" garden strict for 1h ticket RT-1
t_ok "another one, for a moment" ctl quarantine add "$SHORT" for 5s
# nine of a list for a moment, the tenth for longer
for i in $(seq 20 28); do echo "198.51.100.$i 9s leaky - list"; done >"$LZ_DIR/list"
echo "198.51.100.29 1h leaky - list" >>"$LZ_DIR/list"
t_ok "a list" ctl quarantine import "$LZ_DIR/list"
MINE_UNTIL=$(until_of "$MINE")
LAST_UNTIL=$(until_of 198.51.100.29)

{
	printf 'C2,%s/32\n' "$MINE" "$SHORT" "$UNDONE"
	for i in $(seq 20 29); do echo "C1,198.51.100.$i/32"; done
} >"$LZ_DIR/customers.csv"
t_ok "they are one customer's now" ctl policy apply "$LZ_DIR/policy.json" --yes
t_ok "the list's get one case" ctl quarantine add 198.51.100.20 for 1s
t_ok "one ends" lz_wait 10 is_free "$SHORT"
t_eq "the other one does not" "$(until_of "$MINE")" "$MINE_UNTIL"
t_ok "nine end" lz_wait 15 is_free 198.51.100.28
sleep 1
t_eq "the tenth does not" "$(until_of 198.51.100.29)" "$LAST_UNTIL"
t_eq "nobody says it had" "$(ctl -j why "$MINE" | jq -r '[.timeline[].event] | join(" ")')" held

SINCE=$(date -u +%Y-%m-%dT%H:%M:%SZ)
sleep 1
t_ok "a case that came later" ctl quarantine add "$UNDONE" for 10min
t_ok "is undone" ctl quarantine undo --since "$SINCE" --source operator
t_ok "it is free" is_free "$UNDONE"
t_eq "the older hold of that customer is what it was" "$(until_of "$MINE")" "$MINE_UNTIL"

t_ok "a longer one that takes it along" ctl quarantine add "$UNDONE" for 2h
t_ok "it has" test "$(until_of "$MINE")" != "$MINE_UNTIL"
t_ok "is undone" ctl quarantine undo --since "$SINCE" --source operator
t_ok "its own one is free" is_free "$UNDONE"
t_eq "the older one is held as before" "$(ctl -j quarantine show "$MINE" |
	jq -r '[.until, .garden, .ticket, .state] | join(" ")')" "$MINE_UNTIL strict RT-1 garden"
t_ok "and by the data plane" test "$(ctl -j source show "$MINE" | jq -r .source.garden)" = strict

t_ok "one for itself" ctl quarantine add 198.51.100.70 for 1h
ALONE_UNTIL=$(until_of 198.51.100.70)
sleep 1
SINCE=$(date -u +%Y-%m-%dT%H:%M:%SZ)
t_ok "for longer" ctl quarantine add 198.51.100.70 for 3h
t_ok "undone" ctl quarantine undo --since "$SINCE" --source operator
t_eq "as long as before" "$(until_of 198.51.100.70)" "$ALONE_UNTIL"

t_ok "for less" ctl quarantine set 198.51.100.70 for 3min
t_eq "the timeline knows it from more" "$(ctl -j quarantine show 198.51.100.70 |
	jq -r '[.timeline[].event] | join(" ")')" "held extended undone shortened"
t_ok "and tells for how long" eval 'ctl quarantine show 198.51.100.70 | grep -Eq "shortened +garden:leaky +(3m|3m0[01]s|179s|18[01]s) "'
t_ok "for more again" ctl quarantine set 198.51.100.70 for 2h
t_eq "that is more" "$(ctl -j why 198.51.100.70 | jq -r '.timeline[-1].event')" extended

# ---------------------------------------------------------------- what lists did

# told ADDRESS: what is known of it, its events in their order
told()
{
	ctl -j why "$1" | jq -r '[.timeline[].event] | join(" ")'
}

# list ADDRESS TIME GRADE TICKET
list()
{
	echo "$*" >"$LZ_DIR/list"
	ctl -q quarantine import "$LZ_DIR/list" >"$LZ_DIR/said"
}

sleep 1.1
t_ok "held by an operator" ctl quarantine add 198.51.100.80 block25 for 1h
t_ok "held harder by a list" list 198.51.100.80 2h strict L-1
t_ok "which is undone" ctl quarantine undo --since 2s --source import
t_eq "nothing of it is forgotten" "$(told 198.51.100.80)" "held undone"
t_eq "who, what, when" "$(ctl -j why 198.51.100.80 | jq -r '.timeline[-1] | .actor + " " + .reason' |
	sed -E 's/[-0-9]+T[0-9:]+Z/T/g')" \
	"root all of import since T: no more garden:strict of import by root from T, ticket L-1"
t_ok "until when: as before it" test "$(date -d "$(ctl -j why 198.51.100.80 | jq -r '.timeline[-1].until')" +%s)" \
	-lt "$(date -d '+65 minutes' +%s)"
t_ok "a list" list 198.51.100.81 1h leaky L-1
t_ok "let go" ctl quarantine del 198.51.100.81
t_ok "the next list, at once" list 198.51.100.81 1h leaky L-2
t_eq "in its order" "$(told 198.51.100.81)" "held freed held"
t_eq "the last is in force" "$(ctl -j why 198.51.100.81 | jq -r '.timeline[-1].ticket')" L-2
t_ok "two lists and an operator, and one more" eval 'list 198.51.100.82 1h leaky L-1 &&
	list 198.51.100.82 2h strict L-2 && ctl quarantine add 198.51.100.82 for 3h && list 198.51.100.82 4h strict L-3'
t_eq "each once" "$(told 198.51.100.82)" "held extended extended extended"
t_eq "in their order" "$(ctl -j why 198.51.100.82 | jq -r '[.timeline[] | .ticket // .source] | join(" ")')" \
	"L-1 L-2 operator L-3"

# ---------------------------------------------------------------- nobody is held: nothing is undone

# undone: what an undo of all since says of itself
undone()
{
	ctl -j quarantine undo --since "$SINCE" | jq -c '[.freed, .restored, (.freed_entries | length)]'
}

sleep 1.1
SINCE=$(date -u +%Y-%m-%dT%H:%M:%SZ)
t_ok "held" ctl quarantine add 198.51.100.71 for 10min
t_ok "and let go" ctl quarantine del 198.51.100.71
t_ok "held for a second" ctl quarantine add 198.51.100.72 for 1s
t_ok "held for long" ctl quarantine add 198.51.100.73 for 10min
WAS=$(ctl -j why 198.51.100.71 | jq -c .timeline)
sleep 3
t_eq "one is undone" "$(undone)" "[1,0,1]"
t_eq "who was let go is not told of" "$(ctl -j why 198.51.100.71 | jq -c .timeline)" "$WAS"
t_eq "nor whose time was up" "$(ctl -j why 198.51.100.72 | jq -r '[.timeline[].event] | join(" ")')" "held expired"
t_eq "once more: nothing" "$(undone)" "[0,0,0]"

# ---------------------------------------------------------------- one that cannot be moved

state_is()
{
	[ "$(ctl -j quarantine show "$1" | jq -r .state)" = "$2" ]
}

t_ok "two that end" ctl quarantine add 198.51.100.40 for 3s
t_ok "two that end" ctl quarantine add 198.51.100.41 for 4s
t_need daemon_stop
t_ok "the first one's case cannot be written" python3 - "$STATE/ledger.db" <<-'END'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	case = db.execute("SELECT case_id FROM held ORDER BY expiry_s LIMIT 1").fetchone()[0]
	db.execute(f"""CREATE TRIGGER stuck BEFORE INSERT ON "transition" WHEN new.source = 'clock' AND
	    new.case_id = {case} BEGIN SELECT raise(ABORT, 'stuck'); END""")
	db.commit()
END
t_need daemon_start "$LZ_DIR/policy.json"
t_ok "the second one's is closed" lz_wait 10 state_is 198.51.100.41 released
t_ok "the first one is free, too" is_free 198.51.100.40
t_eq "it is said once, not each turn" "$(grep -c case-stuck "$LZ_DIR/log/daemon.log")" 1

lz_proc_stop daemon
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemon.log" | tail -n 60
t_end
