// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* names.c - which host names the policy has, when to ask for them, and what the answers open. */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "control/courier.h"
#include "control/ctl.h"
#include "control/names.h"
#include "datapath/learnt.h"
#include "tell/lookup.h"

#define ASKED_MAX     4
#define ASKED_LIMIT_S 60
#define RETRY_FIRST_S 10
#define RETRY_LAST_S  600
#define CLEAN_EVERY_S 60
#define STRANGERS_S   600 /* what an earlier run learnt stays until all is learnt anew, or so long */
#define OLD_S	      3600 /* without an answer: an alarm */
#define SLACK_S	      10   /* between our answer and that of the customer's resolver */

/* One address that a name has or lately had. */
struct address {
	struct lz_addr addr;
	__u64 until_ns; /* TTL and slack of when it was last seen */
	bool last; /* it is in the last answer */
};

struct name {
	char *text; /* its own copy: answers come while policies go */
	__u64 mask[2]; /* its sets, in the numbering of ctl->now and ctl->before */
	struct address v[LZ_NAMES_KEPT_MAX];
	size_t n;
	__u64 asked_id; /* 0: it is not being asked for */
	__u64 asked_ns, next_ns;
	__u64 good_ns; /* of the last answer; 0: none yet */
	__u32 ttl_s;
	unsigned int failures; /* in a row */
	char error[128];
};

struct lz_names {
	struct name *v;
	size_t n;
	__u64 generation[2]; /* of ctl->now and ctl->before when the list was made */
	__u64 made_ns, cleaned_ns;
	__u64 id; /* the last one used */
	bool strangers; /* the data plane may have addresses that are not ours */
};

/* ---------------------------------------------------------------- what the data plane is told */

static bool is_alive(const struct name *name, const struct address *a, __u64 now_ns, __u64 *ret_until_ns)
{
	__u64 stale_ns = name->good_ns + (name->ttl_s + (__u64)LZ_NAMES_STALE_S) * LZ_NS_PER_S;

	*ret_until_ns = a->last && stale_ns > a->until_ns ? stale_ns : a->until_ns;
	return *ret_until_ns > now_ns;
}

/* All that is known of an address, over all names. */
static bool sum_up(const struct lz_names *names, const struct lz_addr *addr, __u64 now_ns,
		   __u64 ret_mask[2], __u64 *ret_until_ns)
{
	bool any = false;

	ret_mask[0] = ret_mask[1] = *ret_until_ns = 0;
	for (size_t i = 0; i < names->n; i++) {
		const struct name *name = &names->v[i];

		for (size_t k = 0; k < name->n; k++) {
			__u64 until_ns;

			if (lz_addr_cmp(&name->v[k].addr, addr) || !is_alive(name, &name->v[k], now_ns, &until_ns))
				continue;
			any = true;
			ret_mask[0] |= name->mask[0];
			ret_mask[1] |= name->mask[1];
			*ret_until_ns = until_ns > *ret_until_ns ? until_ns : *ret_until_ns;
		}
	}
	return any;
}

static void publish(struct lz_ctl *ctl, const struct name *name, __u64 now_ns)
{
	__u32 active = LZ_GEN_ACTIVE(ctl->view.control->gen_word) & 1;

	for (size_t k = 0; k < name->n; k++) {
		struct lz_learnt entry = { 0 };
		__u64 mask[2], until_ns;
		int r;

		if (!sum_up(ctl->names, &name->v[k].addr, now_ns, mask, &until_ns))
			continue; /* it has ended there too */
		entry.mask[active] = mask[0];
		entry.mask[!active] = mask[1];
		entry.until_s = lz_tables_now_s(&ctl->view) + (__u32)((until_ns - now_ns) / LZ_NS_PER_S);
		r = lz_learnt_put(&ctl->view, &name->v[k].addr, &entry);
		if (r < 0)
			lz_log_err(r, "name-not-opened", "name=%s", name->text);
	}
}

struct clean {
	struct lz_ctl *ctl;
	__u64 now_ns;
	bool strangers;
};

static int clean_one(void *arg, const struct lz_addr *addr, const struct lz_learnt *entry)
{
	struct clean *c = arg;
	__u64 mask[2], until_ns;

	if (entry->until_s <= lz_tables_now_s(&c->ctl->view) ||
	    (c->strangers && !sum_up(c->ctl->names, addr, c->now_ns, mask, &until_ns)))
		lz_learnt_del(&c->ctl->view, addr);
	return 0;
}

