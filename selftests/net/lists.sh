#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Lists as people write them: dates, comments, hosts named twice, lines that are wrong. Nothing of a line is
# lost in silence, and the numbers add up.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 120 "$@"

cat >"$LZ_DIR/policy.json" <<-END
	{ "version": 1, "name": "lists",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "homes": ["198.51.100.0/24"] },
	  "never": ["198.51.100.99", "198.51.100.3"],
	  "customers": { "file": "customers.csv" },
	  "classes": { "homes": { "of": ["homes"], "port25": "leave-alone" } },
	  "portal": { "url": "http://portal.example.net/", "provider": "P", "contact": "C" },
	  "capacity": { "sources": 4096, "colony": 4096 } }
END

printf '%s\n' C1,198.51.100.192/30 C1,2001:db8:2000:7::/64 C2,198.51.100.200/32 C2,198.51.100.3/32 \
	C3,2001:db8:3000::/54 C4,2001:db8:3001::/54 C5,2001:db8:3002::/54 C6,2001:db8:3003::/54 \
	C7,2001:db8:3004::/54 >"$LZ_DIR/customers.csv"

held_is()
{
	[ "$(ctl -j status | jq .colony.held)" = "$1" ]
}

# import LIST: its sum, or what is wrong with it
import()
{
	printf '%b' "$1" >"$LZ_DIR/list"
	ctl -j quarantine import "$LZ_DIR/list" | tee "$LZ_DIR/said" | jq -r 'if .code == 1
		then .refused_entries[0] | "line \(.line): \(.error)"
		else "\(.entries) entries: \(.held) held, \(.refused) refused, \(.over) over" end'
}

# on_record ADDRESS: grade, ticket and reason
on_record()
{
	ctl -j quarantine show "$1" | jq -r '"\(.garden) \(.ticket) \(.reason)"'
}

t_need lz_provider_add
t_need daemon_start "$LZ_DIR/policy.json"

# ---------------------------------------------------------------- what a line may be

DAY=$(date -u -d '+4 days' +%Y-%m-%d)
t_eq "a date alone" "$(import "198.51.100.43 $DAY\n")" "1 entries: 1 held, 0 refused, 0 over"
t_eq "is the beginning of that day" "$(ctl -j quarantine show 198.51.100.43 | jq -r .until)" "${DAY}T00:00:00Z"
t_eq "what is neither" "$(import '198.51.100.44 1.12.2026\n')" \
	"line 1: '1.12.2026' is neither a time nor a date (want e.g. 72h, 7d, 2027-03-01 or 2027-03-01T12:00:00Z)"
t_eq "comments" "$(import '# all\n198.51.100.45 # printer\r\n198.51.100.46 2h strict RT#7 # printer\n')" \
	"2 entries: 2 held, 0 refused, 0 over"
t_eq "are no ticket and no reason" "$(on_record 198.51.100.46)" "strict RT#7 null"
t_eq "a quoted # is none" "$(import '198.51.100.47 2h leaky \\#7 on port \\#3 # printer\n')" \
	"1 entries: 1 held, 0 refused, 0 over"
t_eq "it stays" "$(on_record 198.51.100.47)" "leaky #7 on port #3"
t_eq "and is quoted in an export" "$(ctl quarantine export | sed -n 's/^198.51.100.47 [^ ]* //p')" \
	'leaky \#7 on port \#3'
t_eq "a NUL alone is no blank line" "$(import '198.51.100.48\n\0\n')" \
	"line 2: has a NUL byte, is no text; save the list as UTF-8"
t_eq "nor does it end a line" "$(import '198.51.100.48 2h leaky RT-1\0junk\n')" \
	"line 1: has a NUL byte, is no text; save the list as UTF-8"
t_eq "a byte order mark" "$(import '\xef\xbb\xbf198.51.100.48 2h\n')" \
	"line 1: begins with a byte order mark; save it without one"
t_eq "UTF-16" "$(import '\xff\xfe1\0\n\0')" \
	"line 1: is UTF-16 (Notepad's \"Unicode\"); save it as UTF-8, without a byte order mark"
