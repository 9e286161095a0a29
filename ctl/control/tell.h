/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tell.h - what happens, said to log, timeline and those who follow `monitor`.
 */
#ifndef LZ_CONTROL_TELL_H
#define LZ_CONTROL_TELL_H

#include "base/log.h"
#include "control/ctl.h"

/** lz_tell_write() - a row of the timeline; within a batch it is part of it */
void lz_tell_write(struct lz_ctl *ctl, struct lz_note *note);
/**
 * lz_tell_say() - a log line, and a row for each follower
 *
 * Within a batch: once that stands; if it is rolled back it has not happened, and is not said.
 */
void lz_tell_say(struct lz_ctl *ctl, enum lz_log_level level, const struct lz_note *note);
/** lz_tell_sum() - the same for many sources of a case: one log line */
void lz_tell_sum(struct lz_ctl *ctl, const struct lz_note *note, __u64 case_id, size_t sources);
/** lz_tell_batch() - for lz_ledger_on_end(): what was to be said of the batch */
void lz_tell_batch(void *ctl, bool stands);
/** lz_tell_ledger_failed() - a few lines, then one a minute: what failed is tried again and again */
void lz_tell_ledger_failed(const char *why);
/** lz_tell_note() - both */
void lz_tell_note(struct lz_ctl *ctl, enum lz_log_level level, struct lz_note *note);
/** lz_tell_event() - of the data plane: a line for followers, and for the log as long as there are not too many */
void lz_tell_event(struct lz_ctl *ctl, const struct lz_event *event);
void lz_tell_row(struct lz_ctl *ctl, cJSON *row); /* takes the row */
void lz_tell_actor(const struct lz_request *req, char ret[static LZ_ACTOR_TEXT_MAX]);

/** lz_json_note() - a line of the timeline; @address: of whom, NULL where the reader knows */
cJSON *lz_json_note(const struct lz_note *note, const char *address);

#endif /* LZ_CONTROL_TELL_H */
