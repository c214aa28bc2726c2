//! Gossipsub as node.md sets it: one topic, every message judged by the application, scored.
//!
//! Messages carry no author (`Anonymous`), so their id must be their content: an id the sender
//! chooses would let one body travel under endless ids.

use std::collections::{HashMap, HashSet};

use libp2p::metrics::Registry;
use libp2p_gossipsub::{
    Behaviour, ConfigBuilder, IdentTopic, IdentityTransform, MaxCountSubscriptionFilter, Message,
    MessageAuthenticity, MessageId, MetricsConfig, PeerScoreParams, PeerScoreThresholds,
    TopicScoreParams, ValidationMode, WhitelistSubscriptionFilter, score_parameter_decay_with_base,
};
use sha2::{Digest, Sha256};

use crate::{error::P2pError, limits};

/// Gossipsub with our filter.
pub(crate) type Gossipsub =
    Behaviour<IdentityTransform, MaxCountSubscriptionFilter<WhitelistSubscriptionFilter>>;

/// Longest frame with one message.
const FRAME_BYTES_MAX: usize = limits::GOSSIP_BYTES_MAX + limits::GOSSIP_OVERHEAD_BYTES_MAX;
/// Domain of message ids.
const MESSAGE_ID_DOMAIN: &[u8] = b"rota/gossip-message-id/v1";

/// The topic of transactions on a chain: `/rota/<chain>/tx/1`.
pub(crate) fn topic(chain_id: u64) -> IdentTopic {
    IdentTopic::new(format!("/rota/{chain_id}/tx/1"))
}

/// SHA-256(domain ‖ topic ‖ data), the first 20 bytes.
fn message_id(message: &Message) -> MessageId {
    let mut hasher = Sha256::new();
    hasher.update(MESSAGE_ID_DOMAIN);
    hasher.update(message.topic.as_str().as_bytes());
    hasher.update(&message.data);
    let digest = hasher.finalize();
    MessageId(digest.iter().take(20).copied().collect())
}

/// Builds the behaviour, subscribed to the topic, its metrics in `registry`.
pub(crate) fn build(topic: &IdentTopic, registry: &mut Registry) -> Result<Gossipsub, P2pError> {
    let setup = |cause: &dyn std::fmt::Display| P2pError::Setup(format!("gossipsub: {cause}"));
    let config = ConfigBuilder::default()
        .validate_messages()
        .validation_mode(ValidationMode::Anonymous)
        .message_id_fn(message_id)
        .mesh_n(limits::GOSSIP_MESH)
        .mesh_n_low(limits::GOSSIP_MESH_LOW)
        .mesh_n_high(limits::GOSSIP_MESH_HIGH)
        .mesh_outbound_min(limits::GOSSIP_MESH_OUTBOUND_MIN)
        .gossip_lazy(limits::GOSSIP_LAZY)
        .heartbeat_interval(limits::GOSSIP_HEARTBEAT)
        // The default of 5 s would leave a restarted node without a mesh for that long.
        .heartbeat_initial_delay(limits::GOSSIP_HEARTBEAT / 7)
        .history_length(limits::GOSSIP_HISTORY)
        .history_gossip(limits::GOSSIP_HISTORY_ADVERTISED)
        .duplicate_cache_time(limits::GOSSIP_SEEN)
        .max_transmit_size(FRAME_BYTES_MAX + limits::GOSSIP_READ_AHEAD_BYTES)
        .max_control_message_size(limits::GOSSIP_CONTROL_BYTES_MAX)
        .connection_handler_queue_len(limits::GOSSIP_PEER_QUEUE_MESSAGES_MAX)
        .flood_publish(false)
        .build()
        .map_err(|error| setup(&error))?;
    let filter = MaxCountSubscriptionFilter {
        filter: WhitelistSubscriptionFilter(HashSet::from([topic.hash()])),
        max_subscribed_topics: limits::GOSSIP_TOPICS_PER_PEER_MAX,
        max_subscriptions_per_request: limits::GOSSIP_TOPICS_PER_PEER_MAX,
    };
    let mut gossip =
        Gossipsub::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)
            .map_err(|error| setup(&error))?
            .with_metrics(registry, MetricsConfig::default());
    gossip.with_peer_score(score_params(topic), thresholds()).map_err(|error| setup(&error))?;
    gossip.subscribe(topic).map_err(|error| setup(&error))?;
    Ok(gossip)
}

/// Being late costs nothing (P3 and slow peers off), being wrong does (P4, and offences that the
/// actor sets as the application's score). Addresses are counted by the guard, not here.
fn score_params(topic: &IdentTopic) -> PeerScoreParams {
    let interval = std::time::Duration::from_secs(1);
    // 0.5^(t / half-life) falls to 1 % after 6.64 half-lives.
    let decay =
        score_parameter_decay_with_base(limits::SCORE_HALF_LIFE.mul_f64(6.64), interval, 0.01);
    let topic_params = TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.01,
        time_in_mesh_quantum: interval,
        time_in_mesh_cap: 600.0,
        first_message_deliveries_weight: 0.5,
        first_message_deliveries_decay: score_parameter_decay_with_base(
            limits::GOSSIP_SEEN,
            interval,
            0.01,
        ),
        first_message_deliveries_cap: 40.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -10.0,
        invalid_message_deliveries_decay: decay,
        ..TopicScoreParams::default()
    };
    PeerScoreParams {
        topics: HashMap::from([(topic.hash(), topic_params)]),
        topic_score_cap: 40.0,
        app_specific_weight: 1.0,
        ip_colocation_factor_weight: 0.0,
        behaviour_penalty_weight: -10.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: decay,
        decay_interval: interval,
        slow_peer_weight: 0.0,
        ..PeerScoreParams::default()
    }
}

fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: limits::SCORE_GOSSIP,
        publish_threshold: limits::SCORE_PUBLISH,
        graylist_threshold: limits::SCORE_GRAYLIST,
        accept_px_threshold: 0.0,
        opportunistic_graft_threshold: limits::SCORE_OPPORTUNISTIC_GRAFT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_content_alone() {
        let message = |data: &[u8], topic_id: u64| Message {
            source: None,
            data: data.to_vec(),
            sequence_number: None,
            topic: topic(topic_id).hash(),
        };
        let id = message_id(&message(b"a", 1));
        assert_eq!(id.0.len(), 20);
        assert_eq!(id, message_id(&message(b"a", 1)));
        assert_ne!(id, message_id(&message(b"b", 1)));
        assert_ne!(id, message_id(&message(b"a", 2)));
    }

    #[test]
    fn parameters_are_accepted_by_gossipsub() {
        let topic = topic(7);
        score_params(&topic).validate().unwrap();
        thresholds().validate().unwrap();
        build(&topic, &mut Registry::default()).unwrap();
    }
}
