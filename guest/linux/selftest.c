// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the pool and of the DMA operations in a kernel (make SELFTEST=1): a
 * module of its own, which no device needs. Loaded, it says of each case
 *
 *	virtio_swiotlb_selftest: ok NAME
 *	virtio_swiotlb_selftest: not ok NAME
 *
 * and stays loaded only if all were good. The window is the kernel's own
 * memory, and the tests themselves are the device.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/dma-mapping.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "copy.h"
#include "virtio_swiotlb.h"

#undef pr_fmt
#define pr_fmt(fmt)	KBUILD_MODNAME ": " fmt

#define TEST_CPUS	num_online_cpus()
#define TEST_THREADS	4
/* More of it takes long under emulation. */
#define TEST_ROUNDS	2000
#define LARGE_WINDOW	SZ_4M

struct worker;

/* What a thread does, and how it ended */
struct task {
	struct completion done;
	void (*run)(struct task *task);
	union {
		const struct pool_case *test;
		struct {
			void (*work)(struct worker *worker);
			struct worker *worker;
		};
	};
	bool good;
};

/* Ends the thread; what it has is lost, as the module is then. */
static void __noreturn failed(const char *file, unsigned int line,
			      const char *what, u64 got)
{
	struct task *task = kthread_data(current);

	pr_err("%s:%u: %s, got %llu\n", kbasename(file), line, what, got);
	kthread_complete_and_exit(&task->done, 0);
}

#define expect(condition) do {						\
	if (!(condition))						\
		failed(__FILE__, __LINE__, #condition, 0);		\
} while (0)

#define expect_is(got, want) do {					\
	u64 got_ = (got);						\
									\
	if (got_ != (u64)(want))					\
		failed(__FILE__, __LINE__, #got " == " #want, got_);	\
} while (0)

/* Others have their turn, too: some cases take long. */
static void on_cpu(unsigned int n)
{
	unsigned int cpu = cpumask_local_spread(n, NUMA_NO_NODE);

	set_cpus_allowed_ptr(current, cpumask_of(cpu));
	cond_resched();
}

static void settle(void)
{
	rcu_barrier();
}

#include "selftest_pool.h"

static int run(void *data)
{
	struct task *task = data;

	task->run(task);
	task->good = true;
	kthread_complete_and_exit(&task->done, 0);
}

static void start(struct task *task)
{
	struct task_struct *thread;

	init_completion(&task->done);
	task->good = false;
	thread = kthread_run(run, task, KBUILD_MODNAME);
	if (IS_ERR(thread))
		complete(&task->done);
}

/* The kernel takes who waits long without waking up for hung. */
static bool ended_well(struct task *task)
{
	while (!wait_for_completion_timeout(&task->done, HZ))
		continue;
	return task->good;
}

static void run_work(struct task *task)
{
	task->work(task->worker);
}

static void at_once(work_fn work, struct worker *worker)
{
	struct task *task = array(TEST_THREADS, sizeof(*task));
	bool good = true;
	unsigned int i;

	for (i = 0; i < TEST_THREADS; i++) {
		task[i].run = run_work;
		task[i].work = work;
		task[i].worker = &worker[i];
		start(&task[i]);
	}
	for (i = 0; i < TEST_THREADS; i++)
		good &= ended_well(&task[i]);
	kvfree(task);
	expect(good);
}

/* A device that is nowhere but here */
struct rig {
	struct vsw_device vd;
	struct virtio_device vdev;
	struct device *dev;
	struct device parent;
	u64 dma_mask;
};

/* Where no kernel has memory */
#define FAR	BIT_ULL(50)

/* For what the log says of it */
static const struct vsw_source rig_source = { .size_option = "selftest" };

static struct rig *rig_new(size_t size)
{
	struct rig *rig = array(1, sizeof(*rig));
	struct vsw_device *vd = &rig->vd;

