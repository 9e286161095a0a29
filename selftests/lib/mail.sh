# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Real mail servers in the lab of topology.sh: Postfix, unpacked from its Debian package
# by deps.sh and never installed - installing it would remove the machine's own mail
# server, and a gateway is no place for one.
#
# Customers may relay through the smarthost; it hands everything to the world's MX,
# which keeps each message as a file.

LZ_BUILD=${LZ_BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build}

# lz_smarthost_start, lz_mx_start: listening within 10 s, or 1.
lz_smarthost_start()
{
	postfix_start smarthost smarthost <<-'EOF' &&
		myhostname = smarthost.example.net
		mynetworks = 100.64.0.0/10 198.51.100.0/24 [2001:db8::]/32
		smtpd_relay_restrictions = permit_mynetworks, reject
		relayhost = [203.0.113.25]
	EOF
		lz_port_wait 10 smarthost 25
}

lz_mx_start()
{
	postfix_start mx world <<-EOF &&
		myhostname = mx.example.org
		mynetworks = 127.0.0.0/8
		smtpd_relay_restrictions = reject_unauth_destination
		virtual_mailbox_domains = example.org
		virtual_mailbox_base = $LZ_DIR/mx/mail
		virtual_mailbox_maps = static:box/
		virtual_uid_maps = static:$(id -u nobody)
		virtual_gid_maps = static:$(id -g nobody)
	EOF
		mkdir -p "$LZ_DIR/mx/mail/box" && chown -R nobody "$LZ_DIR/mx/mail" &&
		lz_port_wait 10 world 25
}

# lz_mx_count PATTERN: how many messages with a line matching PATTERN the world's MX
# has taken.
lz_mx_count()
{
	grep -lrs -e "$1" "$LZ_DIR/mx/mail/box/new" | wc -l
}

# lz_mx_has PATTERN
lz_mx_has()
{
	[ "$(lz_mx_count "$1")" -gt 0 ]
}

# lz_sink_start ADDRESS: another mail server of the world's, Postfix's test sink; it
# takes any number of messages and keeps none.
lz_sink_start()
{
	postfix_mount && lz_proc_start "sink-$1" world env LD_LIBRARY_PATH="$LZ_POSTFIX/usr/lib/postfix" \
		"$LZ_POSTFIX/usr/sbin/smtp-sink" -u nobody -h mx2.example.org "inet:$1:25" 1000 &&
		lz_wait 10 sink_listens "$1"
}

sink_listens()
{
	lz_ns_run world ss -Hltn "src = $1:25" | grep -q .
}

# lz_mail_send NS SERVER FROM TO SUBJECT [SWAKS-OPTION...]: what a mail program does.
lz_mail_send()
{
	local ns=$1 server=$2 from=$3 to=$4 subject=$5
	shift 5
	lz_ns_run "$ns" swaks --server "$server" --timeout 10 --helo "$ns.example.net" \
		--from "$from" --to "$to" --header "Subject: $subject" --suppress-data "$@"
}

# lz_spam_send NS SERVER SESSIONS MESSAGES SECONDS: what a bot does: MESSAGES in all over
# SESSIONS at a time, a new connection for each; it gives up after SECONDS.
lz_spam_send()
{
	postfix_mount && lz_ns_run "$1" timeout "$5" \
		env LD_LIBRARY_PATH="$LZ_POSTFIX/usr/lib/postfix" \
		"$LZ_POSTFIX/usr/sbin/smtp-source" -s "$3" -m "$4" -l 200 \
		-f pills@example.com -t victim@example.org "inet:$2:25"
}

# The project may sit in a home folder that the postfix user cannot enter.
postfix_mount()
{
	LZ_POSTFIX=$LZ_DIR/postfix
	[ -d "$LZ_POSTFIX" ] && return 0
	if [ ! -x "$LZ_BUILD/deps/postfix/usr/lib/postfix/sbin/master" ]; then
		echo "lab: no Postfix in $LZ_BUILD/deps; run make deps" >&2
		return 1
	fi
	mkdir "$LZ_POSTFIX" && mount --bind "$LZ_BUILD/deps/postfix" "$LZ_POSTFIX"
}

# postfix_start NAME NS, more of main.cf on stdin.  Postfix would wait 2 s for whoever has
# just written main.cf to finish editing, hence the old date.
postfix_start()
{
	postfix_mount && postfix_make_queue "$LZ_DIR/$1" && {
		postfix_print_main "$LZ_DIR/$1" && cat
	} >"$LZ_DIR/$1/etc/main.cf" && postfix_print_services >"$LZ_DIR/$1/etc/master.cf" &&
		touch -d '1 minute ago' "$LZ_DIR/$1/etc/main.cf" &&
		lz_proc_start "$1" "$2" env LD_LIBRARY_PATH="$LZ_POSTFIX/usr/lib/postfix" \
			"$LZ_POSTFIX/usr/lib/postfix/sbin/master" -d -c "$LZ_DIR/$1/etc"
}

postfix_make_queue()
{
	local dir
	mkdir -p "$1/etc" "$1/data" "$1/queue/pid" || return 1
	for dir in active bounce corrupt defer deferred flush hold incoming maildrop private \
		public saved trace; do
		mkdir -m 700 "$1/queue/$dir" || return 1
		chown postfix "$1/queue/$dir" || return 1
	done
	chgrp postdrop "$1/queue/public" "$1/queue/maildrop" &&
		chmod 710 "$1/queue/public" && chmod 730 "$1/queue/maildrop" &&
		chown postfix "$1/data"
}

postfix_print_main()
{
	cat <<-EOF
		compatibility_level = 3.6
		daemon_directory = $LZ_POSTFIX/usr/lib/postfix/sbin
		command_directory = $LZ_POSTFIX/usr/sbin
		shlib_directory = $LZ_POSTFIX/usr/lib/postfix
		meta_directory = $1/etc
		queue_directory = $1/queue
		data_directory = $1/data
		maillog_file = $1/mail.log
		maillog_file_prefixes = $LZ_DIR
		import_environment = LD_LIBRARY_PATH=$LZ_POSTFIX/usr/lib/postfix MAIL_CONFIG TZ
		inet_protocols = all
		inet_interfaces = all
		mydestination =
		alias_maps =
		local_recipient_maps =
		smtp_dns_support_level = disabled
		smtpd_peername_lookup = no
		smtputf8_enable = no
		smtpd_client_connection_count_limit = 0
		queue_run_delay = 2s
		minimal_backoff_time = 2s
		maximal_backoff_time = 4s
	EOF
}

postfix_print_services()
{
	cat <<-EOF
		smtp       inet n - n - - smtpd
		submission inet n - n - - smtpd
		cleanup    unix n - n - 0 cleanup
		qmgr       unix n - n 300 1 qmgr
		rewrite    unix - - n - - trivial-rewrite
		bounce     unix - - n - 0 bounce
		defer      unix - - n - 0 bounce
		trace      unix - - n - 0 bounce
		flush      unix n - n 1000? 0 flush
		proxymap   unix - - n - - proxymap
		smtp       unix - - n - - smtp
		showq      unix n - n - - showq
		error      unix - - n - - error
		retry      unix - - n - - error
		virtual    unix - n n - - virtual
		anvil      unix - - n - 1 anvil
		scache     unix - - n - 1 scache
		postlog    unix-dgram n - n - 1 postlogd
	EOF
}
