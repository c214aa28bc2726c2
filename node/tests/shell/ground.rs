//! A home of a network of one validator, and a disk on which one record cannot be written.

use rota_node::disk::{Disk, DiskError, DiskFile, OpenMode, RealDisk};
use rota_node::home::Home;
use rota_node::keys::{Cost, Password};
use rota_node::provision::{
    KeySource, NetworkPlan, NodePlan, OpenedHome, make_network, random_chain_id,
};
use rota_node::shell::now;
use rota_types::RollupId;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// The rollup of every test.
pub(crate) const ROLLUP: RollupId = RollupId(70_001);

/// One validator at ports that the system chooses.
pub(crate) fn home(folder: &Path) -> OpenedHome {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let node = NodePlan {
        name: "v1".into(),
        validator: true,
        p2p: any,
        external: None,
        http: any,
        metrics: any,
    };
    let plan = NetworkPlan {
        chain_id: random_chain_id().unwrap(),
        name: "test".into(),
        genesis_time: now(),
        slot_ms: 1_000,
        rollups: vec![(ROLLUP, "test".into())],
        nodes: vec![node],
        keys: KeySource::Random,
    };
    let network = make_network(&plan).unwrap();
    let password = Password::random().unwrap();
    let at = |home: &Home| home.root().to_path_buf();
    let homes = network.write(folder, &password, Cost::Light, at).unwrap();
    OpenedHome::open(homes.into_iter().next().unwrap(), Vec::new(), 1, None).unwrap()
}

/// A disk that is full for every write in which these bytes stand.
pub(crate) struct FullFor {
    inner: Arc<dyn Disk>,
    marker: &'static [u8],
}

impl FullFor {
    pub(crate) fn new(marker: &'static [u8]) -> Self {
        Self { inner: RealDisk::shared(), marker }
    }
}

impl Disk for FullFor {
    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.inner.create_dir(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        let inner = self.inner.open(path, mode)?;
        Ok(Arc::new(FullFile { inner, marker: self.marker }))
    }

    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        self.inner.exists(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        self.inner.list(dir)
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.inner.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.inner.rename(from, to)
    }
}

struct FullFile {
    inner: Arc<dyn DiskFile>,
    marker: &'static [u8],
}

impl DiskFile for FullFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn append(&self, parts: &[&[u8]]) -> Result<(), DiskError> {
        if parts.concat().windows(self.marker.len()).any(|window| window == self.marker) {
            return Err(DiskError::Full { path: self.path().to_path_buf() });
        }
        self.inner.append(parts)
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        self.inner.read_at(offset, length)
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.inner.sync()
    }

    fn truncate(&self, length: u64) -> Result<(), DiskError> {
        self.inner.truncate(length)
    }

    fn size(&self) -> Result<u64, DiskError> {
        self.inner.size()
    }
}
