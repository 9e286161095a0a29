#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The keeper hangs: what can be told without it is told, and that it hangs; what needs it is refused soon;
# nothing of it is taken for an answer to something else once it goes on. It works for seconds on hundreds
# of hooks: who asks something meanwhile is answered. Who reads the log stands still: nobody waits for him.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 360 "$@"

# policy NAME SOURCES
policy()
{
	cat >"$LZ_DIR/$1.json" <<-END
	{ "version": 1, "name": "$1",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/24"] },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone" } },
	  "capacity": { "sources": $2, "colony": 4096 } }
	END
}

hooks()
{
	ctl -j status | jq -r '[.interfaces[].hook] | join(" ")'
}

hangs()
{
	ctl -j status | jq -e '.alarms | map(select(test("^hooks: keeper: no answer for [0-9]+ s"))) != []'
}

t_need lz_provider_add
t_need lz_customer_add host 198.51.100.10 2001:db8:2000:61::10
policy first 4096
policy second 4096
policy larger 8192
t_need daemon_start "$LZ_DIR/first.json"
HOOKS=$(hooks)
t_eq "before: healthy" "$(status_of ctl health)" 0

kill -STOP "${LZ_PROC[daemon]}"
t_ok "hangs: status answers, and says so" hangs
t_ok "hangs: and once more" hangs
ctl health >"$LZ_DIR/said" 2>&1
t_ok "hangs: health has it" grep -q "^FAILED hooks: keeper: no answer for" "$LZ_DIR/said"
t_ok "hangs: the text for people has it" grep -q "keeper: no answer" <(ctl status)
t_ok "hangs: a host can be held" ctl quarantine add 198.51.100.10 for 1h
t_ok "hangs: and explained" ctl why 198.51.100.10
for name in second larger; do
	ctl policy apply "$LZ_DIR/$name.json" --yes >"$LZ_DIR/said" 2>&1
	t_eq "hangs: apply of $name is refused" $? 2
	t_ok "hangs: apply of $name says why" grep -q "keeper: no answer for [0-9]* s" "$LZ_DIR/said"
done
sleep 5 # what is said to it fills the channel
t_ok "hangs: status answers with a full channel" hangs

kill -CONT "${LZ_PROC[daemon]}"
t_ok "goes on: the alarm ends" lz_wait 10 eval "! hangs"
t_eq "goes on: with its hooks" "$(hooks)" "$HOOKS"
t_ok "goes on: the silence is in the log" grep -q "event=keeper-answers .*silent_s=" "$LZ_DIR/log/daemon.log"
t_eq "goes on: the policy is the one before" "$(ctl -j status | jq -r .policy.name)" first
t_ok "goes on: another can be applied" ctl policy apply "$LZ_DIR/second.json" --yes
t_eq "goes on: and judges" "$(ctl -j status | jq -r .policy.name)" second
t_ok "goes on: nothing was restarted" \
	eval "! grep -qE 'controller-(died|hangs)|keeper-gone' $LZ_DIR/log/daemon.log"
t_eq "goes on: healthy" "$(status_of ctl health)" 0

# It hangs before it was asked anything that would show it.
kill -STOP "${LZ_PROC[daemon]}"
ctl policy apply "$LZ_DIR/first.json" >"$LZ_DIR/said" 2>&1
t_eq "hangs unseen: apply is refused" $? 2
t_ok "hangs unseen: status answers" hangs
kill -CONT "${LZ_PROC[daemon]}"
t_ok "goes on again" lz_wait 10 eval "! hangs"
# ---------------------------------------------------------------- many hooks

PORTS=120

# ports NAME MATCH [REST]: a policy for more interfaces
ports()
{
	sed "s|\"acc0\"|\"acc0\", \"$2\"|; s|\"first\"|\"$1\"|; s|\"transit\"|${3:-} &|" \
		"$LZ_DIR/first.json" >"$LZ_DIR/$1.json"
}

hooks_are()
{
	[ "$(hooks | wc -w)" = "$1" ]
}

t_need lz_ns_add far
for i in $(seq $PORTS); do
	echo "link add p$i up type veth peer name q$i netns $LZ_LAB-far"
