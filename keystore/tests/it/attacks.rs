//! Each attack on an account that the rules answer, by name.
use crate::common::{CHAIN, WEEK, Wallet, World, check, code, config_of, ed, key, params};
use rota_keystore::wallet::{Request, rotate, single_key_config};
use rota_keystore::{
    AccountProof, Auth, Change, Config, Envelope, FreezeAuthority, Key, KeyKind, KeystoreState, Op,
    Params, PublicKey, Role, Shown, Status, admit, authorises, check_bytes,
};
use rota_types::{Hash, Refusal, RefusalCode as Code, Slot};

const ALL: u16 = Role::ALL_BITS;

#[test]
fn a_to_b_to_a_never_replays() {
    let (a, b) = (ed(1), ed(2));
    let wallet = Wallet::single(0, &a);
    let mut world = World::with(&wallet, &[&a]);
    let config_a = wallet.init.config.clone();
    let config_b = single_key_config(b.public_key().clone());
    let to_b = world.request(&wallet, world.set_config(&wallet, config_b.clone()));
    let first = to_b.sign(&[&a, &b]).unwrap();
    world.submit_bytes(&first, to_b.valid_until_slot).unwrap();
    world.run(&wallet, world.set_config(&wallet, config_a.clone()), &[&a, &b]).unwrap();
    assert_eq!(world.config(&wallet), config_a);
    // Its previous_config_hash is in force again; its sequence number is not.
    assert_eq!(code(world.submit_bytes(&first, to_b.valid_until_slot)), Code::SeqUsed);
}

#[test]
fn one_key_in_two_accounts_signs_for_one_at_a_time() {
    let (a, b) = (ed(1), ed(2));
    let (mine, other) = (Wallet::single(0, &a), Wallet::single(1, &a));
    let mut world = World::with(&mine, &[&a]);
    world.submit(&Request::init(CHAIN, other.init.clone(), world.valid_until()), &[&a]).unwrap();
    let op = rotate(&mine.init.config, &a.key_id(), b.public_key().clone()).unwrap();
    let request = world.request(&mine, op);
    let mut envelope = Envelope::from_bytes(&request.sign(&[&a, &b]).unwrap()).unwrap();
    envelope.keystore_id = other.id;
    assert_eq!(code(check(&envelope.to_bytes(), request.valid_until_slot)), Code::BadSignature);
}

#[test]
fn a_signature_is_good_for_one_lane_and_one_number() {
    let a = ed(1);
    let wallet = Wallet::single(0, &a);
    let mut world = World::with(&wallet, &[&a]);
    world.run(&wallet, world.freeze(&wallet, 10), &[&a]).unwrap();
    let request = world.request(&wallet, Op::Unfreeze);
    let signed = Envelope::from_bytes(&request.sign(&[&a]).unwrap()).unwrap();
    let with = |change: &dyn Fn(&mut Envelope)| {
        let mut envelope = signed.clone();
        change(&mut envelope);
        code(check(&envelope.to_bytes(), envelope.valid_until_slot))
    };
    assert_eq!(with(&|e| e.lane = 5), Code::BadEnvelope, "CONFIG operations have lane 0 only");
    assert_eq!(with(&|e| e.seq += 1), Code::BadSignature);
    assert_eq!(with(&|e| e.valid_until_slot.0 += 1), Code::BadSignature);
    assert_eq!(with(&|e| e.max_fee += 1), Code::BadSignature);
    assert_eq!(with(&|e| e.init = Some(wallet.init.clone())), Code::BadSignature, "init is signed");
    assert_eq!(with(&|e| e.sponsor = Some(wallet.id)), Code::BadEnvelope);
}

#[test]
fn another_network_refuses_the_signature() {
    let a = ed(1);
    let wallet = Wallet::single(0, &a);
    let request = Request::init(CHAIN, wallet.init.clone(), Slot(110));
    let payload = request.sign(&[&a]).unwrap();
    assert_eq!(code(check_bytes(&payload, Slot(110), CHAIN + 1)), Code::WrongChain);
    let mut envelope = Envelope::from_bytes(&payload).unwrap();
    envelope.chain_id += 1;
    let patched = envelope.to_bytes();
    assert_eq!(code(check_bytes(&patched, Slot(110), CHAIN + 1)), Code::BadSignature);
}

