#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Another ipv6-key, and more room, under traffic: who is held stays held at every instant and for his
# time, exceptions stand, nobody else loses a packet, and whatever dies on the way, the next start goes on.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 540 "$@"

# The daemon starts lazaret-portal from where it stands itself: here, a stand-in.
mkdir -p "$LZ_DIR/bin"
for program in lazaretd lazaretctl; do
	cp "$BUILD/$program" "$LZ_DIR/bin/"
done
cp "$ROOT/selftests/lib/portal_standin.py" "$LZ_DIR/bin/lazaret-portal"
chmod 755 "$LZ_DIR" "$LZ_DIR/bin" "$LZ_DIR/bin/lazaret-portal"
BUILD=$LZ_DIR/bin

WORLD=$LZ_MX6
HELD=2001:db8:2000:1::10
NEIGHBOUR=2001:db8:2000:2::10 # of the same /56
HONEST=2001:db8:2000:100::10
TENANT=2001:db8:2000:200::10
COMPANY=2001:db8:2000:3000:: # a /52

# policy KEY SOURCES [HOOK]
policy()
{
	cat >"$LZ_DIR/p$1.json" <<-END
	{ "version": 1, "name": "key$1", "ipv6-key": $1,
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "hook": "${3:-auto}",
				      "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "all": ["198.51.100.0/24", "2001:db8:2000::/36"] },
	  "customers": { "file": "customers.csv" },
	  "portal": { "url": "http://quarantine.example.net/", "contact": "abuse desk, +49 30 1234",
		      "provider": "Example Net" },
	  "gardens": { "strict": { "mail": "smtp-554", "web": "page", "tls": "tcp-reset" } },
	  "classes": { "all": { "of": ["all"], "port25": { "to-world": "drop" } } },
	  "capacity": { "sources": $2, "colony": 8192 } }
	END
}

# in_force NAME: this policy judges, in tables of its own
in_force()
{
	[ "$(ctl -j status | jq -r '.policy.name')" = "$1" ] && ! lz_ns_run gw test -e "$PINS~next"
}

until_of()
{
	ctl -j quarantine show "$1" | jq -r '.until // .quarantine.until'
}

held()
{
	[ "$(status_of ctl quarantine show "$1")" = 0 ] && ! reach_as "$1"
}

reach_as()
{
	local -A name=(["$HELD"]=shop ["$NEIGHBOUR"]=side ["$HONEST"]=office ["$TENANT"]=tenant)

	lz_ns_run "${name[$1]}" "${ENDS[@]}" once "$WORLD" "${2:-443}"
}

