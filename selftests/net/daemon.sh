#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The daemon with real traffic: what is held stays held and what is honest passes, while processes
# are killed, interfaces vanish, policies roll back and the machine "reboots".
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 420 "$@"

HELD=198.51.100.10
HONEST=198.51.100.11
WORLD=203.0.113.25

# policy NAME TO-WORLD: a class for all customers, of which port 25 is left alone or not
policy()
{
	cat >"$LZ_DIR/$1.json" <<-END
	{ "version": 1, "name": "$1",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "offices": ["198.51.100.0/24", "2001:db8:2000::/36"], "bots": ["198.51.102.0/24"],
		    "smarthosts": ["192.0.2.25"] },
	  "never": ["192.0.2.1", "smarthosts"],
	  "classes": { "offices": { "of": ["offices"], "port25": $2 },
		       "bots": { "of": ["bots"], "port25": "leave-alone", "limits": [
			 { "name": "spam", "count": "smtp-connections", "at-most": "5/10s", "then": "hold 1h" } ] },
		       "sleepers": { "of": ["198.51.103.0/24"], "port25": "leave-alone", "limits": [
			 { "name": "relay", "count": "smtp-connections", "to": ["smarthosts"], "at-most": "1/10min",
			   "then": "hold 1h" } ] } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

controller_pid()
{
	pgrep -P "${LZ_PROC[daemon]}"
}

# reach NAME PORT
reach()
{
	lz_ns_run "$1" "${ENDS[@]}" once "$WORLD" "$2"
}

attached()
{
	ctl -j status | jq -e '[.interfaces[] | select(.hook != "none")] | length == 2'
}

t_need lz_provider_add
t_need lz_customer_add shop "$HELD" 2001:db8:2000::10
t_need lz_customer_add office "$HONEST" 2001:db8:2000:1::10
t_need lz_customer_add bot 198.51.102.10 2001:db8:2000:2::10
t_need lz_customer_add zombie 198.51.102.11 2001:db8:2000:2::11
t_need lz_customer_add sleeper 198.51.103.10 2001:db8:2000:3::10
policy open '"leave-alone"'
policy shut '{ "to-world": "drop", "except-to": ["smarthosts"] }'
: >"$LZ_DIR/came"
lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 25 80 443
t_need lz_port_wait 5 world 25

# ---------------------------------------------------------------- without privilege

t_eq "no privilege: exit code" "$(status_of setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$BUILD/lazaretd" --instance lab --state "$STATE" --run /run/lazaret-lab)" 5
t_eq "no privilege: one line" "$(setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$BUILD/lazaretd" --instance lab 2>&1 | wc -l)" 1
t_eq "no daemon: exit code" "$(status_of ctl status)" 3

# stranger COMMAND: as a user of this machine who is in no group of ours
stranger()
{
	lz_ns_run gw setpriv --reuid 65534 --regid 65534 --clear-groups "$BUILD/lazaretctl" --instance lab "$@"
}

# ---------------------------------------------------------------- start, hold, free

t_need daemon_start "$LZ_DIR/open.json"
t_ok "honest traffic passes" reach office 25
t_ok "the later held one, too" reach shop 25
t_eq "controller: no capabilities" \
	"$(sed -n 's/^CapEff:\t//p' "/proc/$(controller_pid)/status")" 0000000000000000
t_eq "controller: filtered" "$(sed -n 's/^Seccomp:\t//p' "/proc/$(controller_pid)/status")" 2
t_eq "controller: not root" "$(awk '/^Uid:/ { print ($2 != 0) }' "/proc/$(controller_pid)/status")" 1
t_eq "controller: holds no program and no link" \
	"$(cat "/proc/$(controller_pid)"/fdinfo/* 2>/dev/null | grep -cE '^(prog_id|link_id):')" 0
t_ok "add" ctl quarantine add "$HELD" for 1h reason "spam trap" ticket RT-1
t_eq "held: port 25" "$(status_of reach shop 25)" 1
t_eq "held, and no portal in the policy: no page on which he could free himself" \
	"$(ctl -j quarantine show "$HELD" | jq .self_releases_left) $(ctl why "$HELD" | grep -c 'free itself')" "null 0"
t_ok "held: port 443 passes in a leaky garden" reach shop 443
t_ok "the neighbour is not held" reach office 25
t_eq "a limit on nothing but the never-list: policy check says that it never acts" \
	"$("$BUILD/lazaretctl" policy check "$LZ_DIR/open.json" 2>&1 | grep -c 'sleepers/limits/0/to: all of it is on the never-list')" 1
for _ in 1 2 3; do
	lz_ns_run sleeper "${ENDS[@]}" once 192.0.2.25 25
