/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * policy.h - what an operator wants, as a checked model: text -> parse -> check -> struct
 * lz_policy.
 *
 * A struct lz_policy exists only if nothing in it is wrong: every name is resolved to an index,
 * every number is in its domain, lists are sorted. The compiler reads it and never has to refuse a
 * value. A struct lz_place says where in the text something stood; only parse and check can resolve
 * it.
 *
 * Pure: files that a policy names are read through struct lz_policy_files.
 */
#ifndef LZ_POLICY_POLICY_H
#define LZ_POLICY_POLICY_H

#include <lazaret/abi.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/units.h"
#include "policy/ranges.h"
#include "policy/report.h"

#define LZ_NAME_MAX 32 /* [A-Za-z0-9_-], of policies, interfaces, sets, classes, limits, .. */

#define LZ_POLICY_VERSION	   1
#define LZ_POLICY_CLASSES_MAX	   (LZ_CLASSES_MAX - LZ_CLASS_FIRST)
#define LZ_POLICY_DEST_LISTS_MAX   (LZ_SETS_MAX - LZ_SET_FIRST_NAMED)
#define LZ_POLICY_SETS_MAX	   1024
#define LZ_POLICY_GLOBS_MAX	   256 /* over all interface groups */
#define LZ_POLICY_LADDERS_MAX	   32
#define LZ_POLICY_STEPS_MAX	   8
#define LZ_POLICY_GARDENS_MAX	   LZ_GARDENS_MAX
#define LZ_POLICY_PREFIXES_MAX	   4000000 /* over all sets; 32 bytes each here */
#define LZ_POLICY_CUSTOMERS_MAX	   2000000 /* lines of the customers file */
#define LZ_POLICY_COUNT_MAX	   4000000 /* the most a window counts: abi.h, struct lz_limit */
#define LZ_POLICY_DESTINATIONS_MAX 300 /* the 2 x 52-bit estimate saturates above */
#define LZ_POLICY_WINDOW_MIN_S	   10
#define LZ_POLICY_HOLD_MAX_S	   LZ_HOLD_CAP_S
#define LZ_POLICY_RATE_MAX_PER_S   1000000
#define LZ_POLICY_CAPACITY_MIN	   1024
#define LZ_POLICY_CAPACITY_MAX	   16777216
#define LZ_POLICY_LANGUAGES_MAX	   8
#define LZ_POLICY_NAME_SERVERS_MAX 4
#define LZ_POLICY_HOSTS_MAX	   256 /* host names over all sets */

/* Bytes of texts, without their NUL. */
#define LZ_HOST_NAME_MAX    253 /* RFC 1123 */
#define LZ_URL_MAX	    200 /* fits an SMTP reply line (512) and a DHCP option (255) */
#define LZ_PATH_MAX	    255
#define LZ_MAIL_ADDRESS_MAX 254 /* RFC 5321 */
#define LZ_CONTACT_MAX	    200
#define LZ_PROVIDER_MAX	    80
#define LZ_LANGUAGE_MAX	    6 /* "pt-BR", "gsw-CH" */

enum lz_mode { LZ_MODE_ENFORCE, LZ_MODE_MONITOR, LZ_MODE_N };
enum lz_side { LZ_SIDE_CUSTOMER, LZ_SIDE_UPLINK, LZ_SIDE_N };
enum lz_hook { LZ_HOOK_AUTO, LZ_HOOK_XDP, LZ_HOOK_XDP_GENERIC, LZ_HOOK_TC, LZ_HOOK_N };
enum lz_validation { LZ_VALIDATION_NONE, LZ_VALIDATION_STRICT, LZ_VALIDATION_N };
enum lz_needs { LZ_NEEDS_SOURCE_VALIDATION, LZ_NEEDS_HANDSHAKE, LZ_NEEDS_N };
enum lz_action {
	LZ_ACTION_DROP,
	LZ_ACTION_REFUSE,
	LZ_ACTION_NOTIFY,
	LZ_ACTION_HOLD,
	LZ_ACTION_LADDER
};
enum lz_step_kind { LZ_STEP_NOTIFY, LZ_STEP_THROTTLE, LZ_STEP_BLOCK25, LZ_STEP_GARDEN };
enum lz_web { LZ_WEB_PAGE, LZ_WEB_DROP, LZ_WEB_N };