# shows_page: the held source, asking the world for a page, gets the portal's
shows_page()
{
	[ "$(lz_ns_run shop curl -s --max-time 2 "http://[$WORLD]/")" = "page for $WORLD 80" ]
}

# kill_at_answer POLICY: the controller alone, when it has written POLICY down but not told the keeper why it
# ends: on one processor, on which it runs only when nobody else wants to. True if we were in time.
kill_at_answer()
{
	local controller
	controller=$(pgrep -P "${LZ_PROC[daemon]}" -x lazaretd-ctl)
	: >"$LZ_DIR/log/daemon.log"
	taskset -cp 0 "$controller" && chrt --idle -p 0 "$controller" || return 1
	(
		taskset -cp 0 "$BASHPID"
		ctl policy apply "$1" --yes | {
			read -r
			kill -KILL "$controller"
		}
	)
	lz_wait 5 grep -q "event=controller-died .*signal=9" "$LZ_DIR/log/daemon.log"
}

not()
{
	! "$@"
}

t_need lz_provider_add
t_need lz_customer_add shop 198.51.100.10 "$HELD"
t_need lz_customer_add side 198.51.100.11 "$NEIGHBOUR"
t_need lz_customer_add office 198.51.100.12 "$HONEST"
t_need lz_customer_add tenant 198.51.100.13 "$TENANT"
echo "C9,$COMPANY/52" >"$LZ_DIR/customers.csv"
policy 64 4096
policy 56 4096
: >"$LZ_DIR/came"
lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 25 80 443
t_need lz_port_wait 5 world 25

t_need daemon_start "$LZ_DIR/p64.json"
t_need ctl quarantine add "$HELD" for 2h garden strict reason "open proxy" ticket RT-1

t_need ctl quarantine add 198.51.100.77 for 1h
t_need ctl exception add 2001:db8:2000:200::/64 port25 until 2030-01-01 ticket RT-2
t_ok "before: held" held "$HELD"
t_ok "before: he sees the page" lz_wait 5 shows_page
t_ok "before: his neighbour is not" reach_as "$NEIGHBOUR"
t_ok "before: the exception stands" reach_as "$TENANT" 25
UNTIL=$(until_of "$HELD")

# ---------------------------------------------------------------- refusals: nothing changes

ctl policy apply "$LZ_DIR/p56.json" >"$LZ_DIR/out" 2>&1
t_eq "without --yes: stopped by a guard" $? 7
t_ok "without --yes: says how, and what it needs" \
	grep -qE -- '--yes changes that under traffic and needs [0-9]+MiB of memory' "$LZ_DIR/out"
WIDER='1 hold of an IPv6 /64 covers a whole /56 then, with all neighbours in it'
t_ok "without --yes: says that neighbours will be held" grep -qF "$WIDER" "$LZ_DIR/out"
t_ok "diff says that, too" grep -q "apply would be refused: .*$WIDER" <(ctl policy diff "$LZ_DIR/p56.json" 2>&1)
ctl policy apply "$LZ_DIR/p56.json" --yes --confirm 60 >"$LZ_DIR/out" 2>&1
t_eq "with a deadline: refused" $? 1
ctl policy apply "$LZ_DIR/p56.json" --yes >"$LZ_DIR/out" 2>&1
t_eq "an exception too narrow: refused" $? 2
t_ok "an exception too narrow: which, and what to do" \
	grep -q "the exception for 2001:db8:2000:200::/64 is narrower; delete it" "$LZ_DIR/out"
t_ok "refused: the old policy judges" in_force key64
t_ok "refused: held" held "$HELD"
t_need ctl exception del 2001:db8:2000:200::/64
t_need ctl exception add 2001:db8:2000:200::/56 port25 until 2030-01-01 ticket RT-2

# memory_left TEXT: what the machine says it has, until it is unmounted
memory_left()
{
	echo "$1" >"$LZ_DIR/meminfo" && mount --bind "$LZ_DIR/meminfo" /proc/meminfo
}

t_need memory_left "MemAvailable: 1024 kB"
ctl policy apply "$LZ_DIR/p56.json" --yes >"$LZ_DIR/out" 2>&1
t_eq "memory short: refused" $? 2
t_eq "memory short: one line" "$(wc -l <"$LZ_DIR/out")" 1
t_ok "memory short: how much, and what to do" grep -qE \
	'memory: the tables need [0-9]+MiB, 1MiB are available; lower "capacity", or add memory' "$LZ_DIR/out"
t_ok "memory short: preflight says it beforehand" eval \
	"lz_ns_run gw '$BUILD/lazaretd' --preflight --policy '$LZ_DIR/p56.json' | grep -q '^fail *memory *needs [0-9]*MiB of 1MiB'"
t_need umount /proc/meminfo
t_ok "memory short: the old policy judges, nothing is beside it" in_force key64
t_ok "memory short: held" held "$HELD"
SINCE=$(ctl -j status | jq -r .counted_since)

# ---------------------------------------------------------------- shorter keys, under traffic

t_need beat_start shop office
ctl policy apply "$LZ_DIR/p56.json" --yes >"$LZ_DIR/out"
t_eq "shorter: applied" $? 0
t_ok "shorter: and told when it is in force" grep -q "new tables take over within seconds" "$LZ_DIR/out"
t_ok "shorter: in force" lz_wait 20 in_force key56
t_ok "shorter: counters begin anew, and status says since when" \
	eval "ctl -j status | jq -e --arg before '$SINCE' '.counted_since > \$before'"
beat_stop "shorter"
t_ok "shorter: held" held "$HELD"
t_ok "shorter: he sees the page" lz_wait 5 shows_page
t_ok "shorter: so is his neighbour, one source with him now" not reach_as "$NEIGHBOUR"
t_eq "shorter: with the same end" "$(until_of "$HELD")" "$UNTIL"
t_ok "shorter: why and who are known" eval "ctl why $HELD | grep -q RT-1"
t_ok "shorter: IPv4 is held too" eval "ctl quarantine export | grep -q 198.51.100.77"
t_ok "shorter: the exception stands" reach_as "$TENANT" 25
t_ok "shorter: the audit has who did it" eval "ctl audit list | grep -q 'policy.apply .* 0 .*p56.json'"
t_eq "shorter: health" "$(status_of ctl health)" 0
t_ok "shorter: the doctor finds nothing" ctl doctor
t_eq "shorter: undo says what it takes" "$(status_of ctl policy undo)" 2

# ---------------------------------------------------------------- longer keys, killed on the way

beside()
{
	lz_ns_run gw test -e "$PINS~next"
}

t_need beat_start shop office
KEY=64
for delay in 0.1s 0.5s 0.8s 1.1s 1.5s beside beside; do
	t_ok "/$KEY, killed after $delay: applied" ctl policy apply "$LZ_DIR/p$KEY.json" --yes
	case $delay in
	beside) t_ok "/$KEY: new tables are beside the old" lz_wait 10 beside ;;
	*) sleep "$delay" ;;
	esac
	echo "# beside, when it was killed: $(lz_ns_run gw ls -d "$PINS~next" 2>/dev/null)"
	daemon_kill
	[ $delay != beside ] || t_ok "/$KEY: killed while they were" beside
	t_need daemon_start "$LZ_DIR/p64.json"
	t_ok "/$KEY, killed after $delay: in force" lz_wait 20 in_force "key$KEY"
	KEY=$((120 - KEY))
