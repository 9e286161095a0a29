/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compile_range.c - class ranges as groups of 256 places, hashed into lines (abi.h, "ranges").
 *
 *   gather  the groups that have a prefix of their own, in the order of the ranges
 *   build   a line for each; a table with longer chains than the data plane follows is built larger
 *   fill    two classes and a bit a place, or a block behind the table
 *
 * A never-list prefix longer than the key cannot be a class: a packet's key does not show whether it
 * is meant. It stays a destination-table entry, which the data plane asks before every refusal and,
 * told by LZ_GEN_F_NEVER_HIDDEN, before it counts.
 */
#include "policy/compile.h"

#include <errno.h>
#include <lazaret/table.h>
#include <string.h>

#include "base/mem.h"

#define BUCKETS_MIN  128 /* 32 KiB: a small policy has room for the groups of later changes too */
#define AHEAD	     16 /* lines asked for before their turn: a large table is in no cache */
#define ATTEMPTS_MAX 24 /* a quarter more buckets each time: 170 times the first in the end */

struct group {
	__u64 id; /* 0: both lists have it, and this is the second */
	__u32 first; /* class range of its own; LZ_RANGE_NONE: the never-list alone has some */
	__u32 line; /* counted through all buckets */
};

struct groups {
	struct group *v;
	size_t n, cap;
};

/* ---------------------------------------------------------------- one group */

unsigned lz_range_level(const struct lz_prefix *prefix)
{
	unsigned len = prefix->len + (prefix->addr.family == 4 ? 32 : 0);

	return len ? (len - 1) / 8 : 0;
}

/* The prefix that a group's places share. Level 3 is the first of IPv4: all of it. */
static struct lz_prefix around_of(__u64 id, unsigned level)
{
	struct lz_keyprefix kp = { .bits = id & ~0xffULL, .len = (__u8)(8 * level) };

	if (level == 3 && !kp.bits)
		kp.len = 32;
	return lz_keyprefix_to_prefix(&kp);
}

static bool is_first_level(__u64 id, unsigned level)
{
	return !level || (level == 3 && !(id & ~0xffULL));
}

/* Is this prefix wholly inside a never-list prefix? None of those that the key hides is that short. */
static bool is_never(const struct lz_compile *c, const struct lz_prefix *prefix)
{
	return lz_ranges_find(&c->policy->never_ranges, prefix) != NULL;
}

/* @own: a class range of the group itself, or NULL: the way up from there is shorter than a search. */
static __u8 class_around(const struct lz_compile *c, __u64 id, const struct lz_range *own)
{
	const struct lz_ranges *classes = &c->policy->class_ranges;
	unsigned level = (unsigned)(id & 0xff) - 1;
	struct lz_prefix prefix = around_of(id, level);
	const struct lz_range *range = own;

	if (is_first_level(id, level))
		return LZ_CLASS_FOREIGN;
	if (is_never(c, &prefix))
		return LZ_CLASS_NEVER;
	if (!own)
		range = lz_ranges_find(classes, &prefix);
	while (range && lz_range_level(&range->prefix) == level)
		range = range->parent == LZ_RANGE_NONE ? NULL : &classes->v[range->parent];
	return range ? (__u8)c->class_ids[range->owner] : LZ_CLASS_FOREIGN;
}

__u8 lz_range_around(const struct lz_compile *c, __u64 id)
{
	return class_around(c, id, NULL);
}

/* The group's own prefixes out of one list, from @at on: outer ones come before inner ones. */
static void paint(const struct lz_compile *c, const struct lz_ranges *ranges, size_t at,
		  const struct lz_prefix *around, unsigned level, struct lz_range_sheet *sheet)
{
	bool never = ranges == &c->policy->never_ranges;
	struct lz_keyprefix kp;

	for (size_t i = at; i < ranges->n; i++) {
		const struct lz_range *range = &ranges->v[i];

		if (!lz_prefix_contains(around, &range->prefix))
			break;
		if (lz_range_level(&range->prefix) != level ||
		    lz_keyprefix_from_prefix(&range->prefix, c->policy->ipv6_key, &kp))
			continue;
		memset(sheet->class_ + lz_range_place(kp.bits, level),
		       never ? LZ_CLASS_NEVER : c->class_ids[range->owner], 1u << (8 * level + 8 - kp.len));
	}
}

