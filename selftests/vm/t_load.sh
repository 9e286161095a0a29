#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Does the data plane load, attach and judge on the guest's kernel?  Each kernel's verifier
# is another one: what 6.18 takes, 6.1 may refuse.  Run by run.sh, for example
#
#	make prog && sudo selftests/vm/run.sh --kernel bookworm selftests/vm/t_load.sh
#
# Cases that run: the verified instructions against half of the budget; native and generic
# XDP on veth, tcx or clsact; the fate table and the class rules packet by packet; answers; the
# way to the portal.

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/t.sh
. "$here/../lib/t.sh"

PROG=$LZ_BUILD/selftests/prog
LIMIT_S=480	# of all programs; the emulated guest takes 100 to 200

# run NAME PROGRAM: one result; what the program says goes along as comment lines.
run()
{
	local status=0
	timeout "$((LIMIT_S - SECONDS))" "$PROG/$2" 2>&1 | sed 's/^[^#]/# &/'
	status=${PIPESTATUS[0]}
	t_eq "$1 ($SECONDS s)" "$status" 0
}

echo "# kernel $(uname -r)"
for program in p_budget p_attach p_packets_colony p_packets_rules p_answers p_steer p_steer_limits; do
	t_need test -x "$PROG/$program"
done
t_need modprobe -a veth sch_ingress cls_bpf tun
run "the verifier needs less than half of its budget" p_budget
T_CASES="sees every frame" run "the hooks see every frame" p_attach
run "the fate table of a held source" p_packets_colony
run "the class rules" p_packets_rules
run "answers on tap, tun and two tags" p_answers
run "the way to the portal" p_steer
run "how many may take it" p_steer_limits
t_eq "the kernel complains of nothing" "$(dmesg | grep -cE 'BUG:|WARNING:|Oops')" 0
t_end
