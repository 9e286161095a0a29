#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The colony as its people meet it, with the software they have: curl, swaks, Postfix, TLS, a name
# server, a time server, a mirror of updates.  What a held host can and cannot do in each garden, on
# every hook and over both families; how it gets out; what happens while portal and daemon are killed
# and a held host floods.  All the while a neighbour reads pages and sends mail, and loses nothing.
# shellcheck disable=SC2086,SC2153 # the addresses are people.sh's, and have no blanks
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/ns.sh
. "$ROOT/selftests/lib/ns.sh"
# shellcheck source=selftests/lib/topology.sh
. "$ROOT/selftests/lib/topology.sh"
# shellcheck source=selftests/lib/mail.sh
. "$ROOT/selftests/lib/mail.sh"
# shellcheck source=selftests/lib/t.sh
. "$ROOT/selftests/lib/t.sh"
BUILD=${LZ_BUILD:-$ROOT/build}
# shellcheck source=selftests/lib/people.sh
. "$ROOT/selftests/lib/people.sh"

lz_lab_enter 540 "$@"

INSTANCE=

# policy HOOK
policy()
{
	cat <<-END
	{ "version": 1, "name": "garden",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "hook": "$1", "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "customers": ["198.51.100.0/24", "2001:db8:2000::/36"],
		    "resolvers": ["$RESOLVER4", "$RESOLVER6"], "updates": [{ "names": ["deb.example.net"] }] },
	  "name-servers": ["$RESOLVER4"],
	  "never": ["192.0.2.1", "resolvers"], "always-reach": ["resolvers"],
	  "portal": { "url": "http://$PORTAL_NAME/", "contact": "Abuse desk, +49 30 555 0100",
		      "provider": "Example Net", "self-release": { "times": 2, "quiet": "0s" } },
	  "gardens": { "leaky": { "allow": ["updates"] }, "strict": { "allow": ["updates", "udp/123"] }, "bare": { "kind": "strict" } },
	  "classes": { "customers": { "of": ["customers"], "port25": "leave-alone" } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

ctl()
{
	lz_ns_run gw "$BUILD/lazaretctl" --instance "$INSTANCE" "$@"
}

log()
{
	cat "$LZ_DIR/log/daemon-$INSTANCE.log"
}

daemon_start()
{
	lz_proc_start "daemon-$INSTANCE" gw "$BUILD/lazaretd" --instance "$INSTANCE" \
		--policy "$LZ_DIR/$INSTANCE.json" --state "$LZ_DIR/state-$INSTANCE" --run "/run/lazaret-$INSTANCE"
	lz_wait 20 ctl status && lz_wait 10 grep -q event=portal-ready "$LZ_DIR/log/daemon-$INSTANCE.log"
}

# ---------------------------------------------------------------- the gardens

hold_all()
{
	local address
	for address in $BOT4 $BOT6; do
		ctl -q quarantine add $address for 1h reason "spam run" ticket RT-1 || return
	done
	for address in $PC4 $PC6; do
		ctl -q quarantine add $address for 1h garden strict || return
	done
	for address in $CAM4 $CAM6; do
		ctl -q quarantine add $address for 1h garden bare || return
	done
}

in_leaky()
{
	local at="$1: leaky"
	t_eq "$at: the web of a program" "$(code bot http://$SITE4/)" 511
	t_eq "$at: the web of a program, v6" "$(code bot "http://[$SITE6]/")" 511
	t_eq "$at: any address of the web" "$(code bot http://203.0.113.99/x?y)" 511
	t_ok "$at: a browser sees the page" page bot http://$SITE4/
	t_ok "$at: a browser sees the page, v6" page bot "http://[$SITE6]/"
	t_ok "$at: mail is told 554 and where to look" told_554 bot "$LZ_MX4"
	t_ok "$at: mail is told 554 and where to look, v6" told_554 bot "$LZ_MX6"
	t_ok "$at: TLS passes" real bot https://$SITE4/
	t_ok "$at: TLS passes, v6" real bot "https://[$SITE6]/"
	t_ok "$at: submission passes" grep -q ^220 <(greeting bot "$LZ_MX4" 587)
	t_ok "$at: SMTP over TLS passes" tcp bot "$LZ_MX6" 465
	t_ok "$at: any resolver" names bot $OTHER_RESOLVER
	t_ok "$at: the time" clock bot
	t_ok "$at: updates over HTTP" lz_wait 10 real bot http://$DEB4/
}

in_strict()
{
	local at="$1: strict" port
	t_eq "$at: the web of a program" "$(code pc http://$SITE4/)" 511
	t_ok "$at: a browser sees the page" page pc http://$SITE4/
	t_ok "$at: a browser sees the page, v6" page pc "http://[$SITE6]/"
	t_ok "$at: mail is told 554" told_554 pc "$LZ_MX4"
	t_ok "$at: mail is told 554, v6" told_554 pc "$LZ_MX6"
	t_ok "$at: curl over TLS fails within a second" fails_fast pc https://$SITE4/
	t_ok "$at: curl over TLS fails within a second, v6" fails_fast pc "https://[$SITE6]/"
	for port in 443 465 587; do
		t_ok "$at: port $port refused at once" refused pc "$LZ_MX4" $port
		t_ok "$at: port $port refused at once, v6" refused pc "$LZ_MX6" $port
	done
	t_ok "$at: QUIC refused at once" lz_ns_run pc "${MORE_ENDS[@]}" quic $SITE4
	t_ok "$at: QUIC refused at once, v6" lz_ns_run pc "${MORE_ENDS[@]}" quic $SITE6
	t_ok "$at: the provider's resolver" names pc $RESOLVER4
	t_ok "$at: the provider's resolver, v6" names pc $RESOLVER6
	t_ok "$at: no other resolver" not names pc $OTHER_RESOLVER
	t_ok "$at: the time, as the garden says" clock pc
	t_ok "$at: updates over TLS" lz_wait 10 real pc https://$DEB4/
	t_ok "$at: updates over TLS, v6" real pc "https://[$DEB6]/"
	t_ok "$at: updates over HTTP" real pc http://$DEB4/
	t_ok "$at: no other port" not tcp pc $SITE4 8443
	t_ok "$at: no ping" not lz_ns_run pc ping -c 1 -W 1 $SITE4
}

in_bare()
{
	local at="$1: bare"
	t_ok "$at: the page" page cam http://$SITE4/
	t_ok "$at: no time" not clock cam
	t_ok "$at: no updates" not real cam https://$DEB4/
	t_ok "$at: the provider's resolver" names cam $RESOLVER4
}

set_free()
{
	t_ok "$1: release" ctl -q quarantine del $PC4
	t_ok "$1: the very next request" real pc http://$SITE4/
	t_ok "$1: and TLS" real pc https://$SITE4/
	t_ok "$1: and mail" lz_mail_send pc "$LZ_MX4" pc@example.com bob@example.org "free on $1"
	t_ok "$1: the other customer's hold stands" page cam http://$SITE4/
}

hook()
{
	INSTANCE=$1
	policy "$1" >"$LZ_DIR/$INSTANCE.json"
	t_need daemon_start
	t_ok "$1: hold" hold_all
	in_leaky "$1"
	in_strict "$1"
	in_bare "$1"
	set_free "$1"
	t_ok "$1: healthy" ctl health
}

hook_end()
{
	lz_proc_stop "daemon-$INSTANCE"
	t_ok "$INSTANCE: detach" lz_ns_run gw "$BUILD/lazaretd" --instance "$INSTANCE" --detach
}

# A policy without the garden that two hosts are held in: it says so, before and when it comes.
garden_leaves()
{
	local address says="warning: 2 held hosts are in garden bare, which is not in it: there it is strict as built in, with nothing opened"
	jq 'del(.gardens.bare)' "$LZ_DIR/$INSTANCE.json" >"$LZ_DIR/left.json"
	t_ok "a garden less: diff says who is in it" grep -qF "$says" <(ctl policy diff "$LZ_DIR/left.json" | in_one_line)
	t_ok "a garden less: apply says it, too" grep -qF "$says" <(ctl policy apply "$LZ_DIR/left.json" --yes | in_one_line)
	t_ok "a garden less: held as strict as it says" page cam http://$SITE4/
	t_ok "a garden less: TLS is refused" refused cam $SITE4 443
	t_eq "a garden less: it is said once" "$(ctl -j policy diff "$LZ_DIR/left.json" | jq -c .held_warning)" null
	t_eq "the garden comes back: no warning" \
		"$(ctl -j policy diff "$LZ_DIR/$INSTANCE.json" | jq -c .held_warning)" null
	t_ok "the garden comes back" ctl -q policy apply "$LZ_DIR/$INSTANCE.json" --yes
	t_eq "nobody in it: no warning" "$(jq 'del(.gardens.leaky)' "$LZ_DIR/$INSTANCE.json" >"$LZ_DIR/left.json"
		ctl -q quarantine del $BOT4; ctl -q quarantine del $BOT6
		ctl -j policy diff "$LZ_DIR/left.json" | jq -c .held_warning)" null
	for address in $BOT4 $BOT6; do
		t_ok "hold again" ctl -q quarantine add $address for 1h reason "spam run" ticket RT-1
	done
	t_eq "a built-in one that goes back to what is built in" \
		"$(ctl -j policy diff "$LZ_DIR/left.json" | jq -r .held_warning)" \
		"2 held hosts are in garden leaky, which is not in it: there it is leaky as built in, with nothing opened"
}

in_one_line()
{
	tr -s '\n ' ' '
}

# ---------------------------------------------------------------- ways out

# Its own mail server keeps what could not be sent; free again, all of it arrives.
way_of_mail()
{
	t_ok "a held host's Postfix takes a message" lz_mail_send bot 127.0.0.1 anna@example.net bob@example.org "kept"
	t_ok "and keeps it, with our words in its log" lz_wait 10 queued_with_554
	t_ok "they know it in no world" not lz_mx_has 'Subject: kept'
}

way_by_time()
{
	t_ok "hold for 3 s" ctl -q quarantine add $PC4 for 3s
	t_ok "held" page pc http://$SITE4/
	t_ok "free by itself" lz_wait 5 real pc http://$SITE4/
	t_ok "and the book says so" lz_wait 3 state_is $PC4 released
}

state_is()
{
	[ "$(ctl -j quarantine show "$1" | jq -r .state)" = "$2" ]
}

# A connection that the page has is its for half a minute after the release; all else is free.
way_by_operator()
{
	mkfifo "$LZ_DIR/late.go"
	lz_proc_start late bot "${MORE_ENDS[@]}" late "$LZ_DIR/late.go" "$LZ_DIR/late" $SITE4
	t_ok "a browser has a connection to the page" lz_wait 3 grep -q connected "$LZ_DIR/late"
	t_ok "release" ctl -q quarantine del $BOT4 reason "cleaned" ticket RT-2
	t_ok "the very next request" real bot http://$SITE4/
	t_ok "what was queued arrives" lz_wait 10 lz_mx_has 'Subject: kept'
	sleep 3
	echo >"$LZ_DIR/late.go"
	t_ok "that connection is answered, and sent to the real site" \
		lz_wait 3 grep -q '^Location: http://www.example.org/news' "$LZ_DIR/late"
	lz_proc_stop late
	t_ok "hold again" ctl -q quarantine add $BOT4 for 1h reason "spam run" ticket RT-1
}

# ---------------------------------------------------------------- what the operator sees

# fits COMMAND...: what it answers goes into 80 columns
fits()
{
	ctl "$@" | tee "$LZ_DIR/said" | awk 'length > 80 { print; wide = 1 } END { exit wide }'
}

said()
{
	grep -qE -- "$1" "$LZ_DIR/said"
}

# JSON parsers take the last of two members with one name; the document shall have no such.
TWICE='import json, sys
def members(pairs):
    names = [name for name, _ in pairs]
    print("".join(n for n in names if names.count(n) > 1), end="")
json.load(sys.stdin, object_pairs_hook=members)'

operator()
{
	local what
	for what in "why $BOT4" "why $PC4" "why 198.51.100.20" "quarantine show $BOT4" "quarantine show $PC6" \
		"quarantine list" "status" "health" "source show $BOT4"; do
		# shellcheck disable=SC2086 # words
		t_ok "$what: goes into 80 columns" fits $what
		[ -z "${SHOW:-}" ] || cat "$LZ_DIR/said"
	done
	fits why $BOT4
	t_ok "why: held, in which garden" said '^grade +garden:leaky$'
	t_ok "why: by whom, and why" said '^(by +root|reason +spam run)$'
	t_ok "why: until when" said "^until +$(ctl -j quarantine show $BOT4 | jq -r .until) "
	t_ok "why: the way out" said "^way out +lazaretctl --instance $INSTANCE quarantine del $BOT4\$"
	t_ok "why: who let him go before, and with which ticket" said 'freed +- +- +root +RT-2 +cleaned$'
	fits why $PC4
	t_ok "why of a free one: passes" said '^verdict +pass$'
	t_ok "why of a free one: its time was up" said 'expired +- +- +clock +- +time is up$'
	t_eq "list: all that are held" "$(ctl -j quarantine list | jq -r '[.entries[].address] | sort | join(" ")')" \
		"$BOT4 $CAM4 $BOT6 $PC6 $CAM6"
	t_eq "-j: no key is said twice" "$(for what in "why $BOT4" "quarantine show $BOT4"; do
		ctl -j $what | python3 -c "$TWICE"
	done)" ""
}

