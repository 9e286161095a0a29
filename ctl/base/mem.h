/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mem.h - ownership helpers and a growable string.
 *
 * A pointer or descriptor declared with lz_autofree / lz_autoclose is released at the end of its
 * scope unless it was handed on with TAKE_PTR / TAKE_FD. Do not mix these with goto in one
 * function.
 */
#ifndef LZ_BASE_MEM_H
#define LZ_BASE_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LZ_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void lz_free_ref(void *ref)
{
	void *p;

	/* any pointer type may be behind ref; memcpy keeps aliasing legal */
	memcpy(&p, ref, sizeof(p));
	free(p);
}

/** lz_close_ref() - close *fd if it is open; errno is kept, so that an error path can use this */
void lz_close_ref(int *fd);

#define lz_autofree  __attribute__((cleanup(lz_free_ref)))
#define lz_autoclose __attribute__((cleanup(lz_close_ref)))

#define TAKE_PTR(p)                          \
	({                                   \
		__typeof__(p) taken_ = (p);  \
		(p) = NULL;                  \
		taken_;                      \
	})
#define TAKE_FD(fd)                  \
	({                           \
		int taken_ = (fd);   \
		(fd) = -1;           \
		taken_;              \
	})

/* Would this text end a line, or move a terminal's cursor? C0 and DEL. */
static inline bool lz_text_has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/** lz_text_set() - a fixed field from a text that may be NULL; cut if need be */
void lz_text_set(char *dst, size_t size, const char *text);

static inline bool lz_streq(const char *a, const char *b)
{
	return !strcmp(a, b);
}

/**
 * lz_strcpy() - copy a string into a fixed field, whole or not at all
 * Return: 0, or -ENAMETOOLONG with @dst untouched.
 */
int lz_strcpy(char *dst, size_t dst_size, const char *src);

/** lz_strdup_to() - replace *@dst (freed) by a copy of @src; 0 or -ENOMEM with *@dst untouched */
int lz_strdup_to(char **dst, const char *src);

/**
 * lz_array_grow() - make room for @need items in a heap array
 * @array: address of the array pointer (NULL and *cap 0 at first); moved by realloc
 * @cap:   items there is room for, at least doubled when it grows, so appending is linear in total
 *
 * Return: 0 or -ENOMEM with array and cap untouched.
 */
int lz_array_grow(void *array, size_t *cap, size_t need, size_t item_size);

/**
 * lz_array_sort() - qsort(), but for what is in order already, or is a few such runs in a row
 *
 * Files of prefixes mostly are, and the sets of all classes together: one look over them, and a pass
 * to merge each two runs, cost a few n comparisons instead of n log n. Equal items of a few runs stay
 * in their order; of many, as qsort() leaves them.
 */
void lz_array_sort(void *array, size_t n, size_t item_size,
		   int (*compare)(const void *a, const void *b));

/*
 * A growable string, NUL-terminated whenever data is not NULL. Starts as all zeros. The first
 * failed append is remembered in @error, later ones do nothing: a writer may check once, at the
 * end.
 */
struct lz_str {
	char *data;
	size_t len;
	size_t cap;
	int error; /* 0 or -errno of the first failure */
};

#define lz_autostr __attribute__((cleanup(lz_str_done)))

void lz_str_done(struct lz_str *s);
int lz_str_append(struct lz_str *s, const char *text);
int lz_str_append_n(struct lz_str *s, const char *bytes, size_t len);
int lz_str_appendf(struct lz_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int lz_str_vappendf(struct lz_str *s, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/**
 * lz_str_take() - the string as heap memory of the caller, @s is empty again; NULL if an append
 * failed
 */
char *lz_str_take(struct lz_str *s);

#endif
