/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Nodes of JSON-GLib, from a peer that nobody trusts
 */

#include "check.h"
#include "node.h"

/* QMP needs fewer. The library's parser takes some stack for each. */
#define MAX_DEPTH 64

static bool nests_too_deep(const char *text, size_t length)
{
    bool inside = false;
    int depth = 0;
    size_t i;

    for (i = 0; i < length && depth <= MAX_DEPTH; i++) {
        if (inside) {
            if (text[i] == '\\') {
                i++;
            } else if (text[i] == '"') {
                inside = false;
            }
        } else if (text[i] == '"') {
            inside = true;
        } else if (text[i] == '[' || text[i] == '{') {
            depth++;
        } else if (text[i] == ']' || text[i] == '}') {
            depth--;
        }
    }
    return depth > MAX_DEPTH;
}

JsonNode *node_parse(const char *text, size_t length, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) reason = NULL;
    JsonNode *root = NULL;

    if (nests_too_deep(text, length)) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "no valid JSON: it nests deeper than %d", MAX_DEPTH);
        return NULL;
    }
    if (json_parser_load_from_data(parser, text, length, &reason)) {
        root = json_parser_steal_root(parser);
    }
    if (!root) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "no valid JSON: %s", reason ? reason->message : "nothing");
    }
    return root;
}

bool node_is_object(JsonNode *node)
{
    return node && JSON_NODE_HOLDS_OBJECT(node);
}

bool node_is_array(JsonNode *node)
{
    return node && JSON_NODE_HOLDS_ARRAY(node);
}

JsonNode *node_get(JsonNode *object, const char *name)
{
    return node_is_object(object) ?
           json_object_get_member(json_node_get_object(object), name) : NULL;
}

unsigned node_length(JsonNode *array)
{
    return node_is_array(array) ?
           json_array_get_length(json_node_get_array(array)) : 0;
}

JsonNode *node_at(JsonNode *array, unsigned index)
{
    return index < node_length(array) ?
           json_array_get_element(json_node_get_array(array), index) : NULL;
}

static bool is_value(JsonNode *node, GType type)
{
    return node && JSON_NODE_HOLDS_VALUE(node) &&
           json_node_get_value_type(node) == type;
}

const char *node_string(JsonNode *node)
{
    const char *text = is_value(node, G_TYPE_STRING) ?
                       json_node_get_string(node) : NULL;

    /* The library lets half a surrogate pair pass. */
    return text && g_utf8_validate(text, -1, NULL) ? text : NULL;
}

bool node_bool(JsonNode *node, bool *result)
{
    if (!is_value(node, G_TYPE_BOOLEAN)) {
        return false;
    }
    *result = json_node_get_boolean(node);
    return true;
}

bool node_uint(JsonNode *node, guint64 *result)
{
    if (!is_value(node, G_TYPE_INT64) || json_node_get_int(node) < 0) {
        return false;
    }
    *result = json_node_get_int(node);
    return true;
}

char *node_quote(const char *text)
{
    g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), text);

    return json_to_string(node, FALSE);
}

void node_append_string(GString *to, const char *text)
{
    g_autofree char *quoted = node_quote(text);

    g_string_append(to, quoted);
}
