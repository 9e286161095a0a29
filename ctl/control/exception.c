// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * exception.c - who may send although his class may not: state, not policy; ends by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "control/ctl.h"
#include "control/exception.h"
#include "control/tell.h"

#define LZ_EXPIRE_NS (15 * 1000000ULL) /* of a turn, if many end together */

const char *lz_exception_word(__u32 flags)
{
	return flags & LZ_EXCEPTION_ALL ? "all" : "port25";
}

int lz_exception_flags(const char *word, __u32 *ret, struct lz_err *reterr)
{
	if (word && lz_streq(word, "port25"))
		*ret = LZ_EXCEPTION_PORT25;
	else if (word && lz_streq(word, "all"))
		*ret = LZ_EXCEPTION_ALL;
	else
		return lz_err_set(reterr, EINVAL, "exception: %s: want port25 or all",
				  word ? word : "-");
	return 0;
}

/* @r: why the data plane has no key for it */
static int refuse_key(const struct lz_ctl *ctl, const struct lz_prefix *prefix, int r, struct lz_err *reterr)
{
	unsigned int key_len = ctl->view.instance.ipv6_key_len;
	char text[LZ_PREFIX_TEXT_MAX], whole[LZ_PREFIX_TEXT_MAX];
	struct lz_prefix key;

	if (r != -ERANGE)
		return lz_prefix_no_source(prefix, reterr);
	lz_prefix_format(prefix, text);
	key = lz_prefix_cut(prefix, key_len);
	return lz_err_set(reterr, EINVAL, "%s: no exception for less than a /%u, which is one customer; write %s",
			  text, key_len, lz_prefix_format(&key, whole));
}

/* Also of what an older version has taken: in the ledger and in the kernel it has its place until it ends. */
static int find_key(const struct lz_ctl *ctl, const struct lz_prefix *prefix, struct lz_prefix_key *ret,
		    struct lz_err *reterr)
{
	char text[LZ_PREFIX_TEXT_MAX], command[LZ_COMMAND_TEXT_MAX];
	struct lz_keyprefix kp;
	int r;

	if (lz_prefix_is_too_wide(prefix))
		return lz_err_set(reterr, EINVAL, "%s: an exception for everybody; want at most "
				  LZ_CUSTOMERS_WIDEST " (to let everything pass: %s)",
				  lz_prefix_format(prefix, text), lz_ctl_command(ctl, "bypass on", command));
	r = lz_keyprefix_from_prefix(prefix, ctl->view.instance.ipv6_key_len, &kp);
	if (r < 0)
		return refuse_key(ctl, prefix, r, reterr);
	*ret = (struct lz_prefix_key){ .bits = kp.bits, .len = kp.len };
	return 0;
}

int lz_exception_key(const struct lz_ctl *ctl, const struct lz_prefix *prefix, struct lz_prefix_key *ret,
		     struct lz_err *reterr)
{
	return lz_prefix_has_hosts(prefix) ? find_key(ctl, prefix, ret, reterr) : lz_prefix_no_source(prefix, reterr);
}

/* Of the data plane's clock. What is over is over there, too. */
static __u32 kernel_end(__u64 until_s)
{
	struct lz_now now = lz_ctl_now();
	__u64 left_s = until_s > now.wall_s ? until_s - now.wall_s : 0;

	return left_s > 0xffffffffULL - now.mono_s ? 0xffffffff : (__u32)(left_s + now.mono_s);
}

int lz_exception_to_kernel(struct lz_ctl *ctl, const struct lz_granted *row, struct lz_err *reterr)
{
	struct lz_exception exception = { .until_s = kernel_end(row->until_s), .flags = row->flags };
	struct lz_prefix_key key;
	int r = find_key(ctl, &row->prefix, &key, reterr);

	if (r < 0)
		return r;
	r = lz_exception_add(&ctl->view, &key, &exception);
	return r < 0 ? lz_err_set(reterr, -r, "exception: kernel: %s", strerror(-r)) : 0;
}

void lz_exception_out_of_kernel(struct lz_ctl *ctl, const struct lz_prefix *prefix)
{
	struct lz_prefix_key key;

	if (find_key(ctl, prefix, &key, NULL) == 0)
		lz_exception_del(&ctl->view, &key);
}

