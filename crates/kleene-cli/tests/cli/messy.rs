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
