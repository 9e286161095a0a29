// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "handlers/preview.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/counted.h"

#define LZ_PREVIEW_S 86400

/* One walk through the cells. */
struct look {
	const struct lz_ctl *ctl;
	const struct lz_policy *policy;
	const struct lz_image *image;
	struct lz_ranges excepted;
	__u32 now_s;
	bool monitors; /* and what is in force does not */
	struct lz_preview *ret;
};

static bool refuses(const struct lz_image *image, __u64 key)
{
	return image && !(image->gen.flags & LZ_GEN_F_MONITOR) &&
	       image->gen.class_[lz_image_class_of(image, key, lz_key_family(key))].to_world != LZ_V_PASS;
}

static int add_exception(void *arg, const struct lz_prefix_key *key, const struct lz_exception *e)
{
	const struct lz_keyprefix kp = { .bits = key->bits, .len = key->len };
	const struct lz_prefix prefix = lz_keyprefix_to_prefix(&kp);
	struct look *look = arg;

	return e->until_s > look->now_s ? lz_ranges_add(&look->excepted, &prefix, 0, (struct lz_place){ 0 }) : 0;
}

static int look_at(void *arg, __u64 key, __u32 slot)
{
	struct look *look = arg;
	struct lz_preview *ret = look->ret;
	struct lz_cell_copy cell;
	struct lz_prefix prefix;

	lz_cell_read(&look->ctl->view, slot, look->now_s, &cell);
	if (!cell.smtp_connections || !cell.seen_s || look->now_s - cell.seen_s > LZ_PREVIEW_S)
		return 0;
	ret->users++;
	if (!refuses(look->image, key) || refuses(look->ctl->now.image, key))
		return 0;
	prefix = lz_key_to_prefix(key, look->ctl->view.instance.ipv6_key_len);
	if (lz_ranges_find(&look->policy->never_ranges, &prefix) || lz_ranges_find(&look->excepted, &prefix))
		return 0;
	if (ret->refused < LZ_PREVIEW_FIRST)
		ret->first[ret->refused] = key;
	ret->refused++;
	return 0;
}

static bool has_garden(const struct lz_policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_gardens; i++)
		if (lz_streq(policy->gardens[i].name, name))
			return true;
	return false;
}

/* His garden is in the policy in force and not in the next one. */
static void look_at_garden(struct look *look, __u64 word)
{
	__u32 grade = LZ_HOLD_GRADE(word), row = LZ_GRADE_ROW(grade);
	const struct lz_running *now = &look->ctl->now;

	if (LZ_GRADE_KIND(grade) == LZ_GRADE_GARDEN && now->policy &&
	    has_garden(now->policy, now->image->garden_names[row]) &&
	    !has_garden(look->policy, now->image->garden_names[row]))
		look->ret->in_garden[row]++;
}

static int look_at_held(void *arg, __u64 key, __u64 word)
{
	struct look *look = arg;
	__u32 class_ = lz_image_class_of(look->image, key, lz_key_family(key));

	look_at_garden(look, word);
	look->ret->unstopped += look->monitors;
	if (!(look->image->gen.class_[class_].flags & LZ_CLASS_F_SHARED))
		return 0;
	if (look->ret->freed < LZ_PREVIEW_FIRST)
		look->ret->first_freed[look->ret->freed] = key;
	look->ret->freed++;
	return 0;
}

static bool begins_to_monitor(const struct lz_ctl *ctl, const struct lz_policy *policy)
{
	return policy->mode == LZ_MODE_MONITOR && ctl->now.policy && ctl->now.policy->mode != LZ_MODE_MONITOR;
}

int lz_preview(const struct lz_ctl *ctl, const struct lz_policy *policy, const struct lz_image *image,
	       struct lz_preview *ret)
{
	struct look look = { .ctl = ctl, .policy = policy, .image = image, .ret = ret };
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!ctl->opened)
		return 0;
	look.now_s = lz_tables_now_s(&ctl->view);
	look.monitors = begins_to_monitor(ctl, policy);
	r = lz_exceptions_each(&ctl->view, add_exception, &look);
	lz_ranges_sort(&look.excepted);
	lz_ranges_link(&look.excepted);
	if (r == 0)
		r = lz_cells_each(&ctl->view, look_at, &look);
	if (r == 0)
		r = lz_holds_each(&ctl->view, look.now_s, look_at_held, &look);
	lz_ranges_done(&look.excepted);
	return r;
}

