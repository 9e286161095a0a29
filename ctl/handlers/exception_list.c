// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* exception_list.c - lines to exceptions. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "control/exception.h"
#include "handlers/exception_list.h"
#include "lazaret/proto.h"

#define BLANKS " \t"
#define WANT   "want ADDRESS|PREFIX port25|all UNTIL TICKET"

void lz_exception_list_init(struct lz_exception_list *list, const struct lz_ctl *ctl, char *text, size_t len)
{
	*list = (struct lz_exception_list){ .ctl = ctl, .text = text, .made_s = lz_ctl_now().wall_s };
	lz_lines_init(&list->lines, text, len);
}

void lz_exception_list_done(struct lz_exception_list *list)
{
	lz_refused_done(&list->bad);
	lz_refused_done(&list->over);
	free(list->v);
	free(list->text);
}

struct lz_prefix lz_exception_list_prefix(const struct lz_exception_entry *e)
{
	const struct lz_keyprefix kp = { .bits = e->bits, .len = e->len };

	return lz_keyprefix_to_prefix(&kp);
}

static char *cut_word(char **at)
{
	char *word = *at + strspn(*at, BLANKS), *end = word + strcspn(word, BLANKS);

	*at = end + (*end != '\0');
	*end = '\0';
	return *word ? word : NULL;
}

/* The last word of a line. Half of a ticket, or a part of it, would be another one. */
static int read_ticket(struct lz_exception_list *list, const char *at, struct lz_exception_entry *e,
		       struct lz_err *reterr)
{
	const char *word, *rest;
	size_t len;

	if (!at[strspn(at, BLANKS)])
		return lz_err_set(reterr, EINVAL, WANT);
	word = lz_lines_word(&at, &len);
	rest = at + strspn(at, BLANKS);
	if (word && *rest && len == strlen("ticket") && !strncmp(word, "ticket", len)) {
		word = lz_lines_word(&at, &len);
		rest = at + strspn(at, BLANKS);
	}
	if (!word)
		return lz_err_set(reterr, EINVAL, "-: is no ticket (" WANT ")");
	if (*rest)
		return lz_err_set(reterr, EINVAL, "'%.60s' behind the ticket: a ticket is one word (" WANT ")", rest);
	if (len > LZ_PROTO_TICKET_BYTES)
		return lz_err_set(reterr, EINVAL, "%.40s..: is too long for a ticket (want at most %d bytes)", word,
				  LZ_PROTO_TICKET_BYTES);
	e->ticket = (__u32)(word - list->text);
	list->text[e->ticket + len] = '\0';
	return 0;
}

/* ADDRESS|PREFIX port25|all [until] UNTIL [ticket] TICKET: also as `exception add` takes it */
static int read_line(struct lz_exception_list *list, char *line, struct lz_err *reterr)
{
	const char *name = cut_word(&line), *what = cut_word(&line), *until = cut_word(&line);
	struct lz_exception_entry e = { .line = list->lines.line };
	char text[LZ_PREFIX_TEXT_MAX];
	struct lz_prefix_key key;
	struct lz_prefix prefix;
	__u64 until_ns;
	__u32 flags;
	int r;

	if (!name)
		return 0;
	if (until && lz_streq(until, "until"))
		until = cut_word(&line);
	if (!until)
		return lz_err_set(reterr, EINVAL, WANT);
	r = lz_prefix_parse(name, &prefix, reterr);
	if (r == 0)
		r = lz_exception_key(list->ctl, &prefix, &key, reterr);
	if (r == 0)
		r = lz_exception_flags(what, &flags, reterr);
	if (r == 0)
		r = lz_time_parse(until, &until_ns, reterr);
	if (r == 0)
		r = read_ticket(list, line, &e, reterr);
	if (r < 0)
		return r;
	list->entries++;
	e.until_s = until_ns / LZ_NS_PER_S;
	if (e.until_s <= list->made_s) { /* an old export */
		lz_refused_add(&list->over, e.line, lz_prefix_format(&prefix, text), "until: is in the past");
		return 0;
	}
	e.bits = key.bits;
	e.len = (__u8)key.len;
	e.flags = (__u8)flags;
	r = lz_array_grow(&list->v, &list->cap, list->n + 1, sizeof(*list->v));
	if (r == 0)
		list->v[list->n++] = e;
	return r;
}

int lz_exception_list_read(struct lz_exception_list *list, __u64 until_ns)
{
	struct lz_err err = { "" };
	char *line;
	int r;

	for (int i = 0; (i & 63) || lz_clock_mono_ns() < until_ns; i++) {
		r = lz_lines_next(&list->lines, &line, &err);
		if (r == 0)
			return 0;
		if (r > 0)
			r = read_line(list, line, &err);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			lz_refused_add(&list->bad, list->lines.line, NULL, err.text);
	}
	return 1;
}

/* A prefix before those inside it, which follow it; the lines of one in the order of the list. */
static int compare_entry(const void *a, const void *b)
{
	const struct lz_exception_entry *x = a, *y = b;

	if (x->bits != y->bits)
		return x->bits < y->bits ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

void lz_exception_list_sort(struct lz_exception_list *list)
{
	size_t kept = 0;

	lz_array_sort(list->v, list->n, sizeof(*list->v), compare_entry);
	for (size_t i = 0; i < list->n; i++)
		if (i + 1 == list->n || list->v[i].bits != list->v[i + 1].bits ||
		    list->v[i].len != list->v[i + 1].len)
			list->v[kept++] = list->v[i];
	list->doubled = list->n - kept;
	list->n = kept;
}
