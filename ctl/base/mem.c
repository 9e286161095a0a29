/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

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

void lz_array_sort(void *array, size_t n, size_t item_size,
		   int (*compare)(const void *a, const void *b))
{
	const char *item = array;
	size_t i = 1;

	while (i < n && compare(item + (i - 1) * item_size, item + i * item_size) <= 0)
		i++;
	if (i < n)
		qsort(array, n, item_size, compare);
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
	else
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
