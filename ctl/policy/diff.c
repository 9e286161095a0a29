/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * diff.c - two policies, compared as their canonical text: every default is spelt out in it, so what
 * is not in the difference does not change. Sets are compared by content, and limits by what
 * becomes of their counts.
 */
#include "policy/diff.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "policy/image.h"

struct diff {
	struct lz_changes *changes;
	int error;
};

struct texts {
	char **v; /* whose texts are somebody else's */
	size_t n, at;
};

static void add_change(struct diff *d, const char *path, const char *from, const char *to)
{
	struct lz_changes *all = d->changes;
	struct lz_change *change;

	if (d->error || lz_array_grow(&all->v, &all->cap, all->n + 1, sizeof(*all->v)) < 0) {
		d->error = -ENOMEM;
		return;
	}
	change = &all->v[all->n++];
	*change = (struct lz_change){ strdup(path), from ? strdup(from) : NULL, to ? strdup(to) : NULL };
	if (!change->path || (from && !change->from) || (to && !change->to))
		d->error = -ENOMEM;
}

/* ---------------------------------------------------------------- values */

/* The element of an array that carries a name, or the member of an object. */
static const cJSON *find_named(const cJSON *in, const char *name)
{
	if (cJSON_IsObject(in))
		return cJSON_GetObjectItemCaseSensitive(in, name);
	for (const cJSON *item = in ? in->child : NULL; item; item = item->next) {
		const cJSON *key = cJSON_GetObjectItemCaseSensitive(item, "name");

		if (key && lz_streq(key->valuestring, name))
			return item;
	}
	return NULL;
}

static const char *name_of(const cJSON *in, const cJSON *item)
{
	const cJSON *key;

	if (cJSON_IsObject(in))
		return item->string;
	key = cJSON_GetObjectItemCaseSensitive(item, "name");
	return key ? key->valuestring : NULL;
}

static bool is_long(const char *text)
{
	return text && strlen(text) > LZ_DIFF_TEXT_MAX;
}

static bool has_named_members(const cJSON *value)
{
	return cJSON_IsObject(value) || (cJSON_IsArray(value) && cJSON_IsObject(value->child));
}

/* ---------------------------------------------------------------- long lists */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The first that only one of two sorted lists has, or NULL; *@ret_gone: it is of @from. Both move behind it. */
static const char *next_odd(struct texts *from, struct texts *to, bool *ret_gone)
{
	while (from->at < from->n || to->at < to->n) {
		int order = from->at == from->n ? 1 : to->at == to->n ? -1 :
			    strcmp(from->v[from->at], to->v[to->at]);

		from->at += order <= 0;
		to->at += order >= 0;
		*ret_gone = order < 0;
		if (order)
			return order < 0 ? from->v[from->at - 1] : to->v[to->at - 1];
	}
	return NULL;
}

/* An element is its own name. */
static void compare_texts(struct diff *d, const char *path, struct texts *from, struct texts *to)
{
	size_t added = 0, removed = 0;
	char before[32], after[96];
	const char *text;
	bool gone;

	qsort(from->v, from->n, sizeof(*from->v), by_text);
	qsort(to->v, to->n, sizeof(*to->v), by_text);
	while (next_odd(from, to, &gone))
		*(gone ? &removed : &added) += 1;
	snprintf(before, sizeof(before), "%zu elements", from->n);
	snprintf(after, sizeof(after), "%zu elements, %zu added, %zu removed%s", to->n, added, removed,
		 added + removed ? "" : ": another order");
	if (!(added + removed) || added + removed > LZ_DIFF_PARTS_MAX) {
		add_change(d, path, before, after);
		return;
	}
	from->at = to->at = 0;
	while (!d->error && (text = next_odd(from, to, &gone))) {
		lz_autostr struct lz_str at = {};

		if (lz_str_appendf(&at, "%s/%s", path, text) < 0)
			d->error = -ENOMEM;
		else
			add_change(d, at.data, gone ? text : NULL, gone ? NULL : text);
	}
}

static bool is_scalar(const cJSON *value)
{
	return value && !cJSON_IsArray(value) && !cJSON_IsObject(value);
}

static bool is_plain_list(const cJSON *value)
{
	return cJSON_IsArray(value) && cJSON_IsString(value->child);
}

