/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/edit.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static const char change_of[] = "{\"change-of\":";

static size_t count_to(const struct lz_entries *entries, const struct lz_prefix *prefix)
{
	return lz_prefix_rank(entries->v, entries->n, sizeof(*entries->v), prefix);
}

static bool has_entry(const struct lz_entries *entries, const struct lz_prefix *prefix)
{
	size_t n = count_to(entries, prefix);

	return n && !lz_prefix_cmp(&entries->v[n - 1].prefix, prefix);
}

static int put_entry(struct lz_entries *entries, const struct lz_prefix *prefix)
{
	size_t at = count_to(entries, prefix);
	int r = lz_array_grow(&entries->v, &entries->cap, entries->n + 1, sizeof(*entries->v));

	if (r < 0)
		return r;
	memmove(entries->v + at + 1, entries->v + at, (entries->n++ - at) * sizeof(*entries->v));
	entries->v[at] = (struct lz_entry){ .prefix = *prefix };
	return 0;
}

static void take_entry(struct lz_entries *entries, const struct lz_prefix *prefix)
{
	size_t at = count_to(entries, prefix) - 1;

	memmove(entries->v + at, entries->v + at + 1, (--entries->n - at) * sizeof(*entries->v));
}

static struct lz_policy_set *find_set(struct lz_policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_sets; i++)
		if (lz_streq(policy->sets[i].name, name))
			return &policy->sets[i];
	return NULL;
}

static bool names_set(const struct lz_refs *refs, __u32 set)
{
	for (size_t i = 0; i < refs->n; i++)
		if (refs->v[i].kind == LZ_REF_SET && refs->v[i].set == set)
			return true;
	return false;
}

static __u32 class_of_set(const struct lz_policy *policy, __u32 set)
{
	for (size_t i = 0; i < policy->n_classes; i++)
		if (names_set(&policy->classes[i].of, set))
			return (__u32)i;
	return LZ_RANGE_NONE;
}

/* Would the class have this prefix without the set? */
static bool has_otherwise(const struct lz_policy *policy, __u32 class_, __u32 set,
			  const struct lz_prefix *prefix)
{
	const struct lz_refs *of = &policy->classes[class_].of;

	for (size_t i = 0; i < of->n; i++) {
		const struct lz_ref *ref = &of->v[i];

		if (ref->kind == LZ_REF_PREFIX && !lz_prefix_cmp(&ref->prefix, prefix))
			return true;
		if (ref->kind == LZ_REF_SET && ref->set != set &&
		    has_entry(&policy->sets[ref->set].entries, prefix))
			return true;
	}
	return false;
}

/* check_never(): a class that could never apply. */
static bool is_all_never(const struct lz_policy *policy, __u32 class_)
{
	bool any = false;

	for (size_t i = 0; i < policy->class_ranges.n && policy->never_ranges.n; i++) {
		const struct lz_range *range = &policy->class_ranges.v[i];

		if (range->owner != class_)
			continue;
		if (!lz_ranges_find(&policy->never_ranges, &range->prefix))
			return false;
		any = true;
	}
	return any;
}

static int check_new(const struct lz_policy *policy, __u32 class_, const struct lz_edit *edit,
		     struct lz_err *reterr)
{
	const struct lz_prefix *prefix = &edit->prefix;
	const struct lz_range *there = lz_ranges_find(&policy->class_ranges, prefix);
	char text[LZ_PREFIX_TEXT_MAX];
	struct lz_keyprefix ignored;
	int r = lz_keyprefix_from_prefix(prefix, policy->ipv6_key, &ignored);

	lz_prefix_format(prefix, text);
	if (!edit->in_force && !lz_prefix_has_hosts(prefix))
		return lz_prefix_no_source(prefix, reterr);
	if (r == -ERANGE)
		return lz_err_set(reterr, EINVAL, "%s: is longer than \"ipv6-key\": %u; want at most /%u",
				  text, policy->ipv6_key, policy->ipv6_key);
	if (r < 0)
		return lz_err_set(reterr, EINVAL, "%s: no customer is in 0000::/8, 0100::/8 or ff00::/8",
				  text);
	if (!edit->in_force && lz_prefix_is_too_wide(prefix))
		return lz_err_set(reterr, EINVAL, "%s: is no range of customers; want at most "
				  LZ_CUSTOMERS_WIDEST, text);
	if (there && !lz_prefix_cmp(&there->prefix, prefix) && there->owner != class_)
		return lz_err_set(reterr, EINVAL, "%s: is in class '%s' already; take it out there first",
				  text, policy->classes[there->owner].name);
	return 0;
}

