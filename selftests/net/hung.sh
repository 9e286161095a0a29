#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The keeper hangs: what can be told without it is told, and that it hangs; what needs it is refused soon;
# nothing of it is taken for an answer to something else once it goes on.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 120 "$@"

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
t_need daemon_stop
t_end
