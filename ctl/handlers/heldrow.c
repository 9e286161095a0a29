// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* heldrow.c - the one place that knows what a row of the colony looks like. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/lines.h"
#include "cases/case.h"
#include "control/counted.h"
#include "control/ctl.h"
#include "handlers/heldrow.h"

#define LZ_DAY_S 86400

void lz_held_rows_forget(struct lz_held_rows *rows)
{
	for (size_t i = 0; i < LZ_HELD_ROW_SLOTS; i++)
		rows->words[i].origin = 0;
	rows->class_.len = rows->customer.len = 0;
}

void lz_held_rows_done(struct lz_held_rows *rows)
{
	for (size_t i = 0; i < LZ_HELD_ROW_SLOTS; i++) {
		lz_str_done(&rows->words[i].state);
		lz_str_done(&rows->words[i].why);
		lz_str_done(&rows->words[i].line);
	}
	lz_str_done(&rows->other.state);
	lz_str_done(&rows->other.why);
	lz_str_done(&rows->other.line);
	lz_str_done(&rows->class_);
	lz_str_done(&rows->customer);
	memset(rows, 0, sizeof(*rows));
}

/* Addresses and times have nothing in them that would be quoted. */
static void add_plain(struct lz_str *s, const char *before, const char *text, const char *after)
{
	lz_str_append(s, before);
	lz_str_append(s, text);
	lz_str_append(s, after);
}

/* @head: ,"name": */
static void add_member(struct lz_str *s, const char *head, const char *text)
{
	lz_str_append(s, head);
	lz_json_quote(s, text);
}

/* ---------------------------------------------------------------- what an origin says */

/* "garden" is only there for a garden: older readers know no other grade. */
static void say_state(struct lz_str *s, const char *text)
{
	struct lz_grade grade;
	bool known = lz_grade_parse(text, &grade, NULL) == 0;

	if (known)
		add_member(s, ",\"state\":", lz_case_state_words[lz_case_state_of(&grade)]);
	add_member(s, ",\"grade\":", text);
	if (known && grade.kind == LZ_GRADE_IS_GARDEN)
		add_member(s, ",\"garden\":", grade.garden);
}

/* A line is words: "throttle 10/min" is throttle:10/min there. A ticket has no blank. */
static void say_line(struct lz_str *s, const struct lz_held *held)
{
	char grade[LZ_GRADE_TEXT_MAX];
	const char *name = grade;

	lz_text_set(grade, sizeof(grade), held->grade);
	if (strchr(grade, ' '))
		*strchr(grade, ' ') = ':';
	if (lz_streq(grade, "garden:leaky") || lz_streq(grade, "garden:strict"))
		name = strchr(grade, ':') + 1;
	add_plain(s, " ", name, held->staff_only ? ",staff-only " : " ");
	lz_lines_quote_word(s, held->ticket);
	lz_str_append(s, " ");
	lz_lines_quote_text(s, held->reason);
	lz_str_append(s, "\n");
}

static void say_words(struct lz_held_words *w, const struct lz_held *held)
{
	w->origin = held->origin;
	w->state.len = w->why.len = w->line.len = 0; /* line: when it is asked for */
	say_state(&w->state, held->grade);
	if (held->reason[0])
		add_member(&w->why, ",\"reason\":", held->reason);
	if (held->ticket[0])
		add_member(&w->why, ",\"ticket\":", held->ticket);
	add_member(&w->why, ",\"actor\":", held->actor);
	add_member(&w->why, ",\"source\":", held->source);
}

static struct lz_held_words *words_of(struct lz_held_rows *rows, const struct lz_held *held)
{
	struct lz_held_words *w = held->origin ?
		&rows->words[(__u64)held->origin % LZ_HELD_ROW_SLOTS] : &rows->other;

	if (!held->origin || w->origin != held->origin)
		say_words(w, held);
	return w;
}

/* ---------------------------------------------------------------- what the policy says */

static const struct lz_str *class_of(struct lz_held_rows *rows, const struct lz_ctl *ctl,
				     const struct lz_held *held)
{
	__u32 class_ = lz_image_class_of(ctl->now.image, held->key, lz_key_family(held->key));
	const char *name = lz_class_name(ctl, class_);

	if (!rows->class_.len || rows->of_class != class_) {
		rows->class_.len = 0;
		rows->of_class = class_;
		if (name)
			add_member(&rows->class_, ",\"class\":", name);
	}
	return &rows->class_;
}

