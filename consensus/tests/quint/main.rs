//! Traces of the Tendermint specification in Quint, played to our driver, with what the specification did as oracle.
//!
//! The traces are those of Malachite's `specs/consensus/quint/tests`, in ITF. Each step names a validator, its input and
//! its output. Every correct validator of a trace is a driver of its own; faulty ones exist as the messages they sent.
//!
//! What is asked after every step: whatever the specification's validator said so far (proposals, votes, the decision),
//! ours said; and whatever ours said, the specification's says before the trace ends. The driver may be ahead within a
//! step's consequences: the specification hands a validator its own messages and its pending inputs one by one, the
//! driver takes them at once. At the end both stand in the same round, locked on the same value.
//!
//! Some traces never hand a validator its own vote. Where the driver, which counts it at once, would see a quorum that
//! the specification's validator does not, the vote that makes it waits: the network may be slow, never the trace.
//!
//! | trace | played as |
//! |---|---|
//! | line26, line28, line32, line42, hiddenLock, decideForPastRound | the rules of the paper's algorithm, by line |
//! | disagreement | two of four are faulty, and our two correct ones must be split like the specification's |
//!
//! Two traces do not fit: `consensus_DecideNonProposer*` drive the bare state machine with inputs such as
//! "proposal and polka and valid", which our driver derives from messages itself and takes from nobody.
//!
//! Deviations of the driver's interface: heights begin at 1, not 0; a value names the round of its first proposal; a
//! certificate of precommits travels with its value; the value `invalid` is one whose objective check says so.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests fail loudly, and say what they skipped"
)]

#[path = "../agreement/gate.rs"]
mod gate;
mod inbox;
mod play;
mod trace;

use play::Play;

/// Plays a trace to its end.
fn play(name: &str) {
    let Some(steps) = trace::load(name) else { return };
    let mut play = Play::new(&steps);
    for (index, step) in steps.iter().enumerate() {
        // The network's own steps leave the history as it is.
        if index == 0 || step.history != steps[index - 1].history {
            play.step(index, step);
        }
    }
    play.end(steps.last().unwrap());
}

#[test]
fn line26_a_timeout_of_the_vote_ends_the_round_with_nil() {
    play("line26Test_line26Test_0");
}

#[test]
fn line28_a_locked_value_is_proposed_again_and_prevoted() {
    play("line28Test_line28Test_0");
}

#[test]
fn line32_an_invalid_value_is_prevoted_nil_whatever_its_polka() {
    play("line32Test_line32InvalidTest_0");
}

#[test]
fn line42_a_polka_that_comes_late_is_remembered_as_valid_value() {
    play("line42Test_line42Test_0");
}

#[test]
fn hidden_lock_the_round_after_goes_on_with_the_locked_value() {
    play("hiddenLockTest_hiddenTest_0");
}

#[test]
fn a_value_of_a_past_round_is_decided() {
    play("decideForPastRoundTest_decidePastTest_0");
}

#[test]
fn two_faulty_of_four_split_our_drivers_like_the_specifications() {
    play("disagreementTest_disagreementTest_0");
}
