//! What doors and operator hear when a submission cannot be stored.

use crate::ground::{FullFor, ROLLUP, home};
use rota_node::api::{ApiError, Backend as _, Level, Submission};
use rota_node::error::ExitCode;
use rota_node::shell::{Ground, run_node_on};
use rota_types::codec::encode;
use rota_types::{Slot, Transaction, TransactionList};
use std::sync::Arc;
use std::time::Duration;

const MARKER: &[u8] = b"the payload that no disk has room for";

fn submission(valid_until: Slot) -> Submission {
    let transaction =
        Transaction { rollup: ROLLUP, valid_until_slot: valid_until, payload: MARKER.to_vec() };
    let bytes = encode(&transaction);
    Submission {
        list: TransactionList::from_encoded([bytes.as_slice()], 1 << 16).unwrap(),
        source: None,
        wait: Level::Received,
        deadline: Duration::from_secs(60),
        detail: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_cannot_be_stored_is_answered_with_the_reason_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground { disk: Arc::new(FullFor::new(MARKER)), ..Ground::default() };
    let mut node = Box::pin(run_node_on(home(folder.path()), ground)).await.unwrap();
    let until = node.api.valid_until_max();
    let answer = node.api.submit(submission(until)).await.unwrap_err();
    let ApiError::Unavailable(why) = answer else { panic!("{answer}") };
    assert!(why.contains("the disk is full"), "{why}");
    let failure = node.failed().await;
    assert_eq!(failure.exit, ExitCode::Io);
    assert!(failure.to_string().contains("nothing acknowledged is lost"), "{failure}");
    node.shutdown().await;
}
