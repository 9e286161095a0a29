#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The event ring is full: whoever passed a limit with a ladder meanwhile, and then fell silent, is found by
# the sweep, be they more than wait at once; who only used up what he may is not.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/gateway.sh
. "$ROOT/selftests/lib/gateway.sh"

lz_gateway_enter 360 "$@"

BOT=198.51.100.10
HONEST=198.51.100.11
WORLD=203.0.113.25
HERD=6000 # more than LZ_QUEUE_MAX

cat >"$LZ_DIR/policy.json" <<-'END'
	{ "version": 1, "name": "lost",
	  "interfaces": { "access": { "side": "customer", "match": ["acc0"], "source-validation": "strict" },
			  "transit": { "side": "uplink", "match": ["upl0"] } },
	  "sets": { "offices": ["198.51.100.0/24"], "crowd": ["198.18.0.0/16"], "herd": ["198.19.0.0/16"] },
	  "classes": { "offices": { "of": ["offices"], "port25": "leave-alone", "limits": [
			 { "name": "day", "count": "smtp-connections", "at-most": "5/24h", "then": "ladder:home" } ] },
		       "crowd": { "of": ["crowd"], "port25": { "to-world": "drop" } },
		       "herd": { "of": ["herd"], "port25": "leave-alone", "limits": [
			 { "name": "two", "count": "smtp-connections", "at-most": "1/24h", "then": "notify" } ] } },
	  "ladders": { "home": { "forget": "90d", "steps": ["block25 1h"] } },
	  "capacity": { "sources": 65536, "colony": 4096 } }
END

# crowd NET N [PORT]: a SYN to port 25 from each of the first N sources of 198.NET/16
crowd()
{
	lz_ns_run bot python3 - "$1" "$2" "${3:-40000}" "$(lz_ns_run gw ip -j link show acc0 | jq -r ".[0].address")" <<-'END'
		import socket, struct, sys
		mac = bytes.fromhex(sys.argv[4].replace(":", ""))
		out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		out.bind(("eth0", 0))
		def sum16(data):
		    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
		    s = (s >> 16) + (s & 0xffff)
		    return ~(s + (s >> 16)) & 0xffff
		for n in range(int(sys.argv[2])):
		    src = bytes([198, int(sys.argv[1]), n >> 8 & 255, n & 255])
		    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, src, bytes([203, 0, 113, 25]))
		    head = head[:10] + struct.pack("!H", sum16(head)) + head[12:]
		    tcp = struct.pack("!HHIIBBHHH", int(sys.argv[3]), 25, 1, 0, 0x50, 2, 1000, 0, 0)
		    out.send(mac + b"\2\0\0\0\0\1\x08\0" + head + tcp)
	END
}

reach()
{
	lz_ns_run "$1" "${ENDS[@]}" once "$WORLD" 25
}

listed()
{
	ctl -j quarantine list | jq -r --arg a "$1" '[.entries[] | select(.address == $a) | .source] | join(" ")'
}

held_by_ladder()
{
	[ "$(listed "$1")" = limit:day ]
}

# told_of NET: how many sources of 198.NET/16 have a case
told_of()
{
	grep -o "event=notified object=198[.]$1[.][^ ]*" "$LZ_DIR/log/daemon.log" | sort -u | wc -l
}

all_told()
{
	[ "$(told_of 19)" = "$HERD" ]
}

t_need lz_provider_add
t_need lz_customer_add bot "$BOT" 2001:db8:2000:10::10
t_need lz_customer_add office "$HONEST" 2001:db8:2000:11::10
lz_proc_start world world "${ENDS[@]}" serve "$LZ_DIR/reached" 25
t_need lz_port_wait 5 world 25
t_need daemon_start "$LZ_DIR/policy.json"
daemon_kill
t_need crowd 18 20000 # each an event: the ring is full
t_need crowd 19 $HERD
t_need crowd 19 $HERD 40001
for _ in 1 2 3 4 5 6 7; do reach bot; done
for _ in 1 2 3 4 5; do reach office; done
t_need daemon_start "$LZ_DIR/policy.json"
t_eq "what was told of him was lost" "$(listed "$BOT")" ""
for reader in first second; do
	t_ok "an alarm, for the $reader who looks" eval "ctl -j status | jq -e '.alarms[] | select(startswith(\"events:\"))'"
done
t_eq "nor is it healthy" "$(status_of ctl health)" 2
t_ok "the sweep finds who passed the limit" lz_wait 100 held_by_ladder "$BOT"
t_ok "and why says what it was" grep -q "over limit offices/day: 5 of at most 5" <(ctl why "$BOT")
t_eq "who did not is free" "$(listed "$HONEST")" ""

t_ok "all of a herd that is more than the queue takes at once are found" lz_wait 100 all_told
echo "# of $HERD: $(told_of 19)"

# Let go by an operator: what was found once is not found again.
t_ok "let go" ctl quarantine del "$BOT"
sleep 12
t_eq "stays free" "$(listed "$BOT")" ""

daemon_stop
[ "$T_FAILED" = 0 ] || sed 's/^/# /' "$LZ_DIR/log/daemons.log" | tail -n 60
t_end
