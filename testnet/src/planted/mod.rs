//! Planted bugs: does the simulator catch what it is there for?
//!
//! ```text
//! testnet/planted/*.patch ─► tree::Tree (a copy of the sources) ─► git apply ─► cargo build ─► sim --until-violation
//! ```
//!
//! Each patch puts one bug into the product's sources, in a copy of them; the product itself holds no switch. A patch
//! that no longer applies, does not build, or whose bug no seed shows, is a failure.

mod command;
mod patch;
mod report;
mod tree;

pub use command::PlantedArgs;
pub use patch::Patch;
pub use report::{Report, Row, Verdict};
pub use tree::project_root;
