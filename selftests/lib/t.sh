# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Results of shell tests, one line each in the Test Anything Protocol.  A set-up step
# that fails ends the test as failed; only a missing capability of the machine, found
# by a probe, may skip.

T_RUN=0
T_FAILED=0

# t_ok NAME COMMAND [ARG...]: passes when COMMAND succeeds; else its output is shown.
t_ok()
{
	local name=$1 output
	shift
	T_RUN=$((T_RUN + 1))
	if output=$("$@" 2>&1); then
		echo "ok $T_RUN - $name"
		return 0
	fi
	T_FAILED=$((T_FAILED + 1))
	echo "not ok $T_RUN - $name"
	printf '%s\n' "$*" "$output" | sed 's/^/# /'
	return 1
}

# t_eq NAME ACTUAL EXPECTED
t_eq()
{
	T_RUN=$((T_RUN + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $T_RUN - $1"
		return 0
	fi
	T_FAILED=$((T_FAILED + 1))
	echo "not ok $T_RUN - $1"
	printf '# actual:   %s\n# expected: %s\n' "$2" "$3"
	return 1
}

# t_skip NAME REASON
t_skip()
{
	T_RUN=$((T_RUN + 1))
	echo "ok $T_RUN - $1 # SKIP $2"
}

# t_need COMMAND [ARG...]: a set-up step, run in this shell; its failure ends the test.
t_need()
{
	"$@" >&2 && return 0
	T_RUN=$((T_RUN + 1))
	T_FAILED=$((T_FAILED + 1))
	echo "not ok $T_RUN - set-up: $*"
	t_end
}

# t_end: the plan, and the exit status of the whole.
t_end()
{
	echo "1..$T_RUN"
	[ "$T_FAILED" = 0 ]
	exit
}
