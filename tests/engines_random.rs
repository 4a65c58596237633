//! The check of the fuzz target `engines` on random inputs: the matcher and the engine report any
//! pattern and stream what the reference reports. `KLEENE_RANDOM_ENGINES=100000` looks longer, and
//! `KLEENE_RANDOM_SEED` elsewhere.

use std::fmt::Write as _;
use std::panic;

use crate::engines;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap_or_default()
}

fn input(state: &mut u64) -> Vec<u8> {
    let length = 20 + random(state) % 120;
    (0..length).map(|_| u8::try_from(random(state) % 256).unwrap_or_default()).collect()
}

/// Returns the message of the check for an input, if there is one.
fn difference(input: &[u8]) -> Option<String> {
    let failure = panic::catch_unwind(|| engines::check(input)).err()?;
    let text = failure.downcast_ref::<String>().cloned();
    Some(text.unwrap_or_else(|| String::from("it panicked")))
}

/// The input without what is not needed to fail.
fn shrunk(mut input: Vec<u8>) -> Vec<u8> {
    let mut chunk = input.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at < input.len() {
            let mut less = input.clone();
            less.drain(at..(at + chunk).min(input.len()));
            if difference(&less).is_some() {
                input = less;
            } else {
                at += chunk;
            }
        }
        chunk /= 2;
    }
    for at in 0..input.len() {
        let byte = input[at];
        let less = (0..byte).find(|less| {
            input[at] = *less;
            difference(&input).is_some()
        });
        input[at] = less.unwrap_or(byte);
    }
    input
}

#[test]
fn random_inputs_find_no_difference() {
    let inputs = number("KLEENE_RANDOM_ENGINES").unwrap_or(100);
    let mut state = number("KLEENE_RANDOM_SEED").unwrap_or(7);
    let mut found = String::new();
    let mut failures = 0;
    panic::set_hook(Box::new(|_| {}));
    for _ in 0..inputs {
        let input = input(&mut state);
        if difference(&input).is_none() {
            continue;
        }
        failures += 1;
        if failures <= 5 {
            let small = shrunk(input);
            for byte in &small {
                let _ = write!(found, "{byte:02x}");
            }
            let _ = writeln!(found, "\n{}\n", difference(&small).unwrap_or_default());
        }
    }
    drop(panic::take_hook());
    assert!(failures == 0, "{failures} of {inputs} inputs fail, such as\n{found}");
}
