#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Policies on trial, and several operators: what confirm and undo are about, before and after a deadline. And what
# a start says of a --policy FILE that is not what judges.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 180 "$@"

# policy NAME MODE
policy()
{
	cat >"$LZ_DIR/$1.json" <<-END
	{ "version": 1, "name": "$1", "mode": "$2",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"] },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "offices": ["198.51.100.128/25", { "file": "more.cidr" }, "198.51.100.0/26"] },
	  "classes": { "offices": { "of": ["offices"], "port25": "leave-alone" } } }
	END
}

in_force()
{
	[ "$(ctl -j status | jq -r .policy.name)" = "$1" ]
}

generation()
{
	ctl -j status | jq .policy.generation
}

# expire: A is tried and forgotten; returns as soon as the controller has seen that
expire()
{
	ctl -q policy apply "$LZ_DIR/A.json" --confirm 1 && GONE=$(generation) && lz_wait 5 in_force base
}

# say WORDS: what is answered, in one line, and the exit code
say()
{
	local status=0
	ctl "$@" >"$LZ_DIR/said" 2>&1 || status=$?
	echo "$(head -n 1 "$LZ_DIR/said") $status"
}

TOO_LATE="has passed and the data plane has gone back by itself 2"

t_need lz_provider_add
policy first enforce
policy base enforce
policy A monitor
policy B monitor
printf '198.51.101.0/24\n2001:db8:2000::/36\n' >"$LZ_DIR/more.cidr"
t_need daemon_start "$LZ_DIR/first.json"
t_need ctl policy apply "$LZ_DIR/base.json"
BASE=$(generation)

# ---------------------------------------------------------------- just after a deadline

t_need expire
t_eq "a deadline has just passed: undo is too late" "$(say policy undo)" \
	"lazaretctl: policy: too late: the deadline of generation $GONE $TOO_LATE"
t_need expire
t_need ctl policy apply "$LZ_DIR/B.json"
t_eq "another one for good since: undo undoes that" "$(say policy undo)" "back to 'base', generation $((GONE + 2)), 2 changes 0"
t_need expire
t_need ctl policy apply "$LZ_DIR/B.json" --confirm 60
t_eq "another one on trial since: undo undoes that" "$(say policy undo)" "back to 'base', generation $((GONE - 1)), 2 changes 0"
t_eq "undo again is not too late either" "$(say policy undo)" "back to 'first', generation $((GONE + 2)), 1 change 0"
t_need ctl policy apply "$LZ_DIR/base.json"
t_need expire
t_need ctl policy apply "$LZ_DIR/B.json" --confirm 60
t_eq "another one on trial since: confirmed" "$(say policy confirm)" "confirmed 'B', generation $((GONE + 1)) 0"
t_eq "twice: says what is the case" "$(say policy confirm)" "lazaretctl: policy: nothing waits for a confirm 2"
t_eq "and then undone" "$(say policy undo)" "back to 'base', generation $((GONE + 2)), 2 changes 0"
t_need expire
t_need ctl range add offices 198.51.105.0/24
t_eq "a range since: undo takes it back" "$(say policy undo)" "back to 'base', generation $((GONE + 2)), 1 change 0"

# ---------------------------------------------------------------- which one is meant

t_need expire
ctl policy apply "$LZ_DIR/B.json" --confirm 60 >"$LZ_DIR/said"
N=$(generation)
t_ok "apply prints the command with its number" grep -qx "  lazaretctl --instance lab policy confirm $N" "$LZ_DIR/said"
t_ok "and so does status" grep -qx "  lazaretctl --instance lab policy confirm $N" <(ctl status)
t_eq "one that has expired is meant: the other one is not confirmed" "$(say policy confirm "$GONE")" \
	"lazaretctl: policy: generation $N waits, not $GONE; $N is 'B', applied by root; $GONE, 'A', is expired 2"
t_eq "one that judged before: the same" "$(say policy confirm "$BASE")" \
	"lazaretctl: policy: generation $N waits, not $BASE; $N is 'B', applied by root; $BASE, 'base', is confirmed 2"
t_eq "one that never was: the same" "$(say policy confirm 4711)" \
	"lazaretctl: policy: generation $N waits, not 4711; $N is 'B', applied by root; there is no generation 4711 2"
