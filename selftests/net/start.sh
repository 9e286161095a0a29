#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Starts that must not work, what they leave behind, and what an operator is told before and after one
# that does.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 240 "$@"
# policy NAME HOOK
policy()
{
	cat >"$LZ_DIR/$1.json" <<-END
	{ "version": 1, "name": "$1",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "hook": "$2" },
			  "transit": { "side": "uplink", "match": ["upl0"], "hook": "tc" } },
	  "sets": { "offices": ["198.51.100.0/24", "2001:db8:2000::/36"] },
	  "classes": { "offices": { "of": ["offices"], "port25": "leave-alone" } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

# start OPTION...: in the foreground; what it says in said
start()
{
	lz_ns_run gw timeout 20 "$BUILD/lazaretd" --instance lab --run /run/lazaret-lab "$@" \
		>"$LZ_DIR/said" 2>&1
}

t_need lz_provider_add
t_need lz_customer_add shop 198.51.100.10 2001:db8:2000::10
policy xdp xdp
policy tc tc

# ---------------------------------------------------------------- before

t_ok "preflight without a policy: every interface" \
	grep -q "acc0: hook" <(lz_ns_run gw "$BUILD/lazaretd" --preflight)
t_ok "preflight without a policy: says that there is none" \
	grep -q "^warn  policy .*--policy FILE" <(lz_ns_run gw "$BUILD/lazaretd" --preflight)
sed 's/"acc0"/"nosuch0"/' "$LZ_DIR/xdp.json" >"$LZ_DIR/nosuch.json"
t_eq "preflight goes into 80 columns of a terminal" \
	"$(lz_ns_run gw script -qec "'$BUILD/lazaretd' --preflight --policy '$LZ_DIR/nosuch.json'" /dev/null | tr -d '\r' |
	awk '/nosuch0/ { n++ } length > 80 || /if it appears later/ && !/^ / { print } END { if (n != 1) print n " rows" }')" ""
t_ok "preflight with one: only what it names" test -z \
	"$(lz_ns_run gw "$BUILD/lazaretd" --preflight --policy "$LZ_DIR/xdp.json" | grep "srv0:")"
echo '{ "version": 1, "clases": {} }' >"$LZ_DIR/bad.json"
t_ok "one error is one error" grep -q ": 1 error$" <(ctl policy check "$LZ_DIR/bad.json" 2>&1)

# ---------------------------------------------------------------- starts that fail

lz_ns_run gw setpriv --reuid 65534 --regid 65534 --clear-groups "$BUILD/lazaretd" --instance lab \
	--run /run/lazaret-lab --policy "$LZ_DIR/tc.json" --state "$STATE" >"$LZ_DIR/said" 2>&1
t_eq "no root: not permitted" $? 5
t_eq "no root: says so" "$(cat "$LZ_DIR/said")" "lazaretd: needs root: CAP_BPF and CAP_NET_ADMIN"
t_eq "no such user: refused" "$(status_of start --user lz-nobody --state "$STATE")" 2
t_ok "no such user: says what to do" grep -q "user lz-nobody: there is none; make it" "$LZ_DIR/said"
t_eq "no such user: one line" "$(wc -l <"$LZ_DIR/said")" 1
t_ok "no such user: nothing was made" test ! -e "$PINS" -a ! -e "$STATE"

mkdir "$LZ_DIR/elsewhere" && ln -s "$LZ_DIR/elsewhere" "$LZ_DIR/linked"
t_eq "the state folder is a link: refused" "$(status_of start --policy "$LZ_DIR/tc.json" --state "$LZ_DIR/linked")" 2
t_ok "the state folder is a link: says so, and what to do" grep -q \
	"^lazaretd: $LZ_DIR/linked: is a symbolic link; name the folder itself, or mount" "$LZ_DIR/said"
t_eq "the state folder is a link: what it names is nobody else's" "$(stat -c %U "$LZ_DIR/elsewhere")" root

t_need foreign_make
t_need foreign_put acc0
t_eq "foreign XDP program: refused" \
	"$(status_of start --policy "$LZ_DIR/xdp.json" --state "$STATE")" 2
t_ok "foreign XDP program: says so" grep -q "acc0: cannot attach xdp: program .pass. .* is there" "$LZ_DIR/said"
t_ok "foreign XDP program: no pin is left" test ! -e "$PINS"
t_ok "foreign XDP program: it is there still" \
	grep -q xdp <(ip -n "$LZ_LAB-gw" link show acc0)
t_need foreign_take acc0

# ---------------------------------------------------------------- no bpffs, nothing to detach

no_bpffs()
{
	lz_ns_run gw unshare -m bash -c "mount -t tmpfs none /sys/fs/bpf && exec setpriv --bounding-set=-sys_admin \
		timeout 20 '$BUILD/lazaretd' --instance lab --run /run/lazaret-lab --state '$STATE'" >"$LZ_DIR/said" 2>&1
}

