/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * counters.c - sums over CPUs, and exceptions: what is read and written through map system calls.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "datapath/search_view.h"
#include "datapath/tables.h"

/* All three kinds of row are plain arrays of __u64. */
static int sum_row(const struct lz_tables_view *v, enum lz_map_id id, __u32 row, __u64 *ret,
		   size_t words)
{
	const __u64 *at = v->percpu;

	if (bpf_map_lookup_elem(v->fds.fd[id], &row, v->percpu))
		return -errno;
	memset(ret, 0, words * sizeof(*ret));
	for (unsigned int cpu = 0; cpu < v->cpus; cpu++)
		for (size_t i = 0; i < words; i++)
			ret[i] += *at++;
	return 0;
}

int lz_port_stats_read(const struct lz_tables_view *view, __u32 row, struct lz_port_stats *ret)
{
	return sum_row(view, LZ_MAP_PORT_STATS, row, ret->count, LZ_C_N);
}

int lz_class_stats_read(const struct lz_tables_view *view, __u32 class_, struct lz_class_stats *ret)
{
	return sum_row(view, LZ_MAP_CLASS_STATS, class_, &ret->examined, sizeof(*ret) / 8);
}

int lz_limit_stats_read(const struct lz_tables_view *view, __u32 id, struct lz_limit_stats *ret)
{
	return sum_row(view, LZ_MAP_LIMIT_STATS, id, &ret->asked, sizeof(*ret) / 8);
}

static int clear_row(const struct lz_tables_view *v, enum lz_map_id id, __u32 row, size_t bytes)
{
	memset(v->percpu, 0, v->cpus * bytes);
	return bpf_map_update_elem(v->fds.fd[id], &row, v->percpu, BPF_EXIST) ? -errno : 0;
}

int lz_class_stats_clear(const struct lz_tables_view *view, __u32 class_)
{
	return clear_row(view, LZ_MAP_CLASS_STATS, class_, sizeof(struct lz_class_stats));
}

int lz_limit_stats_clear(const struct lz_tables_view *view, __u32 id)
{
	return clear_row(view, LZ_MAP_LIMIT_STATS, id, sizeof(struct lz_limit_stats));
}

/* ---------------------------------------------------------------- exceptions
 *
 * The data plane asks only the lengths that lz_control names: the entry is there before its length
 * is, and gone before it.
 */

static void publish_lengths(struct lz_tables_view *v)
{
	__u64 lens = 0;

	for (int len = 0; len < 64; len++)
		if (v->exception_count[len])
			lens |= 1ULL << len;
	*(volatile __u64 *)&v->control->exception_lens = lens;
	*(volatile __u32 *)&v->control->exception_len64 = v->exception_count[64];
}

int lz_exceptions_recount(struct lz_tables_view *view)
{
	int fd = view->fds.fd[LZ_MAP_EXCEPTIONS];
	__u64 excepted[LZ_EXCEPTED_WORDS] = {};
	struct lz_prefix_key key, next;
	void *after = NULL;
	__u32 bit;

	memset(view->exception_count, 0, sizeof(view->exception_count));
	view->exceptions = 0;
	while (!bpf_map_get_next_key(fd, after, &next)) {
		if (next.len <= 64)
			view->exception_count[next.len]++;
		view->exceptions++;
		bit = lz_excepted_bit(lz_hash(next.bits, view->instance.seed));
		if (next.len == 64)
			excepted[bit / 64] |= 1ULL << (bit & 63);
		key = next;
		after = &key;
	}
	if (errno != ENOENT)
		return -errno;
	for (unsigned i = 0; i < LZ_EXCEPTED_WORDS; i++)
		*(volatile __u64 *)&view->tables->excepted[i] = excepted[i];
	publish_lengths(view);
	return 0;
}

/* Before the exception: whoever finds it missing here must not miss it. */
static void mark_excepted(struct lz_tables_view *v, const struct lz_prefix_key *prefix)
{
	__u32 bit = lz_excepted_bit(lz_hash(prefix->bits, v->instance.seed));

	if (prefix->len == 64)
		__sync_fetch_and_or(&v->tables->excepted[bit / 64], 1ULL << (bit & 63));
}

int lz_exception_add(struct lz_tables_view *view, const struct lz_prefix_key *prefix,
		     const struct lz_exception *exception)
{
	int fd = view->fds.fd[LZ_MAP_EXCEPTIONS];

	if (prefix->len < 1 || prefix->len > 64 || prefix->pad_)
		return -EINVAL;
	mark_excepted(view, prefix);
	if (!bpf_map_update_elem(fd, prefix, exception, BPF_NOEXIST)) {
		view->exception_count[prefix->len]++;
		view->exceptions++;
		publish_lengths(view);
		return 0;
	}
	if (errno != EEXIST)
		return -errno;
	return bpf_map_update_elem(fd, prefix, exception, BPF_EXIST) ? -errno : 0;
}

int lz_exception_del(struct lz_tables_view *view, const struct lz_prefix_key *prefix)
{
	if (bpf_map_delete_elem(view->fds.fd[LZ_MAP_EXCEPTIONS], prefix))
		return -errno;
	view->exception_count[prefix->len]--;
	view->exceptions--;
	publish_lengths(view);
	return 0;
}

int lz_exception_read(const struct lz_tables_view *view, const struct lz_prefix_key *prefix,
		      struct lz_exception *ret)
{
	return bpf_map_lookup_elem(view->fds.fd[LZ_MAP_EXCEPTIONS], prefix, ret) ? -errno : 0;
}

int lz_exceptions_each(const struct lz_tables_view *view,
		       int (*visit)(void *arg, const struct lz_prefix_key *prefix,
				    const struct lz_exception *exception),
		       void *arg)
{
	int fd = view->fds.fd[LZ_MAP_EXCEPTIONS], r = 0;
	struct lz_prefix_key key, next;
	struct lz_exception exception;
	void *after = NULL;

	/* The next key is asked for before the visit, which may delete this one. */
	if (bpf_map_get_next_key(fd, NULL, &next))
		return errno == ENOENT ? 0 : -errno;
	for (bool more = true; more && !r;) {
		key = next;
		after = &key;
		more = !bpf_map_get_next_key(fd, after, &next);
		if (!bpf_map_lookup_elem(fd, &key, &exception))
			r = visit(arg, &key, &exception);
	}
	return r;
}
