/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_policy_check.c - one row a rule: what is well-formed and yet refused, or doubtful, or fine. */
#include <stdio.h>

#include "lib/t.h"
#include "unit/policy_text.h"

#define STRICT	"\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"eth0\"], \"source-validation\": \"strict\"}}"
#define LOOSE	"\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"eth0\"]}}"
#define MANY_HOLD(name) "{\"name\": \"" name "\", \"count\": \"smtp-connections\", \"at-most\": \"5/1h\", \"then\": \"hold 1h\"}"
#define MANY_DROP(name) "{\"name\": \"" name "\", \"count\": \"smtp-connections\", \"at-most\": \"5/1h\", \"then\": \"drop\"}"
#define ONE(x)	"\"classes\": {\"c\": {\"of\": [\"192.0.2.0/24\"], " x "}}"
#define LIMIT(x) ONE("\"limits\": [{\"name\": \"l\", \"count\": \"smtp-connections\", " x "}]")
#define SYN(x)	ONE("\"limits\": [{\"name\": \"l\", \"count\": \"syn\", " x "}]")
#define LADDER	"\"gardens\": {\"leaky\": {}}, \"ladders\": {\"l\": {\"steps\": [\"notify\", \"garden:leaky 7d\"]}," \
		" \"soft\": {\"steps\": [\"notify\"]}}"

/* The body of a policy behind its version; what the report says of it, "" for nothing at all. */
static const struct {
	const char *body;
	int errors, warnings;
	const char *says;
} rows[] = {
	/* interfaces */
	{ STRICT ", " ONE("\"port25\": \"leave-alone\""), 0, 0, "" },
	{ "\"name\": \"x\"", 0, 2, "no packet will be judged" },
	{ "\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": []}}", 1, 1, "matches nothing" },
	{ "\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"eth 0\"]}}", 1, 1, "want 1..15 of" },
	{ "\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"p*\", \"e?h0\"]}, \"b\": {\"side\": \"uplink\","
	  " \"match\": [\"*0\", \"x\"]}}", 2, 1, "'*0' and 'e?h0' of group 'a' can match the same interface" },
	{ "\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"eth0\"]}, \"b\": {\"side\": \"uplink\","
	  " \"match\": [\"e?h?\"]}}", 1, 1, "'e?h?' and 'eth0' of group 'a' can match the same interface" },
	{ "\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"ppp*\"]}, \"b\": {\"side\": \"uplink\","
	  " \"match\": [\"pp0\", \"eth*\"]}}", 0, 1, "no classes" },
	{ "\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"x\"]}, \"u\": {\"side\": \"uplink\","
	  " \"match\": [\"y\"], \"source-validation\": \"strict\"}}", 0, 2, "has no effect on an uplink" },
	/* ranges */
	{ LOOSE ", \"sets\": {\"s\": [\"192.0.2.0/24\", \"192.0.2.0/24\"]}, \"classes\": {\"c\": {\"of\": [\"s\"]}}", 0, 1,
	  "/sets/s/1: 192.0.2.0/24 is in set 's' twice" },
	{ LOOSE ", \"classes\": {\"c\": {\"of\": [\"192.0.2.0/24\"]}, \"d\": {\"of\": [\"192.0.2.0/25\"]}}", 0, 0, "" },
	{ LOOSE ", \"classes\": {\"c\": {\"of\": [\"192.0.2.0/24\"]}, \"d\": {\"of\": [\"192.0.2.0-192.0.2.255\"]}}", 1, 0,
	  "/classes/d/of/0: 192.0.2.0/24 is in class 'c' and in class 'd'" },
	{ LOOSE ", \"sets\": {\"s\": [\"192.0.2.0/24\", \"198.51.100.0/24\"]}, \"classes\": {\"c\": {\"of\": [\"s\"]},"
	  " \"d\": {\"of\": [\"s\"]}}", 1, 0, "/classes/d/of/0: set 's' is already in class 'c'" },
	{ LOOSE ", \"sets\": {\"s\": [\"192.0.2.0/24\"]}, \"classes\": {\"c\": {\"of\": [\"s\", \"s\"]}}", 0, 1,
	  "/classes/c/of/1: set 's' is listed twice" },
	{ LOOSE ", \"classes\": {\"c\": {\"of\": []}}", 1, 0, "the class has no addresses" },
	{ LOOSE ", \"ipv6-key\": 56, \"classes\": {\"c\": {\"of\": [\"2001:db8::/57\"]}}", 1, 0,
	  "2001:db8::/57 is longer than \"ipv6-key\": 56" },
	{ LOOSE ", \"ipv6-key\": 56, \"classes\": {\"c\": {\"of\": [\"2001:db8::/56\"]}}", 0, 0, "" },
	{ LOOSE ", \"classes\": {\"c\": {\"of\": [\"::/8\"]}}", 1, 0, "no customer is in 0000::/8" },
	{ LOOSE ", \"classes\": {\"c\": {\"of\": [\"100::/64\"]}}", 1, 0, "no customer is in 0000::/8, 0100::/8" },
	{ LOOSE ", \"classes\": {\"c\": {\"of\": [\"::/0\", \"0.0.0.0/0\"]}}", 0, 0, "" },
	{ LOOSE ", \"classes\": {\"c\": {\"of\": [\"127.0.0.0/8\"]}}", 1, 0, "/classes/c/of/0: 127.0.0.0/8 is no source: loopback" },
	{ LOOSE ", \"classes\": {\"c\": {\"of\": [\"fe80::/64\"]}}", 1, 0, "fe80::/64 is no source: link-local" },
	{ LOOSE ", \"classes\": {\"c\": {\"of\": [\"::1\"]}}", 1, 0, "::1 is no source: loopback" },
	{ LOOSE ", \"customers\": {\"list\": {\"k\": [\"224.0.0.0/24\"]}}, " ONE("\"port25\": \"leave-alone\""), 1, 0,
	  "/customers/list/k/0: 224.0.0.0/24 is no source: multicast" },
	{ LOOSE ", \"never\": [\"127.0.0.0/8\"], " ONE("\"port25\": \"leave-alone\""), 0, 0, "" },