/* What a case can have become, in the order of its life; also the word of the message about it. */
enum lz_tell {
	LZ_TELL_OBSERVED,
	LZ_TELL_NOTIFIED,
	LZ_TELL_THROTTLED,
	LZ_TELL_BLOCKED25,
	LZ_TELL_GARDEN,
	LZ_TELL_RELEASED,
	LZ_TELL_WATCH,
	LZ_TELL_CLOSED,
	LZ_TELL_N
};
#define LZ_TELL_DEFAULT                                                                            \
	(1U << LZ_TELL_NOTIFIED | 1U << LZ_TELL_THROTTLED | 1U << LZ_TELL_BLOCKED25 |              \
	 1U << LZ_TELL_GARDEN | 1U << LZ_TELL_RELEASED | 1U << LZ_TELL_CLOSED)

/* The words of the language, indexed by the enums above and by those of abi.h. */
extern const char *const lz_mode_words[LZ_MODE_N];
extern const char *const lz_side_words[LZ_SIDE_N];
extern const char *const lz_hook_words[LZ_HOOK_N];
extern const char *const lz_validation_words[LZ_VALIDATION_N];
extern const char *const lz_needs_words[LZ_NEEDS_N];
extern const char *const lz_web_words[LZ_WEB_N];
extern const char *const lz_refusal_words[LZ_V_N]; /* LZ_V_PASS is "leave-alone" */
extern const char *const lz_garden_words[LZ_GARDEN_N];
extern const char *const lz_what_words[LZ_WHAT_SMTP_DESTINATIONS + 1];
extern const char *const lz_tell_words[LZ_TELL_N];

/* A prefix of a set. Sets hold them sorted by lz_prefix_cmp() and without duplicates. */
struct lz_entry {
	struct lz_prefix prefix; /* the first: lz_prefix_rank() */
	struct lz_place place;
};

struct lz_entries {
	struct lz_entry *v;
	size_t n;
	size_t cap;
};

/* A file that a set or the customer list named. */
struct lz_policy_file {
	char *name; /* as written */
	__u32 node; /* the value that names it: places with a line in this file carry it */
	__u32 set; /* index in sets; LZ_RANGE_NONE: the customer list */
};

struct lz_policy_set {
	char name[LZ_NAME_MAX + 1];
	struct lz_place place;
	struct lz_entries entries;
	__u32 uses; /* how often lists name it: classes, never, to, allow, .. */
	char **hosts; /* garden destinations by name, learnt at run time */
	size_t n_hosts;
	size_t hosts_cap;
};

enum lz_ref_kind { LZ_REF_SET, LZ_REF_PREFIX, LZ_REF_PORT };

/* One element of `of`, `to`, `never`, ..: a set's name, a prefix, or in gardens a port. */
struct lz_ref {
	enum lz_ref_kind kind;
	__u32 set; /* index in sets */
	struct lz_prefix prefix;
	__u16 port;
	__u8 protocol; /* 6 or 17, with port */
	struct lz_place place;
};

struct lz_refs {
	struct lz_ref *v;
	size_t n; /* 0: the key is absent or an empty list */
	size_t cap;
};

struct lz_policy_interfaces {
	char name[LZ_NAME_MAX + 1];
	struct lz_place place;
	enum lz_side side;
	enum lz_hook hook;
	enum lz_validation validation;
	char **match; /* fnmatch-style globs with * and ?, at least one */
	size_t n_match;
	size_t match_cap;
};

struct lz_policy_limit {
	char name[LZ_NAME_MAX + 1];
	struct lz_place place;
	enum lz_limit_what what;
	struct lz_refs to; /* empty: any destination */
	enum lz_limit_per per;
	__u8 per_ipv4_len; /* LZ_PER_PREFIX: 8..32 */
	__u8 per_ipv6_len; /* LZ_PER_PREFIX: 16..ipv6_key */
	bool is_bucket; /* rate and burst count, else at_most */
	struct lz_rate at_most; /* at most count in any window_ns */
	struct lz_rate rate; /* <= LZ_POLICY_RATE_MAX_PER_S */
	__u64 burst; /* >= 1 */
	enum lz_action then;
	__u64 hold_ns; /* LZ_ACTION_HOLD: > 0, whole seconds */
	__u32 ladder; /* LZ_ACTION_LADDER: index in ladders */
	enum lz_verdict refuse; /* LZ_ACTION_REFUSE: how; else LZ_V_DROP */
	bool monitor; /* count, do not act */
};

struct lz_policy_port25 {
	enum lz_verdict to_world; /* LZ_V_PASS: leave alone */
	struct lz_refs except_to;
	enum lz_verdict from_port_25; /* return hook */
	enum lz_verdict to_customers; /* return hook */
};

