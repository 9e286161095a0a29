#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: deps.sh [--quiet] [--no-guest]
#
# Installs the Debian packages named in packages*.txt that are missing, and unpacks what
# must not be installed under $LZ_BUILD/deps (default build/deps):
#	postfix/	the mail servers of the lab
#	dhcp/		DHCP servers, for the options we print
#	chrony/		the lab's time server; installed it would replace the machine's own
#	kernel-SUITE/	the kernel of the QEMU guest, unless --no-guest
#
# Says and does nothing, and needs neither root nor network, when everything is there.
# --quiet keeps apt's own words to itself unless something fails.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=deb.sh
. "$here/deb.sh"

main()
{
	local guest=1
	while [ $# -gt 0 ]; do
		case $1 in
		--quiet) LZ_DEB_QUIET=1 ;;
		--no-guest) guest= ;;
		*) echo "usage: deps.sh [--quiet] [--no-guest]" >&2; exit 1 ;;
		esac
		shift
	done
	deps_get "$guest"
}

deps_get()
{
	lz_deb_install "$here"/packages*.txt || return 1
	lz_server_unpack "$LZ_BUILD/deps/postfix" postfix usr/lib/postfix/sbin/master || return 1
	lz_server_unpack "$LZ_BUILD/deps/chrony" chrony usr/sbin/chronyd || return 1
	lz_dhcp_unpack "$LZ_BUILD/deps/dhcp" || return 1
	[ -z "$1" ] || lz_kernel_unpack "$(lz_suite_own)"
}

main "$@"
