# shellcheck shell=bash disable=SC2034 # ENDS and PINS are the tests'
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What a test of lazaretd in a small provider's gateway begins with: lab, topology, results, daemon.
#
#	ROOT=$(cd "$(dirname "$0")/../.." && pwd)
#	. "$ROOT/selftests/lib/gateway.sh"
#	lz_gateway_enter 120 "$@"	# everything below runs inside the lab

# shellcheck source=selftests/lib/ns.sh
. "$ROOT/selftests/lib/ns.sh"
# shellcheck source=selftests/lib/topology.sh
. "$ROOT/selftests/lib/topology.sh"
# shellcheck source=selftests/lib/t.sh
. "$ROOT/selftests/lib/t.sh"

ENDS=(python3 "$ROOT/selftests/net/tcp_ends.py")

# lz_gateway_enter SECONDS [ARG...]: as lz_lab_enter
lz_gateway_enter()
{
	lz_lab_enter "$@"
	PINS=/sys/fs/bpf/lazaret-lab
	# shellcheck source=selftests/lib/lazaretd.sh
	. "$ROOT/selftests/lib/lazaretd.sh"
}

# offices_write NAME [GLOBS]: a policy NAME.json of two ports, or of those that match, and of one class
offices_write()
{
	local match=${2:-'"acc0"'}
	cat >"$LZ_DIR/$1.json" <<-END
	{ "version": 1, "name": "$1",
	  "interfaces": { "access": { "side": "customer", "match": [$match], "source-validation": "strict" },
	                  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "offices": ["198.51.100.0/24", "2001:db8:2000::/36"] },
	  "classes": { "offices": { "of": ["offices"] } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

# beat_start HELD HONEST [PORT]: from both namespaces a connection to $WORLD 20 times a second
beat_start()
{
	local who port=${3:-443}
	BEATS=("$1" "$2")
	for who in "${BEATS[@]}"; do
		: >"$LZ_DIR/beat.$who"
		lz_proc_start "beat-$who" "$who" "${ENDS[@]}" beat "$LZ_DIR/beat.$who" "$WORLD" "$port" 20
	done
	lz_wait 5 beating
}

beating()
{
	[ "$(wc -l <"$LZ_DIR/beat.${BEATS[0]}")" -ge 10 ] && [ "$(wc -l <"$LZ_DIR/beat.${BEATS[1]}")" -ge 10 ]
}

# beat_stop WHAT: the held one never got through, the honest one always
beat_stop()
{
	sleep 0.5
	lz_proc_stop "beat-${BEATS[0]}"
	lz_proc_stop "beat-${BEATS[1]}"
	t_ok "$1: there was traffic" beating
	t_eq "$1: nothing of the held source passed" "$(grep -c ok "$LZ_DIR/beat.${BEATS[0]}")" 0
	t_eq "$1: nothing of the honest one was lost" "$(grep -c no "$LZ_DIR/beat.${BEATS[1]}")" 0
}

# port_add NAME [WORD...]: a port of the gateway, its other end in namespace far: of two queues, if need be
port_add()
{
	ip link add "$1" netns "$LZ_LAB-gw" "${@:2}" type veth peer name "q$1" netns "$LZ_LAB-far" numtxqueues 2 &&
		ip -n "$LZ_LAB-gw" link set "$1" up
}

port_del()
{
	ip -n "$LZ_LAB-gw" link del "$1"
}

# hook_of PORT: as status says
hook_of()
{
	ctl -j status | jq -r --arg i "$1" '.interfaces[] | select(.interface == $i).hook'
}

has_hook()
{
	[ "$(hook_of "$1")" = xdp ] && ip -n "$LZ_LAB-gw" -d link show "$1" | grep -q prog/xdp
}

# hook_steal PORT: somebody takes its XDP program off
hook_steal()
{
	local ifindex
	ifindex=$(ip -n "$LZ_LAB-gw" -j link show "$1" | jq '.[0].ifindex') &&
		lz_ns_run gw bpftool link detach pinned "$PINS/link_xdp_$ifindex"
}

# foreign_make: somebody else's XDP program, for foreign_put PORT and foreign_take PORT
foreign_make()
{
	echo '__attribute__((section("xdp"))) int pass(void *ctx) { return 2; }' >"$LZ_DIR/pass.c" &&
		clang -O2 -g -target bpf -c -o "$LZ_DIR/pass.o" "$LZ_DIR/pass.c"
}

foreign_put()
{
	ip -n "$LZ_LAB-gw" link set "$1" xdpdrv obj "$LZ_DIR/pass.o" sec xdp
}

foreign_take()
{
	ip -n "$LZ_LAB-gw" link set "$1" xdpdrv off
}