#define OF_SET(x) LOOSE ", \"sets\": {\"s\": [\"192.0.2.0/24\", \"" x "\"]}, \"classes\": {\"c\": {\"of\": [\"s\"]}}"
	{ OF_SET("0.0.0.0/0"), 1, 0, "/sets/s/1: 0.0.0.0/0 is no range of customers (want at most a /8, IPv6 a /20)" },
	{ OF_SET("::/0"), 1, 0, "/sets/s/1: ::/0 is no range of customers" },
	{ OF_SET("64.0.0.0/7"), 1, 0, "64.0.0.0/7 is no range of customers" },
	{ OF_SET("64.0.0.0/8"), 0, 0, "" },
	{ OF_SET("0.0.0.0-255.255.255.255"), 1, 0, "0.0.0.0/0 is no range of customers" },
	{ OF_SET("2001::/19"), 1, 0, "2001::/19 is no range of customers" },
	{ OF_SET("2001::/20"), 0, 0, "" },
	{ LOOSE ", \"customers\": {\"list\": {\"k\": [\"0.0.0.0/0\"]}}, " ONE("\"port25\": \"leave-alone\""), 1, 0,
	  "/customers/list/k/0: 0.0.0.0/0 is no range of customers" },
	{ LOOSE ", \"sets\": {\"s\": [\"0.0.0.0/0\"]}, " ONE("\"port25\": {\"to-world\": \"drop\", \"except-to\": [\"s\"]}"),
	  0, 0, "" },
	{ LOOSE ", \"sets\": {\"s\": [\"0.0.0.0/0\"]}, \"always-reach\": [\"s\"], " ONE("\"port25\": \"leave-alone\""), 0, 0, "" },
	/* customers */
#define OWNS(x) LOOSE ", \"customers\": {\"list\": {\"k\": [\"192.0.2.1\", \"" x "\"]}}, " ONE("\"port25\": \"leave-alone\"")
#define COLONY(n) ", \"capacity\": {\"colony\": " n "}"
	{ OWNS("2001:db8::/48"), 0, 0, "" },
	{ OWNS("2001:db8::/47"), 0, 1, "/customers/list/k/0: customer 'k' has 131073 addresses or /64, at most 66560 are held "
	  "together: of him only the one that is named will be held; take a shorter \"ipv6-key\"" },
	{ OWNS("2001:db8::/47") ", \"ipv6-key\": 56", 0, 0, "" },
	{ OWNS("2001::/20"), 0, 1, "customer 'k' has 17592186044417 addresses" },
	{ OWNS("2001:db8::/48") COLONY("983054"), 0, 1, "customer 'k' has 65537 addresses or /64, at most 65536 are held together in a "
	  "colony of 983054: of him only the one that is named will be held; want /capacity/colony 983055" },
	{ OWNS("2001:db8::/48") COLONY("983055"), 0, 0, "" },
	{ OWNS("198.51.100.0/23") COLONY("1024"), 0, 0, "" },
	{ OWNS("198.51.100.0/22") COLONY("1024"), 0, 1, "customer 'k' has 1025 addresses" },
	/* never-list */
	{ LOOSE ", \"never\": [\"192.0.2.1\"], " ONE("\"port25\": \"leave-alone\""), 0, 1,
	  "/never/0: never-list entry 192.0.2.1 lies inside 192.0.2.0/24 of class 'c'" },
	{ LOOSE ", \"never\": [\"192.0.2.0/23\"], " ONE("\"port25\": \"leave-alone\""), 1, 0,
	  "all of class 'c' is on the never-list" },
	{ LOOSE ", \"never\": [\"0.0.0.0/0\", \"::/0\"], " ONE("\"port25\": \"leave-alone\""), 1, 0,
	  "all of class 'c' is on the never-list" },
	{ LOOSE ", \"never\": [\"192.0.2.0/24\"], \"classes\": {\"c\": {\"of\": [\"192.0.2.0/24\", \"198.51.100.0/24\"]}}",
	  0, 2, "1 of the 2 prefixes of class 'c' are on the never-list" },
	{ LOOSE ", \"never\": [\"198.51.100.1\"], \"classes\": {\"c\": {\"of\": [\"0.0.0.0/0\"]}}", 0, 0, "" },
