/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* hostlist.c - lines to entries. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "control/ctl.h"
#include "control/hold.h"
#include "control/target.h"
#include "handlers/answer.h"
#include "handlers/hostlist.h"
#include "lazaret/proto.h"

void lz_list_init(struct lz_list *list, struct lz_ctl *ctl, char *text, size_t len)
{
	*list = (struct lz_list){ .ctl = ctl, .text = text, .len = len,
				  .now_s = lz_tables_now_s(&ctl->view) };
	lz_lines_init(&list->lines, text, len);
}

void lz_list_done(struct lz_list *list)
{
	free(list->text);
	free(list->v);
	free(list->orders);
	free(list->customers);
	free(list->customer_of);
	lz_own_done(&list->own);
	memset(list, 0, sizeof(*list));
}

const char *lz_list_address(const struct lz_list *list, const struct lz_list_entry *e)
{
	return e->address == LZ_LIST_ALONG ? "" : list->text + e->address;
}

/* A word without cutting it off; NULL for none and for "-". */
static const char *find_word(const char **at, size_t *ret_len)
{
	const char *word = *at + strspn(*at, " \t");

	*ret_len = strcspn(word, " \t");
	*at = word + *ret_len;
	return !*ret_len || (*ret_len == 1 && *word == '-') ? NULL : word;
}

static const char *cut_word(char **at)
{
	const char *word = *at;
	char *end;
	size_t len;

	*at += strspn(*at, " \t");
	end = *at + strcspn(*at, " \t");
	word = find_word(&word, &len);
	*at = end + (*end != '\0');
	*end = '\0';
	return word;
}

/* UINT32_MAX: too late. An UNTIL that an export has written is the end it was written of. */
static __u32 end_of(const struct lz_list *list, __u64 ns, bool until)
{
	__u64 s = ns / LZ_NS_PER_S;

	if (until)
		return lz_ctl_mono_of((ns + LZ_NS_PER_S - 1) / LZ_NS_PER_S);
	if (s > LZ_HOLD_CAP_S)
		return UINT32_MAX;
	return s ? LZ_HOLD_END(list->now_s, (__u32)s) : 0;
}

/* A DATE, with or without the time of day, is told from a TIME by how it begins: 2027-.. */
static bool is_date(const char *word)
{
	return strspn(word, "0123456789") == 4 && word[4] == '-';
}

static int parse_time(const char *word, bool until, __u64 *ret_ns, struct lz_err *reterr)
{
	int r = until ? lz_time_parse(word, ret_ns, reterr) : lz_duration_parse(word, ret_ns, reterr);

	if (r == -EINVAL && !until)
		lz_err_set(reterr, EINVAL, "'%.60s' is neither a time nor a date (want e.g. 72h, 7d, "
			   "2027-03-01 or 2027-03-01T12:00:00Z)", word);
	return r;
}

/* DATE or TIME; not given: 72 h. */
static int read_time(struct lz_list *list, const char *word, __u32 *ret, struct lz_err *reterr)
{
	__u64 ns = LZ_HOLD_DEFAULT_S * LZ_NS_PER_S;
	bool until = word && is_date(word);
	int r = 0;

	if (word && list->time && lz_streq(word, list->time)) {
		*ret = list->time_end_s;
		return 0;
	}
	if (word)
		r = parse_time(word, until, &ns, reterr);
	if (r < 0)
		return r;
	*ret = end_of(list, ns, until);
	if (*ret > LZ_HOLD_END(list->now_s, LZ_HOLD_CAP_S))
		return lz_err_set(reterr, ERANGE, "%s: is longer than 31 days", word);
	list->time = word;
	list->time_end_s = *ret;
	return 0;
}

/* Who asks for more is throttled as little as there is: a list is not lost for it. */
static void cap_rate(struct lz_list_order *o)
{
	o->capped = o->grade.kind == LZ_GRADE_IS_THROTTLE &&
		    lz_rate_exceeds(&o->grade.rate, LZ_THROTTLE_MAX_PER_S);
	if (o->capped)
		o->grade.rate = (struct lz_rate){ .count = LZ_THROTTLE_MAX_PER_S, .window_ns = LZ_NS_PER_S };
}

/* A reason that is too long is cut, between characters; half a ticket would be another one. */
static int parse_why(const char *text, struct lz_list_order *o, struct lz_err *reterr)
{
	size_t len;

	o->ticket = lz_lines_word(&text, &len);
	if (o->ticket && len >= LZ_TICKET_TEXT_MAX)
		return lz_err_set(reterr, EINVAL, "%.40s..: is too long for a ticket (want at most %d bytes)",
				  o->ticket, LZ_PROTO_TICKET_BYTES);
	o->ticket_len = (__u32)len;
	o->reason = lz_lines_text(text, &len);
	o->cut = len >= LZ_REASON_TEXT_MAX;
	if (o->cut) {
		len = LZ_REASON_TEXT_MAX - 1;
		while (((__u8)o->reason[len] & 0xc0) == 0x80 && len > LZ_REASON_TEXT_MAX - 4)
			len--;
	}
	o->reason_len = (__u32)len;
	return 0;
}

