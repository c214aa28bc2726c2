//! The JSON-RPC methods over the node's answers.

use super::error::DoorError;
use super::gate::{Caller, Gate};
use super::methods::{self, METHODS, Method};
use super::submit::{self, SubmitArgs};
use super::views::{self, BundleArgs, HeightArg};
use crate::api::{Backend, Level, Submission};
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::{Extensions, RpcModule};
use rota_types::{Hash, Height, RollupId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What every method has at hand.
pub(crate) struct Door<B> {
    pub(crate) backend: B,
    pub(crate) gate: Arc<Gate>,
}

/// The address that a request came from; the listener puts it there.
pub(crate) fn caller(extensions: &Extensions) -> Caller {
    let unknown = Caller(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    extensions.get::<Caller>().copied().unwrap_or(unknown)
}

/// Parameters as an object: given as one, as a list holding one, or as a list in the method's order.
pub(crate) fn object(text: Option<&str>, method: &Method) -> Result<Value, DoorError> {
    let bad = |error: serde_json::Error| DoorError::bad_request(error.to_string());
    let given: Value = serde_json::from_str(text.unwrap_or("{}")).map_err(bad)?;
    let mut list = match given {
        Value::Array(list) => list,
        Value::Null => return Ok(json!({})),
        other => return Ok(other),
    };
    if matches!(list.as_slice(), [Value::Object(_)]) {
        return Ok(list.pop().unwrap_or_default());
    }
    if list.len() > method.params.len() {
        return Err(DoorError::bad_request(format!(
            "{} takes at most {} parameters: {}",
            method.name,
            method.params.len(),
            method.params.join(", ")
        )));
    }
    let named = method.params.iter().map(|name| (*name).to_owned()).zip(list);
    Ok(Value::Object(named.collect::<Map<_, _>>()))
}

fn parse<P: DeserializeOwned>(text: Option<&str>, method: &Method) -> Result<P, DoorError> {
    serde_json::from_value(object(text, method)?)
        .map_err(|error| DoorError::bad_request(format!("{}: {error}", method.name)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Id {
    id: Hash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    ids: Vec<Hash>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    #[serde(default)]
    height: HeightArg,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamespaceArgs {
    height: Height,
    rollup: RollupId,
    #[serde(default)]
    index: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeArgs {
    envelope: String,
    #[serde(default)]
    wait: Option<Level>,
    #[serde(default)]
    timeout_ms: Option<u64>,
}

struct Registrar<B> {
    module: RpcModule<Door<B>>,
}

impl<B: Backend> Registrar<B> {
    fn add<P, R, F, Fut>(&mut self, method: &'static Method, run: F)
    where
        P: DeserializeOwned + Send + 'static,
        R: Serialize + Clone + Send + 'static,
        F: Fn(Arc<Door<B>>, P, Caller) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Result<R, DoorError>> + Send,
    {
        self.module
            .register_async_method(method.name, move |params, door, extensions| async move {
                let caller = caller(&extensions);
                door.gate.charge(caller, method.cost)?;
                let args = parse::<P>(params.as_str(), method)?;
                run(door, args, caller).await.map_err(ErrorObjectOwned::from)
            })
            .expect("the method table holds each name once, which its test checks");
    }
}

/// All methods over `backend`.
pub(crate) fn module<B: Backend>(backend: B, gate: Arc<Gate>) -> RpcModule<Door<B>> {
    let mut to = Registrar { module: RpcModule::new(Door { backend, gate }) };
    submitting(&mut to);
    reading(&mut to);
    keystore(&mut to);
    super::subscribe::register(&mut to.module);
    debug_assert_eq!(
        to.module.method_names().filter(|name| *name != super::subscribe::UNSUBSCRIBE).count(),
        METHODS.len(),
        "every method of the table is served"
    );
    to.module
}

fn submitting<B: Backend>(to: &mut Registrar<B>) {
    to.add(&methods::SUBMIT, |door: Arc<Door<B>>, args: SubmitArgs, caller| async move {
        let list = submit::list(&args, door.backend.valid_until_max(), door.gate.limits())?;
        door.gate.charge(caller, submit::signature_cost(&list))?;
        let submission = Submission {
            list,
            source: Some(caller.0),
            wait: args.wait.unwrap_or(Level::Received),
            deadline: submit::deadline(door.gate.limits(), args.timeout_ms),
            detail: true,
        };
        Ok(door.backend.submit(submission).await?)
    });
    to.add(
        &methods::KEYSTORE_SEND_TRANSACTION,
        |door: Arc<Door<B>>, args: EnvelopeArgs, caller| async move {
            let list = super::envelope::list(&args.envelope)?;
            door.gate.charge(caller, submit::signature_cost(&list))?;
            let submission = Submission {
                list,
                source: Some(caller.0),
                wait: args.wait.unwrap_or(Level::Received),
                deadline: submit::deadline(door.gate.limits(), args.timeout_ms),
                detail: true,
            };
            Ok(door.backend.submit(submission).await?)
        },
    );
}

fn reading<B: Backend>(to: &mut Registrar<B>) {
    to.add(&methods::GET_TRANSACTION, |door: Arc<Door<B>>, args: Id, _| async move {
        Ok(door.backend.transaction(args.id).await?)
    });
    to.add(&methods::GET_TRANSACTIONS, |door: Arc<Door<B>>, args: Ids, _| async move {
        views::transactions(&door.backend, &args.ids).await
    });
    to.add(&methods::GET_SLOT, |door: Arc<Door<B>>, args: At, _| async move {
        views::slot(&door.backend, args.height).await
    });
    to.add(&methods::GET_HEADER, |door: Arc<Door<B>>, args: At, _| async move {
        views::header(views::slot(&door.backend, args.height).await?)
    });
    to.add(&methods::GET_NAMESPACE, |door: Arc<Door<B>>, args: NamespaceArgs, _| async move {
        views::namespace(&door.backend, args.height, args.rollup, args.index).await
    });
    for method in [&methods::GET_PROOF, &methods::GET_FINALITY_BUNDLE] {
        to.add(method, |door: Arc<Door<B>>, args: BundleArgs, _| async move {
            let bytes = door.backend.bundle(args.of()?).await?;
            Ok(json!({ "bundle": hex::encode(bytes) }))
        });
    }
    to.add(&methods::GET_VALIDATORS, |door: Arc<Door<B>>, _: Nothing, _| async move {
        Ok(door.backend.validators().await)
    });
    to.add(&methods::SYNC_STATUS, |door: Arc<Door<B>>, _: Nothing, _| async move {
        Ok(door.backend.sync_status())
    });
    to.add(&methods::READINESS, |door: Arc<Door<B>>, _: Nothing, _| async move {
        Ok(door.backend.readiness())
    });
    to.add(&methods::PEERS, |door: Arc<Door<B>>, _: Nothing, _| async move {
        Ok(door.backend.peers().await)
    });
    to.add(&methods::LIMITS, |door: Arc<Door<B>>, _: Nothing, _| async move {
        Ok(views::limits(&door.backend, door.gate.limits()))
    });
    to.add(&methods::ROLLUPS, |door: Arc<Door<B>>, _: Nothing, _| async move {
        Ok(views::rollups(&door.backend))
    });
}

fn keystore<B: Backend>(to: &mut Registrar<B>) {
    to.add(&methods::KEYSTORE_GET_ACCOUNT, |door: Arc<Door<B>>, args: Id, _| async move {
        Ok(door.backend.account(args.id).await?)
    });
    to.add(&methods::KEYSTORE_GET_NONCE, |door: Arc<Door<B>>, args: Id, _| async move {
        let account = door.backend.account(args.id).await?;
        Ok(json!({
            "keystore_id": account.keystore_id,
            "lane": 0,
            "next_seq": account.next_seq,
            "height": account.height,
        }))
    });
    to.add(&methods::KEYSTORE_GET_PROOF, |door: Arc<Door<B>>, args: Id, _| async move {
        let bytes = door.backend.bundle(crate::api::BundleOf::Account(args.id)).await?;
        Ok(json!({ "bundle": hex::encode(bytes) }))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_may_come_as_object_as_list_or_as_list_of_one_object() {
        let expected = json!({ "height": 3, "rollup": 10 });
        for text in [r#"{"height":3,"rollup":10}"#, r#"[{"height":3,"rollup":10}]"#, "[3,10]"] {
            assert_eq!(object(Some(text), &methods::GET_NAMESPACE).unwrap(), expected);
        }
        assert_eq!(object(None, &methods::PEERS).unwrap(), json!({}));
        assert!(object(Some("[1,2]"), &methods::GET_TRANSACTION).is_err());
    }

    #[test]
    fn unknown_parameters_are_refused_by_name() {
        let error = parse::<Id>(Some(r#"{"id":"00","hash":1}"#), &methods::GET_TRANSACTION);
        assert!(error.err().unwrap().message.contains("rota_getTransaction"));
    }
}