#define TO(to, then) LIMIT("\"to\": [" to "], \"at-most\": \"9/1h\", \"then\": \"" then "\"")
	{ LOOSE ", \"never\": [\"198.51.100.25\"], " TO("\"192.0.2.1\", \"198.51.100.25\"", "drop"), 0, 1,
	  "/classes/c/limits/0/to/1: 198.51.100.25 is on the never-list: packets to it are counted, but this limit will not refuse them" },
	{ STRICT ", \"never\": [\"198.51.100.25\"], " TO("\"192.0.2.1\", \"198.51.100.25\"", "hold 1h"), 0, 1,
	  "/classes/c/limits/0/to/1: 198.51.100.25 is on the never-list: packets to it are counted, but this limit will not hold for them" },
	{ LOOSE ", \"never\": [\"198.51.100.25\"], " TO("\"198.51.100.25\"", "refuse"), 0, 1,
	  "/classes/c/limits/0/to: all of it is on the never-list: this limit counts, but will never refuse anything; take" },
#define SMARTHOSTS ", \"sets\": {\"s\": [\"198.51.100.25\", \"2001:db8::25\"]}, \"never\": "
	{ STRICT SMARTHOSTS "[\"s\"], " TO("\"s\"", "hold 1h"), 0, 1,
	  "/classes/c/limits/0/to: all of it is on the never-list: this limit counts, but will never hold anybody; take" },
	{ STRICT SMARTHOSTS "[\"198.51.100.25\"], " TO("\"s\"", "hold 1h"), 0, 1,
	  "/classes/c/limits/0/to/0: 198.51.100.25 is on the never-list" },
	{ STRICT SMARTHOSTS "[\"192.0.2.9\"], " TO("\"198.51.100.25\"", "hold 1h"), 0, 1,
	  "/never/0: never-list entry 192.0.2.9 lies inside" },
	{ STRICT ", \"sets\": {\"s\": []}, \"never\": [\"198.51.100.25\"], " TO("\"s\"", "drop"), 0, 1,
	  "set 's' is empty" },
	{ STRICT SMARTHOSTS "[\"s\"], " LADDER ", " TO("\"s\"", "ladder:l"), 0, 0, "" },
	{ LOOSE ", \"never\": [\"198.51.100.25\"], " LIMIT("\"to\": [\"198.51.100.25\"], \"at-most\": \"9/1h\","
	  " \"then\": \"notify\""), 0, 0, "" },
	/* limits: shapes and domains */
	{ LOOSE ", " LIMIT("\"then\": \"drop\""), 1, 0, "want exactly one of 'at-most'" },
	{ LOOSE ", " LIMIT("\"at-most\": \"1/h\", \"rate\": \"1/s\", \"burst\": 1, \"then\": \"drop\""), 1, 0,
	  "want exactly one of 'at-most'" },
	{ LOOSE ", " LIMIT("\"rate\": \"1/s\", \"then\": \"drop\""), 1, 0, "'burst' is missing" },
	{ LOOSE ", " LIMIT("\"at-most\": \"1/h\", \"burst\": 5, \"then\": \"drop\""), 1, 0, "burst: has no effect" },
	{ LOOSE ", " LIMIT("\"at-most\": \"4000000/31d\", \"then\": \"drop\""), 0, 1, "the window is longer than \"idle\"" },
	{ LOOSE ", \"capacity\": {\"idle\": \"1h\"}, " LIMIT("\"at-most\": \"5/1h\", \"then\": \"drop\""), 0, 0, "" },
	{ LOOSE ", " LIMIT("\"at-most\": \"4000001/1h\", \"then\": \"drop\""), 1, 0, "want 1..4000000" },
	{ LOOSE ", " LIMIT("\"at-most\": \"0/1h\", \"then\": \"drop\""), 1, 0, "want 1..4000000" },
	{ LOOSE ", " LIMIT("\"at-most\": \"5/10s\", \"then\": \"drop\""), 0, 0, "" },
	{ LOOSE ", " LIMIT("\"at-most\": \"5/9s\", \"then\": \"drop\""), 1, 0, "want 10s..31d" },
	{ LOOSE ", " LIMIT("\"at-most\": \"5/32d\", \"then\": \"drop\""), 1, 0, "want 10s..31d" },
	{ LOOSE ", " LIMIT("\"rate\": \"0/s\", \"burst\": 1, \"then\": \"drop\""), 1, 0, "want 1/31d..1000000/s" },
	{ LOOSE ", " LIMIT("\"rate\": \"1000000/s\", \"burst\": 1, \"then\": \"drop\""), 0, 0, "" },
	{ LOOSE ", " LIMIT("\"rate\": \"1000001/s\", \"burst\": 1, \"then\": \"drop\""), 1, 0, "want 1/31d..1000000/s" },
	{ LOOSE ", " LIMIT("\"rate\": \"1001/ms\", \"burst\": 1, \"then\": \"drop\""), 1, 0, "want 1/31d..1000000/s" },
	{ LOOSE ", " LIMIT("\"rate\": \"1/s\", \"burst\": 0, \"then\": \"drop\""), 1, 0, "0 is out of range (want a whole number 1..4000000)" },
	{ LOOSE ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"drop\", \"refuse\": \"tcp-reset\""), 1, 0, "has no effect unless" },
	{ LOOSE ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"refuse\", \"refuse\": \"tcp-reset\""), 0, 0, "" },
	{ LOOSE ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"refuse\", \"refuse\": \"smtp-554\""), 1, 0,
	  "'smtp-554' is a permanent error" },
	{ LOOSE ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"drop\", \"to\": []"), 1, 0, "no destination would ever be counted" },
	{ LOOSE ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"drop\", \"to\": [\"nobody\"]"), 1, 0, "no set is named 'nobody'" },
	{ LOOSE ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"drop\", \"per\": \"customer\""), 1, 0, "\"customer\" needs to know" },
	{ LOOSE ", \"customers\": {\"list\": {\"x\": [\"192.0.2.1\"]}}, " LIMIT("\"at-most\": \"5/1h\", \"then\": \"drop\","
	  " \"per\": \"customer\""), 0, 0, "" },
	{ LOOSE ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"drop\", \"per\": {\"ipv4\": 7, \"ipv6\": 48}"), 1, 0,
	  "7 is out of range (want a whole number 8..32)" },
	{ LOOSE ", \"ipv6-key\": 56, " LIMIT("\"at-most\": \"5/1h\", \"then\": \"drop\", \"per\": {\"ipv4\": 8, \"ipv6\": 57}"), 1, 0,
	  "57 is out of range (want a whole number 16..56)" },
	/* holds */
	{ STRICT ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"hold 31d\""), 0, 0, "" },
	{ STRICT ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"hold 32d\""), 1, 0, "want 1s..31d" },
	{ STRICT ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"hold 0s\""), 1, 0, "want 1s..31d" },
	{ STRICT ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"hold\""), 1, 0, "'hold' needs a time" },
	{ LOOSE ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"hold 1h\""), 1, 0, "a SYN proves nothing" },
	{ LOOSE ", " LADDER ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"ladder:l\""), 1, 0, "a SYN proves nothing" },
	{ LOOSE ", " LADDER ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"ladder:soft\""), 0, 0, "" },
	{ LOOSE ", " LADDER ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"ladder:sotf\""), 1, 0, "did you mean 'soft'?" },
	{ LOOSE ", \"evidence\": {\"quarantine-needs\": \"handshake\"}, " LIMIT("\"at-most\": \"5/1h\","
	  " \"then\": \"hold 1h\""), 0, 0, "" },
	{ LOOSE ", \"evidence\": {\"quarantine-needs\": \"handshake\"}, " ONE("\"limits\": [{\"name\": \"l\", \"count\": \"syn\","
	  " \"at-most\": \"600/1h\", \"then\": \"hold 1h\"}]"), 1, 0, "on \"syn\" nobody can be held here" },
	{ LOOSE ", \"evidence\": {\"quarantine-needs\": \"handshake\"}, " ONE("\"limits\": ["
	  MANY_HOLD("a") "," MANY_HOLD("b") "," MANY_HOLD("c") "," MANY_HOLD("d") "]"), 1, 0,
	  "need 8 counters a source (want at most 6)" },
	{ LOOSE ", \"evidence\": {\"quarantine-needs\": \"handshake\"}, " ONE("\"limits\": [" MANY_HOLD("a") ","
	  MANY_HOLD("b") "," MANY_HOLD("c") "," MANY_DROP("d") "]"), 1, 0, "need 7 counters a source (want at most 6)" },
	{ LOOSE ", \"evidence\": {\"quarantine-needs\": \"handshake\"}, " ONE("\"limits\": [" MANY_HOLD("a") ","
	  MANY_HOLD("b") "," MANY_DROP("c") "," MANY_DROP("d") "]"), 0, 0, "" },
	{ "\"interfaces\": {\"u\": {\"side\": \"uplink\", \"match\": [\"x\"]}}, " LIMIT("\"at-most\": \"5/1h\","
	  " \"then\": \"hold 1h\""), 1, 1, "a SYN proves nothing" },
	{ "\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"x\"], \"source-validation\": \"strict\"},"
	  " \"b\": {\"side\": \"customer\", \"match\": [\"y\"]}}, " LIMIT("\"at-most\": \"5/1h\", \"then\": \"hold 1h\""), 1, 0,
	  "a SYN proves nothing" },
	{ STRICT ", " ONE("\"shared\": true, \"limits\": [{\"name\": \"l\", \"count\": \"syn\", \"at-most\": \"600/1h\","
	  " \"then\": \"hold 1h\"}]"), 1, 0, "class 'c' is shared" },
	{ STRICT ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"hold 1h\", \"per\": {\"ipv4\": 24, \"ipv6\": 48}"), 1, 0,
	  "a limit per prefix cannot hold" },
	/* destinations */
	{ LOOSE ", " ONE("\"limits\": [{\"name\": \"l\", \"count\": \"smtp-destinations\", \"at-most\": \"300/1h\","
	  " \"then\": \"drop\"}]"), 0, 0, "" },
	{ LOOSE ", " ONE("\"limits\": [{\"name\": \"l\", \"count\": \"smtp-destinations\", \"at-most\": \"301/1h\","
	  " \"then\": \"drop\"}]"), 1, 0, "a bitmap that saturates (want 1..300)" },
	{ LOOSE ", " ONE("\"limits\": [{\"name\": \"l\", \"count\": \"smtp-destinations\", \"rate\": \"1/s\", \"burst\": 1,"
	  " \"then\": \"drop\"}]"), 1, 0, "distinct destinations are counted in a window" },
	{ LOOSE ", " ONE("\"limits\": [{\"name\": \"l\", \"count\": \"smtp-destinations\", \"at-most\": \"3/1h\","
	  " \"then\": \"drop\"}, {\"name\": \"l\", \"count\": \"smtp-destinations\", \"at-most\": \"3/1h\","
	  " \"then\": \"drop\"}]"), 2, 0, "there is one bitmap a source" },
	/* mail submission stays open: BCP 134 */
	{ LOOSE ", " ONE("\"port587\": {\"to-world\": \"drop\"}"), 1, 0, "BCP 134, RFC 5068" },
	{ LOOSE ", " ONE("\"port25\": {\"to-world\": \"drop\", \"to-465\": \"drop\"}"), 1, 0, "BCP 134, RFC 5068" },
	{ LOOSE ", " ONE("\"limits\": [{\"name\": \"l\", \"count\": \"submission-connections\", \"at-most\": \"1/1h\","
	  " \"then\": \"drop\"}]"), 1, 0, "BCP 134, RFC 5068" },
	{ LOOSE ", " SYN("\"at-most\": \"1/24h\", \"then\": \"drop\""), 1, 0, "BCP 134, RFC 5068" },
	{ LOOSE ", " SYN("\"rate\": \"59/1h\", \"burst\": 9, \"then\": \"refuse\""), 1, 0, "BCP 134, RFC 5068" },
	{ LOOSE ", " SYN("\"rate\": \"60/1h\", \"burst\": 9, \"then\": \"refuse\""), 0, 0, "" },
	{ LOOSE ", " SYN("\"at-most\": \"1/24h\", \"then\": \"notify\""), 0, 0, "" },
	{ LOOSE ", " SYN("\"at-most\": \"1/24h\", \"then\": \"drop\", \"to\": [\"198.51.100.1\"]"), 0, 0, "" },
	/* port 25 */
	{ LOOSE ", " ONE("\"port25\": {\"to-world\": \"smtp-554\"}"), 0, 0, "" },
	{ LOOSE ", " ONE("\"port25\": \"drop\""), 1, 0, "want leave-alone" },
	{ LOOSE ", " ONE("\"port25\": {\"from-port-25\": \"tcp-reset\"}"), 1, 0, "want leave-alone | drop)" },
	{ LOOSE ", " ONE("\"port25\": {\"except-to\": [\"192.0.2.25\"]}"), 0, 1, "'except-to' has no effect" },
	/* gardens, ladders, names */
	{ "\"gardens\": {\"strict\": {\"kind\": \"leaky\"}}", 1, 2, "a garden named 'strict' cannot be leaky" },
	{ "\"gardens\": {\"mine\": {}}", 1, 2, "key 'kind' is missing" },
	{ "\"gardens\": {\"strict\": {\"allow\": [\"udp/70000\"]}}", 1, 2, "want 1..65535" },
	{ "\"gardens\": {\"strict\": {\"allow\": [\"udp/0\"]}}", 1, 2, "want 1..65535" },
	{ "\"gardens\": {\"leaky\": {\"allow\": [\"192.0.2.0/24\"]}}", 0, 2, "no classes" },
	{ "\"never\": [\"udp/53\"]", 1, 2, "ports are only accepted in a garden" },
	{ "\"ladders\": {\"l\": {\"steps\": []}}", 1, 2, "leads nowhere" },
	{ "\"ladders\": {\"l\": {\"steps\": [\"garden:none 1h\"]}}", 1, 2, "no garden is named 'none'" },
	{ "\"ladders\": {\"l\": {\"steps\": [\"block25\"]}}", 1, 2, "is not a step" },
	{ "\"ladders\": {\"l\": {\"steps\": [\"block25 1h now\"]}}", 1, 2, "is not a step" },
	{ "\"ladders\": {\"l\": {\"steps\": [\"throttle 999999999999/s 1h\"]}}", 1, 2,
	  "/ladders/l/steps/0: '999999999999/s' is out of range (want at most 1000/s)" },
	{ "\"ladders\": {\"l\": {\"steps\": [\"throttle 1001/s 1h\"]}}", 1, 2, "want at most 1000/s" },
	{ "\"ladders\": {\"l\": {\"steps\": [\"throttle 1000/s 1h\"]}}", 0, 2, "no packet will be judged" },
	{ "\"ladders\": {\"l\": {\"steps\": [\"throttle 0/s 1h\"]}}", 1, 2, "want 1..4000000" },
	{ "\"ladders\": {\"l\": {\"steps\": [\"block25 32d\"]}}", 1, 2, "want 1s..31d" },
	{ "\"sets\": {\"n\": [{\"names\": [\"a.example.net\"]}]}, \"gardens\": {\"strict\": {\"allow\": [\"n\"]}}", 0, 2, "no classes" },
	{ "\"sets\": {\"n\": [{\"names\": [\"a.example.net\"]}]}, \"never\": [\"n\"]", 1, 2, "accepted in a garden's 'allow' only" },