int lz_exception_grant(struct lz_ctl *ctl, const struct lz_granted *row, struct lz_err *reterr)
{
	char text[LZ_PREFIX_TEXT_MAX];
	struct lz_granted before;
	struct lz_prefix_key key;
	bool known;
	int r;

	if (row->until_s <= lz_ctl_now().wall_s)
		return lz_err_set(reterr, EINVAL, "%s: until: is in the past",
				  lz_prefix_format(&row->prefix, text));
	r = lz_exception_key(ctl, &row->prefix, &key, reterr);
	if (r < 0)
		return r;
	known = lz_granted_get(ctl->ledger, &row->prefix, &before) == 0;
	r = lz_granted_put(ctl->ledger, row, reterr);
	if (r < 0 || (r = lz_exception_to_kernel(ctl, row, reterr)) == 0)
		return r;
	if (known) /* in the kernel it still is */
		lz_granted_put(ctl->ledger, &before, NULL);
	else
		lz_granted_del(ctl->ledger, &row->prefix, NULL);
	return r;
}

int lz_exception_revoke(struct lz_ctl *ctl, const struct lz_prefix *prefix, struct lz_err *reterr)
{
	int r = lz_granted_del(ctl->ledger, prefix, reterr);

	if (r == 0)
		lz_exception_out_of_kernel(ctl, prefix);
	return r;
}

void lz_exception_tell(struct lz_ctl *ctl, const char *event, const struct lz_granted *row, const char *actor)
{
	struct lz_note note = { .until_s = row->until_s };

	lz_text_set(note.event, sizeof(note.event), event);
	lz_prefix_format(&row->prefix, note.object);
	lz_text_set(note.actor, sizeof(note.actor), actor);
	snprintf(note.reason, sizeof(note.reason), "%s %s", lz_exception_word(row->flags), row->ticket);
	lz_tell_note(ctl, LZ_LOG_NOTICE, &note);
}

/* As lz_hold_restore(): what the books could not learn must not be shortened by them. */
static void keep_unlearnt(const struct lz_ctl *ctl, struct lz_granted *row)
{
	struct lz_prefix_key key;
	struct lz_exception has;

	if (ctl->strangers_known || lz_exception_key(ctl, &row->prefix, &key, NULL) < 0)
		return;
	if (lz_exception_read(&ctl->view, &key, &has) < 0 || has.until_s <= lz_tables_now_s(&ctl->view))
		return;
	row->flags |= has.flags;
	if (lz_ctl_wall_of(has.until_s) > row->until_s)
		row->until_s = lz_ctl_wall_of(has.until_s);
}

/* ---------------------------------------------------------------- who has one */

/* A list asks it of 600,000: where nobody has one of this length, and of single sources mostly, without a
 * system call. */
static bool may_have(const struct lz_ctl *ctl, const struct lz_prefix_key *key)
{
	__u32 bit;

	if (!ctl->view.exception_count[key->len])
		return false;
	bit = lz_excepted_bit(lz_hash(key->bits, ctl->view.instance.seed));
	return key->len < 64 || ctl->view.tables->excepted[bit / 64] >> (bit & 63) & 1;
}

/* Who granted it why is in the ledger. */
static bool is_in_force(const struct lz_ctl *ctl, const struct lz_prefix_key *at, struct lz_granted *ret)
{
	struct lz_keyprefix kp = { .bits = at->bits, .len = (__u8)at->len };
	struct lz_exception has;
	struct lz_prefix prefix;

	if (!may_have(ctl, at) || lz_exception_read(&ctl->view, at, &has) < 0)
		return false;
	prefix = lz_keyprefix_to_prefix(&kp);
	return lz_granted_get(ctl->ledger, &prefix, ret) == 0 && ret->until_s > lz_ctl_now().wall_s;
}

/* As lz_exception_of() of bpf/range.h decides. */
int lz_exception_find(const struct lz_ctl *ctl, __u64 key, struct lz_granted *ret)
{
	for (unsigned int len = 64; ctl->view.exceptions && len > 0; len--) {
		struct lz_prefix_key at = { .bits = key & ~0ULL << (64 - len), .len = len };

		if (is_in_force(ctl, &at, ret))
			return 0;
	}
	return -ENOENT;
}

/* Of many keys, neighbours mostly: for each length that somebody has one of, narrowest first, what was asked last. */
struct asked {
	size_t n;
	struct {
		__u32 len;
		enum { ASKED_NOT, ASKED_NONE, ASKED_NOT_ALL } found; /* for these bits; one from all ends the search */
		__u64 bits;
	} at[64];
};

static void find_lengths(const struct lz_ctl *ctl, struct asked *ret)
{
	ret->n = 0;
	for (__u32 len = 64; len > 0; len--)
		if (ctl->view.exception_count[len]) {
			ret->at[ret->n].len = len;
			ret->at[ret->n++].found = ASKED_NOT;
		}
}

/* The narrowest alone counts. A customer may have 65,536 keys, and is asked for with each piece of evidence: one
 * for all of them is looked at once. */
