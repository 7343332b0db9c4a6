/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -device and -global, as QEMU reads them
 */

#include <string.h>
#include "arguments.h"
#include "node.h"

#define DEFAULT_SIZE (64 << 20)

/* These make virtio devices, or change them, in ways of their own. */
static const char *const opaque_options[] = {
    "-drive", "-nic", "-net", "-virtfs", "-vga", "-set", "-readconfig", NULL
};

static bool parse_bool(const char *text, bool *result)
{
    static const char *const on[] = { "on", "true", "yes", "y", NULL };
    static const char *const off[] = { "off", "false", "no", "n", NULL };

    *result = g_strv_contains(on, text);
    return *result || g_strv_contains(off, text);
}

/* 0 for what is no size */
static guint64 parse_size(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    guint64 size = g_ascii_strtoull(text, &end, 0);
    const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;

    if (unit) {
        return size << 10 * (unit - units + 1);
    }
    return !*end || g_str_equal(end, "B") ? size : 0;
}

static void refuse(Device *device, const char *name, const char *value)
{
    device->enabled = false;
    g_free(device->reason);
    device->reason = g_strdup_printf("'%s' is no value for its property "
                                     "'%s'; use on or off", value, name);
}

void arguments_apply(Device *device, const char *name, const char *value)
{
    if (g_str_equal(name, "swiotlb")) {
        if (!parse_bool(value, &device->enabled)) {
            refuse(device, name, value);
        } else if (device->enabled && !device->size) {
            device->size = DEFAULT_SIZE;
        }
    } else if (g_str_equal(name, "swiotlb-required")) {
        if (!parse_bool(value, &device->required)) {
            refuse(device, name, value);
        }
    } else if (g_str_equal(name, "swiotlb-size")) {
        device->size = parse_size(value);
    } else if (g_str_equal(name, "swiotlb-memdev")) {
        /* It is as large as the backend; only QEMU knows. */
        device->size = 0;
    }
}

