#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The way into the colony and out of it, with real mail and a real daemon: a ladder climbs by what a bot
# sends, through a kill; operators, lists and the guard; undo, false positives; one customer, one fate.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
# shellcheck source=selftests/lib/mail.sh
. "$ROOT/selftests/lib/mail.sh"

lz_gateway_enter 540 "$@"

BOT=198.51.100.10
HONEST=198.51.100.11
SPAMMER=198.51.100.12
TWIN4=198.51.100.20
TWIN6=2001:db8:2000:20::10
SHARED=198.51.100.200
WORLD=$LZ_MX4

cat >"$LZ_DIR/customers.csv" <<-END
	C1,198.51.100.20/32
	C1,2001:db8:2000:20::/64
	C2,198.51.100.21/32
END

cat >"$LZ_DIR/policy.json" <<-'END'
	{ "version": 1, "name": "colony",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/25", "2001:db8:2000::/36"], "nat": ["198.51.100.128/25"],
		    "bots": ["198.51.102.0/24"], "slow": ["198.51.103.0/24"],
		    "two": ["198.51.104.0/24"], "warned": ["198.51.105.0/24"] },
	  "customers": { "file": "customers.csv" },
	  "never": ["192.0.2.1", "192.0.2.25"],
	  "classes": {
	    "homes": { "of": ["homes"], "port25": "leave-alone", "limits": [
	      { "name": "spam", "count": "smtp-connections", "at-most": "5/10s", "then": "ladder:home" } ] },
	    "slow": { "of": ["slow"], "port25": "leave-alone", "limits": [
	      { "name": "late", "count": "smtp-connections", "at-most": "5/10s", "then": "ladder:late" } ] },
	    "two": { "of": ["two"], "port25": "leave-alone", "limits": [
	      { "name": "hour", "count": "smtp-connections", "at-most": "5/1h", "then": "notify" },
	      { "name": "day", "count": "smtp-connections", "at-most": "10/24h", "then": "ladder:day" } ] },
	    "warned": { "of": ["warned"], "port25": "leave-alone", "limits": [
	      { "name": "soon", "count": "smtp-connections", "at-most": "5/10s", "then": "ladder:soon" } ] },
	    "bots": { "of": ["bots"], "port25": "leave-alone", "limits": [
	      { "name": "mad", "count": "smtp-connections", "at-most": "3/10s", "then": "hold 1h" } ] },
	    "nat": { "of": ["nat"], "shared": true } },
	  "ladders": {
	    "home": { "forget": "1d", "steps": ["notify", "throttle 600/min 1h", "block25 20s", "garden:dirty 1h"] },
	    "day": { "forget": "1d", "steps": ["block25 1h", "garden:dirty 1h"] },
	    "soon": { "forget": "1d", "grace": "1h", "steps": ["notify", "throttle 600/min 1h", "block25 1h"] },
	    "late": { "forget": "1d", "grace": "3s", "steps": ["block25 1h"] } },
	  "gardens": { "dirty": { "kind": "strict" } },
	  "guard": { "new-per-minute": 4, "active-sources": "1%" },
	  "capacity": { "sources": 4096, "colony": 4096 } }
END

reach()
{
	lz_ns_run "$1" "${ENDS[@]}" once "${3:-$WORLD}" "$2"
}

# state_of ADDRESS: of its case
state_of()
{
	ctl -j quarantine show "$1" | jq -r .state
}

is_state()
{
	[ "$(state_of "$1")" = "$2" ]
}

# until_of ADDRESS: seconds since 1970
until_of()
{
	ctl -j quarantine show "$1" | jq -r '.until | fromdateiso8601'
}

# spam NS [N]: N messages in as many connections, or as many as get through in 4 s
spam()
{
	lz_spam_send "$1" "$WORLD" 1 "${2:-8}" 4 >/dev/null 2>&1
	return 0
}

