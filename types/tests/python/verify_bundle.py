#!/usr/bin/env python3
"""Verifies finality bundles without any code of the network: a second implementation, for comparison.

    pip install pycryptodome py_ecc
    python3 types/tests/python/verify_bundle.py GENESIS.json FILE.bundle...
    python3 types/tests/python/verify_bundle.py --self-test types/tests/vectors

Follows docs/protocol.md: keccak256 by pycryptodome, BLS12-381 by py_ecc, its own borsh reader and trees.
Prints one JSON line a file; exit 0 iff all are accepted. The self-test also checks that damaged files,
another network's genesis and moved fields under a mended checksum are refused.
"""

import json
import pathlib
import sys

from Crypto.Hash import keccak as _keccak
from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import decompress_G1, decompress_G2
from py_ecc.optimized_bls12_381 import (
    FQ12,
    G2,
    Z2,
    add,
    curve_order,
    final_exponentiate,
    is_inf,
    multiply,
    neg,
    pairing,
)
from hashlib import sha256

BUNDLE_BYTES_MAX = 4 * 1024 * 1024
TX_BYTES_MAX = 120 * 1024
VALIDATORS_MAX = 128
SEAL_DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
POSSESSION_DST = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
ZERO = bytes(32)


class Refused(Exception):
    """Which check failed, and why."""

    def __init__(self, check, why):
        super().__init__(f"check {check} failed: {why}")
        self.check = check


def require(condition, check, why):
    if not condition:
        raise Refused(check, why)


def keccak256(*parts):
    digest = _keccak.new(digest_bits=256)
    for part in parts:
        digest.update(part)
    return digest.digest()


def tagged(tag, chain_id, *parts):
    """keccak256(tag ‖ chain id u64 BE ‖ parts)."""
    return keccak256(b"rota/" + tag + b"/v1", chain_id.to_bytes(8, "big"), *parts)


# --- borsh: integers little-endian, lists with a u32 count, options and enums with one byte ---------


class Reader:
    def __init__(self, data, check="decode"):
        self.data, self.at, self.check = data, 0, check

    def take(self, count):
        require(count <= len(self.data) - self.at, self.check, "the bytes end early")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "little")

    def u8(self):
        return self.number(1)

    def u16(self):
        return self.number(2)

    def u32(self):
        return self.number(4)

    def u64(self):
        return self.number(8)

    def hash(self):
        return self.take(32)

    def blob(self):
        return self.take(self.u32())

    def option(self, read):
        flag = self.u8()
        require(flag <= 1, self.check, "an option byte that is neither 0 nor 1")
        return read() if flag else None

    def list(self, read, item_bytes, most=None):
        count = self.u32()
        require(count * item_bytes <= len(self.data) - self.at, self.check, "a count past the end")
        require(most is None or count <= most, self.check, "too many items")
        return [read() for _ in range(count)]

    def end(self):
        require(self.at == len(self.data), self.check, "trailing bytes")


def u32(number):
    return number.to_bytes(4, "little")


def u64(number):
    return number.to_bytes(8, "little")


def text(string):
    encoded = string.encode()
    return u32(len(encoded)) + encoded


def be(number, size=8):
    return number.to_bytes(size, "big")


# --- BLS12-381: signatures in G1 (48 bytes), keys in G2 (96 bytes) ------------------------------------


def in_group(point):
    return is_inf(multiply(point, curve_order))


def read_g1(data):
    point = decompress_G1(int.from_bytes(data, "big"))
    require(not is_inf(point) and in_group(point), "seal", "not a point of G1")
    return point


def read_g2(data):
    point = decompress_G2((int.from_bytes(data[:48], "big"), int.from_bytes(data[48:], "big")))
    require(not is_inf(point) and in_group(point), "seal", "not a point of G2")
    return point


def bls_verify(signature, message, dst, keys):
    """e(sum of keys, H(message)) == e(G2, signature)."""
    try:
        total = Z2
        for key in keys:
            total = add(total, read_g2(key))
        point = read_g1(signature)
    except (ValueError, AssertionError, TypeError):
        return False
    hashed = hash_to_G1(message, dst, sha256)
    product = pairing(total, hashed, final_exponentiate=False) * pairing(
        neg(G2), point, final_exponentiate=False
    )
    return final_exponentiate(product) == FQ12.one()