# ---------------------------------------------------------------- faults

portal_pid()
{
	pgrep -x lazaret-portal
}

health_names()
{
	ctl -j health | jq -e --arg n "$1" '.checks[] | select(.name == $n) | .ok == false'
}

still_held()
{
	t_ok "$1: no site" not real cam http://$SITE4/
	t_ok "$1: no mail" not tcp_greets_220 cam
	t_ok "$1: no TLS, at once" refused cam $SITE4 443
}

tcp_greets_220()
{
	grep -q ^220 <(greeting "$1" "$LZ_MX4" 25)
}

# It comes back at once the first time, ever later when it goes on dying.
portal_killed()
{
	local pid since
	pid=$(portal_pid)
	kill -KILL "$pid"
	since=$(lz_now_ms)
	t_ok "portal killed: the page is back within seconds" lz_wait 5 page cam http://$SITE4/
	echo "# portal killed: a page after $(($(lz_now_ms) - since)) ms"
	t_ok "portal killed: it is another one" test "$(portal_pid)" != "$pid"
	t_ok "portal killed: told" grep -q event=portal-down "$LZ_DIR/log/daemon-$INSTANCE.log"
	kill_until_alarm
	t_ok "portal dies again and again: health fails" health_names portal
	t_ok "and status says so" grep -q portal <(ctl status)
	still_held "portal dies again and again"
	t_ok "it comes back" lz_wait 15 page cam http://$SITE4/
	t_ok "healthy again" lz_wait 5 ctl health
}