	rig->dev = &rig->parent;
	rig->dev->init_name = "selftest";
	rig->vdev.dev.init_name = "selftest";
	rig->dma_mask = DMA_BIT_MASK(64);
	rig->dev->dma_mask = &rig->dma_mask;
	rig->dev->coherent_dma_mask = DMA_BIT_MASK(64);
	vd->vdev = &rig->vdev;
	vd->parent = rig->dev;
	vd->source = &rig_source;
	vd->longest_ring = SIZE_MAX;
	vd->window.mem = vzalloc(size);
	expect(vd->window.mem);
	vd->window.size = size;
	vd->window.phys = FAR;
	vd->window.bus = 2 * FAR;
	vd->pool = vsw_pool_create(size);
	expect(vd->pool);
	vsw_dma_install(vd);
	return rig;
}

static struct vsw_pool_stats rig_stats(struct rig *rig)
{
	struct vsw_pool_stats stats;

	vsw_pool_stats(rig->vd.pool, &stats);
	return stats;
}

static void rig_free(struct rig *rig)
{
	struct vsw_pool_stats stats = rig_stats(rig);

	expect_is(stats.mapped, 0);
	expect_is(stats.rings, 0);
	expect_is(stats.used_bytes, 0);
	vsw_dma_restore(&rig->vd);
	vsw_pool_destroy(rig->vd.pool);
	vfree(rig->vd.window.mem);
	kvfree(rig);
}

/* What the device finds at an address that it was given */
static u8 *at_device(struct rig *rig, dma_addr_t addr, size_t size)
{
	struct vsw_window *window = &rig->vd.window;

	expect(vsw_window_holds(window->bus, window->size, addr, size));
	return window->mem + (addr - window->bus);
}

static dma_addr_t map_buffer(struct rig *rig, void *buffer, size_t size,
			     enum dma_data_direction dir, unsigned long attrs)
{
	return vsw_map_phys(rig->dev, virt_to_phys(buffer), size, dir,
			    attrs | DMA_ATTR_NO_WARN);
}

static dma_addr_t must_map(struct rig *rig, void *buffer, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	dma_addr_t addr = map_buffer(rig, buffer, size, dir, attrs);

	expect(addr != DMA_MAPPING_ERROR);
	return addr;
}

/* Bytes of which no two neighbours, and no two seeds, are alike */
static u8 byte_of(u8 seed, size_t i)
{
	return seed + 7 * i + i / 256;
}

static void paint(u8 *memory, size_t size, u8 seed)
{
	while (size--)
		memory[size] = byte_of(seed, size);
}

/* Is @memory painted so from @from up to @to? */
static bool is_painted(const u8 *memory, size_t from, size_t to, u8 seed)
{
	for (; from < to; from++) {
		if (memory[from] != byte_of(seed, from))
			return false;
	}
	return true;
}

/* Those, and all before and behind up to @size, have these seeds. */
static bool is_mixed(const u8 *memory, size_t from, size_t to, size_t size,
		     u8 inside, u8 outside)
{
	return is_painted(memory, 0, from, outside) &&
	       is_painted(memory, from, to, inside) &&
	       is_painted(memory, to, size, outside);
}

#define GUEST	1
#define DEVICE	2
#define MARGIN	13

static const size_t sizes[] = {
	1, 3, 63, 64, 65, 127, 1000, 2048, 2049, 4096, 4097, 9001, 40000
};

static const enum dma_data_direction ways[] = {
	DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_BIDIRECTIONAL
};

/* A buffer at an odd address, with what nobody may touch on both sides */
struct buffer {
	u8 *all, *data;
	size_t size;
};

static void buffer_new(struct buffer *buffer, size_t size)
{
	buffer->size = size;
	buffer->all = kmalloc(size + 2 * MARGIN, GFP_KERNEL);
	expect(buffer->all);
	memset(buffer->all, 0xa5, size + 2 * MARGIN);
	buffer->data = buffer->all + MARGIN;
	paint(buffer->data, size, GUEST);
}