t_eq "is refused once" "$(jq ".refused_entries | length" "$LZ_DIR/said")" 1
WANT="(want garden:NAME, leaky, strict, block25 or throttle:RATE)"
t_eq "what is no grade: what a list takes" "$(import '198.51.100.48 2h hard RT-1\n')" "line 1: 'hard' is no grade $WANT"
t_eq "a throttle in two words" "$(import '198.51.100.48 2h throttle 10/min\n')" "line 1: 'throttle' is no grade $WANT"
t_eq "no hold at all" "$(import '198.51.100.48 2h notify\n')" "line 1: notify: holds nobody $WANT"
t_eq "what it says is taken" "$(import '198.51.100.58 2h throttle:10/min\n198.51.100.59 2h garden:strict\n')" \
	"2 entries: 2 held, 0 refused, 0 over"
t_eq "a line without an address" "$(import '- 2h leaky\n' | cut -c -26)" "line 1: '-' is not an addr"
t_eq "the prefix of one IPv6 source, as answers name it" "$(import '2001:db8:2000:77::/64 2h strict RT-77\n')" \
	"1 entries: 1 held, 0 refused, 0 over"
t_eq "is on record by its address" "$(on_record 2001:db8:2000:77::5) $(ctl quarantine export |
	grep -o '^2001:db8:2000:77:[^ ]*')" "strict RT-77 null 2001:db8:2000:77::"
t_eq "not one of many" "$(import '2001:db8:2000::/60 2h\n')" \
	"line 1: 2001:db8:2000::/60: is more than one source: name an address in it, or its /64"
t_eq "whose time is over is counted" "$(import '198.51.100.48 2026-01-01\n198.51.100.49 1h\n')" \
	"2 entries: 1 held, 0 refused, 1 over"
t_eq "a ticket's number is no comment" "$(import '198.51.100.53 2h leaky #12 sends, see #INC-7 #scanner\n')" \
	"1 entries: 1 held, 0 refused, 0 over"
t_eq "it stays, quoted or not" "$(on_record 198.51.100.53)" "leaky #12 sends, see #INC-7"
t_eq "before tickets a comment may begin with one" "$(import '198.51.100.54 1h #12\n#198.51.100.55 1h\n')" \
	"1 entries: 1 held, 0 refused, 0 over"
t_eq "a ticket that is too long would be another one" \
	"$(import "198.51.100.48 2h leaky $(printf 'T%.0s' $(seq 100))\n" | tail -c 61)" \
	"TTTTTTTT..: is too long for a ticket (want at most 64 bytes)"
printf '198.51.100.45 port25 %s RT-1 # scanner\n\0\n' "$DAY" >"$LZ_DIR/list"
ctl -j exception import "$LZ_DIR/list" >"$LZ_DIR/said"
t_eq "exceptions are read likewise" "$(jq -r '.refused_entries[0] | "\(.line) \(.error)"' "$LZ_DIR/said")" \
	"2 has a NUL byte, is no text; save the list as UTF-8"
t_ok "undone" ctl -q quarantine undo --since 1h --source import
t_ok "all of them are free" held_is 0

# ---------------------------------------------------------------- what is exported is read as it was

# all_held: who is held, and what is said of him
all_held()
{
	ctl -j quarantine list | jq -c '[.entries[] | [.address, .until, .grade, .ticket, .reason]] | sort'
}

LONG=$(printf '\303\244%.0s' $(seq 128)) # 256 bytes
t_need python3 - "$BUILD/lazaretctl" "$LONG" <<-'END'
	import subprocess, sys
	lazaretctl, long = sys.argv[1:]
	tickets = ["#12", "\\#12", "#", "-", "\\-", "--", "\\", '"#1"', "'", "T\u00f6", "a#b\\", "ticket", "T" * 64, "\u3000"]
	reasons = ["#1", "# x", "a #2 b # c", "\\#1 \\\\#", "-", "\\-", "- x", " ", "   ", " x", "x  ", "\\", "\\\\", " \\ ",
		   "\\ x \\", "C:\\", "a  b", '"x" \'y\' `z` $(w)', "\u00e4 \u2014 \U0001f4e7", "until 1h", "\u3000x\u3000", long]
	n = 100
	def add(*args):
	    global n
	    n += 1
	    address = "198.51.100.%d" % n
	    subprocess.run([lazaretctl, "--instance", "lab", "-q", "quarantine", "add", address, "for", "2h", *args], check=True)
	for ticket in tickets:
	    add("ticket", ticket)
	for reason in reasons:
	    add("reason", reason)
	for ticket, reason in zip(tickets, reasons):
	    add("ticket", ticket, "reason", reason, "throttle", "10/min")
