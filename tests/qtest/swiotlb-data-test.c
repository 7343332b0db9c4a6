/*
 * Device types that not every guest has a driver for: real data goes through
 * the window and arrives at the other side
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qemu/bswap.h"
#include "swiotlb-rig.h"
#include "standard-headers/linux/virtio_net.h"
#include "standard-headers/linux/virtio_snd.h"

/* virtio-net with RSS: receive, transmit and control queue */

#define RSS_KEY_LEN     40
#define RSS_QUEUE       0
#define RSS_CONTROL     2
#define RSS_COMMAND     RIG_BUFFERS
#define RSS_ACK         (RIG_BUFFERS + 0x1000)
#define RSS_PACKET      (RIG_BUFFERS + 0x2000)

static const uint8_t rss_packet[60] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5,
    'r', 'e', 'c', 'e', 'i', 'v', 'e', 'd',
};

/* What the device answers to a configuration with a key of @key_len bytes */
static uint8_t rss_configure(SwiotlbRig *rig, SwiotlbQueue *control,
                             uint8_t key_len)
{
    const struct {
        struct virtio_net_ctrl_hdr hdr;
        uint32_t hash_types;
        uint16_t table_mask;
        uint16_t unclassified_queue;
        uint16_t table[1];
        uint16_t max_tx_vq;
        uint8_t key_len;
        uint8_t key[RSS_KEY_LEN];
    } QEMU_PACKED command = {
        .hdr = { VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG },
        .hash_types = cpu_to_le32(VIRTIO_NET_RSS_HASH_TYPE_TCPv4),
        .max_tx_vq = cpu_to_le16(1),
        .key_len = key_len,
        .key = "a key",
    };
    const SwiotlbDesc desc[] = {
        { RSS_COMMAND, sizeof(command), false }, { RSS_ACK, 1, true },
    };

    qtest_memwrite(rig->qts, RSS_COMMAND, &command, sizeof(command));
    swiotlb_queue_add(control, desc, ARRAY_SIZE(desc));
    swiotlb_queue_kick(control);
    swiotlb_queue_wait(control);
    return qtest_readb(rig->qts, RSS_ACK);
}

static void rss_receive(SwiotlbRig *rig, SwiotlbQueue *receive, int peer)
{
    const size_t header = sizeof(struct virtio_net_hdr_mrg_rxbuf);
    uint8_t got[sizeof(rss_packet)];

    qtest_memset(rig->qts, RSS_PACKET, 0, 2048);
    swiotlb_queue_add(receive, &(SwiotlbDesc) { RSS_PACKET, 2048, true }, 1);
    swiotlb_queue_kick(receive);
    g_assert_cmpint(send(peer, rss_packet, sizeof(rss_packet), 0), ==,
                    sizeof(rss_packet));
    g_assert_cmpint(swiotlb_queue_wait(receive), ==,
                    header + sizeof(rss_packet));
    qtest_memread(rig->qts, RSS_PACKET + header, got, sizeof(got));
    g_assert_cmpmem(got, sizeof(got), rss_packet, sizeof(rss_packet));
}

static void test_rss(void)
{
    g_autofree char *netdev = NULL;
    SwiotlbQueue *receive, *control;
    SwiotlbRig *rig;
    int sv[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), ==, 0);
    netdev = g_strdup_printf("-netdev dgram,id=n0,local.type=fd,local.str=%d",
                             sv[1]);
    rig = swiotlb_rig_new("virtio-net-pci,netdev=n0,romfile=,rss=on", netdev);
    close(sv[1]);
    swiotlb_rig_negotiate(rig, 1ull << VIRTIO_NET_F_CTRL_VQ |
                          1ull << VIRTIO_NET_F_MRG_RXBUF |
                          1ull << VIRTIO_NET_F_RSS);
    receive = swiotlb_rig_queue(rig, RSS_QUEUE);
    control = swiotlb_rig_queue(rig, RSS_CONTROL);
    swiotlb_rig_driver_ok(rig);
    swiotlb_rig_snapshot(rig);

    g_assert_cmpint(rss_configure(rig, control, RSS_KEY_LEN), ==,
                    VIRTIO_NET_OK);
    rss_receive(rig, receive, sv[0]);
    /* The device did read what it was told. */
    g_assert_cmpint(rss_configure(rig, control, RSS_KEY_LEN + 1), ==,
                    VIRTIO_NET_ERR);
    rss_receive(rig, receive, sv[0]);
    swiotlb_rig_assert_untouched(rig);
    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, 0);

    swiotlb_queue_free(receive);
    swiotlb_queue_free(control);
    swiotlb_rig_free(rig);
    close(sv[0]);
}

