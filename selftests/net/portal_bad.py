#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the portal may meet: floods, slow and broken clients, injection.

usage: portal_bad.py PID LOG   (ports 8080 and 2525 of loopback, as portal_lab makes them; PID of the
portal, LOG of the lab). A client chooses who it is by its source address. Prints TAP.
"""
import re
import resource
import socket
import sys
import threading
import time

WEB, SMTP = ("127.0.0.1", 8080), ("127.0.0.1", 2525)
HOME = "quarantine.example.net"
PAGE = f"GET / HTTP/1.1\r\nHost: {HOME}\r\nAccept: text/html\r\n\r\n".encode()
SOURCE_MAX, TOTAL_MAX, SINK_SOURCE_MAX = 16, 768, 4
RSS_MAX_KB = 48 * 1024
DEADLINE_S = 15

# What a name, a header, a link may carry: HTML, headers, terminals, logs, formats, paths.
CORPUS = [
    b"<script>alert(1)</script>", b"\"><img src=x onerror=alert(1)>", b"' onmouseover='x", b"</title><b>",
    b"javascript:alert(1)", b"data:text/html,<script>x</script>", b"x%0d%0aSet-Cookie:%20a=b",
    b"\x1b]0;owned\x07\x1b[2J", b"\x1b[31mred", b"%s%s%n%n", b"{{token}}", b"{{#held}}", b"$(reboot)", b"`id`",
    b"../../etc/shadow", b"=cmd|' /C calc'!A0", b"\xc0\xbcscript\xc0\xbe", b"\xe2\x80\xae\xe2\x80\x8b",
    b"level=error event=fake", b"\xff\xfe\x00\x01", b"&lt;b&gt;&#60;", b"http://evil.example/\"><script>",
]

run = failed = 0
pid, log = int(sys.argv[1]), sys.argv[2]


def ok(good, name, detail=""):
    global run, failed
    run += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {run} - {name}", flush=True)
    if not good:
        print(f"# {detail!r}"[:400], flush=True)


def rss_kb():
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1))


def open_from(host, where=WEB, timeout=5.0):
    s = socket.socket()
    s.settimeout(timeout)
    s.bind((f"127.0.0.{host}" if isinstance(host, int) else host, 0))
    s.connect(where)
    return s


def read_all(s):
    data = b""
    try:
        while chunk := s.recv(65536):
            data += chunk
    except OSError:
        pass
    return data


def ask(request, host=1, where=WEB):
    """The whole answer; b"" when there is none."""
    try:
        with open_from(host, where) as s:
            s.sendall(request)
            return read_all(s)
    except OSError:
        return b""


def status(answer):
    m = re.match(rb"HTTP/1\.[01] (\d+)", answer)
    return int(m.group(1)) if m else 0


def is_alive(s):
    """Has the other side not closed yet?"""
    s.setblocking(False)
    try:
        return s.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def check_headers():
    answer = ask(PAGE)
    for header in (b"connection: close", b"cache-control: no-store", b"x-content-type-options: nosniff",
                   b"referrer-policy: no-referrer", b"frame-ancestors 'none'", b"form-action 'self'"):
        ok(header in answer.lower(), f"the page says {header.decode()}", answer[:900])
    ok(b"script-src" not in answer and b"default-src 'none'" in answer, "no script may run", answer[:900])
    two = ask(PAGE + PAGE)
    ok(two.count(b"HTTP/1.1 ") == 1, "one answer a connection, pipelined or not", two[:200])
    old = ask(f"GET / HTTP/1.0\r\nHost: {HOME}\r\n\r\n".encode())
    ok(status(old) == 200, "HTTP/1.0 is served", old[:200])
    head = ask(f"HEAD / HTTP/1.1\r\nHost: {HOME}\r\n\r\n".encode())
    ok(status(head) == 200 and head.endswith(b"\r\n\r\n"), "HEAD has no body", head[-200:])


def check_broken_requests():
    rows = {
        "a head of 100 KB": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
        "an address of 100 KB": b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "10,000 header lines": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000 + b"\r\n",
        "a body of 1 MB": f"POST /release HTTP/1.1\r\nHost: {HOME}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                          "Content-Length: 1000000\r\n\r\ntoken=".encode() + b"a" * 999994,
        "a body without end": f"POST /release HTTP/1.1\r\nHost: {HOME}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
                              + b"fff\r\n" + b"a" * 0xfff + b"\r\n" + b"fff\r\n" + b"a" * 0xfff + b"\r\n",
        "a negative length": b"POST /release HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "a huge length": b"POST /release HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
        "NUL bytes": b"GET /\x00 HTTP/1.1\r\nHost: \x00\r\n\r\n",
        "only line ends": b"\r\n" * 5000,
    }
    for name, request in rows.items():
        answer = ask(request)
        ok(status(answer) not in (200, 302) or b"Release my" not in answer, f"{name}: no page for it", answer[:200])
        ok(status(ask(PAGE, 2)) == 200, f"{name}: others are served")
    ok(rss_kb() < RSS_MAX_KB, f"memory stays below {RSS_MAX_KB} KB", rss_kb())


def check_large_heads():
    """What a browser of many years sends to a site it knows well: such a request is led here, too."""
    cookies = "; ".join(f"name{i:03}=" + "v" * 190 for i in range(40))
    args = "&".join(f"key{i}=value{i}" for i in range(40))
    head = (f"GET /search?{args} HTTP/1.1\r\nHost: www.example.org\r\nAccept: text/html\r\n"
            f"User-Agent: {'Mozilla/5.0 ' * 15}\r\nCookie: {cookies}\r\n\r\n")
    answer = ask(head.encode())
    ok(status(answer) == 302, f"a head of {len(head)} bytes, 40 cookies and 40 arguments, is led to the page",
       answer[:200])
    for n in (900, 1200):
        many = "&".join("a=1" for _ in range(n))
        answer = ask(f"GET /search?{many} HTTP/1.1\r\nHost: www.example.org\r\nAccept: text/html\r\n\r\n".encode())
        ok(status(answer) == 302, f"{n} arguments are led to the page", answer[:300])
        answer = ask(f"GET /?{many}&to=http%3a%2f%2fwww.example.org%2f HTTP/1.1\r\nHost: {HOME}\r\n\r\n".encode())
        ok(status(answer) == 200 and b"Release my" in answer, f"the page itself with {n} arguments", answer[:300])


def check_speed():
    """A page has one round trip to the gate in it, and nothing else to wait for: a wait is in the fastest, too."""
    took = []
    for _ in range(11):
        start = time.monotonic()
        ok_page = status(ask(PAGE, 9)) == 200
        took.append(time.monotonic() - start if ok_page else 9.0)
    ok(min(took) < 0.1, f"a page takes {min(took) * 1000:.0f} ms (less than 100)", took)


def check_one_source():
    flood = []
    for _ in range(1000):
        try:
            flood.append(open_from(3, timeout=1))
        except OSError:
            break
    time.sleep(1)
    alive = sum(is_alive(s) for s in flood)
    ok(alive <= SOURCE_MAX, f"of 1,000 connections of one source {alive} stay (at most {SOURCE_MAX})", alive)
    start = time.monotonic()
    answer = ask(PAGE, 4)
    took = time.monotonic() - start
    ok(status(answer) == 200 and took < 1, f"another is served within a second ({took:.2f} s)", answer[:100])
    for s in flood:
        s.close()


def check_many_sources():
    flood, refused = [], 0
    for i in range(1000):
        try:
            s = open_from(f"127.1.{i // 250}.{i % 250 + 1}", timeout=1)
            s.send(b"GET / HTTP/1.1\r\n")
            flood.append(s)
        except OSError:
            refused += 1
    peak = rss_kb()
    ok(peak < RSS_MAX_KB, f"1,000 idle connections of 1,000 sources: {peak} KB (at most {RSS_MAX_KB})", peak)
    start = time.monotonic()
    answer = b""
    while status(answer) != 200 and time.monotonic() - start < 8:
        answer = ask(PAGE, 5)
    took = time.monotonic() - start
    ok(status(answer) == 200 and took < 5, f"an honest one is served after {took:.1f} s", answer[:100])
    for s in flood:
        s.close()


def count_told(mailers):
    """How many of these connections to the sink were greeted with the truth."""
    told = 0
    for s in mailers:
        try:
            told += s.recv(600).startswith(b"554 5.7.1 ")
        except OSError:
            pass
    return told


def check_many_mailers():
    """As infected hosts do: a thousand at once that say nothing and do not leave."""
    flood = []
    for i in range(1000):
        try:
            flood.append(open_from(f"127.2.{i // 250}.{i % 250 + 1}", SMTP, 2))
        except OSError:
            pass
    told = count_told(flood)
    ok(told == 1000, "of 1,000 mailers at once each is told why", told)
    ok(rss_kb() < RSS_MAX_KB, f"memory stays below {RSS_MAX_KB} KB", rss_kb())
    answer = ask(PAGE, 8)
    ok(status(answer) == 200, "and the page is served", answer[:100])
    for s in flood:
        s.close()


def drip(result):
    """A byte every 300 ms: each one restarts an idle timer, but not the deadline."""
    start = time.monotonic()
    try:
        with open_from(6) as s:
            for byte in PAGE * 3:
                s.send(bytes([byte]))
                time.sleep(0.3)
                if not is_alive(s):
                    break
                s.setblocking(True)
    except OSError:
        pass
    result.append(time.monotonic() - start)


def check_injection():
    for text in CORPUS:
        shown = ascii(text)[2:-1][:40]
        quoted = b"".join(b"%%%02X" % c for c in text)
        for name, request in (
                ("Host", b"GET / HTTP/1.1\r\nHost: " + text + b"\r\nAccept: text/html\r\n\r\n"),
                ("User-Agent", b"GET / HTTP/1.1\r\nHost: " + HOME.encode() + b"\r\nUser-Agent: " + text + b"\r\n\r\n"),
                ("Accept-Language", b"GET / HTTP/1.1\r\nHost: " + HOME.encode() + b"\r\nAccept-Language: " + text
                 + b"\r\n\r\n"),
                ("path", b"GET /" + text.replace(b" ", b"+") + b" HTTP/1.1\r\nHost: www.example.org\r\nAccept: text/html\r\n\r\n"),
                ("to", b"GET /?to=" + quoted + b" HTTP/1.1\r\nHost: " + HOME.encode() + b"\r\n\r\n"),
                ("to as a link", b"GET /?to=http%3A%2F%2Fx.example%2F" + quoted + b" HTTP/1.1\r\nHost: " + HOME.encode()
                 + b"\r\n\r\n")):
            answer = ask(request)
            head, _, body = answer.partition(b"\r\n\r\n")
            bad = (b"<script" in body.lower() or b"onerror=" in body.lower() or b'="javascript:' in body.lower()
                   or b"\x1b" in answer or b"\nset-cookie" in head.lower() or b"{{" in body or b"\x00" in answer
                   or b'href="data:text' in body)
            if bad:
                ok(False, f"{name} carries {shown}", answer[-900:])
                return
    ok(True, f"{len(CORPUS)} hostile texts through Host, User-Agent, Accept-Language, path, to")
    for i, text in enumerate(CORPUS):
        answer = ask(b"EHLO " + text + b"\r\nQUIT\r\n", 20 + i, SMTP)
        if not answer.startswith(b"554 ") or b"\x1b" in answer or text in answer:
            ok(False, f"HELO carries {ascii(text)}", answer)
            return
    ok(True, f"{len(CORPUS)} hostile texts through HELO")
    time.sleep(0.5)
    data = open(log, "rb").read()
    ok(not re.search(rb"[^\x20-\x7e\n]", data), "the log is printable ASCII", data[-300:])
    ok(not re.search(rb"^level=error event=fake", data, re.M), "no text of a client begins a log line")
    ok(len(re.findall(rb"^seen host=", data, re.M)) >= len(CORPUS), "what was said is evidence", data[-300:])


def check_smtp():
    rows = {
        "nothing": b"", "an early talker": b"EHLO early.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
        "a line without end": b"A" * 200000, "bytes of all kinds": bytes(range(256)) * 100,
        "line ends": b"\r\n" * 10000, "lone LF": b"EHLO x\nQUIT\n", "TLS": b"\x16\x03\x01\x02\x00" + b"\x00" * 300,
        "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    }
    for i, (name, text) in enumerate(rows.items()):
        try:
            with open_from(60 + i, SMTP, 12) as s:
                greeting = s.recv(600)
                s.sendall(text + b"QUIT\r\n")
                rest = read_all(s)
        except OSError as e:
            greeting, rest = greeting or b"", str(e).encode()
        codes = set(re.findall(rb"^(\d)\d\d ", rest, re.M))
        ok(greeting.startswith(b"554 5.7.1 ") and b"http://quarantine.example.net/" in greeting,
           f"smtp, {name}: 554 with the link", greeting)
        ok(b"3" not in codes and b"250" not in rest and b"354" not in rest, f"smtp, {name}: nothing is taken", rest)
    held = [open_from(80, SMTP) for _ in range(10)]
    time.sleep(0.5)
    told = count_told(held)
    ok(told == 10, "each of 10 connections of one source is told why", told)
    alive = sum(is_alive(s) for s in held)
    ok(alive <= SINK_SOURCE_MAX, f"of 10 connections of one source {alive} stay (at most {SINK_SOURCE_MAX})", alive)
    ok(ask(b"QUIT\r\n", 81, SMTP).endswith(b"221 2.0.0 Bye\r\n"), "another gets its 554 and its 221")
    start = time.monotonic()
    while any(is_alive(s) for s in held) and time.monotonic() - start < 12:
        time.sleep(0.1)
    took = time.monotonic() - start
    ok(4 < took < 8, f"who says nothing is closed after {took:.1f} s", took)


def form(token, to=""):
    body = f"token={token}&to={to}"
    return (f"POST /release HTTP/1.1\r\nHost: {HOME}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def check_release():
    def page_token(host):
        m = re.search(rb'name="token" value="([^"]+)"', ask(PAGE, host))
        return m.group(1).decode() if m else ""
    token = page_token(90)
    ok(len(token) == 43, "the page has a token", token)
    ok(status(ask(form("A" * 43), 90)) == 403, "a guessed token is refused")
    ok(status(ask(form(""), 90)) == 403, "no token is refused")
    token = page_token(90)
    other = ask(form(token), 91)
    ok(status(other) == 403, "another host cannot use it", other[:100])
    ok(b"<form" in ask(f"GET /release?token={token} HTTP/1.1\r\nHost: {HOME}\r\n\r\n".encode(), 90)
       and b"is not restricted" not in ask(PAGE, 90), "GET releases nobody")
    token = page_token(90)
    ok(status(ask(form(token).replace(HOME.encode(), b"www.example.org"), 90)) == 511,
       "nor does a form of another site's name")
    done = ask(form(token, "javascript%3Aalert(1)"), 90)
    ok(status(done) == 200 and b"free again" in done and b"javascript" not in done, "the right one releases", done[:300])
    ok(b"is not restricted" in ask(form(token), 90), "it works once: afterwards he is free anyway")
    ok(b"<form" not in ask(PAGE, 120) and b"still going on" in ask(PAGE, 120), "harm still seen: no button, and why")
    ok(b"staff only" in ask(PAGE, 160), "strict, staff only: no button, and why")
    ok(b"is not restricted" in ask(PAGE, 210), "who is not held is told so")
    other = b"GET /a?b=c HTTP/1.1\r\nHost: www.example.org\r\nAccept: text/html\r\n\r\n"
    with open_from(211) as s:
        time.sleep(0.8)
        s.sendall(other)
        old = read_all(s)
    ok(status(old) == 307 and b"\r\nLocation: http://www.example.org/a?b=c\r\n" in old,
       "free, on an old connection: ask again", old[:300])
    new = ask(other, 211)
    ok(status(new) == 200 and b"is not restricted" in new, "free, on a new one: no circles", new[:300])


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    slow = []
    dripper = threading.Thread(target=drip, args=(slow,))
    dripper.start()
    check_headers()
    check_speed()
    check_large_heads()
    check_release()
    check_injection()
    check_broken_requests()
    check_smtp()
    dripper.join()
    ok(slow[0] < DEADLINE_S + 3, f"a byte every 300 ms: ended after {slow[0]:.1f} s", slow)
    check_one_source()
    check_many_sources()
    check_many_mailers()
    time.sleep(1)
    ok(status(ask(PAGE, 7)) == 200, "after all that it serves")
    return failed != 0


sys.exit(main())
