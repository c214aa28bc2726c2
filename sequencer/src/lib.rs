//! Accept transactions, batch them, order slots, execute them.

pub mod admission;
pub mod batch;
pub mod bundles;
pub mod catchup;
pub mod error;
pub mod execution;
pub mod lane_view;
pub mod lanes;
pub mod limits;
pub mod mempool;
pub mod order;
pub mod rejoin;
pub mod seals;
pub mod slot;

pub use batch::Batch;
pub use lane_view::{Coverage, LaneTip, LaneView};
