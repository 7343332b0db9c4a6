/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a monitor says, as nodes of JSON-GLib
 *
 * Every function takes NULL, or a node of another kind, for one that is not
 * there, so that a peer which leaves something out is no special case.
 */

#ifndef CHECK_NODE_H
#define CHECK_NODE_H

#include <stdbool.h>
#include <json-glib/json-glib.h>

/* NULL and an error for anything but one value */
JsonNode *node_parse(const char *text, size_t length, GError **error);

bool node_is_object(JsonNode *node);
bool node_is_array(JsonNode *node);

JsonNode *node_get(JsonNode *object, const char *name);
unsigned node_length(JsonNode *array);
JsonNode *node_at(JsonNode *array, unsigned index);

/* NULL if it is none; lives as long as @node */
const char *node_string(JsonNode *node);

/* Whether it is one */
bool node_bool(JsonNode *node, bool *result);
bool node_uint(JsonNode *node, guint64 *result);

/* @text as a string of JSON */
char *node_quote(const char *text);
void node_append_string(GString *to, const char *text);

#endif
