/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mail.h - a message about a case as mail for a ticket queue.
 *
 * Pure. Whatever a text holds, it can neither start a header nor end the body: control characters
 * become spaces, what is not ASCII is encoded (RFC 2047, base64), every line is short.
 */
#ifndef LZ_TELL_MAIL_H
#define LZ_TELL_MAIL_H

#include <cjson/cJSON.h>
#include <linux/types.h>

#include "base/err.h"
#include "base/mem.h"

/**
 * lz_mail_build() - RFC 5322, with CRLF
 * @from, @to:   bare addresses
 * @news:        a "lazaret/news" document; needs case, event, key, opened
 * @now_wall_s:  for Date
 *
 * The same message gives the same Message-ID at every try. All messages of a case refer to one
 * Message-ID, so that they make one thread, and their subjects begin with "[lazaret CASE-n]".
 * Auto-Submitted (RFC 3834) keeps vacation programs and ticket systems from answering.
 * Return: 0; -EINVAL with @reterr set; -ENOMEM.
 */
int lz_mail_build(const char *from, const char *to, const cJSON *news, __u64 now_wall_s,
		  struct lz_str *out, struct lz_err *reterr);

#endif /* LZ_TELL_MAIL_H */
