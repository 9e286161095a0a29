/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tables.c - map the tables; set, read and release holds.
 */
#include "datapath/tables.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "datapath/search_view.h"

static void *map_fd(int fd, size_t bytes, int prot, enum lz_map_id id, struct lz_err *reterr)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *at = mmap(NULL, (bytes + page - 1) / page * page, prot, MAP_SHARED, fd, 0);

	if (at != MAP_FAILED)
		return at;
	lz_err_set(reterr, errno, "map %s: cannot map %zu bytes: %s", lz_map_name(id), bytes,
		   strerror(errno));
	return NULL;
}

static void unmap(const volatile void *at, size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *p;

	memcpy(&p, &at, sizeof(p));
	if (p)
		munmap(p, (bytes + page - 1) / page * page);
}

/* Room for the largest row, of every CPU. */
static size_t percpu_bytes(unsigned int cpus)
{
	return cpus * sizeof(struct lz_port_stats);
}

void lz_tables_close(struct lz_tables_view *view)
{
	unmap(view->tags, view->instance.tag_lines * sizeof(*view->tags));
	unmap(view->cells, view->slots * sizeof(*view->cells));
	unmap(view->cold, view->slots * sizeof(*view->cold));
	unmap(view->blocks, lz_block_lines_all(view->instance.tag_lines) * sizeof(*view->blocks));
	unmap(view->held, 2ul * view->instance.held_lines * sizeof(*view->held));
	unmap(view->control, sizeof(*view->control));
	unmap(view->tables, sizeof(*view->tables));
	unmap(view->ports, LZ_PORTS_SIZE * sizeof(*view->ports));
	free(view->percpu);
	memset(view, 0, sizeof(*view));
}

static int map_all(struct lz_tables_view *v, struct lz_err *reterr)
{
	const int *fd = v->fds.fd;
	int rw = PROT_READ | PROT_WRITE;

	v->tags = map_fd(fd[LZ_MAP_TAGS], v->instance.tag_lines * sizeof(*v->tags), rw, LZ_MAP_TAGS,
			 reterr);
	if (v->tags)
		v->cells = map_fd(fd[LZ_MAP_CELLS], v->slots * sizeof(*v->cells), rw, LZ_MAP_CELLS,
				  reterr);
	if (v->cells)
		v->cold = map_fd(fd[LZ_MAP_COLD], v->slots * sizeof(*v->cold), rw, LZ_MAP_COLD, reterr);
	if (v->cold)
		v->blocks = map_fd(fd[LZ_MAP_BLOCKS], lz_block_lines_all(v->instance.tag_lines) *
				   sizeof(*v->blocks), rw, LZ_MAP_BLOCKS, reterr);
	if (v->blocks)
		v->held = map_fd(fd[LZ_MAP_HELD], 2ul * v->instance.held_lines * sizeof(*v->held), rw,
				 LZ_MAP_HELD, reterr);
	if (v->held)
		v->control = map_fd(fd[LZ_MAP_CONTROL], sizeof(*v->control), rw, LZ_MAP_CONTROL,
				    reterr);
	if (v->control)
		v->tables = map_fd(fd[LZ_MAP_TABLES], sizeof(*v->tables), rw, LZ_MAP_TABLES, reterr);
	if (v->tables)
		v->ports = map_fd(fd[LZ_MAP_PORTS], LZ_PORTS_SIZE * sizeof(*v->ports), PROT_READ,
				  LZ_MAP_PORTS, reterr);
	return v->ports ? 0 : -ENOMEM;
}

int lz_tables_open(const struct lz_map_fds *fds, const struct lz_instance *instance,
		   struct lz_tables_view *ret, struct lz_err *reterr)
{
	struct lz_tables_view v = { .instance = *instance, .fds = *fds, .held_stale = true };
	int cpus = libbpf_num_possible_cpus(), r;

