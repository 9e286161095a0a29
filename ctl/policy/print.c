/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* print.c - a policy as canonical JSON: one order of keys, every default spelt out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "policy/policy.h"

#define PACKED_PREFIXES 64 /* in a string: a line of a page or two, should somebody look at it */

/* cJSON adds return NULL for lack of memory; one flag remembers the first of them. */
struct printer {
	const struct lz_policy *policy;
	unsigned flags;
	bool failed;
};

static cJSON *add_object(struct printer *p, cJSON *parent, const char *key)
{
	cJSON *obj = cJSON_AddObjectToObject(parent, key);

	p->failed |= !obj;
	return obj;
}

static cJSON *add_list(struct printer *p, cJSON *parent, const char *key)
{
	cJSON *list = cJSON_AddArrayToObject(parent, key);

	p->failed |= !list;
	return list;
}

static void add_str(struct printer *p, cJSON *obj, const char *key, const char *value)
{
	p->failed |= lz_json_add_str(obj, key, value) < 0;
}

static void add_u64(struct printer *p, cJSON *obj, const char *key, __u64 value)
{
	p->failed |= lz_json_add_u64(obj, key, value) < 0;
}

static void add_duration(struct printer *p, cJSON *obj, const char *key, __u64 ns)
{
	char text[LZ_DURATION_TEXT_MAX];

	add_str(p, obj, key, lz_duration_format(ns, text));
}

static void append(struct printer *p, cJSON *list, const char *text)
{
	cJSON *item = cJSON_CreateString(text);

	p->failed |= !item || !cJSON_AddItemToArray(list, item);
}

static void add_refs(struct printer *p, cJSON *obj, const char *key, const struct lz_refs *refs)
{
	cJSON *list = add_list(p, obj, key);
	char text[LZ_PREFIX_TEXT_MAX];

	for (size_t i = 0; i < refs->n && list; i++) {
		const struct lz_ref *ref = &refs->v[i];

		if (ref->kind == LZ_REF_SET) {
			append(p, list, p->policy->sets[ref->set].name);
		} else if (ref->kind == LZ_REF_PREFIX) {
			append(p, list, lz_prefix_format(&ref->prefix, text));
		} else {
			snprintf(text, sizeof(text), "%s/%u", ref->protocol == 6 ? "tcp" : "udp", ref->port);
			append(p, list, text);
		}
	}
}

static void print_interfaces(struct printer *p, cJSON *root)
{
	cJSON *groups = add_object(p, root, "interfaces");

	for (size_t i = 0; i < p->policy->n_interfaces && !p->failed; i++) {
		const struct lz_policy_interfaces *group = &p->policy->interfaces[i];
		cJSON *obj = add_object(p, groups, group->name), *match;

		add_str(p, obj, "side", lz_side_words[group->side]);
		match = add_list(p, obj, "match");
		for (size_t k = 0; k < group->n_match; k++)
			append(p, match, group->match[k]);
		add_str(p, obj, "hook", lz_hook_words[group->hook]);
		add_str(p, obj, "source-validation", lz_validation_words[group->validation]);
	}
}

/* Half a million prefixes, without a cJSON item for each: one item that is their text. */
static void append_entries(struct printer *p, cJSON *list, const struct lz_entries *entries)
{
	unsigned per_string = p->flags & LZ_PRINT_PACKED ? PACKED_PREFIXES : 1;
	bool inlined = p->flags & LZ_PRINT_INLINE_FILES;
	lz_autostr struct lz_str raw = { 0 };
	char text[LZ_PREFIX_TEXT_MAX];
	cJSON *item;
	size_t n = 0;

	for (size_t i = 0; i < entries->n; i++) {
		if (!inlined && entries->v[i].place.line)
			continue;
		lz_str_append(&raw, n % per_string ? " " : n ? "\", \"" : "\"");
		lz_str_append(&raw, lz_prefix_format(&entries->v[i].prefix, text));
		n++;
	}
	if (!n)
		return;
	lz_str_append(&raw, "\"");
	item = raw.error ? NULL : cJSON_CreateRaw(raw.data);
	p->failed |= !item || !cJSON_AddItemToArray(list, item);
}

