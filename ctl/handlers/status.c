// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * status.c - status and health: what the gateway does, and whether all of it is in force.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/json.h"
#include "cases/case.h"
#include "control/ask.h"
#include "control/courier.h"
#include "control/ctl.h"
#include "control/hold.h"
#include "control/names.h"
#include "control/rules.h"
#include "control/running.h"
#include "handlers/handlers.h"
#include "handlers/health.h"
#include "privsep/chan.h"

/* @why: an error may begin with the name of what failed, which is said already */
static void check(struct lz_health *h, const char *name, const char *why)
{
	size_t len = strlen(name);

	if (!strncmp(why, name, len) && !strncmp(why + len, ": ", 2))
		why += len + 2;
	h->name = name;
	h->ok = !why[0];
	lz_text_set(h->why, sizeof(h->why), why);
}

/* Is a port not judged, or judged twice? NULL: neither. */
static const char *hook_trouble(const struct lz_port_told *port)
{
	static const char *const words[2][2] = {
		{ "has not all its hooks", "has a hook: it does not fit beside the others" },
		{ "no hook is attached", "no hook is attached: it does not fit beside the others" },
	};
	bool none = port->mode == LZ_ATTACH_NONE;

	return port->planned && (none || port->unfit || port->failed) ? words[none][port->unfit != 0] : NULL;
}

/* What the keeper says of this one, without its name; "" = it says it of another. */
static const char *fault_of(const struct lz_ctl *ctl, const char *name)
{
	size_t len = strlen(name);
	bool its = !strncmp(ctl->hook_fault, name, len) && !strncmp(ctl->hook_fault + len, ": ", 2);

	return its ? ctl->hook_fault + len + 2 : "";
}

/* One with its reason, of which the log has all, and how many more; their names as far as there is room. */
static void say_hooks(const struct lz_ctl *ctl, const struct lz_port_told *ports, size_t n, char *ret, size_t size)
{
	const struct lz_port_told *first = NULL;
	lz_autostr struct lz_str text = { 0 };
	const char *why, *before = "";
	size_t more = 0;

	for (size_t i = 0; i < n; i++) {
		if (!hook_trouble(&ports[i]))
			continue;
		more += first != NULL;
		if (!first || (!fault_of(ctl, first->name)[0] && fault_of(ctl, ports[i].name)[0]))
			first = &ports[i];
	}
	if (!first)
		return;
	why = fault_of(ctl, first->name);
	lz_str_appendf(&text, "%s: %s%s%.140s", first->name, hook_trouble(first), why[0] ? ": " :
		       first->unfit ? "; interfaces-fault in the log says why" : "", why);
	if (more)
		lz_str_appendf(&text, " (and %zu more: ", more);
	for (size_t i = 0; i < n && more; i++) {
		if (!hook_trouble(&ports[i]) || &ports[i] == first)
			continue;
		if (text.len + strlen(ports[i].name) + strlen(", , ..)") >= size) {
			lz_str_appendf(&text, "%s..", before);
			break;
		}
		lz_str_appendf(&text, "%s%s", before, ports[i].name);
		before = ", ";
	}
	if (more)
		lz_str_appendf(&text, ")");
	lz_text_set(ret, size, text.data ? text.data : first->name);
}

/* Whatever is held is held nowhere then: of one port less among others "hooks" is enough. */
static void check_customers(struct lz_ctl *ctl, bool one_is_there, struct lz_health *h)
{
	char why[512] = "", command[LZ_COMMAND_TEXT_MAX];

	if (lz_hold_no_port(ctl))
		snprintf(why, sizeof(why), "none is judged: all customers pass, nothing of any hold is enforced; %s%s",
			 one_is_there ? "see hooks" :
			 "the policy names none that is there: name one in /interfaces, or go back: ",
			 one_is_there ? "" : lz_ctl_command(ctl, "policy undo", command));
	check(h, "customer-ports", why);
}

static void check_hooks(struct lz_ctl *ctl, struct lz_health *h, struct lz_health *customers)
{
	lz_autofree struct lz_port_told *ports = NULL;
	char why[256] = "", missing[256] = "";
	struct lz_err err = { "interfaces: out of memory" };
	bool one_is_there = true;
	size_t n = 0;
	int r = lz_ctl_ports(ctl, &ports, &n, &err);

	if (r < 0)
		lz_text_set(why, sizeof(why), err.text);
	else
		say_hooks(ctl, ports, n, why, sizeof(why));
	if (!why[0] && ctl->now.policy)
		lz_interfaces_missing(ctl->now.policy, ports, n, missing, sizeof(missing));
	if (!why[0] && ctl->lost_hooks[0]) /* what was there is more urgent than what never was */
		snprintf(why, sizeof(why), "lost: %.120s%s%.120s", ctl->lost_hooks, missing[0] ? "; " : "",
			 missing);
	check(h, "hooks", why[0] ? why : missing);
	if (r == 0 && ctl->now.policy)
		one_is_there = lz_interfaces_customer(ctl->now.policy, ports, n);
	check_customers(ctl, one_is_there, customers);
}

