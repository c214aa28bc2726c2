//! Configuration: precedence, sources, unknown keys, and the generated file.

use super::*;
use crate::error::OperatorError;
use std::path::Path;

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn load(
    file: &str,
    env: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Effective, ConfigError> {
    Effective::load(Some((Path::new("/h/config.toml"), file)), pairs(env), pairs(flags))
}

#[test]
fn flags_win_over_environment_over_file_over_defaults_and_each_names_its_source() {
    let file = "[http]\nlisten = \"127.0.0.1:1\"\n[disk]\nkeep = \"2 GiB\"\n[p2p]\nquic = true\n";
    let env =
        [("ROTA_HTTP_LISTEN", "127.0.0.1:2"), ("ROTA_DISK_KEEP", "3 GB"), ("ROTA_HOME", "/x")];
    let effective = load(file, &env, &[("http.listen", "127.0.0.1:3")]).unwrap();
    assert_eq!(effective.config.http.listen.port(), 3);
    assert_eq!(effective.config.disk.keep, ByteSize(3_000_000_000));
    assert!(effective.config.p2p.quic);
    assert_eq!(effective.source("http.listen").to_string(), "--http.listen");
    assert_eq!(effective.source("disk.keep").to_string(), "$ROTA_DISK_KEEP");
    assert_eq!(effective.source("p2p.quic").to_string(), "/h/config.toml");
    assert_eq!(effective.source("metrics.listen"), Source::Default);
    assert_eq!(effective.entries().len(), Config::KEYS.len());
}

#[test]
fn an_unknown_key_is_refused_naming_the_nearest() {
    type Pairs = &'static [(&'static str, &'static str)];
    let cases: [(&str, Pairs, Pairs, &str); 6] = [
        ("[p2p]\nlisen = []", &[], &[], "did you mean p2p.listen?"),
        ("[htpp]\nlisten = \"x\"", &[], &[], "did you mean http.listen?"),
        ("quic = true", &[], &[], "did you mean p2p.quic?"),
        ("", &[("ROTA_HTTP_LISTN", "x")], &[], "did you mean ROTA_HTTP_LISTEN?"),
        ("", &[], &[("disk.kep", "1")], "did you mean disk.keep?"),
        ("[rpc]\nburst = 5", &[], &[], "did you mean"),
    ];
    for (file, env, flags, hint) in cases {
        let error = OperatorError::from(load(file, env, flags).unwrap_err());
        assert_eq!(error.exit.number(), 78);
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn a_value_of_another_form_says_which_is_expected() {
    for (file, form) in [
        ("[p2p]\nquic = \"yes\"", "true or false"),
        ("[http]\nlisten = \"8645\"", "an address and port"),
        ("[disk]\nkeep = \"lots\"", "a size"),
        ("[rpc]\nread_timeout = 5", "a duration"),
        ("[index]\ntransactions = \"some\"", "\"all\""),
        ("[rpc]\nunits_burst = -1", "a whole number"),
        ("[p2p]\nlisten = [1]", "a list"),
    ] {
        let error = load(file, &[], &[]).unwrap_err();
        assert!(error.to_string().contains(form), "{error}");
    }
    let error = load("[p2p\n", &[], &[]).unwrap_err();
    assert!(
        matches!(&error, ConfigError::Syntax { reason, .. } if reason.contains("line 1")),
        "{error}"
    );
}

#[test]
fn the_generated_file_is_read_back_to_the_same_values_and_documents_every_key() {
    let mut config = Config::default();
    config.http.listen = "0.0.0.0:80".parse().unwrap();
    config.p2p.bootstrap = vec!["/dns4/a/tcp/1".to_owned()];
    config.key.password_file = Some("/run/pw \"x\"".into());
    let text = config.to_toml();
    assert_eq!(load(&text, &[], &[]).unwrap().config, config);
    // Also with every comment sign before a key removed: the defaults are valid values.
    let whole: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") && !rest.starts_with(char::is_uppercase) => rest,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    let effective = load(&whole, &[], &[]).unwrap();
    assert_eq!(effective.config, config);
    for entry in config.entries() {
        assert!(!entry.doc.trim().is_empty());
        assert_ne!(effective.source(&entry.key), Source::Default, "{}", entry.key);
    }
}

#[test]
fn sizes_and_durations_are_written_as_they_are_read() {
    for (text, bytes) in
        [("128 KiB", 131_072), ("50GB", 50_000_000_000), ("7", 7), ("1_000 b", 1000)]
    {
        let size = ByteSize::from_text(text).unwrap();
        assert_eq!(size.0, bytes);
        assert_eq!(ByteSize::from_text(&size.to_string()), Some(size));
    }
    for text in ["", "KiB", "5 furlongs", "99999999999 TiB", "-1 B", "1.5 GB"] {
        assert_eq!(ByteSize::from_text(text), None, "{text}");
    }
    let duration = std::time::Duration::from_millis(1500);
    let written = Value::to_toml(&duration);
    assert_eq!(
        load(&format!("[rpc]\nread_timeout = {written}"), &[], &[])
            .unwrap()
            .config
            .rpc
            .read_timeout,
        duration
    );
}

#[test]
fn an_instance_shifts_every_port() {
    let mut config = Config::default();
    config.p2p.listen.push("/ip6/::1/udp/7645/quic-v1".to_owned());
    config.p2p.external = vec!["/ip4/10.0.0.7645/tcp/0".to_owned()];
    config.shift_ports(1);
    assert_eq!(config.http.listen.port(), 8645);
    config.shift_ports(3);
    assert_eq!((config.http.listen.port(), config.metrics.listen.port()), (8665, 9665));
    assert_eq!(config.p2p.listen, ["/ip4/0.0.0.0/tcp/7665", "/ip6/::1/udp/7665/quic-v1"]);
    assert_eq!(config.p2p.external, ["/ip4/10.0.0.7645/tcp/0"]);
}