/* @first: of the group's class ranges; LZ_RANGE_NONE: search */
static void paint_group(const struct lz_compile *c, __u64 id, __u32 first, struct lz_range_sheet *ret)
{
	const struct lz_ranges *classes = &c->policy->class_ranges, *never = &c->policy->never_ranges;
	unsigned level = (unsigned)(id & 0xff) - 1;
	struct lz_prefix around = around_of(id, level);

	memset(ret->class_, LZ_RANGE_OUTER, sizeof(ret->class_));
	if (!is_first_level(id, level) && is_never(c, &around))
		return;
	paint(c, classes, first == LZ_RANGE_NONE ? lz_ranges_first(classes, &around) : first, &around,
	      level, ret);
	paint(c, never, lz_ranges_first(never, &around), &around, level, ret);
}

void lz_range_paint(const struct lz_compile *c, __u64 id, struct lz_range_sheet *ret)
{
	paint_group(c, id, LZ_RANGE_NONE, ret);
}

/* ---------------------------------------------------------------- gather */

/* A never address inside a key: packets of that key are looked up, see abi.h. */
static void note_hidden(struct lz_image *image, const struct lz_addr *addr)
{
	__u64 key;
	__u32 bit;

	image->gen.flags |= LZ_GEN_F_NEVER_HIDDEN;
	if (lz_key_from_addr(addr, image->ipv6_key_len, &key))
		return; /* nothing is counted against a source without a key */
	bit = lz_hidden_bit(lz_hash(key, image->seed));
	image->gen.hidden[bit / 64] |= 1ULL << (bit & 63);
}

/* Members of one group of a level follow each other, whatever lies between them of other levels. */
static int gather(struct lz_compile *c, const struct lz_ranges *ranges, struct groups *groups)
{
	__u64 last[LZ_RANGE_LEVELS] = { 0 };
	struct lz_image *image = c->image;
	struct lz_keyprefix kp;

	for (size_t i = 0; i < ranges->n; i++) {
		const struct lz_prefix *prefix = &ranges->v[i].prefix;
		unsigned level = lz_range_level(prefix);
		__u64 id;
		int r;

		if (lz_keyprefix_from_prefix(prefix, c->policy->ipv6_key, &kp)) {
			note_hidden(image, &prefix->addr);
			continue;
		}
		id = lz_range_id(kp.bits, level);
		if (last[level] == id)
			continue;
		last[level] = id;
		r = lz_array_grow(&groups->v, &groups->cap, groups->n + 1, sizeof(*groups->v));
		if (r < 0)
			return r;
		groups->v[groups->n++] = (struct group){
			.id = id,
			.first = ranges == &c->policy->class_ranges ? (__u32)i : LZ_RANGE_NONE,
		};
		*(prefix->addr.family == 4 ? &image->gen.range_levels4 : &image->gen.range_levels6) |=
			(__u8)(1u << level);
	}
	return 0;
}

/* ---------------------------------------------------------------- build, fill */

struct lz_range_line *lz_range_line_find(union lz_range_bucket *ranges, __u32 buckets, __u64 seed,
					 __u64 id)
{
	__u32 at = lz_range_home(id, seed, buckets), b = at / LZ_RANGE_BUCKET_LINES;

	for (int n = 0; n < LZ_RANGE_PROBES && buckets; n++) {
		for (int i = 0; i < LZ_RANGE_BUCKET_LINES; i++, at++) {
			struct lz_range_line *line = &ranges[b].line[at % LZ_RANGE_BUCKET_LINES];

			if (line->id == id || !line->id)
				return line;
		}
		b = b + 1 < buckets ? b + 1 : 0;
	}
	return NULL;
}

/* One table of that many buckets; NULL if a chain gets too long or there is no memory. A group that
 * both lists have is struck out the second time. */
static union lz_range_bucket *build(struct groups *groups, __u32 buckets, __u64 seed, int *reterr)
{
	union lz_range_bucket *table = calloc(buckets, sizeof(*table));

	*reterr = table ? 0 : -ENOMEM;
	for (size_t i = 0; i < groups->n && table; i++) {
		struct group *group = &groups->v[i];
		struct lz_range_line *line;

		if (!group->id)
			continue;
		line = lz_range_line_find(table, buckets, seed, group->id);
		if (!line) {
			free(table);
			*reterr = -EAGAIN;
			return NULL;
		}
		group->line = (__u32)(line - table[0].line);
		if (line->id)
			group->id = 0;
		else
			line->id = group->id;
	}
	return table;
}

