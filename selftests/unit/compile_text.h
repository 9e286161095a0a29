/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compile_text.h - a policy's text compiled, and random numbers from a fixed seed, so that a failure
 * repeats: for the t_compile* tests.
 */
#ifndef LZ_SELFTESTS_COMPILE_TEXT_H
#define LZ_SELFTESTS_COMPILE_TEXT_H

#include <stdio.h>

#include "lib/random.h"
#include "lib/t.h"
#include "policy/image.h"
#include "unit/policy_text.h"

#define SEED 0x1234567890abcdefULL
#define HEAD "{\"version\": 1, \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e\"], \"source-validation\": \"strict\"}},"
#define LIMITS(...) HEAD "\"classes\": {\"c\": {\"of\": [\"10.0.0.0/8\"], \"limits\": [" __VA_ARGS__ "]}}}"
#define WINDOW(name, n) "{\"name\": \"" name "\", \"count\": \"smtp-connections\", \"at-most\": \"" n "\", \"then\": \"drop\"}"
#define BUCKET(name, n) "{\"name\": \"" name "\", \"count\": \"syn\", \"rate\": \"" n "\", \"burst\": 200, \"then\": \"drop\"}"

static __u64 random_state = 88172645463325252ULL;

static inline __u32 random_below(__u32 n)
{
	return t_random_below(&random_state, n);
}

static inline void image_free_ref(struct lz_image **image)
{
	lz_image_free(image);
}
#define auto_image __attribute__((cleanup(image_free_ref))) struct lz_image

static inline struct lz_image *compile_policy(const struct lz_policy *policy, const struct lz_image *previous)
{
	struct lz_image *image = NULL;
	struct lz_err err = {};
	int r = policy ? lz_image_compile(policy, previous, SEED, &image, &err) : -EINVAL;

	if (!T_EQ(r, 0, "compiled"))
		printf("# %s\n", err.text);
	return image;
}

static inline struct lz_image *compile_text(const char *text, const struct lz_image *previous)
{
	auto_reading reading = read_policy(text, NULL);

	if (!T_EQ(reading.r, 0, "policy accepted"))
		printf("# %s\n", reading.text);
	return compile_policy(reading.policy, previous);
}

static inline __u32 class_at(const struct lz_image *image, const char *text)
{
	struct lz_addr addr;
	__u64 key;

	if (!image || lz_addr_parse(text, &addr, NULL) || lz_key_from_addr(&addr, image->ipv6_key_len, &key))
		return ~0u;
	return lz_image_class_of(image, key, addr.family);
}

#endif
