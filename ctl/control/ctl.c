// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ctl.c - what everybody asks of the controller: its clocks, its generation, what it does not know.
 */
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/ctl.h"

/* So long an alarm about lost events stands, for all who look. */
#define LZ_LOST_ALARM_S 300

struct lz_now lz_ctl_now(void)
{
	return (struct lz_now){ .wall_s = lz_clock_wall_ns() / LZ_NS_PER_S,
				.mono_s = lz_clock_mono_ns() / LZ_NS_PER_S };
}

__u64 lz_ctl_ended_s(struct lz_ctl *ctl)
{
	bool doubted = lz_wall_is_doubted(&ctl->wall);
	struct lz_now now = lz_ctl_now();
	__u64 ended_s = lz_wall_look(&ctl->wall, now.wall_s, now.mono_s);

	if (!doubted && lz_wall_is_doubted(&ctl->wall))
		lz_log(LZ_LOG_WARNING, "clock-stepped", "by_s=%lld why=%s",
		       (long long)(now.wall_s - ctl->wall.wall_s - (now.mono_s - ctl->wall.mono_s)),
		       "the wall clock was set; what ends or is forgotten by it waits till it has stood for an "
		       "hour or is back");
	else if (doubted && !lz_wall_is_doubted(&ctl->wall))
		lz_log(LZ_LOG_NOTICE, "clock-believed", "why=%s", "it is back, or has stood for an hour");
	return ended_s;
}

/* The distance of the clocks is kept until the wall clock is set: otherwise one and the same end would
 * be told a second earlier or later, as the two readings are cut to whole seconds. */
static __s64 distance_s(void)
{
	static __s64 distance_ns;
	__s64 now_ns = (__s64)(lz_clock_wall_ns() - lz_clock_mono_ns());

	if (now_ns - distance_ns > (__s64)LZ_NS_PER_S / 2 ||
	    distance_ns - now_ns > (__s64)LZ_NS_PER_S / 2)
		distance_ns = now_ns;
	return distance_ns / (__s64)LZ_NS_PER_S;
}

__u64 lz_ctl_wall_of(__u32 mono_s)
{
	return (__u64)(distance_s() + mono_s);
}

__u32 lz_ctl_mono_of(__u64 wall_s)
{
	__s64 mono_s = (__s64)wall_s - distance_s();

	return mono_s < 0 ? 0 : mono_s > (__s64)UINT32_MAX ? UINT32_MAX : (__u32)mono_s;
}

__u64 lz_ctl_generation(const struct lz_ctl *ctl)
{
	return ctl->now.policy ? ctl->now.row.generation : 0;
}

const char *lz_class_name(const struct lz_ctl *ctl, __u32 class_)
{
	if (!ctl->now.image || class_ < LZ_CLASS_FIRST || class_ >= LZ_CLASSES_MAX)
		return NULL;
	return ctl->now.image->class_names[class_];
}

bool lz_events_lost_lately(const struct lz_ctl *ctl)
{
	return ctl->lost.last_s && lz_clock_mono_ns() / LZ_NS_PER_S - ctl->lost.last_s < LZ_LOST_ALARM_S;
}

__u64 lz_events_lost(struct lz_ctl *ctl)
{
	struct lz_port_stats stats;
	__u64 lost = 0;

	for (__u32 row = 0; ctl->opened && row < LZ_PORT_STATS; row++)
		if (lz_port_stats_read(&ctl->view, row, &stats) == 0)
			lost += stats.count[LZ_C_EVENT_LOST];
	if (ctl->opened && lost > ctl->view.tables->events_lost) {
		if (!lz_events_lost_lately(ctl))
			ctl->lost.before = ctl->view.tables->events_lost;
		ctl->lost.last_s = lz_clock_mono_ns() / LZ_NS_PER_S;
		ctl->view.tables->events_lost = lost;
	}
	return lost;
}

const char *lz_ctl_command(const struct lz_ctl *ctl, const char *words, char buf[static LZ_COMMAND_TEXT_MAX])
{
	const char *name = ctl->options->instance;

	snprintf(buf, LZ_COMMAND_TEXT_MAX, "lazaretctl%s%s %s", name[0] ? " --instance " : "", name, words);
	return buf;
}

bool lz_ctl_is_unknown(const struct lz_ctl *ctl)
{
	return !ctl->opened && ctl->found;
}

const char *lz_ctl_say_unknown(const struct lz_ctl *ctl, char buf[static LZ_UNKNOWN_TEXT_MAX])
{
	char command[LZ_COMMAND_TEXT_MAX];

	snprintf(buf, LZ_UNKNOWN_TEXT_MAX, "an instance of before judges on, this ledger knows neither its policy nor "
		 "whom it holds; put its ledger back, or say %s",
		 lz_ctl_command(ctl, "policy apply FILE", command));
	return buf;
}