#[test]
fn a_key_counted_twice_never_reaches_a_threshold() {
    let (a, b) = (ed(1), ed(2));
    let wallet = Wallet::new(0, config_of(&[(&a, ALL), (&b, ALL)], 2));
    let request = Request::init(CHAIN, wallet.init.clone(), Slot(110));
    let mut envelope = Envelope::from_bytes(&request.sign(&[&a]).unwrap()).unwrap();
    envelope.auths.push(envelope.auths[0].clone());
    assert_eq!(code(check(&envelope.to_bytes(), Slot(110))), Code::BadAuths);
    let mut world = World::new();
    assert_eq!(code(world.submit(&request, &[&a])), Code::ThresholdNotMet);
}

#[test]
fn one_secret_under_two_kinds_is_no_config() {
    let (point, address) = (key(KeyKind::Secp256k1, 7), key(KeyKind::Eoa, 7));
    let config = config_of(&[(&point, ALL), (&address, ALL)], 2);
    assert_eq!(code(config.validate()), Code::BadConfig);
    let twice = Config::of_keys(
        vec![
            Key::all_roles(point.public_key().clone()),
            Key { weight: 2, ..Key::all_roles(point.public_key().clone()) },
        ],
        [1; 8],
    );
    assert_eq!(code(twice.validate()), Code::BadConfig);
}

#[test]
fn a_signature_too_many_is_refused_so_stripping_makes_no_second_id() {
    let (a, b, c) = (ed(1), ed(2), ed(3));
    let wallet = Wallet::new(0, config_of(&[(&a, ALL), (&b, ALL), (&c, ALL)], 2));
    let mut world = World::new();
    let request = Request::init(CHAIN, wallet.init.clone(), world.valid_until());
    assert_eq!(code(world.submit(&request, &[&a, &b, &c])), Code::NotMinimal);
    assert_eq!(code(world.submit(&request, &[&a])), Code::ThresholdNotMet);
    let stranger = ed(9);
    assert_eq!(code(world.submit(&request, &[&a, &b, &stranger])), Code::UnknownKey);
    world.submit(&request, &[&a, &c]).unwrap();
}

#[test]
fn stripping_a_signature_never_turns_a_config_freeze_into_a_key_freeze() {
    let (a, b) = (ed(1), ed(2));
    let wallet = Wallet::new(0, config_of(&[(&a, ALL), (&b, ALL)], 2));
    let mut world = World::with(&wallet, &[&a, &b]);
    let op = Op::Freeze {
        until: world.slot.plus(5),
        config_seq: 0,
        freeze_count: 0,
        authority: FreezeAuthority::Config,
    };
    let request = world.request(&wallet, op);
    let mut envelope = Envelope::from_bytes(&request.sign(&[&a, &b]).unwrap()).unwrap();
    envelope.auths.pop();
    let stripped = envelope.to_bytes();
    assert_eq!(
        code(world.submit_bytes(&stripped, request.valid_until_slot)),
        Code::ThresholdNotMet
    );
    world.submit(&request, &[&a, &b]).unwrap();
    assert!(world.state.account(&wallet.id).unwrap().freeze_ends.is_empty(), "no cooldown");
}

#[test]
fn the_old_key_is_refused_after_rotation_and_the_new_one_acts() {
    let (a, b, c) = (ed(1), ed(2), ed(3));
    let wallet = Wallet::single(0, &a);
    let mut world = World::with(&wallet, &[&a]);
    let op = rotate(&world.config(&wallet), &a.key_id(), b.public_key().clone()).unwrap();
    let effects = world.run(&wallet, op, &[&a, &b]).unwrap();
    assert_eq!((effects.auth_leaf.config_seq, effects.auth_leaf.auth_seq), (1, 1));
    let again = rotate(&world.config(&wallet), &b.key_id(), c.public_key().clone()).unwrap();
    assert_eq!(code(world.run(&wallet, again.clone(), &[&a, &c])), Code::UnknownKey);
    world.run(&wallet, again, &[&b, &c]).unwrap();
    assert_eq!(world.config(&wallet), single_key_config(c.public_key().clone()));
}