END
BEFORE=$(all_held)
t_eq "tickets and reasons of any text" "$(jq length <<<"$BEFORE")" 50
ctl quarantine export >"$LZ_DIR/exported"
t_eq "exported and read again: as they are" \
	"$(ctl -j quarantine import "$LZ_DIR/exported" | jq -c '[.entries, .unchanged]')" "[50,50]"
t_ok "undone" ctl -q quarantine undo --since 1h
t_ok "all of them are free" held_is 0
t_ok "the export is read" ctl quarantine import "$LZ_DIR/exported"
t_eq "every text is what it was" "$(all_held)" "$BEFORE"
ctl quarantine export >"$LZ_DIR/again"
t_ok "and is exported likewise" cmp "$LZ_DIR/exported" "$LZ_DIR/again"
t_ok "undone" ctl -q quarantine undo --since 1h
t_ok "all of them are free" held_is 0

# ---------------------------------------------------------------- who may not let himself out

# left_to ADDRESS: how often he may let himself out, and in what grade he is held
left_to()
{
	ctl -j why "$1" | jq -r '"\(.self_releases_left) \(.grade)"'
}

# words_of ADDRESS: what an export says of him behind the end
words_of()
{
	ctl quarantine export | sed -n "s/^$1 [^ ]* //p"
}

t_eq "a list leaves hosts to staff, with a grade or without" "$(import '198.51.100.60 2h strict,staff-only RT-1
198.51.100.61 2h throttle:10/min,staff-only\n198.51.100.62 2h staff-only\n198.51.100.63 2h strict RT-1\n')" \
	"4 entries: 4 held, 0 refused, 0 over"
t_eq "they may not let themselves out, the other may" "$(for i in 60 61 62 63; do left_to 198.51.100.$i; done)" \
	"0 garden:strict
0 throttle 10/min
0 garden:leaky
2 garden:strict"
t_eq "what is no grade is none there either" "$(import '198.51.100.64 2h hard,staff-only\n') $(
	import '198.51.100.64 2h leaky,staff\n')" "line 1: 'hard' is no grade $WANT line 1: 'leaky,staff' is no grade $WANT"
t_need ctl -q quarantine add 198.51.100.65 for 2h staff-only
t_need ctl -q quarantine add 198.51.100.66 for 2h
t_eq "an export says it, of operators' holds, too" "$(for i in 60 61 62 63 65 66; do words_of 198.51.100.$i; done)" \
	"strict,staff-only RT-1 -
throttle:10/min,staff-only - -
leaky,staff-only - -
strict RT-1 -
leaky,staff-only - -
leaky - -"
ctl quarantine export >"$LZ_DIR/exported"
t_eq "once more said, nothing changes" "$(ctl -j quarantine import "$LZ_DIR/exported" | jq -c '[.entries, .unchanged]')" "[6,6]"
daemon_kill
t_need daemon_start "$LZ_DIR/policy.json"
ctl quarantine export >"$LZ_DIR/again"
t_ok "nor by a restart" cmp "$LZ_DIR/exported" "$LZ_DIR/again"
t_ok "undone" ctl -q quarantine undo --since 1h
t_ok "all of them are free" held_is 0
t_need ctl -q quarantine import "$LZ_DIR/exported"
ctl quarantine export >"$LZ_DIR/again"
t_ok "the export is read as it was written" cmp "$LZ_DIR/exported" "$LZ_DIR/again"
t_eq "and leaves them to staff" "$(left_to 198.51.100.65)" "0 garden:leaky"
t_eq "who is held already can be left to staff" "$(import '198.51.100.63 1h staff-only\n') $(left_to 198.51.100.63)" \
	"1 entries: 0 held, 0 refused, 0 over 0 garden:strict"
t_eq "a later list that does not say it takes it from nobody" "$(import '198.51.100.63 3h\n') $(left_to 198.51.100.63)" \
	"1 entries: 0 held, 0 refused, 0 over 0 garden:strict"
t_need ctl -q quarantine del 198.51.100.63
t_eq "freed, and held again in his watch: staff's still" "$(import '198.51.100.63 1h\n') $(left_to 198.51.100.63)" \
	"1 entries: 1 held, 0 refused, 0 over 0 garden:leaky"
t_eq "of two lines for one host one is enough" "$(import '198.51.100.67 1h staff-only\n198.51.100.67 2h strict\n'; left_to 198.51.100.67)" \
	"2 entries: 1 held, 0 refused, 0 over