/* Words between commas; two commas stand for one. */
static char **split(const char *text)
{
    GPtrArray *words = g_ptr_array_new();
    GString *word = g_string_new(NULL);

    for (; *text; text++) {
        if (*text == ',' && text[1] != ',') {
            g_ptr_array_add(words, g_strdup(word->str));
            g_string_truncate(word, 0);
            continue;
        }
        text += *text == ',';
        g_string_append_c(word, *text);
    }
    g_ptr_array_add(words, g_string_free(word, FALSE));
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

static const char *value_of(char **words, const char *name)
{
    size_t length = strlen(name);
    const char *found = NULL;

    for (; *words; words++) {
        if (g_str_has_prefix(*words, name) && (*words)[length] == '=') {
            found = *words + length + 1;
        }
    }
    return found;
}

/* The type itself, or one that it is made from */
static bool is_class_of(const char *class, const char *type)
{
    const char *pci = strstr(type, "-pci");
    g_autofree char *base = pci ?
        g_strdup_printf("%.*s-pci-base", (int)(pci - type), type) :
        g_strdup_printf("%s-base", type);

    return g_str_equal(class, "virtio-pci") || g_str_equal(class, type) ||
           g_str_equal(class, base);
}

/* CLASS.NAME=VALUE, or driver=CLASS,property=NAME,value=VALUE */
static void apply_global(Device *device, const char *text)
{
    const char *dot = strchr(text, '.');
    const char *equals = strchr(text, '=');

    if (dot && equals && dot < equals) {
        g_autofree char *class = g_strndup(text, dot - text);
        g_autofree char *name = g_strndup(dot + 1, equals - dot - 1);

        if (is_class_of(class, device->type)) {
            arguments_apply(device, name, equals + 1);
        }
    } else {
        g_auto(GStrv) words = split(text);
        const char *class = value_of(words, "driver");
        const char *name = value_of(words, "property");
        const char *value = value_of(words, "value");

        if (class && name && value && is_class_of(class, device->type)) {
            arguments_apply(device, name, value);
        }
    }
}

/* The option's name, with one dash */
static const char *option_at(const GPtrArray *arguments, unsigned index)
{
    const char *text = g_ptr_array_index(arguments, index);

    return g_str_has_prefix(text, "--") ? text + 1 : text;
}

static const char *value_at(const GPtrArray *arguments, unsigned index,
                            const char *option)
{
    return index + 1 < arguments->len &&
           g_str_equal(option_at(arguments, index), option) ?
           g_ptr_array_index(arguments, index + 1) : NULL;
}

void arguments_apply_globals(Device *device, const GPtrArray *arguments)
{
    unsigned i;

    for (i = 0; i < arguments->len; i++) {
        const char *text = value_at(arguments, i, "-global");

        if (text) {
            apply_global(device, text);
        }
    }
}

static bool is_virtio(const char *driver)
{
    return g_str_has_prefix(driver, "virtio-") ||
           g_str_has_prefix(driver, "vhost-");
}

/* virtio-blk is short for virtio-blk-pci. */
static char *full_type(const char *driver)
{
    return strstr(driver, "-pci") || strstr(driver, "-vga") ||
           g_str_has_suffix(driver, "-device") ||
           g_str_has_suffix(driver, "-ccw") ?
           g_strdup(driver) : g_strconcat(driver, "-pci", NULL);
}

static Device *add(Report *report, const char *driver, const char *id,
                   const GPtrArray *arguments)
{
    g_autofree char *type = full_type(driver);
    Device *device = device_new(id ?: type, type);

    device->capable = !g_str_has_suffix(type, "-device") &&
                      !g_str_has_suffix(type, "-ccw");
    g_ptr_array_add(report->devices, device);
    if (device->capable) {
        arguments_apply_globals(device, arguments);
    }
    return device;
}

static void add_words(Report *report, const char *text,
                      const GPtrArray *arguments)
{
    g_auto(GStrv) words = split(text);
    const char *driver = value_of(words, "driver") ?: words[0];
    Device *device;
    char **word;

    if (!is_virtio(driver)) {
        return;
    }
    device = add(report, driver, value_of(words, "id"), arguments);
    for (word = words; device->capable && *word; word++) {
        char *equals = strchr(*word, '=');

        if (equals) {
            *equals = '\0';
            arguments_apply(device, *word, equals + 1);
        } else {
            arguments_apply(device, *word, "on");
        }
    }
}

static void apply_json(Device *device, JsonNode *object, const char *name)
{
    JsonNode *value = node_get(object, name);
    const char *text = node_string(value);
    guint64 number;
    bool truth;

    if (node_bool(value, &truth)) {
        arguments_apply(device, name, truth ? "on" : "off");
    } else if (node_uint(value, &number)) {
        g_autofree char *digits =
            g_strdup_printf("%" G_GUINT64_FORMAT, number);

        arguments_apply(device, name, digits);
    } else if (text && g_str_equal(name, "swiotlb")) {
        refuse(device, name, text);
    }
}

static void add_json(Report *report, const char *text,
                     const GPtrArray *arguments)
{
    g_autoptr(JsonNode) object = node_parse(text, strlen(text), NULL);
    const char *driver = node_string(node_get(object, "driver"));
    Device *device;

    if (!driver) {
        report_problem(report, "qemu:commandline: a -device of JSON cannot be "
                       "read; correct it");
        return;
    }
    if (!is_virtio(driver)) {
        return;
    }
    device = add(report, driver, node_string(node_get(object, "id")),
                 arguments);
    if (device->capable) {
        apply_json(device, object, "swiotlb-size");
        apply_json(device, object, "swiotlb-required");
        apply_json(device, object, "swiotlb");
    }
}

void arguments_add_devices(Report *report, const GPtrArray *arguments)
{
    unsigned i;

    for (i = 0; i < arguments->len; i++) {
        const char *option = option_at(arguments, i);
        const char *text = value_at(arguments, i, "-device");

        if (text && *text == '{') {
            add_json(report, text, arguments);
        } else if (text) {
            add_words(report, text, arguments);
        } else if (g_strv_contains(opaque_options, option)) {
            report_problem(report, "qemu:commandline: what %s does to virtio "
                           "devices cannot be told; use -device, or check "
                           "the domain while it runs", option);
        }
    }
}
