/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench.h - the parts of `make bench` and what they hand to each other.
 *
 *   scene    one BPF object: sizes, policy, sources, holds          scene.c, text.c
 *   variant  one program over one kind of traffic in one scene      scenes.c, run.c
 *   rival    what judges real frames at the end of a veth pair      rivals.c, live.c
 *   result   one row of build/bench.json                            result.c, table.c, plot.c
 *   against  the same variants, and another build's programs        against.c
 *
 * The figures have the letters of issue 3, a to m; each row's name begins with its letter:
 *
 *   a..e g m  report.c     b..d end to end  live.c     f  pair.c     h..k  capacity.c
 *   l  offence.c           h..l through daemon and command           control.sh, measured.c
 *
 * Every variant runs once a round: what disturbs the machine for a while disturbs them all.
 * A set-up step that fails ends the process: a bench without its set-up measures nothing.
 */
#ifndef LZ_BENCH_BENCH_H
#define LZ_BENCH_BENCH_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdio.h>

#include "datapath/kernel.h"
#include "datapath/policyswap.h"
#include "datapath/tables.h"
#include "gen.h"

#define BENCH_ROUNDS_MAX   200
#define BENCH_VARIANTS_MAX 96
#define BENCH_RESULTS_MAX  128
#define BENCH_BASES_MAX	   8
#define BENCH_SWEEP_N	   4
#define BENCH_IFINDEX	   1 /* lo: what BPF_PROG_TEST_RUN says by default */
#define BENCH_ROW	   1
#define BENCH_FRAME_BYTES  78
#define BENCH_HELD6	   0x20010db840000000ULL /* first held IPv6 source, in key space */
#define BENCH_PLANTED6	   0x20010db808000000ULL

struct bench_options {
	const char *object; /* path of bench.bpf.o */
	const char *json, *svg;
	const char *policy; /* policies/small-cable-isp.json */
	const char *net;    /* prefix of the rivals' network namespaces; NULL: no live frames */
	const char *measured; /* rows that control.sh wrote; NULL: none */
	const char *against; /* another build's bench.bpf.o; NULL: the bench itself */
	const char *beside; /* a command: another build's bench, that serves turns */
	bool serve;	    /* be that one */
	const char *figures; /* letters of those that are wanted; "": all */
	unsigned rounds;
	__u32 repeats;	    /* packets a run */
	__u32 scale_shift;  /* quick: every table is 2^shift times smaller */
	bool quick;
};

extern struct bench_options options;

/* ---------------------------------------------------------------- scene */

struct scene_config {
	const char *name;
	const char *figures; /* letters of those that need it */
	__u32 sources;	     /* different ones; all known before they are timed */
	__u32 held;	     /* others, held: 600,000 neighbours in the tables */
	__u32 ranges;	     /* prefixes in the policy's range file */
	unsigned family;
	const char *own4;    /* the policy's dynamic range */
	const char *own6;
	__u64 base6;
	__u32 base4;
	__u32 held4;	     /* first held one; where no traffic comes from */
	__u32 planted4;
	bool prefix_limit;   /* a limit of a covering prefix on top: figure e */
	__u32 exceptions;
	const char *programs; /* names, a blank around each */
};

/* Customers of the plot's scenes; "main4" has the million. */
struct bench_size {
	const char *name;
	__u32 sources;
};

extern const struct bench_size bench_sweep[BENCH_SWEEP_N];

struct scene {
	struct scene_config config;
	struct bpf_object *object;
	struct lz_map_fds fds;
	struct lz_instance instance;
	struct lz_tables_view view;
	struct lz_image *image;
	struct ring_buffer *events;
	struct bench_gen *gen;
	__u64 *found;	  /* [BENCH_CPUS] */
	__u64 *admitted;  /* [BENCH_CPUS][8] */
	struct lz_cell *cell; /* the one that two CPUs hammer: figure f */
	__u64 compile_ns, fill_ns, hold_ns; /* how long it took: figures h and j */
};