t_eq "no number: invalid" "$(status_of ctl policy confirm B)" 1
t_eq "still on trial" "$(ctl -j status | jq .policy.confirmed)" false
t_eq "its own number: confirmed, and says what" "$(ctl -j policy confirm "$N" | jq -c '[.generation, .name]')" "[$N,\"B\"]"
t_eq "its own number again" "$(say policy confirm "$N")" \
	"lazaretctl: policy: nothing waits for a confirm: $N, 'B', is confirmed 2"
t_eq "the number of one that has expired: too late, however long ago" "$(say policy confirm "$GONE")" \
	"lazaretctl: policy: too late: the deadline of generation $GONE $TOO_LATE"
t_need ctl policy undo
t_eq "the number of one that was undone" "$(say policy confirm "$N")" \
	"lazaretctl: policy: nothing waits for a confirm: $N, 'B', is undone 2"

t_need ctl policy apply "$LZ_DIR/B.json"
N=$(generation)
t_need ctl range add offices 198.51.105.0/24
t_eq "another one is in force meanwhile: undo of one's own is refused" "$(say policy undo "$N")" \
	"lazaretctl: policy: generation $((N + 1)) is in force, not $N; $((N + 1)) is 'B', applied by root; $N, 'B', is confirmed 2"
t_eq "it is no way to one further back" "$(say policy undo "$BASE")" \
	"lazaretctl: policy: generation $((N + 1)) is in force, not $BASE; $((N + 1)) is 'B', applied by root; $BASE, 'base', is confirmed 2"
t_eq "one that has expired: the same" "$(say policy undo "$GONE")" \
	"lazaretctl: policy: generation $((N + 1)) is in force, not $GONE; $((N + 1)) is 'B', applied by root; $GONE, 'A', is expired 2"
t_eq "what is in force: undone" "$(say policy undo "$((N + 1))")" "back to 'B', generation $((N + 2)), 1 change 0"
t_eq "and once more" "$(say policy undo "$((N + 2))")" "back to 'base', generation $((N + 3)), 2 changes 0"

# ---------------------------------------------------------------- a start with a FILE that is not what judges

# warned: what the log of the last start says of FILE, but for the time
warned()
{
	grep -h event=policy-file-not-in-force "$LZ_DIR/log/daemon.log" | sed 's/.*\(level=\)/\1/'
}

daemon_stop
t_need daemon_start "$LZ_DIR/base.json"
t_eq "a start with what judges, and its list in another file: nothing to say" "$(warned)" ""
N=$(generation)
for file in A first; do
	daemon_kill
	t_need daemon_start "$LZ_DIR/$file.json"
	t_eq "a start with another FILE, $file: the log says what judges, and how to compare" "$(warned)" \
		"level=notice event=policy-file-not-in-force file=$LZ_DIR/$file.json in_force=$N name=base$(
		) why=\"what was confirmed last stays; --policy is for the first start\"$(
		) see=\"lazaretctl --instance lab policy diff $LZ_DIR/$file.json\""
	t_ok "and base judges" in_force base
done
t_need ctl policy apply "$LZ_DIR/A.json" --confirm 60
daemon_kill
t_need daemon_start "$LZ_DIR/base.json"
t_eq "FILE is what a trial goes back to: nothing to say" "$(in_force A; echo $?)$(warned)" 0
t_need ctl policy undo
echo 198.51.102.0/24 >>"$LZ_DIR/more.cidr"
daemon_kill
t_need daemon_start "$LZ_DIR/base.json"
t_eq "a list beside FILE was edited: it is said" "$(warned | grep -c "file=$LZ_DIR/base.json in_force=$N ")" 1
mkfifo "$LZ_DIR/pipe.json"
truncate -s 200G "$LZ_DIR/huge.json"
: >"$LZ_DIR/empty.json"
for file in pipe huge empty missing; do
	daemon_kill
	SINCE=$(lz_now_ms)
	t_need daemon_start "$LZ_DIR/$file.json"
	t_ok "FILE is $file: no delay" test $(($(lz_now_ms) - SINCE)) -lt 3000
	t_eq "FILE is $file: base judges, and one line says that FILE is not valid" "$(in_force base; echo $?)$(warned)$(
		grep -c "$file.json: policy is not valid; what was confirmed last stays" "$LZ_DIR/log/daemon.log")" 01
done
daemon_stop

t_end