kill_until_alarm()
{
	local pid end_ms=$(($(lz_now_ms) + 8000))
	while [ "$(lz_now_ms)" -lt "$end_ms" ]; do
		pid=$(portal_pid) && kill -KILL "$pid" && sleep 0.3
		! health_names portal >/dev/null 2>&1 || { sleep 0.5; portal_pid >/dev/null || return 0; }
	done
}

daemon_killed()
{
	local since
	kill -KILL "${LZ_PROC[daemon-$INSTANCE]}"
	wait "${LZ_PROC[daemon-$INSTANCE]}" 2>/dev/null
	still_held "daemon killed"
	t_eq "daemon killed: no daemon" "$(ctl status >/dev/null 2>&1; echo $?)" 3
	since=$(lz_now_ms)
	t_need daemon_start
	t_ok "a new daemon: the page" lz_wait 10 page cam http://$SITE4/
	echo "# a new daemon: a page after $(($(lz_now_ms) - since)) ms"
	t_ok "a new daemon: mail is told 554" told_554 cam "$LZ_MX4"
	t_ok "a new daemon: healthy" lz_wait 10 ctl health
}

# ---------------------------------------------------------------- floods

flooded()
{
	local seen=0 since before
	lz_proc_start flood bot curl -s --parallel --parallel-immediate --parallel-max 200 --max-time 6 		-o /dev/null "http://$SITE4/[1-20000]"
	lz_proc_start syns pc hping3 -q -S -p 80 --flood $SITE4
	sleep 0.5
	since=$(lz_now_ms)
	for _ in 1 2 3 4 5; do
		page cam http://$SITE4/ && seen=$((seen + 1))
	done
	echo "# two floods: five pages in $(($(lz_now_ms) - since)) ms"
	t_eq "floods of requests and of SYNs: another held host sees its page" $seen 5
	lz_proc_stop flood
	lz_proc_stop syns INT
	before=$(datagrams)
	lz_proc_start flood cam hping3 -q --udp -p 53 --flood $RESOLVER4
	sleep 2
	lz_proc_stop flood INT
	echo "# a flood of 2 s: $(($(datagrams) - before)) datagrams at the resolver"
	t_ok "a flood of the resolver is thinned" test $(($(datagrams) - before)) -le 700
}

# shellcheck disable=SC2016 # awk's
datagrams()
{
	lz_ns_run smarthost awk '$1 == "Udp:" { n = $2 } END { print n }' /proc/net/snmp
}

t_need lab_up
t_need own_mta_start
t_need day_start
for HOOK in ${HOOKS:-tc xdp-generic xdp}; do
	[ -z "$INSTANCE" ] || hook_end
	hook "$HOOK"
done
garden_leaves
way_of_mail
way_by_time
way_by_operator
operator
t_ok "hold, strict" ctl -q quarantine add $PC4 for 1h garden strict
portal_killed
daemon_killed
flooded
day_end
[ "$T_FAILED" = 0 ] || log | sed 's/^/# /' | tail -n 40
t_end
