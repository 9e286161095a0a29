#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: check.sh [--strict] [SECTION...]
#
# Runs the tests, section by section (default: all, in this order):
#	unit	C, no privilege needed
#	san	the same under AddressSanitizer and UndefinedBehaviorSanitizer
#	prog	C, the BPF programs through BPF_PROG_TEST_RUN; root
#	lint	layers, headers, scripts
#	fuzz	every fuzz target for a few seconds
#	net	namespaces, real servers and clients; root
#	vm	a QEMU guest with the device kinds this kernel may lack
#
# A test says its results in the Test Anything Protocol or in a last line "N passed, N failed,
# N skipped" (the demo: "N of M claims were true"); one that ends without either, or by a signal, or late, has failed. The last line of
# all is the sum. --strict turns a skipped test into a failed one.
set -u

cd "$(dirname "$0")/../.." || exit 1
export LZ_BUILD=${LZ_BUILD:-$PWD/build}
LOGS=$LZ_BUILD/check
STRICT=
PASSED=0 FAILED=0 SKIPPED=0

# run_test SECONDS NAME COMMAND...: one test program, its results added up.
run_test()
{
	local limit=$1 name=$2 log rc=0 p=0 f=0 s=0 sum claims
	shift 2
	log=$LOGS/$(echo "$name" | tr '/ ' '__').log
	timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null || rc=$?
	sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
	claims=$(grep -E '^[0-9]+ of [0-9]+ claims were true' "$log" | tail -n 1)
	if [ -n "$sum" ]; then
		read -r p f s <<<"$(echo "$sum" | tr -c '0-9\n' ' ')"
	elif [ -n "$claims" ]; then # the demo
		read -r p f _ <<<"$(echo "$claims" | tr -c '0-9\n' ' ')"
		f=$((f - p))
	else
		p=$(grep -E '^ok [0-9]+' "$log" | grep -cv '# SKIP')
		s=$(grep -cE '^ok [0-9]+.*# SKIP' "$log")
		f=$(grep -cE '^not ok [0-9]+' "$log")
	fi
	if [ "$rc" != 0 ] && [ "$f" = 0 ]; then
		f=1
		echo "# ended with status $rc$([ "$rc" = 124 ] && echo ": over $limit s")" >>"$log"
	elif [ $((p + f + s)) = 0 ]; then
		f=1
		echo "# ran no test" >>"$log"
	fi
	PASSED=$((PASSED + p)) FAILED=$((FAILED + f)) SKIPPED=$((SKIPPED + s))
	printf '%-44s %5d passed %3d failed %3d skipped\n' "$name" "$p" "$f" "$s"
	grep -E '# SKIP|^skip' "$log" | sed 's/^/    /'
	[ "$f" = 0 ] || { grep -E '^not ok|FAIL|fail|^#' "$log" | head -n 30 | sed 's/^/    /'; tail -n 5 "$log" | sed 's/^/    | /'; }
}

# build GOAL...: what does not build fails as one test, with the end of the compiler's words.
build()
{
	local log=$LOGS/build.log
	make -s -k -j2 "$@" >"$log" 2>&1 && return 0
	FAILED=$((FAILED + 1))
	echo "make $*: failed"
	grep -E 'error|Error|undefined' "$log" | head -n 20 | sed 's/^/    /'
	return 1
}

section_unit()
{
	build O="$LZ_BUILD" unit
	for t in "$LZ_BUILD"/selftests/unit/t_*; do
		[ -x "$t" ] && run_test 120 "unit/${t##*/}" "$t"
	done
}

section_san()
{
	build O="$LZ_BUILD/san" SAN=address,undefined unit
	for t in "$LZ_BUILD"/san/selftests/unit/t_*; do
		[ -x "$t" ] && run_test 300 "san/${t##*/}" "$t"
	done
}

section_prog()
{
	build O="$LZ_BUILD" prog
	for t in "$LZ_BUILD"/selftests/prog/p_*; do
		[ -x "$t" ] && run_test 300 "prog/${t##*/}" "$t"
	done
}

section_lint()
{
	local t
	for t in selftests/lint/*.sh; do
		run_test 120 "lint/${t##*/}" "$t"
	done
	run_test 60 lint/policies policies/schema/check.py
}

section_fuzz()
{
	[ -x selftests/fuzz/run.sh ] && run_test 300 fuzz selftests/fuzz/run.sh 10
}

section_net()
{
	local t
	build O="$LZ_BUILD" all labs
	run_test 300 net/lab selftests/lib/t_lab.sh
	for t in selftests/net/*.sh; do
		[ -x "$t" ] && run_test 600 "net/${t##*/}" "$t"
	done
	run_test 180 net/demo selftests/demo/demo.sh
}

section_vm()
{
	local t
	build O="$LZ_BUILD" all prog
	for t in selftests/vm/t_*.sh; do
		[ -f "$t" ] && run_test 900 "vm/${t##*/}" selftests/vm/run.sh "$t"
	done
}

main()
{
	local section
	[ "${1:-}" = --strict ] && STRICT=1 && shift
	[ $# -gt 0 ] || set -- unit san prog lint fuzz net vm
	mkdir -p "$LOGS"
	for section in "$@"; do
		echo "== $section"
		"section_$section"
	done
	if [ -n "$STRICT" ] && [ "$SKIPPED" != 0 ]; then
		echo "strict: $SKIPPED skipped count as failed"
		FAILED=$((FAILED + SKIPPED)) SKIPPED=0
	fi
	echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
	[ "$FAILED" = 0 ]
}

main "$@"
