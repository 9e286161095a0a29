#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: deps.sh [--guest-kernel] LIST...
#
# Installs the Debian packages named in the lists (see packages.txt) that are missing, and
# unpacks what must not be installed under $LZ_BUILD/deps (default build/deps):
#	postfix/	the mail servers of the lab
#	kernel-SUITE/	with --guest-kernel, the kernel of the QEMU guest
#
# Does nothing, and needs no network, when everything is there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=deb.sh
. "$here/deb.sh"

guest_kernel=
if [ "${1:-}" = --guest-kernel ]; then
	guest_kernel=1
	shift
fi
[ $# -gt 0 ] || { echo "usage: deps.sh [--guest-kernel] LIST..." >&2; exit 1; }

lz_deb_install "$@"
lz_postfix_unpack "$LZ_BUILD/deps/postfix"
if [ -n "$guest_kernel" ]; then
	lz_kernel_unpack "$(lz_suite_own)"
fi
