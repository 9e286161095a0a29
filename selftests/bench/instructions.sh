#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: instructions.sh [FIGURE...]
#
# `make instructions`: how many instructions of the processor a packet takes, in a guest whose clock counts
# them: exact, whatever the neighbours do. Rows are those of `make bench`, with its tiny tables (--quick):
# waiting for a line costs nothing here. FIGURE is a letter, a to e: only these.
set -u

cd "$(dirname "$0")/../.." || exit 2
export LZ_BUILD=${LZ_BUILD:-$PWD/build}
BENCH=$LZ_BUILD/selftests/bench/bench
JSON=/tmp/lz-instructions.json

# in_guest FIGURES: the guest keeps what it writes to itself
in_guest()
{
	"$BENCH" --quick --figures "$1" "$BENCH.bpf.o" policies/small-cable-isp.json "$JSON" /tmp/lz-instructions.svg \
		>/dev/null 2>&1 || { echo "instructions: the bench failed in the guest" >&2; return 2; }
	jq -r '.results[] | select(.unit == "ns/packet") |
		[.name, (.ours | round), (.baselines["xdp-empty"] // "")] | @tsv' "$JSON" |
		awk -F'\t' 'BEGIN { printf "%-24s %12s %s\n", "row", "instructions", "of which generator and run loop" }
			{ printf "%-24s %12d %s\n", $1, $2, $3 }'
}

if [ "${1-}" = --in-guest ]; then
	in_guest "$2"
	exit
fi
FIGURES=$(printf %s "$@")
case $FIGURES in
*[!a-e]*) echo "usage: instructions.sh [FIGURE...]: letters a to e" >&2; exit 2 ;;
esac
exec selftests/vm/run.sh --kernel "${KERNEL:-trixie}" --instructions selftests/bench/instructions.sh --in-guest \
	"${FIGURES:-abcde}"
