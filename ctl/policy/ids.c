/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ids.c - what the next compilation has to know of this one, as text for the ledger. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "policy/image.h"

#define NUMBER_MAX 0xffffffffULL

/* The numbers of a limit that decide whether its words can be read on. */
#define SHAPE_FIELDS(X)                                                                            \
	X(kind, LZ_LIMIT_DESTS) X(what, LZ_WHAT_SMTP_DESTINATIONS) X(per, LZ_PER_CUSTOMER)         \
	X(flags, LZ_LIMIT_F_MONITOR | LZ_LIMIT_F_PROOF) X(word, LZ_CELL_WORDS - 1) X(words, 2) X(bits, 44) X(counters, 7) X(stamp, 15)             \
	X(per_len4, 64) X(per_len6, 64) X(slot_ns, LZ_JSON_INTEGER_MAX)

/* ---------------------------------------------------------------- print */

static int print_classes(const struct lz_image *image, cJSON *root)
{
	cJSON *classes = cJSON_AddObjectToObject(root, "classes");
	int r = classes ? 0 : -ENOMEM;

	for (int id = LZ_CLASS_FIRST; id < LZ_CLASSES_MAX && !r; id++)
		if (*image->class_names[id])
			r = lz_json_add_u64(classes, image->class_names[id], (__u64)id);
	return r;
}

/* By row: the first two are the kinds, which need no telling. */
static int print_gardens(const struct lz_image *image, cJSON *root)
{
	cJSON *gardens = cJSON_AddObjectToObject(root, "gardens");
	int r = gardens ? 0 : -ENOMEM;

	for (int row = LZ_GARDEN_N; row < LZ_GARDENS_MAX && !r; row++)
		if (*image->garden_names[row])
			r = lz_json_add_u64(gardens, image->garden_names[row], (__u64)row);
	return r;
}

static int print_limit(const struct lz_image *image, int id, cJSON *list)
{
	const struct lz_image_limit *name = &image->limits[id];
	const struct lz_limit *l = &image->gen.class_[name->class_id].limit[name->index];
	cJSON *row = cJSON_CreateObject();
	int r;

	if (!row || !cJSON_AddItemToArray(list, row))
		return -ENOMEM;
	r = lz_json_add_u64(row, "id", (__u64)id);
	r = r ?: lz_json_add_str(row, "class", name->class_);
	r = r ?: lz_json_add_str(row, "name", name->name);
	r = r ?: lz_json_add_u64(row, "class_id", name->class_id);
	r = r ?: lz_json_add_u64(row, "index", name->index);
#define PRINT(field, max) r = r ?: lz_json_add_u64(row, #field, l->field);
	SHAPE_FIELDS(PRINT)
#undef PRINT
	return r;
}

/* Pairs [index, changes] of what has changed at all. */
static int print_changes(const char *key, const __u32 *changes, int n, cJSON *root)
{
	cJSON *list = cJSON_AddArrayToObject(root, key);

	for (int i = 0; i < n && list; i++) {
		double pair[] = { i, changes[i] };
		cJSON *item = changes[i] ? cJSON_CreateDoubleArray(pair, 2) : NULL;

		if (changes[i] && (!item || !cJSON_AddItemToArray(list, item)))
			return -ENOMEM;
	}
	return list ? 0 : -ENOMEM;
}

