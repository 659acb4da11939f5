/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct link_knob;

/* An address with its prefix length, or nothing (family 0). */
struct address {
	int family;	   /* AF_INET, AF_INET6, or 0 */
	unsigned prefix;   /* 0..32 or 0..128 */
	uint8_t bytes[16]; /* network order, the first 4 for AF_INET */
};

#define ADDRESS_TEXT 64

/* "10.77.0.2", "10.77.0.1/16", "fd00::1/64"; without a prefix it is a host's (32, 128).
 * ERR_VALUE. */
int address_parse(const char *text, struct address *address, struct err *err);
void address_print(const struct address *address, bool with_prefix, char *text, size_t size);
bool address_is_equal(const struct address *a, const struct address *b);

/* Is @address in the network of @network?  Is the whole network @inner? */
bool address_is_in(const struct address *network, const struct address *address);
bool network_is_in(const struct address *network, const struct address *inner);

/* The same prefix with a host part of zero. */
void address_network(const struct address *address, struct address *network);

/* Is @address in the network of @network, and not its network or broadcast address? */
bool address_is_usable(const struct address *network, const struct address *address);

/* The @n-th host of a network, counting its network address as 0, with the network's prefix;
 * false when beyond it. */
bool address_nth(const struct address *network, uint64_t n, struct address *address);

/* Forwarded ports of the node: host port -> the VPS's port. */
struct publish {
	uint16_t host, guest;
	uint8_t protocol;  /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t more;	   /* further ports behind these two, each leading to its own */
	struct address at; /* of the node; family 0: any */
};

#define PUBLISH_MAX	  32   /* of a VPS */
#define PUBLISH_PORTS_MAX 1024 /* all of them together */
#define PUBLISH_TEXT	  96

/* "22001:22", "5353:53/udp", "203.0.113.5:8000-8010:80", "[2001:db8::5]:80:80".  ERR_VALUE. */
int publish_parse(const char *text, struct publish *publish, struct err *err);
void publish_print(const struct publish *publish, char *text, size_t size);

/* Does @text, the whole or the part in front of the VPS's port ("22001", "5353/udp"), mean it?
 */
bool publish_is_named(const struct publish *publish, const char *text);

/* Do they have a port of the node in common? */
bool publish_meets(const struct publish *a, const struct publish *b);

/* Ports that are open, of whoever listens there. */
struct port_range {
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, or IPPROTO_ICMP for both families' */
	uint16_t first, last;
};

#define PORT_RANGES_MAX 32
#define PORTS_TEXT	(PORT_RANGES_MAX * 16)

struct ports {
	bool some; /* only these; else all, and count is 0 */
	unsigned count;
	struct port_range list[PORT_RANGES_MAX]; /* sorted, none meets another */
};

/* "all", "none", "tcp/22,80,8000-8010,udp/53,icmp", "udp": a port without a protocol is of the
 * one before.  ERR_VALUE.  Printed it is as short as can be. */
int ports_parse(const char *text, struct ports *ports, struct err *err);
void ports_print(const struct ports *ports, char *text, size_t size);

#define BRIDGE_FREE_MAX 64
#define BRIDGE_WAYS_MAX 16

/* A network beside the bridge's own that VPSs have addresses of, and its own way out, which is
 * some other machine's. */
struct way {
	struct address network, gateway;
};

/* The node's bridge; its own addresses are the gateways of the VPSs. */
struct bridge {
	char name[16];
	unsigned mtu;	     /* 0: that of the default route's interface */
	struct address ipv4; /* gateway with the subnet's prefix */
	struct address ipv6; /* likewise, or nothing */

	/* what VPSs reach of the node itself, beside ICMP: those that are named */
	struct ports open;

	/* traffic with these is counted apart; family 0 behind the last */
	struct address free[BRIDGE_FREE_MAX];

	struct way ways[BRIDGE_WAYS_MAX]; /* likewise; no two networks meet */

