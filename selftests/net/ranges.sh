#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Small changes of a set in a policy in force: what packets see, what is on record, what a killed daemon
# leaves, and how long it takes with half a million ranges.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 420 "$@"

HOST=198.51.100.10
WORLD=203.0.113.25
RANGES=500000

# Customers' own addresses are in no class but by a change; the many ranges are somebody else's.
seq 0 $((RANGES - 1)) | awk '{ printf "10.%d.%d.%d/27\n", int($1 / 1024) % 256, int($1 / 4) % 256, $1 % 4 * 64 }' \
	>"$LZ_DIR/many.cidr"
cat >"$LZ_DIR/policy.json" <<END
{ "version": 1, "name": "ranges",
  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
		  "transit": { "side": "uplink", "match": ["upl0"] } },
  "sets": { "closed": [{ "file": "many.cidr" }, "2001:db8:fff0::/64"], "open": ["198.51.102.0/24"],
	    "smarthosts": ["192.0.2.25"] },
  "never": ["192.0.2.1"],
  "classes": { "closed": { "of": ["closed"], "port25": { "to-world": "drop", "except-to": ["smarthosts"] } },
	       "open": { "of": ["open"], "port25": "leave-alone" } },
  "capacity": { "sources": 4096, "colony": 4096 } }
END

reach()
{
	lz_ns_run shop "${ENDS[@]}" once "$1" 25
}

# range_ms VERB SET PREFIX: milliseconds the daemon and the command took
range_ms()
{
	local since
	since=$(lz_now_ms)
	ctl range "$@" >"$LZ_DIR/said" 2>&1 || return
	echo $(($(lz_now_ms) - since))
}

generation()
{
	ctl -j status | jq -r .policy.generation
}

t_need lz_provider_add
t_need lz_customer_add shop "$HOST" 2001:db8:2000::10
: >"$LZ_DIR/came"
lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 25
t_need lz_port_wait 5 world 25
t_need daemon_start "$LZ_DIR/policy.json"
t_ok "no range: port 25 passes" reach "$WORLD"

# ---------------------------------------------------------------- add, del

t_ok "add" ctl range add closed "$HOST"
t_eq "add: is in force" "$(status_of reach "$WORLD")" 1
t_eq "add: a generation of its own" "$(generation)" 2
t_eq "add: in the look-up" "$(ctl -j range lookup "$HOST" | jq -r '"\(.class) \(.prefix) \(.sets[0])"')" \
	"closed $HOST closed"
t_eq "add again: refused" "$(status_of ctl range add closed "$HOST")" 2
t_eq "in two classes: refused" "$(status_of ctl range add open "$HOST")" 1
t_eq "set bits: invalid" "$(status_of ctl range add open 198.51.100.10/24)" 1
t_eq "everybody: invalid" "$(status_of ctl range add open 0.0.0.0/0)" 1
t_ok "everybody: says why" grep -q '0.0.0.0/0: is no range of customers; want at most a /8' \
	<(ctl range add open 0.0.0.0/0 2>&1)
t_eq "nobody: invalid, and why" "$(ctl range add open 127.0.0.0/8 2>&1)" \
	"lazaretctl: 127.0.0.0/8: is no source: loopback"
t_eq "inside another class's range: says whose rules they were" \
	"$(ctl -j range add closed 198.51.102.128/25 | jq -r '"\(.was_class) \(.class)"')" "open closed"
t_eq "taken away again: whose they are" \
	"$(ctl -j range del closed 198.51.102.128/25 | jq -r '"\(.was_class) \(.class)"')" "closed open"
t_ok "everybody, of a destination: fine" ctl range add smarthosts 64.0.0.0/2
t_ok "and out again" ctl range del smarthosts 64.0.0.0/2
jq '.sets.open += [{ "file": "open.cidr" }]' "$LZ_DIR/policy.json" >"$LZ_DIR/wide.json"
printf '# a slip\n0.0.0.0/0\n' >"$LZ_DIR/open.cidr"
t_ok "everybody, in a file: line and why" grep -q 'open.cidr:2: error: .*0.0.0.0/0 is no range of customers' \
	<(ctl policy check "$LZ_DIR/wide.json" 2>&1)
t_eq "no such set" "$(status_of ctl range add opem 198.51.100.0/24)" 4
t_ok "IPv6: add" ctl range add closed 2001:db8:2000::/64

# What the program tells the operator to type, is taken as it is printed.
WAY_OUT=$(ctl -j why 2001:db8:2000::10 | jq -r .release)
t_eq "way out: of the whole key" "$WAY_OUT" \
	"lazaretctl --instance lab exception add 2001:db8:2000::/64 port25 until DATE ticket ID"
