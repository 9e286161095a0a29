/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rules.h - the interfaces of a policy as the keeper's fixed-size globs.
 */
#ifndef LZ_DAEMON_RULES_H
#define LZ_DAEMON_RULES_H

#include "datapath/netdev.h"
#include "policy/policy.h"

/** lz_rules_from_policy() - at most LZ_POLICY_GLOBS_MAX of them; returns how many */
__u32 lz_rules_from_policy(const struct lz_policy *policy, struct lz_port_rule *ret);

#endif /* LZ_DAEMON_RULES_H */
