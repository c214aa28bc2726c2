//! `rota init` and `rota testnet`: write homes; start nothing.

use super::args::PasswordArgs;
use super::output::{self, Form};
use crate::disk::RealDisk;
use crate::error::{ExitCode, OperatorError};
use crate::guard::{Create, Guard};
use crate::home::{Home, write_new_secret};
use crate::keys::{Cost, NodeKeys, Password, create_keys};
use crate::provision::{
    ComposePlan, HTTP_PORT, KeySource, METRICS_PORT, Network, NetworkPlan, NodePlan, P2P_PORT,
    compose_file, devnet, loopback_nodes, make_network, random_chain_id, read_genesis,
    write_genesis,
};
use crate::shell;
use rota_types::RollupId;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Arguments of `rota init`.
#[derive(Clone, Debug, clap::Args)]
pub struct InitArgs {
    /// Genesis document of the network
    #[arg(long, value_name = "FILE")]
    pub genesis: PathBuf,
    /// Make validator and seal keys as well, and a guard for them; without it the home is a full node's
    #[arg(long)]
    pub validator: bool,
    /// Addresses of nodes to dial first, as /ip4/…/tcp/…/p2p/…
    #[arg(long, value_name = "ADDRESS")]
    pub bootstrap: Vec<String>,
    /// Folder of the node; $XDG_DATA_HOME/rota/NAME, by the name in genesis, if left out
    #[arg(long, value_name = "DIR", env = "ROTA_HOME", hide_env_values = true)]
    pub home: Option<PathBuf>,
    /// Where the password comes from.
    #[command(flatten)]
    pub password: PasswordArgs,
    /// How to answer.
    #[command(flatten)]
    pub form: Form,
}

/// Where the nodes of a test network will run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum World {
    /// Containers with fixed addresses, all on the same ports
    Compose,
    /// Processes on loopback, each on its own ports
    Process,
}

/// Arguments of `rota testnet`.
#[derive(Clone, Debug, clap::Args)]
pub struct TestnetArgs {
    /// How many validators
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub validators: usize,
    /// How many full nodes besides
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub full_nodes: usize,
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Length of a slot in milliseconds, 1000 to 60000
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    pub slot_ms: u64,
    /// Rollups to register besides the usual ones
    #[arg(long, value_name = "ID")]
    pub rollup: Vec<RollupId>,
    /// Chain id; drawn if left out
    #[arg(long, value_name = "ID")]
    pub chain_id: Option<u64>,
    /// Where the nodes will run
    #[arg(long, value_enum, default_value_t = World::Compose)]
    pub world: World,
    /// First http port; each node on loopback, and each published port of a container, counts up from it
    #[arg(long, value_name = "PORT", default_value_t = HTTP_PORT)]
    pub http: u16,
    /// First metrics port, as --http
    #[arg(long, value_name = "PORT", default_value_t = METRICS_PORT)]
    pub metrics: u16,
    /// First p2p port on loopback
    #[arg(long, value_name = "PORT", default_value_t = P2P_PORT)]
    pub p2p: u16,
    /// First three numbers of the containers' subnet
    #[arg(long, value_name = "A.B.C", default_value = "172.30.57", value_parser = parse_subnet)]
    pub subnet: [u8; 3],
    /// Folder under which each node finds its home when it runs, if not --out itself or /home in its container
    #[arg(long, value_name = "DIR")]
    pub home_root: Option<PathBuf>,
    /// Do nothing and succeed if DIR holds a network already
    #[arg(long)]
    pub if_absent: bool,
}

fn parse_subnet(text: &str) -> Result<[u8; 3], String> {
    let parts: Vec<u8> = text.split('.').filter_map(|part| part.parse().ok()).collect();
    parts.try_into().map_err(|_| format!("{text:?} is not three numbers as 172.30.57"))
}

/// `rota init`.
///
/// # Errors
/// Cannot-create if the home exists; config for a genesis that is none.
pub fn init(args: InitArgs) -> Result<(), OperatorError> {
    let genesis = read_genesis(&args.genesis)?;
    devnet::refuse_public_keys(&genesis)?;
    let home = Home::resolve(args.home.as_deref(), |name| std::env::var_os(name), &genesis.name)?;
    let mut config = crate::config::Config::default();
    config.p2p.bootstrap = args.bootstrap;
    shell::check_addresses(&config)?;
    home.create()?;
    let password = match args.password.password_file {
        Some(_) => args.password.read("password of the key files", None)?,
        None => Password::random().map_err(|error| error.about("a password"))?,
    };
    let keys = NodeKeys::generate(args.validator).map_err(|error| error.about("fresh keys"))?;
    write_genesis(&home.genesis_file(), &genesis)?;
    create_keys(&home, &keys, &password, Cost::Standard)?;
    config.key.password_file = match &args.password.password_file {
        Some(path) if path != Path::new("-") => Some(absolute(path)?),
        Some(_) => None,
        None => {
            let path = home.keys_folder().join(crate::provision::PASSWORD_FILE);
            write_new_secret(&path, format!("{}\n", password.text()).as_bytes())?;
            Some(absolute(&path)?)
        }
    };
    write_new_secret(&home.config_file(), config.to_toml().as_bytes())?;
    if let Some(key) = keys.validator_key() {
        Guard::open(RealDisk::shared(), &home.guard_file(), key, Create::New)?;
    }
    let drawn = args.password.password_file.is_none().then_some(config.key.password_file).flatten();
    report(&home, &keys, genesis.chain_id, drawn.as_deref(), args.form)
}

