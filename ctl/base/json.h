/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * json.h - strict reading and exact writing on top of cJSON.
 *
 * cJSON is lenient (trailing text, "01", a NUL inside a string, case-insensitive keys, duplicate
 * keys, 1e999) and recursive. lz_json_parse() lets nothing through that RFC 8259 does not, nor what
 * cannot be represented, and bounds depth and number of values before cJSON allocates anything.
 */
#ifndef LZ_BASE_JSON_H
#define LZ_BASE_JSON_H

#include <cjson/cJSON.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

#define LZ_JSON_DEPTH_MAX    64
#define LZ_JSON_BYTES_MAX    (64U << 20)
#define LZ_JSON_VALUES_MAX   2000000U /* about 64 bytes each in cJSON: 128 MB at the most */
#define LZ_JSON_INTEGER_MAX  (1ULL << 53) /* a double holds every whole number up to here */

#define lz_autojson __attribute__((cleanup(lz_json_free_ref)))
void lz_json_free_ref(cJSON **json);

/* Where a value stands in the text. Values are numbered in the order of the text, the root is 0. */
struct lz_json_node {
	__u32 offset; /* of its key if it is a member of an object, else of the value */
	__u32 parent; /* node number; the root is its own parent */
	__u32 ordinal; /* position in the parent, from 0 */
	__u32 end; /* one past the number of its last descendant: its next sibling, if any */
	bool is_member; /* of an object: offset is that of the opening quote of its key */
};

struct lz_json_index {
	struct lz_json_node *nodes;
	size_t n;
	size_t cap;
};

void lz_json_index_done(struct lz_json_index *index);

/**
 * lz_json_scan() - is this text exactly one JSON value?
 * @text:       need not be NUL-terminated
 * @index:      filled with the place of every value; may be NULL
 * @ret_offset: on -EINVAL and -E2BIG where in the text, <= len; may be NULL
 *
 * Return: 0; -EINVAL with @reterr saying what is wrong (without its place); -E2BIG for more than
 *         LZ_JSON_BYTES_MAX or LZ_JSON_VALUES_MAX; -ENOMEM.
 */
int lz_json_scan(const char *text, size_t len, struct lz_json_index *index, size_t *ret_offset,
		 struct lz_err *reterr);

/** lz_json_place() - line and column, from 1, of an offset; a column is a byte */
void lz_json_place(const char *text, size_t offset, __u32 *ret_line, __u32 *ret_col);

/**
 * lz_json_parse() - scan, then parse; duplicate keys are an error too
 * @ret: freed by the caller with cJSON_Delete, or declared lz_autojson
 *
 * Return: 0; as lz_json_scan(), @reterr with line and column.
 */
int lz_json_parse(const char *text, size_t len, cJSON **ret, struct lz_err *reterr);

/*
 * Members of an object. Keys compare with case. _get_ wants the member to be there (-ENOENT), _opt_
 * leaves the output untouched and returns 0 when it is not; -EINVAL wrong type, -ERANGE out of
 * range. Strings stay owned by the object.
 */
int lz_json_get_str(const cJSON *obj, const char *key, const char **ret, struct lz_err *reterr);
int lz_json_opt_str(const cJSON *obj, const char *key, const char **ret, struct lz_err *reterr);
int lz_json_get_u64(const cJSON *obj, const char *key, __u64 min, __u64 max, __u64 *ret,
		    struct lz_err *reterr);
int lz_json_opt_u64(const cJSON *obj, const char *key, __u64 min, __u64 max, __u64 *ret,
		    struct lz_err *reterr);
int lz_json_get_bool(const cJSON *obj, const char *key, bool *ret, struct lz_err *reterr);
int lz_json_opt_bool(const cJSON *obj, const char *key, bool *ret, struct lz_err *reterr);
int lz_json_get_object(const cJSON *obj, const char *key, const cJSON **ret, struct lz_err *reterr);
int lz_json_get_array(const cJSON *obj, const char *key, const cJSON **ret, struct lz_err *reterr);

/** lz_json_u64() - the value as a whole number @min..@max (max <= 2^53); -EINVAL, -ERANGE */
int lz_json_u64(const cJSON *item, __u64 min, __u64 max, __u64 *ret);

/** lz_json_quote() - append @text as a JSON string, byte for byte as cJSON prints it; 0 or -ENOMEM */
int lz_json_quote(struct lz_str *s, const char *text);

/** lz_json_add_u64() - every digit is kept, also beyond 2^53; 0 or -ENOMEM */
int lz_json_add_u64(cJSON *obj, const char *key, __u64 value);
int lz_json_add_str(cJSON *obj, const char *key, const char *value);

/** lz_json_add_bytes() - what a file name or a word somebody typed is: bytes; \xNN for what is not UTF-8 */
int lz_json_add_bytes(cJSON *obj, const char *key, const char *bytes);
int lz_json_add_bool(cJSON *obj, const char *key, bool value);

/** lz_json_add_time() - RFC 3339 UTC; 0 stands for "no time" and becomes null */
int lz_json_add_time(cJSON *obj, const char *key, __u64 wall_ns);
/** lz_json_time() - the same of whole seconds */
void lz_json_time(cJSON *obj, const char *key, __u64 wall_s);

#endif
