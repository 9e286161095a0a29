#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: against.sh [--quick] REVISION [FIGURE...]
#
# `make bench AGAINST=REVISION`: the data plane of this tree and that of a commit, over the same tables. The
# commit is built by its own Makefile, in $LZ_BUILD/against. FIGURE is a letter, a to e: only these.
set -u

cd "$(dirname "$0")/../.." || exit 2
export LZ_BUILD=${LZ_BUILD:-$PWD/build}
THERE=$LZ_BUILD/against
QUICK=()
[ "${1-}" = --quick ] && { QUICK=(--quick); shift; }
REVISION=${1-}
[ -n "$REVISION" ] && shift
FIGURES=$(printf %s "$@")

fail()
{
	echo "bench: against $REVISION: $*" >&2
	exit 2
}

abi()
{
	sed -n 's/^#define LZ_ABI_VERSION *\([0-9]*\).*/\1/p' "$1/include/lazaret/abi.h"
}

COMMIT=$(git rev-parse --verify --quiet "$REVISION^{commit}") ||
	fail "no such commit; name one as git does, for instance HEAD~1"
[[ $FIGURES =~ ^[a-e]*$ ]] || fail "figures are letters, a to e"
rm -rf "$THERE" && mkdir -p "$THERE" && git archive "$COMMIT" | tar -x -C "$THERE" || exit 2
[ "$(abi .)" = "$(abi "$THERE")" ] ||
	fail "its tables are of ABI $(abi "$THERE"), these of $(abi .): what is laid out differently" \
	     "cannot be shared, run \`make bench\` on both"
make --no-print-directory -s -C "$THERE" O=build build/selftests/bench/bench.bpf.o ||
	fail "does not build"
"$LZ_BUILD/selftests/bench/bench" "${QUICK[@]}" --figures "${FIGURES:-abcde}" \
	--against "$THERE/build/selftests/bench/bench.bpf.o" "$LZ_BUILD/selftests/bench/bench.bpf.o" \
	policies/small-cable-isp.json