/* At @buf + @at: some of @n keys. */
static void say_first(const struct lz_ctl *ctl, const __u64 *first, size_t n, int at, char *buf)
{
	char text[LZ_PREFIX_TEXT_MAX];

	for (size_t i = 0; i < LZ_PREVIEW_FIRST && i < n; i++)
		at += snprintf(buf + at, LZ_PREVIEW_TEXT_MAX - (size_t)at, "%s %s", i ? "," : "",
			       lz_key_format(first[i], ctl->view.instance.ipv6_key_len, text));
	if (n > LZ_PREVIEW_FIRST)
		snprintf(buf + at, LZ_PREVIEW_TEXT_MAX - (size_t)at, ", ..");
}

const char *lz_preview_say(const struct lz_ctl *ctl, const struct lz_preview *preview,
			   char buf[static LZ_PREVIEW_TEXT_MAX])
{
	int at;

	buf[0] = '\0';
	if (!preview->refused)
		return buf;
	at = snprintf(buf, LZ_PREVIEW_TEXT_MAX, "port 25 to the world is refused to %zu of %zu sources that used it "
		      "within a day and may do so now:", preview->refused, preview->users);
	say_first(ctl, preview->first, preview->refused, at, buf);
	return buf;
}

const char *lz_preview_say_freed(const struct lz_ctl *ctl, const struct lz_preview *preview,
				 char buf[static LZ_PREVIEW_TEXT_MAX])
{
	int at;

	buf[0] = '\0';
	if (!preview->freed)
		return buf;
	at = snprintf(buf, LZ_PREVIEW_TEXT_MAX, "%zu of the held %s in a class that is shared by this policy, and let go "
		      "when it is confirmed:", preview->freed, preview->freed == 1 ? "is" : "are");
	say_first(ctl, preview->first_freed, preview->freed, at, buf);
	return buf;
}

const char *lz_preview_say_unstopped(const struct lz_preview *preview, char buf[static LZ_PREVIEW_TEXT_MAX])
{
	buf[0] = '\0';
	if (preview->unstopped)
		snprintf(buf, LZ_PREVIEW_TEXT_MAX, "%zu held host%s no longer held back: this policy is in monitor mode; the "
			 "hold%s on record", preview->unstopped, preview->unstopped == 1 ? " is" : "s are",
			 preview->unstopped == 1 ? " stays" : "s stay");
	return buf;
}

static int count(void *n, __u64 key, __u64 word)
{
	(void)key;
	(void)word;
	++*(size_t *)n;
	return 0;
}

size_t lz_preview_unstopped(const struct lz_ctl *ctl, const struct lz_policy *policy)
{
	size_t n = 0;

	if (!ctl->opened || !begins_to_monitor(ctl, policy) ||
	    lz_holds_each(&ctl->view, lz_tables_now_s(&ctl->view), count, &n) < 0)
		return 0;
	return n;
}

static int count_v6(void *n, __u64 key, __u64 word)
{
	(void)word;
	*(size_t *)n += lz_key_family(key) == 6;
	return 0;
}

size_t lz_preview_wider(const struct lz_ctl *ctl, const struct lz_policy *policy)
{
	size_t n = 0;

	if (!ctl->opened || policy->ipv6_key >= ctl->view.instance.ipv6_key_len ||
	    lz_holds_each(&ctl->view, lz_tables_now_s(&ctl->view), count_v6, &n) < 0)
		return 0;
	return n;
}

const char *lz_preview_say_gardens(const struct lz_ctl *ctl, const struct lz_image *image,
				   const struct lz_preview *preview, char buf[static LZ_PREVIEW_GARDENS_MAX])
{
	struct lz_str text = { 0 };

	for (size_t row = 0; row < LZ_GARDENS_MAX; row++) {
		const char *name = ctl->now.image ? ctl->now.image->garden_names[row] : "";
		size_t n = preview->in_garden[row];

		if (!n)
			continue;
		lz_str_appendf(&text, "%s%zu held host%s in garden %s, which is not in it: ", text.len ? "; " : "", n,
			       n == 1 ? " is" : "s are", name);
		if (lz_streq(image->garden_names[row], name))
			lz_str_appendf(&text, "there it is %s as built in, with nothing opened",
				       lz_garden_words[image->gen.garden[row].kind]);
		else /* no row was left for a new one */
			lz_str_appendf(&text, "there it is garden %s", image->garden_names[row]);
	}
	lz_text_set(buf, LZ_PREVIEW_GARDENS_MAX, text.error || !text.data ? "" : text.data);
	lz_str_done(&text);
	return buf;
}