static void print_set(struct printer *p, cJSON *sets, __u32 idx)
{
	const struct lz_policy_set *set = &p->policy->sets[idx];
	bool inlined = p->flags & LZ_PRINT_INLINE_FILES;
	cJSON *list = add_list(p, sets, set->name), *obj, *names;

	append_entries(p, list, &set->entries);
	for (size_t i = 0; i < p->policy->n_files && !inlined; i++) {
		if (p->policy->files[i].set != idx)
			continue;
		obj = cJSON_CreateObject();
		p->failed |= !obj || !cJSON_AddItemToArray(list, obj);
		add_str(p, obj, "file", p->policy->files[i].name);
	}
	if (!set->n_hosts)
		return;
	obj = cJSON_CreateObject();
	p->failed |= !obj || !cJSON_AddItemToArray(list, obj);
	names = add_list(p, obj, "names");
	for (size_t i = 0; i < set->n_hosts; i++)
		append(p, names, set->hosts[i]);
}

static void print_customers(struct printer *p, cJSON *root)
{
	const struct lz_policy *policy = p->policy;
	bool inlined = p->flags & LZ_PRINT_INLINE_FILES;
	cJSON *customers = add_object(p, root, "customers"), *list = NULL, **of;
	char text[LZ_PREFIX_TEXT_MAX];

	for (size_t i = 0; i < policy->n_files && !inlined; i++)
		if (policy->files[i].set == LZ_RANGE_NONE)
			add_str(p, customers, "file", policy->files[i].name);
	of = calloc(policy->n_customers + 1,
		    sizeof(*of)); /* the list of each customer, once it has one */
	p->failed |= !of;
	for (size_t i = 0; i < policy->customer_ranges.n && !p->failed; i++) {
		const struct lz_range *range = &policy->customer_ranges.v[i];

		if (range->place.line && !inlined)
			continue;
		if (!list)
			list = add_object(p, customers, "list");
		if (!of[range->owner])
			of[range->owner] = add_list(p, list, policy->customers[range->owner].id);
		append(p, of[range->owner], lz_prefix_format(&range->prefix, text));
	}
	free(of);
}

static void print_limit(struct printer *p, cJSON *list, const struct lz_policy_limit *limit)
{
	static const char *const actions[] = { "drop", "refuse", "notify" };
	char text[LZ_NAME_MAX + LZ_RATE_TEXT_MAX], time[LZ_DURATION_TEXT_MAX];
	cJSON *obj = cJSON_CreateObject(), *per;

	p->failed |= !obj || !cJSON_AddItemToArray(list, obj);
	add_str(p, obj, "name", limit->name);
	add_str(p, obj, "count", lz_what_words[limit->what]);
	if (limit->to.n)
		add_refs(p, obj, "to", &limit->to);
	if (limit->per == LZ_PER_PREFIX) {
		per = add_object(p, obj, "per");
		add_u64(p, per, "ipv4", limit->per_ipv4_len);
		add_u64(p, per, "ipv6", limit->per_ipv6_len);
	} else {
		add_str(p, obj, "per", limit->per == LZ_PER_SOURCE ? "source" : "customer");
	}
	if (limit->is_bucket) {
		add_str(p, obj, "rate", lz_rate_format(&limit->rate, text));
		add_u64(p, obj, "burst", limit->burst);
	} else {
		add_str(p, obj, "at-most", lz_rate_format(&limit->at_most, text));
	}
	if (limit->then == LZ_ACTION_HOLD)
		snprintf(text, sizeof(text), "hold %s", lz_duration_format(limit->hold_ns, time));
	else if (limit->then == LZ_ACTION_LADDER)
		snprintf(text, sizeof(text), "ladder:%s", p->policy->ladders[limit->ladder].name);
	else
		snprintf(text, sizeof(text), "%s", actions[limit->then]);
	add_str(p, obj, "then", text);
	if (limit->then == LZ_ACTION_REFUSE)
		add_str(p, obj, "refuse", lz_refusal_words[limit->refuse]);
	add_str(p, obj, "mode", lz_mode_words[limit->monitor ? LZ_MODE_MONITOR : LZ_MODE_ENFORCE]);
}

