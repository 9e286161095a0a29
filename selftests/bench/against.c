/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * against.c - is this data plane faster than that one? Programs of two builds over the same tables, or each over
 * its own.
 *
 * They run by turns of some ten milliseconds, each turn in the other order, and what is compared is the
 * difference within a turn. Two runs of the bench differ by a third on a machine with neighbours; this
 * tells 10 ns apart, and says when it cannot. Tables are shared where they are laid out alike: against.sh asks
 * the ABI's number, and here each map is looked at. Where they are not, the other build's own bench runs beside
 * this one, on the same CPU, and does a turn whenever it is asked to: a line of name and packets on its standard
 * input, the nanoseconds on its standard output, negative if it has no such variant.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define TURNS	     200
#define TURNS_QUICK  10
#define TURN_PACKETS 20000
#define TURN_PACKETS_BESIDE 40000 /* its tables are not in the cache any more when its turn comes */
/* A build differs from itself by 1.5 %, because its code lies elsewhere: less is not told apart. */
#define LEAST	     0.02
/* With tables of its own, which lie in other pages, b with 1,000 sources by 5 %, a line of a million by 1 to 13 %, in
 * each start of both by another share. The line is compared as well: what it differs by is the pages. */
#define LEAST_BESIDE 0.1
#define EXIT_LAYOUT  3 /* for against.sh: the tables cannot be shared */

/* The other's programs of one scene. */
struct other {
	const struct scene *scene;
	struct bpf_object *object;
};

static struct other others[16];
static unsigned others_n;

/* The other build in a process of its own. */
static struct {
	pid_t pid;
	FILE *ask, *answer;
} beside;

/* What both builds have; the rest - floors, rivals - is the same in either. */
static bool is_compared(const struct variant *v)
{
	return !strcmp(v->program, "bench_ours") || !strcmp(v->program, "bench_class") ||
	       (options.beside && !strcmp(v->program, "bench_line"));
}

static void share_maps(struct bpf_object *o, const struct scene *s)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, o) {
		struct bpf_map *ours = bpf_object__find_map_by_name(s->object, bpf_map__name(map));

		if (!ours || bpf_map__fd(ours) < 0 || strstr(bpf_map__name(map), ".rodata"))
			continue;
		if (bpf_map__value_size(map) != bpf_map__value_size(ours) ||
		    bpf_map__key_size(map) != bpf_map__key_size(ours)) {
			fprintf(stderr, "bench: against: a row of map %s has %u bytes here and %u there\n",
				bpf_map__name(map), bpf_map__value_size(ours), bpf_map__value_size(map));
			exit(EXIT_LAYOUT);
		}
		bench_must(bpf_map__reuse_fd(map, bpf_map__fd(ours)), bpf_map__name(map));
	}
}

static struct bpf_object *other_open(const struct scene *s)
{
	struct bpf_object *o = bpf_object__open_file(options.against, NULL);
	struct bpf_program *prog;
	char word[64];

	bench_must(o ? 0 : -errno, options.against);
	scene_instance(o, &s->instance);
	share_maps(o, s);
	bpf_object__for_each_program(prog, o) {
		snprintf(word, sizeof(word), " %s ", bpf_program__name(prog));
		bpf_program__set_autoload(prog, strstr(s->config.programs, word) &&
					  strstr(" bench_ours bench_class ", word));
	}
	bench_must(bpf_object__load(o), "load the other object");
	return o;
}

static int other_prog(const struct variant *v)
{
	const struct bpf_program *prog;
	unsigned i = 0;

	while (i < others_n && others[i].scene != v->scene)
		i++;
	if (i == others_n) {
		bench_must(i < sizeof(others) / sizeof(*others) ? 0 : -ENOSPC, "one more scene");
		others[others_n++] = (struct other){ v->scene, other_open(v->scene) };
	}
	prog = bpf_object__find_program_by_name(others[i].object, v->program);
	bench_must(prog ? 0 : -ENOENT, v->program);
	return bpf_program__fd(prog);
}

