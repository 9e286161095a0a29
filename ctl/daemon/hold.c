// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hold.c - hold and free: ledger first (durable), then the kernel, then read back, then the answer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/ctl.h"

__u64 lz_colony_max(const struct lz_ctl *ctl)
{
	return ctl->now.image ? ctl->now.image->colony_max : LZ_POLICY_CAPACITY_MIN;
}

void lz_hold_word_put(const struct lz_held *held, __u64 *ret_word)
{
	unsigned int flags = lz_streq(held->source, "operator") ? LZ_HOLD_F_OPERATOR : 0;

	*ret_word = LZ_HOLD_WORD(held->expiry_s, held->ttl_s, held->garden, flags);
}

/* What one key's entry becomes: extended, never shortened, unless the operator sets it exactly. */
static void merge(const struct lz_ctl *ctl, const struct lz_target *t, const struct lz_order *o,
		  const struct lz_held *old, __u32 now_s, struct lz_held *ret)
{
	__u32 expiry_s = now_s + o->for_s;

	memset(ret, 0, sizeof(*ret));
	if (old)
		*ret = *old;
	else
		ret->since_s = lz_clock_wall_ns() / LZ_NS_PER_S;
	if (!old || o->exact || expiry_s > old->expiry_s) {
		ret->expiry_s = expiry_s;
		ret->ttl_s = o->for_s;
	}
	if (o->garden >= 0)
		ret->garden = (__u8)o->garden;
	ret->generation = lz_ctl_generation(ctl);
	lz_addr_format(&t->addr, ret->address);
	if (o->actor)
		lz_text_set(ret->actor, sizeof(ret->actor), o->actor);
	if (o->source)
		lz_text_set(ret->source, sizeof(ret->source), o->source);
	if (o->reason)
		lz_text_set(ret->reason, sizeof(ret->reason), o->reason);
	if (o->ticket)
		lz_text_set(ret->ticket, sizeof(ret->ticket), o->ticket);
}

static struct lz_note note_of(struct lz_ctl *ctl, const struct lz_held *held, const char *event)
{
	struct lz_note note = { .key = held->key, .until_s = lz_ctl_wall_of(held->expiry_s) };

	lz_text_set(note.event, sizeof(note.event), event);
	lz_key_format(held->key, ctl->view.instance.ipv6_key_len, note.object);
	lz_text_set(note.actor, sizeof(note.actor), held->actor);
	lz_text_set(note.reason, sizeof(note.reason), held->reason);
	return note;
}

/* A case each up to here, then one line for all: a log must not drown in an undo of 600,000. */
#define LZ_LINES_MAX 20

static void say_all(struct lz_ctl *ctl, const struct lz_held *entries, size_t n, const char *event)
{
	for (size_t i = 0; i < n; i++) {
		struct lz_note note = note_of(ctl, &entries[i], event);

		note.time_s = lz_ctl_now().wall_s;
		note.generation = lz_ctl_generation(ctl);
		lz_tell_say(ctl, n <= LZ_LINES_MAX ? LZ_LOG_NOTICE : LZ_LOG_DEBUG, &note);
	}
	if (n > LZ_LINES_MAX)
		lz_log(LZ_LOG_NOTICE, event, "sources=%zu actor=%s", n, entries[0].actor);
}

/* Entries and their rows of the timeline: one transaction, one sync. */
static int write_ledger(struct lz_ctl *ctl, const struct lz_held *entries, size_t n,
			const char *event, struct lz_err *reterr)
{
	int r = lz_ledger_begin(ctl->ledger, reterr);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct lz_note note = note_of(ctl, &entries[i], event);

		r = lz_held_put(ctl->ledger, &entries[i], reterr);
		if (r == 0)
			lz_tell_write(ctl, &note);
	}
	if (r == 0)
		r = lz_ledger_commit(ctl->ledger, reterr);
	else if (lz_ledger_in_batch(ctl->ledger))
		lz_ledger_rollback(ctl->ledger);
	lz_text_set(ctl->ledger_fault, sizeof(ctl->ledger_fault), r < 0 && reterr ? reterr->text : "");
	return r;
}

