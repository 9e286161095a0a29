#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through t_ok and t_need
#
# Somebody removes the sockets, or their folder, while the daemon works: it is not deaf for ever, who is held stays
# held at every instant, and where it may not make the folder again, whoever started it is asked to.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"
lz_gateway_enter 120 "$@"

HELD=198.51.100.10 WORLD=203.0.113.25
RUN=/run/lazaret-lab

offices_write sockets

# listed: what is in the folder, and whose it is
listed()
{
	stat -c '%n %U %G %a' $RUN $RUN/*.sock
}

# heard WHAT: both sockets answer, and a hold is taken
heard()
{
	t_ok "$1: healthy" lz_wait 5 ctl health
	t_eq "$1: folder and sockets are as they were" "$(listed)" "$BEFORE"
	t_ok "$1: a hold is taken" lz_wait 5 ctl quarantine add 198.51.100.99 for 1h
	t_ok "$1: books and kernel agree" ctl doctor
}

# lost: how often the log has said it
lost()
{
	grep -c "event=sockets-lost" "$LZ_DIR/log/daemon.log"
}

t_need lz_provider_add
t_need lz_customer_add shop $HELD 2001:db8:2000::10
t_need lz_customer_add office 198.51.100.11 2001:db8:2000:1::10
: >"$LZ_DIR/came"
t_need lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 443
t_need lz_port_wait 5 world 443
t_need daemon_start "$LZ_DIR/sockets.json"
t_need ctl quarantine add $HELD garden strict for 1h
KEEPER=${LZ_PROC[daemon]}
BEFORE=$(listed)
t_need beat_start shop office
sleep 1
t_eq "at rest: nothing is lost" "$(lost)" 0

rm -rf $RUN
heard "the folder removed"
for name in control read portal; do
	rm $RUN/$name.sock
	lz_wait 5 test -S $RUN/$name.sock
	heard "$name.sock removed"
done
t_eq "each time the log said so" "$(lost)" 4
t_ok "it is the same daemon" kill -0 "$KEEPER"

# The controller dies while the folder is gone.
rm -rf $RUN
pkill -KILL -P "$KEEPER" -x lazaretd-ctl
heard "the folder removed, the controller killed"

# A folder that cannot be made: without a service manager it is tried again, with one that is told so.
rm -rf $RUN && : >$RUN
t_ok "a file in its place: the log says so" lz_wait 5 grep -q "event=run-folder-lost why=.*is not a folder" "$LZ_DIR/log/daemon.log"
t_ok "a file in its place: it lives" kill -0 "$KEEPER"
rm $RUN
t_ok "and it is heard again" lz_wait 20 ctl health
t_need daemon_stop
NOTIFY_SOCKET=/run/nobody daemon_start "$LZ_DIR/sockets.json"
rm -rf $RUN && : >$RUN
t_ok "under a service manager: it ends" lz_wait 5 proc_gone "${LZ_PROC[daemon]}"
STATUS=0
daemon_stop || STATUS=$?
t_eq "under a service manager: as failed, so that it is started again" "$STATUS" 2
rm $RUN
t_need daemon_start "$LZ_DIR/sockets.json"
heard "the next one"
beat_stop "all the time"
t_end
