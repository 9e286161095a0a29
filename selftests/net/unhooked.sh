#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2016 # what eval gets
#
# A start with a policy that was in force, and ports that cannot have their hook: all others judge, these are
# named and tried again. An operator's policy is still refused whole for one (start.sh: and a first start).
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
lz_gateway_enter 300 "$@"

HELD=198.51.100.10 WORLD=203.0.113.25
MANY=40 # their attempts take longer than a slice

# policy NAME [KEY]
policy()
{
	cat >"$LZ_DIR/$1.json" <<-END
	{ "version": 1, "name": "$1", "ipv6-key": ${2:-64},
	  "interfaces": { "access": { "side": "customer", "match": ["acc0", "p*"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "offices": ["198.51.100.0/24", "2001:db8:2000::/36"], "spare": ["192.0.2.128/25"] },
	  "portal": { "url": "http://192.0.2.1:8088/", "contact": "Desk", "provider": "Example Net", "listen": ["192.0.2.1:8088"] },
  "classes": { "offices": { "of": ["offices"] }, "spare": { "of": ["spare"] } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

reach()
{
	lz_ns_run shop "${ENDS[@]}" once "$WORLD" 443
}

stopped()
{
	! reach
}

has_none()
{
	[ "$(hook_of "$1")" = none ] && ! lz_ns_run gw bpftool net show dev "$1" | grep -q lz_
}

# named PORT [WORDS]: health says that it has no hook, and why
named()
{
	ctl health 2>&1 | grep -q "^FAILED hooks: $1: no hook is attached: cannot attach xdp: ${2:-program .pass. .*is there}"
}

# faults PORT: lines of this daemon's log about it
faults()
{
	grep -c "event=interfaces-fault .*$1: cannot attach xdp" "$LZ_DIR/log/daemon.log"
}

detach()
{
	lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach >/dev/null 2>&1
}

starts()
{
	daemon_start "$LZ_DIR/one.json"
	t_eq "$1: it starts" $? 0
}

# queues PORT N: of its other end; with two the driver has no room for XDP, which is found out when tc is attached
queues()
{
	lz_ns_run far ethtool -L "q$1" tx "$2"
}

# unjudged true|false [WORDS]: do all say, or none, that nothing of the hold is enforced? And health, with WORDS
unjudged()
{
	local want='.enforced == false and .not_enforced == "no customer port is judged: everything passes"' alarms=1
	[ "$1" = true ] || { want='.enforced == null and .not_enforced == null' alarms=0; }
	ctl -j why $HELD | jq -e "$want" >/dev/null && ctl -j quarantine show $HELD | jq -e "$want" >/dev/null &&
		ctl -j quarantine list | jq -e "(.unenforced == 1) == $1 and (.entries[0] | $want)" >/dev/null &&
		[ "$(ctl health 2>&1 | grep -c "^FAILED customer-ports: none is judged: .*${2:-}")" = $alarms ]
}

# page WORDS: does the page say so to who is held?
page()
{
	lz_ns_run shop curl -s --max-time 5 http://192.0.2.1:8088/ | grep -q "$1"
}

# goes_on WHAT PORT: it is started, and PORT is all that is missing
goes_on()
{
	t_ok "$1: the others have their hooks" eval "has_hook acc0 && has_hook upl0 && has_none $2"
	t_ok "$1: who is held is stopped" stopped
	t_ok "$1: health names the port, and why" named "$2"
	t_ok "$1: so does status" eval "ctl -j status | jq -e --arg i '$2' \
		'.alarms[] | select(startswith(\"hooks: \" + \$i + \": no hook is attached\"))'"
}

# comes_back WHAT PORT: what is in the way is taken off
comes_back()
{
	t_need foreign_take "$2"
	t_ok "$1: the hook is there, within seconds" lz_wait 5 has_hook "$2"
	t_ok "$1: the alarm ends" lz_wait 2 ctl health
}

t_need lz_provider_add
t_need lz_ns_add far
t_need lz_customer_add shop $HELD 2001:db8:2000::10
: >"$LZ_DIR/came"
t_need lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 443
t_need lz_port_wait 5 world 443
t_need foreign_make
policy one
policy key56 56
t_need port_add p1
t_need daemon_start "$LZ_DIR/one.json"
t_need ctl quarantine add $HELD garden strict for 1h

# ---------------------------------------------------------------- a reboot

daemon_kill
t_need detach
t_need foreign_put p1
starts "reboot"
goes_on "reboot" p1
sleep 4
t_eq "reboot: it is tried again, and told once" "$(faults p1)" 1
t_need port_add p2
t_ok "reboot: a newcomer gets its hook" lz_wait 2 has_hook p2
t_need port_del p2

# What an operator asks for is refused whole; but a change of what is in force, and the way back, are not.
ctl policy apply "$LZ_DIR/one.json" --yes >"$LZ_DIR/said" 2>&1
t_eq "apply: refused" $? 2
t_eq "apply: in one line" "$(wc -l <"$LZ_DIR/said")" 1
t_ok "apply: that says why" grep -q "p1: cannot attach xdp: program .pass. .*is there" "$LZ_DIR/said"
t_ok "range add: is done" ctl range add spare 203.0.113.128/25
goes_on "range add" p1
comes_back "reboot" p1
t_need ctl policy apply "$LZ_DIR/one.json" --yes
t_need hook_steal p1
t_need foreign_put p1
t_ok "a hook that was taken: named" lz_wait 3 named p1
t_ok "undo: is done" ctl policy undo
goes_on "undo" p1
t_ok "another ipv6-key: refused" eval "! ctl policy apply '$LZ_DIR/key56.json' --yes"
goes_on "another ipv6-key" p1

# ---------------------------------------------------------------- killed, with hooks that judge

daemon_kill
starts "killed"
t_ok "killed: and goes on with what judges" grep -q event=policy-adopted "$LZ_DIR/log/daemon.log"
goes_on "killed" p1
comes_back "killed" p1

# Other tables are filled beside those that judge, and take over.
daemon_kill
t_need hook_steal p1
t_need foreign_put p1
t_need lz_ns_run gw rm "$PINS/map_lz_learnt"
starts "other tables"
t_ok "other tables: which take over" grep -q event=instance-replaced "$LZ_DIR/log/daemon.log"
goes_on "other tables" p1
comes_back "other tables" p1

# ---------------------------------------------------------------- several, and all

daemon_kill
t_need detach
t_need port_add p2
t_need port_add p3 index 1003
for port in p1 p2 p3; do
	t_need foreign_put $port
done
starts "several"
goes_on "several" p1
t_ok "several: health names them" grep -q "^FAILED hooks: p1: .*is there.* (and 2 more: p2, p3)$" <(ctl health)
t_eq "several: the log tells of each" "$(faults p1) $(faults p2) $(faults p3)" "1 1 1"
t_need port_del p3
t_ok "several: one that is gone is not named" lz_wait 3 eval 'ctl health | grep -q "(and 1 more: p2)$"'
t_need port_add p4 index 66539
t_ok "several: and leaves nothing behind" lz_wait 3 has_hook p4
t_need foreign_take p1
t_ok "several: one comes back" lz_wait 5 has_hook p1
t_ok "several: the other is still named" named p2
comes_back "several" p2

daemon_kill
t_need detach
for port in acc0 upl0 p1 p2 p4; do
	t_need foreign_put $port
done
starts "all"
t_ok "all: health names them" grep -q "^FAILED hooks: .*is there.* (and 4 more: " <(ctl health)
t_ok "all: nobody is judged" reach
t_ok "all: which is said of the hold" unjudged true "see hooks"
t_ok "all: the page says that nothing is restricted" page "is not restricted"
t_ok "all: a new hold, too" grep -q "not enforced: no customer port" <(ctl quarantine add $HELD for 2h)
for port in acc0 upl0 p1 p2 p4; do
	t_need foreign_take $port
done
t_ok "all: who is held is stopped, within seconds" lz_wait 5 stopped
t_ok "all: the alarm ends" lz_wait 5 ctl health
t_ok "all: held again" unjudged false
t_ok "all: the page says so" page "is in quarantine"

# ---------------------------------------------------------------- no customer port that is there

jq 'del(.interfaces.access)' "$LZ_DIR/one.json" >"$LZ_DIR/portless.json"
jq '.interfaces.access.match = ["nosuch0"]' "$LZ_DIR/one.json" >"$LZ_DIR/mistyped.json"
for name in portless mistyped; do
	ctl policy apply "$LZ_DIR/$name.json" --yes >"$LZ_DIR/said" 2>&1
	t_ok "$name: applied, and it says what it is" grep -q "warning: no customer port is judged" "$LZ_DIR/said"
	t_ok "$name: nobody is judged" reach
	t_ok "$name: which is said of the hold, and what to do" unjudged true "policy undo"
	t_ok "$name: status has the alarm" eval "ctl -j status | jq -e '.alarms[] | select(startswith(\"customer-ports: \"))'"
	t_ok "$name: the page says that nothing is restricted" page "is not restricted"
	t_need ctl -q policy undo
	t_ok "$name: undone: held again" unjudged false
	t_ok "$name: undone: stopped" stopped
done
t_need ctl -q policy apply "$LZ_DIR/portless.json" --yes --confirm 2
t_ok "on trial: nobody is judged" unjudged true
t_ok "on trial: its time is over: held again" lz_wait 5 unjudged false

# An interface that is made again is no news; one that stays away is.
ip -n "$LZ_LAB-gw" link set acc0 name other0
for port in p1 p2 p4; do
	ip -n "$LZ_LAB-gw" link set $port name "x$port"
done
flickers=0 end=$((${EPOCHREALTIME/./} + 1200000))
while [ "${EPOCHREALTIME/./}" -lt $end ]; do
	unjudged false || flickers=$((flickers + 1))
done
t_eq "made again: no flicker" "$flickers" 0
t_ok "stays away: it is told" lz_wait 6 unjudged true
ip -n "$LZ_LAB-gw" link set other0 name acc0
for port in p1 p2 p4; do
	ip -n "$LZ_LAB-gw" link set x$port name $port
done
t_ok "comes back: held at once" lz_wait 2 unjudged false
t_ok "comes back: no alarm" lz_wait 5 ctl health

# ---------------------------------------------------------------- more than a slice has time for

daemon_kill
t_need detach
for i in $(seq 10 $((9 + MANY))); do
	t_need port_add "p$i"
	t_need queues "p$i" 2
done
starts "many"
t_ok "many: the others have their hooks" eval "has_hook acc0 && has_hook p1"
t_ok "many: who is held is stopped" stopped
t_ok "many: health names the first, why, and some" named p10 \
	"No space left on device (and $((MANY - 1)) more: p11, .*, ..)$"
t_need port_add p5
t_ok "many: a newcomer gets its hook" lz_wait 2 has_hook p5
t_need queues "p$((9 + MANY))" 1
t_ok "many: the last comes back while the others fail" lz_wait 10 has_hook "p$((9 + MANY))"
for i in $(seq 10 $((8 + MANY))); do
	t_need queues "p$i" 1
done
t_ok "many: all come back" lz_wait 15 ctl health
daemon_stop
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