# --- genesis ---------------------------------------------------------------------------------------------


class Genesis:
    def __init__(self, document):
        self.chain_id = document["chain_id"]
        out = u64(self.chain_id) + text(document["name"])
        out += u64(document["genesis_time"]) + u64(document["slot_ms"])
        out += u32(document["protocol_version"])
        for field in ("validity_slots_max", "slot_bytes_max", "slot_txs_max", "lane_lead_max"):
            out += u64(document[field])
        out += u32(document["new_accounts_max"]) + u64(document["emergency_bytes_max"])
        out += u32(len(document["validators"]))
        validators = []
        for v in document["validators"]:
            key, seal = bytes.fromhex(v["key"]), bytes.fromhex(v["seal_key"])
            possession = bytes.fromhex(v["seal_possession"])
            out += text(v["name"]) + key + seal + possession + u64(v["weight"])
            validators.append((key, seal, v["weight"]))
            self.check_possession(seal, possession)
        out += u32(len(document["rollups"]))
        for r in document["rollups"]:
            out += u64(r["id"]) + text(r["name"]) + u64(r.get("slot_bytes_max", 0))
        self.hash = tagged(b"genesis", self.chain_id, out)
        self.validators = sorted(validators)

    def check_possession(self, seal, possession):
        message = tagged(b"seal-possession", self.chain_id, seal)
        require(
            bls_verify(possession, message, POSSESSION_DST, [seal]),
            "genesis",
            "a seal key without possession",
        )


def commitment(chain_id, validators):
    out = u32(len(validators))
    for key, seal, weight in validators:
        out += key + seal + u64(weight)
    return tagged(b"validator-set", chain_id, out)


# --- the slot header ---------------------------------------------------------------------------------------

ROOTS = (
    "parent proposal txs_root keystore_root zk_root bridge_root verdicts_root global_exit_root "
    "order_root validators next_validators"
).split()


def read_header(r):
    h = {"version": r.u16(), "protocol_version": r.u32()}
    for field in ("chain_id", "height", "slot", "time"):
        h[field] = r.u64()
    for field in ROOTS:
        h[field] = r.hash()
    for field in ("tx_count", "byte_count", "skipped_count"):
        h[field] = r.u64()
    return h


def header_id(h):
    """keccak256 of the packed layout: fields in order, big-endian, fixed width."""
    packed = be(h["version"], 2) + be(h["protocol_version"], 4)
    packed += b"".join(be(h[f]) for f in ("chain_id", "height", "slot", "time"))
    packed += b"".join(h[f] for f in ROOTS)
    packed += b"".join(be(h[f]) for f in ("tx_count", "byte_count", "skipped_count"))
    return keccak256(packed)


# --- the sparse Merkle tree -----------------------------------------------------------------------------------