t_eq "no bpffs: not permitted to mount it" "$(status_of no_bpffs)" 5
t_ok "no bpffs: says what to do" grep -q "cannot mount bpffs: .*; mount -t bpf bpf /sys/fs/bpf" "$LZ_DIR/said"
t_eq "no bpffs: in one line" "$(wc -l <"$LZ_DIR/said")" 1
t_eq "nothing to detach: no such object" "$(status_of lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach)" 4
t_ok "nothing to detach: says so" grep -q "no such instance: nothing of it is attached" \
	<(lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach 2>&1)

# ---------------------------------------------------------------- with the unit's capabilities only

CAPS=$(sed -n 's/^CapabilityBoundingSet=//p' "$ROOT/ctl/daemon/lazaret.service" | sed 's/CAP_/+/g; s/ /,/g' |
	tr '[:upper:]' '[:lower:]')

caged_start()
{
	lz_proc_start daemon gw setpriv --bounding-set "-all,$CAPS" "$BUILD/lazaretd" --instance lab \
		--policy "$LZ_DIR/tc.json" --state "$LZ_DIR/caged" --run /run/lazaret-lab
	lz_wait 20 ctl status
}

t_need caged_start
t_eq "the unit's capabilities: no CAP_SYS_ADMIN" \
	"$((0x$(sed -n 's/^CapEff:[[:space:]]*//p' "/proc/${LZ_PROC[daemon]}/status") >> 21 & 1))" 0
t_eq "the unit's capabilities: attached" "$(ctl -j status | jq '[.interfaces[] | select(.hook == "tc")] | length')" 2
daemon_kill
t_need caged_start
t_ok "the unit's capabilities: killed, taken over" grep -q "event=policy-adopted" "$LZ_DIR/log/daemon.log"
t_eq "the unit's capabilities: and attached nothing" "$(grep -c event=hook- "$LZ_DIR/log/daemon.log")" 0
t_ok "the unit's capabilities: another hook" ctl policy apply "$LZ_DIR/xdp.json" --yes
chmod 755 "$LZ_DIR" # a stranger has to read the policy
foreign()
{
	lz_ns_run gw "$@" "$BUILD/lazaretd" --preflight --policy "$LZ_DIR/xdp.json" 2>/dev/null | grep "other XDP"
}
t_eq "preflight beside our own hook: no news" "$(foreign)" ""
t_eq "preflight by a stranger: does not know whose it is, and takes nothing off" \
	"$(foreign setpriv --reuid 65534 --regid 65534 --clear-groups | tr -s ' ' | sed 's/id [0-9]*/id N/')" \
	"warn acc0: other XDP a program is there (id N); run the preflight as root to know whose"
t_need daemon_stop
t_need lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach

# ---------------------------------------------------------------- one daemon an instance

t_need daemon_start ""
t_eq "a second one, with other folders: refused" "$(status_of lz_ns_run gw timeout 20 "$BUILD/lazaretd" \
	--instance lab --state "$LZ_DIR/other" --run "$LZ_DIR/other-run")" 2
t_ok "a second one: has made nothing" test ! -e "$LZ_DIR/other" -a ! -e "$LZ_DIR/other-run"
t_ok "the first apply" ctl policy apply "$LZ_DIR/tc.json"
t_eq "a second one after that: refused" "$(status_of lz_ns_run gw timeout 20 "$BUILD/lazaretd" \
	--instance lab --state "$LZ_DIR/other" --run "$LZ_DIR/other-run")" 2

# ---------------------------------------------------------------- a limit that was tried and undone

# ids GENERATION: what the ledger keeps of its state words
ids()
{
	python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("select ids from applied where generation = ?", sys.argv[2:]).fetchone()[0])' \
		"$STATE/ledger.db" "$1" | jq -c .word_changes
}

limited()
{
	sed 's|"port25": "leave-alone"|&, "limits": [{ "name": "l", "count": "smtp-connections", "at-most": "'"$1"'", "then": "drop" }]|' \
		"$LZ_DIR/tc.json" >"$LZ_DIR/limited.json"
}

limited 5/10s
t_ok "apply a limit" ctl policy apply "$LZ_DIR/limited.json"
N=$(ctl -j status | jq .policy.generation)
daemon_stop
IDS=$(ids "$N")
t_need daemon_start "$LZ_DIR/tc.json"
limited 100/24h
t_ok "try another" ctl policy apply "$LZ_DIR/limited.json" --confirm 60
t_ok "undo it" ctl policy undo
daemon_stop
t_ok "what it left in the cells stays unreadable over a restart" test "$(ids "$N")" != "$IDS"
t_need daemon_start "$LZ_DIR/xdp.json"

