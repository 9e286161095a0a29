/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define RUNS_MAX 16 /* merged in four passes: fewer comparisons than a sort of half a million needs */

void lz_close_ref(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int lz_strcpy(char *dst, size_t dst_size, const char *src)
{
	size_t len = strlen(src);

	if (len >= dst_size)
		return -ENAMETOOLONG;
	memcpy(dst, src, len + 1);
	return 0;
}

int lz_strdup_to(char **dst, const char *src)
{
	char *copy = strdup(src);

	if (!copy)
		return -ENOMEM;
	free(*dst);
	*dst = copy;
	return 0;
}

int lz_array_grow(void *array, size_t *cap, size_t need, size_t item_size)
{
	size_t wanted = *cap ? *cap : 8, bytes;
	void *old, *grown;

	if (need <= *cap)
		return 0;
	while (wanted < need)
		if (__builtin_mul_overflow(wanted, 2, &wanted))
			return -ENOMEM;
	if (__builtin_mul_overflow(wanted, item_size, &bytes))
		return -ENOMEM;
	memcpy(&old, array, sizeof(old));
	grown = realloc(old, bytes);
	if (!grown)
		return -ENOMEM;
	memcpy(array, &grown, sizeof(grown));
	*cap = wanted;
	return 0;
}

/* What a sort works on: items of one size, and their order. */
struct order {
	size_t n, size;
	int (*compare)(const void *a, const void *b);
};

/* The first item behind @at that is out of order, or n. */
static size_t run_end(const struct order *o, const char *items, size_t at)
{
	const char *item = items + at * o->size;

	if (at == o->n)
		return at;
	while (++at < o->n && o->compare(item, item + o->size) <= 0)
		item += o->size;
	return at;
}

/* Two runs, side by side, into one. */
static void merge(const struct order *o, const char *a, const char *b, const char *end, char *to)
{
	const char *b_first = b;

	while (a < b_first && b < end) {
		bool first = o->compare(a, b) <= 0;

		memcpy(to, first ? a : b, o->size);
		a += first ? o->size : 0;
		b += first ? 0 : o->size;
		to += o->size;
	}
	memcpy(to, a, (size_t)(b_first - a));
	memcpy(to + (b_first - a), b, (size_t)(end - b));
}

/* Merge neighbouring runs, one pass; how many runs are left. */
static size_t merge_pass(const struct order *o, const char *from, char *to)
{
	size_t runs = 0;

	for (size_t at = 0, middle, end; at < o->n; at = end, runs++) {
		middle = run_end(o, from, at);
		end = run_end(o, from, middle);
		merge(o, from + at * o->size, from + middle * o->size, from + end * o->size,
		      to + at * o->size);
	}
	return runs;
}

void lz_array_sort(void *array, size_t n, size_t item_size,
		   int (*compare)(const void *a, const void *b))
{
	const struct order o = { .n = n, .size = item_size, .compare = compare };
	char *items = array, *from = items, *to;
	lz_autofree char *beside = NULL;
	size_t runs = 0;

	for (size_t at = 0; at < n && runs <= RUNS_MAX; at = run_end(&o, items, at))
		runs++;
	if (runs < 2)
		return;
	beside = runs <= RUNS_MAX ? malloc(n * item_size) : NULL;
	if (!beside) {
		qsort(array, n, item_size, compare);
		return;
	}
	for (to = beside; runs > 1; to = from == items ? beside : items) {
		runs = merge_pass(&o, from, to);
		from = to;
	}
	if (from != items)
		memcpy(items, from, n * item_size);
}

void lz_str_done(struct lz_str *s)
{
	free(s->data);
	memset(s, 0, sizeof(*s));
}

/* Room for @more bytes and the final NUL. */
static int reserve(struct lz_str *s, size_t more)
{
	size_t need;

	if (s->error)
		return s->error;
	if (__builtin_add_overflow(s->len, more, &need) || __builtin_add_overflow(need, 1, &need))
		s->error = -ENOMEM;
	else if (need > s->cap)
		s->error = lz_array_grow(&s->data, &s->cap, need, 1);
	return s->error;
}

int lz_str_append_n(struct lz_str *s, const char *bytes, size_t len)
{
	int r = reserve(s, len);

	if (r < 0)
		return r;
	memcpy(s->data + s->len, bytes, len);
	s->len += len;
	s->data[s->len] = '\0';
	return 0;
}

int lz_str_append(struct lz_str *s, const char *text)
{
	return lz_str_append_n(s, text, strlen(text));
}

int lz_str_vappendf(struct lz_str *s, const char *fmt, va_list ap)
{
	va_list again;
	int len, r;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len < 0)
		return s->error = -EINVAL;
	r = reserve(s, (size_t)len);
	if (r < 0)
		return r;
	vsnprintf(s->data + s->len, (size_t)len + 1, fmt, ap);
	s->len += (size_t)len;
	return 0;
}

int lz_str_appendf(struct lz_str *s, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = lz_str_vappendf(s, fmt, ap);
	va_end(ap);
	return r;
}

char *lz_str_take(struct lz_str *s)
{
	char *data;

	if (!s->error)
		reserve(s, 0);
	if (s->error) {
		lz_str_done(s);
		return NULL;
	}
	s->data[s->len] = '\0';
	data = TAKE_PTR(s->data);
	lz_str_done(s);
	return data;
}

void lz_text_set(char *dst, size_t size, const char *text)
{
	size_t len = text ? strnlen(text, size - 1) : 0;

	memmove(dst, text ? text : "", len);
	dst[len] = '\0';
}
