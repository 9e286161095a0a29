/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* hostlist_unite.c - entries to hosts: of each customer all addresses, of each key one entry. */
#include <errno.h>
#include <stdint.h>

#include "base/clock.h"
#include "control/counted.h"
#include "control/exception.h"
#include "control/hold.h"
#include "control/target.h"
#include "handlers/hostlist.h"

/* ---------------------------------------------------------------- sums */

static void sum_begin(const struct lz_list *list, const struct lz_list_entry *e, struct lz_list_sum *ret)
{
	*ret = (struct lz_list_sum){ .end_s = e->end_s, .of = e->order, .order = list->orders[e->order] };
}

/* @later: than what the sum has of tickets and reasons */
static void sum_add(const struct lz_list *list, const struct lz_list_entry *e, bool later, struct lz_list_sum *sum)
{
	const struct lz_list_order *o = &list->orders[e->order];
	struct lz_list_order *to = &sum->order;

	if (e->end_s > sum->end_s)
		sum->end_s = e->end_s;
	if (!sum->mixed && e->order == sum->of)
		return;
	sum->mixed = true;
	if (o->graded && (!to->graded || lz_grade_harder(&o->grade, &to->grade)))
		to->grade = o->grade;
	to->graded |= o->graded;
	to->staff_only |= o->staff_only;
	if (o->ticket && (later || !to->ticket)) {
		to->ticket = o->ticket;
		to->ticket_len = o->ticket_len;
	}
	if (o->reason && (later || !to->reason)) {
		to->reason = o->reason;
		to->reason_len = o->reason_len;
	}
}

static bool is_same_order(const struct lz_list_order *a, const struct lz_list_order *b)
{
	return a->ticket == b->ticket && a->reason == b->reason && a->graded == b->graded &&
	       a->leaky_first == b->leaky_first && a->staff_only == b->staff_only && a->grade.kind == b->grade.kind &&
	       lz_streq(a->grade.garden, b->grade.garden) && a->grade.rate.count == b->grade.rate.count &&
	       a->grade.rate.window_ns == b->grade.rate.window_ns;
}

/* Hosts that are listed twice mostly come to one of a few orders. */
static int sum_end(struct lz_list *list, const struct lz_list_sum *sum, struct lz_list_entry *e,
		   struct lz_err *reterr)
{
	const struct lz_list_order *o = &sum->order;
	__u64 hash = ((__u64)(uintptr_t)o->ticket * 31 + (__u64)(uintptr_t)o->reason) * 31 + o->grade.kind;
	__u32 *slot = &list->slots[(hash ^ hash >> 8 ^ hash >> 16) % LZ_LIST_SLOTS];
	int r;

	e->end_s = sum->end_s;
	e->order = sum->of;
	if (!sum->mixed)
		return 0;
	if (!*slot || !is_same_order(&list->orders[*slot - 1], o)) {
		r = lz_array_grow(&list->orders, &list->orders_cap, list->n_orders + 1,
				  sizeof(*list->orders));
		if (r < 0)
			return lz_err_set(reterr, -r, "out of memory");
		list->orders[list->n_orders] = *o;
		list->orders[list->n_orders].text = NULL;
		*slot = (__u32)++list->n_orders;
	}
	e->order = *slot - 1;
	return 0;
}

/* ---------------------------------------------------------------- customers */

int lz_list_add_to_customer(struct lz_list *list, const struct lz_addr *addr,
			    const struct lz_list_entry *e, struct lz_err *reterr)
{
	const struct lz_policy *policy = list->ctl->now.policy;
	struct lz_prefix host = lz_prefix_host(addr);
	const struct lz_range *own = lz_ranges_find(&policy->customer_ranges, &host);
	__u32 *slot;

	if (!own)
		return 0;
	if (!list->customer_of)
		list->customer_of = calloc(policy->n_customers, sizeof(*list->customer_of));
	if (!list->customer_of || lz_array_grow(&list->customers, &list->customers_cap, list->n_customers + 1,
						sizeof(*list->customers)) < 0)
		return lz_err_set(reterr, ENOMEM, "out of memory");
	slot = &list->customer_of[own->owner];
	if (*slot) {
		sum_add(list, e, true, &list->customers[*slot - 1].sum);
		return 0;
	}
	list->customers[list->n_customers] =
		(struct lz_list_customer){ .address = e->address, .line = e->line };
	sum_begin(list, e, &list->customers[list->n_customers].sum);
	*slot = (__u32)++list->n_customers;
	return 0;
}

