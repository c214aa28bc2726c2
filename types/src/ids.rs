//! Newtypes for the numbers of the protocol: mixing a height with a slot must not compile.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            BorshSerialize, BorshDeserialize, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The next value, saturating at the type's maximum.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// The previous value, saturating at zero.
            #[must_use]
            pub const fn prev(self) -> Self {
                Self(self.0.saturating_sub(1))
            }

            /// `self + n`, saturating.
            #[must_use]
            pub const fn plus(self, n: $inner) -> Self {
                Self(self.0.saturating_add(n))
            }

            /// `self - n`, saturating at zero.
            #[must_use]
            pub const fn minus(self, n: $inner) -> Self {
                Self(self.0.saturating_sub(n))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number!(
    /// Dense number of decided slots; the first decided height is 1, 0 is genesis.
    Height(u64)
);
number!(
    /// Number of a time slot: slot s spans `[genesis_time + s·slot_ms, +slot_ms)`.
    Slot(u64)
);
number!(
    /// Round of the agreement at one height, from 0.
    Round(u32)
);
number!(
    /// Voting weight of a validator.
    Weight(u64)
);
number!(
    /// Id of a rollup: 0 is the keystore rollup, 1 the system rollup, below 2³² an EIP-155 chain id.
    RollupId(u64)
);
number!(
    /// Generation of a lane; the one in force is state of the executed parent.
    Incarnation(u32)
);
number!(
    /// Number of a batch in its lane, dense from 1; 0 stands for "no batch yet".
    Seq(u64)
);
number!(
    /// Milliseconds since the Unix epoch.
    TimestampMs(u64)
);

impl RollupId {
    /// The keystore rollup.
    pub const KEYSTORE: Self = Self(0);
    /// The system rollup.
    pub const SYSTEM: Self = Self(1);

    /// Whether the network itself executes this rollup's payloads.
    #[must_use]
    pub const fn is_executed(self) -> bool {
        self.0 <= Self::SYSTEM.0
    }
}

impl Height {
    /// Height 0: the state before anything was decided.
    pub const GENESIS: Self = Self(0);
}