# ---------------------------------------------------------------- a full disk, in the middle of an import

daemon_stop
t_need lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach
SMALL=$LZ_DIR/small
t_need mkdir "$SMALL"
t_need mount -t tmpfs -o size=1m lz-small "$SMALL"
STATE=$SMALL/state
t_need daemon_start "$LZ_DIR/tc.json"
t_ok "a hold while there is room" ctl quarantine add 198.51.100.10 for 1h
seq 0 3999 | awk '{ printf "198.51.%d.%d 2h leaky T-1 %0200d\n", 110 + int($1 / 250), $1 % 250 + 1, $1 }' >"$LZ_DIR/many"
ctl quarantine import "$LZ_DIR/many" --yes >"$LZ_DIR/said" 2>&1
t_eq "disk full: refused" $? 2
t_ok "disk full: says so" grep -qi "full\|no space" "$LZ_DIR/said"
t_eq "disk full: nothing of it is held" "$(ctl -j status | jq .colony.held)" 1
t_ok "disk full: the hold stands" ctl quarantine show 198.51.100.10
t_need umount -l "$SMALL"
daemon_stop
t_need lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach
STATE=$LZ_DIR/state
t_need daemon_start "$LZ_DIR/tc.json"

# ---------------------------------------------------------------- a full colony, and what is said

seq 1 3900 | awk '{ printf "198.51.%d.%d\n", 104 + int($1 / 250), 1 + $1 % 250 }' >"$LZ_DIR/many"
t_need ctl -q quarantine import "$LZ_DIR/many" --yes >/dev/null
t_eq "a full colony takes no room of the sources" "$(ctl -j status | jq .sources.used)" 0
t_eq "a full colony: alarm" "$(ctl health | grep -c "^FAILED colony-room")" 1
t_eq "a full colony: no other alarm" "$(ctl health | grep -c "^FAILED")" 1
sed 's/"acc0"/"acc0", "nosuch0"/' "$LZ_DIR/tc.json" >"$LZ_DIR/missing.json"
t_need ctl -q policy apply "$LZ_DIR/missing.json" >/dev/null 2>&1
t_ok "missing: named" grep -q "^FAILED hooks: .*there is no interface 'nosuch0'" <(ctl health)
t_need ip -n "$LZ_LAB-gw" link set upl0 name upl9
t_ok "lost: named, beside what is missing" lz_wait 3 eval \
	"ctl health | grep -q \"^FAILED hooks: .*lost: upl0; interfaces/access: there is no interface 'nosuch0'\""
t_need ip -n "$LZ_LAB-gw" link set upl9 name upl0
t_ok "back: not named any more" lz_wait 3 eval "! ctl health | grep -q lost"
t_need ctl -q policy apply "$LZ_DIR/tc.json" >/dev/null

# ---------------------------------------------------------------- many policies

jq '.sets.idle = []' "$LZ_DIR/tc.json" >"$LZ_DIR/warned.json"
ctl policy apply "$LZ_DIR/warned.json" >"$LZ_DIR/said" 2>&1
t_eq "a warning is said once, where it stands" "$(grep "set 'idle' is empty" "$LZ_DIR/said" | grep -vE '^[^ ]*warned.json:[0-9]+:[0-9]+: warning: ')" ""
t_eq "a warning is said once" "$(grep -c "set 'idle' is empty" "$LZ_DIR/said")" 1
t_eq "a program gets it in the answer" "$(ctl -j policy apply "$LZ_DIR/warned.json" 2>/dev/null |
	jq -c '[.notes[] | select(.kind == "warning") | .path]')" '["/sets/idle"]'
for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
	sed "s/\"name\": \"tc\"/\"name\": \"n$number\"/" "$LZ_DIR/tc.json" >"$LZ_DIR/n.json"
	t_need ctl -q policy apply "$LZ_DIR/n.json" >/dev/null
done
OLD=$(ctl -j policy history | jq '[.generations[] | select(.name == "n2")][0].generation')
KEPT=$(ctl -j policy history | jq '[.generations[] | select(.text_kept)] | length')
t_eq "many policies: texts of what is in force and the ten before" "$KEPT" 11
t_eq "many policies: an old one's text is gone" "$(status_of ctl policy show generation "$OLD")" 4
t_ok "many policies: says so" grep -q "generation $OLD: its text is not kept any more" <(ctl policy show generation "$OLD" 2>&1)
t_ok "many policies: history says so" grep -qE "^ *$OLD .* no +n2" <(ctl policy history)
for number in 13 12; do
	t_ok "many policies: undo says how much" grep -qE "^back to 'n$number', generation [0-9]+, 1 change\$" \
		<(ctl policy undo)
	t_eq "many policies: undone to n$number" "$(ctl -j status | jq -r .policy.name)" "n$number"
