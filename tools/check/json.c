/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A reader of JSON that trusts nobody
 */

#include <string.h>
#include "check.h"
#include "json.h"

/* QMP needs fewer; what nests deeper would only use up the stack. */
#define MAX_DEPTH 64

typedef enum {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
} JsonKind;

struct JsonValue {
    JsonKind kind;
    bool truth;
    /* Of a string, and of a number as it was written */
    char *text;
    GPtrArray *items;
    GHashTable *members;
};

typedef struct Parser {
    const char *at;
    const char *end;
    unsigned depth;
} Parser;

static JsonValue *parse_value(Parser *parser);

static JsonValue *json_new(JsonKind kind)
{
    JsonValue *value = g_new0(JsonValue, 1);

    value->kind = kind;
    return value;
}

void json_free(JsonValue *value)
{
    if (!value) {
        return;
    }
    g_free(value->text);
    g_clear_pointer(&value->items, g_ptr_array_unref);
    g_clear_pointer(&value->members, g_hash_table_unref);
    g_free(value);
}

static void skip_space(Parser *parser)
{
    while (parser->at < parser->end && *parser->at &&
           strchr(" \t\r\n", *parser->at)) {
        parser->at++;
    }
}

static bool take(Parser *parser, char wanted)
{
    skip_space(parser);
    if (parser->at == parser->end || *parser->at != wanted) {
        return false;
    }
    parser->at++;
    return true;
}

static bool take_word(Parser *parser, const char *word)
{
    size_t length = strlen(word);

    if (parser->end - parser->at < length ||
        memcmp(parser->at, word, length)) {
        return false;
    }
    parser->at += length;
    return true;
}

static bool parse_unit(Parser *parser, gunichar *unit)
{
    int i;

    *unit = 0;
    if (parser->end - parser->at < 4) {
        return false;
    }
    for (i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(*parser->at++);

        if (digit < 0) {
            return false;
        }
        *unit = *unit << 4 | digit;
    }
    return true;
}

/* What follows \u: one unit of UTF-16, or two for one character */
static bool parse_unicode(Parser *parser, GString *text)
{
    gunichar high, low;

    if (!parse_unit(parser, &high)) {
        return false;
    }
    if (high >= 0xd800 && high < 0xdc00) {
        if (!take_word(parser, "\\u") || !parse_unit(parser, &low) ||
            low < 0xdc00 || low > 0xdfff) {
            return false;
        }
        high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    }
    /* A string of C ends at 0. */
    if (!high || !g_unichar_validate(high)) {
        return false;
    }
    g_string_append_unichar(text, high);
    return true;
}

static bool parse_escape(Parser *parser, GString *text)
{
    static const char escapes[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *found;
    char c;

    if (parser->at == parser->end) {
        return false;
    }
    c = *parser->at++;
    if (c == 'u') {
        return parse_unicode(parser, text);
    }
    found = c ? strchr(escapes, c) : NULL;
    if (!found) {
        return false;
    }
    g_string_append_c(text, meanings[found - escapes]);
    return true;
}

static char *parse_string(Parser *parser)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!take(parser, '"')) {
        return NULL;
    }
    while (parser->at < parser->end) {
        char c = *parser->at++;

        if (c == '"') {
            return g_utf8_validate(text->str, text->len, NULL) ?
                   g_strdup(text->str) : NULL;
        }
        if ((unsigned char)c < ' ') {
            return NULL;
        }
        if (c != '\\') {
            g_string_append_c(text, c);
        } else if (!parse_escape(parser, text)) {
            return NULL;
        }
    }
    return NULL;
}

static JsonValue *parse_number(Parser *parser)
{
    const char *start = parser->at;
    g_autofree char *text = NULL;
    char *end;
    JsonValue *value;

    while (parser->at < parser->end && *parser->at &&
           strchr("+-.0123456789Ee", *parser->at)) {
        parser->at++;
    }
    text = g_strndup(start, parser->at - start);
    g_ascii_strtod(text, &end);
    if (!*text || *end) {
        return NULL;
    }
    value = json_new(JSON_NUMBER);
    value->text = g_steal_pointer(&text);
    return value;
}

static JsonValue *parse_array(Parser *parser)
{
    g_autoptr(JsonValue) array = json_new(JSON_ARRAY);

    array->items = g_ptr_array_new_with_free_func((GDestroyNotify)json_free);
    if (take(parser, ']')) {
        return g_steal_pointer(&array);
    }
    do {
        JsonValue *item = parse_value(parser);

        if (!item) {
            return NULL;
        }
        g_ptr_array_add(array->items, item);
    } while (take(parser, ','));
    return take(parser, ']') ? g_steal_pointer(&array) : NULL;
}

