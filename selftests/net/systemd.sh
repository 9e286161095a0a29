#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through t_ok and t_need
#
# The unit under a real systemd: installed, started, found well, hung and caught by the watchdog,
# stopped. systemd is process 1 of a lab of its own: its own processes, network, cgroups, and a file
# system that is this machine's with a tmpfs over it.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/ns.sh
. "$ROOT/selftests/lib/ns.sh"
# shellcheck source=selftests/lib/t.sh
. "$ROOT/selftests/lib/t.sh"

lz_lab_enter 420 "$@"

BUILD=$(realpath "${LZ_BUILD:-$ROOT/build}")
NEW=$LZ_DIR/root
UNIT=/lib/systemd/system/lazaret.service
LOG=/run/unit.log
INIT=

# tree_make: the machine's files, to be written over without harm; the state folder's disk is its own
tree_make()
{
	local over=$LZ_DIR/over
	mkdir -p "$over" "$NEW" && mount -t tmpfs over "$over" && mkdir "$over/up" "$over/work" || return
	mount -t overlay -o "lowerdir=/,upperdir=$over/up,workdir=$over/work" root "$NEW" || return
	umount -l /etc/passwd /etc/group # the lab's accounts: here the install makes them
	mount -t proc proc "$NEW/proc" && mount -t tmpfs run "$NEW/run" && mount --rbind /dev "$NEW/dev" || return
	mount -t sysfs sys "$NEW/sys" && mount -t bpf -o mode=700 bpf "$NEW/sys/fs/bpf" || return
	mount -t tmpfs none "$NEW/lib/systemd/system-generators" && rm -rf "$NEW/etc/systemd/system" || return
	mkdir -p "$NEW/etc/systemd/system/lazaret.service.d" "$NEW/etc/lazaret"
	mkdir -p "$NEW/var/lib/lazaret" && mount -t tmpfs -o size=8m,mode=755 state "$NEW/var/lib/lazaret" || return
	# other file systems of this machine are not below the overlay
	mkdir -p "$NEW$BUILD" "$NEW$ROOT" && mount --bind "$BUILD" "$NEW$BUILD" && mount --bind "$ROOT" "$NEW$ROOT"
}

# cgroup_enter: a branch of its own, which systemd takes for the root
cgroup_enter()
{
	CGROUPS=$LZ_DIR/cgroup
	mkdir -p "$CGROUPS" && mount -t cgroup2 cgroup2 "$CGROUPS" && mkdir "$CGROUPS/$LZ_LAB"
}

# Its processes are dead by then; what is left are empty folders.
cgroup_leave()
{
	find "$CGROUPS/$LZ_LAB" -depth -type d -exec rmdir {} \; 2>/dev/null
}

# inside COMMAND...: where systemd is process 1; it answers nobody it cannot see
inside()
{
	nsenter -t "$INIT" --all -- "$@"
}

show()
{
	inside systemctl show -P "$1" lazaret
}

status_ok()
{
	inside lazaretctl -j status | jq -e '.policy.name == "unit"'
}

hooked()
{
	inside find /sys/fs/bpf/lazaret -name 'link_*' | grep -q .
}

restarted()
{
	test "$(show NRestarts)" -ge 1 && test "$(show ActiveState)" = active
}

# The controller is the keeper's child.
controller()
{
	inside pgrep -x lazaretd-ctl
}

systemd_start()
{
	printf '[Unit]\nDescription=nothing but what the test starts\nDefaultDependencies=no\n' \
		>"$NEW/etc/systemd/system/lz-test.target"
	# shellcheck disable=SC2016 # for the inner shell
	bash -c 'echo 0 >"$1/cgroup.procs" && exec env -i container=lz PATH="$PATH" unshare --cgroup --net --mount \
			--pid --fork --kill-child=KILL --propagation private bash -c "$3" - "$2"' \
		- "$CGROUPS/$LZ_LAB" "$NEW" '
		mkdir -p "$1/sys/fs/cgroup" && mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup" || exit 1
		cd "$1" && pivot_root . mnt && umount -l mnt && mount -t proc proc /proc || exit 1
		ip link set lo up
		ip link add cust0 type veth peer name cust1 && ip link set cust0 up || exit 1
		exec /lib/systemd/systemd --unit=lz-test.target --show-status=no' \
		</dev/null >"$LZ_DIR/log/systemd.log" 2>&1 &
	lz_wait 5 pgrep -P $! && INIT=$(pgrep -P $!) || return
	lz_wait 40 inside systemctl show -P Version
}

# ---------------------------------------------------------------- install

