//! SP1 and RISC Zero: every release whose proof is at hand.

use super::*;
use rota_aggregation_bridge::verify::{Selector, System, releases};
use serde_json::Value;

fn json(path: &str) -> Option<Value> {
    Some(serde_json::from_slice(&fixture(path)?).unwrap())
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

fn file(system: System, key: Vec<u8>, inputs: Vec<u8>, proof: Vec<u8>) -> ProofFile {
    let release = u32::from_be_bytes(proof[..4].try_into().unwrap());
    ProofFile { system, release, key, inputs, proof }
}

/// SP1's template: one proof of each system for a release.
fn template(commit: &str, system: System) -> Option<ProofFile> {
    let name = if system == System::Sp1Groth16 { "groth16" } else { "plonk" };
    let path = format!("sp1/project-template/{commit}/{name}-fixture.json");
    let file = files(Source::Sp1, &path, &path, None)?.remove(0);
    assert_eq!(file.system, system);
    Some(file)
}

fn contract(name: &str) -> Option<ProofFile> {
    let path = format!("sp1/sp1-contracts/{name}.json");
    Some(files(Source::Sp1, &path, &path, None)?.remove(0))
}

/// A proof of the Tendermint light client, inside its message: key, two offsets, public values, proof.
fn light_client(name: &str, message: &str, key: &str, system: System) -> Option<ProofFile> {
    let value = json(&format!("ibc-eureka-sp1/sp1-ics07/fixtures/{name}.json"))?;
    let (message, key) = (bytes(&value[message]), bytes(&value[key]));
    let start = message.windows(32).position(|window| window == key).unwrap();
    let field = |place: usize| {
        let word = |at: usize| {
            let tail: [u8; 8] = message[at + 24..at + 32].try_into().unwrap();
            usize::try_from(u64::from_be_bytes(tail)).unwrap()
        };
        let at = start + word(start + 32 * place);
        message[at + 32..at + 32 + word(at)].to_vec()
    };
    Some(file(system, key, field(1), field(2)))
}

/// Every real proof of SP1, with its release's name.
fn all(system: System) -> Vec<(&'static str, ProofFile)> {
    let plonk = system == System::Sp1Plonk;
    let mut found = Vec::new();
    for (release, commit) in [("v2.0.0", "6c30092"), ("v3.0.0", "7f19a71"), ("v6.0.0", "d1b0924")] {
        found.extend(template(commit, system).map(|file| (release, file)));
    }
    let (own, bridge) = ("SP1VerifierGroth16", "update_client_fixture-groth16");
    if plonk {
        found.extend(contract("SP1VerifierPlonk").map(|file| ("v4.0.0-rc.3", file)));
        let name = "misbehaviour_double_sign-plonk_fixture";
        let real = light_client(name, "submitMsg", "misbehaviourVkey", system);
        found.extend(real.map(|file| ("v6.1.0", file)));
        let path = "agglayer/contracts/test/contractsv2/real-prover-sp1/test-inputs/input.json";
        found.extend(json(path).map(|value| {
            let part = |name: &str| bytes(&value[name]);
            ("v5.0.0", file(system, part("vkey"), part("public-values"), part("proof")))
        }));
        return found;
    }
    found.extend(contract(own).map(|file| ("v4.0.0-rc.3", file)));
    found.extend(contract("SP1VerifierGroth16V6").map(|file| ("v6.0.0", file)));
    let real = light_client(bridge, "updateMsg", "updateClientVkey", system);
    found.extend(real.map(|file| ("v6.1.0", file)));
    let name = "memberships_fixture-groth16";
    let real = light_client(name, "membershipProof", "membershipVkey", system);
    found.extend(real.map(|file| ("v6.1.0", file)));
    found
}

fn both() -> Vec<(&'static str, ProofFile)> {
    [all(System::Sp1Groth16), all(System::Sp1Plonk)].concat()
}

fn release(system: System, name: &str) -> u32 {
    releases(system).into_iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn proofs_of_sp1_hold_in_every_release() {
    for (name, file) in both() {
        println!("{} {name}", file.system);
        assert_eq!(file.release, release(file.system, name));
        expect(&file, VALID);
    }
}

#[test]
fn tampered_proofs_of_sp1_are_refused() {
    for (_, file) in both() {
        let mut values = file.clone();
        values.inputs[0] ^= 1;
        expect(&values, invalid(Reason::Equation));
        values.inputs.push(0);
        expect(&values, invalid(Reason::Equation));
        values.inputs.clear();
        expect(&values, invalid(Reason::Equation));
        let mut program = file.clone();
        program.key[31] ^= 1;
        expect(&program, invalid(Reason::Equation));
        program.key[0] = 0xff;
        expect(&program, invalid(Reason::KeyNonCanonical));
        program.key.pop();
        expect(&program, invalid(Reason::KeyLength));
        for length in [0, 3, 4, 100, file.proof.len() - 1, file.proof.len() + 1] {
            let mut wrong = file.clone();
            wrong.proof.resize(length, 0);
            assert!(matches!(wrong.verify(), Verdict::Invalid(_)), "{length}");
        }
    }
}

#[test]
fn a_proof_of_sp1_is_bound_to_its_release() {
    for (name, file) in both() {
        let known = releases(file.system);
        for (other, selector) in known.into_iter().filter(|(other, _)| *other != name) {
            let mut rule = file.clone();
            rule.release = selector;
            expect(&rule, invalid(Reason::WrongRelease));
            rule.proof[..4].copy_from_slice(&selector.to_be_bytes());
            assert!(matches!(rule.verify(), Verdict::Invalid(_)), "{name} as {other}");
        }
        let unknown = 0x58b7_a3c3;
        let mut wrong = file.clone();
        wrong.proof[..4].copy_from_slice(&u32::to_be_bytes(unknown));
        expect(&wrong, Verdict::Unsupported(Selector::Release(unknown)));
        wrong.release = unknown;
        expect(&wrong, Verdict::Unsupported(Selector::Release(unknown)));
    }
}

#[test]
fn exit_code_and_root_of_version_6_are_checked() {
    for (_, file) in both().into_iter().filter(|(name, _)| name.starts_with("v6")) {
        let mut failed = file.clone();
        failed.proof[35] = 1;
        expect(&failed, invalid(Reason::ExitCode));
        let mut root = file.clone();
        root.proof[67] ^= 1;
        expect(&root, invalid(Reason::WrongRoot));
        let mut nonce = file.clone();
        nonce.proof[99] ^= 1;
        expect(&nonce, invalid(Reason::Equation));
        nonce.proof[68] = 0xff;
        expect(&nonce, invalid(Reason::ProofNonCanonical));
    }
}

/// A proof whose bytes belong to another circuit.
#[test]
fn sp1s_own_bad_proofs_are_refused() {
    for name in ["SP1VerifierGroth16", "SP1VerifierPlonk"] {
        let Some(value) = json(&format!("sp1/sp1-contracts/{name}.json")) else { return };
        let mut bad = contract(name).unwrap();
        bad.proof = bytes(&value["PROOF_INVALID"]);
        assert_ne!(bad.verify(), VALID);
        bad.release = u32::from_be_bytes(bad.proof[..4].try_into().unwrap());
        assert_ne!(bad.verify(), VALID);
    }
}

fn receipts() -> Vec<(&'static str, ProofFile)> {
    let mut found = Vec::new();
    for (name, file) in
        [("2.0", "V2_0"), ("2.1", "V2_1"), ("2.2", "V2_2"), ("3.0", "V3_0"), ("5.0", "V5_0")]
    {
        let path = format!("risc0/risc0-ethereum/TestReceipt{file}.json");
        found.extend(
            files(Source::Risc0, &path, &path, None).map(|mut list| (name, list.remove(0))),
        );
    }
    found
}

#[test]
fn seals_of_risc_zero_hold_in_every_release() {
    for (name, file) in receipts() {
        println!("{} {name}", file.system);
        assert_eq!(file.release, release(file.system, name));
        expect(&file, VALID);
    }
}

#[test]
fn tampered_seals_of_risc_zero_are_refused() {
    for (name, file) in receipts() {
        let mut journal = file.clone();
        journal.inputs[0] ^= 1;
        expect(&journal, invalid(Reason::Equation));
        let mut image = file.clone();
        image.key[0] ^= 1;
        expect(&image, invalid(Reason::Equation));
        image.key.push(0);
        expect(&image, invalid(Reason::KeyLength));
        for (_, selector) in releases(file.system).into_iter().filter(|(other, _)| *other != name) {
            let mut rule = file.clone();
            rule.release = selector;
            expect(&rule, invalid(Reason::WrongRelease));
            rule.proof[..4].copy_from_slice(&selector.to_be_bytes());
            expect(&rule, invalid(Reason::Equation));
        }
        let mut short = file.clone();
        short.proof.pop();
        expect(&short, invalid(Reason::ProofLength));
        no_flip_holds(&file, 23);
    }
}

/// A seal of RISC Zero's set verifier names no release of its Groth16 verifier.
#[test]
fn a_set_inclusion_seal_is_unsupported_by_selector() {
    let path = "risc0/risc0-ethereum/TestSetInclusionReceiptV0_7.json";
    let Some(mut list) = files(Source::Risc0, path, path, None) else { return };
    let file = list.remove(0);
    expect(&file, Verdict::Unsupported(Selector::Release(0x0f63_ffd5)));
}

/// Proofs of SP1, RISC Zero and snarkjs in one combination.
#[test]
fn one_batch_over_all_systems() {
    let mut files: Vec<_> = both().into_iter().chain(receipts()).map(|(_, file)| file).collect();
    if files.is_empty() {
        return;
    }
    let views: Vec<_> = files.iter().map(ProofFile::submission).collect();
    let mut keys = PreparedKeys::new();
    let verdicts = verify_batch(&views, &mut keys, &[5; 32]);
    assert!(verdicts.iter().all(|verdict| *verdict == VALID));
    files[0].inputs[0] ^= 1;
    let views: Vec<_> = files.iter().map(ProofFile::submission).collect();
    let verdicts = verify_batch(&views, &mut keys, &[5; 32]);
    assert_eq!(verdicts[0], invalid(Reason::Equation));
    assert!(verdicts[1..].iter().all(|verdict| *verdict == VALID));
}
