/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/stores.h"

#include <errno.h>
#include <lazaret/table.h>
#include <string.h>

#include "base/mem.h"
#include "policy/compile.h"

#define SHORTEST 8 /* 256 /16s at most */

/* ---------------------------------------------------------------- IPv4 */

static union lz_range4_line *block_at(union lz_range4_line *range4, __u32 block)
{
	return range4 + LZ_RANGE4_ROOT_LINES + (size_t)block * LZ_RANGE4_BLOCK_LINES;
}

/* Blocks of the extent a root leads to; 0: none. */
static __u32 extent_blocks(const struct lz_image *image, __u32 root)
{
	const union lz_range4_line *extent = block_at(image->range4, root & ~LZ_RANGE4_EXTENT);
	__u32 n = 1;

	if (!(root & LZ_RANGE4_EXTENT))
		return 0;
	for (__u32 b = 0; b < LZ_SHEET_ENTRIES; b++)
		n += !!(extent[b / 32].entry[b % 32] & LZ_RANGE4_CHILD);
	return n;
}

static void mark(struct lz_image *image, __u32 root, enum lz_block as)
{
	__u32 n = extent_blocks(image, root);

	if (n)
		memset(image->range4_taken + (root & ~LZ_RANGE4_EXTENT), as, n);
}

/* First fit: a byte a block, some ten thousand of them. */
static int find_room(const struct lz_image *image, __u32 blocks, __u32 *ret)
{
	size_t n = lz_range4_blocks(image), run = 0;

	for (size_t i = 0; i < n; i++) {
		run = image->range4_taken[i] == LZ_BLOCK_FREE ? run + 1 : 0;
		if (run == blocks) {
			*ret = (__u32)(i + 1 - blocks);
			return 0;
		}
	}
	return -ENOSPC;
}

static int prepare_root(struct lz_compile *c, __u32 high, struct lz_sheet *sheet,
			struct lz_stores *stores)
{
	struct lz_image *image = c->image;
	__u32 was = image->range4[high / 16].root[high % 16], is, blocks, at = 0;
	int r;

	lz_range4_sheet(c, high, sheet);
	blocks = lz_sheet_fold(sheet);
	is = sheet->top[0];
	if (!blocks && was == is)
		return 0;
	r = lz_array_grow(&stores->v4, &stores->cap4, stores->n4 + 1, sizeof(*stores->v4));
	if (r == 0 && blocks)
		r = find_room(image, blocks, &at);
	if (r < 0)
		return r;
	if (blocks) {
		lz_sheet_write(sheet, block_at(image->range4, at));
		is = LZ_RANGE4_EXTENT | at;
		mark(image, is, LZ_BLOCK_TAKEN);
	}
	stores->v4[stores->n4++] = (struct lz_store4){ .high = high, .was = was, .is = is };
	return 0;
}

static int prepare4(struct lz_compile *c, const struct lz_prefix *prefix, struct lz_stores *stores)
{
	lz_autofree struct lz_sheet *sheet = malloc(sizeof(*sheet));
	__u32 first = lz_range4_number(prefix) >> 16;
	__u32 n = prefix->len < 16 ? 1u << (16 - prefix->len) : 1;
	int r = sheet ? 0 : -ENOMEM;

	if (prefix->len < SHORTEST)
		return -ENOSPC;
	for (__u32 i = 0; i < n && !r; i++)
		r = prepare_root(c, first + i, sheet, stores);
	return r;
}

/* ---------------------------------------------------------------- IPv6 */

/* The entry of a key, or a place for it. Return: 0 there, 1 not there, -ENOSPC no place either. */
static int find_entry(const struct lz_image *image, __u64 key, __u8 len, struct lz_store6 *ret)
{
	__u32 lines = image->gen.range6_lines;
	__u32 at = lz_scale((__u32)lz_hash(key ^ len * LZ_RANGE6_MIX, image->seed), lines);
	bool has_room = false;

	for (int n = 0; n < LZ_RANGE6_PROBES && lines; n++) {
		const struct lz_range6_line *line = &image->range6[at];

		for (__u8 i = 0; i < LZ_RANGE6_LINE_ENTRIES; i++) {
			bool used = i < line->used;

			if (used && line->len[i] == len && line->key[i] == key) {
				ret->line = at;
				ret->at = i;
				return 0;
			}
			if (!has_room && (!used || line->len[i] == LZ_RANGE6_GONE)) {
				ret->line = at;
				ret->at = i;
				has_room = true;
			}
		}
		if (line->used < LZ_RANGE6_LINE_ENTRIES)
			break;
		at = at + 1 < lines ? at + 1 : 0;
	}
	return has_room ? 1 : -ENOSPC;
}