0 garden:strict"
t_ok "undone" ctl -q quarantine undo --since 1h
t_ok "all of them are free" held_is 0

t_eq "an empty list: invalid" "$(ctl quarantine import /dev/null 2>&1; echo $?)" \
	"lazaretctl: quarantine: list: is empty; nothing was done
1"

# ---------------------------------------------------------------- the wrong file

printf '%s\n' 198.51.100.60 198.51.100.61 >"$LZ_DIR/list"
t_ok "a list is sent by who goes away" list_left quarantine.import "$LZ_DIR/list"
t_ok "it is dropped" lz_wait 3 grep -q "event=list-dropped file=$LZ_DIR/list" "$LZ_DIR/log/daemon.log"
t_ok "nobody of it is held" held_is 0
t_eq "the next is taken" "$(import '198.51.100.60 2h\n')" "1 entries: 1 held, 0 refused, 0 over"
t_ok "undone" ctl -q quarantine undo --since 1h

# ---------------------------------------------------------------- what can only be done in part

# grade_of ADDRESS
grade_of()
{
	ctl -j quarantine show "$1" | jq -r .grade
}

printf '%s\n' '198.51.100.60 2h throttle:5000/s' '198.51.100.61 2h throttle:100000/min T-1' \
	'198.51.100.62 2h throttle:10/min' '198.51.100.63 2h throttle:5000/s' '198.51.100.64 2020-01-01 throttle:5000/s' \
	"198.51.100.65 2h leaky - ${LONG}xxxx$LONG" >"$LZ_DIR/list"
ctl quarantine import "$LZ_DIR/list" >"$LZ_DIR/said" 2>"$LZ_DIR/warned"
t_eq "a list is taken whatever its rates are" $? 0
t_eq "all of it" "$(cat "$LZ_DIR/said")" "6 entries: 5 held, 0 extended, 0 unchanged, 0 refused, 1 over already"
t_eq "and is told what was done else, in a line each" "$(cat "$LZ_DIR/warned")" \
	"lazaretctl: a throttle above 1000/s was taken for 1000/s: in 3 of the lines
lazaretctl: a reason that is too long was cut: in 1 of the lines"
t_eq "the greatest rate there is" "$(for i in 60 61 62 63; do grade_of 198.51.100.$i; done | xargs)" \
	"throttle 1000/s throttle 1000/s throttle 10/min throttle 1000/s"
t_eq "a reason is cut between characters" "$(ctl -j quarantine show 198.51.100.65 | jq -r .reason)" \
	"${LONG}xxxx$(printf '\303\244')"
t_eq "a word that is no rate is a bad line" "$(import '198.51.100.66 1h throttle:2/s\n198.51.100.67 1h throttle:fast\n' |
	cut -c -24)" "line 2: 'fast' is not a "
t_eq "so is a garden that is none" "$(import '198.51.100.66 1h garden:eden\n' | cut -d ' ' -f -6)" \
	"line 1: garden:eden: the policy has"
t_ok "undone" ctl -q quarantine undo --since 1h --source import
t_ok "all of them are free" held_is 0

# ---------------------------------------------------------------- this gateway's own addresses

# own LIST: of a list how many are held, and which are refused
own()
{
	printf '%b' "$1" >"$LZ_DIR/list"
	ctl -j quarantine import "$LZ_DIR/list" | jq -r '"\(.held) held", (.refused_entries[]? | "\(.line) \(.address) \(.error)")'
}

t_eq "one that is none yet" "$(own '198.51.100.61 2h\n')" "1 held"
t_ok "undone" ctl -q quarantine undo --since 1h --source import
ip -n "$LZ_LAB-gw" address add 198.51.100.61/32 dev lo
ip -n "$LZ_LAB-gw" address add 2001:db8:2000:61::1/128 dev lo
t_eq "is named and refused when it is, others are held" \
	"$(own '198.51.100.60 2h\n198.51.100.61 2h\n2001:db8:2000:61::1 2h\n2001:db8:2000:62::1 2h\n')" "2 held
2 198.51.100.61 cannot be held: it is this gateway's own address
3 2001:db8:2000:61::1 cannot be held: it is this gateway's own address"
ip -n "$LZ_LAB-gw" address flush dev lo
t_ok "undone" ctl -q quarantine undo --since 1h --source import
t_ok "all of them are free" held_is 0

# ---------------------------------------------------------------- a host named twice

