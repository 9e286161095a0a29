/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * doc.h - the JSON document of -j and -p, written to stdout while the answer arrives:
 *
 *   {"schema":"lazaret/source","version":1,"command":"list","sources":[ROW,ROW],"code":0,"total":2}
 *
 * Rows are copied, not parsed. Whatever is written goes through one filter that removes or sets
 * blanks and escapes DEL and the C1 controls (U+0080..U+009F), which JSON allows in a text and a
 * terminal obeys.
 */
#ifndef LZ_CLI_DOC_H
#define LZ_CLI_DOC_H

#include "cli/cli.h"

/** lz_doc_row() - one row of the list called @rows; opens document and list */
void lz_doc_row(struct lz_cli *cli, const char *rows, const char *json, size_t len);

/** lz_doc_text() - a piece of the value called @name, which is JSON and comes in pieces */
void lz_doc_text(struct lz_cli *cli, const char *name, const char *json, size_t len);

/** lz_doc_line() - a document of its own in one line: for monitor, which has no end */
void lz_doc_line(struct lz_cli *cli, const char *schema, const char *json, size_t len);

/**
 * lz_doc_end() - the members of @reply and the end
 * @rows: name of the list, written even when it is empty; or NULL
 */
void lz_doc_end(struct lz_cli *cli, const char *rows, const cJSON *reply);

/**
 * lz_doc_program() - the document that a started program printed, and what it could not know
 * @json: "{..}", with schema and version
 * @error: NULL when @code is 0
 */
void lz_doc_program(struct lz_cli *cli, const char *json, size_t len, enum lz_code code,
		    const char *error);

/** lz_doc_fail() - the end of a document whose answer did not come */
void lz_doc_fail(struct lz_cli *cli, enum lz_code code, const char *error);

#endif /* LZ_CLI_DOC_H */
