#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the portal has of its own and can lack: an address of "listen" or "api" that another program listens on, a
# certificate or key that cannot be used.  Held hosts are led all the same, health names what is missing and why,
# and it comes back by itself.  A portal that ends because it shall is not told to be down, one that dies is.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 420 "$@"

HOME4=198.51.100.10
LOG=$LZ_DIR/log/daemon.log
TLS=$LZ_DIR/tls

# policy LISTEN CERTIFICATE
policy()
{
	cat <<-END
	{ "version": 1, "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "portal": { "url": "http://quarantine.example.net/", "contact": "Abuse desk", "provider": "Example Net",
		      "listen": [$1],
		      "api": { "url": "https://api.example.net/captive", "listen": ["192.0.2.1:443"],
			       "certificate": "$TLS/$2", "key": "$TLS/key.pem" } },
	  "sets": { "homes": ["198.51.100.0/24"] },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone" } } }
	END
}

# certificate_make: a new one, its key for user lazaret-portal
certificate_make()
{
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=api.example.net \
		-addext subjectAltName=DNS:api.example.net -keyout "$TLS/new.key" -out "$TLS/new.pem" 2>/dev/null &&
		chown lazaret-portal "$TLS/new.key" && mv "$TLS/new.key" "$TLS/key.pem" && mv "$TLS/new.pem" "$TLS/cert.pem"
}

lab_up()
{
	mkdir -p "$TLS" && chmod 755 "$LZ_DIR" "$TLS" && certificate_make &&
		lz_provider_add && lz_customer_add home "$HOME4" 2001:db8:2000::10 || return 1
	policy '"192.0.2.1:80"' cert.pem >"$LZ_DIR/one.json"
	policy '"192.0.2.1:80", "[2001:db8:25::1]:80"' cert.pem >"$LZ_DIR/two.json"
	policy '"192.0.2.1:80", "[2001:db8:25::1]:80"' gone.pem >"$LZ_DIR/gone.json"
	policy '"192.0.2.99:80"' cert.pem >"$LZ_DIR/elsewhere.json"
	sed "s,$TLS/,$LZ_DIR/closed/,g" "$LZ_DIR/two.json" >"$LZ_DIR/closed.json"
	sed 's/"version": 1,/& "ipv6-key": 56,/' "$LZ_DIR/two.json" >"$LZ_DIR/key56.json"
	other_start 80 && other_start 443
}

# other_start PORT: somebody else's server is there first
other_start()
{
	mkdir -p "$LZ_DIR/site" && echo other >"$LZ_DIR/site/index.html" &&
		lz_proc_start "other$1" gw python3 -m http.server -d "$LZ_DIR/site" -b 192.0.2.1 "$1" &&
		lz_port_wait 5 gw "$1"
}

# led: the web of a held host, and its mail
led()
{
	[ "$(lz_ns_run home curl -s -m 4 -o /dev/null -w '%{http_code}' http://203.0.113.80/)" = 511 ] &&
		lz_ns_run home timeout 4 nc -w 3 203.0.113.25 25 </dev/null | grep -q '^554 5.7.1'
}

# own [ADDRESS [TEXT]]: the page at an address of the portal's own
own()
{
	lz_ns_run home curl -s -m 4 -H 'Accept: text/html' "http://${1:-192.0.2.1}/" | grep -q "${2:-is in quarantine}"
}

# api CERTIFICATE: over TLS that this one vouches for
api()
{
	lz_ns_run home curl -s -m 4 --cacert "$1" --resolve api.example.net:443:192.0.2.1 \
		https://api.example.net/captive | grep -q '"captive":true'
}

# why CHECK TEXT: this check of health has failed, and this is why
why()
{
	ctl -j health | jq -e --arg n "$1" --arg t "$2" '.checks[] | select(.name == $n) | .why // "" | contains($t)' &&
		ctl status | grep -qF "ALARM: $1: "
}

one_fault()
{
	ctl -j health | jq -e '[.checks[] | select(.ok | not)] | length == 1'
}

# lines EVENT: of the log
lines()
{
	grep -c "event=$1 " "$LOG"
}

# ---------------------------------------------------------------- addresses

in_use()
{
	t_need daemon_start "$LZ_DIR/one.json"
	t_need ctl quarantine add "$HOME4" for 1h
	t_ok "both in use: led all the same" lz_wait 8 led
	t_ok "health names \"listen\"" why portal-listen '"listen": cannot listen on 192.0.2.1 port 80: Address already in use'
	t_ok "health names \"api\"" why portal-listen '"api": cannot listen on 192.0.2.1 port 443: Address already in use'
	t_ok "that is all that is wrong" lz_wait 5 one_fault
	t_ok "another policy" ctl -q policy apply "$LZ_DIR/two.json" --yes
	t_ok "the family that is free has its page" lz_wait 8 own '[2001:db8:25::1]' 'is not restricted'
	t_ok "the other is missed still" why portal-listen 'port 80: Address already in use'
	t_ok "led still" led
	comes_back
}