t_need lz_provider_add
t_need lz_customer_add bot "$BOT" 2001:db8:2000:10::10
t_need lz_customer_add office "$HONEST" 2001:db8:2000:11::10
t_need lz_customer_add pills "$SPAMMER" 2001:db8:2000:12::10
t_need lz_customer_add twin "$TWIN4" "$TWIN6"
t_need lz_customer_add late 198.51.103.10 2001:db8:3000:1::10
t_need lz_customer_add warned 198.51.105.10 2001:db8:3000:3::10
t_need lz_customer_add two 198.51.104.10 2001:db8:3000:2::10
for i in 1 2 3 4 5 6; do
	t_need lz_customer_add "mad$i" "198.51.102.1$i" "2001:db8:2000:3$i::10"
done
t_need lz_sink_start "$LZ_MX4"
: >"$LZ_DIR/came"
lz_proc_start web world "${ENDS[@]}" serve "$LZ_DIR/came" 80 443
t_need lz_port_wait 5 world 443
t_need daemon_start "$LZ_DIR/policy.json"

# ---------------------------------------------------------------- the ladder

t_ok "nothing known of the bot" test "$(status_of ctl quarantine show "$BOT")" = 4
spam bot
t_ok "over the limit: told" lz_wait 3 is_state "$BOT" notified
t_ok "told, and passes" reach bot 25
t_eq "nobody is held: nothing to undo" "$(ctl -j quarantine undo --since 10min --source limit:spam |
	jq -c '[.freed, .restored]')" "[0,0]"
t_eq "and what is known of it stays" "$(state_of "$BOT")" notified
spam bot
t_eq "the same incident: no second step" "$(state_of "$BOT")" notified
sleep 10.5
spam bot
t_ok "again after the window: throttled" lz_wait 3 is_state "$BOT" throttled
t_eq "throttled: the grade" "$(ctl -j quarantine show "$BOT" | jq -r .grade)" "throttle 600/min"
# At once: ten seconds later the next connection would be the next step.
BEFORE=$(until_of "$BOT")
daemon_kill
t_ok "no daemon: the throttled one still gets through" lz_wait 5 reach bot 25
t_need daemon_start "$LZ_DIR/policy.json"
t_eq "kill -9 and start: the same state" "$(state_of "$BOT")" throttled
t_eq "kill -9 and start: the same end" "$(until_of "$BOT")" "$BEFORE"
spam bot 60
t_ok "throttled: not many get through" test \
	"$(ctl -j source show "$BOT" | jq '.source.dropped')" -gt 0
sleep 10.5
: >"$LZ_DIR/beat"
lz_proc_start beat bot "${ENDS[@]}" beat "$LZ_DIR/beat" "$WORLD" 25 150
t_ok "and the ladder goes on: block25" lz_wait 6 is_state "$BOT" blocked25
lz_proc_stop beat
t_eq "block25: no mail" "$(status_of reach bot 25)" 1
t_ok "block25: the web passes" reach bot 443
t_ok "block25: and port 80, too" reach bot 80
t_ok "the end does not come sooner than the throttle's" test "$(until_of "$BOT")" -ge "$BEFORE"
t_ok "an honest neighbour lost nothing" reach office 25
t_eq "nor has a case" "$(status_of ctl quarantine show "$HONEST")" 4
t_eq "what comes next is said" "$(ctl -j quarantine show "$BOT" | jq -r .next)" \
	"with new evidence: garden:dirty for 1h"
t_eq "the timeline has every step, and who" \
	"$(ctl -j quarantine show "$BOT" | jq -r '[.timeline[] | select(.state) | .state] | join(" ")')" \
	"notified throttled blocked25"
t_eq "and why" "$(ctl -j quarantine show "$BOT" |
	jq -r '[.timeline[] | select(.state == "blocked25") | .source] | first')" "limit:spam"
t_ok "as text, in a terminal's width or so" ctl quarantine show "$BOT"

# A ticket has the number of the case only: it asks by that.
CASE=$(ctl -j quarantine show "$BOT" | jq -r .case)
t_eq "by the number of the case: the same" "$(ctl -j quarantine show "$CASE")" \
	"$(ctl -j quarantine show "$BOT")"