#[test]
fn set_config_without_the_new_threshold_is_refused() {
    let (a, b, thief) = (ed(1), ed(2), ed(9));
    let wallet = Wallet::single(0, &a);
    let mut world = World::with(&wallet, &[&a]);
    let new = config_of(&[(&a, ALL), (&b, ALL)], 2);
    let op = world.set_config(&wallet, new);
    assert_eq!(code(world.run(&wallet, op.clone(), &[&a])), Code::ThresholdNotMet);
    assert_eq!(code(world.run(&wallet, op.clone(), &[&b])), Code::ThresholdNotMet);
    let stolen = world.set_config(&wallet, single_key_config(thief.public_key().clone()));
    assert_eq!(code(world.run(&wallet, stolen, &[&thief])), Code::ThresholdNotMet);
    world.run(&wallet, op, &[&a, &b]).unwrap();
}

#[test]
fn a_config_that_nobody_can_change_is_refused() {
    let (a, b) = (ed(1), ed(2));
    let good = single_key_config(a.public_key().clone());
    let with = |change: &dyn Fn(&mut Config)| {
        let mut config = good.clone();
        change(&mut config);
        config.validate().map_err(|refusal| refusal.code)
    };
    assert_eq!(with(&|_| {}), Ok(()));
    assert_eq!(with(&|c| c.keys[0].not_after_slot = Slot(9)), Err(Code::BadConfig));
    assert_eq!(with(&|c| c.keys[0].policy = Hash([1; 32])), Err(Code::BadConfig));
    assert_eq!(with(&|c| c.thresholds[0] = 0), Err(Code::BadConfig));
    assert_eq!(with(&|c| c.thresholds[3] = 2), Err(Code::BadConfig), "more than its weights");
    assert_eq!(with(&|c| c.keys[0].weight = 0), Err(Code::BadConfig));
    assert_eq!(with(&|c| c.keys[0].roles |= 0x8000), Ok(()), "an unknown bit grants nothing");
    assert_eq!(with(&|c| c.zk_key = Some(Hash([1; 32]))), Err(Code::BadConfig));
    assert_eq!(with(&|c| c.ext = vec![0]), Err(Code::BadConfig));
    let mut two = config_of(&[(&a, ALL), (&b, ALL)], 1);
    two.keys.reverse();
    assert_eq!(code(two.validate()), Code::BadConfig, "descending ids");
}

#[test]
fn a_key_with_a_policy_or_past_its_end_authorises_nothing() {
    let (a, b, c) = (ed(1), ed(2), ed(3));
    let mut config = config_of(&[(&a, ALL), (&b, ALL), (&c, ALL)], 1);
    for key in &mut config.keys {
        if key.id() == b.key_id() {
            key.policy = Hash([5; 32]);
        } else if key.id() == c.key_id() {
            key.not_after_slot = Slot(100);
        }
    }
    let wallet = Wallet::new(0, config);
    let mut world = World::with(&wallet, &[&a]);
    let op = world.freeze(&wallet, 3);
    assert_eq!(code(world.run(&wallet, op.clone(), &[&b])), Code::UnknownKey);
    world.slot = Slot(101);
    assert_eq!(
        code(world.run(&wallet, op.clone(), &[&c])),
        Code::UnknownKey,
        "ended with slot 100"
    );
    world.slot = Slot(100);
    world.run(&wallet, op, &[&c]).unwrap();
}

#[test]
fn frozen_cannot_sign_and_can_be_unfrozen() {
    let a = ed(1);
    let wallet = Wallet::single(0, &a);
    let mut world = World::with(&wallet, &[&a]);
    let may_sign =
        |world: &World| authorises(&world.state, &wallet.id, Role::Sign, &[a.key_id()], world.slot);
    may_sign(&world).unwrap();
    assert_eq!(code(world.run(&wallet, Op::Unfreeze, &[&a])), Code::NotFrozen);
    let frozen = world.run(&wallet, world.freeze(&wallet, 100), &[&a]).unwrap();
    assert_eq!(frozen.auth_leaf.status, Status::Frozen);
    assert_eq!(frozen.auth_leaf.frozen_until, world.slot.plus(100));
    for role in [Role::Sign, Role::Withdraw, Role::Name, Role::SessionAdmin, Role::Sponsor] {
        let answer = authorises(&world.state, &wallet.id, role, &[a.key_id()], world.slot);
        assert_eq!(code(answer), Code::Frozen);
    }
    // A frozen account still changes its keys, and stays frozen.
    let b = ed(2);
    let op = rotate(&world.config(&wallet), &a.key_id(), b.public_key().clone()).unwrap();
    world.run(&wallet, op, &[&a, &b]).unwrap();
    assert!(world.state.account(&wallet.id).unwrap().is_frozen(world.slot));
    let thawed = world.run(&wallet, Op::Unfreeze, &[&b]).unwrap();
    assert_eq!((thawed.change, thawed.auth_leaf.status), (Change::Unfrozen, Status::Active));
    assert_eq!(thawed.auth_leaf.auth_seq, 3, "freeze, rotation, unfreeze");
}

