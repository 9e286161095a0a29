/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hold.h - holds on their way from the ledger into the kernel.
 */
#ifndef LZ_CONTROL_HOLD_H
#define LZ_CONTROL_HOLD_H

#include "ledger/held.h"

struct lz_addr;
struct lz_ctl;

/* Why nothing of a hold is enforced; the data plane asks in this order. */
enum lz_hold_off {
	LZ_HOLD_IS_ENFORCED,
	LZ_HOLD_OFF_BYPASS,
	LZ_HOLD_OFF_NO_POLICY,
	LZ_HOLD_OFF_NO_PORT, /* of some only, nobody knows which of them a host is at: he counts as held */
	LZ_HOLD_OFF_OVER,
	LZ_HOLD_OFF_NEVER,
	LZ_HOLD_OFF_MONITOR,
	LZ_HOLD_OFF_N,
};

/** lz_hold_off_texts - in words; NULL for LZ_HOLD_IS_ENFORCED */
extern const char *const lz_hold_off_texts[LZ_HOLD_OFF_N];

/**
 * lz_hold_off() - is a hold enforced at this instant, and if not, why?
 * @addr:     whose it is; of an IPv6 key one address may be on the never-list and its neighbour not
 * @expiry_s: its end, the data plane's clock
 *
 * For whoever speaks of holds, so that words are what packets meet: the same questions as lz_process(),
 * lz_judge_held() and lz_overrule() of bpf/, asked of the same words where the kernel has them. The entry, and
 * the case, stay on record whatever the answer. A fraction of a microsecond.
 */
enum lz_hold_off lz_hold_off(const struct lz_ctl *ctl, const struct lz_addr *addr, __u32 expiry_s);

/** lz_hold_no_port() - is the policy that judges at work at no customer port? Nothing of any hold is enforced then */
bool lz_hold_no_port(const struct lz_ctl *ctl);

/** lz_hold_to_kernel() - an entry of the ledger into the kernel, and read back */
int lz_hold_to_kernel(struct lz_ctl *ctl, const struct lz_held *held, struct lz_err *reterr);

/** lz_hold_room() - may @n more be held? -ENOSPC with the reason: the colony is full */
int lz_hold_room(struct lz_ctl *ctl, size_t n, struct lz_err *reterr);
void lz_hold_restore(struct lz_ctl *ctl);

/** lz_hold_word() - for the data plane; -ENOSPC: no room for one more rate */
int lz_hold_word(struct lz_ctl *ctl, const struct lz_held *held, __u64 *ret_word,
		 struct lz_err *reterr);
/**
 * lz_hold_beside_kernel() - a lz_hold_beside_fn: @word for a host that a limit holds already
 * @ctl: struct lz_ctl
 *
 * What a limit granted and the ledger does not know yet is kept: its later end, its harder grade, and its
 * mark, by which the sweep finds it for the books.
 */
__u64 lz_hold_beside_kernel(void *ctl, __u64 stands, __u64 word);

/** lz_hold_grade() - how hard is this word? */
void lz_hold_grade(const struct lz_ctl *ctl, __u64 word, struct lz_grade *ret);
/** lz_grade_check() - does the policy in force know it, and can the kernel do it? -EINVAL, -ERANGE with what they know */
int lz_grade_check(const struct lz_ctl *ctl, const struct lz_grade *grade, struct lz_err *reterr);
__u64 lz_colony_max(const struct lz_ctl *ctl);

#endif /* LZ_CONTROL_HOLD_H */
