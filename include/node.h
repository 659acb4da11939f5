/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "netns.h"
#include "runtime.h"
#include "vps.h"

struct err;
struct kind;

/* Do VPSs get a view of themselves in /proc? */
enum node_view { NODE_VIEW_AUTO, NODE_VIEW_NONE };
/* How much of itself the node may promise: node.conf(5). */
struct promise {
	/* kept for the node */
	uint64_t reserve_memory, reserve_disk; /* bytes */
	unsigned reserve_cpus;		       /* hundredths */
	unsigned reserve_tasks;
	/* how often all upper limits together may have it, in hundredths; 0: as often as they
	 * like
	 */
	unsigned ratio_cpus, ratio_memory, ratio_disk, ratio_tasks, ratio_traffic;
	uint64_t traffic; /* bytes a month that the node itself has; 0: no limit */
};

/* How long rows of the history live, by their span; seconds. */
struct retention {
	unsigned minutes, hours, days;
};

/* Addresses for VPSs: routed to the node, or beside it, with a gateway of their own. */
struct pool {
	char name[64];
	struct address network;
	struct address gateway; /* family 0: the node is */
};

/* The numbers that VPSs may get. */
struct id_range {
	unsigned first, last;
};

#define NODE_POOLS 16

/* The machine: node.conf(5) and the directories that it names, open. */
struct node {
	char config[256]; /* path of node.conf */
	char storage[200];
	char run[200];
	char plans[256]; /* directory of plans, beside node.conf */
	struct bridge bridge;
	enum link_mode mode; /* how VPSs are connected that do not say */
	struct pool pools[NODE_POOLS];
	unsigned pools_count;
	struct id_range range;
	unsigned ssh_port; /* host port of VPS 0; 0: no forward by default */
	char plan[64];	   /* default plan */
	char image[128];   /* default image */
	struct address nameserver[VPS_NAMESERVERS];
	enum node_view view;
	struct promise promise;	    /* how much of itself it may promise */
	struct retention retention; /* of the history */
	unsigned warn;		    /* at that many percent of a quota, a disk, or its inodes */
	int dir, vps, images, ids, addresses, trash, templates, runs; /* descriptors */
};

#define own_node __attribute__((cleanup(node_close))) struct node

/* Default place of node.conf; the environment's NODECTL_CONFIG or --config replace it. */
#define NODE_CONFIG "/etc/nodectl/node.conf"

/* One line for a node.conf that is yet to be written. */
struct setting {
	const char *key, *value;
};

/* Does node.conf(5) know that key? */
bool node_key_exists(const char *key);

/*
 * Set the machine up, or complete it: node.conf and plans when they are missing, directories
 * 0700, bridge.  What is there stays as it is; @settings for a node.conf that is there are
 * ERR_EXISTS.
 * @say, which may be NULL, is called for each thing done.
 */
int node_init(const char *config, const struct setting *settings, size_t count,
	      void (*say)(const char *what, void *arg), void *arg, struct err *err);

/* A node that is not open, for an own_node whose function may return before node_open(). */
struct node node_none(void);

/* Read node.conf and open the directories.  A node that was not set up is ERR_SYSTEM naming
 * `nodectl init`. */
int node_open(struct node *node, const char *config, struct err *err);
void node_close(struct node *node);

/* Parse node.conf's text; unknown keys and bad values name their line.  Pure, for tests. */
int node_parse(struct node *node, const char *text, struct err *err);

/* A row of a text file of ours, in the order of the manual. */
struct field {
	const char *key;
	const struct kind *kind;
	size_t offset;
	size_t size;
	unsigned flags;	      /* FIELD_… */
	const char *argument; /* for --help: "SIZE" */
	const char *what;     /* one line for --help and docs.sh */
};

enum {
	FIELD_OPTION = 1 << 0,	/* create and set take it as --key */
	FIELD_PLAN = 1 << 1,	/* a plan may give it */
	FIELD_LIST = 1 << 2,	/* may appear more than once */
	FIELD_RESTART = 1 << 3, /* a running VPS takes it at its next start */
	FIELD_FIXED = 1 << 4,	/* only create takes it */
	FIELD_GROWS = 1 << 5,	/* a running VPS takes it at once where volume_grows_live() */
};

