#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Exceptions by the thousand: a list of 60,000 is read while people ask, is in the ledger and in the kernel as a
# whole or not at all, whatever happens on the way; and many that end on the same date are closed soon.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 240 "$@"

HOST=198.51.100.30
LISTED=60000
ROOM=65536
MAP=/sys/fs/bpf/lazaret-lab/map_lz_exceptions
END=$(date -u -d '+90 days' +%F)

cat >"$LZ_DIR/policy.json" <<-END
	{ "version": 1, "name": "exceptions",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/24", "10.0.0.0/8"] },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone" } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
END

# list N OCTET UNTIL TICKET: in no order
list()
{
	seq 0 $(($1 - 1)) | awk -v octet="$2" -v until="$3" -v ticket="$4" '{ n = ($1 * 7368787 + 1234567) % 131072
		printf "10.%d.%d.%d all %s %s\n", octet + int(n / 65536), int(n / 256) % 256, n % 256, until, ticket }'
}

# is_whole: the list of 60,000, or the one that came in its place
is_whole()
{
	[[ $(excepted) == RT-[24]" $LISTED" ]]
}

# excepted: how many exceptions there are, by ticket
excepted()
{
	ctl exception export | awk '{ n[$4]++ } END { for (t in n) print t, n[t] }' | sort | xargs
}

excepted_is()
{
	[ "$(excepted)" = "$1" ]
}

# in_kernel: of how many the kernel knows
in_kernel()
{
	bpftool -j map dump pinned "$MAP" | jq length
}

t_need lz_provider_add
t_need lz_customer_add home "$HOST" 2001:db8:2000:30::10
t_need daemon_start "$LZ_DIR/policy.json"

# ---------------------------------------------------------------- others get their turn

list $LISTED 64 "$END" RT-1 >"$LZ_DIR/list"
mapfile -t HELD < <(cut -d' ' -f1 "$LZ_DIR/list" | sort -V | sed -n '100p;40000p')
t_need ctl -q quarantine add "${HELD[0]}" for 1h
t_need ctl -q quarantine add "${HELD[1]}" for 1h
CONTROLLER=$(pgrep -P "${LZ_PROC[daemon]}" -x lazaretd-ctl)
BEGUN=$(lz_now_ms)
WAIT_MS=$(daemon_longest_wait -q exception import "$LZ_DIR/list")
echo "# $LISTED exceptions: $(($(lz_now_ms) - BEGUN)) ms, an answer waited for $WAIT_MS ms of the loop's time"
t_ok "an answer waits no longer than for lists of hosts" test "$WAIT_MS" -lt 80 # as in import.sh
t_eq "all of them are there" "$(excepted)" "RT-1 $LISTED"
t_eq "in the kernel, too" "$(in_kernel)" $LISTED
t_eq "the controller is the same" "$(pgrep -P "${LZ_PROC[daemon]}" -x lazaretd-ctl)" "$CONTROLLER"
sed 's/RT-1/RT-2/' "$LZ_DIR/list" >"$LZ_DIR/again"
BEGUN=$(lz_now_ms)
ctl -j exception import "$LZ_DIR/again" >"$LZ_DIR/said"
TOOK_MS=$(($(lz_now_ms) - BEGUN))
t_eq "the list comes again: each in place of what was there" "$(excepted)" "RT-2 $LISTED"
t_eq "whom it lets nobody out of" "$(jq -c '[.added, .held.sources, .held.address]' "$LZ_DIR/said")" \
	"[$LISTED,2,\"${HELD[0]}\"]"

# ---------------------------------------------------------------- all or nothing

printf '\xfe\xff\0001\0\n\0002\0\n' >"$LZ_DIR/wide"
t_eq "a list in UTF-16: what it is, once" \
	"$(ctl -j exception import "$LZ_DIR/wide" | jq -r '.refused_entries[] | "\(.line): \(.error)"')" \
	"1: is UTF-16 (Notepad's \"Unicode\"); save it as UTF-8, without a byte order mark"
printf '127.0.0.0/8 all 2099-01-01 RT-1\nfe80::/64 port25 2099-01-01 RT-1\n' >"$LZ_DIR/nobody"
t_eq "a list of who can be no customer" \
	"$(ctl -j exception import "$LZ_DIR/nobody" | jq -r '.refused_entries[] | "\(.line): \(.error)"')" \
	"$(printf '%s\n' '1: 127.0.0.0/8: is no source: loopback' '2: fe80::/64: is no source: link-local')"
t_eq "an empty list: invalid" "$(ctl exception import /dev/null 2>&1; echo $?)" \
	"lazaretctl: exception: list: is empty; nothing was done
1"
list 100 96 "$END" RT-3 >"$LZ_DIR/more"
t_ok "a list is sent by who goes away" list_left exception.import "$LZ_DIR/more"
t_ok "it is dropped" lz_wait 3 grep -q "event=list-dropped file=$LZ_DIR/more" "$LZ_DIR/log/daemon.log"
t_eq "nothing was done" "$(excepted)" "RT-2 $LISTED"
sed 's/RT-1/RT-4/' "$LZ_DIR/list" >"$LZ_DIR/more" # ^C somewhere between its sending and its end
for ((ms = 30; ms < 1500; ms += 30)); do
	lz_ns_run gw timeout --preserve-status -s INT "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))" "$BUILD/lazaretctl" --instance lab \
		exception import "$LZ_DIR/more" >"$LZ_DIR/said" 2>&1
	STATUS=$?
	[ -s "$LZ_DIR/said" ] && break
done
t_eq "^C is answered" "$(cat "$LZ_DIR/said"; echo "$STATUS")" \
	"lazaretctl: interrupted; it may have been done all the same: look before you ask again