#[test]
fn a_freeze_ends_by_itself_and_lasts_a_week_at_most() {
    let a = ed(1);
    let wallet = Wallet::single(0, &a);
    let mut world = World::with(&wallet, &[&a]);
    assert_eq!(
        code(world.run(&wallet, world.freeze(&wallet, WEEK + 1), &[&a])),
        Code::FreezeTooLong
    );
    assert_eq!(code(world.run(&wallet, world.freeze(&wallet, 0), &[&a])), Code::EmergencyStale);
    world.run(&wallet, world.freeze(&wallet, WEEK), &[&a]).unwrap();
    let leaf = world.state.auth_leaf(&wallet.id).unwrap();
    assert!(leaf.is_frozen(world.slot.plus(WEEK - 1)) && !leaf.is_frozen(world.slot.plus(WEEK)));
    world.slot = world.slot.plus(WEEK);
    assert_eq!(code(world.run(&wallet, Op::Unfreeze, &[&a])), Code::NotFrozen);
}

#[test]
fn a_stolen_freeze_key_rests_a_week_after_its_freeze_and_others_need_not() {
    let (owner, guard, other) = (ed(1), ed(2), ed(3));
    let freeze_only = Role::Freeze.bit();
    let config = config_of(&[(&owner, ALL), (&guard, freeze_only), (&other, freeze_only)], 1);
    let wallet = Wallet::new(0, config);
    let mut world = World::with(&wallet, &[&owner]);
    world.run(&wallet, world.freeze(&wallet, 50), &[&guard]).unwrap();
    assert_eq!(code(world.run(&wallet, Op::Unfreeze, &[&guard])), Code::UnknownKey);
    world.slot = world.slot.plus(10);
    world.run(&wallet, Op::Unfreeze, &[&owner]).unwrap();
    assert_eq!(code(world.run(&wallet, world.freeze(&wallet, 5), &[&guard])), Code::Cooldown);
    world.run(&wallet, world.freeze(&wallet, 5), &[&other]).unwrap();
    // From the end of the freeze, which the owner brought forward.
    world.slot = world.slot.plus(WEEK - 1);
    assert_eq!(code(world.run(&wallet, world.freeze(&wallet, 5), &[&guard])), Code::Cooldown);
    world.slot = world.slot.plus(1);
    world.run(&wallet, world.freeze(&wallet, 5), &[&guard]).unwrap();
}

#[test]
fn an_emergency_operation_runs_once_and_binds_what_its_signer_saw() {
    let (a, b) = (ed(1), ed(2));
    let wallet = Wallet::new(0, config_of(&[(&a, ALL), (&b, ALL)], 1));
    let mut world = World::with(&wallet, &[&a]);
    let request = world.request(&wallet, world.freeze(&wallet, 5));
    let payload = request.sign(&[&a]).unwrap();
    world.submit_bytes(&payload, request.valid_until_slot).unwrap();
    let replay = world.submit_bytes(&payload, request.valid_until_slot);
    assert_eq!(code(replay), Code::EmergencyReplay);
    assert_eq!(code(world.submit(&request, &[&b])), Code::EmergencyReplay, "the same digest");
    world.run(&wallet, Op::Unfreeze, &[&a]).unwrap();
    let replay = world.submit_bytes(&payload, request.valid_until_slot);
    assert_eq!(code(replay), Code::EmergencyReplay, "a replay does not undo the unfreeze");
    let mut stale = request.clone();
    stale.valid_until_slot = stale.valid_until_slot.plus(1);
    assert_eq!(code(world.submit(&stale, &[&b])), Code::EmergencyStale);
    // No sequence number is used, so nobody burns the owner's.
    assert_eq!(world.state.next_seq(&wallet.id, 0, world.slot), 2);
}

