# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Figures h to l from outside: lazaretd in a gateway, lazaretctl and a packet socket as an operator and a
# customer have them, nftables beside it.  Sourced by run.sh inside the lab; needs list(), wanted().
#
# Each round of h and i begins with a gateway that knows nothing.  The ledger lies on a disk, not on the
# lab's tmpfs: what is durable costs.  Rows go to $ROWS in the form that measured.c reads.

ROWS=$LZ_DIR/control.rows
BUILD=$LZ_BUILD
STATE=$LZ_DIR/disk/state
SHIFT=0 ROUNDS=5 EVENTS=2000
HOST_BASE=100.64.0.0 # sources of the scene "main4"
ADMITTED=2	     # SYNs of a source before its event

control_scale()
{
	[ "${#QUICK[@]}" = 0 ] || { SHIFT=8 ROUNDS=1 EVENTS=40; }
	HELD=$((600000 >> SHIFT)) SOURCES=$((1000000 >> SHIFT))
}

wrong()
{
	echo "wrong $*" >>"$ROWS"
}

# row NAME UNIT RULE VALUES [BASE=VALUES...]
row()
{
	local IFS=$'\t'
	echo "$*" >>"$ROWS"
}

# took COMMAND...: milliseconds it took; its output goes to $LZ_DIR/said
took()
{
	local since=${EPOCHREALTIME/[.,]/} until
	if ! "$@" >"$LZ_DIR/said" 2>"$LZ_DIR/said.err"; then
		wrong "$1 $2 $3 $4: $(head -c 200 "$LZ_DIR/said.err")"
	fi
	until=${EPOCHREALTIME/[.,]/}
	echo "$(((until - since) / 1000)).$(((until - since) % 1000 / 100))"
}

# ---------------------------------------------------------------- the gateway

gateway_add()
{
	lz_ns_add gw router && lz_ns_add host && lz_ns_add world &&
		lz_link_add gw acc0 host eth0 && lz_link_add gw upl0 world eth0 &&
		ip -n "$LZ_LAB-gw" link set acc0 address 02:00:00:00:00:00 &&
		lz_addr_add gw upl0 203.0.113.254/24 && lz_addr_add world eth0 203.0.113.25/24 &&
		ip -n "$LZ_LAB-gw" route add 100.64.0.0/10 dev acc0 &&
		ip -n "$LZ_LAB-gw" route add 10.0.0.0/8 dev acc0
}

# policy FILE FIRST SECOND: of 500,000 ranges, which are refused port 25, and a few that are not.  FIRST
# and SECOND name the classes of the two: exchanged, a packet judged by the table of one policy and the
# classes of the other has the wrong fate.
policy()
{
	cat >"$1" <<END
{ "version": 1, "name": "bench",
  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "hook": "xdp", "source-validation": "strict" },
		  "transit": { "side": "uplink", "match": ["upl0"], "hook": "xdp" } },
  "sets": { "dynamic": ["100.64.0.0/10"], "closed": [{ "file": "closed.cidr" }], "open": ["10.255.0.0/24"],
	    "smarthosts": ["192.0.2.25", "192.0.2.26"] },
  "classes": {
	"homes": { "of": ["dynamic"], "limits": [
		{ "name": "few", "count": "smtp-connections", "to": ["smarthosts"], "at-most": "$ADMITTED/1h", "then": "drop" } ] },
	"$2": { "of": ["closed"], "port25": { "to-world": "drop", "except-to": ["smarthosts"] } },
	"$3": { "of": ["open"], "port25": "leave-alone" } },
  "capacity": { "sources": $((SOURCES + 8192)), "colony": $((HELD + 4096)) } }
END
}

gateway_start()
{
	daemon_start "$1" || { wrong "the daemon does not start"; return 1; }
}

gateway_clear()
{
	lz_proc_stop daemon
	lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach >/dev/null 2>&1
	rm -rf "$STATE"
}

held_now()
{
	ctl -j status | jq .colony.held
}

# ---------------------------------------------------------------- h, i: the colony

