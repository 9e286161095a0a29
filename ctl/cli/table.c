/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * table.c - all commands of lazaretctl. Help, man page and completion are printed from this table;
 * the commands of one object stand together. Words, options and exit codes are never changed, only
 * added: other people's scripts rely on them.
 */
#include "base/mem.h"
#include "cli/view.h"

const struct lz_cli_command lz_cli_commands[] = {
	{ "status", "", NULL, "status", &lz_view_status,
	  "what the gateway does: policy, interfaces, sources, held hosts, alarms" },
	{ "health", "", NULL, "health", &lz_view_health,
	  "for scripts: exit code 0 if everything is in force, 2 if not" },
	{ "monitor", "", NULL, "monitor", &lz_view_monitor,
	  "events as they happen; with -j one document a line" },
	{ "top", "[every TIME] [count N] [--sort KEY] [--limit N]", lz_cli_top, "top", &lz_view_top,
	  "the busiest sources, again and again on a terminal" },
	{ "preflight", "[--policy FILE]", lz_cli_preflight, NULL, NULL,
	  "what this machine can do, before anything is attached" },
	{ "doctor", "", lz_cli_doctor, "doctor", &lz_view_doctor,
	  "compare what is wanted, what is recorded and what the kernel does" },

	{ "policy check", "FILE", lz_cli_policy_check, NULL, NULL,
	  "everything that is wrong with a policy; needs no daemon" },
	{ "policy diff", "FILE", lz_cli_policy_send, "policy.diff", &lz_view_diff,
	  "what applying FILE would change" },
	{ "policy apply", "FILE [--confirm SECONDS] [--yes]", lz_cli_policy_send, "policy.apply",
	  &lz_view_apply, "put a policy into force; with --confirm it must be confirmed in time" },
	{ "policy confirm", "[GENERATION]", NULL, "policy.confirm", &lz_view_confirm,
	  "keep the policy that waits for it; refused if it is not GENERATION" },
	{ "policy undo", "[GENERATION] [--yes]", NULL, "policy.undo", &lz_view_undo,
	  "go back to the previous policy; refused if GENERATION is not in force" },
	{ "policy show", "[generation N]", NULL, "policy.show", &lz_view_policy,
	  "the policy in force, as text that check accepts" },
	{ "policy history", "", NULL, "policy.history", &lz_view_history,
	  "which policies were applied, when and by whom" },
	{ "policy counters", "", NULL, "policy.counters", &lz_view_counters,
	  "packets each class and limit has refused, or would have; how often it held" },

	{ "source list", "[--sort KEY] [--limit N]", NULL, "source.list", &lz_view_sources,
	  "counters of all sources that were seen" },
	{ "source show", "ADDRESS", NULL, "source.show", &lz_view_source,
	  "counters of one source and how far its limits are used" },

	{ "why", "ADDRESS", NULL, "why", &lz_view_why,
	  "why an address is blocked: rule, evidence, since, until, by whom, way out" },

	{ "quarantine add",
	  "ADDRESS [for TIME] [reason TEXT] [ticket ID] [garden NAME] [block25] [throttle RATE] "
	  "[staff-only]",
	  NULL, "quarantine.add", &lz_view_hold,
	  "hold a host (garden leaky, for 72h); an entry is extended, never shortened" },
	{ "quarantine set", "ADDRESS for TIME", NULL, "quarantine.set", &lz_view_hold,
	  "let an entry end TIME from now, sooner or later than before" },
	{ "quarantine del", "ADDRESS [reason TEXT] [ticket ID] [false-positive] [for TIME]", NULL,
	  "quarantine.del", &lz_view_free,
	  "free a host; a false positive is excepted for TIME, or 30 days" },
	{ "quarantine list", "", NULL, "quarantine.list", &lz_view_held, "who is held" },
	{ "quarantine show", "ADDRESS|CASE", NULL, "quarantine.show", &lz_view_case,
	  "one entry and its history, by address or by the number of its case" },
	{ "quarantine import", "FILE [--yes]", lz_cli_import, "quarantine.import", &lz_view_import,
	  "hold every host of a list; FILE may be - for stdin" },
	{ "quarantine export", "", lz_cli_export, "quarantine.export", &lz_view_export,
	  "print the list that import reads" },
	{ "quarantine undo", "--since TIME [--source NAME]", NULL, "quarantine.undo",
	  &lz_view_freed, "undo what was held since TIME, by NAME or by anybody" },
	{ "quarantine guard", "[reset]", NULL, "quarantine.guard", &lz_view_guard,
	  "how many hold limits and ladders may hold; has the guard tripped?" },

	{ "exception add", "ADDRESS|PREFIX port25|all until DATE ticket ID", NULL, "exception.add",
	  &lz_view_exception_add, "let a customer send although his class may not" },
	{ "exception del", "ADDRESS|PREFIX", NULL, "exception.del", &lz_view_exception_del,
	  "end an exception now" },
	{ "exception list", "", NULL, "exception.list", &lz_view_exceptions, "all exceptions" },
	{ "exception import", "FILE", lz_cli_import, "exception.import", &lz_view_exception_import,
	  "add every exception of a list; FILE may be - for stdin" },
	{ "exception export", "", lz_cli_export, "exception.export", &lz_view_exception_export,
	  "print the list that import reads" },

	{ "range lookup", "ADDRESS", NULL, "range.lookup", &lz_view_lookup,
	  "which range, class, sets and customer an address belongs to" },
	{ "range add", "SET PREFIX", NULL, "range.add", &lz_view_range, "add a prefix to a set" },
	{ "range del", "SET PREFIX", NULL, "range.del", &lz_view_range,
	  "remove a prefix from a set" },
	{ "range audit", "", NULL, "range.audit", &lz_view_audit,
	  "sizes, overlaps, holes, and what the never-list cuts out" },
	{ "range export", "[set SET]", lz_cli_export, "range.export", &lz_view_range_export,
	  "print the prefixes of a set, or of all sets, as a set's file has them" },

	{ "portal options", "[kea|isc|dnsmasq|radvd] [--policy FILE]", lz_cli_portal_options,
	  "portal.options", &lz_view_portal_options,
	  "the link of the captive portal API, in the words of DHCP servers" },

	{ "backtest", "--policy FILE CAPTURE", lz_cli_backtest, NULL, NULL,
	  "what a policy would have done to the traffic of a capture" },

	{ "audit list", "[--limit N]", NULL, "audit.list", &lz_view_looks,
	  "who looked at customers, who changed something" },

	{ "bypass on", "[for TIME]", lz_cli_bypass, "bypass.on", &lz_view_bypass_state,
	  "the kill switch: enforce nothing, at once, also without a daemon" },
	{ "bypass off", "", lz_cli_bypass, "bypass.off", &lz_view_bypass_state, "enforce again" },
	{ "bypass status", "", lz_cli_bypass, "bypass.status", &lz_view_bypass_state,
	  "is the kill switch on?" },
};
const size_t lz_cli_commands_n = LZ_ARRAY_SIZE(lz_cli_commands);
