/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * self.c - what a held host is told about itself, and its own way out.
 *
 * A token is 256 random bits; the ledger has only its hash, so that who reads the database lets nobody
 * out. It is used up by the release, and all others of the case with it.
 */
#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/hold.h"
#include "control/target.h"

#define LZ_TOKEN_BYTES 32
#define LZ_TOKENS_A_MINUTE 30 /* a page that is loaded again and again */
#define LZ_RATE_SLOTS  1024   /* hosts whose tries are counted at a time */

/* Tries of hosts: a small table by key; two that share a slot share its count. */
struct tries {
	__u64 key;
	__u64 since_s;
	__u32 tokens, wrong;
};

static struct tries *tries_of(__u64 key, __u64 now_s)
{
	static struct tries table[LZ_RATE_SLOTS];
	struct tries *t = &table[(key ^ key >> 10 ^ key >> 32) % LZ_RATE_SLOTS];

	if (t->key != key || now_s - t->since_s >= LZ_TOKEN_TRIES_S)
		*t = (struct tries){ .key = key, .since_s = now_s };
	return t;
}

static struct lz_release_rule rule_of(const struct lz_ctl *ctl)
{
	const struct lz_policy *policy = ctl->now.policy;
	struct lz_release_rule rule = { LZ_RELEASE_TIMES_DEFAULT, LZ_RELEASE_QUIET_S };

	if (policy && policy->portal.present) {
		rule.times = policy->portal.self_release_times;
		rule.quiet_s = (__u32)(policy->portal.self_release_quiet_ns / LZ_NS_PER_S);
	}
	return rule;
}

static int check_opened(const struct lz_ctl *ctl, struct lz_err *reterr)
{
	return ctl->opened ? 0 : lz_err_set(reterr, ENOENT, "gateway: no policy was ever applied");
}

static int target_of(struct lz_ctl *ctl, const struct lz_addr *addr, struct lz_target *ret,
		     struct lz_err *reterr)
{
	int r = check_opened(ctl, reterr);

	return r < 0 ? r : lz_target_at(ctl, addr, ret, reterr);
}

/* For what is written. */
static int check_change(const struct lz_ctl *ctl, struct lz_err *reterr)
{
	return ctl->busy ? lz_err_set(reterr, EBUSY, "ledger: an import is running; try again") :
			   check_opened(ctl, reterr);
}

/* ---------------------------------------------------------------- look */

static void view_hold(struct lz_ctl *ctl, const struct lz_target *t, __u64 word,
		      struct lz_case_view *v)
{
	struct lz_held held = { 0 };
	struct lz_grade grade;

	lz_hold_grade(ctl, word, &grade);
	lz_grade_format(&grade, v->grade);
	v->held = true;
	v->left_s = LZ_HOLD_EXPIRY(word) - lz_tables_now_s(&ctl->view);
	v->until_s = lz_ctl_wall_of(LZ_HOLD_EXPIRY(word));
	v->since_s = lz_ctl_wall_of(LZ_HOLD_EXPIRY(word) - LZ_HOLD_TTL(word));
	v->state = lz_case_state_of(&grade);
	if (lz_held_get(ctl->ledger, t->key, &held) < 0)
		return;
	v->since_s = held.since_s;
	lz_text_set(v->grade, sizeof(v->grade), held.grade);
	lz_text_set(v->ticket, sizeof(v->ticket), held.ticket);
}

int lz_case_look(struct lz_ctl *ctl, const struct lz_addr *addr, struct lz_case_view *ret)
{
	struct lz_case_view v = { .release = LZ_RELEASE_NOT_HELD };
	struct lz_release_rule rule = rule_of(ctl);
	struct lz_cell_copy cell = { 0 };
	struct lz_target t;
	struct lz_case c;
	__u64 word;
	int r = check_opened(ctl, NULL);

	if (r == 0)
		r = lz_target_look(ctl, addr, &t, NULL);
	if (r < 0)
		return r;
	if (lz_hold_read(&ctl->view, t.key, &word) == 0 &&
	    lz_hold_off(ctl, &t.addr, LZ_HOLD_EXPIRY(word)) == LZ_HOLD_IS_ENFORCED)
		view_hold(ctl, &t, word, &v);
	r = lz_case_peek(ctl, &t, &c);
	if (r == 0) {
		v.id = c.id;
		if (!v.held)
			v.state = c.state;
		v.seen_s = c.id ? lz_evidence_seen(ctl->ledger, c.id) : 0;
		if (!v.seen_s)
			v.seen_s = c.evidence_s;
		if (c.state == LZ_CASE_RELEASED || c.state == LZ_CASE_WATCH)
			v.released_s = c.changed_s;
		v.releases_left = lz_release_left(&c, &rule);
		v.release = lz_release_ask(&c, &rule, v.seen_s, lz_ctl_now().wall_s, &v.wait_s);
		lz_text_set(v.reason_class, sizeof(v.reason_class), c.reason_class);
	}
	if (lz_cell_get(&ctl->view, t.key, &cell) == 0)
		v.connections = cell.smtp_connections;
	if (r < 0 && !v.held)
		return r;
	*ret = v;
	return 0;
}

