/*
 * A vhost-user back end for any device type, that remembers what it was given
 *
 * It runs in a thread of the test.  On every queue it answers a request with
 * the bytes that it read, each XORed with BACK_END_XOR, over and over until
 * what may be written is full.  Everything else is bookkeeping: the messages,
 * the memory that came with them, and what could not be reached.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_SWIOTLB_BACK_END_H
#define TESTS_QTEST_SWIOTLB_BACK_END_H

#include <glib.h>

#define BACK_END_XOR            0x5a
#define BACK_END_MESSAGES       64
#define BACK_END_MAX_REGIONS    32
#define BACK_END_MAX_CONFIG     256

/* Of enum VhostUserRequest, which two headers define differently */
enum {
    MSG_GET_FEATURES = 1,
    MSG_SET_FEATURES = 2,
    MSG_SET_MEM_TABLE = 5,
    MSG_SET_VRING_NUM = 8,
    MSG_SET_VRING_ADDR = 9,
    MSG_SET_VRING_BASE = 10,
    MSG_GET_VRING_BASE = 11,
    MSG_SET_VRING_KICK = 12,
    MSG_SET_VRING_CALL = 13,
    MSG_GET_PROTOCOL_FEATURES = 15,
    MSG_SET_VRING_ENABLE = 18,
    MSG_IOTLB = 22,
    MSG_GET_INFLIGHT_FD = 31,
    MSG_SET_INFLIGHT_FD = 32,
    MSG_GPU_SET_SOCKET = 33,
    MSG_ADD_MEM_REG = 37,
    MSG_REM_MEM_REG = 38,
};

typedef struct BackEndRegion {
    uint64_t gpa;
    uint64_t size;
    uint64_t offset;
    ino_t inode;
} BackEndRegion;

/* What a back end was given so far, over all of its connections */
typedef struct BackEndState {
    bool connected;
    unsigned connections;
    /* Messages by type */
    unsigned count[BACK_END_MESSAGES];
    int nregions;
    BackEndRegion region[BACK_END_MAX_REGIONS];
    /* Every bit that was ever acknowledged */
    uint64_t features;
    /* A bit for each queue that runs */
    uint64_t started;
    /* Requests popped and answered; addresses of which it has no mapping */
    unsigned popped;
    unsigned answered;
    unsigned unreachable;
    /* The memory for requests in flight, as it was sent to the back end */
    ino_t inflight;
} BackEndState;

typedef struct BackEnd BackEnd;

/* How it presents itself; change before QEMU connects. */
typedef struct BackEndSetup {
    int queues;
    /* Offered beyond the usual ones, or not offered in spite of them */
    uint64_t features;
    uint64_t hidden_features;
    uint64_t protocol_features;
    uint64_t hidden_protocol_features;
    uint8_t config[BACK_END_MAX_CONFIG];
} BackEndSetup;

/* Listens at back_end_path() when this returns. */
BackEnd *back_end_new(const BackEndSetup *setup);
void back_end_free(BackEnd *be);
const char *back_end_path(BackEnd *be);

/* A copy of the state as it is now */
BackEndState back_end_state(BackEnd *be);

/*
 * Wait until @holds says true of the state; fails the test, naming @what, when
 * that takes too long.
 */
typedef bool BackEndCondition(const BackEndState *state, uint64_t arg);
void back_end_wait(BackEnd *be, BackEndCondition *holds, uint64_t arg,
                   const char *what);
void back_end_wait_started(BackEnd *be);
void back_end_wait_stopped(BackEnd *be);

/* Did any message ever come with this file? */
bool back_end_was_given(BackEnd *be, ino_t inode);

/* Is @needle anywhere in the memory that the back end has mapped? */
bool back_end_finds(BackEnd *be, const void *needle, size_t len);
/* Overwrite every byte of every region that the back end has mapped. */
void back_end_scribble(BackEnd *be, uint8_t byte);
/* Can the back end translate bus address @addr? */
bool back_end_reaches(BackEnd *be, uint64_t addr);

/* Take requests, but do not answer them. */
void back_end_hold(BackEnd *be, bool hold);
/* Ask QEMU what its IOMMU has at @addr, as if the back end had a TLB. */
void back_end_miss(BackEnd *be, uint64_t addr);
/* Close the connection, and accept no new one until told so. */
void back_end_disconnect(BackEnd *be);
void back_end_accept(BackEnd *be);
/* Close the connection when the next message of @type comes. */
void back_end_hang_up_at(BackEnd *be, int type);

#endif
