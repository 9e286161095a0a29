#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A start whose ledger cannot be written, or is damaged: after a reboot it is judged all the same, by a copy in
# memory; nothing is acknowledged meanwhile; and when the disk is right again, or a backup is put back, the ledger
# is taken up under traffic.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
# shellcheck source=selftests/lib/held.sh
. "$ROOT/selftests/lib/held.sh"

lz_gateway_enter 300 "$@"

HELD=198.51.100.10
WORLD=203.0.113.25

policy()
{
	cat >"$LZ_DIR/$1.json" <<-END
	{ "version": 1, "name": "$1",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"] },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/24"] },
	  "classes": { "homes": { "of": ["homes"], "port25": { "to-world": "drop" } } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

reach()
{
	lz_ns_run "$1" "${ENDS[@]}" once "$WORLD" "$2"
}

# What a reboot leaves: the files, and of this boot's clock another's.
reboot()
{
	lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach || return
	python3 - "$STATE/ledger.db" <<-'END'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.execute("UPDATE boot SET id = 'another'")
		db.commit()
	END
}

# judged WHAT: by the policy and the holds of the ledger
judged()
{
	t_ok "$1: who was held is held" eval "! reach held 443"
	t_ok "$1: port 25 is refused, as the policy says" eval "! reach free 25"
	t_ok "$1: the others pass" reach free 443
}

# refused WHAT TEXT: nothing is acknowledged, and each answer says why
refused()
{
	local what=$1 text=$2
	say quarantine add 198.51.100.77 for 1h
	t_ok "$what: a hold is refused, and why" grep -q "^lazaretctl: .*$text" "$LZ_DIR/said"
	t_eq "$what: so is a release" "$(status_of ctl quarantine del "$HELD")" 2
	t_eq "$what: and an exception" "$(status_of ctl exception add 198.51.100.78 port25 until 2099-01-01 ticket RT-1)" 2
	t_eq "$what: and a policy" "$(status_of ctl policy apply "$LZ_DIR/second.json" --yes)" 2
	t_eq "$what: health fails" "$(status_of say health)" 2
	t_ok "$what: and says why" grep -q "^FAILED $text" "$LZ_DIR/said"
	t_ok "$what: bypass on works" say bypass on
	t_ok "$what: and is on" reach held 443
	t_ok "$what: bypass off works" say bypass off
	judged "$what, afterwards"
	t_eq "$what: the book can be read" "$(ctl -j quarantine list | jq -r '.entries[].address')" "$HELD"
	t_ok "$what: no copy has a name" eval "! ls /run/lazaret-lab/ledger.db* 2>/dev/null"
}

# again WHAT: the ledger is taken up
again()
{
	t_ok "$1: healthy within seconds" lz_wait 20 ctl health
	t_ok "$1: it is said" logged "event=ledger-back path=$STATE/ledger.db"
	agreed "$1"
	judged "$1"
	t_ok "$1: holds are taken again" ctl quarantine add 198.51.100.77 for 1h
	t_ok "$1: and ended" ctl quarantine del 198.51.100.77
}

t_need lz_provider_add
t_need lz_customer_add held "$HELD" 2001:db8:2000:10::10
t_need lz_customer_add free 198.51.100.11 2001:db8:2000:11::10
lz_proc_start world443 world "${ENDS[@]}" serve "$LZ_DIR/reached" 443
lz_proc_start world25 world "${ENDS[@]}" serve "$LZ_DIR/reached25" 25
t_need lz_port_wait 5 world 443
t_need lz_port_wait 5 world 25
policy first
policy second
t_need mkdir "$STATE"
t_need mount -t tmpfs -o size=8m,mode=755 lz-state "$STATE"

# ---------------------------------------------------------------- full from the beginning

FULL="ledger: $STATE/ledger.db: .*\(disk is full\|unable to open\|I/O error\)"
t_need disk_fill
t_eq "a first start on a full disk: refused" \
	"$(status_of lz_ns_run gw timeout 20 "$BUILD/lazaretd" --instance lab --policy "$LZ_DIR/first.json" \
		--state "$STATE" --run /run/lazaret-lab)" 2
t_ok "a first start on a full disk: nothing is judged" reach free 25
t_need rm "$STATE/other"

# ---------------------------------------------------------------- full after a reboot

t_need daemon_start "$LZ_DIR/first.json"
t_need ctl quarantine add "$HELD" garden strict for 1h
UNTIL=$(ctl -j quarantine show "$HELD" | jq -r .until)
daemon_stop
t_need reboot
t_need disk_fill
t_ok "after the reboot: nothing judges" reach free 25
t_need daemon_start "$LZ_DIR/first.json"
t_ok "full: it is said, and by what is judged" logged "event=ledger-stood-in-for by=\"a copy in memory.*why=\"$FULL"
judged "full"
refused "full" "$FULL"
t_need beat_start held free
sleep 12
t_ok "full: stays so" eval "! ctl health"
t_eq "full: it does not start again and again" "$(grep -c event=ledger-stood-in-for "$LZ_DIR/log/daemon.log")" 1
t_need rm "$STATE/other"
again "room again"
beat_stop "room again"
left=$(($(date -d "$(ctl -j quarantine show "$HELD" | jq -r .until)" +%s) - $(date -d "$UNTIL" +%s)))
t_ok "room again: held until the same end" test "${left#-}" -le 2
t_eq "room again: whom it knew nobody had to learn" "$(grep -c event=holds-learnt "$LZ_DIR/log/daemon.log")" 0
t_ok "room again: a policy is taken" ctl policy apply "$LZ_DIR/second.json" --yes
t_need ctl policy apply "$LZ_DIR/first.json" --yes

# ---------------------------------------------------------------- full after a reboot, but for a few pages

# A start can open it then, and write its clocks; a policy of 20,000 ranges it cannot.
seq 0 19999 | awk '{ printf "10.%d.%d.%d/32\n", $1 / 256, $1 % 256, $1 * 2 % 256 }' >"$LZ_DIR/many.cidr"
policy many
sed -i 's|"sets": {|"sets": { "many": [{ "file": "many.cidr" }],|; s|"of": \["homes"\]|"of": ["homes", "many"]|' "$LZ_DIR/many.json"
t_need ctl policy apply "$LZ_DIR/many.json" --yes
daemon_stop
t_need reboot
t_need disk_fill
t_need truncate -s -100K "$STATE/other"
t_need daemon_start "$LZ_DIR/first.json"
t_ok "a few pages: it falls back to a copy" logged "event=ledger-stood-in-for .*disk is full"
judged "a few pages"
refused "a few pages" "ledger: $STATE/ledger.db: .*disk is full"
t_ok "a few pages: the ledger is taken up, for what judges is in it" lz_wait 25 logged event=ledger-back
t_ok "a few pages: by adopting" lz_wait 5 logged "event=policy-adopted generation=$(ctl -j policy history | jq '[.policies[].generation] | max')"
t_need rm "$STATE/other"
again "a few pages, room again"
t_need ctl policy apply "$LZ_DIR/first.json" --yes

# ---------------------------------------------------------------- full at a restart, what was said last only in the log

daemon_kill
t_need disk_fill
t_need daemon_start "$LZ_DIR/first.json"
t_ok "restarted when full: it adopts what judges" logged "event=policy-adopted"
judged "restarted when full"
refused "restarted when full" "$FULL"
t_need rm "$STATE/other"
again "restarted when full, room again"

# ---------------------------------------------------------------- read-only

daemon_kill
t_need lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach
t_need mount -o remount,ro "$STATE"
t_need daemon_start "$LZ_DIR/first.json"
judged "read-only"
refused "read-only" "ledger: $STATE: is on a read-only file system; mount it for writing"
t_need mount -o remount,rw "$STATE"
again "writable again"

# ---------------------------------------------------------------- damaged

# spoil TABLE: its first page
spoil()
{
	python3 - "$STATE/ledger.db" "$1" <<-'END'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
		page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", sys.argv[2:3]).fetchone()[0]
		size = db.execute("PRAGMA page_size").fetchone()[0]
		db.close()
		with open(sys.argv[1], "r+b") as f:
		    f.seek((page - 1) * size)
		    f.write(b"\xff" * size)
	END
}

daemon_stop
t_need cp -a "$STATE/ledger.db" "$LZ_DIR/backup.db"
t_need reboot
t_need spoil note
t_need daemon_start "$LZ_DIR/first.json"
judged "a history is damaged"
refused "a history is damaged" "ledger: .*damaged: .*; restore $STATE/ledger.db from a backup or move it away"
t_need cp -a "$LZ_DIR/backup.db" "$STATE/ledger.db.new"
t_need mv "$STATE/ledger.db.new" "$STATE/ledger.db"
again "a backup"
daemon_stop
t_need reboot
t_need spoil held
t_eq "the holds are damaged: refused" \
	"$(status_of lz_ns_run gw timeout 20 "$BUILD/lazaretd" --instance lab --policy "$LZ_DIR/first.json" \
		--state "$STATE" --run /run/lazaret-lab)" 2
t_ok "the holds are damaged: no copy is left" eval "! ls /run/lazaret-lab/ledger.db* 2>/dev/null"
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 80
t_end
