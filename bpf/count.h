/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * count.h - counters, the clock and events: all that tells, nothing that decides.
 */
#ifndef LZ_BPF_COUNT_H
#define LZ_BPF_COUNT_H

#include "maps.h"
#include "parse.h"

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL

/* Read the coarse clock and remember it for this tick. The time goes forward only, and is written
 * before its tick: whoever finds the tick finds that time or a later one. A CPU that gets here
 * between the tick and the clock's own update sees the time it knows, and remembers nothing. */
__noinline __u64 lz_clock_read(__u64 jiffies)
{
	__u64 known = *(volatile __u64 *)&lz_tick.now_ns, now_ns = bpf_ktime_get_coarse_ns();

	if (now_ns > known && __sync_val_compare_and_swap(&lz_tick.now_ns, known, now_ns) == known)
		*(volatile __u64 *)&lz_tick.jiffies = jiffies;
	return now_ns;
}

/* The coarse clock: 4 ms steps at HZ=250, monotonic, so that no wall-clock step moves an expiry.
 * bpf_ktime_get_ns() costs 50 ns and keeps the cache misses beside it from overlapping, the coarse
 * helper 28; within a tick it says the same, and the verifier turns bpf_jiffies64() into a load. So it
 * is asked once a tick, and no daemon has to calibrate or publish anything. */
static __always_inline __u64 lz_clock_ns(void)
{
	__u64 jiffies;

	if (lz_instance.replay)
		return *(volatile __u64 *)&lz_control.replay_now_ns;
	jiffies = bpf_jiffies64();
	if (*(volatile __u64 *)&lz_tick.jiffies != jiffies)
		return lz_clock_read(jiffies);
	return *(volatile __u64 *)&lz_tick.now_ns;
}

/* Read the clock for a packet that needs it, once for its judgement: which generation judges, and whether
 * any does, has been asked before. */
static __always_inline __u64 lz_now_ns(struct lz_pkt *p)
{
	if (!p->now_ns) {
		p->now_ns = lz_clock_ns();
		p->now_s = p->now_ns / NSEC_PER_SEC;
	}
	return p->now_ns;
}

static __always_inline void lz_count(__u32 row, __u32 what, __u64 n)
{
	struct lz_port_stats *s = bpf_map_lookup_elem(&lz_port_stats, &row);

	if (s && what < LZ_C_N)
		s->count[what] += n;
}

/* A frame came in and was judged: count it, and why. */
static __always_inline void lz_count_judged(__u32 row, __u32 reason)
{
	struct lz_port_stats *s = bpf_map_lookup_elem(&lz_port_stats, &row);

	if (!s)
		return;
	s->count[LZ_C_RECEIVED]++;
	if (reason < LZ_C_N)
		s->count[reason]++;
}

static __always_inline void lz_count_class(__u32 class_, __u32 verdict, __u32 would)
{
	struct lz_class_stats *s = bpf_map_lookup_elem(&lz_class_stats, &class_);

	if (!s)
		return;
	s->examined++;
	LZ_HIDE(verdict);
	if (verdict < LZ_V_N)
		s->verdict[verdict]++;
	if (!would)
		return;
	LZ_HIDE(would);
	if (would < LZ_V_N)
		s->would[would]++;
}

/* What an event says beside the packet. */
struct lz_told {
	__u64 hold;
	__u32 value;
	__u32 limit_n;
	__u16 limit_id;
	__u16 class_;
	__u8 kind;
	__u8 verdict;
	__u8 pad_[2];
};

/* At most one event a source and second, but a hold is always told. All CPUs share the ring and its lock:
 * once one has found it full, nobody but a hold asks again in that tick. In a flood of refused sources every
 * packet would, 20 ns each, one CPU at a time (bench, a refused SYN: 516 -> 500 ns alone). */
__noinline int lz_tell(const struct lz_pkt *p, struct lz_cold *cold, const struct lz_told *t)
{
	struct lz_event *e = 0;
	__u64 jiffies;

	if (!p || !cold || !t)
		return 0;
	if (cold->told_s == (__u16)p->now_s && t->kind != LZ_EVENT_HOLD)
		return 0;
	cold->told_s = p->now_s;
	jiffies = bpf_jiffies64();
	if (*(volatile __u64 *)&lz_tick.ring_full != jiffies || t->kind == LZ_EVENT_HOLD) {
		e = bpf_ringbuf_reserve(&lz_events, sizeof(*e), 0);
		if (!e)
			*(volatile __u64 *)&lz_tick.ring_full = jiffies;
	}
	if (!e) {
		lz_count(p->port_row, LZ_C_EVENT_LOST, 1);
		return 0;
	}
	e->when_ns = p->now_ns;
	e->key = p->key;
	e->hold = t->hold;
	e->generation = lz_control.gen[p->slot & 1].number;
	__builtin_memcpy(e->dest, p->daddr, 16);
	e->ifindex = p->ifindex;
	e->value = t->value;
	e->limit_n = t->limit_n;
	e->limit_id = t->limit_id;
	e->class_ = t->class_;
	e->dport = p->dport;
	e->kind = t->kind;
	e->verdict = t->verdict;
	__builtin_memset(e->pad_, 0, sizeof(e->pad_));
	bpf_ringbuf_submit(e, 0);
	return 0;
}

#endif /* LZ_BPF_COUNT_H */
