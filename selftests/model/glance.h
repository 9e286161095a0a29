/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * glance.h - does the glance at a frame say what the parser says?
 */
#ifndef LZ_SELFTESTS_MODEL_GLANCE_H
#define LZ_SELFTESTS_MODEL_GLANCE_H

#include <string.h>

#include "bpf/glance.h"

enum m_glanced { M_GLANCE_WRONG, M_GLANCE_CLOSER, M_GLANCE_SAME };

/* @parsed: by lz_parse() from zero, and nothing else. M_GLANCE_CLOSER: the frame is not plain. */
static inline enum m_glanced m_glance(const struct lz_frame *f, __u32 key_len, const struct lz_pkt *parsed)
{
	struct lz_pkt facts = { 0 };
	struct lz_glance g = { 0 };

	lz_glance(f, key_len, &g);
	if (!g.key)
		return M_GLANCE_CLOSER;
	lz_glance_facts(f, g.key, &facts);
	if (!g.business != !lz_is_customer_business(parsed))
		return M_GLANCE_WRONG;
	return memcmp(&facts, parsed, sizeof(facts)) ? M_GLANCE_WRONG : M_GLANCE_SAME;
}

#endif