t_ok "by the number, as text: it is there" grep -qE "^case +$CASE\$" <(ctl quarantine show "$CASE")
t_ok "and in why" grep -qE "^case +$CASE\$" <(ctl why "$BOT")
t_eq "no such case: not found" "$(status_of ctl quarantine show 4242)" 4
t_ok "no such case: says so" grep -q 'case 4242: there is none' <(ctl quarantine show 4242 2>&1)
t_eq "neither address nor number: invalid" "$(status_of ctl quarantine show RT-7)" 1
t_ok "who looked is on record, by number too" grep -q "case $CASE" <(sleep 1; ctl audit list)

# ---------------------------------------------------------------- the end of time

t_ok "set its end" ctl quarantine set "$BOT" for 2s
t_ok "released by the clock" lz_wait 5 is_state "$BOT" released
t_ok "released: mail passes" reach bot 25
sleep 10.5
spam bot
t_ok "the repeater: the top step" lz_wait 3 is_state "$BOT" garden
t_eq "in a garden of the policy's" "$(ctl -j quarantine show "$BOT" | jq -r .garden)" dirty
t_eq "strict: no web" "$(status_of reach bot 443)" 1
daemon_kill
t_need daemon_start "$LZ_DIR/policy.json"
t_eq "kill -9 and start: the kernel holds in the same garden" \
	"$(ctl -j source show "$BOT" | jq -r .source.garden)" dirty

# ---------------------------------------------------------------- an operator's word

t_eq "one case all the while" "$(ctl -j quarantine show "$CASE" | jq -r '"\(.state) \(.address)"')" "garden $BOT"
t_ok "let go" ctl quarantine del "$BOT" reason "cleaned" ticket RT-7
t_eq "let go: state" "$(state_of "$BOT")" released
t_eq "let go: with reason and ticket" "$(ctl -j quarantine show "$BOT" |
	jq -r '[.timeline[] | select(.event == "freed") | .reason + " " + .ticket + " " + .actor] | last')" \
	"cleaned RT-7 root"
t_ok "let go: passes at once" reach bot 25
t_ok "hold again" ctl quarantine add "$BOT" for 1h
t_ok "let go as a false positive" ctl quarantine del "$BOT" false-positive for 1h ticket RT-8
t_eq "false positive: an exception" "$(ctl -j exception list |
	jq -r '.exceptions[] | .prefix + " " + .what + " " + .ticket')" "$BOT all RT-8"
sleep 10.5
spam bot 12
sleep 1
t_eq "false positive: not held again" "$(state_of "$BOT")" released
t_eq "false positive: not by an operator either" "$(status_of ctl quarantine add "$BOT")" 2
t_ok "hold, block25" ctl quarantine add "$SPAMMER" block25 for 1h
t_eq "hold, block25: state" "$(state_of "$SPAMMER")" blocked25
t_ok "harder" ctl quarantine add "$SPAMMER" garden strict for 10min
t_eq "harder: state" "$(state_of "$SPAMMER")" garden
t_ok "a shorter time extends nothing" test "$(until_of "$SPAMMER")" -gt "$(($(date +%s) + 3500))"
t_eq "the same again is no extension" \
	"$(ctl -j quarantine add "$SPAMMER" garden strict for 10min | jq -r .extended)" false
t_eq "no such garden" "$(status_of ctl quarantine add "$SPAMMER" garden rose)" 1
t_eq "an address in no set: said so" "$(ctl -j quarantine add 198.51.101.5 | jq -r .note)" \
	"is in no set of the policy: only held, never counted"
t_eq "a shared address: never" "$(status_of ctl quarantine add "$SHARED")" 2
t_ok "free them" ctl quarantine del "$SPAMMER"
t_ok "free them" ctl quarantine del 198.51.101.5

# ---------------------------------------------------------------- grace

