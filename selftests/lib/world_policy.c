/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* world_policy.c - fill generations, exceptions and holds by hand; see world.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <lazaret/table.h>
#include <lazaret.skel.h>

#include "lib/world.h"
#include "lib/world_lib.h"

/* The controller's end of the search. One world at a time searches. */
static const struct world *searched;

static struct lz_tag_line *lz_search_line(__u32 line)
{
	return line < searched->tag_lines ? &searched->tags[line] : NULL;
}

static struct lz_cell *lz_search_cell(__u32 slot)
{
	return slot < searched->tag_lines * LZ_TAG_LINE_SLOTS ? &searched->cells[slot] : NULL;
}

static struct lz_block_line *lz_search_blocks(__u32 line)
{
	return line < lz_block_lines_all(searched->tag_lines) ? &searched->blocks[line] : NULL;
}

static struct lz_held_line *lz_search_held(__u32 line)
{
	return line < 2 * WORLD_HELD_LINES ? &searched->held[line] : NULL;
}

#define LZ_SEARCH_IN	 (&searched->skel->rodata->lz_instance)
#define LZ_SEARCH_TABLES (&searched->skel->data_tables->lz_tables)
#define LZ_SEARCH_LOOP
#define LZ_SEARCH_FN static
#include <lazaret/search.h>
#include <lazaret/held.h>

#define RANGE_BUCKETS  8 /* few: full ones are met */
#define RANGE_BLOCKS   WORLD_LIST_MAX
#define RANGES_MAX     (RANGE_BUCKETS + RANGE_BLOCKS)
#define DESTS_MAX      256

void world_must(int err, const char *what)
{
	if (!err)
		return;
	printf("Bail out! world: %s: %s\n", what, strerror(err < 0 && err != -1 ? -err : errno));
	fflush(stdout);
	exit(EXIT_FAILURE);
}

static struct lz_prefix prefix_of(const char *text)
{
	struct lz_prefix prefix;
	struct lz_err err = {};

	if (lz_prefix_parse(text, &prefix, &err))
		printf("# world: prefix: \"%s\"\n", text);
	world_must(lz_prefix_parse(text, &prefix, &err), "read a prefix");
	return prefix;
}

static void list_add(struct world_list *list, const struct lz_prefix *prefix, __u64 value)
{
	world_must(list->n < WORLD_LIST_MAX ? 0 : -E2BIG, "add to a list");
	list->entry[list->n].prefix = *prefix;
	list->entry[list->n++].value = value;
}

/* A table of a generation has changed: what the data plane remembers of it is void. */
static void new_epoch(struct world *w, int slot)
{
	static __u32 epoch;

	do {
		epoch++;
	} while (!LZ_EPOCH_LOW(epoch));
	w->control->gen[slot].epoch = epoch;
}

static int inner_map(enum bpf_map_type type, __u32 key, __u32 value, __u32 n, __u32 flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = flags);
	int fd = bpf_map_create(type, NULL, key, value, n, &o);

	world_must(fd < 0 ? fd : 0, "create an inner map");
	return fd;
}

static void put_inner(const struct bpf_map *outer, __u32 slot, int fd)
{
	world_must(bpf_map_update_elem(bpf_map__fd(outer), &slot, &fd, 0), "set an inner map");
}

static void gen_open(struct world *w, __u32 slot)
{
	struct world_gen *g = &w->gen[slot];
	const __u32 flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP;

	memset(g, 0, sizeof(*g));
	g->ranges_fd = inner_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(union lz_range_bucket), RANGES_MAX,
				 flags);
	g->dests_fd = inner_map(BPF_MAP_TYPE_HASH, sizeof(struct lz_dest_key), 8, DESTS_MAX, 0);
	g->customers_fd = inner_map(BPF_MAP_TYPE_HASH, sizeof(struct lz_prefix_key), 4, DESTS_MAX, 0);
	put_inner(w->skel->maps.lz_ranges, slot, g->ranges_fd);
	put_inner(w->skel->maps.lz_dests, slot, g->dests_fd);
	put_inner(w->skel->maps.lz_customers, slot, g->customers_fd);
	g->buckets = mmap(NULL, RANGES_MAX * sizeof(*g->buckets), PROT_READ | PROT_WRITE, MAP_SHARED,
			 g->ranges_fd, 0);
	world_must(g->buckets == MAP_FAILED ? -errno : 0, "map a range table");
	memset(&w->control->gen[slot], 0, sizeof(w->control->gen[slot]));
	w->control->gen[slot].number = slot + 1;
	w->control->gen[slot].range_buckets = RANGE_BUCKETS;
	new_epoch(w, (int)slot);
}