	/* a port of the machine's that is the bridge's, and the way out of what has a way of
	 * its own; empty: none */
	char uplink[16];
};

/*
 * The nft table of the node whose bridge this is, in the family inet: "nodectl" for the
 * default bridge, else "nodectl-<bridge>".  Two nodes on one machine have one each.
 */
#define BRIDGE_DEFAULT "nodectl0"
#define BRIDGE_TABLE   32

void bridge_table(const struct bridge *bridge, char table[BRIDGE_TABLE]);

#define LINK_ADDRESSES_MAX 31 /* beside the first of each family; and prefixes */

/* How a VPS is connected. */
enum link_mode {
	LINK_BRIDGE, /* as a port of the node's bridge, isolated from the others */
	LINK_ROUTED, /* by routes of the node that lead to its interface, which is on no bridge
		      */
	LINK_NONE,   /* not at all */
};

const char *link_mode_name(enum link_mode mode);

/* A private network: the VPSs on it reach each other.  By its number the kernel knows it. */
struct network {
	char name[64]; /* empty: none */
	uint32_t number;
};

struct mac {
	uint8_t bytes[6];
};

/* The network of one VPS. */
struct link {
	enum link_mode mode;
	struct address ipv4, ipv6; /* prefix as the guest sees it; family 0: none */
	struct address further[LINK_ADDRESSES_MAX]; /* addresses beside these two */
	unsigned further_count;
	struct address routed[LINK_ADDRESSES_MAX]; /* prefixes that lead to the VPS */
	unsigned routed_count;
	struct publish publish[PUBLISH_MAX];
	unsigned publish_count;
	uint64_t rate_in, rate_out; /* bits a second to and from the VPS; 0: no limit */
	unsigned accepted;    /* enum link_rate bits that the kernel may be unable to hold */
	unsigned packet_rate; /* packets a second, each way; 0: no limit */
	bool smtp;	      /* mail may be sent: tcp/25 */
	struct network network;
	struct ports allow_in; /* what may be connected to from outside */
	unsigned connections;  /* that it begins, and as many that come to each address; 0: as
				  the  node has room for */
};

/* The @n-th of all its addresses, NULL behind the last. */
const struct address *link_address(const struct link *link, unsigned n);

/* Is @address one of them, whatever the prefixes?  NULL has none. */
bool link_has(const struct link *link, const struct address *address);

/* One more of @family; false, and nothing is changed: there are as many as there can be. */
bool link_has_room(const struct link *link, int family);
bool link_address_add(struct link *link, const struct address *address);

/* Take one away, whatever its prefix; the next of its family becomes the first. */
bool link_address_remove(struct link *link, const struct address *address);

/* All of one family. */
void link_address_clear(struct link *link, int family);

/*
 * The @n-th prefix that packets of the VPS may come from: its addresses as /32 or /128, then
 * what is routed to it.  false behind the last.
 */
bool link_allowed(const struct link *link, unsigned n, struct address *prefix);

/* What is there of it: nothing in the mode LINK_NONE, for which its addresses are only kept. */
void link_settle(struct link *link);

/* Has it a network?  Without an address there is none: one could be given to it inside. */
bool link_is_wanted(const struct link *link);

/* The bridge's way that an address of VPSs has; NULL: none but through the node. */
const struct way *bridge_way(const struct bridge *bridge, const struct address *address);

/* The first address of @link with a way of its own, and, unless NULL, that @way.  NULL: none;
 * one that is routed has none. */
const struct address *link_way(const struct bridge *bridge, const struct link *link, int family,
			       const struct way **way);

/*
 * The way out, as the VPS sees it: that of link_way(), or an address of the bridge or, where it
 * is routed, 169.254.0.1 and fe80::1, which are the same on all nodes, so that the definition
 * can move.  NULL: none.
 */
const struct address *link_gateway(const struct bridge *bridge, const struct link *link,
				   int family);

/* How many ports are forwarded. */
unsigned publish_ports(const struct link *link);

