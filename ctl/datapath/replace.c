/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * replace.c - one instance takes the place of another, under traffic.
 *
 *   dir                 maps and programs that judge, and the pins of all hooks
 *   dir~next            maps and programs of the new one
 *
 *   1. what the tables alone know comes along; of another ABI's, only the bypass is known
 *   2. each hook changes to the new programs, in place
 *   3. what happened meanwhile comes along
 *   4. dir and dir~next change names, in one step
 *   5. the hooks' pins go back to dir, dir~next goes: lz_pins_settle()
 *
 * Killed before 4 the old instance is found, and whoever wants the new one begins again; hooks that run
 * its programs already keep its maps alive until then. Killed after 4 the new one is found, and
 * lz_pins_open() does 5.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "datapath/bypass.h"
#include "datapath/membarrier.h"
#include "datapath/pins.h"
#include "datapath/tables.h"

struct carry {
	struct lz_tables_view *to;
	__u32 from_len;
	__u64 left; /* holds that found no room */
};

/* Of the old keys' length to one or several of the new. Without room it is lost: counted, and told. */
static int carry_hold(void *arg, __u64 key, __u64 word)
{
	struct carry *c = arg;
	struct lz_keys keys;

	if (!(LZ_HOLD_FLAGS(word) & LZ_HOLD_F_KERNEL))
		return 0; /* the ledger has it, or the caller has brought it: lz_strangers_carry() */
	keys = lz_key_recut(key, c->from_len, c->to->instance.ipv6_key_len);
	for (__u64 i = 0; i < keys.n; i++) {
		int r = lz_hold_set(c->to, keys.first + i * keys.step, word, 0, NULL);

		c->left += r < 0 && r != -EINVAL; /* -EINVAL: its time is over by now */
	}
	return 0;
}

static void carry_bypass(const struct lz_control *from, struct lz_control *to)
{
	*(volatile __u64 *)&to->bypass_until_s = *(const volatile __u64 *)&from->bypass_until_s;
	to->bypass_at_s = from->bypass_at_s;
	to->bypass_uid = from->bypass_uid;
	to->bypass_switches = from->bypass_switches;
}

/* What there is to come along, and where to. */
struct exchange {
	struct lz_tables_view *to;
	const struct lz_control *control; /* its head; NULL: it is not there */
	const struct lz_tables_view *from; /* NULL: of another ABI, or not whole */
};

static int carry(const struct exchange *x, struct lz_err *reterr)
{
	struct carry c = { .to = x->to };

	if (x->control)
		carry_bypass(x->control, x->to->control);
	if (!x->from)
		return 0;
	c.from_len = x->from->instance.ipv6_key_len;
	lz_holds_each(x->from, lz_tables_now_s(x->from), carry_hold, &c);
	return c.left ? lz_err_set(reterr, ENOSPC, "kernel: no room for %llu holds of limits",
				   (unsigned long long)c.left) : 0;
}

/* Programs that began with the old maps have ended once a barrier is over: then nothing is written there
 * any more. */
static int exchange(struct lz_kernel *k, const struct exchange *x, struct lz_err *reterr)
{
	char next[LZ_PIN_PATH_MAX];
	int r = carry(x, reterr);

	if (!r)
		r = lz_attach_update(k, reterr);
	if (!r)
		r = carry(x, reterr); /* what was held until the hooks moved: not after the barrier */
	if (!r)
		r = lz_membarrier();
	if (!r)
		r = carry(x, reterr);
	if (r)
		return r;
	lz_pins_next(k->dir, next);
	if (renameat2(AT_FDCWD, k->dir, AT_FDCWD, next, RENAME_EXCHANGE))
		return lz_err_set(reterr, errno, "%s: cannot take its place: %s", k->dir,
				  strerror(errno));
	/* The kill switch may have been thrown at the old ones meanwhile, by hand; if at the new ones, it is theirs. */
	if (x->control && (__s32)(x->control->bypass_switches - x->to->control->bypass_switches) >= 0)
		carry_bypass(x->control, x->to->control);
	lz_close_ref(&k->beside_fd);
	k->adopted = true; /* hooks depend on it */
	r = lz_pins_settle(k->dir);
	return r ? lz_err_set(reterr, r, "%s: cannot clear: %s", next, strerror(-r)) : 0;
}

int lz_kernel_take_over(struct lz_kernel *kernel, struct lz_err *reterr)
{
	struct lz_tables_view from = { 0 }, to = { 0 };
	struct exchange x = { .to = &to };
	struct lz_control *head = NULL;
	struct lz_kernel old;
	int r;

	if (kernel->beside_fd < 0)
		return 0;
	lz_kernel_clear(&old);
	r = lz_kernel_read_pins(kernel->dir, &old, reterr);
	if (!r) {
		r = lz_tables_open(&old.maps, &old.instance, &from, reterr);
		x.from = &from;
	} else if (r == -EPROTONOSUPPORT) { /* only its own build would know what its tables say */
		r = 0;
	}
	if (!r)
		r = lz_bypass_open_dir(kernel->dir, &head, reterr);
	if (r == -ENOENT)
		r = 0; /* its pin is gone, and what it said with it */
	if (!r)
		r = lz_tables_open(&kernel->maps, &kernel->instance, &to, reterr);
	x.control = head;
	if (!r)
		r = exchange(kernel, &x, reterr);
	lz_tables_close(&to);
	lz_tables_close(&from);
	lz_bypass_close(&head);
	lz_kernel_close(&old);
	return r;
}