WAY_OUT=${WAY_OUT/DATE/$(date -u -d "+1 day" +%F)}
read -ra WAY_OUT <<<"${WAY_OUT/ticket ID/ticket RT-3}"
t_ok "way out: typed as printed" lz_ns_run gw "$BUILD/lazaretctl" "${WAY_OUT[@]:1}"
t_eq "way out: taken for this host" "$(ctl -j why 2001:db8:2000::10 | jq -r '.exception, .verdict' | cut -d' ' -f1 | tr '\n' ' ')" \
	"2001:db8:2000::/64 pass "
t_ok "way out: away again" ctl exception del 2001:db8:2000::/64
t_ok "less than a key: refused with what to write" grep -q '; write 2001:db8:2000::/64$' \
	<(ctl exception add 2001:db8:2000::10 port25 until 2030-01-01 ticket RT-3 2>&1)
t_eq "way out: IPv4 as ever" "$(ctl -j why "$HOST" | jq -r .release)" \
	"lazaretctl --instance lab exception add $HOST port25 until DATE ticket ID"
t_eq "IPv6: is in force" "$(status_of reach 2001:db8:ffff::25)" 1
t_ok "IPv6: del" ctl range del closed 2001:db8:2000::/64
t_ok "IPv6: passes again" reach 2001:db8:ffff::25
t_ok "del" ctl range del closed "$HOST"
t_ok "del: passes" reach "$WORLD"
t_eq "del again: none there" "$(status_of ctl range del closed "$HOST")" 4
t_ok "a set that is a destination too: takes a whole apply" ctl range add smarthosts "$WORLD"
t_ok "the smarthost's class: closed" ctl range add closed "$HOST"
t_ok "but the new smarthost is reached" reach "$WORLD"
t_ok "and away again" ctl range del smarthosts "$WORLD"
t_eq "not reached" "$(status_of reach "$WORLD")" 1

# ---------------------------------------------------------------- how long

ADD=$(for i in 1 2 3 4 5 6 7 8 9; do range_ms add closed "198.51.103.$i"; done | sort -n | tr '\n' ' ')
echo "# $RANGES ranges: one added in $ADD ms, the command's own start included"
t_ok "one of $RANGES added: within 60 ms, on a busy machine" \
	test "$(echo "$ADD" | cut -d' ' -f5)" -le 60

# ---------------------------------------------------------------- how much memory

# The same policy again and again: what the first took is given back, and the tables are there once.
for _ in 1 2 3 4; do
	t_ok "the whole policy again" ctl -q policy apply "$LZ_DIR/policy.json"
done
MB=$(daemon_resident)
echo "# $RANGES ranges, applied five times: $MB MB beside the tables"
t_ok "five applies of $RANGES ranges: at most 64 MB beside the tables" test "$MB" -le 64
t_ok "after them: added" ctl range add closed "$HOST"
t_eq "after them: in force" "$(status_of reach "$WORLD")" 1
for i in 1 2 3 4 5 6 7 8 9; do
	ctl -q range add closed "198.51.103.$i"
done

# ---------------------------------------------------------------- on record

N=$(generation)
t_eq "history: what was done" "$(ctl -j policy history | jq -r '(.policies // .generations // .entries)[0].file')" \
	"range add closed 198.51.103.9"
t_eq "show: the policy that came of it" \
	"$(ctl policy show | jq -r '.sets.closed | map(select(startswith("198.51.103."))) | length')" 9
t_eq "show: an older one" \
	"$(ctl policy show generation "$((N - 1))" | jq -r '.sets.closed | map(select(startswith("198.51.103."))) | length')" 8
t_ok "undo" ctl policy undo
t_eq "undo: the one before" \
	"$(ctl policy show | jq -r '.sets.closed | map(select(startswith("198.51.103."))) | length')" 8
t_ok "change after an undo" ctl range del closed 198.51.103.8
t_eq "shut still" "$(status_of reach "$WORLD")" 1

# ---------------------------------------------------------------- killed and started again

ctl policy show >"$LZ_DIR/before"
N=$(generation)
daemon_kill
t_eq "killed: still in force" "$(status_of reach "$WORLD")" 1
t_need daemon_start "$LZ_DIR/policy.json"
t_ok "restart adopts" grep -q event=policy-adopted "$LZ_DIR/log/daemon.log"
t_eq "restart: the same generation" "$(generation)" "$N"
t_ok "restart: the same policy" cmp "$LZ_DIR/before" <(ctl policy show)
t_ok "restart: doctor agrees" ctl doctor
t_ok "change after a restart" ctl range del closed "$HOST"
t_ok "change after a restart: in force" reach "$WORLD"
t_ok "and another" ctl range add closed "$HOST"
t_eq "and another: in force" "$(status_of reach "$WORLD")" 1

