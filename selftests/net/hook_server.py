#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A receiver of webhooks: checks the signature, writes down what came, one JSON object a line.

usage: hook_server.py PORT SECRET-FILE LOG [CERTIFICATE KEY]

POST /take takes everything, /twice refuses each key twice and then takes it, /slow answers after a
minute, /large never stops answering, /away sends elsewhere. What is not signed with the secret, or
by a clock more than five minutes off, is written down as "forged".
"""
import hashlib
import hmac
import http.server
import json
import ssl
import sys
import time


class Receiver(http.server.BaseHTTPRequestHandler):
    tries = {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        stamp = self.headers.get("Lazaret-Timestamp", "0")
        wanted = hmac.new(self.server.secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        signed = hmac.compare_digest("sha256=" + wanted, self.headers.get("Lazaret-Signature", ""))
        fresh = abs(time.time() - int(stamp)) < 300
        key = self.headers.get("Idempotency-Key", "")
        self.tries[key] = self.tries.get(key, 0) + 1
        verdict = self.answer(key) if signed and fresh else self.say(403, "forged")
        self.server.log.write(json.dumps({
            "verdict": verdict, "path": self.path, "key": key, "try": self.tries[key],
            "type": self.headers.get("Content-Type"), "news": json.loads(body)}) + "\n")

    def answer(self, key):
        if self.path == "/twice" and self.tries[key] <= 2:
            return self.say(503, "refused")
        if self.path == "/slow":
            time.sleep(60)
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "/take")
            self.end_headers()
            return "sent-away"
        if self.path == "/large":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(10000):
                    self.wfile.write(b"x" * 65536)
                return "swallowed"
            except OSError:
                return "cut"
        return self.say(200, "taken")

    def say(self, status, verdict):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return verdict

    def log_message(self, *_):
        pass


def main():
    port, secret, log, *tls = sys.argv[1:]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver)
    with open(secret, "rb") as file:
        server.secret = file.read().rstrip(b"\n")
    server.log = open(log, "a", buffering=1)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


main()
