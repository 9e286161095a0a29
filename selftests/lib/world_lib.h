/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* world_lib.h - what world.c and world_policy.c share; tests include world.h. */
#ifndef LZ_SELFTESTS_WORLD_LIB_H
#define LZ_SELFTESTS_WORLD_LIB_H

struct world;

/* Print what failed and why, and end the test: it has no set-up to test in. */
void world_must(int err, const char *what);

void world_policy_init(struct world *w);
void world_policy_done(struct world *w);
void world_forget_exceptions(struct world *w);

#endif /* LZ_SELFTESTS_WORLD_LIB_H */