comes_back()
{
	local before
	before=$(lines portal-listen-failed)
	sleep 7
	t_eq "tried again and again, said once" "$(lines portal-listen-failed)" "$before"
	lz_proc_stop other80
	t_ok "port 80 is free: the page is there by itself" lz_wait 10 own
	t_ok "port 443 is missed still" lz_wait 5 why portal-listen 'port 443: Address already in use'
	kill -KILL "$(pgrep -x lazaretd-ctl || pgrep -P "${LZ_PROC[daemon]}" -x lazaretd | head -n 1)"
	t_ok "a new controller knows it, too" lz_wait 20 why portal-listen 'port 443: Address already in use'
	lz_proc_stop other443
	t_ok "port 443 is free: the API is there by itself" lz_wait 10 api "$TLS/cert.pem"
	t_ok "healthy" lz_wait 5 ctl health
	t_ok "and led" led
	t_need ctl quarantine del "$HOME4"
	t_need ctl quarantine add "$HOME4" for 1h block25
	t_ok "whom an operator holds may let himself out at once" own 192.0.2.1 'action="/release"'
	t_need ctl quarantine add "$HOME4" staff-only garden leaky
	t_ok "unless he leaves that to staff" not_own 192.0.2.1 'action="/release"'
	t_ok "the log says so" grep -q event=portal-listen-back "$LOG"
	t_ok "an address that this machine does not have: it may come" ctl -q policy apply "$LZ_DIR/elsewhere.json" --yes
	t_ok "healthy" lz_wait 5 ctl health
	lz_ns_run gw ip addr add 192.0.2.99/32 dev lo
	t_ok "it comes: the page is there" lz_wait 5 own 192.0.2.99
}

# ---------------------------------------------------------------- certificate and key

# As certbot does it: a new file that only root can read.
unreadable()
{
	cp "$TLS/cert.pem" "$LZ_DIR/last.pem"
	t_need certificate_make
	chown root "$TLS/key.pem" && chmod 600 "$TLS/key.pem"
	t_ok "a key for root only: health says whose, why, and what to do" lz_wait 15 why portal-api \
		"$TLS/key.pem: user lazaret-portal cannot read it: Permission denied"
	t_ok "what to do" why portal-api "chgrp lazaret-portal $TLS/key.pem; chmod 640 $TLS/key.pem"
	t_ok "that is all that is wrong" lz_wait 5 one_fault
	t_ok "doctor, too" grep -q "$TLS/key.pem: user lazaret-portal cannot read it" <(ctl doctor)
	t_ok "the certificate before it serves" lz_wait 5 api "$LZ_DIR/last.pem"
	t_ok "led" led
	kill -KILL "$(pgrep -x lazaret-portal)"
	t_ok "it outlives the portal" lz_wait 15 api "$LZ_DIR/last.pem"
	chgrp lazaret-portal "$TLS/key.pem" && chmod 640 "$TLS/key.pem"
	t_ok "done as told: the new one serves" lz_wait 15 api "$TLS/cert.pem"
	t_ok "healthy" lz_wait 5 ctl health
}

unusable()
{
	cp "$TLS/cert.pem" "$LZ_DIR/last.pem"
	openssl genrsa -out "$TLS/new.key" 2048 2>/dev/null && chown lazaret-portal "$TLS/new.key" &&
		cp -p "$TLS/key.pem" "$LZ_DIR/key.pem" && mv "$TLS/new.key" "$TLS/key.pem"
	t_ok "a key of another certificate: health says so" lz_wait 15 why portal-api "do not belong together"
	t_ok "the pair before it serves" lz_wait 5 api "$LZ_DIR/last.pem"
	t_ok "led" led
	daemon_kill
	: >"$LOG"
	t_need daemon_start ""
	t_ok "there is no pair before it: led" lz_wait 10 led
	t_ok "health says that there is no API" lz_wait 5 why portal-api "there is no API and no https page"
	t_ok "no API" not_api
	t_eq "the portal has not died of it" "$(lines portal-down)" 0
	cp -p "$LZ_DIR/key.pem" "$TLS/key.pem"
	t_ok "the key of this one: the API" lz_wait 15 api "$TLS/cert.pem"
	t_ok "healthy" lz_wait 5 ctl health
	t_ok "a policy with a certificate that is not there" ctl -q policy apply "$LZ_DIR/gone.json" --yes
	t_ok "health says so" lz_wait 15 why portal-api \
		"$TLS/gone.pem: user lazaret-portal cannot read it: No such file or directory; there is no API"
	t_ok "led" led
	t_ok "a policy with one that is" ctl -q policy apply "$LZ_DIR/two.json" --yes
	t_eq "which is not blamed for the other" "$(why portal-api "$TLS" >/dev/null && echo blamed)" ""
	t_ok "the API" lz_wait 15 api "$TLS/cert.pem"
	t_ok "healthy" lz_wait 5 ctl health
	t_ok "once more the one with a certificate that is not there" ctl -q policy apply "$LZ_DIR/gone.json" --yes
	t_ok "health says so" lz_wait 15 why portal-api "$TLS/gone.pem: user lazaret-portal cannot read it"
	cp "$TLS/cert.pem" "$TLS/gone.pem"
	t_ok "it is there: the API" lz_wait 15 api "$TLS/cert.pem"
	t_ok "healthy" lz_wait 5 ctl health
}

