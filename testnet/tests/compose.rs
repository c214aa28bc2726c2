//! The committed compose file against the plan it must follow; needs no docker.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use rota_node::provision::{ComposePlan, HTTP_PORT, METRICS_PORT};
use std::path::Path;

fn file() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose/docker-compose.yml");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn nodes_have_the_addresses_that_their_genesis_names() {
    let text = file();
    let plan = ComposePlan { subnet: [172, 30, 56], ..ComposePlan::default() };
    assert!(text.contains("--subnet=172.30.56"), "init must use the subnet of the file");
    for (index, name) in ["v0", "v1", "v2", "v3", "f1"].iter().enumerate() {
        let block = text.split(&format!("\n  {name}:\n")).nth(1).unwrap();
        let block = block.split("\n\n").next().unwrap();
        let address = plan.address(u8::try_from(index).unwrap());
        assert!(block.contains(&address.to_string()), "{name} lacks {address}");
        assert!(block.contains(&format!("\"/net/{name}\"")), "{name} starts another home");
        let shift = u16::try_from(index).unwrap();
        for port in [HTTP_PORT, METRICS_PORT] {
            let published = format!("\"127.0.0.1:{}:{port}\"", port + shift);
            assert!(block.contains(&published), "{name} lacks {published}");
        }
    }
}

#[test]
fn nothing_is_pulled_and_nothing_restarts_by_itself() {
    let text = file();
    let images: Vec<_> = text.lines().filter(|line| line.trim().starts_with("image:")).collect();
    assert!(images.iter().all(|line| line.trim() == "image: rota:local"), "{images:?}");
    assert!(!text.contains("restart: always") && !text.contains("restart: unless"));
    assert!(text.contains("[\"CMD\", \"/rota\", \"status\", \"--ready\"]"));
}