# counts LIST [--yes]: all of them
counts()
{
	printf '%b' "$1" >"$LZ_DIR/list"
	ctl -j quarantine import "$LZ_DIR/list" "${@:2}" | tee "$LZ_DIR/said" |
		jq -c '[.entries, .held, .extended, .unchanged, .refused, .doubled, .over]'
}

# hours_left ADDRESS: as he was given them
hours_left()
{
	local until
	until=$(ctl -j quarantine show "$1" | jq -r .until)
	echo $((($(date -d "$until" +%s) - $(date +%s) + 1800) / 3600))
}

X=198.51.100.50
t_eq "a host three times: the numbers add up" \
	"$(counts "$X 2h leaky RT-1 first\\n198.51.100.51 2h\\n$X 5h - RT-2\\n$X 1h strict\\n")" "[4,2,0,0,0,2,0]"
t_eq "the harder grade, the last ticket and reason that were given" "$(on_record "$X")" "strict RT-2 first"
t_eq "the later end" "$(hours_left "$X")" 5
t_eq "again" "$(counts "$X 2h strict\\n$X 1h\\n$X 3h leaky\\n")" "[3,0,0,1,0,2,0]"
t_eq "it is longer with one of them" "$(counts "$X 2h\\n$X 7h - RT-3\\n$X 1h\\n")" "[3,0,1,0,0,2,0]"
t_eq "then that is on record" "$(on_record "$X") $(hours_left "$X")" "strict RT-3 null 7"
t_eq "what may not be held is refused as often as it stands there" \
	"$(counts '198.51.100.99 1h\n198.51.100.99 2h\n198.51.100.52 1h\n198.51.100.52 2020-01-01\n')" "[4,1,0,0,2,0,1]"
t_eq "more than are written at once, each twice" "$(counts "$(seq 0 1999 |
	awk '{ for (i = 1; i < 3; i++) printf "10.0.%d.%d 2h leaky T-%d\\n", $1 / 256, $1 % 256, i }')" --yes)" \
	"[4000,2000,0,0,0,2000,0]"
t_eq "each with the last ticket" "$(ctl -j quarantine list | jq '[.entries[] | select(.ticket == "T-2")] | length')" 2000
t_ok "undone" ctl -q quarantine undo --since 1h --source import
t_ok "all of them are free" held_is 0

# ---------------------------------------------------------------- a customer's other addresses

# sum LIST [--yes]: what the import says of all of it
sum()
{
	printf '%b' "$1" >"$LZ_DIR/list"
	ctl quarantine import "$LZ_DIR/list" "${@:2}" 2>&1
}

t_eq "one address of a customer" "$(sum '198.51.100.193 2h strict T-1\n')" \
	"5 entries, 4 of them not listed but of a listed customer: 5 held, 0 extended, 0 unchanged, 0 refused"
t_ok "undone" ctl -q quarantine undo --since 1h --source import
t_eq "two of them are none that is listed twice" \
	"$(sum '198.51.100.193 2h strict T-1\n198.51.100.192 5h leaky - two\n198.51.100.70 2h\n')" \
	"6 entries, 3 of them not listed but of a listed customer: 6 held, 0 extended, 0 unchanged, 0 refused"
t_eq "what both say counts for all of his" "$(for i in 198.51.100.19{2..5} 2001:db8:2000:7::1; do
	echo "$(on_record "$i") $(hours_left "$i")"; done | uniq -c | xargs)" "5 strict T-1 two 5"
t_eq "nothing of it is new" "$(counts '198.51.100.193 1h\n198.51.100.192 1h\n198.51.100.70 1h\n')" "[6,0,0,6,0,0,0]"
t_ok "undone" ctl -q quarantine undo --since 1h --source import
t_eq "two of an IPv6 prefix, and one that is listed twice" \
	"$(sum '2001:db8:2000:8::1 2h\n2001:db8:2000:8::2 2h\n198.51.100.70 2h\n198.51.100.70 2h\n')" \
	"4 entries: 2 held, 0 extended, 0 unchanged, 0 refused, 2 listed before (same address or IPv6 prefix)"
t_ok "undone" ctl -q quarantine undo --since 1h --source import
t_eq "what may not be held of a customer is refused once, by its address" \
	"$(sum '198.51.100.200 1h\n198.51.100.200 2h\n' | head -n 1)" \
	"lazaretctl: line 1: 198.51.100.3: is in the never-list: 198.51.100.3"