static void buffer_free(struct buffer *buffer)
{
	expect(!memchr_inv(buffer->all, 0xa5, MARGIN));
	expect(!memchr_inv(buffer->data + buffer->size, 0xa5, MARGIN));
	kfree(buffer->all);
}

/* The whole buffer, whatever the direction: a device may write less. */
static void buffers_come_and_go(struct rig *rig, size_t size,
				enum dma_data_direction dir)
{
	struct buffer buffer;
	dma_addr_t addr;
	u8 *seen;

	buffer_new(&buffer, size);
	addr = must_map(rig, buffer.data, size, dir, 0);
	seen = at_device(rig, addr, size);
	expect(is_painted(seen, 0, size, GUEST));
	expect(!memchr_inv(seen + size, 0, MARGIN));
	paint(seen, size / 2, DEVICE);
	vsw_unmap_phys(rig->dev, addr, size, dir, 0);
	expect(is_mixed(buffer.data, 0, dir == DMA_TO_DEVICE ? 0 : size / 2,
			size, DEVICE, GUEST));
	memset(seen, 0, size);
	buffer_free(&buffer);
}

static void buffers_come_and_go_in_all_sizes(void)
{
	struct rig *rig = rig_new(SZ_1M);
	unsigned int i, d;
	size_t size;

	for (d = 0; d < ARRAY_SIZE(ways); d++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++)
			buffers_come_and_go(rig, sizes[i], ways[d]);
		/* Whatever is left of them behind the last long step */
		for (size = 1; size < VSW_SHORT + 64; size++)
			buffers_come_and_go(rig, size, ways[d]);
	}
	rig_free(rig);
}

static void sync_both_ways(struct rig *rig, struct buffer *buffer,
			   dma_addr_t addr, size_t at, size_t n,
			   enum dma_data_direction dir)
{
	size_t size = buffer->size, end = min(at + n, size);
	u8 *seen = at_device(rig, addr, size);

	paint(buffer->data, size, GUEST);
	paint(seen, size, DEVICE);
	vsw_sync_single_for_cpu(rig->dev, addr + at, n, dir);
	expect(is_painted(seen, 0, size, DEVICE));
	expect(is_mixed(buffer->data, at, dir == DMA_TO_DEVICE ? at : end, size,
			DEVICE, GUEST));

	paint(buffer->data, size, GUEST);
	vsw_sync_single_for_device(rig->dev, addr + at, n, dir);
	expect(is_painted(buffer->data, 0, size, GUEST));
	expect(is_mixed(seen, at, dir == DMA_FROM_DEVICE ? at : end, size,
			GUEST, DEVICE));
}

/* Also those that reach beyond the buffer's end */
static void syncs_copy_what_they_name(void)
{
	static const size_t lengths[] = { 1, 2, 7, 63, 64, 65, 1023, 50000 };
	struct rig *rig = rig_new(SZ_1M);
	unsigned int i, d, j, k;

	for (i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(ways); i++) {
		size_t size = sizes[i / ARRAY_SIZE(ways)];
		const size_t start[] = {
			0, 1, 3, 31, 63, 65, 511, size / 2 | 1, size - 1
		};
		struct buffer buffer;
		dma_addr_t addr;

		d = i % ARRAY_SIZE(ways);
		buffer_new(&buffer, size);
		addr = must_map(rig, buffer.data, size, ways[d], 0);
		for (j = 0; j < ARRAY_SIZE(start); j++) {
			for (k = 0; k < ARRAY_SIZE(lengths); k++) {
				if (start[j] < size)
					sync_both_ways(rig, &buffer, addr,
						       start[j], lengths[k],
						       ways[d]);
			}
			cond_resched();
		}
		vsw_unmap_phys(rig->dev, addr, size, ways[d],
			       DMA_ATTR_SKIP_CPU_SYNC);
		buffer_free(&buffer);
	}
	rig_free(rig);
}