done
t_eq "and why does not say that it will" "$(ctl -j why 198.51.103.10 | jq -c '[.verdict, .rule, .value]')" \
	'["pass","sleepers/relay",1]'
t_eq "never-list: refused" "$(status_of ctl quarantine add 192.0.2.25)" 2
t_eq "own address: refused" "$(status_of ctl quarantine add 203.0.113.254)" 2
for address in 0.0.0.0 127.0.0.1 224.0.0.1 255.255.255.255 :: ::1 ff02::1 fe80::1; do
	t_eq "$address: nobody to hold" "$(status_of ctl quarantine add "$address")" 1
	t_eq "$address: nobody to ask about" "$(ctl why "$address" 2>&1 | sed 's/source: .*/source/'; status_of ctl why "$address")" \
		"lazaretctl: $address: is no source
1"
	t_eq "$address: nobody to except" \
		"$(ctl exception add "$address" all until 2031-01-01 ticket X 2>&1 | sed 's/source: .*/source/')" \
		"lazaretctl: $address: is no source"
done
t_eq "nor a whole block of them" "$(ctl exception add 127.0.0.0/8 all until 2031-01-01 ticket X 2>&1)" \
	"lazaretctl: 127.0.0.0/8: is no source: loopback"
t_eq "for how long, if nothing is said" "$(ctl -j quarantine add 198.51.100.78 | jq '((.until | fromdate) - now) / 3600 | round')" 72
t_ok "the manual says so" grep -q 'garden leaky, for 72h' <("$BUILD/lazaretctl" --man)
t_need ctl quarantine del 198.51.100.78
t_eq "too long: invalid" "$(status_of ctl quarantine add "$HELD" for 40d)" 1
t_eq "not held: no such object" "$(status_of ctl quarantine del 198.51.100.99)" 4
UNTIL=$(ctl -j quarantine show "$HELD" | jq -r .until)
t_ok "add again, shorter" ctl quarantine add "$HELD" for 1min reason "more spam" ticket RT-9
t_eq "add again, shorter: what was said of it is kept" \
	"$(ctl -j why "$HELD" | jq -r '.timeline[] | select(.event == "held-already") | .reason')" "more spam, ticket RT-9"
t_eq "is never shortened" "$(ctl -j quarantine show "$HELD" | jq -r .until)" "$UNTIL"
t_eq "and says so" "$(ctl quarantine add "$HELD" for 1min | head -n 1)" "held already: $HELD"
t_need ctl quarantine add 198.51.100.77 block25 for 1h
t_eq "add again without a grade: the grade is kept, and it says so" \
	"$(ctl quarantine add 198.51.100.77 for 2h | sed '2d')" "$(printf '%s\n' 'extended 198.51.100.77' \
	'  no harder than it was: "garden NAME" puts it into the quarantine')"
t_need ctl quarantine del 198.51.100.77
t_need ctl exception add 198.51.100.77 port25 until 2031-01-01 ticket RT-1
t_eq "an exception in place of another one: says so" \
	"$(ctl exception add 198.51.100.77 all until 2032-01-01 ticket RT-2 | sed 's/ (in [^)]*)//')" \
	"$(printf '%s\n' 'exception from all for 198.51.100.77' '  until 2032-01-01T00:00:00Z, ticket RT-2' \
	'  in place of one from port25 until 2031-01-01T00:00:00Z, ticket RT-1')"
t_need ctl exception del 198.51.100.77
t_eq "IPv6: touched is its /64" "$(ctl -j quarantine add 2001:db8:2000:7::5 | jq -r '.touched[0]')" \
	2001:db8:2000:7::/64
t_eq "which it takes too" "$(ctl -j quarantine show 2001:db8:2000:7::/64 | jq -r .until)" \
	"$(ctl -j quarantine show 2001:db8:2000:7::5 | jq -r .until)"
t_need ctl quarantine add 2001:db8:2000:9::5 for 2h
t_eq "let go by its /64: the address as in other answers, and no end" \
	"$(ctl -j quarantine del 2001:DB8:2000:9::/64 | jq -c '[.address, .until, (.until_before | type)]')" \
	'["2001:db8:2000:9::",null,"string"]'
t_need ctl quarantine add 2001:db8:2000:9::5 for 2h
t_ok "let go: when it would have ended" grep -q "  would have been held until 20.* (in " \
	<(ctl quarantine del 2001:db8:2000:9::5)
t_eq "NAT64: nobody to ask about, and why" "$(ctl why 64:ff9b::c633:640a 2>&1)" \
	"lazaretctl: 64:ff9b::c633:640a: is no source: NAT64 prefix, RFC 6052 or RFC 8215"
