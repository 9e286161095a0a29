#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# lazaretd --backtest on captures made here: what each source did, what a policy would have done to
# it, every link type, and files that are not as they should be. Root; nothing is attached.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/t.sh
. "$ROOT/selftests/lib/t.sh"
LAZARETD=${LZ_BUILD:-$ROOT/build}/lazaretd
WORK=$(mktemp -d /tmp/lz-backtest.XXXXXX)
trap 'rm -rf "$WORK"' EXIT
t_need test -x "$LAZARETD"

# capture NAME LINK: rows from standard input
capture()
{
	python3 "$ROOT/selftests/net/capture.py" "$2" "$WORK/$1.pcap"
}

# run CAPTURE POLICY: its JSON in $WORK/out, messages in $WORK/err
run()
{
	"$LAZARETD" --backtest --policy "$2" -j "$WORK/$1.pcap" >"$WORK/out" 2>"$WORK/err"
}

# row CAPTURE POLICY ADDRESS: syn, connections, destinations, dropped, would-have of one source
row()
{
	run "$1" "$2" || { echo "exit $? $(cat "$WORK/err")"; return; }
	jq -r --arg a "$3" '[.sources[] | select(.address == $a) |
		"\(.syn) \(.smtp_connections) \(.smtp_destinations) \(.dropped) \(.would_drop)"] | join("; ")' "$WORK/out"
}

# policy NAME CLASSES [MEMBERS]
policy()
{
	cat >"$WORK/$1.json" <<-END
	{ "version": 1, "interfaces": { "a": { "side": "customer", "match": ["lz*"], "source-validation": "strict" } },
	  ${3:-} "classes": { $2 } }
	END
}

ALL=$ROOT/policies/monitor-only.json

# ---------------------------------------------------------------- every link

ROWS='1000.0 100.64.0.1 192.0.2.1 1000 25
1000.1 100.64.0.1 192.0.2.1 1000 25           # sent again: one connection
1000.2 100.64.0.1 192.0.2.1 1001 25 seq=9     # another one, to the same
1000.3 100.64.0.1 192.0.2.2 1002 25 seq=5
1000.4 100.64.0.1 192.0.2.2 1002 80
1000.5 192.0.2.1 100.64.0.1 25 1000 flags=SA
1000.6 2001:db8:7::9 2001:db8::25 1000 25
1000.7 2001:db8:7::a 2001:db8::25 1000 25'

links()
{
	local link
	for link in ethernet pcapng big-endian nanoseconds raw sll sll2 ppp null ipv4 ipv6; do
		echo "$ROWS" | capture links "$link"
		[ "$link" = ipv6 ] || t_eq "$link, IPv4 source" "$(row links "$ALL" 100.64.0.1)" "5 3 2 0 0"
		[ "$link" = ipv4 ] || t_eq "$link, IPv6 source by its /64" "$(row links "$ALL" 2001:db8:7::/64)" "2 2 1 0 0"
		t_eq "$link, who sent no SYN" "$(jq '[.sources[] | select(.syn == 0 and .smtp_connections > 0)] | length' "$WORK/out")" 0
	done
	for link in vlan qinq pppoe mpls; do
		echo "$ROWS" | sed "/#/!s/\$/ wrap=$link/; s/ *#/ wrap=$link #/" | capture links ethernet
		t_eq "inside $link" "$(row links "$ALL" 100.64.0.1)" "5 3 2 0 0"
	done
	echo "$ROWS" | sed 's/ *#.*//; s/$/ cut=68/' | capture links ethernet
	t_eq "cut to 68 bytes" "$(row links "$ALL" 100.64.0.1)" "5 3 2 0 0"
}

# ---------------------------------------------------------------- files that are odd

# one_line WORDS: nothing on stdout, one line with these words on stderr; for t_ok
# shellcheck disable=SC2317
one_line()
{
	[ "$(wc -l <"$WORK/err")" = 1 ] && grep -q "$1" "$WORK/err" && [ ! -s "$WORK/out" ]
}

