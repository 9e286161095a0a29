#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Chromium in front of the portal, on a desk and on a phone; pictures in build/screens.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/ns.sh
. "$ROOT/selftests/lib/ns.sh"
# shellcheck source=selftests/lib/t.sh
. "$ROOT/selftests/lib/t.sh"
BUILD=${LZ_BUILD:-$ROOT/build}
SCREENS=$BUILD/screens

lz_lab_enter 420 "$@"

t_need lz_ns_add box
mkdir -p "$SCREENS" "$LZ_DIR/home"
chmod 755 "$LZ_DIR"
lz_proc_start lab box "$BUILD/selftests/net/portal_lab" "$BUILD/lazaret-portal" \
	"$(id -u lazaret-portal)" "$LZ_DIR/portal.sock" 8080 2525
t_need lz_wait 10 grep -q event=portal-ready "$LZ_DIR/log/lab.log"

# every state of the shipped pages, with sample values
mkdir -p "$LZ_DIR/pages"
pages=()
for kind in strict block25 throttle too-early too-often refused busy warned; do
	for lang in en de; do
		pages+=("$kind-$lang")
		"$BUILD/lazaret-portal" --preview "$kind" "$ROOT/ctl/portal/templates/$lang.html" \
			>"$LZ_DIR/pages/$kind-$lang.html"
	done
done
lz_proc_start pages box python3 -m http.server -d "$LZ_DIR/pages" -b 127.0.0.1 8090
t_need lz_port_wait 10 box 8090

# Debian's own python: the driver is a module of it
look()
{
	HOME=$LZ_DIR/home lz_ns_run box /usr/bin/python3 "$ROOT/selftests/net/browser.py" "$SCREENS" "$@"
}

look 127.0.0.1:8080 || T_FAILED=1
look 127.0.0.1:8090 --pages "${pages[@]}" || T_FAILED=1
t_ok "pictures were taken" [ -s "$SCREENS/held-phone.png" ]
t_end
