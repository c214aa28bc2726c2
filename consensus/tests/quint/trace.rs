//! A trace as it stands in its ITF file: what each step did, and where each validator stood after it.

use itf::de::{As, Integer};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One state of the trace.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Step {
    #[serde(rename = "_hist")]
    pub(crate) history: History,
    pub(crate) system: BTreeMap<String, Node>,
}

/// What led to the state.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct History {
    pub(crate) validator: String,
    pub(crate) input: Input,
    pub(crate) output: Output,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "tag", content = "value")]
#[expect(clippy::enum_variant_names, reason = "the names of the specification")]
pub(crate) enum Input {
    NoDInput,
    StartDInput,
    /// Goes on with what became possible in the new step.
    StepChangeDInput,
    ProposeValueDInput(String),
    ProposalDInput(Proposal),
    VoteDInput(Vote),
    /// Goes on with what was possible before.
    PendingDInput(IgnoredAny),
    TimeoutDInput(Timeout),
    CertificateDInput(Vec<Vote>),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "tag", content = "value")]
#[expect(clippy::enum_variant_names, reason = "the names of the specification")]
pub(crate) enum Output {
    NoConsensusOutput,
    ErrorOutput(String),
    TimeoutOutput(IgnoredAny),
    GetValueAndScheduleTimeoutOutput(IgnoredAny),
    ProposalOutput(Proposal),
    VoteOutput(Vote),
    /// Round and value.
    DecidedOutput(#[serde(with = "As::<(Integer, itf::de::Same)>")] (i64, String)),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Proposal {
    pub(crate) proposal: String,
    #[serde(with = "As::<Integer>")]
    pub(crate) round: i64,
    pub(crate) src_address: String,
    /// −1 for a fresh one.
    #[serde(with = "As::<Integer>")]
    pub(crate) valid_round: i64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vote {
    #[serde(with = "As::<Integer>")]
    pub(crate) round: i64,
    pub(crate) src_address: String,
    pub(crate) value_id: Nilable,
    pub(crate) vote_type: VoteType,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "tag", content = "value")]
pub(crate) enum Nilable {
    Nil,
    Val(String),
}

impl Nilable {
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Nil => None,
            Self::Val(name) => Some(name),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(tag = "tag", content = "value")]
pub(crate) enum VoteType {
    Prevote,
    Precommit,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(tag = "tag", content = "value")]
#[expect(clippy::enum_variant_names, reason = "the names of the specification")]
pub(crate) enum Timeout {
    ProposeTimeout,
    PrevoteTimeout,
    PrecommitTimeout,
}

/// One correct validator.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) es: Executor,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Executor {
    pub(crate) cs: ConsensusState,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsensusState {
    #[serde(with = "As::<Integer>")]
    pub(crate) round: i64,
    pub(crate) locked_value: Nilable,
}

/// Reads a trace, or says by name that it is skipped.
pub(crate) fn load(name: &str) -> Option<Vec<Step>> {
    let folder = std::env::var_os("ROTA_FIXTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures")),
        PathBuf::from,
    );
    let path = folder.join(format!("quint-itf/{name}.itf.json.xz"));
    let Ok(packed) = std::fs::read(&path) else {
        println!("skipped: quint-itf/{name} is not in ROTA_FIXTURES");
        return None;
    };
    let mut json = Vec::new();
    lzma_rs::xz_decompress(&mut &packed[..], &mut json).unwrap();
    let text = String::from_utf8(json).unwrap();
    // Variables carry the name of the module instance: `line26Test::line26run::system`.
    let end = text.find("::_hist").unwrap();
    let start = text[..end].rfind('"').unwrap() + 1;
    let text = text.replace(&format!("{}::", &text[start..end]), "");
    let trace = itf::trace_from_str::<Step>(&text).unwrap();
    Some(trace.states.into_iter().map(|state| state.value).collect())
}
