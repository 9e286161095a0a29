/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compile_range6.c - IPv6 prefixes in key space, hashed with their length into lines of five.
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

#define ATTEMPTS_MAX 24 /* a quarter more lines each time: 170 times the first in the end */

struct entry {
	struct lz_keyprefix prefix;
	__u16 class_;
};

struct entries {
	struct entry *v;
	size_t n, cap;
};

static bool is_in_key_space(const struct lz_compile *c, const struct lz_prefix *prefix)
{
	struct lz_keyprefix ignored;

	return !lz_keyprefix_from_prefix(prefix, c->policy->ipv6_key, &ignored);
}

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

/* Is this prefix wholly inside a never-list prefix that the key can show? */
static bool is_never(const struct lz_compile *c, const struct lz_range *range)
{
	const struct lz_range *never = lz_ranges_find(&c->policy->never_ranges, &range->prefix);

	return never && is_in_key_space(c, &never->prefix);
}

static int add_entry(struct lz_compile *c, struct entries *entries, const struct lz_prefix *prefix,
		     __u16 class_)
{
	struct entry *e;
	int r = lz_array_grow(&entries->v, &entries->cap, entries->n + 1, sizeof(*entries->v));

	if (r < 0)
		return r;
	e = &entries->v[entries->n];
	e->class_ = class_;
	r = lz_keyprefix_from_prefix(prefix, c->policy->ipv6_key, &e->prefix);
	entries->n += !r;
	return 0;
}

static int gather(struct lz_compile *c, struct entries *entries)
{
	const struct lz_ranges *classes = &c->policy->class_ranges, *never = &c->policy->never_ranges;
	int r = 0;

	for (size_t i = 0; i < classes->n && !r; i++)
		if (classes->v[i].prefix.addr.family == 6 && !is_never(c, &classes->v[i]))
			r = add_entry(c, entries, &classes->v[i].prefix,
				      c->class_ids[classes->v[i].owner]);
	for (size_t i = 0; i < never->n && !r; i++) {
		if (never->v[i].prefix.addr.family != 6)
			continue;
		if (is_in_key_space(c, &never->v[i].prefix))
			r = add_entry(c, entries, &never->v[i].prefix, LZ_CLASS_NEVER);
		else
			note_hidden(c->image, &never->v[i].prefix.addr);
	}
	return r;
}

static bool insert(struct lz_range6_line *table, __u32 lines, __u64 seed, const struct entry *e)
{
	__u64 hash = lz_hash(e->prefix.bits ^ e->prefix.len * LZ_RANGE6_MIX, seed);
	__u32 at = lz_scale((__u32)hash, lines);

	for (int n = 0; n < LZ_RANGE6_PROBES; n++) {
		struct lz_range6_line *line = &table[at];

		if (line->used < LZ_RANGE6_LINE_ENTRIES) {
			line->key[line->used] = e->prefix.bits;
			line->class_[line->used] = e->class_;
			line->len[line->used++] = e->prefix.len;
			return true;
		}
		at = at + 1 < lines ? at + 1 : 0;
	}
	return false;
}

/* One table of that many lines; NULL if a chain gets too long or there is no memory. */
static struct lz_range6_line *build(const struct entries *entries, __u32 lines, __u64 seed,
				    int *reterr)
{
	struct lz_range6_line *table = calloc(lines, sizeof(*table));

	*reterr = table ? 0 : -ENOMEM;
	for (size_t i = 0; i < entries->n && table; i++)
		if (!insert(table, lines, seed, &entries->v[i])) {
			free(table);
			*reterr = -EAGAIN;
			return NULL;
		}
	return table;
}

static int fill(struct lz_compile *c, const struct entries *entries)
{
	__u32 lines = (__u32)(entries->n * 2 / LZ_RANGE6_LINE_ENTRIES) + 1;
	bool seen[129] = {};
	int r = -EAGAIN;

	for (size_t i = 0; i < entries->n; i++)
		seen[entries->v[i].prefix.len] = true;
	for (int i = 0; i < ATTEMPTS_MAX && r == -EAGAIN; i++) {
		c->image->range6 = build(entries, lines, c->image->seed, &r);
		c->image->gen.range6_lines = r ? 0 : lines;
		lines += lines / 4 + 1;
	}
	if (r == -EAGAIN)
		return lz_err_set(c->reterr, E2BIG,
				  "IPv6 ranges: %zu prefixes find no place in %u lines", entries->n, lines);
	if (r < 0)
		return r;
	return lz_compile_lengths(c, "IPv6 class ranges", seen, c->image->gen.len6, LZ_LENGTHS6_MAX,
				  &c->image->gen.len6_n);
}

int lz_compile_range6(struct lz_compile *c)
{
	struct entries entries = {};
	int r = gather(c, &entries);

	if (!r && entries.n)
		r = fill(c, &entries);
	free(entries.v);
	return r;
}
