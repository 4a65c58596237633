//! `kleene infer`: declarations that load, and that fit the events they come from.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use crate::common::Dir;

/// Infers from `input` (a file name says its format), and makes sure that the result is clean, in
/// the one spelling, and that rules over it take every event. Gives the declarations.
fn infer(name: &str, input: &[u8], options: &str) -> String {
    let dir = Dir::new(&[(name, input)]);
    let ran = dir.run(&format!("infer {name} {options}"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    dir.write("events.cep", ran.stdout.as_bytes());
    let checked = dir.run("check --deny warnings events.cep");
    assert_eq!((checked.code, &*checked.stderr), (Some(0), ""), "{}", ran.stdout);
    let formatted = dir.run("fmt --check events.cep");
    assert_eq!(formatted.code, Some(0), "{}", formatted.stdout);

    // A rule for each type, so that each event is read whole.
    let types: Vec<&str> = ran
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("event ")?.split(" {").next())
        .collect();
    let mut rules = ran.stdout.clone();
    for (index, ty) in types.iter().enumerate() {
        writeln!(rules, "rule r{index} {{ match {ty} as it within 1s emit {{ n: 1 }} }}").unwrap();
    }
    dir.write("rules.cep", rules.as_bytes());
    let asked = ran.stdout.lines().find_map(|line| line.strip_prefix("# To be read with: "));
    let asked = asked.map_or("", |line| line.trim_start_matches("kleene run RULES"));
    let start = "to run rules on this input: kleene run RULES";
    let command = ran.stderr.lines().find_map(|line| line.strip_prefix(start)).unwrap();
    assert_eq!(command, format!(" --input {name}{asked}"));
    // No shell takes the quotes away here.
    let command = command.replace('\'', "");
    let run = dir.run(&format!("run rules.cep {command} --out-of-order 100000d"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let accepted = run.count("events") - run.count("unknown");
    assert_eq!(run.count("matches"), accepted, "{rules}\n{}", run.stderr);
    let events: u64 = ran.stderr.split(' ').next().unwrap().replace(',', "").parse().unwrap();
    assert_eq!((accepted, run.count("unknown")), (events, 0), "{rules}\n{}", run.stderr);
    ran.stdout
}

fn examples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data")
}

#[test]
fn the_example_data_is_declared_as_the_ready_made_rules_do() {
    let expected = [
        ("auth.jsonl", "event login_failed { ts: time, ip: ip, user: string }"),
        ("clicks.jsonl", "event pay { ts: time, user: string, item: string, amount: float }"),
        ("hits.jsonl", "event hit { ts: time, ip: ip, path: string, agent: string? }"),
        (
            "orders.jsonl",
            "# 26 events.\n# Event time: `ts`, by its name.\nevent order_purchased {\n  \
             ts: time = event time,\n  order_id: string,\n  customer_id: string,\n  \
             estimated_delivery: time,\n}\n",
        ),
        ("ticks.csv", "event tick { ts: time, symbol: string, price: float }"),
        (
            "trades.jsonl",
            "event trade { ts: time, user: string, symbol: string, amount: float, status: string }",
        ),
    ];
    let mut found = 0;
    for file in std::fs::read_dir(examples()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let input = std::fs::read(&path).unwrap();
        // Some do not say the type of their events.
        let ran = Dir::new(&[(name, &input)]).run(&format!("infer {name}"));
        let options = if ran.stderr.contains("or the type of all") { "--type one" } else { "" };
        let reported = infer(name, &input, options);
        for (_, part) in expected.iter().filter(|(known, _)| *known == name) {
            assert!(reported.contains(part), "{name}:\n{reported}");
            found += 1;
        }
    }
    assert_eq!(found, expected.len());
}

#[test]
fn each_kind_of_value_has_its_type() {
    let input = concat!(
        "\u{feff}{\"type\":\"a\",\"b\":true,\"i\":1,\"f\":1,\"s\":\"x\",\"d\":\"1h30m\",\"ip\":\"::1\",",
        "\"l\":[1,2.5],\"m\":[],\"o\":{\"x\":{\"y\":1}},\"n\":null,\"t\":\"2024-05-01T10:00:00Z\",",
        "\"version\":\"1.2.3.4\",\"code\":\"007\",\"big\":18446744073709551615}\r\n",
        "{\"type\":\"a\",\"b\":false,\"i\":2,\"f\":2.5,\"s\":\"5m\",\"d\":\"5s\",\"ip\":\"10.0.0.1\",",
        "\"l\":[],\"m\":[\"2024-05-01\"],\"o\":null,\"n\":3,\"t\":\"2024-05-01 10:00:01\",",
        "\"version\":\"1.2.3.5\",\"code\":\"008\",\"big\":1,\"late\":\"\"}\r\n",
    );
    let reported = infer("x.jsonl", input.as_bytes(), "");
    assert_eq!(
        reported,
        "# Inferred from 2 events of x.jsonl.\n\n# 2 events.\nevent a {\n  b: bool,\n  i: int,\n  \
         f: float,\n  s: string,\n  d: duration,\n  ip: ip,\n  l: list<float>,\n  m: list<time>,\n  \
         o: { x: { y: int } }?,\n  n: int?,\n  t: time,\n  version: string,\n  code: string,\n  \
         big: float,\n  late: string?,\n}\n"
    );
}

#[test]
fn what_has_no_one_type_is_left_open_with_a_comment() {
    let deep = format!("{}1{}", "{\"x\":".repeat(100), "}".repeat(100));
    let input = format!(
        "{{\"type\":\"a\",\"ts\":1714550400000,\"c\":5,\"o\":{{\"p\":1}},\"l\":[1,\"x\"],\"r\":[{{}}],\"z\":null,\"e\":[],\"n\":[null],\"deep\":{deep}}}\n\
         {{\"type\":\"a\",\"ts\":1714550400001,\"c\":\"x\",\"o\":[1],\"l\":[],\"r\":[],\"z\":null,\"e\":[],\"n\":[],\"q\":{{}}}}\n"
    );
    let reported = infer("x.jsonl", input.as_bytes(), "");
    assert_eq!(
        reported,
        "# Inferred from 2 events of x.jsonl.\n\n# 2 events.\n\
         # Left to `..`: `c`, int in 1, string in 1.\n\
         # Left to `..`: `o`, list in 1, object in 1.\n\
         # Left to `..`: `l`, in the list int in 1, string in 1.\n\
         # Left to `..`: `r`, it is a list of objects.\n\
         # Left to `..`: `z`, it is always null.\n\
         # Left to `..`: `e`, it is always an empty list.\n\
         # Left to `..`: `n`, there is null in the list.\n\
         # Left to `..`: `deep`, nothing in it can be declared.\n\
         # Left to `..`: `q`, it is always empty.\n\
         event a { ts: time, .. }\n"
    );
}

#[test]
fn names_of_any_kind_are_declared_as_they_are() {
    let input = concat!(
        "{\"type\":\"match\",\"ts\":1714550400000,\"event\":1,\"a b\":1,\"gr\u{f6}\u{df}e\":1,\"geo.lat\":1.5,\"geo.lon\":2.5,\"x#y\":1}\n",
        "{\"type\":\"Order Placed\",\"ts\":1714550400000,\"and\":\"x\",\"\\n\":1,\"`\":2,\"\":3}\n",
    );
    let reported = infer("x.jsonl", input.as_bytes(), "");
    for part in [
        "event `match` {\n  ts: time,\n  event: int,\n  `a b`: int,\n  `gr\u{f6}\u{df}e`: int,\n  geo: { lat: float, lon: float },\n  `x#y`: int,\n}",
        "# Left to `..`: `\\n`, no name that can be declared.",
        "# Left to `..`: ```, no name that can be declared.",
        "event `Order Placed` { ts: time, and: string, .. }",
    ] {
        assert!(reported.contains(part), "{part}\nin\n{reported}");
    }
}

#[test]
fn the_event_time_is_the_likeliest_time() {
    let cases = [
        // Its name.
        (
            "\"created_at\":\"2024-05-01T10:00:00Z\",\"ts\":\"2024-05-01T10:00:00Z\"",
            "\"created_at\":\"2024-05-01T10:00:01Z\",\"ts\":\"2024-05-01T10:00:01Z\"",
            "",
            "# Event time: `ts`, by its name.",
            "ts: time = event time",
        ),
        // The order.
        (
            "\"a\":\"2024-05-02T10:00:00Z\",\"b\":\"2024-05-01T10:00:00Z\"",
            "\"a\":\"2024-05-01T10:00:00Z\",\"b\":\"2024-05-01T10:00:01Z\"",
            "",
            "# Event time: `b`, as the events come in its order.",
            "b: time = event time",
        ),
        // Never missing.
        (
            "\"ts\":\"2024-05-01T10:00:00Z\",\"b\":\"2024-05-01T10:00:00Z\"",
            "\"b\":\"2024-05-01T10:00:01Z\"",
            "",
            "# Event time: `b`, as it is never missing.",
            "b: time = event time",
        ),
        // What was asked for, even nested.
        (
            "\"ts\":\"2024-05-01T10:00:00Z\",\"meta\":{\"seen\":\"2024-05-01T10:00:00Z\"}",
            "\"ts\":\"2024-05-01T10:00:01Z\",\"meta\":{\"seen\":\"2024-05-01T10:00:01Z\"}",
            "--time-field meta.seen",
            "# Event time: `meta.seen`, as --time-field names it.",
            "meta: { seen: time = event time }",
        ),
        // The only one, though nested.
        (
            "\"meta\":{\"seen\":\"2024-05-01T10:00:00Z\"}",
            "\"meta\":{\"seen\":\"2024-05-01T10:00:01Z\"}",
            "",
            "# 2 events.\nevent",
            "meta: { seen: time = event time }",
        ),
        // Epoch seconds are reported by name and size; a price of that size is a number.
        (
            "\"time\":1714550400,\"price\":1714550400",
            "\"time\":1714550401.5,\"price\":1714550401",
            "",
            "# To be read with: kleene run RULES --time-unit s",
            "{ time: time, price: int }",
        ),
    ];
    for (first, second, options, note, field) in cases {
        let input = format!("{{\"type\":\"a\",{first}}}\n{{\"type\":\"a\",{second}}}\n");
        let reported = infer("x.jsonl", input.as_bytes(), options);
        assert!(reported.contains(note) && reported.contains(field), "{first}:\n{reported}");
    }
    // Without any, what `kleene run` does is said; with gaps, too.
    let dir = Dir::new(&[]);
    let ran = dir.run_with("infer -", b"{\"type\":\"a\",\"x\":1}\n");
    assert!(ran.stdout.contains("# No event time: `kleene run` takes it from `ts`"));
    let text = b"{\"type\":\"a\",\"ts\":\"2024-05-01\"}\n{\"type\":\"a\"}\n";
    let ran = dir.run_with("infer -", text);
    assert!(ran.stdout.contains("# `ts` is missing in 1 of 2 events"), "{}", ran.stdout);
    assert!(ran.stdout.contains("event a { ts: time }"), "{}", ran.stdout);
}

#[test]
fn csv_cells_are_what_all_of_a_column_are() {
    let input = "at,type,zip,n,f,ok,list,mixed,ip,note,other\r\n\
                 2024-05-01 10:00:00,a,01234,1,1,true,\"[1,2]\",5,10.0.0.1,\"x, y\",\r\n\
                 2024-05-01 10:00:01,a,99999,2,1.5,FALSE,[],x,::1,,\r\n\
                 2024-05-01 10:00:02,b,,,,,,,,,7\r\n\
                 too,few\r\n";
    let dir = Dir::new(&[("x.csv", input.as_bytes())]);
    let ran = dir.run("infer x.csv");
    assert_eq!(
        ran.stdout,
        "# Inferred from 3 events of x.csv.\n\n# 2 events.\nevent a {\n  at: time,\n  zip: string,\n  \
         n: int,\n  f: float,\n  ok: bool,\n  list: list<int>,\n  mixed: string,\n  ip: ip,\n  \
         note: string?,\n}\n\n# 1 event.\nevent b { at: time, other: int }\n"
    );
    assert_eq!(
        ran.stderr,
        "3 events of 2 types\n1 line could not be used:\n  \
         line 5: expected 11 cells as in the header, found 2\n\
         to run rules on this input: kleene run RULES --input x.csv\n"
    );
    let whole = input.replace("too,few\r\n", "");
    infer("x.csv", whole.as_bytes(), "");
    // Where no column reports the type, it is given.
    let reported = infer("t.tsv", b"t\tv\n2024-05-01\t1\n", "--type tick");
    assert!(reported.contains("# To be read with: kleene run RULES --type tick"), "{reported}");
    assert!(reported.contains("event tick { t: time, v: int }"), "{reported}");
}

#[test]
fn the_command_that_is_printed_works_for_messy_input() {
    let csv = "when;type;price\r\n1714557600;tick;\"1.5\"\r\n1714557601;tick;2\r\n";
    for delimiter in [";", "\t", "|"] {
        let reported = infer("x.csv", csv.replace(';', delimiter).as_bytes(), "");
        assert!(reported.contains("event tick { when: time, price: float }"), "{reported}");
        assert!(reported.contains("--time-unit s --delimiter "), "{reported}");
    }
    infer("x.tsv", csv.as_bytes(), "");
    infer("x.tsv", csv.replace(';', "\t").as_bytes(), "");
    infer("x.txt", csv.as_bytes(), "--format csv");
    let json = "\u{feff}{\"e\":{\"kind\":\"a\",\"at\":1714557600000000},\"n\":\"5\"}\r\n\
                {\"e\":{\"kind\":\"a\",\"at\":1714557601000000},\"n\":6}\r\n";
    let reported = infer("x.jsonl", json.as_bytes(), "--type-field e.kind");
    let comment = "# `n` is a number in quotes in 1 event, which `kleene run --strict` rejects.";
    assert!(reported.contains(comment), "{reported}");
    assert!(reported.contains("event a { e: { at: time = event time }, n: int }"), "{reported}");
    assert!(reported.contains("RULES --type-field e.kind --time-unit us\n"), "{reported}");
    infer("x.jsonl", json.as_bytes(), "--type one");
    // Where the type is nested, the hint says so.
    let ran = Dir::new(&[("x.jsonl", json.as_bytes())]).run("infer x.jsonl");
    assert!(ran.stderr.contains("perhaps `e.kind` (1 value)"), "{}", ran.stderr);
}

#[test]
fn a_sample_is_bounded_and_says_so() {
    let mut input = String::new();
    for number in 0..50 {
        let at = 1_714_550_400_000_i64 + number;
        writeln!(input, "{{\"type\":\"a\",\"ts\":{at}}}").unwrap();
    }
    input += "{\"type\":\"b\",\"ts\":1714550400000}\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(input.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let dir = Dir::new(&[("x.jsonl.gz", &packed)]);
    let ran = dir.run("infer x.jsonl.gz --sample 50");
    assert_eq!(
        (ran.code, &*ran.stderr),
        (
            Some(0),
            "50 events of 1 type\nonly the first 50 lines were read; --sample reads more\n\
             to run rules on this input: kleene run RULES --input x.jsonl.gz\n"
        )
    );
    let ran = dir.run("infer x.jsonl.gz --sample 52");
    assert!(ran.stderr.starts_with("51 events of 2 types\nto run rules"), "{}", ran.stderr);
    assert_eq!(dir.run("infer x.jsonl.gz --quiet").stderr, "");
    assert_eq!(dir.run("infer x.jsonl.gz --sample 0").code, Some(2));
}

#[test]
fn broken_lines_are_counted_and_shown() {
    let dir = Dir::new(&[]);
    let input = b"no\n\n{\"type\":\"a\",\"ts\":1714550400000}\n[1]\n{\"type\":1}\n\xff\n";
    let ran = dir.run_with("infer -", input);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains("event a { ts: time }"));
    assert_eq!(
        ran.stderr,
        "1 event of 1 type\n4 lines could not be used:\n  line 1: not JSON: expected ident at column \
         2\n  line 4: not an event: found a list, expected an object\n  no event type in the field `type`: \
         it holds no text\nhint: name the field that contains the type (--type-field FIELD), or the \
         type of all events (--type NAME)\nto run rules on this input: kleene run RULES\n"
    );
}

#[test]
fn where_nothing_can_be_inferred_it_says_what_to_do() {
    let cases: [(&str, &[u8], &str); 6] = [
        ("infer -", b"", "error: the input is empty\n"),
        ("infer -", b"\n\n", "error: the input contains no event\n"),
        ("infer - -f csv", b"type,a\n", "error: the input contains no event\n"),
        (
            "infer -",
            b"a,b\n1,2\n",
            "error: no line could be read as an event:\n  line 1: not JSON: expected value at \
             column 1\n  line 2: not an event: found integer 1, expected an object at \
             column 1\nhelp: expected one \
             JSON object per line; for CSV, add --format csv; convert a JSON array with \
             `jq -c '.[]'`\n",
        ),
        (
            "infer -",
            b"{\"event\":\"a\"}\n{\"event\":\"b\"}\n",
            "error: no event type in the field `type`: it is missing\nhelp: name the field that contains \
             the type (--type-field FIELD, perhaps `event` (2 values)), or the type of all events \
             (--type NAME)\n",
        ),
        (
            "infer - -f csv",
            b"kind,n\na,1\n",
            "error: no event type in the field `type`: it is missing\nhelp: name the field that contains \
             the type (--type-field FIELD, perhaps `kind` (1 value), `n` (1 value)), or the \
             type of all events (--type NAME)\n",
        ),
    ];
    let dir = Dir::new(&[]);
    for (args, input, reported) in cases {
        let ran = dir.run_with(args, input);
        assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(2), "", reported));
    }
    assert_eq!(dir.run("infer missing.jsonl").code, Some(2));
}

