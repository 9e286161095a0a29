#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The whole way of a held customer, everything real: he types any http address, sees the page,
# presses the button, and the very next request reaches the real site.  His mail server bounces with
# our words.  Meanwhile the portal is killed, and the neighbour notices nothing.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/ns.sh
. "$ROOT/selftests/lib/ns.sh"
# shellcheck source=selftests/lib/topology.sh
. "$ROOT/selftests/lib/topology.sh"
# shellcheck source=selftests/lib/mail.sh
. "$ROOT/selftests/lib/mail.sh"
# shellcheck source=selftests/lib/t.sh
. "$ROOT/selftests/lib/t.sh"
BUILD=${LZ_BUILD:-$ROOT/build}

lz_lab_enter 540 "$@"

HOME4=198.51.100.10 HOME6=2001:db8:2000::10
OFFICE4=198.51.101.10 OFFICE6=2001:db8:2000:1::10
SHOP4=198.51.102.10 SHOP6=2001:db8:2000:2::10
SITE4=203.0.113.80 SITE6=2001:db8:ffff::80
PORTAL_NAME=quarantine.example.net
LOG=$LZ_DIR/log/daemon.log

# policy PROVIDER
policy()
{
	cat <<-END
	{ "version": 1, "name": "page",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "offices": ["198.51.100.0/22", "2001:db8:2000::/36"] },
	  "never": ["192.0.2.1"],
	  "portal": { "url": "http://$PORTAL_NAME/", "contact": "Abuse desk, +49 30 555 0100",
		      "provider": "$1", "languages": ["en", "de"], "self-release": { "times": 2, "quiet": "0s" },
		      "listen": ["192.0.2.1:80", "[2001:db8:25::1]:80"],
		      "api": { "url": "https://api.example.net/captive", "listen": ["192.0.2.1:443"],
			       "certificate": "$LZ_DIR/tls/cert.pem", "key": "$LZ_DIR/tls/key.pem" } },
	  "gardens": { "leaky": { "mail": "smtp-554", "web": "page" },
		       "strict": { "mail": "smtp-554", "web": "page", "tls": "tcp-reset" } },
	  "ladders": { "slow": { "grace": "1h", "steps": ["garden:leaky 1h"] } },
	  "classes": { "offices": { "of": ["offices"], "port25": "leave-alone", "limits": [
	    { "name": "few", "count": "smtp-connections", "at-most": "5/1h", "then": "ladder:slow" } ] } },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

make_certificate()
{
	mkdir -p "$LZ_DIR/tls" && chmod 755 "$LZ_DIR" "$LZ_DIR/tls" &&
		openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=api.example.net \
			-addext subjectAltName=DNS:api.example.net -keyout "$LZ_DIR/tls/key.pem" \
			-out "$LZ_DIR/tls/cert.pem" 2>/dev/null && chown lazaret-portal "$LZ_DIR/tls/key.pem"
}

ctl()
{
	lz_ns_run gw "$BUILD/lazaretctl" --instance lab "$@"
}

daemon_start()
{
	lz_proc_start daemon gw "$BUILD/lazaretd" --instance lab --policy "$LZ_DIR/one.json" \
		--state "$LZ_DIR/state" --run /run/lazaret-lab
	lz_wait 25 ctl status && lz_wait 25 grep -q event=portal-ready "$LOG"
}

lab_up()
{
	lz_provider_add && lz_customer_add home "$HOME4" "$HOME6" && lz_customer_add office "$OFFICE4" "$OFFICE6" &&
		lz_customer_add shop "$SHOP4" "$SHOP6" && lz_customer_add late 198.51.103.10 2001:db8:2000:3::10 && lz_mx_start && make_certificate || return 1
	mkdir -p "$LZ_DIR/site" "$LZ_DIR/home"
	echo "<!doctype html><title>Real</title><h1>The real site</h1>" >"$LZ_DIR/site/index.html"
	cp "$LZ_DIR/site/index.html" "$LZ_DIR/site/news.html"
	lz_proc_start site4 world python3 -m http.server -d "$LZ_DIR/site" -b 0.0.0.0 80
	lz_proc_start site6 world python3 -m http.server -d "$LZ_DIR/site" -b "$SITE6" 80
	policy "Example Net" >"$LZ_DIR/one.json"
	policy "Another Net" >"$LZ_DIR/two.json"
	lz_port_wait 10 world 80 && daemon_start
}

# get NS [OPTION...] URL: as a program; names lead to the site's address
get()
{
	local ns=$1
	shift
	lz_ns_run "$ns" curl -s --max-time 5 --resolve "www.example.org:80:$SITE4" \
		--resolve "$PORTAL_NAME:80:$SITE4" --resolve "captive.apple.com:80:$SITE4" \
		--resolve "api.example.net:443:192.0.2.1" --cacert "$LZ_DIR/tls/cert.pem" "$@"
}

# browse NS URL: as a browser that follows where it is led
browse()
{
	get "$1" -L -H 'Accept: text/html' "$2"
}

# has TEXT: in what comes in; if not, that is shown
has()
{
	local text
	text=$(cat)
	grep -q -- "$1" <<<"$text" && return
	printf '%s\n' "$text" | sed '/<style/,/<\/style>/d; s/<[^>]*>//g; /^ *$/d' | head -n 30
	return 1
}

real()
{
	browse "$1" http://www.example.org/news.html | has 'The real site'
}

held()
{
	browse "$1" http://www.example.org/news.html | has 'is in quarantine'
}

# ---------------------------------------------------------------- the web

programs()
{
	t_ok "before: the real site" real home
	t_eq "a reason that would steer a terminal is refused, and not shown" \
		"$(ctl quarantine add "$HOME4" for 2h reason $'\e[2Jx' 2>&1)" \
		"lazaretctl: quarantine add: reason: has control characters (want one line of text)"
	t_ok "hold" ctl quarantine add "$HOME4" for 2h reason 'spam <b>run</b>' ticket RT-1
	t_ok "hold, strict" ctl quarantine add "$OFFICE6" for 2h garden strict
	t_ok "hold, strict" ctl quarantine add "$OFFICE4" for 2h garden strict
	t_eq "a program gets 511" "$(get home -o /dev/null -w '%{http_code}' http://www.example.org/x)" 511
	t_eq "a probe gets 302 to the page" "$(get home -o /dev/null -w '%{http_code} %{redirect_url}' \
		http://captive.apple.com/hotspot-detect.html)" "302 http://$PORTAL_NAME/"
	t_ok "a browser gets the page" held home
	t_ok "over IPv6 too" has 'Network Authentication Required' < <(get office "http://[$SITE6]/")
	t_ok "strict says so" has 'Everything else is stopped' < <(browse office http://www.example.org/)
	t_ok "no word of an operator's reason" no_reason
	t_ok "the neighbour sees the real site" real shop
	guesses
}

# Twenty lines at once and one a second, whatever a host does.
guesses()
{
	local token start_ms refused lines
	token=$(printf 'A%.0s' {1..43})
	start_ms=$(lz_now_ms)
	refused=$(get office -Z --parallel-max 10 --max-time 60 -o /dev/null -w '%{http_code}\n' --data "token=$token" \
		"http://$PORTAL_NAME/release#[1-100]" | grep -c 403)
	lines=$(grep -c event=self-release-refused "$LOG")
	echo "# $refused guesses at a token in $(($(lz_now_ms) - start_ms)) ms, $lines lines"
	t_ok "guesses at a token are refused" [ "$refused" -gt 60 ]
	t_ok "and the log stays short" [ "$lines" -le $((22 + ($(lz_now_ms) - start_ms) / 1000)) ]
	t_ok "he stays held" held office
}

no_reason()
{
	! browse home http://www.example.org/ | grep -qE 'run|RT-1'
}

captive_api()
{
	local url='"user-portal-url":"https://api.example.net/"'
	t_eq "api: captive" "$(get home https://api.example.net/captive)" "{\"captive\":true,$url}"
	t_eq "api: captive, from a strict garden" "$(get office https://api.example.net/captive)" \
		"{\"captive\":true,$url}"
	t_eq "api: the neighbour is not" "$(get shop https://api.example.net/captive)" "{\"captive\":false,$url}"
	t_ok "seven connections to port 25 of a host that may do five" seven_mails
	t_ok "api: free, and for how long still" lz_wait 5 in_grace
	t_ok "the page says when, and the case" has 'not restricted yet.*' < <(get late https://api.example.net/ | tr '\n' ' ' |
		grep 'Case number <span class="number">[0-9]')
	t_ok "the page over TLS" has 'is in quarantine' < <(get home https://api.example.net/)
}

# A ladder with an hour of grace: he is told, and in an hour he will be held.
seven_mails()
{
	for _ in 1 2 3 4 5 6 7; do
		lz_ns_run late nc -z -w 2 "$LZ_MX4" 25
	done
	true
}

in_grace()
{
	get late https://api.example.net/captive | jq -e '.captive == false and (."seconds-remaining" | . > 3000 and . <= 3600)'
}

# plain NS [OPTION...]: as a browser at the portal's own address, which nobody is led to
plain()
{
	local ns=$1
	shift
	lz_ns_run "$ns" curl -s --max-time 5 -H 'Accept: text/html' --resolve "$PORTAL_NAME:80:192.0.2.1" "$@" \
		"http://$PORTAL_NAME/"
}

# Who is not led to the page finds it at the portal's own address, each his own.
own_address()
{
	local token
	t_ok "own address: free" has 'Your connection is not restricted' < <(plain shop)
	t_ok "block25" ctl quarantine add "$SHOP4" block25 for 1h
	t_ok "blocked at port 25, the web is the real one" real shop
	t_ok "own address: blocked at port 25" has 'Sending mail from your connection is blocked' < <(plain shop)
	t_ok "own address: by its number too" has 'is blocked' < <(lz_ns_run shop curl -s --max-time 5 http://192.0.2.1/)
	t_ok "own address: over IPv6, another source" has 'is not restricted' < <(
		lz_ns_run shop curl -s --max-time 5 'http://[2001:db8:25::1]/')
	t_ok "own address: from a strict garden" has 'is in quarantine' < <(plain office)
	t_ok "own address: who was only told" has 'not restricted yet' < <(plain late)
	t_ok "throttle" ctl quarantine add "$SHOP4" throttle 10/min for 1h
	t_ok "own address: throttled" has 'is slowed down' < <(plain shop)
	token=$(plain shop | sed -n 's/.*name="token" value="\([^"]*\)".*/\1/p')
	t_ok "own address: his button is there" test "$token"
	lz_ns_run late curl -s --max-time 5 -o /dev/null --data "token=$token" http://192.0.2.1/release
	t_ok "own address: which nobody else can press" has 'is slowed down' < <(plain shop)
	t_ok "own address: it lets him out" has 'is free again' < <(
		lz_ns_run shop curl -s --max-time 5 --data "token=$token" http://192.0.2.1/release)
	t_ok "own address: free again" has 'Your connection is not restricted' < <(plain shop)
}

# What packets do not meet nobody is told that he meets; the entry stays.
not_enforced()
{
	local how
	policy "Example Net" | jq --arg a "$OFFICE4" --arg b "$OFFICE6" '.never += [$a, $b]' >"$LZ_DIR/never.json"
	policy "Example Net" | jq '.mode = "monitor"' >"$LZ_DIR/monitor.json"
	t_ok "bypass: on" ctl -q bypass on for 1h
	words_are_free bypass "the bypass is on"
	t_ok "bypass: why has both" said_of '.verdict == "bypass: everything passes" and .grade == "garden:strict"' "" why "$OFFICE4"
	t_ok "bypass: off" ctl -q bypass off
	for how in never:never-list monitor:monitor; do
		t_ok "${how%:*}: applied" ctl -q policy apply "$LZ_DIR/${how%:*}.json" --yes
		words_are_free "${how%:*}" "${how#*:}"
		t_ok "${how%:*}: why has the hold" said_of '.verdict == "held"' "" why "$OFFICE4"
		[ "$how" != never:never-list ] || one_of_a_key
		t_ok "${how%:*}: undone" ctl -q policy undo
	done
	t_ok "enforced again" held office
	t_ok "enforced again: the page, too" has 'is in quarantine' < <(plain office)
	t_eq "enforced again: api" "$(get office https://api.example.net/captive | jq .captive)" true
	t_ok "enforced again: why says no more of it" said_of '.enforced == null and .not_enforced == null' "" why "$OFFICE4"
	t_ok "enforced again: nor does the list" said_of '.unenforced == null' "" quarantine list
}

# One address of an IPv6 key is on the never-list: his neighbours in it are held.
one_of_a_key()
{
	t_ok "never, one of a key: his mail server is the real one" has '^220 ' < <(
		lz_ns_run office timeout 5 nc -q 1 "$LZ_MX6" 25 <<<QUIT)
	t_ok "never, one of a key: the page" has 'is not restricted' < <(
		lz_ns_run office curl -s --max-time 5 'http://[2001:db8:25::1]/')
	t_ok "never, one of a key: why" said_of '.enforced == false' "" why "$OFFICE6"
	t_ok "never, one of a key: why of another one" said_of '.verdict == "held" and .enforced == null' "" \
		why "${OFFICE6%::*}::77"
}

# words_are_free WHAT WHY: of a held host that nothing is enforced of
# shellcheck disable=SC2016 # jq's
words_are_free()
{
	t_ok "$1: the web is the real one" real office
	t_eq "$1: api: not captive" "$(get office https://api.example.net/captive | jq .captive)" false
	t_ok "$1: the page" has 'Your connection is not restricted' < <(plain office)
	t_ok "$1: why" said_of '.enforced == false and (.not_enforced | contains($why))' "$2" why "$OFFICE4"
	t_ok "$1: show, and nothing else beside it" said_of \
		'.enforced == false and (.not_enforced | contains($why)) and .note == null' "$2" quarantine show "$OFFICE4"
	t_ok "$1: list" said_of '.unenforced > 0 and (.entries[] | select(.address == $host) |
		.enforced == false and (.not_enforced | contains($why)))' "$2" quarantine list
	t_ok "$1: for people" grep -q "not enforced: .*$2" <(ctl quarantine list)
	t_eq "$1: in 80 columns" "$({ ctl quarantine list; ctl quarantine show "$OFFICE4"; ctl why "$OFFICE4"; } |
		awk '/enforced/ && length > 80')" ""
}

# said_of EXPRESSION WHY COMMAND...
said_of()
{
	local expression=$1 why=$2
	shift 2
	ctl -j "$@" | tee "$LZ_DIR/said.json" | jq -e --arg why "$why" --arg host "$OFFICE4" "$expression" >/dev/null && return
	cat "$LZ_DIR/said.json"
	return 1
}

browser()
{
	local out=$LZ_DIR/browser.out
	mkdir -p "$BUILD/screens"
	lz_proc_start idle office python3 "$ROOT/selftests/net/tcp_ends.py" idle $SITE4 80
	t_ok "who has an idle connection is released meanwhile" idle_and_free
	HOME=$LZ_DIR/home lz_ns_run home /usr/bin/python3 "$ROOT/selftests/net/browser.py" "$BUILD/screens" \
		$SITE4 'The real site' >"$out" 2>&1
	t_eq "a real browser: page, button, real site" "$?" 0
	grep -v '^ok' "$out" | sed 's/^/# /'
	t_ok "the idle connection was ended by the portal, in order, within 17 s" idle_ended
	t_ok "hold again, strict" ctl quarantine add "$OFFICE4" for 2h garden strict
	t_ok "free afterwards" real home
	t_eq "api: no longer captive" "$(get home https://api.example.net/captive | jq .captive)" false
	t_ok "the timeline says who" timeline_has home self
}

# Led on after the release, or the portal's last word would be a reset of the real site's.
idle_and_free()
{
	lz_wait 3 has_connection && ctl quarantine del "$OFFICE4" && real office
}

has_connection()
{
	lz_ns_run office ss -Htn state established "dport = :80" | grep -q "$SITE4"
}

idle_ended()
{
	local took_s
	lz_wait 20 eval '! lz_proc_alive idle'
	took_s=$(cat "$LZ_DIR/log/idle.log")
	echo "$took_s"
	[ "$took_s" -ge 10 ] && [ "$took_s" -le 17 ]
}

timeline_has()
{
	ctl quarantine show "$HOME4" | tee "$LZ_DIR/timeline" | grep -qi "$2"
}

# ---------------------------------------------------------------- mail

mail_truth()
{
	t_ok "hold again" ctl quarantine add "$HOME4" for 2h
	lz_ns_run home swaks --server "$LZ_MX4" --timeout 10 --helo "pc.example.net" --from a@example.net \
		--to bob@example.org >"$LZ_DIR/swaks.out" 2>&1
	t_ok "swaks is told 554 and where to look" has "554 5.7.1 .*http://$PORTAL_NAME/ (case [0-9]*)" <"$LZ_DIR/swaks.out"
	t_ok "over IPv6" has "554 5.7.1 .*$PORTAL_NAME" < <(lz_ns_run office timeout 5 nc -q 1 "$LZ_MX6" 25 <<<QUIT)
	lz_ns_run home timeout 5 nc -q 1 "$LZ_MX4" 25 <<<$'EHLO \e[2J<b>evil\r\nQUIT\r' >/dev/null
	t_ok "a HELO is evidence" lz_wait 5 helo_is_told
	t_ok "shown without its control characters" no_control
	t_need own_mta
	t_ok "bounces with our words" lz_wait 15 bounced || sed 's/^/# /' "$LZ_DIR/mta/mail.log"
	t_eq "and none of it arrived" "$(lz_mx_count 'Subject: from the bot')" 0
	t_ok "the neighbour's mail arrives" lz_mail_send shop "$LZ_MX4" shop@example.com bob@example.org neighbour
}

helo_is_told()
{
	ctl -j quarantine show "$HOME4" | tee "$LZ_DIR/show.json" |
		jq -e '.. | strings | select(contains("HELO \u0027\\x1b[2J<b>evil\u0027"))'
}

no_control()
{
	! { cat "$LOG"; ctl quarantine show "$HOME4"; ctl why "$HOME4"; } | grep -q $'\e'
}

# A customer's Postfix that takes a greeting for an answer; its default asks the next server first.
own_mta()
{
	postfix_start mta home <<-END && lz_port_wait 10 home 25 &&
		myhostname = mail.home.example.net
		mynetworks = 127.0.0.0/8
		smtp_skip_5xx_greeting = no
		relayhost = [203.0.113.25]
		virtual_mailbox_domains = home.example.net
		virtual_mailbox_base = $LZ_DIR/mta/mail
		virtual_mailbox_maps = static:box/
		virtual_uid_maps = static:$(id -u nobody)
		virtual_gid_maps = static:$(id -g nobody)
		virtual_transport = virtual
	END
		mkdir -p "$LZ_DIR/mta/mail/box" && chown -R nobody "$LZ_DIR/mta/mail" &&
		lz_ns_run home swaks --server 127.0.0.1 --timeout 10 --from anna@home.example.net \
			--to bob@example.org --header 'Subject: from the bot' --suppress-data
}

bounced()
{
	grep -lrs "554 5.7.1" "$LZ_DIR/mta/mail/box/new" | xargs -r grep -ls "$PORTAL_NAME" | grep -q .
}

# ---------------------------------------------------------------- faults

# A new certificate is used without a word to anybody.
renewal()
{
	cp -rp "$LZ_DIR/tls" "$LZ_DIR/tls.old"
	t_need make_certificate
	t_ok "a renewed certificate is in use" lz_wait 15 new_certificate
	cp -rpf "$LZ_DIR/tls.old/." "$LZ_DIR/tls"
	t_ok "so is an older one that was put back" lz_wait 15 new_certificate
	t_ok "and the page is there" lz_wait 5 held office
}

new_certificate()
{
	lz_ns_run home openssl s_client -connect 192.0.2.1:443 -servername api.example.net </dev/null 2>/dev/null |
		openssl x509 -noout -serial | grep -qxF "$(openssl x509 -noout -serial -in "$LZ_DIR/tls/cert.pem")"
}

portal_pid()
{
	lz_ns_run gw pgrep -x lazaret-portal
}

faults()
{
	local pid signal
	pid=$(portal_pid)
	for signal in USR1 USR2 HUP ALRM; do
		kill -"$signal" "$pid"
	done
	sleep 1
	t_eq "signals that are meant for others: the portal is the same" "$(portal_pid)" "$pid"
	t_ok "and the page is there" held office
	kill -STOP "$pid"
	t_ok "portal hung: held all the same" not_real office
	t_ok "it is ended and started again" lz_wait 40 is_another "$pid"
	t_ok "the page is back" lz_wait 15 held office
	t_ok "the log says why" grep -q event=portal-hangs "$LOG"
	pid=$(portal_pid)
	kill -KILL "$pid"
	t_ok "portal killed: held all the same" not_real office
	t_ok "it comes back" lz_wait 15 held office
	t_ok "and is another process" [ "$(portal_pid)" != "$pid" ]
	t_ok "another policy: apply" ctl policy apply "$LZ_DIR/two.json" --yes
	t_ok "another policy: the page says it" lz_wait 15 says_another
	kill -KILL "${LZ_PROC[daemon]}"
	wait "${LZ_PROC[daemon]}" 2>/dev/null
	t_ok "daemon killed: held all the same" not_real office
	: >"$LOG"
	t_need daemon_start
	t_ok "the page is back" lz_wait 15 held office
	t_ok "the neighbour noticed nothing" real shop
}

is_another()
{
	local now
	now=$(portal_pid) && [ -n "$now" ] && [ "$now" != "$1" ]
}

not_real()
{
	! real "$1"
}

says_another()
{
	browse office http://www.example.org/ | has 'Another Net'
}

t_need lab_up
programs
captive_api
own_address
not_enforced
browser
mail_truth
renewal
faults
t_end