/* An address that names no buffer, or the space behind one */
static void syncs_of_nothing_do_nothing(void)
{
	struct rig *rig = rig_new(SZ_1M);
	struct buffer buffer;
	dma_addr_t addr;

	buffer_new(&buffer, 100);
	addr = must_map(rig, buffer.data, 100, DMA_BIDIRECTIONAL, 0);
	paint(at_device(rig, addr, 128), 128, DEVICE);
	vsw_sync_single_for_cpu(rig->dev, addr + 100, 28, DMA_BIDIRECTIONAL);
	vsw_sync_single_for_cpu(rig->dev, addr + 101, 1, DMA_BIDIRECTIONAL);
	vsw_sync_single_for_cpu(rig->dev, addr + SZ_4K, 1, DMA_BIDIRECTIONAL);
	vsw_sync_single_for_cpu(rig->dev, addr - SZ_1M, 1, DMA_BIDIRECTIONAL);
	vsw_sync_single_for_cpu(rig->dev, 0, 1, DMA_BIDIRECTIONAL);
	vsw_sync_single_for_device(rig->dev, addr + 100, 28, DMA_BIDIRECTIONAL);
	vsw_sync_single_for_device(rig->dev, addr + SZ_1M, 1, DMA_BIDIRECTIONAL);
	expect(is_painted(buffer.data, 0, 100, GUEST));
	expect(is_painted(at_device(rig, addr, 128), 0, 128, DEVICE));
	vsw_unmap_phys(rig->dev, addr, 100, DMA_BIDIRECTIONAL,
		       DMA_ATTR_SKIP_CPU_SYNC);
	buffer_free(&buffer);
	rig_free(rig);
}

static void unmap_copies_no_more_than_was_mapped(void)
{
	struct rig *rig = rig_new(SZ_1M);
	struct buffer buffer;
	dma_addr_t addr;

	buffer_new(&buffer, 100);
	addr = must_map(rig, buffer.data, 100, DMA_FROM_DEVICE, 0);
	paint(at_device(rig, addr, 128), 128, DEVICE);
	vsw_unmap_phys(rig->dev, addr, SZ_4K, DMA_FROM_DEVICE, 0);
	expect(is_painted(buffer.data, 0, 100, DEVICE));

	/* Nor any that was mapped for the other direction, nor twice */
	paint(buffer.data, 100, GUEST);
	vsw_unmap_phys(rig->dev, addr, 100, DMA_FROM_DEVICE, 0);
	expect(is_painted(buffer.data, 0, 100, GUEST));
	addr = must_map(rig, buffer.data, 100, DMA_TO_DEVICE, 0);
	paint(at_device(rig, addr, 100), 100, DEVICE);
	vsw_unmap_phys(rig->dev, addr, 100, DMA_FROM_DEVICE, 0);
	expect(is_painted(buffer.data, 0, 100, GUEST));
	buffer_free(&buffer);
	rig_free(rig);
}

static void who_wants_no_copy_gets_none(void)
{
	struct rig *rig = rig_new(SZ_1M);
	struct buffer buffer;
	dma_addr_t addr;
	u8 *seen;

	buffer_new(&buffer, 1000);
	addr = must_map(rig, buffer.data, 1000, DMA_TO_DEVICE,
			DMA_ATTR_SKIP_CPU_SYNC);
	expect(!memchr_inv(at_device(rig, addr, 1000), 0, 1000));
	vsw_unmap_phys(rig->dev, addr, 1000, DMA_TO_DEVICE, 0);

	/* What the device may write must not be what was there before. */
	addr = must_map(rig, buffer.data, 1000, DMA_FROM_DEVICE,
			DMA_ATTR_SKIP_CPU_SYNC);
	seen = at_device(rig, addr, 1000);
	expect(is_painted(seen, 0, 1000, GUEST));
	paint(seen, 1000, DEVICE);
	vsw_unmap_phys(rig->dev, addr, 1000, DMA_FROM_DEVICE,
		       DMA_ATTR_SKIP_CPU_SYNC);
	expect(is_painted(buffer.data, 0, 1000, GUEST));
	buffer_free(&buffer);
	rig_free(rig);
}

#define ENTRIES	5