	if (instance->abi_version != LZ_ABI_VERSION || instance->tag_lines == 0 ||
	    instance->tag_lines > LZ_SEARCH_MADE / LZ_TAG_LINE_SLOTS ||
	    instance->block_lines != lz_block_lines(instance->tag_lines))
		return lz_err_set(reterr, EPROTO, "instance: ABI version %u with %u tag lines is not "
				  "of this build (version %u)", instance->abi_version,
				  instance->tag_lines, LZ_ABI_VERSION);
	if (cpus < 0)
		return lz_err_set(reterr, cpus, "cpus: cannot count: %s", strerror(-cpus));
	v.cpus = cpus;
	v.slots = instance->tag_lines * LZ_TAG_LINE_SLOTS;
	v.percpu = malloc(percpu_bytes(v.cpus));
	if (!v.percpu)
		return lz_err_set(reterr, ENOMEM, "instance: out of memory");
	r = map_all(&v, reterr);
	if (!r) {
		r = lz_exceptions_recount(&v);
		if (r)
			lz_err_set(reterr, r, "map lz_exceptions: cannot read: %s", strerror(-r));
	}
	if (r) {
		lz_tables_close(&v);
		return r;
	}
	*ret = v;
	return 0;
}

__u64 lz_tables_now_ns(const struct lz_tables_view *view)
{
	struct timespec t;

	if (view->instance.replay)
		return *(const volatile __u64 *)&view->control->replay_now_ns;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (__u64)t.tv_sec * LZ_NS_PER_S + t.tv_nsec;
}

__u32 lz_tables_now_s(const struct lz_tables_view *view)
{
	return lz_tables_now_ns(view) / LZ_NS_PER_S;
}

/* ---------------------------------------------------------------- the tag of a slot */

static __u64 *tag_word(const struct lz_tables_view *v, __u32 slot)
{
	return &v->tags[slot / LZ_TAG_LINE_SLOTS].word[slot / 8 % LZ_TAG_LINE_WORDS];
}

static __u64 held_bit(__u32 slot)
{
	return (__u64)LZ_TAG_HELD << (8 * (slot & 7));
}

/* ---------------------------------------------------------------- holds */

bool lz_hold_is_active(__u64 word, __u32 now_s)
{
	__u32 expiry_s = LZ_HOLD_EXPIRY(word);

	return expiry_s > now_s && LZ_HOLD_TTL(word) &&
	       expiry_s - now_s <= LZ_HOLD_END(0, LZ_HOLD_TTL(word)) &&
	       expiry_s - now_s <= LZ_HOLD_END(0, LZ_HOLD_CAP_S);
}

bool lz_hold_lingers(__u64 word, __u32 now_s)
{
	__u32 expiry_s = LZ_HOLD_EXPIRY(word);

	return word && expiry_s <= now_s && now_s - expiry_s < LZ_RELEASED_S;
}

static int hardness(__u32 grade)
{
	switch (LZ_GRADE_KIND(grade)) {
	case LZ_GRADE_THROTTLE:
		return 0;
	case LZ_GRADE_BLOCK25:
		return 1;
	default:
		return LZ_GRADE_ROW(grade) == LZ_GARDEN_STRICT ? 3 : 2;
	}
}

static bool is_harder(const struct lz_control *control, __u32 a, __u32 b)
{
	if (hardness(a) != hardness(b) || LZ_GRADE_KIND(a) != LZ_GRADE_THROTTLE)
		return hardness(a) > hardness(b);
	return control->throttle[LZ_GRADE_ROW(a)].step_ms > control->throttle[LZ_GRADE_ROW(b)].step_ms;
}

__u64 lz_hold_merge(const struct lz_control *control, __u64 a, __u64 b)
{
	__u64 later = LZ_HOLD_EXPIRY(a) > LZ_HOLD_EXPIRY(b) ? a : b;
	__u32 grade = LZ_HOLD_GRADE(is_harder(control, LZ_HOLD_GRADE(a), LZ_HOLD_GRADE(b)) ? a : b);

	return LZ_HOLD_WORD(LZ_HOLD_EXPIRY(later), LZ_HOLD_TTL(later), grade, LZ_HOLD_FLAGS(a | b));
}