static bool is_from_all(const struct lz_ctl *ctl, __u64 key, struct asked *asked, struct lz_granted *ret)
{
	for (size_t i = 0; i < asked->n; i++) {
		struct lz_prefix_key at = { .bits = key & ~0ULL << (64 - asked->at[i].len), .len = asked->at[i].len };

		if (asked->at[i].found == ASKED_NOT || asked->at[i].bits != at.bits) {
			asked->at[i].bits = at.bits;
			asked->at[i].found = ASKED_NONE;
			if (is_in_force(ctl, &at, ret)) {
				if (ret->flags & LZ_EXCEPTION_ALL)
					return true;
				asked->at[i].found = ASKED_NOT_ALL;
			}
		}
		if (asked->at[i].found == ASKED_NOT_ALL)
			return false;
	}
	return false;
}

int lz_exception_check(const struct lz_ctl *ctl, const __u64 *keys, size_t n, struct lz_err *reterr)
{
	char prefix[LZ_PREFIX_TEXT_MAX], until[LZ_TIME_TEXT_MAX], command[LZ_COMMAND_TEXT_MAX];
	char words[sizeof("exception del ") + LZ_PREFIX_TEXT_MAX];
	struct lz_granted row;
	struct asked asked;

	find_lengths(ctl, &asked);
	for (size_t i = 0; ctl->view.exceptions && i < n; i++) {
		if (!is_from_all(ctl, keys[i], &asked, &row))
			continue;
		if (!reterr) /* evidence of thousands a second asks no more than yes or no */
			return -EPERM;
		snprintf(words, sizeof(words), "exception del %s", lz_prefix_format(&row.prefix, prefix));
		return lz_err_set(reterr, EPERM, "cannot be held: exception from all for %s until %s, ticket %s; "
				  "%s first", prefix, lz_time_format(row.until_s * LZ_NS_PER_S, until), row.ticket,
				  lz_ctl_command(ctl, words, command));
	}
	return 0;
}

/* ---------------------------------------------------------------- over time */

void lz_exception_restore(struct lz_ctl *ctl)
{
	struct lz_granted rows[LZ_GRANTED_SLICE], last;
	__u64 wall_s = lz_ctl_now().wall_s;
	struct lz_err err = { "" };
	bool begun = false;
	int n;

	while ((n = lz_granted_next(ctl->ledger, begun ? &last.prefix : NULL, rows,
				    LZ_GRANTED_SLICE)) > 0) {
		last = rows[n - 1];
		for (int i = 0; i < n; i++) {
			keep_unlearnt(ctl, &rows[i]);
			if (rows[i].until_s > wall_s && lz_exception_to_kernel(ctl, &rows[i], &err) < 0)
				lz_log(LZ_LOG_ERROR, "exception-lost", "why=%s", err.text);
		}
		begun = true;
	}
}

/* In one batch that is not waited for: what a loss of power takes of it is over all the same, and found again. */
static int close_books(struct lz_ctl *ctl, const struct lz_granted *rows, int n, struct lz_err *reterr)
{
	int r = lz_ledger_begin_lazy(ctl->ledger, reterr);

	for (int i = 0; r == 0 && i < n; i++) {
		r = lz_granted_del(ctl->ledger, &rows[i].prefix, reterr);
		if (r == 0)
			lz_exception_tell(ctl, "exception-expired", &rows[i], "clock");
	}
	return lz_ledger_end(ctl->ledger, r, reterr);
}

/* Of the next rows those that have ended; how many, 0 also at the end of the table. */
static int expire_slice(struct lz_ctl *ctl, __u64 ended_s)
{
	static struct lz_granted last;
	static bool begun;
	struct lz_granted rows[LZ_GRANTED_SLICE];
	struct lz_err err = { "" };
	int n, ended = 0;

	n = lz_granted_next(ctl->ledger, begun ? &last.prefix : NULL, rows, LZ_GRANTED_SLICE);
	begun = n > 0;
	if (n <= 0)
		return 0;
	last = rows[n - 1];
	for (int i = 0; i < n; i++)
		if (rows[i].until_s <= ended_s)
			rows[ended++] = rows[i];
	if (!ended)
		return 0;
	if (close_books(ctl, rows, ended, &err) < 0) {
		lz_tell_ledger_failed(err.text);
		return 0;
	}
	for (int i = 0; i < ended; i++)
		lz_exception_out_of_kernel(ctl, &rows[i].prefix);
	return ended;
}

/* The kernel ended them by itself; once a minute or so the books are closed, a slice at a time. Where one has
 * ended there are others: whole lists end on the same date. */
void lz_exception_expire(struct lz_ctl *ctl)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_EXPIRE_NS, ended_s = lz_ctl_ended_s(ctl);

	while (expire_slice(ctl, ended_s) > 0 && lz_clock_mono_ns() < until_ns)
		;
}
