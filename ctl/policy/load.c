/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * load.c - the way in: text or file to checked policy. The only file of this room that opens files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/context.h"

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static void free_classes(struct lz_policy *policy)
{
	for (size_t i = 0; i < policy->n_classes; i++) {
		struct lz_policy_class *class = &policy->classes[i];

		free(class->of.v);
		free(class->port25.except_to.v);
		for (size_t k = 0; k < class->n_limits; k++)
			free(class->limits[k].to.v);
	}
	free(policy->classes);
}

void lz_policy_free(struct lz_policy **ref)
{
	struct lz_policy *policy = *ref;

	*ref = NULL;
	if (!policy)
		return;
	for (size_t i = 0; i < policy->n_interfaces; i++)
		free_names(policy->interfaces[i].match, policy->interfaces[i].n_match);
	free(policy->interfaces);
	for (size_t i = 0; i < policy->n_sets; i++) {
		free(policy->sets[i].entries.v);
		free_names(policy->sets[i].hosts, policy->sets[i].n_hosts);
	}
	free(policy->sets);
	for (size_t i = 0; i < policy->n_customers; i++)
		free(policy->customers[i].id);
	free(policy->customers);
	free(policy->never.v);
	free(policy->always_reach.v);
	free_classes(policy);
	free(policy->ladders);
	for (size_t i = 0; i < policy->n_gardens; i++)
		free(policy->gardens[i].allow.v);
	free(policy->gardens);
	for (size_t i = 0; i < policy->n_files; i++)
		free(policy->files[i].name);
	free(policy->files);
	lz_ranges_done(&policy->class_ranges);
	lz_ranges_done(&policy->never_ranges);
	lz_ranges_done(&policy->customer_ranges);
	free(policy);
}

static struct lz_policy *new_policy(void)
{
	struct lz_policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return NULL;
	policy->mode = LZ_MODE_ENFORCE;
	policy->ipv6_key = 64;
	policy->foreign_count = true;
	policy->sources_max = 1048576;
	policy->colony_max = 1000000;
	policy->idle_ns = 25 * 3600ULL * 1000000000;
	policy->quarantine_needs = LZ_NEEDS_SOURCE_VALIDATION;
	policy->guard_new_per_minute = 50;
	policy->guard_active_ppm = 10000;
	return policy;
}

int lz_policy_parse_text(const char *text, size_t len, const struct lz_policy_files *files,
			 struct lz_policy **ret, struct lz_report *report)
{
	struct lz_context ctx = { .report = report, .files = files };
	int r;

	ctx.policy = new_policy();
	if (!ctx.policy)
		return -ENOMEM;
	r = lz_source_init(&ctx.source, text, len, report);
	if (!r) {
		lz_parse_policy(&ctx);
		if (!ctx.fatal)
			lz_check_ranges(&ctx);
		if (!ctx.fatal)
			lz_check_rules(&ctx);
		r = ctx.fatal;
	}
	if (!r && report->total[LZ_SEVERITY_ERROR])
		r = -EINVAL;
	if (!r)
		*ret = TAKE_PTR(ctx.policy);
	lz_policy_free(&ctx.policy);
	lz_source_done(&ctx.source);
	lz_report_sort(report);
	return r;
}

/* ---------------------------------------------------------------- files */

/* Read a regular file of at most LZ_JSON_BYTES_MAX, whole. */
static int read_file(int dir_fd, const char *name, char **ret_text, size_t *ret_len,
		     struct lz_err *reterr)
{
	/* O_NONBLOCK: a pipe under this name must not make us wait */
	lz_autoclose int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	lz_autofree char *text = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return lz_err_set(reterr, errno, "'%.200s': cannot read: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return lz_err_set(reterr, EINVAL, "'%.200s': cannot read: not a regular file", name);
	if (st.st_size > LZ_JSON_BYTES_MAX)
		return lz_err_set(reterr, EFBIG, "'%.200s': %lld bytes (want at most %u)", name,
				  (long long)st.st_size, LZ_JSON_BYTES_MAX);
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n < 0 && errno != EINTR)
			return lz_err_set(reterr, errno, "'%.200s': cannot read: %s", name, strerror(errno));
		if (!n)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
	*ret_text = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

static int read_beside(void *arg, const char *name, char **ret_text, size_t *ret_len,
		       struct lz_err *reterr)
{
	const int *dir_fd = arg;

	return read_file(*dir_fd, name, ret_text, ret_len, reterr);
}

/* The directory of @path, as a descriptor. */
static int open_dir_of(const char *path)
{
	lz_autofree char *dir = strdup(path);
	char *slash;

	if (!dir)
		return -ENOMEM;
	slash = strrchr(dir, '/');
	if (slash)
		slash[1] = '\0';
	return open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int report_file(struct lz_report *report, int code, char *text)
{
	struct lz_report_item item = { .severity = LZ_SEVERITY_ERROR, .text = text };
	int r = lz_report_add(report, &item);

	return r < 0 ? r : code;
}

int lz_policy_load(const char *path, struct lz_policy **ret, struct lz_report *report)
{
	lz_autofree char *text = NULL;
	lz_autoclose int dir_fd = -1;
	struct lz_err why = {};
	size_t len;
	int r;

	r = read_file(AT_FDCWD, path, &text, &len, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return report_file(report, r, why.text);
	dir_fd = open_dir_of(path);
	return lz_policy_parse_text(
		text, len, &(struct lz_policy_files){ .read = read_beside, .arg = &dir_fd }, ret,
		report);
}
