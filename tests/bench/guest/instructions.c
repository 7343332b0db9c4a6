/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plugin for QEMU's TCG: how often each piece of the guest's kernel has run.
 *
 *   -plugin PATH,table=TABLE
 *
 * Concepts
 *   block    what TCG translates at once: instructions that follow each other
 *   table    a file that is mapped here and by whoever reads it: a struct
 *            header, then one struct entry for each block
 *
 * Programs of the guest share one entry for each length of block: they are
 * counted, not told apart. There is one virtual CPU, hence no lock around the
 * counts; the table is to be read while the guest is stopped.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>
#include <qemu-plugin.h>

#define ENTRIES (1u << 20)
#define KERNEL  (UINT64_C(1) << 63)

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

typedef struct Entry {
    uint64_t address;
    /* Where the call goes that the block ends with, or 0 */
    uint64_t callee;
    uint32_t instructions;
    /* Those with a lock prefix */
    uint32_t locked;
    uint64_t count;
} Entry;

typedef struct Header {
    uint64_t used;
    /* Blocks for which there was no room */
    uint64_t lost;
} Header;

typedef struct Table {
    Header header;
    Entry entry[ENTRIES];
} Table;

static Table *table;
/* The same entries, by what they say of the block */
static GHashTable *known;

static guint hash_entry(gconstpointer p)
{
    const Entry *entry = p;
    uint64_t key = entry->address ^ entry->callee << 1 ^
                   (uint64_t)entry->instructions << 40;

    return key ^ key >> 32;
}

static gboolean same_entry(gconstpointer p, gconstpointer q)
{
    const Entry *a = p, *b = q;

    return a->address == b->address && a->callee == b->callee &&
           a->instructions == b->instructions && a->locked == b->locked;
}

static bool has_lock_prefix(const uint8_t *code, size_t size)
{
    /* Other prefixes may come first. */
    while (size > 1 && (*code == 0x66 || *code == 0x2e || *code == 0x3e ||
                        *code == 0x65)) {
        code++;
        size--;
    }
    return *code == 0xf0;
}

static uint64_t callee_of(uint64_t address, const uint8_t *code, size_t size)
{
    int32_t distance;

    if (size != 5 || code[0] != 0xe8) {
        return 0;
    }
    memcpy(&distance, code + 1, sizeof(distance));
    return address + size + distance;
}

static Entry describe(const struct qemu_plugin_tb *tb)
{
    Entry entry = {
        .address = qemu_plugin_tb_vaddr(tb),
        .instructions = qemu_plugin_tb_n_insns(tb),
    };
    uint8_t code[16];

    if (entry.address < KERNEL) {
        entry.address = 0;
        return entry;
    }
    for (uint32_t i = 0; i < entry.instructions; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        size_t size = qemu_plugin_insn_data(insn, code, sizeof(code));

        if (!size) {
            continue;
        }
        entry.locked += has_lock_prefix(code, size);
        entry.callee = callee_of(qemu_plugin_insn_vaddr(insn), code, size);
    }
    return entry;
}

static Entry *entry_for(const struct qemu_plugin_tb *tb)
{
    Entry key = describe(tb);
    Entry *entry = g_hash_table_lookup(known, &key);

    if (!entry && table->header.used < ENTRIES) {
        entry = &table->entry[table->header.used++];
        *entry = key;
        g_hash_table_add(known, entry);
    }
    return entry;
}

static void block_runs(unsigned int cpu, void *opaque)
{
    Entry *entry = opaque;

    entry->count++;
}

static void block_is_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    Entry *entry = entry_for(tb);

    if (!entry) {
        table->header.lost++;
        return;
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, block_runs,
                                         QEMU_PLUGIN_CB_NO_REGS, entry);
}

static bool map_table(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || ftruncate(fd, sizeof(*table))) {
        perror(path);
        return false;
    }
    table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                 0);
    close(fd);
    return table != MAP_FAILED;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info, int argc,
                                           char **argv)
{
    if (argc != 1 || !g_str_has_prefix(argv[0], "table=")) {
        fprintf(stderr, "instructions: give table=TABLE\n");
        return -1;
    }
    if (info->system.max_vcpus != 1) {
        fprintf(stderr, "instructions: the guest may have one CPU only\n");
        return -1;
    }
    if (!map_table(argv[0] + strlen("table="))) {
        return -1;
    }
    known = g_hash_table_new(hash_entry, same_entry);
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_is_translated);
    return 0;
}
