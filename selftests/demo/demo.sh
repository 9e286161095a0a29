#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # most functions are called through claim and lz_wait
#
# usage: demo.sh
#
# Lazaret at work, live in a terminal within a minute: a provider with real mail servers in
# network namespaces, an honest customer, an infected one.  Every claim it makes is checked;
# the exit status is 0 if all were true.  Needs root, $LZ_BUILD (default build) with the
# programs, and what deps.sh unpacks there.  Leaves nothing behind, not even when killed.

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/ns.sh
. "$here/../lib/ns.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/topology.sh
. "$here/../lib/topology.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/mail.sh
. "$here/../lib/mail.sh"
# shellcheck source-path=SCRIPTDIR source=say.sh
. "$here/say.sh"

LZ_LAB=${LZ_LAB:-lz-demo-$$}
lz_lab_enter 150 "$@"

HOME4=100.64.0.10		# an honest home, dynamic range
SHOP4=198.51.100.10		# an honest business, own mail server
BOT4=198.51.100.66		# an infected business PC
HOLD_S=15			# as in policies/demo.json

# ------------------------------------------------------------------ Lazaret

# The one place that knows how the daemon is started.  /run and bpffs are the lab's own.
gateway_start()
{
	mkdir -p "$LZ_DIR/bin" "$LZ_DIR/state" && cp "$here/../../policies/demo.json" "$LZ_DIR/" &&
		cp "$LZ_BUILD/lazaretd" "$LZ_BUILD/lazaretctl" "$LZ_BUILD/lazaret-portal" "$LZ_DIR/bin/" || return 1
	lz_proc_start lazaretd gw "$LZ_DIR/bin/lazaretd" --instance demo --state "$LZ_DIR/state" \
		--policy "$LZ_DIR/demo.json"
	lz_wait 15 gateway_ready
}

gateway_ready()
{
	lz_proc_alive lazaretd && lazaretctl status
}

lazaretctl()
{
	lz_ns_run gw "$LZ_DIR/bin/lazaretctl" --instance demo "$@"
}

# gateway_asked COMMAND...: what lazaretctl answers a human.
gateway_asked()
{
	say_command gw "lazaretctl $*"
	ANSWER=$(lazaretctl "$@" 2>&1)
	say_output "$ANSWER"
}

is_held()
{
	verdict_is "$1" held
}

is_free()
{
	verdict_is "$1" pass
}

verdict_is()
{
	lazaretctl -j why "$1" | jq -e --arg v "$2" '.verdict == $v'
}

# ------------------------------------------------------------------ the steps

step_build()
{
	local start_ms
	start_ms=$(lz_now_ms)
	say_heading "A provider, in network namespaces of this machine"
	lz_provider_add && lz_customer_add home "$HOME4" 2001:db8:1000:1::10 &&
		lz_customer_add shop "$SHOP4" 2001:db8:2000:1::10 &&
		lz_customer_add bot "$BOT4" 2001:db8:2000:2::66 &&
		lz_smarthost_start && lz_mx_start || return 1
	printf '   %-10s %-14s %s\n' \
		home "$HOME4" "an honest customer, dynamic range" \
		shop "$SHOP4" "an honest business with its own mail server" \
		bot "$BOT4" "a business PC with a spam bot" \
		smarthost "$LZ_SMARTHOST4" "Postfix; customers may relay" \
		world "$LZ_MX4" "the Internet: a Postfix that takes mail for example.org" \
		gw "" "the gateway between them all, where Lazaret will run"
	say "Up after $(say_seconds $(($(lz_now_ms) - start_ms)))."
}

step_before()
{
	say_heading "1. Without Lazaret the gateway forwards everything"
	say "home connects straight to the world's mail server; the bot sends 40 messages."
	claim "home reached it: nobody stops port 25" lz_ns_run home nc -z -w 2 "$LZ_MX4" 25
	claim "... nor over IPv6" lz_ns_run home nc -z -w 2 "$LZ_MX6" 25
	claim "all 40 messages of spam arrived" spam_arrives 40 40
}

step_start()
{
	local start_ms
	start_ms=$(lz_now_ms)
	say_heading "2. Lazaret starts on the gateway"
	if ! claim "it loads, attaches and answers" gateway_start; then
		say_output "$(tail -n 20 "$LZ_DIR/log/lazaretd.log" 2>&1)"
		return 1
	fi
	say "Ready after $(say_seconds $(($(lz_now_ms) - start_ms)))."
	gateway_asked status
}

step_honest()
{
	say_heading "3. Honest mail goes on as before"
	honest_mail first
}

# honest_mail TAG: home by the smarthost, shop by itself.
honest_mail()
{
	claim "home's mail goes to the smarthost" \
		lz_mail_send home "$LZ_SMARTHOST4" anna@example.net bob@example.org "home $1"
	claim "... and from there arrives in the world" lz_wait 5 lz_mx_has "Subject: home $1"
	claim "shop's own server delivers straight to the world" \
		lz_mail_send shop "$LZ_MX4" shop@example.com bob@example.org "shop $1"
	claim "... and it arrives" lz_wait 5 lz_mx_has "Subject: shop $1"
}