t_eq "an exception until 1970: it is over" "$(ctl exception add "$HELD" all until 1970-01-01 ticket X 2>&1)" \
	"lazaretctl: $HELD: until: is in the past"
t_ok "why: too" grep -q 2001:db8:2000:7:: <(ctl why 2001:db8:2000:7::/64)
t_eq "but not one of many sources" "$(ctl quarantine add 2001:db8:2000::/60 2>&1)" \
	"lazaretctl: 2001:db8:2000::/60: is more than one source: name an address in it, or its /64"
t_eq "nor of a part of one" "$(ctl quarantine add 2001:db8:2000:7::/80 2>&1)" \
	"lazaretctl: 2001:db8:2000:7::/80: is a part of a source: name an address in it, or its /64"
t_eq "nor of many IPv4 ones" "$(ctl why 198.51.100.0/24 2>&1)" \
	"lazaretctl: why: ADDRESS: '198.51.100.0/24' is not an address; name one source, e.g. 192.0.2.1"
t_eq "why" "$(ctl -j why "$HELD" | jq -r '"\(.verdict) \(.actor) \(.reason) \(.ticket)"')" \
	"held root spam trap RT-1"
t_ok "doctor agrees" ctl doctor
t_ok "anybody sees how the gateway does" stranger status
t_eq "but not who is held, nor why" "$(status_of stranger quarantine list) $(status_of stranger why "$HELD")" "5 5"
t_ok "and is told who may" grep -q "a member of the group lazaret-view" <(stranger source list 2>&1)

# Users of this machine with eight connections each: all that there is room for, and more.
crowd_start()
{
	local uid
	for uid in 70001 70002 70003 70004 70005; do
		lz_proc_start "crowd-$uid" gw setpriv --reuid "$uid" --regid "$uid" --clear-groups /usr/bin/python3 -u -c '
import socket, time
socks = []
for i in range(8):
    socks.append(socket.socket(socket.AF_UNIX))
    socks[-1].connect("/run/lazaret-lab/read.sock")
    print(socks[-1].recv(4096))
time.sleep(60)'
	done
	lz_wait 10 crowd_is_there
}

crowd_is_there()
{
	[ "$(cat "$LZ_DIR"/log/crowd-*.log | wc -l)" -ge 40 ]
}

crowd_stop()
{
	local uid
	for uid in 70001 70002 70003 70004 70005; do
		lz_proc_stop "crowd-$uid" KILL
	done
}

t_need crowd_start
t_ok "a crowd of users: health is answered" ctl health
t_ok "a crowd of users: and status" ctl status
t_eq "a crowd of users: one more of them is not told that the gateway is not healthy" "$(status_of stranger health)" 3
crowd_stop
t_ok "a crowd has gone: everybody is answered" stranger health

# ---------------------------------------------------------------- signals that are meant for others

# strays PID...: each of them gets all that mean nothing to it
strays()
{
	local signal
	for signal in USR1 USR2 HUP ALRM PIPE IO; do
		kill -"$signal" "$@" || return
	done
}

OLD=$(controller_pid)
t_ok "signals of others: sent" strays "${LZ_PROC[daemon]}" "$OLD"
sleep 1
t_ok "signals of others: the keeper lives" kill -0 "${LZ_PROC[daemon]}"
t_eq "signals of others: the controller is the same" "$(controller_pid)" "$OLD"
t_ok "signals of others: healthy" ctl health

# ---------------------------------------------------------------- kill -9 under traffic

beat_start shop office 25
OLD=$(controller_pid)
kill -KILL "$OLD"
t_ok "controller killed: answers again" lz_wait 5 ctl status
t_ok "controller killed: a new one" test "$(controller_pid)" != "$OLD"
t_ok "controller killed: knows who is held" ctl quarantine show "$HELD"
beat_stop "controller killed"

beat_start shop office 25
daemon_kill
sleep 1
beat_stop "keeper killed"

# By the next start the operator has broken his file: it was confirmed before, so nothing stops.
mv "$LZ_DIR/open.json" "$LZ_DIR/open.good"
echo '{ "version": 1, "clases": {} }' >"$LZ_DIR/open.json"
beat_start shop office 25
t_need daemon_start "$LZ_DIR/open.json"
mv "$LZ_DIR/open.good" "$LZ_DIR/open.json"
t_ok "restart adopts" grep -q event=policy-adopted "$LZ_DIR/log/daemon.log"
t_eq "restart attaches nothing" "$(grep -c event=hook-attached "$LZ_DIR/log/daemon.log")" 0
beat_stop "restart"
t_ok "restart: doctor agrees" ctl doctor

