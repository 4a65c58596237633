//! `0.0` and `-0.0` are one key, and are reported with the same bytes: whichever came first,
//! whether the slot of the key was emptied in between, and wherever the key was kept.

use std::fmt::Write as _;

use super::common::Dir;

/// Keys that hold nothing after a match, after a `next` that fails, and after their time; keys with
/// parts, in lists, of events that rules make, and those that `suppress` and `once` remember.
const RULES: &str = "event a { k: float, l: list<float>, n: int, ts: time }
event b { k: float, l: list<float>, n: int, ts: time }
event pair { k: float, n: int, ts: time }

rule done { key k  match a -> b within 5s  emit { k, first: a.k, last: b.k }  on timeout emit { k } }
rule turn { key k  match a -> next b  emit { k } }
rule short { key k  match a{3} as all within 4s  emit { k, d: distinct(all.k) } }
rule parts { key k, n  match a -> b within 5s  emit { k, n } }
rule lists { key l  match a -> b within 5s  emit { l } }
rule feeds { key n  match a as one -> b as two within 5s  emit as pair { k: one.k, n: two.n } }
rule fed { key k  match pair -> pair within 20s  emit { k } }
rule seldom { key k  match b as one  emit { k }  suppress 3s }
rule first { key k, n  match a -> b within 5s  emit { k }  once }
rule quiet { key k  match not a for 3s -> b  emit { k } }
";

/// Each spelling after each other one, before and after the key's partial matches have ended.
fn events(count: usize) -> String {
    let spellings = ["0.0", "-0.0", "0", "-0", "0e3", "-0.00", "1.5"];
    let mut text = String::new();
    let mut dice = 7_usize;
    let mut below = |most: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (dice >> 33) % most
    };
    let mut at = 1_700_000_000_000_i64;
    for _ in 0..count {
        at += [100, 900, 2500, 7000][below(4)];
        let (ty, k, n) = (["a", "b"][below(2)], spellings[below(spellings.len())], below(2));
        let (l, m) = (spellings[below(3)], spellings[below(spellings.len())]);
        let _ = writeln!(text, r#"{{"type":"{ty}","ts":{at},"k":{k},"l":[{l},{m}],"n":{n}}}"#);
    }
    text
}

#[test]
fn equal_keys_are_written_with_the_same_bytes() {
    let all = events(400);
    let dir = Dir::new(&[("rules.cep", RULES.as_bytes()), ("in.jsonl", all.as_bytes())]);
    let run = "run rules.cep -i in.jsonl --quiet --end-of-time";
    let plain = dir.run(run);
    assert_eq!(plain.code, Some(0), "{}", plain.stderr);
    for rule in
        ["done", "turn", "short", "parts", "lists", "feeds", "fed", "seldom", "first", "quiet"]
    {
        let of_rule = format!(r#""rule":"{rule}""#);
        assert!(plain.stdout.lines().any(|line| line.contains(&of_rule)), "no match of {rule}");
    }
    for line in plain.results() {
        assert!(!line["key"].to_string().contains("-0"), "{line}");
    }
    for how in [
        "--threads 1",
        "--threads 2",
        "--threads 4",
        "--threads 5",
        "--strategy general",
        "--strategy general --threads 5",
        "--spill spill --keys-in-memory 0",
        "--spill spill --keys-in-memory 1",
    ] {
        let ran = dir.run(&format!("{run} {how}"));
        assert_eq!((ran.code, &ran.stdout), (Some(0), &plain.stdout), "{how}: {}", ran.stderr);
    }
    // With a restart before every few events.
    let lines: Vec<&str> = all.split_inclusive('\n').collect();
    for (more, step) in [("", 7), (" --spill spill --keys-in-memory 0", 23), (" --threads 1", 40)] {
        let run =
            format!("run rules.cep -i grown.jsonl --quiet -o out{step} --state state{step}{more}");
        for end in (step..lines.len()).step_by(step) {
            dir.write("grown.jsonl", lines[..end].concat().as_bytes());
            let ran = dir.run(&run);
            assert!(matches!(ran.code, Some(0 | 3)), "{more}: {}", ran.stderr);
        }
        dir.write("grown.jsonl", all.as_bytes());
        let ran = dir.run(&format!("{run} --end-of-time"));
        assert_eq!(ran.code, Some(0), "{more}: {}", ran.stderr);
        assert_eq!(dir.read(&format!("out{step}")), plain.stdout, "{more}");
    }
}

/// A key whose slot is emptied by a match, by time, or by nothing at all, and comes again with the
/// other sign.
#[test]
fn a_slot_that_was_emptied_forgets_the_sign() {
    let rules = "event a { k: float, ts: time }
event b { k: float, ts: time }
rule r { key k  match a -> b within 5s  emit { k }  on timeout emit { k } }
";
    let event =
        |ty: &str, k: &str, at: i64| format!("{{\"type\":\"{ty}\",\"k\":{k},\"ts\":{at}}}\n");
    for (first, second) in [("0.0", "-0.0"), ("-0.0", "0.0"), ("-0.0", "-0.0")] {
        let before = [event("a", first, 1000), event("b", first, 2000)].concat();
        let after = [event("a", second, 3000), event("b", second, 4000)].concat();
        let later = [event("a", second, 5000), event("a", first, 90_000)].concat();
        let all = format!("{before}{after}{later}");
        let dir = Dir::new(&[("rules.cep", rules.as_bytes()), ("all", all.as_bytes())]);
        let run = "run rules.cep --format jsonl --quiet";
        let plain = dir.run(&format!("{run} -i all --end-of-time")).stdout;
        assert_eq!(plain.matches("\"key\":{\"k\":0.0}").count(), 4, "{plain}");
        for how in ["--threads 1", "--threads 2", "--threads 4", "--spill s --keys-in-memory 0"] {
            let ran = dir.run(&format!("{run} -i all --end-of-time {how}"));
            assert_eq!(ran.stdout, plain, "{first} {second} {how}");
        }
        for (number, more) in ["", " --spill s --keys-in-memory 0"].into_iter().enumerate() {
            let run = format!("{run} -i grown -o out{number} --state state{number}{more}");
            for input in [before.clone(), format!("{before}{after}"), all.clone()] {
                dir.write("grown", input.as_bytes());
                let ran = dir.run(&run);
                assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            }
            dir.run(&format!("{run} --end-of-time"));
            assert_eq!(dir.read(&format!("out{number}")), plain, "{first} {second}{more}");
        }
    }
}