static int texts_of(const cJSON *list, struct texts *ret)
{
	const cJSON *item;

	*ret = (struct texts){ .v = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*ret->v)) };
	cJSON_ArrayForEach(item, list)
		if (ret->v && cJSON_IsString(item))
			ret->v[ret->n++] = item->valuestring;
	return ret->v ? 0 : -ENOMEM;
}

static void compare_arrays(struct diff *d, const char *path, const cJSON *from, const cJSON *to)
{
	struct texts before, after;
	int r = texts_of(from, &before);

	r = texts_of(to, &after) ?: r;
	if (r < 0)
		d->error = r;
	else
		compare_texts(d, path, &before, &after);
	free(before.v);
	free(after.v);
}

/* ---------------------------------------------------------------- members */

static void compare_values(struct diff *d, const char *path, const cJSON *from, const cJSON *to);

/* The order of limits is the order they are asked in. */
static void compare_order(struct diff *d, const char *path, const cJSON *from, const cJSON *to)
{
	lz_autostr struct lz_str before = {}, after = {}, at = {};

	for (const cJSON *item = from->child; item; item = item->next)
		if (find_named(to, name_of(from, item)))
			lz_str_appendf(&before, "%s%s", before.len ? ", " : "", name_of(from, item));
	for (const cJSON *item = to->child; item; item = item->next)
		if (find_named(from, name_of(to, item)))
			lz_str_appendf(&after, "%s%s", after.len ? ", " : "", name_of(to, item));
	if (before.data && after.data && strcmp(before.data, after.data)) {
		lz_str_appendf(&at, "%s/order", path);
		add_change(d, at.data, before.data, after.data);
	}
}

static void compare_members(struct diff *d, const char *path, const cJSON *from, const cJSON *to)
{
	for (int pass = 0; pass < 2; pass++) {
		const cJSON *walk = pass ? to : from, *other = pass ? from : to;

		for (const cJSON *item = walk ? walk->child : NULL; item && !d->error; item = item->next) {
			const char *name = name_of(walk, item);
			const cJSON *twin = find_named(other, name);
			lz_autostr struct lz_str at = {};

			if (pass && twin)
				continue;
			if (lz_str_appendf(&at, "%s/%s", path, name) < 0)
				d->error = -ENOMEM;
			else
				compare_values(d, at.data, pass ? NULL : item, pass ? item : twin);
		}
	}
	if (cJSON_IsArray(from) && to)
		compare_order(d, path, from, to);
}

/* Too long for a row. What is no list and no object, is short and stands on one side alone. */
static void compare_parts(struct diff *d, const char *path, const cJSON *from, const cJSON *to)
{
	lz_autofree char *before = is_scalar(from) ? cJSON_PrintUnformatted(from) : NULL;
	lz_autofree char *after = is_scalar(to) ? cJSON_PrintUnformatted(to) : NULL;

	if (before || after)
		add_change(d, path, before, after);
	if (is_plain_list(from) || is_plain_list(to))
		compare_arrays(d, path, is_plain_list(from) ? from : NULL, is_plain_list(to) ? to : NULL);
	if (has_named_members(from) || has_named_members(to))
		compare_members(d, path, has_named_members(from) ? from : NULL,
				has_named_members(to) ? to : NULL);
}

static void compare_values(struct diff *d, const char *path, const cJSON *from, const cJSON *to)
{
	lz_autofree char *before = from ? cJSON_PrintUnformatted(from) : NULL;
	lz_autofree char *after = to ? cJSON_PrintUnformatted(to) : NULL;

	if ((from && !before) || (to && !after))
		d->error = -ENOMEM;
	else if (before && after && lz_streq(before, after))
		return;
	else if (has_named_members(from) && has_named_members(to))
		compare_members(d, path, from, to);
	else if (is_long(before) || is_long(after))
		compare_parts(d, path, from, to);
	else
		add_change(d, path, before, after);
}

/* The canonical text as a tree, without the sets: those are compared by content. */
static cJSON *tree_of(const struct lz_policy *policy)
{
	lz_autofree char *text = NULL;
	cJSON *tree;

	if (!policy)
		return cJSON_CreateObject();
	if (lz_policy_print(policy, 0, &text) < 0)
		return NULL;
	tree = cJSON_Parse(text);
	cJSON_DeleteItemFromObjectCaseSensitive(tree, "sets");
	return tree;
}

