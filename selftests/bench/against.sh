#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: against.sh [--quick] [--apart] REVISION [FIGURE...]
#
# `make bench AGAINST=REVISION`: the data plane of this tree and that of a commit, which is built by its own
# Makefile, in $LZ_BUILD/against. Over the same tables; where these are laid out differently, and with --apart, each
# over its own. FIGURE is a letter, a to e: only these.
set -u

cd "$(dirname "$0")/../.." || exit 2
export LZ_BUILD=${LZ_BUILD:-$PWD/build}
THERE=$LZ_BUILD/against
BENCH=selftests/bench/bench
POLICY=policies/small-cable-isp.json
QUICK=()
APART=
[ "${1-}" = --quick ] && { QUICK=(--quick); shift; }
[ "${1-}" = --apart ] && { APART=1; shift; }
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

# build_there TARGET...
build_there()
{
	make --no-print-directory -s -C "$THERE" O=build "${@/#/build/}" || fail "does not build"
}

# here OPTION...: this tree's bench
here()
{
	"$LZ_BUILD/$BENCH" "${QUICK[@]}" --figures "$FIGURES" "$@" "$LZ_BUILD/$BENCH.bpf.o" "$POLICY"
}

# Exit status 3: the tables cannot be shared.
shared()
{
	[ "$(abi .)" = "$(abi "$THERE")" ] || return 3
	here --against "$THERE/build/$BENCH.bpf.o"
}

apart()
{
	grep -q '"turns"' "$THERE/selftests/bench/main.c" ||
		fail "its tables (ABI $(abi "$THERE")) are not those of this tree ($(abi .)), and its bench cannot" \
		     "take turns with this one: it is older than --turns. Run \`make bench\` on both"
	echo "bench: against $REVISION: each over tables of its own" >&2
	build_there "$BENCH"
	here --beside "cd $(printf %q "$THERE") && exec build/$BENCH ${QUICK[*]} --figures $FIGURES --turns \
		build/$BENCH.bpf.o $POLICY"
}

COMMIT=$(git rev-parse --verify --quiet "$REVISION^{commit}") ||
	fail "no such commit; name one as git does, for instance HEAD~1"
[[ $FIGURES =~ ^[a-e]*$ ]] || fail "figures are letters, a to e"
FIGURES=${FIGURES:-abcde}
rm -rf "$THERE" && mkdir -p "$THERE" && git archive "$COMMIT" | tar -x -C "$THERE" || exit 2
build_there "$BENCH.bpf.o"
if [ -z "$APART" ]; then
	shared
	STATUS=$?
	[ "$STATUS" = 3 ] || exit "$STATUS"
fi
apart
