//! The speed of reading events, and its share of a run.
//!
//! `cargo bench -p kleene-cli --bench input -- RULES INPUT` measures three things in turn, several
//! times, and prints the medians: a loop that does nothing but find the ends of lines, one that
//! parses and drops the events, and the program `kleene run` from start to end, its output written
//! to a file. Without arguments it measures a small stream of this repository.

use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use kleene::RuleSet;
use kleene_input::{
    Feed, Fill, Form, Format, InputItem, Parser, Parsing, Reading, delimiter_of, open,
};

const ROUNDS: usize = 5;

fn main() {
    // `cargo bench` and `cargo test` pass options of their own.
    let mut files = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rules = files.next().unwrap_or_else(|| root.join("patterns/shop/unpaid_order.cep"));
    let input = files.next().unwrap_or_else(|| root.join("examples/data/orders.jsonl"));
    let bytes = std::fs::read(&input).expect("the input can be read");
    let set = RuleSet::builder().path(&rules).build().expect("the rules are right");
    let output = std::env::temp_dir().join(format!("kleene-bench-{}.jsonl", std::process::id()));

    let mut seconds = [const { Vec::new() }; 3];
    let mut events = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(memchr::memchr_iter(b'\n', black_box(&bytes)).map(black_box).count());
        seconds[0].push(start.elapsed().as_secs_f64());

        let start = Instant::now();
        events = parse(&input, &set);
        seconds[1].push(start.elapsed().as_secs_f64());

        let start = Instant::now();
        let mut kleene = Command::new(env!("CARGO_BIN_EXE_kleene"));
        kleene
            .args(["run", "--threads", "1", "--quiet", "--input"])
            .arg(&input)
            .arg("--output")
            .arg(&output);
        let status = kleene.arg(&rules).status().expect("the program can be started");
        assert!(status.success(), "kleene run: {status}");
        seconds[2].push(start.elapsed().as_secs_f64());
    }
    let written = std::fs::metadata(&output).map_or(0, |meta| meta.len());
    // A file that cannot be removed is left in the directory for temporary files.
    let _ = std::fs::remove_file(&output);
    let mut reported = std::io::stdout().lock();
    #[expect(clippy::cast_precision_loss, reason = "sizes to look at")]
    let (events, size, written) = (events as f64, bytes.len() as f64 / 1e6, written as f64 / 1e6);
    for (name, seconds) in ["lines", "parse", "kleene run"].iter().zip(&mut seconds) {
        seconds.sort_by(f64::total_cmp);
        let median = seconds[ROUNDS / 2];
        let (rate, millions) = (size / median, events / median / 1e6);
        writeln!(reported, "{name:<12}{rate:>10.1} MB/s {millions:>8.2} M events/s")
            .expect("stdout");
    }
    let share = 100.0 * seconds[1][ROUNDS / 2] / seconds[2][ROUNDS / 2];
    writeln!(
        reported,
        "parsing takes {share:.0} % of the time of a run; {written:.1} MB of output"
    )
    .expect("stdout");
}

/// Reads all events; gives their number.
fn parse(input: &Path, set: &RuleSet) -> u64 {
    let form =
        Form { format: Format::of(input), delimiter: delimiter_of(input), max_line: 1 << 20 };
    let opened = open(input).expect("the input can be opened");
    let parser = Parser::new(form, set.schema(), Reading::default());
    let mut feed = Feed::start(opened, parser, Parsing::Here);
    let mut events = 0;
    loop {
        match feed.next_item() {
            Some(InputItem::Event(event, _)) => {
                black_box(&event);
                events += 1;
            }
            Some(InputItem::Unknown(_)) => events += 1,
            Some(InputItem::Rejected(place, reason)) => panic!("line {}: {reason}", place.line),
            Some(InputItem::Unreadable(reason)) => panic!("{reason}"),
            None => match feed.fill().expect("the input can be read") {
                Fill::End => return events,
                Fill::More | Fill::Woken | Fill::TimedOut => {}
            },
        }
    }
}
