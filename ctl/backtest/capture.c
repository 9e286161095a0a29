/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "backtest/capture.h"
#include "base/clock.h"
#include "base/mem.h"

#define ETH_BYTES  14
#define ETH_IP4	   0x0800
#define ETH_IP6	   0x86dd
#define ETH_PPP	   0x880b /* a control protocol of PPP: no IP */
#define ETH_OTHER  0x88b5 /* local experiments (RFC 9542): no IP either */

struct lz_capture {
	pcap_t *pcap;
	/* Payload offset and EtherType of a frame; -1: too short to tell. NULL: it is Ethernet. */
	int (*link)(const __u8 *data, __u32 bytes, __u16 *ret_type);
	char *path;
	__u64 first_ns, last_ns, backwards;
	__u8 frame[LZ_CAPTURE_FRAME_MAX];
};

static __u16 be16(const __u8 *p)
{
	return (__u16)(p[0] << 8 | p[1]);
}

/* ---------------------------------------------------------------- links */

static int link_raw(const __u8 *data, __u32 bytes, __u16 *ret_type)
{
	if (!bytes)
		return -1;
	*ret_type = data[0] >> 4 == 4 ? ETH_IP4 : data[0] >> 4 == 6 ? ETH_IP6 : ETH_OTHER;
	return 0;
}

static int link_ip4(const __u8 *data, __u32 bytes, __u16 *ret_type)
{
	(void)data;
	(void)bytes;
	*ret_type = ETH_IP4;
	return 0;
}

static int link_ip6(const __u8 *data, __u32 bytes, __u16 *ret_type)
{
	(void)data;
	(void)bytes;
	*ret_type = ETH_IP6;
	return 0;
}

static int link_cooked(const __u8 *data, __u32 bytes, __u16 *ret_type)
{
	if (bytes < 16)
		return -1;
	*ret_type = be16(data + 14);
	return 16;
}

static int link_cooked2(const __u8 *data, __u32 bytes, __u16 *ret_type)
{
	if (bytes < 20)
		return -1;
	*ret_type = be16(data);
	return 20;
}

/* RFC 1661, 1662: address and control may be left out, and so may the first byte of the protocol. */
static int link_ppp(const __u8 *data, __u32 bytes, __u16 *ret_type)
{
	__u32 at = bytes >= 2 && data[0] == 0xff && data[1] == 0x03 ? 2 : 0;
	__u16 protocol;

	if (bytes < at + 2)
		return -1;
	if (data[at] & 1) {
		protocol = data[at];
		at += 1;
	} else {
		protocol = be16(data + at);
		at += 2;
	}
	*ret_type = protocol == 0x0021 ? ETH_IP4 : protocol == 0x0057 ? ETH_IP6 : ETH_PPP;
	return (int)at;
}

/* The address family of the machine that captured, in its byte order: 2 everywhere for IPv4; 10 for
 * IPv6 on Linux, 24, 28, 30 on the BSDs. */
static int link_null(const __u8 *data, __u32 bytes, __u16 *ret_type)
{
	__u32 family;

	if (bytes < 4)
		return -1;
	family = data[0] | data[1] ? (__u32)data[1] << 8 | data[0] : be16(data + 2);
	*ret_type = family == 2 ? ETH_IP4 :
		    family == 10 || family == 24 || family == 28 || family == 30 ? ETH_IP6 : ETH_OTHER;
	return 4;
}

static const struct {
	int dlt;
	int (*link)(const __u8 *data, __u32 bytes, __u16 *ret_type);
} links[] = {
	{ DLT_EN10MB, NULL },	       { DLT_RAW, link_raw },
	{ DLT_IPV4, link_ip4 },	       { DLT_IPV6, link_ip6 },
	{ DLT_LINUX_SLL, link_cooked }, { DLT_LINUX_SLL2, link_cooked2 },
	{ DLT_PPP, link_ppp },	       { DLT_PPP_SERIAL, link_ppp },
	{ DLT_NULL, link_null },       { DLT_LOOP, link_null },
};