#[test]
fn emergency_operations_carry_no_init_and_no_number() {
    let a = ed(1);
    let wallet = Wallet::single(0, &a);
    let world = World::with(&wallet, &[&a]);
    let request = world.request(&wallet, world.freeze(&wallet, 5));
    let until = request.valid_until_slot;
    let with_init = Request { init: Some(wallet.init.clone()), ..request.clone() };
    assert_eq!(code(check(&with_init.sign(&[&a]).unwrap(), until)), Code::BadEnvelope);
    let with_seq = Request { seq: 1, ..request };
    assert_eq!(code(check(&with_seq.sign(&[&a]).unwrap(), until)), Code::BadEnvelope);
}

#[test]
fn two_first_operations_may_race_and_a_wrong_init_is_refused() {
    let (a, b) = (ed(1), ed(2));
    let wallet = Wallet::single(0, &a);
    let mut world = World::new();
    assert_eq!(code(world.run(&wallet, Op::Unfreeze, &[&a])), Code::UnknownAccount);
    let init = Request::init(CHAIN, wallet.init.clone(), world.valid_until());
    let op = rotate(&wallet.init.config, &a.key_id(), b.public_key().clone()).unwrap();
    let racing = Request { init: Some(wallet.init.clone()), ..world.request(&wallet, op) };
    world.submit(&racing, &[&a, &b]).unwrap();
    assert_eq!(code(world.submit(&init, &[&a])), Code::SeqUsed);
    // On a present leaf an init that hashes to the id is ignored: the rotated key stays rotated.
    let late = Request { init: Some(wallet.init.clone()), ..world.request(&wallet, Op::Unfreeze) };
    assert_eq!(code(world.submit(&late, &[&a])), Code::NotFrozen);
    assert_eq!(world.config(&wallet), single_key_config(b.public_key().clone()));
    let mut wrong = init;
    wrong.init.as_mut().unwrap().salt = Hash([9; 32]);
    assert_eq!(code(check(&wrong.sign(&[&a]).unwrap(), wrong.valid_until_slot)), Code::BadInit);
}

#[test]
fn a_refused_first_operation_creates_nothing() {
    let (a, stranger) = (ed(1), ed(9));
    let wallet = Wallet::single(0, &a);
    let mut world = World::new();
    let before = world.state.root();
    let request = Request::init(CHAIN, wallet.init.clone(), world.valid_until());
    assert_eq!(code(world.submit(&request, &[&stranger])), Code::UnknownKey);
    assert_eq!((world.state.root(), world.state.accounts()), (before, 0));
}

#[test]
fn auth_seq_never_falls_and_rises_with_every_change_of_authority() {
    let (a, b) = (ed(1), ed(2));
    let wallet = Wallet::single(0, &a);
    let mut world = World::with(&wallet, &[&a]);
    let mut last = world.state.auth_leaf(&wallet.id).unwrap().auth_seq;
    assert_eq!(last, 0);
    let add = |world: &World| Op::AddKey {
        previous_config_hash: world.config(&wallet).hash(),
        new_key: Key::all_roles(b.public_key().clone()),
    };
    let remove = |world: &World| Op::RemoveKey {
        previous_config_hash: world.config(&wallet).hash(),
        old_key: b.key_id(),
    };
    let freeze = |world: &World| world.freeze(&wallet, 20);
    let unfreeze = |_: &World| Op::Unfreeze;
    let steps: [&dyn Fn(&World) -> Op; 5] = [&add, &remove, &freeze, &unfreeze, &add];
    for step in steps {
        let op = step(&world);
        let leaf = world.run(&wallet, op, &[&a]).unwrap().auth_leaf;
        assert_eq!(leaf.auth_seq, last + 1);
        last = leaf.auth_seq;
    }
}

#[test]
fn a_delta_that_does_not_fit_the_config_is_refused() {
    let (a, b) = (ed(1), ed(2));
    let wallet = Wallet::single(0, &a);
    let mut world = World::with(&wallet, &[&a]);
    let hash = world.config(&wallet).hash();
    let remove_last = Op::RemoveKey { previous_config_hash: hash, old_key: a.key_id() };
    assert_eq!(code(world.run(&wallet, remove_last, &[&a])), Code::DeltaRefused);
    let remove_none = Op::RemoveKey { previous_config_hash: hash, old_key: b.key_id() };
    assert_eq!(code(world.run(&wallet, remove_none, &[&a])), Code::DeltaRefused);
    let add_again =
        Op::AddKey { previous_config_hash: hash, new_key: Key::all_roles(a.public_key().clone()) };
    assert_eq!(code(world.run(&wallet, add_again, &[&a])), Code::DeltaRefused);
    let stale = Op::AddKey {
        previous_config_hash: Hash([3; 32]),
        new_key: Key::all_roles(b.public_key().clone()),
    };
    assert_eq!(code(world.run(&wallet, stale, &[&a])), Code::ConfigHashMismatch);
}

