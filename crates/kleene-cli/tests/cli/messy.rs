//! Input as people have it: numbers in quotes, other names, other units, other delimiters.

use crate::common::Dir;

const RULES: &str = "
event tick { ts: time, symbol: string, price: float, n: int, ok: bool }
rule any_tick { key symbol  match tick as t  emit { symbol, price: t.price, n: t.n, ok: t.ok } }
";

#[test]
fn numbers_in_quotes_are_read_and_strict_rejects_them() {
    let plain = "{\"type\":\"tick\",\"ts\":1714557600000,\"symbol\":\"A\",\"price\":12.5,\"n\":12,\"ok\":true}\n";
    let quoted = "{\"type\":\"tick\",\"ts\":\"1714557600000\",\"symbol\":\"A\",\"price\":\"12.5\",\"n\":\"12\",\"ok\":\"true\"}\n";
    let csv = "type,ts,symbol,price,n,ok\ntick,1714557600000,A,12.5,12,true\n";
    let dir = Dir::new(&[("r.cep", RULES.as_bytes()), ("in.csv", csv.as_bytes())]);
    let expected = dir.run_with("run r.cep", plain.as_bytes());
    assert_eq!((expected.code, expected.results().len()), (Some(0), 1), "{}", expected.stderr);
    for ran in [
        dir.run_with("run r.cep", quoted.as_bytes()),
        dir.run_with("run r.cep --threads 2", quoted.as_bytes()),
        dir.run("run r.cep -i in.csv"),
        // Cells of CSV are text in any case.
        dir.run("run r.cep -i in.csv --strict"),
        dir.run_with("run r.cep --strict", plain.as_bytes()),
    ] {
        assert_eq!((ran.code, &ran.stdout), (Some(0), &expected.stdout), "{}", ran.stderr);
    }
    let both = [plain, quoted].concat();
    let ran = dir.run_with("run r.cep --strict", both.as_bytes());
    assert_eq!((ran.count("matches"), ran.count("rejected")), (1, 1));
    assert_eq!(ran.reported(), ["line 2: field `price`: expected float, found the text \"12.5\""]);
}

/// A document of the Elastic Common Schema has its type in a list, and single values for lists.
#[test]
fn the_type_can_be_in_a_list_and_a_single_value_be_a_list() {
    let rules = "event process { at: time, host: string, event: { type: list<string> } }
event session { at: time, host: string }
rule started { key host  match process[\"start\" in event.type] as p  emit { host } }
";
    let line = |category: &str, ty: &str, second: u32| {
        format!(
            "{{\"at\":\"2024-05-01T08:00:0{second}Z\",\"host\":\"h{second}\",\
             \"event\":{{\"category\":{category},\"type\":{ty}}}}}\n"
        )
    };
    let text = [
        line("[\"process\"]", "[\"start\"]", 1),
        line("[\"host\",\"process\"]", "\"start\"", 2),
        line("\"process\"", "\"end\"", 3),
        line("[\"network\"]", "\"start\"", 4),
        line("[\"process\",\"session\"]", "\"start\"", 5),
    ]
    .concat();
    let dir = Dir::new(&[("r.cep", rules.as_bytes())]);
    let ran = dir.run_with("run r.cep --type-field event.category", text.as_bytes());
    assert_eq!((ran.code, ran.count("matches")), (Some(0), 2), "{}", ran.stderr);
    assert_eq!((ran.count("rejected"), ran.count("unknown")), (1, 1), "{}", ran.stderr);
    let reported = ran.reported().join("\n");
    assert!(reported.contains("`process` and `session` are both declared"), "{reported}");
    let ran = dir.run_with("run r.cep --type-field event.category --strict", text.as_bytes());
    assert_eq!((ran.count("matches"), ran.count("rejected")), (0, 5), "{}", ran.stderr);
}
