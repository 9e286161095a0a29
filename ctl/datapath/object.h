/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * object.h - the compiled data plane before it is an instance: opened, sized, loaded. Keeper only: each needs
 * what it takes to make maps and programs.
 */
#ifndef LZ_DATAPATH_OBJECT_H
#define LZ_DATAPATH_OBJECT_H

#include <lazaret/table.h>

#include "base/err.h"

struct bpf_object;
struct lazaret; /* lazaret.skel.h */

/** lz_object_open() - this build's data plane; for lazaret__destroy(); 0, or -errno with @reterr set */
int lz_object_open(struct lazaret **ret, struct lz_err *reterr);

/**
 * lz_object_set_sizes() - give the maps of an object as many entries as an instance of this size has
 * @object: opened and not loaded yet; has the maps of bpf/maps.h, and perhaps others, which stay as they are
 *
 * What its programs read of @instance is not set: that lies in their read-only data.
 * Return: 0; -ENOENT a map is missing; else -errno of libbpf's; with @reterr set.
 */
int lz_object_set_sizes(const struct bpf_object *object, const struct lz_instance *instance,
			struct lz_err *reterr);

/** lz_object_load() - into the kernel; 0, or -errno with @reterr set: what is missing, what to do */
int lz_object_load(struct lazaret *skel, struct lz_err *reterr);

#endif
