/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/bypass.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "datapath/pins.h"

static __u64 now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t); /* the data plane's clock */
	return t.tv_sec;
}

int lz_bypass_open(const char *instance, struct lz_control **ret, struct lz_err *reterr)
{
	char dir[LZ_PIN_PATH_MAX];
	int r = lz_instance_check_name(instance, reterr);

	if (r)
		return r;
	lz_instance_dir(instance, dir);
	return lz_bypass_open_dir(dir, ret, reterr);
}

int lz_bypass_open_dir(const char *dir, struct lz_control **ret, struct lz_err *reterr)
{
	lz_autoclose int fd = lz_pin_get(dir, "map_data_control");
	void *at;

	if (fd == -ENOENT)
		return lz_err_set(reterr, ENOENT, "%s: no such instance", dir);
	if (fd < 0)
		return lz_err_set(reterr, fd, "%s: cannot open the control block: %s", dir,
				  strerror(-fd));
	at = mmap(NULL, LZ_CONTROL_HEAD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return lz_err_set(reterr, errno, "%s: cannot map the control block: %s", dir,
				  strerror(errno));
	*ret = at;
	return 0;
}

void lz_bypass_close(struct lz_control **control)
{
	if (*control)
		munmap(*control, LZ_CONTROL_HEAD_BYTES);
	*control = NULL;
}

static void sign(struct lz_control *control, __u64 now)
{
	*(volatile __u32 *)&control->bypass_at_s = (__u32)now;
	*(volatile __u32 *)&control->bypass_uid = getuid();
	__sync_fetch_and_add(&control->bypass_switches, 1);
}

void lz_bypass_set(struct lz_control *control, __u64 for_s)
{
	__u64 now = now_s();

	sign(control, now);
	*(volatile __u64 *)&control->bypass_until_s =
		for_s == 0 || for_s >= LZ_BYPASS_FOREVER - now - 1 ? LZ_BYPASS_FOREVER : now + for_s + 1;
}

void lz_bypass_clear(struct lz_control *control)
{
	sign(control, now_s());
	*(volatile __u64 *)&control->bypass_until_s = 0;
}

bool lz_bypass_get(const struct lz_control *control, __u64 *ret_left_s)
{
	__u64 until = *(const volatile __u64 *)&control->bypass_until_s, now = now_s();

	if (until <= now)
		return false;
	if (ret_left_s)
		*ret_left_s = until == LZ_BYPASS_FOREVER ? until : until - now;
	return true;
}
