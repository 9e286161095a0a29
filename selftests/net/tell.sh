#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Telling others: a hook, a webhook and mail arrive at real receivers, whoever is killed, refuses or
# hangs in between; and nobody waits for them.
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

lz_lab_enter 540 "$@"
# shellcheck source=selftests/lib/lazaretd.sh
. "$ROOT/selftests/lib/lazaretd.sh"

HOOKS=$LZ_DIR/hooks
CAME=$LZ_DIR/webhooks

# policy NAME HOOK WEBHOOK-URL VIA [MORE]
policy()
{
	cat >"$LZ_DIR/$1.json" <<-END
	{ "version": 1, "name": "$1",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" } },
	  "sets": { "offices": ["198.51.100.0/24", "2001:db8:2000::/36"] },
	  "customers": { "list": { "C-100": ["198.51.100.10"] } },
	  "classes": { "offices": { "of": ["offices"], "port25": "leave-alone" } },
	  "tell": { "hook": "$2",
		    "webhook": { "url": "$3", "secret-file": "$LZ_DIR/webhook.key" },
		    "mail": { "to": "queue@example.org", "from": "lazaret@gw.example.net", "via": "$4" } ${5:-} },
	  "capacity": { "sources": 4096, "colony": 4096 } }
	END
}

nobody_left()
{
	! pgrep -x 'lazaretd-ctl|lazaretd-tell' >/dev/null
}

# post CASE WAY...: into the outbox; the daemon is down. The keys are printed.
post()
{
	python3 "$ROOT/selftests/net/outbox.py" "$STATE/ledger.db" "$@"
}

# later_post CASE WAY...: the same with a daemon that runs before and after; sets KEYS.
later_post()
{
	daemon_kill
	t_need lz_wait 5 nobody_left
	mapfile -t KEYS < <(post "$@")
	t_need daemon_start "$LZ_DIR/all.json"
}

waiting()
{
	[ "$(ctl -j status | jq .outbox.waiting)" = "$1" ]
}

failing_says()
{
	ctl -j status | jq -e --arg w "$1" --arg t "$2" \
		'.outbox.failing | .way == $w and (.why | contains($t))'
}

taken()
{
	[ "$(jq -rs --arg k "$1" '[.[] | select(.key == $k and .verdict == "taken")] | length' "$CAME")" = "${2:-1}" ]
}

teller_pid()
{
	pgrep -x lazaretd-tell
}

controller_pid()
{
	pgrep -x lazaretd-ctl
}

# ---------------------------------------------------------------- receivers

# The mail server of the gateway itself, with the program that mail is handed to. It has no
# set-group-ID bit, and would have no use of it: the account is a member of its group instead.
gateway_mta_start()
{
	postfix_mount && postfix_make_queue "$LZ_DIR/mta" && {
		postfix_print_main "$LZ_DIR/mta" | sed 's/^inet_interfaces = .*/inet_interfaces = 127.0.0.1/' &&
			printf '%s\n' 'myhostname = gw.example.net' 'relayhost = [203.0.113.25]' \
				"export_environment = TZ MAIL_CONFIG LD_LIBRARY_PATH=$LZ_POSTFIX/usr/lib/postfix"
	} >"$LZ_DIR/mta/etc/main.cf" && {
		postfix_print_services && echo 'pickup unix n - n 1 1 pickup'
	} >"$LZ_DIR/mta/etc/master.cf" && touch -d '1 minute ago' "$LZ_DIR/mta/etc/main.cf" &&
		lz_proc_start mta gw env LD_LIBRARY_PATH="$LZ_POSTFIX/usr/lib/postfix" \
			"$LZ_POSTFIX/usr/lib/postfix/sbin/master" -d -c "$LZ_DIR/mta/etc" &&
		lz_port_wait 10 gw 25
}

# A copy of the machine's /etc and /usr/sbin, to put things there as an installation would.
machine_copy()
{
	cp -a /etc "$LZ_DIR/etc" && mount --bind "$LZ_DIR/etc" /etc &&
		cp -a /usr/sbin "$LZ_DIR/sbin" && mount --bind "$LZ_DIR/sbin" /usr/sbin
}

sendmail_add()
{
	sed -i 's/^postdrop:.*:$/&lazaret/' /etc/group && mkdir -p /etc/postfix &&
		echo "alternate_config_directories = $LZ_DIR/mta/etc" >/etc/postfix/main.cf &&
		cat >/usr/sbin/sendmail <<-END && chmod 755 /usr/sbin/sendmail
	#!/bin/sh
	export LD_LIBRARY_PATH=$LZ_POSTFIX/usr/lib/postfix MAIL_CONFIG=$LZ_DIR/mta/etc
	exec $LZ_POSTFIX/usr/sbin/sendmail "\$@"
	END
}

