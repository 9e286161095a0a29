# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The two ends of an ordinary customer's day, for garden.sh.

    garden_ends.py site DIR CERT KEY      the world's web: DIR over HTTP and HTTPS, on every address
    garden_ends.py day WEB MAIL SITE... -- MX...
                                          a page and a message every quarter of a second, each from
                                          the next address of the list, until SIGTERM; WEB and MAIL
                                          get a line for each: "ok", or "no" and why
    garden_ends.py late GO FILE ADDRESS   connect, and ask for a page once something can be read from
                                          GO; FILE: "connected", then the answer
    garden_ends.py quic ADDRESS           exit 0 if UDP 443 is refused within half a second
"""
import functools
import http.client
import http.server
import itertools
import signal
import smtplib
import socket
import ssl
import sys
import threading
import time


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def site(folder, certificate, key):
    handler = functools.partial(Quiet, directory=folder)
    secret = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secret.load_cert_chain(certificate, key)
    plain, tls = Server(("::", 80), handler), Server(("::", 443), handler)
    tls.socket = secret.wrap_socket(tls.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    tls.serve_forever()


def page(address):
    peer = http.client.HTTPConnection(address, 80, timeout=3)
    peer.request("GET", "/", headers={"Host": "www.example.org"})
    if b"The real site" not in peer.getresponse().read():
        raise OSError("another page")
    peer.close()


def message(address):
    with smtplib.SMTP(address, timeout=3, local_hostname="office.example.net") as mx:
        mx.sendmail("office@example.com", "bob@example.org", "Subject: an ordinary day\r\n\r\nHello.\r\n")


def every(step_s, path, what, addresses, stop):
    with open(path, "a", buffering=1) as log:
        for address in itertools.cycle(addresses):
            began = time.monotonic()
            try:
                what(address)
                log.write("ok\n")
            except (OSError, smtplib.SMTPException, http.client.HTTPException) as why:
                log.write("no %s %s %s\n" % (time.strftime("%H:%M:%S"), address, why))
            if stop.wait(max(0.0, step_s - (time.monotonic() - began))):
                return


def day(web, mail, sites, mxs):
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    both = [threading.Thread(target=every, args=(0.25, web, page, sites, stop)),
            threading.Thread(target=every, args=(0.25, mail, message, mxs, stop))]
    for one in both:
        one.start()
    for one in both:
        one.join()


def late(go, path, address):
    with socket.create_connection((address, 80), 3) as s, open(path, "w", buffering=1) as log:
        log.write("connected\n")
        open(go).read()
        s.sendall(b"GET /news HTTP/1.1\r\nHost: www.example.org\r\n\r\n")
        log.write(s.recv(4096).decode())


def quic(address):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.5)
        s.connect((address, 443))
        s.send(bytes(1200))
        try:
            s.recv(100)
        except socket.timeout:
            return False
        except OSError:
            return True
    return False


def main():
    what, args = sys.argv[1], sys.argv[2:]
    if what == "site":
        site(*args)
    elif what == "day":
        cut = args.index("--")
        day(args[0], args[1], args[2:cut], args[cut + 1:])
    elif what == "late":
        late(*args)
    elif what == "quic":
        sys.exit(0 if quic(args[0]) else 1)


main()
