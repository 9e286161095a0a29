// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tag.bpf.c - a customer's equipment that tags what it sends with a priority (802.1Q, VLAN 0, PCP 3),
 * which every host takes without a VLAN device. For tc egress.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define TAG	 0x6000
#define ETH_8021Q 0x8100

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int tag(struct __sk_buff *skb)
{
	return bpf_skb_vlan_push(skb, __builtin_bswap16(ETH_8021Q), TAG) ? 2 : 0;
}