/* "GRADE,staff-only", or that alone. Cuts it off. */
static bool cut_staff_only(char *word)
{
	char *at = strchr(word, ',');

	at = at ? at + 1 : word;
	if (!lz_streq(at, "staff-only"))
		return false;
	at[at == word ? 0 : -1] = '\0';
	return true;
}

static int parse_order(struct lz_list *list, const char *text, struct lz_list_order *ret,
		       struct lz_err *reterr)
{
	struct lz_list_order o = { .text = text };
	char word[LZ_GRADE_TEXT_MAX + sizeof(",staff-only")] = "";
	const char *grade;
	size_t len;
	int r = 0;

	grade = find_word(&text, &len);
	if (grade && len >= sizeof(word))
		return lz_err_set(reterr, EINVAL, "%.*s..: is no grade", (int)sizeof(word) - 1, grade);
	if (grade) {
		memcpy(word, grade, len);
		word[len] = '\0';
		o.staff_only = cut_staff_only(word);
	}
	if (word[0]) {
		o.graded = true;
		r = lz_grade_parse(word, &o.grade, reterr);
		cap_rate(&o);
		if (r == 0)
			r = lz_grade_check(list->ctl, &o.grade, reterr);
	}
	o.leaky_first = !o.graded;
	if (r == 0)
		r = parse_why(text, &o, reterr);
	if (r == 0)
		*ret = o;
	return r;
}

/* The order that @text is: one read lately, or a new one. */
static int find_order(struct lz_list *list, const char *text, __u32 *ret, struct lz_err *reterr)
{
	__u32 hash = 2166136261u, *slot; /* FNV-1a */
	int r;

	for (const char *c = text; *c; c++)
		hash = (hash ^ (__u8)*c) * 16777619u;
	slot = &list->slots[(hash ^ hash >> 16) % LZ_LIST_SLOTS];
	if (!*slot || !lz_streq(list->orders[*slot - 1].text, text)) {
		r = lz_array_grow(&list->orders, &list->orders_cap, list->n_orders + 1,
				  sizeof(*list->orders));
		if (r < 0)
			return lz_err_set(reterr, -r, "out of memory");
		r = parse_order(list, text, &list->orders[list->n_orders], reterr);
		if (r < 0)
			return r;
		*slot = (__u32)++list->n_orders;
	}
	*ret = *slot - 1;
	return 0;
}

static int add_entry(struct lz_list *list, const struct lz_list_entry *e, struct lz_err *reterr)
{
	int r = lz_array_grow(&list->v, &list->cap, list->n + 1, sizeof(*list->v));

	if (r < 0)
		return lz_err_set(reterr, -r, "out of memory");
	list->v[list->n++] = *e;
	return 0;
}

static int read_line(struct lz_list *list, char *line, struct lz_err *reterr)
{
	struct lz_list_entry e = { .line = list->lines.line };
	const char *address;
	struct lz_addr addr;
	int r;

	if (!line[strspn(line, " \t")])
		return 0;
	address = cut_word(&line);
	r = lz_target_parse(list->ctl, address ? address : "-", &addr, reterr);
	if (r < 0)
		return r;
	e.address = (__u32)(address - list->text);
	list->text[e.address + strcspn(address, "/")] = '\0'; /* on record is an address */
	lz_addr_unmap(&addr);
	r = lz_key_from_addr(&addr, list->ctl->view.instance.ipv6_key_len, &e.key);
	if (r < 0)
		return lz_err_set(reterr, EINVAL, "%s: is no source", address);
	r = read_time(list, cut_word(&line), &e.end_s, reterr);
	if (r == 0)
		r = find_order(list, line, &e.order, reterr);
	list->over += r == 0 && e.end_s <= list->now_s; /* an old export */
	if (r < 0 || e.end_s <= list->now_s)
		return r;
	list->capped += list->orders[e.order].capped;
	list->cut += list->orders[e.order].cut;
	r = add_entry(list, &e, reterr);
	if (r == 0 && list->ctl->now.policy && list->ctl->now.policy->customer_ranges.n)
		r = lz_list_add_to_customer(list, &addr, &e, reterr);
	return r;
}

int lz_list_read(struct lz_list *list, __u64 until_ns, struct lz_err *reterr)
{
	for (int i = 0; (i & 63) || lz_clock_mono_ns() < until_ns; i++) {
		char *line;
		int r = lz_lines_next(&list->lines, &line, reterr);

		if (r > 0)
			r = read_line(list, line, reterr) ?: 1;
		if (r <= 0)
			return r;
	}
	return 1;
}
