#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Addresses change hands while they are held: a case stays with its customer. What the new owner of an
# address does ends nothing of the old one's, and a case that has lost all it held is over.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 240 "$@"

cat >"$LZ_DIR/policy.json" <<-'END'
	{ "version": 1, "name": "owner",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/25"] },
	  "customers": { "file": "customers.csv" },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone" } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
END

# own CUSTOMER ADDRESS...: adds lines of the customers' list
own()
{
	local customer=$1
	shift
	printf "$customer,%s/32\n" "$@"
}

# case_of ADDRESS: number, state and end of what is known of it now
case_of()
{
	ctl -j quarantine show "$1" | jq -r '[.case, .state, .until // "-"] | join(" ")'
}

# state_of CASE: as the ledger has it
state_of()
{
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(*db.execute("SELECT state FROM cases WHERE id = ?", (sys.argv[2],)).fetchone())' \
		"$STATE/ledger.db" "$1"
}

is_held()
{
	[ "$(ctl -j quarantine list | jq "[.entries[] | select(.address == \"$1\")] | length")" = 1 ]
}

t_need lz_provider_add
{ own C1 198.51.100.60 198.51.100.61; own C2 198.51.100.70; own C3 198.51.100.80
  own C5 198.51.100.90 198.51.100.91; own C6 198.51.100.92; } >"$LZ_DIR/customers.csv"
t_need daemon_start "$LZ_DIR/policy.json"

# ---------------------------------------------------------------- one of two addresses goes to another

t_ok "C1 is held" ctl quarantine add 198.51.100.60 for 1h ticket RT-1
C1=$(case_of 198.51.100.60)
t_eq "with both addresses, one case" "$(case_of 198.51.100.61)" "$C1"
t_ok "C3 is held" ctl quarantine add 198.51.100.80 for 1h
C3=$(case_of 198.51.100.80)
t_ok "C5 is held" ctl quarantine add 198.51.100.90 for 1h
C5=$(case_of 198.51.100.90)
{ own C1 198.51.100.60; own C2 198.51.100.61 198.51.100.70; own C4 198.51.100.80
  own C5 198.51.100.90; own C6 198.51.100.91 198.51.100.92; } >"$LZ_DIR/customers.csv"
t_ok "addresses change hands" ctl policy apply "$LZ_DIR/policy.json" --yes
t_ok "the new owner is let go" ctl quarantine del 198.51.100.61
t_ok "his address is free" eval '! is_held 198.51.100.61'
t_eq "the old owner's other one is held as before" "$(case_of 198.51.100.60)" "$C1"
t_ok "in the data plane, too" test "$(ctl -j source show 198.51.100.60 | jq -r .source.garden)" = leaky
t_eq "and nobody says otherwise" "$(ctl -j why 198.51.100.60 | jq -r '[.timeline[].event] | join(" ")')" held
t_ok "the new owner's case is his own" test "$(case_of 198.51.100.61 | cut -d ' ' -f 1)" != "${C1%% *}"

# ---------------------------------------------------------------- the only one does

t_ok "the new owner of C3's address is held for longer" ctl quarantine add 198.51.100.80 for 2h
t_ok "by a case of his own" test "$(case_of 198.51.100.80 | cut -d ' ' -f 1)" != "${C3%% *}"

# ---------------------------------------------------------------- into a case there is already

t_ok "C6 is held with his own address, and the one he got" ctl quarantine add 198.51.100.92 for 2h
t_eq "one case" "$(case_of 198.51.100.91)" "$(case_of 198.51.100.92)"
t_eq "C5 keeps what is his" "$(case_of 198.51.100.90)" "$C5"
t_ok "C6 is let go" ctl quarantine del 198.51.100.92
t_eq "C5 is held as before" "$(case_of 198.51.100.90)" "$C5"
t_ok "doctor agrees" ctl doctor

# ---------------------------------------------------------------- what is said, and who is freed

# touched VERB ADDRESS: what a command says it is about
touched()
{
	ctl -j quarantine "$1" "$2" | jq -r '.touched | sort | join(" ")'
}

V6=2001:db8:2000:7::/64
KEPT=$(own C1 198.51.100.60)
{ echo "$KEPT"; own C7 198.51.100.100 198.51.100.101; echo "C7,$V6"; own C8 198.51.100.110 198.51.100.111
  own C10 198.51.100.120; } >"$LZ_DIR/customers.csv"
t_ok "others" ctl policy apply "$LZ_DIR/policy.json" --yes
t_eq "C7 is held: with all of it" "$(touched add 198.51.100.100)" "198.51.100.100 198.51.100.101 $V6"
t_ok "C8 is held" ctl quarantine add 198.51.100.110
t_ok "C10 is held" ctl quarantine add 198.51.100.120
C7=$(case_of 198.51.100.100)
C8=$(case_of 198.51.100.110)
C10=$(case_of 198.51.100.120)
{ echo "$KEPT"; own C7 198.51.100.100 198.51.100.102; echo "C7,$V6"; own C9 198.51.100.101; own C8 198.51.100.112; own C11 198.51.100.111
  own C10 198.51.100.110 198.51.100.120; } >"$LZ_DIR/customers.csv"
t_ok "addresses change hands" ctl policy apply "$LZ_DIR/policy.json" --yes

# is_other CASE ADDRESS: is it held by another case?
is_other()
{
	is_held "$2" && [ "$(case_of "$2" | cut -d ' ' -f 1)" != "${1%% *}" ]
}

t_eq "who got a new address holds the old ones" "$(touched show 198.51.100.100)" "198.51.100.100 $V6"
t_eq "the new one is not among them" "$(ctl -j quarantine show 198.51.100.102 |
	jq -r '(.touched | sort | join(" ")) + ": " + .note')" \
	"198.51.100.100 $V6: not held itself; others of its customer are"
t_ok "the new owner gets a case by himself" lz_wait 5 is_other "$C7" 198.51.100.101
t_eq "that tells how he came to be held" "$(ctl -j quarantine show 198.51.100.101 |
	jq -r '[.customer, .timeline[].event] | join(" ")')" "C9 held"
t_eq "who has one, with it" "$(case_of 198.51.100.110)" "$C10"
t_eq "let go: what was really held" "$(touched del 198.51.100.100)" "198.51.100.100 $V6"
t_ok "the address that is another's by now is held" is_held 198.51.100.101
t_ok "in the data plane, too" test "$(ctl -j source show 198.51.100.101 | jq -r .source.garden)" = leaky
t_eq "let go by himself" "$(touched del 198.51.100.101)" 198.51.100.101
t_ok "two from one" is_other "$C8" 198.51.100.111
t_eq "nothing of C8's is held" "$(status_of ctl quarantine del 198.51.100.112)" 4
t_eq "all that came and was there" "$(touched del 198.51.100.120)" "198.51.100.110 198.51.100.120"
t_ok "C7 is held again" ctl quarantine add 198.51.100.100
C7=$(case_of 198.51.100.100)
{ echo "$KEPT"; own C7 198.51.100.100; own C9 198.51.100.102; } >"$LZ_DIR/customers.csv"
t_ok "one address goes to another, one to nobody; on trial" ctl policy apply "$LZ_DIR/policy.json" --yes --confirm 5min
sleep 1.5
t_eq "until it is confirmed each case is what it was" "$(case_of 198.51.100.102)" "$C7"
t_eq "but nothing of another's is called his" "$(touched show 198.51.100.100)" "198.51.100.100 $V6"
t_eq "nor let go with him" "$(touched del 198.51.100.100)" "198.51.100.100 $V6"
t_ok "the new owner is held" is_other "$C7" 198.51.100.102
t_ok "confirmed" ctl policy confirm
t_ok "doctor agrees" ctl doctor

# ---------------------------------------------------------------- many customers are behind an address by now

# event_of ADDRESS: the last, who did it and why
event_of()
{
	ctl -j why "$1" | jq -r '.timeline[-1] | "\(.event) \(.actor) \(.reason)"'
}

is_free()
{
	! is_held "$1" && [ "$(ctl -j source show "$1" 2>/dev/null | jq -r '.source.garden // "-"')" = - ]
}

NAT="class nat is shared by now: many customers are behind this address"
jq '.sets.nat = ["198.51.100.31", "198.51.100.32", "198.51.100.33"] |
	.classes.nat = { of: ["nat"], shared: true, port25: "leave-alone" }' "$LZ_DIR/policy.json" >"$LZ_DIR/shared.json"
{ echo "$KEPT"; own C20 198.51.100.30 198.51.100.31; } >"$LZ_DIR/customers.csv"
t_ok "a customer with two addresses" ctl policy apply "$LZ_DIR/policy.json" --yes
t_ok "is held" ctl quarantine add 198.51.100.30 for 1h
C20=$(case_of 198.51.100.30)
t_ok "one who is no customer" ctl quarantine add 198.51.100.32 for 1h garden strict
echo "198.51.100.33 2h strict L-1 listed" >"$LZ_DIR/list"
t_ok "one of a list" ctl quarantine import "$LZ_DIR/list"
jq '.mode = "monitor"' "$LZ_DIR/policy.json" >"$LZ_DIR/monitor.json"
HELD_NOW=$(ctl -j quarantine list | jq .total)
NO_MORE="$HELD_NOW held hosts are no longer held back: this policy is in monitor mode; the holds stay on record"
t_ok "monitor: some are held" test "$HELD_NOW" -ge 3
t_eq "monitor: diff says how many are held back no more" "$(ctl -j policy diff "$LZ_DIR/monitor.json" |
	jq -r '"\(.held_unstopped) \(.unstopped)"')" "$HELD_NOW $NO_MORE"
