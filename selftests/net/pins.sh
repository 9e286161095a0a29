#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through t_ok and t_need
#
# Somebody takes away what holds the hooks while the daemon works: the folder of pins, or bpffs itself. They are
# there again, or never go; and a daemon that is killed behind that leaves them.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
lz_gateway_enter 180 "$@"

HELD=198.51.100.10 WORLD=203.0.113.25

offices_write pins

# reach WHO
reach()
{
	lz_ns_run "$1" "${ENDS[@]}" once "$WORLD" 443
}

stopped()
{
	! reach shop
}

# judged WHAT: who is held is stopped, who is free is not, the daemon is well
judged()
{
	t_ok "$1: who is held is stopped" lz_wait 5 stopped
	t_ok "$1: who is free is not" reach office
}

# killed WHAT: with nobody there, and when the next one has come
killed()
{
	t_ok "$1: it is pinned again" lz_wait 5 [ -e "$PINS/rodata" ]
	t_ok "$1: the daemon is well" lz_wait 5 ctl health
	daemon_kill
	judged "$1, the daemon killed"
	t_ok "$1: the kill switch works" lz_ns_run gw "$BUILD/lazaretd" --instance lab --bypass on
	t_ok "$1: and lets everybody through" reach shop
	t_need lz_ns_run gw "$BUILD/lazaretd" --instance lab --bypass off
	t_need daemon_start ""
	judged "$1, the next one"
}

t_need lz_provider_add
t_need lz_customer_add shop $HELD 2001:db8:2000::10
t_need lz_customer_add office 198.51.100.11 2001:db8:2000:1::10
: >"$LZ_DIR/came"
t_need lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 443
t_need lz_port_wait 5 world 443
t_need daemon_start "$LZ_DIR/pins.json"
t_need ctl quarantine add $HELD garden strict for 1h
judged "before"

rm -rf "${PINS:?}"
judged "the folder removed"
killed "the folder removed"

t_need umount -l /sys/fs/bpf
judged "bpffs unmounted"
killed "bpffs unmounted"

t_need mount -t bpf none /sys/fs/bpf
judged "another bpffs over it"
killed "another bpffs over it"
t_end
