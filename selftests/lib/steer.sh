# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034 # the addresses are for whoever sources this
#
# A provider whose gateway leads held customers to a stand-in for the portal; source ns.sh, topology.sh
# and t.sh first.

BUILD=${LZ_BUILD:-$ROOT/build}
ENDS=(python3 "$ROOT/selftests/net/tcp_ends.py")
SITE4=203.0.113.80 SITE6=2001:db8:ffff::80
BIN=$LZ_DIR/bin
INSTANCE=

policy()
{
	cat <<-END
	{ "version": 1, "name": "steer",
	  "interfaces": { "access": { "side": "customer", "match": ["$2"], "hook": "$1" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "offices": ["198.51.100.0/24", "2001:db8:2000::/36"] },
	  "never": ["192.0.2.1"],
	  "portal": { "url": "http://quarantine.example.net/", "contact": "abuse desk, +49 30 1234",
		      "provider": "Example Net" },
	  "gardens": { "leaky": { "mail": "smtp-554", "web": "page" },
		       "strict": { "mail": "smtp-554", "web": "page", "tls": "tcp-reset" } },
	  "classes": { "offices": { "of": ["offices"], "port25": "leave-alone" } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

ctl()
{
	lz_ns_run gw "$BUILD/lazaretctl" --instance "$INSTANCE" "$@"
}

daemon_start()
{
	lz_proc_start "daemon-$INSTANCE" gw "$BIN/lazaretd" --instance "$INSTANCE" \
		--policy "$LZ_DIR/$INSTANCE.json" --state "$LZ_DIR/state-$INSTANCE" \
		--run "/run/lazaret-$INSTANCE"
	lz_wait 10 ctl status
}

# get NAME ADDRESS [CURL-OPTION...]: what is served on port 80
get()
{
	local ns=$1 host=$2
	shift 2
	case $host in *:*) host="[$host]" ;; esac
	lz_ns_run "$ns" curl -s --max-time 3 "$@" "http://$host/"
}

# say NAME ADDRESS: what a mail server says first
say()
{
	lz_ns_run "$1" "${ENDS[@]}" greeting "$2" 25
}

# fast NAME ADDRESS PORT: refused, and at once
fast()
{
	lz_ns_run "$1" "${ENDS[@]}" refused "$2" "$3"
}

# steer_lab_up: the daemon's folder with the stand-in, gateway, customer segment, and the site
steer_lab_up()
{
	mkdir -p "$BIN" "$LZ_DIR/site"
	cp "$BUILD/lazaretd" "$BIN/lazaretd" && cp "$ROOT/selftests/lib/portal_standin.py" "$BIN/lazaret-portal" &&
		chmod 755 "$LZ_DIR" "$BIN" "$BIN/lazaret-portal" && lz_provider_add || return 1
	echo "the site" >"$LZ_DIR/site/index.html"
	: >"$LZ_DIR/came"
	lz_proc_start site world python3 -m http.server -d "$LZ_DIR/site" -b :: 80
	lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 25 443
	lz_port_wait 5 world 80 && lz_port_wait 5 world 25
}

# steer_daemon_start HOOK PORT: instance $INSTANCE, until its portal stands
steer_daemon_start()
{
	policy "$1" "$2" >"$LZ_DIR/$INSTANCE.json"
	daemon_start && lz_wait 15 grep -q event=portal-up "$LZ_DIR/log/daemon-$INSTANCE.log"
}
