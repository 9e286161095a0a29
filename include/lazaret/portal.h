/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * portal.h - what lazaret-portal gets from the keeper, and what it may say to lazaretd.
 *
 * The keeper starts `lazaret-portal --gate PATH` as user lazaret-portal, without capabilities, with
 * listening sockets at the fixed descriptors below and nothing else open but 0, 1 and 2. A socket
 * that is not wanted is a closed descriptor. The keeper sets IP_TRANSPARENT and SO_MARK
 * (LZ_MARK_REPLY) before listen(2), so that accepted sockets carry the mark.
 *
 * portal.sock is SOCK_SEQPACKET, 0600, owned by lazaret-portal: one JSON object a datagram, at most
 * LZ_GATE_MESSAGE_BYTES. Every request but `settings` and `tls` carries exactly one descriptor (SCM_RIGHTS):
 * the accepted TCP socket of the client. Whose case it is follows from getpeername(2) on that
 * socket, never from a text, so that a portal taken over can ask only about hosts that are talking
 * to it. Requests may be answered in any order.
 *
 *   --> {"v":1,"id":1,"cmd":"settings"}
 *   <-- {"id":1,"code":0,"url","provider","contact","languages":[..],"templates"?,
 *        "ipv6_key","files","api"?:{"url","certificate","key"}}
 *   --> {"v":1,"id":2,"cmd":"case","token":true}                            + socket
 *   <-- {"id":2,"code":0,"held":false,"held_in_s"?,"captive_in_s"?,"case"?}
 *   <-- {"id":2,"code":0,"held":true,"case","grade","strict"?,"allows"?,"since","until","reason"?,
 *        "connections"?,"seen"?,"releases_left","may_release","why_not"?,"wait_s"?,"token"?}
 *   --> {"v":1,"id":3,"cmd":"release","token":"..43 characters.."}          + socket
 *   <-- {"id":3,"code":0,"case"}  |  {"id":3,"code":2,"why_not"}
 *   --> {"v":1,"id":4,"cmd":"seen","helo":"..","first":".."}                + socket
 *   <-- {"id":4,"code":0}
 *   --> {"v":1,"id":5,"cmd":"tls","state":"key","errno":13,"before":true}
 *   <-- {"id":5,"code":0}
 *
 * tls says once, at the start of a portal with an API, what became of certificate and key: state is one of
 * lz_gate_tls_words, errno what the kernel said of a file that cannot be read, before that the API has those
 * that were loaded last. It is a code, not a text: what operators read is made of what lazaretd knows itself.
 * files says how certificate, key and templates look: another text when one has changed;
 * connections are those to port 25; grade is garden:NAME, block25 or "throttle RATE"; strict says
 * which kind of garden, allows that it has open addresses; reason is one of lz_gate_reason_words; why_not one of lz_gate_why_words, with
 * may_release too if no token can be made just now;
 * held_in_s stands there for a host that will be held when its grace is over, captive_in_s too if that
 * will be in a garden. Answers never hold
 * names, customer numbers, addresses or other hosts. Anything else is answered with a code from
 * proto.h and logged by lazaretd. When lazaretd closes the gate - it ends, or the settings have
 * changed - the portal ends and the keeper starts it anew.
 */
#ifndef LZ_LAZARET_PORTAL_H
#define LZ_LAZARET_PORTAL_H

#define LZ_PORTAL_USER "lazaret-portal"

enum lz_portal_fd {
	LZ_PORTAL_FD_PAGE4 = 3,
	LZ_PORTAL_FD_PAGE6,
	LZ_PORTAL_FD_SINK4,
	LZ_PORTAL_FD_SINK6,
	LZ_PORTAL_FD_API4, /* TLS is spoken on these two */
	LZ_PORTAL_FD_API6,
	LZ_PORTAL_FD_OWN4, /* plain HTTP at an address of its own: not led, anybody may ask */
	LZ_PORTAL_FD_OWN6,
	LZ_PORTAL_FD_END,
	LZ_PORTAL_FD_ALIVE = LZ_PORTAL_FD_END, /* a pipe: a byte each LZ_PORTAL_BEAT_MS */
	/* A memory file that outlives the process: the last certificate and key that were good. Closed before
	 * the first stranger is heard: a portal taken over can leave nothing in it for the next one. */
	LZ_PORTAL_FD_KEPT,
};

