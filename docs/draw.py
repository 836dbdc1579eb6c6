#!/usr/bin/env python3
"""Computes a waiting room's draw from its public record, with nothing but Python's library.

    python3 docs/draw.py ROOM SEED_HEX PUBLIC_RANDOMNESS_HEX COHORT [TICKET ...]

Prints the commitment, then the place of each ticket. It is independent of the Rust code, which is
checked against numbers made with it.
"""

import hashlib
import hmac
import math
import sys

MASK = (1 << 64) - 1


def siphash_2_4(key: bytes, message: bytes) -> int:
    """SipHash-2-4 as in the paper of Aumasson and Bernstein, 2012."""

    def rotate(x, bits):
        return ((x << bits) | (x >> (64 - bits))) & MASK

    def rounds(v, count):
        a, b, c, d = v
        for _ in range(count):
            a = (a + b) & MASK
            c = (c + d) & MASK
            b = rotate(b, 13) ^ a
            d = rotate(d, 16) ^ c
            a = rotate(a, 32)
            c = (c + b) & MASK
            a = (a + d) & MASK
            b = rotate(b, 17) ^ c
            d = rotate(d, 21) ^ a
            c = rotate(c, 32)
        return [a, b, c, d]

    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:16], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    end = len(message) - len(message) % 8
    words = [int.from_bytes(message[at : at + 8], "little") for at in range(0, end, 8)]
    words.append(int.from_bytes(message[end:], "little") | (len(message) & 0xFF) << 56)
    for word in words:
        v[3] ^= word
        v = rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    v = rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def commitment(room: int, seed: bytes) -> bytes:
    return hashlib.sha256(b"onsale draw v1 commitment\0" + room.to_bytes(8, "big", signed=True) + seed).digest()


def place(seed: bytes, public: bytes, cohort: int, ticket: int) -> int:
    if ticket >= cohort:
        return ticket
    mixed = hmac.digest(seed, b"onsale draw v1 seed\0" + public, "sha256")
    key = hmac.digest(mixed, b"onsale draw v1 key\0" + cohort.to_bytes(4, "big"), "sha256")[:16]
    left_size = math.isqrt(cohort - 1) + 1
    right_size = -(-cohort // left_size)
    while True:
        left, right = divmod(ticket, right_size)
        for number in range(10):
            half = right if number % 2 == 0 else left
            added = siphash_2_4(key, (number << 56 | half).to_bytes(8, "little"))
            if number % 2 == 0:
                left = (left + added) % left_size
            else:
                right = (right + added) % right_size
        ticket = left * right_size + right
        if ticket < cohort:
            return ticket


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    room, seed, public, cohort = int(sys.argv[1]), *map(bytes.fromhex, sys.argv[2:4]), int(sys.argv[4])
    print("commitment", commitment(room, seed).hex())
    for ticket in map(int, sys.argv[5:]):
        print(ticket, place(seed, public, cohort, ticket))