done
beat_stop "killed"
t_ok "killed: held" held "$HELD"
t_eq "killed: with the same end" "$(until_of "$HELD")" "$UNTIL"
t_ok "killed: each part of what was held is" held "$NEIGHBOUR"
t_ok "killed: the exception stands" reach_as "$TENANT" 25
t_ok "killed: the doctor finds nothing" ctl doctor

# ---------------------------------------------------------------- more room, the controller killed on the way

policy 64 20000
t_need ctl bypass on for 600s
t_ok "larger: applied" ctl policy apply "$LZ_DIR/p64.json" --yes
sleep 0.2
pkill -KILL -P "${LZ_PROC[daemon]}"
t_ok "larger, killed: in force" lz_wait 20 in_force key64
t_ok "larger, killed: there is room" \
	lz_wait 20 eval "ctl -j status | jq -e '.sources.capacity >= 20000'"
t_ok "larger, killed: the kill switch stays thrown" reach_as "$HELD"
t_need ctl bypass off
t_ok "larger, killed: held" held "$HELD"
t_ok "larger, killed: he sees the page" lz_wait 5 shows_page
t_eq "larger, killed: with the same end" "$(until_of "$HELD")" "$UNTIL"
# ---------------------------------------------------------------- another hook

hook_is()
{
	ctl -j status | jq -e --arg h "$1" '[.interfaces[] | select(.interface == "acc0").hook] == [$h]'
}

t_need beat_start shop office
for hook in tc xdp-generic xdp tc xdp; do
	policy 64 20000 $hook
	t_ok "hook $hook: applied" ctl policy apply "$LZ_DIR/p64.json" --yes
	t_ok "hook $hook: is there" hook_is $hook
done
beat_stop "hooks"

t_ok "released: free" eval "ctl quarantine del $HELD && lz_wait 3 reach_as $HELD"

# ---------------------------------------------------------------- the controller killed before it said so

policy 56 20000
t_ok "killed at the answer" kill_at_answer "$LZ_DIR/p56.json"
t_ok "killed at the answer: in force" lz_wait 20 in_force key56
t_ok "killed at the answer: one source with his neighbour, held like him" held "$HELD"
t_ok "killed at the answer: he sees the page" lz_wait 5 shows_page
t_ok "killed at the answer: the doctor finds nothing" ctl doctor

# ---------------------------------------------------------------- a customer of more keys than are held at once

# of_company: how many of its keys are held
of_company()
{
	ctl quarantine export | grep -cE "^${COMPANY%000::}[0-9a-f]{3}:"
}

policy 60 20000
policy 64 20000
t_need ctl policy apply "$LZ_DIR/p60.json" --yes
t_ok "who asks while the tables are exchanged waits, and is answered" ctl -q status
t_ok "a company: in force" lz_wait 20 in_force key60
t_need ctl quarantine add "${COMPANY}10" for 1h
t_eq "a company: held whole" "$(of_company)" 256
t_need ctl policy apply "$LZ_DIR/p64.json" --yes
t_ok "a company: divided" lz_wait 20 in_force key64
t_eq "a company: each part is held" "$(of_company)" 4096
t_ok "a company: let go" ctl quarantine del "${COMPANY%000::}abc::10"
t_eq "a company: all of it" "$(of_company)" 0
t_ok "a company: the doctor finds nothing" ctl doctor

t_need daemon_stop
t_end