static int change_class(struct lz_policy *policy, __u32 class_, __u32 set,
			const struct lz_edit *edit, struct lz_err *reterr)
{
	struct lz_ranges *ranges = &policy->class_ranges;
	int r;

	if (has_otherwise(policy, class_, set, &edit->prefix))
		return 0;
	r = edit->add ? lz_ranges_insert(ranges, &edit->prefix, class_, (struct lz_place){ 0 }) :
			  lz_ranges_remove(ranges, &edit->prefix);
	if (r < 0)
		return lz_err_set(reterr, -r, "set %s: %s", edit->set,
				  r == -ENOMEM ? "out of memory" : "its class does not agree with it");
	if (!is_all_never(policy, class_))
		return 0;
	if (edit->add)
		lz_ranges_remove(ranges, &edit->prefix);
	else
		lz_ranges_insert(ranges, &edit->prefix, class_, (struct lz_place){ 0 });
	return lz_err_set(reterr, EINVAL, "set %s: then all of class '%s' would be on the never-list",
			  edit->set, policy->classes[class_].name);
}

static int check_set(const struct lz_policy *policy, const struct lz_policy_set *set,
		     const struct lz_edit *edit, struct lz_err *reterr)
{
	char text[LZ_PREFIX_TEXT_MAX];
	bool has = has_entry(&set->entries, &edit->prefix);
	size_t n = 0;

	lz_prefix_format(&edit->prefix, text);
	if (edit->add && has)
		return lz_err_set(reterr, EEXIST, "set %s: %s is in it already", edit->set, text);
	if (!edit->add && !has)
		return lz_err_set(reterr, ENOENT, "set %s: %s is not in it", edit->set, text);
	for (size_t i = 0; i < policy->n_sets; i++)
		n += policy->sets[i].entries.n;
	if (edit->add && n >= LZ_POLICY_PREFIXES_MAX)
		return lz_err_set(reterr, E2BIG, "set %s: more than %d prefixes in all sets",
				  edit->set, LZ_POLICY_PREFIXES_MAX);
	return 0;
}

int lz_edit_make(struct lz_policy *policy, const struct lz_edit *edit, struct lz_err *reterr)
{
	struct lz_policy_set *set = find_set(policy, edit->set);
	__u32 idx, class_;
	int r;

	if (!set)
		return lz_err_set(reterr, ENOENT, "set %s: there is none", edit->set);
	r = check_set(policy, set, edit, reterr);
	if (r < 0)
		return r;
	idx = (__u32)(set - policy->sets);
	class_ = class_of_set(policy, idx);
	if (set->uses != (class_ != LZ_RANGE_NONE))
		return lz_err_set(reterr, EOPNOTSUPP, "set %s: is more than a class", edit->set);
	if (edit->add && class_ != LZ_RANGE_NONE)
		r = check_new(policy, class_, edit, reterr);
	if (r == 0 && edit->add && put_entry(&set->entries, &edit->prefix) < 0)
		r = lz_err_set(reterr, ENOMEM, "set %s: out of memory", edit->set);
	if (r < 0)
		return r;
	if (class_ != LZ_RANGE_NONE)
		r = change_class(policy, class_, idx, edit, reterr);
	if (edit->add == (r < 0)) /* a failed add, or a removal that went well */
		take_entry(&set->entries, &edit->prefix);
	return r;
}

/* ---------------------------------------------------------------- as a text */

char *lz_edit_print(const struct lz_edit *edit, __u64 base)
{
	char text[LZ_PREFIX_TEXT_MAX];
	struct lz_str str = { 0 };

	lz_str_appendf(&str, "%s %llu, \"%s\": \"%s\", \"prefix\": \"%s\"}\n", change_of,
		       (unsigned long long)base, edit->add ? "add" : "del", edit->set,
		       lz_prefix_format(&edit->prefix, text));
	return lz_str_take(&str);
}

int lz_edit_parse(const char *text, struct lz_edit *ret, __u64 *ret_base, struct lz_err *reterr)
{
	lz_autojson cJSON *json = NULL;
	const char *add, *set, *prefix;
	struct lz_edit edit = { .in_force = true };
	__u64 base;
	int r;

	if (strncmp(text, change_of, sizeof(change_of) - 1))
		return -ENOENT;
	r = lz_json_parse(text, strlen(text), &json, reterr);
	if (r < 0)
		return r;
	add = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "add"));
	set = add ? add : cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "del"));
	prefix = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "prefix"));
	edit.add = add;
	if (!set || !prefix || lz_strcpy(edit.set, sizeof(edit.set), set) < 0 ||
	    lz_json_get_u64(json, "change-of", 1, 1ULL << 53, &base, reterr) < 0)
		return lz_err_set(reterr, EINVAL, "policy: a range change that cannot be read");
	r = lz_prefix_parse(prefix, &edit.prefix, reterr);
	if (r < 0)
		return r;
	*ret = edit;
	*ret_base = base;
	return 0;
}
