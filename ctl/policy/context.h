/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * context.h - what the stages of reading one policy share: the text, the model under construction
 * and the report. Private to this room.
 *
 * Stages do not stop at a mistake: they report it and go on with the next value. Only lack of
 * memory ends the work, kept in @fatal.
 */
#ifndef LZ_POLICY_CONTEXT_H
#define LZ_POLICY_CONTEXT_H

#include <stdbool.h>

#include "policy/policy.h"
#include "policy/source.h"

struct lz_context {
	struct lz_policy *policy;
	struct lz_source source;
	struct lz_report *report;
	const struct lz_policy_files *files; /* or NULL */
	size_t n_prefixes; /* read so far, over all sets */
	size_t n_hosts; /* likewise */
	bool too_many_prefixes; /* reported once */
	int fatal; /* 0 or -ENOMEM */
};

/** lz_context_note() - report about @place, or about member @key of it (NULL: @place itself) */
void lz_context_note(struct lz_context *ctx, enum lz_severity severity, struct lz_place place,
		     const char *key, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#define lz_error(ctx, place, key, ...) \
	lz_context_note(ctx, LZ_SEVERITY_ERROR, place, key, __VA_ARGS__)
/* A rule younger than some policies in force: they must still be read at a start. */
#define lz_error_since(ctx, place, key, ...) \
	lz_context_note(ctx, (ctx)->report->in_force ? LZ_SEVERITY_WARNING : LZ_SEVERITY_ERROR, place, key, \
			__VA_ARGS__)
#define lz_warning(ctx, place, key, ...) \
	lz_context_note(ctx, LZ_SEVERITY_WARNING, place, key, __VA_ARGS__)

static inline struct lz_place lz_place_of(struct lz_val val)
{
	return (struct lz_place){ .node = val.node };
}

/**
 * lz_context_room() - room for one more item in a model list; false (and fatal) if there is none
 */
bool lz_context_room(struct lz_context *ctx, void *array, size_t *cap, size_t n, size_t item_size);

/* "did you mean": the nearest of the words offered. Start with only .word set. */
struct lz_suggestion {
	const char *word;
	const char *best; /* NULL: nothing is near */
	unsigned distance;
};

void lz_suggestion_offer(struct lz_suggestion *s, const char *candidate);

/** lz_suggestion_text() - "; did you mean 'x'?" or "" */
const char *lz_suggestion_text(const struct lz_suggestion *s, char buf[static 64]);

/* One key of an object. A parser gets the value and the object's model. */
struct lz_field {
	const char *key;
	void (*parse)(struct lz_context *ctx, struct lz_val val, void *model);
	bool required;
};

#define LZ_FIELDS_MAX 24

/**
 * lz_fields_parse() - an object with a fixed list of keys
 *
 * Parsers run in the order of the table, so that what others refer to can come first, wherever it
 * stands in the text. Unknown, duplicate and missing keys are reported.
 */
void lz_fields_parse(struct lz_context *ctx, struct lz_val val, const struct lz_field *fields,
		     size_t n, void *model);

/* Values. Each reports what is wrong and returns false, or true with *ret set. */
bool lz_value_string(struct lz_context *ctx, struct lz_val val, const char **ret);
bool lz_value_name(struct lz_context *ctx, struct lz_val val, const char *text, const char *what,
		   char ret[static LZ_NAME_MAX + 1]);
bool lz_value_u64(struct lz_context *ctx, struct lz_val val, __u64 min, __u64 max, __u64 *ret);
bool lz_value_bool(struct lz_context *ctx, struct lz_val val, bool *ret);
bool lz_value_duration(struct lz_context *ctx, struct lz_val val, __u64 min_s, __u64 max_s,
		       __u64 *ret_ns);
bool lz_value_object(struct lz_context *ctx, struct lz_val val);
bool lz_value_list(struct lz_context *ctx, struct lz_val val);

/**
 * lz_value_word() - one of @n words
 * @accepted: bit i set: word i is accepted here (others are reported as unknown)
 */
bool lz_value_word(struct lz_context *ctx, struct lz_val val, const char *const *words, size_t n,
		   __u64 accepted, unsigned *ret);

/** lz_duration_in() - a duration text within bounds, for values that hold more than a duration */
bool lz_duration_in(struct lz_context *ctx, struct lz_place place, const char *text, __u64 min_s,
		    __u64 max_s, __u64 *ret_ns);

/** lz_value_refs() - a list of set names and prefixes (and "udp/123" ports) */
void lz_value_refs(struct lz_context *ctx, struct lz_val val, bool ports, struct lz_refs *ret);

/** lz_refuses_submission() - does @word speak of ports 465 or 587? Then say why that is refused. */
bool lz_refuses_submission(struct lz_context *ctx, struct lz_place place, const char *word);

/** lz_name_is_valid() - [A-Za-z0-9_-]{1,32} */
bool lz_name_is_valid(const char *text);

/** lz_host_name_is_valid() - RFC 1123, at most LZ_HOST_NAME_MAX bytes, no trailing dot */
bool lz_host_name_is_valid(const char *text);

enum lz_url_flags {
	LZ_URL_HTTP = 1,
	LZ_URL_HTTPS = 2,
	LZ_URL_SMTP = 4,
	LZ_URL_SMTPS = 8,
	LZ_URL_NO_PATH = 16,
	LZ_URL_QUERY = 32, /* a query is accepted; a fragment or a user never is */
	LZ_URL_HTTP_LOCAL = 64, /* http only to 127.0.0.1 or [::1] */
};

/**
 * lz_value_url() - a URL of a few characters that need no escaping anywhere
 * @flags: schemes and more of enum lz_url_flags; @wanted says the same to the operator
 * @ret_literal: its host is an address, not a name
 */
bool lz_value_url(struct lz_context *ctx, struct lz_val val, unsigned flags, const char *wanted,
		  char ret[static LZ_URL_MAX + 1], bool *ret_literal);
bool lz_value_mail_address(struct lz_context *ctx, struct lz_val val,
			   char ret[static LZ_MAIL_ADDRESS_MAX + 1]);
bool lz_value_path(struct lz_context *ctx, struct lz_val val, char ret[static LZ_PATH_MAX + 1]);

/** lz_value_text() - 1..@max_bytes of UTF-8 without control characters; @ret has one byte more */
bool lz_value_text(struct lz_context *ctx, struct lz_val val, size_t max_bytes, char *ret);

/* The stages. */
void lz_parse_policy(struct lz_context *ctx);
void lz_parse_interfaces(struct lz_context *ctx, struct lz_val val, void *policy);
void lz_parse_sets(struct lz_context *ctx, struct lz_val val, void *policy);
void lz_parse_customers(struct lz_context *ctx, struct lz_val val, void *policy);
void lz_parse_classes(struct lz_context *ctx, struct lz_val val, void *policy);
void lz_parse_limits(struct lz_context *ctx, struct lz_val val, void *policy_class);
void lz_parse_ladders(struct lz_context *ctx, struct lz_val val, void *policy);
void lz_parse_gardens(struct lz_context *ctx, struct lz_val val, void *policy);
void lz_parse_portal(struct lz_context *ctx, struct lz_val val, void *policy);
void lz_parse_tell(struct lz_context *ctx, struct lz_val val, void *policy);
void lz_parse_name_servers(struct lz_context *ctx, struct lz_val val, void *policy);
void lz_check_ranges(struct lz_context *ctx);
void lz_check_rules(struct lz_context *ctx);

#endif