odd_files()
{
	echo "$ROWS" | capture odd 105
	run odd "$ALL"
	t_eq "802.11 is refused" $? 1
	t_ok "in one line that names it" one_line "link type IEEE802_11"
	echo nonsense >"$WORK/odd.pcap"
	run odd "$ALL"
	t_eq "not a capture" $? 1
	t_ok "one line" one_line "cannot read the capture"
	run missing "$ALL"
	t_eq "no such file" $? 1
	t_eq "says its name once" "$(cat "$WORK/err")" \
		"lazaretd: $WORK/missing.pcap: cannot read the capture: No such file or directory"
	t_eq "lazaretctl -j has one document" "$("${LAZARETD%d}ctl" -j backtest --policy "$ALL" "$WORK/missing.pcap" 2>/dev/null)" \
		"{\"schema\":\"lazaret/backtest\",\"version\":1,\"code\":1,\"error\":\"$(sed 's/^lazaretd: //' "$WORK/err")\"}"
	t_eq "lazaretctl -j preflight knows its code" "$("${LAZARETD%d}ctl" -j preflight 2>/dev/null | jq .code)" \
		"$("${LAZARETD%d}ctl" preflight >/dev/null 2>&1; echo $?)"
	echo '{ "version": 1, "mode": "off" }' >"$WORK/bad.json"
	run odd "$WORK/bad.json"
	t_eq "policy with an error" $? 1
	t_ok "says where" grep -q "bad.json:1:[0-9]*: error: /mode: " "$WORK/err"
	echo "$ROWS" | capture odd ethernet
	truncate -s -20 "$WORK/odd.pcap"
	run odd "$ALL"
	t_eq "a file that breaks off" $? 6
	t_ok "says so" grep -q "breaks off" "$WORK/err"
	t_eq "and judges what is there" "$(jq .packets "$WORK/out")" 7
	echo "1000 100.64.0.1 192.0.2.1 1 25 short" | capture odd ethernet
	run odd "$ALL"
	t_eq "10 bytes are unparsed" "$(jq -c '[.packets, .unparsed, .passed]' "$WORK/out")" "[1,1,1]"
	: | capture odd ethernet
	run odd "$ALL"
	t_eq "an empty capture" "$(jq -c '[.packets, .sources, .first]' "$WORK/out")" "[0,[],null]"
}

# ---------------------------------------------------------------- what a policy does

LIMIT='{ "name": "hour", "count": "smtp-connections", "at-most": "3/1h", "then": "drop" }'

limits()
{
	policy enforce "\"c\": { \"of\": [\"100.64.0.0/10\"], \"limits\": [$LIMIT] }"
	policy monitor "\"c\": { \"of\": [\"100.64.0.0/10\"], \"limits\": [$LIMIT] }" '"mode": "monitor",'
	capture burst ethernet <<-END
	1000 100.64.0.1 192.0.2.1 2000 25 repeat=10
	1001 100.64.0.1 192.0.2.1 2009 25 seq=64       # the last of them, again: refused, not counted
	1002 203.0.113.5 192.0.2.1 1 25                # in no class
	20000 100.64.0.1 192.0.2.1 3000 25             # hours later there is room again
	END
	t_eq "3 an hour of 10" "$(row burst "$WORK/enforce.json" 100.64.0.1)" "12 11 1 8 0"
	t_eq "per limit" "$(jq -c '.limits[0] | [.class, .name, .asked, .over, .dropped, .would_drop]' "$WORK/out")" \
		'["c","hour",11,7,7,0]'
	t_eq "reasons" "$(jq -c '[.dropped, .passed, .foreign, .dropped_by.limit, .dropped_by.retransmit]' "$WORK/out")" \
		'[8,5,1,7,1]'
	t_eq "monitor mode drops none" "$(row burst "$WORK/monitor.json" 100.64.0.1)" "12 11 1 0 7"
	t_eq "and says what it would" "$(jq -c '[.dropped, .would_drop, .limits[0].would_drop]' "$WORK/out")" '[0,7,7]'
}

clocks()
{
	capture clock ethernet <<-END
	5000 100.64.0.1 192.0.2.1 1 25
	1000 100.64.0.1 192.0.2.1 2 25
	5000 100.64.0.1 192.0.2.1 3 25
	5001 100.64.0.1 192.0.2.1 4 25
	END
	t_eq "a clock that steps back stands still" "$(row clock "$WORK/enforce.json" 100.64.0.1)" "4 4 1 1 0"
	t_eq "and is counted" "$(jq .clock_backwards "$WORK/out")" 1
}

