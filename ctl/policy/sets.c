/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sets.c - named sets of prefixes, the files they name, and the customer list.
 *
 * A file has one address, prefix or FIRST-LAST range a line, `#` starts a comment. The customer
 * file has `id,prefix` a line. Half a million lines load in a fraction of a second: a line is
 * parsed in place, nothing is allocated for it alone.
 */
#include "policy/context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define LINE_MAX_BYTES	128 /* the longest range is 93 */
#define CUSTOMER_ID_MAX 64

typedef void line_fn(struct lz_context *ctx, char *line, struct lz_place place, void *arg);

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cut the comment and the blanks at both ends, in place. */
static char *trim(char *line)
{
	char *end = line + strcspn(line, "#");

	while (end > line && is_blank(end[-1]))
		end--;
	*end = '\0';
	while (is_blank(*line))
		line++;
	return line;
}

/* Every line that says something; @text is taken apart. */
static void for_each_line(struct lz_context *ctx, char *text, size_t len, __u32 node, line_fn *fn,
			  void *arg)
{
	struct lz_place place = { .node = node };
	unsigned int mark_bytes;
	const char *why = lz_text_mark(text, len, &mark_bytes);

	for (char *line = text, *next; line < text + len && !ctx->fatal; line = next) {
		char *end = memchr(line, '\n', (size_t)(text + len - line));

		if (!end)
			end = text + len;
		next = end + 1;
		*end = '\0';
		place.line++;
		if (line == text && why) {
			lz_error(ctx, place, NULL, "%s", why);
			if (!mark_bytes)
				return;
			continue;
		}
		if (strlen(line) != (size_t)(end - line)) {
			lz_error(ctx, place, NULL, "NUL character");
			continue;
		}
		line = trim(line);
		if (strlen(line) > LINE_MAX_BYTES)
			lz_error(ctx, place, NULL, "line of more than %d bytes", LINE_MAX_BYTES);
		else if (*line)
			fn(ctx, line, place, arg);
	}
}

/* {"file": NAME}: read it and feed its lines to @fn. */
static void read_file(struct lz_context *ctx, struct lz_val val, __u32 set, line_fn *fn, void *arg)
{
	struct lz_policy *policy = ctx->policy;
	lz_autofree char *text = NULL;
	struct lz_err why = {};
	const char *name;
	size_t len;
	int r;

	if (!lz_value_string(ctx, val, &name))
		return;
	if (!*name || strlen(name) > 255 || strstr(name, "..")) {
		lz_error(ctx, lz_place_of(val), NULL,
			 "'%.60s' is not accepted as a file name (want 1..255 bytes without '..')", name);
		return;
	}
	if (!ctx->files) {
		lz_error(ctx, lz_place_of(val), NULL, "'%.60s': files cannot be read here", name);
		return;
	}
	r = ctx->files->read(ctx->files->arg, name, &text, &len, &why);
	if (r == -ENOMEM)
		ctx->fatal = r;
	else if (r < 0)
		lz_error(ctx, lz_place_of(val), NULL, "%s", why.text);
	if (r < 0 ||
	    !lz_context_room(ctx, &policy->files, &policy->files_cap, policy->n_files,
			     sizeof(*policy->files)))
		return;
	policy->files[policy->n_files] = (struct lz_policy_file){
		.name = strdup(name),
		.node = val.node,
		.set = set,
	};
	if (!policy->files[policy->n_files++].name) {
		ctx->fatal = -ENOMEM;
		return;
	}
	for_each_line(ctx, text, len, val.node, fn, arg);
}

static void add_prefixes(struct lz_context *ctx, const char *text, struct lz_place place,
			 struct lz_entries *entries)
{
	struct lz_prefix prefixes[LZ_RANGE_PREFIXES_MAX];
	struct lz_err why;
	int n;