# ---------------------------------------------------------------- interfaces come and go

# access_again: the access port anew; prints how many ms after it exists it has its hook
access_again()
{
	local since
	ip -n "$LZ_LAB-gw" link delete acc0
	sleep 0.3
	lz_link_add gw acc0 sw gw >&2 || return
	since=$(lz_now_ms)
	until ip -n "$LZ_LAB-gw" link show acc0 | grep -q prog/xdp; do
		[ $(($(lz_now_ms) - since)) -lt 3000 ] || break
	done
	echo $(($(lz_now_ms) - since))
}

TIMES=$(for _ in 1 2 3 4 5; do access_again; done | sort -n | tr '\n' ' ')
echo "# interface made again: hook after $TIMES ms"
t_ok "interface made again: hook within 100 ms" test "$(echo "$TIMES" | cut -d' ' -f3)" -le 100
beat_start shop office 25
access_again >/dev/null
t_need ip -n "$LZ_LAB-sw" link set gw master br0
t_need lz_addr_add gw acc0 198.51.100.1/24 198.51.102.1/24 2001:db8:2000::1/64
for host in shop office; do # the gateway has another MAC address now
	t_need ip -n "$LZ_LAB-$host" neighbour flush all
done
t_ok "interface made again: attached" lz_wait 3 attached
t_ok "interface made again: honest traffic" lz_wait 5 reach office 25
sleep 0.5
lz_proc_stop beat-shop
lz_proc_stop beat-office
t_ok "interface made again: the held one is held" test "$(status_of reach shop 25)" = 1
ip -n "$LZ_LAB-gw" link set acc0 name other0
t_ok "renamed: no longer ours" lz_wait 3 test "$(status_of attached)" != 0
ip -n "$LZ_LAB-gw" link set other0 name acc0
t_ok "renamed back: attached" lz_wait 3 attached
t_eq "renamed back: the held one is held" "$(status_of reach shop 25)" 1

# ---------------------------------------------------------------- policies

echo '{ "version": 1, "clases": {} }' >"$LZ_DIR/bad.json"
t_eq "bad policy: exit code" "$(status_of ctl policy apply "$LZ_DIR/bad.json")" 1
t_eq "bad policy: nothing changed" "$(ctl -j status | jq -r .policy.generation)" 1
sed 's/"acc0"/"acc00"/' "$LZ_DIR/open.json" >"$LZ_DIR/left.json"
t_eq "a mistyped port: not without a yes" "$(status_of ctl policy apply "$LZ_DIR/left.json")" 7
ctl policy apply "$LZ_DIR/left.json" --confirm 60 >"$LZ_DIR/said" 2>&1
t_ok "a mistyped port: says who would go free" grep -q \
	"^lazaretctl: policy: acc0: would not be judged any more, customers there pass, who is held goes free; nothing" "$LZ_DIR/said"
t_ok "a mistyped port: and how, if it is meant" grep -q "repeat the command with --yes" "$LZ_DIR/said"
t_eq "a mistyped port: nothing changed" "$(ctl -j status | jq -r .policy.generation)$(status_of reach shop 25)" 11
ctl policy diff "$LZ_DIR/left.json" >"$LZ_DIR/said" 2>&1
t_ok "a mistyped port: diff says it before" grep -q \
	"^lazaretctl: apply would be refused: policy: acc0: would not be judged any more, .*; --yes does it all the same" "$LZ_DIR/said"
t_ok "a mistyped port: diff, for programs" eval "ctl -j policy diff '$LZ_DIR/left.json' |
	jq -e '.apply_refused | contains(\"acc0\")'"
t_eq "what leaves no port: diff has nothing to say" "$(ctl -j policy diff "$LZ_DIR/open.json" | jq .apply_refused)" null
t_need ctl -q policy apply "$LZ_DIR/open.json" --confirm 60
WAITS='policy: generation [0-9]* waits for a confirm; say confirm or undo first'
t_ok "while one waits for its confirm: diff says so" grep -q "^lazaretctl: apply would be refused: $WAITS" <(
	ctl policy diff "$LZ_DIR/shut.json" 2>&1)
t_ok "while one waits for its confirm: so does apply" grep -q "^lazaretctl: $WAITS" <(ctl policy apply "$LZ_DIR/shut.json" 2>&1)
sed 's/"version": 1,/"version": 1, "mode": "monitor", "ipv6-key": 56,/' "$LZ_DIR/left.json" >"$LZ_DIR/four.json"
FOUR="policy: generation N waits for a confirm; say confirm or undo first
policy: acc0: would not be judged any more
policy: is in monitor mode: N held hosts would not be held back any more; --yes does it all the same
/ipv6-key: N: sources are told apart by /N now"
t_eq "four reasons against one: diff says them all" "$(ctl policy diff "$LZ_DIR/four.json" 2>&1 |
	sed -n 's/^lazaretctl: apply would be refused: //p' | sed 's/\b[0-9][0-9]*\b/N/g; s/more, .*/more/; s/now; .*/now/')" "$FOUR"
