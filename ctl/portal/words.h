/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * words.h - the vocabulary of page templates: what an operator may write between {{ and }}.
 */
#ifndef LZ_PORTAL_WORDS_H
#define LZ_PORTAL_WORDS_H

#include <linux/types.h>

enum lz_value {
	LZ_VALUE_LANG,	      /* of this template: "en" */
	LZ_VALUE_PROVIDER,
	LZ_VALUE_CONTACT,
	LZ_VALUE_CASE,	      /* number to say on the phone */
	LZ_VALUE_SINCE,	      /* times are in the gateway's zone, spelt as {{time ..}} says */
	LZ_VALUE_UNTIL,
	LZ_VALUE_FROM,	      /* when he will be held */
	LZ_VALUE_SEEN,	      /* the last harmful thing */
	LZ_VALUE_CONNECTIONS,
	LZ_VALUE_LEFT,	      /* self releases left */
	LZ_VALUE_MINUTES,     /* to wait, rounded up */
	LZ_VALUE_TOKEN,	      /* of the release button */
	LZ_VALUE_PORTAL,      /* URL of the portal */
	LZ_VALUE_PORTAL_HOST,
	LZ_VALUE_TO,	      /* URL the customer had asked for */
	LZ_VALUE_TO_HOST,
	LZ_VALUE_N,
};

enum lz_section {
	/* exactly one of these is true */
	LZ_SECTION_HELD,
	LZ_SECTION_FREE,     /* not held, or not any more */
	LZ_SECTION_WARNED,   /* not held yet: told that he will be; free is true, too */
	LZ_SECTION_RELEASED, /* has just let himself out */
	LZ_SECTION_REFUSED,  /* pressed the button in vain; held is true, too */
	LZ_SECTION_BUSY,     /* the gateway gave no answer */
	/* held: exactly one of these */
	LZ_SECTION_LEAKY,
	LZ_SECTION_STRICT,
	LZ_SECTION_BLOCK25,
	LZ_SECTION_THROTTLE,
	/* held: exactly one of these */
	LZ_SECTION_REASON_SPAM,
	LZ_SECTION_REASON_SCAN,
	LZ_SECTION_REASON_MALWARE,
	LZ_SECTION_REASON_PROXY,
	LZ_SECTION_REASON_COMPLAINT,
	LZ_SECTION_REASON_OTHER,
	/* held: the button, or one reason why not */
	LZ_SECTION_MAY_RELEASE,
	LZ_SECTION_WHY_STAFF,
	LZ_SECTION_WHY_USED_UP,
	LZ_SECTION_WHY_EVIDENCE,
	LZ_SECTION_WHY_RATE,
	LZ_SECTION_WHY_BUSY,
	/* true when the value is known */
	LZ_SECTION_LAST_RELEASE, /* the next self release is the last one */
	LZ_SECTION_HAS_CONNECTIONS,
	LZ_SECTION_HAS_SEEN,
	LZ_SECTION_HAS_UNTIL,
	LZ_SECTION_HAS_CASE,
	LZ_SECTION_HAS_TO,
	LZ_SECTION_HAS_ALLOWED, /* the garden has open addresses: updates, help */
	LZ_SECTION_N,
};

#define LZ_SECTION_BIT(section) (1ULL << (section))
_Static_assert(LZ_SECTION_N <= 64, "a page's sections are one __u64");

/* What a page is filled with. */
struct lz_filling {
	const char *values[LZ_VALUE_N]; /* UTF-8; NULL: empty */
	__u64 sections; /* bits of enum lz_section */
};

#endif /* LZ_PORTAL_WORDS_H */