static void lists_are_mapped_as_a_whole_or_not_at_all(void)
{
	static const size_t size[ENTRIES] = { 1, 4096, 100, 20000, 65 };
	struct rig *rig = rig_new(SZ_1M);
	struct scatterlist sg[ENTRIES], *entry;
	struct buffer buffer[ENTRIES];
	void *large;
	int i;

	sg_init_table(sg, ENTRIES);
	for (i = 0; i < ENTRIES; i++) {
		buffer_new(&buffer[i], size[i]);
		sg_set_buf(&sg[i], buffer[i].data, size[i]);
	}
	expect_is(dma_map_sg(rig->dev, sg, ENTRIES, DMA_FROM_DEVICE), ENTRIES);
	for_each_sg(sg, entry, ENTRIES, i) {
		expect_is(sg_dma_len(entry), size[i]);
		paint(at_device(rig, sg_dma_address(entry), size[i]), size[i],
		      DEVICE);
	}
	dma_sync_sg_for_cpu(rig->dev, sg, ENTRIES, DMA_FROM_DEVICE);
	for (i = 0; i < ENTRIES; i++) {
		expect(is_painted(buffer[i].data, 0, size[i], DEVICE));
		paint(buffer[i].data, size[i], GUEST);
	}
	dma_unmap_sg(rig->dev, sg, ENTRIES, DMA_FROM_DEVICE);
	for (i = 0; i < ENTRIES; i++)
		expect(is_painted(buffer[i].data, 0, size[i], DEVICE));

	/* The last one is longer than the window has room for. */
	large = kmalloc(SZ_1M, GFP_KERNEL);
	expect(large);
	sg_set_buf(&sg[ENTRIES - 1], large, SZ_1M);
	expect_is(dma_map_sg_attrs(rig->dev, sg, ENTRIES, DMA_FROM_DEVICE,
				   DMA_ATTR_NO_WARN), 0);
	expect_is(rig_stats(rig).mapped, 0);
	kfree(large);
	for (i = 0; i < ENTRIES; i++) {
		expect(is_painted(buffer[i].data, 0, size[i], DEVICE));
		buffer_free(&buffer[i]);
	}
	rig_free(rig);
}

static void rings_lie_in_the_window(void)
{
	struct rig *rig = rig_new(SZ_1M);
	struct vsw_window *window = &rig->vd.window;
	phys_addr_t inside;
	dma_addr_t addr;
	u8 *ring;

	memset(window->mem, 0xff, window->size);
	ring = dma_alloc_coherent(rig->dev, 5000, &addr, GFP_KERNEL);
	expect(ring);
	expect(ring == at_device(rig, addr, 5000));
	expect_is((addr - window->bus) % SZ_8K, 0);
	expect(!memchr_inv(ring, 0, 5000));

	/* A part of it is there already. */
	inside = window->phys + (addr - window->bus) + 100;
	expect_is(vsw_map_phys(rig->dev, inside, 50, DMA_TO_DEVICE, 0),
		  addr + 100);
	expect_is(rig_stats(rig).mapped, 0);
	vsw_sync_single_for_cpu(rig->dev, addr + 100, 50, DMA_BIDIRECTIONAL);
	vsw_unmap_phys(rig->dev, addr + 100, 50, DMA_TO_DEVICE, 0);
	vsw_unmap_phys(rig->dev, addr, 5000, DMA_BIDIRECTIONAL, 0);
	expect_is(rig_stats(rig).rings, 1);
	dma_free_coherent(rig->dev, 5000, ring, addr);
	rig_free(rig);
}

static dma_addr_t map_as_drivers_do(struct rig *rig, void *data, size_t size)
{
	dma_addr_t addr = dma_map_single(rig->dev, data, size, DMA_FROM_DEVICE);

	expect(!dma_mapping_error(rig->dev, addr));
	return addr;
}