t_eq "for programs, too" "$(ctl -j policy diff "$LZ_DIR/four.json" | jq '.apply_refused == .apply_refusals[0] and (.apply_refusals | length) == 4')" true
t_need ctl -q policy undo
ctl policy apply "$LZ_DIR/four.json" >"$LZ_DIR/said" 2>&1
t_eq "apply says in one what it wants a yes for" \
	"$? $(grep -oE 'judged any more|held back any more|told apart by /[0-9]* now|nothing was changed' "$LZ_DIR/said" | tr '\n' ',')" \
	"7 judged any more,held back any more,told apart by /64 now,nothing was changed,"
t_eq "undone: diff has nothing to say" "$(ctl -j policy diff "$LZ_DIR/shut.json" | jq .apply_refused)" null
t_ok "a port is left: with a yes" ctl policy apply "$LZ_DIR/left.json" --yes
t_ok "a port is left: passes" reach shop 25
t_ok "a port comes: nobody is asked" ctl policy apply "$LZ_DIR/open.json"
t_eq "a port comes: held there" "$(status_of reach shop 25)" 1
CUT="warning: port 25 to the world is refused to 2 of 3 sources that used it within a day and may do so now: 198.51"
in_one_line() { tr -s '\n ' ' '; }
t_ok "diff: whom it would cut off" grep -qF "$CUT" <(ctl policy diff "$LZ_DIR/shut.json" | in_one_line)
t_eq "diff: in numbers" "$(ctl -j policy diff "$LZ_DIR/shut.json" | jq -c '[.port25_users, .port25_refused]')" "[3,2]"
t_need ctl exception add "$HONEST" port25 until 2099-01-01 ticket RT-1
t_eq "diff: not who has an exception" "$(ctl -j policy diff "$LZ_DIR/shut.json" | jq -c '[.port25_users, .port25_refused]')" "[3,1]"
t_need ctl exception del "$HONEST"
sed 's/"version": 1,/"version": 1, "mode": "monitor",/' "$LZ_DIR/shut.json" >"$LZ_DIR/look.json"
t_eq "diff: nobody by one that only looks" "$(ctl -j policy diff "$LZ_DIR/look.json" | jq .port25_refused)" 0
t_ok "apply: says it, too" grep -qF "$CUT" <(ctl policy apply "$LZ_DIR/shut.json" | in_one_line)
t_eq "apply: once" "$(ctl -j policy diff "$LZ_DIR/shut.json" | jq .port25_refused)" 0
t_eq "apply: is in force" "$(status_of reach office 25)" 1
t_ok "undo" ctl policy undo
t_ok "undo: is in force" reach office 25
t_ok "apply with a confirm" ctl policy apply "$LZ_DIR/shut.json" --confirm 60
t_eq "apply with a confirm: status says so, once" "$(ctl status | grep -ci confirmed)$(ctl status | grep -c ALARM)" 10
t_eq "pending: apply is refused" "$(status_of ctl policy apply "$LZ_DIR/open.json")" 2
t_ok "confirm" ctl policy confirm
t_eq "confirm: is in force" "$(status_of reach office 25)" 1
t_ok "back to the open one" ctl policy apply "$LZ_DIR/open.json"
t_ok "apply, to be forgotten" ctl policy apply "$LZ_DIR/shut.json" --confirm 3
t_eq "forgotten: in force at first" "$(status_of reach office 25)" 1
daemon_kill
sleep 4.2
t_ok "forgotten and killed: the data plane went back" reach office 25
t_eq "forgotten and killed: the hold stands" "$(status_of reach shop 25)" 1
t_need daemon_start "$LZ_DIR/open.json"
t_eq "forgotten: on record" "$(ctl -j policy history | jq -r '.policies[0].state // .generations[0].state // .entries[0].state')" \
	expired
t_eq "too late to confirm" "$(status_of ctl policy confirm)" 2
t_ok "apply, to be forgotten again" ctl policy apply "$LZ_DIR/shut.json" --confirm 1
t_ok "the daemon notices" lz_wait 4 grep -q event=policy-rolled-back "$LZ_DIR/log/daemon.log"
t_ok "the daemon notices: traffic" reach office 25