t_need tree_make
t_need cgroup_enter
trap cgroup_leave EXIT
t_need chroot "$NEW" make -s -C "$ROOT" install O="$BUILD"
t_ok "installed: the controller's user" chroot "$NEW" getent passwd lazaret
t_eq "the unit is well-formed" "$(chroot "$NEW" systemd-analyze verify "$UNIT" 2>&1 | grep -i lazaret)" ""
SCORE=$(chroot "$NEW" systemd-analyze security --offline=yes --no-pager "$UNIT" |
	sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p')
echo "# systemd-analyze security: $SCORE"
t_ok "exposure at most 4.5 of 10" awk -v s="$SCORE" 'BEGIN { exit !(s > 0 && s <= 4.5) }'

# ---------------------------------------------------------------- start

cat >"$NEW/etc/lazaret/policy.json" <<END
{ "version": 1, "name": "unit",
  "interfaces": { "access": { "side": "customer", "match": ["cust0"], "hook": "tc" } },
  "sets": { "dynamic": ["100.64.0.0/10"] },
  "classes": { "dynamic": { "of": ["dynamic"], "port25": { "to-world": "icmp-admin" } } },
  "capacity": { "sources": 4096, "colony": 1024 } }
END
printf '[Service]\nWatchdogSec=6\nStandardOutput=append:%s\nStandardError=append:%s\n' "$LOG" "$LOG" \
	>"$NEW/etc/systemd/system/lazaret.service.d/test.conf"
t_need systemd_start
t_ok "start" inside systemctl start lazaret
t_eq "started: systemd was told" "$(show ActiveState) $(show SubState)" "active running"
t_ok "started: answers" lz_wait 20 status_ok
t_ok "started: attached" hooked
t_eq "controller: its own user" "$(inside stat -c %U "/proc/$(controller)")" lazaret
t_eq "controller: no capabilities" \
	"$(inside sed -n 's/^CapBnd:\t//p' "/proc/$(controller)/status")" 0000000000000000
t_ok "hold" inside lazaretctl quarantine add 100.64.0.7 for 1h
t_eq "state folder: not for others" "$(inside stat -c '%U %a' /var/lib/lazaret)" "lazaret 750"

# ---------------------------------------------------------------- a keeper that hangs

t_ok "the keeper is stopped" inside systemctl kill --kill-whom=main -s STOP lazaret
t_ok "the watchdog starts it again" lz_wait 40 restarted
t_ok "after that: answers" lz_wait 20 status_ok
t_ok "after that: attached" hooked
t_ok "after that: held" inside lazaretctl quarantine show 100.64.0.7
t_ok "after that: adopted, not attached anew" inside grep -q event=policy-adopted "$LOG"

# ---------------------------------------------------------------- its disk is read-only, or full

t_ok "stop, and the disk is read-only" inside sh -c "systemctl stop lazaret && mount -o remount,ro /var/lib/lazaret"
t_ok "read-only: starts" inside systemctl start lazaret
t_ok "read-only: answers" lz_wait 20 status_ok
t_ok "read-only: by a copy" inside grep -q 'event=ledger-stood-in-for .*is on a read-only file system' "$LOG"
t_ok "read-only: held" inside lazaretctl quarantine show 100.64.0.7
t_ok "read-only: health says so" eval "inside lazaretctl health | grep -q '^FAILED ledger: '"
t_ok "stop, and the disk is full" inside sh -c "systemctl stop lazaret && mount -o remount,rw /var/lib/lazaret &&
	! dd if=/dev/zero of=/var/lib/lazaret/other bs=4k 2>/dev/null"
t_ok "full: starts" inside systemctl start lazaret
t_ok "full: answers" lz_wait 20 status_ok
t_ok "full: held" inside lazaretctl quarantine show 100.64.0.7
t_ok "full: health says so" eval "inside lazaretctl health | grep -q '^FAILED ledger: '"
t_ok "room again" inside rm /var/lib/lazaret/other
t_ok "room again: healthy" lz_wait 20 inside lazaretctl health
t_eq "room again: not the unit was started for it" "$(show NRestarts)" 0

# ---------------------------------------------------------------- restart, stop

t_ok "restart" inside systemctl restart lazaret
t_ok "after a restart: answers" lz_wait 20 status_ok
t_ok "stop" inside systemctl stop lazaret
t_eq "stopped: in order" "$(show ActiveState) $(show Result)" "inactive success"
t_ok "stopped: what was attached is" hooked
if [ "$T_FAILED" != 0 ]; then
	inside systemctl status --no-pager -l lazaret | sed 's/^/# /'
	inside tail -n 40 "$LOG" | sed 's/^/# /'
	sed 's/^/# /' "$LZ_DIR/log/systemd.log"
fi
kill -KILL "$INIT"
lz_wait 5 test ! -e "/proc/$INIT"
t_end