#define NAMED LOOSE ", \"sets\": {\"n\": [{\"names\": [\"a.example.net\"]}]}, "
	{ NAMED "\"always-reach\": [\"n\"], " ONE("\"port25\": \"leave-alone\""), 1, 0,
	  "/always-reach/0: set 'n' has host names; they are accepted in a garden's 'allow' only" },
	{ NAMED ONE("\"port25\": {\"to-world\": \"drop\", \"except-to\": [\"n\"]}"), 1, 0,
	  "/classes/c/port25/except-to/0: set 'n' has host names" },
	{ NAMED LIMIT("\"at-most\": \"9/1h\", \"then\": \"notify\", \"to\": [\"n\"]"), 1, 0,
	  "/classes/c/limits/0/to/0: set 'n' has host names" },
	{ NAMED "\"classes\": {\"c\": {\"of\": [\"n\", \"192.0.2.0/24\"]}}", 1, 0,
	  "/classes/c/of/0: set 'n' has host names" },
	{ "\"sets\": {\"n\": [{\"names\": [\"-a.example\"]}]}", 1, 3, "is not a host name" },
	/* capacity, guard */
	{ "\"capacity\": {\"sources\": 1024, \"colony\": 16777216}", 0, 2, "no classes" },
	{ "\"capacity\": {\"sources\": 1023}", 1, 2, "want a whole number 1024..16777216" },
	{ "\"capacity\": {\"colony\": 16777217}", 1, 2, "want a whole number 1024..16777216" },
	{ "\"capacity\": {\"idle\": \"59s\"}", 1, 2, "want 1min..31d" },
	{ "\"guard\": {\"active-sources\": \"0%\"}", 1, 2, "would let nobody be held" },
	{ "\"guard\": {\"active-sources\": \"101%\"}", 1, 2, "0%..100%" },
	{ "\"foreign\": \"limit\"", 1, 2, "want ignore | count" },
};

