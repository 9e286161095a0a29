#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Hold the JSON Schema against the policies: all of them are valid, each mistake below is not.

The mistakes are those that `policy check` refuses too and that one key alone shows. Prints the Test
Anything Protocol; exits 1 on a failure. Needs python3-jsonschema (skips without it).
"""
import copy
import json
import pathlib
import re
import sys

try:
    import jsonschema
except ImportError:
    print("1..0 # SKIP python3-jsonschema is not installed")
    sys.exit(0)

HERE = pathlib.Path(__file__).resolve().parent

# Where in the base policy, and what stands there instead.
MISTAKES = [
    ("/version", 2),
    ("/nmae", "x"),
    ("/name", "two words"),
    ("/mode", "off"),
    ("/ipv6-key", 47),
    ("/ipv6-key", 64.5),
    ("/interfaces/cable/side", "inside"),
    ("/interfaces/cable/match", []),
    ("/interfaces/cable/match/0", "averyverylongname0"),
    ("/interfaces/cable/hook", "generic"),
    ("/sets/dynamic/0", "100.64.0.0/016"),
    ("/sets/dynamic/0", "100.64.0.0/10  10.0.0.0/8"),
    ("/sets/dynamic/0", "10.0.0.0/8 "),
    ("/sets/dynamic/1", {"fiel": "x"}),
    ("/sets/dynamic/1", {"file": "../x"}),
    ("/foreign", "limit"),
    ("/capacity/sources", 1023),
    ("/capacity/idle", "25 hours"),
    ("/classes/homes/port25", "drop"),
    ("/classes/homes/port25/to-587", "drop"),
    ("/classes/homes/port25/from-port-25", "smtp-554"),
    ("/classes/homes/limits/0/count", "submission-connections"),
    ("/classes/homes/limits/0/at-most", "0/5min"),
    ("/classes/homes/limits/0/rate", "1/s"),
    ("/classes/homes/limits/0/refuse", "icmp-admin"),
    ("/classes/homes/limits/0/then", "hold"),
    ("/classes/homes/limits/2/burst", 0),
    ("/classes/homes/limits/2/per", {"ipv4": 33, "ipv6": 48}),
    ("/guard/new-per-minute", 0),
    ("/guard/active-sources", 1),
    ("/evidence", {"quarantine-needs": "nothing"}),
    ("/gardens", {"strict": {"mail": "page"}}),
    ("/ladders", {"home": {"steps": ["block25"]}}),
    ("/portal/url", "ftp://quarantine.example.net/"),
    ("/portal/url", "http://user@quarantine.example.net/"),
    ("/portal/url", "http://quarantine.example.net/?next=x"),
    ("/portal/contact", ""),
    ("/portal/languages", []),
    ("/portal/languages", ["en", "en"]),
    ("/portal/languages/0", "english"),
    ("/portal/templates", "portal"),
    ("/portal/self-release/times", 11),
    ("/portal/api", {"url": "https://quarantine.example.net/api", "listen": ["192.0.2.80:443"]}),
    ("/tell", {}),
    ("/tell/hook", "hooks/../case"),
    ("/tell/webhook", {"url": "http://tickets.example.net/", "secret-file": "/etc/lazaret/webhook.key"}),
    ("/tell/mail/to", "Abuse <abuse@example.net>"),
    ("/tell/mail/to", "abuse@example.net\r\nBcc: x@example.org"),
    ("/tell/mail/via", "smtp://user@mail.example.net"),
    ("/tell/on/0", "held"),
    ("/name-servers", ["resolver.example.net"]),
]


def strip_comments(text):
    """// and /* */ outside of strings become one space."""
    token = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.S)
    return token.sub(lambda m: m[0] if m[0][0] == '"' else " ", text)


def load(path):
    return json.loads(strip_comments(path.read_text()))


def put(policy, pointer, value):
    """A copy of the policy with another value at this JSON Pointer."""
    policy = copy.deepcopy(policy)
    *way, last = pointer[1:].split("/")
    spot = policy
    for key in way:
        spot = spot[int(key)] if isinstance(spot, list) else spot[key]
    if isinstance(spot, list):
        spot[int(last)] = value
    else:
        spot[last] = value
    return policy


def main():
    schema = json.loads((HERE / "policy.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    policies = sorted(HERE.parent.glob("*.json"))
    base = load(HERE.parent / "small-cable-isp.json")
    results = [(f"{path.name} is valid", [e.message for e in validator.iter_errors(load(path))])
               for path in policies]
    for pointer, value in MISTAKES:
        refused = not validator.is_valid(put(base, pointer, value))
        results.append((f"{pointer} = {json.dumps(value)} is refused",
                        [] if refused else ["accepted"]))
    print(f"1..{len(results)}")
    for i, (name, complaints) in enumerate(results, 1):
        for complaint in complaints[:5]:
            print(f"#   {complaint[:200]}")
        print(f"{'not ok' if complaints else 'ok'} {i} - {name}")
    return any(complaints for _, complaints in results)


sys.exit(main())