# late COMMAND: said while the controller sleeps over the deadline of a trial; what is answered
late()
{
	local pid
	pid=$(controller_pid)
	ctl -q policy apply "$LZ_DIR/shut.json" --confirm 1 || return
	kill -STOP "$pid"
	sleep 1.3
	ctl policy "$1" >"$LZ_DIR/late" 2>&1 & # who hears nothing for 2 s gives up
	sleep 1
	kill -CONT "$pid"
	wait $!
	echo $?
	sed 's/generation [0-9]*/generation N/' "$LZ_DIR/late"
}

for word in undo confirm; do
	t_eq "$word, read after the deadline: too late" "$(late $word)" "2
lazaretctl: policy: too late: the deadline of generation N has passed and the data plane has gone back by itself"
	t_eq "$word, read after the deadline: back to what was confirmed, and no further" \
		"$(ctl -j status | jq -r .policy.name)$(status_of reach office 25)" open0
done

# A script that tries until it may, at the deadline of another trial: what that one was is nobody's way back.
sed 's/"shut"/"shut2"/' "$LZ_DIR/shut.json" >"$LZ_DIR/shut2.json"
t_need ctl policy apply "$LZ_DIR/shut.json" --confirm 2
t_need lz_wait 8 ctl policy apply "$LZ_DIR/shut2.json" --confirm 2
t_eq "a trial at the end of another: judges" "$(ctl -j status | jq -r .policy.name)$(status_of reach office 25)" shut21
sleep 3.2
t_eq "a trial at the end of another, over: back to what was confirmed" "$(ctl -j status | jq -r .policy.name)" open
t_ok "a trial at the end of another, over: the data plane, too" reach office 25
t_ok "a trial at the end of another, over: all agree" ctl doctor
t_ok "a trial at the end of another, over: healthy" ctl health

# ---------------------------------------------------------------- time

t_ok "hold for 3 s" ctl quarantine add "$HONEST" for 3s
t_eq "held" "$(status_of reach office 25)" 1
daemon_kill
sleep 4.2
t_ok "its end without a daemon" reach office 25
t_need daemon_start "$LZ_DIR/open.json"
t_eq "its end is on record" "$(lz_wait 3 grep -q event=expired "$LZ_DIR/log/daemon.log"
	ctl -j quarantine show "$HONEST" | jq -r .state)" released

# hold_ms: a hold of 2 s; at most and at least how long it kept port 25 shut: it began while ctl ran
hold_ms()
{
	local before after end
	before=$(lz_now_ms)
	ctl quarantine add "$HONEST" for 2s >/dev/null || return
	after=$(lz_now_ms)
	end=$(lz_ns_run office timeout 9 "${ENDS[@]}" opens "$WORLD" 25) || end=$((after + 9000))
	echo $((end - before)) $((end - after))
}

# Begun at any point of a second: never shorter (I1), at most a second longer (I2).
TIMES=$(for _ in 1 2 3 4; do hold_ms; sleep 0.3; done)
echo "# holds of 2 s lasted at most and at least $(xargs <<<"$TIMES") ms"
t_eq "four holds were measured" "$(wc -l <<<"$TIMES")" 4
t_eq "a hold is never too short" "$(awk '$1 < 2000' <<<"$TIMES")" ""
t_eq "nor more than a second too long" "$(awk '$2 > 3500' <<<"$TIMES")" ""

# ---------------------------------------------------------------- held by a limit in the kernel

# spam NAME: more connections than the limit allows
spam()
{
	for _ in 1 2 3 4 5 6 7; do
		reach "$1" 25
	done
	true
}

# held_by ADDRESS ACTOR
held_by()
{
	ctl -j quarantine show "$1" | jq -e --arg a "$2" '.actor == $a'
}

timeout 20 nsenter --net="/run/netns/$LZ_LAB-gw" "$BUILD/lazaretctl" --instance lab -j monitor \
	>"$LZ_DIR/events" &
sleep 0.3
t_ok "not over a limit: passes" reach bot 25
t_ok "nor the other one" reach zombie 25
spam bot
t_ok "over a limit: held, on record" lz_wait 3 held_by 198.51.102.10 kernel
t_eq "over a limit: six connections of the one, one of the other, and what came of them" \
	"$(ctl -j policy counters | jq -c '.rules[] | select(.limit == "spam") | del(.class, .limit)')" \
	'{"examined_packets":7,"over_packets":1,"holds":1,"monitored":false}'
t_ok "over a limit: its class has refused that one, and the table says so" \
	grep -qE "^bots +- +[0-9]+ +[0-9]+ +1 +0 " <(ctl policy counters)