t_eq "the numbers add up" "$(counts '198.51.100.200 1h\n198.51.100.200 2h\n198.51.100.3 1h\n')" "[3,0,0,1,1,1,0]"
t_ok "undone" ctl -q quarantine undo --since 1h --source import
RESIDENT_MB=$(daemon_resident)
t_eq "many lines of one customer" "$(counts "$(seq 20000 |
	awk '{ printf "2001:db8:3000:%x::%x %dm\\n", $1 % 1000, $1, 60 + $1 % 1000 }')" --yes)" "[20024,1024,0,0,0,19000,0]"
t_ok "are no line for each of his addresses" test "$(($(awk '/^VmHWM/ { print int($2 / 1024) }' \
	/proc/"$(pgrep -P "${LZ_PROC[daemon]}" lazaretd-ctl)"/status) - RESIDENT_MB))" -lt 200
t_eq "the latest end counts for all of them" "$(ctl -j quarantine list |
	jq -r '[.entries[] | .until] | unique | length')" 1
t_ok "undone" ctl -q quarantine undo --since 1h --source import
t_eq "more than there is room for: as many as can be, the others are refused" \
	"$(counts "$(printf '2001:db8:30%s::1 1h\\n' 00 01 02 03 04)" --yes)" "[4098,4096,0,0,2,0,0]"
t_eq "by their lines" "$(jq -r '.refused_entries[] | "\(.line) \(.address) \(.error)"' "$LZ_DIR/said")" \
	"5 2001:db8:3004::1 the other addresses of this customer: colony: full
5 2001:db8:3004::1 colony: full"
t_ok "undone" ctl -q quarantine undo --since 1h --source import
t_ok "all of them are free" held_is 0

# ---------------------------------------------------------------- what is wrong with a list

# said WHAT LIST: what the import says on standard error
said()
{
	printf '%b' "$2" >"$LZ_DIR/list"
	{ ctl "$1" import "$LZ_DIR/list" >/dev/null; } 2>&1
}

t_eq "each bad line once, in the order of the list; then that nothing was done" \
	"$(said quarantine '198.51.100.60 2h\nnobody\n198.51.100.61 1x\n198.51.100.62 1h loose\n' |
		sed -E "s/(line [0-9]: '?[^ ']*).*/\1/")" \
	"lazaretctl: line 2: 'nobody
lazaretctl: line 3: '1x
lazaretctl: line 4: 'loose
lazaretctl: quarantine: 3 lines cannot be read; nothing was done"
t_ok "nothing was done" held_is 0
t_eq "one bad line" "$(said quarantine 'nobody\n' | tail -n 1)" \
	"lazaretctl: quarantine: 1 line cannot be read; nothing was done"
t_eq "too many to be named" "$(said quarantine "$(seq 700 | sed 's/.*/x&\\n/' | tr -d '\n')" |
	sed -n '1s/ is not.*//p;200s/ is not.*//p;201p')" \
	"lazaretctl: line 1: 'x1'
lazaretctl: line 200: 'x200'
lazaretctl: quarantine: 700 lines cannot be read, the first 200 are named; nothing was done"
t_eq "what may not be held is named in the order of the list, not of addresses" \
	"$(said quarantine '198.51.100.99 1h\n198.51.100.60 1h\n198.51.100.3 1h\n' | cut -d: -f 2,3)" \
	" line 1: 198.51.100.99
 line 3: 198.51.100.3
 some lines were refused"
t_eq "exceptions: each bad line once" \
	"$(said exception "198.51.100.60 port25 $DAY RT-1\nnobody port25 $DAY RT-2\n# x\n198.51.100.61 x $DAY RT-3\n" |
		cut -d: -f 2,3 | sed 's/ is not.*//')" \
	" line 2: 'nobody'
 line 4: exception
 exception: 2 lines cannot be read; nothing was done"
t_eq "exceptions: nothing was done" "$(ctl -j exception list | jq .total)" 0
t_eq "exceptions: who is refused is named with his line" \
	"$(said exception "# two\n\n198.51.100.60 port25 $DAY RT-1\n198.51.100.61 port25 2020-01-01 RT-2\n" | cut -d: -f 2,3)" \
	" line 4: 198.51.100.61
 some lines were refused"