/* As the data plane counts them when it has to make one more: held ones have their own room. */
static __u64 sources_used(const struct lz_ctl *ctl)
{
	__u64 used = ctl->opened ? ctl->view.tables->cells_used : 0;
	__u64 held = ctl->opened ? ctl->view.tables->cells_held : 0;

	return used > held ? used - held : 0;
}

static void check_tables(struct lz_ctl *ctl, struct lz_health *colony, struct lz_health *sources)
{
	__u64 held = lz_held_count(ctl->ledger), max = lz_colony_max(ctl);
	__u64 used = sources_used(ctl);
	__u64 cells = ctl->opened ? ctl->view.control->sources_max : 0;
	char why[256] = "";

	if (held * 100 >= max * 80)
		snprintf(why, sizeof(why), "%llu %% full: %llu of %llu held",
			 (unsigned long long)(held * 100 / max), (unsigned long long)held,
			 (unsigned long long)max);
	check(colony, "colony-room", why);
	why[0] = '\0';
	if (cells && used * 100 >= cells * 90)
		snprintf(why, sizeof(why), "%llu of %llu cells used: new sources are soon not counted",
			 (unsigned long long)used, (unsigned long long)cells);
	check(sources, "source-room", why);
}

static void check_guard(struct lz_ctl *ctl, struct lz_health *h)
{
	struct lz_guard_rule rule = lz_guard_rule_of(ctl);
	char why[256] = "";

	if (ctl->opened && lz_guard_tripped(&ctl->guard, &rule, lz_tables_now_s(&ctl->view)))
		snprintf(why, sizeof(why), "tripped: more than %u a minute would be held; %llu were not",
			 rule.new_per_minute, (unsigned long long)ctl->guarded);
	check(h, "guard", why);
}

size_t lz_health_look(struct lz_ctl *ctl, struct lz_health ret[static LZ_HEALTH_CHECKS])
{
	__u64 lost = lz_events_lost(ctl);
	struct lz_swap_state state = { 0 };
	char why[LZ_UNKNOWN_TEXT_MAX] = "", api[512];
	size_t n = 0;

	if (ctl->opened)
		lz_swap_state_get(&ctl->view, &state);
	check(&ret[n++], "bypass", lz_bypass_is_on(ctl) ? "the kill switch is on" : "");
	if (ctl->opened && !state.expired && !lz_running_judges(ctl, &state))
		snprintf(why, sizeof(why), "the kernel judges by generation %llu, not by ours; %s",
			 (unsigned long long)state.number, ctl->now.policy ? "restart lazaretd" : "apply a policy");
	check(&ret[n++], "policy", ctl->now.policy || why[0] ? why :
				   lz_ctl_is_unknown(ctl) ? lz_ctl_say_unknown(ctl, why) :
							    "no policy is in force");
	why[0] = '\0';
	if (ctl->opened) {
		check_hooks(ctl, &ret[n], &ret[n + 1]);
		check_tables(ctl, &ret[n + 2], &ret[n + 3]);
		n += 4;
		check(&ret[n++], "portal", ctl->portal_fault);
		check(&ret[n++], "portal-listen", ctl->portal_deaf);
		lz_portal_check_api(ctl, api, sizeof(api));
		check(&ret[n++], "portal-api", api);
	}
	check(&ret[n++], "ledger", ctl->ledger_fault[0] ? ctl->ledger_fault : ctl->checkpoint.fault);
	check_guard(ctl, &ret[n++]);
	if (lz_events_lost_lately(ctl))
		snprintf(why, sizeof(why), "%llu events lost, the last of them within 5 minutes",
			 (unsigned long long)(lost - ctl->lost.before));
	check(&ret[n++], "events", why);
	lz_courier_check(ctl, LZ_STUCK_S, why, sizeof(why));
	check(&ret[n++], "telling", why);
	lz_names_check(ctl, why, sizeof(why));
	check(&ret[n++], "names", why);
	check(&ret[n++], "confirm", state.pending ? "a policy waits for its confirm" : "");
	return n;
}

static void add_policy(struct lz_ctl *ctl, cJSON *end)
{
	cJSON *policy = cJSON_AddObjectToObject(end, "policy");
	const struct lz_applied *row = &ctl->now.row;

	if (!ctl->now.policy) {
		cJSON_AddNullToObject(policy, "name");
		return;
	}
	lz_json_add_str(policy, "name", row->name);
	lz_json_add_str(policy, "mode", lz_mode_words[ctl->now.policy->mode]);
	lz_json_add_u64(policy, "generation", row->generation);
	lz_json_time(policy, "applied", row->applied_s);
	lz_json_add_str(policy, "actor", row->actor);
	lz_json_add_bool(policy, "confirmed", lz_streq(row->state, LZ_STATE_CONFIRMED));
	if (lz_streq(row->state, LZ_STATE_PENDING))
		lz_json_time(policy, "deadline", row->deadline_s);
}

