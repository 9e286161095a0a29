/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * text.c - the policy of a scene: policies/small-cable-isp.json with a larger provider's numbers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench.h"
#include "policy/policy.h"

/* The scene's prefixes lie inside the dynamic space, so they must be of another class, or the
 * compiler would see that they say nothing. It has the rules of the homes. */
#define SECOND_FILE "ranges/second.cidr"
#define SECOND_SET  "\"second\": [{ \"file\": \"" SECOND_FILE "\" }],\n"
#define SECOND_CLASS(limit) \
	"\"second\": { \"of\": [\"second\"],\n" \
	"\"port25\": { \"to-world\": \"icmp-admin\", \"except-to\": [\"smarthosts\"] },\n" \
	"\"limits\": [" limit \
	"{ \"name\": \"relay-at-once\", \"count\": \"smtp-connections\", \"to\": [\"smarthosts\"" \
	"], \"at-most\": \"40/5min\", \"then\": \"drop\" },\n" \
	"{ \"name\": \"relay-day\", \"count\": \"smtp-connections\", \"to\": [\"smarthosts\"]," \
	" \"at-most\": \"1000/24h\", \"then\": \"drop\" },\n" \
	"{ \"name\": \"syn\", \"count\": \"syn\", \"rate\": \"100/s\", \"burst\": 200," \
	" \"then\": \"drop\" }] },\n"
#define PREFIX_LIMIT \
	"{ \"name\": \"block\", \"count\": \"smtp-connections\", \"to\": [\"smarthosts\"], " \
	"\"per\": { \"ipv4\": 27, \"ipv6\": 48 }, \"at-most\": \"4000000/24h\", " \
	"\"then\": \"drop\" },\n"

/* Bits mixed so that prefix i of any scene is the same in every run. */
static __u64 mix(__u64 x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* Prefixes of an address plan that was cut by hand for twenty years. IPv4: one in each /29 of
 * 100.64.0.0/10 (there are 524,288), /29 to /32. IPv6: one in each /51 of 2001:db8::/32, /51 to
 * /56. None is in another, so that all are different. */
__u64 text_range(const struct scene_config *config, __u32 i, __u32 *ret_len)
{
	__u64 r = mix(i);

	if (config->family == 4) {
		*ret_len = 61 + (r & 3);
		return (__u64)(0x64400000u + i * 8) & (~0ULL << (64 - *ret_len));
	}
	*ret_len = 51 + r % 6;
	return 0x20010db800000000ULL + ((__u64)i << 13);
}

static void append(struct lz_str *text, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = lz_str_vappendf(text, format, ap);
	va_end(ap);
	bench_must(r, "write the range file");
}

void text_range_print(const struct scene_config *config, __u32 i, char *ret, size_t bytes)
{
	__u32 len;
	__u64 bits = text_range(config, i, &len);

	if (config->family == 4)
		snprintf(ret, bytes, "%u.%u.%u.%u/%u", (unsigned)(bits >> 24),
			 (unsigned)(bits >> 16 & 255), (unsigned)(bits >> 8 & 255),
			 (unsigned)(bits & 255), len - 32);
	else
		snprintf(ret, bytes, "%x:%x:%x:%x::/%u", (unsigned)(bits >> 48),
			 (unsigned)(bits >> 32 & 0xffff), (unsigned)(bits >> 16 & 0xffff),
			 (unsigned)(bits & 0xffff), len);
}

static int read_ranges(void *arg, const char *name, char **ret_text, size_t *ret_len,
		       struct lz_err *reterr)
{
	const struct scene_config *config = arg;
	struct lz_str text = {};

	(void)reterr;
	append(&text, "# made by the bench\n");
	/* What the policy itself names stays empty: the prefixes are a class of their own. */
	for (__u32 i = 0; i < config->ranges && !strcmp(name, SECOND_FILE); i++) {
		char prefix[64];

		text_range_print(config, i, prefix, sizeof(prefix));
		append(&text, "%s\n", prefix);
	}
	*ret_text = text.data;
	*ret_len = text.len;
	return 0;
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 65536);

	bench_must(f && text ? 0 : -errno, path);
	bench_must(fread(text, 1, 65535, f) > 0 ? 0 : -EIO, path);
	fclose(f);
	return text;
}

/* Replace the one place of the policy that says `from`; it must be there. */
static void replace(char **text, const char *from, const char *to)
{
	char *at = strstr(*text, from), *fresh;
	size_t bytes = strlen(*text) + strlen(to) + 1;

	bench_must(at ? 0 : -ENOENT, from);
	fresh = malloc(bytes);
	bench_must(fresh ? 0 : -ENOMEM, "memory");
	snprintf(fresh, bytes, "%.*s%s%s", (int)(at - *text), *text, to, at + strlen(from));
	free(*text);
	*text = fresh;
}

static void quote(char *to, size_t bytes, const char *text)
{
	snprintf(to, bytes, "\"%s\"", text);
}

struct lz_policy *text_policy(const struct scene_config *config)
{
	struct lz_policy_files files = { read_ranges, (void *)(uintptr_t)config };
	char *text = read_file(options.policy), buffer[256];
	struct lz_report report = {};
	struct lz_policy *policy;
	int r;

	quote(buffer, sizeof(buffer), config->own4);
	replace(&text, "\"100.64.0.0/16\"", buffer);
	quote(buffer, sizeof(buffer), config->own6);
	replace(&text, "\"2001:db8:1000::/36\"", buffer);
	snprintf(buffer, sizeof(buffer), "\"sources\": %u, \"colony\": %u", scene_capacity(config),
		 config->held > 1024 ? config->held : 1024);
	replace(&text, "\"sources\": 65536, \"colony\": 16384", buffer);
	if (config->prefix_limit)
		replace(&text, "{ \"name\": \"relay-at-once\"",
			PREFIX_LIMIT "{ \"name\": \"relay-at-once\"");
	if (config->ranges) {
		replace(&text, "\"business\":   [", SECOND_SET "\"business\":   [");
		replace(&text, "\"businesses\": {",
			config->prefix_limit ? SECOND_CLASS(PREFIX_LIMIT) "\"businesses\": {" :
					       SECOND_CLASS("") "\"businesses\": {");
	}
	r = lz_policy_parse_text(text, strlen(text), &files, &policy, &report);
	if (r) {
		struct lz_str out = {};

		lz_report_format(&report, options.policy, &out);
		fputs(out.data ? out.data : "", stderr);
	}
	bench_must(r, "read the policy of a scene");
	lz_report_done(&report);
	free(text);
	return policy;
}
