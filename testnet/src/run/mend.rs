//! What an operator does to a node that does not start: what its hint says.

use crate::client::Client;
use crate::clock;
use crate::error::TestnetError;
use crate::limits::{POLL, START_TIMEOUT};
use crate::world::{EXIT_IO, NodeInfo, World};

/// Starts a node whose write-ahead log may be damaged. It answers, or it ends with exit 74 and its log is set aside;
/// then it is down, and this gives `true`.
pub(super) async fn start_or_set_wal_aside(
    world: &mut World,
    node: &NodeInfo,
) -> Result<bool, TestnetError> {
    let client = Client::new(&node.url)?;
    world.expect_end(&node.name, EXIT_IO);
    world.start(&node.name).await?;
    let begun = clock::now();
    while clock::now().duration_since(begun) < START_TIMEOUT {
        world.look_for_ends().await;
        if !world.still_awaited(&node.name) {
            set_aside(node)?;
            return Ok(true);
        }
        if client.status().await.is_ok() {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    world.forget_end(&node.name);
    Ok(false)
}

#[expect(clippy::disallowed_methods, reason = "a file of a node that is down is moved, not stored")]
fn set_aside(node: &NodeInfo) -> Result<(), TestnetError> {
    let wal = node.home.join("state/wal");
    let mut aside = node.home.join("state/wal.bad");
    let mut number = 1u32;
    while aside.exists() {
        aside = node.home.join(format!("state/wal.bad.{number}"));
        number = number.saturating_add(1);
    }
    std::fs::rename(&wal, &aside).map_err(TestnetError::file(&wal))
}
