/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rules.h - the interfaces of a policy as the keeper's fixed-size globs.
 */
#ifndef LZ_CONTROL_RULES_H
#define LZ_CONTROL_RULES_H

#include "datapath/netdev.h"
#include "policy/policy.h"
#include "privsep/chan.h"

/** lz_rules_from_policy() - at most LZ_POLICY_GLOBS_MAX of them; returns how many */
__u32 lz_rules_from_policy(const struct lz_policy *policy, struct lz_port_rule *ret);

/**
 * lz_interfaces_missing() - does the policy call for an interface that is not there?
 * @ports: of lz_ctl_ports()
 * @ret:   one line, written if so: a plain name that is missing, else a group that matches nothing.
 *         A mistyped name must not look like a gateway at work.
 */
bool lz_interfaces_missing(const struct lz_policy *policy, const struct lz_port_told *ports, size_t n,
			   char *ret, size_t size);

/** lz_interfaces_customer() - is a customer port of the policy there, with a hook or without? @ports: of lz_ctl_ports() */
bool lz_interfaces_customer(const struct lz_policy *policy, const struct lz_port_told *ports, size_t n);

/**
 * lz_interfaces_left() - whose customers would pass unjudged if @next came in the place of @now?
 * @ports: of lz_ctl_ports()
 * @ret:   names of the first of them, and how many more: 128 bytes are enough
 * Return: how many.
 */
size_t lz_interfaces_left(const struct lz_policy *now, const struct lz_policy *next, const struct lz_port_told *ports,
			  size_t n, char *ret, size_t size);

#endif /* LZ_CONTROL_RULES_H */