spam late
t_ok "grace: told first" lz_wait 2 is_state 198.51.103.10 notified
t_ok "grace: passes meanwhile" reach late 25
t_ok "grace over: the step" lz_wait 5 is_state 198.51.103.10 blocked25
t_eq "grace over: held" "$(status_of reach late 25)" 1

# Told already, and over the limit again: in an hour he will be held, and that is told, too.
spam warned
t_ok "warned: told" lz_wait 3 is_state 198.51.105.10 notified
sleep 10.5
WARNED=$(ctl -j quarantine show 198.51.105.10 | jq -r .case)
spam warned
t_ok "warned: what comes is said" lz_wait 3 eval \
	"ctl -j quarantine show 198.51.105.10 | jq -r .next | grep -q '^throttle 600/min from '"
t_eq "warned: the timeline has that step, when it comes, and who" "$(ctl -j quarantine show 198.51.105.10 |
	jq -r '[.timeline[] | select(.state) | "\(.event) \(.grade) \(.for_s > 3590 and .for_s < 3610) \(.source)"] | join(", ")')" \
	"notified notify false limit:soon, notified throttle 600/min true limit:soon"
t_eq "warned: the log has both" \
	"$(grep -c "event=notified object=198.51.105.10 " "$LZ_DIR/log/daemon.log")" 2
t_eq "warned: why knows it, not held though he is" "$(ctl -j why 198.51.105.10 |
	jq -r '"\(.verdict) \(.case) \(.state) \(.next | split(" from ")[0]) \(.release | split(" quarantine ")[1])"')" \
	"pass $WARNED notified throttle 600/min del 198.51.105.10"
t_eq "warned: his class is known" "$(ctl -j quarantine show 198.51.105.10 | jq -r .class)" warned
t_ok "warned: let go" say quarantine del 198.51.105.10
t_eq "warned: nobody is freed who was not held" "$(grep -c 'freed\|held until' "$LZ_DIR/said")" 0
t_ok "warned: what will not come is said" \
	grep -qx '  was not held; does not come any more: throttle 600/min from .*' "$LZ_DIR/said"
t_eq "warned: let go" "$(state_of 198.51.105.10)" released
sleep 10.5
spam warned
t_ok "warned: a step that was called off was not taken" lz_wait 3 eval \
	"ctl -j quarantine show 198.51.105.10 | jq -r .next | grep -q '^throttle 600/min from '"
t_ok "warned: an operator is stricter" ctl quarantine add 198.51.105.10 garden strict for 2h
t_eq "warned: what comes next is no softer" "$(ctl -j quarantine show 198.51.105.10 | jq -r .next)" \
	"with new evidence: garden:strict for 1h"

# ---------------------------------------------------------------- two limits, two incidents

# drip N: so many connections, one after the other
drip()
{
	for _ in $(seq "$1"); do
		reach two 25
		sleep 0.6
	done
}

drip 7
t_ok "over the limit that tells: told" lz_wait 3 is_state 198.51.104.10 notified
drip 2
t_eq "within the one with a ladder: no step" "$(state_of 198.51.104.10)" notified
daemon_kill
t_need daemon_start "$LZ_DIR/policy.json"
drip 4
t_ok "over that one within the window of the first: its first step" lz_wait 3 is_state 198.51.104.10 blocked25
t_eq "which is not skipped for having been told" "$(ctl -j quarantine show 198.51.104.10 |
	jq -r '"\(.ladder) \(.step) \(.grade)"')" "day 1 block25"
t_eq "by which of them" "$(ctl -j quarantine show 198.51.104.10 |
	jq -r '[.timeline[] | select(.state) | .state + " " + .source] | join(", ")')" \
	"notified limit:hour, blocked25 limit:day"
t_ok "set its end" ctl quarantine set 198.51.104.10 for 1s
t_ok "released" lz_wait 5 is_state 198.51.104.10 released
daemon_kill
t_need daemon_start "$LZ_DIR/policy.json"
drip 3
sleep 1
t_eq "it goes on: the same incidents of both, after a restart, too" "$(state_of 198.51.104.10)" released