struct lz_policy_class {
	char name[LZ_NAME_MAX + 1];
	struct lz_place place;
	struct lz_refs of;
	bool shared; /* many customers behind one address: never held */
	struct lz_policy_port25 port25;
	struct lz_policy_limit limits[LZ_LIMITS_PER_CLASS];
	size_t n_limits;
};

struct lz_policy_step {
	enum lz_step_kind kind;
	__u64 time_ns; /* 0 for notify */
	struct lz_rate rate; /* throttle */
	char garden[LZ_NAME_MAX + 1]; /* one of gardens, or leaky or strict, which are always there */
};

struct lz_policy_ladder {
	char name[LZ_NAME_MAX + 1];
	struct lz_place place;
	__u64 forget_ns; /* after so long without a new report the next step is the first again */
	__u64 grace_ns; /* between the decision and the enforcement of a step */
	struct lz_policy_step steps[LZ_POLICY_STEPS_MAX];
	size_t n_steps;
};

struct lz_policy_garden {
	char name[LZ_NAME_MAX + 1];
	struct lz_place place;
	enum lz_garden kind;
	struct lz_refs allow;
	enum lz_verdict mail; /* TCP 25 */
	enum lz_web web; /* TCP 80 */
	enum lz_verdict tls; /* strict: TCP 443, 465, 587 */
};

struct lz_policy_customer {
	char *id;
	struct lz_place place;
};

struct lz_endpoint {
	struct lz_addr addr;
	__u16 port; /* 1..65535 */
};

struct lz_endpoints {
	struct lz_endpoint v[2]; /* at most one of each family */
	size_t n;
};

/* RFC 8908: the captive portal API. Its link goes out by DHCP and router advertisements. */
struct lz_policy_api {
	bool present;
	char url[LZ_URL_MAX + 1]; /* https */
	struct lz_endpoints listen; /* at least one if present */
	char certificate[LZ_PATH_MAX + 1]; /* PEM, with its chain */
	char key[LZ_PATH_MAX + 1];
};

struct lz_policy_portal {
	bool present; /* false: everything else is zero, and web and mail of held hosts are refused */
	char url[LZ_URL_MAX + 1]; /* http or https, no query: the link in 554 answers and on paper */
	char provider[LZ_PROVIDER_MAX + 1]; /* plain text, one line */
	char contact[LZ_CONTACT_MAX + 1]; /* plain text, one line */
	char languages[LZ_POLICY_LANGUAGES_MAX][LZ_LANGUAGE_MAX + 1]; /* the first is the default */
	size_t n_languages; /* >= 1 */
	char templates[LZ_PATH_MAX + 1]; /* directory; "": those that were installed */
	__u32 self_release_times; /* 0..10; 0: only staff releases */
	__u64 self_release_quiet_ns; /* without new evidence for so long; 0..1 day */
	struct lz_endpoints listen; /* plain HTTP, for who is not led there; n 0: nowhere */
	struct lz_policy_api api;
};

struct lz_policy_tell {
	bool present; /* false: nobody is told, everything else is zero; else at least one way is set */
	char hook[LZ_PATH_MAX + 1]; /* program; "": none */
	char webhook_url[LZ_URL_MAX + 1]; /* https, or http to this machine; "": none */
	char webhook_secret_file[LZ_PATH_MAX + 1];
	char mail_to[LZ_MAIL_ADDRESS_MAX + 1]; /* "": none */
	char mail_from[LZ_MAIL_ADDRESS_MAX + 1];
	char mail_via[LZ_URL_MAX + 1]; /* smtp:// or smtps://; "": the sendmail program */
	bool address; /* say address and customer too: personal data leaves the gateway */
	__u32 on; /* bits of enum lz_tell */
};

struct lz_policy {
	char name[LZ_NAME_MAX + 1]; /* "" if the policy has none */
	enum lz_mode mode;
	__u8 ipv6_key; /* LZ_IPV6_KEY_LEN_MIN..MAX */
	struct lz_policy_interfaces *interfaces;
	size_t n_interfaces, interfaces_cap;
	struct lz_policy_set *sets;
	size_t n_sets, sets_cap;
	struct lz_policy_customer *customers; /* sorted by id */
	size_t n_customers, customers_cap;
	struct lz_refs never;
	struct lz_refs always_reach;
	bool foreign_count;
	bool unparsed_drop;
	__u32 sources_max;
	__u32 colony_max;
	__u64 idle_ns;
	struct lz_policy_class *classes;
	size_t n_classes, classes_cap;
	struct lz_policy_ladder *ladders;
	size_t n_ladders, ladders_cap;
	struct lz_policy_garden *gardens;
	size_t n_gardens, gardens_cap;
	enum lz_needs quarantine_needs;
	__u32 guard_new_per_minute;
	__u32 guard_active_ppm; /* share of the active sources */
	struct lz_policy_portal portal;
	struct lz_policy_tell tell;
	struct lz_addr name_servers[LZ_POLICY_NAME_SERVERS_MAX]; /* none: those of the system */
	size_t n_name_servers;
	struct lz_policy_file *files;
	size_t n_files, files_cap;

