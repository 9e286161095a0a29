#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A list of 200,000 is read while people look at the page and operators ask: all are answered, who presses the
# button is told to try again, and works afterwards; then all of the list ends at once, and the books are
# closed soon. (The figures for 600,000: selftests/bench/cli.sh.)
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 360 "$@"

HOST=198.51.100.30
LAST=10.255.255.254 # in the order in which books are closed
HOSTS=200000
PORTAL_NAME=quarantine.example.net

cat >"$LZ_DIR/policy.json" <<-END
	{ "version": 1, "name": "import",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/24", "10.0.0.0/8"] },
	  "never": ["198.51.100.99"],
	  "customers": { "file": "customers.csv" },
	  "portal": { "url": "http://$PORTAL_NAME/", "contact": "abuse desk, +49 30 1234",
		      "provider": "Example Net", "self-release": { "times": 2, "quiet": "0s" } },
	  "gardens": { "leaky": { "mail": "smtp-554", "web": "page" } },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone" } },
	  "capacity": { "sources": 4096, "colony": 300000 } }
END

printf '%s\n' C1,198.51.100.97/32 C1,203.0.113.192/26 >"$LZ_DIR/customers.csv"

# list END: in no order
list()
{
	seq 0 $((HOSTS - 1)) | awk -v end="$1" '{ n = ($1 * 7368787 + 1234567) % 16777216
		printf "10.%d.%d.%d %s leaky T-%d listed\n", int(n / 65536), int(n / 256) % 256, n % 256, end, $1 % 40 }'
}

# The page as a held host gets it, wherever he wanted to go
page()
{
	lz_ns_run home curl -s --max-time 15 -H "Host: $PORTAL_NAME" -H 'Accept: text/html' http://203.0.113.80/
}

# Until the import is over: a line for each page, "button", "later" or "none"
look_meanwhile()
{
	local got
	until [ -e "$LZ_DIR/over" ]; do
		got=$(page)
		case $got in
		*'type="submit"'*|*'<button'*) echo button ;;
		*"try again in a"*) echo later ;;
		*) echo none ;;
		esac
		sleep 0.02
	done
}

# cpu_ms: what the daemon's two processes have used so far
cpu_ms()
{
	local pid
	for pid in "${LZ_PROC[daemon]}" $(pgrep -P "${LZ_PROC[daemon]}"); do
		cat "/proc/$pid/stat"
	done | awk -v hz="$(getconf CLK_TCK)" '{ t += $14 + $15 } END { print int(t * 1000 / hz) }'
}

held_is()
{
	[ "$(ctl -j status | jq .colony.held)" = "$1" ]
}

has_button()
{
	page | grep -q '<button'
}

t_need lz_provider_add
t_need lz_customer_add home "$HOST" 2001:db8:2000:30::10
t_need daemon_start "$LZ_DIR/policy.json"

# ---------------------------------------------------------------- others get their turn whatever is listed

# short_turns WHAT FORMAT: 500,000 such lines, by awk's printf of their number, cut and whole
short_turns()
{
	local wait_ms
	seq 500000 | awk "{ printf \"$2\\n\", \$1 % 10000, \$1 }" >"$LZ_DIR/list"
	wait_ms=$(daemon_longest_wait -q quarantine import "$LZ_DIR/list" --yes)
	echo "# $1: $wait_ms ms"
	# two turns of 20 ms at most, and the answer; on a machine where instructions take twice as long
	t_ok "$1: an answer waits no longer than for other lists" test "$wait_ms" -lt 80
	ctl -q quarantine undo --since 1h --source import
}

short_turns "as many lines for one address that may not be held" "198.51.100.99 2h leaky T-1 listed"
short_turns "as many addresses of one IPv6 prefix, each with a ticket" "2001:db8:2000:77::%d 2h leaky T-%d listed"
short_turns "as many lines for one address" "198.51.100.98 2h leaky T-1 listed"
short_turns "as many lines for one customer" "198.51.100.97 2h leaky T-%d listed"
t_ok "all of it is free" held_is 0

# ---------------------------------------------------------------- a list of 200,000

