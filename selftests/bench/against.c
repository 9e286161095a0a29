/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * against.c - is this data plane faster than that one? Programs of two builds over the same tables.
 *
 * They run by turns of some ten milliseconds, each turn in the other order, and what is compared is the
 * difference within a turn. Two runs of the bench differ by a third on a machine with neighbours; this
 * tells 10 ns apart, and says when it cannot. It takes tables that are laid out alike: against.sh asks the ABI's number, and here
 * each map is looked at.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define TURNS	     200
#define TURNS_QUICK  10
#define TURN_PACKETS 20000
/* A build differs from itself by 1.5 %, because its code lies elsewhere: less is not told apart. */
#define LEAST	     0.02

/* The other's programs of one scene. */
struct other {
	const struct scene *scene;
	struct bpf_object *object;
};

static struct other others[16];
static unsigned others_n;

/* What both builds have; the rest - floors, rivals - is the same in either. */
static bool is_ours(const struct variant *v)
{
	return !strcmp(v->program, "bench_ours") || !strcmp(v->program, "bench_class");
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
			fprintf(stderr, "bench: against: a row of map %s has %u bytes here and %u there: what "
				"is laid out differently cannot be shared, run `make bench` on both\n",
				bpf_map__name(map), bpf_map__value_size(ours), bpf_map__value_size(map));
			exit(2);
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
	bool sure;

	for (unsigned t = 0; t < n; t++)
		more[t] = ours->ns[t] - theirs->ns[t];
	qsort(more, n, sizeof(*more), stat_compare);
	share = more[n / 2] / that;
	sure = (more[low] > 0 && share > LEAST) || (more[high] < 0 && share < -LEAST);
	printf("%-18s %7.0f %7.0f %+7.1f %+7.1f .. %+6.1f %+6.1f %%  %s\n", ours->name,
	       stat_of(ours->ns, n).median, that, more[n / 2], more[low], more[high], 100 * share,
	       !sure ? "not told apart" : share > 0 ? "slower" : "faster");
	fflush(stdout);
}

static void take_turns(struct variant *v)
{
	unsigned n = options.quick ? TURNS_QUICK : TURNS;
	__u32 packets = options.quick ? options.repeats : TURN_PACKETS;
	struct variant other = *v;

	other.prog = other_prog(v);
	for (unsigned t = 0; t < n; t++) {
		variant_once(t & 1 ? &other : v, packets);
		variant_once(t & 1 ? v : &other, packets);
	}
	print_row(v, &other, n);
}

void figures_against(void)
{
	_Static_assert(TURNS <= BENCH_ROUNDS_MAX, "a variant keeps them all");
	struct variant *v;

	printf("%-18s %7s %7s %7s %17s %8s\n", "ns/packet", "this", "that", "more", "99 % sure", "of that");
	for (unsigned i = 0; (v = variant_at(i)); i++)
		if (is_ours(v))
			take_turns(v);
	if (options.quick)
		puts("\nQUICK: small tables, few packets: only the verdicts mean anything");
}