static void gen_close(struct world_gen *g)
{
	munmap(g->buckets, RANGES_MAX * sizeof(*g->buckets));
	close(g->ranges_fd);
	close(g->dests_fd);
	close(g->customers_fd);
}

void world_policy_init(struct world *w)
{
	for (__u32 slot = 0; slot < LZ_GENERATIONS; slot++)
		gen_open(w, slot);
	w->control->gen_word = LZ_GEN_WORD(0, 0, 0);
}

void world_policy_done(struct world *w)
{
	for (int slot = 0; slot < LZ_GENERATIONS; slot++)
		gen_close(&w->gen[slot]);
}

void world_forget_policy(struct world *w)
{
	world_policy_done(w);
	world_policy_init(w);
}

void world_class(struct world *w, int slot, int id, const struct lz_class *c)
{
	struct lz_generation *g = &w->control->gen[slot];

	g->class_[id] = *c;
	if (g->classes <= (__u32)id)
		g->classes = (__u32)id + 1;
}

/* Insert a length into a list that is longest first, once. */
static void note_len(__u8 *lens, __u8 *n, unsigned max, unsigned len)
{
	unsigned at = 0;

	while (at < *n && lens[at] > len)
		at++;
	if (at < *n && lens[at] == len)
		return;
	world_must(*n < max ? 0 : -E2BIG, "note a prefix length");
	memmove(lens + at + 1, lens + at, *n - at);
	lens[at] = (__u8)len;
	(*n)++;
}

/* The line of a group: there, or the first free one of its way. */
static struct lz_range_line *range_line(const struct world *w, struct world_gen *g, __u64 id)
{
	__u32 at = lz_range_home(id, w->seed, RANGE_BUCKETS);

	for (int n = 0; n < LZ_RANGE_PROBES; n++)
		for (int i = 0; i < LZ_RANGE_BUCKET_LINES; i++) {
			union lz_range_bucket *bucket = &g->buckets[(at / 4 + n) % RANGE_BUCKETS];
			struct lz_range_line *line = &bucket->line[(at + i) % LZ_RANGE_BUCKET_LINES];

			if (line->id == id || !line->id)
				return line;
		}
	world_must(-ENOSPC, "add a range");
	return NULL;
}

/* The class of a place: of the longest prefix that has the same group. */
static __u8 class_of_place(const struct world *w, const struct world_gen *g, unsigned family, __u64 id,
			   unsigned level, unsigned place)
{
	__u8 class_ = LZ_RANGE_OUTER;
	int best = -1;

	for (unsigned i = 0; i < g->ranges.n; i++) {
		const struct world_entry *e = &g->ranges.entry[i];
		struct lz_keyprefix kp;
		unsigned first;

		if (e->prefix.addr.family != family ||
		    lz_keyprefix_from_prefix(&e->prefix, w->key_len, &kp) || (int)kp.len <= best ||
		    (kp.len ? (kp.len - 1u) / 8 : 0) != level || lz_range_id(kp.bits, level) != id)
			continue;
		first = lz_range_place(kp.bits, level);
		if (place < first || place >= first + (1u << (8 * level + 8 - kp.len)))
			continue;
		best = kp.len;
		class_ = (__u8)e->value;
	}
	return class_;
}

