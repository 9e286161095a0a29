/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/source.h"

#include <errno.h>
#include <stdlib.h>

/*
 * End of the string literal that starts at text[i]: behind its quote, or at a newline or the end.
 */
static size_t skip_string(const char *text, size_t len, size_t i)
{
	for (i++; i < len && text[i] != '\n'; i++) {
		if (text[i] == '\\' && i + 1 < len)
			i++;
		else if (text[i] == '"')
			return i + 1;
	}
	return i < len ? i : len;
}

/*
 * Blank out comments; newlines stay. A comment that does not end is left as it is, and the scan
 * will stumble over its slash, which is the place to report.
 */
static void blank_comments(char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t end = i + 1;

		if (text[i] == '"') {
			i = skip_string(text, len, i);
			continue;
		}
		if (text[i] == '/' && i + 1 < len && text[i + 1] == '/') {
			const char *newline = memchr(text + i, '\n', len - i);

			end = newline ? (size_t)(newline - text) : len;
		} else if (text[i] == '/' && i + 1 < len && text[i + 1] == '*') {
			end = i + 4;
			while (end <= len && (text[end - 2] != '*' || text[end - 1] != '/'))
				end++;
			if (end > len)
				return;
		} else {
			i = end;
			continue;
		}
		for (; i < end; i++)
			if (text[i] != '\n')
				text[i] = ' ';
	}
}

static int find_lines(struct lz_source *source)
{
	const char *end = source->text + source->len;
	size_t cap = 0;

	for (const char *line = source->text; line;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));

		if (lz_array_grow(&source->line_starts, &cap, source->n_lines + 1,
				  sizeof(*source->line_starts)) < 0)
			return -ENOMEM;
		source->line_starts[source->n_lines++] = (__u32)(line - source->text);
		line = newline ? newline + 1 : NULL;
	}
	return 0;
}

static void place_of(const struct lz_source *source, __u32 offset, __u32 *ret_line, __u32 *ret_col)
{
	size_t low = 0, high = source->n_lines;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (source->line_starts[mid] <= offset)
			low = mid;
		else
			high = mid;
	}
	*ret_line = (__u32)(low + 1);
	*ret_col = offset - source->line_starts[low] + 1;
}

static int report_syntax(struct lz_report *report, int code, const struct lz_source *source,
			 size_t offset, char *text)
{
	struct lz_report_item item = { .severity = LZ_SEVERITY_ERROR, .text = text };
	int r;

	if (source->n_lines)
		place_of(source, (__u32)offset, &item.line, &item.col);
	r = lz_report_add(report, &item);
	return r < 0 ? r : code;
}

int lz_source_init(struct lz_source *source, const char *text, size_t len,
		   struct lz_report *report)
{
	struct lz_err why = {};
	size_t offset = 0;
	int r;

	*source = (struct lz_source){ .len = len };
	if (len > LZ_JSON_BYTES_MAX) { /* before copying it */
		r = lz_json_scan(text, len, NULL, NULL, &why);
		return report_syntax(report, r, source, 0, why.text);
	}
	source->text = malloc(len + 1);
	if (!source->text)
		return -ENOMEM;
	memcpy(source->text, text, len);
	source->text[len] = '\0';
	blank_comments(source->text, len);
	r = find_lines(source);
	if (r < 0)
		return r;
	r = lz_json_scan(source->text, len, &source->index, &offset, &why);
	if (r == -EINVAL || r == -E2BIG)
		return report_syntax(report, r, source, offset, why.text);
	if (r < 0)
		return r;
	source->json = cJSON_ParseWithLength(source->text, len);
	return source->json ? 0 : -ENOMEM;
}

void lz_source_done(struct lz_source *source)
{
	free(source->text);
	free(source->line_starts);
	cJSON_Delete(source->json);
	lz_json_index_done(&source->index);
	*source = (struct lz_source){};
}

struct lz_val lz_source_root(const struct lz_source *source)
{
	return (struct lz_val){ .item = source->json, .node = 0 };
}

struct lz_val lz_val_first(struct lz_val parent)
{
	return (struct lz_val){ .item = parent.item->child, .node = parent.node + 1 };
}

struct lz_val lz_val_next(const struct lz_source *source, struct lz_val val)
{
	return (struct lz_val){ .item = val.item->next, .node = source->index.nodes[val.node].end };
}

/* The key of a member as it stands in the text, without quotes; escapes are not resolved. */
static const char *raw_key(const struct lz_source *source, __u32 node, size_t *ret_len)
{
	size_t start = source->index.nodes[node].offset;

	*ret_len = skip_string(source->text, source->len, start) - start - 2;
	return source->text + start + 1;
}

__u32 lz_source_child(const struct lz_source *source, __u32 node, const char *key)
{
	const struct lz_json_node *nodes = source->index.nodes;

	for (__u32 child = node + 1; child < nodes[node].end; child = nodes[child].end) {
		const char *name;
		size_t len;

		if (!nodes[child].is_member)
			break;
		name = raw_key(source, child, &len);
		if (len == strlen(key) && !memcmp(name, key, len))
			return child;
	}
	return node;
}

void lz_source_place(const struct lz_source *source, __u32 node, __u32 *ret_line, __u32 *ret_col)
{
	place_of(source, source->index.nodes[node].offset, ret_line, ret_col);
}

void lz_source_pointer(const struct lz_source *source, __u32 node, struct lz_str *out)
{
	const struct lz_json_node *n = &source->index.nodes[node];
	const char *key;
	size_t len;

	if (!node)
		return;
	lz_source_pointer(source, n->parent, out); /* as deep as the text is nested: bounded */
	lz_str_append(out, "/");
	if (!n->is_member) {
		lz_str_appendf(out, "%u", n->ordinal);
		return;
	}
	key = raw_key(source, node, &len);
	for (size_t i = 0; i < len; i++) { /* RFC 6901: ~ and / are escaped */
		if (key[i] == '~')
			lz_str_append(out, "~0");
		else if (key[i] == '/')
			lz_str_append(out, "~1");
		else
			lz_str_append_n(out, &key[i], 1);
	}
}
