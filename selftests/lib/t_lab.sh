#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through t_ok and lz_wait
#
# The laboratory itself: mail really goes from a customer to the world, and whatever ends a
# lab, nothing of it is left.

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=ns.sh
. "$here/ns.sh"
# shellcheck source-path=SCRIPTDIR source=topology.sh
. "$here/topology.sh"
# shellcheck source-path=SCRIPTDIR source=mail.sh
. "$here/mail.sh"
# shellcheck source-path=SCRIPTDIR source=t.sh
. "$here/t.sh"

main()
{
	case ${1:-} in
	mail) lz_lab_enter 60 "$@"; test_mail; t_end ;;
	victim) lz_lab_enter "$3" "$@"; be_victim "$2" ;;
	*) test_ends; echo "# mail"; t_ok "mail" bash "$0" mail; t_end ;;
	esac
}

test_mail()
{
	t_need lz_provider_add
	t_need lz_customer_add home 100.64.0.10 2001:db8:1000:1::10
	t_need lz_customer_add bot 198.51.100.66 2001:db8:2000:2::66
	t_need lz_smarthost_start
	t_need lz_mx_start
	t_need lz_sink_start "$LZ_OTHER_MX4"

	t_ok "home mails by the smarthost over IPv4" \
		lz_mail_send home "$LZ_SMARTHOST4" anna@example.net bob@example.org "by four"
	t_ok "home mails by the smarthost over IPv6" \
		lz_mail_send home "$LZ_SMARTHOST6" anna@example.net bob@example.org "by six" --port 587
	t_ok "the first arrives" lz_wait 10 lz_mx_has 'Subject: by four'
	t_ok "the second arrives" lz_wait 10 lz_mx_has 'Subject: by six'
	t_eq "mail that was not sent has not arrived" "$(lz_mx_count 'Subject: by five')" 0
	t_ok "the bot delivers 30 messages itself" lz_spam_send bot "$LZ_MX4" 5 30 20
	lz_wait 10 eval "[ \"\$(lz_mx_count 'From: <pills@')\" -ge 30 ]" # accepted is not yet delivered
	t_eq "the world has all of them" "$(lz_mx_count 'From: <pills@')" 30
	t_ok "the bot reaches another server" lz_spam_send bot "$LZ_OTHER_MX4" 5 30 20
	t_ok "nothing is started where its number would be lost" not lz_proc_start lost home sleep 60
	t_eq "and nothing was" "$(pgrep -fc "^sleep 60")" 0
	t_ok "the world is no relay" not lz_mail_send home "$LZ_MX4" a@example.net b@example.com relay
}

not()
{
	! "$@"
}

# A lab in full swing, for test_ends to end.
be_victim()
{
	lz_provider_add && lz_customer_add home 100.64.0.10 2001:db8:1000:1::10 &&
		lz_smarthost_start && lz_proc_start sleeper home sleep "$1" || exit 1
	echo "ready $LZ_LAB"
	wait
}

# Sleeping for so many seconds marks the processes of one victim; nothing else would.
test_ends()
{
	local signal marker=$((80000 + $$ % 9000))
	for signal in INT TERM HUP KILL; do
		marker=$((marker + 1))
		victim_start "$marker" 60
		t_need victim_runs "$marker"
		kill -"$signal" "$VICTIM"
		wait "$VICTIM" 2>/dev/null
		victim_check "$marker" "SIG$signal"
	done
	marker=$((marker + 1))
	victim_start "$marker" 3
	t_need victim_runs "$marker"
	wait "$VICTIM"
	t_eq "its time limit has a status of its own" $? 124
	victim_check "$marker" "its time limit"
}

victim_start()
{
	VICTIM_OUTPUT=$(mktemp)
	env --default-signal=INT bash "$0" victim "$1" "$2" >"$VICTIM_OUTPUT" 2>&1 &
	VICTIM=$!
}

victim_runs()
{
	lz_wait 10 grep -q ready "$VICTIM_OUTPUT" && pgrep -f "sleep $1" >/dev/null
}

victim_check()
{
	t_ok "no process is left after $2" lz_wait 2 not pgrep -f "sleep $1"
	t_eq "no namespace is left after $2" "$(ip netns list | grep -c "^lz-$VICTIM-")" 0
	rm -f "$VICTIM_OUTPUT"
}

main "$@"
