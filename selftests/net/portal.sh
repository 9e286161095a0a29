#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# lazaret-portal alone, behind a stand-in for keeper and controller: hostile clients, its API, its
# templates, and what a portal that was taken over can still do.
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/lib/ns.sh
. "$ROOT/selftests/lib/ns.sh"
# shellcheck source=selftests/lib/t.sh
. "$ROOT/selftests/lib/t.sh"
BUILD=${LZ_BUILD:-$ROOT/build}

lz_lab_enter 420 "$@"

PORTAL_UID=$(id -u lazaret-portal)
LOG=$LZ_DIR/log/lab.log
HOME_NAME=quarantine.example.net

# lab PROGRAM [OPTION...]: start it behind the stand-in
lab()
{
	local program=$1
	shift
	lz_proc_start lab box "$BUILD/selftests/net/portal_lab" "$program" "$PORTAL_UID" \
		"$LZ_DIR/portal.sock" 8080 2525 "$@"
}

portal()
{
	lab "$BUILD/lazaret-portal" "$@"
	lz_wait 10 grep -q event=portal-ready "$LOG"
}

portal_pid()
{
	pgrep -P "${LZ_PROC[lab]}"
}

# get [OPTION...]: as a browser of host 7
get()
{
	lz_ns_run box curl -s -m 5 --interface 127.0.0.7 -H "Host: $HOME_NAME" "$@" http://127.0.0.1:8080/
}

api()
{
	lz_ns_run box curl -s -m 5 --cacert "$LZ_DIR/tls/cert.pem" --interface "127.0.0.$1" \
		--resolve localhost:8443:127.0.0.1 "${@:2}" https://localhost:8443/captive
}

has()
{
	grep -q -- "$1" "$2"
}

# ---------------------------------------------------------------- clients

bad_clients()
{
	t_need portal
	lz_ns_run box python3 "$ROOT/selftests/net/portal_bad.py" "$(portal_pid)" "$LOG" || T_FAILED=$((T_FAILED + 1))
	t_eq "it runs as $PORTAL_UID" "$(stat -c %u "/proc/$(portal_pid)")" "$PORTAL_UID"
	t_eq "without capabilities" "$(awk '/^Cap(Eff|Prm|Inh|Amb)/ { n += $2 != "0000000000000000" } END { print n }' \
		"/proc/$(portal_pid)/status")" 0
	t_eq "with no new privileges" "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$(portal_pid)/status")" 1
	t_eq "under seccomp" "$(awk '/^Seccomp:/ { print $2 }' "/proc/$(portal_pid)/status")" 2
	t_eq "nothing it does itself was denied" "$(dmesg | grep -c "type=1326.* pid=$(portal_host_pid) ")" 0
	lz_proc_stop lab
	t_eq "it ends in order when the gate is closed" $? 0
}

# Its pid as the kernel log has it, outside of the lab's namespace.
portal_host_pid()
{
	awk '/^NSpid/ { print $2 }' "/proc/$(portal_pid)/status"
}

# ---------------------------------------------------------------- two clicks

# press_twice ADDRESS TOKEN: on two connections that are open, before either has its answer
press_twice()
{
	lz_ns_run box python3 - "$1" "$2" "$HOME_NAME" <<-'END'
		import socket, sys, time
		source, token, host = sys.argv[1:]
		body = "token=" + token
		request = ("POST /release HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"
		           "Content-Length: %d\r\n\r\n%s" % (host, len(body), body)).encode()
		two = [socket.create_connection(("127.0.0.1", 8080), 5, (source, 0)) for _ in range(2)]
		time.sleep(0.2)
		for s in two:
		    s.sendall(request)
		for s in two:
		    answer = b"".join(iter(lambda: s.recv(65536), b"")).decode()
		    print(answer.split("\r\n")[0], "free again" in answer, "20481" in answer)
	END
}

two_clicks()
{
	local token
	t_need portal
	token=$(lz_ns_run box curl -s -m 5 --interface 127.0.0.8 -H "Host: $HOME_NAME" http://127.0.0.1:8080/ |
		sed -n 's/.*name="token" value="\([^"]*\)".*/\1/p')
	t_eq "pressed twice at once: both have the page" "$(press_twice 127.0.0.8 "$token")" \
		$'HTTP/1.1 200 OK True True\nHTTP/1.1 200 OK True True'
	t_eq "it was one release" "$(grep -c '^release host=8 done' "$LOG")" 1
	lz_proc_stop lab
}

# ---------------------------------------------------------------- RFC 8908

make_certificate()
{
	mkdir -p "$LZ_DIR/tls" && chmod 755 "$LZ_DIR" "$LZ_DIR/tls" &&
		openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
			-addext subjectAltName=DNS:localhost -keyout "$LZ_DIR/tls/key.pem" \
			-out "$LZ_DIR/tls/cert.pem" && chown "$PORTAL_UID" "$LZ_DIR/tls/key.pem"
}