#[test]
fn kinds_and_operations_of_later_versions_are_refused_by_number() {
    let a = ed(1);
    for kind in [KeyKind::Webauthn, KeyKind::SchnorrBjj, KeyKind::Nested] {
        let public_key = PublicKey::new(kind, &vec![3; kind.public_key_bytes()]).unwrap();
        let config = config_of(&[(&a, ALL)], 1);
        let mut keys = config.keys.clone();
        keys.push(Key::all_roles(public_key.clone()));
        let wallet = Wallet::new(0, Config::of_keys(keys, config.thresholds));
        let request = Request::init(CHAIN, wallet.init, Slot(110));
        let refusal = check(&request.sign(&[&a]).unwrap(), Slot(110)).unwrap_err();
        assert_eq!((refusal.code, refusal.value), (Code::UnknownKind, Some(kind.number().into())));
        // As a signer, too.
        let mut envelope = Request::init(CHAIN, Wallet::single(0, &a).init, Slot(110)).envelope();
        envelope.auths.push(Auth { public_key, signature: vec![1; 64] });
        assert_eq!(code(check(&envelope.to_bytes(), Slot(110))), Code::UnknownKind);
    }
    let request =
        World::with(&Wallet::single(0, &a), &[&a]).request(&Wallet::single(0, &a), Op::Unfreeze);
    let payload = request.sign(&[&a]).unwrap();
    // The operation `[7]` is the byte pair c1 07; it becomes every later number in turn.
    let at = payload.windows(3).position(|window| window == [0xc0, 0xc1, 0x07]).unwrap();
    for number in (8..=23).chain([99]) {
        let mut later = payload.clone();
        later[at + 2] = number;
        let refusal = check(&later, request.valid_until_slot).unwrap_err();
        assert_eq!((refusal.code, refusal.value), (Code::UnknownOp, Some(number.into())));
    }
}

#[test]
fn expiry_inside_and_outside_are_one_and_bound_to_the_window() {
    let a = ed(1);
    let wallet = Wallet::single(0, &a);
    let mut world = World::new();
    let request = |until: u64| Request::init(CHAIN, wallet.init.clone(), Slot(until));
    let payload = request(110).sign(&[&a]).unwrap();
    assert_eq!(code(check(&payload, Slot(111))), Code::ValidUntilMismatch);
    assert_eq!(code(world.submit(&request(99), &[&a])), Code::Expired);
    assert_eq!(code(world.submit(&request(165), &[&a])), Code::TooFarAhead);
    world.submit(&request(164), &[&a]).unwrap();
}

#[test]
fn admission_takes_sixteen_numbers_ahead_from_a_known_key() {
    let (a, stranger) = (ed(1), ed(9));
    let wallet = Wallet::single(0, &a);
    let world = World::with(&wallet, &[&a]);
    let ask = |seq: u64, key| {
        let request = Request { seq, ..world.request(&wallet, Op::Unfreeze) };
        let checked = check(&request.sign(&[key]).unwrap(), request.valid_until_slot).unwrap();
        admit(&world.state, checked.claim(), world.slot).map_err(|refusal| refusal.code)
    };
    assert_eq!(ask(0, &a), Err(Code::SeqUsed));
    assert_eq!(ask(1, &a), Err(Code::NotFrozen));
    assert_eq!(ask(2, &a), Ok(()));
    assert_eq!(ask(2, &stranger), Err(Code::UnknownKey));
    assert_eq!(ask(17, &a), Ok(()));
    assert_eq!(ask(18, &a), Err(Code::SeqTooFar));
}

