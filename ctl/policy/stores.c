/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/stores.h"

#include <errno.h>
#include <lazaret/table.h>
#include <string.h>

#include "base/mem.h"
#include "policy/compile.h"

enum kind {
	PUT_LINE,   /* a group that was not there */
	PUT_BITS,   /* the same two classes, otherwise */
	PUT_OUTER,  /* class 0 of the line is what lies around it, and is asked for from now on */
	PUT_BLOCK,  /* a third class: a block instead of the bits */
	PUT_PLACES, /* in its block */
};

struct lz_store {
	enum kind kind;
	__u8 family; /* PUT_LINE */
	__u32 at;    /* line, counted through all buckets */
	__u32 block; /* bucket */
	struct lz_range_line line; /* PUT_LINE, PUT_BITS: as it is to be */
	struct lz_range_sheet sheet; /* PUT_BLOCK, PUT_PLACES */
};

static struct lz_range_line *line_at(union lz_range_bucket *ranges, __u32 at)
{
	return &ranges[at / LZ_RANGE_BUCKET_LINES].line[at % LZ_RANGE_BUCKET_LINES];
}

/* ---------------------------------------------------------------- prepare */

static int add(struct lz_stores *stores, const struct lz_store *store)
{
	int r;

	if (stores->n >= LZ_STORES_MAX)
		return -ENOSPC;
	r = lz_array_grow(&stores->v, &stores->cap, stores->n + 1, sizeof(*stores->v));
	if (r == 0)
		stores->v[stores->n++] = *store;
	return r;
}

/* The line of a group; *ret_at: its number. NULL: not there, and no place for it. */
static const struct lz_range_line *find(const struct lz_compile *c, __u64 id, __u32 *ret_at)
{
	const struct lz_image *image = c->image;
	const struct lz_range_line *line =
		lz_range_line_find(image->ranges, image->gen.range_buckets, image->seed, id);

	*ret_at = line ? (__u32)(line - image->ranges[0].line) : 0;
	return line;
}

/* Bits that make the line's two classes say what the sheet does; false: they cannot. Where the line
 * knows the class around it, that is as good as asking for it. */
static bool bits_of(const struct lz_range_line *line, const struct lz_range_sheet *sheet, __u8 around,
		    __u64 ret[static LZ_RANGE_PLACES / 64])
{
	memset(ret, 0, sizeof(line->bits));
	for (unsigned i = 0; i < LZ_RANGE_PLACES; i++) {
		__u8 class_ = sheet->class_[i];

		if (class_ == line->class_[1])
			ret[i / 64] |= 1ULL << (i % 64);
		else if (class_ != line->class_[0] &&
			 (class_ != LZ_RANGE_OUTER || line->class_[0] != around))
			return false;
	}
	return true;
}

static bool is_empty(const struct lz_range_sheet *sheet)
{
	static const struct lz_range_sheet empty = { { [0 ... LZ_RANGE_PLACES - 1] = LZ_RANGE_OUTER } };

	return !memcmp(sheet, &empty, sizeof(empty));
}

static bool says(const struct lz_range_line *line, const struct lz_range_sheet *sheet)
{
	bool same = true;

	for (unsigned i = 0; i < LZ_RANGE_PLACES; i++)
		same &= line->class_[line->bits[i / 64] >> (i % 64) & 1] == sheet->class_[i];
	return same;
}

static int add_block(struct lz_compile *c, struct lz_store *store, struct lz_stores *stores)
{
	struct lz_image *image = c->image;

	if (image->range_spare >= image->range_buckets)
		return -ENOSPC;
	store->kind = PUT_BLOCK;
	store->block = image->range_spare++;
	return add(stores, store);
}

static int add_places(const struct lz_image *image, struct lz_store *store, struct lz_stores *stores)
{
	store->kind = PUT_PLACES;
	if (!memcmp(image->ranges[store->block].class_, store->sheet.class_, sizeof(store->sheet.class_)))
		return 0;
	return add(stores, store);
}

/* A group inside the changed prefix: it must not know the class around it any longer. */
static int prepare_inner(struct lz_compile *c, __u64 id, struct lz_stores *stores)
{
	struct lz_store store = { .kind = PUT_OUTER };
	const struct lz_range_line *line = find(c, id, &store.at);
	struct lz_range_line outer;

	lz_range_paint(c, id, &store.sheet);
	if (!line || !line->id) /* added inside the never-list: nothing is its own */
		return is_empty(&store.sheet) ? 0 : -ENOSPC;
	store.block = line->block;
	if (line->block)
		return add_places(c->image, &store, stores);
	if (says(line, &store.sheet))
		return 0;
	outer = *line;
	outer.class_[0] = LZ_RANGE_OUTER;
	return says(&outer, &store.sheet) ? add(stores, &store) : add_block(c, &store, stores);
}

/* All groups of longer prefixes inside this one. */
static int prepare_inners(struct lz_compile *c, const struct lz_ranges *ranges,
			  const struct lz_prefix *prefix, struct lz_stores *stores)
{
	__u64 last[LZ_RANGE_LEVELS] = { 0 };
	struct lz_keyprefix kp;
	int r = 0;

	for (size_t i = lz_ranges_first(ranges, prefix); i < ranges->n && !r; i++) {
		const struct lz_prefix *inner = &ranges->v[i].prefix;
		unsigned level = lz_range_level(inner);
		__u64 id;

		if (!lz_prefix_contains(prefix, inner))
			break;
		if (level == lz_range_level(prefix) ||
		    lz_keyprefix_from_prefix(inner, c->policy->ipv6_key, &kp))
			continue;
		id = lz_range_id(kp.bits, level);
		if (last[level] != id)
			r = prepare_inner(c, id, stores);
		last[level] = id;
	}
	return r;
}

