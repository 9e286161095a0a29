/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/policyswap.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "datapath/membarrier.h"

static __u64 word_get(const struct lz_tables_view *v)
{
	return *(const volatile __u64 *)&v->control->gen_word;
}

static void word_set(struct lz_tables_view *v, __u64 word)
{
	__sync_synchronize();
	*(volatile __u64 *)&v->control->gen_word = word;
}

static bool has_expired(const struct lz_tables_view *v, __u64 word)
{
	return LZ_GEN_DEADLINE(word) && lz_tables_now_s(v) >= LZ_GEN_DEADLINE(word);
}

static __u64 number_of(const struct lz_tables_view *v, __u32 slot)
{
	return slot < LZ_GENERATIONS ? v->control->gen[slot].number : 0;
}

static __u32 policy_of(const struct lz_tables_view *v, __u32 slot)
{
	return slot < LZ_GENERATIONS ? v->control->gen[slot].policy : 0;
}

void lz_swap_state_get(const struct lz_tables_view *view, struct lz_swap_state *ret)
{
	__u64 word = word_get(view);
	__u32 active = LZ_GEN_ACTIVE(word), previous = LZ_GEN_PREVIOUS(word);

	memset(ret, 0, sizeof(*ret));
	ret->expired = has_expired(view, word);
	ret->pending = LZ_GEN_DEADLINE(word) && !ret->expired;
	ret->deadline_s = LZ_GEN_DEADLINE(word);
	ret->slot = ret->expired ? previous : active;
	ret->number = number_of(view, ret->slot);
	ret->previous = number_of(view, previous);
	ret->policy = policy_of(view, ret->slot);
	ret->previous_policy = policy_of(view, previous);
}

__u64 lz_swap_highest(const struct lz_tables_view *view)
{
	__u64 a = number_of(view, 0), b = number_of(view, 1);

	return a > b ? a : b;
}

int lz_swap_settle(struct lz_tables_view *view)
{
	__u64 word = word_get(view);

	if (!has_expired(view, word))
		return 0;
	word_set(view, LZ_GEN_WORD(LZ_GEN_PREVIOUS(word), LZ_GEN_PREVIOUS(word), 0));
	return 1;
}

int lz_swap_confirm(struct lz_tables_view *view)
{
	__u64 word = word_get(view);

	if (!LZ_GEN_DEADLINE(word))
		return -ENOENT;
	if (has_expired(view, word))
		return -ETIMEDOUT;
	word_set(view, LZ_GEN_WORD(LZ_GEN_ACTIVE(word), LZ_GEN_ACTIVE(word), 0));
	return 0;
}

int lz_swap_undo(struct lz_tables_view *view)
{
	__u64 word = word_get(view);

	if (!LZ_GEN_DEADLINE(word))
		return -ENOENT;
	word_set(view, LZ_GEN_WORD(LZ_GEN_PREVIOUS(word), LZ_GEN_PREVIOUS(word), 0));
	return 0;
}

void lz_swap_end_trial(struct lz_tables_view *view)
{
	if (lz_swap_settle(view) || !LZ_GEN_DEADLINE(word_get(view)))
		return;
	if (LZ_GEN_PREVIOUS(word_get(view)) < LZ_GENERATIONS)
		lz_swap_undo(view);
	else
		lz_swap_confirm(view);
}

int lz_swap_idle_slot(struct lz_tables_view *view)
{
	__u64 word;

	lz_swap_settle(view);
	word = word_get(view);
	if (LZ_GEN_DEADLINE(word))
		return -EBUSY;
	return LZ_GEN_ACTIVE(word) == 0 ? 1 : 0;
}

/* ---------------------------------------------------------------- filling */

static __u32 at_least_one(size_t n)
{
	return n ? n : 1;
}

void lz_swap_sizes(const struct lz_image *image, struct lz_inner_sizes *ret)
{
	ret->ranges = at_least_one(image->range_buckets);
	ret->dests = at_least_one(image->n_dests);
	ret->customers = at_least_one(image->n_customer_ranges);
}