/* virtio-sound: control, event, transmit and receive queue */

#define SND_CONTROL     0
#define SND_TRANSMIT    2
#define SND_PERIOD      4096
#define SND_PERIODS     8
#define SND_REQUEST     RIG_BUFFERS
#define SND_RESPONSE    (RIG_BUFFERS + 0x1000)
#define SND_HEADER      (RIG_BUFFERS + 0x2000)
#define SND_STATUS      (RIG_BUFFERS + 0x3000)
#define SND_DATA        (RIG_BUFFERS + 0x4000)
#define WAV_HEADER      44

typedef struct Sound {
    SwiotlbRig *rig;
    SwiotlbQueue *control;
    SwiotlbQueue *transmit;
} Sound;

static void sound_request(Sound *s, const void *request, size_t len)
{
    const SwiotlbDesc desc[] = {
        { SND_REQUEST, len, false },
        { SND_RESPONSE, sizeof(struct virtio_snd_hdr), true },
    };

    qtest_memwrite(s->rig->qts, SND_REQUEST, request, len);
    swiotlb_queue_add(s->control, desc, ARRAY_SIZE(desc));
    swiotlb_queue_kick(s->control);
    swiotlb_queue_wait(s->control);
    g_assert_cmphex(qtest_readl(s->rig->qts, SND_RESPONSE), ==,
                    VIRTIO_SND_S_OK);
}

static void sound_command(Sound *s, uint32_t code)
{
    const struct virtio_snd_pcm_hdr request = {
        .hdr.code = cpu_to_le32(code),
    };

    sound_request(s, &request, sizeof(request));
}

/* 48 kHz, 16 bits, stereo; stream 0 is for output */
static void sound_start(Sound *s)
{
    const struct virtio_snd_pcm_set_params params = {
        .hdr.hdr.code = cpu_to_le32(VIRTIO_SND_R_PCM_SET_PARAMS),
        .buffer_bytes = cpu_to_le32(SND_PERIOD * SND_PERIODS),
        .period_bytes = cpu_to_le32(SND_PERIOD),
        .channels = 2,
        .format = VIRTIO_SND_PCM_FMT_S16,
        .rate = VIRTIO_SND_PCM_RATE_48000,
    };

    swiotlb_rig_negotiate(s->rig, 0);
    s->control = swiotlb_rig_queue(s->rig, SND_CONTROL);
    s->transmit = swiotlb_rig_queue(s->rig, SND_TRANSMIT);
    swiotlb_rig_driver_ok(s->rig);
    sound_request(s, &params, sizeof(params));
    sound_command(s, VIRTIO_SND_R_PCM_PREPARE);
    sound_command(s, VIRTIO_SND_R_PCM_START);
}

/* Make a period available whose data lie at @place. */
static void sound_post(Sound *s, uint64_t place)
{
    const struct virtio_snd_pcm_xfer header = { 0 };
    const SwiotlbDesc desc[] = {
        { SND_HEADER, sizeof(header), false },
        { place, SND_PERIOD, false },
        { SND_STATUS, sizeof(struct virtio_snd_pcm_status), true },
    };

    qtest_memwrite(s->rig->qts, SND_HEADER, &header, sizeof(header));
    swiotlb_queue_add(s->transmit, desc, ARRAY_SIZE(desc));
    swiotlb_queue_kick(s->transmit);
}

