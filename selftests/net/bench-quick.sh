#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The bench itself, with tiny tables: every verdict and count in it must be right, and its JSON must
# have the form that is fixed. Its figures are not looked at.
set -u

cd "$(dirname "$0")/../.." || exit 1
. selftests/lib/t.sh

BUILD=${LZ_BUILD:-$PWD/build}
JSON=$BUILD/bench.json

if [ "$(id -u)" != 0 ]; then
	t_skip "bench, quick" "needs root"
	t_end
fi

# Each letter of the figures has a row, and no row lacks a member.
form()
{
	jq -e '
		(.machine | type == "object") and (.void | type == "boolean") and
		([.results[].name[0:1]] | unique == ["a","b","c","d","e","f","g","h","i","j","k","l","m"]) and
		([.results[].name] | length == (unique | length)) and
		all(.results[]; (keys == ["baselines","met","min","name","ours","p90","ratio","unit","wanted"])
			and ([.ours, .min, .p90, .ratio] | all(type == "number"))
			and (.unit | type == "string") and (.met | type == "boolean")
			and (.baselines | type == "object" and all(.[]; type == "number")))' "$JSON"
}

rm -f "$JSON" "$BUILD/bench.svg"
t_ok "every verdict and count is right" make -s O="$BUILD" QUICK=1 bench
t_ok "bench.json has the fixed form" form
OBJECT=$BUILD/selftests/bench/bench.bpf.o
t_ok "a build against itself: every verdict is right" "$BUILD/selftests/bench/bench" --quick --figures acde \
	--against "$OBJECT" "$OBJECT" policies/small-cable-isp.json
t_ok "a build beside itself, each over its own tables: likewise" "$BUILD/selftests/bench/bench" --quick --figures cd \
	--beside "$BUILD/selftests/bench/bench --quick --figures cd --turns $OBJECT policies/small-cable-isp.json" \
	"$OBJECT" policies/small-cable-isp.json
t_ok "bench.svg has five lines" sh -c "grep -c '<polyline' '$BUILD/bench.svg' | grep -qx 5"
t_end
