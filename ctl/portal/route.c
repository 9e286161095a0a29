// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <string.h>
#include <strings.h>

#include "portal/escape.h"
#include "portal/route.h"

/*
 * What systems fetch to see whether they are online; anything but the answer they expect opens the
 * "sign in to the network" sheet, a redirect opens it on the right page. path NULL: every path.
 */
static const struct probe {
	const char *host, *path;
} probes[] = {
	/* Apple */
	{ "captive.apple.com", NULL },
	{ "www.apple.com", "/library/test/success.html" },
	{ "www.itools.info", NULL },
	{ "www.ibook.info", NULL },
	{ "www.airport.us", NULL },
	{ "www.thinkdifferent.us", NULL },
	{ "www.appleiphonecell.com", NULL },
	/* Android and Chromium */
	{ "connectivitycheck.gstatic.com", NULL },
	{ "connectivitycheck.android.com", NULL },
	{ "clients1.google.com", "/generate_204" },
	{ "clients3.google.com", "/generate_204" },
	{ "www.google.com", "/generate_204" },
	{ "www.google.com", "/gen_204" },
	{ "www.gstatic.com", "/generate_204" },
	{ "play.googleapis.com", "/generate_204" },
	{ "connectivitycheck.platform.hicloud.com", NULL },
	{ "connect.rom.miui.com", NULL },
	{ "wifi.vivo.com.cn", NULL },
	{ "conn1.oppomobile.com", NULL },
	/* Microsoft */
	{ "www.msftconnecttest.com", NULL },
	{ "ipv6.msftconnecttest.com", NULL },
	{ "www.msftncsi.com", NULL },
	{ "ipv6.msftncsi.com", NULL },
	/* Firefox */
	{ "detectportal.firefox.com", NULL },
	/* NetworkManager, GNOME, KDE, distributions */
	{ "nmcheck.gnome.org", NULL },
	{ "networkcheck.kde.org", NULL },
	{ "network-test.debian.org", NULL },
	{ "connectivity-check.ubuntu.com", NULL },
	{ "fedoraproject.org", "/static/hotspot.txt" },
	{ "conncheck.opensuse.org", NULL },
	{ "ping.archlinux.org", NULL },
	{ "ping.manjaro.org", NULL },
	/* readers, consoles */
	{ "spectrum.s3.amazonaws.com", NULL },
	{ "ctest.cdn.nintendo.net", NULL },
	{ "conntest.nintendowifi.net", NULL },
	{ "ena.net.playstation.net", NULL },
};

/* Without the port that a Host header may carry, and without the dot of the DNS' root. */
static size_t host_len(const char *host)
{
	size_t n = strlen(host);

	if (n > 3 && lz_streq(host + n - 3, ":80"))
		n -= 3;
	return n > 1 && host[n - 1] == '.' ? n - 1 : n;
}

bool lz_route_same_host(const char *a, const char *b)
{
	size_t n = host_len(a);

	return n == host_len(b) && !strncasecmp(a, b, n);
}

bool lz_route_is_probe(const char *host, const char *path, const char *user_agent)
{
	for (size_t i = 0; host && i < LZ_ARRAY_SIZE(probes); i++)
		if (lz_route_same_host(host, probes[i].host) && (!probes[i].path || lz_streq(path, probes[i].path)))
			return true;
	return user_agent && (!strncmp(user_agent, "CaptiveNetworkSupport", 21) ||
			      !strncmp(user_agent, "Microsoft NCSI", 14));
}

static bool is_read(const char *method)
{
	return lz_streq(method, "GET") || lz_streq(method, "HEAD");
}

static bool wants(const char *accept, const char *type)
{
	return accept && strcasestr(accept, type);
}

/* Nobody was led here: it is the portal that is asked for. */
static enum lz_answer route_own(const struct lz_route_config *config, const struct lz_asked *asked)
{
	if (asked->tls && is_read(asked->method) && config->api_path[0] &&
	    (lz_streq(asked->path, config->api_path) || wants(asked->accept, "application/captive+json")))
		return LZ_ANSWER_API;
	if (is_read(asked->method))
		return LZ_ANSWER_PAGE;
	return lz_streq(asked->method, "POST") && lz_streq(asked->path, LZ_RELEASE_PATH) ?
		       LZ_ANSWER_RELEASE : LZ_ANSWER_METHOD;
}

enum lz_answer lz_route(const struct lz_route_config *config, const struct lz_asked *asked)
{
	bool home = config->direct || (asked->host && lz_route_same_host(asked->host, config->host));

	if (asked->tls || asked->own)
		return route_own(config, asked);
	/* Only where the page itself came from: any site can make a browser post to any other. */
	if (home && lz_streq(asked->method, "POST") && lz_streq(asked->path, LZ_RELEASE_PATH))
		return LZ_ANSWER_RELEASE;
	if (!is_read(asked->method))
		return LZ_ANSWER_511;
	if (config->direct)
		return wants(asked->accept, "text/html") ||
				       lz_route_is_probe(asked->host, asked->path, asked->user_agent) ?
			       LZ_ANSWER_PAGE : LZ_ANSWER_511;
	if (home) /* a link leads here: whatever follows it gets the page */
		return LZ_ANSWER_PAGE;
	return wants(asked->accept, "text/html") ||
			       lz_route_is_probe(asked->host, asked->path, asked->user_agent) ?
		       LZ_ANSWER_REDIRECT : LZ_ANSWER_511;
}

int lz_route_original(const char *host, const char *path, const char *query, struct lz_str *out)
{
	lz_autostr struct lz_str url = { 0 };

	if (!host || !lz_host_is_sane(host) || *path != '/')
		return 0;
	lz_str_appendf(&url, "http://%s%s%s%s", host, path, query && *query ? "?" : "",
		       query ? query : "");
	if (url.error || !lz_url_is_web(url.data))
		return url.error;
	return lz_str_append(out, url.data);
}

int lz_route_location(const char *portal, const char *original, struct lz_str *out)
{
	lz_str_append(out, portal);
	if (original && *original) {
		lz_str_append(out, "?to=");
		lz_escape_query(out, original);
	}
	return out->error;
}
