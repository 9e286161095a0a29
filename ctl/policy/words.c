/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* words.c - the fixed words of the policy language, read by the parser and the printer. */
#include "policy/policy.h"

const char *const lz_mode_words[LZ_MODE_N] = {
	[LZ_MODE_ENFORCE] = "enforce",
	[LZ_MODE_MONITOR] = "monitor",
};

const char *const lz_side_words[LZ_SIDE_N] = {
	[LZ_SIDE_CUSTOMER] = "customer",
	[LZ_SIDE_UPLINK] = "uplink",
};

const char *const lz_hook_words[LZ_HOOK_N] = {
	[LZ_HOOK_AUTO] = "auto",
	[LZ_HOOK_XDP] = "xdp",
	[LZ_HOOK_XDP_GENERIC] = "xdp-generic",
	[LZ_HOOK_TC] = "tc",
};

const char *const lz_validation_words[LZ_VALIDATION_N] = {
	[LZ_VALIDATION_NONE] = "none",
	[LZ_VALIDATION_STRICT] = "strict",
};

const char *const lz_needs_words[LZ_NEEDS_N] = {
	[LZ_NEEDS_SOURCE_VALIDATION] = "source-validation",
	[LZ_NEEDS_HANDSHAKE] = "handshake",
};

const char *const lz_web_words[LZ_WEB_N] = {
	[LZ_WEB_PAGE] = "page",
	[LZ_WEB_DROP] = "drop",
};

const char *const lz_refusal_words[LZ_V_N] = {
	[LZ_V_PASS] = "leave-alone",	  [LZ_V_DROP] = "drop",
	[LZ_V_ICMP_ADMIN] = "icmp-admin", [LZ_V_TCP_RESET] = "tcp-reset",
	[LZ_V_SMTP_554] = "smtp-554",	  [LZ_V_PAGE] = "page",
};

const char *const lz_garden_words[LZ_GARDEN_N] = {
	[LZ_GARDEN_LEAKY] = "leaky",
	[LZ_GARDEN_STRICT] = "strict",
};

const char *const lz_what_words[LZ_WHAT_SMTP_DESTINATIONS + 1] = {
	[LZ_WHAT_SYN] = "syn",
	[LZ_WHAT_SMTP_CONNECTIONS] = "smtp-connections",
	[LZ_WHAT_SMTP_DESTINATIONS] = "smtp-destinations",
};

const char *const lz_tell_words[LZ_TELL_N] = {
	[LZ_TELL_OBSERVED] = "observed",   [LZ_TELL_NOTIFIED] = "notified",
	[LZ_TELL_THROTTLED] = "throttled", [LZ_TELL_BLOCKED25] = "blocked25",
	[LZ_TELL_GARDEN] = "garden",	   [LZ_TELL_RELEASED] = "released",
	[LZ_TELL_WATCH] = "watch",	   [LZ_TELL_CLOSED] = "closed",
};