static int write_kernel(struct lz_ctl *ctl, const struct lz_held *held, struct lz_err *reterr)
{
	char key[LZ_PREFIX_TEXT_MAX];
	__u64 word, stands = 0;
	int r;

	lz_hold_word_put(held, &word);
	r = lz_hold_set(&ctl->view, held->key, word, LZ_HOLD_SET_EXACT, &stands);
	if (r >= 0 && LZ_HOLD_EXPIRY(stands) == held->expiry_s)
		return 0;
	lz_key_format(held->key, ctl->view.instance.ipv6_key_len, key);
	return lz_err_set(reterr, r < 0 ? -r : EIO, "%s: the kernel did not take it: %s", key,
			  r == -ENOSPC ? "table full" : strerror(r < 0 ? -r : EIO));
}

static int check_room(struct lz_ctl *ctl, const struct lz_target *t, struct lz_err *reterr)
{
	if (lz_held_count(ctl->ledger) + t->n_keys <= lz_colony_max(ctl))
		return 0;
	return lz_err_set(reterr, ENOSPC,
			  "colony: full: %llu of %llu are held; raise /capacity/colony or free some",
			  (unsigned long long)lz_held_count(ctl->ledger),
			  (unsigned long long)lz_colony_max(ctl));
}

int lz_hold_order(struct lz_ctl *ctl, const struct lz_target *target, const struct lz_order *order,
		  bool *ret_extended, struct lz_err *reterr)
{
	lz_autofree struct lz_held *entries = calloc(target->n_keys, sizeof(*entries));
	__u32 now_s = lz_tables_now_s(&ctl->view);
	bool extended = false;
	const char *event;
	int r;

	if (!entries)
		return lz_err_set(reterr, ENOMEM, "quarantine: out of memory");
	for (size_t i = 0; i < target->n_keys; i++) {
		struct lz_held old;
		bool known = lz_held_get(ctl->ledger, target->keys[i], &old) == 0 &&
			     old.expiry_s > now_s;

		merge(ctl, target, order, known ? &old : NULL, now_s, &entries[i]);
		entries[i].key = target->keys[i];
		extended |= known && target->keys[i] == target->key;
	}
	if (!extended) {
		r = check_room(ctl, target, reterr);
		if (r < 0)
			return r;
	}
	event = order->exact ? "set" : extended ? "extended" : "held";
	r = write_ledger(ctl, entries, target->n_keys, event, reterr);
	for (size_t i = 0; r == 0 && i < target->n_keys; i++)
		r = write_kernel(ctl, &entries[i], reterr);
	if (r < 0) {
		/* Not acknowledged, so it must not come back at the next start either. */
		for (size_t i = 0; !extended && i < target->n_keys; i++) {
			lz_hold_release(&ctl->view, target->keys[i], NULL);
			lz_held_del(ctl->ledger, target->keys[i], NULL);
		}
		return r;
	}
	say_all(ctl, entries, target->n_keys, event);
	*ret_extended = extended;
	return 0;
}

int lz_hold_free(struct lz_ctl *ctl, const __u64 *keys, size_t n, const char *event,
		 const char *actor, struct lz_err *reterr)
{
	lz_autofree struct lz_held *freed = calloc(n + 1, sizeof(*freed));
	int r;

	if (!freed)
		return lz_err_set(reterr, ENOMEM, "quarantine: out of memory");
	r = lz_ledger_begin(ctl->ledger, reterr);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct lz_note note;

		freed[i].key = keys[i];
		freed[i].expiry_s = lz_tables_now_s(&ctl->view);
		lz_text_set(freed[i].actor, sizeof(freed[i].actor), actor);
		note = note_of(ctl, &freed[i], event);
		r = lz_held_del(ctl->ledger, keys[i], reterr);
		if (r == -ENOENT) /* one of a customer's keys that was not held */
			r = 0;
		else if (r == 0)
			lz_tell_write(ctl, &note);
	}
	if (r == 0)
		r = lz_ledger_commit(ctl->ledger, reterr);
	else if (lz_ledger_in_batch(ctl->ledger))
		lz_ledger_rollback(ctl->ledger);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		lz_hold_release(&ctl->view, keys[i], NULL);
	say_all(ctl, freed, n, event);
	return 0;
}

/* ---------------------------------------------------------------- over time */

/* A limit in the kernel held somebody: from now on the ledger knows. Found by the event, or by the
 * sweep when the event was lost or nobody was there to read it. */
/* Which limit was it? The event says so; a hold found by the sweep is put down to the holding limit
 * that is nearest to its number. */