t_ok "monitor: for people" grep -qF "warning: $NO_MORE" <(ctl policy diff "$LZ_DIR/monitor.json" | tr -s '\n ' ' ')
t_ok "monitor: and that apply asks" grep -qF "lazaretctl: apply would be refused: policy: is in monitor mode: $HELD_NOW held" <(
	ctl policy diff "$LZ_DIR/monitor.json" 2>&1)
ctl policy apply "$LZ_DIR/monitor.json" --confirm 60 >"$LZ_DIR/said" 2>&1
t_eq "monitor: not without a yes" "$? $(head -n 1 "$LZ_DIR/said")" "7 lazaretctl: policy: is in monitor mode: \
$HELD_NOW held hosts would not be held back any more; nothing was changed"
t_eq "monitor: held back still" "$(ctl -j why 198.51.100.32 | jq -c '[.verdict, .enforced]')" '["held",null]'
t_eq "monitor: apply says so" "$(ctl -j policy apply "$LZ_DIR/monitor.json" --yes |
	jq --arg text "$NO_MORE" '[.notes[] | select(.text == $text)] | length')" 1
t_eq "monitor: where they are not, there is nothing to say" "$(ctl -j policy diff "$LZ_DIR/monitor.json" |
	jq -c '[.held_unstopped, .unstopped, .apply_refused]')" "[0,null,null]"
