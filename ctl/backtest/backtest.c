/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * backtest.c - a capture, judged by a policy in the capture's own time.
 *
 * The capture is read twice: once to learn how many sources and connections it has, so that the box
 * is large enough for all of them, and once to judge it. Which side a packet comes from is not in
 * a capture: it comes from outside if its destination is in a class and its source is not.
 */

#include <errno.h>
#include <lazaret/proto.h>
#include <stdio.h>
#include <string.h>

#include "backtest/backtest.h"
#include "backtest/capture.h"
#include "bpf/parse.h"

#define SEED 0x4c617a61726574ULL /* the same every time: so is the result */
#define FLOW_LINES_MIN 1024
#define FLOW_LINES_MAX (1u << 22)

/* A source and an address it tried: 24 bytes; kept sorted and unique now and then. */
struct pair {
	__u64 key;
	__u8 dest[16];
};

struct pairs {
	struct pair *v;
	size_t n, cap;
};

struct census {
	struct pairs sources; /* dest is unused */
	__u64 attempts; /* SYNs to port 25 */
};

/* ---------------------------------------------------------------- sets of pairs */

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return memcmp(x->dest, y->dest, sizeof(x->dest));
}

static void fold_pairs(struct pairs *pairs)
{
	size_t n = 0;

	lz_array_sort(pairs->v, pairs->n, sizeof(*pairs->v), compare_pairs);
	for (size_t i = 0; i < pairs->n; i++)
		if (!n || compare_pairs(&pairs->v[n - 1], &pairs->v[i]))
			pairs->v[n++] = pairs->v[i];
	pairs->n = n;
}

/* Before the array would grow, what is there twice is thrown out; it grows if that left it half full. */
static int add_pair(struct pairs *pairs, __u64 key, const __u8 *dest)
{
	struct pair *pair;
	int r = 0;

	if (pairs->n == pairs->cap) {
		fold_pairs(pairs);
		if (pairs->n * 2 >= pairs->cap)
			r = lz_array_grow(&pairs->v, &pairs->cap, pairs->cap + 1024, sizeof(*pairs->v));
	}
	if (r < 0)
		return r;
	pair = &pairs->v[pairs->n++];
	memset(pair, 0, sizeof(*pair));
	pair->key = key;
	if (dest)
		memcpy(pair->dest, dest, sizeof(pair->dest));
	return 0;
}