static void sound_play(Sound *s, const uint8_t *data)
{
    qtest_memwrite(s->rig->qts, SND_DATA, data, SND_PERIOD);
    sound_post(s, SND_DATA);
    swiotlb_queue_wait(s->transmit);
    g_assert_cmphex(qtest_readl(s->rig->qts, SND_STATUS), ==,
                    VIRTIO_SND_S_OK);
}

/* Every sample is in the file, in order; silence may come between them. */
static void assert_heard(const char *path, const uint8_t *data, size_t len)
{
    g_autofree char *wav = NULL;
    gsize size, heard = 0;

    g_assert_true(g_file_get_contents(path, &wav, &size, NULL));
    for (gsize i = WAV_HEADER; i + 4 <= size; i += 4) {
        if (ldl_le_p(wav + i)) {
            g_assert_cmpint(heard, <, len);
            g_assert_cmphex(ldl_le_p(wav + i), ==, ldl_le_p(data + heard));
            heard += 4;
        }
    }
    g_assert_cmpint(heard, ==, len);
}

static Sound *sound_new(char **path)
{
    Sound *s = g_new0(Sound, 1);
    g_autofree char *audiodev = NULL;
    int fd = g_file_open_tmp("swiotlb-XXXXXX.wav", path, NULL);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    audiodev = g_strdup_printf("-audiodev wav,id=a0,path=%s,"
                               "out.frequency=48000", *path);
    s->rig = swiotlb_rig_new("virtio-sound-pci,audiodev=a0", audiodev);
    sound_start(s);
    swiotlb_rig_snapshot(s->rig);
    return s;
}

/* Let the mixer bring to the file what it holds. */
static void sound_drain(Sound *s)
{
    for (int i = 0; i < 50; i++) {
        qtest_clock_step(s->rig->qts, 10 * 1000 * 1000);
    }
}

static void sound_free(Sound *s)
{
    swiotlb_queue_free(s->control);
    swiotlb_queue_free(s->transmit);
    swiotlb_rig_free(s->rig);
    g_free(s);
}

static void test_sound(void)
{
    static uint8_t data[SND_PERIOD * SND_PERIODS];
    g_autofree char *path = NULL;
    Sound *s = sound_new(&path);

    for (int i = 0; i < sizeof(data); i++) {
        /* Never 0, and no two periods alike */
        data[i] = 1 + (i * 7 + i / SND_PERIOD * 31) % 251;
    }
    for (int i = 0; i < SND_PERIODS; i++) {
        sound_play(s, data + i * SND_PERIOD);
    }
    sound_drain(s);
    sound_command(s, VIRTIO_SND_R_PCM_STOP);
    sound_command(s, VIRTIO_SND_R_PCM_RELEASE);
    swiotlb_rig_assert_untouched(s->rig);
    g_assert_cmpuint(swiotlb_rig_rejected(s->rig), ==, 0);

    sound_free(s);
    assert_heard(path, data, sizeof(data));
    g_unlink(path);
}

static void test_sound_outside(void)
{
    g_autofree char *path = NULL;
    Sound *s = sound_new(&path);

    sound_post(s, RIG_TARGET);
    swiotlb_rig_assert_refused(s->rig, RIG_TARGET, SND_PERIOD, "read", true);
    sound_drain(s);
    g_assert_false(swiotlb_queue_get(s->transmit, NULL));

    sound_free(s);
    assert_heard(path, NULL, 0);
    g_unlink(path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    if (qtest_has_device("virtio-net-pci")) {
        qtest_add_func("swiotlb/data/virtio-net-pci/"
                       "rss_is_configured_through_the_window", test_rss);
    }
    if (qtest_has_device("virtio-sound-pci")) {
        qtest_add_func("swiotlb/data/virtio-sound-pci/"
                       "moves_data_through_the_window", test_sound);
        qtest_add_func("swiotlb/data/virtio-sound-pci/"
                       "data_outside_window_is_not_heard",
                       test_sound_outside);
    }
    return g_test_run();
}
