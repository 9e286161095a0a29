# shellcheck shell=bash disable=SC2034 # STATE is the tests'
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# lazaretd in the lab's gateway, for tests that start it, kill it and ask it.  After ns.sh and
# lz_lab_enter; sets BUILD and STATE.

BUILD=${LZ_BUILD:-$ROOT/build}
STATE=${LZ_DIR:?source this after lz_lab_enter}/state

# daemon_start POLICY [OPTION...]: and wait until it answers; POLICY "": none
daemon_start()
{
	local policy=(--policy "$1")
	[ -n "$1" ] || policy=()
	shift
	lz_proc_start daemon gw "$BUILD/lazaretd" --instance lab "${policy[@]}" \
		--state "$STATE" --run /run/lazaret-lab "$@"
	lz_wait 20 ctl status
}

# daemon_start_slow MS POLICY: and while there is a file $LZ_DIR/slow, each sync of its disk takes so long
daemon_start_slow()
{
	cat >"$LZ_DIR/slow.c" <<-'END'
		#include <sys/syscall.h>
		#include <time.h>
		#include <unistd.h>
		int fdatasync(int fd)
		{
			struct timespec t = { MS / 1000, MS % 1000 * 1000000L };
			if (access(SLOW, F_OK) == 0)
				nanosleep(&t, NULL);
			return (int)syscall(SYS_fdatasync, fd);
		}
	END
	gcc -shared -fPIC -DMS="$1" -DSLOW="\"$LZ_DIR/slow\"" -o "$LZ_DIR/slow.so" "$LZ_DIR/slow.c" || return
	chmod 755 "$LZ_DIR"
	LD_PRELOAD=$LZ_DIR/slow.so daemon_start "$2"
}

# Its log is kept behind those of its predecessors.
daemon_log_keep()
{
	cat "$LZ_DIR/log/daemon.log" >>"$LZ_DIR/log/daemons.log"
}

# all_dead PID...: none of them runs any more
all_dead()
{
	! ps -o stat= -p "$(IFS=,; echo "$*")" | grep -qv "^Z"
}

# Its controller dies a moment after it, and a file that he has open takes its room until then.
daemon_kill()
{
	local children
	mapfile -t children < <(pgrep -P "${LZ_PROC[daemon]}")
	kill -KILL "${LZ_PROC[daemon]}"
	wait "${LZ_PROC[daemon]}" 2>/dev/null
	[ "${#children[@]}" = 0 ] || lz_wait 10 all_dead "${children[@]}"
	daemon_log_keep
	unset "LZ_PROC[daemon]"
}

daemon_stop()
{
	local status=0
	lz_proc_stop daemon || status=$?
	daemon_log_keep
	return $status
}

# Megabytes of all processes of the daemon, without what they map of the tables.
daemon_resident()
{
	local pid sum=0 kb
	for pid in $(pgrep "^lazaret"); do
		kb=$(awk '/^[0-9a-f]+-/ { map = $6 ~ /bpf-map/ } /^Rss:/ && !map { sum += $2 } END { print sum }' \
			"/proc/$pid/smaps")
		sum=$((sum + kb))
	done
	echo "$((sum / 1024))"
}

ctl()
{
	lz_ns_run gw "$BUILD/lazaretctl" --instance lab "$@"
}

# list_left COMMAND FILE: a client that sends a list and goes away before the controller has begun with it
list_left()
{
	lz_ns_run gw python3 - /run/lazaret-lab/control.sock "$1" "$2" \
		"$(pgrep -P "${LZ_PROC[daemon]}" -x lazaretd-ctl)" <<-'END'
		import json, os, signal, socket, sys
		path, cmd, name, pid = sys.argv[1:]
		payload = open(name, "rb").read()
		asker = socket.socket(socket.AF_UNIX)
		asker.connect(path)
		asker.recv(65536)
		os.kill(int(pid), signal.SIGSTOP)
		asker.sendall(json.dumps({"v": 1, "id": 1, "cmd": cmd, "args": {"file": name},
		                          "payload_bytes": len(payload)}).encode() + b"\n" + payload)
		asker.close()
		os.kill(int(pid), signal.SIGCONT)
	END
}

# say COMMAND...: of lazaretctl; what it says in said
say()
{
	ctl "$@" >"$LZ_DIR/said" 2>&1
}

# disk_fill: the state folder's, until $STATE/other is removed
disk_fill()
{
	dd if=/dev/zero of="$STATE/other" bs=4k >/dev/null 2>&1
	[ -s "$STATE/other" ]
}

# status_of COMMAND...: its exit status
status_of()
{
	"$@" >/dev/null 2>&1
	echo $?
}

# daemon_longest_wait WORDS...: the most that the controller computed, ms, until it answered a question while
# lazaretctl WORDS ran
daemon_longest_wait()
{
	python3 - "$(pgrep -P "${LZ_PROC[daemon]}" -x lazaretd-ctl)" "$BUILD/lazaretctl" --instance lab "$@" <<-'END'
		import socket, subprocess, sys
		pid, command = sys.argv[1], sys.argv[2:]
		asker = socket.socket(socket.AF_UNIX)
		asker.connect("/run/lazaret-lab/read.sock")
		answers = asker.makefile()
		answers.readline() # who it is
		def cpu_ms(): # of the loop alone, whatever else runs on this machine
		    return int(open(f"/proc/{pid}/task/{pid}/schedstat").read().split()[0]) / 1e6
		worst, asked = 0, 0
		doing = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
		while doing.poll() is None:
		    begun = cpu_ms()
		    asked += 1
		    asker.sendall(b'{"v":1,"id":%d,"cmd":"status","args":{}}\n' % asked)
		    while '"code":0' not in (answer := answers.readline()):
		        assert '"row"' in answer, answer
		    worst = max(worst, cpu_ms() - begun)
		print(int(worst))
	END
}
