#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Put messages into the outbox of a ledger that no daemon has open.

usage: outbox.py LEDGER CASE WAY...       WAY is hook, webhook or mail
"""
import json
import secrets
import sqlite3
import sys
import time

WAYS = {"hook": 0, "webhook": 1, "mail": 2}


def main():
    path, case, *ways = sys.argv[1:]
    now = int(time.time())
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    with sqlite3.connect(path) as ledger:
        for way in ways:
            key = secrets.token_hex(16)
            news = {"schema": "lazaret/news", "version": 1, "key": key, "event": "garden",
                    "case": int(case), "opened": stamp, "since": stamp, "grade": "garden:leaky",
                    "reason": "spam", "source": "limit:spam", "gateway": "gw"}
            ledger.execute(
                "INSERT INTO outbox (time_s, next_s, case_id, tries, way, key, event, error, body)"
                " VALUES (?, ?, ?, 0, ?, ?, 'garden', '', ?)",
                (now, now, int(case), WAYS[way], key, json.dumps(news)))
            print(key)


main()
