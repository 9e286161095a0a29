#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ask a DHCP server for the captive portal option, as a phone does that joins a network.

usage: dhcp_ask.py 4|6 INTERFACE        prints the option's text; exit 1 when there is none
"""
import fcntl
import os
import socket
import struct
import sys

SECONDS = 3


def open_socket(family, interface, port):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    s.settimeout(SECONDS)
    s.bind(("", port))
    return s


def mac_of(interface):
    """SIOCGIFHWADDR"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return fcntl.ioctl(s, 0x8927, struct.pack("256s", interface.encode()))[18:24]


def ask4(interface):
    """RFC 2131 DISCOVER with option 114 in the parameter request list (RFC 8910)."""
    xid = os.urandom(4)
    head = struct.pack("!BBBB4sHH16s16s192s", 1, 1, 6, 0, xid, 0, 0x8000, b"", mac_of(interface), b"")
    options = b"\x63\x82\x53\x63" + b"\x35\x01\x01" + b"\x37\x03\x01\x03\x72" + b"\xff"
    s = open_socket(socket.AF_INET, interface, 68)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.sendto((head + options).ljust(300, b"\0"), ("255.255.255.255", 67))
    while True:
        reply = s.recv(4096)
        if reply[4:8] == xid and reply[0] == 2:
            return find4(reply[240:])


def find4(options):
    while options and options[0] != 255:
        if options[0] == 0:
            options = options[1:]
            continue
        code, length = options[0], options[1]
        if code == 114:
            return options[2:2 + length]
        options = options[2 + length:]
    return None


def ask6(interface):
    """RFC 8415 INFORMATION-REQUEST for option 103."""
    xid = os.urandom(3)
    duid = b"\x00\x03\x00\x01" + mac_of(interface)
    message = b"\x0b" + xid + struct.pack("!HH", 1, len(duid)) + duid + struct.pack("!HHH", 6, 2, 103)
    s = open_socket(socket.AF_INET6, interface, 546)
    s.sendto(message, ("ff02::1:2", 547, 0, socket.if_nametoindex(interface)))
    while True:
        reply = s.recv(4096)
        if reply[0] == 7 and reply[1:4] == xid:
            break
    options = reply[4:]
    while options:
        code, length = struct.unpack("!HH", options[:4])
        if code == 103:
            return options[4:4 + length]
        options = options[4 + length:]
    return None


def main():
    try:
        text = (ask4 if sys.argv[1] == "4" else ask6)(sys.argv[2])
    except TimeoutError:
        print("no answer", file=sys.stderr)
        return 1
    if text is None:
        print("an answer without the option", file=sys.stderr)
        return 1
    print(text.decode())
    return 0


sys.exit(main())