t_ok "a host is held" ctl quarantine add "$HOST" for 1h
t_ok "he gets the page, with a button" lz_wait 10 has_button
list 2h >"$LZ_DIR/list"
look_meanwhile >"$LZ_DIR/looks" &
LOOKER=$!
ctl quarantine import "$LZ_DIR/list" --yes >"$LZ_DIR/said" 2>&1 &
IMPORT=$!
REFUSED=0 ANSWERED=0
while kill -0 "$IMPORT" 2>/dev/null; do
	ctl -q status >/dev/null 2>&1 || REFUSED=$((REFUSED + 1))
	ctl -j quarantine show "$HOST" >/dev/null 2>&1 || REFUSED=$((REFUSED + 1))
	ANSWERED=$((ANSWERED + 2))
done
wait "$IMPORT"
t_eq "the list is taken" $? 0
touch "$LZ_DIR/over"
wait "$LOOKER"
echo "# meanwhile: $ANSWERED questions; pages: $(sort "$LZ_DIR/looks" | uniq -c | xargs)"
t_ok "there was time to ask" test "$ANSWERED" -ge 2
t_eq "every question was answered" "$REFUSED" 0
t_eq "so was every host that asked for the page" "$(grep -c none "$LZ_DIR/looks")" 0
t_ok "some were told to try again" grep -q later "$LZ_DIR/looks"
t_ok "afterwards there is the button" has_button
t_ok "all are held" held_is $((HOSTS + 1))
t_ok "who was asked for is held by the data plane" test \
	"$(ctl -j source show 10.18.214.135 | jq -r .source.garden)" = leaky
t_ok "they take no source's room: doctor agrees" ctl doctor

# ---------------------------------------------------------------- what is written is what was asked for

ctl quarantine export >"$LZ_DIR/exported"
t_eq "its own export says the same of all" "$(ctl -j quarantine import "$LZ_DIR/exported" --yes |
	jq -c '[.held, .extended, .unchanged]')" "[0,0,$((HOSTS + 1))]" # however long it was read
UNTIL=$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)
echo "198.51.100.31 $UNTIL" >"$LZ_DIR/until"
t_ok "one with an end" ctl quarantine import "$LZ_DIR/until"
echo "no address at all" >"$LZ_DIR/bad"
ctl quarantine import "$LZ_DIR/bad" >"$LZ_DIR/said" 2>&1
t_eq "a bad line: refused" $? 1
t_eq "a bad line: said without a name that it has not" "$(grep -c -- "-: " "$LZ_DIR/said")" 0
t_eq "there is a portal: how often he may free himself" \
	"$(ctl -j quarantine show 198.51.100.31 | jq .self_releases_left)" 2
t_eq "that is when it ends" "$(ctl -j quarantine show 198.51.100.31 | jq -r .until)" "$UNTIL"
echo "198.51.100.99 1h" >"$LZ_DIR/never"
ctl quarantine import "$LZ_DIR/never" >"$LZ_DIR/said" 2>&1
t_eq "one of the never-list is refused, and named once" "$(grep 'line 1' "$LZ_DIR/said")" \
	"lazaretctl: line 1: 198.51.100.99: is in the never-list: 198.51.100.99"
t_ok "undone" ctl -q quarantine undo --since 1h --source import
t_ok "all of the list is free" held_is 1

# ---------------------------------------------------------------- over before it was in force

LATE=9.9.9.9 # the first of the list
is_released()
{
	[ "$(ctl -j quarantine show "$LATE" | jq -r .state)" = released ]
}

# slow_down CONTROLLER PID: until PID ends CONTROLLER hardly runs; PID is soon greeted by it
slow_down()
{
	sleep 0.02
	while kill -0 "$2" 2>/dev/null; do
		kill -STOP "$1"
		sleep 1
		kill -CONT "$1"
		sleep 0.02
	done
}