/* The two directions, as the VPS sees them. */
enum link_rate { LINK_RATE_IN = 1 << 0, LINK_RATE_OUT = 1 << 1 };

/*
 * Make the bridge with its addresses, up, and let the node forward: the
 * sysctls ip_forward and, with IPv6, forwarding (an interface that listened to
 * router advertisements keeps doing so: accept_ra 1 becomes 2, see
 * Documentation/networking/ip-sysctl.rst).  Loads the nft table when it is not
 * there.  Makes the uplink a port of it: up, learning, not isolated.  One that
 * is missing, that has addresses of the node, or that is a port elsewhere is an
 * error when @uplinked; else it is missed by those VPSs only that need it.
 * Idempotent; cheap when all is as it should be.
 */
int bridge_ensure(const struct bridge *bridge, bool uplinked, struct err *err);

/* Does @link go out by the uplink, with some of its addresses? */
bool link_has_uplink(const struct bridge *bridge, const struct link *link);

/*
 * Compare the kernel with what bridge_ensure() makes of table and bridge, like link_diff(); it
 * mends.  No bridge is no difference: a VPS that starts brings it.
 */
int bridge_diff(const struct bridge *bridge,
		int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		void *arg, struct err *err);

/*
 * Make the veth pair of VPS @id: near end "nv<id>" on the bridge, isolated, and
 * down; far end "eth0" born in the network namespace @netns with its MAC address
 * (derived from @id), MTU, addresses, routes, up, like "lo".  A near end left from before
 * is removed first.  An address outside of the bridge's networks gets a route to the bridge.
 *
 * A routed one is on no bridge, and has its addresses as /32 and /128: neither end ever has to
 * ask who has one.
 *
 * The bridge takes no frame from another MAC address than that one.  The caller is root of
 * the initial user namespace and sees /proc; a failure may leave the near end, for
 * link_remove().
 */
int link_create(unsigned id, const struct bridge *bridge, const struct link *link, int netns,
		struct err *err);

/*
 * From the addresses and prefixes of @before to those of @after, while the VPS runs: inside, in
 * the network namespace @netns, where what the tenant has changed himself stays, and as routes
 * of the node.  Idempotent; @before NULL: what is missing is added.  An interface that the
 * tenant has removed is no error: the next start makes it.
 */
int link_change(unsigned id, const struct bridge *bridge, const struct link *before,
		const struct link *after, int netns, struct err *err);

/* Remove the node's routes to it by the bridge, whatever its mode is by now; absent ones are
 * fine, and those to its own interface go with that. */
int link_routes_remove(const struct bridge *bridge, const struct link *link, struct err *err);

/* Compare them with what was seen: link_diff().  link_routes_mend() mends. */
struct network_seen;
int link_routes_diff(unsigned id, const struct network_seen *seen, const struct link *link,
		     int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		     void *arg, struct err *err);
int link_routes_mend(unsigned id, const struct bridge *bridge, const struct link *link,
		     struct err *err);

/* A route to VPSs that a nodectl has made, as the kernel has it, for repair. */
struct link_route {
	unsigned id;	   /* to the interface of that VPS; 0: to the bridge */
	struct address to; /* an address or a prefix */
	struct address via;
};

/* The @n-th route of the node to VPS @id as people write it, "203.0.113.9/32 dev nv7"; false
 * behind the last. */
#define LINK_ROUTE_TEXT 160
bool link_route_print(unsigned id, const struct bridge *bridge, const struct link *link,
		      unsigned n, char text[LINK_ROUTE_TEXT]);

/* Call @each for those to @bridge and to interfaces of VPSs, of whatever node. */
int link_routes_each(const struct bridge *bridge,
		     int (*each)(const struct link_route *route, void *arg, struct err *err),
		     void *arg, struct err *err);

/* Is it one that VPS @id needs? */
bool link_needs_route(unsigned id, const struct bridge *bridge, const struct link *link,
		      const struct link_route *route);