extern const struct field vps_fields[];
extern const size_t vps_fields_count;

/* Does a running VPS take it at its next start only, on this node? */
bool field_waits(const struct field *field);

/* Set one field from its text, appending to a list.  An unknown key or bad value is ERR_VALUE
 * naming it. */
int field_set(struct vps *vps, const struct field *field, const char *text, struct err *err);
const struct field *field_find(const char *key);

/* Its bit in struct vps's overrides. */
static inline uint64_t field_bit(const struct field *field)
{
	return UINT64_C(1) << (field - vps_fields);
}

/* Print one field as lines of vps.conf, none when it is empty. */
void field_print(const struct vps *vps, const struct field *field, FILE *out);

/* The same as text to free. */
char *field_text(const struct vps *vps, const struct field *field);

/* vps.conf: text to struct, whole or not at all; and back. */
int vps_parse(struct vps *vps, const char *text, struct err *err);
char *vps_print(const struct vps *vps);

/* The defaults of a definition: init, stop signal, time-out. */
void vps_init(struct vps *vps);

/* Fill what a plan's text says into @vps; keys that no plan may give are ERR_VALUE.  Pure. */
int plan_parse(struct vps *vps, const char *text, struct err *err);

/* The same from the node's plan @plan, which @vps remembers; an unknown plan is ERR_VALUE. */
int plan_load(const struct node *node, const char *plan, struct vps *vps, struct err *err);

/* Are the limits of a plan, or of a VPS, possible together?  ERR_VALUE. */
int plan_check(const struct vps *plan, struct err *err);

/* Let @vps, which exists, have what @plan gives: one field, whose own value it gives up; or all
 * that is not its own, and the plan's name.  What only create takes stays. */
void plan_give(const struct vps *plan, const struct field *field, struct vps *vps);
void plan_adopt(const struct vps *plan, struct vps *vps);

/* Where a VPS's own cap is below what its plan guarantees, the guarantee is the cap. */
void plan_fit(struct vps *vps);

struct plan_values {
	struct vps values;
	uint64_t given; /* field_bit() of what is set there */
	bool fresh;	/* there is no such plan yet; else there is */
	bool dry;	/* only try */
};

/*
 * Write a plan, or change one in its file, whose other lines stay as they are.  ERR_EXISTS,
 * ERR_VALUE.  @plan becomes what it is then.  The VPSs that have it are the caller's to change.
 */
int plan_write(const struct node *node, const char *name, const struct plan_values *values,
	       struct vps *plan, struct err *err);

/* Would its VPSs, one after the other, be admitted with what @plan gives?  ERR_LEDGER names the
 * first that would not. */
int node_plan_check(const struct node *node, const struct vps *plan, struct err *err);

/* Remove one that no VPS has; ERR_EXISTS names one that does. */
int plan_remove(const struct node *node, const char *name, struct err *err);

/* Call @each for every plan; one that cannot be read is passed with its name and the reason. */
int plan_each(const struct node *node,
	      int (*each)(const struct vps *plan, const struct err *broken, void *arg,
			  struct err *err),
	      void *arg, struct err *err);

/* Load by name or id; ERR_NO_VPS. */
int vps_load(const struct node *node, const char *name, struct vps *vps, struct err *err);

/*
 * Load by name or id, also when the definition cannot be read: *@broken says why then, and @vps
 * is what is known of it: the definition that it was started with, or else its id and its
 * network, by its leases.  ERR_NO_VPS.
 */
int vps_look(const struct node *node, const char *name, struct vps *vps, struct err *broken,
	     struct err *err);

/* What can be done about that, for people, in one line. */
void vps_way_out(const struct node *node, const char *name, char *text, size_t size);

/* Call @each for every definition; one that cannot be read is passed as what vps_look() finds,
 * maybe with id 0, and the reason. */
int vps_each(const struct node *node,
	     int (*each)(const struct vps *vps, const struct err *broken, void *arg,
			 struct err *err),
	     void *arg, struct err *err);

/*
 * Call @each for every field that a running VPS will only take at its next start: its
 * definition against the one that it was started with.
 */