holds()
{
	policy hold '"c": { "of": ["100.64.0.0/10"], "port25": "leave-alone", "limits": [
		{ "name": "spam", "count": "smtp-connections", "at-most": "3/1h", "then": "hold 10min" } ] }'
	capture hold ethernet <<-END
	1000 100.64.0.1 192.0.2.1 2000 25 repeat=5
	1010 100.64.0.1 192.0.2.1 2000 25 flags=PA     # an established one: harmful too
	1010 100.64.0.1 192.0.2.1 2000 443             # leaky: his class judges it
	9000 100.64.0.1 192.0.2.1 4000 25              # long over
	END
	t_eq "held by the fourth" "$(row hold "$WORK/hold.json" 100.64.0.1)" "6 5 1 3 0"
	t_eq "by which limit" "$(jq -c '[.limits[0].held_sources, .dropped_by.held, .held_sources]' "$WORK/out")" '[1,2,0]'
	sed -i 's/10min/24h/' "$WORK/hold.json"
	run hold "$WORK/hold.json"
	t_eq "held at the end" "$(jq -c '[.held_sources, (.sources[] | select(.held) | .address)]' "$WORK/out")" '[1,"100.64.0.1"]'
}

outside()
{
	policy dynamic '"c": { "of": ["100.64.0.0/10"], "port25": { "to-world": "icmp-admin",
		"except-to": ["192.0.2.25"], "from-port-25": "drop", "to-customers": "drop" } }' '"never": ["192.0.2.99"],'
	capture outside ethernet <<-END
	1000 198.51.100.1 100.64.0.1 4000 25            # to a dynamic customer
	1000 198.51.100.1 100.64.0.1 25 4000 flags=SA   # triangular spam
	1000 192.0.2.25 100.64.0.1 25 4000 flags=SA     # the smarthost's answer
	1000 100.64.0.2 192.0.2.25 4000 25
	1000 100.64.0.2 192.0.2.1 4000 25
	1000 100.64.0.2 192.0.2.99 4001 25              # never-list
	END
	t_eq "port 25 closed but for the smarthost" "$(row outside "$WORK/dynamic.json" 100.64.0.2)" "3 3 3 1 0"
	t_eq "from outside" "$(jq -c '.dropped_by | [.port25, .from_port25, .to_customer]' "$WORK/out")" '[1,1,1]'
}

# ---------------------------------------------------------------- size, form

many()
{
	policy small "\"c\": { \"of\": [\"100.64.0.0/10\", \"2001:db8::/32\"], \"limits\": [$LIMIT] }" \
		'"capacity": { "sources": 1024, "colony": 1024 },'
	capture many raw <<-END
	1000 100.64.0.1 192.0.2.1 1000 25 repeat=20000 sources
	1001 2001:db8:1:: 2001:db8:9::9 1000 80
	1001 2001:db8:1:1:: 2001:db8:9::9 1000 80
	1002 100.64.0.1 198.18.0.0 2000 25 repeat=3000 spread
	END
	run many "$WORK/small.json"
	t_eq "more sources than the policy has room for" "$(jq '.sources | length' "$WORK/out")" 20002
	t_eq "destinations are exact" "$(jq -c '.sources[0] | [.address, .smtp_connections, .smtp_destinations]' "$WORK/out")" \
		'["100.64.0.1",3001,3001]'
	t_eq "schema" "$(jq -c '[.schema, .version]' "$WORK/out")" '["lazaret/backtest",1]'
	"$LAZARETD" --backtest --policy "$WORK/small.json" "$WORK/many.pcap" >"$WORK/out" 2>&1
	t_eq "the table has at most 80 columns" "$(awk 'length > 80' "$WORK/out")" ""
	t_ok "and names the first source" grep -q '^100.64.0.1 .* 3001 ' "$WORK/out"
}

# Programs and maps by id, so that others may come and go but none of ours stays.
leftovers()
{
	ls /sys/fs/bpf 2>/dev/null
	ip -d link show lo | grep -o 'xdp.*'
}

leaves_nothing()
{
	local before
	before=$(leftovers)
	run burst "$WORK/enforce.json"
	t_eq "no pin, no hook" "$(leftovers)" "$before"
	run burst "$WORK/enforce.json"; cp "$WORK/out" "$WORK/first"
	run burst "$WORK/enforce.json"
	t_ok "the same again gives the same" cmp "$WORK/first" "$WORK/out"
	chmod 755 "$WORK"
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$LAZARETD" --backtest --policy "$WORK/enforce.json" "$WORK/burst.pcap" >"$WORK/out" 2>"$WORK/err"
	t_eq "without privilege" $? 5
	t_ok "one line" one_line "needs root"
}

links
odd_files
limits
clocks
holds
outside
many
leaves_nothing
t_end
