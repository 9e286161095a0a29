#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A ledger that knows less than the kernel: a backup that was put back, or a new one because the old one was
# damaged. Nobody is let go by it, and the books learn who is held. A release that was cut off in the middle is
# finished all the same.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
# shellcheck source=selftests/lib/held.sh
. "$ROOT/selftests/lib/held.sh"

lz_gateway_enter 300 "$@"

WORLD=203.0.113.25
POLICY=$LZ_DIR/policy.json

cat >"$POLICY" <<-'END'
	{ "version": 1, "name": "strangers",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/24"] },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone" } },
	  "gardens": { "care": { "kind": "strict", "mail": "drop", "web": "drop" } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
END

reaches()
{
	lz_ns_run "$1" "${ENDS[@]}" once "$WORLD" 443
}

t_need lz_provider_add
t_need lz_customer_add old 198.51.100.10 2001:db8:2000:10::10
t_need lz_customer_add new 198.51.100.11 2001:db8:2000:11::10
t_need lz_customer_add free 198.51.100.12 2001:db8:2000:12::10
lz_proc_start world world "${ENDS[@]}" serve "$LZ_DIR/reached" 443
t_need lz_port_wait 5 world 443
t_need daemon_start "$POLICY"
t_need ctl quarantine add 198.51.100.10 garden leaky for 1h reason before
t_need ctl exception add 198.51.100.13 port25 until 2029-01-01 ticket RT-6
daemon_stop
cp -a "$STATE" "$LZ_DIR/backup"

# ---------------------------------------------------------------- the same ledger

t_need daemon_start "$POLICY"
t_ok "the same ledger again says nothing of strangers" test -z "$(grep -E "holds-learnt|ledger-changed" "$LZ_DIR/log/daemon.log")"
t_need ctl quarantine add 198.51.100.11 garden care for 3h reason after
t_need ctl quarantine add 198.51.100.10 garden strict for 2h
t_ok "held" eval "! reaches new"
t_need ctl exception add 198.51.100.12 port25 until 2030-01-01 ticket RT-7
t_need ctl exception add 198.51.100.13 all until 2031-01-01 ticket RT-8
t_need ctl quarantine add 198.51.100.14 throttle 10/min for 3h
t_need ctl quarantine add 2001:db8:2000:15::15 garden strict for 3h
daemon_kill

# ---------------------------------------------------------------- a backup that was put back

rm -rf "$STATE" && cp -a "$LZ_DIR/backup" "$STATE"
t_need daemon_start "$POLICY"
t_ok "a backup put back: says what it is" logged "event=holds-learnt .*reason=\"4 stay held, 2 excepted: this ledger is an older copy"
t_ok "a backup put back: who was held since then stays held" eval "! reaches new"
t_eq "a backup put back: how hard, and by whom" "$(row 198.51.100.11)" "garden:care operator"
t_ok "a backup put back: until when" test "$(left_s 198.51.100.11)" -gt 10700
t_eq "a backup put back: who was held harder since then stays so" "$(row 198.51.100.10)" "garden:strict operator"
t_ok "a backup put back: and longer" test "$(left_s 198.51.100.10)" -gt 7000
t_ok "a backup put back: why says that nobody knows" grep -q "this ledger does not say by whom" <(ctl why 198.51.100.11)
t_eq "a backup put back: who was excepted since then is on the books" "$(ctl -j exception list |
	jq -r '.exceptions[] | "\(.prefix) \(.what) \(.ticket)"')" "198.51.100.12 port25 unknown
198.51.100.13 all RT-6"
t_eq "a backup put back: whose exception was extended keeps it" \
	"$(ctl -j exception list | jq -r '.exceptions[1].until >= "2030-12-31"')" true
t_eq "a backup put back: a rate is the same rate, three at once" "$(row 198.51.100.14)" "throttle 3/18s operator"
agreed "a backup put back"
daemon_stop

# ---------------------------------------------------------------- from now on it is the one

t_need daemon_start "$POLICY"
t_ok "at the next start it is the ledger of this kernel" eval "! logged holds-learnt"
t_ok "which keeps them held" eval "! reaches new"
t_ok "and can let them go" ctl quarantine del 198.51.100.11
t_ok "who is free then" reaches new
t_need ctl quarantine add 198.51.100.11 garden strict for 1h
daemon_stop

# ---------------------------------------------------------------- a new ledger