#[test]
fn no_absence_proof_denies_an_account_whose_key_was_rotated_out() {
    let (a, b) = (ed(1), ed(2));
    let wallet = Wallet::single(0, &a);
    let mut world = World::with(&wallet, &[&a]);
    for salt in 1..8 {
        let neighbour = Wallet::single(salt, &a);
        if salt == 7 {
            break;
        }
        world.submit(&Request::init(CHAIN, neighbour.init, world.valid_until()), &[&a]).unwrap();
    }
    let op = rotate(&wallet.init.config, &a.key_id(), b.public_key().clone()).unwrap();
    world.run(&wallet, op, &[&a, &b]).unwrap();
    let root = world.state.root();
    let stranger = Wallet::single(200, &a);
    let absent = AccountProof::of(&world.state, &stranger.id);
    let shown = absent.verify(&root).unwrap();
    assert_eq!(shown, Shown::Absent);
    let initial = shown.config_in_force(&stranger.id, Some(&stranger.init));
    assert_eq!(initial, Some(&stranger.init.config));
    // Denying the present account by any proof that the state can give would revive the rotated key.
    for salt in 0..=255 {
        let borrowed = AccountProof::of(&world.state, &Wallet::single(salt, &a).id);
        let forged = AccountProof {
            keystore_id: wallet.id,
            leaf: vec![],
            config: vec![],
            proof: borrowed.proof,
        };
        assert!(forged.verify(&root).is_err());
    }
    let mut present = AccountProof::of(&world.state, &wallet.id);
    match present.verify(&root).unwrap() {
        Shown::Present { leaf, config } => {
            assert_eq!(leaf.config_hash, config.hash());
            assert_eq!(config.keys[0].id(), b.key_id());
        }
        Shown::Absent => panic!("present"),
    }
    present.config = wallet.init.config.to_bytes();
    assert!(present.verify(&root).is_err(), "the old config under the new leaf");
}

#[test]
fn a_point_in_compact_form_is_no_second_key_of_one_secret() {
    for kind in [KeyKind::P256, KeyKind::Secp256k1] {
        for number in 1..=8 {
            let mut bytes = key(kind, number).public_key().bytes().to_vec();
            bytes[0] = 5;
            let compact = PublicKey::new(kind, &bytes).unwrap();
            assert_eq!(code(compact.check()), Code::BadConfig, "{kind}");
        }
    }
}

#[test]
fn a_full_state_refuses_growth_and_nothing_else() {
    let (owner, second) = (ed(1), ed(2));
    let (wallet, other) = (Wallet::single(0, &owner), Wallet::single(1, &owner));
    let one = World::with(&wallet, &[&owner]).state.bytes();
    // Room for two accounts of one key.
    let full = Params { state_bytes_max: 2 * one, ..params() };
    let mut world = World { state: KeystoreState::new(full), slot: Slot(100) };
    for wallet in [&wallet, &other] {
        let request = Request::init(CHAIN, wallet.init.clone(), world.valid_until());
        world.submit(&request, &[&owner]).unwrap();
    }
    assert_eq!(world.state.bytes(), 2 * one);
    let third = Wallet::single(2, &owner);
    let request = Request::init(CHAIN, third.init, world.valid_until());
    let checked = check(&request.sign(&[&owner]).unwrap(), request.valid_until_slot).unwrap();
    assert_eq!(code(admit(&world.state, checked.claim(), world.slot)), Code::NewAccountsLimit);
    let (root, refused) = (world.state.root(), world.submit(&request, &[&owner]));
    assert_eq!(refused, Err(Refusal::at_limit(Code::NewAccountsLimit, 2 * one, 3 * one)));
    let add = |world: &World| Op::AddKey {
        previous_config_hash: world.config(&wallet).hash(),
        new_key: Key { roles: Role::Sign.bit(), ..Key::all_roles(second.public_key().clone()) },
    };
    let op = add(&world);
    assert_eq!(code(world.run(&wallet, op, &[&owner])), Code::NewAccountsLimit);
    assert_eq!(world.state.root(), root, "a refused operation leaves no trace");
    // A freeze needs no room that was not counted, and a config of the same size fits.
    world.run(&wallet, world.freeze(&wallet, 50), &[&owner]).unwrap();
    world.run(&wallet, Op::Unfreeze, &[&owner]).unwrap();
    let same = world.set_config(&other, single_key_config(second.public_key().clone()));
    world.run(&other, same, &[&owner, &second]).unwrap();
    assert_eq!(world.state.bytes(), 2 * one);
}