nft_set_add()
{
	lz_ns_add nft && ip -n "$LZ_LAB-nft" link add in type veth peer name out || return 1
	{ cat selftests/bench/rules/nft-set.nft; nft_elements held <"$LZ_DIR/held"; } >"$LZ_DIR/held.nft"
}

measure_colony()
{
	local import='' load='' export='' dump='' round
	for round in $(seq "$ROUNDS"); do
		gateway_start "$LZ_DIR/small.json" || return 1
		import+=" $(took ctl quarantine import "$LZ_DIR/held" --yes)"
		[ "$(held_now)" = "$HELD" ] || wrong "h-import-cli: $(held_now) of $HELD held"
		export+=" $(took ctl -j quarantine export)"
		[ "$(grep -o '"address"' "$LZ_DIR/said" | wc -l)" = "$HELD" ] || wrong "i-export-cli: not all of $HELD"
		load+=" $(took lz_ns_run nft nft -f "$LZ_DIR/held.nft")"
		dump+=" $(took lz_ns_run nft nft -j list set netdev lz held)"
		[ "$round" = "$ROUNDS" ] || { gateway_clear; lz_ns_run nft nft flush ruleset; }
	done
	row h-import-cli ms "limit 2000" "$import" "nft-f=$load"
	row i-export-json-cli ms "limit 1500" "$export" "nft-j-list=$dump"
	durable
}

# Killed at once after the answer, pins gone as after a reboot: every hold must come back.
durable()
{
	daemon_kill
	lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach >/dev/null 2>&1
	gateway_start "$LZ_DIR/small.json"
	lz_wait 60 test_held || wrong "h-import-cli: $(held_now) of $HELD held after kill -9 and a reboot"
}

test_held()
{
	[ "$(held_now)" = "$HELD" ]
}

measure_one_host()
{
	local ours='' nft='' host
	for host in $(seq 20); do
		ours+=" $(took ctl quarantine add "100.127.0.$host" for 1h)"
		nft+=" $(took lz_ns_run nft nft add element netdev lz held "{ 100.127.0.$host timeout 1h }")"
	done
	row h-one-host-cli ms "told stated" "$ours" "nft-add=$nft"
}

# ---------------------------------------------------------------- i, k, l: a million sources

sources_add()
{
	lz_ns_run host "$BENCH" --spray eth0 "$HOST_BASE" "$SOURCES"
	local used
	used=$(ctl -j status | jq .sources.used)
	[ "$used" -ge $((SOURCES * 999 / 1000)) ] || wrong "i-top-100-cli: $used of $SOURCES sources"
}

measure_top()
{
	local ms='' n
	for _ in $(seq $((ROUNDS * 2))); do
		ms+=" $(took ctl source list --sort syn --limit 100)"
	done
	n=$(ctl -j source list --sort syn --limit 100 | jq '.sources | length')
	[ "$n" = 100 ] || wrong "i-top-100-cli: $n sources"
	row i-top-100-cli ms "limit 100" "$ms"
}

# Bytes of the instance's tables for each source and hold they have room for: all that is pinned, but not
# the policy's, which is no customer's.
table_bytes()
{
	local map sum=0 bytes
	for map in /sys/fs/bpf/lazaret-lab/map_*; do
		bytes=$(bpftool -j map show pinned "$map" 2>/dev/null | jq '.bytes_memlock // 0')
		sum=$((sum + ${bytes:-0}))
	done
	echo "$((sum / (SOURCES + HELD)))"
}

# From a SYN over the limit to its event.  measure_events NAME RULE FIRST
measure_events()
{
	local us
	if ! us=$(lz_ns_run host timeout 200 "$BENCH" --events eth0 /run/lazaret-lab/read.sock "$3" "$EVENTS" "$ADMITTED"); then
		wrong "$1: not every offence was told"
	fi
	row "$1" us "$2" "$(echo "$us" | tr '\n' ' ')"
}

# ---------------------------------------------------------------- j: ranges

