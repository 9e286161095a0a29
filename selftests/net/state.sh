#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The state folder: its disk gets full and has room again, the ledger is a new one, the disk is
# read-only or moved away; what operators are told meanwhile, and what works nevertheless.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 270 "$@"

HELD=198.51.100.10

policy()
{
	cat >"$LZ_DIR/$1.json" <<-END
	{ "version": 1, "name": "$1",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"] },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/24"] },
	  "customers": { "file": "customers.csv" },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone" } },
	  "tell": { "hook": "$LZ_DIR/hook" },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
	echo "C32,198.51.100.128/27" >"$LZ_DIR/customers.csv"
}

held()
{
	ctl -j status | jq .colony.held
}

# Of two hosts, and of a customer who has many addresses
ends_told()
{
	grep -cE "event=expired (object=198.51.100.8[01]|case=[0-9]+ sources=32) " "$LZ_DIR/log/daemon.log"
}

# What is told is counted, and taken after a second.
mkdir "$LZ_DIR/told" && chmod 777 "$LZ_DIR/told"
printf "#!/bin/sh\necho \"\$2 \$1\" >>%s/told/log; sleep 1\n" "$LZ_DIR" >"$LZ_DIR/hook" && chmod 755 "$LZ_DIR/hook"

# told ADDRESS EVENT: how often
told()
{
	grep -cx "$(ctl -j quarantine show "$1" | jq .case) $2" "$LZ_DIR/told/log"
}

t_need lz_provider_add
t_need lz_customer_add host "$HELD" 2001:db8:2000:61::10
policy home
t_need mkdir "$STATE"
t_need mount -t tmpfs -o size=8m,mode=755 lz-state "$STATE"
t_need daemon_start "$LZ_DIR/home.json"
t_need ctl quarantine add "$HELD" for 1h
t_need ctl quarantine add 198.51.100.80 for 5s
t_need ctl quarantine add 198.51.100.81 for 5s
t_need ctl quarantine add 198.51.100.128 for 5s

# ---------------------------------------------------------------- its disk is full

t_need lz_wait 15 eval "[ \$(wc -l <$LZ_DIR/told/log) -ge 4 ]"
sleep 1.5
t_need ctl quarantine add 198.51.100.82 for 1h
t_need lz_wait 5 eval "[ \$(told 198.51.100.82 garden) -ge 1 ]" # and the hook still sleeps
t_need disk_fill
FULL="$STATE/ledger.db: .*: database or disk is full; make room on its disk, nothing is changed until then"
say quarantine add 198.51.100.77
t_ok "full: a hold is refused, with path and what to do" grep -q "ledger: $FULL" "$LZ_DIR/said"
BEFORE=$(held)
t_eq "full: a release, too" "$(status_of say quarantine del "$HELD")" 2
t_ok "full: it names the same" grep -q "^lazaretctl: .*ledger: $FULL" "$LZ_DIR/said"
t_eq "full: in one line" "$(wc -l <"$LZ_DIR/said")" 1
t_eq "full: nothing is changed" "$(held)" "$BEFORE"
say health
t_ok "full: health says it" grep -q "^FAILED ledger: $FULL" "$LZ_DIR/said"
t_ok "full: and what it comes to" grep -q "^lazaretctl: ledger: $FULL" "$LZ_DIR/said"
say doctor
t_ok "full: doctor says that, and that all agree" \
	grep -q "^lazaretctl: ledger: $FULL; intent, ledger and kernel agree$" "$LZ_DIR/said"
t_ok "full: doctor says what to type" grep -qx "       lazaretctl --instance lab status" "$LZ_DIR/said"
t_eq "not held: no such object" "$(status_of say quarantine show 198.51.100.99)" 4
t_ok "not held: says what to type" \
	grep -q "is not held; lazaretctl --instance lab why 198.51.100.99 tells its history" "$LZ_DIR/said"
t_ok "full: bypass on works" say bypass on
t_eq "full: it is on" "$(ctl -j bypass status | jq .bypass.on)" true
t_ok "full: bypass off works" say bypass off
sleep 8 # three holds have ended for some seconds, and their books cannot be closed
t_eq "full: an end that is not on record is not told" "$(ends_told)" 0
t_eq "full: what was told is not told again and again" "$(told 198.51.100.82 garden)" 1
t_ok "full: why is said, not with each try" test "$(grep -c "event=ledger-failed" "$LZ_DIR/log/daemon.log")" -le 3
t_need rm "$STATE/other"
t_need lz_wait 5 eval "[ \$(ends_told) -ge 3 ]"
sleep 1
t_eq "room again: the ends are told, each once" "$(ends_told)" 3
t_eq "room again: nor is that which was told" "$(told 198.51.100.82 garden)" 1
t_ok "room again: the release is done" ctl quarantine del "$HELD"
t_ok "room again: healthy" ctl health
t_ok "room again: doctor agrees" ctl doctor

# ---------------------------------------------------------------- full, while a policy waits for its confirm

# state_of NAME: of the policies of that name the newest
state_of()
{
	ctl -j policy history | jq -r "[.. | objects | select(.name? == \"$1\" and .state?)][0].state"
}

# state_is NAME STATE
state_is()
{
	[ "$(state_of "$1")" = "$2" ]
}

judges()
{
	[ "$(ctl -j status | jq -r .policy.name)" = "$1" ]
}

policy second
t_need ctl policy apply "$LZ_DIR/second.json" --confirm 4 --yes
t_need disk_fill
t_eq "confirm when full: refused" "$(status_of say policy confirm)" 2
t_ok "confirm when full: says what comes of it" grep -q \
	"^lazaretctl: policy: not confirmed, at the deadline the one before comes back: ledger: $FULL" "$LZ_DIR/said"