/* ---------------------------------------------------------------- tokens */

static int hash_token(const char *token, __u8 ret[static LZ_TOKEN_HASH_BYTES])
{
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, token, strlen(token), ret) < 0 ? -EIO : 0;
}

/* base64url without padding (RFC 4648 5). */
static void write_token(const __u8 bytes[static LZ_TOKEN_BYTES], char ret[static LZ_TOKEN_TEXT_MAX])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned int bits = 0, have = 0;
	size_t n = 0;

	for (size_t i = 0; i < LZ_TOKEN_BYTES; i++) {
		bits = bits << 8 | bytes[i];
		for (have += 8; have >= 6; have -= 6)
			ret[n++] = digits[bits >> (have - 6) & 63];
	}
	if (have)
		ret[n++] = digits[bits << (6 - have) & 63];
	ret[n] = '\0';
}

static int refuse(const struct lz_target *t, enum lz_release why, struct lz_err *reterr)
{
	static const int codes[LZ_RELEASE_N] = {
		[LZ_RELEASE_NOT_HELD] = ENOENT, [LZ_RELEASE_STAFF] = EPERM,
		[LZ_RELEASE_USED_UP] = EPERM,	[LZ_RELEASE_EVIDENCE] = EAGAIN,
		[LZ_RELEASE_TOKEN] = EPERM,	[LZ_RELEASE_RATE] = EAGAIN,
	};
	char text[LZ_ADDR_TEXT_MAX];

	return lz_err_set(reterr, codes[why], "%s: %s", lz_addr_format(&t->addr, text),
			  lz_release_texts[why]);
}

/* lz_case_open() wants all keys of the customer only for a case that is to be made. */
static int open_case(struct lz_ctl *ctl, const struct lz_target *look, struct lz_case *ret, struct lz_err *reterr)
{
	struct lz_target t;
	int r = lz_case_peek(ctl, look, ret);

	if (r == 0 && ret->id)
		return 0;
	r = target_of(ctl, &look->addr, &t, reterr);
	if (r < 0)
		return r;
	r = lz_case_open(ctl, &t, ret, reterr);
	lz_target_done(&t);
	return r;
}

/* @t: without its keys */
static int make_token(struct lz_ctl *ctl, const struct lz_target *t,
		      char ret_token[static LZ_TOKEN_TEXT_MAX], struct lz_err *reterr)
{
	struct lz_release_rule rule = rule_of(ctl);
	__u64 now_s = lz_ctl_now().wall_s;
	__u8 bytes[LZ_TOKEN_BYTES], hash[LZ_TOKEN_HASH_BYTES];
	char token[LZ_TOKEN_TEXT_MAX];
	enum lz_release may;
	struct lz_case c;
	__u32 wait_s;
	int r;

	if (++tries_of(t->key, now_s)->tokens > LZ_TOKENS_A_MINUTE)
		return refuse(t, LZ_RELEASE_RATE, reterr);
	r = open_case(ctl, t, &c, reterr);
	if (r < 0)
		return r;
	/* The page may be looked at while the quiet minutes run: its button works later. */
	may = lz_release_ask(&c, &rule, 0, now_s, &wait_s);
	if (may != LZ_RELEASE_MAY)
		return refuse(t, may, reterr);
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return lz_err_set(reterr, EIO, "token: no random numbers");
	write_token(bytes, token);
	r = hash_token(token, hash);
	if (r < 0)
		return lz_err_set(reterr, EIO, "token: cannot be hashed");
	r = lz_token_add(ctl->ledger, hash, c.id, now_s, LZ_TOKEN_LIFE_S, LZ_TOKENS_MAX, reterr);
	if (r == 0)
		memcpy(ret_token, token, sizeof(token));
	return r;
}

int lz_case_token(struct lz_ctl *ctl, const struct lz_addr *addr,
		  char ret_token[static LZ_TOKEN_TEXT_MAX], struct lz_err *reterr)
{
	struct lz_target t;
	int r = check_change(ctl, reterr);

	if (r == 0)
		r = lz_target_look(ctl, addr, &t, reterr);
	return r < 0 ? r : make_token(ctl, &t, ret_token, reterr);
}

/* ---------------------------------------------------------------- release */

