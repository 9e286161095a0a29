#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""usage: capture.py LINK FILE <ROWS

Writes a capture for backtest.sh. LINK is ethernet, pcapng, big-endian, nanoseconds, raw, ipv4, ipv6,
sll, sll2, ppp, null, or the number of any link type (frames without a link header then). A row is

    SECONDS SOURCE DESTINATION SPORT DPORT [WORD...]

with words seq=N, flags=S|SA|R|A|PA, wrap=vlan|qinq|pppoe|mpls (Ethernet only), cut=BYTES of the frame
that are in the file, short (a frame of 10 bytes), repeat=N (the row N times, with other source ports
and numbers), spread (with other destinations, too), sources (with other sources instead).
"""
import ipaddress
import struct
import sys

LINKS = {"ethernet": 1, "pcapng": 1, "big-endian": 1, "nanoseconds": 1, "raw": 101, "ipv4": 228,
         "ipv6": 229, "sll": 113, "sll2": 276, "ppp": 9, "null": 0}
FLAGS = {"S": 2, "SA": 18, "R": 4, "A": 16, "PA": 24}


def ip_packet(src, dst, sport, dport, seq, flags):
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, 0, 0x50, flags, 65535, 0, 0)
    if src.version == 4:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + src.packed + dst.packed + tcp
    return struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + src.packed + dst.packed + tcp


def wrap(link, packet, version, how):
    ethertype = 0x0800 if version == 4 else 0x86DD
    body = struct.pack("!H", ethertype) + packet
    if how == "vlan":
        body = struct.pack("!HH", 0x8100, 7) + body
    elif how == "qinq":
        body = struct.pack("!HHHH", 0x88A8, 9, 0x8100, 7) + body
    elif how == "pppoe":
        body = struct.pack("!HBBHHH", 0x8864, 0x11, 0, 1, len(packet) + 2,
                           0x21 if version == 4 else 0x57) + packet
    elif how == "mpls":
        body = struct.pack("!HII", 0x8847, 0x00064000 | 64, 0x00065100 | 64) + packet
    if link == 113:
        return struct.pack("!HHHQ", 0, 1, 6, 0) + body
    if link == 276:
        return body[:2] + struct.pack("!HIHBBQ", 0, 1, 1, 0, 6, 0) + body[2:]
    if link == 9:
        return struct.pack("!BBH", 0xFF, 3, 0x21 if version == 4 else 0x57) + packet
    if link == 0:
        return struct.pack("<I", 2 if version == 4 else 30) + packet
    return bytes(12) + body if link == 1 else packet


def frames(rows, link):
    for row in rows:
        words = row.split("#")[0].split()
        if not words:
            continue
        seconds, src, dst = float(words[0]), ipaddress.ip_address(words[1]), ipaddress.ip_address(words[2])
        sport, dport = int(words[3]), int(words[4])
        options = dict((w.split("=") + [""])[:2] for w in words[5:])
        if link == 228 and src.version == 6 or link == 229 and src.version == 4:
            continue
        for i in range(int(options.get("repeat", 1))):
            s = src + i if "sources" in options else src
            d = dst + i if "spread" in options else dst
            frame = wrap(link, ip_packet(s, d, (sport + i) & 65535, dport, int(options.get("seq", 1)) + 7 * i,
                                         FLAGS[options.get("flags", "S")]), s.version, options.get("wrap"))
            if "short" in options:
                frame = frame[:10]
            yield seconds, frame, frame[:int(options.get("cut", 65535))]


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def write_pcapng(out, rows):
    out.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
    out.write(block(1, struct.pack("<HHI", 1, 0, 65535)))
    for seconds, frame, kept in frames(rows, 1):
        micros = int(seconds * 1000000)
        out.write(block(6, struct.pack("<IIIII", 0, micros >> 32, micros & 0xFFFFFFFF, len(kept), len(frame)) + kept))


def write_pcap(out, rows, name, link):
    order, unit = (">" if name == "big-endian" else "<"), (10**9 if name == "nanoseconds" else 10**6)
    out.write(struct.pack(order + "IHHiIII", 0xA1B23C4D if unit == 10**9 else 0xA1B2C3D4, 2, 4, 0, 0, 65535, link))
    for seconds, frame, kept in frames(rows, link):
        part = int(round(seconds % 1 * unit))
        out.write(struct.pack(order + "IIII", int(seconds), part, len(kept), len(frame)) + kept)


def main():
    name, path = sys.argv[1:]
    with open(path, "wb") as out:
        if name == "pcapng":
            write_pcapng(out, sys.stdin)
        else:
            write_pcap(out, sys.stdin, name, LINKS[name] if name in LINKS else int(name))


main()