130"
t_ok "all of it or nothing" lz_wait 5 is_whole
t_ok "the one before is back" ctl -q exception import "$LZ_DIR/again"
list $((ROOM - LISTED + 1)) 96 "$END" RT-3 >"$LZ_DIR/more"
ctl exception import "$LZ_DIR/more" >"$LZ_DIR/said" 2>&1
t_eq "more than there is room for: refused" $? 2
t_eq "says so" "$(cat "$LZ_DIR/said")" "lazaretctl: exception: list: $((ROOM + 1)) exceptions with it, more than \
the $ROOM that there is room for; nothing was done"
t_eq "nothing was done" "$(excepted)" "RT-2 $LISTED"
sed -i 1d "$LZ_DIR/more"
t_ok "as many as there is room for" ctl exception import "$LZ_DIR/more"
t_eq "are taken" "$(excepted)" "RT-2 $LISTED RT-3 $((ROOM - LISTED))"

# stopped_after MS HOW: the same list with another ticket, and the daemon ends meanwhile; sets NOW
stopped_after()
{
	sed -i 's/RT-[0-9]*/RT-4/' "$LZ_DIR/list"
	ctl exception import "$LZ_DIR/list" >/dev/null 2>&1 &
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
	"daemon_$2"
	wait $!
	t_need daemon_start ""
	NOW=$(excepted)
	echo "# $2 after $1 ms: $NOW"
	t_need ctl -q exception import "$LZ_DIR/again" >/dev/null
}

# Nearer and nearer to the commit, from both sides; and wider again where it is missed.
NOTHING="RT-2 $LISTED RT-3 $((ROOM - LISTED))" WHOLE="RT-3 $((ROOM - LISTED)) RT-4 $LISTED"
BEFORE=0 AFTER=0 FROM=0 TO=$TOOK_MS
for try in 1 2 3 4 5 6 7 8 9 10; do
	[ "$try" -gt 6 ] && [ "$BEFORE" -gt 0 ] && [ "$AFTER" -gt 0 ] && break
	AT=$(((FROM + TO) / 2))
	stopped_after $AT "$([ "$try" = 4 ] && echo kill || echo stop)"
	t_ok "it ends after $AT ms: the whole list is there or nothing of it" test \
		"$NOW" = "$NOTHING" -o "$NOW" = "$WHOLE"
	if [ "$NOW" = "$WHOLE" ]; then
		AFTER=$((AFTER + 1)) TO=$AT
		[ $((TO - FROM)) -ge 20 ] || FROM=$((FROM / 2))
	else
		BEFORE=$((BEFORE + 1)) FROM=$AT
		[ $((TO - FROM)) -ge 20 ] || TO=$((TO * 2))
	fi
done
t_ok "it ended before the commit and after it: $BEFORE, $AFTER times" test "$BEFORE" -gt 0 -a "$AFTER" -gt 0

# What the ledger does not know of takes room in the kernel: there is none for all of the next list.
while read -r prefix _; do
	t_need ctl -q exception del "$prefix"
done < <(tail -n 20 "$LZ_DIR/more")
t_need daemon_stop
t_need python3 - "$STATE/ledger.db" <<-'END'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	db.execute("DELETE FROM granted WHERE ticket = 'RT-2'")
	db.commit()
END
t_need daemon_start ""
t_need excepted_is "RT-3 $((ROOM - LISTED - 20))"
{ sed 's/ all .*/ port25 2099-01-01 RT-5/; 1000q' "$LZ_DIR/more"; list 30000 128 "$END" RT-5; } >"$LZ_DIR/list"
ctl exception import "$LZ_DIR/list" >"$LZ_DIR/said" 2>&1
t_eq "the kernel does not take it: refused" $? 2
t_eq "says so" "$(cat "$LZ_DIR/said")" \
	"lazaretctl: exception: list: exception: kernel: Argument list too long; nothing was done"
t_eq "what it had taken is out again" "$(in_kernel)" $((ROOM - 20))
t_eq "what was there before is there" "$(excepted)" "RT-3 $((ROOM - LISTED - 20))"
t_eq "in the kernel as it was, too: all of them from all" \
	"$(bpftool -j map dump pinned "$MAP" | jq -c '[.[].formatted.value.flags] | unique')" "[2]"

# ---------------------------------------------------------------- many that end together

t_need daemon_stop
t_need python3 - "$STATE/ledger.db" <<-'END'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	db.execute("DELETE FROM granted")
	db.commit()
END
t_need daemon_start ""
# the kernel is full of what no ledger knows; the same prefixes take its places
sed "s/ all .*/ all $(date -u -d '+6 seconds' +%FT%TZ) RT-6/; 6000q" "$LZ_DIR/again" >"$LZ_DIR/list"
t_need ctl exception import "$LZ_DIR/list"
BEFORE=$(in_kernel)
while [ "$(ctl -j status | jq .exceptions)" = 6000 ]; do sleep 0.1; done
BEGUN=$(lz_now_ms)
# 64 each quarter of a second would be 23 s
t_ok "6,000 that end on the same date: their books are closed soon" lz_wait 12 excepted_is ""
echo "# closed after $(($(lz_now_ms) - BEGUN)) ms"
t_eq "the kernel has none of them" "$(in_kernel)" $((BEFORE - 6000))
t_eq "each is a line of the log" "$(grep -c "event=exception-expired .*RT-6" "$LZ_DIR/log/daemon.log")" 6000

daemon_stop
t_eq "nothing failed" "$(grep -cE 'event=(ledger-failed|controller-hangs|controller-died)' "$LZ_DIR/log/daemons.log")" 0
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | grep -v exception-expired | tail -n 60
t_end
