/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cmd_portal.c - how phones and computers learn of the captive portal API (RFC 8910): its link, in
 * the words of the servers that hand out addresses.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/view.h"
#include "policy/policy.h"

#define SERVERS "kea|isc|dnsmasq|radvd"

/* %s is the link; it needs no escaping anywhere (ctl/policy/outside.c). */
static const struct {
	const char *word, *text;
} servers[] = {
	{ "kea",
	  "// kea-dhcp4.conf, in \"Dhcp4\", or in a subnet, pool or class of it\n"
	  "\"option-data\": [ { \"name\": \"v4-captive-portal\", \"data\": \"%s\" } ]\n"
	  "// kea-dhcp6.conf, in \"Dhcp6\"\n"
	  "\"option-data\": [ { \"name\": \"v6-captive-portal\", \"data\": \"%s\" } ]\n" },
	{ "isc",
	  "# dhcpd.conf\n"
	  "option captive-portal-api code 114 = text;\n"
	  "option captive-portal-api \"%s\";\n"
	  "# dhcpd6.conf\n"
	  "option dhcp6.captive-portal-api code 103 = text;\n"
	  "option dhcp6.captive-portal-api \"%s\";\n" },
	{ "dnsmasq",
	  "# dnsmasq.conf; it does not send the link in router advertisements\n"
	  "dhcp-option=114,%s\n"
	  "dhcp-option=option6:103,%s\n" },
	{ "radvd",
	  "# radvd.conf, in an interface; from version 2.20 on\n"
	  "AdvCaptivePortalAPI \"%s\";\n" },
};

static void print_one(size_t i, const char *url)
{
	const char *text = servers[i].text, *at;

	while ((at = strstr(text, "%s"))) {
		printf("%.*s%s", (int)(at - text), text, url);
		text = at + 2;
	}
	fputs(text, stdout);
}

static void show_options(struct lz_cli *cli, const cJSON *reply)
{
	const char *server = lz_cli_value(cli, SERVERS);
	char url[LZ_CELL_BYTES];

	lz_text_get(cli, reply, "url", url);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(servers); i++) {
		if (server && !lz_streq(server, servers[i].word))
			continue;
		if (!server)
			printf("%s%s:\n", i ? "\n" : "", servers[i].word);
		print_one(i, url);
	}
}

const struct lz_cli_view lz_view_portal_options = { .end = show_options };

/* From a file, before it is applied. */
static int show_file(struct lz_cli *cli, const char *path)
{
	lz_autojson cJSON *reply = cJSON_CreateObject();
	lz_autostr struct lz_str text = { 0 };
	struct lz_report report = { 0 };
	struct lz_policy *policy = NULL;
	int code = LZ_CODE_OK;

	if (lz_policy_load(path, &policy, &report)) {
		lz_report_format(&report, path, &text);
		code = lz_cli_fail(cli, LZ_CODE_INVALID, "%s", text.data ? text.data : path);
	} else if (!policy->portal.api.present) {
		code = lz_cli_fail(cli, LZ_CODE_NO_OBJECT, "%s: /portal/api: there is none", path);
	} else {
		lz_json_add_u64(reply, "code", LZ_CODE_OK);
		lz_json_add_str(reply, "url", policy->portal.api.url);
		if (cli->json)
			lz_doc_end(cli, NULL, reply);
		else
			show_options(cli, reply);
	}
	lz_policy_free(&policy);
	lz_report_done(&report);
	return code;
}

int lz_cli_portal_options(struct lz_cli *cli)
{
	const char *path = lz_cli_value(cli, "--policy");

	return path ? show_file(cli, path) : lz_cli_call(cli);
}
