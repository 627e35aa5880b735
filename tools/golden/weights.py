"""Weights as a pure function of (seed, tensor name, element index).

The same arithmetic stands in tests/golden/tiny/tiny_checkpoint.cc, so that the repository holds no
weights: a tensor is its name, its shape, a mean and a scale. Element i is

    bf16(mean + scale * u),    u = (mix64(key + i * GOLDEN) >> 40) * 2^-23 - 1    in [-1, 1)

with key = mix64(fnv1a(name) ^ mix64(seed)), product and sum rounded to float32 one after the other,
and the result rounded to bfloat16 (to nearest, ties to even). So each weight is the same number in
a file of F32 and in one of BF16: one reference serves both.
"""

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def mix64(x):
    """SplitMix64's finaliser, of an int or of an array of uint64."""
    if isinstance(x, int):
        x ^= x >> 30
        x = x * 0xBF58476D1CE4E5B9 & MASK
        x ^= x >> 27
        x = x * 0x94D049BB133111EB & MASK
        return x ^ x >> 31
    x = x ^ x >> np.uint64(30)
    x = x * np.uint64(0xBF58476D1CE4E5B9)
    x = x ^ x >> np.uint64(27)
    x = x * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)


def fnv1a(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return value


def to_bf16(values):
    """float32 -> the nearest bfloat16, as float32. Finite values only."""
    bits = values.view(np.uint32)
    rounded = bits + (np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1)))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


def tensor(seed, name, shape, mean, scale):
    """float32 of the given shape. REQUIRES: mean and scale are exact in float32."""
    key = mix64(fnv1a(name) ^ mix64(seed))
    counters = np.arange(int(np.prod(shape)), dtype=np.uint64) * np.uint64(GOLDEN)
    unit = mix64(np.uint64(key) + counters) >> np.uint64(40)
    unit = unit.astype(np.float32) * np.float32(2.0**-23) - np.float32(1)
    return to_bf16(np.float32(mean) + np.float32(scale) * unit).reshape(shape)


def token_ids(seed, name, count, vocab):
    """`count` ids below `vocab`, likewise from a counter."""
    key = mix64(fnv1a(name) ^ mix64(seed))
    return [mix64(key + i * GOLDEN & MASK) % vocab for i in range(count)]