t_need ctl exception del 198.51.100.60
# excepted_as LINE: the ticket that it gives 198.51.100.60, or why it does not
excepted_as()
{
	said exception "$1\n198.51.100.64 port25 $DAY RT-4\n" | sed -n '1s/^lazaretctl: line 1: //p'
	ctl -j exception list | jq -r '.exceptions[] | select(.prefix == "198.51.100.60") | .ticket'
	ctl exception del 198.51.100.60 >/dev/null 2>&1
	ctl exception del 198.51.100.64 >/dev/null 2>&1 # there, if there was nothing to refuse
	[ "$(ctl -j exception list | jq .total)" = 0 ] || echo "and others"
}
WANT="want ADDRESS|PREFIX port25|all UNTIL TICKET"
t_eq "exceptions: no ticket" "$(excepted_as "198.51.100.60 port25 $DAY")" "$WANT"
t_eq "exceptions: - is none" "$(excepted_as "198.51.100.60 port25 $DAY -")" "-: is no ticket ($WANT)"
t_eq "exceptions: unless it is meant" "$(excepted_as "198.51.100.60 port25 $DAY \\\\-")" "-"
t_eq "exceptions: of a ticket of two words not the first one" "$(excepted_as "198.51.100.60 port25 $DAY RT 1")" \
	"'1' behind the ticket: a ticket is one word ($WANT)"
T64=$(printf 'T%.0s' $(seq 64))
t_eq "exceptions: a long ticket" "$(excepted_as "198.51.100.60 port25 $DAY $T64")" "$T64"
t_eq "exceptions: one that is too long" "$(excepted_as "198.51.100.60 port25 $DAY ${T64}T")" \
	"${T64:0:40}..: is too long for a ticket (want at most 64 bytes)"
t_eq "exceptions: as it is typed" "$(excepted_as "198.51.100.60 port25 until $DAY ticket RT-5")" RT-5
t_eq "exceptions: that word can be one, too" "$(excepted_as "198.51.100.60 port25 $DAY ticket")" ticket
said exception "198.51.100.60 port25 $DAY RT-1\n0.0.0.0/4 all $DAY RT-2\n2001:db8::1 all $DAY RT-3\n" >"$LZ_DIR/said"
t_eq "exceptions: for everybody, for less than a customer: bad lines" "$(sed -E 's/^(.*line [0-9]: [^ ]*) .*/\1/' "$LZ_DIR/said")" \
	"lazaretctl: line 2: 0.0.0.0/4:
lazaretctl: line 3: 2001:db8::1:
lazaretctl: exception: 2 lines cannot be read; nothing was done"
t_eq "exceptions: nothing was done" "$(ctl -j exception list | jq .total)" 0
printf '%s\n' "198.51.100.60 all $DAY RT-1" "198.51.100.61 port25 $DAY RT-2" "198.51.100.60 port25 $DAY RT-3" >"$LZ_DIR/list"
t_eq "exceptions: a prefix named twice" "$(ctl exception import "$LZ_DIR/list")" \
	"3 entries: 2 added, 0 refused, 1 listed again below (same prefix)"
t_eq "exceptions: the last line counts" "$(ctl -j exception list | jq -r '.exceptions[] | "\(.what) \(.ticket)"')" \
	"port25 RT-3
port25 RT-2"
t_eq "exceptions: a list is one line of the log" \
	"$(sed -n 's/.*event=exceptions-imported .*reason=//p' "$LZ_DIR/log/daemon.log" | tail -n 1)" \
	'"2 added, 1 doubled, 0 refused"'
t_need ctl exception del 198.51.100.60
t_need ctl exception del 198.51.100.61
t_need ctl exception add 198.51.100.62 port25 until "$DAY" ticket '#4711'
ctl exception export >"$LZ_DIR/exported"
t_ok "exceptions: what is exported can be imported" ctl exception import "$LZ_DIR/exported"
t_eq "exceptions: a ticket that begins with # stays one" \
	"$(ctl -j exception list | jq -r '.exceptions[] | select(.prefix == "198.51.100.62") | .ticket')" "#4711"

# ---------------------------------------------------------------- who has an exception from all

# excepted PREFIX [TICKET]: why a host is not held
excepted()
{
	echo "cannot be held: exception from all for $1 until ${DAY}T00:00:00Z, ticket ${2:-RT-8};" \
		"lazaretctl --instance lab exception del $1 first"
}