static const struct lz_str *customer_of(struct lz_held_rows *rows, const struct lz_policy *policy,
					const struct lz_prefix *prefix)
{
	static const struct lz_str none;
	const struct lz_range *own = lz_ranges_find(&policy->customer_ranges, prefix);

	if (!own)
		return &none;
	if (!rows->customer.len || rows->of_customer != own->owner) {
		rows->customer.len = 0;
		rows->of_customer = own->owner;
		add_member(&rows->customer, ",\"customer\":", policy->customers[own->owner].id);
	}
	return &rows->customer;
}

/* ---------------------------------------------------------------- rows */

static void add_str(struct lz_str *to, const struct lz_str *from)
{
	to->error = to->error ? to->error : from->error;
	if (from->len)
		lz_str_append_n(to, from->data, from->len);
}

enum { SINCE, UNTIL };

/* The date is the same for most; only the clock is printed anew. */
static const char *time_of(struct lz_held_rows *rows, int which, __u64 wall_s)
{
	char *text = rows->date[which];
	__u64 day = wall_s / LZ_DAY_S + 1, s = wall_s % LZ_DAY_S;
	const __u64 parts[] = { s / 3600, s / 60 % 60, s % 60 };

	if (rows->day[which] != day) {
		lz_time_format(wall_s * LZ_NS_PER_S, text);
		rows->day[which] = day;
	}
	for (size_t i = 0; i < LZ_ARRAY_SIZE(parts); i++) {
		text[sizeof("2026-11-26T") - 1 + 3 * i] = (char)('0' + parts[i] / 10);
		text[sizeof("2026-11-26T") + 3 * i] = (char)('0' + parts[i] % 10);
	}
	return text;
}

/* @addr: the first of its key */
static enum lz_hold_off off_of(const struct lz_ctl *ctl, const struct lz_held *held, struct lz_addr addr)
{
	if (held->address[0] && addr.family == 6) /* one of many in its key */
		lz_addr_parse(held->address, &addr, NULL);
	return lz_hold_off(ctl, &addr, held->expiry_s);
}

int lz_held_row_json(struct lz_held_rows *rows, struct lz_ctl *ctl, const struct lz_held *held,
		     struct lz_str *ret)
{
	struct lz_prefix prefix = lz_key_to_prefix(held->key, ctl->view.instance.ipv6_key_len);
	const struct lz_held_words *w = words_of(rows, held);
	char address[LZ_ADDR_TEXT_MAX], key[LZ_PREFIX_TEXT_MAX];

	rows->off = off_of(ctl, held, prefix.addr);
	lz_str_append(ret, "{\"address\":");
	lz_json_quote(ret, held->address[0] ? held->address : lz_addr_format(&prefix.addr, address));
	add_plain(ret, ",\"touched\":[\"", lz_prefix_format(&prefix, key), "\"]");
	if (ctl->now.policy) {
		add_str(ret, customer_of(rows, ctl->now.policy, &prefix));
		add_str(ret, class_of(rows, ctl, held));
	}
	add_str(ret, &w->state);
	if (rows->off)
		add_member(ret, ",\"enforced\":false,\"not_enforced\":", lz_hold_off_texts[rows->off]);
	if (held->since_s)
		add_plain(ret, ",\"since\":\"", time_of(rows, SINCE, held->since_s), "\"");
	else
		lz_str_append(ret, ",\"since\":null");
	add_plain(ret, ",\"until\":\"", time_of(rows, UNTIL, lz_ctl_wall_of(held->expiry_s)), "\"");
	add_str(ret, &w->why);
	if (held->case_id)
		lz_str_appendf(ret, ",\"case\":%llu", (unsigned long long)held->case_id);
	return lz_str_append(ret, "}");
}

int lz_held_row_line(struct lz_held_rows *rows, struct lz_ctl *ctl, const struct lz_held *held,
		     struct lz_str *ret)
{
	struct lz_prefix prefix = lz_key_to_prefix(held->key, ctl->view.instance.ipv6_key_len);
	char address[LZ_ADDR_TEXT_MAX];
	struct lz_held_words *w;
	struct lz_held said;

	if (!held->staff_only && lz_case_is_staffs(ctl, held->case_id)) { /* its origin does not say so */
		said = *held;
		said.staff_only = true;
		said.origin = 0;
		held = &said;
	}
	w = words_of(rows, held);
	if (!w->line.len)
		say_line(&w->line, held);
	lz_str_append(ret, held->address[0] ? held->address : lz_addr_format(&prefix.addr, address));
	add_plain(ret, " ", time_of(rows, UNTIL, lz_ctl_wall_of(held->expiry_s)), "");
	add_str(ret, &w->line);
	return ret->error;
}
