/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* compile.c - from a checked policy to an image: ids first, then one table after the other. */
#include "policy/compile.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* ---------------------------------------------------------------- ids */

static void name_class(struct lz_compile *c, size_t idx, int id)
{
	c->class_ids[idx] = (__u16)id;
	strcpy(c->image->class_names[id], c->policy->classes[idx].name);
}

/* An id that neither image uses, so that nobody inherits counters; if there is none, one that only
 * the image before does. */
static int free_class_id(const struct lz_compile *c)
{
	int freed = -1;

	for (int id = LZ_CLASS_FIRST; id < LZ_CLASSES_MAX; id++) {
		if (*c->image->class_names[id])
			continue;
		if (!c->previous || !*c->previous->class_names[id])
			return id;
		freed = id;
	}
	return freed;
}

static int free_limit_id(const struct lz_compile *c)
{
	int freed = -1;

	for (int id = 1; id < LZ_LIMIT_IDS; id++) {
		if (*c->image->limits[id].name)
			continue;
		if (!c->previous || !*c->previous->limits[id].name)
			return id;
		freed = id;
	}
	return freed;
}

static void give_class_ids(struct lz_compile *c)
{
	const struct lz_policy *policy = c->policy;

	strcpy(c->image->class_names[LZ_CLASS_FOREIGN], "foreign");
	strcpy(c->image->class_names[LZ_CLASS_NEVER], "never");
	for (size_t i = 0; i < policy->n_classes && c->previous; i++) {
		int id = lz_image_class_find(c->previous, policy->classes[i].name);

		if (id >= 0)
			name_class(c, i, id);
	}
	c->image->gen.classes = LZ_CLASS_FIRST;
	for (size_t i = 0; i < policy->n_classes; i++) {
		if (!c->class_ids[i])
			name_class(c, i, free_class_id(c));
		if (c->class_ids[i] >= c->image->gen.classes)
			c->image->gen.classes = c->class_ids[i] + 1u;
	}
}

static void give_limit_id(struct lz_compile *c, size_t class_idx, size_t idx, bool known)
{
	const struct lz_policy_class *class = &c->policy->classes[class_idx];
	const char *name = class->limits[idx].name;
	struct lz_image_limit *limit;
	int id = c->previous ? lz_image_limit_find(c->previous, class->name, name) : -ENOENT;

	if ((id >= 0) != known)
		return;
	limit = &c->image->limits[known ? id : free_limit_id(c)];
	strcpy(limit->class_, class->name);
	strcpy(limit->name, name);
	limit->class_id = (__u8)c->class_ids[class_idx];
	limit->index = (__u8)idx;
}

/* Those that had an id first: nobody may take it from them. */
static void give_limit_ids(struct lz_compile *c)
{
	for (int known = 1; known >= 0; known--)
		for (size_t i = 0; i < c->policy->n_classes; i++)
			for (size_t k = 0; k < c->policy->classes[i].n_limits; k++)
				give_limit_id(c, i, k, known);
}

/* ---------------------------------------------------------------- the rest */

static int compile_class(struct lz_compile *c, size_t idx)
{
	const struct lz_policy_class *class = &c->policy->classes[idx];
	struct lz_class *to = &c->image->gen.class_[c->class_ids[idx]];
	int r;

	to->flags = class->shared ? LZ_CLASS_F_SHARED : 0;
	to->to_world = (__u8)class->port25.to_world;
	to->from_port25 = (__u8)class->port25.from_port_25;
	to->to_customers = (__u8)class->port25.to_customers;
	if (to->to_world != LZ_V_PASS)
		to->flags |= LZ_CLASS_F_PORT25_RULE;
	r = lz_compile_dest_list(c, &class->port25.except_to, &to->except_mask);
	return r ? r : lz_compile_limits(c, idx);
}

static int compile_classes(struct lz_compile *c)
{
	int r = 0;

	give_class_ids(c);
	give_limit_ids(c);
	for (size_t i = 0; i < c->policy->n_classes && !r; i++)
		r = compile_class(c, i);
	return r;
}

static int copy_interfaces(struct lz_compile *c)
{
	const struct lz_policy *policy = c->policy;
	struct lz_image *image = c->image;

	image->interfaces = calloc(policy->n_interfaces + 1, sizeof(*image->interfaces));
	if (!image->interfaces)
		return -ENOMEM;
	for (size_t i = 0; i < policy->n_interfaces; i++) {
		const struct lz_policy_interfaces *from = &policy->interfaces[i];
		struct lz_image_interfaces *to = &image->interfaces[image->n_interfaces++];

		strcpy(to->name, from->name);
		to->side = from->side;
		to->hook = from->hook;
		to->validation = from->validation;
		to->match = calloc(from->n_match + 1, sizeof(*to->match));
		for (size_t k = 0; k < from->n_match && to->match; k++) {
			to->match[k] = strdup(from->match[k]);
			if (!to->match[k])
				return -ENOMEM;
			to->n_match++;
		}
		if (!to->match)
			return -ENOMEM;
	}
	return 0;
}

static int name_fixed_sets(struct lz_image *image)
{
	static const char *const names[LZ_SET_FIRST_NAMED] = { "never", "always-reach" };
	int r = 0;

	for (int i = 0; i < LZ_SET_FIRST_NAMED && !r; i++)
		r = lz_strdup_to(&image->set_names[i], names[i]);
	return r;
}

static void set_scalars(struct lz_compile *c, __u64 seed)
{
	const struct lz_policy *policy = c->policy;
	struct lz_image *image = c->image;

	image->seed = seed;
	image->ipv6_key_len = policy->ipv6_key;
	image->sources_max = policy->sources_max;
	image->colony_max = policy->colony_max;
	image->idle_ns = policy->idle_ns;
	if (policy->mode == LZ_MODE_MONITOR)
		image->gen.flags |= LZ_GEN_F_MONITOR;
	if (policy->unparsed_drop)
		image->gen.flags |= LZ_GEN_F_UNPARSED_DROP;
	if (!policy->foreign_count)
		image->gen.flags |= LZ_GEN_F_IGNORE_FOREIGN;
	if (c->previous) {
		memcpy(image->word_changes, c->previous->word_changes, sizeof(image->word_changes));
		memcpy(image->limit_changes, c->previous->limit_changes, sizeof(image->limit_changes));
	}
}

static int compile(struct lz_compile *c)
{
	int (*const steps[])(struct lz_compile *) = {
		compile_classes,  lz_compile_ranges,	 lz_compile_gardens,
		lz_compile_dests, lz_compile_customers, copy_interfaces,
	};
	int r = name_fixed_sets(c->image);

	for (size_t i = 0; i < LZ_ARRAY_SIZE(steps) && !r; i++)
		r = steps[i](c);
	return r;
}

int lz_image_compile(const struct lz_policy *policy, const struct lz_image *previous, __u64 seed,
		     struct lz_image **ret, struct lz_err *reterr)
{
	lz_autofree struct lz_compile *c = calloc(1, sizeof(*c));
	struct lz_image *image = calloc(1, sizeof(*image));
	int r = -ENOMEM;

	if (c && image) {
		c->policy = policy;
		c->previous = previous;
		c->image = image;
		c->reterr = reterr;
		c->sets_n = LZ_SET_FIRST_NAMED;
		set_scalars(c, seed);
		r = compile(c);
		free(c->dests);
	}
	if (r == -ENOMEM)
		lz_err_set(reterr, ENOMEM, "policy: cannot compile: out of memory");
	if (r < 0) {
		lz_image_free(&image);
		return r;
	}
	*ret = image;
	return 0;
}