int vps_pending(const struct node *node, const struct vps *vps,
		void (*each)(const struct field *field, const char *now, const char *then,
			     void *arg),
		void *arg, struct err *err);

/* The definition that a running VPS was started with, with the network that it has by now. */
int vps_started_load(const struct node *node, const char *name, struct vps *vps,
		     struct err *err);

/*
 * What a definition says, as far as it is there before the next start: how a VPS is connected
 * only that changes, and until then all else is changed there.  @was: place.was, or the network
 * of vps_started_load(); NULL: not known.  A copy that owns nothing.
 */
struct vps vps_as_running(const struct vps *vps, const struct link *was);

/* Should the VPS be up when the node is: --onboot yes, or last and it was running. */
bool vps_wants_boot(const struct node *node, const struct vps *vps);

/* State without lock; a run directory that is not there means stopped. */
void vps_status(const struct node *node, const struct vps *vps, struct status *status);

/*
 * What the life of a VPS needs on this node, taken together: lock, definition, directories.
 * A VPS whose last operation was cut off is cleaned up first, one whose monitor died gets a new
 * one.
 * @what names the operation for whoever has to wait: "stop".
 */
struct held {
	struct vps vps;
	struct place place;
	struct link was;  /* for place.was */
	char broken[504]; /* why the definition cannot be read, see vps_look(); or empty */
};

struct held held_none(void);
int vps_hold(const struct node *node, const char *name, const char *what, struct held *held,
	     struct err *err);

/* The same also when the definition cannot be read: for what ends a VPS. */
int vps_hold_left(const struct node *node, const char *name, const char *what,
		  struct held *held, struct err *err);

/* Its state, which nobody else changes now; -1 when it cannot be told, for one that runs must
 * not be taken for one that does not. */
int held_status(const struct held *held, struct status *status, struct err *err);
void vps_release(struct held *held);

#define own_held __attribute__((cleanup(vps_release))) struct held

/* Is this a VPS that the node can have, whatever it has promised to others?  ERR_VALUE or
 * ERR_KERNEL say why not. */
int vps_check(const struct node *node, const struct vps *vps, struct err *err);

/* The limits that cannot be enforced here, on the disk that the volumes lie on: cgroup_lacks().
 */
unsigned node_lacks(const struct node *node);

/*
 * Call @each for every field in which @after is another VPS than @before, with the line that
 * tells it, "memory = 2G"; @each may be NULL.  Returns how many.
 */
unsigned vps_changes(const struct vps *before, const struct vps *after,
		     void (*each)(const struct field *field, const char *line, void *arg),
		     void *arg);

/*
 * The ledger: what the node has promised against what it has.  Every definition counts, running
 * or not.  Amounts are bytes, pieces, or millionths of a CPU.
 */
enum resource {
	RESOURCE_CPUS,
	RESOURCE_MEMORY,
	RESOURCE_DISK,
	RESOURCE_TASKS,
	RESOURCE_TRAFFIC,
	RESOURCE_ADDRESSES,
	RESOURCE_IDS,
};
#define RESOURCE_COUNT 7

const char *resource_name(enum resource resource);

/* For people, "1.5", "7.2G"; and in base units for JSON: cores, bytes, pieces. */
void resource_print(enum resource resource, uint64_t amount, char *text, size_t size);
double resource_number(enum resource resource, uint64_t amount);

/* What one VPS was promised, or all of them. */
struct claim {
	uint64_t guaranteed[RESOURCE_COUNT];
	uint64_t max[RESOURCE_COUNT];	/* upper limits */
	uint64_t whole[RESOURCE_COUNT]; /* how many have no limit: each counts as the node */
};

/* What the definition @vps is promised.  A share of the CPUs is what the kernel gives it under
 * contention (cgroup_weight()), whether that was asked for as a guarantee or as a weight. */
void claim_of(const struct vps *vps, struct claim *claim);

/* What the node has, and how much of it may be promised. */
struct capacity {
	uint64_t has[RESOURCE_COUNT]; /* 0: no limit */
	uint64_t reserve[RESOURCE_COUNT];
	unsigned ratio[RESOURCE_COUNT]; /* hundredths; 0: any */
	uint64_t disk_left;		/* not written to yet, whatever was promised */
};

