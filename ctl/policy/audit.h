/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* audit.h - what an operator should look at in the ranges of a policy that is valid all the same. */
#ifndef LZ_POLICY_AUDIT_H
#define LZ_POLICY_AUDIT_H

#include "policy/policy.h"

#define LZ_FINDING_TEXT_MAX 240
#define LZ_FINDINGS_MAX	    1000 /* of a kind; further ones are only counted */
#define LZ_HOLE_MAX	    4096 /* addresses; more is somebody else's network */

enum lz_finding_kind {
	LZ_FINDING_SIZE, /* one of each set: how much is in it */
	LZ_FINDING_UNUSED, /* no list names the set */
	LZ_FINDING_REDUNDANT, /* inside another prefix of its own class */
	LZ_FINDING_NESTED, /* cut out of another class's prefix */
	LZ_FINDING_NEVER, /* class and never-list meet */
	LZ_FINDING_HOLE, /* in no class, with the same class on both sides */
	LZ_FINDING_N,
};

extern const char *const lz_finding_words[LZ_FINDING_N];

struct lz_finding {
	enum lz_finding_kind kind;
	char set[LZ_NAME_MAX + 1]; /* "" = of no single set */
	char text[LZ_FINDING_TEXT_MAX];
};

/* All zeros is empty. */
struct lz_findings {
	struct lz_finding *v; /* by kind */
	size_t n, cap;
	size_t total[LZ_FINDING_N]; /* those beyond LZ_FINDINGS_MAX too */
};

/** lz_policy_audit() - 0 or -ENOMEM; free with lz_findings_done(), after a failure too. Pure. */
int lz_policy_audit(const struct lz_policy *policy, struct lz_findings *ret);

void lz_findings_done(struct lz_findings *findings);

#endif