static size_t whole_pages(size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static int map_array(int fd, size_t bytes, const char *what, void **ret, struct lz_err *reterr)
{
	void *at = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return lz_err_set(reterr, errno, "policy: cannot map %s: %s", what, strerror(errno));
	*ret = at;
	return 0;
}

static int fill_array(int fd, const void *lines, size_t bytes, const char *what,
		      struct lz_err *reterr)
{
	void *at = NULL;
	int r;

	if (!bytes)
		return 0;
	r = map_array(fd, bytes, what, &at, reterr);
	if (r)
		return r;
	memcpy(at, lines, bytes);
	munmap(at, whole_pages(bytes));
	return 0;
}

/* Keys and values lie in one array of structs; the kernel wants two. */
static int fill_hash(int fd, const char *from, size_t n, size_t item_bytes, size_t key_at,
		     size_t key_bytes, size_t value_at, size_t value_bytes, const char *what,
		     struct lz_err *reterr)
{
	lz_autofree char *keys = malloc(at_least_one(n) * key_bytes);
	lz_autofree char *values = malloc(at_least_one(n) * value_bytes);
	__u32 count = n;

	if (!keys || !values)
		return lz_err_set(reterr, ENOMEM, "policy: out of memory for %zu %s", n, what);
	for (size_t i = 0; i < n; i++) {
		memcpy(keys + i * key_bytes, from + i * item_bytes + key_at, key_bytes);
		memcpy(values + i * value_bytes, from + i * item_bytes + value_at, value_bytes);
	}
	if (n && bpf_map_update_batch(fd, keys, values, &count, NULL))
		return lz_err_set(reterr, errno, "policy: cannot write %s %u of %zu: %s", what, count,
				  n, strerror(errno));
	return 0;
}

static size_t range_bytes(const struct lz_image *image)
{
	return image->range_buckets * sizeof(*image->ranges);
}

int lz_swap_fill(const struct lz_image *image, const struct lz_inner_fds *fds,
		 struct lz_err *reterr)
{
	int r = fill_array(fds->ranges, image->ranges, range_bytes(image), "ranges", reterr);

	if (!r)
		r = fill_hash(fds->dests, (const char *)image->dests, image->n_dests,
			      sizeof(*image->dests), offsetof(struct lz_image_dest, key),
			      sizeof(struct lz_dest_key), offsetof(struct lz_image_dest, mask),
			      sizeof(__u64), "destinations", reterr);
	if (!r)
		r = fill_hash(fds->customers, (const char *)image->customer_ranges,
			      image->n_customer_ranges, sizeof(*image->customer_ranges),
			      offsetof(struct lz_image_customer_range, key),
			      sizeof(struct lz_prefix_key),
			      offsetof(struct lz_image_customer_range, id), sizeof(__u32),
			      "customers", reterr);
	return r;
}

/* ---------------------------------------------------------------- epochs */

/* Forget every class that a cell remembers. */
static void forget_classes(struct lz_tables_view *v)
{
	for (__u32 slot = 0; slot < v->slots; slot++) {
		__u16 *at = &v->cells[slot].known_class, known = *(volatile __u16 *)at;

		if (known)
			__sync_bool_compare_and_swap(at, known, 0);
	}
}

/* An epoch that no cell remembers: the next one. When its ten bits have come round, everything is
 * forgotten, while nobody believes what is remembered of the generation that judges; then it gets a fresh one too.
 * A round that did not get that far, for want of a barrier or because the daemon was killed, begins again: its
 * bits of 0 stand there. */
static int next_epoch(struct lz_tables_view *v, __u32 *ret)
{
	struct lz_generation *gen = v->control->gen;
	__u32 last = gen[0].epoch > gen[1].epoch ? gen[0].epoch : gen[1].epoch, next, active;
	int r;

	next = last && !LZ_EPOCH_LOW(last) ? last : last + 1;
	if (LZ_EPOCH_LOW(next)) {
		*ret = next;
		return 0;
	}
	active = LZ_GEN_ACTIVE(word_get(v));
	if (active < LZ_GENERATIONS)
		*(volatile __u32 *)&gen[active].epoch = next;
	r = lz_membarrier();
	if (r)
		return r;
	forget_classes(v);
	if (active < LZ_GENERATIONS)
		*(volatile __u32 *)&gen[active].epoch = ++next;
	*ret = next + 1;
	return 0;
}

/* ---------------------------------------------------------------- in place */

int lz_swap_live_map(struct lz_tables_view *view, __u32 slot, const struct lz_image *image,
		     const struct lz_inner_fds *fds, struct lz_live_tables *ret, struct lz_err *reterr)
{
	void *ranges = NULL;
	int r = map_array(fds->ranges, range_bytes(image), "ranges", &ranges, reterr);

	if (!r)
		*ret = (struct lz_live_tables){ .ranges = ranges,
						.gen = &view->control->gen[slot] };
	return r;
}

void lz_swap_live_unmap(const struct lz_image *image, struct lz_live_tables *live)
{
	if (live->ranges)
		munmap(live->ranges, whole_pages(range_bytes(image)));
	*live = (struct lz_live_tables){ 0 };
}

int lz_swap_renumber(struct lz_tables_view *view, __u64 number, __u32 policy)
{
	struct lz_generation *gen = view->control->gen;
	__u64 word = word_get(view);
	__u32 epoch;
	int r;

	if (LZ_GEN_DEADLINE(word) || LZ_GEN_ACTIVE(word) >= LZ_GENERATIONS)
		return -EBUSY;
	r = next_epoch(view, &epoch);
	if (r)
		return r;
	gen += LZ_GEN_ACTIVE(word);
	__atomic_store_n(&gen->epoch, epoch, __ATOMIC_RELEASE);
	/* Killed between these two: number and fingerprint do not agree, and the next start publishes it anew. */
	__atomic_store_n(&gen->policy, policy, __ATOMIC_RELEASE);
	__atomic_store_n(&gen->number, number, __ATOMIC_RELEASE);
	return 0;
}

/* ---------------------------------------------------------------- publishing */

static int put_inner(const struct lz_tables_view *v, const struct lz_inner_fds *fds, __u32 slot,
		     struct lz_err *reterr)
{
	const struct {
		enum lz_map_id outer;
		int inner;
	} maps[] = {
		{ LZ_MAP_RANGES, fds->ranges },
		{ LZ_MAP_DESTS, fds->dests },
		{ LZ_MAP_CUSTOMERS, fds->customers },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(maps); i++)
		if (bpf_map_update_elem(v->fds.fd[maps[i].outer], &slot, &maps[i].inner, BPF_ANY))
			return lz_err_set(reterr, errno, "policy: cannot put %s into slot %u: %s",
					  lz_map_name(maps[i].outer), slot, strerror(errno));
	return 0;
}

static void put_generation(struct lz_tables_view *v, const struct lz_image *image, __u32 slot,
			   __u64 number, __u32 epoch)
{
	__u32 budget = image->sources_max / LZ_V6_BUDGET_SHARE;

	v->control->gen[slot] = image->gen;
	v->control->gen[slot].number = number;
	v->control->gen[slot].epoch = epoch;
	v->control->sources_max = image->sources_max;
	v->control->v6_budget = budget > LZ_V6_BUDGET_MIN ? budget : LZ_V6_BUDGET_MIN;
}

int lz_swap_publish(struct lz_tables_view *view, const struct lz_image *image,
		    const struct lz_inner_fds *fds, __u64 number, __u32 confirm_s,
		    struct lz_err *reterr)
{
	int slot = lz_swap_idle_slot(view), r;
	__u32 active, epoch;

	if (slot < 0)
		return lz_err_set(reterr, slot, "policy: generation %llu awaits its confirm",
				  (unsigned long long)number_of(view, LZ_GEN_ACTIVE(word_get(view))));
	if (image->seed != view->instance.seed ||
	    image->ipv6_key_len != view->instance.ipv6_key_len)
		return lz_err_set(reterr, EINVAL, "policy: compiled for another instance");
	/* Programs that began under the word before the last one may still read the idle slot. */
	r = lz_membarrier();
	if (r)
		return lz_err_set(reterr, r, "policy: membarrier: %s", strerror(-r));
	r = next_epoch(view, &epoch);
	if (r)
		return lz_err_set(reterr, r, "policy: membarrier: %s", strerror(-r));
	r = put_inner(view, fds, slot, reterr);
	if (r)
		return r;
	put_generation(view, image, slot, number, epoch);
	active = LZ_GEN_ACTIVE(word_get(view));
	if (confirm_s) /* the clock's seconds are cut down: one more, so that nobody has less time */
		word_set(view, LZ_GEN_WORD(slot, active, lz_tables_now_s(view) + confirm_s + 1));
	else
		word_set(view, LZ_GEN_WORD(slot, slot, 0));
	return 0;
}
