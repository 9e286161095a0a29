#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A ledger is put in another one's place, and what judges has a number that both count by: what is in force is what
# the books say. By its number alone nothing is adopted; what is the same policy is, whatever happened meanwhile.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
# shellcheck source=selftests/lib/held.sh
. "$ROOT/selftests/lib/held.sh"

lz_gateway_enter 300 "$@"

WORLD=203.0.113.25

# policy NAME TO-WORLD
policy()
{
	cat >"$LZ_DIR/$1.json" <<-END
	{ "version": 1, "name": "$1",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"] },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.10"], "shut": ["198.51.100.16/28"] },
	  "classes": { "homes": { "of": ["homes"], "port25": $2 },
		       "shut": { "of": ["shut"], "port25": { "to-world": "drop" } } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

reach()
{
	lz_ns_run "$1" "${ENDS[@]}" once "$WORLD" "${2:-25}"
}

not()
{
	! "$@"
}

# start [POLICY]
start()
{
	t_need daemon_start "$LZ_DIR/${1:-open}.json"
}

# put_back: the backup in the ledger's place; no daemon runs
put_back()
{
	rm -f "$STATE"/ledger.db* && cp -a "$LZ_DIR/backup.db" "$STATE/ledger.db"
}

# lose: the ledger, and what judges: numbers begin anew
lose()
{
	rm -f "$STATE"/ledger.db* && lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach
}

# refuses WHAT NAME: this policy is on the books, and port 25 is refused as it says
refuses()
{
	t_eq "$1: the books' policy" "$(ctl -j status | jq -r .policy.name)" "$2"
	t_ok "$1: judges" not reach home
	t_ok "$1: no other port" reach home 443
	agreed "$1"
}

# anew WHAT WHY: what judged was another one, which was said; the next start adopts
anew()
{
	t_ok "$1: is said" logged "event=policy-differs .*why=\"$2"
	t_ok "$1: is not adopted" not logged event=policy-adopted
	refuses "$1" cutoff
	daemon_kill
	start
	adopted "$1, the next start"
	refuses "$1, the next start" cutoff
	daemon_stop
}

adopted()
{
	t_ok "$1: adopted" logged event=policy-adopted
	t_ok "$1: is the same" not logged event=policy-differs
	t_ok "$1: nothing is applied" not logged event=policy-applied
}

ANOTHER="policy: generation 2: this ledger has another one by that number"

t_need lz_provider_add
t_need lz_customer_add home 198.51.100.10 2001:db8:2000:10::10
lz_proc_start world world "${ENDS[@]}" serve "$LZ_DIR/reached" 25 443
t_need lz_port_wait 5 world 25
policy open '"leave-alone"'
policy free '"leave-alone"'
policy cutoff '{ "to-world": "drop" }'

start
t_need ctl policy apply "$LZ_DIR/cutoff.json"
daemon_stop
t_need cp -a "$STATE/ledger.db" "$LZ_DIR/backup.db"

# ---------------------------------------------------------------- the same number, another policy

t_need lose
start
t_need ctl policy apply "$LZ_DIR/free.json"
t_eq "another ledger: has come as far" "$(ctl -j status | jq .policy.generation)" 2
t_ok "another ledger: open" reach home
daemon_stop
t_need put_back
start
anew "another policy" "$ANOTHER"

# ---------------------------------------------------------------- the same number, the same policy

t_need lose
start
t_need ctl policy apply "$LZ_DIR/cutoff.json"
daemon_stop
t_need put_back
start
adopted "the same policy of another ledger"
refuses "the same policy of another ledger" cutoff

# ---------------------------------------------------------------- changed in place, and back

t_need ctl range add shut 198.51.100.32/28
t_need ctl range add shut 198.51.100.48/28
t_need ctl range del shut 198.51.100.32/28
daemon_kill
start
adopted "ranges changed in place"
t_eq "ranges changed in place: the last change" "$(ctl -j status | jq .policy.generation)" 5
t_need ctl policy apply "$LZ_DIR/open.json" --confirm 3
daemon_kill
sleep 4
start
adopted "gone back with no daemon"
t_eq "gone back with no daemon: to the last change" "$(ctl -j status | jq .policy.generation)" 5
refuses "gone back with no daemon" cutoff
t_need ctl policy apply "$LZ_DIR/open.json" --confirm 60
daemon_kill
start
adopted "a trial"
t_ok "a trial: goes on" reach home
t_ok "a trial: can be undone" ctl policy undo
refuses "a trial, undone" cutoff
daemon_kill
start
adopted "undone"
daemon_stop

# ---------------------------------------------------------------- changed in place by another ledger

class_of()
{
	ctl -j range lookup "$1" | jq -r .class
}

# changed_by_another WORDS...: it has come from the same policy to generation 3 by this change; and the ledger is back
changed_by_another()
{
	t_need mv "$STATE/ledger.db" "$LZ_DIR/longer.db"
	t_need lose
	start
	t_need ctl policy apply "$LZ_DIR/cutoff.json"
	daemon_stop # the first change after a start is written down whole, as it was in the other ledger
	start
	t_need ctl range "$@"
	t_eq "range $*: come as far" "$(ctl -j status | jq .policy.generation)" 3
	daemon_stop
	t_need rm -f "$STATE/ledger.db"
	t_need mv "$LZ_DIR/longer.db" "$STATE/ledger.db"
	start
	t_eq "range $*: the last change of the books judges" "$(class_of 198.51.100.50) $(class_of 198.51.100.33)" "shut null"
	refuses "range $*" cutoff
}

changed_by_another del homes 198.51.100.10
t_ok "another change: is said" logged "event=policy-differs .*why=\"policy: generation 3: this ledger has another one"
t_ok "another change: is not adopted" not logged event=policy-adopted
daemon_stop
changed_by_another add shut 198.51.100.32/28
t_ok "the same change: adopted, then the books' later ones" logged event=policy-adopted
t_ok "the same change: is the same" not logged event=policy-differs
daemon_stop

# ---------------------------------------------------------------- a trial of another ledger

t_need lose
start
t_need ctl policy apply "$LZ_DIR/free.json" --confirm 200
daemon_stop
t_need put_back
start
anew "a trial of another ledger" "$ANOTHER"

t_need lose
t_need daemon_start ""
t_need ctl policy apply "$LZ_DIR/free.json" --confirm 200
daemon_stop
t_need put_back
start
anew "the first trial of another ledger" "policy: generation 1: this ledger has another one by that number"

t_need lose
t_need daemon_start ""
t_need ctl policy apply "$LZ_DIR/free.json" --confirm 200
daemon_stop
t_need rm -f "$STATE/ledger.db"
start cutoff
refuses "a trial, and a new ledger" cutoff
daemon_stop

# ---------------------------------------------------------------- its own cannot be written

t_need mv "$STATE" "$LZ_DIR/whole"
t_need mkdir "$STATE"
t_need mount -t tmpfs -o size=8m,mode=755 lz-state "$STATE"
t_need lose
start
t_need ctl policy apply "$LZ_DIR/free.json"
daemon_stop
t_need put_back
t_need mount -o remount,ro "$STATE"
start
t_ok "by a copy: is said" logged event=ledger-stood-in-for
t_ok "by a copy: another policy" logged "event=policy-differs .*why=\"$ANOTHER"
t_eq "by a copy: the books' policy" "$(ctl -j status | jq -r .policy.name)" cutoff
t_ok "by a copy: judges" not reach home
t_need mount -o remount,rw "$STATE"
t_ok "by a copy: the ledger is taken up" lz_wait 20 ctl health
t_ok "by a copy: by adopting" logged event=policy-adopted
t_eq "by a copy: said once" "$(grep -c event=policy-differs "$LZ_DIR/log/daemon.log")" 1
refuses "by a copy, afterwards" cutoff
daemon_stop

# ---------------------------------------------------------------- a number whose text is not kept

t_need lose
start cutoff
for _ in {1..6}; do
	t_need ctl policy apply "$LZ_DIR/open.json"
	t_need ctl policy apply "$LZ_DIR/cutoff.json"
done
daemon_stop
t_need cp -a "$STATE/ledger.db" "$LZ_DIR/backup.db"
t_need lose
start
daemon_stop
t_need put_back
start
anew "not kept" "policy: generation 1: its text is not kept any more"

# A ledger that was moved away counts on from the kernel's number: no two policies have had the same.
start
N=$(ctl -j status | jq .policy.generation)
daemon_stop
t_need rm -f "$STATE/ledger.db"
start free
t_eq "a new ledger: counts on" "$(ctl -j status | jq .policy.generation)" $((N + 1))
t_ok "a new ledger: its policy" reach home
daemon_stop
t_need put_back
start
anew "one that is not in it" "policy: generation $((N + 1)): not in the ledger"
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 80
t_end