static int add_keys(struct lz_list *list, const struct lz_target *target, struct lz_list_entry e,
		    struct lz_err *reterr)
{
	int r = lz_array_grow(&list->v, &list->cap, list->n + target->n_keys, sizeof(*list->v));

	if (r < 0)
		return lz_err_set(reterr, -r, "out of memory");
	for (size_t i = 0; i < target->n_keys; i++) {
		e.key = target->keys[i];
		list->v[list->n++] = e;
	}
	return 0;
}

/* A whole company is the address alone, for which its line stands. What is more than the colony can ever hold
 * need not be counted out. */
static int join_customer(struct lz_list *list, const struct lz_list_customer *customer,
			 struct lz_refused *refused, struct lz_err *reterr)
{
	struct lz_list_entry e = { .address = LZ_LIST_ALONG, .line = customer->line };
	const char *address = list->text + customer->address;
	struct lz_target target;
	int r = lz_target_find(list->ctl, address, &target, reterr);

	if (r < 0)
		return r;
	list->apart += target.apart != 0;
	if (list->n - list->lines_n + target.n_keys > lz_colony_max(list->ctl)) {
		list->along++;
		lz_refused_add(refused, customer->line, address, "the other addresses of this customer: colony: full");
	} else if (target.n_keys > 1) {
		r = sum_end(list, &customer->sum, &e, reterr);
		if (r == 0)
			r = add_keys(list, &target, e, reterr);
	}
	lz_target_done(&target);
	return r;
}

int lz_list_join(struct lz_list *list, struct lz_refused *refused, __u64 until_ns, struct lz_err *reterr)
{
	int r = 0;

	if (!list->n_joined)
		list->lines_n = list->n;
	while (r == 0 && list->n_joined < list->n_customers) {
		if (lz_clock_mono_ns() >= until_ns)
			return 1;
		r = join_customer(list, &list->customers[list->n_joined++], refused, reterr);
	}
	return r;
}

/* ---------------------------------------------------------------- keys */

/* An index likes its keys in order: in SQLite's, they have a sign. Of a key its customer's entry comes first,
 * which has all of his lines in it; then its lines. */
static int compare_key(const void *a, const void *b)
{
	const struct lz_list_entry *x = a, *y = b;
	bool x_named = x->address != LZ_LIST_ALONG, y_named = y->address != LZ_LIST_ALONG;

	if (x->key != y->key)
		return (__s64)x->key < (__s64)y->key ? -1 : 1;
	if (x_named != y_named)
		return x_named ? 1 : -1;
	return x->line < y->line ? -1 : x->line > y->line;
}

void lz_list_sort(struct lz_list *list)
{
	lz_array_sort(list->v, list->n, sizeof(*list->v), compare_key);
}

/* May this entry be held? */
static int check_entry(struct lz_list *list, const struct lz_list_entry *e, struct lz_err *reterr)
{
	struct lz_prefix prefix = lz_key_to_prefix(e->key, list->ctl->view.instance.ipv6_key_len);
	const char *address = lz_list_address(list, e);
	struct lz_addr addr = prefix.addr;
	int r;

	if (lz_key_family(e->key) == 6 && address[0])
		lz_addr_parse(address, &addr, NULL);
	r = lz_hold_check_addr(list->ctl, &addr, e->key, &list->own, reterr);
	return r < 0 ? r : lz_exception_check(list->ctl, &e->key, 1, reterr);
}

static void look_at_line(struct lz_list *list, const struct lz_list_entry *e)
{
	struct lz_list_key *k = &list->uniting;

	if (!k->named && !k->joined)
		sum_begin(list, e, &k->sum);
	else
		sum_add(list, e, !k->joined, &k->sum);
	list->doubled += k->named;
	if (!k->named)
		k->line = e->line;
	if (!k->named || e->end_s > k->end_s) {
		k->address = e->address;
		k->end_s = e->end_s;
	}
	k->named = true;
}

