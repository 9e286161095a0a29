#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The package is upgraded, and back, to a build of another ABI, under traffic: the new tables take over, who
# is held stays held at every instant and for his time, nobody else loses a packet, a thrown kill switch
# stays thrown and obeys either build, and whatever dies on the way, the next start goes on.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 420 "$@"

BUILT=$BUILD
WORLD=$LZ_MX6
HELD=2001:db8:2000:1::10
HONEST=2001:db8:2000:100::10

# install_build here|before
install_build()
{
	BUILD=$LZ_DIR/$1
	LOG=$LZ_DIR/log/daemon.log
	[ ! -d "$BUILD" ] || return 0
	mkdir -p "$BUILD" && cp "$BUILT/lazaretctl" "$BUILD/" &&
		if [ "$1" = here ]; then cp "$BUILT/lazaretd" "$BUILD/"; else
			cp "$BUILT/selftests/net/before/lazaretd" "$BUILD/"; fi
}

policy()
{
	cat >"$LZ_DIR/p.json" <<-END
	{ "version": 1, "name": "upgraded",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"] },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "all": ["198.51.100.0/24", "2001:db8:2000::/36"] },
	  "classes": { "all": { "of": ["all"], "port25": { "to-world": "drop" } } } }
	END
}

reach()
{
	lz_ns_run "$1" "${ENDS[@]}" once "$WORLD" "${2:-443}"
}

not()
{
	! "$@"
}

until_of()
{
	ctl -j quarantine show "$HELD" | jq -r '.until // .quarantine.until'
}

beside()
{
	lz_ns_run gw test -e "$PINS~next"
}

in_force()
{
	[ "$(ctl -j status | jq -r '.policy.name')" = upgraded ] && ! beside
}

# started_anew NAME: what is true after each change of builds
started_anew()
{
	t_ok "$1: in force, in tables of its own" lz_wait 20 in_force
	t_eq "$1: held, with the same end" "$(until_of)" "$UNTIL"
	t_ok "$1: the exception stands" reach office 25
	t_ok "$1: the doctor finds nothing" ctl doctor
	t_eq "$1: health" "$(status_of ctl health)" 0
}

t_need lz_provider_add
t_need lz_customer_add shop 198.51.100.10 "$HELD"
t_need lz_customer_add office 198.51.100.12 "$HONEST"
policy
: >"$LZ_DIR/came"
lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 25 443
t_need lz_port_wait 5 world 25

t_need install_build before
t_need daemon_start "$LZ_DIR/p.json"
t_need ctl quarantine add "$HELD" for 2h garden strict reason "open proxy" ticket RT-1
t_need ctl exception add "2001:db8:2000:100::/64" port25 until 2030-01-01 ticket RT-2
t_ok "before: held" lz_wait 5 not reach shop
UNTIL=$(until_of)

# ---------------------------------------------------------------- there and back

t_need beat_start shop office
for build in here before here; do
	t_need daemon_stop
	t_need install_build $build
	t_need daemon_start "$LZ_DIR/p.json"
	started_anew "to $build"
	t_ok "to $build: it was an exchange" grep -q "event=instance-replaced" "$LOG"
done
beat_stop "there and back"

# ---------------------------------------------------------------- killed on the way

t_need beat_start shop office
for build in before here before here; do
	t_need daemon_stop
	t_need install_build $build
	lz_proc_start daemon gw "$BUILD/lazaretd" --instance lab --state "$STATE" --run /run/lazaret-lab
	t_ok "killed: new tables are beside the old" lz_wait 20 beside
	daemon_kill
	t_need daemon_start "$LZ_DIR/p.json"
	started_anew "killed, to $build"
done
beat_stop "killed"

# ---------------------------------------------------------------- the kill switch

t_need daemon_stop
t_need install_build before
t_ok "kill switch: thrown by another build than judges" \
	lz_ns_run gw "$BUILD/lazaretd" --instance lab --bypass on 600
t_ok "kill switch: the held source passes" reach shop
t_need daemon_start "$LZ_DIR/p.json"
t_ok "kill switch: stays thrown in the other's tables" eval "lz_wait 20 in_force && reach shop"
t_ok "kill switch: the log has who threw it" grep -q "event=bypass" "$LOG"
t_need ctl bypass off
t_ok "kill switch: off, held again" lz_wait 5 not reach shop

# ---------------------------------------------------------------- half of it is gone

t_need install_build here
t_need beat_start shop office
for pin in map_lz_cells rodata prog_lz_xdp map_data_control; do
	t_need daemon_stop
	t_need lz_ns_run gw rm "$PINS/$pin"
	t_need daemon_start "$LZ_DIR/p.json"
	started_anew "without $pin"
done
beat_stop "half gone"

# ---------------------------------------------------------------- the way out works for either

t_need daemon_stop
t_need install_build before
t_ok "detached by the other build" lz_ns_run gw "$BUILD/lazaretd" --instance lab --detach
t_ok "detached: nothing is left" lz_ns_run gw test ! -e "$PINS"
t_end