t_need ctl quarantine add 198.51.100.70 for 1h
t_ok "let go as a false positive" ctl quarantine del 198.51.100.70 false-positive ticket RT-8
t_need ctl exception add 198.51.100.70 all until "$DAY" ticket RT-8
t_need ctl exception add 198.51.100.80/29 all until "$DAY" ticket RT-9
t_need ctl exception add 198.51.100.81 port25 until "$DAY" ticket RT-10
t_need ctl exception add 2001:db8:2000:7::/64 all until "$DAY" ticket RT-11
t_eq "excepted from all: refused by his line, the others are taken" \
	"$(counts '198.51.100.71 1h\n198.51.100.70 1h\n198.51.100.82 1h\n198.51.100.81 1h\n')" "[4,2,0,0,2,0,0]"
t_eq "by which exception" "$(jq -r '.refused_entries[] | "\(.line) \(.address) \(.error)"' "$LZ_DIR/said")" \
	"2 198.51.100.70 $(excepted 198.51.100.70)
3 198.51.100.82 $(excepted 198.51.100.80/29 RT-9)"
t_eq "an operator's word, too" "$(ctl quarantine add 198.51.100.70 2>&1)" \
	"lazaretctl: 198.51.100.70: $(excepted 198.51.100.70)"
t_eq "of a customer: not with the others" "$(sum '198.51.100.193 1h\n' | sed '/some lines/d')" \
	"lazaretctl: line 1: 2001:db8:2000:7::/64: $(excepted 2001:db8:2000:7::/64 RT-11)
5 entries, 4 of them not listed but of a listed customer: 4 held, 0 extended, 0 unchanged, 1 refused"
t_eq "of a customer: nor he with them" "$(ctl quarantine add 198.51.100.194 2>&1)" \
	"lazaretctl: 198.51.100.194: $(excepted 2001:db8:2000:7::/64 RT-11)"
t_ok "excepted from port 25 alone: held" ctl quarantine show 198.51.100.81
ctl exception add 198.51.100.71 all until "$DAY" ticket RT-12 >"$LZ_DIR/said"
t_eq "an exception for who is held says so" "$(sed '1,2d;s/until [^;]*/until T/' "$LZ_DIR/said")" \
	"  198.51.100.71 is held: garden:leaky until T; lazaretctl --instance lab quarantine del 198.51.100.71 lets it out"
t_eq "he cannot be set either" "$(ctl quarantine set 198.51.100.71 for 2h 2>&1)" \
	"lazaretctl: 198.51.100.71: $(excepted 198.51.100.71 RT-12)"
t_eq "for a prefix of which two are held, likewise" \
	"$(ctl -j exception add 198.51.100.64/27 all until "$DAY" ticket RT-13 | jq -c '.held | [.address, .grade, .others]')" \
	'["198.51.100.71","garden:leaky",true]'
t_eq "from port 25 alone: nothing to say" \
	"$(ctl -j exception add 198.51.100.71 port25 until "$DAY" ticket RT-12 | jq .held)" null
t_need ctl exception del 198.51.100.71
printf '%s\n' "198.51.100.71 all $DAY RT-12" "198.51.100.72 all $DAY RT-12" "198.51.100.81 port25 $DAY RT-12" >"$LZ_DIR/list"
t_eq "so does a list" "$(ctl exception import "$LZ_DIR/list" | sed 's/until [^;]*/until T/')" \
	"3 entries: 3 added, 0 refused
  198.51.100.71 is held: garden:leaky until T; lazaretctl --instance lab quarantine del 198.51.100.71 lets it out"
echo "198.51.100.64/27 all $DAY RT-12" >>"$LZ_DIR/list" # with .81 and .71
t_eq "and how many they are" "$(ctl -j exception import "$LZ_DIR/list" | jq -c '[.held | .sources, .address, .grade]')" \
	'[2,"198.51.100.71","garden:leaky"]'
t_eq "in words" "$(ctl exception import "$LZ_DIR/list" | sed -n '2s/:.*//p')" \
	"  198.51.100.71 is held, and 1 more of them is"
t_need ctl exception del 198.51.100.71
t_need ctl exception del 198.51.100.72
t_need ctl exception del 198.51.100.70
t_need ctl exception del 198.51.100.64/27
t_ok "no more exception: held again" ctl quarantine add 198.51.100.70 for 1h

daemon_stop
t_eq "nothing failed" "$(grep -cE 'event=(ledger-failed|controller-hangs)' "$LZ_DIR/log/daemons.log")" 0
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
