/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_ledger_many.c - 600,000 holds written, extended, opened, ended: in what time. */
#include <errno.h>
#include <time.h>

#include "unit/ledger_dir.h"

#define LZ_MANY	      600000 /* what a large provider held after two days at 72 h each (mission.md B1) */
#define LZ_MANY_SLICE 2048

/* What was computed, for others compute on this machine, too. */
static __u64 cpu_ms(void)
{
	return (__u64)clock() * 1000 / CLOCKS_PER_SEC;
}

/* One order for all of them, in slices; returns what it took. */
static __u64 order_many(struct lz_ledger *l, __u64 made_s, __u32 expiry_s)
{
	static struct lz_held_row rows[LZ_MANY_SLICE];
	struct lz_held held = sample(0, 259200, noon);
	__u64 start_ms = cpu_ms();
	int failed = lz_ledger_begin(l, NULL) < 0;

	held.made_s = made_s;
	for (size_t at = 0; at < LZ_MANY; at += LZ_MANY_SLICE) {
		size_t n = LZ_MANY - at < LZ_MANY_SLICE ? LZ_MANY - at : LZ_MANY_SLICE;

		for (size_t i = 0; i < n; i++)
			rows[i].key = 0x64400000 + (at + i) * 7;
		failed += lz_held_rows_get(l, rows, n, NULL) < 0;
		for (size_t i = 0; i < n; i++) {
			rows[i].since_s = made_s;
			rows[i].expiry_s = expiry_s;
			rows[i].address = "";
			rows[i].origin = lz_held_origin(l, &held, NULL);
		}
		failed += lz_held_rows_put(l, rows, n, made_s, NULL) < 0;
	}
	failed += lz_ledger_commit(l, NULL) < 0;
	T_EQ(failed, 0, "all written");
	T_EQ(lz_held_count(l), LZ_MANY, "all there");
	return cpu_ms() - start_ms;
}

static __u64 end_many(struct lz_ledger *l, __u64 mono_s)
{
	static struct lz_ended ended[1024];
	static __u64 keys[1024];
	__u64 start_ms = cpu_ms();
	int n, failed = 0;

	while ((n = lz_held_due(l, mono_s, ended, 1024)) > 0) {
		for (int i = 0; i < n; i++)
			keys[i] = ended[i].key;
		failed += lz_ledger_begin_lazy(l, NULL) < 0 ||
			  lz_ledger_begin_lazy(l, NULL) != -EALREADY ||
			  lz_held_end(l, keys, (size_t)n, noon, NULL, NULL) < 0 ||
			  lz_ledger_commit(l, NULL) < 0;
	}
	T_EQ(failed, 0, "all ended");
	T_EQ(lz_held_count(l), 0, "none is left");
	return cpu_ms() - start_ms;
}

/* The bounds are loose for slow test machines; the numbers measured are printed. */
static void takes_600000_at_once(void)
{
	__u64 write_ms, again_ms, open_ms, end_ms;
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	write_ms = order_many(l, noon.wall_s, 9000);
	again_ms = order_many(l, noon.wall_s + 60, 9060);
	lz_ledger_close(&l);
	open_ms = cpu_ms();
	l = open_at(BOOT_B, noon);
	open_ms = cpu_ms() - open_ms;
	T_EQ(lz_held_count(l), LZ_MANY, "all there after a reboot");
	end_ms = end_many(l, 10000);
	printf("# 600,000 holds, CPU time: written in %llu ms, extended in %llu, opened after a reboot in %llu, "
	       "ended in %llu\n", (unsigned long long)write_ms, (unsigned long long)again_ms,
	       (unsigned long long)open_ms, (unsigned long long)end_ms);
	T_OK(write_ms < 10000, "within 10 s");
	T_OK(again_ms < 20000, "extended within 20 s");
	T_OK(end_ms < 30000, "ended within 30 s");
	lz_ledger_close(&l);
	remove_dir();
}

static const struct t_case cases[] = {
	{ "takes 600,000 at once", takes_600000_at_once },
};

int main(void)
{
	return T_MAIN(cases);
}
