#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: cli.sh [HOSTS]
#
# The books at full size, through the command line and on a real disk: HOSTS (600,000) are imported, and
# then end within one second. One JSON object a line on stdout, {"name", "unit", "ours", "wanted"}; all
# else on stderr. Exit 0 also when a figure is missed.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/ns.sh
. "$ROOT/selftests/lib/ns.sh"
# shellcheck source=selftests/lib/topology.sh
. "$ROOT/selftests/lib/topology.sh"

HOSTS=${1:-600000}
CLOSED_WAIT_S=240 # for what should take a minute

lz_lab_enter 900 "$@"
# shellcheck source=selftests/lib/lazaretd.sh
. "$ROOT/selftests/lib/lazaretd.sh"
STATE=$BUILD/bench-state # not the laboratory's tmpfs: durable means on a disk

die()
{
	echo "bench: cli: $*" >&2
	tail -n 20 "$LZ_DIR/log/daemon.log" >&2
	rm -rf "$STATE"
	exit 2
}

# tell NAME UNIT VALUE WANTED
tell()
{
	printf '{"name": "%s", "unit": "%s", "ours": %s, "wanted": %s}\n' "$@"
}

# In no order, as lists are: a walk over 16,777,216 addresses with a stride that meets each once.
# list TIME
list()
{
	seq 0 $((HOSTS - 1)) | awk -v time="$1" '{ n = ($1 * 7368787 + 1234567) % 16777216
		printf "10.%d.%d.%d %s leaky T-%d listed\n", int(n / 65536), int(n / 256) % 256, n % 256, time, $1 % 40 }'
}

# The slowest answer of status meanwhile, ms: until the file "over" is there
ask_meanwhile()
{
	local begun took worst=0
	until [ -e "$LZ_DIR/over" ]; do
		begun=$(lz_now_ms)
		ctl -q status >/dev/null 2>&1 || worst=999999
		took=$(($(lz_now_ms) - begun))
		[ "$took" -le "$worst" ] || worst=$took
		sleep 0.05
	done
	echo "$worst"
}

# What the controller has computed so far, ms: on a shared machine it says more than the clock does.
cpu_ms()
{
	awk -v hz="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / hz) }' \
		/proc/"$(pgrep -P "${LZ_PROC[daemon]}" lazaretd-ctl)"/stat
}

seconds()
{
	awk -v ms="$1" 'BEGIN { printf "%.3f", ms / 1000 }'
}

# measure NAME WANTED COMMAND...: its seconds, those of them that the controller computed, and the slowest
# status meanwhile
measure()
{
	local name=$1 wanted=$2 begun took cpu status=0 asker
	shift 2
	rm -f "$LZ_DIR/over"
	ask_meanwhile >"$LZ_DIR/worst" &
	asker=$!
	cpu=$(cpu_ms)
	begun=$(lz_now_ms)
	"$@" >&2 || status=$?
	took=$(($(lz_now_ms) - begun))
	touch "$LZ_DIR/over"
	wait "$asker"
	[ "$status" = 0 ] || die "$name: exit status $status"
	tell "$name" s "$(seconds "$took")" "$wanted"
	tell "$name-cpu" s "$(seconds $(($(cpu_ms) - cpu)))" null
	tell "$name-status" ms "$(cat "$LZ_DIR/worst")" 100
}

held_is()
{
	[ "$(ctl -j status | jq .colony.held)" = "$1" ]
}

closed()
{
	lz_wait "$CLOSED_WAIT_S" held_is 0
}

cat >"$LZ_DIR/policy.json" <<-END
	{ "version": 1, "name": "books",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["10.0.0.0/8"] },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone" } },
	  "capacity": { "sources": 2000000, "colony": 1000000 } }
END

rm -rf "$STATE"
lz_provider_add || die "no laboratory"
daemon_start "$LZ_DIR/policy.json" || die "lazaretd does not start"
list 2h >"$LZ_DIR/list"
measure h-cli-idle null sleep 3 | grep status
measure h-cli-import 2 ctl quarantine import "$LZ_DIR/list" --yes
tell h-cli-ledger-bytes bytes "$(du -bc "$STATE"/ledger.db* | tail -n 1 | cut -f 1)" null
measure h-cli-again 2 ctl quarantine import "$LZ_DIR/list" --yes
held_is "$HOSTS" || die "not all are held"

# As many that end within the same second.
ctl -q quarantine undo --since 1h --source import >/dev/null || die "undo"
held_is 0 || die "undo left some"
END_S=$(($(date +%s) + 30))
list "$(date -u -d "@$END_S" +%Y-%m-%dT%H:%M:%SZ)" >"$LZ_DIR/list"
ctl quarantine import "$LZ_DIR/list" --yes >&2 || die "import of what ends soon"
while [ "$(date +%s)" -lt "$END_S" ]; do sleep 0.1; done
measure h-cli-expiry 60 closed
daemon_stop
rm -rf "$STATE"