/** scenes_open() - open the scenes of the wanted figures and add their variants */
void scenes_open(void);

/** scene_find() - an open one; it must be there */
struct scene *scene_find(const char *name);

/** scene_list() - print addresses that are "held" or prefixes that are refused ("ranges") */
void scene_list(const char *what);
void scene_open(const struct scene_config *config, struct scene *ret);
int scene_prog(const struct scene *s, const char *name);
/** scene_instance() - an object that is not loaded yet will be of this instance */
void scene_instance(struct bpf_object *object, const struct lz_instance *instance);
__u32 scene_capacity(const struct scene_config *config);
__u64 scene_held_key(const struct scene_config *config, __u32 i);
void scene_drain(struct scene *s);
void scene_stats(const struct scene *s, struct lz_port_stats *ret);
struct bpf_map *scene_map(const struct scene *s, const char *name);
void *scene_mmap(const struct scene *s, const char *name);

/** text_policy() - the policy of a scene; heap */
struct lz_policy *text_policy(const struct scene_config *config);

/** text_range() - prefix i of a scene with ranges: its bits and *ret_len in key space */
__u64 text_range(const struct scene_config *config, __u32 i, __u32 *ret_len);

/** text_range_print() - the same as an operator writes it */
void text_range_print(const struct scene_config *config, __u32 i, char *ret, size_t bytes);

/** stock_fill() - the same sources, holds, ranges in the stock maps of the object */
void stock_fill(struct scene *s);
void stock_size(struct scene *s);

/* ---------------------------------------------------------------- variant */

enum frame_kind {
	FRAME_SYN25,	  /* to the smarthost: what the policy counts and limits */
	FRAME_SYN25_VLAN,
	FRAME_OTHER,	  /* TCP, no SYN, no port 25 */
	FRAME_OTHER_VLAN,
	FRAME_WORLD25,	  /* SYN to port 25 of the world: refused by the class */
	FRAME_N,
};

void frame_make(enum frame_kind kind, unsigned family, __u8 frame[static BENCH_FRAME_BYTES]);

enum check {
	CHECK_RET,	/* the program's answer to the last packet */
	CHECK_REASONS,	/* the port's counters: all packets ended for these reasons */
	CHECK_FOUND,	/* ranges found */
	CHECK_ADMITTED, /* by a rival's limit: at least so many a thousand */
};

struct variant {
	const char *name;
	struct scene *scene;
	const char *program;
	int prog;	/* its descriptor; 0: the scene's of that name */
	enum frame_kind frame;
	__u32 n;	/* sources; 0: all of the scene */
	__u32 draw;	/* enum bench_draw */
	__u32 base4;	/* 0: the scene's */
	__u64 base6;
	__u32 planted_every;
	enum check check;
	__u64 want;	/* return code; bits of enum lz_reason; packets in a thousand */
	/* what came out */
	double ns[BENCH_ROUNDS_MAX];
	unsigned rounds;
};

struct spread {
	double median, min, p90;
};

struct variant *variant_add(const struct variant *v);
/** variant_at() - the i-th, or NULL behind the last */
struct variant *variant_at(unsigned i);
struct variant *variant_find(const char *name);
struct spread variant_stat(const char *name);
void variants_run(void);

/** bench_calibration() - what must be steady in a run that is worth anything: p90 <= 2 x min */
void bench_calibration(const char *name, struct spread s);

/** bench_unsteady() - the first calibration that was not, or NULL: the run is void */
const char *bench_unsteady(void);
void variant_once(struct variant *v, __u32 repeats);
void variant_prepare(const struct variant *v);
double variant_time(const struct variant *v, __u32 repeats, __u32 *ret_answer);
/** stat_compare() - for qsort() of doubles */
int stat_compare(const void *a, const void *b);
struct spread stat_of(const double *values, unsigned n);

/**
 * ratio_of() - the median of (over - over_floor) / (under - under_floor), each taken within a round
 * @over_floor, @under_floor: NULL: nothing is taken off
 *
 * A neighbour's busy time lasts longer than a round: it makes all of one dearer. The ratio of two medians
 * would set a round of his against one of ours.
 */