static void print_row(const struct variant *ours, const struct variant *theirs, unsigned n)
{
	/* The median lies between these of the differences, 99 % sure: binomial, whatever they look like. */
	unsigned low = (unsigned)(n / 2.0 - 2.58 * sqrt(n) / 2), high = n - low - 1;
	double that = stat_of(theirs->ns, n).median, more[TURNS], share;
	double least = options.beside ? LEAST_BESIDE : LEAST;
	bool sure;

	for (unsigned t = 0; t < n; t++)
		more[t] = ours->ns[t] - theirs->ns[t];
	qsort(more, n, sizeof(*more), stat_compare);
	share = more[n / 2] / that;
	sure = (more[low] > 0 && share > least) || (more[high] < 0 && share < -least);
	printf("%-18s %7.0f %7.0f %+7.1f %+7.1f .. %+6.1f %+6.1f %%  %s\n", ours->name,
	       stat_of(ours->ns, n).median, that, more[n / 2], more[low], more[high], 100 * share,
	       !sure ? "not told apart" : share > 0 ? "slower" : "faster");
	fflush(stdout);
}

void against_start(void)
{
	int to[2], from[2];

	if (!options.beside)
		return;
	bench_must(pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC) ? -errno : 0, "make a pipe");
	signal(SIGPIPE, SIG_IGN); /* if it ends, its answer is missing */
	beside.pid = fork();
	bench_must(beside.pid < 0 ? -errno : 0, "start the other bench");
	if (!beside.pid) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", options.beside, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	beside.ask = fdopen(to[1], "w");
	beside.answer = fdopen(from[0], "r");
	bench_must(beside.ask && beside.answer ? 0 : -errno, "open a pipe");
}

/* Its verdicts must have been right, too. */
static void beside_end(void)
{
	int status;

	fclose(beside.ask);
	bench_must(waitpid(beside.pid, &status, 0) < 0 ? -errno : 0, "wait for the other bench");
	if (status)
		bench_wrong("the other bench: see above");
}

static bool other_turn(struct variant *other, __u32 packets)
{
	double *ns = &other->ns[other->rounds];

	if (!options.beside) {
		variant_once(other, packets);
		return true;
	}
	fprintf(beside.ask, "%s %u\n", other->name, packets);
	fflush(beside.ask);
	bench_must(fscanf(beside.answer, "%lf", ns) == 1 ? 0 : -EPIPE, "wait for a turn of the other bench");
	other->rounds++;
	return *ns >= 0;
}

static void take_turns(struct variant *v)
{
	unsigned n = options.quick ? TURNS_QUICK : TURNS;
	__u32 packets = options.quick ? options.repeats : options.beside ? TURN_PACKETS_BESIDE : TURN_PACKETS;
	struct variant other = *v;

	if (!options.beside)
		other.prog = other_prog(v);
	for (unsigned t = 0; t < n; t++) {
		if (t & 1)
			variant_once(v, packets);
		if (!other_turn(&other, packets)) {
			printf("%-18s not there\n", v->name);
			return;
		}
		if (!(t & 1))
			variant_once(v, packets);
	}
	print_row(v, &other, n);
}

void against_serve(void)
{
	char name[64];
	__u32 packets;

	while (scanf("%63s %u", name, &packets) == 2) {
		struct variant *v;
		unsigned i = 0;

		while ((v = variant_at(i)) && strcmp(v->name, name))
			i++;
		if (v) {
			v->rounds = 0;
			variant_once(v, packets);
		}
		printf("%.0f\n", v ? v->ns[0] : -1);
		fflush(stdout);
	}
}

void figures_against(void)
{
	_Static_assert(TURNS <= BENCH_ROUNDS_MAX, "a variant keeps them all");
	struct variant *v;

	printf("%-18s %7s %7s %7s %17s %8s\n", "ns/packet", "this", "that", "more", "99 % sure", "of that");
	for (unsigned i = 0; (v = variant_at(i)); i++)
		if (is_compared(v))
			take_turns(v);
	if (options.beside)
		beside_end();
	if (options.quick)
		puts("\nQUICK: small tables, few packets: only the verdicts mean anything");
}
