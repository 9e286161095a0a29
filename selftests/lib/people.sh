# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2086 # addresses, for whoever sources this; without blanks
#
# Three customers who will be held, a neighbour who will not, a world with web, mail, a name server
# and the time, and what each of them does with the programs that people have.  After ns.sh,
# topology.sh, mail.sh and t.sh; needs ROOT and BUILD.

ENDS=(python3 "$ROOT/selftests/net/tcp_ends.py")
MORE_ENDS=(python3 "$ROOT/selftests/net/garden_ends.py")

BOT4=198.51.100.10 BOT6=2001:db8:2000:10::10	# held, leaky
PC4=198.51.100.11 PC6=2001:db8:2000:11::10	# held, strict
CAM4=198.51.100.12 CAM6=2001:db8:2000:12::10	# held, strict with nothing open
SITE4=203.0.113.80 SITE6=2001:db8:ffff::80
DEB4=203.0.113.90 DEB6=2001:db8:ffff::90
CLOCK4=203.0.113.123
RESOLVER4=192.0.2.53 RESOLVER6=2001:db8:25::53
OTHER_RESOLVER=203.0.113.53
PORTAL_NAME=quarantine.example.net
CHRONYD=$BUILD/deps/chrony/usr/sbin/chronyd

# ---------------------------------------------------------------- the lab

customers_add()
{
	lz_customer_add bot $BOT4 $BOT6 && lz_customer_add pc $PC4 $PC6 && lz_customer_add cam $CAM4 $CAM6 &&
		lz_customer_add office 198.51.100.20 2001:db8:2000:20::10
}

web_start()
{
	mkdir -p "$LZ_DIR/site" && echo "The real site" >"$LZ_DIR/site/index.html" &&
		openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=www.example.org \
			-keyout "$LZ_DIR/site.key" -out "$LZ_DIR/site.pem" 2>/dev/null || return 1
	lz_proc_start web world "${MORE_ENDS[@]}" site "$LZ_DIR/site" "$LZ_DIR/site.pem" "$LZ_DIR/site.key"
	lz_proc_start smtps world "${ENDS[@]}" serve "$LZ_DIR/came" 465 8443
	lz_port_wait 10 world 80 && lz_port_wait 10 world 443 && lz_port_wait 10 world 465
}

# dns_start NAME NS ADDRESS...: a name server there
dns_start()
{
	local name=$1 ns=$2
	local -a listen=()
	shift 2
	for address; do
		listen+=("--listen-address=$address")
	done
	printf '%s\n' "$SITE4 www.example.org" "$DEB4 deb.example.net" "$DEB6 deb.example.net" >"$LZ_DIR/hosts.dns"
	lz_proc_start "$name" "$ns" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
		--addn-hosts="$LZ_DIR/hosts.dns" --local-ttl=60 "${listen[@]}" --bind-interfaces \
		--user=root --pid-file="$LZ_DIR/$name.pid"
	lz_wait 5 udp_listens "$ns" "$1" 53
}

udp_listens()
{
	lz_ns_run "$1" ss -Hlun "src = $2:$3" | grep -q .
}

# A stratum-1 server that leaves this machine's clock alone (-x).
clock_start()
{
	[ -x "$CHRONYD" ] || { echo "no chronyd in $BUILD/deps; run make deps"; return 1; }
	printf '%s\n' "local stratum 1" "allow all" "bindaddress $CLOCK4" "cmdport 0" "bindcmdaddress /" \
		"pidfile $LZ_DIR/clock.pid" >"$LZ_DIR/clock.conf"
	lz_proc_start clock world "$CHRONYD" -x -d -u root -f "$LZ_DIR/clock.conf"
	lz_wait 5 udp_listens world $CLOCK4 123
}

lab_up()
{
	lz_provider_add && customers_add && lz_mx_start && web_start && clock_start &&
		lz_addr_add smarthost eth0 $RESOLVER4/24 $RESOLVER6/64 &&
		dns_start resolver smarthost $RESOLVER4 $RESOLVER6 &&
		dns_start other world $OTHER_RESOLVER && lz_wait 5 names pc $RESOLVER6
}