/* ---------------------------------------------------------------- sets and customers */

/* What only one of two sorted lists has: how many, and the first few. */
struct sample {
	size_t n;
	struct lz_str text;
};

static void sample_prefix(struct sample *sample, const struct lz_prefix *prefix)
{
	char text[LZ_PREFIX_TEXT_MAX];

	if (sample->n++ < LZ_DIFF_EXAMPLES)
		lz_str_appendf(&sample->text, "%s%s", sample->n > 1 ? ", " : "", lz_prefix_format(prefix, text));
	else if (sample->n == LZ_DIFF_EXAMPLES + 1)
		lz_str_append(&sample->text, ", ..");
}

static void compare_entries(struct diff *d, const char *path, const struct lz_entries *from,
			    const struct lz_entries *to)
{
	struct sample added = {}, removed = {};
	lz_autostr struct lz_str before = {}, after = {};
	size_t i = 0, k = 0;

	while (i < from->n || k < to->n) {
		int order = i == from->n ? 1 : k == to->n ? -1 :
			    lz_prefix_cmp(&from->v[i].prefix, &to->v[k].prefix);

		if (order < 0)
			sample_prefix(&removed, &from->v[i].prefix);
		else if (order > 0)
			sample_prefix(&added, &to->v[k].prefix);
		i += order <= 0;
		k += order >= 0;
	}
	lz_str_appendf(&before, "%zu prefixes", from->n);
	lz_str_appendf(&after, "%zu prefixes", to->n);
	if (added.n)
		lz_str_appendf(&after, ", %zu added (%s)", added.n, added.text.data);
	if (removed.n)
		lz_str_appendf(&after, ", %zu removed (%s)", removed.n, removed.text.data);
	if (added.n || removed.n)
		add_change(d, path, before.data, after.data);
	lz_str_done(&added.text);
	lz_str_done(&removed.text);
}

static void compare_hosts(struct diff *d, const char *set, const struct lz_policy_set *from,
			  const struct lz_policy_set *to)
{
	const struct lz_policy_set *sides[] = { from, to };
	char *sorted[2][LZ_POLICY_HOSTS_MAX], path[LZ_NAME_MAX + 16];
	struct texts hosts[2] = { { .v = sorted[0] }, { .v = sorted[1] } };
	struct lz_str text[2] = {};
	bool same;

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; sides[side] && i < sides[side]->n_hosts && i < LZ_POLICY_HOSTS_MAX; i++) {
			lz_str_appendf(&text[side], "%s%s", i ? ", " : "", sides[side]->hosts[i]);
			sorted[side][hosts[side].n++] = sides[side]->hosts[i];
		}
	snprintf(path, sizeof(path), "/sets/%s/names", set);
	same = !strcmp(text[0].data ?: "", text[1].data ?: "");
	if (!same && (is_long(text[0].data) || is_long(text[1].data)))
		compare_texts(d, path, &hosts[0], &hosts[1]);
	else if (!same)
		add_change(d, path, text[0].data, text[1].data);
	lz_str_done(&text[0]);
	lz_str_done(&text[1]);
}

static const struct lz_policy_set *set_named(const struct lz_policy *policy, const char *name)
{
	for (size_t i = 0; policy && i < policy->n_sets; i++)
		if (lz_streq(policy->sets[i].name, name))
			return &policy->sets[i];
	return NULL;
}

static void compare_sets(struct diff *d, const struct lz_policy *from, const struct lz_policy *to)
{
	static const struct lz_entries none;
	char path[LZ_NAME_MAX + 8], text[48];

	for (size_t i = 0; from && i < from->n_sets; i++) {
		const struct lz_policy_set *set = &from->sets[i], *twin = set_named(to, set->name);

		snprintf(path, sizeof(path), "/sets/%s", set->name);
		snprintf(text, sizeof(text), "%zu prefixes", set->entries.n);
		if (twin)
			compare_entries(d, path, &set->entries, &twin->entries);
		else
			add_change(d, path, text, NULL);
		compare_hosts(d, set->name, set, twin);
	}
	for (size_t i = 0; i < to->n_sets; i++) {
		const struct lz_policy_set *set = &to->sets[i];

		snprintf(path, sizeof(path), "/sets/%s", set->name);
		if (set_named(from, set->name))
			continue;
		compare_entries(d, path, &none, &set->entries);
		compare_hosts(d, set->name, NULL, set);
	}
}