done
# Undone is given up: what it was is not among the ten, though it is one of the last.
OLD=$(ctl -j policy history | jq '[.generations[] | select(.name == "n14")][0].generation')
t_eq "many policies: an undone one's text is gone" "$(status_of ctl policy show generation "$OLD")" 4
t_ok "many policies: says what is kept" grep -q \
	'kept are what is in force and the 10 that undo leads back to, see .policy history.$' \
	<(ctl policy show generation "$OLD" 2>&1)
daemon_kill
t_need daemon_start "$LZ_DIR/tc.json"
t_eq "many policies: restarted" "$(ctl -j status | jq -r .policy.name)" n12
t_need ctl -q policy undo >/dev/null
t_eq "many policies: undone after a restart" "$(ctl -j status | jq -r .policy.name)" n11
daemon_kill
python3 - "$STATE/ledger.db" <<-'END'
	import sqlite3, sys
	ledger = sqlite3.connect(sys.argv[1])
	ledger.execute("UPDATE applied SET base = generation + 1 WHERE name = 'n10'")
	ledger.commit()
END
t_need daemon_start "$LZ_DIR/tc.json"
KEPT=$(ctl -j policy history | jq '[.generations[] | select(.text_kept)] | length')
for number in 1 2 3 4 5 6; do
	t_need ctl -q policy apply "$LZ_DIR/n.json" >/dev/null
done
t_eq "what a text is a change of cannot be: none goes, it may need them" \
	"$(ctl -j policy history | jq '[.generations[] | select(.text_kept)] | length')" $((KEPT + 6))
t_ok "what a text is a change of cannot be: said" grep -q event=texts-kept "$LZ_DIR/log/daemon.log"

# ---------------------------------------------------------------- another hook

ctl policy apply "$LZ_DIR/xdp.json" --yes --confirm 60 >"$LZ_DIR/said"
t_ok "another hook: not before it is confirmed, and says so" \
	grep -q "acc0 changes from tc to xdp when this is confirmed" <(tr -s '\n ' ' ' <"$LZ_DIR/said")
t_eq "another hook: at most 80 columns" "$(awk 'length > 80' "$LZ_DIR/said" | wc -l)" 0
t_eq "another hook: not yet" "$(hook_of acc0)" tc
t_need ctl policy confirm
t_eq "another hook: confirmed" "$(hook_of acc0)" xdp
t_ok "another hook: undone, it goes back" ctl policy undo
t_eq "another hook: undone" "$(hook_of acc0)" tc
t_need foreign_put acc0
ctl policy apply "$LZ_DIR/xdp.json" --yes >"$LZ_DIR/said"
t_ok "another hook, a foreign program there: says that it stays" \
	grep -q "acc0 stays on tc, the policy says xdp" <(tr -s '\n ' ' ' <"$LZ_DIR/said")
t_ok "another hook, a foreign program there: whose" \
	grep -q "event=interfaces-fault.*acc0: cannot attach xdp: program .* is there; take it off" \
	"$LZ_DIR/log/daemon.log"
t_need foreign_take acc0
t_ok "another hook: the program gone, applied again" ctl policy apply "$LZ_DIR/xdp.json" --yes
t_eq "another hook: the program gone" "$(hook_of acc0)" xdp
sed 's/"198.51.100.0\/24",/"198.51.100.0\/24", "192.0.2.128\/25", "198.51.101.0\/24", "198.51.103.0\/24",/;
	s/"leave-alone"/{ "to-world": "icmp-admin", "except-to": ["192.0.2.25", "2001:db8:25::25"] }/' \
	"$LZ_DIR/xdp.json" >"$LZ_DIR/next.json"
ctl policy diff "$LZ_DIR/next.json" >"$LZ_DIR/said"
t_ok "diff: tells something" test -s "$LZ_DIR/said"
t_eq "diff: at most 80 columns" "$(awk 'length > 80' "$LZ_DIR/said" | wc -l)" 0
jq '.classes += ([range(5) as $c | { key: "many\($c)", value: { port25: "leave-alone",
	of: [range(4000) | "10.\($c).\(. / 250 | floor).\(. % 250)"] } }] | from_entries)' "$LZ_DIR/next.json" >"$LZ_DIR/many.json"
ctl -j policy diff "$LZ_DIR/many.json" >"$LZ_DIR/said"
t_eq "diff: a long one is whole" "$(jq '.changes == (.changes_list | length)' "$LZ_DIR/said")" true
t_eq "diff: each of its ranges" "$(jq '[.changes_list[] | select(.path | test("/of/10"))] | length' "$LZ_DIR/said")" 20000
daemon_stop
t_ok "detach" lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach
t_need daemon_start "$LZ_DIR/xdp.json"
t_eq "after a detach: the hook" "$(hook_of acc0)" xdp
daemon_stop
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
