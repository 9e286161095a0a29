/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * source.h - the text of a policy with a map from every value to its place.
 *
 * Comments are blanked out in a copy of the same length, so that offsets hold. cJSON builds the
 * tree from it; values are numbered in text order by the scan, and walking the tree in the same
 * order keeps both in step (see struct lz_val).
 */
#ifndef LZ_POLICY_SOURCE_H
#define LZ_POLICY_SOURCE_H

#include "base/json.h"
#include "policy/report.h"

struct lz_source {
	char *text; /* comments are spaces */
	size_t len;
	cJSON *json;
	struct lz_json_index index;
	__u32 *line_starts; /* offset of the first byte of line i + 1 */
	size_t n_lines;
};

/* A value: its node in the tree and its number in the index. */
struct lz_val {
	const cJSON *item;
	__u32 node;
};

/**
 * lz_source_init() - take in a policy text
 * @report: gets the one syntax error, with its place
 *
 * Return: 0; -EINVAL, -E2BIG with one error in @report; -ENOMEM. @source may be passed to
 *         lz_source_done() in every case.
 */
int lz_source_init(struct lz_source *source, const char *text, size_t len,
		   struct lz_report *report);
void lz_source_done(struct lz_source *source);

struct lz_val lz_source_root(const struct lz_source *source);
struct lz_val lz_val_first(struct lz_val parent);
struct lz_val lz_val_next(const struct lz_source *source, struct lz_val val);

#define lz_for_each_child(source, child, parent)                                                   \
	for (struct lz_val child = lz_val_first(parent); child.item;                               \
	     child = lz_val_next(source, child))

/** lz_source_child() - number of the member @key of object @node; @node itself if it has none */
__u32 lz_source_child(const struct lz_source *source, __u32 node, const char *key);

/** lz_source_place() - line and column, from 1, of a node (its key, if it has one) */
void lz_source_place(const struct lz_source *source, __u32 node, __u32 *ret_line, __u32 *ret_col);

/** lz_source_pointer() - JSON Pointer of a node; check out->error */
void lz_source_pointer(const struct lz_source *source, __u32 node, struct lz_str *out);

#endif