static void judges_each_row(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		char text[2048];
		bool ok;

		snprintf(text, sizeof(text), "{\"version\": 1, %s}", rows[i].body);
		auto_reading reading = read_policy(text, NULL);
		ok = T_EQ(reading.r, rows[i].errors ? -EINVAL : 0, rows[i].body);
		ok &= T_EQ(reading.report.total[LZ_SEVERITY_ERROR], rows[i].errors, "errors");
		ok &= T_EQ(reading.report.total[LZ_SEVERITY_WARNING], rows[i].warnings, "warnings");
		ok &= *rows[i].says ? T_HAS(reading.text, rows[i].says, rows[i].body) :
				      T_STR(reading.text, "", rows[i].body);
		if (!ok)
			t_show(rows[i].body, reading.text);
	}
}

/* N items pass, N + 1 do not, for every list with a maximum. */
static const struct {
	const char *before, *item, *after; /* item: %d is its number */
	int max;
	const char *says;
} maxima[] = {
	{ "\"classes\": {", "\"c%d\": {\"of\": [\"10.0.%1$d.0/24\"]}", "}", LZ_POLICY_CLASSES_MAX, "more than 62 classes" },
	{ "\"sets\": {", "\"s%d\": [\"10.0.0.0/8\"]", "}", LZ_POLICY_SETS_MAX, "more than 1024 sets" },
	{ "\"interfaces\": {\"g\": {\"side\": \"customer\", \"match\": [", "\"e%d\"", "]}}", LZ_POLICY_GLOBS_MAX,
	  "257 interface names" },
	{ "\"classes\": {\"c\": {\"of\": [\"192.0.2.0/24\"], \"limits\": [",
	  "{\"name\": \"l%d\", \"count\": \"syn\", \"at-most\": \"9/1min\", \"then\": \"drop\"}", "]}}",
	  LZ_LIMITS_PER_CLASS, "more than 6 limits in class 'c'" },
	{ "\"gardens\": {\"strict\": {\"allow\": [", "\"udp/1%d\"", "]}}", LZ_GARDEN_PORTS_MAX, "9 ports (want at most 8)" },
	{ "\"gardens\": {", "\"g%d\": {\"kind\": \"leaky\"}", "}", LZ_POLICY_GARDENS_MAX, "more than 16 gardens" },
	{ "\"ladders\": {", "\"l%d\": {\"steps\": [\"notify\"]}", "}", LZ_POLICY_LADDERS_MAX, "more than 32 ladders" },
	{ "\"ladders\": {\"l\": {\"steps\": [", "\"notify\"", "]}}", LZ_POLICY_STEPS_MAX, "more than 8 steps" },
};