# hook_add NAME, script on stdin
hook_add()
{
	cat >"$HOOKS/$1" && chmod 755 "$HOOKS/$1"
}

certificate_make()
{
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=hooks.example.net \
		-addext subjectAltName=DNS:hooks.example.net -keyout "$LZ_DIR/tls.key" -out "$LZ_DIR/tls.pem" 2>/dev/null &&
		echo 127.0.0.1 hooks.example.net >>/etc/hosts
}

t_need lz_provider_add
t_need lz_customer_add shop 198.51.100.10 2001:db8:2000::10
t_need machine_copy
t_need lz_mx_start
t_need gateway_mta_start
t_need sendmail_add
t_need certificate_make
mkdir -p "$HOOKS" "$LZ_DIR/said"
chown lazaret "$LZ_DIR/said"
echo "a secret of more than 16 bytes" >"$LZ_DIR/webhook.key"
chgrp lazaret "$LZ_DIR/webhook.key"
chmod 640 "$LZ_DIR/webhook.key"
: >"$CAME"
hook_add note <<-END
#!/bin/sh
{ echo "args=\$*"; cat; echo; env; pwd; id -u; } >$LZ_DIR/said/note
END
hook_add hang <<-END
#!/bin/sh
: >$LZ_DIR/said/hung
sleep 120
END
hook_add loud <<-END
#!/bin/sh
printf 'no such case\033[2J\nlevel=error event=forged'
exit 3
END
lz_proc_start hooks gw python3 "$ROOT/selftests/net/hook_server.py" 8080 "$LZ_DIR/webhook.key" "$CAME"
lz_proc_start hooks-tls gw python3 "$ROOT/selftests/net/hook_server.py" 8443 "$LZ_DIR/webhook.key" "$CAME" \
	"$LZ_DIR/tls.pem" "$LZ_DIR/tls.key"
t_need lz_port_wait 5 gw 8080
t_need lz_port_wait 5 gw 8443
policy all "$HOOKS/note" http://127.0.0.1:8080/take sendmail
policy named "$HOOKS/note" http://127.0.0.1:8080/take sendmail ', "address": true'
policy smtp "$HOOKS/note" http://127.0.0.1:8080/twice smtp://203.0.113.25
policy stuck "$HOOKS/hang" https://hooks.example.net:8443/take smtp://127.0.0.1:26
policy odd "$HOOKS/loud" http://127.0.0.1:8080/away smtp://203.0.113.25
policy foreign "$LZ_DIR/said/mine" http://127.0.0.1:8080/large smtp://203.0.113.25

# ---------------------------------------------------------------- before the start

# What preflight says of mail in policy $1
preflight()
{
	lz_ns_run gw "$BUILD/lazaretd" --preflight --policy "$LZ_DIR/$1.json" | grep " mail "
}

t_ok "preflight: mail can go" grep -q '^ok .*sendmail' <(preflight all)
sed -i 's/^\(postdrop:.*:\)lazaret$/\1/' /etc/group
t_ok "preflight: not in Postfix's group" grep -q '^fail .*adduser lazaret postdrop' <(preflight all)
sed -i 's/^postdrop:.*:$/&lazaret/' /etc/group
chmod 644 /usr/sbin/sendmail
t_ok "preflight: no program" grep -q '^fail .*cannot run /usr/sbin/sendmail' <(preflight all)
chmod 755 /usr/sbin/sendmail
t_eq "preflight: nothing of it where it goes by SMTP" "$(preflight smtp)" ""

# ---------------------------------------------------------------- all three ways

t_need daemon_start "$LZ_DIR/all.json"
t_ok "nothing to tell: no teller" test -z "$(teller_pid)"
daemon_kill
t_need lz_wait 5 nobody_left
mapfile -t KEYS < <(post 12 hook webhook mail)
t_need daemon_start "$LZ_DIR/all.json"
t_ok "all are told" lz_wait 10 waiting 0
t_eq "hook: event and case" "$(sed -n 's/^args=//p' "$LZ_DIR/said/note")" "garden 12"
t_eq "hook: the news on its input" "$(grep '^{' "$LZ_DIR/said/note" | jq -r '"\(.schema) \(.case) \(.key)"')" \
	"lazaret/news 12 ${KEYS[0]}"
