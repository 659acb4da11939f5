/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft_msg.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

static void put_header(struct nlmsghdr *nlh, unsigned type, unsigned flags)
{
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = NFPROTO_INET;
	nfg->version = NFNETLINK_V0;
}

/* These two are answered by newer kernels only, so no answer is asked for. */
static void put_bracket(struct nlmsghdr *nlh, uint16_t type)
{
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(NFNL_SUBSYS_NFTABLES);
}

void nft_put_begin(struct nlmsghdr *nlh)
{
	put_bracket(nlh, NFNL_MSG_BATCH_BEGIN);
}

void nft_put_end(struct nlmsghdr *nlh)
{
	put_bracket(nlh, NFNL_MSG_BATCH_END);
}

static void put_value(struct nlmsghdr *nlh, uint16_t type, const uint8_t *value, size_t size)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, size, value);
	mnl_attr_nest_end(nlh, nest);
}

/* As libnftnl packs it: type 0, length, string. */
static void put_comment(struct nlmsghdr *nlh, const char *comment)
{
	uint8_t userdata[2 + sizeof(((struct nft_element *)0)->comment)] = { 0 };
	size_t size = strlen(comment) + 1;

	userdata[1] = (uint8_t)size;
	memcpy(userdata + 2, comment, size);
	mnl_attr_put(nlh, NFTA_SET_ELEM_USERDATA, 2 + size, userdata);
}

/* "ct count over N" */
static void put_connections(struct nlmsghdr *nlh, uint32_t connections)
{
	struct nlattr *expr = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_EXPR), *data;

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "connlimit");
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u32(nlh, NFTA_CONNLIMIT_COUNT, htonl(connections));
	mnl_attr_put_u32(nlh, NFTA_CONNLIMIT_FLAGS, htonl(NFT_CONNLIMIT_F_INV));
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, expr);
}

static void put_element(struct nlmsghdr *nlh, const struct nft_element *e)
{
	struct nlattr *element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	put_value(nlh, NFTA_SET_ELEM_KEY, e->key, e->key_size);
	if (e->end_size)
		put_value(nlh, NFTA_SET_ELEM_KEY_END, e->end, e->end_size);
	if (e->data_size)
		put_value(nlh, NFTA_SET_ELEM_DATA, e->data, e->data_size);
	if (e->connections)
		put_connections(nlh, e->connections);
	if (*e->comment)
		put_comment(nlh, e->comment);
	mnl_attr_nest_end(nlh, element);
}

static void put_elements(struct nlmsghdr *nlh, const char *table, const char *set,
			 const struct nft_element *e, unsigned count)
{
	struct nlattr *list;

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	if (!count)
		return;

	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (unsigned i = 0; i < count; i++)
		put_element(nlh, &e[i]);
	mnl_attr_nest_end(nlh, list);
}

void nft_put_elements_add(struct nlmsghdr *nlh, const char *table, const char *set,
			  const struct nft_element *e, unsigned count)
{
	put_header(nlh, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	put_elements(nlh, table, set, e, count);
}

void nft_put_elements_delete(struct nlmsghdr *nlh, const char *table, const char *set,
			     const struct nft_element *e, unsigned count)
{
	put_header(nlh, NFT_MSG_DELSETELEM, 0);
	put_elements(nlh, table, set, e, count);
}

void nft_put_element_get(struct nlmsghdr *nlh, const char *table, const char *set,
			 const struct nft_element *e)
{
	put_header(nlh, NFT_MSG_GETSETELEM, 0);
	put_elements(nlh, table, set, e, 1);
}

void nft_put_element_dump(struct nlmsghdr *nlh, const char *table, const char *set)
{
	put_header(nlh, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	put_elements(nlh, table, set, NULL, 0);
}

void nft_put_table_delete(struct nlmsghdr *nlh, const char *table)
{
	put_header(nlh, NFT_MSG_DELTABLE, 0);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
}

void nft_of_bridge(struct nlmsghdr *nlh)
{
	struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

	nfg->nfgen_family = NFPROTO_BRIDGE;
}

/* The size of the value inside @nest, or 0 when it is larger than @max. */
static size_t value_read(const struct nlattr *nest, uint8_t *value, size_t max)
{
	const struct nlattr *attr;
	size_t size;

	mnl_attr_for_each_nested(attr, nest)
	{
		size = mnl_attr_get_payload_len(attr);
		if (mnl_attr_get_type(attr) != NFTA_DATA_VALUE || size > max)
			continue;
		memcpy(value, mnl_attr_get_payload(attr), size);
		return size;
	}
	return 0;
}

/* User data is type, length, value; type 0 is the comment (libnftnl/udata.h). */
static void comment_read(const struct nlattr *attr, char *comment, size_t max)
{
	const uint8_t *data = mnl_attr_get_payload(attr);
	size_t size = mnl_attr_get_payload_len(attr);

	if (size < 3 || data[0] != 0 || (size_t)data[1] + 2 > size || data[1] > max)
		return;
	memcpy(comment, data + 2, data[1]);
	comment[data[1] - 1] = 0;
}

static uint32_t connections_read(const struct nlattr *expr)
{
	const struct nlattr *attr, *inner;

	mnl_attr_for_each_nested(attr, expr)
	{
		if (mnl_attr_get_type(attr) != NFTA_EXPR_DATA)
			continue;
		mnl_attr_for_each_nested(inner, attr)
		{
			if (mnl_attr_get_type(inner) == NFTA_CONNLIMIT_COUNT &&
			    mnl_attr_get_payload_len(inner) == sizeof(uint32_t))
				return ntohl(mnl_attr_get_u32(inner));
		}
	}
	return 0;
}

static void element_read(const struct nlattr *nest, struct nft_element *e)
{
	const struct nlattr *attr;

	memset(e, 0, sizeof(*e));
	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_KEY)
			e->key_size = value_read(attr, e->key, sizeof(e->key));
		else if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_KEY_END)
			e->end_size = value_read(attr, e->end, sizeof(e->end));
		else if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_DATA)
			e->data_size = value_read(attr, e->data, sizeof(e->data));
		else if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_EXPR)
			e->connections = connections_read(attr);
		else if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_USERDATA)
			comment_read(attr, e->comment, sizeof(e->comment));
	}
}

void nft_elements_read(const struct nlmsghdr *nlh,
		       void (*each)(const struct nft_element *e, void *arg), void *arg)
{
	const struct nlattr *list, *nest;
	struct nft_element e;

	mnl_attr_for_each(list, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(nest, list)
		{
			element_read(nest, &e);
			if (e.key_size)
				each(&e, arg);
		}
	}
}
