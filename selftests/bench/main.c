/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.c - usage: bench [--quick] [--rounds N] [--repeats N] [--net PREFIX] [--measured FILE]
 *                        [--figures LETTERS] OBJECT POLICY JSON SVG
 *                 bench [--quick] --list held|ranges
 *                 bench [--quick] [--figures LETTERS] --against OTHER|--beside COMMAND|--turns OBJECT POLICY
 *                                     (against.c)
 *                 bench --spray|--both|--events ...   (sender.c)
 *
 * Writes JSON and SVG, prints the table. Exit status: 0 all verdicts were right (whatever the
 * figures), 1 a verdict or a count was wrong, 2 set-up failed. --quick: small tables, few packets:
 * a check of the bench itself. --net: prefix of the namespaces that run.sh made. --measured: rows
 * that control.sh wrote. --figures: only these; SVG is written if b is among them. --list: what the
 * rivals' sets must hold.
 */
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench.h"

struct bench_options options = { .rounds = 11, .repeats = 200000, .figures = "" };

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "repeats", required_argument, NULL, 'n' },
		{ "net", required_argument, NULL, 't' },
		{ "measured", required_argument, NULL, 'm' },
		{ "figures", required_argument, NULL, 'f' },
		{ "list", required_argument, NULL, 'l' },
		{ "against", required_argument, NULL, 'a' },
		{ "beside", required_argument, NULL, 'b' },
		{ "turns", no_argument, NULL, 'u' },
		{},
	};
	const char *list = NULL;
	bool turns;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'q')
			options.quick = true;
		else if (c == 'r')
			options.rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'n')
			options.repeats = (__u32)strtoul(optarg, NULL, 10);
		else if (c == 't')
			options.net = optarg;
		else if (c == 'm')
			options.measured = optarg;
		else if (c == 'f')
			options.figures = optarg;
		else if (c == 'l')
			list = optarg;
		else if (c == 'a')
			options.against = optarg;
		else if (c == 'b')
			options.beside = optarg;
		else if (c == 'u')
			options.serve = true;
		else
			exit(2);
	}
	if (options.quick) {
		options.rounds = 3;
		options.repeats = 2000;
		options.scale_shift = 8;
	}
	if (list) {
		scene_list(list);
		exit(0);
	}
	turns = options.against || options.beside || options.serve;
	if (argc - optind != (turns ? 2 : 4) || options.rounds < 1 ||
	    options.rounds > BENCH_ROUNDS_MAX || !options.repeats ||
	    options.figures[strspn(options.figures, "abcdefghijklm")]) {
		fprintf(stderr, "usage: bench [--quick] [--rounds 1..%d] [--repeats N] "
				"[--net PREFIX] [--measured FILE] [--figures a..m] "
				"[--against OTHER|--beside COMMAND|--turns] OBJECT POLICY [JSON SVG]\n",
			BENCH_ROUNDS_MAX);
		exit(2);
	}
	options.object = argv[optind];
	options.policy = argv[optind + 1];
	if (turns)
		return;
	options.json = argv[optind + 2];
	options.svg = argv[optind + 3];
}

static void stay_on_first_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	bench_must(sched_setaffinity(0, sizeof(set), &set), "stay on cpu 0");
}

int main(int argc, char **argv)
{
	int sender = sender_run(argc, argv);
	const char *unsteady;

	if (sender >= 0)
		return sender;
	parse(argc, argv);
	stay_on_first_cpu();
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	against_start();
	scenes_open();
	if (options.serve)
		against_serve();
	else if (options.against || options.beside)
		figures_against();
	if (options.serve || options.against || options.beside)
		return bench_wrongs() ? 1 : 0;
	variants_run();
	figures_kernel();
	if (figures_wanted("f"))
		figures_pair();
	figures_capacity();
	if (figures_wanted("l"))
		figures_offence();
	if (options.measured)
		figures_measured(options.measured);
	if (options.net && figures_wanted("bcd"))
		figures_live();
	unsteady = bench_unsteady();
	table_print(stdout);
	if (options.quick)
		printf("\nQUICK: tables 256 times smaller, few packets: only the verdicts mean "
		       "anything\n");
	if (unsteady)
		printf("\nVOID: \"%s\" was not steady (p90 > 2 x min): somebody else used the "
		       "machine\n", unsteady);
	bench_must(results_write(options.json, unsteady != NULL), options.json);
	if (figures_wanted("b"))
		bench_must(plot_write(options.svg), options.svg);
	if (bench_wrongs())
		printf("\n%u verdicts or counts were wrong, see above\n", bench_wrongs());
	return bench_wrongs() ? 1 : 0;
}