/* What has ended goes; so do addresses of another run or policy, once ours are known. */
static void clean(struct lz_ctl *ctl, __u64 now_ns)
{
	struct lz_names *names = ctl->names;
	struct clean c = { .ctl = ctl, .now_ns = now_ns };
	bool known = true;

	for (size_t i = 0; i < names->n; i++)
		known &= names->v[i].good_ns != 0;
	c.strangers = names->strangers &&
		      (known || now_ns - names->made_ns > STRANGERS_S * LZ_NS_PER_S);
	if (!c.strangers && now_ns - names->cleaned_ns < CLEAN_EVERY_S * LZ_NS_PER_S)
		return;
	names->cleaned_ns = now_ns;
	lz_learnt_each(&ctl->view, clean_one, &c);
	if (c.strangers)
		names->strangers = false;
}

/* The bit of a set in a generation's numbering; 0: it has none. */
static __u64 bit_of(const struct lz_image *image, const char *set)
{
	for (int i = LZ_SET_FIRST_NAMED; image && i < LZ_SETS_MAX; i++)
		if (image->set_names[i] && lz_streq(image->set_names[i], set))
			return 1ULL << i;
	return 0;
}

struct renumber {
	struct lz_ctl *ctl;
	__u64 to[LZ_SETS_MAX]; /* new mask of each old bit */
	__u32 from_slot, to_slot;
};

static int renumber_one(void *arg, const struct lz_addr *addr, const struct lz_learnt *entry)
{
	struct renumber *r = arg;
	struct lz_learnt next = *entry;

	next.mask[r->to_slot] = 0;
	for (int i = 0; i < LZ_SETS_MAX; i++)
		if (entry->mask[r->from_slot] >> i & 1)
			next.mask[r->to_slot] |= r->to[i];
	lz_learnt_put(&r->ctl->view, addr, &next);
	return 0;
}

void lz_names_switch(struct lz_ctl *ctl, const struct lz_image *next, __u32 slot)
{
	const struct lz_image *image = ctl->now.image;
	struct renumber r = { .ctl = ctl, .from_slot = !slot, .to_slot = slot };

	for (int i = LZ_SET_FIRST_NAMED; image && i < LZ_SETS_MAX; i++)
		if (image->set_names[i])
			r.to[i] = bit_of(next, image->set_names[i]);
	lz_learnt_each(&ctl->view, renumber_one, &r);
}

/* ---------------------------------------------------------------- which names there are */

static struct name *find_name(struct lz_names *names, const char *text)
{
	for (size_t i = 0; i < names->n; i++)
		if (lz_streq(names->v[i].text, text))
			return &names->v[i];
	return NULL;
}

static void names_free(struct lz_names *names)
{
	for (size_t i = 0; names && i < names->n; i++)
		free(names->v[i].text);
	free(names ? names->v : NULL);
	free(names);
}

/* A name that one of the two policies has; what is known of it stays. NULL: no memory. */
static struct name *add_name(struct lz_names *next, struct lz_names *old, const char *text)
{
	struct name *name = find_name(next, text), *known = old ? find_name(old, text) : NULL;
	char *copy;

	if (name || !(copy = strdup(text)))
		return name;
	name = &next->v[next->n++];
	if (known)
		*name = *known;
	name->text = copy;
	name->mask[0] = name->mask[1] = 0;
	return name;
}

static void add_names(struct lz_names *next, struct lz_names *old, const struct lz_running *running,
		      int which)
{
	for (size_t s = 0; running->policy && s < running->policy->n_sets; s++) {
		const struct lz_policy_set *set = &running->policy->sets[s];

		for (size_t i = 0; i < set->n_hosts; i++) {
			struct name *name = add_name(next, old, set->hosts[i]);

			if (name)
				name->mask[which] |= bit_of(running->image, set->name);
		}
	}
}

static size_t count_hosts(const struct lz_policy *policy)
{
	size_t n = 0;

	for (size_t i = 0; policy && i < policy->n_sets; i++)
		n += policy->sets[i].n_hosts;
	return n;
}