# The daemon sees nothing of it change: it is tried again each minute.
out_of_sight()
{
	mkdir -m 700 "$LZ_DIR/closed" && cp -p "$TLS/cert.pem" "$TLS/key.pem" "$LZ_DIR/closed"
	t_ok "a folder that only root may look into" ctl -q policy apply "$LZ_DIR/closed.json" --yes
	t_ok "health says so" lz_wait 15 why portal-api \
		"$LZ_DIR/closed/cert.pem: user lazaret-portal cannot read it: Permission denied; there is no API"
	chgrp lazaret-portal "$LZ_DIR/closed" && chmod 750 "$LZ_DIR/closed"
	t_ok "the portal may, the daemon may not: the API within a minute" lz_wait 75 api "$TLS/cert.pem"
	t_ok "healthy" lz_wait 5 ctl health
}

not_own()
{
	own "$1" && ! own "$@"
}

not_api()
{
	! api "$TLS/cert.pem"
}

# ---------------------------------------------------------------- ended on purpose

# portal_new PID: another one than this serves
portal_new()
{
	local pid
	pid=$(pgrep -x lazaret-portal) && [ "$pid" != "$1" ] && led
}

# well MS: health is, each time it is asked
well()
{
	local end_ms=$(($(lz_now_ms) + $1))
	while [ "$(lz_now_ms)" -lt "$end_ms" ]; do
		ctl health || return
	done
}

# controller_kill_until REST_MS: each one as it comes, until the next is not due before this
controller_kill_until()
{
	local end_ms=$(($(lz_now_ms) + 30000)) pid
	until [ "$(sed -n 's/.*event=controller-died .*restart_in_ms=//p' "$LOG" | tail -n 1)" -ge "$1" ]; do
		[ "$(lz_now_ms)" -lt "$end_ms" ] || return
		pid=$(pgrep -P "${LZ_PROC[daemon]}" -x lazaretd-ctl) && kill -KILL "$pid"
		sleep 0.02
	done
}

refused()
{
	lz_ns_run home curl -s -m 4 -o /dev/null http://203.0.113.80/
	[ $? = 7 ]
}

on_purpose()
{
	local pid
	daemon_stop
	t_need daemon_start ""
	t_need lz_wait 5 led
	pid=$(pgrep -x lazaret-portal)
	t_ok "another ipv6-key while the portal is young" ctl -q policy apply "$LZ_DIR/key56.json" --yes
	t_ok "healthy all the while" well 3000
	t_ok "there is another portal" lz_wait 5 portal_new "$pid"
	pid=$(pgrep -x lazaret-portal)
	kill -KILL "$(pgrep -P "${LZ_PROC[daemon]}" -x lazaretd-ctl)"
	t_ok "a new controller while it is young" lz_wait 20 ctl status
	t_ok "healthy all the while" well 3000
	t_ok "there is another portal" lz_wait 5 portal_new "$pid"
	t_ok "controllers that do not live" controller_kill_until 9000
	t_ok "nobody waits for a portal that has no gate" lz_wait 9 refused
	t_ok "a controller that lives: led" lz_wait 20 led
	t_eq "the portal was never down" "$(lines portal-down)" 0
	kill -KILL "$(pgrep -x lazaret-portal)"
	t_ok "one that dies is: health says so" lz_wait 2 why portal "ended by signal 9"
	t_eq "so does the log" "$(lines portal-down)" 1
	t_ok "it comes back" lz_wait 8 ctl health
	daemon_stop
	t_need daemon_start ""
	t_need lz_wait 5 led
	daemon_stop
	t_eq "a regular stop while it is young is no error" "$(grep -c level=error "$LOG")" 0
}

t_need lab_up
in_use
unreadable
unusable
out_of_sight
on_purpose
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