/* What stands and what is wanted: which of them will be, and what is that called? */
static int merge_hold(__u64 old, __u64 word, __u32 now_s, unsigned int flags)
{
	if (!lz_hold_is_active(old, now_s))
		return LZ_HOLD_NEW;
	if (LZ_HOLD_EXPIRY(word) > LZ_HOLD_EXPIRY(old))
		return LZ_HOLD_EXTENDED;
	if (!(flags & LZ_HOLD_SET_EXACT) || word == old)
		return LZ_HOLD_STOOD;
	return LZ_HOLD_SHORTENED;
}

/* How holds are written: to all of a run the same. */
struct way {
	__u32 now_s;
	unsigned int flags;
	lz_hold_beside_fn *beside; /* NULL: what a limit made is as any other hold */
	void *arg;
};

/* What is wanted, given what stands. */
static __u64 word_beside(const struct way *w, __u64 old, __u64 word)
{
	if (!w->beside || !(LZ_HOLD_FLAGS(old) & LZ_HOLD_F_KERNEL) || !lz_hold_is_active(old, w->now_s))
		return word;
	return w->beside(w->arg, old, word);
}

/* The hold word, then the tag's bit, by which we find it again; the bit that sends packets to it comes
 * last: lz_held_mark(). As in bpf/cell.h. A limit may hold the source at any time: what is written was
 * worked out from the word that it replaces. */
static int write_hold(struct lz_tables_view *v, __u32 slot, __u64 word, const struct way *w)
{
	__u64 *hold = &v->cells[slot].hold, old, new;
	int result;

	do {
		old = *(volatile __u64 *)hold;
		new = word_beside(w, old, word);
		result = merge_hold(old, new, w->now_s, w->flags);
	} while (result != LZ_HOLD_STOOD && !__sync_bool_compare_and_swap(hold, old, new));
	if (!(*(volatile __u64 *)tag_word(v, slot) & held_bit(slot)))
		__sync_fetch_and_or(tag_word(v, slot), held_bit(slot));
	return result;
}

static int check_hold(__u64 key, __u64 word, __u32 now_s)
{
	return lz_key_is_aggregate(key) || !lz_hold_is_active(word, now_s) ? -EINVAL : 0;
}

pthread_mutex_t lz_blocks_mutex = PTHREAD_MUTEX_INITIALIZER;

/* With lz_blocks_mutex. @made: one more, if that took a cell; who counts them calls note_made() */
static int set_hold(struct lz_tables_view *v, __u64 key, __u64 word, const struct way *w, __u64 *made)
{
	int slot = lz_view_find(v, key);

	if (slot < 0) {
		slot = lz_view_create(v, key);
		if (slot < 0)
			return -ENOSPC;
		if (slot & LZ_SEARCH_MADE) {
			slot &= ~LZ_SEARCH_MADE;
			v->cells[slot].seen = 0; /* lz_cell_ask() may have left one in a free cell */
			++*made;
		}
	}
	return write_hold(v, slot, word, w);
}

static void note_made(struct lz_tables_view *v, __u64 made)
{
	if (!made)
		return;
	__sync_fetch_and_add(&v->tables->cells_used, made);
	__sync_fetch_and_add(&v->tables->cells_held, made);
}

int lz_hold_set(struct lz_tables_view *view, __u64 key, __u64 word, unsigned int flags,
		__u64 *ret_word)
{
	const struct way w = { .now_s = lz_tables_now_s(view), .flags = flags };
	__u64 stands, made = 0;
	int slot, r = check_hold(key, word, w.now_s);

	if (r)
		return r;
	pthread_mutex_lock(&lz_blocks_mutex);
	r = set_hold(view, key, word, &w, &made);
	pthread_mutex_unlock(&lz_blocks_mutex);
	note_made(view, made);
	if (r < 0)
		return r;
	lz_held_mark(view, key);
	slot = lz_view_find(view, key);
	if (slot < 0 || !lz_held_marked(view, key) || !(*(volatile __u64 *)tag_word(view, slot) & held_bit(slot)))
		return -EIO;
	stands = *(volatile __u64 *)&view->cells[slot].hold;
	/* A limit of the data plane may have extended it meanwhile. */
	if (r != LZ_HOLD_STOOD && stands != word && LZ_HOLD_EXPIRY(stands) <= LZ_HOLD_EXPIRY(word))
		return -EIO;
	if (ret_word)
		*ret_word = stands;
	return r;
}