/* Both forms are met: bits while the group has one class, else a block. */
static void range_add(struct world *w, int slot, unsigned family, const struct lz_keyprefix *kp)
{
	struct lz_generation *gen = &w->control->gen[slot];
	unsigned level = kp->len ? (kp->len - 1u) / 8 : 0;
	__u64 id = lz_range_id(kp->bits, level);
	struct world_gen *g = &w->gen[slot];
	struct lz_range_line *line = range_line(w, g, id);
	__u8 class_[LZ_RANGE_PLACES], one = LZ_RANGE_OUTER;
	bool mixed = line->block;

	for (unsigned i = 0; i < LZ_RANGE_PLACES; i++) {
		class_[i] = class_of_place(w, g, family, id, level, i);
		if (class_[i] == LZ_RANGE_OUTER)
			continue;
		mixed |= one != LZ_RANGE_OUTER && one != class_[i];
		one = class_[i];
	}
	if (mixed && !line->block) {
		world_must(g->blocks < RANGE_BLOCKS ? 0 : -ENOSPC, "make a block of ranges");
		line->block = RANGE_BUCKETS + g->blocks++;
	}
	if (line->block)
		memcpy(g->buckets[line->block].class_, class_, sizeof(class_));
	line->class_[0] = LZ_RANGE_OUTER;
	line->class_[1] = one;
	for (unsigned i = 0; i < LZ_RANGE_PLACES; i++)
		if (class_[i] == one)
			line->bits[i / 64] |= 1ULL << (i % 64);
	line->id = id;
	*(family == 4 ? &gen->range_levels4 : &gen->range_levels6) |= (__u8)(1u << level);
}

static struct lz_keyprefix key_prefix(const struct world *w, const struct lz_prefix *prefix)
{
	struct lz_keyprefix kp;

	world_must(lz_keyprefix_from_prefix(prefix, w->key_len, &kp), "key a prefix");
	return kp;
}

void world_range(struct world *w, int slot, const char *text, int id)
{
	struct lz_prefix prefix = prefix_of(text);
	struct lz_keyprefix kp = key_prefix(w, &prefix);

	list_add(&w->gen[slot].ranges, &prefix, (__u64)id);
	new_epoch(w, slot);
	range_add(w, slot, prefix.addr.family, &kp);
}

void world_dest(struct world *w, int slot, const char *text, __u64 mask)
{
	struct lz_prefix prefix = prefix_of(text);
	struct lz_generation *g = &w->control->gen[slot];
	struct lz_dest_key key = { .len = prefix.len };
	__u64 hidden;
	__u32 bit;

	if (prefix.addr.family == 4) {
		key.len += 96;
		memset(key.addr + 10, 0xff, 2);
		memcpy(key.addr + 12, prefix.addr.bytes, 4);
	} else {
		memcpy(key.addr, prefix.addr.bytes, 16);
		if (mask & LZ_SET_NEVER && !lz_key_from_addr(&prefix.addr, w->key_len, &hidden)) {
			bit = lz_hidden_bit(lz_hash(hidden, w->seed));
			g->hidden[bit / 64] |= 1ULL << (bit & 63);
		}
	}
	world_must(bpf_map_update_elem(w->gen[slot].dests_fd, &key, &mask, 0), "add a destination");
	note_len(g->dest_lens, &g->dest_lens_n, LZ_LENGTHS_MAX, key.len);
	list_add(&w->gen[slot].dests, &prefix, mask);
	new_epoch(w, slot);
}

void world_customer(struct world *w, int slot, const char *text, __u32 customer)
{
	struct lz_prefix prefix = prefix_of(text);
	struct lz_keyprefix kp = key_prefix(w, &prefix);
	struct lz_prefix_key key = { .bits = kp.bits, .len = kp.len };
	struct lz_generation *g = &w->control->gen[slot];

	world_must(bpf_map_update_elem(w->gen[slot].customers_fd, &key, &customer, 0),
		   "add a customer");
	note_len(g->customer_lens, &g->customer_lens_n, LZ_LENGTHS_MAX, kp.len);
	list_add(&w->gen[slot].customers, &prefix, customer);
}