static int prepare6(struct lz_compile *c, const struct lz_prefix *prefix, struct lz_stores *stores)
{
	const struct lz_range *range = lz_ranges_find(&c->policy->class_ranges, prefix);
	bool wanted = range && !lz_prefix_cmp(&range->prefix, prefix);
	struct lz_keyprefix kp;
	struct lz_store6 *store = &stores->v6;
	int r = lz_keyprefix_from_prefix(prefix, c->policy->ipv6_key, &kp);

	if (r < 0)
		return -ENOSPC;
	if (lz_ranges_find(&c->policy->never_ranges, prefix))
		return 0; /* compile_range6.c: no class inside the never-list */
	if (wanted && !memchr(c->image->gen.len6, kp.len, c->image->gen.len6_n))
		return -ENOSPC;
	r = find_entry(c->image, kp.bits, kp.len, store);
	if (!wanted && r)
		return 0;
	if (r < 0 || (wanted && !r))
		return r;
	store->key = kp.bits;
	store->len = kp.len;
	store->add = wanted;
	store->class_ = wanted ? c->class_ids[range->owner] : 0;
	stores->has6 = true;
	return 0;
}

/* ---------------------------------------------------------------- publish */

static void put6(struct lz_range6_line *range6, const struct lz_store6 *store)
{
	struct lz_range6_line *line = &range6[store->line];

	if (!store->add) {
		__atomic_store_n(&line->len[store->at], LZ_RANGE6_GONE, __ATOMIC_RELEASE);
		return;
	}
	line->key[store->at] = store->key;
	line->class_[store->at] = store->class_;
	__atomic_store_n(&line->len[store->at], store->len, __ATOMIC_RELEASE);
	if (store->at == line->used)
		__atomic_store_n(&line->used, store->at + 1, __ATOMIC_RELEASE);
}

static void put4(struct lz_image *image, const struct lz_store4 *store, union lz_range4_line *live)
{
	__u32 blocks = extent_blocks(image, store->is), at = store->is & ~LZ_RANGE4_EXTENT;

	if (blocks)
		memcpy(block_at(live, at), block_at(image->range4, at),
		       (size_t)blocks * LZ_RANGE4_BLOCK_LINES * sizeof(*live));
	__atomic_store_n(&live[store->high / 16].root[store->high % 16], store->is, __ATOMIC_RELEASE);
	mark(image, store->was, LZ_BLOCK_RETIRED);
	image->range4[store->high / 16].root[store->high % 16] = store->is;
}

static void stores_done(struct lz_stores *stores)
{
	free(stores->v4);
	memset(stores, 0, sizeof(*stores));
}

int lz_stores_prepare(struct lz_image *image, const struct lz_policy *policy,
		      const struct lz_prefix *prefix, struct lz_stores *ret)
{
	lz_autofree struct lz_compile *c = calloc(1, sizeof(*c));
	struct lz_stores stores = { 0 };
	int r = 0;

	if (!c)
		return -ENOMEM;
	c->policy = policy;
	c->image = image;
	for (size_t i = 0; i < policy->n_classes; i++)
		c->class_ids[i] = (__u16)lz_image_class_find(image, policy->classes[i].name);
	r = prefix->addr.family == 4 ? prepare4(c, prefix, &stores) : prepare6(c, prefix, &stores);
	if (r < 0)
		lz_stores_drop(image, &stores);
	else
		*ret = stores;
	return r;
}

void lz_stores_publish(struct lz_image *image, struct lz_stores *stores,
		       const struct lz_live_tables *live)
{
	for (size_t i = 0; i < stores->n4; i++)
		put4(image, &stores->v4[i], live->range4);
	if (stores->has6) {
		put6(image->range6, &stores->v6);
		put6(live->range6, &stores->v6);
	}
	stores_done(stores);
}

void lz_stores_drop(struct lz_image *image, struct lz_stores *stores)
{
	for (size_t i = 0; i < stores->n4; i++)
		mark(image, stores->v4[i].is, LZ_BLOCK_FREE);
	stores_done(stores);
}

size_t lz_stores_reclaim(struct lz_image *image)
{
	size_t n = 0, blocks = lz_range4_blocks(image);

	for (size_t i = 0; i < blocks; i++)
		if (image->range4_taken[i] == LZ_BLOCK_RETIRED) {
			image->range4_taken[i] = LZ_BLOCK_FREE;
			n++;
		}
	return n;
}
