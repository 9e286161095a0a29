#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Includes go downward only: programs -> handlers -> cases -> control -> serve, tell -> datapath, ledger ->
# colony, policy -> base; keeper and control, which are two processes, share no more than privsep; two rooms on
# one floor do not know each other; each library has one room.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/lib/t.sh

# may ROOM ALLOWED...: every "room/..." include of ctl/ROOM is one of ALLOWED.
may()
{
	local room=$1 allowed
	shift
	allowed=$(printf '%s|' "$room" "$@")
	bad=$(grep -rnE '^#include "[a-z]+/' "ctl/$room" 2>/dev/null |
		grep -vE "#include \"(${allowed%|}|lazaret)/")
	[ -z "$bad" ] || { echo "$bad"; return 1; }
}

# only PATTERN ROOM...: only these rooms include headers that match PATTERN.
only()
{
	local pattern=$1 rooms
	shift
	rooms=$(printf 'ctl/%s/|' "$@")
	bad=$(grep -rnE "^#include <($pattern)" ctl | grep -vE "^(${rooms%|})")
	[ -z "$bad" ] || { echo "$bad"; return 1; }
}

t_ok "base knows nothing of the product" may base
t_ok "policy stands on base" may policy base
t_ok "colony stands on base" may colony base
t_ok "datapath does not know ledger, serve, detect" may datapath policy colony base bpf
t_ok "ledger does not know datapath" may ledger policy colony base
t_ok "serve stands below the programs" may serve datapath ledger policy colony base
t_ok "tell stands on base" may tell base
t_ok "privsep is what two processes share" may privsep datapath base
t_ok "the keeper knows nothing of the controller" may keeper privsep tell datapath policy colony base
t_ok "control does not know what becomes of cases" may control privsep tell serve datapath ledger policy colony base
t_ok "cases do not know who asks" may cases control privsep serve datapath ledger policy colony base
t_ok "handlers do not know the keeper" may handlers cases control privsep serve datapath ledger policy colony base
t_ok "a backtest needs no daemon" may backtest privsep datapath policy colony base bpf
t_ok "the CLI needs no privilege" may cli policy base
t_ok "the portal stands on base" may portal base
t_ok "only datapath knows libbpf" only 'bpf/' datapath
t_ok "only datapath knows libnl" only 'netlink/' datapath
t_ok "only the ledger knows SQLite" only 'sqlite3' ledger
t_ok "only tell knows libcurl and c-ares" only 'curl/|ares' tell
t_ok "only the portal knows libmicrohttpd" only 'microhttpd' portal
t_end
