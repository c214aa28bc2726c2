//! Streams over WebSocket: backfill from any kept height, then live, without gap or repeat.
//!
//! A stream is a loop over the node's kept data; a new head only wakes it. So nothing can be lost between
//! backfill and live, and a stream needs no buffer of its own. A reader that does not keep up is closed with the place
//! to resume from.

use super::error::DoorError;
use super::jsonrpc::{Door, caller, object};
use super::limits::{SLOW_READER_TIMEOUT, STREAM_PAGE_BYTES, TRANSACTION_POLL};
use super::methods::SUBSCRIBE;
use super::views;
use crate::api::{ApiError, Backend, Cursor, Head, Level, TransactionStatus};
use jsonrpsee::core::SubscriptionError;
use jsonrpsee::core::server::{RpcModule, SendTimeoutError, SubscriptionMessage};
use jsonrpsee::{PendingSubscriptionSink, SubscriptionSink};
use rota_types::{Hash, Height, RollupId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::watch;

/// Method that ends a stream.
pub(crate) const UNSUBSCRIBE: &str = "rota_unsubscribe";
/// Method name of the notifications.
pub(crate) const NOTIFICATION: &str = "rota_subscription";

#[derive(Deserialize)]
#[serde(tag = "topic", rename_all = "lowercase", deny_unknown_fields)]
enum Topic {
    Slots {
        #[serde(default)]
        from: Option<Height>,
    },
    Headers {
        #[serde(default)]
        from: Option<Height>,
    },
    Rollup {
        id: RollupId,
        #[serde(default)]
        from: Option<Height>,
        #[serde(default)]
        index: u64,
    },
    Transaction {
        id: Hash,
    },
}

enum End {
    /// The reader has gone.
    Gone,
    /// The stream cannot go on.
    Failed(DoorError),
}

impl From<ApiError> for End {
    fn from(error: ApiError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<DoorError> for End {
    fn from(error: DoorError) -> Self {
        Self::Failed(error)
    }
}

/// `["rollup", {"id": 10, "from": 5}]` means the same as `{"topic": "rollup", "id": 10, "from": 5}`.
fn topic(text: Option<&str>) -> Result<Topic, DoorError> {
    let bad = |error: serde_json::Error| DoorError::bad_request(format!("rota_subscribe: {error}"));
    let list: Option<(String, serde_json::Map<String, Value>)> =
        text.and_then(|text| serde_json::from_str(text).ok());
    let value = match list {
        Some((name, mut fields)) => {
            fields.insert("topic".into(), name.into());
            Value::Object(fields)
        }
        None => object(text, &SUBSCRIBE)?,
    };
    serde_json::from_value(value).map_err(bad)
}

/// Adds `rota_subscribe`.
pub(crate) fn register<B: Backend>(module: &mut RpcModule<Door<B>>) {
    module
        .register_subscription(
            SUBSCRIBE.name,
            NOTIFICATION,
            UNSUBSCRIBE,
            |params, pending, door: Arc<Door<B>>, extensions| async move {
                let text = params.as_str().map(str::to_owned);
                let admitted = door
                    .gate
                    .charge(caller(&extensions), SUBSCRIBE.cost)
                    .and_then(|()| topic(text.as_deref()));
                run(pending, &door.backend, admitted).await
            },
        )
        .expect("the names of the stream methods differ from all others");
}

async fn run<B: Backend>(
    pending: PendingSubscriptionSink,
    backend: &B,
    admitted: Result<Topic, DoorError>,
) -> Result<(), SubscriptionError> {
    let topic = match admitted {
        Ok(topic) => topic,
        Err(error) => {
            pending.reject(error).await;
            return Ok(());
        }
    };
    let Ok(sink) = pending.accept().await else { return Ok(()) };
    let ended = tokio::select! {
        () = sink.closed() => return Ok(()),
        ended = stream(&sink, backend, topic) => ended,
    };
    match ended {
        Ok(()) | Err(End::Gone) => Ok(()),
        Err(End::Failed(error)) => {
            Err(serde_json::to_string(&error).unwrap_or(error.message).into())
        }
    }
}

async fn stream<B: Backend>(sink: &SubscriptionSink, backend: &B, topic: Topic) -> Result<(), End> {
    match topic {
        Topic::Slots { from } => slots(sink, backend, from).await,
        Topic::Headers { from } => headers(sink, backend, from).await,
        Topic::Rollup { id, from, index } => rollup(sink, backend, id, from, index).await,
        Topic::Transaction { id } => transaction(sink, backend, id).await,
    }
}

async fn send<T: Serialize>(
    sink: &SubscriptionSink,
    item: &T,
    resume: impl FnOnce() -> Value,
) -> Result<(), End> {
    let json = serde_json::value::to_raw_value(item).map_err(|_| End::Gone)?;
    match sink.send_timeout(SubscriptionMessage::from(json), SLOW_READER_TIMEOUT).await {
        Ok(()) => Ok(()),
        Err(SendTimeoutError::Timeout(_)) => Err(DoorError::slow_reader(resume()).into()),
        Err(SendTimeoutError::Closed(_)) => Err(End::Gone),
    }
}

/// Heights one after another, each as soon as the head has reached it.
struct Heights {
    head: watch::Receiver<Head>,
    reached: fn(&Head) -> Height,
    next: Height,
}

impl Heights {
    fn new<B: Backend>(backend: &B, from: Option<Height>, reached: fn(&Head) -> Height) -> Self {
        let head = backend.head();
        let next = from.unwrap_or_else(|| reached(&head.borrow()).next()).max(Height(1));
        Self { head, reached, next }
    }

    async fn next(&mut self) -> Result<Height, End> {
        while self.next > (self.reached)(&self.head.borrow_and_update()) {
            self.head.changed().await.map_err(|_| End::Gone)?;
        }
        let height = self.next;
        self.next = height.next();
        Ok(height)
    }
}

async fn slots<B: Backend>(
    sink: &SubscriptionSink,
    backend: &B,
    from: Option<Height>,
) -> Result<(), End> {
    let mut heights = Heights::new(backend, from, |head| head.executed);
    loop {
        let height = heights.next().await?;
        let slot = backend.slot(Some(height)).await?;
        send(sink, &slot, || json!({ "from": height })).await?;
    }
}

async fn headers<B: Backend>(
    sink: &SubscriptionSink,
    backend: &B,
    from: Option<Height>,
) -> Result<(), End> {
    let mut heights = Heights::new(backend, from, |head| head.sealed);
    loop {
        let height = heights.next().await?;
        let header = views::header(backend.slot(Some(height)).await?)?;
        send(sink, &header, || json!({ "from": height })).await?;
    }
}

async fn rollup<B: Backend>(
    sink: &SubscriptionSink,
    backend: &B,
    id: RollupId,
    from: Option<Height>,
    index: u64,
) -> Result<(), End> {
    let mut head = backend.head();
    let height = from.unwrap_or_else(|| head.borrow().executed.next());
    let mut cursor = Cursor { height, index };
    loop {
        head.borrow_and_update();
        let page = backend.follow(id, cursor, None, STREAM_PAGE_BYTES).await?;
        if !page.transactions.is_empty() {
            let resume = || json!({ "from": cursor.height, "index": cursor.index });
            send(sink, &page, resume).await?;
        }
        if page.next == cursor {
            head.changed().await.map_err(|_| End::Gone)?;
        }
        cursor = page.next;
    }
}

async fn transaction<B: Backend>(
    sink: &SubscriptionSink,
    backend: &B,
    id: Hash,
) -> Result<(), End> {
    let mut head = backend.head();
    let mut last: Option<TransactionStatus> = None;
    loop {
        head.borrow_and_update();
        match backend.transaction(id).await {
            Ok(status) => {
                if last.as_ref() != Some(&status) {
                    send(sink, &status, || json!({ "id": id })).await?;
                }
                if status.level == Level::Sealed {
                    return Ok(());
                }
                last = Some(status);
            }
            Err(ApiError::NotFound(_)) => {}
            Err(other) => return Err(other.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(TRANSACTION_POLL) => {}
            changed = head.changed() => changed.map_err(|_| End::Gone)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_come_as_object_or_as_name_and_fields() {
        for text in [
            r#"{"topic":"rollup","id":10,"from":5}"#,
            r#"["rollup",{"id":10,"from":5}]"#,
            r#"["rollup",10,5]"#,
        ] {
            assert!(
                matches!(
                    topic(Some(text)),
                    Ok(Topic::Rollup { id: RollupId(10), from: Some(Height(5)), index: 0 })
                ),
                "{text}"
            );
        }
        assert!(matches!(topic(Some(r#"["slots"]"#)), Ok(Topic::Slots { from: None })));
        assert!(topic(Some(r#"["news"]"#)).is_err());
        assert!(topic(None).is_err());
    }
}