step_refuse()
{
	say_heading "4. Port 25 from the dynamic range is refused, at once and truthfully"
	home_connects "$LZ_MX4"
	claim "the error is the true one, not a silence" grep -q 'No route to host' <<<"$ANSWER"
	claim "it came after $(say_seconds "$TOOK_MS"); a silent drop takes over two minutes" \
		test "$TOOK_MS" -lt 1000
	home_connects "$LZ_MX6"
	claim "over IPv6 too" grep -q 'Permission denied' <<<"$ANSWER"
	claim "after $(say_seconds "$TOOK_MS"); Linux believes ICMPv6 only the second time" \
		test "$TOOK_MS" -lt 3000
}

# home_connects ADDRESS: what a program there is told, and after how long.
home_connects()
{
	local start_ms
	say_command home "nc $1 25"
	start_ms=$(lz_now_ms)
	ANSWER=$(lz_ns_run home nc -v -z -w 10 "$1" 25 2>&1)
	TOOK_MS=$(($(lz_now_ms) - start_ms))
	say_output "$ANSWER"
}

step_limit()
{
	say_heading "5. The infected host is limited, then held"
	say "bot sends spam again, as fast as it can."
	claim "of the first 40 messages at most 15 arrive" spam_arrives 1 15
	say "It was $SPAM_ARRIVED. The bot goes on ..."
	claim "it is held" bot_is_caught
	HELD_MS=$(lz_now_ms)
	claim "nothing of it arrives any more" spam_arrives 0 0
	say "Meanwhile, for everybody else:"
	honest_mail second
}

# spam_arrives MIN MAX: bot sends 40 messages in 2 s; how many the world took is in range.
spam_arrives()
{
	local before
	before=$(lz_mx_count 'From: <pills@')
	spam_for_2s
	lz_wait 1 spam_has_settled
	SPAM_ARRIVED=$(($(lz_mx_count 'From: <pills@') - before))
	echo "$SPAM_ARRIVED of 40 arrived, expected $1 to $2"
	[ "$SPAM_ARRIVED" -ge "$1" ] && [ "$SPAM_ARRIVED" -le "$2" ]
}

spam_for_2s()
{
	lz_spam_send bot "$LZ_MX4" 20 40 2
}

# Two looks at the mailbox 0.2 s apart see the same.
spam_has_settled()
{
	local count
	count=$(lz_mx_count 'From: <pills@')
	sleep 0.2
	[ "$count" = "$(lz_mx_count 'From: <pills@')" ]
}

bot_is_caught()
{
	lz_wait 15 bot_tries_until_held
}

bot_tries_until_held()
{
	is_held "$BOT4" || { spam_for_2s; is_held "$BOT4"; }
}

step_why()
{
	say_heading "6. The operator on the phone asks why"
	gateway_asked why "$BOT4"
	claim "it names the rule" grep -q spam <<<"$ANSWER"
	claim "... and says until when" grep -qi until <<<"$ANSWER"
}

# The page is asked for at its name; the redirect that leads a browser there is left out.
step_owner()
{
	say_heading "7. What the owner of the infected PC meets"
	say_command bot "curl http://quarantine.example.net/"
	ANSWER=$(lz_ns_run bot curl -s -m 5 -H 'Host: quarantine.example.net' "http://$LZ_MX4/" |
		sed -n 's/.*<h1>\(.*\)<\/h1>.*/\1/p')
	say_output "$ANSWER"
	claim "any web address leads to a page that says so" grep -q 'is in quarantine' <<<"$ANSWER"
	say_command bot "swaks --server $LZ_MX4"
	ANSWER=$(lz_mail_send bot "$LZ_MX4" owner@example.com bob@example.org mine 2>&1 | grep ' 554 ')
	say_output "$ANSWER"
	claim "his mail program is told why, and where to look" \
		grep -q '554 5.7.1 .*http://quarantine.example.net/' <<<"$ANSWER"
}

step_release()
{
	local waited_ms
	say_heading "8. Its time runs out and it is free"
	claim "until then it stays held" is_held "$BOT4"
	say "The bot is removed; $HOLD_S s after it was held its owner may send again. Waiting ..."
	claim "it is released by itself" lz_wait $((HOLD_S + 5)) is_free "$BOT4"
	waited_ms=$(($(lz_now_ms) - HELD_MS))
	claim "after $(say_seconds $waited_ms): not early, not late" \
		test "$waited_ms" -ge $(((HOLD_S - 4) * 1000)) -a "$waited_ms" -le $(((HOLD_S + 3) * 1000))
	claim "its honest mail goes out" \
		lz_mail_send bot "$LZ_MX4" owner@example.com bob@example.org "clean again"
	claim "... and arrives" lz_wait 5 lz_mx_has 'Subject: clean again'
}

finish()
{
	[ "${LZ_PROC[lazaretd]+started}" ] && claim "lazaretd ran to the end" lz_proc_alive lazaretd
	say_heading "$((CLAIMS - CLAIMS_FAILED)) of $CLAIMS claims were true, in $SECONDS s."
	[ "$CLAIMS_FAILED" = 0 ]
	exit
}

printf '%s\n' "Lazaret demo. Nothing outside its own namespaces is touched; Ctrl-C ends it cleanly."
step_build || { echo "demo: the lab could not be built" >&2; exit 1; }
step_before
step_start || finish
step_honest
step_refuse
step_limit
step_why
step_owner
step_release
finish