static void what_is_left_is_taken_back(void)
{
	struct rig *rig = rig_new(SZ_1M);
	struct vsw_left rings, mapped;
	struct buffer buffer;
	bool is_scrubbed;
	dma_addr_t addr;

	buffer_new(&buffer, 1000);
	addr = map_as_drivers_do(rig, buffer.data, 1000);
	dma_unmap_single(rig->dev, addr, 1000, DMA_FROM_DEVICE);
	is_scrubbed = !memchr_inv(at_device(rig, addr, 1000), 0, 1000);

	expect(dma_alloc_coherent(rig->dev, 5000, &addr, GFP_KERNEL));
	addr = map_as_drivers_do(rig, buffer.data, 1000);
	paint(at_device(rig, addr, 1000), 1000, DEVICE);
	vsw_dma_reclaim(&rig->vd, &rings, &mapped);
	expect_is(rings.slots, 1);
	expect_is(rings.bytes, 5000);
	expect_is(mapped.slots, 1);
	expect_is(mapped.bytes, 1000);
	expect(is_painted(buffer.data, 0, 1000, GUEST));
	expect_is(!memchr_inv(at_device(rig, addr, 1000), 0, 1000),
		  is_scrubbed);
	vsw_dma_reclaim(&rig->vd, &rings, &mapped);
	expect_is(rings.slots + mapped.slots, 0);

	/* Debugging of the DMA API complains if it is still said to be mapped. */
	addr = map_as_drivers_do(rig, buffer.data, 1000);
	dma_unmap_single(rig->dev, addr, 1000, DMA_FROM_DEVICE);
	buffer_free(&buffer);
	rig_free(rig);
}

/* Maps @buffer again and again until that fails; returns how often it did not. */
static unsigned int exhaust(struct rig *rig, void *buffer, dma_addr_t *addr,
			    enum dma_data_direction dir)
{
	unsigned int n = 0;

	while ((addr[n] = map_buffer(rig, buffer, SZ_4K, dir, 0)) !=
	       DMA_MAPPING_ERROR)
		n++;
	return n;
}

static void full_window_refuses_and_keeps_a_reserve(void)
{
	struct rig *rig = rig_new(SZ_1M);
	dma_addr_t *in = array(512, sizeof(*in)), *out = in + 256;
	unsigned int received, sent;
	struct buffer buffer;

	buffer_new(&buffer, SZ_4K);
	received = exhaust(rig, buffer.data, in, DMA_FROM_DEVICE);
	expect_is(received, 192);
	sent = exhaust(rig, buffer.data, out, DMA_TO_DEVICE);
	expect_is(sent, 64);
	expect(rig_stats(rig).full >= 2);

	/* What one gives back is there for the next. */
	vsw_unmap_phys(rig->dev, in[0], SZ_4K, DMA_FROM_DEVICE, 0);
	in[0] = must_map(rig, buffer.data, SZ_4K, DMA_FROM_DEVICE, 0);
	expect(map_buffer(rig, buffer.data, 1, DMA_FROM_DEVICE, 0) ==
	       DMA_MAPPING_ERROR);
	while (received--)
		vsw_unmap_phys(rig->dev, in[received], SZ_4K, DMA_FROM_DEVICE,
			       0);
	while (sent--)
		vsw_unmap_phys(rig->dev, out[sent], SZ_4K, DMA_TO_DEVICE, 0);
	expect(is_painted(buffer.data, 0, SZ_4K, GUEST));
	buffer_free(&buffer);
	kvfree(in);
	rig_free(rig);
}

/* Tasks and interrupts of all CPUs, at the same time */
#define STORM_SIZE	300
#define STORM_ROUNDS	1000

static struct {
	struct rig *rig;
	/* One for each CPU's interrupts */
	u8 **buffer;
	atomic_t done, wrong;
} storm;

