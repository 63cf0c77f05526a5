#ifndef MINKE_HASH_H
#define MINKE_HASH_H

#include <stdint.h>

/// Takes `count` blocks of 64 bytes into the state of a SHA-256 hash (FIPS 180-4, 6.2.2) with the processor's
/// instructions for it. `constants` are those of the 64 rounds (4.2.2).
///
/// Returns 1 if that was done, 0, with nothing changed, where the processor has no such instructions.
int minkeCompressSHA256(uint32_t state[8], const void *blocks, int64_t count, const uint32_t constants[64]);

#endif
