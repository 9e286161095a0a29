/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * scene.c - one instance of the data plane under test: sizes, policy, holds, every source known.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/mem.h"
#include "bench.h"
#include "datapath/object.h"

#define SEED 0x1122334455667788ULL /* fixed: every run has the same collisions */

static unsigned wrongs;

void bench_wrong(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("bench: wrong: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	wrongs++;
}

unsigned bench_wrongs(void)
{
	return wrongs;
}

void bench_must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench: set-up: %s: %s\n", what, strerror(-r));
	exit(2);
}

static void must_err(int r, const struct lz_err *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench: set-up: %s\n", err->text);
	exit(2);
}

__u64 bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (__u64)t.tv_sec * 1000000000ull + (__u64)t.tv_nsec;
}

/* Custom data sections are found by their section's name. */
struct bpf_map *scene_map(const struct scene *s, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(s->object, name);

	bench_must(map ? 0 : -ENOENT, name);
	return map;
}

void *scene_mmap(const struct scene *s, const char *name)
{
	struct bpf_map *map = scene_map(s, name);
	size_t bytes = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *at = mmap(NULL, (bytes + 4095) & ~4095ul, PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(map), 0);

	bench_must(at == MAP_FAILED ? -errno : 0, name);
	return at;
}

/* Where a variable lies in its section, by the object's BTF. */
static __u32 variable_offset(const struct bpf_object *o, const char *section, const char *name)
{
	const struct btf *btf = bpf_object__btf(o);
	int id = btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC);
	const struct btf_type *sec = btf__type_by_id(btf, id < 0 ? 0 : (__u32)id);
	const struct btf_var_secinfo *var;

	bench_must(id, section);
	var = btf_var_secinfos(sec);
	for (unsigned i = 0; i < btf_vlen(sec); i++)
		if (!strcmp(btf__name_by_offset(btf, btf__type_by_id(btf, var[i].type)->name_off),
			    name))
			return var[i].offset;
	bench_must(-ENOENT, name);
	return 0;
}

void scene_instance(struct bpf_object *object, const struct lz_instance *instance)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	size_t bytes;
	char *rodata = map ? (char *)(uintptr_t)bpf_map__initial_value(map, &bytes) : NULL;

	bench_must(rodata ? 0 : -EPROTO, "find .rodata");
	memcpy(rodata + variable_offset(object, ".rodata", "lz_instance"), instance, sizeof(*instance));
}

/* Room for the sources, and for the planted and covering prefixes beside them, of which a limit on /27 has one
 * for 32 sources in each of its two classes (text.c); the held ones have their own. */
__u32 scene_capacity(const struct scene_config *c)
{
	return c->sources + 8 * BENCH_PLANTED + (c->prefix_limit ? 2 * c->sources / 32 : 0);
}

static void size_maps(struct scene *s)
{
	const struct scene_config *c = &s->config;
	struct lz_err err = {};

	lz_instance_size(scene_capacity(c), c->held > 1024 ? c->held : 1024, &s->instance);
	s->instance.seed = SEED;
	s->instance.abi_version = LZ_ABI_VERSION;
	s->instance.ipv6_key_len = 56;
	scene_instance(s->object, &s->instance);
	must_err(lz_object_set_sizes(s->object, &s->instance, &err), &err);
	bpf_map__set_max_entries(scene_map(s, "bench_lines"), c->sources);
	stock_size(s);
}

static void load(struct scene *s)
{
	struct bpf_program *prog;
	char word[64];

	s->object = bpf_object__open_file(options.object, NULL);
	bench_must(s->object ? 0 : -errno, options.object);
	size_maps(s);
	bpf_object__for_each_program(prog, s->object) {
		snprintf(word, sizeof(word), " %s ", bpf_program__name(prog));
		bpf_program__set_autoload(prog, strstr(s->config.programs, word) != NULL);
	}
	bench_must(bpf_object__load(s->object), "load the bench's object");
}

static void collect_maps(struct scene *s)
{
	for (unsigned id = 0; id < LZ_MAP_N; id++)
		s->fds.fd[id] = bpf_map__fd(scene_map(s, lz_map_name(id)));
}

static int ignore_event(void *arg, void *data, size_t bytes)
{
	(void)arg;
	(void)data;
	(void)bytes;
	return 0;
}

void scene_drain(struct scene *s)
{
	ring_buffer__consume(s->events);
}

/* The way a policy goes in production: compile, inner maps, fill, publish. */
static void apply_policy(struct scene *s)
{
	struct lz_policy *policy = text_policy(&s->config);
	struct lz_inner_sizes sizes;
	struct lz_inner_fds fds;
	struct lz_err err = {};
	__u64 t = bench_now_ns();
	__u32 *ports;

	must_err(lz_image_compile(policy, NULL, SEED, &s->image, &err), &err);
	s->compile_ns = bench_now_ns() - t;
	lz_swap_sizes(s->image, &sizes);
	t = bench_now_ns();
	must_err(lz_inner_create(&sizes, &fds, &err), &err);
	must_err(lz_swap_fill(s->image, &fds, &err), &err);
	s->fill_ns = bench_now_ns() - t;
	must_err(lz_swap_publish(&s->view, s->image, &fds, 1, 0, &err), &err);
	lz_inner_close(&fds);
	lz_policy_free(&policy);
	ports = scene_mmap(s, ".data.ports");
	/* any interface: those of the veth pairs too */
	for (unsigned i = 0; i < LZ_PORTS_SIZE; i++)
		ports[i] = LZ_PORT_ENTRY(LZ_ROLE_CUSTOMER, LZ_ROLE_CUSTOMER, LZ_PORT_F_XDP,
					 BENCH_ROW);
}

