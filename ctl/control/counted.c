// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * counted.c - the limits of a source by name, and what each has counted at this moment.
 */

#include "control/counted.h"
#include "control/ctl.h"

unsigned int lz_key_family(__u64 key)
{
	return key >> 32 ? 6 : 4;
}

/* The cell a limit of this source counts in: its own, or that of its prefix or customer. */
static int cell_of(const struct lz_ctl *ctl, __u64 key, const struct lz_limit *l, struct lz_cell_copy *ret)
{
	bool is_v4 = lz_key_family(key) == 4;
	unsigned int len = is_v4 ? l->per_len4 : l->per_len6;
	if (l->per == LZ_PER_CUSTOMER)
		key = lz_key_aggregate(&ctl->view.instance, l->id,
				       lz_image_customer_of(ctl->now.image, key));
	else if (l->per == LZ_PER_PREFIX)
		key = lz_key_aggregate(&ctl->view.instance, l->id | (is_v4 ? 0 : LZ_AGGREGATE_V6),
				       lz_prefix_number(key, len));
	return lz_cell_get(&ctl->view, key, ret);
}

size_t lz_counted_read(const struct lz_ctl *ctl, __u64 key,
		       struct lz_counted ret[static LZ_LIMITS_PER_CLASS])
{
	const struct lz_image *image = ctl->now.image;
	const struct lz_class *class;

	if (!image)
		return 0;
	class = &image->gen.class_[lz_image_class_of(image, key, lz_key_family(key))];
	for (size_t i = 0; i < class->limits; i++) {
		const struct lz_limit *l = &class->limit[i];
		struct lz_cell_copy cell;

		ret[i] = (struct lz_counted){ .limit = l, .name = &image->limits[l->id] };
		if (cell_of(ctl, key, l, &cell) == 0)
			ret[i].value = lz_cell_limit_value(&cell, l, lz_tables_now_ns(&ctl->view));
	}
	return class->limits;
}

const struct lz_counted *lz_counted_nearest(const struct lz_counted *v, size_t n, bool holding)
{
	const struct lz_counted *nearest = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct lz_counted *c = &v[i];

		if (!c->limit->n || (holding && c->limit->then != LZ_THEN_HOLD))
			continue;
		if (!nearest || (__u64)c->value * nearest->limit->n >
					(__u64)nearest->value * c->limit->n)
			nearest = c;
	}
	return nearest;
}