/* Two customers may share an IPv6 key, if they have less than one. */
static void look_at_customer(struct lz_list *list, const struct lz_list_entry *e)
{
	struct lz_list_key *k = &list->uniting;

	if (k->joined) {
		sum_add(list, e, true, &k->sum);
		return;
	}
	sum_begin(list, e, &k->sum);
	k->address = LZ_LIST_ALONG;
	k->line = e->line;
	k->joined = true;
}

static void look_at(struct lz_list *list, const struct lz_list_entry *e, struct lz_refused *refused)
{
	struct lz_list_key *k = &list->uniting;
	bool named = e->address != LZ_LIST_ALONG;
	struct lz_err why = { "" };

	if (check_entry(list, e, &why) == 0) {
		if (named)
			look_at_line(list, e);
		else
			look_at_customer(list, e);
	} else if (named) {
		k->refused = true;
		lz_refused_add(refused, e->line, lz_list_address(list, e), why.text);
	} else if (!k->why_line) {
		k->why_line = e->line;
		k->why = why;
	}
}

/* An address that only its customer would be held by is refused once, however many lines name him. */
static int end_key(struct lz_list *list, struct lz_refused *refused, struct lz_err *reterr)
{
	struct lz_list_key *k = &list->uniting;
	struct lz_list_entry e = { .key = k->key, .address = k->address, .line = k->line };
	char name[LZ_PREFIX_TEXT_MAX];
	int r;

	if (!k->begun)
		return 0;
	if (!k->named && !k->joined) {
		if (!k->refused) {
			list->along++;
			lz_refused_add(refused, k->why_line, lz_list_name(list, &e, name), k->why.text);
		}
		return 0;
	}
	list->along += !k->named;
	list->named += k->named;
	r = sum_end(list, &k->sum, &e, reterr);
	if (r == 0)
		list->v[list->n_united++] = e;
	return r;
}

int lz_list_unite(struct lz_list *list, struct lz_refused *refused, __u64 until_ns, struct lz_err *reterr)
{
	struct lz_list_key *k = &list->uniting;
	int r = 0;

	if (!list->n_looked) {
		lz_own_done(&list->own);
		lz_own_read(&list->own); /* what cannot be read is none of ours */
	}
	for (int i = 0; r == 0 && list->n_looked < list->n; i++) {
		struct lz_list_entry e = list->v[list->n_looked];

		if (!(i & 63) && lz_clock_mono_ns() >= until_ns)
			return 1;
		if (!k->begun || k->key != e.key) {
			r = end_key(list, refused, reterr);
			*k = (struct lz_list_key){ .key = e.key, .begun = true, .address = LZ_LIST_ALONG };
		}
		look_at(list, &e, refused);
		list->n_looked++;
	}
	if (r == 0)
		r = end_key(list, refused, reterr);
	list->n = list->n_looked = list->n_united;
	return r;
}

/* ---------------------------------------------------------------- questions */

static int find_key(const void *key, const void *entry)
{
	const __u64 *k = key;
	const struct lz_list_entry *e = entry;

	return *k == e->key ? 0 : (__s64)*k < (__s64)e->key ? -1 : 1;
}

__u32 lz_list_line_of(const struct lz_list *list, __u64 key)
{
	const struct lz_list_entry *e = bsearch(&key, list->v, list->n, sizeof(*list->v), find_key);

	return e ? e->line : 0;
}

const struct lz_grade *lz_list_grade(const struct lz_list_order *order, bool held)
{
	static const struct lz_grade leaky = { .kind = LZ_GRADE_IS_GARDEN, .garden = "leaky" };

	if (!order->graded || (!held && order->leaky_first && !lz_grade_harder(&order->grade, &leaky)))
		return NULL;
	return &order->grade;
}

const char *lz_list_name(const struct lz_list *list, const struct lz_list_entry *e,
			 char buf[static LZ_PREFIX_TEXT_MAX])
{
	const char *address = lz_list_address(list, e);

	if (address[0])
		return address;
	lz_key_format(e->key, list->ctl->view.instance.ipv6_key_len, buf);
	return buf;
}
