// Chooses the kernels once, from what the processor says or from MINKE_ISA.

#ifdef __linux__
#define _GNU_SOURCE
#include <sched.h>
#include <sys/syscall.h>
#endif
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "include/minke_kernels.h"

extern const MinkeKernels minkeKernels_portable;
#if defined(__x86_64__)
#if defined(__linux__)
extern const MinkeKernels minkeKernels_avx512amx;
#endif
extern const MinkeKernels minkeKernels_avx512bf16, minkeKernels_avx512vnni, minkeKernels_avx512, minkeKernels_avx2;
#elif defined(__aarch64__)
extern const MinkeKernels minkeKernels_neon;
#endif

#if defined(__x86_64__) && defined(__linux__)
/// Asks the system for the registers of AMX, which a process has to do before its first tile; threads inherit the answer.
static bool mayUseTiles(void) {
    enum { RequestComponent = 0x1023, TileData = 18 };
    return __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-int8") && __builtin_cpu_supports("amx-bf16") &&
           syscall(SYS_arch_prctl, RequestComponent, TileData) == 0;
}
#endif

/// The tables that this processor can run, best first, null-terminated.
static const MinkeKernels *const *supported(void) {
    static const MinkeKernels *list[8];
    static _Atomic int ready;
    if (atomic_load_explicit(&ready, memory_order_acquire)) return list;
    // Threads that race here write the same values.
    int n = 0;
#if defined(__x86_64__)
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (wide && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni")) {
#if defined(__linux__)
        if (mayUseTiles()) list[n++] = &minkeKernels_avx512amx;
#endif
        // Intel's have the instruction, but do less with it than with float multiply-adds.
        bool slow = __builtin_cpu_is("intel");
        list[n++] = slow ? &minkeKernels_avx512vnni : &minkeKernels_avx512bf16;
        list[n++] = slow ? &minkeKernels_avx512bf16 : &minkeKernels_avx512vnni;
    }
    if (wide) list[n++] = &minkeKernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) list[n++] = &minkeKernels_avx2;
#elif defined(__aarch64__)
    list[n++] = &minkeKernels_neon;
#endif
    list[n++] = &minkeKernels_portable;
    list[n] = NULL;
    atomic_store_explicit(&ready, 1, memory_order_release);
    return list;
}

const MinkeKernels *minkeKernelsNamed(const char *name) {
    for (const MinkeKernels *const *k = supported(); *k; k++)
        if (strcmp((*k)->name, name) == 0) return *k;
    return NULL;
}

const char *minkeSupportedISA(int index) {
    const MinkeKernels *const *list = supported();
    for (int i = 0; list[i]; i++)
        if (i == index) return list[i]->name;
    return NULL;
}

const MinkeKernels *minkeKernels(void) {
    static _Atomic(const MinkeKernels *) chosen;
    const MinkeKernels *kernels = atomic_load_explicit(&chosen, memory_order_acquire);
    if (kernels) return kernels;
    const char *name = getenv("MINKE_ISA");
    kernels = name ? minkeKernelsNamed(name) : NULL;
    if (!kernels) kernels = supported()[0];
    atomic_store_explicit(&chosen, kernels, memory_order_release);
    return kernels;
}

int minkeISARequestFailed(void) {
    const char *name = getenv("MINKE_ISA");
    return name && *name && !minkeKernelsNamed(name);
}

int minkeCoreCount(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}

void minkeShareHeap(void) {
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 1);
#endif
}

void minkeTrimHeap(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

int64_t minkeAttentionScratch(int64_t tokens, int64_t keyWidth, int64_t sharedWidth, int64_t valueWidth,
                              bool backward) {
    // An upper bound on what attention.h lays out: panels of keys, values, queries and gradients, and the blocks.
    int64_t t = (tokens + 31) / 32 * 32, w = (keyWidth + sharedWidth + 31) / 32 * 32, v = (valueWidth + 31) / 32 * 32;
    int64_t panels = t * w + t * v + (backward ? 3 * t * w + 2 * t * v + t : 0);
    int64_t floats = panels + 6 * 64 * 256 + 2 * 64 * 19 * 16 + 2 * 64 * (w + v) + 4096;
    return floats * 4;
}