# ---------------------------------------------------------------- one customer, one fate

t_ok "hold one address of a customer" ctl quarantine add "$TWIN4" for 1h
t_eq "his other one, too" "$(status_of reach twin 25 "$LZ_MX6")" 1
t_eq "said so" "$(ctl -j quarantine show "$TWIN6" | jq -r '.customer + " " + (.touched | join(" "))')" \
	"C1 $TWIN4 2001:db8:2000:20::/64"
t_ok "let go by the other one" ctl quarantine del "$TWIN6"
t_ok "both pass" reach twin 25
printf '%s 1h leaky - list\n' "$TWIN6" 198.51.101.1 198.51.101.2 >"$LZ_DIR/list"
t_ok "by a list, too" ctl quarantine import "$LZ_DIR/list"
t_eq "by a list, too: IPv4" "$(status_of reach twin 25)" 1
t_eq "the list again changes nothing" "$(sed "s/1h/1min/" "$LZ_DIR/list" >"$LZ_DIR/list2"
	ctl -j quarantine import "$LZ_DIR/list2" | jq -c '[.held, .extended, .unchanged]')" "[0,0,4]"

# ---------------------------------------------------------------- undo

t_ok "an operator holds one of the list for longer" ctl quarantine add 198.51.101.1 for 2h reason mine
sleep 1.1
SINCE=$(date -u +%Y-%m-%dT%H:%M:%SZ)
sed 's/1h/5h/' "$LZ_DIR/list" >"$LZ_DIR/list5"
BEFORE=$(until_of 198.51.101.2)
t_ok "the list goes mad" ctl quarantine import "$LZ_DIR/list5"
t_eq "undo only that" "$(ctl -j quarantine undo --since "$SINCE" --source import |
	jq -c '[.freed, .restored]')" "[0,4]"
t_eq "what was before is back" "$(until_of 198.51.101.2)" "$BEFORE"
t_ok "the operator's, too" test "$(until_of 198.51.101.1)" -gt "$(($(date +%s) + 7000))"
t_ok "undo all of the list" ctl quarantine undo --since 10min --source import
t_ok "again: nothing is left to undo, which is no mistake" ctl quarantine undo --since 10min --source import
t_ok "of a limit that has held nobody" ctl quarantine undo --since 10min --source limit:mad
t_ok "of a user who has held nobody" ctl quarantine undo --since 10min --source nobody
t_eq "it is gone" "$(ctl -j quarantine show 198.51.101.2 2>/dev/null | jq -r .state)" null
t_eq "the operator's stands" "$(ctl -j quarantine show 198.51.101.1 | jq -r .reason)" mine
t_ok "the twin passes" reach twin 25
t_eq "the past is told" "$(ctl -j why 198.51.101.2 |
	jq -r '[.timeline[].event] | join(" ")')" "held undone undone"
sleep 10.5 # its window, or the next connection is evidence again
t_ok "undo of a limit" ctl quarantine undo --since 10min --source limit:late
t_ok "undo of a limit: passes" reach late 25
sleep 1.1 # what is seen in the second of an undo is older than it
spam late
t_ok "told that he will be held" lz_wait 2 is_state 198.51.103.10 notified
t_eq "undo within the grace: he will not be" \
	"$(ctl -j quarantine undo --since 10min --source limit:late | jq -c '[.freed, .stopped]')" "[0,1]"
sleep 4
t_ok "nor is he when it is over" reach late 25

# ---------------------------------------------------------------- a harder hold meets a longer one

t_ok "throttled for long" ctl quarantine add 198.51.102.16 throttle 600/min for 2h
for _ in 1 2 3 4 5; do # within the throttle, over the limit
	reach mad6 25
	sleep 0.2
