/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-net: a header and a frame to send
 */

#include <linux/virtio_net.h>
#include <sys/stat.h>
#include <unistd.h>
#include "load.h"

#define ETHERTYPE_OFFSET 12
#define NUMBER_OFFSET 16
/* pcap: a header of the file, and one for each frame */
#define PCAP_HEADER 24
#define PCAP_FRAME_HEADER 16

/* An experimental Ethernet frame */
static void make_frame(uint8_t *frame, int size)
{
    int i;

    for (i = 0; i < size; i++) {
        frame[i] = i * 7;
    }
    memset(frame, 0x52, ETHERTYPE_OFFSET);
    frame[ETHERTYPE_OFFSET] = 0x88;
    frame[ETHERTYPE_OFFSET + 1] = 0xb5;
}

static void net_init_slot(Queue *queue, Slot *slot)
{
    slot->buffers[0] = (Buffer){
        .bus = slot->header.bus,
        .len = sizeof(struct virtio_net_hdr_v1),
    };
    slot->buffers[1] = (Buffer){
        .bus = slot->data.bus,
        .len = queue->options->size,
    };
    make_frame(slot->data.host, queue->options->size);
}

static void net_next(Queue *queue, Slot *slot)
{
    memset(slot->header.host, 0, sizeof(struct virtio_net_hdr_v1));
    if (queue->options->check) {
        uint64_t number = queue->done + queue->busy;

        memcpy(slot->data.host + NUMBER_OFFSET, &number, sizeof(number));
    }
}

static void net_check(Queue *queue, Slot *slot, uint32_t len)
{
    if (len) {
        die("the network says that it wrote %u bytes to a frame", len);
    }
}

const Load net_load = {
    .n_buffers = 2,
    .init_slot = net_init_slot,
    .next = net_next,
    .check = net_check,
};

void net_check_capture(Queue *queue, int capture)
{
    int size = queue->options->size;
    g_autofree uint8_t *want = g_malloc0(size);
    g_autofree uint8_t *got = g_malloc0(size);
    struct stat info;
    uint64_t number;

    make_frame(want, size);
    if (fstat(capture, &info) || info.st_size !=
        PCAP_HEADER + queue->done * (PCAP_FRAME_HEADER + size)) {
        die("the network did not get the %" PRIu64 " frames that were sent",
            queue->done);
    }
    for (number = 0; number < queue->done; number++) {
        off_t start = PCAP_HEADER + number * (PCAP_FRAME_HEADER + size);

        memcpy(want + NUMBER_OFFSET, &number, sizeof(number));
        if (pread(capture, got, size, start + PCAP_FRAME_HEADER) != size ||
            memcmp(got, want, size)) {
            die("frame %" PRIu64 " is not as it was sent", number);
        }
    }
}