/// A small generator of numbers: the same ones in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn value(&mut self, depth: usize) -> serde_json::Value {
        const TEXTS: [&str; 12] = [
            "x",
            "",
            "5",
            "007",
            "2024-05-01",
            "2024-05-01T10:00:00Z",
            "10.0.0.1",
            "5s",
            "a\nb",
            "`",
            "1714550400000",
            "\u{fc}",
        ];
        match self.below(if depth > 3 { 7 } else { 10 }) {
            0 => serde_json::Value::Null,
            1 => self.pick(&[true, false]).into(),
            2 => self.pick(&[0_i64, -5, 1_714_550_400, 1_714_550_400_000]).into(),
            3 => self.pick(&[1.5, 3.0, 1e300, 1_714_550_400.5]).into(),
            4..=6 => self.pick(&TEXTS).into(),
            7 => (0..self.below(4)).map(|_| self.value(depth + 1)).collect(),
            _ => (0..self.below(4)).map(|_| (self.name(), self.value(depth + 1))).collect(),
        }
    }

    fn name(&mut self) -> String {
        const NAMES: [&str; 16] = [
            "x", "y", "at", "time", "a.b", "a.c", "n.m.o", "event", "match", "null", "from", "a b",
            "\u{fc}", "1x", "due", "",
        ];
        self.pick(&NAMES).to_owned()
    }
}

#[test]
fn whatever_is_in_events_their_declarations_take_them() {
    let mut random = Random(42);
    for _ in 0..40 {
        // Events of a type are mostly alike.
        let types = ["a", "match", "c d"].map(|name| {
            let fields: Vec<(String, serde_json::Value)> =
                (0..=random.below(7)).map(|_| (random.name(), random.value(0))).collect();
            (name, fields)
        });
        let mut input = String::new();
        for _ in 0..=random.below(25) {
            let (name, fields) = &types[random.below(3)];
            let mut event = serde_json::Map::new();
            for (name, usual) in fields {
                if random.below(8) > 0 {
                    let is_usual = random.below(5) > 0;
                    let value = if is_usual { usual.clone() } else { random.value(0) };
                    event.insert(name.clone(), value);
                }
            }
            event.insert(String::from("type"), (*name).into());
            event.insert(String::from("ts"), "2024-05-01T10:00:00Z".into());
            writeln!(input, "{}", serde_json::Value::Object(event)).unwrap();
        }
        infer("x.jsonl", input.as_bytes(), "");
    }
}
