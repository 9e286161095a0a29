# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Debian packages for tests: installed, or unpacked into the build folder without being
# installed.  Everything comes through this machine's own apt sources.

LZ_BUILD=${LZ_BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build}

LZ_DEB_QUIET=${LZ_DEB_QUIET:-}	# not empty: apt's own words only when it fails

# lz_deb_install LIST...: install what the lists name and this machine lacks.
#
# No service is started by it: a policy-rc.d says no for as long as apt runs, unless the
# machine has its own.
lz_deb_install()
{
	local package
	local -a missing=()

	while read -r package; do
		[ -z "$package" ] || deb_installed "$package" || missing+=("$package")
	done < <(sed -e 's/#.*//' -e 's/[[:space:]]*$//' "$@" | sort -u)
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "deps: installing ${missing[*]}" >&2
	deb_refresh && deb_install_quietly "${missing[@]}"
}

# The lists may be empty, as on a fresh image, or older than what the archive still has.
deb_refresh()
{
	[ -z "${DEB_REFRESHED:-}" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "deps: needs root; run it with sudo" >&2
		return 1
	fi
	apt_get update && DEB_REFRESHED=1
}

apt_get()
{
	local output
	if [ -z "$LZ_DEB_QUIET" ]; then
		apt-get -q "$@" >&2
		return
	fi
	output=$(apt-get -q "$@" 2>&1) || {
		printf '%s\n' "$output" >&2
		return 1
	}
}

deb_installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

deb_install_quietly()
(
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT INT TERM HUP
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt_get install -y --no-install-recommends "$@"
)

# lz_server_unpack DIR PACKAGE PROGRAM: a server under DIR, and the shared libraries it needs
# installed; nothing to do if PROGRAM is there.
lz_server_unpack()
{
	[ -x "$1/$3" ] && return 0
	deb_refresh &&
		lz_deb_install <(apt-cache depends "$2" | sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p') &&
		lz_deb_unpack "$1" "$2"
}

# lz_dhcp_unpack DIR: DHCP servers under DIR/PACKAGE, and the shared libraries they need
# installed. A gateway is no place for one that starts by itself.
lz_dhcp_unpack()
{
	local package
	for package in kea-common kea-dhcp4-server kea-dhcp6-server isc-dhcp-server; do
		[ -d "$1/$package" ] && continue
		mkdir -p "$1" && deb_refresh &&
			lz_deb_install <(apt-cache depends "$package" | sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p') &&
			lz_deb_unpack "$1/$package" "$package" || return 1
	done
}

# lz_deb_unpack DIR PACKAGE [APT-OPTION...]: download a package and unpack it to DIR, whole
# or not at all.
lz_deb_unpack()
{
	local dir=$1 package=$2 part=$1.part
	shift 2
	rm -rf "$part" "$dir" && mkdir -p "$part/download" || return 1
	echo "deps: unpacking $package to $dir" >&2
	(cd "$part/download" && apt_get "$@" -o APT::Sandbox::User=root download "$package") &&
		mkdir "$part/root" && dpkg-deb -x "$part"/download/*.deb "$part/root" &&
		mv "$part/root" "$dir" && rm -rf "$part"
}

# lz_suite_own: this machine's suite, like bookworm.
lz_suite_own()
(
	. /etc/os-release
	echo "$VERSION_CODENAME"
)

# lz_kernel_unpack SUITE: the general-purpose kernel of a Debian suite (its own, another
# release, or NAME-backports) in $LZ_BUILD/deps/kernel-SUITE.
lz_kernel_unpack()
{
	local suite=$1 dir=$LZ_BUILD/deps/kernel-$1 image
	local -a options=()

	[ -e "$dir/ready" ] && return 0
	deb_refresh || return 1
	if [ "$suite" != "$(lz_suite_own)" ]; then
		suite_configure "$suite" "$LZ_BUILD/deps/apt-$suite" || return 1
		mapfile -t options <"$LZ_BUILD/deps/apt-$suite/options"
	fi
	image=$(kernel_image "${options[@]}") || return 1
	lz_deb_unpack "$dir" "$image" "${options[@]}" || return 1
	# From Debian 13 on packages know only /usr/lib.
	[ -e "$dir/lib" ] || ln -s usr/lib "$dir/lib" || return 1
	depmod -b "$dir" "$(ls "$dir/lib/modules")" && touch "$dir/ready"
}

# The meta package names the versioned one it stands for.
kernel_image()
{
	local image
	image=$(apt-cache "$@" depends "linux-image-$(dpkg --print-architecture)" |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	if [ -z "$image" ]; then
		echo "deps: no package linux-image-$(dpkg --print-architecture) in the package lists" >&2
		return 1
	fi
	echo "$image"
}

# suite_configure SUITE DIR: apt lists of another suite in DIR, from the same place this
# machine has its own from; DIR/options has the options that make apt use them, one a line.
suite_configure()
{
	local suite=$1 dir=$2 keyring=/usr/share/keyrings/debian-archive-keyring.gpg

	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" || return 1
	# shellcheck disable=SC2016 # the placeholders are apt's
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk -v own="$(lz_suite_own)" -v suite="$suite" -v keyring="$keyring" \
			'$2 == own { printf "deb [signed-by=%s] %s %s %s\n", keyring, $1, suite, $3 }' |
		sort -u >"$dir/sources.list"
	if [ ! -s "$dir/sources.list" ]; then
		echo "deps: this machine's apt has no source for its own suite $(lz_suite_own)" >&2
		return 1
	fi
	printf '%s\n' -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache" \
		-o Dir::Etc::preferencesparts=/dev/null >"$dir/options"
	mapfile -t <"$dir/options"
	apt_get "${MAPFILE[@]}" -o APT::Sandbox::User=root update
}
