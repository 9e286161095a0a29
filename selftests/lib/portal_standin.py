#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Stands where lazaret-portal will: tells each client the address that it asked for.

Descriptors as include/lazaret/portal.h says. HTTP connections are kept alive, so that a test can ask
again on the same one; mail connections get a 554 and are closed.
"""
import selectors
import socket
import sys

PAGES, SINKS = (3, 4), (5, 6)


def asked(peer):
    address, port = peer.getsockname()[:2]
    return "%s %d" % (address, port)


def answer_page(wait, peer):
    try:
        request = peer.recv(4096)
    except OSError:
        request = b""
    if request:
        body = ("page for %s\n" % asked(peer)).encode()
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    if not request or b"Connection: close" in request:
        wait.unregister(peer)
        peer.close()


def listen(wait, fd, kind):
    try:
        wait.register(socket.socket(fileno=fd), selectors.EVENT_READ, kind)
    except OSError:
        print("descriptor %d is closed" % fd, file=sys.stderr)


def main():
    wait = selectors.DefaultSelector()
    for fd in PAGES + SINKS:
        listen(wait, fd, "page" if fd in PAGES else "sink")
    while True:
        for key, _ in wait.select():
            if key.data == "peer":
                answer_page(wait, key.fileobj)
                continue
            peer, _ = key.fileobj.accept()
            if key.data == "page":
                wait.register(peer, selectors.EVENT_READ, "peer")
            else:
                peer.sendall(("554 5.7.1 sink for %s\r\n" % asked(peer)).encode())
                peer.close()


main()