static void knows_its_maxima(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(maxima); i++)
		for (int extra = 0; extra < 2; extra++) {
			lz_autostr struct lz_str text = {};

			lz_str_appendf(&text, "{\"version\": 1, %s", maxima[i].before);
			for (int n = 0; n < maxima[i].max + extra; n++) {
				char number[12];
				const char *item = maxima[i].item;

				snprintf(number, sizeof(number), "%d", n);
				lz_str_append(&text, n ? ", " : "");
				for (; *item; item++) { /* %d, or a second %1$d, is the number */
					if (*item == '%') {
						lz_str_append(&text, number);
						item += item[1] == '1' ? 3 : 1;
					} else {
						lz_str_append_n(&text, item, 1);
					}
				}
			}
			lz_str_appendf(&text, "%s}", maxima[i].after);
			auto_reading reading = read_policy(text.data, NULL);
			T_EQ(reading.r, extra ? -EINVAL : 0, maxima[i].says);
			if (extra)
				T_HAS(reading.text, maxima[i].says, "one too many");
			else if (reading.r)
				t_show(maxima[i].says, reading.text);
		}
}

/* 62 lists of destinations have a bit each. */
static void knows_gardens_that_are_always_there(void)
{
	auto_reading reading = read_policy("{\"version\": 1, " STRICT ", \"classes\": {\"c\": {\"of\": [\"192.0.2.0/24\"]}}, "
					   "\"ladders\": {\"l\": {\"steps\": [\"garden:leaky 1h\", \"garden:strict 1d\"]}}}",
					   NULL);

	T_EQ(reading.r, 0, "a ladder may lead there without \"gardens\"");
}

