/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"

int lz_instance_check_name(const char *name, struct lz_err *reterr)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

	if (strlen(name) > LZ_INSTANCE_NAME_MAX || strspn(name, allowed) != strlen(name))
		return lz_err_set(reterr, EINVAL,
				  "instance '%s': not a name; 1..%d of A-Z a-z 0-9 _ -", name,
				  LZ_INSTANCE_NAME_MAX);
	return 0;
}

void lz_instance_dir(const char *name, char ret[static LZ_PIN_PATH_MAX])
{
	snprintf(ret, LZ_PIN_PATH_MAX, "%s/lazaret%s%s", LZ_BPFFS, *name ? "-" : "", name);
}

void lz_pins_next(const char *dir, char ret[static LZ_PIN_PATH_MAX])
{
	lz_strcpy(ret, LZ_PIN_PATH_MAX, dir); /* no instance's name has a ~ in it */
	strcat(ret, "~next");
}

bool lz_instances_left(void)
{
	DIR *dir = opendir(LZ_BPFFS);
	struct dirent *e;
	bool left = false;

	while (dir && !left && (e = readdir(dir)))
		left = lz_streq(e->d_name, "lazaret") || !strncmp(e->d_name, "lazaret-", 8);
	if (dir)
		closedir(dir);
	return left;
}

void lz_pin_path(const char *dir, char ret[static LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX],
		 const char *fmt, ...)
{
	size_t len = strlen(dir);
	va_list ap;

	memcpy(ret, dir, len);
	ret[len++] = '/';
	va_start(ap, fmt);
	vsnprintf(ret + len, LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX - len, fmt, ap);
	va_end(ap);
}

static bool is_bpffs(const char *path)
{
	struct statfs s;

	return !statfs(path, &s) && (__u32)s.f_type == BPF_FS_MAGIC;
}

static int ensure_bpffs(struct lz_err *reterr)
{
	if (is_bpffs(LZ_BPFFS))
		return 0;
	if (mount("bpf", LZ_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") &&
	    !is_bpffs(LZ_BPFFS))
		return lz_err_set(reterr, errno, "%s: cannot mount bpffs: %s; mount -t bpf bpf %s",
				  LZ_BPFFS, strerror(errno), LZ_BPFFS);
	return 0;
}

/* flock() does not say who holds it; /proc/locks does, by device and inode. 0: not found. */
static int find_lock_holder(int fd)
{
	unsigned int major_n, minor_n;
	unsigned long inode;
	struct stat st;
	char line[256];
	int pid = 0, holder;
	FILE *f;

	if (fstat(fd, &st))
		return 0;
	f = fopen("/proc/locks", "re");
	if (!f)
		return 0;
	while (!pid && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &holder, &major_n, &minor_n,
			   &inode) == 4 &&
		    major_n == major(st.st_dev) && minor_n == minor(st.st_dev) &&
		    inode == st.st_ino)
			pid = holder;
	fclose(f);
	return pid;
}

static int lock_dir(int fd, const char *instance, struct lz_err *reterr)
{
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return lz_err_set(reterr, errno, "instance '%s': cannot lock: %s",
				  *instance ? instance : "lazaret", strerror(errno));
	return lz_err_set(reterr, EBUSY, "another lazaretd (pid %d) holds instance '%s'",
			  find_lock_holder(fd), *instance ? instance : "lazaret");
}

/* The directory, ours and locked. */
static int open_locked(const char *dir, const char *instance, struct lz_err *reterr)
{
	lz_autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return lz_err_set(reterr, ENOENT, "%s: no such instance: nothing of it is attached", dir);
	if (fd < 0)
		return lz_err_set(reterr, errno, "%s: cannot open: %s", dir, strerror(errno));
	if (fstat(fd, &st))
		return lz_err_set(reterr, errno, "%s: cannot stat: %s", dir, strerror(errno));
	if (st.st_uid != geteuid())
		return lz_err_set(reterr, EPERM, "%s: belongs to uid %u, not to us", dir, st.st_uid);
	if ((st.st_mode & 0777) != 0700 && fchmod(fd, 0700))
		return lz_err_set(reterr, errno, "%s: cannot make it 0700: %s", dir,
				  strerror(errno));
	r = lock_dir(fd, instance, reterr);
	return r ? r : TAKE_FD(fd);
}

int lz_pins_make(const char *dir, const char *instance, struct lz_err *reterr)
{
	if (mkdir(dir, 0700) && errno != EEXIST)
		return lz_err_set(reterr, errno, "%s: cannot create: %s", dir, strerror(errno));
	return open_locked(dir, instance, reterr);
}