	n = lz_prefixes_parse(text, prefixes, &why);
	if (n < 0) {
		lz_error(ctx, place, NULL, "%s", why.text);
		return;
	}
	ctx->n_prefixes += (size_t)n;
	if (ctx->n_prefixes > LZ_POLICY_PREFIXES_MAX) {
		if (!ctx->too_many_prefixes)
			lz_error(ctx, place, NULL, "more than %d prefixes in all sets",
				 LZ_POLICY_PREFIXES_MAX);
		ctx->too_many_prefixes = true;
		return;
	}
	for (int i = 0; i < n; i++) {
		if (!lz_context_room(ctx, &entries->v, &entries->cap, entries->n,
				     sizeof(*entries->v)))
			return;
		entries->v[entries->n++] =
			(struct lz_entry){ .prefix = prefixes[i], .place = place };
	}
}

/* A string of a set: one prefix, or several with a space between them. */
static void add_words(struct lz_context *ctx, const char *text, struct lz_place place,
		      struct lz_entries *entries)
{
	char word[LINE_MAX_BYTES + 1];
	size_t len = strcspn(text, " ");

	for (; text[len] && len <= LINE_MAX_BYTES; text += len + 1, len = strcspn(text, " ")) {
		memcpy(word, text, len);
		word[len] = '\0';
		add_prefixes(ctx, word, place, entries);
	}
	add_prefixes(ctx, text, place, entries); /* the last, or what is too long to be any */
}

static void add_set_line(struct lz_context *ctx, char *line, struct lz_place place, void *arg)
{
	add_prefixes(ctx, line, place, arg);
}

static void parse_host(struct lz_context *ctx, struct lz_val val, struct lz_policy_set *set)
{
	const char *name;
	char *copy;

	if (!lz_value_string(ctx, val, &name))
		return;
	if (!lz_host_name_is_valid(name) || !strchr(name, '.')) {
		lz_error(ctx, lz_place_of(val), NULL, "'%.60s' is not a host name (want e.g. deb.example.net)",
			 name);
		return;
	}
	if (ctx->n_hosts++ == LZ_POLICY_HOSTS_MAX)
		lz_error(ctx, lz_place_of(val), NULL, "more than %d host names in all sets",
			 LZ_POLICY_HOSTS_MAX);
	if (ctx->n_hosts > LZ_POLICY_HOSTS_MAX)
		return;
	if (!lz_context_room(ctx, &set->hosts, &set->hosts_cap, set->n_hosts, sizeof(copy)))
		return;
	copy = strdup(name);
	if (copy)
		set->hosts[set->n_hosts++] = copy;
	else
		ctx->fatal = -ENOMEM;
}

static void parse_set_file(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_set *set = model;

	/* the set under construction is the one behind the last */
	read_file(ctx, val, (__u32)ctx->policy->n_sets, add_set_line, &set->entries);
}

static void parse_set_names(struct lz_context *ctx, struct lz_val val, void *model)
{
	if (!lz_value_list(ctx, val))
		return;
	lz_for_each_child(&ctx->source, child, val)
		parse_host(ctx, child, model);
}

static void parse_set_element(struct lz_context *ctx, struct lz_val val, struct lz_policy_set *set)
{
	static const struct lz_field fields[] = {
		{ "file", parse_set_file, false },
		{ "names", parse_set_names, false },
	};

	if (cJSON_IsString(val.item))
		add_words(ctx, val.item->valuestring, lz_place_of(val), &set->entries);
	else if (cJSON_IsObject(val.item))
		lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), set);
	else
		lz_error(ctx, lz_place_of(val), NULL,
			 "want an address, a prefix, a range, {\"file\": ..} or {\"names\": [..]}");
}

static bool has_set(const struct lz_policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_sets; i++)
		if (lz_streq(policy->sets[i].name, name))
			return true;
	return false;
}