static size_t count_pairs_of(const struct pairs *pairs, __u64 key)
{
	size_t low = 0, high = pairs->n, n = 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (pairs->v[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	while (low + n < pairs->n && pairs->v[low + n].key == key)
		n++;
	return n;
}

/* ---------------------------------------------------------------- a frame */

static void parse_frame(const struct lz_backtest *b, const struct lz_capture_frame *frame,
			struct lz_pkt *p)
{
	__u8 bytes[LZ_CAPTURE_FRAME_MAX];
	struct lz_frame f = { bytes, bytes + frame->bytes };

	memset(p, 0, sizeof(*p));
	memcpy(bytes, frame->data, frame->bytes);
	lz_parse(&f, 0, b->image->ipv6_key_len, p);
	lz_parse_addresses(&f, p);
}

static bool is_attempt(const struct lz_pkt *p)
{
	return (p->flags & LZ_P_SYN) && p->dport == 25;
}

static __u32 class_of_dest(const struct lz_backtest *b, const struct lz_pkt *p)
{
	__u64 key = p->family == 4 ? lz_be32_get(p->daddr + 12) :
				     lz_key6(p->daddr, b->image->ipv6_key_len);

	return p->family ? lz_image_class_of(b->image, key, p->family) : LZ_CLASS_FOREIGN;
}

static enum lz_role role_of(const struct lz_backtest *b, const struct lz_pkt *p)
{
	if (p->flags & LZ_P_KEYED && lz_image_class_of(b->image, p->key, p->family) >= LZ_CLASS_FIRST)
		return LZ_ROLE_CUSTOMER;
	return class_of_dest(b, p) >= LZ_CLASS_FIRST ? LZ_ROLE_UPLINK : LZ_ROLE_CUSTOMER;
}

/* ---------------------------------------------------------------- first reading */

static int take_census(struct lz_backtest *b, struct lz_capture *capture, struct census *census,
		       struct lz_err *reterr)
{
	struct lz_capture_frame frame;
	struct lz_err breaks;
	struct lz_pkt p;
	int r = 0;

	while (!r && lz_capture_next(capture, &frame, &breaks) == 1) {
		parse_frame(b, &frame, &p);
		if (!(p.flags & LZ_P_KEYED))
			continue;
		census->attempts += is_attempt(&p);
		if (lz_image_class_of(b->image, p.key, p.family) >= LZ_CLASS_FIRST)
			r = add_pair(&census->sources, p.key, NULL);
	}
	fold_pairs(&census->sources);
	return r < 0 ? lz_err_set(reterr, r, "backtest: out of memory") : 0;
}

/* Cells beside a source's own: its /48's, and one for each limit that counts prefixes or customers. */
static __u64 cells_per_source(const struct lz_image *image)
{
	__u64 n = 2;

	for (__u32 c = LZ_CLASS_FIRST; c < image->gen.classes; c++)
		for (int i = 0; i < image->gen.class_[c].limits; i++)
			n += image->gen.class_[c].limit[i].per != LZ_PER_SOURCE;
	return n;
}

static int open_box(struct lz_backtest *b, struct lz_replay_box **ret, struct lz_err *reterr)
{
	struct lz_replay_config config = { .image = b->image };
	struct lz_capture *capture = NULL;
	struct census census = {};
	int r = lz_capture_open(b->capture_path, &capture, reterr);
	__u64 cells;

	if (!r)
		r = take_census(b, capture, &census, reterr);
	lz_capture_close(&capture);
	cells = (census.sources.n + 64) * cells_per_source(b->image);
	config.flow_lines = census.attempts > FLOW_LINES_MAX ? FLOW_LINES_MAX :
			    census.attempts < FLOW_LINES_MIN ? FLOW_LINES_MIN : (__u32)census.attempts;
	config.cells = (__u32)cells;
	if (!r && cells > LZ_POLICY_CAPACITY_MAX)
		r = lz_err_set(reterr, E2BIG, "%s: %zu sources need a table of %llu entries; want at most %d",
			       b->capture_path, census.sources.n, cells, LZ_POLICY_CAPACITY_MAX);
	if (!r)
		r = lz_replay_open(&config, ret, reterr);
	free(census.sources.v);
	return r;
}

/* ---------------------------------------------------------------- second reading */

/* Did the class rules look at this packet, or was its source held already? */
static bool was_examined(const struct lz_replay *last)
{
	return last->class_ >= LZ_CLASS_FIRST && last->reason != LZ_R_PASS_GARDEN &&
	       last->reason != LZ_R_DROP_HELD;
}

static int judge_frame(struct lz_backtest *b, struct lz_replay_box *box,
		       const struct lz_capture_frame *frame, struct pairs *tried,
		       struct lz_err *reterr)
{
	struct lz_replay last;
	struct lz_pkt p;
	enum lz_role role;
	int r;

	parse_frame(b, frame, &p);
	role = role_of(b, &p);
	r = lz_replay_frame(box, frame->data, frame->bytes, frame->now_ns, role, &last, reterr);
	if (r < 0)
		return r;
	b->dropped += !r;
	b->would_drop += r && last.would;
	if (!r && last.reason == LZ_R_DROP_LIMIT && last.limit_id < LZ_LIMIT_IDS)
		b->limit_dropped[last.limit_id]++;
	if (role != LZ_ROLE_CUSTOMER || !is_attempt(&p) || !was_examined(&last))
		return 0;
	r = add_pair(tried, p.key, p.daddr);
	return r < 0 ? lz_err_set(reterr, r, "backtest: out of memory") : 0;
}

/* -EIO: the file broke off, what came before it is judged. */
static int judge_capture(struct lz_backtest *b, struct lz_replay_box *box, struct pairs *tried,
			 struct lz_err *reterr)
{
	struct lz_capture *capture = NULL;
	struct lz_capture_frame frame;
	int r = lz_capture_open(b->capture_path, &capture, reterr);

	if (r < 0)
		return r;
	while ((r = lz_capture_next(capture, &frame, reterr)) == 1) {
		if (!b->packets++)
			b->first_ns = frame.wall_ns;
		b->bytes += frame.wire_bytes;
		if (frame.wall_ns > b->last_ns)
			b->last_ns = frame.wall_ns;
		b->end_s = (__u32)(frame.now_ns / 1000000000);
		if (frame.bytes < LZ_REPLAY_FRAME_MIN) {
			b->too_short++;
			continue;
		}
		r = judge_frame(b, box, &frame, tried, reterr);
		if (r < 0)
			break;
	}
	b->backwards = lz_capture_backwards(capture);
	lz_capture_close(&capture);
	return r;
}

/* ---------------------------------------------------------------- what came of it */

struct taking {
	struct lz_backtest *b;
	const struct lz_tables_view *view;
};

static int take_cell(void *arg, __u64 key, __u32 slot)
{
	const struct taking *t = arg;
	struct lz_backtest *b = t->b;
	struct lz_backtest_source *source;
	int r = lz_array_grow(&b->sources, &b->sources_cap, b->n_sources + 1, sizeof(*b->sources));

	if (r < 0)
		return r;
	source = &b->sources[b->n_sources++];
	source->key = key;
	lz_cell_read(t->view, slot, b->end_s, &source->cell);
	source->smtp_destinations = 0;
	source->class_ = lz_image_class_of(b->image, key, key >> 32 ? 6 : 4);
	b->held += lz_hold_is_active(source->cell.hold, b->end_s);
	return 0;
}

static int compare_sources(const void *a, const void *b)
{
	const struct lz_backtest_source *x = a, *y = b;
	__u64 xd = (__u64)x->cell.dropped + x->cell.would_drop;
	__u64 yd = (__u64)y->cell.dropped + y->cell.would_drop;

	if (xd != yd)
		return xd > yd ? -1 : 1;
	if (x->cell.smtp_connections != y->cell.smtp_connections)
		return x->cell.smtp_connections > y->cell.smtp_connections ? -1 : 1;
	if (x->cell.syn != y->cell.syn)
		return x->cell.syn > y->cell.syn ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

static int read_result(struct lz_backtest *b, const struct lz_replay_box *box, struct pairs *tried)
{
	const struct lz_tables_view *view = lz_replay_view(box);
	struct taking taking = { b, view };
	int r = lz_cells_each(view, take_cell, &taking);

	fold_pairs(tried);
	for (size_t i = 0; i < b->n_sources; i++)
		b->sources[i].smtp_destinations = (__u32)count_pairs_of(tried, b->sources[i].key);
	lz_array_sort(b->sources, b->n_sources, sizeof(*b->sources), compare_sources);
	if (!r)
		r = lz_replay_stats(box, &b->port);
	for (__u32 id = 1; id < LZ_LIMIT_IDS && !r; id++)
		if (*b->image->limits[id].name)
			r = lz_limit_stats_read(view, id, &b->limits[id]);
	return r;
}

static int run(struct lz_backtest *b, struct lz_err *reterr)
{
	struct lz_replay_box *box = NULL;
	struct pairs tried = {};
	int broke = 0, r = open_box(b, &box, reterr);

	if (!r)
		r = judge_capture(b, box, &tried, reterr);
	if (r == -EIO)
		broke = r;
	if (!r || broke)
		r = read_result(b, box, &tried);
	if (r < 0 && !*reterr->text)
		lz_err_set(reterr, r, "backtest: cannot read the result: %s", strerror(-r));
	lz_replay_close(&box);
	free(tried.v);
	return r ? r : broke;
}

static int load_policy(struct lz_backtest *b)
{
	lz_autostr struct lz_str text = {};
	struct lz_report report = {};
	struct lz_err err = {};
	int r = lz_policy_load(b->policy_path, &b->policy, &report);

	if (r < 0) {
		lz_report_format(&report, b->policy_path, &text);
		fputs(text.data ? text.data : "lazaretd: out of memory\n", stderr);
	}
	lz_report_done(&report);
	if (!r) {
		r = lz_image_compile(b->policy, NULL, SEED, &b->image, &err);
		if (r < 0)
			fprintf(stderr, "lazaretd: %s: %s\n", b->policy_path, err.text);
	}
	return r;
}

static int say(const struct lz_backtest *b, int json)
{
	lz_autostr struct lz_str out = {};

	if ((json ? lz_backtest_json(b, &out) : lz_backtest_text(b, &out)) < 0) {
		fputs("lazaretd: backtest: out of memory\n", stderr);
		return LZ_CODE_REFUSED;
	}
	fputs(out.data, stdout);
	return LZ_CODE_OK; /* the end of the program asks whether it has arrived */
}

static int code_of(int r)
{
	switch (r) {
	case 0:
		return LZ_CODE_OK;
	case -EPERM:
	case -EACCES:
		return LZ_CODE_NOT_PERMITTED;
	case -EINVAL:
	case -EPROTONOSUPPORT:
	case -E2BIG:
		return LZ_CODE_INVALID;
	case -EIO:
		return LZ_CODE_PARTLY;
	default:
		return LZ_CODE_REFUSED;
	}
}

int lz_backtest_main(const char *policy_path, const char *capture_path, int json)
{
	struct lz_backtest b = { .policy_path = policy_path, .capture_path = capture_path };
	struct lz_err err = {};
	int r = load_policy(&b), code = LZ_CODE_INVALID;

	if (!r) {
		r = run(&b, &err);
		code = code_of(r);
		if (r < 0)
			fprintf(stderr, "lazaretd: %s\n", err.text);
		if (!r || r == -EIO)
			code = say(&b, json) ? LZ_CODE_REFUSED : code;
	}
	free(b.sources);
	lz_image_free(&b.image);
	lz_policy_free(&b.policy);
	return code;
}
