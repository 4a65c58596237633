//! Rule files that were damaged at random are reported for, in no more than a screenful, and never
//! make anything panic.

use std::fs;
use std::path::Path;

use kleene::RuleSet;
use kleene::diagnostic::Source;
use kleene::ruleset::RuleDiagnostics;
use kleene_test::files::rule_files;

/// How often each file is damaged.
const MUTATIONS: u64 = 100;

/// The most lines that are printed, and one that says how much more there is.
const SCREEN: usize = 51;

#[test]
fn damaged_rules_give_diagnostics_that_fit_on_a_screen() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("patterns");
    let files = rule_files(&root);
    assert!(files.len() >= 7, "only {} files", files.len());
    let (mut refused, mut fine) = (0, 0);
    for (number, file) in (0_u64..).zip(&files) {
        let text = fs::read(file).expect("it can be read");
        for seed in 0..MUTATIONS {
            let mut random = Random(number << 32 | seed);
            let mut damaged = text.clone();
            for _ in 0..=random.below(3) {
                damage(&mut damaged, &mut random);
            }
            let damaged = String::from_utf8_lossy(&damaged).into_owned();
            let printed = match RuleSet::load([Source::new("damaged.cep", damaged.as_str())]) {
                Ok(rules) => {
                    fine += 1;
                    RuleDiagnostics(rules.warnings()).to_string()
                }
                Err(error) => {
                    refused += 1;
                    assert!(!error.diagnostics().is_empty());
                    error.to_string()
                }
            };
            let place = || format!("{} with seed {seed}:\n{damaged}\n{printed}", file.display());
            assert!(printed.lines().count() <= SCREEN, "too many lines, {}", place());
            assert!(printed.lines().all(|line| line.chars().count() < 500), "a line, {}", place());
        }
    }
    // Some only change a comment or a number, but far from all.
    assert!(refused > fine && fine > 0, "{refused} were refused, {fine} were fine");
}

/// Replaces, inserts, removes, doubles or moves a few bytes.
fn damage(text: &mut Vec<u8>, random: &mut Random) {
    const SIGNS: &[u8] = b"{}[]()\"\\#$.,:;-><=!?*+~|&`'@09azAZ \n\t\r\0\x7f\xc3\xff";
    if text.is_empty() {
        text.push(b'{');
        return;
    }
    let at = random.below(text.len());
    let end = (at + 1 + random.below(8)).min(text.len());
    match random.below(6) {
        0 => text[at] = SIGNS[random.below(SIGNS.len())],
        1 => text.insert(at, SIGNS[random.below(SIGNS.len())]),
        2 => drop(text.drain(at..end)),
        3 => {
            let part = text[at..end].to_vec();
            text.splice(at..at, part);
        }
        4 => text[at] ^= 1 << random.below(8),
        _ => {
            let part: Vec<u8> = text.drain(at..end).collect();
            let to = random.below(text.len() + 1);
            text.splice(to..to, part);
        }
    }
}

/// The generator `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = bits ^ (bits >> 31);
        usize::try_from(bits % limit as u64).expect("it is less than the limit")
    }
}

#[test]
fn of_nothing_but_mistakes_the_first_are_reported() {
    let conditions: Vec<String> = (0..5000).map(|number| format!("m{number} > 1")).collect();
    let rule = format!("rule r {{ key k  match a[{}]  emit {{ k }} }}\n", conditions.join(" and "));
    let text = format!("event a {{ k: string, at: time }}\n{rule}rule s {{ key k  match b }}\n");
    let error = RuleSet::parse(&text).expect_err("it is full of mistakes");
    assert_eq!(error.diagnostics().len(), 51);
    assert!(error.to_string().lines().count() <= SCREEN);
    let last = &error.diagnostics()[50].diagnostic;
    assert_eq!(last.message, "too many errors: the rest are not reported");
}