t_eq "hook: a clean environment" "$(grep -E '^[A-Z_]+=' "$LZ_DIR/said/note" | sort | tr '\n' ' ')" \
	"LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin PWD=/ "
t_eq "hook: as user lazaret, in /" "$(tail -n 2 "$LZ_DIR/said/note" | tr '\n' ' ')" "/ $(id -u lazaret) "
t_ok "webhook: taken, signed" taken "${KEYS[1]}"
t_eq "webhook: type" "$(jq -r .type "$CAME" | sort -u)" application/json
t_ok "mail by sendmail: in the queue's box" lz_wait 20 lz_mx_has "^Message-ID: <${KEYS[2]}@gw.example.net>"
MAIL=$(grep -lrs "${KEYS[2]}" "$LZ_DIR/mx/mail/box/new")
t_eq "mail: subject" "$(grep ^Subject: "$MAIL")" "Subject: [lazaret CASE-12] garden: spam"
t_eq "mail: not to be answered by machines" "$(grep -c '^Auto-Submitted: auto-generated' "$MAIL")" 1
t_eq "mail: one thread a case" "$(sed -n 's/^References: <case-12\.[0-9]*@\(.*\)>$/\1/p' "$MAIL")" gw.example.net
t_eq "mail: envelope" "$(grep -E '^(Return-Path|Delivered-To):' "$MAIL" | tr '\n' ' ')" \
	"Return-Path: <lazaret@gw.example.net> Delivered-To: queue@example.org "
TELLER=$(teller_pid)
t_eq "teller: not root" "$(awk '/^Uid:/ { print $2, $3, $4 }' "/proc/$TELLER/status")" \
	"$(id -u lazaret) $(id -u lazaret) $(id -u lazaret)"
t_eq "teller: no capabilities, none to get" "$(awk '/^Cap(Prm|Eff|Bnd|Amb):/ { print $2 }' "/proc/$TELLER/status" | sort -u)" \
	0000000000000000
t_eq "teller: filtered, no new privileges" "$(awk '/^(Seccomp|NoNewPrivs):/ { print $2 }' "/proc/$TELLER/status" | tr '\n' ' ')" "1 2 "
t_eq "teller: no map, no program, no ledger" "$(find "/proc/$TELLER/fd" -lname '*bpf*' -o -lname '*ledger*' | wc -l)" 0

# ---------------------------------------------------------------- a real case, and nobody named

t_ok "hold" ctl -q quarantine add 198.51.100.10 for 1h reason "Anna Muster, +1 202 555 0125" ticket RT-7
t_ok "its case is told" lz_wait 10 waiting 0
t_eq "what is told" "$(grep '^{' "$LZ_DIR/said/note" | jq -r '"\(.event) \(.grade) \(.ticket) \(.source)"')" \
	"garden garden:leaky RT-7 operator"
t_eq "until when" "$(grep '^{' "$LZ_DIR/said/note" | jq -r .until)" "$(ctl -j quarantine show 198.51.100.10 | jq -r .until)"
t_ok "by mail" lz_wait 20 lz_mx_has "^ticket *RT-7"
t_eq "no address, no customer, no free text: hook" "$(grep -cE '198\.51\.100|Anna|202 555|C-100' "$LZ_DIR/said/note")" 0
t_eq "nor by webhook" "$(grep -cE '198\.51\.100|Anna|202 555|C-100' "$CAME")" 0
t_eq "nor by mail" "$(lz_mx_count '198\.51\.100\|Anna\|202 555\|C-100')" 0
t_ok "a policy that says so" ctl -q policy apply "$LZ_DIR/named.json"
t_ok "free" ctl -q quarantine del 198.51.100.10
t_ok "its end is told" lz_wait 10 waiting 0
t_eq "with address and customer" "$(grep '^{' "$LZ_DIR/said/note" | jq -r '"\(.event) \(.address) \(.customer)"')" \
	"released 198.51.100.10 C-100"

# ---------------------------------------------------------------- refused, killed, and told all the same

t_ok "another webhook, mail by SMTP" ctl -q policy apply "$LZ_DIR/smtp.json"
later_post 13 webhook mail
t_ok "mail by SMTP: in the box" lz_wait 10 lz_mx_has "^Message-ID: <${KEYS[1]}@gw.example.net>"
t_ok "webhook refused: status says so" lz_wait 5 failing_says webhook "answered 503"
t_eq "webhook refused: doctor says so" "$(ctl -j doctor | jq -r '.checks[] | select(.check == "outbox").ok')" false
kill -KILL "$(controller_pid)"
t_ok "controller killed: answers again" lz_wait 5 ctl status
t_ok "refused twice, then taken" lz_wait 40 taken "${KEYS[0]}"
t_eq "each try had the same key" "$(jq -rs --arg k "${KEYS[0]}" '[.[] | select(.key == $k).verdict] | join(" ")' "$CAME")" \
	"refused refused taken"