static void name_limit(struct lz_ctl *ctl, struct lz_held *held, const struct lz_event *event)
{
	const struct lz_image_limit *name = NULL;
	struct lz_counted counted[LZ_LIMITS_PER_CLASS];
	const struct lz_counted *nearest;
	__u32 value = 0, n = 0;
	struct lz_cell cell;

	if (event && ctl->now.image && event->limit_id < LZ_LIMIT_IDS) {
		name = &ctl->now.image->limits[event->limit_id];
		value = event->value;
		n = event->limit_n;
	} else if (!event) {
		nearest = lz_counted_nearest(counted, lz_counted_read(ctl, held->key, counted), true);
		if (nearest) {
			name = nearest->name;
			value = nearest->value;
			n = nearest->limit->n;
		}
	}
	if (!name || !name->name[0]) {
		lz_text_set(held->source, sizeof(held->source), "limit");
		lz_text_set(held->reason, sizeof(held->reason), "over a limit");
		return;
	}
	snprintf(held->source, sizeof(held->source), "limit:%s", name->name);
	if (lz_cell_get(&ctl->view, held->key, &cell) < 0)
		cell = (struct lz_cell){ 0 };
	snprintf(held->reason, sizeof(held->reason),
		 "over limit %s/%s: %u of at most %u; %u connections to port 25, %u SYNs seen",
		 name->class_, name->name, value, n, cell.smtp_connections, cell.syn);
}

static void learn(struct lz_ctl *ctl, __u64 key, __u64 word, const struct lz_event *event)
{
	__u32 now_s = lz_tables_now_s(&ctl->view);
	struct lz_held held = { .key = key }, old;
	struct lz_prefix prefix;
	struct lz_err err = { "" };

	if (ctl->busy || !lz_hold_is_active(word, now_s))
		return;
	if (lz_held_get(ctl->ledger, key, &old) == 0 && old.expiry_s >= LZ_HOLD_EXPIRY(word)) {
		lz_hold_acknowledge(&ctl->view, key, word);
		return;
	}
	held.since_s = lz_ctl_wall_of(LZ_HOLD_EXPIRY(word) - LZ_HOLD_TTL(word));
	held.generation = event ? event->generation : lz_ctl_generation(ctl);
	held.expiry_s = LZ_HOLD_EXPIRY(word);
	held.ttl_s = LZ_HOLD_TTL(word);
	held.garden = (__u8)LZ_HOLD_GRADE(word);
	prefix = lz_key_to_prefix(key, ctl->view.instance.ipv6_key_len);
	lz_addr_format(&prefix.addr, held.address);
	lz_text_set(held.actor, sizeof(held.actor), "kernel");
	name_limit(ctl, &held, event);
	if (write_ledger(ctl, &held, 1, "held", &err) < 0) {
		lz_log(LZ_LOG_ERROR, "ledger-failed", "why=%s", err.text);
		return;
	}
	lz_hold_acknowledge(&ctl->view, key, word);
	say_all(ctl, &held, 1, "held");
}

void lz_hold_learn(void *arg, __u64 key, __u64 word)
{
	learn(arg, key, word, NULL);
}

void lz_hold_learn_event(struct lz_ctl *ctl, const struct lz_event *event)
{
	learn(ctl, event->key, event->hold, event);
}

#define LZ_EXPIRE_SLICE 256

/* The kernel has let them go by itself; this only closes the books. */
void lz_hold_expire(struct lz_ctl *ctl)
{
	static struct lz_held ended[LZ_EXPIRE_SLICE];
	struct lz_err err = { "" };
	__u64 word;
	int n, r;

	n = lz_held_ended(ctl->ledger, lz_tables_now_s(&ctl->view), ended, LZ_EXPIRE_SLICE);
	if (n <= 0 || lz_ledger_begin(ctl->ledger, &err) < 0)
		return;
	r = 0;
	for (int i = 0; r == 0 && i < n; i++) {
		struct lz_note note;

		lz_text_set(ended[i].actor, sizeof(ended[i].actor), "clock");
		note = note_of(ctl, &ended[i], "expired");
		note.time_s = note.until_s; /* not when the books are closed: we may have been dead */
		lz_tell_write(ctl, &note);
		r = lz_held_del(ctl->ledger, ended[i].key, &err);
	}
	if (r == 0)
		r = lz_ledger_commit(ctl->ledger, &err);
	else
		lz_ledger_rollback(ctl->ledger);
	if (r < 0)
		lz_log(LZ_LOG_ERROR, "ledger-failed", "why=%s", err.text);
	else
		say_all(ctl, ended, (size_t)n, "expired");
	/* A limit may have held it anew meanwhile, longer than the ledger knew. */
	for (int i = 0; r == 0 && i < n; i++)
		if (lz_hold_read(&ctl->view, ended[i].key, &word) == 0)
			lz_hold_learn(ctl, ended[i].key, word);
}