	/* Derived by check: sorted, indexed for longest-prefix look-ups, duplicates removed. */
	struct lz_ranges class_ranges; /* owner: index in classes */
	struct lz_ranges never_ranges; /* owner: index in never.v */
	struct lz_ranges customer_ranges; /* owner: index in customers */
};

/* How the files that a policy names are read. */
struct lz_policy_files {
	/*
	 * @name as written in the policy; on success *ret_text is heap memory, ended by a NUL that
	 * is not part of *ret_len. Return 0 or -errno with @reterr set.
	 */
	int (*read)(void *arg, const char *name, char **ret_text, size_t *ret_len,
		    struct lz_err *reterr);
	void *arg;
};

/**
 * lz_policy_parse_text() - parse and check a policy
 * @files:  NULL: a policy that names a file is wrong
 * @report: starts as all zeros; gets every error and warning, sorted by place
 *
 * Return: 0 and a policy, perhaps with warnings; -EINVAL or -E2BIG with at least one error in
 *         @report; -ENOMEM. Pure but for @files.
 */
int lz_policy_parse_text(const char *text, size_t len, const struct lz_policy_files *files,
			 struct lz_policy **ret, struct lz_report *report);

/**
 * lz_policy_load() - the same from a file; files it names are relative to its directory
 * Return: as above, or -errno of the file with one error in @report.
 */
int lz_policy_load(const char *path, struct lz_policy **ret, struct lz_report *report);

void lz_policy_free(struct lz_policy **policy);

/* Do all interfaces that customers arrive on drop spoofed sources? Then a bare SYN is evidence. */
bool lz_policy_sources_validated(const struct lz_policy *policy);

/* Keys of a customer that are held together with one of his addresses: a /48 told apart by /64, and some IPv4
 * with it, in one transaction of a second or less. No more than a share of the colony, lest a few customers
 * with large networks fill it - of the default one that is a /48 just so; but this many always. */
#define LZ_CUSTOMER_KEYS_MIN   1024
#define LZ_CUSTOMER_KEYS_MAX   (65536 + LZ_CUSTOMER_KEYS_MIN)
#define LZ_CUSTOMER_KEYS_SHARE 15

/** lz_policy_customer_keys_max() - at most so many by this policy; of who has more, the address alone is held */
size_t lz_policy_customer_keys_max(const struct lz_policy *policy);
/** lz_policy_keys_in() - how many keys a prefix of a customer is; 0: no source's. @ret: the first, as a prefix */
__u64 lz_policy_keys_in(unsigned int ipv6_key, const struct lz_prefix *prefix, struct lz_keyprefix *ret);

/** lz_policy_holds() - does going over this limit hold a source, at once or on some step? */
bool lz_policy_holds(const struct lz_policy *policy, const struct lz_policy_limit *limit);

/** lz_policy_limit_sleeps() - does it refuse or hold, but look at nothing that is not on the never-list? */
bool lz_policy_limit_sleeps(const struct lz_policy *policy, const struct lz_policy_limit *limit);

enum lz_print_flags {
	LZ_PRINT_INLINE_FILES = 1, /* entries of files inline: the text needs no other file */
	LZ_PRINT_PACKED = 2, /* many prefixes of a set in one string: for programs, which read it faster */
};

/**
 * lz_policy_print() - canonical JSON, every default spelt out
 *
 * Parsing what was printed and printing it again gives the same text.
 * Return: 0 with *ret on the heap, or -ENOMEM.
 */
int lz_policy_print(const struct lz_policy *policy, unsigned flags, char **ret);

/**
 * lz_policy_not_in_force() - what this policy says and this version does not yet act upon
 * Return: one line each in @out, no line if all of it is in force.
 */
int lz_policy_not_in_force(const struct lz_policy *policy, struct lz_str *out);

#endif