t_need ctl -q policy apply "$LZ_DIR/policy.json" --confirm 60
t_eq "monitor: undo asks as apply does" "$(ctl policy undo 2>&1; echo $?)" "$(head -n 1 "$LZ_DIR/said")
  to do it nevertheless: repeat the command with --yes
7"
t_eq "monitor: still on trial, held back" "$(ctl -j status | jq .policy.confirmed) $(
	ctl -j why 198.51.100.32 | jq -c '[.verdict, .enforced]')" 'false ["held",null]'
t_need ctl -q policy confirm
t_eq "monitor: undo of what is confirmed asks, too" "$(ctl -j policy undo 2>/dev/null | jq -r '"\(.code) \(.error)"')" \
	"7 $(head -n 1 "$LZ_DIR/said" | sed 's/^lazaretctl: //')"
t_ok "monitor: undo with a yes" ctl -q policy undo --yes
t_eq "monitor: held back no more" "$(ctl -j why 198.51.100.32 | jq -c '[.verdict, .enforced]')" '["held",false]'
t_ok "monitor: undo to one that enforces asks nothing" ctl -q policy undo
t_eq "diff: who will be let go" "$(ctl -j policy diff "$LZ_DIR/shared.json" | jq -c '[.held_shared, (.freed |
	sub(": .*"; ""))]')" '[3,"3 of the held are in a class that is shared by this policy, and let go when it is confirmed"]'
t_eq "apply says so" "$(ctl -j policy apply "$LZ_DIR/shared.json" --yes --confirm 5min |
	jq '[.notes[] | select(.text | test("^3 of the held"))] | length')" 1
sleep 1.5
t_ok "on trial nothing has changed" is_held 198.51.100.32
t_eq "and why says what will" "$(ctl -j why 198.51.100.31 | jq -r '.verdict + ": " + .note')" \
	"held: class nat is shared by now: the hold ends when the policy is confirmed"
