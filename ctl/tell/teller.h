/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * teller.h - the process that tells others of cases, and asks for the addresses of names: it may run
 * programs and open connections, which the controller may not, and holds no map and no ledger.
 *
 * It knows nothing between two messages. Over a SOCK_SEQPACKET pair it gets one message a datagram,
 * at most LZ_TELLER_MESSAGE_BYTES, and answers each once, in any order:
 *
 *   --> {"id":17,"way":"hook","program":"/etc/lazaret/hooks/case","news":{..}}
 *   --> {"id":18,"way":"webhook","url":"https://..","secret_file":"/etc/..","news":{..}}
 *   --> {"id":19,"way":"mail","from":"..","to":"..","via":"" | "smtp://..","news":{..}}
 *   --> {"id":20,"way":"look-up","name":"deb.example.net","servers":"" | "192.0.2.53,..."}
 *   <-- {"id":17} | {"id":18,"error":"answered 503"}
 *   <-- {"id":20,"ttl_s":300,"addresses":["203.0.113.7","2001:db8::7"]}
 *
 * Trying again, in what order and how often, is the sender's business. When the other side is gone,
 * the teller ends.
 */
#ifndef LZ_TELL_TELLER_H
#define LZ_TELL_TELLER_H

#define LZ_TELLER_FD		3
#define LZ_TELLER_MESSAGE_BYTES 8192
#define LZ_TELLER_JOBS_MAX	8
#define LZ_TELLER_JOB_LIMIT_MS	30000 /* of a program; a transfer ends sooner */
#define LZ_TELLER_SENDMAIL	"/usr/sbin/sendmail"

/**
 * lz_teller_run() - serve the channel until its other end is closed
 * Return: 0; -errno if it could not start.
 */
int lz_teller_run(int chan);

#endif /* LZ_TELL_TELLER_H */
