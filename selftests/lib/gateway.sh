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
