// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * target.c - what an address stands for, and whether that may be held.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/counted.h"
#include "control/ctl.h"
#include "control/own.h"
#include "control/target.h"

/* Who would be cut off with many others is left out, but who is asked for: lz_target_check() says why. */
static void add_keys(struct lz_ctl *ctl, struct lz_target *t, const struct lz_prefix *prefix, bool any_shared)
{
	struct lz_keyprefix kp;
	__u64 n = lz_policy_keys_in(ctl->view.instance.ipv6_key_len, prefix, &kp);
	__u64 step = prefix->addr.family == 4 ? 1 : 1ULL << (64 - ctl->view.instance.ipv6_key_len);

	for (__u64 i = 0; i < n; i++) {
		__u64 key = kp.bits + i * step;

		if (!any_shared || key == t->key || !lz_target_shared(ctl, key))
			t->keys[t->n_keys++] = key;
	}
	if (n)
		t->touched[t->n_touched++] = *prefix;
}

static bool has_shared(const struct lz_image *image)
{
	for (__u32 id = LZ_CLASS_FIRST; image && id < LZ_CLASSES_MAX; id++)
		if (image->gen.class_[id].flags & LZ_CLASS_F_SHARED)
			return true;
	return false;
}

/* The first of a customer's ranges in the index by customer. */
static size_t find_first(const struct lz_ctl *ctl, __u32 owner)
{
	const struct lz_ranges *ranges = &ctl->now.policy->customer_ranges;
	size_t low = 0, high = ranges->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (ranges->v[ctl->now.by_customer[mid]].owner < owner)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The customer's other prefixes: IPv4 and IPv6 of one customer share one fate. */
static int add_customer(struct lz_ctl *ctl, struct lz_target *t, const struct lz_range *own)
{
	const struct lz_policy *policy = ctl->now.policy;
	const struct lz_ranges *ranges = &policy->customer_ranges;
	size_t first = find_first(ctl, own->owner), n = 0;
	bool any_shared = has_shared(ctl->now.image);
	struct lz_keyprefix kp;
	__u64 keys = 0;

	for (size_t i = first; i < ranges->n; i++, n++) {
		const struct lz_range *range = &ranges->v[ctl->now.by_customer[i]];

		if (range->owner != own->owner)
			break;
		keys += lz_policy_keys_in(ctl->view.instance.ipv6_key_len, &range->prefix, &kp);
	}
	if (keys > lz_policy_customer_keys_max(policy)) {
		t->apart = keys - 1; /* a whole company: the address alone, and whoever asks is told */
		return 0;
	}
	free(t->keys);
	free(t->touched);
	t->n_keys = t->n_touched = 0;
	t->keys = calloc(keys + 1, sizeof(*t->keys));
	t->touched = calloc(n + 1, sizeof(*t->touched));
	if (!t->keys || !t->touched)
		return -ENOMEM;
	for (size_t i = first; i < first + n; i++)
		add_keys(ctl, t, &ranges->v[ctl->now.by_customer[i]].prefix, any_shared);
	return 0;
}

const char *lz_target_shared(const struct lz_ctl *ctl, __u64 key)
{
	const struct lz_image *image = ctl->now.image;
	__u32 class_ = image ? lz_image_class_of(image, key, lz_key_family(key)) : 0;

	return image && image->gen.class_[class_].flags & LZ_CLASS_F_SHARED ? image->class_names[class_] : NULL;
}

bool lz_target_any_shared(const struct lz_ctl *ctl)
{
	return has_shared(ctl->now.image);
}

const char *lz_target_say_apart(const struct lz_target *t, char buf[static LZ_APART_TEXT_MAX])
{
	snprintf(buf, LZ_APART_TEXT_MAX, "this address alone: customer %.64s has %llu more, too many to be held together",
		 t->customer ? t->customer : "", (unsigned long long)t->apart);
	return buf;
}

void lz_target_done(struct lz_target *target)
{
	free(target->keys);
	free(target->touched);
	memset(target, 0, sizeof(*target));
}

/* Whose address it is: his range that it is in; NULL: nobody's. */
static const struct lz_range *find_owner(const struct lz_ctl *ctl, const struct lz_addr *addr)
{
	struct lz_prefix host = lz_prefix_host(addr);

	return ctl->now.policy ? lz_ranges_find(&ctl->now.policy->customer_ranges, &host) : NULL;
}

/* All but the keys. @address: the same, as messages name it; @ret_own: whose it is, or NULL */
static int look(struct lz_ctl *ctl, const struct lz_addr *addr, const char *address, struct lz_target *ret,
		const struct lz_range **ret_own, struct lz_err *reterr)
{
	struct lz_target t = { .addr = *addr };
	int r;

	lz_addr_unmap(&t.addr);
	r = lz_key_from_addr(&t.addr, ctl->view.instance.ipv6_key_len, &t.key);
	if (r < 0)
		return lz_err_set(reterr, EINVAL, "%s: is no source: %s", address,
				  lz_addr_kind_name(lz_addr_kind(&t.addr)));
	if (ctl->now.image)
		t.class_ = lz_image_class_of(ctl->now.image, t.key, t.addr.family);
	*ret_own = find_owner(ctl, &t.addr);
	if (*ret_own)
		t.customer = ctl->now.policy->customers[(*ret_own)->owner].id;
	*ret = t;
	return 0;
}

/* @address: as with look() */
static int find(struct lz_ctl *ctl, const struct lz_addr *addr, const char *address, struct lz_target *ret,
		struct lz_err *reterr)
{
	const struct lz_range *own;
	struct lz_target t;
	int r = look(ctl, addr, address, &t, &own, reterr);

	if (r < 0)
		return r;
	t.keys = calloc(1, sizeof(*t.keys));
	t.touched = calloc(1, sizeof(*t.touched));
	if (!t.keys || !t.touched) {
		lz_target_done(&t);
		return lz_err_set(reterr, ENOMEM, "%s: out of memory", address);
	}
	t.keys[t.n_keys++] = t.key;
	t.touched[t.n_touched++] = lz_key_to_prefix(t.key, ctl->view.instance.ipv6_key_len);
	if (own && add_customer(ctl, &t, own) < 0) {
		lz_target_done(&t);
		return lz_err_set(reterr, ENOMEM, "%s: out of memory", address);
	}
	*ret = t;
	return 0;
}

int lz_target_parse(const struct lz_ctl *ctl, const char *text, struct lz_addr *ret, struct lz_err *reterr)
{
	unsigned int whole = ctl->view.instance.ipv6_key_len;
	struct lz_prefix source;
	int r = lz_source_parse(text, &source, reterr);

	if (r < 0)
		return r;
	*ret = source.addr;
	if (source.len == lz_addr_bits(&source.addr) || source.len == whole)
		return 0;
	return lz_err_set(reterr, EINVAL, "%s: is %s: name an address in it, or its /%u", text,
			  source.len < whole ? "more than one source" : "a part of a source", whole);
}

int lz_target_find(struct lz_ctl *ctl, const char *address, struct lz_target *ret, struct lz_err *reterr)
{
	struct lz_addr addr;
	int r = lz_target_parse(ctl, address, &addr, reterr);

	return r < 0 ? r : find(ctl, &addr, address, ret, reterr);
}

int lz_target_at(struct lz_ctl *ctl, const struct lz_addr *addr, struct lz_target *ret, struct lz_err *reterr)
{
	char text[LZ_ADDR_TEXT_MAX];

	return find(ctl, addr, lz_addr_format(addr, text), ret, reterr);
}

int lz_target_look(struct lz_ctl *ctl, const struct lz_addr *addr, struct lz_target *ret, struct lz_err *reterr)
{
	char text[LZ_ADDR_TEXT_MAX];
	const struct lz_range *own;

	return look(ctl, addr, lz_addr_format(addr, text), ret, &own, reterr);
}

int lz_target_of_key(struct lz_ctl *ctl, __u64 key, struct lz_target *ret, struct lz_err *reterr)
{
	struct lz_prefix prefix = lz_key_to_prefix(key, ctl->view.instance.ipv6_key_len);

	return lz_target_at(ctl, &prefix.addr, ret, reterr);
}

int lz_target_of_held(struct lz_ctl *ctl, const struct lz_held *held, struct lz_target *ret)
{
	return held->address[0] ? lz_target_find(ctl, held->address, ret, NULL) :
				  lz_target_of_key(ctl, held->key, ret, NULL);
}

const char *lz_target_owner(const struct lz_ctl *ctl, const struct lz_addr *addr)
{
	const struct lz_range *own = find_owner(ctl, addr);

	return own ? ctl->now.policy->customers[own->owner].id : NULL;
}

__u32 lz_target_owner_index(const struct lz_ctl *ctl, __u64 key)
{
	struct lz_prefix prefix = lz_key_to_prefix(key, ctl->view.instance.ipv6_key_len);
	const struct lz_range *own = find_owner(ctl, &prefix.addr);

	return own ? own->owner : LZ_RANGE_NONE;
}

static int name_never(const struct lz_policy *policy, const struct lz_range *range,
		      struct lz_err *reterr)
{
	const struct lz_ref *ref = &policy->never.v[range->owner];
	char prefix[LZ_PREFIX_TEXT_MAX];

	lz_prefix_format(&range->prefix, prefix);
	if (ref->kind == LZ_REF_SET)
		return lz_err_set(reterr, EPERM, "is in the never-list: %s, set %s", prefix,
				  policy->sets[ref->set].name);
	return lz_err_set(reterr, EPERM, "is in the never-list: %s", prefix);
}

/* A dump of all addresses; what cannot be read is none of ours. */
static bool is_own_now(const struct lz_addr *addr)
{
	struct lz_own own;
	bool has;

	lz_own_read(&own);
	has = lz_own_has(&own, addr);
	lz_own_done(&own);
	return has;
}

int lz_hold_check_addr(struct lz_ctl *ctl, const struct lz_addr *addr, __u64 key, const struct lz_own *own,
		       struct lz_err *reterr)
{
	const struct lz_policy *policy = ctl->now.policy;
	struct lz_prefix host = lz_prefix_host(addr);
	const struct lz_range *never;
	const char *shared;

	if (!lz_addr_is_host(addr))
		return lz_err_set(reterr, EPERM, "cannot be held: %s",
				  lz_addr_kind_name(lz_addr_kind(addr)));
	never = policy ? lz_ranges_find(&policy->never_ranges, &host) : NULL;
	if (never)
		return name_never(policy, never, reterr);
	shared = policy ? lz_target_shared(ctl, key) : NULL;
	if (shared)
		return lz_err_set(reterr, EPERM, "cannot be held: class %s is shared, many customers are behind "
				  "one address", shared);
	if (own ? lz_own_has(own, addr) : is_own_now(addr))
		return lz_err_set(reterr, EPERM, "cannot be held: it is this gateway's own address");
	return 0;
}

static int check_target(struct lz_ctl *ctl, const struct lz_target *target, struct lz_err *reterr)
{
	int r = lz_hold_check_addr(ctl, &target->addr, target->key, NULL, reterr);

	if (r < 0)
		return r;
	for (size_t i = 0; ctl->now.policy && i < target->n_touched; i++) {
		const struct lz_range *never =
			lz_ranges_find(&ctl->now.policy->never_ranges, &target->touched[i]);

		if (never)
			return name_never(ctl->now.policy, never, reterr);
	}
	return 0;
}

int lz_target_check(struct lz_ctl *ctl, const struct lz_target *target, struct lz_err *reterr)
{
	struct lz_err why = { "" };
	char text[LZ_ADDR_TEXT_MAX];
	int r = check_target(ctl, target, &why);

	return r < 0 ? lz_err_set(reterr, -r, "%s: %s", lz_addr_format(&target->addr, text), why.text) :
		       0;
}