/* Another policy is in force, or one less: make the list anew. -1: there are no names. */
static int follow_policy(struct lz_ctl *ctl, __u64 now_ns)
{
	__u64 now_gen = ctl->now.row.generation, before_gen = ctl->before.row.generation;
	size_t most = count_hosts(ctl->now.policy) + count_hosts(ctl->before.policy);
	struct lz_names *old = ctl->names, *next;

	if (old ? old->generation[0] == now_gen && old->generation[1] == before_gen : !most)
		return old ? 0 : -1;
	next = calloc(1, sizeof(*next));
	if (next)
		next->v = calloc(most + 1, sizeof(*next->v));
	if (!next || !next->v) {
		free(next);
		return -1;
	}
	*next = (struct lz_names){ .v = next->v, .generation = { now_gen, before_gen },
				   .made_ns = now_ns, .cleaned_ns = now_ns, .strangers = true,
				   .id = old ? old->id : LZ_NAMES_FIRST_ID };
	add_names(next, old, &ctl->now, 0);
	add_names(next, old, &ctl->before, 1);
	ctl->names = next;
	for (size_t i = 0; i < next->n; i++)
		publish(ctl, &next->v[i], now_ns);
	names_free(old);
	return 0;
}

/* ---------------------------------------------------------------- questions and answers */

static void fail(struct name *name, const char *why)
{
	__u64 rest_s = name->failures > 6 ? RETRY_LAST_S : (__u64)RETRY_FIRST_S << name->failures;

	if (!name->failures)
		lz_log(LZ_LOG_WARNING, "name-not-found", "name=%s why=%s", name->text, why);
	name->failures++;
	name->asked_id = 0;
	name->next_ns = lz_clock_mono_ns() + (rest_s < RETRY_LAST_S ? rest_s : RETRY_LAST_S) * LZ_NS_PER_S;
	lz_text_set(name->error, sizeof(name->error), why);
}

/* Room for one more: of a free place, or of the address that ends first. */
static struct address *room_for(struct name *name)
{
	struct address *first = &name->v[0];

	if (name->n < LZ_NAMES_KEPT_MAX)
		return &name->v[name->n++];
	for (size_t i = 1; i < name->n; i++)
		if (first->last || (!name->v[i].last && name->v[i].until_ns < first->until_ns))
			first = &name->v[i];
	return first;
}

static void take_address(struct name *name, const struct lz_addr *addr, __u64 until_ns)
{
	struct address *a = NULL;

	for (size_t i = 0; i < name->n && !a; i++)
		if (!lz_addr_cmp(&name->v[i].addr, addr))
			a = &name->v[i];
	if (!a)
		a = room_for(name);
	*a = (struct address){ .addr = *addr, .until_ns = until_ns, .last = true };
}

static void forget_ended(struct name *name, __u64 now_ns)
{
	for (size_t i = 0; i < name->n;) {
		if (name->v[i].last || name->v[i].until_ns > now_ns)
			i++;
		else
			name->v[i] = name->v[--name->n];
	}
}

static int take_answer(struct name *name, const cJSON *answer, __u64 now_ns, struct lz_err *reterr)
{
	const cJSON *list, *item;
	unsigned int n = 0;
	__u64 ttl_s, until_ns;
	int r = lz_json_get_u64(answer, "ttl_s", 0, LZ_JSON_INTEGER_MAX, &ttl_s, reterr);

	r = r ?: lz_json_get_array(answer, "addresses", &list, reterr);
	if (r < 0)
		return r;
	ttl_s = ttl_s < LZ_NAMES_TTL_MIN_S ? LZ_NAMES_TTL_MIN_S :
		ttl_s > LZ_NAMES_TTL_MAX_S ? LZ_NAMES_TTL_MAX_S : ttl_s;
	until_ns = now_ns + (ttl_s + SLACK_S) * LZ_NS_PER_S;
	for (size_t i = 0; i < name->n; i++)
		name->v[i].last = false;
	cJSON_ArrayForEach(item, list) {
		struct lz_addr addr;

		if (!cJSON_IsString(item) || lz_addr_parse(item->valuestring, &addr, NULL) < 0 ||
		    !lz_addr_is_host(&addr) || n++ == LZ_LOOKUP_ADDRESSES_MAX)
			continue;
		take_address(name, &addr, until_ns);
	}
	name->good_ns = now_ns;
	name->ttl_s = (__u32)ttl_s;
	name->next_ns = now_ns + ttl_s * LZ_NS_PER_S;
	name->failures = 0;
	name->asked_id = 0;
	return 0;
}

