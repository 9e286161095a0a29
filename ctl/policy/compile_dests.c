/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compile_dests.c - the tables of prefixes: destination sets and customers.
 *
 * A destination set is a bit. Each named set that some list uses has one; the addresses that lists
 * write themselves have one a list. A prefix in several sets is one entry with all their bits.
 */
#include "policy/compile.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define CUSTOMER_HASH_MAX 0xf0000000u /* the rest is room to move on */

int lz_compile_lengths(struct lz_compile *c, const char *what, const bool seen[static 129],
		       __u8 *ret, size_t max, __u8 *ret_n)
{
	lz_autostr struct lz_str text = {};
	size_t n = 0;

	for (int len = 128; len >= 0; len--) {
		if (!seen[len])
			continue;
		if (n < max)
			ret[n] = (__u8)len;
		lz_str_appendf(&text, " /%d", len);
		n++;
	}
	if (n > max)
		return lz_err_set(c->reterr, E2BIG,
				  "%s: %zu different prefix lengths:%s; want at most %zu, split or merge prefixes",
				  what, n, text.data ? text.data : "", max);
	*ret_n = (__u8)n;
	return 0;
}

/* ---------------------------------------------------------------- destinations */

static int add_dest(struct lz_compile *c, const struct lz_prefix *prefix, __u64 mask)
{
	struct lz_image_dest *dest;
	int r = lz_array_grow(&c->dests, &c->dests_cap, c->n_dests + 1, sizeof(*c->dests));

	if (r < 0)
		return r;
	dest = &c->dests[c->n_dests++];
	*dest = (struct lz_image_dest){ .mask = mask, .key.len = prefix->len };
	if (prefix->addr.family == 6) {
		memcpy(dest->key.addr, prefix->addr.bytes, 16);
		return 0;
	}
	dest->key.len += 96;
	dest->key.addr[10] = dest->key.addr[11] = 0xff;
	memcpy(dest->key.addr + 12, prefix->addr.bytes, 4);
	return 0;
}

static int add_set(struct lz_compile *c, __u32 set, __u64 mask)
{
	const struct lz_entries *entries = &c->policy->sets[set].entries;
	int r = 0;

	for (size_t i = 0; i < entries->n && !r; i++)
		r = add_dest(c, &entries->v[i].prefix, mask);
	return r;
}

static int new_bit(struct lz_compile *c, const char *name, __u64 *ret_mask)
{
	if (c->sets_n == LZ_SETS_MAX)
		return lz_err_set(c->reterr, E2BIG, "'to', 'except-to' and 'allow': more than %d different lists",
				  LZ_POLICY_DEST_LISTS_MAX);
	*ret_mask = 1ULL << c->sets_n;
	return lz_strdup_to(&c->image->set_names[c->sets_n++], name);
}

static int add_ref(struct lz_compile *c, const struct lz_ref *ref, __u64 *own, __u64 *mask)
{
	__u64 *bit;
	int r = 0;

	if (ref->kind == LZ_REF_PREFIX) {
		if (!*own)
			r = new_bit(c, "(addresses)", own);
		*mask |= *own;
		return r ? r : add_dest(c, &ref->prefix, *own);
	}
	if (ref->kind != LZ_REF_SET)
		return 0;
	bit = &c->set_bits[ref->set];
	if (!*bit) {
		r = new_bit(c, c->policy->sets[ref->set].name, bit);
		if (!r)
			r = add_set(c, ref->set, *bit);
	}
	*mask |= *bit;
	return r;
}

int lz_compile_dest_list(struct lz_compile *c, const struct lz_refs *refs, __u64 *ret_mask)
{
	__u64 own = 0, mask = 0;
	int r = 0;

	for (size_t i = 0; i < refs->n && !r; i++)
		r = add_ref(c, &refs->v[i], &own, &mask);
	if (!r)
		*ret_mask = mask;
	return r;
}

/* A list with a bit of its own that exists in every policy. */
static int add_fixed(struct lz_compile *c, const struct lz_refs *refs, __u64 mask)
{
	int r = 0;

	for (size_t i = 0; i < refs->n && !r; i++) {
		const struct lz_ref *ref = &refs->v[i];

		if (ref->kind == LZ_REF_SET)
			r = add_set(c, ref->set, mask);
		else if (ref->kind == LZ_REF_PREFIX)
			r = add_dest(c, &ref->prefix, mask);
	}
	return r;
}

/* A held host must be able to ask whether it is held (RFC 8908), and to see its page. */
static int add_endpoints(struct lz_compile *c, const struct lz_endpoints *endpoints)
{
	int r = 0;

	for (size_t i = 0; i < endpoints->n && !r; i++) {
		const struct lz_addr *addr = &endpoints->v[i].addr;
		struct lz_prefix prefix = { .addr = *addr, .len = addr->family == 4 ? 32 : 128 };

		r = add_dest(c, &prefix, LZ_SET_REACH);
	}
	return r;
}

static int compare_dests(const void *a, const void *b)
{
	const struct lz_image_dest *x = a, *y = b;

	if (x->key.len != y->key.len)
		return x->key.len > y->key.len ? -1 : 1;
	return memcmp(x->key.addr, y->key.addr, sizeof(x->key.addr));
}

