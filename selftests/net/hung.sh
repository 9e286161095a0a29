#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The keeper hangs: what can be told without it is told, and that it hangs; what needs it is refused soon;
# nothing of it is taken for an answer to something else once it goes on. It works for seconds on hundreds
# of hooks: who asks something meanwhile is answered.
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
t_end
