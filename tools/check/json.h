/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a monitor says, as values
 *
 * Every function takes NULL, or a value of another kind, for one that is not
 * there, so that a peer which leaves something out is no special case.
 */

#ifndef CHECK_JSON_H
#define CHECK_JSON_H

#include <stdbool.h>
#include <glib.h>

typedef struct JsonValue JsonValue;

/* NULL and an error for anything but one value and white space around it */
JsonValue *json_parse(const char *text, size_t length, GError **error);
void json_free(JsonValue *value);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JsonValue, json_free)

bool json_is_object(const JsonValue *value);
bool json_is_array(const JsonValue *value);

const JsonValue *json_get(const JsonValue *object, const char *name);
unsigned json_length(const JsonValue *array);
const JsonValue *json_at(const JsonValue *array, unsigned index);

/* NULL if it is none; lives as long as @value */
const char *json_string(const JsonValue *value);

/* Whether it is one */
bool json_bool(const JsonValue *value, bool *result);
bool json_uint(const JsonValue *value, guint64 *result);

/* Append @text as a string of JSON. */
void json_append_string(GString *to, const char *text);
char *json_quote(const char *text);

#endif