int lz_hold_read(const struct lz_tables_view *view, __u64 key, __u64 *ret_word)
{
	int slot = lz_view_find(view, key);
	__u64 word;

	if (slot < 0 || lz_key_is_aggregate(key))
		return -ENOENT;
	word = *(volatile __u64 *)&view->cells[slot].hold;
	if (!lz_hold_is_active(word, lz_tables_now_s(view)))
		return -ENOENT;
	*ret_word = word;
	return 0;
}

void lz_hold_clear_slot(struct lz_tables_view *view, __u32 slot, __u64 word)
{
	__u64 *hold = &view->cells[slot].hold;

	/* Milliseconds of 32 bits: what was used up 49 days ago must not be read as used up now. */
	*(volatile __u32 *)&view->cold[slot].reach_ms = 0;
	if (!__sync_bool_compare_and_swap(hold, word, 0))
		return;
	view->held_stale = true;
	__sync_fetch_and_and(tag_word(view, slot), ~held_bit(slot));
	/* A limit may have held it again between the two: then the bit must stand. */
	if (*(volatile __u64 *)hold)
		__sync_fetch_and_or(tag_word(view, slot), held_bit(slot));
}

int lz_hold_release(struct lz_tables_view *view, __u64 key, __u64 *ret_old)
{
	int slot = lz_view_find(view, key);
	__u32 now_s = lz_tables_now_s(view);
	__u64 word, ended;

	if (slot < 0 || lz_key_is_aggregate(key))
		return -ENOENT;
	do {
		word = *(volatile __u64 *)&view->cells[slot].hold;
		if (!lz_hold_is_active(word, now_s))
			return -ENOENT;
		ended = (word & ~0xffffffffULL) | now_s;
	} while (!__sync_bool_compare_and_swap(&view->cells[slot].hold, word, ended));
	if (ret_old)
		*ret_old = word;
	return 0;
}

int lz_hold_acknowledge(struct lz_tables_view *view, __u64 key, __u64 word)
{
	int slot = lz_view_find(view, key);
	__u64 known = word & ~LZ_HOLD_FLAG(LZ_HOLD_F_KERNEL);

	if (slot < 0 || lz_key_is_aggregate(key))
		return -ENOENT;
	return __sync_bool_compare_and_swap(&view->cells[slot].hold, word, known) ? 0 : -EAGAIN;
}

/* ---------------------------------------------------------------- many at once
 *
 * In the order given, a hold waits for a cell and its page-table entries from memory. So many holds go
 * neighbourhood by neighbourhood, whose cells lie together, and each cell is asked for a few holds
 * ahead, and with it the line by its hash, where a new host is looked for as well: 147 ns became 75 for
 * one of 600,000 new ones, a tenth of it by the lock once a chunk (p_table prints it).
 */
#define PARTS 4096
#define AHEAD 16 /* holds */
#define CHUNK 64 /* holds: for so many a count of the table is wrong, and others wait for the blocks */
#define SHARE 16 /* below one hold in so many slots, sorting costs more than it saves */

/* Counting sort by the line of the neighbourhood, stable: of two entries with one key the first stays
 * first. Numbers are sorted, not entries: what is written here is read again, and comes from the kernel
 * a page at a time. NULL: no memory. */
