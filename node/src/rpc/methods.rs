//! The one table of methods: name, cost in units, parameters in order, and what each is for.

/// A JSON-RPC method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Units it costs a metered address; work that grows with the request is charged on top.
    pub cost: u32,
    /// Names of its parameters, in the order in which they may also be given.
    pub params: &'static [&'static str],
    /// One sentence.
    pub about: &'static str,
}

macro_rules! methods {
    ($($constant:ident = $name:literal, $cost:literal, [$($param:literal),*], $about:literal;)*) => {
        $(
            #[doc = $about]
            pub const $constant: Method =
                Method { name: $name, cost: $cost, params: &[$($param),*], about: $about };
        )*
        /// Every method.
        pub const METHODS: &[Method] = &[$($constant),*];
    };
}

methods! {
    SUBMIT = "rota_submit", 2, ["transactions", "wait", "timeout_ms"],
        "Takes transactions and waits for a finality level.";
    GET_TRANSACTION = "rota_getTransaction", 1, ["id"],
        "Where a transaction is.";
    GET_TRANSACTIONS = "rota_getTransactions", 4, ["ids"],
        "Where each of up to 256 transactions is; null for one that is not known here.";
    GET_SLOT = "rota_getSlot", 2, ["height"],
        "A decided slot; the newest executed if no height is given.";
    GET_HEADER = "rota_getHeader", 1, ["height"],
        "An executed header with its seal.";
    GET_NAMESPACE = "rota_getNamespace", 10, ["height", "rollup", "index"],
        "A page of a rollup's transactions in a slot.";
    GET_PROOF = "rota_getProof", 5, ["id", "height", "rollup", "account"],
        "The same as rota_getFinalityBundle.";
    GET_FINALITY_BUNDLE = "rota_getFinalityBundle", 5, ["id", "height", "rollup", "account"],
        "The proof file of a transaction, of a rollup in a slot, or of an account.";
    GET_VALIDATORS = "rota_getValidators", 1, [],
        "The validators in force.";
    SYNC_STATUS = "rota_syncStatus", 1, [],
        "How far this node is.";
    READINESS = "rota_readiness", 1, [],
        "The checks behind /readyz.";
    PEERS = "rota_peers", 1, [],
        "Connected peers.";
    LIMITS = "rota_limits", 1, [],
        "Limits that a sender needs, and the newest valid_until_slot admitted.";
    ROLLUPS = "rota_rollups", 1, [],
        "Registered rollups.";
    SUBSCRIBE = "rota_subscribe", 5, ["topic", "id", "from", "index"],
        "A gap-free stream: slots, headers, rollup or transaction (WebSocket only).";
    KEYSTORE_GET_ACCOUNT = "keystore_getAccount", 1, ["id"],
        "A keystore account, or that there is none.";
    KEYSTORE_GET_PROOF = "keystore_getProof", 5, ["id"],
        "The proof file of an account or of its absence, at the newest sealed height.";
    KEYSTORE_SEND_TRANSACTION = "keystore_sendTransaction", 4, ["envelope", "wait", "timeout_ms"],
        "Sends a keystore envelope as a transaction of rollup 0.";
    KEYSTORE_GET_NONCE = "keystore_getNonce", 1, ["id"],
        "The next sequence number of lane 0.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_costs_fit_the_burst() {
        let names: std::collections::BTreeSet<_> = METHODS.iter().map(|m| m.name).collect();
        assert_eq!(names.len(), METHODS.len());
        assert!(METHODS.iter().all(|m| m.cost > 0 && m.cost <= crate::rpc::limits::UNITS_BURST));
    }
}