static JsonValue *parse_object(Parser *parser)
{
    g_autoptr(JsonValue) object = json_new(JSON_OBJECT);

    object->members = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                            (GDestroyNotify)json_free);
    if (take(parser, '}')) {
        return g_steal_pointer(&object);
    }
    do {
        g_autofree char *name = parse_string(parser);
        JsonValue *value;

        if (!name || !take(parser, ':')) {
            return NULL;
        }
        value = parse_value(parser);
        if (!value) {
            return NULL;
        }
        /* Which of two should one believe? */
        if (!g_hash_table_insert(object->members, g_steal_pointer(&name),
                                 value)) {
            return NULL;
        }
    } while (take(parser, ','));
    return take(parser, '}') ? g_steal_pointer(&object) : NULL;
}

static JsonValue *parse_nested(Parser *parser, char bracket)
{
    JsonValue *value;

    if (parser->depth == MAX_DEPTH) {
        return NULL;
    }
    parser->depth++;
    value = bracket == '{' ? parse_object(parser) : parse_array(parser);
    parser->depth--;
    return value;
}

static JsonValue *parse_value(Parser *parser)
{
    JsonValue *value;
    char *text;

    if (take(parser, '{')) {
        return parse_nested(parser, '{');
    }
    if (take(parser, '[')) {
        return parse_nested(parser, '[');
    }
    skip_space(parser);
    if (parser->at < parser->end && *parser->at == '"') {
        text = parse_string(parser);
        if (!text) {
            return NULL;
        }
        value = json_new(JSON_STRING);
        value->text = text;
        return value;
    }
    if (take_word(parser, "null")) {
        return json_new(JSON_NULL);
    }
    if (take_word(parser, "true")) {
        value = json_new(JSON_BOOL);
        value->truth = true;
        return value;
    }
    if (take_word(parser, "false")) {
        return json_new(JSON_BOOL);
    }
    return parse_number(parser);
}

JsonValue *json_parse(const char *text, size_t length, GError **error)
{
    Parser parser = { .at = text, .end = text + length };
    g_autoptr(JsonValue) value = parse_value(&parser);

    skip_space(&parser);
    if (!value || parser.at != parser.end) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "no valid JSON at byte %td", parser.at - text);
        return NULL;
    }
    return g_steal_pointer(&value);
}

static bool json_is(const JsonValue *value, JsonKind kind)
{
    return value && value->kind == kind;
}

bool json_is_object(const JsonValue *value)
{
    return json_is(value, JSON_OBJECT);
}

bool json_is_array(const JsonValue *value)
{
    return json_is(value, JSON_ARRAY);
}

const JsonValue *json_get(const JsonValue *object, const char *name)
{
    return json_is_object(object) ?
           g_hash_table_lookup(object->members, name) : NULL;
}

unsigned json_length(const JsonValue *array)
{
    return json_is_array(array) ? array->items->len : 0;
}

const JsonValue *json_at(const JsonValue *array, unsigned index)
{
    return index < json_length(array) ?
           g_ptr_array_index(array->items, index) : NULL;
}

const char *json_string(const JsonValue *value)
{
    return json_is(value, JSON_STRING) ? value->text : NULL;
}

bool json_bool(const JsonValue *value, bool *result)
{
    if (!json_is(value, JSON_BOOL)) {
        return false;
    }
    *result = value->truth;
    return true;
}

bool json_uint(const JsonValue *value, guint64 *result)
{
    return json_is(value, JSON_NUMBER) &&
           g_ascii_string_to_unsigned(value->text, 10, 0, G_MAXUINT64, result,
                                      NULL);
}

void json_append_string(GString *to, const char *text)
{
    g_string_append_c(to, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            g_string_append_c(to, '\\');
        }
        if ((unsigned char)*text < ' ' || *text == '\x7f') {
            g_string_append_printf(to, "\\u%04x", *text);
        } else {
            g_string_append_c(to, *text);
        }
    }
    g_string_append_c(to, '"');
}

char *json_quote(const char *text)
{
    GString *quoted = g_string_new(NULL);

    json_append_string(quoted, text);
    return g_string_free(quoted, FALSE);
}