/* Eight places at a time: half a million groups are folded in one compile. */
bool lz_range_fold(const struct lz_range_sheet *sheet, __u8 first, struct lz_range_line *line)
{
	bool has_first = memchr(sheet->class_, first, sizeof(sheet->class_));
	__u8 a = has_first ? first : sheet->class_[0], b = a;
	__u64 eight, is_b, others = 0;

	memset(line->bits, 0, sizeof(line->bits));
	for (unsigned i = 0; i < LZ_RANGE_PLACES; i += 8) {
		memcpy(&eight, sheet->class_ + i, sizeof(eight));
		is_b = ~lz_zero_bytes(eight ^ a * LZ_BYTES_01) & LZ_BYTES_80;
		if (is_b && a == b)
			b = sheet->class_[i + lz_first_byte(is_b)];
		others |= is_b & ~lz_zero_bytes(eight ^ b * LZ_BYTES_01);
		line->bits[i / 64] |= ((is_b >> 7) * 0x0102040810204080ULL) >> 56 << (i % 64);
	}
	line->class_[0] = a;
	line->class_[1] = b;
	return !others;
}

static int fill(struct lz_compile *c, const struct group *group, size_t *cap)
{
	struct lz_image *image = c->image;
	struct lz_range_line *line = image->ranges[0].line + group->line;
	const struct lz_range *own = group->first == LZ_RANGE_NONE ?
					     NULL : &c->policy->class_ranges.v[group->first];
	__u8 around = class_around(c, group->id, own);
	struct lz_range_sheet sheet;
	int r;

	paint_group(c, group->id, group->first, &sheet);
	/* What is the group's own stays apart from what lies around it where it can, of one class too:
	 * a change of the latter is then a store (stores.c). */
	if (lz_range_fold(&sheet, LZ_RANGE_OUTER, line)) {
		line->class_[0] = line->class_[0] == LZ_RANGE_OUTER ? around : line->class_[0];
		return 0;
	}
	for (unsigned i = 0; i < LZ_RANGE_PLACES; i++)
		sheet.class_[i] = sheet.class_[i] == LZ_RANGE_OUTER ? around : sheet.class_[i];
	if (lz_range_fold(&sheet, around, line))
		return 0;
	line->block = (__u32)image->range_buckets;
	r = lz_array_grow(&image->ranges, cap, image->range_buckets + 1, sizeof(*image->ranges));
	if (r == 0)
		memcpy(image->ranges[image->range_buckets++].class_, sheet.class_, sizeof(sheet.class_));
	return r;
}

/* Room for the blocks of later changes. */
static int add_spare(struct lz_image *image, size_t *cap)
{
	int r = lz_array_grow(&image->ranges, cap, image->range_buckets + LZ_RANGE_SPARE,
			      sizeof(*image->ranges));

	if (r < 0)
		return r;
	memset(image->ranges + image->range_buckets, 0, LZ_RANGE_SPARE * sizeof(*image->ranges));
	image->range_spare = (__u32)image->range_buckets;
	image->range_buckets += LZ_RANGE_SPARE;
	return 0;
}

static int make_table(struct lz_compile *c, struct groups *groups)
{
	struct lz_image *image = c->image;
	/* A third of the lines used: with half of them, chains of more than four buckets are the rule. */
	__u32 buckets = (__u32)(groups->n * 3 / LZ_RANGE_BUCKET_LINES) + BUCKETS_MIN, tried = buckets;
	size_t cap;
	int r = -EAGAIN;

	for (int i = 0; i < ATTEMPTS_MAX && r == -EAGAIN; i++) {
		tried = buckets;
		image->ranges = build(groups, buckets, image->seed, &r);
		buckets += buckets / 4 + 1;
	}
	if (r == -EAGAIN)
		return lz_err_set(c->reterr, E2BIG,
				  "class ranges: %zu groups find no place in %u buckets", groups->n, tried);
	image->gen.range_buckets = r ? 0 : tried;
	image->range_buckets = cap = image->gen.range_buckets;
	for (size_t i = 0; i < groups->n && !r; i++) {
		if (i + AHEAD < groups->n)
			__builtin_prefetch(image->ranges[0].line + groups->v[i + AHEAD].line, 1);
		r = groups->v[i].id ? fill(c, &groups->v[i], &cap) : 0;
	}
	return r ? r : add_spare(image, &cap);
}

int lz_compile_ranges(struct lz_compile *c)
{
	struct groups groups = { 0 };
	int r = gather(c, &c->policy->class_ranges, &groups);

	if (!r)
		r = gather(c, &c->policy->never_ranges, &groups);
	if (!r)
		r = make_table(c, &groups);
	free(groups.v);
	return r;
}