rm -rf "$STATE"
t_need daemon_start "$POLICY"
t_ok "a new ledger: says what it is" logged "event=holds-learnt .*this ledger is not the one that they were held by"
t_ok "a new ledger: nobody is let go" eval "! reaches new"
t_eq "a new ledger: all are on its books" "$(ctl -j quarantine list | jq '.entries | length')" 4
agreed "a new ledger"
daemon_kill
t_need daemon_start "$POLICY"
t_ok "a new ledger: nor by the start after" eval "! reaches new"
agreed "the start after"
daemon_stop

rm -rf "$STATE"
t_need daemon_start ""
UNKNOWN="an instance of before judges on, this ledger knows neither its policy nor whom it holds; put its ledger back, or say lazaretctl --instance lab policy apply FILE"
t_ok "a new ledger without a policy: nobody is let go" eval "! reaches new"
t_eq "a new ledger without a policy: who is held is not known, not nobody" "$(ctl -j status | jq .colony.held)" null
t_ok "a new ledger without a policy: status says so" grep -qF "policy: $UNKNOWN" <(ctl status)
t_eq "a new ledger without a policy: health, too" "$(ctl health 2>&1 >/dev/null)" "lazaretctl: policy: $UNKNOWN"
t_eq "a new ledger without a policy: who asks for more is told the same" \
	"$(ctl quarantine del 198.51.100.11 2>&1)" "lazaretctl: gateway: $UNKNOWN"
t_ok "a new ledger without a policy: and the log" logged event=instance-unknown
t_ok "a new ledger without a policy: the kill switch works" ctl bypass on for 60s
t_ok "everything passes" reaches new
t_eq "and status says so" "$(ctl -j status | jq .bypass.on)" true
t_ok "and off again" ctl bypass off
t_ok "held again" eval "! reaches new"
t_need ctl policy apply "$POLICY" --yes
t_eq "a new ledger, and the policy comes later: then it is known" "$(ctl -j status | jq .colony.held)" 4
t_ok "a new ledger, and the policy comes later: nobody is let go" eval "! reaches new"
t_eq "a new ledger, and the policy comes later: all are on its books" \
	"$(ctl -j quarantine list | jq '.entries | length')" 4
daemon_stop

# ---------------------------------------------------------------- a release that was cut off

python3 - "$STATE/ledger.db" <<-'END'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	db.execute("DELETE FROM held WHERE key = ?", (198 << 24 | 51 << 16 | 100 << 8 | 11,))
	db.execute("UPDATE book SET turn = turn + 1")
	db.commit()
END
t_need daemon_start "$POLICY"
t_ok "a release that was cut off: is finished" logged "event=releases-finished sources=1"
t_ok "a release that was cut off: free" reaches new
t_ok "a release that was cut off: the other is not" eval "! reaches old"
agreed "a release that was cut off"
t_ok "who was never held is free all the time" reaches free
daemon_stop

# ---------------------------------------------------------------- no room to learn

learnt()
{
	logged "event=holds-learnt .*reason=\"[0-9]* stay held, .*older copy"
}

mv "$STATE" "$LZ_DIR/whole"
t_need mkdir "$STATE"
t_need mount -t tmpfs -o size=8m,mode=755 lz-state "$STATE"
cp -a "$LZ_DIR/whole/." "$STATE"
t_need daemon_start "$POLICY"
for n in {0..11}; do
	printf "198.18.$n.%d 3h\n" {0..255}
done >"$LZ_DIR/many"
echo "198.51.100.11 3h strict" >>"$LZ_DIR/many"
t_need ctl quarantine import "$LZ_DIR/many" --yes
daemon_kill
rm -rf "${STATE:?}"/* && cp -a "$LZ_DIR/whole/." "$STATE"
t_need disk_fill
truncate -s -160K "$STATE/other"
t_need daemon_start "$POLICY"
t_ok "no room to learn: says so" lz_wait 20 logged "event=ledger-failed .*database or disk is full"
t_ok "no room to learn: nobody is let go" eval "! reaches new"
daemon_kill
t_need daemon_start "$POLICY"
t_ok "no room to learn: nor by the start after" eval "! reaches new"
rm "$STATE/other"
t_ok "with room they are learnt" lz_wait 45 learnt
t_eq "all of them" "$(ctl -j status | jq .colony.held)" 3076
t_ok "who are held still" eval "! reaches new"
agreed "learnt late"
daemon_stop
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
