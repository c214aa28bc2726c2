#!/usr/bin/env python3
"""Makes the bytes by which a stranger joins a network and publishes a transaction: a second implementation.

    pip install pycryptodome
    python3 types/tests/python/encode_transaction.py                    # prints the vectors
    python3 types/tests/python/encode_transaction.py --check docs/protocol.md

Follows docs/protocol.md (Transaction, Root of ids, Connecting, Publishing by gossip) with its own borsh and protobuf
writers. --check compares with the document's section Vectors, which a node of the real network takes as
they stand in p2p/tests/document.rs.
"""

import hashlib
import pathlib
import re
import sys

from Crypto.Hash import keccak as _keccak
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

CHAIN_ID = 7
GENESIS_HASH = bytes([7]) * 32
NODE_SEED = bytes([0x77]) * 32
RECORD_SEQ = 1_700_000_000
AGENT = "example/1"
TRANSACTIONS = [(10, 1000, b"hello"), (8453, 1000, bytes.fromhex("02f801"))]


def keccak256(*parts):
    digest = _keccak.new(digest_bits=256)
    for part in parts:
        digest.update(part)
    return digest.digest()


# --- borsh: integers little-endian, byte strings behind a u32 count --------------------------------------


def u16(number):
    return number.to_bytes(2, "little")


def u32(number):
    return number.to_bytes(4, "little")


def u64(number):
    return number.to_bytes(8, "little")


def blob(data):
    return u32(len(data)) + data


# --- transactions ----------------------------------------------------------------------------------------


def transaction(rollup, valid_until_slot, payload):
    return u64(rollup) + u64(valid_until_slot) + blob(payload)


def ids_root(chain_id, ids):
    """16-ary: a node is keccak256(0x01 ‖ up to 16 children)."""
    level = ids
    while len(level) > 1:
        level = [keccak256(b"\x01", *level[i : i + 16]) for i in range(0, len(level), 16)]
    return keccak256(b"rota/ids-root/v1", chain_id.to_bytes(8, "big"), u32(len(ids)), level[0])


# --- protobuf: what libp2p's records and gossip are made of ------------------------------------------------


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(tag, data):
    """A length-delimited field, or a number."""
    if isinstance(data, int):
        return varint(tag << 3) + varint(data)
    return varint(tag << 3 | 2) + varint(len(data)) + data


def delimited(data):
    return varint(len(data)) + data


# --- connecting --------------------------------------------------------------------------------------------


def frame(message):
    """A frame of the control stream: length u32 big-endian, then the message."""
    return len(message).to_bytes(4, "big") + message


def node_key():
    return ECC.construct(curve="Ed25519", seed=NODE_SEED)


def public_key(key):
    """libp2p's PublicKey { Type = 1 Ed25519, Data }."""
    return field(1, 1) + field(2, key.public_key().export_key(format="raw"))


def peer_id(key):
    """Identity multihash of the public key."""
    return b"\x00" + delimited(public_key(key))


def record(key, addresses):
    """Signed envelope of the peer record, in the form of rust-libp2p's `PeerRecord::new`."""
    domain, kind = b"libp2p-routing-state", b"/libp2p/routing-state-record"
    payload = field(1, peer_id(key)) + field(2, RECORD_SEQ)
    payload += b"".join(field(3, field(1, address)) for address in addresses)
    signed = delimited(domain) + delimited(kind) + delimited(payload)
    signature = eddsa.new(key, "rfc8032").sign(signed)
    return field(1, public_key(key)) + field(2, kind) + field(3, payload) + field(5, signature)


def hello(key):
    """Of a full node: no binding. Control message 0."""
    message = b"\x00" + u16(1) + u64(CHAIN_ID) + GENESIS_HASH + b"\x00"
    return message + blob(AGENT.encode()) + blob(record(key, []))


# --- gossip ------------------------------------------------------------------------------------------------


def message_id(topic, data):
    return hashlib.sha256(b"rota/gossip-message-id/v1" + topic.encode() + data).digest()[:20]


def gossip_rpc(topic, data):
    """RPC { publish: [Message { data, topic }] }, behind its length."""
    return delimited(field(2, field(2, data) + field(4, topic.encode())))


def vectors():
    encoded = [transaction(*fields) for fields in TRANSACTIONS]
    ids = [keccak256(one) for one in encoded]
    listed = u32(len(encoded)) + b"".join(encoded)
    topic = f"/rota/{CHAIN_ID}/tx/1"
    key = node_key()
    return {
        "transaction": encoded[0].hex(),
        "transaction.id": ids[0].hex(),
        "list": listed.hex(),
        "list.ids_root": ids_root(CHAIN_ID, ids).hex(),
        "hello.peer_id": peer_id(key).hex(),
        "hello.frame": frame(hello(key)).hex(),
        "welcome.frame": frame(b"\x01").hex(),
        "gossip.topic": topic,
        "gossip.message_id": message_id(topic, listed).hex(),
        "gossip.rpc": gossip_rpc(topic, listed).hex(),
    }


def documented(path):
    """`name = value` lines of the block behind the heading Vectors."""
    text = pathlib.Path(path).read_text().split("\n## Vectors\n")[1]
    lines = re.search(r"```text\n(.*?)```", text, re.S).group(1).splitlines()
    return dict(line.split(" = ", 1) for line in lines)


def main(arguments):
    made = vectors()
    if not arguments:
        print("\n".join(f"{name} = {value}" for name, value in made.items()))
        return 0
    if len(arguments) != 2 or arguments[0] != "--check":
        print(__doc__, file=sys.stderr)
        return 64
    written = documented(arguments[1])
    for name in sorted(made.keys() | written.keys()):
        if made.get(name) != written.get(name):
            print(f"{name}: the document has {written.get(name)}, this makes {made.get(name)}", file=sys.stderr)
            return 1
    print(f"{len(made)} vectors agree")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