static __u32 *order_by_part(const struct lz_tables_view *v, const struct lz_hold_entry *entries, size_t n)
{
	lz_autofree __u16 *part = malloc(n * sizeof(*part));
	__u32 *order = malloc(n * sizeof(*order)), start[PARTS + 1] = { 0 };
	unsigned int shift = 0;

	if (!part || !order) {
		free(order);
		return NULL;
	}
	while (v->instance.block_lines >> shift >= PARTS)
		shift++;
	for (size_t i = 0; i < n; i++) {
		part[i] = (__u16)(lz_block_place(entries[i].key, &v->instance).line >> shift);
		start[part[i] + 1]++;
	}
	for (__u32 p = 0; p < PARTS; p++)
		start[p + 1] += start[p];
	for (size_t i = 0; i < n; i++)
		order[start[part[i]]++] = (__u32)i;
	return order;
}

static void fetch_ahead(const struct lz_tables_view *v, __u64 key)
{
	int slot = lz_view_place(v, key);

	__builtin_prefetch(&v->tags[lz_line_of(lz_hash(key, v->instance.seed), 0, v->instance.tag_lines)]);
	if (slot < 0)
		return;
	__builtin_prefetch(&v->cells[slot], 1);
	__builtin_prefetch(tag_word(v, (__u32)slot), 1);
}

/* In the order given: neighbours, who share a word, mostly come together. */
static void mark_all(struct lz_tables_view *v, const struct lz_hold_entry *entries, size_t n)
{
	__u64 of = 0, bits = 0;

	lz_search_in = v;
	for (size_t i = 0; i < n; i++) {
		__u64 key = entries[i].key;

		if (entries[i].result < 0)
			continue;
		if (bits && !lz_held_beside(key, of)) {
			lz_held_mark_bits(v, of, bits);
			bits = 0;
		}
		of = key;
		bits |= lz_held_bit(key);
	}
	if (bits)
		lz_held_mark_bits(v, of, bits);
}

/* A run through many holds. */
struct bulk {
	struct lz_hold_entry *entries;
	const __u32 *order; /* NULL: as given */
	size_t n;
	struct way way;
};

static struct lz_hold_entry *nth(const struct bulk *b, size_t i)
{
	return &b->entries[b->order ? b->order[i] : i];
}

/* Returns how many of [from, to) are held now. */
static size_t set_chunk(struct lz_tables_view *v, const struct bulk *b, size_t from, size_t to)
{
	__u64 made = 0;
	size_t held = 0;

	pthread_mutex_lock(&lz_blocks_mutex);
	for (size_t i = from; i < to; i++) {
		struct lz_hold_entry *e = nth(b, i);

		if (b->order && i + 4 * AHEAD < b->n)
			__builtin_prefetch(nth(b, i + 4 * AHEAD), 1);
		if (i + AHEAD < b->n)
			fetch_ahead(v, nth(b, i + AHEAD)->key);
		e->result = check_hold(e->key, e->word, b->way.now_s);
		if (e->result == 0)
			e->result = set_hold(v, e->key, e->word, &b->way, &made);
		held += e->result >= 0;
	}
	pthread_mutex_unlock(&lz_blocks_mutex);
	note_made(v, made);
	return held;
}

static size_t set_all(struct lz_tables_view *view, struct lz_hold_entry *entries, size_t n,
		      const struct way *way)
{
	lz_autofree __u32 *order = n > view->slots / SHARE && n <= UINT32_MAX ?
					   order_by_part(view, entries, n) : NULL;
	const struct bulk b = { entries, order, n, *way };
	size_t held = 0;

	for (size_t i = 0; i < n; i += CHUNK)
		held += set_chunk(view, &b, i, i + CHUNK < n ? i + CHUNK : n);
	mark_all(view, entries, n);
	return held;
}

size_t lz_hold_set_bulk(struct lz_tables_view *view, struct lz_hold_entry *entries, size_t n,
			unsigned int flags)
{
	const struct way w = { .now_s = lz_tables_now_s(view), .flags = flags };

	return set_all(view, entries, n, &w);
}

size_t lz_hold_set_beside(struct lz_tables_view *view, struct lz_hold_entry *entries, size_t n,
			  lz_hold_beside_fn *beside, void *arg)
{
	const struct way w = { .now_s = lz_tables_now_s(view), .flags = LZ_HOLD_SET_EXACT,
			       .beside = beside, .arg = arg };

	return set_all(view, entries, n, &w);
}
