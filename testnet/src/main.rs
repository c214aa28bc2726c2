//! Entry point of `rota-testnet`: data to stdout, what it is doing to stderr; exit 0 iff everything held.

use clap::Parser as _;
use rota_testnet::cli::{Cli, Verdict};
use std::process::ExitCode;

/// The agreement library logs every vote at info, and values that are valid later as warnings.
const LEVELS: &str = "info,libp2p=warn,rota_p2p=warn,arc_malachitebft_core_consensus=error,\
                      arc_malachitebft_core_driver=warn,arc_malachitebft_core_votekeeper=warn,\
                      arc_malachitebft_core_state_machine=warn";

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| LEVELS.into()),
        )
        .init();
    match Cli::parse().run().await {
        Ok(Verdict::Holds) => ExitCode::SUCCESS,
        Ok(Verdict::Broken) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
