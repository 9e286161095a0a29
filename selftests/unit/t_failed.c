/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_failed.c - ports whose hook could not be attached: when they are tried again, and what is told of them. */
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "datapath/failed.h"
#include "lib/t.h"

#define PORTS 500u
#define START LZ_NS_PER_S

static const char *note(struct lz_failed *list, __u32 ifindex, const char *why, __u64 now_ns)
{
	struct lz_err err = { "" };
	char name[16];

	snprintf(name, sizeof(name), "p%u", ifindex);
	lz_text_set(err.text, sizeof(err.text), why);
	return lz_failed_note(list, ifindex, name, &err, now_ns);
}

static void waits_longer_each_time(void)
{
	static const __u64 pauses_ms[] = { 100, 200, 400, 800, 1600, 2000, 2000 };
	struct lz_failed list = { 0 };
	__u64 now_ns = START;

	T_EQ(lz_failed_reserve(&list, 1, NULL), 0, "room");
	for (size_t i = 0; i < LZ_ARRAY_SIZE(pauses_ms); i++) {
		note(&list, 7, "p7: busy", now_ns);
		now_ns += pauses_ms[i] * LZ_NS_PER_MS;
		T_OK(!lz_failed_due(&list, now_ns - 1), "not before its time");
		T_OK(lz_failed_due(&list, now_ns), "then");
	}
	T_EQ(list.n, 1, "one port");
	lz_failed_forget(&list, 7);
	T_OK(!lz_failed_due(&list, UINT64_MAX) && !lz_failed_find(&list, 7), "forgotten");
	lz_failed_forget(&list, 7);
	note(&list, 7, "p7: busy", START);
	T_OK(lz_failed_due(&list, START + 100 * LZ_NS_PER_MS), "and begins anew");
	lz_failed_done(&list);
}

static void tells_what_is_new(void)
{
	struct lz_failed list = { 0 };
	const __u64 minute = 60 * LZ_NS_PER_S;

	T_EQ(lz_failed_reserve(&list, 2, NULL), 0, "room");
	T_STR(note(&list, 7, "p7: program id 1 is there", START), "p7: program id 1 is there", "the first time");
	T_OK(!note(&list, 7, "p7: program id 1 is there", START + minute), "not the same again");
	T_STR(note(&list, 7, "p7: program id 2 is there", START + minute), "p7: program id 2 is there", "another reason");
	T_OK(!note(&list, 7, "p7: program id 3 is there", START + minute + 1), "not each of them");
	T_STR(lz_failed_why(&list), "p7: program id 3 is there", "but who asks is told the last");
	T_STR(note(&list, 7, "p7: program id 3 is there", START + 2 * minute), "p7: program id 3 is there",
	      "a minute later it is told");
	T_STR(note(&list, 5, "cannot pin", START), "p5: cannot pin", "a reason without its name");
	T_STR(note(&list, 6, "p60: is over it", START), "p6: p60: is over it", "or with another's");
	T_STR(lz_failed_why(&list), "p5: cannot pin", "the lowest number's");
	lz_failed_done(&list);
	T_STR(lz_failed_why(&list), "", "nothing failed");
}

/* Ten tries a look, for 500 ports. */
static void gives_each_its_turn(void)
{
	unsigned int tried[PORTS] = { 0 }, least = UINT32_MAX, most = 0;
	struct lz_failed list = { 0 };

	T_EQ(lz_failed_reserve(&list, PORTS, NULL), 0, "room");
	for (__u32 i = 0; i < PORTS; i++)
		note(&list, i, "busy", START);
	for (__u64 look = 1; look <= PORTS; look++) {
		const struct lz_failed_port *port;
		__u64 now_ns = START + look * 500 * LZ_NS_PER_MS;

		for (int i = 0; i < 10 && (port = lz_failed_due(&list, now_ns)); i++) {
			tried[port->ifindex]++;
			note(&list, port->ifindex, "busy", now_ns);
		}
	}
	for (__u32 i = 0; i < PORTS; i++) {
		least = tried[i] < least ? tried[i] : least;
		most = tried[i] > most ? tried[i] : most;
	}
	T_OK(least >= 9 && most <= 11, "each is tried as often as the others");
	lz_failed_done(&list);
}

static const struct t_case cases[] = {
	{ "waits longer each time", waits_longer_each_time },
	{ "tells what is new", tells_what_is_new },
	{ "gives each its turn", gives_each_its_turn },
};

int main(void)
{
	return T_MAIN(cases);
}
