#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The manual pages: nothing that man complains of, no word of a page template and no option left out.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/lib/t.sh
BUILD=${LZ_BUILD:-$PWD/build}

# quiet FILE: man has nothing to say of it, for a terminal of 80 columns
quiet()
{
	said=$(MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null)
	[ -z "$said" ] || { echo "$said"; return 1; }
}

generated()
{
	make -s O="$BUILD" "$BUILD/lazaretctl" >/dev/null && "$BUILD/lazaretctl" --man >"$BUILD/lazaretctl.8" &&
		quiet "$BUILD/lazaretctl.8"
}

# told FILE WORD...: the page has each of them
told()
{
	local text word missing=0
	text=$(sed 's/\\-/-/g' "$1")
	shift
	for word; do
		grep -qw -- "$word" <<<"$text" || { echo "no word of '$word'"; missing=1; }
	done
	return "$missing"
}

words_of()
{
	sed -n 's/^\t\[LZ_\(VALUE\|SECTION\)_[A-Z0-9_]*\] = { "\([^"]*\)".*/\2/p' ctl/portal/template.c
}

kinds_of()
{
	sed -n 's/^\t{ "\([a-z0-9-]*\)", LZ_PAGE_.*/\1/p' ctl/portal/preview.c
}

# options_of PROGRAM: as its --help has them
options_of()
{
	"$BUILD/$1" --help | sed -n 's/^  \(--*[a-z-]*\).*/\1/p'
}

# The commands that want more than the group lazaret.
admin_words()
{
	sed -n 's/^\t{ "\([a-z.]*\)", LZ_PEER_ADMIN,.*/\1/p' include/lazaret/proto.h | tr . ' '
}

# files_tell WORDS...: the section FILES of lazaretctl(8) has each of them, as commands
files_tell()
{
	local text words missing=0
	text=$("$BUILD/lazaretctl" --man | sed '1,/^\.SH FILES/d')
	for words; do
		grep -qF -- "\\fB$words\\fR" <<<"$text" || { echo "no word of '$words'"; missing=1; }
	done
	return "$missing"
}

for page in policies/lazaret-policy.5 ctl/portal/lazaret-portal.8 ctl/daemon/lazaretd.8; do
	t_ok "$page" quiet "$page"
done
t_ok "lazaretctl --man" generated
mapfile -t words < <(words_of)
mapfile -t kinds < <(kinds_of)
t_ok "there are words and kinds" [ "${#words[@]}" -gt 40 -a "${#kinds[@]}" -gt 8 ]
t_ok "lazaret-portal(8) has every word of a template" told ctl/portal/lazaret-portal.8 "${words[@]}"
t_ok "lazaret-portal(8) has every kind of preview" told ctl/portal/lazaret-portal.8 "${kinds[@]}"
mapfile -t options < <(make -s O="$BUILD" "$BUILD/lazaretd" >/dev/null; options_of lazaretd)
t_ok "lazaretd has options" [ "${#options[@]}" -gt 10 ]
t_ok "lazaretd(8) has every option" told ctl/daemon/lazaretd.8 "${options[@]}"
mapfile -t admins < <(admin_words)
t_ok "there are commands that want lazaret-admin" [ "${#admins[@]}" -gt 6 ]
t_ok "lazaretctl(8) says of each that it does" files_tell "${admins[@]}"
t_end