/* One prefix: one class, and outside of it what lies around. */
static int prepare_line(__u64 id, unsigned family, struct lz_store *store, struct lz_stores *stores)
{
	store->kind = PUT_LINE;
	if (!lz_range_fold(&store->sheet, LZ_RANGE_OUTER, &store->line))
		return -ENOSPC;
	store->line.id = id;
	store->family = (__u8)family;
	return add(stores, store);
}

/* The group that the prefix is in. */
static int prepare_own(struct lz_compile *c, __u64 id, unsigned family, struct lz_stores *stores)
{
	struct lz_store store = { .kind = PUT_BITS };
	const struct lz_range_line *line = find(c, id, &store.at);
	bool empty;
	int r = 0;

	lz_range_paint(c, id, &store.sheet);
	empty = is_empty(&store.sheet);
	if (!line)
		return empty ? 0 : -ENOSPC;
	if (!line->id)
		return empty ? 0 : prepare_line(id, family, &store, stores);
	store.block = line->block;
	if (line->block)
		return add_places(c->image, &store, stores);
	store.line = *line;
	if (!bits_of(line, &store.sheet, lz_range_around(c, id), store.line.bits))
		return add_block(c, &store, stores);
	if (memcmp(store.line.bits, line->bits, sizeof(line->bits)))
		r = add(stores, &store);
	/* Nothing of the policy leads here any more: who changes what is around would not find it. */
	if (r == 0 && empty && line->class_[0] != LZ_RANGE_OUTER) {
		store.kind = PUT_OUTER;
		r = add(stores, &store);
	}
	return r;
}

static int prepare(struct lz_compile *c, const struct lz_prefix *prefix, struct lz_stores *stores)
{
	struct lz_keyprefix kp;
	int r;

	if (lz_keyprefix_from_prefix(prefix, c->policy->ipv6_key, &kp))
		return -ENOSPC;
	r = prepare_inners(c, &c->policy->class_ranges, prefix, stores);
	if (!r)
		r = prepare_inners(c, &c->policy->never_ranges, prefix, stores);
	if (!r)
		r = prepare_own(c, lz_range_id(kp.bits, lz_range_level(prefix)), prefix->addr.family,
				stores);
	return r;
}

int lz_stores_prepare(struct lz_image *image, const struct lz_policy *policy,
		      const struct lz_prefix *prefix, struct lz_stores *ret)
{
	lz_autofree struct lz_compile *c = calloc(1, sizeof(*c));
	struct lz_stores stores = { .spare = image->range_spare };
	int r;

	if (!c)
		return -ENOMEM;
	c->policy = policy;
	c->image = image;
	for (size_t i = 0; i < policy->n_classes; i++)
		c->class_ids[i] = (__u16)lz_image_class_find(image, policy->classes[i].name);
	r = prepare(c, prefix, &stores);
	if (r < 0)
		lz_stores_drop(image, &stores);
	else
		*ret = stores;
	return r;
}

/* ---------------------------------------------------------------- publish */

static void put_line(struct lz_range_line *to, const struct lz_range_line *line)
{
	memcpy(to->bits, line->bits, sizeof(to->bits));
	memcpy(to->class_, line->class_, sizeof(to->class_));
	__atomic_store_n(&to->id, line->id, __ATOMIC_RELEASE);
}

/* The group is looked for from now on, should it be the first of its level. */
static void put_level(struct lz_generation *gen, const struct lz_store *store)
{
	__u8 *levels = store->family == 4 ? &gen->range_levels4 : &gen->range_levels6;

	__atomic_store_n(levels, *levels | (__u8)(1u << ((store->line.id & 0xff) - 1)), __ATOMIC_RELEASE);
}

static void put(union lz_range_bucket *ranges, struct lz_generation *gen, const struct lz_store *store)
{
	struct lz_range_line *line = line_at(ranges, store->at);
	__u8 *places = ranges[store->block].class_;

	switch (store->kind) {
	case PUT_LINE:
		put_line(line, &store->line);
		put_level(gen, store);
		break;
	case PUT_BITS:
		for (int i = 0; i < LZ_RANGE_PLACES / 64; i++)
			__atomic_store_n(&line->bits[i], store->line.bits[i], __ATOMIC_RELEASE);
		break;
	case PUT_OUTER:
		__atomic_store_n(&line->class_[0], LZ_RANGE_OUTER, __ATOMIC_RELEASE);
		break;
	case PUT_BLOCK:
		memcpy(places, store->sheet.class_, LZ_RANGE_PLACES);
		__atomic_store_n(&line->block, store->block, __ATOMIC_RELEASE);
		break;
	case PUT_PLACES:
		for (int i = 0; i < LZ_RANGE_PLACES; i++)
			__atomic_store_n(&places[i], store->sheet.class_[i], __ATOMIC_RELEASE);
		break;
	}
}

static void stores_done(struct lz_stores *stores)
{
	free(stores->v);
	memset(stores, 0, sizeof(*stores));
}

void lz_stores_publish(struct lz_image *image, struct lz_stores *stores,
		       const struct lz_live_tables *live)
{
	for (size_t i = 0; i < stores->n; i++) {
		put(image->ranges, &image->gen, &stores->v[i]);
		put(live->ranges, live->gen, &stores->v[i]);
	}
	stores_done(stores);
}

void lz_stores_drop(struct lz_image *image, struct lz_stores *stores)
{
	image->range_spare = stores->spare;
	stores_done(stores);
}
