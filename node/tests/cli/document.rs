//! Help, and the document made from it.

use crate::{ok, run};
use std::path::Path;

#[test]
fn the_document_is_the_help_of_today() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let text = rota_node::cli::help::document();
    if std::env::var_os("ROTA_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == known,
        "docs/cli.md is not the help of today: ROTA_UPDATE=1 cargo test -p rota-node --test cli document"
    );
}

#[test]
fn every_verb_is_under_a_heading_and_every_flag_has_a_sentence() {
    let mut command = rota_node::cli::help::command();
    command.build();
    let listed: Vec<&str> = rota_node::cli::help::HEADINGS
        .iter()
        .flat_map(|(_, verbs)| verbs.iter().copied())
        .collect();
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        if verb.get_name() != "help" {
            assert!(listed.contains(&verb.get_name()), "{}", verb.get_name());
        }
    }
    let mut open: Vec<_> = command.get_subcommands().cloned().collect();
    while let Some(verb) = open.pop() {
        assert!(verb.get_about().is_some(), "{}", verb.get_name());
        for argument in verb.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", verb.get_name(), argument.get_id());
        }
        open.extend(verb.get_subcommands().cloned());
    }
}

#[test]
fn help_goes_to_standard_output_and_mistakes_to_standard_error() {
    let help = run(&["tx", "submit", "--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(
        help.out.contains("[env: ROTA_RPC]")
            && help.out.contains("[default: http://127.0.0.1:8645]")
    );
    let start = run(&["start", "--help"]).out;
    assert!(start.contains("--http.listen") && start.contains("ROTA_HTTP_LISTEN"));
    let mistake = run(&["tx", "sbumit"]);
    assert_eq!((mistake.code, mistake.out.as_str()), (64, ""));
    assert!(mistake.err.contains("submit"));
    assert!(ok(&["completions", "bash"]).contains("rota"));
    assert!(ok(&["man"]).contains(".TH"));
    assert!(ok(&["version"]).starts_with("rota "));
}