static void print_classes(struct printer *p, cJSON *root)
{
	cJSON *classes = add_object(p, root, "classes");

	for (size_t i = 0; i < p->policy->n_classes && !p->failed; i++) {
		const struct lz_policy_class *class = &p->policy->classes[i];
		cJSON *obj = add_object(p, classes, class->name), *port25, *limits;

		add_refs(p, obj, "of", &class->of);
		p->failed |= lz_json_add_bool(obj, "shared", class->shared) < 0;
		port25 = add_object(p, obj, "port25");
		add_str(p, port25, "to-world", lz_refusal_words[class->port25.to_world]);
		add_refs(p, port25, "except-to", &class->port25.except_to);
		add_str(p, port25, "from-port-25", lz_refusal_words[class->port25.from_port_25]);
		add_str(p, port25, "to-customers", lz_refusal_words[class->port25.to_customers]);
		limits = add_list(p, obj, "limits");
		for (size_t k = 0; k < class->n_limits; k++)
			print_limit(p, limits, &class->limits[k]);
	}
}

static void print_step(struct printer *p, cJSON *list, const struct lz_policy_step *step)
{
	char text[LZ_NAME_MAX + LZ_RATE_TEXT_MAX + LZ_DURATION_TEXT_MAX];
	char time[LZ_DURATION_TEXT_MAX], rate[LZ_RATE_TEXT_MAX];

	lz_duration_format(step->time_ns, time);
	if (step->kind == LZ_STEP_NOTIFY)
		snprintf(text, sizeof(text), "notify");
	else if (step->kind == LZ_STEP_THROTTLE)
		snprintf(text, sizeof(text), "throttle %s %s", lz_rate_format(&step->rate, rate), time);
	else if (step->kind == LZ_STEP_BLOCK25)
		snprintf(text, sizeof(text), "block25 %s", time);
	else
		snprintf(text, sizeof(text), "garden:%s %s", step->garden, time);
	append(p, list, text);
}

static void print_ladders(struct printer *p, cJSON *root)
{
	cJSON *ladders = add_object(p, root, "ladders");

	for (size_t i = 0; i < p->policy->n_ladders && !p->failed; i++) {
		const struct lz_policy_ladder *ladder = &p->policy->ladders[i];
		cJSON *obj = add_object(p, ladders, ladder->name), *steps;

		add_duration(p, obj, "forget", ladder->forget_ns);
		add_duration(p, obj, "grace", ladder->grace_ns);
		steps = add_list(p, obj, "steps");
		for (size_t k = 0; k < ladder->n_steps; k++)
			print_step(p, steps, &ladder->steps[k]);
	}
}

static void print_gardens(struct printer *p, cJSON *root)
{
	cJSON *gardens = add_object(p, root, "gardens");

	for (size_t i = 0; i < p->policy->n_gardens && !p->failed; i++) {
		const struct lz_policy_garden *garden = &p->policy->gardens[i];
		cJSON *obj = add_object(p, gardens, garden->name);

		add_str(p, obj, "kind", lz_garden_words[garden->kind]);
		add_refs(p, obj, "allow", &garden->allow);
		add_str(p, obj, "mail", lz_refusal_words[garden->mail]);
		add_str(p, obj, "web", lz_web_words[garden->web]);
		add_str(p, obj, "tls", lz_refusal_words[garden->tls]);
	}
}

static void print_scalars(struct printer *p, cJSON *root)
{
	const struct lz_policy *policy = p->policy;
	char text[LZ_PERCENT_TEXT_MAX];
	cJSON *obj;

	add_u64(p, root, "ipv6-key", policy->ipv6_key);
	add_refs(p, root, "never", &policy->never);
	add_refs(p, root, "always-reach", &policy->always_reach);
	add_str(p, root, "foreign", policy->foreign_count ? "count" : "ignore");
	add_str(p, root, "unparsed", policy->unparsed_drop ? "drop" : "pass");
	obj = add_object(p, root, "capacity");
	add_u64(p, obj, "sources", policy->sources_max);
	add_u64(p, obj, "colony", policy->colony_max);
	add_duration(p, obj, "idle", policy->idle_ns);
	obj = add_object(p, root, "evidence");
	add_str(p, obj, "quarantine-needs", lz_needs_words[policy->quarantine_needs]);
	obj = add_object(p, root, "guard");
	add_u64(p, obj, "new-per-minute", policy->guard_new_per_minute);
	add_str(p, obj, "active-sources", lz_percent_format(policy->guard_active_ppm, text));
}

static void add_text(struct printer *p, cJSON *obj, const char *key, const char *text)
{
	if (*text)
		add_str(p, obj, key, text);
}