t_ok "over a limit: monitors see it" lz_wait 3 grep -q '"address":"198.51.102.10"' "$LZ_DIR/events"
for name in drones wasps; do
	sed "s/\"bots\": {/\"$name\": {/; s/\"name\": \"spam\"/\"name\": \"$name-limit\"/" "$LZ_DIR/open.json" >"$LZ_DIR/$name.json"
	t_ok "another name for the class: $name" ctl policy apply "$LZ_DIR/$name.json"
	t_eq "another name counts from nothing: $name" \
		"$(ctl -j policy counters | jq -c --arg n "$name" '[.rules[] | select(.class == $n) | .examined_packets]')" "[0,0]"
done
t_ok "the policy once more" ctl policy apply "$LZ_DIR/open.json"
t_ok "monitors see it, by a name that is no address" \
	lz_wait 3 grep -q '"event":"policy-applied","object":"[^"]*open.json"' "$LZ_DIR/events"
daemon_kill
spam zombie
t_eq "over a limit without a daemon: held" "$(status_of reach zombie 25)" 1
t_need daemon_start "$LZ_DIR/open.json"
t_ok "over a limit without a daemon: on record later" lz_wait 3 held_by 198.51.102.11 kernel
t_ok "a limit's hold can be freed" ctl quarantine del 198.51.102.11

# ---------------------------------------------------------------- bypass

t_ok "bypass on" ctl bypass on for 1h
t_ok "bypass: everything passes" reach shop 25
t_eq "bypass: not healthy" "$(status_of ctl health)" 2
t_ok "bypass off" ctl bypass off
t_eq "bypass off: held again" "$(status_of reach shop 25)" 1
t_eq "bypass for longer than a year: invalid" "$(status_of ctl bypass on for 99999d)" 1
t_ok "bypass for longer than a year: says what is accepted" \
	grep -q "for 8639913600s: want 1s..365d" <(ctl bypass on for 99999d 2>&1)
t_eq "bypass by hand for longer than a year: invalid" \
	"$(status_of "$BUILD/lazaretd" --instance lab --bypass on 99999999)" 1
HUNG=$(controller_pid)
kill -STOP "${LZ_PROC[daemon]}" "$HUNG"
t_ok "bypass on while the daemon hangs" "$BUILD/lazaretd" --instance lab --bypass on 600
t_ok "bypass while the daemon hangs: passes" reach shop 25
t_ok "bypass off while the daemon hangs" "$BUILD/lazaretd" --instance lab --bypass off
kill -CONT "${LZ_PROC[daemon]}" "$HUNG"
t_ok "bypass while the daemon hung: on record, with who" lz_wait 3 \
	grep -q 'event=bypass-off .*actor="lazaretd --bypass, uid 0".*reason="the last of 2 switches by hand"' \
	"$LZ_DIR/log/daemon.log"
daemon_kill
t_ok "bypass on without a daemon" "$BUILD/lazaretd" --instance lab --bypass on
t_ok "bypass without a daemon: passes" reach shop 25
t_ok "bypass off without a daemon" "$BUILD/lazaretd" --instance lab --bypass off
t_eq "bypass off without a daemon: held" "$(status_of reach shop 25)" 1
t_eq "bypass on, and a full disk: exit code" \
	"$("$BUILD/lazaretd" --instance lab --bypass on 3600 2>"$LZ_DIR/full" >/dev/full; echo $?)" 2
t_ok "bypass on, and a full disk: says what is done" grep -qx \
	"lazaretd: stdout: cannot write: No space left on device; the change itself was done" "$LZ_DIR/full"
t_ok "bypass on, and a full disk: it is done" reach shop 25
for PRINTS in "lazaretctl preflight" "lazaretctl --man" "lazaretd --version" "lazaretd --help"; do
	# shellcheck disable=SC2086 # words
	t_eq "$PRINTS: full disk" "$("$BUILD"/$PRINTS 2>"$LZ_DIR/full" >/dev/full; echo $?)" 2
	t_ok "$PRINTS: full disk: says so" grep -q ": stdout: cannot write: No space left on device$" "$LZ_DIR/full"
	# shellcheck disable=SC2086
	t_eq "$PRINTS: closed stdout" "$("$BUILD"/$PRINTS 2>"$LZ_DIR/full" >&-; echo $?)" 2
done

# ---------------------------------------------------------------- an interface goes, and comes back

# health_says TEXT: it fails, and says so.
health_says()
{
	ctl -j health | jq -e --arg t "$1" '.healthy == false and (.error | contains($t))'
}

t_need daemon_start "$LZ_DIR/open.json"
t_ok "bypass without a daemon: on record at the next start" lz_wait 3 \
	grep -q 'event=bypass-on .*actor="lazaretd --bypass, uid 0"' "$LZ_DIR/log/daemon.log"
