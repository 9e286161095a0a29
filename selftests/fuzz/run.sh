#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: run.sh [SECONDS]
#
# Each fuzz target for SECONDS (default 600) under AddressSanitizer and UndefinedBehaviorSanitizer.
# LZ_BUILD says where to build; what was found stays there, so that a later run goes on from it. An
# input that breaks something is kept there too: make it a named case of a unit test.
set -u

cd "$(dirname "$0")/../.." || exit 1
. selftests/lib/t.sh

SECONDS_EACH=${1:-600}
OUT=${LZ_BUILD:-$PWD/build}/fuzz
CLANG=${CLANG:-clang}
FLAGS=(-g -O1 -std=gnu11 -D_GNU_SOURCE '-DLZ_VERSION="fuzz"' -Iinclude -Ictl -I. -Iselftests
	"-fsanitize=fuzzer,address,undefined" -fno-sanitize-recover=all)

# fuzz NAME OPTION|SEEDS...: run one target that was built, from its corpus and the seeds.
fuzz()
{
	local name=$1
	shift
	mkdir -p "$OUT/corpus-$name"
	t_ok "$name: $SECONDS_EACH s" "$OUT/f_$name" -max_total_time="$SECONDS_EACH" \
		-artifact_prefix="$OUT/" -print_final_stats=1 -verbosity=0 \
		"$OUT/corpus-$name" "$@"
}

mkdir -p "$OUT"
t_need "$CLANG" "${FLAGS[@]}" -o "$OUT/f_parse" selftests/fuzz/f_parse.c selftests/model/parse.c
t_need "$CLANG" "${FLAGS[@]}" -o "$OUT/f_policy" selftests/fuzz/f_policy.c \
	ctl/policy/*.c ctl/base/*.c -lcjson -lm
t_need "$CLANG" "${FLAGS[@]}" -o "$OUT/f_portal" selftests/fuzz/f_portal.c \
	ctl/portal/{case,escape,html,lang,route,smtp,template}.c ctl/serve/gateask.c ctl/base/*.c -lcjson -lm
t_need "$CLANG" "${FLAGS[@]}" -o "$OUT/f_mail" selftests/fuzz/f_mail.c ctl/tell/mail.c ctl/base/*.c -lcjson -lm
fuzz mail -max_len=1200
fuzz parse -max_len=300 -dict=selftests/fuzz/parse.dict
fuzz portal -max_len=4000 -dict=selftests/fuzz/portal.dict selftests/fuzz/portal
fuzz policy -max_len=8000 policies
t_end