void lz_parse_sets(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;

	if (!lz_value_object(ctx, val))
		return;
	lz_for_each_child(&ctx->source, child, val) {
		struct lz_policy_set set = { .place = lz_place_of(child) };

		if (policy->n_sets == LZ_POLICY_SETS_MAX) {
			lz_error(ctx, lz_place_of(child), NULL, "more than %d sets", LZ_POLICY_SETS_MAX);
			return;
		}
		if (!lz_value_name(ctx, child, child.item->string, "a set", set.name) ||
		    !lz_value_list(ctx, child))
			continue;
		if (has_set(policy, set.name)) {
			lz_error(ctx, lz_place_of(child), NULL, "duplicate key '%s'", set.name);
			continue;
		}
		if (!lz_context_room(ctx, &policy->sets, &policy->sets_cap, policy->n_sets,
				     sizeof(set)))
			return;
		policy->sets[policy->n_sets] = set;
		lz_for_each_child(&ctx->source, element, child)
			parse_set_element(ctx, element, &policy->sets[policy->n_sets]);
		policy->n_sets++;
	}
}

/* ---------------------------------------------------------------- customers */

static bool is_customer_id(const char *id)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < len; i++)
		if (id[i] <= ' ' || id[i] >= 0x7f || id[i] == ',' || id[i] == '"' || id[i] == '\\')
			return false;
	return len && len <= CUSTOMER_ID_MAX;
}

/* One prefix of one customer. Ids are sorted and folded later, see lz_check_ranges(). */
static void add_customer(struct lz_context *ctx, const char *id, const char *text,
			 struct lz_place place)
{
	struct lz_policy *policy = ctx->policy;
	struct lz_prefix prefixes[LZ_RANGE_PREFIXES_MAX];
	__u32 owner = (__u32)policy->n_customers;
	struct lz_policy_customer *customer;
	struct lz_err why;
	int n;

	if (!is_customer_id(id)) {
		lz_error(ctx, place, NULL,
			 "'%.70s' is not a customer id (want 1..%d printable characters without space , \" \\)",
			 id, CUSTOMER_ID_MAX);
		return;
	}
	n = lz_prefixes_parse(text, prefixes, &why);
	if (n < 0) {
		lz_error(ctx, place, NULL, "%s", why.text);
		return;
	}
	if (policy->n_customers == LZ_POLICY_CUSTOMERS_MAX) {
		if (!ctx->too_many_prefixes)
			lz_error(ctx, place, NULL, "more than %d customer prefixes",
				 LZ_POLICY_CUSTOMERS_MAX);
		ctx->too_many_prefixes = true;
		return;
	}
	if (!lz_context_room(ctx, &policy->customers, &policy->customers_cap, policy->n_customers,
			     sizeof(*customer)))
		return;
	customer = &policy->customers[policy->n_customers++];
	*customer = (struct lz_policy_customer){ .id = strdup(id), .place = place };
	if (!customer->id)
		ctx->fatal = -ENOMEM;
	for (int i = 0; i < n && !ctx->fatal; i++)
		if (lz_ranges_add(&policy->customer_ranges, &prefixes[i], owner, place) < 0)
			ctx->fatal = -ENOMEM;
}

static void add_customer_line(struct lz_context *ctx, char *line, struct lz_place place, void *arg)
{
	char *comma = strchr(line, ',');

	(void)arg;
	if (place.line == 1 && lz_streq(line, "id,prefix"))
		return; /* the heading a spreadsheet writes */
	if (!comma) {
		lz_error(ctx, place, NULL, "'%.60s' is not ID,PREFIX", line);
		return;
	}
	*comma = '\0';
	add_customer(ctx, trim(line), trim(comma + 1), place);
}

static void parse_customer_file(struct lz_context *ctx, struct lz_val val, void *model)
{
	(void)model;
	read_file(ctx, val, LZ_RANGE_NONE, add_customer_line, NULL);
}

static void parse_customer_list(struct lz_context *ctx, struct lz_val val, void *model)
{
	const char *text;

	(void)model;
	if (!lz_value_object(ctx, val))
		return;
	lz_for_each_child(&ctx->source, customer, val) {
		if (!lz_value_list(ctx, customer))
			continue;
		lz_for_each_child(&ctx->source, prefix, customer)
			if (lz_value_string(ctx, prefix, &text))
				add_customer(ctx, customer.item->string, text, lz_place_of(prefix));
	}
}

void lz_parse_customers(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "file", parse_customer_file, false },
		{ "list", parse_customer_list, false },
	};

	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), model);
}
