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

#define LZ_SEARCH_IN	 (&searched->skel->rodata->lz_instance)
#define LZ_SEARCH_TABLES (&searched->skel->data_tables->lz_tables)
#define LZ_SEARCH_LOOP
#define LZ_SEARCH_FN static
#include <lazaret/search.h>

#define RANGE6_LINES   64
#define EXTENT_BLOCKS  257 /* the extent's own and 256 children */
#define EXTENT_LINES   (EXTENT_BLOCKS * LZ_RANGE4_BLOCK_LINES)
#define RANGE4_LINES   (LZ_RANGE4_ROOT_LINES + WORLD_EXTENTS * EXTENT_LINES)
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
	g->range4_fd = inner_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(union lz_range4_line), RANGE4_LINES,
				 flags);
	g->range6_fd = inner_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct lz_range6_line), RANGE6_LINES,
				 flags);
	g->dests_fd = inner_map(BPF_MAP_TYPE_HASH, sizeof(struct lz_dest_key), 8, DESTS_MAX, 0);
	g->customers_fd = inner_map(BPF_MAP_TYPE_HASH, sizeof(struct lz_prefix_key), 4, DESTS_MAX, 0);
	put_inner(w->skel->maps.lz_range4, slot, g->range4_fd);
	put_inner(w->skel->maps.lz_range6, slot, g->range6_fd);
	put_inner(w->skel->maps.lz_dests, slot, g->dests_fd);
	put_inner(w->skel->maps.lz_customers, slot, g->customers_fd);
	g->range4 = mmap(NULL, RANGE4_LINES * 64ul, PROT_READ | PROT_WRITE, MAP_SHARED,
			 g->range4_fd, 0);
	world_must(g->range4 == MAP_FAILED ? -errno : 0, "map a range table");
	memset(&w->control->gen[slot], 0, sizeof(w->control->gen[slot]));
	w->control->gen[slot].number = slot + 1;
	w->control->gen[slot].range6_lines = RANGE6_LINES;
	new_epoch(w, (int)slot);
}

static void gen_close(struct world_gen *g)
{
	munmap(g->range4, RANGE4_LINES * 64ul);
	close(g->range4_fd);
	close(g->range6_fd);
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

static __u16 *entry_at(struct world_gen *g, unsigned block, unsigned i)
{
	return &g->range4[LZ_RANGE4_ROOT_LINES + block * LZ_RANGE4_BLOCK_LINES + i / 32].entry[i % 32];
}

/* The extent block of a /16, made from what its root said. */
static unsigned extent_of(struct world_gen *g, unsigned high)
{
	__u32 *root = &g->range4[high / 16].root[high % 16];
	unsigned block = g->extents * EXTENT_BLOCKS;

	if (*root & LZ_RANGE4_EXTENT)
		return *root & ~LZ_RANGE4_EXTENT;
	world_must(g->extents < WORLD_EXTENTS ? 0 : -E2BIG, "make a range extent");
	for (unsigned i = 0; i < 256; i++)
		*entry_at(g, block, i) = (__u16)*root;
	*root = LZ_RANGE4_EXTENT | block;
	g->extents++;
	return block;
}

static void range4_add(struct world_gen *g, __u32 addr, unsigned len, int id)
{
	unsigned block, second, child;
	__u16 *entry;

	if (len <= 16) {
		for (unsigned i = 0; i < 1u << (16 - len); i++)
			g->range4[((addr >> 16) + i) / 16].root[((addr >> 16) + i) % 16] = (__u32)id;
		return;
	}
	block = extent_of(g, addr >> 16);
	second = addr >> 8 & 0xff;
	if (len <= 24) {
		for (unsigned i = 0; i < 1u << (24 - len); i++)
			*entry_at(g, block, second + i) = (__u16)id;
		return;
	}
	entry = entry_at(g, block, second);
	child = block + 1 + second;
	if (!(*entry & LZ_RANGE4_CHILD)) {
		for (unsigned i = 0; i < 256; i++)
			*entry_at(g, child, i) = *entry;
		*entry = (__u16)(LZ_RANGE4_CHILD | second);
	}
	for (unsigned i = 0; i < 1u << (32 - len); i++)
		*entry_at(g, child, (addr & 0xff) + i) = (__u16)id;
}

static void range6_add(struct world *w, int slot, __u64 bits, unsigned len, int id)
{
	__u32 at = lz_scale((__u32)lz_hash(bits ^ len * LZ_RANGE6_MIX, w->seed), RANGE6_LINES);
	struct lz_generation *g = &w->control->gen[slot];
	struct lz_range6_line line;
	int fd = w->gen[slot].range6_fd;

	for (int n = 0; n < LZ_RANGE6_PROBES; n++, at = (at + 1) % RANGE6_LINES) {
		world_must(bpf_map_lookup_elem(fd, &at, &line), "read a range line");
		if (line.used == LZ_RANGE6_LINE_ENTRIES)
			continue;
		line.key[line.used] = bits;
		line.class_[line.used] = (__u16)id;
		line.len[line.used++] = (__u8)len;
		world_must(bpf_map_update_elem(fd, &at, &line, 0), "write a range line");
		note_len(g->len6, &g->len6_n, LZ_LENGTHS6_MAX, len);
		return;
	}
	world_must(-ENOSPC, "add an IPv6 range");
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
	if (prefix.addr.family == 4)
		range4_add(&w->gen[slot], (__u32)kp.bits, prefix.len, id);
	else
		range6_add(w, slot, kp.bits, kp.len, id);
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

void world_hold(struct world *w, const char *text, __u64 word)
{
	__u64 key = world_key(w, text);
	struct lz_held_place at;
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
	at = lz_held_place(key, &w->skel->rodata->lz_instance);
	w->held[at.line].word[at.word] |= at.bit;
	w->held[WORLD_HELD_LINES + at.line].word[at.word] |= at.bit;
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