t_ok "confirm when full: it does" lz_wait 6 judges home
sleep 1
t_need rm "$STATE/other"
t_ok "room again: on record" lz_wait 5 state_is second expired
t_ok "room again: healthy" lz_wait 5 ctl health
t_need ctl policy apply "$LZ_DIR/second.json" --confirm 60 --yes
t_need disk_fill
t_ok "undo when full: it is done" say policy undo
t_ok "undo when full: the one before judges" judges home
t_need rm "$STATE/other"
t_ok "room again: undone, on record" lz_wait 5 state_is second undone
t_need ctl policy apply "$LZ_DIR/second.json" --confirm 60 --yes
t_need disk_fill
t_eq "confirm when full, in time: refused" "$(status_of say policy confirm)" 2
t_need rm "$STATE/other"
t_ok "confirm when there is room: taken" ctl policy confirm
t_eq "confirm when there is room: on record" "$(state_of second)" confirmed
t_ok "confirm when there is room: it judges" judges second
t_need ctl policy apply "$LZ_DIR/home.json" --yes

# ---------------------------------------------------------------- it is moved away, and put back

AWAY="$STATE/ledger.db: it or its -wal was removed or replaced while lazaretd runs; put it back or restart lazaretd"
t_need mkdir "$STATE/away"
t_need mv "$STATE"/ledger.db* "$STATE/away"
t_eq "moved away: a hold is refused" "$(status_of ctl quarantine add 198.51.100.78 for 2h)" 2
say exception add 198.51.100.79 port25 until 2099-01-01 ticket RT-1
t_ok "moved away: an exception, too, and why" grep -q "^lazaretctl: .*ledger: $AWAY" "$LZ_DIR/said"
sleep 1
t_ok "moved away: a tick has said so, too" grep -q "why=\"ledger: $AWAY" "$LZ_DIR/log/daemon.log"
say health
t_ok "moved away: health says it" grep -q "^FAILED ledger: $AWAY" "$LZ_DIR/said"
say doctor
t_ok "moved away: doctor says it" grep -q "$AWAY" "$LZ_DIR/said"
t_ok "moved away: no file of that name is made" eval "! ls $STATE/ledger.db* 2>/dev/null"
t_need mv "$STATE"/away/ledger.db* "$STATE"
t_ok "put back: healthy" lz_wait 5 ctl health
t_ok "put back: a hold" ctl quarantine add 198.51.100.78 for 2h
t_ok "put back: what was refused is not there" eval "! ctl exception list | grep -q 198.51.100.79"
t_need daemon_stop
t_need daemon_start "$LZ_DIR/home.json"
t_ok "put back: the hold is there after a new start" ctl quarantine show 198.51.100.78

# ---------------------------------------------------------------- a new ledger

t_need daemon_stop
t_need rm "$STATE"/ledger.db*
t_need daemon_start "$LZ_DIR/home.json"
t_ok "new ledger: a switch that the controller threw before is its own" \
	lz_wait 5 grep -q 'event=bypass-off .*actor=lazaretd .*reason="before this ledger' "$LZ_DIR/log/daemon.log"
t_eq "new ledger: nobody did it by hand" "$(grep -c "by hand" "$LZ_DIR/log/daemon.log")" 0
t_need daemon_stop
t_need lz_ns_run gw "$BUILD/lazaretd" --instance lab --bypass off
t_need rm "$STATE"/ledger.db*
t_need daemon_start "$LZ_DIR/home.json"
t_ok "new ledger: one that root threw is root's" lz_wait 5 \
	grep -q 'event=bypass-off .*actor="lazaretd --bypass, uid 0" .*reason="by hand"' "$LZ_DIR/log/daemon.log"
t_need daemon_stop

# ---------------------------------------------------------------- its disk is slow, and a deadline passes meanwhile

t_need daemon_start_slow 4000 "$LZ_DIR/home.json"
t_need ctl policy apply "$LZ_DIR/second.json" --confirm 3 --yes
: >"$LZ_DIR/slow"
t_eq "slow: a confirm that is written down after its deadline is refused" "$(status_of say policy confirm)" 2
t_ok "slow: it says so" grep -q "^lazaretctl: policy: too late: the deadline of generation [0-9]* has passed" "$LZ_DIR/said"
rm "$LZ_DIR/slow"
t_ok "slow: the one before judges" lz_wait 15 judges home
t_ok "slow: the books say expired" lz_wait 5 state_is second expired
t_need daemon_stop
t_need daemon_start "$LZ_DIR/home.json"
t_ok "slow: after a new start the one before judges" judges home
t_need daemon_stop

# ---------------------------------------------------------------- its disk is read-only (with a ledger: standin.sh)

start_says()
{
	lz_ns_run gw timeout 20 "$BUILD/lazaretd" --instance lab --state "$STATE" --run /run/lazaret-lab \
		>"$LZ_DIR/said" 2>&1
}

READ_ONLY="$STATE: is on a read-only file system; mount it for writing"
t_need rm "$STATE"/ledger.db*
t_need mount -o remount,ro "$STATE"
t_eq "read-only: a first start is refused" "$(start_says; echo $?)" 2
t_ok "read-only: says so, not of the owner, who is right" grep -qF "$READ_ONLY" "$LZ_DIR/said"
t_need mount -o remount,rw "$STATE"
t_need chown root "$STATE"
t_need mount -o remount,ro "$STATE"
t_eq "read-only and another owner: refused" "$(start_says; echo $?)" 2
t_ok "read-only and another owner: says the same" grep -qF "$READ_ONLY" "$LZ_DIR/said"
t_need mount -o remount,rw "$STATE"
t_need daemon_start "$LZ_DIR/home.json"
t_eq "writable again: the folder is the controller's" "$(stat -c %U "$STATE")" lazaret

t_end