/* ---------------------------------------------------------------- at the start */

#define LZ_RESTORE_SLICE 1024

/* The ledger's keys in its own order, to ask 600,000 times "do you know this one?" in no time. */
struct known {
	__u64 *keys;
	size_t n, cap;
};

struct strangers {
	const struct known *known;
	__u64 *keys;
	size_t n, cap;
};

static int compare_known(const void *a, const void *b)
{
	__s64 x = (__s64) * (const __u64 *)a, y = (__s64) * (const __u64 *)b;

	return x < y ? -1 : x > y;
}

/* In force, not from a limit, and not in the ledger: a release that was cut off in the middle. */
static int find_stranger(void *arg, __u64 key, __u64 word)
{
	struct strangers *s = arg;

	if ((LZ_HOLD_FLAGS(word) & LZ_HOLD_F_KERNEL) ||
	    (s->known->n && bsearch(&key, s->known->keys, s->known->n, sizeof(key), compare_known)))
		return 0;
	if (lz_array_grow(&s->keys, &s->cap, s->n + 1, sizeof(*s->keys)) < 0)
		return -ENOMEM;
	s->keys[s->n++] = key;
	return 0;
}

static void release_strangers(struct lz_ctl *ctl, const struct known *known)
{
	struct strangers s = { .known = known };

	lz_holds_each(&ctl->view, lz_tables_now_s(&ctl->view), find_stranger, &s);
	for (size_t i = 0; i < s.n; i++)
		lz_hold_release(&ctl->view, s.keys[i], NULL);
	if (s.n)
		lz_log(LZ_LOG_NOTICE, "releases-finished", "sources=%zu", s.n);
	free(s.keys);
}

/* One slice of the ledger into the kernel; returns how many are held by it. */
static size_t restore_slice(struct lz_ctl *ctl, const struct lz_held *rows, int n, __u32 now_s)
{
	static struct lz_hold_entry entries[LZ_RESTORE_SLICE];
	size_t m = 0;

	for (int i = 0; i < n; i++) {
		__u64 stands = 0;

		if (rows[i].expiry_s <= now_s)
			continue;
		/* A limit held it for longer: the sweep tells the ledger. */
		if (ctl->adopted && lz_hold_read(&ctl->view, rows[i].key, &stands) == 0 &&
		    (LZ_HOLD_FLAGS(stands) & LZ_HOLD_F_KERNEL) &&
		    LZ_HOLD_EXPIRY(stands) > rows[i].expiry_s)
			continue;
		entries[m].key = rows[i].key;
		lz_hold_word_put(&rows[i], &entries[m++].word);
	}
	return lz_hold_set_bulk(&ctl->view, entries, m, LZ_HOLD_SET_EXACT);
}

void lz_hold_restore(struct lz_ctl *ctl)
{
	static struct lz_held rows[LZ_RESTORE_SLICE];
	struct lz_held_walk walk = { 0 };
	struct known known = { 0 };
	__u32 now_s = lz_tables_now_s(&ctl->view);
	bool complete = true;
	size_t restored = 0;
	int n;

	while ((n = lz_held_next(ctl->ledger, &walk, rows, LZ_RESTORE_SLICE)) > 0) {
		restored += restore_slice(ctl, rows, n, now_s);
		complete &= lz_array_grow(&known.keys, &known.cap, known.n + (size_t)n,
					  sizeof(*known.keys)) == 0;
		for (int i = 0; complete && i < n; i++)
			known.keys[known.n++] = rows[i].key;
	}
	/* Only who has read all of the ledger may say that somebody is not in it (I1). */
	if (ctl->adopted && complete && n == 0)
		release_strangers(ctl, &known);
	free(known.keys);
	lz_log(LZ_LOG_NOTICE, "holds-restored", "sources=%zu of=%llu", restored,
	       (unsigned long long)lz_held_count(ctl->ledger));
}