#define LZ_PORTAL_BEAT_MS 1000

#define LZ_GATE_SOCK	      "portal.sock"
#define LZ_GATE_MESSAGE_BYTES 4096
#define LZ_GATE_TOKEN_CHARS   43 /* 256 bits, base64url */
#define LZ_GATE_HELO_BYTES    255 /* RFC 5321 4.5.3.1.2 */
#define LZ_GATE_FIRST_BYTES   128

/* Why a host cannot let itself out now. */
enum lz_gate_why {
	LZ_GATE_WHY_STAFF,    /* this case is for people: an operator's, or the last step of a ladder */
	LZ_GATE_WHY_USED_UP,  /* every self release was used */
	LZ_GATE_WHY_EVIDENCE, /* something harmful was seen only just now: wait_s */
	LZ_GATE_WHY_TOKEN,    /* the button's token is unknown, used or too old */
	LZ_GATE_WHY_RATE,     /* tried too often: wait_s */
	LZ_GATE_WHY_BUSY,     /* nothing can be changed just now, a list is being read: try again */
	LZ_GATE_WHY_N,
};

static const char *const lz_gate_why_words[LZ_GATE_WHY_N] = {
	[LZ_GATE_WHY_STAFF] = "staff",	     [LZ_GATE_WHY_USED_UP] = "used-up",
	[LZ_GATE_WHY_EVIDENCE] = "evidence", [LZ_GATE_WHY_TOKEN] = "token",
	[LZ_GATE_WHY_RATE] = "rate",	     [LZ_GATE_WHY_BUSY] = "busy",
};

/* Certificate and key of the API. */
enum lz_gate_tls {
	LZ_GATE_TLS_OK,
	LZ_GATE_TLS_CERTIFICATE, /* its file cannot be read */
	LZ_GATE_TLS_KEY,	 /* nor this one */
	LZ_GATE_TLS_FORM,	 /* they are no PEM texts, or the key has a password */
	LZ_GATE_TLS_PAIR,	 /* they do not belong together */
	LZ_GATE_TLS_SERVE,	 /* they are well, and the API cannot be served with them all the same */
	LZ_GATE_TLS_N,
};

static const char *const lz_gate_tls_words[LZ_GATE_TLS_N] = {
	[LZ_GATE_TLS_OK] = "ok",     [LZ_GATE_TLS_CERTIFICATE] = "certificate", [LZ_GATE_TLS_KEY] = "key",
	[LZ_GATE_TLS_FORM] = "form", [LZ_GATE_TLS_PAIR] = "pair",
	[LZ_GATE_TLS_SERVE] = "serve",
};

/* What the page can explain in plain words; any other reason is "other" to it. */
enum lz_gate_reason {
	LZ_GATE_REASON_OTHER,
	LZ_GATE_REASON_SPAM,	  /* mail sent directly and in bulk */
	LZ_GATE_REASON_SCAN,	  /* connections to very many hosts, or very many at once */
	LZ_GATE_REASON_MALWARE,	  /* a detector knows the program */
	LZ_GATE_REASON_PROXY,	  /* strangers use the host as a relay */
	LZ_GATE_REASON_COMPLAINT, /* somebody who received it complained */
	LZ_GATE_REASON_N,
};

static const char *const lz_gate_reason_words[LZ_GATE_REASON_N] = {
	[LZ_GATE_REASON_OTHER] = "other",     [LZ_GATE_REASON_SPAM] = "spam",
	[LZ_GATE_REASON_SCAN] = "scan",	      [LZ_GATE_REASON_MALWARE] = "malware",
	[LZ_GATE_REASON_PROXY] = "proxy",     [LZ_GATE_REASON_COMPLAINT] = "complaint",
};

#endif /* LZ_LAZARET_PORTAL_H */
