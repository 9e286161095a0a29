/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * proto.h - what lazaretd and its clients say to each other on control.sock and read.sock.
 *
 * A message is one JSON object in one line, ended by '\n', at most LZ_PROTO_LINE_BYTES long. A
 * message that says "payload_bytes": N is followed by N raw bytes, directly behind the '\n'.
 *
 *   client                                              lazaretd
 *     | <-- {"v":1,"lazaret":"0.1.0","role":"admin"}       |  greeting: it is alive, you are this
 *     | --> {"v":1,"id":7,"cmd":"why","args":{...}}        |  request, perhaps with a payload
 *     | <-- {"id":7,"row":{...}}                           |  0..n rows; exactly this spelling,
 *     | <-- {"id":7,"payload_bytes":N}  + N bytes          |  0..n pieces of text
 *     | <-- {"id":7,"alive":true}                          |  when nothing else was said for 2 s
 *     | <-- {"id":7,"code":0, fields of the command}       |  the end, exactly one
 *
 * Requests of one connection are answered one after the other. A code other than 0 comes with
 * "error": one line for humans. A client that breaks the framing gets {"id":0,"code":1,...} and is
 * closed; a refused command leaves the connection open unless a payload was to follow it. A row is
 * written with "id" and "row" first and no blanks, so that a client may copy a million rows without
 * parsing them.
 *
 * control.sock is 0660, read.sock 0666: whoever comes by read.sock has the role `read` and no more.
 * Roles follow uid and gid of the peer as the kernel tells them (SO_PEERCRED, SO_PEERGROUPS), never
 * a word in a message. What is not in the table below is denied.
 *
 * Times are RFC 3339 UTC texts, durations integers in seconds, addresses and prefixes canonical
 * texts.
 *
 * Plain text payloads (quarantine.import, .export, exception.import, .export; one entry a line, fields
 * separated by blanks, '-' = not given, a word that begins with '#' starts a comment, empty lines are
 * skipped; which # belongs to a ticket, and what a backslash is for: lazaretctl(8), LISTS):
 *   quarantine   ADDRESS [UNTIL|TIME [GRADE [TICKET [REASON ...]]]]
 *   exception    ADDRESS|PREFIX port25|all UNTIL TICKET
 * GRADE is leaky, strict, garden:NAME, block25 or throttle:RATE (throttle:10/min), with ,staff-only behind it where only
 * staff lets the host out, or staff-only alone.
 * UNTIL is RFC 3339 UTC, TIME a duration such as 72h. What export writes, import reads.
 */
#ifndef LZ_LAZARET_PROTO_H
#define LZ_LAZARET_PROTO_H

#define LZ_PROTO_VERSION 1

#define LZ_PROTO_RUN_DIR      "/run/lazaret" /* instance NAME: /run/lazaret-NAME */
#define LZ_PROTO_CONTROL_SOCK "control.sock"
#define LZ_PROTO_READ_SOCK    "read.sock"

/* Whose members are what. */
#define LZ_PROTO_GROUP_READ    "lazaret-view"
#define LZ_PROTO_GROUP_OPERATE "lazaret"
#define LZ_PROTO_GROUP_ADMIN   "lazaret-admin"

/* ---------------------------------------------------------------- limits */

#define LZ_PROTO_LINE_BYTES	(64 * 1024)
#define LZ_PROTO_ROW_BYTES	LZ_PROTO_LINE_BYTES /* with its {"id":7,"row": around it */
#define LZ_PROTO_CHUNK_BYTES	(256 * 1024) /* one piece of a payload sent by the daemon */
#define LZ_PROTO_POLICY_BYTES	(64 * 1024 * 1024)  /* 500,000 prefixes are about 12 MB */
#define LZ_PROTO_IMPORT_BYTES	(96 * 1024 * 1024)  /* 1,000,000 entries of 96 bytes */
#define LZ_PROTO_PAYLOADS_BYTES (192 * 1024 * 1024) /* announced by all connections together */
#define LZ_PROTO_CONNECTIONS	32		    /* each socket has its own 32 */
#define LZ_PROTO_CONNECTIONS_PER_UID 8
#define LZ_PROTO_CONNECTIONS_LOOK 24 /* of all who have no role but to look: the rest is for root and the groups */
#define LZ_PROTO_CONNECTIONS_ROOT 24 /* of uid 0: behind sudo all operators are one */
#define LZ_PROTO_OUT_HIGH_BYTES (1024 * 1024) /* a handler stops producing */
#define LZ_PROTO_OUT_LOW_BYTES	(256 * 1024)  /* and is called again */
#define LZ_PROTO_OUT_SLICE_BYTES (1024 * 1024) /* what it adds in one call, at most */
#define LZ_PROTO_REASON_BYTES	256
#define LZ_PROTO_TICKET_BYTES	64
#define LZ_PROTO_LIST_MAX	1000000 /* "limit" of source.list */
#define LZ_PROTO_TOP_MAX	1000	/* and of top and audit.list */

#define LZ_PROTO_GREETING_MS	 2000  /* client: no greeting by then = the daemon hangs */
#define LZ_PROTO_BACK_MS	 5000  /* client: a socket that nobody listens on will be listened on again by then */
#define LZ_PROTO_ALIVE_MS	 2000  /* daemon: speaks at least this often during a request */
#define LZ_PROTO_SILENCE_MS	 10000 /* client: nothing for so long = the daemon hangs */
#define LZ_PROTO_LINE_MS	 10000 /* daemon: a begun line must be whole by then */
#define LZ_PROTO_PAYLOAD_BYTES_PER_S (1024 * 1024) /* a payload gets LINE_MS and its size by this */
#define LZ_PROTO_STALL_MS	 600000 /* daemon: closes who reads nothing; `| less` may rest */
#define LZ_PROTO_IDLE_MS	 60000 /* daemon: a connection without a request is closed */

/* ---------------------------------------------------------------- codes */

/* Codes of replies and exit codes of lazaretctl: the same numbers, never changed. */
enum lz_code {
	LZ_CODE_OK = 0,
	LZ_CODE_INVALID = 1,	    /* usage or invalid input */
	LZ_CODE_REFUSED = 2,	    /* by kernel or daemon; `health`: not healthy */
	LZ_CODE_NOT_RUNNING = 3,    /* only a client says this, also of a daemon that turned it away as one too many */
	LZ_CODE_NO_OBJECT = 4,
	LZ_CODE_NOT_PERMITTED = 5,
	LZ_CODE_PARTLY = 6,	    /* rows name what was not done */
	LZ_CODE_GUARDED = 7,	    /* a guard stopped it; the argument "yes" overrides it */
	LZ_CODE_N,
};

/* Each role includes those before it. Everybody on the machine may look at the gateway; what names a customer is
 * for those who may read: a web server that somebody broke into is a user of this machine, too. */
enum lz_peer_role {
	LZ_PEER_DENIED,
	LZ_PEER_LOOK,
	LZ_PEER_READ,
	LZ_PEER_DETECT,
	LZ_PEER_OPERATE,
	LZ_PEER_ADMIN,
	LZ_PEER_N,
};

/* ---------------------------------------------------------------- commands */

#define LZ_CMD_F_MUTATES 0x01 /* changes the gateway or the ledger: recorded with its actor */
#define LZ_CMD_F_FOLLOW	 0x02 /* has no end of its own: ends when the client closes */

/* args: "name=type" or "name=type?" (optional), types text, word (no blanks), int (>= 0,
 * <= 2^53), bool, time, address, prefix; the server refuses all else before a handler sees it.
 * reply, row: for the reader. "name" any, "name?" may be missing, "name[]" a list. */
struct lz_proto_command {
	const char *name;
	enum lz_peer_role role;
	unsigned int flags;
	unsigned int payload_max_bytes; /* 0 = takes no payload */
	const char *args;
	const char *reply;
	const char *row;
};

/* What holds or frees answers "touched": the keys it really changed, as prefixes, and the
 * "customer" they belong to. */
#define LZ_PROTO_SOURCE                                                                            \
	"address class customer? examined syn smtp_connections smtp_destinations dropped "         \
	"would_drop seen held_until? grade? garden?"
/* enforced, not_enforced: false, and why packets pass all the same; else not there */
#define LZ_PROTO_NOT_ENFORCED "enforced? not_enforced?"
#define LZ_PROTO_HELD                                                                              \
	"address touched[] customer? class? state grade garden? " LZ_PROTO_NOT_ENFORCED              \
	" since until reason? ticket? actor source case?"
/* ladder, step: which of them it is on; next: what comes then, in words; release: the way out */
#define LZ_PROTO_CASE                                                                              \
	"case? state? reason_class? ladder? step? next? self_releases_left? release?"
#define LZ_PROTO_TIMELINE                                                                          \
	"time event from? state? grade? kind? actor? source? reason? evidence? count? ticket? until? " \
	"monitored?"

static const struct lz_proto_command lz_proto_commands[] = {
	/* --- the gateway */
	{ "status", LZ_PEER_LOOK, 0, 0, "",
	  "bypass{on until? since? actor?} release instance kernel uptime_s "
	  "policy{name mode generation applied actor confirmed deadline?} "
	  "sources{used capacity} colony{held capacity} exceptions "
	  "outbox{waiting lost failing?{way case since tries why}} "
	  "names?{known list[]{name addresses[] why?}} alarms[]",
	  "interface side hook up received_packets passed_packets dropped_packets" },
	{ "health", LZ_PEER_LOOK, 0, 0, "", /* code 2 when a check fails */
	  "healthy bypass{on} checks[]{name ok why?}", "" },
	{ "doctor", LZ_PEER_READ, 0, 0, "", /* intent, ledger, kernel compared; code 2 on a fault */
	  "faults", "check ok why? todo?" },
	{ "top", LZ_PEER_READ, 0, 0, "limit=int? sort=word?", /* since the daemon's last sample */
	  "interval_ms received_packets_per_s dropped_packets_per_s held bypass{on}",
	  "address class syn_per_s smtp_connections_per_s smtp_destinations dropped_per_s held" },
	{ "monitor", LZ_PEER_READ, LZ_CMD_F_FOLLOW, 0, "",
	  "", "time event address? class? limit? value? at_most? verdict? actor? reason? until? "
	  "lost?" },

	/* --- policy: the payload is a whole policy, sets and customers inlined by the client */
	{ "policy.diff", LZ_PEER_OPERATE, 0, LZ_PROTO_POLICY_BYTES, "",
	  /* held_shared: are held, and let go when it is confirmed: their class is shared by it */
	  "generation changes apply_refused? port25_users? port25_refused? warning? held_warning? held_shared? freed?",
	  "path from? to?" },
	{ "policy.apply", LZ_PEER_ADMIN, LZ_CMD_F_MUTATES, LZ_PROTO_POLICY_BYTES,
	  "confirm_s=int? yes=bool? file=text? expected_generation=int?",
	  "generation name deadline?",
	  "kind path? text" }, /* kind: not-in-force warning attached detached; path: of the policy */
	{ "policy.confirm", LZ_PEER_ADMIN, LZ_CMD_F_MUTATES, 0,
	  "generation=int?", /* refused if another one waits */
	  "generation name", "" },
	{ "policy.undo", LZ_PEER_ADMIN, LZ_CMD_F_MUTATES, 0,
	  "generation=int? yes=bool?", /* refused if another one is in force */
	  "generation name changes", "" },
	{ "policy.show", LZ_PEER_READ, 0, 0, "generation=int?", /* text in payload pieces */
	  "generation name", "" },
	{ "policy.history", LZ_PEER_READ, 0, 0, "",
	  "", "generation name applied actor state file?" }, /* confirmed pending expired undone */
	{ "policy.counters", LZ_PEER_LOOK, 0, 0, "", /* a row a class, and one for each of its limits */
	  "generation counted_since?",
	  "class limit? examined_packets passed_packets? refused_packets? would_refuse_packets? "
	  "over_packets? holds? monitored?" },

	/* --- the portal */
	{ "portal.options", LZ_PEER_LOOK, 0, 0, "", "url", "" }, /* of the captive portal API */

	/* --- sources */
	{ "source.list", LZ_PEER_READ, 0, 0, "limit=int? sort=word?", "total", LZ_PROTO_SOURCE },
	{ "source.show", LZ_PEER_READ, 0, 0, "address=address",
	  "source{" LZ_PROTO_SOURCE "}", "name counted at_most window_s? then" }, /* its limits */
	{ "why", LZ_PEER_READ, 0, 0, "address=address",
	  "address key customer? class set? verdict " LZ_PROTO_NOT_ENFORCED " rule? value? at_most? evidence? actor? reason? "
	  "ticket? since? until? grade? garden? generation exception? never note? " LZ_PROTO_CASE,
	  LZ_PROTO_TIMELINE },

	/* --- the colony */
	{ "quarantine.add", LZ_PEER_OPERATE, LZ_CMD_F_MUTATES, 0,
	  "address=address for_s=int? reason=text? ticket=word? garden=word? grade=text? "
	  "staff_only=bool?", /* extended: it was held, and now is longer or otherwise */
	  LZ_PROTO_HELD " " LZ_PROTO_CASE " extended note?", "" },
	{ "quarantine.set", LZ_PEER_OPERATE, LZ_CMD_F_MUTATES, 0,
	  "address=address for_s=int", LZ_PROTO_HELD " " LZ_PROTO_CASE " note?", "" },
	{ "quarantine.del", LZ_PEER_OPERATE, LZ_CMD_F_MUTATES, 0,
	  "address=address reason=text? ticket=word? false_positive=bool? for_s=int?",
	  "address touched[] customer? until_before was_held called_off? exception_until? " LZ_PROTO_CASE, "" },
	{ "quarantine.list", LZ_PEER_READ, 0, 0, "", /* unenforced: how many of them, if any */
	  "total unenforced? not_enforced?", LZ_PROTO_HELD },
	{ "quarantine.show", LZ_PEER_READ, 0, 0, "address=address? case=int?", /* one of them */
	  LZ_PROTO_HELD " " LZ_PROTO_CASE " note?", LZ_PROTO_TIMELINE },
	{ "quarantine.import", LZ_PEER_OPERATE, LZ_CMD_F_MUTATES, LZ_PROTO_IMPORT_BYTES,
	  "file=text? yes=bool?", /* a bad line: code 1, nothing done; refused ones: code 6 */
	  /* entries: lines, and `along`: addresses that are held only with another one of their customer;
	   * doubled: lines that name a key again; lines with a rate that was capped, a reason that was cut;
	   * apart: customers with more keys than are held together, of whom only what is listed is */
	  "entries held extended unchanged refused doubled over along apart capped cut", "line address? error" },
	{ "quarantine.export", LZ_PEER_READ, 0, 0, "", "entries", "" }, /* text in payload pieces */
	{ "quarantine.undo", LZ_PEER_OPERATE, LZ_CMD_F_MUTATES, 0,
	  "since=time source=word?", /* restored: again as it was before; stopped: were about to be held;
					      * rows: at most 1,000 */
	  "freed restored stopped", "address touched[] customer? actor since restored" },
	{ "quarantine.guard", LZ_PEER_OPERATE, LZ_CMD_F_MUTATES, 0, "reset=bool?",
	  "tripped refused new_per_minute held_automatically active_sources share", "" },

	/* --- exceptions and ranges */
	{ "exception.add", LZ_PEER_OPERATE, LZ_CMD_F_MUTATES, 0,
	  "prefix=prefix what=word until=time ticket=word",
	  "prefix what touched[] customer? until ticket", "" },
	{ "exception.del", LZ_PEER_OPERATE, LZ_CMD_F_MUTATES, 0,
	  "prefix=prefix", "prefix what touched[] customer?", "" },
	{ "exception.list", LZ_PEER_READ, 0, 0, "",
	  "total", "prefix what until ticket actor since customer?" },
	{ "exception.import", LZ_PEER_OPERATE, LZ_CMD_F_MUTATES, LZ_PROTO_IMPORT_BYTES,
	  "file=text?", /* a bad line: code 1, nothing done; lines whose time is over: code 6, they are refused */
	  /* doubled: lines whose prefix a later one names again; held: how many of whom it is for are, and the first */
	  "entries added doubled refused held? note?", "line prefix? error" },
	{ "exception.export", LZ_PEER_READ, 0, 0, "", "entries", "" }, /* text in payload pieces */
	{ "range.export", LZ_PEER_READ, 0, 0, /* without rows: text, a set's file, in payload pieces */
	  "set=word? rows=bool?", "prefixes", "set prefix" },
	{ "range.audit", LZ_PEER_READ, 0, 0, "",
	  "totals{size unused redundant nested never hole} left_out", "kind set? text" },
	{ "range.lookup", LZ_PEER_READ, 0, 0, "address=address",
	  "address prefix? class sets[] customer? never always_reach exception?", "" },
	{ "range.add", LZ_PEER_ADMIN, LZ_CMD_F_MUTATES, 0,
	  "set=word prefix=prefix", "set prefix generation was_class? class?", "" },
	{ "range.del", LZ_PEER_ADMIN, LZ_CMD_F_MUTATES, 0,
	  "set=word prefix=prefix", "set prefix generation was_class? class?", "" },

	/* --- who looked, who changed: the newest, oldest first; count: the same again in a minute */
	{ "audit.list", LZ_PEER_ADMIN, 0, 0, "limit=int?", "",
	  "time actor uid role cmd object? code count" },

	/* --- the kill switch */
	{ "bypass.on", LZ_PEER_ADMIN, LZ_CMD_F_MUTATES, 0, "for_s=int?", "bypass{on until?}", "" },
	{ "bypass.off", LZ_PEER_ADMIN, LZ_CMD_F_MUTATES, 0, "", "bypass{on}", "" },
	{ "bypass.status", LZ_PEER_LOOK, 0, 0, "", "bypass{on until? since? actor?}", "" },
};

#define LZ_PROTO_COMMANDS (sizeof(lz_proto_commands) / sizeof(lz_proto_commands[0]))

#endif /* LZ_LAZARET_PROTO_H */
