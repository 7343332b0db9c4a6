/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-swiotlb-check: is each virtio device of a virtual machine confined?
 *
 * Properties that are misspelt, or meant for a device that has another name,
 * leave a device that works, and reaches all memory. So one has to look.
 */

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include "check.h"
#include "domain.h"
#include "machine.h"
#include "report.h"

#define DEFAULT_TIMEOUT 30
#define MAX_TIMEOUT 86400

enum {
    ALL_CONFINED,
    NOT_CONFINED,
    TROUBLE,
};

typedef struct Options {
    char *qmp;
    char *uri;
    char **allowed;
    gboolean inactive;
    gboolean json;
    int timeout;
    char *domain;
} Options;

static void set_usage(GError **error, const char *reason)
{
    g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                "%s; --help lists the options", reason);
}

static bool options_parse(Options *options, int argc, char **argv,
                          GError **error)
{
    char **rest = NULL;
    const GOptionEntry entries[] = {
        { "qmp", 'q', 0, G_OPTION_ARG_FILENAME, &options->qmp,
          "Ask the QEMU whose QMP socket is PATH, or unix:PATH", "PATH" },
        { "connect", 'c', 0, G_OPTION_ARG_STRING, &options->uri,
          "Connect to libvirt at URI", "URI" },
        { "inactive", 'i', 0, G_OPTION_ARG_NONE, &options->inactive,
          "Check how DOMAIN is defined, even if it runs", NULL },
        { "allow", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &options->allowed,
          "Except the device with this id, alias or QOM path", "ID" },
        { "json", 'j', 0, G_OPTION_ARG_NONE, &options->json,
          "Print JSON in place of a table", NULL },
        { "timeout", 't', 0, G_OPTION_ARG_INT, &options->timeout,
          "Give up after so many seconds (30)", "SECONDS" },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &rest,
          NULL, "[DOMAIN]" },
        { NULL }
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) reason = NULL;
    g_auto(GStrv) words = NULL;

    options->timeout = DEFAULT_TIMEOUT;
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_summary(
        context, "Tell for each virtio device of a virtual machine whether "
        "it is confined to a window.");
    g_option_context_set_description(
        context, "DOMAIN is a domain of libvirt, running or defined.\n"
        "Exit status: 0 all devices are confined, 1 one is not, 2 trouble.");
    if (!g_option_context_parse(context, &argc, &argv, &reason)) {
        set_usage(error, reason->message);
        return false;
    }
    words = rest;
    options->domain = words ? g_strdup(words[0]) : NULL;
    if (words && words[1]) {
        set_usage(error, "more than one DOMAIN");
    } else if (!options->domain == !options->qmp) {
        set_usage(error, "give either --qmp or a DOMAIN");
    } else if (options->qmp && (options->uri || options->inactive)) {
        set_usage(error, "--connect and --inactive need a DOMAIN in place "
                  "of --qmp");
    } else if (options->timeout < 1 || options->timeout > MAX_TIMEOUT) {
        set_usage(error, "--timeout needs a number of seconds, 1 or more");
    } else {
        return true;
    }
    return false;
}

static void options_clear(Options *options)
{
    g_free(options->qmp);
    g_free(options->uri);
    g_strfreev(options->allowed);
    g_free(options->domain);
}

static Report *check_socket(const char *path, gint64 deadline, GError **error)
{
    g_autofree char *name = g_filename_display_name(path);
    g_autoptr(Report) report = report_new(name);
    g_autoptr(Qmp) qmp = NULL;

    if (g_str_has_prefix(path, "unix:")) {
        path += strlen("unix:");
    }
    qmp = qmp_connect(path, deadline, error);
    return qmp && machine_read(qmp, report, error) ?
           g_steal_pointer(&report) : NULL;
}

static bool is_running(const Virsh *virsh, bool *running, GError **error)
{
    g_autofree char *state = virsh_run(virsh, "domstate", NULL, error);

    if (!state) {
        return false;
    }
    *running = !g_str_equal(g_strstrip(state), "shut off");
    return true;
}

static Report *check_domain(const Options *options, gint64 deadline,
                            GError **error)
{
    Virsh virsh = { options->uri, options->domain, deadline };
    g_autoptr(Report) report = report_new(options->domain);
    g_autofree char *xml = NULL;
    bool running = false;

    if (!options->inactive && !is_running(&virsh, &running, error)) {
        return NULL;
    }
    xml = virsh_run(&virsh, "dumpxml", running ? NULL : "--inactive", error);
    if (!xml) {
        return NULL;
    }
    if (running) {
        g_autoptr(Qmp) qmp = qmp_of_domain(&virsh);

        if (!machine_read(qmp, report, error)) {
            return NULL;
        }
    }
    return domain_read(xml, report, error) ? g_steal_pointer(&report) : NULL;
}

static void allow(Report *report, char **allowed)
{
    for (; allowed && *allowed; allowed++) {
        Device *device = report_find(report, *allowed);

        if (device) {
            device->allowed = true;
        } else {
            report_say("warning: --allow: there is no virtio device '%s'; "
                       "drop it", *allowed);
        }
    }
}

static int run(const Options *options, GError **error)
{
    gint64 deadline = g_get_monotonic_time() +
                      options->timeout * G_TIME_SPAN_SECOND;
    g_autoptr(Report) report =
        options->qmp ? check_socket(options->qmp, deadline, error)
                     : check_domain(options, deadline, error);

    if (!report) {
        return TROUBLE;
    }
    allow(report, options->allowed);
    if (options->json) {
        report_print_json(report);
    } else {
        report_print_table(report);
    }
    fflush(stdout);
    if (ferror(stdout)) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "cannot write the report; see where the output goes");
        return TROUBLE;
    }
    return report_print_faults(report) ? NOT_CONFINED : ALL_CONFINED;
}

/* Of others' words, only one line */
static void complain(const char *message)
{
    g_autofree char *line = g_strdup(message);
    char *c;

    for (c = line; *c; c++) {
        if (g_ascii_iscntrl(*c)) {
            *c = ' ';
        }
    }
    fprintf(stderr, "virtio-swiotlb-check: %s\n", line);
}

int main(int argc, char **argv)
{
    Options options = {};
    g_autoptr(GError) error = NULL;
    int status = TROUBLE;

    setlocale(LC_ALL, "");
    if (options_parse(&options, argc, argv, &error)) {
        status = run(&options, &error);
    }
    if (error) {
        complain(error->message);
    }
    options_clear(&options);
    return status;
}