double ratio_of(const double *over, const double *over_floor, const double *under,
		const double *under_floor, unsigned n);
__u64 bench_now_ns(void);

/** bench_before_others() - this thread has real-time priority, or no more */
void bench_before_others(bool yes);

/** bench_wrong() - a verdict or a count is not what it must be: the bench fails at its end */
void bench_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
void bench_must(int r, const char *what);
unsigned bench_wrongs(void);

/* ---------------------------------------------------------------- result */

struct base {
	const char *name;
	double value;
};

struct result {
	char name[64];
	const char *unit;
	struct spread ours;
	struct base base[BENCH_BASES_MAX];
	unsigned bases;
	double ratio;
	char got[16];	 /* the ratio with its unit; "": there is none */
	char wanted[64];
	bool met;
};

struct result *result_add(const char *name, const char *unit, struct spread ours);
void result_base(struct result *r, const char *name, double value);
/** result_lines() - met if (ours - empty) / U, which is @ratio, <= lines */
void result_lines(struct result *r, double ratio, double lines);
/** result_at_most() - met if ours / @what's, which is @ratio, <= times */
void result_at_most(struct result *r, const char *what, double ratio, double times);
/** result_faster() - met if @what's / ours, which is @ratio, >= times */
void result_faster(struct result *r, const char *what, double ratio, double times);
/** result_limit() - met if ours <= limit; @ratio is ours / limit */
void result_limit(struct result *r, double limit);
/**
 * result_alone() - a row NAME-alone beside @of: what it would come to if @what were all that had to be done
 * @alone: what that costs
 * @ratio: as that of @of, which has been given its own before
 */
struct result *result_alone(const struct result *of, const char *what, struct spread alone, double ratio);
/** result_idle() - the same, a row NAME-idle: if that, and @what instructions that do nothing, were all */
void result_idle(const struct result *of, const char *what, struct spread idle, double ratio);
/** result_told() - whatever is wanted of the ratio that @r has been given, it is only stated */
void result_told(struct result *r, const char *text);
/** result_stated() - nothing was wanted but that it is told: @text says what it is */
void result_stated(struct result *r, const char *text);

/** table_print() - all rows, at most 100 columns */
void table_print(FILE *out);
int results_write(const char *path, bool is_void);
const struct result *results(unsigned *ret_n);

int plot_write(const char *path);

/** nft_counters_read() - counters "hit" and "miss" of the one table of this network namespace */
int nft_counters_read(__u64 *ret_hit, __u64 *ret_miss);

/* ---------------------------------------------------------------- figures */

/** figures_wanted() - is one of these letters among those asked for? */
bool figures_wanted(const char *letters);

void figures_kernel(void);   /* a..e, g, m, after the rounds */
void figures_pair(void);     /* f: two CPUs */
void figures_capacity(void); /* h..k: the controller's own code */
void figures_offence(void);  /* l: the verdict */
void figures_live(void);     /* b..d end to end */

/** figures_measured() - h..l through daemon and command: the rows of a file of control.sh */
void figures_measured(const char *path);

/**
 * figures_against() - our programs and those of another build, by turns
 *
 * Of options.against over our tables, or of options.beside over its own.
 * Prints what each costs and the difference of the two within a turn, which is told apart where two whole
 * runs of the bench say nothing: what a neighbour takes, he takes from both.
 */
void figures_against(void);

/**
 * against_start() - start options.beside, if there is one
 *
 * Before our scenes are opened, so that both take their memory at the same time. Whoever took his behind the
 * other got the better pages: a random line cost him 8 to 13 % less, whichever of the two it was.
 */
void against_start(void);

/** against_serve() - do the turns that another bench asks for, till it asks no more */
void against_serve(void);

/** sender_run() - the modes --spray, --both, --events (sender.c); -1: it is none of these */
int sender_run(int argc, char **argv);

#endif
