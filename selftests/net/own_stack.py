# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A TCP stack of its own, as a spambot may bring along: whole mails, by connections that are opened as no
system would open them.

    own_stack.py skip  SOURCE MX N    N connections, the first packet after the SYN says two bytes in
    own_stack.py again SOURCE MX N    N connections by one and the same SYN: port and number stay
    own_stack.py plain SOURCE MX N    N connections as any system opens them

SOURCE is routed to this machine and not its own, so its kernel does not answer. Prints how many mails the server
took."""
import socket
import struct
import sys
import time

SYN, FIN, RST, PSH, ACK = 2, 1, 4, 8, 16
MAIL = (b"EHLO bot.example\r\nMAIL FROM:<pills@bot.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n",
        b"Subject: pills\r\n\r\nbuy\r\n.\r\n", b"QUIT\r\n")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Wire:
    def __init__(self, source, server):
        self.source, self.server = socket.inet_aton(source), socket.inet_aton(server)
        self.out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.came = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))

    def send(self, sport, seq, ack, flags, data=b""):
        tcp = struct.pack("!HHIIBBHHH", sport, 25, seq & 0xffffffff, ack & 0xffffffff, 5 << 4, flags, 60000, 0, 0)
        pseudo = self.source + self.server + struct.pack("!HH", 6, len(tcp) + len(data))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp + data)) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp) + len(data), 0, 0, 64, 6, 0) + self.source + self.server
        self.out.sendto(ip + tcp + data, (socket.inet_ntoa(self.server), 0))

    def read(self, sport, seconds):
        """seq, ack, flags, data of what the server sends to a port; None: nothing."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.came.settimeout(left)
            try:
                packet = self.came.recv(65536)
            except OSError:
                return None
            if packet[9] != 6 or packet[12:16] != self.server or packet[16:20] != self.source:
                continue
            at = (packet[0] & 15) * 4
            from_port, to_port, seq, ack, offset, flags = struct.unpack("!HHIIBB", packet[at:at + 14])
            if (from_port, to_port) == (25, sport):
                return seq, ack, flags, packet[at + (offset >> 4) * 4:struct.unpack("!H", packet[2:4])[0]]
        return None


class Connection:
    def __init__(self, wire, sport, isn, skip):
        self.wire, self.sport, self.seq, self.skip, self.ack = wire, sport, isn, skip, 0

    def open(self):
        self.wire.send(self.sport, self.seq, 0, SYN)
        got = self.wire.read(self.sport, 0.5)
        if not got or got[2] & (SYN | ACK) != SYN | ACK:
            return False
        self.seq += 1
        self.ack = got[0] + 1
        if self.skip:  # out of order: the server takes its ACK, and waits for the byte before it
            self.wire.send(self.sport, self.seq + 1, self.ack, ACK | PSH, MAIL[0][1:2])
        else:
            self.wire.send(self.sport, self.seq, self.ack, ACK)
        return True

    def hear(self, what):
        """Until the server has said a line that begins so."""
        text = b""
        while (got := self.wire.read(self.sport, 2)) and not got[2] & RST:
            seq, _, flags, data = got
            if data and seq == self.ack & 0xffffffff:
                self.ack += len(data)
                text += data
                self.wire.send(self.sport, self.seq + 2 * self.skip, self.ack, ACK)
            if any(line.startswith(what) for line in text.split(b"\r\n")):
                return True
        return False

    def say(self, data):
        self.skip = 0
        self.wire.send(self.sport, self.seq, self.ack, ACK | PSH, data)
        self.seq += len(data)

    def mail(self):
        taken = False
        if self.open() and self.hear(b"220"):
            self.say(MAIL[0])
            if self.hear(b"354"):
                self.say(MAIL[1])
                taken = self.hear(b"250 ")
        self.wire.send(self.sport, self.seq, self.ack, RST | ACK)
        return taken


def main(how, source, server, number):
    wire, taken = Wire(source, server), 0
    for i in range(int(number)):
        again = how == "again"
        taken += Connection(wire, 40000 + (0 if again else i), 1000 + (0 if again else 7919 * i), how == "skip").mail()
        time.sleep(0.05)
    print(taken)


main(*sys.argv[1:])