day_start()
{
	: >"$LZ_DIR/day.web"
	: >"$LZ_DIR/day.mail"
	lz_proc_start day office "${MORE_ENDS[@]}" day "$LZ_DIR/day.web" "$LZ_DIR/day.mail" \
		$SITE4 $SITE6 -- "$LZ_MX4" "$LZ_MX6"
	lz_wait 5 grep -q ok "$LZ_DIR/day.mail"
}

day_end()
{
	local web mail
	lz_proc_stop day
	web=$(wc -l <"$LZ_DIR/day.web") mail=$(wc -l <"$LZ_DIR/day.mail")
	grep -h no "$LZ_DIR/day.web" "$LZ_DIR/day.mail" | sed 's/^/# /'
	echo "# the neighbour: $web pages, $mail messages"
	t_ok "the neighbour had a long day" test "$web" -ge 80 -a "$mail" -ge 80
	t_eq "the neighbour: no page was lost" "$(grep -c no "$LZ_DIR/day.web")" 0
	t_eq "the neighbour: no message was lost" "$(grep -c no "$LZ_DIR/day.mail")" 0
	t_ok "the neighbour: all of them arrived" lz_wait 10 day_arrived "$mail"
}

day_arrived()
{
	[ "$(lz_mx_count 'Subject: an ordinary day')" = "$1" ]
}

# ---------------------------------------------------------------- what people do

# web NS URL [CURL-OPTION...]: "STATUS BODY" as a program gets it, at most 2 s
web()
{
	local ns=$1 url=$2
	shift 2
	lz_ns_run "$ns" curl -s -k --max-time 2 -w '\n%{http_code}' "$@" "$url"
}

code()
{
	web "$@" | tail -n 1
}

real()
{
	web "$@" | grep -q 'The real site'
}

not()
{
	! "$@"
}

# page NS URL: as a browser, which follows where it is led, in the same family
page()
{
	local portal=$SITE4
	case $2 in *\[*) portal=[$SITE6] ;; esac
	web "$1" "$2" -L -H 'Accept: text/html' --resolve "$PORTAL_NAME:80:$portal" | grep -q 'is in quarantine'
}

# fails_fast NS URL: not reached, and said so within a second
fails_fast()
{
	local since
	since=$(lz_now_ms)
	not real "$@" && [ $(($(lz_now_ms) - since)) -lt 1000 ]
}

# told_554 NS MX: a mail program is told why, and where to look
told_554()
{
	lz_mail_send "$1" "$2" a@example.net bob@example.org "spam from $1" 2>&1 | tee "$LZ_DIR/swaks" |
		grep -q "<.*554 5\.7\.1 .*http://$PORTAL_NAME/" || { cat "$LZ_DIR/swaks"; return 1; }
}

names()
{
	lz_ns_run "$1" timeout 2 busybox nslookup www.example.org "$2" | grep -q "$SITE4"
}

clock()
{
	lz_ns_run "$1" timeout 6 "$CHRONYD" -Q -t 3 -u root "server $CLOCK4 iburst maxsamples 1" \
		"pidfile $LZ_DIR/clock-$1.pid" "cmdport 0" "bindcmdaddress /" 2>&1 | grep -q 'System clock wrong by'
}

# tcp NS ADDRESS PORT, refused NS ADDRESS PORT
tcp()
{
	lz_ns_run "$1" "${ENDS[@]}" once "$2" "$3"
}

refused()
{
	lz_ns_run "$1" "${ENDS[@]}" refused "$2" "$3"
}

greeting()
{
	lz_ns_run "$1" "${ENDS[@]}" greeting "$2" "$3"
}

# A customer's own Postfix as its packagers made it: a greeting of 554 makes it ask again later.
own_mta_start()
{
	postfix_start mta bot <<-END && lz_port_wait 10 bot 25
		myhostname = mail.bot.example.net
		mynetworks = 127.0.0.0/8
		relayhost = [$LZ_MX4]
	END
}

queued_with_554()
{
	grep -q "status=deferred .*refused to talk to me: 554 5.7.1 .*http://$PORTAL_NAME/" "$LZ_DIR/mta/mail.log"
}