static void bounds_destination_lists(void)
{
	for (int extra = 0; extra < 2; extra++) {
		lz_autostr struct lz_str text = {};

		lz_str_append(&text, "{\"version\": 1, \"sets\": {\"s\": [\"198.51.100.0/24\"]}, \"classes\": {");
		for (int n = 0; n < LZ_POLICY_DEST_LISTS_MAX - 1 + extra; n++)
			lz_str_appendf(&text, "%s\"c%d\": {\"of\": [\"10.0.%d.0/24\"], \"port25\": {\"to-world\": \"drop\","
				       "\"except-to\": [\"198.51.100.%d\", \"s\"]}}", n ? "," : "", n, n, n);
		lz_str_append(&text, "}}");
		auto_reading reading = read_policy(text.data, NULL);
		T_EQ(reading.r, extra ? -EINVAL : 0, "destination lists");
		if (extra)
			T_HAS(reading.text, "63 different destination lists", "63");
	}
}

static void tells_what_sleeps(void)
{
	auto_reading awake = read_policy("{\"version\": 1, " STRICT ", " LIMIT("\"at-most\": \"5/1h\", \"then\": \"drop\"") "}", NULL);
	auto_reading asleep = read_policy("{\"version\": 1, " STRICT ", " LADDER ", \"sets\": {\"n\": [{\"names\": [\"a.example.net\"]}]}, "
		"\"evidence\": {\"quarantine-needs\": \"handshake\"}, " LIMIT("\"at-most\": \"5/1h\", \"then\": \"ladder:l\"") "}", NULL);
#define PORTAL(url) "{\"version\": 1, " STRICT ", \"ladders\": {\"l\": {\"steps\": [\"block25 72h\"]}}, \"portal\": {" \
	"\"url\": \"" url "\", \"provider\": \"P\", \"contact\": \"c\", \"api\": {\"url\": \"https://q.example.net/c\"," \
	"\"listen\": [\"192.0.2.1:443\"], \"certificate\": \"/c\", \"key\": \"/k\"}}, " \
	LIMIT("\"at-most\": \"5/1h\", \"then\": \"ladder:l\"") "}"
	auto_reading led = read_policy(PORTAL("http://q.example.net/"), NULL);
	auto_reading seen = read_policy(PORTAL("https://q.example.net/"), NULL);
	auto_reading plain = read_policy(PORTAL("http://q.example.net/\", \"listen\": [\"192.0.2.1:80\"], \"templates\": \"/t"), NULL);
	auto_reading deaf = read_policy(PORTAL("https://q.example.net/\", \"listen\": [\"192.0.2.1:80\"], \"templates\": \"/t"), NULL);
	lz_autostr struct lz_str none = {}, all = {}, blocked = {}, open = {};

	if (!T_OK(awake.policy && asleep.policy && led.policy && seen.policy && plain.policy && deaf.policy,
		  "all are good"))
		return;
	T_EQ(lz_policy_not_in_force(led.policy, &blocked), 0, "a page that he is not led to");
	T_HAS(blocked.data, "is not led there", "a blocked host's page");
	T_EQ(lz_policy_not_in_force(seen.policy, &open), 0, "a page by https");
	T_EQ(lz_policy_not_in_force(plain.policy, &open), 0, "a page by http at an address of its own");
	T_EQ(lz_policy_not_in_force(deaf.policy, &open), 0, "and one by https besides");
	T_EQ(open.len, 0, "he can open");
	T_EQ(lz_policy_not_in_force(awake.policy, &none), 0, "a plain policy");
	T_EQ(none.len, 0, "is in force as a whole");
	T_EQ(lz_policy_not_in_force(asleep.policy, &all), 0, "a rich one");
	T_HAS(all.data, "smtp-554: ", "sink");
	T_HAS(all.data, "'web': \"page\"", "page");
}

