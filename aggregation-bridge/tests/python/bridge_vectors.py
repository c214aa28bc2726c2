#!/usr/bin/env python3
"""Second implementation of the bridge's hash formats, from docs/bridge.md alone; writes tests/vectors/bridge.json.

Needs only Python 3 (keccak256 comes from types/tests/python/smt_vectors.py):

    python3 aggregation-bridge/tests/python/bridge_vectors.py > aggregation-bridge/tests/vectors/bridge.json
    python3 aggregation-bridge/tests/python/bridge_vectors.py --check aggregation-bridge/tests/vectors/bridge.json
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "types/tests/python"))
from smt_vectors import keccak256 as keccak  # noqa: E402

from poseidon import poseidon  # noqa: E402

CHAIN = 7
ZERO = bytes(32)


def be(value, width):
    return value.to_bytes(width, "big")


def le(value, width):
    return value.to_bytes(width, "little")


def digest(name, body, chain=CHAIN):
    return keccak(f"rota/{name}/v1".encode() + be(chain, 8) + body)


def text(value):
    return value.hex()


# --- exits ---------------------------------------------------------------------------------------


def exit_packed(e):
    return (
        be(e["type"], 1)
        + be(e["origin_network"], 4)
        + bytes.fromhex(e["origin_address"])
        + be(e["destination_network"], 4)
        + bytes.fromhex(e["destination_address"])
        + be(int(e["amount"]), 32)
        + keccak(bytes.fromhex(e["metadata"]))
    )


def dense_root(leaves, depth=32):
    """Zero-filled tree by definition, level by level."""
    level, empty = list(leaves), ZERO
    for _ in range(depth):
        if len(level) % 2:
            level.append(empty)
        level = [keccak(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
        empty = keccak(empty + empty)
    return level[0] if level else empty


def sparse_root(entries, depth):
    """Entries are (bits, leaf); the bits choose the side from the root down."""
    empty = [ZERO]
    for _ in range(depth):
        empty.append(keccak(empty[-1] + empty[-1]))

    def root(items, level):
        if not items:
            return empty[depth - level]
        if level == depth:
            return items[0][1]
        left = [item for item in items if not item[0][level]]
        right = [item for item in items if item[0][level]]
        return keccak(root(left, level + 1) + root(right, level + 1))

    return root([e for e in entries if e[1] != ZERO], 0)


def low_bits(value, count):
    return [value >> i & 1 for i in range(count)]


def token_bits(network, address):
    return low_bits(network, 32) + [bit for byte in bytes.fromhex(address) for bit in low_bits(byte, 8)]


def global_index(source, leaf):
    return (1 << 64 | leaf) if source == 0 else (source - 1) << 32 | leaf


# --- lists with their count in the root ----------------------------------------------------------


def list_root(name, leaves):
    level = list(leaves)
    while len(level) > 1:
        above = [keccak(b"\1" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = above + (level[-1:] if len(level) % 2 else [])
    return digest(name, be(len(leaves), 4) + (level[0] if level else ZERO))


# --- vectors -------------------------------------------------------------------------------------


def make_exit(n):
    return {
        "type": n % 2,
        "origin_network": n * 7 % 11,
        "origin_address": keccak(be(n, 4))[:20].hex(),
        "destination_network": n * 5 % 13,
        "destination_address": keccak(be(n + 1000, 4))[:20].hex(),
        "amount": str(int.from_bytes(keccak(be(n + 2000, 4)), "big") >> (n * 9 % 256)),
        "metadata": keccak(be(n + 3000, 4)).hex()[: 2 * (n % 5)],
    }


def exits():
    cases = [make_exit(n) for n in range(12)]
    packed = [exit_packed(e) for e in cases]
    hashes = [keccak(p) for p in packed]
    items = zip(cases, packed, hashes)
    return {
        "exits": [{**e, "packed": text(p), "hash": text(h)} for e, p, h in items],
        "exit_roots": [text(dense_root(hashes[:n])) for n in range(len(hashes) + 1)],
        "exits_hash": text(digest("exits", be(len(hashes), 4) + b"".join(hashes))),
        "exits_hash_of_none": text(digest("exits", be(0, 4))),
    }


def trees():
    nullifiers = [(3, 0), (3, 1), (4, 1 << 31), (0, 5), (2**32 - 1, 2**32 - 1)]
    balances = [(3, "01" * 20, 1), (3, "81" * 20, 2**128 - 1), (4, "01" * 20, 77), (0, "00" * 20, 5)]
    one = be(1, 32)
    null_entries = [(low_bits(s, 32) + low_bits(i, 32), one) for s, i in nullifiers]
    token_entries = [(token_bits(n, a), be(v, 32)) for n, a, v in balances]
    return {
        "nullifiers": [list(key) for key in nullifiers],
        "nullifier_roots": [text(sparse_root(null_entries[:n], 64)) for n in range(len(nullifiers) + 1)],
        "balances": [[n, a, str(v)] for n, a, v in balances],
        "balance_roots": [text(sparse_root(token_entries[:n], 192)) for n in range(len(balances) + 1)],
    }


def global_roots():
    local = {1: dense_root([]), 2: keccak(b"two"), 4: keccak(b"four")}
    leaves = [ZERO if local.get(n, ZERO) == dense_root([]) else local.get(n, ZERO) for n in range(1, 5)]
    rollups = dense_root(leaves)
    indices = [(0, 0), (0, 2**32 - 1), (1, 3), (2, 733), (2**32 - 1, 9)]
    imported = [(global_index(s, i), keccak(be(i, 8))) for s, i in indices]
    return {
        "local_roots": {str(n): text(root) for n, root in local.items()},
        "rollup_exit_root": text(rollups),
        "global_exit_root": text(keccak(ZERO + rollups)),
        "indices": [[s, i, str(global_index(s, i))] for s, i in indices],
        "imported_indices_commitment": text(keccak(b"".join(keccak(le(g, 32)) for g, _ in imported))),
        "imported_exits_commitment": text(keccak(b"".join(le(g, 32) + h for g, h in imported))),
        "pessimistic_root": text(
            keccak(keccak(b"balance") + keccak(b"nullifier") + le(5, 4) + le(6, 8) + le(7, 4))
        ),
        "pessimistic_root_v2": text(keccak(keccak(b"balance") + keccak(b"nullifier") + le(5, 4))),
    }


def inbox():
    h0 = digest("inbox-genesis", keccak(b"genesis") + be(10, 8) + be(3, 4) + keccak(b"config"))
    packed = [bytes.fromhex(e["packed"]) for e in exits()["exits"][:3]]
    deliveries = [
        keccak(b"\0" + be(kind, 1) + be(source, 4) + be(place, 8) + p)
        for (kind, source, place), p in zip([(1, 3, 2**33), (0, 4, 0), (0, 4, 1)], packed)
    ]
    some, none = list_root("deliveries-root", deliveries), list_root("deliveries-root", [])
    entry = be(2, 8) + be(300, 8) + keccak(b"namespace")
    links, at = [], h0
    for height, (namespace, root) in enumerate([(entry, none), (bytes(48), some), (entry, some)], 1):
        at = digest("inbox-link", at + be(height, 8) + be(2 * height, 8) + namespace + root + keccak(b"config"))
        links.append(at)
    statement = (
        be(1, 2) + be(4, 4) + be(1, 8) + be(3, 8) + links[0] + links[2]
        + keccak(b"before") + keccak(b"after") + be(12, 4) + bytes.fromhex(exits()["exits_hash"])
    )
    hashed = digest("statement", statement)
    return {
        "h0": text(h0),
        "deliveries_root": text(some),
        "deliveries_root_of_none": text(none),
        "links": [text(link) for link in links],
        "statement": text(statement),
        "statement_hash": text(hashed),
        "halves": [text(bytes(16) + hashed[:16]), text(bytes(16) + hashed[16:])],
    }


def number(data):
    return int.from_bytes(data, "big")


def exit_numbers(packed):
    cuts = [0, 25, 49, 65, 81, 97, 113]
    return [number(packed[a:b]) for a, b in zip(cuts, cuts[1:])]


def poseidon_kind():
    packed = [bytes.fromhex(e["packed"]) for e in exits()["exits"]]
    hashed = 0
    for p in packed[:5]:
        hashed = poseidon([hashed, *exit_numbers(p)])
    h0 = bytes.fromhex(inbox()["h0"])
    origin = poseidon([number(h0[:16]), number(h0[16:])])
    at = origin
    for (kind, source, place), p in zip([(1, 3, 2**33), (0, 4, 0)], packed):
        at = poseidon([at, 2, number(be(kind, 1) + be(source, 4) + be(place, 8)), *exit_numbers(p)])
    payloads = [b"".join(keccak(be(n, 4) + be(i, 4)) for i in range(5))[:155] for n in range(2)]
    for payload in payloads:
        at = poseidon([at, 1, *(number(payload[i : i + 31]) for i in range(0, 155, 31))])
    config = keccak(b"changed")
    at = poseidon([at, 3, number(config[:16]), number(config[16:])])
    return {
        "exits_hash_of_five": text(be(hashed, 32)),
        "h0": text(be(origin, 32)),
        "payloads": [text(payload) for payload in payloads],
        "after_five_entries": text(be(at, 32)),
    }


def verdicts():
    def leaf(n):
        kind, verdict = 1 + n % 2, 1 + n % 4
        reason = 0x0100 + n if verdict == 3 else 0
        statement = keccak(be(n, 4)) if kind == 1 else ZERO
        hashes = [keccak(b"key"), keccak(b"inputs"), statement, keccak(b"proof" + be(n, 4)), keccak(b"payer")]
        return keccak(
            b"\0" + be(kind, 1) + be(verdict, 1) + be(reason, 2) + be(10 + n, 8) + be(n, 4) + be(1, 4)
            + be(2, 2) + be(3, 4) + b"".join(hashes)
        )

    leaves = [leaf(n) for n in range(9)]
    return {
        "leaves": [text(l) for l in leaves],
        "roots": [text(list_root("verdicts-root", leaves[:n])) for n in range(len(leaves) + 1)],
    }


def main():
    parts = {
        "exits": exits, "trees": trees, "global": global_roots, "inbox": inbox,
        "poseidon": poseidon_kind, "verdicts": verdicts,
    }
    vectors = {name: part() for name, part in parts.items()}
    out = json.dumps(vectors, indent=1) + "\n"
    if sys.argv[1:2] == ["--check"]:
        held = pathlib.Path(sys.argv[2]).read_text() == out
        sys.exit(0 if held else f"{sys.argv[2]} differs from what this implementation computes")
    sys.stdout.write(out)


if __name__ == "__main__":
    main()
