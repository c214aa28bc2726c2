//! Gossip frames by hand: the protobuf of gossipsub, field by field.

/// A varint in its shortest form.
pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A length-delimited field.
pub(crate) fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let length = u64::try_from(bytes.len()).unwrap();
    [varint(number << 3 | 2), varint(length), bytes.to_vec()].concat()
}

/// A varint field.
pub(crate) fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// An RPC with its length before it, as it stands on the stream.
pub(crate) fn rpc(parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    [varint(u64::try_from(body.len()).unwrap()), body].concat()
}

/// Part of an RPC: subscribes to a topic.
pub(crate) fn subscribe(topic: &str) -> Vec<u8> {
    field(1, &[number(1, 1), field(2, topic.as_bytes())].concat())
}

/// Part of an RPC: a message without an author.
pub(crate) fn message(topic: &str, data: &[u8]) -> Vec<u8> {
    field(2, &[field(2, data), field(4, topic.as_bytes())].concat())
}

/// Part of an RPC: control entries.
pub(crate) fn control(entries: &[Vec<u8>]) -> Vec<u8> {
    field(3, &entries.concat())
}

/// Control entry: what we claim to have.
pub(crate) fn ihave(topic: &str, ids: &[[u8; 20]]) -> Vec<u8> {
    let ids: Vec<u8> = ids.iter().flat_map(|id| field(2, id)).collect();
    field(1, &[field(1, topic.as_bytes()), ids].concat())
}

/// Control entry: what we ask for.
pub(crate) fn iwant(ids: &[[u8; 20]]) -> Vec<u8> {
    field(2, &ids.iter().flat_map(|id| field(1, id)).collect::<Vec<u8>>())
}

/// Control entry: into our mesh.
pub(crate) fn graft(topic: &str) -> Vec<u8> {
    field(3, &field(1, topic.as_bytes()))
}

/// Control entry: out of our mesh, not to come back for so many seconds.
pub(crate) fn prune(topic: &str, backoff_seconds: u64) -> Vec<u8> {
    field(4, &[field(1, topic.as_bytes()), number(3, backoff_seconds)].concat())
}
