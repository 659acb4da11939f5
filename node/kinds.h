/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdio.h>

struct err;

/* How the text of one kind of value is read and written.  @value points at a member of
 * @size bytes; a list's parse appends.  print writes "key = text" lines, none when it is empty.
 */
struct kind {
	int (*parse)(const char *text, void *value, size_t size, struct err *err);
	void (*print)(const char *key, const void *value, size_t size, FILE *out);
};

extern const struct kind kind_word;	/* char[]: one word */
extern const struct kind kind_name;	/* char[]: name_is_valid() */
extern const struct kind kind_hostname; /* char[]: DNS name of at most 64 */
extern const struct kind kind_path;	/* char[]: absolute */
extern const struct kind kind_bytes;	/* uint64_t */
extern const struct kind kind_cpus;	/* unsigned, hundredths */
extern const struct kind kind_amount;	/* uint64_t bytes, 0 = none, not printed then */
extern const struct kind kind_cores;	/* unsigned, hundredths; likewise */
extern const struct kind kind_rate;	/* uint64_t bits a second; likewise */
extern const struct kind kind_io;	/* struct io_limit; likewise */
extern const struct kind
    kind_override;		       /* uint64_t, bits of vps_fields[] that a plan may give */
extern const struct kind kind_count;   /* unsigned, 0 = no limit */
extern const struct kind kind_weight;  /* unsigned, 1..10000, 0 = not given, not printed then */
extern const struct kind kind_packets; /* unsigned, 0 or 10..100000000, not printed when 0 */
extern const struct kind kind_connections; /* unsigned, 0 or 16..16777216; likewise */
extern const struct kind kind_switch;	   /* bool: "yes" or "no" */
extern const struct kind kind_seconds;	   /* unsigned */
extern const struct kind kind_time;	   /* int64_t, seconds since 1970 */
extern const struct kind kind_signal;	   /* char[]: "auto" or a signal */
extern const struct kind kind_address;	   /* struct address */
extern const struct kind kind_servers;	   /* struct address[] */
extern const struct kind kind_publish;	   /* struct link */
extern const struct kind kind_ports;	   /* struct ports, not printed when all */
extern const struct kind kind_ip;	   /* struct link: its IPv4 addresses */
extern const struct kind kind_ip6;	   /* struct link: its IPv6 addresses */
extern const struct kind kind_route;	   /* struct link */
extern const struct kind kind_network;	   /* struct network */
extern const struct kind kind_link_mode;   /* enum link_mode */
extern const struct kind kind_keys;	   /* char *, one public key a line */
extern const struct kind kind_accepted;	   /* unsigned, enum limit bits */
extern const struct kind kind_restart;	   /* enum vps_restart */
extern const struct kind kind_onboot;	   /* enum vps_onboot */
extern const struct kind
    kind_quota_period; /* unsigned, of struct quota; the first not printed */
extern const struct kind kind_quota_count;  /* enum quota_counts; likewise */
extern const struct kind kind_quota_action; /* uint64_t; likewise */
extern const struct kind kind_view;	    /* enum node_view */