void lz_names_answer(struct lz_ctl *ctl, __u64 id, const cJSON *answer, const char *error)
{
	__u64 now_ns = lz_clock_mono_ns();
	struct lz_err err = { "" };

	for (size_t i = 0; ctl->names && i < ctl->names->n; i++) {
		struct name *name = &ctl->names->v[i];

		if (name->asked_id != id)
			continue;
		if (error || take_answer(name, answer, now_ns, &err) < 0) {
			fail(name, error ? error : err.text);
			return;
		}
		publish(ctl, name, now_ns);
		forget_ended(name, now_ns);
		return;
	}
}

void lz_names_lost(struct lz_ctl *ctl, const char *why)
{
	for (size_t i = 0; ctl->names && i < ctl->names->n; i++)
		if (ctl->names->v[i].asked_id)
			fail(&ctl->names->v[i], why);
}

static int ask(struct lz_ctl *ctl, struct name *name, __u64 now_ns)
{
	lz_autojson cJSON *message = cJSON_CreateObject();
	const struct lz_policy *policy = ctl->now.policy;
	lz_autostr struct lz_str servers = { 0 };
	char addr[LZ_ADDR_TEXT_MAX];
	int r;

	for (size_t i = 0; policy && i < policy->n_name_servers; i++)
		lz_str_appendf(&servers, "%s%s", i ? "," : "", lz_addr_format(&policy->name_servers[i], addr));
	lz_json_add_u64(message, "id", ++ctl->names->id);
	lz_json_add_str(message, "way", "look-up");
	lz_json_add_str(message, "name", name->text);
	lz_json_add_str(message, "servers", servers.data ? servers.data : "");
	r = lz_courier_send(ctl, message);
	if (r == 0) {
		name->asked_id = ctl->names->id;
		name->asked_ns = now_ns;
	}
	return r;
}

void lz_names_turn(struct lz_ctl *ctl)
{
	__u64 now_ns = lz_clock_mono_ns();
	struct lz_swap_state state;
	unsigned int asked = 0;

	if (!ctl->opened || !ctl->now.policy)
		return;
	lz_swap_state_get(&ctl->view, &state);
	if (state.expired || follow_policy(ctl, now_ns) < 0)
		return;
	for (size_t i = 0; i < ctl->names->n; i++) {
		struct name *name = &ctl->names->v[i];

		if (name->asked_id && now_ns - name->asked_ns > ASKED_LIMIT_S * LZ_NS_PER_S)
			fail(name, "no answer from the teller");
		asked += name->asked_id != 0;
	}
	for (size_t i = 0; i < ctl->names->n && asked < ASKED_MAX; i++) {
		struct name *name = &ctl->names->v[i];

		if (name->asked_id || name->next_ns > now_ns)
			continue;
		if (ask(ctl, name, now_ns) < 0)
			break;
		asked++;
	}
	clean(ctl, now_ns);
}

/* ---------------------------------------------------------------- what an operator sees */

static bool is_bad(const struct name *name, __u64 now_ns)
{
	return name->failures && (!name->good_ns || now_ns - name->good_ns > OLD_S * LZ_NS_PER_S);
}

void lz_names_check(struct lz_ctl *ctl, char *why, size_t size)
{
	__u64 now_ns = lz_clock_mono_ns();

	why[0] = '\0';
	for (size_t i = 0; ctl->names && i < ctl->names->n && !why[0]; i++)
		if (is_bad(&ctl->names->v[i], now_ns))
			snprintf(why, size, "%.120s: no answer %s: %.80s", ctl->names->v[i].text,
				 ctl->names->v[i].good_ns ? "for an hour" : "yet", ctl->names->v[i].error);
}

void lz_names_say(struct lz_ctl *ctl, cJSON *end)
{
	cJSON *obj, *list, *one, *addresses;
	char text[LZ_ADDR_TEXT_MAX];

	if (!ctl->names || !ctl->names->n)
		return;
	obj = cJSON_AddObjectToObject(end, "names");
	lz_json_add_u64(obj, "known", ctl->names->n);
	list = cJSON_AddArrayToObject(obj, "list");
	for (size_t i = 0; i < ctl->names->n; i++) {
		const struct name *name = &ctl->names->v[i];

		one = cJSON_CreateObject();
		cJSON_AddItemToArray(list, one);
		lz_json_add_str(one, "name", name->text);
		addresses = cJSON_AddArrayToObject(one, "addresses");
		for (size_t k = 0; k < name->n; k++)
			if (name->v[k].last)
				cJSON_AddItemToArray(addresses, cJSON_CreateString(lz_addr_format(&name->v[k].addr, text)));
		if (name->failures)
			lz_json_add_str(one, "why", name->error);
	}
}