captive_api()
{
	t_need make_certificate
	t_need portal 8443 "$LZ_DIR/tls/cert.pem" "$LZ_DIR/tls/key.pem"
	t_ok "it says that certificate and key are well" has '^tls state=ok errno=0 before=0' "$LOG"
	t_eq "api: captive" "$(api 7)" '{"captive":true,"user-portal-url":"https://localhost:8443/"}'
	api 7 -D "$LZ_DIR/head" -o /dev/null
	t_ok "api: its media type" has 'Content-Type: application/captive+json' "$LZ_DIR/head"
	t_ok "api: not cached" has 'Cache-Control: no-store, private' "$LZ_DIR/head"
	t_eq "api: free" "$(api 210)" '{"captive":false,"user-portal-url":"https://localhost:8443/"}'
	token=$(get | sed -n 's/.*name="token" value="\([^"]*\)".*/\1/p')
	lz_ns_run box curl -s -m 5 --interface 127.0.0.7 -H "Host: $HOME_NAME" --data "token=$token" \
		http://127.0.0.1:8080/release >"$LZ_DIR/released.html"
	t_ok "api: he lets himself out" has 'free again' "$LZ_DIR/released.html"
	t_eq "api: no longer captive" "$(api 7)" '{"captive":false,"user-portal-url":"https://localhost:8443/"}'
	t_ok "the page over TLS" has 'is in quarantine' <(lz_ns_run box curl -s -m 5 --cacert "$LZ_DIR/tls/cert.pem" \
		--resolve localhost:8443:127.0.0.1 https://localhost:8443/)
	t_eq "TLS 1.1 is not spoken" "$(lz_ns_run box curl -s -m 5 -k --tls-max 1.1 -o /dev/null -w '%{http_code}' \
		https://127.0.0.1:8443/captive)" 000
	lz_proc_stop lab
}

# no_pair STATE CERTIFICATE KEY: the page is there, the API is not, and the gate is told why
no_pair()
{
	t_need portal 8443 "$2" "$3"
	t_ok "$1: the page is there all the same" has 'is in quarantine' <(get)
	t_eq "$1: no API" "$(api 7 -o /dev/null -w '%{http_code}')" 000
	t_ok "$1: it says so" has "^tls state=$1 before=0" "$LOG"
	lz_proc_stop lab
}

no_pairs()
{
	openssl genrsa -out "$LZ_DIR/tls/other.pem" 2048 2>/dev/null
	openssl rsa -aes256 -passout pass:secret -in "$LZ_DIR/tls/other.pem" -out "$LZ_DIR/tls/locked.pem" 2>/dev/null
	install -m 600 "$LZ_DIR/tls/key.pem" "$LZ_DIR/tls/root.pem"
	chown "$PORTAL_UID" "$LZ_DIR/tls/other.pem" "$LZ_DIR/tls/locked.pem"
	no_pair "pair errno=0" "$LZ_DIR/tls/cert.pem" "$LZ_DIR/tls/other.pem"
	no_pair "form errno=0" "$LZ_DIR/tls/cert.pem" "$LZ_DIR/tls/locked.pem"
	no_pair "key errno=13" "$LZ_DIR/tls/cert.pem" "$LZ_DIR/tls/root.pem"
	no_pair "certificate errno=2" "$LZ_DIR/tls/gone.pem" "$LZ_DIR/tls/key.pem"
}

# ---------------------------------------------------------------- templates

own_templates()
{
	mkdir -p "$LZ_DIR/own" && chmod 755 "$LZ_DIR" "$LZ_DIR/own"
	sed 's/<main>/<main><p>Hello from Example Net<\/p>/' "$ROOT/ctl/portal/templates/en.html" >"$LZ_DIR/own/en.html"
	echo '<p>{{token}}{{case}}{{contact}}</p><p onclick="x">' >"$LZ_DIR/own/de.html"
	t_need portal "templates=$LZ_DIR/own"
	t_ok "the operator's own page" has 'Hello from Example Net' <(get)
	t_ok "a bad one is said in one line" has "own/de.html:1: event handlers do not run" "$LOG"
	t_ok "and replaced by the built-in one" has 'Ihr Internetanschluss ist in Quar' <(get -H 'Accept-Language: de')
	lz_proc_stop lab
	t_ok "--check passes what is shipped" "$BUILD/lazaret-portal" --check "$ROOT"/ctl/portal/templates/*.html
	# a customer reads his own clock, and the gateway's is often UTC
	for page in "$ROOT"/ctl/portal/templates/*.html; do
		t_eq "${page##*/}: each time says of which zone it is" "$(TZ=IST-5:30 "$BUILD/lazaret-portal" --preview leaky "$page" |
			grep -oE '[0-9]{2}:[0-9]{2} [^<]*' | sed 's/.*\(IST\).*/\1/' | sort | uniq -c | tr -d ' ')" 4IST
	done
	t_eq "--check refuses a bad one" "$("$BUILD/lazaret-portal" --check "$LZ_DIR/own/de.html" 2>&1 | wc -l)" 1
}

# ---------------------------------------------------------------- taken over

taken_over()
{
	local before after
	before=$(dmesg | grep -c 'type=1326.*comm="portal_red"')
	lab "$BUILD/selftests/net/portal_red"
	t_need lz_wait 10 grep -q '^waiting' "$LOG"
	sleep 3 | lz_ns_run box timeout 5 nc 127.0.0.1 8080
	t_need lz_wait 10 grep -q '^end' "$LOG"
	wait "${LZ_PROC[lab]}"
	unset "LZ_PROC[lab]"
	t_ok "the gate answers what it may" has "^allowed its client's case" "$LOG"
	while read -r verdict name; do
		t_eq "taken over: $name" "$verdict" denied
	done < <(grep -E '^(denied|DONE) ' "$LOG")
	t_eq "every try has come to its end" "$(grep -cE '^(denied|DONE) ' "$LOG")" 70
	t_ok "the gate has logged what it refused" has "event=gate-refused why=\"'quarantine.del' is no question" "$LOG"
	after=$(dmesg | grep -c 'type=1326.*comm="portal_red"')
	if [ -r /proc/sys/kernel/seccomp/actions_logged ] && grep -q errno /proc/sys/kernel/seccomp/actions_logged; then
		t_ok "the kernel has logged what seccomp denied" [ "$after" -gt "$before" ]
	else
		t_skip "the kernel has logged what seccomp denied" "this kernel logs no denied calls"
	fi
}

t_need lz_ns_add box
bad_clients
two_clicks
captive_api
no_pairs
own_templates
taken_over
t_end