t_ok "confirmed" ctl policy confirm
t_ok "who is alone is free" lz_wait 5 is_free 198.51.100.32
t_ok "of the customer, what is shared" lz_wait 5 is_free 198.51.100.31
t_ok "and what a list held" lz_wait 5 is_free 198.51.100.33
t_eq "the customer's other address is held as before" "$(case_of 198.51.100.30)" "$C20"
t_eq "it stands on record who and why" "$(event_of 198.51.100.32)" "freed lazaretd $NAT"
t_eq "of the customer's address, too" "$(event_of 198.51.100.31)" "freed lazaretd $NAT"
t_eq "of a list's, too" "$(event_of 198.51.100.33)" "freed lazaretd $NAT"
t_eq "the log has all three" "$(grep -c "event=freed.*reason=.*$NAT" "$LZ_DIR/log/daemon.log")" 3
t_eq "held again, it is the one that is not shared" "$(touched add 198.51.100.30)" 198.51.100.30
t_eq "nobody holds the other one" "$(status_of ctl quarantine add 198.51.100.31)" 2
t_ok "doctor agrees" ctl doctor
t_ok "one more" ctl quarantine add 198.51.100.34 for 1h
t_ok "is put behind such an address" ctl range add nat 198.51.100.34/32
t_ok "and is free" lz_wait 5 is_free 198.51.100.34

# ---------------------------------------------------------------- of one customer, hundreds

# notes_of EVENT: how many rows the timeline has of it
notes_of()
{
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(*db.execute("SELECT count(*) FROM note WHERE event = ?", (sys.argv[2],)).fetchone())' "$STATE/ledger.db" "$1"
}

# held_in PREFIX: how many are held whose address begins so
held_in()
{
	ctl -j quarantine list | jq "[.entries[] | select(.address | startswith(\"$1\"))] | length"
}

# slowest SECONDS: of all `status` within so long the one that took longest, in ms
slowest()
{
	local end=$((SECONDS + $1)) worst=0 from ms
	while [ "$SECONDS" -lt "$end" ]; do
		from=$(date +%s%3N)
		ctl status >/dev/null || return 1
		ms=$(($(date +%s%3N) - from))
		[ "$ms" -le "$worst" ] || worst=$ms
	done
	echo "$worst"
}

t_need daemon_stop
t_need daemon_start_slow 20 "$LZ_DIR/policy.json" # as a slow disk
jq '.sets.nat = ["198.51.101.0/24", "198.51.102.0/25"] |
	.classes.nat = { of: ["nat"], shared: true, port25: "leave-alone" }' "$LZ_DIR/policy.json" >"$LZ_DIR/shared.json"
{ echo "$KEPT"; own C22 198.51.100.36; echo "C22,198.51.101.0/24"; } >"$LZ_DIR/customers.csv"
t_ok "a customer with a /24" ctl policy apply "$LZ_DIR/policy.json" --yes
t_ok "is held" ctl quarantine add 198.51.100.36 for 1h
seq -f "198.51.102.%.0f 2h strict L-2 listed" 0 99 >"$LZ_DIR/list"
t_ok "a hundred of a list, too" ctl quarantine import "$LZ_DIR/list"
t_eq "all of them" "$(held_in 198.51.101.) $(held_in 198.51.102.)" "256 100"
C22=$(case_of 198.51.100.36)
NOTES=$(notes_of freed)
sleep 1.1 # the timeline tells seconds apart
: >"$LZ_DIR/slow"
t_ok "all but one become shared" ctl policy apply "$LZ_DIR/shared.json" --yes
WORST=$(slowest 4)
rm "$LZ_DIR/slow"
# A batch has a few syncs. One for each of his would be 5 s; 1 s is for a machine that has other work.
t_ok "meanwhile nobody waits: ${WORST:-?} ms" test "${WORST:-9999}" -lt 1000
t_eq "and they are free" "$(held_in 198.51.101.) $(held_in 198.51.102.)" "0 0"
t_ok "in the data plane, too" is_free 198.51.101.255
t_eq "the customer's other address is held as before" "$(case_of 198.51.100.36)" "$C22"
t_eq "each of his stands on record" "$(($(notes_of freed) - NOTES))" 256
t_eq "with who and why" "$(event_of 198.51.101.77)" "freed lazaretd $NAT"
t_eq "of a list's, too" "$(event_of 198.51.102.99)" "freed lazaretd $NAT"
t_eq "the log has him in one line" "$(grep -c "event=freed.*case=${C22%% *} sources=256" "$LZ_DIR/log/daemon.log")" 1
t_ok "doctor agrees" ctl doctor