/* Is it still there? */
bool link_route_exists(const struct bridge *bridge, const struct link_route *route);

/* Remove one that no VPS needs; an absent one is fine. */
int link_route_remove(const struct bridge *bridge, const struct link_route *route,
		      struct err *err);

/* Where the bridge believes an address to be for ever, which is at the interface of VPS @id, as
 * the kernel has it, for repair. */
struct link_neighbour {
	unsigned id;
	struct address address;
};

/* Call @each for those of @bridge. */
int link_neighbours_each(const struct bridge *bridge,
			 int (*each)(const struct link_neighbour *neighbour, void *arg,
				     struct err *err),
			 void *arg, struct err *err);

/* Is it where a VPS that runs with @link is? */
bool link_needs_neighbour(const struct link *link, const struct link_neighbour *neighbour);

/* Is it still there? */
bool link_neighbour_exists(const struct bridge *bridge, const struct link_neighbour *neighbour);

/* Remove one that no VPS needs; an absent one is fine. */
int link_neighbour_remove(const struct bridge *bridge, const struct link_neighbour *neighbour,
			  struct err *err);

/* Somebody else on the uplink is asked for addresses that are to be used. */
struct inquiry {
	int fd; /* -1: nobody is */
	char uplink[16];
	struct mac mac;
	unsigned count;
	struct address addresses[LINK_ADDRESSES_MAX + 2];
	unsigned long long begun; /* milliseconds of the boot's clock */
};

struct inquiry inquiry_none(void);
void inquiry_close(struct inquiry *inquiry);

/*
 * Ask for those addresses of @after that go out by the uplink and that @before, which may be
 * NULL, has not; all at once.  Then wait until 200 ms after that for answers: an address that
 * somebody has is ERR_ADDRESS.  Without an uplink neither does anything.
 */
int inquiry_begin(struct inquiry *inquiry, unsigned id, const struct bridge *bridge,
		  const struct link *before, const struct link *after, struct err *err);
int inquiry_end(struct inquiry *inquiry, struct err *err);

/* Tell everybody on the uplink of the same addresses that they are here now. */
int link_announce(unsigned id, const struct bridge *bridge, const struct link *before,
		  const struct link *after, struct err *err);

/* Let packets pass: the near end goes up, and gets its routes where it is routed. */
int link_up(unsigned id, const struct bridge *bridge, const struct link *link, struct err *err);

/*
 * Bring the rates of VPS @id to @link's, from whatever they are.  Packets wait at the node's
 * side, where the tenant reaches nothing; a change drops none.  What the VPS sends goes through
 * an interface "ni<id>", which only a VPS with such a rate has.  A rate is what TCP carries.
 * One that this kernel cannot hold is ERR_KERNEL, unless @link accepts that.
 */
int link_shape(unsigned id, const struct link *link, struct err *err);

/* The enum link_rate bits that this kernel cannot hold.  It is tried: some 20 ms. */
unsigned link_rates_lacking(void);

/* ERR_VALUE for rates that no link has. */
int link_rates_check(const struct link *link, struct err *err);

/* One rate: what it should be, and what the kernel has. */
struct link_knob {
	const char *device; /* "nv7" */
	const char *name;   /* "rate-in" */
	const char *want;   /* "100M", or "0" */
	const char *got;
	bool equal; /* or the operator accepts that it is not */
};

/*
 * Compare the kernel with @link: call @each for both rates; stops at the first -1.  No lock. No
 * near end is ENODEV in err->code.  What differs link_shape() mends.
 */
int link_diff(unsigned id, const struct link *link,
	      int (*each)(const struct link_knob *knob, void *arg, struct err *err), void *arg,
	      struct err *err);

/*
 * The same for the near end as a port: is it up, and on @bridge, with the flags and the MAC
 * address that hold the VPS to its own?  A routed one is on no bridge, and known by its group.
 * link_port_mend() mends.
 */
