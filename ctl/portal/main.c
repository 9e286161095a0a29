// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * main.c - lazaret-portal: what a held host meets. One thread, one loop.
 *
 * Order of start: gate and settings -> templates, certificate -> sockets -> sandbox -> serve. It
 * ends when the gate is gone; the keeper starts it anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "portal/preview.h"
#include "portal/sandbox.h"
#include "portal/sink.h"
#include "portal/tls.h"
#include "portal/web.h"

static struct portal {
	uv_loop_t loop;
	uv_signal_t term;
	uv_timer_t beat;
	struct lz_ask gate;
	struct lz_settings settings;
	struct lz_pages pages;
	struct lz_web web;
	struct lz_sink sink;
	struct lz_tls tls;
	int kept; /* LZ_PORTAL_FD_KEPT, -1: the keeper left none */
} portal;

static void on_gone(void)
{
	lz_log(LZ_LOG_NOTICE, "gate-closed", "why=%s", "lazaretd ends or its settings have changed");
	uv_stop(&portal.loop);
}

static void on_term(uv_signal_t *handle, int signum)
{
	(void)signum;
	uv_stop(handle->loop);
}

/* The keeper listens for it. A full pipe has beats enough. */
static void on_beat(uv_timer_t *timer)
{
	if (write(LZ_PORTAL_FD_ALIVE, "", 1) < 0 && errno != EAGAIN)
		uv_timer_stop(timer);
}

/* Before anything else is opened: a keeper that listens left a pipe here. */
static bool has_listener(void)
{
	struct stat st;

	return fstat(LZ_PORTAL_FD_ALIVE, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* So did one that keeps a file for us; only such files have seals. */
static int find_kept(void)
{
	return fcntl(LZ_PORTAL_FD_KEPT, F_GET_SEALS) < 0 ? -1 : LZ_PORTAL_FD_KEPT;
}

/* Without its certificate there is no API; the page stands all the same. */
static void load_tls(struct portal *p)
{
	struct lz_err err = { "" };

	if (!p->settings.api_url[0]) {
		lz_tls_forget(p->kept);
		return;
	}
	if (lz_tls_load(&p->settings, p->kept, &p->tls, &err) < 0)
		lz_log(LZ_LOG_ERROR, p->tls.certificate ? "api-as-before" : "no-api", "why=%s", err.text);
}

static int open_all(struct portal *p, const char *gate, struct lz_err *err)
{
	int r = lz_ask_connect(&p->gate, gate, err);

	if (r == 0)
		r = lz_ask_settings(&p->gate, &p->settings, err);
	if (r == 0)
		r = lz_pages_load(&p->settings, &p->pages, err);
	if (r < 0)
		return r;
	load_tls(p);
	if (uv_loop_init(&p->loop) < 0 || uv_signal_init(&p->loop, &p->term) < 0 ||
	    uv_signal_start(&p->term, on_term, SIGTERM) < 0 ||
	    lz_ask_start(&p->gate, &p->loop, on_gone) < 0)
		return lz_err_set(err, EIO, "loop: cannot start");
	r = lz_web_open(&p->web, &p->loop, &p->gate, &p->settings, &p->pages, p->tls.certificate, p->tls.key,
			err);
	if (p->web.no_api && p->tls.state == LZ_GATE_TLS_OK)
		p->tls.state = LZ_GATE_TLS_SERVE;
	if (r == 0 && p->settings.api_url[0] &&
	    lz_ask_tls(&p->gate, p->tls.state, p->tls.error, p->tls.before) < 0)
		r = lz_err_set(err, EIO, "gate: cannot say how certificate and key are");
	return r < 0 ? r : lz_sink_open(&p->sink, &p->loop, &p->gate, &p->settings, err);
}

static int serve(const char *gate)
{
	struct lz_err err = { "" };
	bool beats = has_listener();
	int r;

	lz_signals_ignore();
	signal(SIGINT, SIG_IGN); /* Ctrl-C goes to the keeper, which stops this side in order */
	tzset(); /* no file can be opened later */
	portal.kept = find_kept();
	for (int fd = LZ_PORTAL_FD_PAGE4; fd <= LZ_PORTAL_FD_ALIVE; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	r = open_all(&portal, gate, &err);
	lz_close_ref(&portal.kept); /* nobody but us has written to it */
	if (r == 0 && beats && (uv_timer_init(&portal.loop, &portal.beat) < 0 ||
				uv_timer_start(&portal.beat, on_beat, 0, LZ_PORTAL_BEAT_MS) < 0))
		r = lz_err_set(&err, EIO, "loop: cannot start");
	if (r == 0)
		r = lz_portal_sandbox_enter(&err);
	if (r < 0) {
		lz_log(LZ_LOG_ERROR, "portal-failed", "why=%s", err.text);
		return 2;
	}
	lz_log(LZ_LOG_NOTICE, "portal-ready", "url=%s languages=%zu api=%s", portal.settings.url,
	       portal.pages.n, portal.web.tls_url[0] ? portal.settings.api_url : "none");
	uv_run(&portal.loop, UV_RUN_DEFAULT);
	return 0;
}

static void print_usage(FILE *to)
{
	fputs("usage: lazaret-portal --gate PATH             serve; started by lazaretd\n"
	      "       lazaret-portal --check FILE...          are these page templates valid?\n"
	      "       lazaret-portal --preview KIND [FILE]    print the page with sample values;\n"
	      "                                               KIND: ", to);
	lz_preview_kinds(to);
	fputs("\n       lazaret-portal --help | --version\n", to);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "gate", required_argument, NULL, 'g' },    { "check", no_argument, NULL, 'c' },
		{ "preview", required_argument, NULL, 'p' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },	     { 0 },
	};

	switch (getopt_long(argc, argv, "", options, NULL)) {
	case 'g':
		if (optind == argc)
			return serve(optarg);
		break;
	case 'c':
		if (optind < argc)
			return lz_preview_check(argv + optind, (size_t)(argc - optind));
		break;
	case 'p':
		if (argc - optind <= 1)
			return lz_preview_print(optarg, optind < argc ? argv[optind] : NULL);
		break;
	case 'h':
		print_usage(stdout);
		return 0;
	case 'V':
		puts("lazaret-portal " LZ_VERSION);
		return 0;
	default:
		break;
	}
	print_usage(stderr);
	return 1;
}
