/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* image.c - look-ups in a compiled policy, the same way as bpf/range.h, and its end. */
#include "policy/image.h"

#include <errno.h>
#include <lazaret/table.h>
#include <string.h>

#include "base/mem.h"
#include "policy/compile.h"

static __u64 cut_key(__u64 key, unsigned len)
{
	return len ? key & (~0ULL << ((64 - len) & 63)) : 0;
}

__u32 lz_image_class_of(const struct lz_image *image, __u64 key, unsigned family)
{
	__u32 levels = family == 4 ? image->gen.range_levels4 : image->gen.range_levels6;

	for (__u32 level = LZ_RANGE_LEVELS; level-- > 0;) {
		__u32 place = lz_range_place(key, level), class_;
		const struct lz_range_line *line;
		__u64 id = lz_range_id(key, level);

		if (!(levels >> level & 1))
			continue;
		line = lz_range_line_find(image->ranges, image->gen.range_buckets, image->seed, id);
		if (!line || __atomic_load_n(&line->id, __ATOMIC_ACQUIRE) != id)
			continue;
		class_ = __atomic_load_n(&line->block, __ATOMIC_ACQUIRE);
		class_ = class_ ? image->ranges[class_].class_[place] :
				  line->class_[line->bits[place / 64] >> (place % 64) & 1];
		if (class_ != LZ_RANGE_OUTER)
			return class_;
	}
	return LZ_CLASS_FOREIGN;
}

static void mask_bytes(__u8 *to, const __u8 *from, unsigned len)
{
	memset(to, 0, 16);
	memcpy(to, from, len / 8);
	if (len % 8)
		to[len / 8] = from[len / 8] & (__u8)(0xff00 >> (len % 8));
}

/* Order of image->dests: longest first. */
static int compare_dest(const void *key, const void *element)
{
	const struct lz_dest_key *want = key;
	const struct lz_image_dest *dest = element;

	if (want->len != dest->key.len)
		return want->len > dest->key.len ? -1 : 1;
	return memcmp(want->addr, dest->key.addr, sizeof(want->addr));
}

__u64 lz_image_sets_of(const struct lz_image *image, const struct lz_addr *addr)
{
	__u8 bytes[16] = { [10] = 0xff, [11] = 0xff };
	__u64 mask = 0;

	if (addr->family == 4)
		memcpy(bytes + 12, addr->bytes, 4);
	else
		memcpy(bytes, addr->bytes, 16);
	for (int i = 0; i < image->gen.dest_lens_n; i++) {
		struct lz_dest_key key = { .len = image->gen.dest_lens[i] };
		const struct lz_image_dest *dest;

		if (addr->family == 4 && key.len < 96)
			continue;
		mask_bytes(key.addr, bytes, key.len);
		dest = bsearch(&key, image->dests, image->n_dests, sizeof(*image->dests), compare_dest);
		mask |= dest ? dest->mask : 0;
	}
	return mask;
}

/* Order of image->customer_ranges: longest first. */
static int compare_customer_range(const void *key, const void *element)
{
	const struct lz_prefix_key *want = key;
	const struct lz_image_customer_range *range = element;

	if (want->len != range->key.len)
		return want->len > range->key.len ? -1 : 1;
	return want->bits < range->key.bits ? -1 : want->bits > range->key.bits;
}

__u32 lz_image_customer_of(const struct lz_image *image, __u64 key)
{
	for (int i = 0; i < image->gen.customer_lens_n; i++) {
		struct lz_prefix_key want = { .len = image->gen.customer_lens[i] };
		const struct lz_image_customer_range *range;

		want.bits = cut_key(key, want.len);
		range = bsearch(&want, image->customer_ranges, image->n_customer_ranges, sizeof(*range),
				compare_customer_range);
		if (range)
			return range->id;
	}
	return 0;
}

const char *lz_image_customer_name(const struct lz_image *image, __u32 id)
{
	for (size_t i = 0; i < image->n_customers; i++)
		if (image->customers[i].id == id)
			return image->customers[i].name;
	return NULL;
}

int lz_image_class_find(const struct lz_image *image, const char *name)
{
	for (int id = LZ_CLASS_FIRST; id < LZ_CLASSES_MAX; id++)
		if (*image->class_names[id] && lz_streq(image->class_names[id], name))
			return id;
	return -ENOENT;
}

int lz_image_garden_find(const struct lz_image *image, const char *name)
{
	for (int row = 0; row < LZ_GARDENS_MAX; row++)
		if (*image->garden_names[row] && lz_streq(image->garden_names[row], name))
			return row;
	return -ENOENT;
}

int lz_image_limit_find(const struct lz_image *image, const char *class_, const char *name)
{
	for (int id = 1; id < LZ_LIMIT_IDS; id++)
		if (*image->limits[id].name && lz_streq(image->limits[id].name, name) &&
		    lz_streq(image->limits[id].class_, class_))
			return id;
	return -ENOENT;
}

static void free_ranges(struct lz_image *image)
{
	if (!image->ranges_lent)
		free(image->ranges);
}

void lz_image_lend_ranges(struct lz_image *image, union lz_range_bucket *ranges)
{
	free_ranges(image);
	image->ranges = ranges;
	image->ranges_lent = true;
}

void lz_image_free(struct lz_image **image)
{
	struct lz_image *i = *image;

	*image = NULL;
	if (!i)
		return;
	for (size_t k = 0; k < i->n_interfaces; k++) {
		for (size_t m = 0; m < i->interfaces[k].n_match; m++)
			free(i->interfaces[k].match[m]);
		free(i->interfaces[k].match);
	}
	for (size_t k = 0; k < i->n_customers; k++)
		free(i->customers[k].name);
	for (size_t k = 0; k < LZ_SETS_MAX; k++)
		free(i->set_names[k]);
	free(i->interfaces);
	free(i->customers);
	free(i->customer_ranges);
	free_ranges(i);
	free(i->dests);
	free(i);
}