static void add_alarms(struct lz_ctl *ctl, cJSON *end)
{
	struct lz_health checks[LZ_HEALTH_CHECKS];
	cJSON *alarms = cJSON_AddArrayToObject(end, "alarms");
	size_t n = lz_health_look(ctl, checks);
	char text[600];

	for (size_t i = 0; i < n; i++) {
		if (checks[i].ok)
			continue;
		snprintf(text, sizeof(text), "%s: %s", checks[i].name, checks[i].why);
		cJSON_AddItemToArray(alarms, cJSON_CreateString(text));
	}
}

static void send_port(struct lz_ctl *ctl, struct lz_request *req, const struct lz_port_told *port)
{
	__u32 slot = LZ_GEN_ACTIVE(ctl->view.control->gen_word);
	__u32 entry = ctl->view.ports[port->ifindex & (LZ_PORTS_SIZE - 1)];
	struct lz_port_stats stats = { { 0 } };
	__u32 role = slot < LZ_GENERATIONS ? LZ_PORT_ROLE(entry, slot) : LZ_ROLE_NONE;
	cJSON *row = cJSON_CreateObject();
	__u64 passed = 0, dropped = 0;

	lz_port_stats_read(&ctl->view, entry >> LZ_PORT_STATS_SHIFT, &stats);
	for (int i = 0; i < LZ_R_N; i++)
		*(i < LZ_R_PASS_N ? &passed : &dropped) += stats.count[i];
	lz_json_add_str(row, "interface", port->name);
	lz_json_add_str(row, "side", role == LZ_ROLE_CUSTOMER ? "customer" :
			role == LZ_ROLE_UPLINK ? "uplink" : "none");
	lz_json_add_str(row, "hook", port->mode < LZ_ATTACH_MODE_N ?
					     lz_attach_mode_words[port->mode] : "none");
	lz_json_add_bool(row, "up", port->up);
	lz_json_add_u64(row, "received_packets", stats.count[LZ_C_RECEIVED]);
	lz_json_add_u64(row, "passed_packets", passed);
	lz_json_add_u64(row, "dropped_packets", dropped);
	lz_json_add_u64(row, "steered_packets", stats.count[LZ_C_STEERED]);
	lz_json_add_u64(row, "steer_limited_packets", stats.count[LZ_C_STEER_LIMITED]);
	lz_reply_row(req, row);
}

/* Of an instance that nobody has opened nothing is known: what the ledger has is not what that does. */
static void add_size(const struct lz_ctl *ctl, cJSON *obj, const char *name, __u64 n)
{
	if (lz_ctl_is_unknown(ctl))
		cJSON_AddNullToObject(obj, name);
	else
		lz_json_add_u64(obj, name, n);
}

static void add_sizes(struct lz_ctl *ctl, cJSON *end)
{
	cJSON *part = cJSON_AddObjectToObject(end, "sources");

	add_size(ctl, part, "used", sources_used(ctl));
	add_size(ctl, part, "capacity", ctl->opened ? ctl->view.control->sources_max : 0);
	part = cJSON_AddObjectToObject(end, "colony");
	add_size(ctl, part, "held", lz_held_count(ctl->ledger));
	add_size(ctl, part, "capacity", ctl->now.image ? ctl->now.image->colony_max : 0);
	add_size(ctl, end, "exceptions", lz_granted_count(ctl->ledger));
}

void lz_h_status(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	lz_autofree struct lz_port_told *ports = NULL;
	cJSON *end = cJSON_CreateObject();
	struct utsname un;
	size_t n = 0;

	if (ctl->opened && lz_ctl_ports(ctl, &ports, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			send_port(ctl, req, &ports[i]);
	lz_bypass_say(ctl, end);
	lz_json_add_str(end, "release", LZ_VERSION);
	lz_json_add_str(end, "instance", ctl->options->instance);
	lz_json_add_str(end, "kernel", uname(&un) == 0 ? un.release : "");
	lz_json_add_u64(end, "uptime_s", lz_clock_mono_ns() / LZ_NS_PER_S - ctl->started_s);
	add_policy(ctl, end);
	if (ctl->opened && ctl->view.instance.made_s)
		lz_json_time(end, "counted_since", lz_ctl_wall_of(ctl->view.instance.made_s));
	add_sizes(ctl, end);
	lz_courier_say(ctl, end);
	lz_names_say(ctl, end);
	add_alarms(ctl, end);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

void lz_h_health(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct lz_health checks[LZ_HEALTH_CHECKS];
	size_t n = lz_health_look(ctl, checks);
	cJSON *end = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(end, "checks");
	char first[600] = "";

	for (size_t i = 0; i < n; i++) {
		cJSON *one = cJSON_CreateObject();

		lz_json_add_str(one, "name", checks[i].name);
		lz_json_add_bool(one, "ok", checks[i].ok);
		if (!checks[i].ok) {
			lz_json_add_str(one, "why", checks[i].why);
			if (!first[0])
				snprintf(first, sizeof(first), "%s: %s", checks[i].name, checks[i].why);
		}
		cJSON_AddItemToArray(list, one);
	}
	lz_json_add_bool(end, "healthy", !first[0]);
	lz_bypass_say(ctl, end);
	lz_reply_end(req, first[0] ? LZ_CODE_REFUSED : LZ_CODE_OK, first[0] ? first : NULL, end);
}
