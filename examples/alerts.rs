//! An alert for a guessed password: three failed logins, then one that works.
#![allow(clippy::print_stdout, reason = "it shows what it finds")]

use kleene::{Engine, Event, Match, RuleSet, Timestamp, on_match};

#[derive(Clone, Event)]
struct Login {
    user: String,
    ok: bool,
    at: Timestamp,
}

const RULES: &str = "rule guessed {
  key user  match login[not ok]{3..} as fails -> login[ok] as hit  within 1m
  emit { tries: count(fails) } }";

fn main() -> Result<(), kleene::Error> {
    let mut engine = Engine::builder().rules(&RuleSet::parse_for::<Login>(RULES)?).build()?;
    let mut sink = on_match(|alert: Match<'_, Login>| {
        if let (Some(hit), Some(tries)) = (alert.event("hit"), alert.get("tries")) {
            println!("{}: {} after {tries} failures", hit.at, hit.user);
        }
    });
    for (second, ok) in [(1, false), (2, false), (4, false), (9, true)] {
        let at = Timestamp::from_millis(1000 * second);
        engine.push(&Login { user: "bob".into(), ok, at }, &mut sink)?;
    }
    engine.end_input(&mut sink)?;
    Ok(())
}