done >"$LZ_DIR/links"
t_need ip -n "$LZ_LAB-gw" -b "$LZ_DIR/links"
ports many 'p*'
ctl policy apply "$LZ_DIR/many.json" --yes >"$LZ_DIR/said" 2>&1 &
APPLY=$!
t_ok "many: it has begun" lz_wait 20 grep -q "event=hook-attached interface=p1$" "$LZ_DIR/log/daemon.log"
ASKED=0
while kill -0 $APPLY 2>/dev/null; do
	ctl -j status >"$LZ_DIR/status" 2>&1
	[ "$(jq -r .policy.name "$LZ_DIR/status")" != second ] || ASKED=$((ASKED + 1))
done
wait $APPLY
t_eq "many: applied" $? 0
t_ok "many: status was answered meanwhile" test "$ASKED" -ge 1
t_eq "many: each is told" "$(grep -c "attached: p[0-9]* by" "$LZ_DIR/said")" $PORTS
t_ok "many: each is there" hooks_are $((PORTS + 2))
t_eq "many: healthy" "$(status_of ctl health)" 0
t_ok "many: not wanted any more" ctl policy apply "$LZ_DIR/second.json" --yes
t_ok "many: they go" lz_wait 60 hooks_are 2

t_need ip -n "$LZ_LAB-gw" link add zz0 up type veth peer name zz1
t_need clang -O2 -g -target bpf -c -o "$LZ_DIR/pass.o" -x c - <<<'__attribute__((section("xdp"))) int pass(void *c) { return 2; }'
t_need ip -n "$LZ_LAB-gw" link set zz0 xdpdrv obj "$LZ_DIR/pass.o" sec xdp
ports bad 'p*' '"last": { "side": "customer", "match": ["zz0"], "hook": "xdp" },'
ctl policy apply "$LZ_DIR/bad.json" --yes >"$LZ_DIR/said" 2>&1
t_eq "the last of many fails: refused" $? 2
t_ok "the last of many fails: which" grep -q "zz0: cannot attach xdp: program .pass." "$LZ_DIR/said"
t_ok "the last of many fails: the others go" lz_wait 60 hooks_are 2
t_eq "the last of many fails: the policy is the one before" "$(ctl -j status | jq -r .policy.name)" second
t_eq "the last of many fails: healthy" "$(status_of ctl health)" 0
t_ok "the last of many fails: another policy can come" ctl policy apply "$LZ_DIR/first.json" --yes
t_need daemon_stop

# ---------------------------------------------------------------- who reads the log stands still

LONG=$(printf 'x%.0s' $(seq 250))

# holds FROM TO: each a line of log, longer than the text it is held for
holds()
{
	local n
	for n in $(seq "$1" "$2"); do
		timeout 8 nsenter --net="/run/netns/$LZ_LAB-gw" "$BUILD/lazaretctl" --instance lab \
			quarantine add "198.51.100.$n" for 1h reason "$LONG" >/dev/null || return 1
	done
}

t_need mkfifo "$LZ_DIR/log.pipe"
sleep 1000 <>"$LZ_DIR/log.pipe" &
READER=$!
# shellcheck disable=SC2016 # expanded by the shell within
t_need lz_proc_start daemon gw bash -c 'exec "$@" 2>"$0"' "$LZ_DIR/log.pipe" \
	"$BUILD/lazaretd" --instance lab --state "$STATE" --run /run/lazaret-lab
t_need lz_wait 20 ctl status
t_ok "log stands still: holds are taken, more than its pipe has room for" holds 20 219
sleep 4 # the keeper and the controller both had something to say
t_ok "log stands still: status answers" ctl status
t_eq "log stands still: healthy" "$(status_of ctl health)" 0
cat "$LZ_DIR/log.pipe" >"$LZ_DIR/log/read.log" &
CAT=$!
t_need lz_wait 5 test -s "$LZ_DIR/log/read.log"
kill $READER
t_ok "log is read again: a hold" holds 220 220
t_ok "log is read again: it says how many lines were lost" \
	lz_wait 5 grep -q '^time=.* level=warning event=log-lost lines=[0-9]* why=' "$LZ_DIR/log/read.log"
t_ok "log is read again: and goes on" lz_wait 5 grep -q "object=198.51.100.220 " "$LZ_DIR/log/read.log"
t_eq "log is read again: nothing was restarted" "$(grep -cE 'controller-(died|hangs)' "$LZ_DIR/log/read.log")" 0
t_need daemon_stop
kill $CAT 2>/dev/null
t_end