__u64 scene_held_key(const struct scene_config *c, __u32 i)
{
	if (c->family == 4)
		return (__u64)c->held4 + i;
	return BENCH_HELD6 + ((__u64)i << 8);
}

static void hold(struct scene *s)
{
	struct lz_hold_entry *entries = calloc(s->config.held + 1, sizeof(*entries));
	__u32 now_s = lz_tables_now_s(&s->view), n = s->config.held;
	__u64 t;

	bench_must(entries ? 0 : -ENOMEM, "memory");
	for (__u32 i = 0; i < n; i++) {
		entries[i].key = scene_held_key(&s->config, i);
		entries[i].word = LZ_HOLD_WORD(now_s + 86400, 86400, LZ_GARDEN_STRICT,
					       LZ_HOLD_F_OPERATOR);
	}
	t = bench_now_ns();
	if (lz_hold_set_bulk(&s->view, entries, n, 0) != n)
		bench_wrong("%s: not all of %u holds were taken", s->config.name, n);
	s->hold_ns = bench_now_ns() - t;
	if (lz_holds_count(&s->view, now_s) != n)
		bench_wrong("%s: %llu holds stand, want %u", s->config.name,
			    (unsigned long long)lz_holds_count(&s->view, now_s), n);
	free(entries);
}

static void except(struct scene *s)
{
	struct lz_exception e = { .until_s = lz_tables_now_s(&s->view) + 86400,
				  .flags = LZ_EXCEPTION_PORT25 };

	for (__u32 i = 0; i < s->config.exceptions; i++) {
		struct lz_prefix_key key = { .bits = scene_held_key(&s->config, i * 512),
					     .len = 64 };

		bench_must(lz_exception_add(&s->view, &key, &e), "add an exception");
	}
}

/* Every source sends one SYN, so that what is timed finds its cell. */
static void introduce(struct scene *s)
{
	struct variant v = { .name = "introduction", .scene = s, .program = "bench_ours",
			     .frame = FRAME_SYN25, .draw = BENCH_EACH };
	struct lz_port_stats stats;
	__u32 answer;

	if (!strstr(s->config.programs, " bench_ours "))
		return;
	variant_prepare(&v);
	variant_time(&v, s->config.sources, &answer);
	scene_drain(s);
	scene_stats(s, &stats);
	if (stats.count[LZ_C_TABLE_FULL])
		bench_wrong("%s: %llu sources found the table full", s->config.name,
			    (unsigned long long)stats.count[LZ_C_TABLE_FULL]);
	if (s->view.tables->cells_used < s->config.sources + s->config.held)
		bench_wrong("%s: %llu cells after %u sources and %u holds", s->config.name,
			    (unsigned long long)s->view.tables->cells_used, s->config.sources,
			    s->config.held);
}

/* For our limits alone and the rivals': the shapes the policy's own have. */
static void copy_limits(struct scene *s)
{
	struct {
		struct lz_limit window, bucket;
	} *limits = scene_mmap(s, ".data.limits");
	int id = lz_image_class_find(s->image, "homes");
	const struct lz_class *homes;

	bench_must(id, "find the class of the homes");
	homes = &s->image->gen.class_[id];
	for (unsigned i = 0; i < homes->limits; i++) {
		if (homes->limit[i].kind == LZ_LIMIT_BUCKET)
			limits->bucket = homes->limit[i];
		else if (homes->limit[i].per == LZ_PER_SOURCE)
			limits->window = homes->limit[i];
	}
	bench_must(limits->window.slot_ns && limits->bucket.slot_ns ? 0 : -ENOENT,
		   "find a window and a bucket in the policy");
}

void scene_open(const struct scene_config *config, struct scene *ret)
{
	struct lz_err err = {};
	__u64 t = bench_now_ns();

	*ret = (struct scene){ .config = *config };
	load(ret);
	collect_maps(ret);
	must_err(lz_tables_open(&ret->fds, &ret->instance, &ret->view, &err), &err);
	ret->gen = scene_mmap(ret, ".data.gen");
	ret->found = scene_mmap(ret, ".data.found");
	ret->admitted = scene_mmap(ret, ".data.admitted");
	ret->cell = scene_mmap(ret, ".data.cell");
	ret->events = ring_buffer__new(ret->fds.fd[LZ_MAP_EVENTS], ignore_event, NULL, NULL);
	bench_must(ret->events ? 0 : -errno, "open the ring buffer");
	apply_policy(ret);
	copy_limits(ret);
	hold(ret);
	except(ret);
	introduce(ret);
	stock_fill(ret);
	fprintf(stderr, "bench: scene %-10s %7u sources %6u held %6u ranges  %.1f s\n",
		config->name, config->sources, config->held, config->ranges,
		(double)(bench_now_ns() - t) / 1e9);
}

int scene_prog(const struct scene *s, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(s->object, name);

	bench_must(prog ? 0 : -ENOENT, name);
	return bpf_program__fd(prog);
}

void scene_stats(const struct scene *s, struct lz_port_stats *ret)
{
	bench_must(lz_port_stats_read(&s->view, BENCH_ROW, ret), "read the port's counters");
}