nft_interval_add()
{
	{ cat selftests/bench/rules/nft-interval.nft; nft_elements ranges <"$LZ_DIR/ranges"; } >"$LZ_DIR/ranges.nft"
	lz_ns_add nftr && ip -n "$LZ_LAB-nftr" link add in type veth peer name out && lz_ns_run nftr nft -f "$LZ_DIR/ranges.nft"
}

# What of the two came out into the world: refused, and free.
came()
{
	lz_ns_run world nft list counter netdev lz "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

# Every SYN of the one address is refused by both policies, every one of the other passes.
measure_apply()
{
	local ms='' sent round
	lz_ns_run world nft -f - <<-END
		table netdev lz {
			counter refused { }
			counter free { }
			chain in {
				type filter hook ingress device "eth0" priority 0; policy accept;
				ip saddr 10.0.0.8 counter name refused drop
				ip saddr 10.255.0.1 counter name free drop
			}
		}
	END
	ip -n "$LZ_LAB-gw" neigh replace 203.0.113.25 lladdr 02:00:00:00:00:01 dev upl0
	lz_proc_start both host "$BENCH" --both eth0 10.0.0.8 10.255.0.1
	for round in $(seq "$ROUNDS"); do
		ms+=" $(took ctl policy apply "$LZ_DIR/$((round % 2)).json" --yes)"
	done
	lz_proc_stop both
	sent=$(cat "$LZ_DIR/log/both.log")
	[ "$(came refused)" = 0 ] || wrong "j-apply-cli: $(came refused) of $sent packets passed: judged by a mix"
	[ "$(came free)" = "$sent" ] || wrong "j-apply-cli: $(came free) of $sent packets passed, all should"
	row j-apply-cli ms "limit 1000" "$ms" "packets-under-it=$sent"
}

measure_range_add()
{
	local ours='' nft='' i
	took ctl range add closed 198.51.100.1 >/dev/null # the first after an apply makes the copy
	for i in $(seq $((ROUNDS * 4))); do
		ours+=" $(took ctl range add closed "198.51.101.$i")"
	done
	for i in $(seq $(((ROUNDS + 1) / 2))); do # it takes ten seconds each time
		nft+=" $(took lz_ns_run nftr nft add element netdev lz ranges "{ 198.51.101.$i }")"
	done
	row j-range-add-cli ms "limit 20" "$ours" "nft-add=$nft"
}

# ---------------------------------------------------------------- all

# A folder beside what was built, at a place that the daemon's own user may reach.
disk_mount()
{
	mkdir -p "$LZ_BUILD/bench-state" "$LZ_DIR/disk" && mount --bind "$LZ_BUILD/bench-state" "$LZ_DIR/disk" &&
		rm -rf "$STATE"
}

# control_measure: all rows; needs the namespaces' names of its own
control_measure()
{
	control_scale
	: >"$ROWS"
	disk_mount || return 1
	list held >"$LZ_DIR/held"
	list ranges >"$LZ_DIR/ranges"
	# the same prefixes in 10.0.0.0/8: the homes have 100.64.0.0/10
	awk -F. '{ printf "10.%d.%s.%s\n", $1 == 100 ? $2 - 64 : $2, $3, $4 }' "$LZ_DIR/ranges" >"$LZ_DIR/closed.cidr"
	policy "$LZ_DIR/0.json" one two
	policy "$LZ_DIR/1.json" two one
	sed 's/{ "file": "closed.cidr" }/"10.0.0.0\/24"/' "$LZ_DIR/0.json" >"$LZ_DIR/small.json"
	gateway_add && nft_set_add || return 1
	measure_colony || return 1
	measure_one_host
	sources_add
	measure_top
	measure_events l-event-cli "p99 2000" 100.112.0.0
	ctl policy apply "$LZ_DIR/0.json" --yes >/dev/null || wrong "j-apply-cli: the first apply"
	measure_apply
	nft_interval_add || return 1
	measure_range_add
	row k-daemon MB "limit 64" "$(daemon_resident)" # beyond what it maps of the tables
	row k-tables bytes "limit 200" "$(table_bytes)"
	gateway_clear
}
