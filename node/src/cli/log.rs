//! Sets up log lines on standard error: text, JSON or logfmt.

use crate::config::{LogConfig, LogFormat};
use crate::error::{ExitCode, OperatorError};
use std::fmt::{self, Write as _};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Libraries that are quieter than our own code.
///
/// The warnings of consensus about a value that is invalid now and valid later are how a timely check is told to it,
/// by design; those of gossipsub, Yamux and Noise let a stranger write lines as fast as it sends.
const QUIET: &str = "libp2p_gossipsub=off,yamux=off,snow=off,libp2p_noise=off,\
                     arc_malachitebft_core_consensus=error,arc_malachitebft_core_driver=warn,\
                     arc_malachitebft_core_votekeeper=warn,arc_malachitebft_core_state_machine=warn";

/// Starts logging for the whole process. A second call changes nothing.
///
/// # Errors
/// Config, for a filter that is none.
pub fn start(config: &LogConfig) -> Result<(), OperatorError> {
    // The agreement library logs every vote at info; what is named in the configuration comes later and wins.
    let level = format!("{QUIET},{}", config.level);
    let filter = EnvFilter::try_new(level).map_err(|error| {
        OperatorError::new(ExitCode::Config, format!("log.level = {:?}", config.level))
            .cause(error)
            .hint("error, warn, info, debug, trace, or per module as \"info,rota_p2p=debug\"")
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => {
            use std::io::IsTerminal as _;
            builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Logfmt => builder.with_ansi(false).event_format(Logfmt).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was set up before");
    }
    Ok(())
}

struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        writer.write_str("time=")?;
        SystemTime.format_time(&mut writer)?;
        let level = metadata.level().as_str().to_ascii_lowercase();
        write!(writer, " level={level} target={}", metadata.target())?;
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        writer.write_str(&fields.0)?;
        if let Some(scope) = context.event_scope() {
            let names: Vec<_> = scope.from_root().map(|span| span.name()).collect();
            write!(writer, " span={}", names.join(":"))?;
        }
        writeln!(writer)
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = if field.name() == "message" { "msg" } else { field.name() };
        let text = format!("{value:?}");
        let bare = text.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '=');
        let written = if bare || text.starts_with('"') {
            write!(self.0, " {name}={text}")
        } else {
            write!(self.0, " {name}={text:?}")
        };
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
    }
}
