/**
 * How Node is started to serve in time; V8 reads it at its own start only, so the
 * bin (cli.ts), `npm start` and the Dockerfile say it too.
 *
 * V8 compiles hot functions on threads of its own, which it wakes while a step's
 * end is computed and written. On a small virtual machine the kernel puts such a
 * thread on the very core of the one that woke it (an idle virtual core counts as
 * taken away), where it runs for up to 4 ms: this was the whole tail of a server's
 * first minutes. A thread that first waits 2 ms comes when the step is written.
 * gpt-oss-120b over HTTP at 1, 8 and 32 streams, p99 of a gap over its price:
 * 1.3 to 3.7, 3.4 and 2.8 ms without, 0.9, 1.3 and 1.1 ms with it (two cores).
 *
 * What a request or a step makes is dead soon, but with hundreds of requests under way not before
 * V8 next clears its nursery of 16 MiB, and what lives is copied. Twice that is cleared half as
 * often: short chats 1.14 and 1.04 times as many a second (9 and 13 slices in turns), twelve
 * thousand simulated requests in 1.80 s instead of 2.40 (three runs of each in turns).
 *
 * Node's own code lies in huge pages, where the kernel gives them: a request passes so much of it
 * that a processor waits for its addresses (short chats 1.08 times as many a second, 0.96 of the
 * processor's time: 10 slices in turns). It costs 9 MiB. The bin's first line has no room for it.
 */
export const NODE_FLAGS: readonly string[] = [
  "--concurrent-recompilation-delay=2",
  "--max-semi-space-size=32",
  "--use-largepages=silent",
];

/**
 * And its environment, which glibc reads at the start only: memory in huge pages, where the kernel
 * gives them to who asks (`/sys/kernel/mm/transparent_hugepage/enabled` at `madvise`, as most have
 * it). Weights are read from memory once a step, and in pages of 4 KiB a processor waits for their
 * addresses as well. glibc asks for heaps and for pieces of 2 MiB and more: most matrices are smaller,
 * so pieces of up to 32 MiB lie in heaps, and a thread's heap is asked for whole (64 MiB). Where there
 * is no glibc nothing reads it. The bin's first line has room for `hugetlb` alone of it: kernels before 5.1
 * read 127 bytes of it.
 */
export const NODE_ENVIRONMENT = {
  GLIBC_TUNABLES:
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:glibc.malloc.top_pad=67108864",
} as const;
