#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Host names in sets: a held customer in a strict garden reaches the hosts of a name, also when its
# addresses change, the name server dies or the daemon is killed; and nothing else.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 420 "$@"

HELD=198.51.100.10
DNS=203.0.113.53

# policy NAME SET NAMES [MORE-ALLOWED]
policy()
{
	cat >"$LZ_DIR/$1.json" <<-END
	{ "version": 1, "name": "$1",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" } },
	  "sets": { "offices": ["198.51.100.0/24", "2001:db8:2000::/36"], "mirrors": ["203.0.113.90"],
		    "$2": [{ "names": [$3] }] },
	  "name-servers": ["$DNS"],
	  "gardens": { "leaky": {}, "strict": { "allow": [${4:-}"$2"] } },
	  "classes": { "offices": { "of": ["offices"], "port25": "leave-alone" } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

# reach ADDRESS [PORT]: by the held one
reach()
{
	lz_ns_run shop "${ENDS[@]}" once "$1" "${2:-443}"
}

shut()
{
	! reach "$@"
}

# known NAME ADDRESS...: exactly these, in any order
known()
{
	local name=$1
	shift
	[ "$(ctl -j status | jq -r --arg n "$name" '.names.list[] | select(.name == $n).addresses | sort | join(" ")')" = \
		"$(printf '%s\n' "$@" | sort | paste -sd' ')" ]
}

names_fail()
{
	ctl -j health | jq -e '.checks[] | select(.name == "names") | .ok == false'
}

# hosts LINE...: what the name server answers from now on
hosts()
{
	printf '%s\n' "$@" >"$LZ_DIR/hosts.dns"
	! lz_proc_alive dns || kill -HUP "${LZ_PROC[dns]}"
}

dns_start()
{
	lz_proc_start dns world dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --local=/example.net/ \
		--addn-hosts="$LZ_DIR/hosts.dns" --local-ttl=1 --listen-address="$DNS" --bind-interfaces \
		--user=root --pid-file="$LZ_DIR/dns.pid" --log-queries --log-facility=-
	lz_wait 5 dns_listens
}

dns_listens()
{
	lz_ns_run world ss -Hlun "src = $DNS:53" | grep -q .
}

# until_s ADDRESS4: of the entry in the data plane, seconds from now
until_s()
{
	local -a bytes
	IFS=. read -ra bytes <<<"$1"
	bpftool -j map lookup pinned "$PIN" key 0 0 0 0 0 0 0 0 0 0 255 255 "${bytes[@]}" |
		jq -r '.formatted.value.until_s' | awk -v now="$(cut -d. -f1 /proc/uptime)" '{ print $1 - now }'
}

t_need lz_provider_add
t_need lz_customer_add shop "$HELD" 2001:db8:2000::10
hosts "203.0.113.70 deb.example.net" "2001:db8:ffff::70 deb.example.net" "203.0.113.71 av.example.net" \
	"127.0.0.1 evil.example.net" "224.0.0.1 evil.example.net"
t_need dns_start
policy names updates '"deb.example.net", "av.example.net"'
policy moved patches '"deb.example.net"' '"mirrors", '
policy evil updates '"evil.example.net", "gone.example.net", "deb.example.net"'
: >"$LZ_DIR/came"
lz_proc_start server world "${ENDS[@]}" serve "$LZ_DIR/came" 443 8443
t_need lz_port_wait 5 world 443
t_need daemon_start "$LZ_DIR/names.json"

# ---------------------------------------------------------------- what a name opens

t_ok "hold in the strict garden" ctl -q quarantine add "$HELD" for 1h garden strict
t_ok "and his IPv6" ctl -q quarantine add 2001:db8:2000::10 for 1h garden strict
t_ok "names are looked up" lz_wait 10 known deb.example.net 203.0.113.70 2001:db8:ffff::70
t_ok "the other one, too" lz_wait 5 known av.example.net 203.0.113.71
t_ok "its host is reached" reach 203.0.113.70
t_ok "on any port" reach 203.0.113.70 8443
t_ok "over IPv6" reach 2001:db8:ffff::70
t_ok "the host of the other one" reach 203.0.113.71
t_ok "nothing else" shut 203.0.113.72
t_ok "nothing else over IPv6" shut 2001:db8:ffff::71
PIN=$(find /sys/fs/bpf/lazaret-lab -name '*lz_learnt' | head -n 1)
t_ok "the entry is pinned" test -n "$PIN"
LEFT=$(until_s 203.0.113.70)
t_ok "it lasts a day beyond its TTL, and no longer" test "$LEFT" -gt 86380 -a "$LEFT" -le 86431
t_eq "asked by the teller, not by the controller" "$(pgrep -x lazaretd-tell | wc -l)" 1

# ---------------------------------------------------------------- another answer

hosts "203.0.113.72 deb.example.net" "203.0.113.71 av.example.net" "127.0.0.1 evil.example.net"
t_ok "its address changes: known within the TTL" lz_wait 40 known deb.example.net 203.0.113.72
t_ok "the new one is reached" reach 203.0.113.72
t_ok "the old one is closed" lz_wait 20 shut 203.0.113.70
t_ok "the neighbour's stays" reach 203.0.113.71

# ---------------------------------------------------------------- another policy

t_ok "a policy where the name is in another set" ctl -q policy apply "$LZ_DIR/moved.json"
t_ok "its host is reached at once" reach 203.0.113.72
t_ok "what is named no more is closed" lz_wait 10 shut 203.0.113.71
t_ok "the new set's addresses are open" reach 203.0.113.90
t_ok "a policy on trial" ctl -q policy apply "$LZ_DIR/names.json" --confirm 8
t_ok "on trial: reached" reach 203.0.113.72
sleep 8.5
t_ok "back again: reached" reach 203.0.113.72

# ---------------------------------------------------------------- nobody answers

lz_proc_stop dns
t_ok "a failure is logged" lz_wait 60 grep -q "event=name-not-found name=deb.example.net" "$LZ_DIR/log/daemon.log"
t_ok "no name server: the last answer stays" reach 203.0.113.72
t_ok "and is no alarm yet" ctl health
daemon_kill
t_ok "no daemon either" reach 203.0.113.72
t_need daemon_start "$LZ_DIR/names.json"
t_ok "a new daemon, no name server: it stays" reach 203.0.113.72
t_ok "not known to this daemon: health says so" lz_wait 20 names_fail
hosts "203.0.113.73 deb.example.net" "127.0.0.1 evil.example.net" "224.0.0.1 evil.example.net"
t_need dns_start
t_ok "the name server is back" lz_wait 40 known deb.example.net 203.0.113.73
t_ok "what an earlier daemon learnt goes" lz_wait 10 shut 203.0.113.72
t_ok "healthy" lz_wait 5 ctl health

# ---------------------------------------------------------------- bad answers

t_ok "a name that is not there, one that lies" ctl -q policy apply "$LZ_DIR/evil.json"
t_ok "not there: named" lz_wait 20 grep -q "name=gone.example.net why=.*not found" "$LZ_DIR/log/daemon.log"
t_ok "loopback and multicast: refused" lz_wait 20 grep -q "name=evil.example.net why=\"no address of a host" "$LZ_DIR/log/daemon.log"
t_ok "the good one is not kept waiting" reach 203.0.113.73
t_eq "not healthy" "$(status_of ctl health)" 2

daemon_kill
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 40
t_end
