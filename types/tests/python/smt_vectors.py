#!/usr/bin/env python3
"""Second, independent implementation of the compact sparse Merkle tree; writes tests/vectors/smt.json.

Written from the definition alone (a root is a function of the set of entries), needs only Python 3:

    python3 types/tests/python/smt_vectors.py > types/tests/vectors/smt.json
    python3 types/tests/python/smt_vectors.py --check types/tests/vectors/smt.json
"""

import functools
import json
import sys

# --- keccak256 (FIPS 202 permutation, original 0x01 padding) -------------------------------------

RATE = 136
MASK = (1 << 64) - 1
ROUNDS = 24


def _round_constants():
    lfsr = 1
    for _ in range(ROUNDS):
        constant = 0
        for j in range(7):
            if lfsr & 1:
                constant |= 1 << ((1 << j) - 1)
            lfsr = (lfsr << 1) ^ (0x171 if lfsr >> 7 else 0)
        yield constant


CONSTANTS = list(_round_constants())


def _rotl(value, by):
    by %= 64
    return ((value << by) | (value >> (64 - by))) & MASK


def _permute(a):
    for constant in CONSTANTS:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x - 1) % 5] ^ _rotl(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ d[x] for y in range(5)] for x in range(5)]
        x, y, lane = 1, 0, a[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            lane, a[x][y] = a[x][y], _rotl(lane, (t + 1) * (t + 2) // 2)
        a = [[a[x][y] ^ (~a[(x + 1) % 5][y] & a[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
        a[0][0] ^= constant
    return a


@functools.lru_cache(maxsize=None)
def keccak256(data):
    padded = bytearray(data) + b"\x01" + b"\x00" * (-(len(data) + 1) % RATE)
    padded[-1] |= 0x80
    state = [[0] * 5 for _ in range(5)]
    for block in range(0, len(padded), RATE):
        for lane in range(RATE // 8):
            at = block + 8 * lane
            state[lane % 5][lane // 5] ^= int.from_bytes(padded[at : at + 8], "little")
        state = _permute(state)
    return b"".join(state[lane % 5][lane // 5].to_bytes(8, "little") for lane in range(4))


assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
assert keccak256(b"abc").hex() == "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"

# --- the tree ------------------------------------------------------------------------------------

EMPTY = bytes(32)


def bit(key, depth):
    return (key[depth // 8] >> (7 - depth % 8)) & 1


def leaf(key, value_hash):
    return keccak256(b"\x00" + key + value_hash)


def node(left, right):
    return keccak256(b"\x01" + left + right)


def root(entries, depth=0):
    if not entries:
        return EMPTY
    if len(entries) == 1:
        ((key, value),) = entries.items()
        return leaf(key, keccak256(value))
    sides = [{k: v for k, v in entries.items() if bit(k, depth) == side} for side in (0, 1)]
    return node(root(sides[0], depth + 1), root(sides[1], depth + 1))


def prove(entries, key, depth=0):
    """(siblings from the root down, foreign (key, value hash) or None)"""
    if not entries:
        return [], None
    if len(entries) == 1:
        ((other, value),) = entries.items()
        return [], (None if other == key else (other, keccak256(value)))
    mine = {k: v for k, v in entries.items() if bit(k, depth) == bit(key, depth)}
    theirs = {k: v for k, v in entries.items() if bit(k, depth) != bit(key, depth)}
    siblings, foreign = prove(mine, key, depth + 1)
    return [root(theirs, depth + 1)] + siblings, foreign


def verify(root_hash, key, value, siblings, foreign):
    """value None means: absent."""
    depth = len(siblings)
    if depth > (255 if value is None else 256) or (depth and siblings[-1] == EMPTY):
        return False
    if value is not None:
        if foreign is not None:
            return False
        current = leaf(key, keccak256(value))
    elif foreign is None:
        current = EMPTY
    else:
        other, value_hash = foreign
        if other == key or any(bit(other, d) != bit(key, d) for d in range(depth)):
            return False
        current = leaf(other, value_hash)
    for d in reversed(range(depth)):
        pair = (siblings[d], current) if bit(key, d) else (current, siblings[d])
        current = node(*pair)
    return current == root_hash


# --- vectors -------------------------------------------------------------------------------------


def near(key, depth):
    """The key that differs from `key` in bit `depth` only."""
    flipped = bytearray(key)
    flipped[depth // 8] ^= 0x80 >> (depth % 8)
    return bytes(flipped)


def sets():
    base = keccak256(b"base")
    hashed = [keccak256(b"key %d" % i) for i in range(40)]
    yield "empty", {}
    yield "one", {base: b"value"}
    yield "empty value", {base: b""}
    yield "two that differ in the first bit", {base: b"a", near(base, 0): b"b"}
    yield "two that differ in the last bit", {base: b"a", near(base, 255): b"b"}
    yield "prefixes of every length", {base: b"a", **{near(base, d): b"%d" % d for d in (1, 7, 8, 63, 128, 254)}}
    yield "zero and ones", {bytes(32): b"zero", b"\xff" * 32: b"ones"}
    yield "forty", {key: b"value %d" % i for i, key in enumerate(hashed)}
    yield "forty less ten", {key: b"value %d" % i for i, key in enumerate(hashed) if i % 4}


def vector(name, entries):
    base = keccak256(b"base")
    asked = list(entries)[:6] + [keccak256(b"stranger %d" % i) for i in range(4)]
    asked += [near(key, d) for key in list(entries)[:2] for d in (3, 200, 255)] + [near(base, 9)]
    proofs, seen = [], set()
    for key in asked:
        if key in seen:
            continue
        seen.add(key)
        siblings, foreign = prove(entries, key)
        value = entries.get(key)
        assert verify(root(entries), key, value, siblings, foreign)
        proofs.append(
            {
                "key": key.hex(),
                "value": None if value is None else value.hex(),
                "siblings": [s.hex() for s in siblings],
                "foreign": None if foreign is None else [part.hex() for part in foreign],
            }
        )
    return {
        "name": name,
        "entries": [[key.hex(), entries[key].hex()] for key in sorted(entries)],
        "root": root(entries).hex(),
        "proofs": proofs,
    }


def main():
    text = json.dumps([vector(name, entries) for name, entries in sets()], indent=1) + "\n"
    if sys.argv[1:2] == ["--check"]:
        with open(sys.argv[2], encoding="utf-8") as file:
            sys.exit(0 if file.read() == text else "the committed vectors differ from this implementation")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