int capacity_find(const struct node *node, struct capacity *capacity, struct err *err);

/* What may be guaranteed in all, and what upper limits may come to; UINT64_MAX: no limit. */
uint64_t capacity_guaranteed(const struct capacity *capacity, enum resource resource);
uint64_t capacity_max(const struct capacity *capacity, enum resource resource);

/* Upper limits in all, with those that have none. */
uint64_t claim_max(const struct claim *claim, const struct capacity *capacity,
		   enum resource resource);

/* How many more of @one fit, and which resource is the first that has no room for another;
 * UINT64_MAX, and @bottleneck as it was, when there is no such. */
uint64_t capacity_room(const struct capacity *capacity, const struct claim *promised,
		       const struct claim *one, enum resource *bottleneck);

/* What is promised to all VPSs now; O(1). */
int node_promised(const struct node *node, struct claim *promised, struct err *err);

/* What is done about a promise that does not fit. */
enum admission {
	ADMIT_CHECKED, /* ERR_LEDGER with the arithmetic */
	ADMIT_FORCED,  /* it is made, and noted in the event log of the VPS */
	ADMIT_KNOWN,   /* it was made before: nothing is asked */
};

/* What create and set were told beside the definition. */
struct wanted {
	bool auto4, auto6; /* the node chooses the address */
	/* and further ones, of a pool, or of its subnet */
	struct wanted_address {
		char pool[64]; /* empty: of the subnet */
		int family;
	} more[8];
	unsigned more_count;
	bool publish;  /* forwards were named: no default one */
	bool selftest; /* throw-away: repair removes it when no self-test is under way */
	bool plan;     /* something comes from the plan: it must still be as it was read */
	enum admission admission;
};

/*
 * Make a VPS from @vps: name, image, and whatever options set.  Fills in the
 * rest: id, addresses, uuid.  On failure nothing is left.
 */
int node_create(const struct node *node, struct vps *vps, const struct wanted *wanted,
		struct err *err);

/* Remove a VPS that is stopped, with its volume. */
int node_destroy(const struct node *node, struct held *held, struct err *err);

/*
 * Change a VPS to @after, of the same name and id: its definition and, when it runs, the
 * kernel; all or nothing.  ERR_VALUE, ERR_LEDGER and what the kernel refuses leave it as it
 * was.
 */
int node_change(const struct node *node, struct held *held, struct vps *after,
		const struct wanted *wanted, struct err *err);

/* Can its disk become what @after says?  ERR_LEDGER first; then ERR_VALUE with the numbers,
 * ERR_RUNNING for one that would shrink while it is used, ERR_NO_SPACE. */
int node_disk_check(const struct node *node, const struct held *held, const struct vps *after,
		    enum admission admission, struct err *err);

/*
 * One VPS gets what its plan says now, but for what is its own; all or nothing, as with
 * node_change().  Returns 1 with its definition of then in @after, 0 when there is nothing to
 * change.  @dry: it is only asked whether that could be.
 */
int plan_follow(const struct node *node, const struct vps *plan, struct held *held,
		enum admission admission, bool dry, struct vps *after, struct err *err);

/*
 * Around the writing of a plan and all that follow it: returns a descriptor that the caller
 * closes after plan_follow_end(); when he does not get there, repair goes on for him.
 * ERR_LOCKED: somebody else is at this plan.
 */
int plan_follow_begin(const struct node *node, const char *plan, struct err *err);
void plan_follow_end(const struct node *node, const char *plan);

/* Would it be admitted? */
int node_change_check(const struct node *node, const struct vps *after,
		      enum admission admission, struct err *err);

/*
 * Start a VPS that is held and does not run: when this returns 0 its init has been executed,
 * and the next boot starts it too.  After a failure nothing of it is in the kernel, and it is
 * as little, or as much, meant to run as before.  ERR_RUNNING; ERR_DISABLED while its quota is
 * used up; ERR_LEDGER, ERR_ADDRESS unless @admission says otherwise; ERR_NO_IMAGE,
 * ERR_NOT_SYSTEM.
 */
int node_start(const struct node *node, struct held *held, enum admission admission,
	       struct err *err);