int lz_compile_dests(struct lz_compile *c)
{
	const struct lz_policy *policy = c->policy;
	struct lz_image *image = c->image;
	bool seen[129] = {};
	size_t n = 0;
	int r = add_fixed(c, &policy->never, LZ_SET_NEVER);

	if (!r)
		r = add_fixed(c, &policy->always_reach, LZ_SET_REACH);
	if (!r)
		r = add_endpoints(c, &policy->portal.api.listen);
	if (!r)
		r = add_endpoints(c, &policy->portal.listen);
	if (r < 0)
		return r;
	lz_array_sort(c->dests, c->n_dests, sizeof(*c->dests), compare_dests);
	for (size_t i = 0; i < c->n_dests; i++) {
		seen[c->dests[i].key.len] = true;
		if (n && !compare_dests(&c->dests[n - 1], &c->dests[i]))
			c->dests[n - 1].mask |= c->dests[i].mask;
		else
			c->dests[n++] = c->dests[i];
	}
	image->n_dests = n;
	image->dests = TAKE_PTR(c->dests);
	return lz_compile_lengths(c, "destination sets (IPv4 /n counts as 96+n)", seen, image->gen.dest_lens, LZ_LENGTHS_MAX,
				  &image->gen.dest_lens_n);
}

/* ---------------------------------------------------------------- customers */

/* FNV-1a (Fowler, Noll, Vo). Two of a few thousand names hardly ever meet; then the later moves on. */
static __u32 hash_name(const char *name)
{
	__u64 h = 0xcbf29ce484222325ULL;

	for (; *name; name++)
		h = (h ^ (__u8)*name) * 0x100000001b3ULL;
	return 1 + (__u32)((h ^ h >> 32) % CUSTOMER_HASH_MAX);
}

static int compare_numbers(const void *a, const void *b)
{
	const struct lz_image_customer *const *x = a, *const *y = b;

	if ((*x)->id != (*y)->id)
		return (*x)->id < (*y)->id ? -1 : 1;
	return strcmp((*x)->name, (*y)->name);
}

/* Numbers name aggregate cells, so they must not depend on who else is on the list, nor on what
 * was compiled before: a customer's count goes on over reloads and restarts. */
static int number_customers(struct lz_compile *c)
{
	const struct lz_policy *policy = c->policy;
	struct lz_image *image = c->image;
	lz_autofree struct lz_image_customer **order =
		calloc(policy->n_customers + 1, sizeof(struct lz_image_customer *));
	__u32 last = 0;

	image->customers = calloc(policy->n_customers + 1, sizeof(*image->customers));
	if (!image->customers || !order)
		return -ENOMEM;
	for (size_t i = 0; i < policy->n_customers; i++) {
		order[i] = &image->customers[i];
		order[i]->name = strdup(policy->customers[i].id);
		if (!order[i]->name)
			return -ENOMEM;
		order[i]->id = hash_name(order[i]->name);
		image->n_customers++;
	}
	lz_array_sort(order, image->n_customers, sizeof(struct lz_image_customer *), compare_numbers);
	for (size_t i = 0; i < image->n_customers; i++) {
		if (order[i]->id <= last)
			order[i]->id = last + 1;
		last = order[i]->id;
	}
	return 0;
}

static int compare_customer_ranges(const void *a, const void *b)
{
	const struct lz_image_customer_range *x = a, *y = b;

	if (x->key.len != y->key.len)
		return x->key.len > y->key.len ? -1 : 1;
	return x->key.bits < y->key.bits ? -1 : x->key.bits > y->key.bits;
}

static int add_customer_range(struct lz_compile *c, const struct lz_range *range)
{
	struct lz_image *image = c->image;
	char text[LZ_PREFIX_TEXT_MAX];
	struct lz_keyprefix kp;
	int r = lz_keyprefix_from_prefix(&range->prefix, c->policy->ipv6_key, &kp);

	if (r < 0 || (range->prefix.addr.family == 6 && !kp.bits))
		return lz_err_set(c->reterr, ERANGE,
				  "customers: %s of '%s' does not name one customer's sources; want /8../%u",
				  lz_prefix_format(&range->prefix, text),
				  c->policy->customers[range->owner].id, c->policy->ipv6_key);
	image->customer_ranges[image->n_customer_ranges++] = (struct lz_image_customer_range){
		.key = { .bits = kp.bits, .len = kp.len },
		.id = image->customers[range->owner].id,
	};
	return 0;
}

int lz_compile_customers(struct lz_compile *c)
{
	const struct lz_ranges *ranges = &c->policy->customer_ranges;
	struct lz_image *image = c->image;
	bool seen[129] = {};
	int r = number_customers(c);

	if (r < 0)
		return r;
	image->customer_ranges = calloc(ranges->n + 1, sizeof(*image->customer_ranges));
	if (!image->customer_ranges)
		return -ENOMEM;
	for (size_t i = 0; i < ranges->n && !r; i++)
		r = add_customer_range(c, &ranges->v[i]);
	if (r < 0)
		return r;
	lz_array_sort(image->customer_ranges, image->n_customer_ranges, sizeof(*image->customer_ranges),
		      compare_customer_ranges);
	for (size_t i = 0; i < image->n_customer_ranges; i++)
		seen[image->customer_ranges[i].key.len] = true;
	return lz_compile_lengths(c, "customers (IPv4 /n counts as 32+n)", seen, image->gen.customer_lens, LZ_LENGTHS_MAX,
				  &image->gen.customer_lens_n);
}