/* A start reads what was in force before these rules came; who writes such a policy now is refused. */
static void reads_what_was_in_force(void)
{
	static const char *const texts[] = {
		"{\"version\": 1, " OF_SET("0.0.0.0/0") "}",
		"{\"version\": 1, " OF_SET("127.0.0.0/8") "}",
		"{\"version\": 1, " STRICT ", \"ladders\": {\"l\": {\"steps\": [\"throttle 5000/s 1h\"]}}, "
			ONE("\"port25\": \"leave-alone\"") "}",
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(texts); i++) {
		struct lz_report now = { 0 }, before = { .in_force = true };
		struct lz_policy *policy = NULL;

		T_OK(lz_policy_parse_text(texts[i], strlen(texts[i]), NULL, &policy, &now) < 0, "refused");
		T_EQ(now.total[LZ_SEVERITY_ERROR], 1, "for this alone");
		T_EQ(lz_policy_parse_text(texts[i], strlen(texts[i]), NULL, &policy, &before), 0, "read");
		T_EQ(before.total[LZ_SEVERITY_WARNING], now.total[LZ_SEVERITY_WARNING] + 1, "with a warning");
		lz_policy_free(&policy);
		lz_report_done(&now);
		lz_report_done(&before);
	}
}

static const struct t_case cases[] = {
	{ "one row a rule", judges_each_row },
	{ "N items pass, N + 1 do not", knows_its_maxima },
	{ "leaky and strict are always there", knows_gardens_that_are_always_there },
	{ "destination lists are bounded", bounds_destination_lists },
	{ "what is not in force is told", tells_what_sleeps },
	{ "what was in force is read", reads_what_was_in_force },
};

int main(void)
{
	return T_MAIN(cases);
}
