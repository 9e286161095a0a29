/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/object.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <lazaret.skel.h>
#include <string.h>

#include "base/mem.h"
#include "datapath/maps.h"

int lz_object_open(struct lazaret **ret, struct lz_err *reterr)
{
	struct lazaret *skel = lazaret__open();

	if (!skel)
		return lz_err_set(reterr, errno, "kernel: cannot open the data plane: %s", strerror(errno));
	*ret = skel;
	return 0;
}

int lz_object_set_sizes(const struct bpf_object *object, const struct lz_instance *instance,
			struct lz_err *reterr)
{
	const struct {
		enum lz_map_id id;
		__u32 entries;
	} sizes[] = {
		{ LZ_MAP_TAGS, instance->tag_lines },
		{ LZ_MAP_CELLS, instance->tag_lines * LZ_TAG_LINE_SLOTS },
		{ LZ_MAP_COLD, instance->tag_lines * LZ_TAG_LINE_SLOTS },
		{ LZ_MAP_BLOCKS, lz_block_lines_all(instance->tag_lines) },
		{ LZ_MAP_HELD, 2 * instance->held_lines },
		{ LZ_MAP_FLOWS, instance->flow_lines },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(sizes); i++) {
		const char *name = lz_map_name(sizes[i].id);
		struct bpf_map *map = bpf_object__find_map_by_name(object, name);
		int r = map ? bpf_map__set_max_entries(map, sizes[i].entries) : -ENOENT;

		if (r)
			return lz_err_set(reterr, r, "kernel: cannot give map %s %u entries: %s", name,
					  sizes[i].entries, strerror(-r));
	}
	return 0;
}

int lz_object_load(struct lazaret *skel, struct lz_err *reterr)
{
	int r = lazaret__load(skel);

	if (r == -EPERM)
		return lz_err_set(reterr, r, "kernel: cannot load the data plane: %s; needs root or "
				  "CAP_BPF and CAP_NET_ADMIN", strerror(-r));
	if (r)
		return lz_err_set(reterr, r, "kernel: cannot load the data plane: %s; "
				  "`lazaretd --preflight` says what this kernel lacks", strerror(-r));
	return 0;
}
