# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# How the demo speaks: headings, plain words, commands as they are typed, and claims, each
# of which is checked.  Coloured only on a terminal, and not with NO_COLOR set.

CLAIMS=0
CLAIMS_FAILED=0

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
	SAY_BOLD=$'\e[1m' SAY_CYAN=$'\e[1;36m' SAY_GREEN=$'\e[32m' SAY_RED=$'\e[1;31m'
	SAY_DIM=$'\e[2m' SAY_END=$'\e[0m'
else
	SAY_BOLD='' SAY_CYAN='' SAY_GREEN='' SAY_RED='' SAY_DIM='' SAY_END=''
fi

# say_heading TEXT
say_heading()
{
	printf '\n%s%s%s\n' "$SAY_CYAN" "$1" "$SAY_END"
}

# say TEXT...: one line each
say()
{
	printf '   %s\n' "$@"
}

# say_command WHO COMMAND: as it is typed there
say_command()
{
	printf '   %s%s$%s %s\n' "$SAY_BOLD" "$1" "$SAY_END" "$2"
}

# say_output TEXT
say_output()
{
	printf '%s\n' "$1" | sed "s/^/     $SAY_DIM/; s/\$/$SAY_END/"
}

# claim TEXT COMMAND [ARG...]: TEXT is true if COMMAND, run in this shell, succeeds.
claim()
{
	local text=$1
	shift
	CLAIMS=$((CLAIMS + 1))
	if "$@" >"$LZ_DIR/claim" 2>&1; then
		printf '   %s[yes]%s %s\n' "$SAY_GREEN" "$SAY_END" "$text"
		return 0
	fi
	CLAIMS_FAILED=$((CLAIMS_FAILED + 1))
	printf '   %s[NO]  %s%s\n' "$SAY_RED" "$text" "$SAY_END"
	say_output "failed: $*"
	[ ! -s "$LZ_DIR/claim" ] || say_output "$(cat "$LZ_DIR/claim")"
	return 1
}

# say_seconds MS: "0.4 s"
say_seconds()
{
	printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100))
}
