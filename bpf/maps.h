/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.h - every map and global of the data plane, and what becomes of a packet when one fails.
 *
 *   generation word says none, port without role   pass, counted
 *   no inner map for a generation                  class foreign: pass, counted
 *   cell table full                                pass, LZ_C_TABLE_FULL, alarm in the controller
 *   statistics row missing                         not counted; the fate is the same
 *   ring buffer full                               LZ_C_EVENT_LOST; the fate is the same
 *   compare-and-swap lost every time               refused, LZ_C_RETRY_EXHAUSTED
 *
 * Sizes marked "at creation" are set by ctl/datapath before loading.
 */
#ifndef LZ_BPF_MAPS_H
#define LZ_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <lazaret/abi.h>

const volatile struct lz_instance lz_instance SEC(".rodata");

struct lz_control lz_control SEC(".data.control");
__u32 lz_ports[LZ_PORTS_SIZE] SEC(".data.ports");
struct lz_tables lz_tables SEC(".data.tables");
struct lz_replay lz_last SEC(".data.replay");
struct lz_tick lz_tick SEC(".data.tick");

/* Arrays mapped by the controller: it reads a million cells in milliseconds (bench row i). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* at creation: lz_instance.tag_lines */
	__type(key, __u32);
	__type(value, struct lz_tag_line);
} lz_tags SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* at creation: 64 * tag_lines */
	__type(key, __u32);
	__type(value, struct lz_cell);
} lz_cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* at creation: 64 * tag_lines */
	__type(key, __u32);
	__type(value, struct lz_cold);
} lz_cold SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2); /* at creation: 2 * lz_instance.held_lines */
	__type(key, __u32);
	__type(value, struct lz_held_line);
} lz_held SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* at creation: lz_block_lines_all() */
	__type(key, __u32);
	__type(value, struct lz_block_line);
} lz_blocks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* at creation: lz_instance.flow_lines */
	__type(key, __u32);
	__type(value, struct lz_flow_line);
} lz_flows SEC(".maps");

/* One inner map a generation, as large as that policy needs; swapped while the slot is idle. Sizes,
 * not types: clang 14 leaves a type that only a nested map names as a forward declaration. */
struct lz_ranges_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(union lz_range_bucket));
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, LZ_GENERATIONS);
	__type(key, __u32);
	__array(values, struct lz_ranges_inner);
} lz_ranges SEC(".maps");

struct lz_dests_inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct lz_dest_key));
	__uint(value_size, sizeof(__u64));
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, LZ_GENERATIONS);
	__type(key, __u32);
	__array(values, struct lz_dests_inner);
} lz_dests SEC(".maps");

struct lz_customers_inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct lz_prefix_key));
	__uint(value_size, sizeof(__u32));
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, LZ_GENERATIONS);
	__type(key, __u32);
	__array(values, struct lz_customers_inner);
} lz_customers SEC(".maps");

/* What lz_dest_sets_ask() found for the last destinations of a CPU. Few destinations get most of the mail,
 * and asking a stock hash once a prefix length costs 42 ns each (make bench: row b 250 ns less). */
#define LZ_MEMOS 64
struct lz_memo {
	__u64 addr[2];
	__u64 sets;
	__u64 epoch; /* of the generation that was asked; 0 = free */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LZ_MEMOS);
	__type(key, __u32);
	__type(value, struct lz_memo);
} lz_memos SEC(".maps");

/* State, not policy. Looked up only before a refusal, so a stock hash is fast enough. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct lz_prefix_key);
	__type(value, struct lz_exception);
} lz_exceptions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u8[16]);
	__type(value, struct lz_learnt);
} lz_learnt SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LZ_PORTS_SIZE);
	__type(key, __u32); /* ifindex */
	__type(value, struct lz_port_addr);
} lz_port_addrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LZ_PORT_STATS);
	__type(key, __u32);
	__type(value, struct lz_port_stats);
} lz_port_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LZ_CLASSES_MAX);
	__type(key, __u32);
	__type(value, struct lz_class_stats);
} lz_class_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LZ_LIMIT_IDS);
	__type(key, __u32);
	__type(value, struct lz_limit_stats);
} lz_limit_stats SEC(".maps");

/* Where the portal listens: filled by the keeper, empty while nobody is there. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, LZ_PORTAL_ROWS);
	__type(key, __u32);
	__type(value, __u64);
} lz_portal_socks SEC(".maps");

/* Refusals sent and connections led to the portal: a token bucket a CPU each, so that no lock or
 * shared line is on that way either. */
enum { LZ_REPLY_REFUSE, LZ_REPLY_STEER, LZ_REPLY_N };
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LZ_REPLY_N);
	__type(key, __u32);
	__type(value, __u64);
} lz_reply_bucket SEC(".maps");

/* And refusals by source, by its hash: two that share a row share its rate. Milliseconds. */
#define LZ_REPLY_SOURCES 4096
__u32 lz_reply_sources[LZ_REPLY_SOURCES] SEC(".data.replies");

/* Generic XDP on a CPU: LZ_FATE() of the frame in hand. The kernel copies most frames for generic XDP,
 * and on 6.18 the copy forgets its link header's length: tc then sees a frame without link header and
 * metadata. XDP writes this for each frame it passes on, tc takes it for the same frame right after, on
 * the same CPU; 0: XDP has not judged it. Native XDP runs ahead of tc by a batch and needs none of it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lz_pending SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} lz_events SEC(".maps");

#endif /* LZ_BPF_MAPS_H */