t_ok "status: no key twice" test "$(ctl -j status | grep -o '"version":' | wc -l)" = 1
t_eq "status: schema and release" "$(ctl -j status | jq -c '[.version, (.release | type)]')" '[1,"string"]'
t_eq "bypass without a daemon: status says by whom" "$(ctl -j status | jq -r .bypass.actor)" \
	"lazaretd --bypass, uid 0"
t_ok "bypass off again" ctl bypass off
t_ok "all interfaces there: healthy" lz_wait 3 ctl health
ip -n "$LZ_LAB-gw" link set "$LZ_GW_UPLINK" down
t_ok "an interface is renamed" ip -n "$LZ_LAB-gw" link set "$LZ_GW_UPLINK" name other0
t_ok "renamed: health names what is missing" lz_wait 3 health_says "'$LZ_GW_UPLINK'"
t_ok "renamed: one line says it was lost" \
	grep -q "event=hook-lost interface=$LZ_GW_UPLINK" "$LZ_DIR/log/daemon.log"
ip -n "$LZ_LAB-gw" link set other0 name "$LZ_GW_UPLINK"
ip -n "$LZ_LAB-gw" link set "$LZ_GW_UPLINK" up
ip -n "$LZ_LAB-gw" route replace default via 203.0.113.253
t_ok "back: healthy" lz_wait 3 ctl health
t_ok "back: one line says so" \
	grep -q "event=hook-back interface=$LZ_GW_UPLINK" "$LZ_DIR/log/daemon.log"

# ---------------------------------------------------------------- stop, "reboot"

t_eq "second daemon: refused" "$(status_of lz_ns_run gw timeout 20 "$BUILD/lazaretd" --instance lab \
	--state "$LZ_DIR/other" --run "$LZ_DIR/other-run" --policy "$LZ_DIR/open.json")" 2
daemon_stop
t_eq "stop in order" $? 0
t_eq "stopped: still held" "$(status_of reach shop 25)" 1
mv "$STATE/ledger.db" "$STATE/good" && rm -f "$STATE"/ledger.db-*
head -c 8192 /dev/zero | tr '\0' 'x' >"$STATE/ledger.db"
t_eq "damaged ledger: refused" "$(status_of lz_ns_run gw timeout 20 "$BUILD/lazaretd" --instance lab \
	--state "$STATE" --run /run/lazaret-lab)" 2
t_eq "damaged ledger: still held" "$(status_of reach shop 25)" 1
mv "$STATE/good" "$STATE/ledger.db"
t_ok "detach" lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach
t_ok "detached: passes" reach shop 25
t_ok "detached: no pin is left" test ! -e /sys/fs/bpf/lazaret-lab
t_need daemon_start "$LZ_DIR/open.json"
t_eq "after a reboot: held again" "$(status_of reach shop 25)" 1
t_ok "after a reboot: not longer than before" test "$(date -d "$(ctl -j quarantine show "$HELD" | jq -r .until)" +%s)" -le \
	"$(($(date -d "$UNTIL" +%s) + 1))"
t_ok "after a reboot: doctor agrees" ctl doctor
t_ok "free" ctl quarantine del "$HELD"
t_ok "freed: passes" reach shop 25

# ---------------------------------------------------------------- many

seq 0 3999 | awk '{ printf "198.51.%d.%d 2h leaky T-1 bulk\n", 110 + int($1 / 250), $1 % 250 + 1 }' >"$LZ_DIR/many"
t_eq "import: many want --yes" "$(status_of ctl quarantine import "$LZ_DIR/many")" 7
t_ok "import: how many, the manual says" grep -q '^More than 1000 hosts want ' <("$BUILD/lazaretctl" --man)
t_ok "import: as it is" grep -q 'more than 1000 want --yes' <(ctl quarantine import "$LZ_DIR/many" 2>&1)
t_eq "import" "$(ctl -j quarantine import "$LZ_DIR/many" --yes | jq -r '"\(.held) \(.refused)"')" "4000 0"
t_eq "import: listed" "$(ctl -j quarantine list | jq '.entries | length')" 4002
t_eq "export: what import reads" "$(ctl quarantine export | wc -l)" 4002
t_ok "undo what was imported" ctl -q quarantine undo --since 2000-01-01 --source import
t_eq "undone" "$(ctl -j status | jq .colony.held)" 2

daemon_stop >/dev/null
t_eq "nothing was logged as failed" "$(grep -cE 'event=(ledger-failed|start-failed|controller-hangs)' "$LZ_DIR/log/daemons.log")" 0
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
