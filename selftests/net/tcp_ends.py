# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Both ends of plain TCP connections, for tests that count them.

    tcp_ends.py serve FILE PORT...           write the address of each who connects to FILE
    tcp_ends.py once ADDRESS PORT            exit 0 when connected within a second
    tcp_ends.py beat FILE ADDRESS PORT MS    begin to connect every MS milliseconds until SIGTERM;
                                             FILE: a line "ok" or "no" for each
    tcp_ends.py opens ADDRESS PORT           begin to connect every 50 ms until one gets through; prints
                                             when that one was begun, in ms since 1970
    tcp_ends.py refused ADDRESS PORT         exit 0 when refused within half a second
    tcp_ends.py greeting ADDRESS PORT        the first line that the server says
    tcp_ends.py again ADDRESS PORT N         N connections from one and the same port, each asks for
                                             a page; the server closes first: TIME_WAIT is at its end
    tcp_ends.py idle ADDRESS PORT            says nothing; how many seconds until the other side ends the
                                             connection in order
    tcp_ends.py talk-at FILE ADDRESS PORT S...
                                             a request at once and more on the same connection S seconds
                                             after the start; FILE: what came, "gone" when it was reset
    tcp_ends.py talk GO FILE ADDRESS PORT    two requests on one connection, the second once something
                                             can be read from GO; FILE: what came
"""
import errno
import selectors
import signal
import socket
import sys
import time


def serve(path, ports):
    wait = selectors.DefaultSelector()
    for port in ports:
        for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            s = socket.socket(family, socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.bind((address, port))
            s.listen(512)
            wait.register(s, selectors.EVENT_READ)
    with open(path, "a", buffering=1) as log:
        while True:
            for key, _ in wait.select():
                peer, address = key.fileobj.accept()
                log.write("%s %d\n" % (address[0], key.fileobj.getsockname()[1]))
                peer.close()


def connects(address, port, seconds):
    try:
        socket.create_connection((address, port), seconds).close()
        return True
    except OSError:
        return False


class Attempts:
    """Connections that are begun one after the other and do not wait for each other."""
    LIMIT_S = 0.95  # a lost SYN is sent again after a second: what connects sooner lost none

    def __init__(self, address, port):
        self.family, _, _, _, self.to = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        self.wait = selectors.DefaultSelector()

    def begin(self):
        """False when that failed at once."""
        s = socket.socket(self.family, socket.SOCK_STREAM)
        s.setblocking(False)
        began_s = time.monotonic()
        if s.connect_ex(self.to) not in (0, errno.EINPROGRESS):
            s.close()
            return False
        self.wait.register(s, selectors.EVENT_WRITE, began_s)
        return True

    def ended(self, wait_s):
        """Wait so long; (monotonic seconds when it was begun, whether it got through) of each that ended."""
        until_s = time.monotonic() + wait_s
        while True:
            ready = {key.fileobj for key, _ in self.wait.select(max(0.0, until_s - time.monotonic()))}
            now_s = time.monotonic()
            for key in list(self.wait.get_map().values()):
                late = now_s - key.data >= self.LIMIT_S
                if late or key.fileobj in ready:
                    good = not late and not key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    self.wait.unregister(key.fileobj)
                    key.fileobj.close()
                    yield key.data, good
            if now_s >= until_s:
                return


def beat(path, address, port, step_s):
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    attempts = Attempts(address, port)
    with open(path, "a", buffering=1) as log:
        while not stop:
            if not attempts.begin():
                log.write("no\n")
            for _, good in attempts.ended(step_s):
                log.write("ok\n" if good else "no\n")
        for _, good in attempts.ended(Attempts.LIMIT_S):
            log.write("ok\n" if good else "no\n")


def opens(address, port):
    attempts, through = Attempts(address, port), []
    while not through:
        attempts.begin()
        through = [began_s for began_s, good in attempts.ended(0.05) if good]
    print(round((time.time() - time.monotonic() + min(through)) * 1000))


def refused(address, port):
    began = time.monotonic()
    return not connects(address, port, 2.0) and time.monotonic() - began < 0.5


def greeting(address, port):
    with socket.create_connection((address, port), 2) as s:
        print(s.makefile().readline().strip())


def ask(s):
    s.sendall(b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n")
    return s.recv(4096).decode().replace("\r", "")


def connect_from(source, address, port):
    """Of one's own port; while the last connection's end is not acknowledged yet, the kernel has none."""
    for left in range(50, -1, -1):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.settimeout(2.5)  # one retransmission
        s.bind(("", source))
        try:
            s.connect((address, port))
            return s
        except OSError as e:
            s.close()
            if e.errno != errno.EADDRNOTAVAIL or not left:
                raise
            time.sleep(0.02)


def again(address, port, count):
    source = 0
    for _ in range(count):
        s = connect_from(source, address, port)
        source = s.getsockname()[1]
        s.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        while s.recv(4096):
            pass
        s.close()


def talk(go, path, address, port):
    with socket.create_connection((address, port), 2) as s, open(path, "w", buffering=1) as log:
        log.write(ask(s))
        open(go).read()
        log.write(ask(s))
        time.sleep(1)


def idle(address, port):
    began = time.monotonic()
    with socket.create_connection((address, port), 2) as s:
        s.settimeout(60)
        while s.recv(4096):
            pass
    print(round(time.monotonic() - began))


def talk_at(path, address, port, seconds):
    began = time.monotonic()
    with socket.create_connection((address, port), 2) as s, open(path, "w", buffering=1) as log:
        for at_s in [0] + seconds:
            time.sleep(max(0.0, began + at_s - time.monotonic()))
            asked = time.monotonic()
            try:
                answer = ask(s)
            except OSError:
                answer = ""
            log.write(answer or "gone after %.1f s\n" % (time.monotonic() - asked))


def main():
    what, args = sys.argv[1], sys.argv[2:]
    if what == "serve":
        serve(args[0], [int(port) for port in args[1:]])
    elif what == "once":
        sys.exit(0 if connects(args[0], int(args[1]), 1.0) else 1)
    elif what == "opens":
        opens(args[0], int(args[1]))
    elif what == "refused":
        sys.exit(0 if refused(args[0], int(args[1])) else 1)
    elif what == "greeting":
        greeting(args[0], int(args[1]))
    elif what == "again":
        again(args[0], int(args[1]), int(args[2]))
    elif what == "idle":
        idle(args[0], int(args[1]))
    elif what == "talk-at":
        talk_at(args[0], args[1], int(args[2]), [float(at_s) for at_s in args[3:]])
    elif what == "talk":
        talk(args[0], args[1], args[2], int(args[3]))
    elif what == "beat":
        beat(args[0], args[1], int(args[2]), int(args[3]) / 1000)


main()