static enum lz_release ask_release(struct lz_ctl *ctl, const struct lz_target *t,
				   const struct lz_case *c, const char *token, __u32 *ret_wait_s)
{
	struct lz_release_rule rule = rule_of(ctl);
	__u64 now_s = lz_ctl_now().wall_s;
	struct tries *tries = tries_of(t->key, now_s);
	__u64 seen_s = c->id ? lz_evidence_seen(ctl->ledger, c->id) : 0;
	__u8 hash[LZ_TOKEN_HASH_BYTES];
	enum lz_release may;

	*ret_wait_s = 0;
	if (tries->wrong >= LZ_TOKEN_TRIES_MAX) {
		*ret_wait_s = (__u32)(LZ_TOKEN_TRIES_S - (now_s - tries->since_s));
		return LZ_RELEASE_RATE;
	}
	may = lz_release_ask(c, &rule, seen_s > c->evidence_s ? seen_s : c->evidence_s, now_s,
			     ret_wait_s);
	if (may != LZ_RELEASE_MAY)
		return may;
	/* Used up before the release is written: a crash in between costs a reload of the page. */
	if (hash_token(token, hash) == 0 &&
	    lz_token_take(ctl->ledger, hash, c->id, now_s, LZ_TOKEN_LIFE_S, NULL) == 0)
		return LZ_RELEASE_MAY;
	tries->wrong++;
	return LZ_RELEASE_TOKEN;
}

static int release(struct lz_ctl *ctl, const struct lz_target *t, const char *token,
		   enum lz_release *ret_why, __u32 *ret_wait_s, struct lz_err *reterr)
{
	struct lz_move move = { .target = t, .to = LZ_CASE_RELEASED, .actor = "customer",
				.source = "self-release", .event = "self-released" };
	enum lz_release why;
	struct lz_case c;
	bool any = false;
	int r = lz_case_open(ctl, t, &c, reterr);

	if (r == 0 && c.id)
		r = lz_case_hand_over(ctl, c.id, &any, reterr);
	if (r == 0 && any)
		r = lz_case_open(ctl, t, &c, reterr);
	if (r < 0)
		return r;
	why = ask_release(ctl, t, &c, token, ret_wait_s);
	*ret_why = why;
	if (why != LZ_RELEASE_MAY)
		return refuse(t, why, reterr);
	c.self_releases++;
	c.due_s = lz_ctl_now().wall_s + LZ_CASE_RELEASED_S;
	move.c = &c;
	return lz_case_move(ctl, &move, NULL, reterr);
}

int lz_case_self_release(struct lz_ctl *ctl, const struct lz_addr *addr, const char *token,
			 enum lz_release *ret_why, __u32 *ret_wait_s, struct lz_err *reterr)
{
	struct lz_target t;
	int r;

	*ret_why = LZ_RELEASE_NOT_HELD;
	*ret_wait_s = 0;
	r = check_change(ctl, reterr);
	if (r == 0)
		r = target_of(ctl, addr, &t, reterr);
	if (r < 0)
		return r;
	r = release(ctl, &t, token, ret_why, ret_wait_s, reterr);
	lz_target_done(&t);
	return r;
}

/* ---------------------------------------------------------------- what the sink saw */

/* Printable ASCII as it is, all else as \xNN, so that no reader of a log or a terminal is fooled. The
 * portal has done so already: its backslashes stay as they are. */
static void escape(const char *text, char *dst, size_t size)
{
	size_t n = 0;

	for (; *text && n + 5 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= ' ' && c < 0x7f)
			dst[n++] = (char)c;
		else
			n += (size_t)snprintf(dst + n, size - n, "\\x%02x", c);
	}
	dst[n] = '\0';
}

int lz_case_seen(struct lz_ctl *ctl, const struct lz_addr *addr, const char *helo, const char *first)
{
	struct lz_evidence e = { .kind = LZ_EVIDENCE_SINK, .proven = true, .count = 1,
				 .source = "sink", .reason_class = LZ_CLASS_VOLUME };
	char name[120], command[100];
	struct lz_target t;
	struct lz_case c;
	int r = target_of(ctl, addr, &t, NULL);

	if (r < 0)
		return r;
	r = ctl->busy ? -EBUSY : lz_case_open(ctl, &t, &c, NULL);
	lz_target_done(&t);
	if (r < 0)
		return r;
	if (!c.id || !lz_case_holds(c.state))
		return -ENOENT;
	escape(helo ? helo : "", name, sizeof(name));
	escape(first ? first : "", command, sizeof(command));
	snprintf(e.text, sizeof(e.text), "spoke SMTP while held: HELO '%s', then '%s'", name, command);
	e.case_id = c.id;
	e.time_s = lz_ctl_now().wall_s;
	lz_case_evidence(ctl, &e);
	return 0;
}
