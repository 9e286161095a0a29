/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slices.h - a list that is worked on in slices, between which the loop turns: other changes wait
 * (lz_ctl_wait()), questions do not. Who goes away before it is committed - he saw that it was the wrong
 * file - has done nothing.
 */
#ifndef LZ_HANDLERS_SLICES_H
#define LZ_HANDLERS_SLICES_H

#include "control/ctl.h"

#define LZ_SLICE_NS (15 * 1000000ULL) /* then others get their turn */

/* The first member of what is worked on: the callbacks get it as theirs. */
struct lz_slices {
	struct lz_ctl *ctl;
	struct lz_request *req;
	const char *of; /* what it is a list of, for answers */
	bool durable; /* or about to be: who sent it may go away */
	uv_idle_t idle;
	uv_work_t work; /* aside: its data is this */
	void (*slice)(void *list); /* the next one, of LZ_SLICE_NS or so */
	void (*free)(void *list);
	void (*committed)(void *list, int r); /* why not is in err */
	int result;
	struct lz_err err; /* of the commit, and of what is written for it */
	char actor[LZ_ACTOR_TEXT_MAX];
	char file[LZ_FILE_TEXT_MAX];
};

/**
 * lz_slices_new() - memory for a list that came with a request, zeroed but for @of, and its text
 * @bytes: of the memory, which begins with a struct lz_slices
 * @ret_text: heap memory of the caller, NUL-terminated
 * Return: NULL: @req has been answered that the list is empty, or that memory is short.
 */
void *lz_slices_new(struct lz_request *req, size_t bytes, const char *of, char **ret_text, size_t *ret_len);

/** lz_slices_begin() - @s has its callbacks; busy from now on, until lz_slices_end() */
void lz_slices_begin(struct lz_slices *s, struct lz_ctl *ctl, struct lz_request *req);

/** lz_slices_end() - the request has been answered; the list is freed a turn later */
void lz_slices_end(struct lz_slices *s);

/** lz_slices_fail() - answer why, and end; a batch of the ledger is rolled back, so nothing was done */
void lz_slices_fail(struct lz_slices *s, const char *why);

/** lz_slices_aside() - in a thread; the loop has nothing of it to do until lz_slices_go_on(), and may sleep */
void lz_slices_aside(struct lz_slices *s, uv_work_cb work, uv_after_work_cb done);
void lz_slices_go_on(struct lz_slices *s);

/**
 * lz_slices_commit() - the ledger's batch, aside; then committed(), with 0 or -errno
 * Who asks nothing of the ledger is answered meanwhile. SQLite's mutex lets others wait; they only read.
 */
void lz_slices_commit(struct lz_slices *s);

#endif /* LZ_HANDLERS_SLICES_H */
