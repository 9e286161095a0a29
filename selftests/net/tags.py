#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""SYNs in nests of priority tags, and who of them came.

  tags.py send MAC SOURCE DEST PORT   one SYN in each of 0 to 12 tags of VLAN 0, from source port 2000 on
  tags.py watch FILE SOURCE           the source port of each SYN of SOURCE that comes, one a line
"""
import socket
import struct
import sys
import time


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def syn(source, dest, sport, dport):
    ends = socket.inet_aton(source) + socket.inet_aton(dest)
    tcp = struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 0x50, 2, 1000, 0, 0)
    tcp = tcp[:16] + struct.pack("!H", checksum(ends + struct.pack("!HH", 6, len(tcp)) + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + ends
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


def send(mac, source, dest, port):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("eth0", 0))
    macs = bytes.fromhex(mac.replace(":", "")) + wire.getsockname()[4]
    for tags in range(13):
        head = b"".join(struct.pack("!HH", 0x88A8 if n % 2 else 0x8100, 0xE000) for n in range(tags))
        wire.send(macs + head + struct.pack("!H", 0x0800) + syn(source, dest, 2000 + tags, int(port)))
        time.sleep(0.01)


def watch(name, source):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    wire.bind(("eth0", 0x0800))
    with open(name, "w", buffering=1) as out:
        print("watching", file=out)
        while True:
            packet = wire.recv(2048)
            if packet[12:16] == socket.inet_aton(source) and packet[9] == 6 and packet[33] == 2:
                print(struct.unpack("!H", packet[20:22])[0], file=out)


{"send": send, "watch": watch}[sys.argv[1]](*sys.argv[2:])
