# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# held.sh - what the books say of who is held, whether the kernel says the same, and what the daemon has logged.
# Sourced after gateway.sh.

# row ADDRESS: GRADE SOURCE of its entry
row()
{
	ctl -j quarantine list | jq -r --arg a "$1" '.entries[] | select(.address == $a) | "\(.grade) \(.source)"'
}

# left_s ADDRESS: seconds until its end
left_s()
{
	ctl -j quarantine list | jq -r --arg a "$1" \
		'.entries[] | select(.address == $a) | (.until | fromdateiso8601) - now | floor'
}

# agreed WHAT: books and kernel say the same
agreed()
{
	t_ok "$1: intent, ledger and kernel agree" ctl doctor
	t_ok "$1: healthy" ctl health
}

logged()
{
	grep -q "$@" "$LZ_DIR/log/daemon.log"
}