void world_exception(struct world *w, const char *text, __u32 flags, __u32 until_s)
{
	struct lz_prefix prefix = prefix_of(text);
	struct lz_keyprefix kp = key_prefix(w, &prefix);
	struct lz_prefix_key key = { .bits = kp.bits, .len = kp.len };
	struct lz_exception value = { .until_s = until_s, .flags = flags };
	__u32 bit;

	world_must(w->exceptions_n < WORLD_LIST_MAX ? 0 : -E2BIG, "add to a list");
	world_must(bpf_map_update_elem(bpf_map__fd(w->skel->maps.lz_exceptions), &key, &value,
				       BPF_NOEXIST), "add an exception");
	bit = lz_excepted_bit(lz_hash(kp.bits, w->seed));
	if (kp.len == 64)
		w->skel->data_tables->lz_tables.excepted[bit / 64] |= 1ULL << (bit & 63);
	if (kp.len == 64)
		w->control->exception_len64++;
	else
		w->control->exception_lens |= 1ULL << kp.len;
	w->exceptions[w->exceptions_n].prefix = prefix;
	w->exceptions[w->exceptions_n++].value = value;
}

void world_forget_exceptions(struct world *w)
{
	for (unsigned i = 0; i < w->exceptions_n; i++) {
		struct lz_keyprefix kp = key_prefix(w, &w->exceptions[i].prefix);
		struct lz_prefix_key key = { .bits = kp.bits, .len = kp.len };

		world_must(bpf_map_delete_elem(bpf_map__fd(w->skel->maps.lz_exceptions), &key),
			   "delete an exception");
	}
	w->exceptions_n = 0;
	w->control->exception_lens = 0;
	w->control->exception_len64 = 0;
}

__u64 world_key(const struct world *w, const char *text)
{
	struct lz_addr addr;
	struct lz_err err = {};
	__u64 key = 0;

	world_must(lz_addr_parse(text, &addr, &err), "read an address");
	return lz_key_from_addr(&addr, w->key_len, &key) ? 0 : key;
}

struct lz_cell *world_cell(const struct world *w, __u64 key)
{
	int slot;

	searched = w;
	slot = lz_search_find(key);
	return slot < 0 ? NULL : &w->cells[slot];
}

struct lz_cold *world_cold(const struct world *w, __u64 key)
{
	const struct lz_cell *cell = world_cell(w, key);

	world_must(cell ? 0 : -ENOENT, "find a cell");
	return &w->cold[cell - w->cells];
}

void world_hold(struct world *w, const char *text, __u64 word)
{
	__u64 key = world_key(w, text);
	int slot;

	searched = w;
	slot = lz_search_find(key);
	if (slot < 0) {
		slot = lz_search_create(key);
		world_must(slot < 0 ? -ENOSPC : 0, "make a cell");
		w->skel->data_tables->lz_tables.cells_used += !!(slot & LZ_SEARCH_MADE);
		w->skel->data_tables->lz_tables.cells_held += !!(slot & LZ_SEARCH_MADE);
		slot &= ~LZ_SEARCH_MADE;
	}
	w->cells[slot].hold = word;
	w->tags[slot / 64].word[slot / 8 % 8] |= (__u64)LZ_TAG_HELD << (8 * (slot & 7));
	lz_held_set(key, lz_held_bit(key));
}

void world_own_addr(struct world *w, const char *ip4, const char *ip6)
{
	struct lz_port_addr addr = {};
	__u32 ifindex = WORLD_IFINDEX;

	if (ip4 && inet_pton(AF_INET, ip4, &addr.ip4) != 1)
		world_must(-EINVAL, "read the port's IPv4 address");
	if (ip6 && inet_pton(AF_INET6, ip6, addr.ip6) != 1)
		world_must(-EINVAL, "read the port's IPv6 address");
	world_must(bpf_map_update_elem(bpf_map__fd(w->skel->maps.lz_port_addrs), &ifindex, &addr, 0),
		   "set the port's addresses");
}
