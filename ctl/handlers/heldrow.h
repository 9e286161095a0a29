/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * heldrow.h - entries of the colony as text: the JSON of a list's row, and the line that import reads.
 *
 * Six hundred thousand of them say the same about who, why and how hard. What an origin says is quoted
 * once and copied from then on; so are class, customer and the day of a date.
 */
#ifndef LZ_HANDLERS_HELDROW_H
#define LZ_HANDLERS_HELDROW_H

#include "base/units.h"
#include "control/ctl.h"
#include "control/hold.h"

#define LZ_HELD_ROW_SLOTS 64

/* What rows with the same origin have in common. */
struct lz_held_words {
	__s64 origin; /* 0 = none */
	struct lz_str state; /* "state":..,"grade":..,"garden":.. with a comma before each */
	struct lz_str why;   /* "reason" to "source", the same */
	struct lz_str line;  /* GRADE TICKET REASON and the end of the line */
};

/* {0} at first. */
struct lz_held_rows {
	struct lz_held_words words[LZ_HELD_ROW_SLOTS]; /* by origin */
	struct lz_held_words other;		       /* of a row whose origin is not known */
	struct lz_str class_, customer;		       /* as members */
	__u32 of_class, of_customer;
	__u64 day[2]; /* + 1: of since and until; 0 = none yet */
	char date[2][LZ_TIME_TEXT_MAX];
	enum lz_hold_off off; /* of the last row as JSON */
};

/** lz_held_rows_forget() - after each slice of a list: policy and ledger may be others at the next one */
void lz_held_rows_forget(struct lz_held_rows *rows);
void lz_held_rows_done(struct lz_held_rows *rows);


/** lz_held_row_json() - append a row of quarantine.list, an object, and set @rows->off; 0 or -ENOMEM */
int lz_held_row_json(struct lz_held_rows *rows, struct lz_ctl *ctl, const struct lz_held *held,
		     struct lz_str *ret);

/** lz_held_row_line() - append a line of quarantine.export: ADDRESS UNTIL GRADE TICKET REASON */
int lz_held_row_line(struct lz_held_rows *rows, struct lz_ctl *ctl, const struct lz_held *held,
		     struct lz_str *ret);

#endif /* LZ_HANDLERS_HELDROW_H */
