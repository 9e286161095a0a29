#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Every header compiles alone; abi.h does so for BPF too; scripts please shellcheck.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/lib/t.sh

alone()
{
	gcc -std=gnu11 -D_GNU_SOURCE -fsyntax-only -Wall -Wextra -Wno-unused-function -Werror -Iinclude -Ictl \
		-I. -I/usr/include/libnl3 -x c "$1"
}

for h in include/lazaret/*.h ctl/*/*.h; do
	[[ ${h##*/} =~ ^(search|held)\.h$ ]] && continue # their includers provide the tables
	t_ok "$h alone" alone "$h"
done
t_ok "abi.h for bpf" clang -target bpf -idirafter "/usr/include/$(gcc -print-multiarch)" -Iinclude \
	-fsyntax-only -x c include/lazaret/abi.h
mapfile -t scripts < <(find .ci/run selftests policies -name '*.sh' -o -path .ci/run)
t_ok "shellcheck" shellcheck -x "${scripts[@]}"
t_end