# ---------------------------------------------------------------- more than is held together

{ echo "$KEPT"; own C21 198.51.100.35; echo "C21,2001:db8:2000:800::/54"; } >"$LZ_DIR/customers.csv"
APART="this address alone: customer C21 has 1024 more, too many to be held together"
t_eq "check warns of him" "$("$BUILD/lazaretctl" policy check "$LZ_DIR/policy.json" 2>&1 | grep -c \
	"customer 'C21' has 1025 addresses or /64, at most 1024 are held together")" 1
t_eq "so does apply" "$(ctl -j policy apply "$LZ_DIR/policy.json" --yes |
	jq '[.notes[] | select(.text | test("C21. has 1025 addresses"))] | length')" 1
t_eq "who holds him is told" "$(ctl -j quarantine add 198.51.100.35 for 1h | jq -r '"\(.touched[]): \(.note)"')" \
	"198.51.100.35: $APART"
t_eq "why says it, too" "$(ctl -j why 198.51.100.35 | jq -r .note)" "$APART"
t_eq "and the log" "$(grep -c 'event=held-apart.*customer=C21 not-held=1024' "$LZ_DIR/log/daemon.log")" 1
echo "2001:db8:2000:801::1 1h" >"$LZ_DIR/list"
t_eq "a list, too" "$(ctl quarantine import "$LZ_DIR/list" 2>&1 >"$LZ_DIR/said")" "lazaretctl: customers with more addresses \
than can be held together: 1; of them only what is listed is held"

# ---------------------------------------------------------------- more than there is room for

{ echo "$KEPT"; own C23 198.51.100.37; echo "C23,2001:db8:2000:a00::/55"; own C24 198.51.100.38; } >"$LZ_DIR/customers.csv"
t_ok "a customer with 513 addresses" ctl policy apply "$LZ_DIR/policy.json" --yes
ROOM=$((4096 - $(ctl -j quarantine list | jq '.entries | length') - 2))
for ((i = 0; i < ROOM; i++)); do
	echo "10.7.$((i / 256)).$((i % 256)) 2h"
done >"$LZ_DIR/list"
t_ok "a colony with room for two" ctl quarantine import --yes "$LZ_DIR/list"
t_eq "holds the one who is named, and says so" "$(ctl -j quarantine add 198.51.100.37 for 1h | jq -r '"\(.touched[]): \(.note)"')" \
	"198.51.100.37: not all of customer C23: colony: full, without 512 more; raise /capacity/colony or free some"
t_eq "so does the log" "$(grep -c 'event=held-apart.*customer=C23 not-held=512 why="colony: full"' "$LZ_DIR/log/daemon.log")" 1
C23=$(case_of 198.51.100.37)
t_ok "another address of his" ctl quarantine add 2001:db8:2000:a01::1 for 1h
t_eq "comes to his case" "$(case_of 2001:db8:2000:a01::1)" "$(case_of 198.51.100.37)"
t_eq "which is the one there was" "$(case_of 198.51.100.37 | cut -d ' ' -f 1)" "${C23%% *}"
t_eq "who is held is held for longer, without room" "$(ctl -j quarantine add 198.51.100.37 for 3h | jq -r .extended)" true
t_eq "with what is held of him" "$(ctl -j quarantine list | jq -r '[.entries[] | select(.case == '"${C23%% *}"') |
	.address] | sort | join(" ")')" "198.51.100.37 2001:db8:2000:a01::"
t_eq "who is not is refused" "$(status_of ctl quarantine add 198.51.100.38)" 2
t_ok "room" eval 'ctl quarantine del 10.7.0.0 && ctl quarantine del 198.51.100.37'
t_ok "doctor agrees, but for the room" eval 'ctl doctor | grep -q "^ok *holds"'

daemon_stop
t_eq "C1's case goes on" "$(state_of "${C1%% *}")" garden
t_eq "C3's, which holds nothing any more, does not" "$(state_of "${C3%% *}")" released
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
