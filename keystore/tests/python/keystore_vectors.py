#!/usr/bin/env python3
"""Second, independent implementation of the keystore's formats; writes tests/vectors/keystore.json.

RLP, config hash, ids, leaves, and EIP-712 by the generic algorithm over typed data (the form that wallets take),
not by the hand-made words of the Rust code. Needs only Python 3:

    python3 keystore/tests/python/keystore_vectors.py > keystore/tests/vectors/keystore.json
    python3 keystore/tests/python/keystore_vectors.py --check keystore/tests/vectors/keystore.json
"""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../types/tests/python"))
from smt_vectors import keccak256  # noqa: E402

CHAIN_ID = 4242


def rlp(item):
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return header(len(item), 0x80) + item
    payload = b"".join(rlp(part) for part in item)
    return header(len(payload), 0xC0) + payload


def header(length, base):
    if length < 56:
        return bytes([base + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([base + 55 + len(size)]) + size


# --- EIP-712 over typed data ----------------------------------------------------------------------


def encode_type(name, types):
    found, queue = set(), [name]
    while queue:
        current = queue.pop()
        if current not in found:
            found.add(current)
            queue += [m["type"] for m in types[current] if m["type"] in types]
    ordered = [name] + sorted(found - {name})
    return "".join(
        "%s(%s)" % (n, ",".join("%s %s" % (m["type"], m["name"]) for m in types[n])) for n in ordered
    )


def hash_struct(name, value, types):
    encoded = keccak256(encode_type(name, types).encode())
    for member in types[name]:
        kind, item = member["type"], value[member["name"]]
        if kind in types:
            encoded += hash_struct(kind, item, types)
        elif kind == "string":
            encoded += keccak256(item.encode())
        elif kind == "bytes":
            encoded += keccak256(bytes.fromhex(item[2:]))
        elif kind == "bytes32":
            encoded += bytes.fromhex(item[2:])
        elif re.fullmatch(r"uint\d+", kind):
            encoded += int(item).to_bytes(32, "big")
        else:
            raise ValueError(kind)
    return keccak256(encoded)


def digest(typed):
    domain = hash_struct("EIP712Domain", typed["domain"], typed["types"])
    message = hash_struct(typed["primaryType"], typed["message"], typed["types"])
    return keccak256(b"\x19\x01" + domain + message)


# --- the keystore ---------------------------------------------------------------------------------

KINDS = {"ed25519": 1, "secp256k1": 2, "eoa": 3, "p256": 4}
# Public keys of the secrets 0x0101…, 0x0202… and so on.
PUBLIC = [
    ("ed25519", "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"),
    ("secp256k1", "024d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766"),
    ("eoa", "3325a78425f17a7e487eb5666b2bfd93abb06c70"),
    ("p256", "0273103ec30b3ccf57daae08e93534aef144a35940cf6bbba12a0cf7cbd5d65a64"),
    ("ed25519", "6e7a1cdd29b0b78fd13af4c5598feff4ef2a97166e3ca6f2e4fbfccd80505bf1"),
]
ALL_ROLES = 0xFF
ZERO = bytes(32)


def key_id(public):
    kind, text = public
    return keccak256(b"rota/key-id/v1" + bytes([KINDS[kind]]) + bytes.fromhex(text))


def key(public, weight=1, roles=ALL_ROLES, not_after=0, policy=ZERO):
    return {"public": public, "weight": weight, "roles": roles, "not_after": not_after, "policy": policy}


def key_rlp(k):
    kind, text = k["public"]
    return [KINDS[kind], bytes.fromhex(text), k["weight"], k["roles"], k["not_after"], k["policy"]]


def config_rlp(keys, thresholds, recovery=(), implementations=()):
    ordered = sorted(keys, key=lambda k: key_id(k["public"]))
    return [[key_rlp(k) for k in ordered], list(thresholds), list(recovery), [list(i) for i in implementations], b"", b""]


def config_hash(config):
    return keccak256(b"rota/config/v1" + rlp(config))


def keystore_id(salt, config):
    return keccak256(b"rota/keystore-id/v1" + salt + config_hash(config))


def auth_leaf(hash_, config_seq, auth_seq, status, frozen_until, updated_slot):
    return hash_ + b"".join(n.to_bytes(32, "big") for n in (config_seq, auth_seq, status, frozen_until, updated_slot))


def members(text):
    return [{"type": m.split()[0], "name": m.split()[1]} for m in text.split(",") if m]


COMMON = "bytes32 keystoreId,uint64 lane,uint64 seq,uint64 validUntilSlot,uint128 maxFee,bytes32 sponsor,bytes32 initHash"
KEY = "uint8 kind,bytes publicKey,uint16 weight,uint16 roles,uint64 notAfterSlot,bytes32 policy"


def hex0(data):
    return "0x" + data.hex()


def key_typed(k):
    kind, text = k["public"]
    return {
        "kind": KINDS[kind],
        "publicKey": "0x" + text,
        "weight": k["weight"],
        "roles": k["roles"],
        "notAfterSlot": k["not_after"],
        "policy": hex0(k["policy"]),
    }


def envelope(name, number, own_type, own_typed, own_rlp, id_, seq, init, signer):
    """One envelope: its typed data, digest, and payload with a signature of 64 bytes 0x5a."""
    types = {
        "EIP712Domain": members("string name,string version,bytes32 salt"),
        name: members(COMMON) + members(own_type),
    }
    if "Key newKey" in own_type:
        types["Key"] = members(KEY)
    init_hash = ZERO if init is None else keccak256(init[0] + config_hash(init[1]))
    typed = {
        "types": types,
        "primaryType": name,
        "domain": {
            "name": "Rota Keystore",
            "version": "1",
            "salt": hex0(CHAIN_ID.to_bytes(32, "big")),
        },
        "message": {
            "keystoreId": hex0(id_),
            "lane": 0,
            "seq": seq,
            "validUntilSlot": 1234,
            "maxFee": 10**20,
            "sponsor": hex0(ZERO),
            "initHash": hex0(init_hash),
            **own_typed,
        },
    }
    auth = [KINDS[signer[0]], bytes.fromhex(signer[1]), b"\x5a" * 64]
    body = [CHAIN_ID, id_, 0, seq, 1234, 10**20, b"", list(init or []), [number] + own_rlp, [auth], []]
    return {
        "name": name,
        "typed_data": typed,
        "digest": digest(typed).hex(),
        "payload": (b"\x01" + rlp(body)).hex(),
    }


def main():
    salt = keccak256(b"salt")
    single = config_rlp([key(PUBLIC[0])], [1] * 8)
    several = config_rlp(
        [
            key(PUBLIC[0], weight=2),
            key(PUBLIC[1], roles=0b10010),
            key(PUBLIC[2], weight=300, not_after=70000),
            key(PUBLIC[3], roles=0x8001, policy=keccak256(b"policy")),
        ],
        [2, 1, 1, 0, 1, 1, 1, 1],
        (keccak256(b"guardians"), 5, 3, 48),
        [(b"\x00\x00\x01\x01", keccak256(b"code")), (b"\x00\x00\x01\x0a", keccak256(b"code 10"))],
    )
    id_ = keystore_id(salt, single)
    init, new_key, previous = (salt, single), key(PUBLIC[4]), config_hash(single)
    signer = PUBLIC[0]
    hashes = "bytes32 previousConfigHash,"
    prev_typed, old_typed = {"previousConfigHash": hex0(previous)}, {"oldKey": hex0(key_id(PUBLIC[0]))}
    new_typed = {"newKey": key_typed(new_key)}
    freeze = {"until": 2000, "configSeq": 3, "freezeCount": 1, "authority": 1}
    envelopes = [
        envelope("Init", 1, "", {}, [], id_, 0, init, signer),
        envelope("SetConfig", 2, hashes + "bytes32 newConfigHash", {**prev_typed, "newConfigHash": hex0(config_hash(several))},
                 [previous, several], id_, 1, None, signer),
        envelope("RotateKey", 3, hashes + "bytes32 oldKey,Key newKey", {**prev_typed, **old_typed, **new_typed},
                 [previous, key_id(PUBLIC[0]), key_rlp(new_key)], id_, 0, init, signer),
        envelope("AddKey", 4, hashes + "Key newKey", {**prev_typed, **new_typed}, [previous, key_rlp(new_key)], id_, 2, None, signer),
        envelope("RemoveKey", 5, hashes + "bytes32 oldKey", {**prev_typed, **old_typed}, [previous, key_id(PUBLIC[0])], id_, 300, None, signer),
        envelope("Freeze", 6, "uint64 until,uint64 configSeq,uint64 freezeCount,uint8 authority", freeze,
                 [2000, 3, 1, 1], id_, 0, None, signer),
        envelope("Unfreeze", 7, "", {}, [], id_, 4, None, signer),
    ]
    leaf = auth_leaf(config_hash(several), 3, 5, 2, 2000, 1234)
    vectors = {
        "chain_id": CHAIN_ID,
        "salt": salt.hex(),
        "key_ids": [{"kind": p[0], "public_key": p[1], "id": key_id(p).hex()} for p in PUBLIC],
        "configs": [{"rlp": rlp(c).hex(), "hash": config_hash(c).hex(), "keystore_id": keystore_id(salt, c).hex()} for c in (single, several)],
        "auth_leaf": {"key": keccak256(b"\x01" + id_).hex(), "value": leaf.hex()},
        "envelopes": envelopes,
    }
    text = json.dumps(vectors, indent=1) + "\n"
    if sys.argv[1:2] == ["--check"]:
        with open(sys.argv[2], encoding="utf-8") as file:
            sys.exit(0 if file.read() == text else "the committed vectors differ from this implementation")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