int link_port_diff(unsigned id, const struct bridge *bridge, const struct link *link,
		   int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		   void *arg, struct err *err);
int link_port_mend(unsigned id, const struct bridge *bridge, const struct link *link,
		   struct err *err);

/* What waits at one of the two rates, and was dropped because too much did; since the link is
 * there. */
struct link_queue {
	uint64_t rate; /* bits a second; 0: no such queue */
	unsigned packets, bytes, dropped;
};

int link_queues(unsigned id, struct link_queue *in, struct link_queue *out, struct err *err);

/* The node's table of connections at one moment, by either side: whatever the number of VPSs
 * that are looked for in it, it is read once. */
struct connection {
	struct address own, other;
};

struct connections {
	struct connection *begun, *come; /* the same, sorted by who began it and whom to */
	size_t count, room;
};

int connections_read(struct connections *all, struct err *err);
void connections_free(struct connections *all);

#define own_connections __attribute__((cleanup(connections_free))) struct connections

/* Those that @link began, and that came to it. */
struct link_connections {
	unsigned begun, come;
};

void link_connections(const struct connections *all, const struct link *link,
		      struct link_connections *found);

/* Remove the near end, with it the pair, and "ni<id>"; absent ones are fine.  Waits some 20 ms
 * for the kernel. */
int link_remove(unsigned id, struct err *err);

/* Does the near end exist?  One that cannot be looked for does. */
bool link_exists(unsigned id);

/* Is anything there that link_remove() would remove? */
bool link_is_left(unsigned id);

/* Bytes and packets as the VPS sees them: received and sent. */
struct link_usage {
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets;
	uint64_t life; /* another number for counters that began anew, until the node boots */
};

int link_usage(unsigned id, struct link_usage *usage, struct err *err);

/* The same of all VPSs that have a link, in one question to the kernel. */
int link_usage_each(void (*each)(unsigned id, const struct link_usage *usage, void *arg),
		    void *arg, struct err *err);

/* Call @each for every id that has an interface of ours, once; for repair. */
int link_each(int (*each)(unsigned id, void *arg, struct err *err), void *arg, struct err *err);

/*
 * The forwards of VPS @id in the table of @bridge: one map element each, in
 * one transaction; the price of a packet does not depend on their number, nor does that of
 * a change.  A host port that another VPS has is ERR_ADDRESS, and then none is added.  Adding
 * what is there and removing what is not are fine; another VPS's are never removed.  A missing
 * table (someone flushed the ruleset) is ENOENT: bridge_ensure() brings it back.
 */
int nat_add(unsigned id, const struct bridge *bridge, const struct link *link, struct err *err);

/* From @before to @after, in one transaction; forwards of both are never away. */
int nat_change(unsigned id, const struct bridge *bridge, const struct link *before,
	       const struct link *after, struct err *err);

/*
 * What a link with connections 0 is bound to: an eighth of the node's table, at most
 * CONNECTIONS_MOST.
 */
#define CONNECTIONS_MOST 32768

unsigned connections_usual(void);

/*
 * What may come in to VPS @id, and how many connections it may have, as elements of sets in the
 * table of @bridge: the price of a packet does not depend on the number of VPSs.  Answers to
 * what the VPS began, and connections that are there already, always pass.  A kernel that
 * cannot count connections bounds none (net_facts()).  From @before to @after, either may be
 * NULL, in one transaction; a missing table is ENOENT, as with nat_add().
 */
int wall_change(unsigned id, const struct bridge *bridge, const struct link *before,
		const struct link *after, struct err *err);

/*
 * The walls, forwards and routes that the kernel has of all VPSs, read once for many that are
 * compared with it.  @bridge stays the caller's.
 */
int network_see(const struct bridge *bridge, struct network_seen **seen, struct err *err);
void network_seen_free(struct network_seen **seen);

#define own_seen __attribute__((cleanup(network_seen_free))) struct network_seen *