/* How to stop. */
struct stopping {
	unsigned timeout; /* seconds that init may take; 0: it is not asked */
	bool whole;	  /* return when its network is gone too, and not some 20 ms before */
	bool shutdown;	  /* the node goes down: --onboot last starts it again */
	bool restart;	  /* it is started again at once: it stays meant to run */
};

/* Is nobody to stop it but who starts it again, its init having ended a moment ago? */
bool vps_returns(const struct node *node, const struct vps *vps);

/*
 * Stop a VPS that is held: when this returns 0 no process of it is left, and unless @how keeps
 * it meant to run neither the next boot nor a reboot from inside brings it back.  *@forced: it
 * was killed, for it was not asked or did not end in time.  ERR_NOT_RUNNING; ERR_NOT_STOPPED:
 * even killed it does not end.
 */
int node_stop(const struct node *node, struct held *held, const struct stopping *how,
	      bool *forced, struct err *err);

/* What of the node's settings keeps VPSs from each other, in words for people; `doctor` tells.
 */
struct node_fact {
	const char *name;
	bool present;
	const char *consequence;
};

unsigned node_facts(struct node_fact *facts, unsigned max);

/* Fails on a storage or run directory that takes no writes: what is stopped does not start
 * again. */
int node_can_write(const struct held *held, struct err *err);

/* What the monitor executes when guest init ended: clean up, and start again when it asked for
 * it. */
int node_ended(const char *config, const char *name, const char *how, struct err *err);

/* What keeps lxcfs running for all VPSs of the node, as long as one runs: `nodectl @view`. */
int node_view_keep(const char *config, struct err *err);

/* For a VPS that runs and is about to be entered: should its lxcfs have ended with nobody left
 * to see it, there is a new one now.  Costs two small reads when all is well. */
void node_view_mend(const struct node *node, const struct vps *vps);

/* Is some VPS made from this digest? */
int image_in_use(const struct node *node, const char *digest, char *by, size_t size,
		 struct err *err);

/* Remove an image that no VPS uses; ERR_EXISTS names one that does.  @image becomes what it
 * was. */
int node_image_remove(const struct node *node, const char *name, struct image *image,
		      struct err *err);

/*
 * Find what belongs to no VPS, and operations that were cut off; finish or remove them; @dry
 * only looks.  @found gets a line for each, and for what could not be looked at or mended: that
 * ends with ERR_SYSTEM when all the rest is done.  Idempotent; nothing found means nothing
 * printed.
 */
int node_repair(const struct node *node, bool dry, void (*found)(const char *what, void *arg),
		void *arg, struct err *err);

/* Let a VPS have @bytes of traffic more until its quota begins anew; what its used-up quota
 * has brought is lifted at once, if that is enough.  A VPS without a quota is ERR_VALUE. */
int node_traffic_add(const struct node *node, const char *name, uint64_t bytes,
		     struct err *err);

/*
 * Private networks: the VPSs on one reach each other, and nobody else does.  Making one that is
 * there is ERR_EXISTS, and so is removing one that a VPS is on; one that is not there is
 * ERR_VALUE.
 */
int node_network_create(const struct node *node, const char *name, struct network *network,
			struct err *err);
int node_network_remove(const struct node *node, const char *name, struct err *err);

/* Find the number of the one that is named, unless none is. */
int node_network_number(const struct node *node, struct network *network, struct err *err);

/* Is it there still, with that number?  Who is about to write it into a definition asks while
 * nobody can remove it. */
int node_network_check(const struct node *node, const struct network *network, struct err *err);

int node_network_each(const struct node *node,
		      int (*each)(const struct network *network, void *arg, struct err *err),
		      void *arg, struct err *err);

/* One line into the VPS's event log. */
__attribute__((format(printf, 3, 4))) void vps_log(const struct node *node, const char *name,
						   const char *fmt, ...);

/*
 * What the monitor executes when the VPS has met a limit: the log gets a line for processes
 * that were killed for want of memory and one for refused tasks, if there are any that it does
 * not tell of yet.  No lock; one at a time for each VPS.
 */
int vps_limits_met(const struct node *node, const char *name, struct err *err);

/* The directory of a VPS, open. */
int vps_dir(const struct node *node, const char *name, struct err *err);