/* Which prefixes changed hands. */
static void compare_customers(struct diff *d, const struct lz_policy *from, const struct lz_policy *to)
{
	static const struct lz_policy none;
	size_t i = 0, k = 0, changed = 0;
	char before[64], after[96];

	from = from ? from : &none;
	while (i < from->customer_ranges.n || k < to->customer_ranges.n) {
		const struct lz_range *a = &from->customer_ranges.v[i], *b = &to->customer_ranges.v[k];
		int order = i == from->customer_ranges.n ? 1 : k == to->customer_ranges.n ? -1 :
			    lz_prefix_cmp(&a->prefix, &b->prefix);

		changed += order || strcmp(from->customers[a->owner].id, to->customers[b->owner].id);
		i += order <= 0;
		k += order >= 0;
	}
	snprintf(before, sizeof(before), "%zu customers", from->n_customers);
	snprintf(after, sizeof(after), "%zu customers, %zu prefixes differ", to->n_customers, changed);
	if (changed)
		add_change(d, "/customers", before, after);
}

/* ---------------------------------------------------------------- counts */

static bool goes_on(const struct lz_image *from, const struct lz_image *to, int id)
{
	const struct lz_image_limit *was = &from->limits[id], *is = &to->limits[id];
	const struct lz_limit *a = &from->gen.class_[was->class_id].limit[was->index];
	const struct lz_limit *b = &to->gen.class_[is->class_id].limit[is->index];

	return a->kind == LZ_LIMIT_DESTS ? a->kind == b->kind && a->slot_ns == b->slot_ns :
					   a->word == b->word && a->stamp == b->stamp;
}

static int compare_counts(struct diff *d, const struct lz_policy *from, const struct lz_policy *to,
			  struct lz_err *reterr)
{
	struct lz_image *before = NULL, *after = NULL;
	char path[2 * LZ_NAME_MAX + 40];
	int r = from ? lz_image_compile(from, NULL, 1, &before, reterr) : 0;

	if (!r)
		r = lz_image_compile(to, before, 1, &after, reterr);
	for (int id = 1; before && after && id < LZ_LIMIT_IDS; id++) {
		const struct lz_image_limit *is = &after->limits[id];

		if (!*is->name || lz_image_limit_find(before, is->class_, is->name) != id ||
		    goes_on(before, after, id))
			continue;
		snprintf(path, sizeof(path), "/classes/%s/limits/%s/restarts", is->class_, is->name);
		add_change(d, path, "counts so far", "every source starts again at 0");
	}
	lz_image_free(&before);
	lz_image_free(&after);
	return r;
}

int lz_policy_diff(const struct lz_policy *from, const struct lz_policy *to, struct lz_changes *ret,
		   struct lz_err *reterr)
{
	lz_autojson cJSON *before = tree_of(from), *after = tree_of(to);
	struct diff d = { .changes = ret };
	int r;

	if (!before || !after)
		return lz_err_set(reterr, ENOMEM, "policy: cannot compare: out of memory");
	compare_members(&d, "", before, after);
	compare_sets(&d, from, to);
	compare_customers(&d, from, to);
	r = compare_counts(&d, from, to, reterr);
	if (!r && d.error)
		r = lz_err_set(reterr, d.error, "policy: cannot compare: out of memory");
	return r;
}

int lz_changes_format(const struct lz_changes *changes, struct lz_str *out)
{
	for (size_t i = 0; i < changes->n; i++) {
		const struct lz_change *change = &changes->v[i];

		if (!change->from)
			lz_str_appendf(out, "%s: new: %s\n", change->path, change->to);
		else if (!change->to)
			lz_str_appendf(out, "%s: removed: %s\n", change->path, change->from);
		else
			lz_str_appendf(out, "%s: %s -> %s\n", change->path, change->from, change->to);
	}
	return out->error;
}

void lz_changes_done(struct lz_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		free(changes->v[i].path);
		free(changes->v[i].from);
		free(changes->v[i].to);
	}
	free(changes->v);
	*changes = (struct lz_changes){};
}