/* Compare what was seen with @link, like link_diff(); wall_mend() mends, and looks at the
 * elements of all VPSs. */
int wall_diff(unsigned id, const struct network_seen *seen, const struct link *link,
	      int (*each)(const struct link_knob *knob, void *arg, struct err *err), void *arg,
	      struct err *err);
int wall_mend(unsigned id, const struct bridge *bridge, const struct link *link,
	      struct err *err);

/* Call @each for every id that has an element, once; and remove all that one has.  For repair.
 */
int wall_each(const struct bridge *bridge, int (*each)(unsigned id, void *arg, struct err *err),
	      void *arg, struct err *err);

/* Has somebody who was killed left the machine's RCU expedited, as loading and removing guards
 * makes it for a moment?  1, and unless @dry it is as it was before; 0; -1: it still is. */
int guard_hurry_left(bool dry, struct err *err);

/* Does @id have an element still?  For repair. */
bool wall_is_left(unsigned id, const struct bridge *bridge);

/* Remove forwards, wall and routes of what @link says, while the link stays. */
int network_forget(unsigned id, const struct bridge *bridge, const struct link *link,
		   struct err *err);

/*
 * Remove its forwards, its wall, its routes and its link in one: all wait for the kernel, this
 * way at the same time.  All are tried whatever happens; the first failure is told.
 */
int network_remove(unsigned id, const struct bridge *bridge, const struct link *link,
		   struct err *err);

/* One forward as the kernel has it, for repair. */
struct nat_entry {
	unsigned id;		/* of the VPS that it was made for */
	struct publish publish; /* a single port */
	struct address to;	/* the VPS's address */
};

int nat_each(const struct bridge *bridge,
	     int (*each)(const struct nat_entry *entry, void *arg, struct err *err), void *arg,
	     struct err *err);

/*
 * Compare what was seen with what @link says VPS @id has: call @each for every port that is not
 * forwarded (@missing) or should not be.  nat_mend() mends, and looks at the forwards of all
 * VPSs.
 */
int nat_diff(unsigned id, const struct network_seen *seen, const struct link *link,
	     int (*each)(const struct nat_entry *entry, bool missing, void *arg,
			 struct err *err),
	     void *arg, struct err *err);
int nat_mend(unsigned id, const struct bridge *bridge, const struct link *link,
	     struct err *err);

/* Is it still there? */
bool nat_entry_exists(const struct bridge *bridge, const struct nat_entry *entry);

/* Remove one element that belongs to no VPS. */
int nat_entry_remove(const struct bridge *bridge, const struct nat_entry *entry,
		     struct err *err);

/*
 * Neighbour entries (ARP, ND) that a VPS may have the kernel keep, in all its network
 * namespaces: half a KiB each, of the node's memory, for the kernel charges nobody.  Forwarding
 * entries, interfaces and the like: as many at once, and 16 a second; queues of interfaces:
 * 512.  One too many is ENOBUFS to who asks for it, or ends him on a kernel without BPF LSM
 * (net_facts()).
 */
#define LINK_NEIGHBOURS 16384u

struct link_neighbours {
	uint64_t held, bound;
	uint64_t refused; /* how often, since it was started */
};

/* Bound those of VPS @id, whose user namespace is that of @init; a kernel that cannot bounds
 * none.  bridge_ensure() comes before. */
int link_neighbours_bound(unsigned id, int init, struct err *err);

/* It is stopped; absent is fine. */
void link_neighbours_forget(unsigned id);

/* What it has; false where nothing counts them, and when it does not run. */
bool link_neighbours(unsigned id, struct link_neighbours *neighbours);

/* One row for doctor.  What can be tried is, in a network namespace made for it. */
struct net_fact {
	const char *name;
	bool present;
	const char *consequence;
};

unsigned net_facts(struct net_fact *facts, unsigned max);

/* Back to the network namespace @home.  Who cannot would do to a tenant's network what is meant
 * for the node's: the process ends, and says so. */
void netns_home(int home);