static int choose_link(struct lz_capture *c, struct lz_err *reterr)
{
	int dlt = pcap_datalink(c->pcap);
	const char *name = pcap_datalink_val_to_name(dlt);

	for (size_t i = 0; i < LZ_ARRAY_SIZE(links); i++)
		if (links[i].dlt == dlt) {
			c->link = links[i].link;
			return 0;
		}
	return lz_err_set(reterr, EPROTONOSUPPORT,
			  "%s: link type %s (%d) is not known here; want Ethernet, raw IP, Linux cooked, PPP or BSD loopback",
			  c->path, name ? name : "?", dlt);
}

/* ---------------------------------------------------------------- frames */

void lz_capture_close(struct lz_capture **capture)
{
	struct lz_capture *c = *capture;

	*capture = NULL;
	if (!c)
		return;
	if (c->pcap)
		pcap_close(c->pcap);
	free(c->path);
	free(c);
}

int lz_capture_open(const char *path, struct lz_capture **ret, struct lz_err *reterr)
{
	struct lz_capture *c = calloc(1, sizeof(*c));
	char text[PCAP_ERRBUF_SIZE] = "", *why = text;
	size_t len = strlen(path);
	int r = c ? lz_strdup_to(&c->path, path) : -ENOMEM;

	if (r < 0) {
		lz_capture_close(&c);
		return lz_err_set(reterr, r, "backtest: out of memory");
	}
	c->pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, text);
	if (!strncmp(text, path, len) && !strncmp(text + len, ": ", 2)) /* libpcap names some files */
		why += len + 2;
	if (!c->pcap)
		r = lz_err_set(reterr, EINVAL, "%s: cannot read the capture: %s", path, why);
	else
		r = choose_link(c, reterr);
	if (r < 0) {
		lz_capture_close(&c);
		return r;
	}
	*ret = c;
	return 0;
}

static __u64 move_clock(struct lz_capture *c, __u64 wall_ns)
{
	if (!c->last_ns)
		c->first_ns = c->last_ns = wall_ns;
	if (wall_ns < c->last_ns)
		c->backwards++;
	else
		c->last_ns = wall_ns;
	return LZ_CAPTURE_START_NS + (c->last_ns - c->first_ns);
}

/* A synthetic Ethernet header in front of the payload. */
static __u32 dress_frame(struct lz_capture *c, const __u8 *data, __u32 bytes)
{
	__u16 type = ETH_OTHER;
	int at = c->link(data, bytes, &type);

	if (at < 0)
		return 0;
	bytes -= (__u32)at;
	if (bytes > LZ_CAPTURE_FRAME_MAX - ETH_BYTES)
		bytes = LZ_CAPTURE_FRAME_MAX - ETH_BYTES;
	memset(c->frame, 0, ETH_BYTES - 2);
	c->frame[0] = c->frame[6] = 0x02; /* locally administered */
	c->frame[12] = (__u8)(type >> 8);
	c->frame[13] = (__u8)type;
	memcpy(c->frame + ETH_BYTES, data + at, bytes);
	return ETH_BYTES + bytes;
}

int lz_capture_next(struct lz_capture *c, struct lz_capture_frame *ret, struct lz_err *reterr)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int r = pcap_next_ex(c->pcap, &header, &data);

	if (r == PCAP_ERROR_BREAK)
		return 0;
	if (r != 1)
		return lz_err_set(reterr, EIO, "%s: breaks off: %s", c->path, pcap_geterr(c->pcap));
	ret->wire_bytes = header->len;
	ret->wall_ns = (__u64)header->ts.tv_sec * LZ_NS_PER_S + (__u64)header->ts.tv_usec;
	ret->now_ns = move_clock(c, ret->wall_ns);
	if (c->link) {
		ret->bytes = dress_frame(c, data, header->caplen);
		ret->data = c->frame;
	} else {
		ret->bytes = header->caplen < LZ_CAPTURE_FRAME_MAX ? header->caplen : LZ_CAPTURE_FRAME_MAX;
		ret->data = data;
	}
	return 1;
}

__u64 lz_capture_backwards(const struct lz_capture *capture)
{
	return capture->backwards;
}
