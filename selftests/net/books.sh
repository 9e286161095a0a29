#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The books: a reboot with cases in every state; a colony that fills up, with alarms, and is full; a kernel
# table that has no room for all of a customer; a host that has used up its own ways out; a wall clock that
# is set a year ahead, and right again.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 360 "$@"

cat >"$LZ_DIR/policy.json" <<-'END'
	{ "version": 1, "name": "books",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/24"], "many": ["198.18.0.0/15"] },
	  "customers": { "file": "customers.csv" },
	  "portal": { "url": "http://portal.example.net/", "contact": "abuse desk", "provider": "Example Net" },
	  "gardens": { "care": { "kind": "strict", "mail": "smtp-554", "web": "page" } },
	  "classes": { "homes": { "of": ["homes", "many"], "port25": "leave-alone" } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
END
echo "C64,198.51.100.128/26" >"$LZ_DIR/customers.csv"

# ledger STATEMENT...: while no daemon has it
ledger()
{
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for statement in sys.argv[2:]:
    db.execute(statement)
db.commit()' "$STATE/ledger.db" "$@"
}

# All cases, as they are written down; while no daemon has them
written()
{
	python3 -c 'import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute("""SELECT id, key, state, step, grade, self_releases, due_s,
    (SELECT count(*) FROM transition WHERE case_id = cases.id) FROM cases ORDER BY id"""):
    print(*row)' "$STATE/ledger.db"
}

# What is known of all hosts, one a line: ADDRESS STATE GRADE STEP WAYS-OUT UNTIL, the last in seconds
cases()
{
	local n
	for n in $(seq 10 21); do
		ctl -j quarantine show "198.51.100.$n" 2>/dev/null | jq -r '[.address, .state, .grade // "-", .step // "-",
			.self_releases_left // "-", ((.until // "1970-01-01T00:00:00Z") | fromdateiso8601)] | join(" ")'
	done
}

# And how the data plane has them: ADDRESS GRADE
judged()
{
	local n
	for n in $(seq 10 21); do
		ctl -j source show "198.51.100.$n" 2>/dev/null |
			jq -r 'select(.source.held_until) | [.source.address, .source.grade] | join(" ")'
	done
}

# without_end CASES: all but their ends
without_end()
{
	awk '{ NF--; print }' <<<"$1"
}

# later BEFORE AFTER SLACK_S: hosts that are held longer, or shorter by more than that, after than before
later()
{
	join <(awk '{ print $1, $NF }' <<<"$1" | sort) <(awk '{ print $1, $NF }' <<<"$2" | sort) |
		awk -v slack="$3" '$3 > $2 + 1 || $3 < $2 - slack'
}

# ---------------------------------------------------------------- a reboot with cases in every state

t_need lz_provider_add
t_need daemon_start "$LZ_DIR/policy.json"
t_ok "leaky" ctl quarantine add 198.51.100.10 for 1h ticket RT-10 reason "ten ten"
t_ok "strict" ctl quarantine add 198.51.100.11 garden strict for 3h
t_ok "a garden of the policy" ctl quarantine add 198.51.100.12 garden care for 31d
t_ok "block25" ctl quarantine add 198.51.100.13 block25 for 2h
t_ok "throttled" ctl quarantine add 198.51.100.14 throttle 10/min for 2h
t_ok "throttled otherwise" ctl quarantine add 198.51.100.15 throttle 100/h for 2h
t_eq "throttled by nothing: invalid" "$(status_of ctl quarantine add 198.51.100.77 throttle 999999999999/s)" 1
t_ok "says the bound" grep -q 'throttle 1001/s: is out of range (want at most 1000/s)' \
	<(ctl quarantine add 198.51.100.77 throttle 1001/s 2>&1)
echo "198.51.100.77 5h throttle:0/s" >"$LZ_DIR/list"
t_eq "so that nothing passes, of a list: invalid" "$(status_of ctl quarantine import "$LZ_DIR/list")" 1
echo "198.51.100.16 5h garden:care RT-16 of a list" >"$LZ_DIR/list"
t_ok "of a list, without a case" ctl quarantine import "$LZ_DIR/list"
for i in 17 18 19 20 21; do
	t_ok "let go" eval "ctl quarantine add 198.51.100.$i && ctl quarantine del 198.51.100.$i"
done
CLOSED=$(ctl -j quarantine show 198.51.100.21 | jq -r .case)
daemon_stop
NOW=$(date +%s)
t_need ledger "UPDATE cases SET state = 'watch', due_s = $NOW + 5000 WHERE key = 0xc6336412" \
	"UPDATE cases SET state = 'observed', due_s = $NOW + 5000 WHERE key = 0xc6336413" \
	"UPDATE cases SET state = 'notified', due_s = $NOW + 5000, grade = 'block25' WHERE key = 0xc6336414" \
	"UPDATE cases SET state = 'closed', due_s = 0 WHERE key = 0xc6336415" \
	"UPDATE cases SET due_s = $NOW + 5000 WHERE key = 0xc6336411" \
	"UPDATE cases SET self_releases = 2 WHERE key = 0xc633640a" \
	"UPDATE cases SET self_releases = 1, step = 2 WHERE key = 0xc633640b"
t_need daemon_start "$LZ_DIR/policy.json"
BEFORE=$(cases)
JUDGED=$(judged)
t_eq "there is one in every state" "$(awk '{ print $2 }' <<<"$BEFORE" | sort -u | xargs)" \
	"- blocked25 garden notified observed released throttled watch" # - is closed
t_eq "closed: by its address there is none" "$(status_of ctl quarantine show 198.51.100.21)" 4
t_eq "closed: by its number it is told" "$(ctl -j quarantine show "$CLOSED" |
	jq -r '"\(.case) \(.address) \(.state) \(.touched | length) \([.timeline[].event] | join(" "))"')" \
	"$CLOSED 198.51.100.21 closed 0 held freed"
t_eq "seven are held by the data plane" "$(wc -l <<<"$JUDGED")" 7
t_eq "who has let himself out twice may not again" "$(awk '$1 ~ /\.10$/ { print $5 }' <<<"$BEFORE")" 0
t_eq "who has once may once more" "$(awk '$1 ~ /\.11$/ { print $5 }' <<<"$BEFORE")" 1
daemon_stop
WRITTEN=$(written)
t_need lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach
t_ok "nothing is left of it in the kernel" test ! -e /sys/fs/bpf/lazaret-lab
cat /proc/sys/kernel/random/uuid >"$LZ_DIR/boot_id"
t_need mount --bind "$LZ_DIR/boot_id" /proc/sys/kernel/random/boot_id
sleep 2
t_need daemon_start "$LZ_DIR/policy.json"
AFTER=$(cases)
t_eq "reboot: each host is known as before" "$(without_end "$AFTER")" "$(without_end "$BEFORE")"
t_eq "reboot: none ends later, nor much earlier" "$(later "$BEFORE" "$AFTER" 3)" ""
t_eq "reboot: each host is held as before" "$(judged)" "$JUDGED"
t_ok "reboot: doctor agrees" ctl doctor
t_eq "reboot: its reason" "$(ctl -j quarantine show 198.51.100.16 | jq -r '.ticket + " " + .reason')" "RT-16 of a list"

daemon_stop
t_eq "reboot: each case is written as it was, without a step more" "$(written)" "$WRITTEN"
t_need daemon_start "$LZ_DIR/policy.json"

# ---------------------------------------------------------------- what the ledger has forgotten

for i in 1 2 3; do
	echo "198.51.100.90 ${i}h leaky - each hour" >"$LZ_DIR/list"
	t_ok "a list that comes again" ctl quarantine import "$LZ_DIR/list"
done
daemon_stop
t_need ledger "DELETE FROM change WHERE prior = 0"
t_need daemon_start "$LZ_DIR/policy.json"
t_eq "undone to the oldest order that is known" "$(ctl -j quarantine undo --since 1h --source import |
	jq -c '[.freed_entries[] | select(.address == "198.51.100.90") | .restored]')" "[true]"
t_ok "for he was held before" ctl quarantine show 198.51.100.90
echo "198.51.100.91 1h leaky - once" >"$LZ_DIR/list"
t_ok "another one, once" ctl quarantine import "$LZ_DIR/list"
t_eq "who was not is let go" "$(ctl -j quarantine undo --since 1h --source import |
	jq -c '[.freed_entries[] | select(.address == "198.51.100.91") | .restored]')" "[false]"
t_ok "and the other not, whatever is undone" ctl quarantine del 198.51.100.90
t_ok "as before" ctl quarantine add 198.51.100.16 for 5h

# ---------------------------------------------------------------- it fills up

# list FROM TO: as many hosts
list()
{
	seq "$1" "$2" | awk '{ printf "198.19.%d.%d 1h leaky - crowd\n", int($1 / 250), $1 % 250 + 1 }' >"$LZ_DIR/list"
}

said()
{
	grep -q "event=colony-filling percent=$1 " "$LZ_DIR/log/daemon.log"
}

alarm()
{
	ctl -j status | jq -r '[.alarms[] | select(startswith("colony"))] | join(", ")'
}

t_eq "no alarm yet" "$(alarm)" ""
list 1 3300
t_ok "to 80 %" ctl quarantine import "$LZ_DIR/list" --yes
t_ok "80 % is told" lz_wait 5 said 80
t_ok "and an alarm" grep -q 80 <(alarm)
list 3301 3700
t_ok "to 90 %" ctl quarantine import "$LZ_DIR/list"
t_ok "90 % is told" lz_wait 5 said 90
list 3701 3900
t_ok "to 95 %" ctl quarantine import "$LZ_DIR/list"
t_ok "95 % is told" lz_wait 5 said 95
list 3901 4189
ctl -j quarantine import "$LZ_DIR/list" >"$LZ_DIR/said" 2>/dev/null
t_eq "beyond: partly done" $? 6
t_eq "beyond: as many as there is room for" "$(jq -c '[.held, .refused]' "$LZ_DIR/said")" "[189,100]"
t_ok "beyond: each is named, with the reason" grep -q '"address":"198.19.16.[0-9]*","error":"colony: full"' \
	<(jq -c '.refused_entries[]' "$LZ_DIR/said")
t_eq "full: refused" "$(status_of ctl quarantine add 198.51.100.77)" 2
t_ok "full: with the reason and what to do" grep -q "full: 4096 of 4096 are held; raise /capacity/colony" \
	<(ctl quarantine add 198.51.100.77 2>&1)
t_eq "full: nothing is left of it" "$(status_of ctl quarantine show 198.51.100.77)" 4
t_ok "full: one that is held may be held for longer" ctl quarantine add 198.19.0.2 for 2h
t_ok "free some" ctl -q quarantine undo --since 1h --source import
t_ok "then there is room" ctl quarantine add 198.51.100.77

# ---------------------------------------------------------------- the kernel has no room for all of a customer

# All places in the lines of tags but N are taken, as if sources lived there; those who are held keep theirs.
# Fewer than a customer has addresses: wherever their keys may live, they cannot all get one. 0x80 is a place
# that nobody takes (LZ_TAG_DYING).
fill_tags()
{
	local pin
	pin=/sys/fs/bpf/lazaret-lab/map_lz_tags
	bpftool -j map dump pinned "$pin" | python3 -c 'import json, sys
lines = [[[int(b, 16) for b in line[k]] for k in ("key", "value")] for line in json.load(sys.stdin)]
free = [(tags, i) for _, tags in lines for i, t in enumerate(tags) if t <= 1]
n = int(sys.argv[2])
stay = {(id(tags), i) for tags, i in free[::len(free) // n][:n]}
for key, tags in lines:
    left = (t if t >= 128 or (id(tags), i) in stay else 128 for i, t in enumerate(tags))
    print("map update pinned", sys.argv[1], "key", *key, "value", *left)' "$pin" "$1" >"$LZ_DIR/tags"
	bpftool batch file "$LZ_DIR/tags" >/dev/null
}

HELD=$(ctl -j status | jq .colony.held)
t_need fill_tags 63
ctl quarantine add 198.51.100.130 for 1h >"$LZ_DIR/said" 2>&1
t_eq "table full: refused" $? 2
t_ok "table full: says so" grep -q "table full" "$LZ_DIR/said"
t_eq "table full: none of his addresses is in the books" "$(ctl -j status | jq .colony.held)" "$HELD"
t_eq "table full: nor held by the data plane" "$(for i in $(seq 128 191); do
	ctl -j source show "198.51.100.$i" 2>/dev/null | jq -r '.source.held_until // empty'
done)" ""
t_ok "table full: doctor agrees" ctl doctor
list 5001 5300
ctl -j quarantine import "$LZ_DIR/list" >"$LZ_DIR/said" 2>/dev/null
t_eq "table full: of a list some are refused" $? 6
echo "# table full: of 300 $(jq .held "$LZ_DIR/said") found a place"
t_ok "table full: each by name" grep -q '"address":"198.19.[0-9.]*","error":"the kernel did not take it' \
	<(jq -c '.refused_entries[]' "$LZ_DIR/said")
t_eq "table full: what is said is what is held" "$(($(jq .held "$LZ_DIR/said") + HELD))" \
	"$(ctl -j status | jq .colony.held)"
t_ok "table full: doctor still agrees" grep -q "^ok *holds" <(ctl doctor 2>&1)
t_ok "table full: who is held stays held" test "$(ctl -j source show 198.51.100.12 | jq -r .source.garden)" = care

daemon_stop

# ---------------------------------------------------------------- the wall clock is set ahead, and right again

# The daemon's wall clock is ahead of ours by what stands in the file; CLOCK_MONOTONIC is not.
cat >"$LZ_DIR/clock.c" <<-'END'
	#define _GNU_SOURCE
	#include <fcntl.h>
	#include <stdlib.h>
	#include <sys/mman.h>
	#include <sys/syscall.h>
	#include <time.h>
	#include <unistd.h>
	static volatile long *ahead;
	__attribute__((constructor)) static void init(void)
	{
		int fd = open(getenv("CLOCK_AHEAD"), O_RDONLY);
		ahead = mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	int clock_gettime(clockid_t id, struct timespec *t)
	{
		int r = (int)syscall(SYS_clock_gettime, id, t);
		if (id == CLOCK_REALTIME)
			t->tv_sec += *ahead;
		return r;
	}
END

# ahead SECONDS
ahead()
{
	python3 -c 'import struct, sys
with open(sys.argv[1], "r+b") as f: f.write(struct.pack("<q", int(sys.argv[2])))' "$CLOCK_AHEAD" "$1"
}

export CLOCK_AHEAD=$LZ_DIR/ahead
printf '\0%.0s' {1..8} >"$CLOCK_AHEAD"
t_need gcc -shared -fPIC -o "$LZ_DIR/clock.so" "$LZ_DIR/clock.c"
t_need lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach
rm -f "$STATE"/*
export LD_PRELOAD=$LZ_DIR/clock.so
t_need daemon_start "$LZ_DIR/policy.json"
unset LD_PRELOAD
t_need ctl exception add 198.51.100.30 port25 until "$(date -u -d '+90 days' +%F)" ticket RT-30
t_need ctl quarantine add 198.51.100.31 for 5h
t_need ctl quarantine add 198.51.100.32 for 1h
t_need ctl quarantine del 198.51.100.32
ahead 31536000
t_ok "set ahead: it is said" lz_wait 5 grep -q "event=clock-stepped by_s=3153[56][0-9]* " "$LZ_DIR/log/daemon.log"
sleep 3
ahead 0
t_ok "right again: it is said" lz_wait 5 grep -q "event=clock-believed " "$LZ_DIR/log/daemon.log"
t_eq "right again: each once" "$(grep -c "event=clock-" "$LZ_DIR/log/daemon.log")" 2
t_ok "right again: an exception is there" grep -q "^198.51.100.30 .*RT-30" <(ctl exception list)
t_eq "right again: a case has not moved on" "$(ctl -j quarantine show 198.51.100.32 | jq -r .state)" released
t_eq "right again: who is held stays held" "$(ctl -j quarantine show 198.51.100.31 | jq -r .state)" garden
t_ok "right again: healthy" ctl health
t_need daemon_stop
ahead 31536000 # while no daemon looks
export LD_PRELOAD=$LZ_DIR/clock.so
t_need daemon_start "$LZ_DIR/policy.json"
unset LD_PRELOAD
t_ok "set ahead before a start: it is said" \
	lz_wait 5 grep -q "event=clock-stepped by_s=3153[56][0-9]* " "$LZ_DIR/log/daemon.log"
sleep 2
t_ok "set ahead before a start: an exception is there" grep -q "^198.51.100.30 .*RT-30" <(ctl exception list)
daemon_stop
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