int lz_image_ids_print(const struct lz_image *image, char **ret)
{
	lz_autojson cJSON *root = cJSON_CreateObject();
	cJSON *limits = root ? cJSON_AddArrayToObject(root, "limits") : NULL;
	int r = limits ? print_classes(image, root) : -ENOMEM;
	char *text;

	for (int id = 1; id < LZ_LIMIT_IDS && !r; id++)
		if (*image->limits[id].name)
			r = print_limit(image, id, limits);
	r = r ?: print_gardens(image, root);
	r = r ?: print_changes("word_changes", image->word_changes[0], LZ_CLASSES_MAX * LZ_CELL_WORDS, root);
	r = r ?: print_changes("limit_changes", image->limit_changes, LZ_LIMIT_IDS, root);
	text = r ? NULL : cJSON_PrintUnformatted(root);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

/* ---------------------------------------------------------------- parse */

static int parse_classes(const cJSON *root, struct lz_image *image, struct lz_err *reterr)
{
	const cJSON *classes;
	int r = lz_json_get_object(root, "classes", &classes, reterr);

	for (const cJSON *item = r ? NULL : classes->child; item && !r; item = item->next) {
		__u64 id;

		r = lz_json_u64(item, LZ_CLASS_FIRST, LZ_CLASSES_MAX - 1, &id);
		r = r ?: lz_strcpy(image->class_names[id], sizeof(image->class_names[id]), item->string);
		if (r)
			return lz_err_set(reterr, EINVAL, "ids: class '%.40s' has no id 2..63", item->string);
	}
	return r;
}

static int parse_gardens(const cJSON *root, struct lz_image *image, struct lz_err *reterr)
{
	const cJSON *gardens = NULL;
	int r = 0;

	/* An older version had the two that need no row. */
	if (cJSON_GetObjectItemCaseSensitive(root, "gardens"))
		r = lz_json_get_object(root, "gardens", &gardens, reterr);
	for (const cJSON *item = r || !gardens ? NULL : gardens->child; item && !r; item = item->next) {
		__u64 row;

		r = lz_json_u64(item, LZ_GARDEN_N, LZ_GARDENS_MAX - 1, &row);
		r = r ?: lz_strcpy(image->garden_names[row], sizeof(image->garden_names[row]), item->string);
		if (r)
			return lz_err_set(reterr, EINVAL, "ids: garden '%.40s' has no row 2..15", item->string);
	}
	return r;
}

static int parse_limit(const cJSON *row, struct lz_image *image, struct lz_err *reterr)
{
	__u64 id, class_id, index, value = 0;
	const char *class_, *name;
	struct lz_image_limit *to;
	struct lz_limit *l;
	int r = lz_json_get_u64(row, "id", 1, LZ_LIMIT_IDS - 1, &id, reterr);

	r = r ?: lz_json_get_u64(row, "class_id", LZ_CLASS_FIRST, LZ_CLASSES_MAX - 1, &class_id, reterr);
	r = r ?: lz_json_get_u64(row, "index", 0, LZ_LIMITS_PER_CLASS - 1, &index, reterr);
	r = r ?: lz_json_get_str(row, "class", &class_, reterr);
	r = r ?: lz_json_get_str(row, "name", &name, reterr);
	if (r)
		return r;
	to = &image->limits[id];
	r = lz_strcpy(to->class_, sizeof(to->class_), class_);
	r = r ?: lz_strcpy(to->name, sizeof(to->name), name);
	if (r)
		return lz_err_set(reterr, EINVAL, "ids: limit %llu: name of more than %d bytes", id, LZ_NAME_MAX);
	to->class_id = (__u8)class_id;
	to->index = (__u8)index;
	l = &image->gen.class_[class_id].limit[index];
	l->id = (__u16)id;
	/* Those of an older version have no flags: then none of today's was meant. */
#define PARSE(field, max)                                                                          \
	if (lz_streq(#field, "flags") && !cJSON_GetObjectItemCaseSensitive(row, #field))           \
		value = 0;                                                                         \
	else                                                                                       \
		r = r ?: lz_json_get_u64(row, #field, 0, (max), &value, reterr);                           \
	l->field = (__typeof__(l->field))value;
	SHAPE_FIELDS(PARSE)
#undef PARSE
	return r;
}

static int parse_changes(const cJSON *root, const char *key, __u32 *changes, __u64 n,
			 struct lz_err *reterr)
{
	const cJSON *list;
	int r = lz_json_get_array(root, key, &list, reterr);

	for (const cJSON *item = r ? NULL : list->child; item; item = item->next) {
		__u64 i, value;

		if (cJSON_GetArraySize(item) != 2 || lz_json_u64(item->child, 0, n - 1, &i) ||
		    lz_json_u64(item->child->next, 0, NUMBER_MAX, &value))
			return lz_err_set(reterr, EINVAL, "ids: '%s': want pairs of an index below %llu and a number", key, n);
		changes[i] = (__u32)value;
	}
	return r;
}

static int parse_ids(const cJSON *root, struct lz_image *image, struct lz_err *reterr)
{
	const cJSON *limits;
	int r = parse_classes(root, image, reterr);

	r = r ?: parse_gardens(root, image, reterr);
	r = r ?: lz_json_get_array(root, "limits", &limits, reterr);
	for (const cJSON *row = r ? NULL : limits->child; row && !r; row = row->next)
		r = parse_limit(row, image, reterr);
	r = r ?: parse_changes(root, "word_changes", image->word_changes[0],
			       LZ_CLASSES_MAX * LZ_CELL_WORDS, reterr);
	return r ?: parse_changes(root, "limit_changes", image->limit_changes, LZ_LIMIT_IDS, reterr);
}

int lz_image_ids_parse(const char *text, size_t len, struct lz_image **ret, struct lz_err *reterr)
{
	lz_autojson cJSON *root = NULL;
	struct lz_image *image;
	int r = lz_json_parse(text, len, &root, reterr);

	if (r < 0)
		return r;
	image = calloc(1, sizeof(*image));
	if (!image)
		return lz_err_set(reterr, ENOMEM, "ids: out of memory");
	r = parse_ids(root, image, reterr);
	if (r < 0) {
		lz_image_free(&image);
		return r;
	}
	*ret = image;
	return 0;
}

/* ---------------------------------------------------------------- history */

static void raise_all(__u32 *to, const __u32 *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (from[i] > to[i])
			to[i] = from[i];
}

void lz_image_outlive(struct lz_image *image, const struct lz_image *undone)
{
	raise_all(image->word_changes[0], undone->word_changes[0], LZ_CLASSES_MAX * LZ_CELL_WORDS);
	raise_all(image->limit_changes, undone->limit_changes, LZ_LIMIT_IDS);
}