int lz_pins_open(const char *instance, bool create, struct lz_err *reterr)
{
	lz_autoclose int fd = -1;
	char dir[LZ_PIN_PATH_MAX];
	int r = lz_instance_check_name(instance, reterr);

	if (!r && create)
		r = ensure_bpffs(reterr);
	if (r)
		return r;
	lz_instance_dir(instance, dir);
	fd = create ? lz_pins_make(dir, instance, reterr) : open_locked(dir, instance, reterr);
	if (fd < 0)
		return fd;
	r = lz_pins_settle(dir);
	return r ? lz_err_set(reterr, r, "%s~next: cannot clear: %s", dir, strerror(-r)) : TAKE_FD(fd);
}

/* Has @dir been removed, or something been mounted over it, or what it was on been taken away? */
static bool is_elsewhere(const char *dir, int dir_fd)
{
	struct stat there, ours;

	return fstat(dir_fd, &ours) || stat(dir, &there) || there.st_dev != ours.st_dev ||
	       there.st_ino != ours.st_ino;
}

static int bring_pin(void *arg, const char *name)
{
	const char *const *dirs = arg;
	lz_autoclose int fd = lz_pin_get(dirs[0], name);

	return fd < 0 ? 0 : lz_pin_replace(dirs[1], name, fd);
}

int lz_pins_follow(const char *dir, int *dir_fd, struct lz_err *reterr)
{
	const char *instance = dir + strlen(LZ_BPFFS "/lazaret");
	char old[LZ_PIN_PATH_MAX];
	const char *dirs[] = { old, dir };
	int fd, r;

	if (!is_elsewhere(dir, *dir_fd))
		return 0;
	fd = lz_pins_open(instance + (*instance == '-'), true, reterr);
	if (fd < 0)
		return fd;
	snprintf(old, sizeof(old), "/proc/self/fd/%d", *dir_fd);
	r = lz_pins_each(old, bring_pin, dirs);
	lz_close_ref(dir_fd);
	*dir_fd = fd;
	return r ? lz_err_set(reterr, r, "%s: cannot pin again: %s", dir, strerror(-r)) : 1;
}

int lz_kernel_lock(const char *name, struct lz_err *reterr)
{
	return lz_pins_open(name, true, reterr);
}

void lz_kernel_unlock(const char *name, int *fd)
{
	char dir[LZ_PIN_PATH_MAX];

	lz_instance_dir(name, dir);
	if (*fd >= 0)
		rmdir(dir); /* fails when something is in it */
	lz_close_ref(fd);
}

int lz_pin_get(const char *dir, const char *name)
{
	char path[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX];
	int fd;

	lz_pin_path(dir, path, "%s", name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int lz_pin_replace(const char *dir, const char *name, int fd)
{
	char path[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX], fresh[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX];

	lz_pin_path(dir, path, "%s", name);
	lz_pin_path(dir, fresh, "new_%s", name);
	if (unlink(fresh) && errno != ENOENT)
		return -errno;
	if (bpf_obj_pin(fd, fresh))
		return -errno;
	if (rename(fresh, path)) {
		int r = -errno;

		unlink(fresh);
		return r;
	}
	return 0;
}

int lz_pins_each(const char *dir, int (*visit)(void *arg, const char *name), void *arg)
{
	struct dirent *e;
	int r = 0;
	DIR *d = opendir(dir);

	if (!d)
		return -errno;
	while (!r && (e = readdir(d)))
		if (e->d_name[0] != '.')
			r = visit(arg, e->d_name);
	closedir(d);
	return r;
}

static bool is_hook_pin(const char *name)
{
	return !strncmp(name, "link_", 5) || !strncmp(name, "filter_", 7) ||
	       !strncmp(name, "qdisc_", 6);
}

static int settle_pin(void *arg, const char *name)
{
	char from[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX], to[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX];
	const char *const *dirs = arg;

	lz_pin_path(dirs[0], from, "%s", name);
	lz_pin_path(dirs[1], to, "%s", name);
	if (is_hook_pin(name) && access(to, F_OK))
		return rename(from, to) ? -errno : 0;
	return unlink(from) ? -errno : 0;
}

int lz_pins_settle(const char *dir)
{
	char next[LZ_PIN_PATH_MAX];
	const char *dirs[] = { next, dir };
	int r;

	lz_pins_next(dir, next);
	r = lz_pins_each(next, settle_pin, dirs);
	if (r)
		return r == -ENOENT ? 0 : r;
	return rmdir(next) ? -errno : 0;
}

__u64 lz_prog_tag(int prog_fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	__u64 tag;

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return 0;
	memcpy(&tag, info.tag, sizeof(tag));
	return tag;
}

__u32 lz_prog_id(int prog_fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(prog_fd, &info, &len) ? 0 : info.id;
}