done
t_ok "a limit that holds for a shorter time: harder all the same" lz_wait 5 is_state 198.51.102.16 garden
t_ok "and no shorter" test "$(until_of 198.51.102.16)" -gt "$(($(date +%s) + 7000))"
daemon_kill
t_need daemon_start "$LZ_DIR/policy.json"
t_eq "after a kill, too" "$(ctl -j source show 198.51.102.16 | jq -r .source.garden)" leaky
t_ok "let go" ctl quarantine del 198.51.102.16
sleep 10.5

# ---------------------------------------------------------------- the guard

t_ok "the guard is at rest" test "$(ctl -j quarantine guard reset | jq -r .tripped)" = false
for i in 1 2 3 4 5 6; do
	spam "mad$i" 6
done
sleep 1
t_eq "no more are held than the guard allows" "$(ctl -j quarantine list |
	jq '[.entries[] | select(.source == "limit:mad")] | length')" 4
t_eq "it has tripped" "$(ctl -j quarantine guard | jq -r .tripped)" true
t_eq "an alarm" "$(ctl -j status | jq -r '.alarms[] | select(startswith("guard")) | .[:14]')" "guard: tripped"
t_eq "not healthy" "$(status_of ctl health)" 2
LAST=$(ctl -j quarantine list | jq -r '[.entries[] | select(.source == "limit:mad") | .address] | .[]')
FREE=$(for i in 1 2 3 4 5 6; do echo "$LAST" | grep -q "102.1$i" || echo "mad$i"; done | head -1)
t_ok "who is beyond it is not held" reach "$FREE" 80
daemon_kill
t_need daemon_start "$LZ_DIR/policy.json"
t_eq "a restart is no way around it: still tripped" "$(ctl -j quarantine guard | jq -r .tripped)" true
spam "$FREE" 6
sleep 1
t_eq "and nobody more is held" "$(ctl -j quarantine list |
	jq '[.entries[] | select(.source == "limit:mad")] | length')" 4
ctl -j quarantine guard >"$LZ_DIR/guard"
for i in $(seq 0 999); do echo "198.51.$((96 + i / 250)).$((i % 250 + 1)) 1h leaky T-3"; done >"$LZ_DIR/thousand"
t_ok "a list of a thousand who never sent" ctl -q quarantine import "$LZ_DIR/thousand" --yes
sleep 11 # the sweep comes round
t_eq "makes nobody active, and so lets nobody more be held" \
	"$(ctl -j quarantine guard | jq -c '[.active_sources, .share]')" \
	"$(jq -c '[.active_sources, .share]' "$LZ_DIR/guard")"
t_ok "undone" ctl -q quarantine undo --since 30s --source import
t_ok "operators are not guarded" ctl quarantine add 198.51.101.77
t_eq "reset" "$(ctl -j quarantine guard reset | jq -r .tripped)" false
daemon_kill
t_need daemon_start "$LZ_DIR/policy.json"
t_eq "that, too, outlives a restart" "$(ctl -j quarantine guard | jq -r .tripped)" false
t_ok "and all that the limit did undone by one command" \
	ctl quarantine undo --since 10min --source limit:mad
sleep 10.5
t_ok "they pass again, within the limit" reach mad1 25


# ---------------------------------------------------------------- who looked

t_eq "the audit knows who looked at whom" "$(ctl -j audit list --limit 1000 |
	jq -r --arg a "$HONEST" '[.entries[] | select(.cmd == "quarantine.show" and .object == $a) | .actor] | first')" root
t_eq "and who changed" "$(ctl -j audit list --limit 1000 |
	jq -r '[.entries[] | select(.cmd == "quarantine.undo") | .code] | unique | join(" ")')" 0

# ---------------------------------------------------------------- a source that there is not

for source in mad-ids limit:none nobody-at-all; do
	t_eq "undo of $source, which there is not: no such object" \
		"$(status_of ctl quarantine undo --since 1h --source "$source")" 4
done
t_ok "and says what there is" grep -q "nothing was ever held by 'mad-ids'; sources are operator, .*limit:spam" \
	<(ctl quarantine undo --since 1h --source mad-ids 2>&1)

daemon_stop
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 100
t_end
