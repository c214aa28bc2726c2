//! What the fuzzer does with bytes for this crate, whose decoders are private: control frames,
//! address records, and the frames around all of it.

use std::cell::RefCell;

use futures::io::Cursor;
use tokio::runtime::{Builder, Runtime};

use crate::{
    Class, frame, limits,
    records::{self, RecordEntry},
    session::Control,
};

/// One frame of the control stream: hello, pings, records.
pub fn control(data: &[u8]) {
    if let Ok(message) = Control::from_bytes(data) {
        assert!(message.to_bytes() == data, "two encodings of one control frame");
    }
}

/// A signed address record, alone and as it is kept.
pub fn record(data: &[u8]) {
    if let Ok(at) = records::open(data) {
        assert!(at.addresses.len() <= limits::RECORD_ADDRESSES_MAX, "more than may be");
    }
    if let Some(entry) = RecordEntry::from_bytes(data) {
        assert!(entry.to_bytes() == data, "two encodings of one entry");
        records::open(&entry.record).ok();
    }
}

/// A stream of frames, cut wherever it ends.
pub fn framing(data: &[u8]) {
    thread_local! {
        static RUNTIME: RefCell<Runtime> = RefCell::new(
            Builder::new_current_thread().enable_time().build().expect("no driver but time"),
        );
    }
    let reading = async {
        for class in Class::ALL {
            let (mut stream, mut taken) = (Cursor::new(data), 0);
            while let Ok(frame) = frame::read(&mut stream, class.frame_bytes_max()).await {
                assert!((1..=class.frame_bytes_max()).contains(&frame.len()), "over the limit");
                taken += frame.len() + frame::HEADER_BYTES;
            }
            assert!(taken <= data.len(), "more than there was");
        }
    };
    RUNTIME.with_borrow(|runtime| runtime.block_on(reading));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(target: &str, body: fn(&[u8])) {
        let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let mut inputs = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            body(&std::fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "no inputs in {folder}");
    }

    /// What the fuzzer begins with.
    fn write_seeds() {
        let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        let key = libp2p::identity::Keypair::ed25519_from_bytes([7; 32]).unwrap();
        let record = records::sign(&key, vec!["/dns4/v1/tcp/7645".parse().unwrap()]).unwrap();
        let entry = RecordEntry { record: record.clone(), binding: vec![9; 96] };
        std::fs::write(corpus.join("record/record"), &record).unwrap();
        std::fs::write(corpus.join("record/entry"), entry.to_bytes()).unwrap();
        for (name, frame) in [
            ("welcome", Control::Welcome),
            ("refused", Control::Refused("another chain".to_owned())),
            ("ping", Control::Ping(5)),
            ("records", Control::Records(vec![entry])),
        ] {
            std::fs::write(corpus.join("control").join(name), frame.to_bytes()).unwrap();
        }
        let hello = [
            &[0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0][..],
            &[7; 32],
            &[1, 2, 0, 0, 0, 5, 6, 4, 0, 0, 0],
            b"rota",
            &u32::try_from(record.len()).unwrap().to_le_bytes(),
            &record,
        ];
        std::fs::write(corpus.join("control/hello"), hello.concat()).unwrap();
        let frames = [&[0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 1, 9, 0, 0][..], &[0xff; 9]];
        std::fs::write(corpus.join("framing/two-and-a-half"), frames.concat()).unwrap();
    }

    #[test]
    fn committed_inputs_hold() {
        if std::env::var_os("ROTA_WRITE_VECTORS").is_some() {
            write_seeds();
        }
        replay("control", control);
        replay("record", record);
        replay("framing", framing);
    }
}