/* The device answers with the complement. It may find no room at times. */
static void ask_device(u8 *buffer, size_t size)
{
	struct vsw_window *window = &storm.rig->vd.window;
	dma_addr_t addr;
	size_t i;
	u8 *seen;

	paint(buffer, size, GUEST);
	addr = map_buffer(storm.rig, buffer, size, DMA_BIDIRECTIONAL, 0);
	if (addr == DMA_MAPPING_ERROR)
		return;
	seen = window->mem + (addr - window->bus);
	for (i = 0; i < size; i++)
		seen[i] = ~seen[i];
	vsw_unmap_phys(storm.rig->dev, addr, size, DMA_BIDIRECTIONAL, 0);
	for (i = 0; i < size; i++) {
		if (buffer[i] != (u8)~byte_of(GUEST, i)) {
			atomic_inc(&storm.wrong);
			break;
		}
	}
	atomic_inc(&storm.done);
}

static void interrupt(void *unused)
{
	ask_device(storm.buffer[smp_processor_id()], STORM_SIZE);
}

static void ask_and_interrupt(struct worker *worker)
{
	struct dice dice = { .state = worker->number };
	u8 *buffer = kmalloc(SZ_8K, GFP_KERNEL);
	unsigned int round;

	expect(buffer);
	on_cpu(worker->number);
	for (round = 0; round < STORM_ROUNDS; round++) {
		ask_device(buffer, 1 + roll(&dice, SZ_8K - 1));
		/* One of them, or interrupts would be all there is */
		if (worker->number == 0)
			on_each_cpu(interrupt, NULL, 0);
		cond_resched();
	}
	kfree(buffer);
}

static void interrupts_get_in_between(void)
{
	struct worker *worker = array(TEST_THREADS, sizeof(*worker));
	unsigned int i;

	atomic_set(&storm.done, 0);
	atomic_set(&storm.wrong, 0);
	storm.rig = rig_new(SZ_1M);
	storm.buffer = array(nr_cpu_ids, sizeof(*storm.buffer));
	for (i = 0; i < nr_cpu_ids; i++) {
		storm.buffer[i] = kmalloc(STORM_SIZE, GFP_KERNEL);
		expect(storm.buffer[i]);
	}
	for (i = 0; i < TEST_THREADS; i++)
		worker[i].number = i;
	at_once(ask_and_interrupt, worker);
	/* Until those that were sent last are through */
	on_each_cpu(interrupt, NULL, 1);
	expect_is(atomic_read(&storm.wrong), 0);
	expect(atomic_read(&storm.done) > TEST_THREADS * STORM_ROUNDS);
	for (i = 0; i < nr_cpu_ids; i++)
		kfree(storm.buffer[i]);
	kvfree(storm.buffer);
	kvfree(worker);
	rig_free(storm.rig);
}

static const struct pool_case dma_cases[] = {
	CASE(buffers_come_and_go_in_all_sizes),
	CASE(syncs_copy_what_they_name),
	CASE(syncs_of_nothing_do_nothing),
	CASE(unmap_copies_no_more_than_was_mapped),
	CASE(who_wants_no_copy_gets_none),
	CASE(lists_are_mapped_as_a_whole_or_not_at_all),
	CASE(rings_lie_in_the_window),
	CASE(what_is_left_is_taken_back),
	CASE(full_window_refuses_and_keeps_a_reserve),
	CASE(interrupts_get_in_between),
};

static void run_case(struct task *task)
{
	task->test->run();
}

/* Returns whether all were good. */
static bool run_cases(const struct pool_case *test, unsigned int n)
{
	bool good = true;

	for (; n; n--, test++) {
		struct task task = { .run = run_case, .test = test };

		start(&task);
		good &= ended_well(&task);
		pr_info("%s %s\n", task.good ? "ok" : "not ok", test->name);
	}
	return good;
}

static int __init selftest_init(void)
{
	bool good = run_cases(pool_cases, ARRAY_SIZE(pool_cases));

	good &= run_cases(dma_cases, ARRAY_SIZE(dma_cases));
	return good ? 0 : -EINVAL;
}

static void __exit selftest_exit(void)
{
}

module_init(selftest_init);
module_exit(selftest_exit);

MODULE_DESCRIPTION("Tests of virtio_swiotlb's pool and DMA operations");
MODULE_LICENSE("GPL");