t_ok "nothing waits" lz_wait 5 waiting 0
t_ok "doctor: well" ctl doctor

# ---------------------------------------------------------------- stuck

t_ok "a hook that hangs, a dead mail server, an unknown certificate" ctl -q policy apply "$LZ_DIR/stuck.json"
later_post 14 hook webhook mail
SINCE_MS=$(lz_now_ms)
t_ok "the hook hangs" lz_wait 10 test -e "$LZ_DIR/said/hung"
t_ok "meanwhile: the daemon answers at once" timeout 1 nsenter --net="/run/netns/$LZ_LAB-gw" "$BUILD/lazaretctl" --instance lab status
t_ok "meanwhile: holds are made" timeout 2 nsenter --net="/run/netns/$LZ_LAB-gw" "$BUILD/lazaretctl" --instance lab quarantine add 198.51.100.10 for 1h
t_ok "a certificate that nobody knows: not told" lz_wait 10 grep -q "way=webhook case=14.*certificate" "$LZ_DIR/log/daemon.log"
t_ok "no mail server: not told" lz_wait 10 grep -q "event=telling-failed way=mail case=14" "$LZ_DIR/log/daemon.log"
OLD=$(teller_pid)
for SIGNAL in USR1 USR2 HUP ALRM; do
	kill -$SIGNAL "$OLD"
done
sleep 1
t_eq "signals that are meant for others: the teller is the same" "$(teller_pid)" "$OLD"
kill -KILL "$OLD"
t_ok "teller killed: the keeper says so" lz_wait 3 grep -q "event=teller-died" "$LZ_DIR/log/daemon.log"
t_ok "teller killed: another one" lz_wait 10 test -n "$(lz_wait 10 teller_pid; teller_pid | grep -v "^$OLD$")"
cat "$LZ_DIR/tls.pem" >>/etc/ssl/certs/ca-certificates.crt
t_ok "the certificate is known now: told" lz_wait 60 taken "${KEYS[1]}"
t_ok "the hook is killed in time" lz_wait 50 grep -q "way=hook case=[0-9]*.*did not end in time" "$LZ_DIR/log/daemon.log"
t_ok "and not before" test $(($(lz_now_ms) - SINCE_MS)) -ge 30000

# ---------------------------------------------------------------- odd receivers

t_ok "a loud hook, a redirect" ctl -q policy apply "$LZ_DIR/odd.json"
later_post 15 hook webhook
t_ok "loud: its words are escaped" lz_wait 10 grep -qF 'ended with status 3: no such case\\x1b[2J\\nlevel=error' "$LZ_DIR/log/daemon.log"
t_eq "loud: no line of its own" "$(grep -c '^[^ ]* *level=error event=forged' "$LZ_DIR/log/daemon.log")" 0
t_ok "sent away: not followed" lz_wait 10 grep -q "way=webhook case=15.*answered 302" "$LZ_DIR/log/daemon.log"
t_eq "sent away: came once to the first place only" "$(jq -rs --arg k "${KEYS[1]}" '[.[] | select(.key == $k).path] | unique | join(" ")' "$CAME")" /away
install -o lazaret -m 755 "$HOOKS/note" "$LZ_DIR/said/mine"
t_ok "a hook that is not root's, an endless answer" ctl -q policy apply "$LZ_DIR/foreign.json"
later_post 16 hook webhook
t_ok "not root's: not run" lz_wait 10 grep -q "way=hook case=[0-9]*.*others than root may write" "$LZ_DIR/log/daemon.log"
t_ok "endless: cut" lz_wait 10 grep -q "way=webhook case=16" "$LZ_DIR/log/daemon.log"
t_ok "endless: not swallowed" lz_wait 5 grep -q '"cut"' "$CAME"
chmod 644 "$LZ_DIR/webhook.key"
t_ok "a key for everybody: not signed" lz_wait 30 grep -q "way=webhook case=16.*everybody may read it" "$LZ_DIR/log/daemon.log"
t_eq "nobody forged anything" "$(grep -c forged "$CAME")" 0

daemon_kill
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