{ echo "$LATE 1s strict - late"; list 2h | tail -n 100000; } >"$LZ_DIR/list"
t_ok "one is held for a moment" ctl quarantine add "$LATE" block25 for 5s
CONTROLLER=$(pgrep -P "${LZ_PROC[daemon]}" -x lazaretd-ctl) # before: a fast one is done meanwhile
BEGUN=$(lz_now_ms)
ctl -j quarantine import "$LZ_DIR/list" --yes >"$LZ_DIR/said" &
slow_down "$CONTROLLER" $!
echo "# it took $(($(lz_now_ms) - BEGUN)) ms"
t_eq "what a list made of him was over when it was in force: no extension" \
	"$(jq -c '[.held, .extended, .refused]' "$LZ_DIR/said")" "[100000,0,1]"
t_ok "his case goes on all the same" lz_wait 10 is_released
t_ok "undone" ctl -q quarantine undo --since 1h --source import

# ---------------------------------------------------------------- extended: over at the later end

AGAIN=9.9.9.10
timeline_of()
{
	ctl -j why "$1" | jq -r '[.timeline[].event] | join(" ")'
}

has_expired()
{
	[[ $(timeline_of "$AGAIN") = *expired ]]
}

echo "$AGAIN 3s" >"$LZ_DIR/again"
t_ok "one of a list, for a moment" ctl quarantine import "$LZ_DIR/again"
echo "$AGAIN 12s" >"$LZ_DIR/again"
t_eq "the list comes again" "$(ctl -j quarantine import "$LZ_DIR/again" | jq -c '[.held, .extended]')" "[0,1]"
sleep 5
t_ok "his first end is no end" ctl quarantine show "$AGAIN"
t_ok "the later one is" lz_wait 20 has_expired
t_ok "he is held no more" test "$(status_of ctl quarantine show "$AGAIN")" != 0

# ---------------------------------------------------------------- all end within one second

END_S=$(($(date +%s) + 20))
list "$(date -u -d "@$END_S" +%Y-%m-%dT%H:%M:%SZ)" >"$LZ_DIR/list"
t_ok "as many that end soon" ctl quarantine import "$LZ_DIR/list" --yes
t_ok "one that has a case ends last" ctl quarantine add "$LAST" for "$((END_S + 2 - $(date +%s)))s"
t_ok "all are held" held_is $((HOSTS + 2))
echo "$LAST 1h leaky T-9 listed again" >"$LZ_DIR/again"
while [ "$(date +%s)" -lt $((END_S - 1)) ]; do sleep 0.1; done
CONTROLLER=$(pgrep -P "${LZ_PROC[daemon]}" lazaretd-ctl)
kill -STOP "$CONTROLLER" # until all have ended, and the list is there before their books are closed
while [ "$(date +%s)" -lt $((END_S + 4)) ]; do sleep 0.1; done
ctl quarantine import "$LZ_DIR/again" >/dev/null 2>&1 &
IMPORT=$!
sleep 0.3
kill -CONT "$CONTROLLER"
BEGUN=$(lz_now_ms)
BEGUN_CPU_MS=$(cpu_ms)
t_ok "the books are closed soon, even on a busy machine" lz_wait 60 held_is 2
wait "$IMPORT"
t_eq "who had ended is held by the list" $? 0
t_eq "and no more by the case that was over" "$(ctl -j quarantine list |
	jq -r '.entries[] | select(.address == "'"$LAST"'") | .ticket + " " + (.case // "alone" | tostring)')" "T-9 alone"
t_eq "which is over" "$(ctl -j why "$LAST" | jq -r '[.timeline[].event] | sort | join(" ")')" "expired held held"
CPU_MS=$(($(cpu_ms) - BEGUN_CPU_MS))
echo "# closed after $(($(lz_now_ms) - BEGUN)) ms, $CPU_MS of them on a CPU"
t_ok "with 20 s of a CPU, the third of a minute for 600,000" test "$CPU_MS" -le 20000
t_eq "one that had ended says so" "$(ctl -j why 10.18.214.135 | jq -r '[.timeline[].event] | join(" ")')" \
	"held undone held expired"
t_ok "once they are swept, doctor agrees" lz_wait 40 ctl doctor
t_ok "who was held otherwise still is" ctl quarantine show "$HOST"

daemon_stop
t_eq "nothing failed" "$(grep -cE 'event=(ledger-failed|controller-hangs)' "$LZ_DIR/log/daemons.log")" 0
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