# A daemon killed between ledger and kernel: the ledger has the change, the kernel does not.
N=$(generation)
daemon_kill
python3 - "$STATE/ledger.db" "$N" "$HOST" <<-'END'
	import json, sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	n = int(sys.argv[2])
	row = db.execute("select * from applied where generation = ?", (n,))
	names = [c[0] for c in row.description]
	row = dict(zip(names, row.fetchone()))
	row.update(generation=n + 1, origin=n + 1, base=n, state="confirmed", file="range del closed " + sys.argv[3])
	db.execute("insert into applied (%s) values (%s)" % (",".join(names), ",".join("?" * len(names))),
	           [row[c] for c in names])
	db.execute("insert into policy_text values (?, ?)",
	           (n + 1, '{"change-of": %d, "del": "closed", "prefix": "%s"}\n' % (n, sys.argv[3])))
	db.commit()
	db.close()
END
t_eq "killed in between: the old one judges" "$(status_of reach "$WORLD")" 1
t_need daemon_start "$LZ_DIR/policy.json"
t_ok "start after that: the change is made" reach "$WORLD"
t_eq "start after that: on record" "$(ctl -j range lookup "$HOST" | jq -r .class)" null
t_ok "start after that: doctor agrees" ctl doctor

# ---------------------------------------------------------------- after a reboot

ctl range add closed "$HOST" >/dev/null
ctl policy show >"$LZ_DIR/before"
daemon_stop
t_ok "detach" lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach
t_need daemon_start "$LZ_DIR/policy.json"
t_eq "reboot: in force" "$(status_of reach "$WORLD")" 1
t_ok "reboot: the same policy" cmp "$LZ_DIR/before" <(ctl policy show)

# ---------------------------------------------------------------- export, audit

t_eq "export of a set: its prefixes" "$(ctl range export set open | tr '\n' ' ')" "# open 198.51.102.0/24 "
t_eq "export: all of them" "$(ctl range export | grep -vc '^#')" \
	"$(ctl policy show | jq '[.sets[][]] | length')"
t_eq "export: as rows" "$(ctl -j range export set smarthosts | jq -c '.ranges')" \
	'[{"set":"smarthosts","prefix":"192.0.2.25"}]'
t_eq "export: no such set" "$(status_of ctl range export set opem)" 4
ctl range add open 198.51.102.64/26 >/dev/null
ctl range add open 198.51.104.0/24 >/dev/null
ctl range audit >"$LZ_DIR/said"
t_ok "audit: sizes" grep -q "^size .*open: 3 IPv4 prefixes of 576 addresses, 0 IPv6" "$LZ_DIR/said"
t_ok "audit: what changes nothing" grep -q "^redundant 198.51.102.64/26 lies inside 198.51.102.0/24" "$LZ_DIR/said"
t_ok "audit: at most so many lines, the rest is counted" \
	test "$(grep -c '^hole' "$LZ_DIR/said")" = 1000 -a "$(tail -n 1 "$LZ_DIR/said" | cut -d' ' -f2-)" = "more are not shown"
t_eq "audit: at most 80 columns" "$(awk 'length > 80' "$LZ_DIR/said" | wc -l)" 0
t_ok "audit: as rows" test "$(ctl -j range audit | jq '.totals.hole')" -gt 1000

END=$(date -u -d "+1 day" +%Y-%m-%dT%H:%M:%SZ)
t_ok "exceptions" ctl exception add "$HOST" port25 until "$END" ticket RT-1
t_ok "exceptions: IPv6" ctl exception add 2001:db8:2000::/64 all until "$END" ticket RT-2
ctl exception export >"$LZ_DIR/exceptions"
t_eq "exceptions: exported" "$(sort "$LZ_DIR/exceptions" | tr '\n' ';')" \
	"$HOST port25 $END RT-1;2001:db8:2000::/64 all $END RT-2;"
ctl exception del "$HOST" >/dev/null
ctl exception del 2001:db8:2000::/64 >/dev/null
t_ok "exceptions: imported again" ctl exception import "$LZ_DIR/exceptions"
t_ok "exceptions: the same" cmp "$LZ_DIR/exceptions" <(ctl exception export)
t_eq "exceptions: as rows" "$(ctl -j exception export | jq '.exceptions | length')" 2
t_ok "exceptions: away" ctl exception del "$HOST"

# ---------------------------------------------------------------- while a confirm is pending

sed 's/"leave-alone"/{ "to-world": "icmp-admin" }/' "$LZ_DIR/policy.json" >"$LZ_DIR/next.json"
t_ok "apply with a confirm" ctl policy apply "$LZ_DIR/next.json" --confirm 60
t_eq "pending: refused" "$(status_of ctl range add closed 198.51.103.77)" 2
t_ok "undo it" ctl policy undo
t_ok "after the undo: added" ctl range add closed 198.51.103.77
t_eq "after the undo: as before" "$(status_of reach "$WORLD")" 1

daemon_stop
t_eq "nothing was logged as failed" "$(grep -cE 'event=(ledger-failed|start-failed|controller-hangs)' "$LZ_DIR/log/daemons.log")" 0
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
