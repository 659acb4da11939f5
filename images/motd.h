/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a tenant sees when he logs in: his plan, from what the node writes for him.  For any sh
 * and awk; without that file it says nothing.
 */
#define MOTD_SCRIPT                                                                            \
	"#!/bin/sh\n"                                                                          \
	"# What this VPS may use, and has: the node keeps it up to date.\n"                    \
	"[ -r /run/vps/status.json ] || exit 0\n"                                              \
	"exec awk '\n"                                                                         \
	"function human(n,   u) {\n"                                                           \
	"\tif (n == \"null\") return \"-\"\n"                                                  \
	"\tfor (u = 1; n >= 1024 && u < 6; u++) n /= 1024\n"                                   \
	"\treturn sprintf(u > 1 ? \"%.1f%s\" : \"%d%s\", n, substr(\"BKMGTP\", u, 1))\n"       \
	"}\n"                                                                                  \
	"function get(key) {\n"                                                                \
	"\tif (!match($0, \"\\\"\" key \"\\\": \\\"?[^,\\\" }]*\")) return \"null\"\n"         \
	"\tkey = substr($0, RSTART, RLENGTH)\n"                                                \
	"\tsub(/^[^:]*: \"?/, \"\", key)\n"                                                    \
	"\treturn key\n"                                                                       \
	"}\n"                                                                                  \
	"/^  \"name\"/ { name = get(\"name\") }\n"                                             \
	"/^  \"plan\"/ { print name (get(\"plan\") == \"null\" ? \"\" : \", plan \" "          \
	"get(\"plan\")) }\n"                                                                   \
	"/^  \"(memory|disk|traffic)\"/ && get(\"limit\") != \"null\" {\n"                     \
	"\tsplit($0, word, \"\\\"\")\n"                                                        \
	"\tline = sprintf(\"  %-8s %s of %s\", word[2], human(get(\"used\")), "                \
	"human(get(\"limit\")))\n"                                                             \
	"\tif (get(\"reset\") != \"null\") line = line \" until \" substr(get(\"reset\"), 1, " \
	"10)\n"                                                                                \
	"\tstate = get(\"state\")\n"                                                           \
	"\tif (state != \"null\" && state != \"ok\" && state != \"none\") line = line \", \" " \
	"state\n"                                                                              \
	"\tprint line\n"                                                                       \
	"}' /run/vps/status.json\n"