def bit(key, depth):
    return (key[depth // 8] >> (7 - depth % 8)) & 1


def read_smt_proof(r):
    siblings = r.list(r.hash, 32, most=256)
    return siblings, r.option(lambda: (r.hash(), r.hash()))


def check_smt(proof, root, key, value, check):
    """Presence of value at key, or absence if value is None."""
    siblings, foreign = proof
    require(len(siblings) <= (256 if value is not None else 255), check, "path too long")
    require(not siblings or siblings[-1] != ZERO, check, "the deepest sibling is empty")
    if value is not None:
        require(foreign is None, check, "presence names another leaf")
        node = keccak256(b"\x00", key, keccak256(value))
    elif foreign is None:
        node = ZERO
    else:
        other, value_hash = foreign
        require(other != key, check, "the other leaf is the key itself")
        same = all(bit(other, d) == bit(key, d) for d in range(len(siblings)))
        require(same, check, "the other leaf is not on the path")
        node = keccak256(b"\x00", other, value_hash)
    for depth in reversed(range(len(siblings))):
        pair = (siblings[depth], node) if bit(key, depth) else (node, siblings[depth])
        node = keccak256(b"\x01", *pair)
    require(node == root, check, "the path does not lead to the root")


# --- namespaces: a binary tree over ids, split at the largest power of two below the width -----------------------


def split(width):
    return 1 << ((width - 1).bit_length() - 1)


def list_root(ids):
    if not ids:
        return ZERO
    if len(ids) == 1:
        return keccak256(b"\x00", ids[0])
    at = split(len(ids))
    return keccak256(b"\x01", list_root(ids[:at]), list_root(ids[at:]))


def range_root(first, width, start, end, ids, outside):
    if first + width <= start or first >= end:
        require(outside, "path", "too few subtree roots")
        return outside.pop(0)
    if width == 1:
        return keccak256(b"\x00", ids.pop(0))
    at = split(width)
    left = range_root(first, at, start, end, ids, outside)
    return keccak256(b"\x01", left, range_root(first + at, width - at, start, end, ids, outside))


def read_namespace(r):
    rollup = r.u64()
    entry = r.option(lambda: (r.u64(), r.u64(), r.hash()))
    return rollup, entry, read_smt_proof(r)


def check_namespace(namespace, txs_root):
    rollup, entry, proof = namespace
    key = keccak256(b"rota/namespace/v1", be(rollup))
    value = None
    if entry is not None:
        count, size, root = entry
        require(count > 0, "namespace", "an entry of no transactions")
        value = be(count) + be(size) + root
    check_smt(proof, txs_root, key, value, "namespace")


# --- the bundle ----------------------------------------------------------------------------------------------------


def read_subject(r):
    kind = r.u8()
    if kind == 0:
        transaction, namespace = r.blob(), read_namespace(r)
        return kind, (transaction, namespace, r.u64(), r.list(r.hash, 32))
    if kind == 1:
        return kind, (read_namespace(r), r.list(r.hash, 32))
    require(kind == 2, "decode", "an unknown subject")
    return kind, (r.hash(), r.option(r.blob), read_smt_proof(r))


def read_bundle(data):
    require(32 <= len(data) <= BUNDLE_BYTES_MAX, "decode", "size")
    body, checksum = data[:-32], data[-32:]
    require(keccak256(body) == checksum, "checksum", "the file is damaged")
    r = Reader(body)
    bundle = {"version": r.u16(), "genesis": r.hash(), "header": read_header(r)}
    bundle["validators"] = r.list(lambda: (r.hash(), r.take(96), r.u64()), 136)
    bundle["seal_id"], bundle["seal"] = r.hash(), r.take(48)
    bundle["bitmap"] = r.blob()
    bundle["subject"] = read_subject(r)
    r.end()
    return bundle


def check_seal(bundle, genesis):
    header, validators = bundle["header"], bundle["validators"]
    require(header["version"] == 1, "header", "version")
    require(header["chain_id"] == genesis.chain_id, "header", "chain id")
    require(0 < len(validators) <= VALIDATORS_MAX, "validators", "count")
    keys = [key for key, _, _ in validators]
    require(all(a < b for a, b in zip(keys, keys[1:])), "validators", "not ascending")
    set_hash = commitment(genesis.chain_id, validators)
    require(set_hash == header["validators"], "validators", "not the header's")
    require(validators == genesis.validators, "validators", "not those of genesis")
    identity = header_id(header)
    require(bundle["seal_id"] == identity, "seal", "of another header")
    bitmap, count = bundle["bitmap"], len(validators)
    require(len(bitmap) == (count + 7) // 8, "seal", "bitmap length")
    chosen = [i for i in range(len(bitmap) * 8) if bitmap[i // 8] >> (i % 8) & 1]
    require(all(i < count for i in chosen), "seal", "spare bits")
    signed = sum(validators[i][2] for i in chosen)
    require(signed * 3 > sum(w for _, _, w in validators) * 2, "seal", "no quorum")
    message = tagged(b"seal", genesis.chain_id, identity)
    signers = [validators[i][1] for i in chosen]
    require(bls_verify(bundle["seal"], message, SEAL_DST, signers), "seal", "signature")


def check_transaction(header, transaction, namespace, start, outside):
    require(len(transaction) <= TX_BYTES_MAX, "transaction", "size")
    r = Reader(transaction, "transaction")
    rollup = r.u64()
    r.u64()  # valid_until_slot
    payload = r.blob()
    r.end()
    require(rollup == namespace[0], "transaction", "rollup")
    check_namespace(namespace, header["txs_root"])
    require(namespace[1] is not None, "namespace", "absent namespace of a transaction")
    count, _, root = namespace[1]
    require(start < count, "path", "out of the namespace")
    identity, left = keccak256(transaction), list(outside)
    found = range_root(0, count, start, start + 1, [identity], left)
    require(not left and found == root, "path", "does not lead to the root")
    said = {"subject": "transaction", "id": identity.hex(), "rollup": rollup, "index": start}
    return said | {"payload_hash": keccak256(payload).hex()}


def check_subject(bundle):
    header, (kind, fields) = bundle["header"], bundle["subject"]
    if kind == 0:
        return check_transaction(header, *fields)
    if kind == 1:
        namespace, ids = fields
        check_namespace(namespace, header["txs_root"])
        entry = namespace[1]
        require(len(ids) == (entry[0] if entry else 0), "namespace", "number of ids")
        require(entry is None or list_root(ids) == entry[2], "path", "namespace root")
        return {"subject": "namespace", "rollup": namespace[0], "count": len(ids)}
    keystore_id, leaf, proof = fields
    key = keccak256(b"\x01", keystore_id)
    check_smt(proof, header["keystore_root"], key, leaf, "account")
    said = {"subject": "account", "keystore_id": keystore_id.hex()}
    return said | {"present": leaf is not None}


def verify(data, genesis):
    """What the bundle says, or Refused."""
    bundle = read_bundle(data)
    require(bundle["version"] == 1, "version", "unknown")
    require(bundle["genesis"] == genesis.hash, "genesis", "of another network")
    said = check_subject(bundle)
    check_seal(bundle, genesis)
    return said | {"height": bundle["header"]["height"], "slot": bundle["header"]["slot"]}


# --- command line ------------------------------------------------------------------------------------------------------


def refusal(data, genesis):
    try:
        verify(data, genesis)
    except Refused as refused:
        return refused.check
    return None


def self_test(folder):
    genesis = Genesis(json.loads((folder / "genesis.json").read_text()))
    names = ["transaction", "namespace", "absence", "account", "no-account"]
    said = {}
    for name in names:
        data = (folder / f"{name}.bundle").read_bytes()
        said[name] = verify(data, genesis)
        print(json.dumps({"file": name, "verified": True} | said[name]))
        damaged = bytes([data[40] ^ 1]).join((data[:40], data[41:]))
        assert refusal(damaged, genesis) == "checksum", name
        # A liar who mends the checksum: a byte of the header's parent, of the bitmap's signature, of the subject.
        for at in (60, len(data) - 40):
            body = bytearray(data[:-32])
            body[at] ^= 1
            assert refusal(bytes(body) + keccak256(body), genesis) is not None, (name, at)
    assert said["namespace"]["count"] == 14 and said["absence"]["count"] == 0
    assert said["account"]["present"] and not said["no-account"]["present"]
    assert said["transaction"]["index"] == 2
    genesis.hash = ZERO
    assert refusal(data, genesis) == "genesis"
    print("self-test ok")


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--self-test":
        self_test(pathlib.Path(arguments[1]))
        return 0
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    genesis = Genesis(json.loads(pathlib.Path(arguments[0]).read_text()))
    code = 0
    for name in arguments[1:]:
        try:
            said = verify(pathlib.Path(name).read_bytes(), genesis)
            print(json.dumps({"file": name, "verified": True} | said))
        except Refused as refused:
            print(json.dumps({"file": name, "verified": False, "check": refused.check, "why": str(refused)}))
            code = 65
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