fn absolute(path: &Path) -> Result<PathBuf, OperatorError> {
    std::path::absolute(path).map_err(|error| {
        OperatorError::new(ExitCode::Io, format!("cannot resolve {}", path.display())).cause(error)
    })
}

fn report(
    home: &Home,
    keys: &NodeKeys,
    chain_id: u64,
    drawn_password: Option<&Path>,
    form: Form,
) -> Result<(), OperatorError> {
    let peer_id = rota_p2p::peer_id_of_seed(&keys.node_seed)
        .map_err(|error| OperatorError::new(ExitCode::Bug, "a node key").cause(error))?
        .to_string();
    if form.json {
        return output::json(&json!({
            "home": home.root(),
            "peer_id": peer_id,
            "chain_id": chain_id,
            "password_file": drawn_password,
            "validator": keys.validator_key(),
            "seal_key": keys.seal.as_ref().map(|seal| seal.public_key()),
            "seal_possession": keys.seal.as_ref().map(|seal| seal.prove_possession(chain_id)),
        }));
    }
    let password = drawn_password.map_or_else(
        || "as given".to_owned(),
        |path| format!("drawn, in {}: move it away from the keys", path.display()),
    );
    output::lines([
        format!("home       {}", home.root().display()),
        format!("password   {password}"),
        format!("peer id    {peer_id}"),
        format!(
            "validator  {}",
            keys.validator_key().map_or_else(|| "none: a full node".into(), |key| key.to_string())
        ),
        format!("start      rota start --home {}", home.root().display()),
    ])
}

fn plan(args: &TestnetArgs) -> Result<NetworkPlan, OperatorError> {
    let count = args.validators.saturating_add(args.full_nodes);
    let mut nodes = loopback_nodes(count, args.http, args.metrics, args.p2p)?;
    let compose = ComposePlan { subnet: args.subnet, ..ComposePlan::default() };
    for (index, node) in nodes.iter_mut().enumerate() {
        if index >= args.validators {
            node.validator = false;
            node.name = format!("f{}", index.saturating_sub(args.validators).saturating_add(1));
        }
        if args.world == World::Compose {
            in_container(node, compose.address(u8::try_from(index).unwrap_or(u8::MAX)));
        }
    }
    let chain_id = match args.chain_id {
        Some(devnet::CHAIN_ID) => {
            return Err(OperatorError::new(ExitCode::Usage, "this chain id is the devnet's")
                .hint("leave --chain-id out to draw one"));
        }
        Some(chain_id) => chain_id,
        None => random_chain_id()?,
    };
    let mut rollups = devnet::default_rollups();
    rollups.extend(args.rollup.iter().map(|id| (*id, format!("rollup {id}"))));
    Ok(NetworkPlan {
        chain_id,
        name: format!("testnet-{chain_id}"),
        genesis_time: shell::now(),
        slot_ms: args.slot_ms,
        rollups,
        nodes,
        keys: KeySource::Random,
    })
}

/// In a container everything listens on all addresses and the usual ports; the address is the container's own.
fn in_container(node: &mut NodePlan, address: Ipv4Addr) {
    let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    node.p2p = any(P2P_PORT);
    node.external = Some(SocketAddr::from((address, P2P_PORT)));
    node.http = any(HTTP_PORT);
    node.metrics = any(METRICS_PORT);
}

/// `rota testnet`.
///
/// # Errors
/// Cannot-create if there is a network already.
pub fn testnet(args: TestnetArgs) -> Result<(), OperatorError> {
    if args.if_absent && args.out.join("genesis.json").exists() {
        output::note(format!("{} holds a network already", args.out.display()));
        return Ok(());
    }
    let network = make_network(&plan(&args)?)?;
    let password = Password::random().map_err(|error| error.about("a password"))?;
    let out = absolute(&args.out)?;
    let root = |home: &Home| match (&args.home_root, args.world) {
        (Some(root), _) => {
            root.join(home.root().file_name().unwrap_or_else(|| home.root().as_os_str()))
        }
        (None, World::Compose) => PathBuf::from("/home"),
        (None, World::Process) => home.root().to_path_buf(),
    };
    // The password lies beside the keys, so a costly derivation would protect nothing.
    let homes = network.write(&out, &password, Cost::Light, root)?;
    if args.world == World::Compose {
        write_compose(&args, &network, &out)?;
    }
    for home in &homes {
        output::note(format!("wrote {}", home.root().display()));
    }
    output::line(match args.world {
        World::Compose => format!(
            "cd {} && docker-compose up   # or: docker compose up; the image is rota:local",
            out.display()
        ),
        World::Process => format!("rota start --home {}/v0   # and so on", out.display()),
    })
}

fn write_compose(args: &TestnetArgs, network: &Network, out: &Path) -> Result<(), OperatorError> {
    use std::os::unix::fs::MetadataExt as _;
    let owner = std::fs::metadata(out)
        .map(|metadata| format!("{}:{}", metadata.uid(), metadata.gid()))
        .map_err(|error| {
            OperatorError::new(ExitCode::Io, format!("cannot look at {}", out.display()))
                .cause(error)
        })?;
    let plan = ComposePlan {
        subnet: args.subnet,
        user: owner,
        http: args.http,
        metrics: args.metrics,
        ..ComposePlan::default()
    };
    let text = compose_file(network, &plan, out);
    super::args::write_bytes(&out.join("docker-compose.yml"), text.as_bytes())
}