static void print_endpoints(struct printer *p, cJSON *obj, const struct lz_endpoints *endpoints)
{
	cJSON *list = add_list(p, obj, "listen");

	for (size_t i = 0; i < endpoints->n && list; i++) {
		char addr[LZ_ADDR_TEXT_MAX], text[LZ_ADDR_TEXT_MAX + 8];
		bool v6 = endpoints->v[i].addr.family == 6;

		snprintf(text, sizeof(text), v6 ? "[%s]:%u" : "%s:%u",
			 lz_addr_format(&endpoints->v[i].addr, addr), endpoints->v[i].port);
		append(p, list, text);
	}
}

static void print_api(struct printer *p, cJSON *portal)
{
	const struct lz_policy_api *api = &p->policy->portal.api;
	cJSON *obj;

	if (!api->present)
		return;
	obj = add_object(p, portal, "api");
	add_str(p, obj, "url", api->url);
	print_endpoints(p, obj, &api->listen);
	add_str(p, obj, "certificate", api->certificate);
	add_str(p, obj, "key", api->key);
}

static void print_portal(struct printer *p, cJSON *root)
{
	const struct lz_policy_portal *portal = &p->policy->portal;
	cJSON *obj, *list;

	if (!portal->present)
		return;
	obj = add_object(p, root, "portal");
	add_str(p, obj, "url", portal->url);
	add_str(p, obj, "provider", portal->provider);
	add_str(p, obj, "contact", portal->contact);
	list = add_list(p, obj, "languages");
	for (size_t i = 0; i < portal->n_languages && list; i++)
		append(p, list, portal->languages[i]);
	add_text(p, obj, "templates", portal->templates);
	list = add_object(p, obj, "self-release");
	add_u64(p, list, "times", portal->self_release_times);
	add_duration(p, list, "quiet", portal->self_release_quiet_ns);
	if (portal->listen.n)
		print_endpoints(p, obj, &portal->listen);
	print_api(p, obj);
}

static void print_tell(struct printer *p, cJSON *root)
{
	const struct lz_policy_tell *tell = &p->policy->tell;
	cJSON *obj, *way;

	if (!tell->present)
		return;
	obj = add_object(p, root, "tell");
	add_text(p, obj, "hook", tell->hook);
	if (*tell->webhook_url) {
		way = add_object(p, obj, "webhook");
		add_str(p, way, "url", tell->webhook_url);
		add_str(p, way, "secret-file", tell->webhook_secret_file);
	}
	if (*tell->mail_to) {
		way = add_object(p, obj, "mail");
		add_str(p, way, "to", tell->mail_to);
		add_str(p, way, "from", tell->mail_from);
		add_str(p, way, "via", *tell->mail_via ? tell->mail_via : "sendmail");
	}
	p->failed |= lz_json_add_bool(obj, "address", tell->address) < 0;
	way = add_list(p, obj, "on");
	for (unsigned i = 0; i < LZ_TELL_N && way; i++)
		if (tell->on >> i & 1)
			append(p, way, lz_tell_words[i]);
}

static void print_name_servers(struct printer *p, cJSON *root)
{
	char text[LZ_ADDR_TEXT_MAX];
	cJSON *list;

	if (!p->policy->n_name_servers)
		return;
	list = add_list(p, root, "name-servers");
	for (size_t i = 0; i < p->policy->n_name_servers && list; i++)
		append(p, list, lz_addr_format(&p->policy->name_servers[i], text));
}

int lz_policy_print(const struct lz_policy *policy, unsigned flags, char **ret)
{
	struct printer p = { .policy = policy, .flags = flags };
	lz_autojson cJSON *root = cJSON_CreateObject();
	cJSON *sets;
	char *text;

	p.failed = !root;
	add_u64(&p, root, "version", LZ_POLICY_VERSION);
	if (*policy->name)
		add_str(&p, root, "name", policy->name);
	add_str(&p, root, "mode", lz_mode_words[policy->mode]);
	print_interfaces(&p, root);
	sets = add_object(&p, root, "sets");
	for (size_t i = 0; i < policy->n_sets && !p.failed; i++)
		print_set(&p, sets, (__u32)i);
	print_scalars(&p, root);
	print_customers(&p, root);
	print_gardens(&p, root);
	print_ladders(&p, root);
	print_classes(&p, root);
	print_portal(&p, root);
	print_tell(&p, root);
	print_name_servers(&p, root);
	text = p.failed ? NULL : cJSON_Print(root);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}
