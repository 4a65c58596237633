use crate::diagnostic::{Code, Source};
use crate::syntax::ast::{Clause, FileItem, Literal};
use crate::syntax::{MAX_ITEMS, MAX_TEXT, parse, parse_literal, print};

const LANGUAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/language.cep"));

fn rendered(text: &str) -> String {
    let source = Source::new("test.cep", text);
    let (_, diagnostics) = parse(&source);
    diagnostics.iter().map(|diagnostic| diagnostic.render(&source)).collect()
}

/// The one spelling of `text`, which must be right.
fn canonical(text: &str) -> String {
    let source = Source::new("test.cep", text);
    let (file, diagnostics) = parse(&source);
    let reported: String =
        diagnostics.iter().map(|diagnostic| diagnostic.render(&source)).collect();
    assert_eq!(reported, "", "{text}");
    print(&file)
}

#[test]
fn every_example_of_the_language_is_read() {
    assert_eq!(rendered(LANGUAGE), "");
    let printed = canonical(LANGUAGE);
    assert_eq!(canonical(&printed), printed);
    assert_eq!(parse(&Source::new("a", LANGUAGE)).0, parse(&Source::new("b", printed)).0);
}

#[test]
fn expressions_group_as_their_operators_bind() {
    for (text, expected) in [
        ("a or b and c", ""),
        ("(a or b) and c", ""),
        ("a or (b and c)", "a or b and c"),
        ("a or (b or (c or d))", "a or b or c or d"),
        ("not a and b", ""),
        ("not (a and b)", ""),
        ("not (a == b)", "not a == b"),
        ("(not a) == b", ""),
        ("not not a", ""),
        ("a - (b - c)", ""),
        ("(a - b) - c", "a - b - c"),
        ("a + b * c % d", ""),
        ("(a + b) * c", ""),
        ("-a * b", ""),
        ("-(a * b)", ""),
        ("- 5", "-5"),
        ("-(5)", ""),
        ("--5", ""),
        ("a - -5", ""),
        ("-9223372036854775808", ""),
        ("a < b + 1", ""),
        ("(a < b) == c", ""),
        ("x in 1 .. y+1", "x in 1..y + 1"),
        ("x not in [1,2 , 3]", "x not in [1, 2, 3]"),
        ("ip in \"10.0.0.0/8\" and user not in office", ""),
        ("x is not null or y is null", ""),
        ("(x + 1) is null", "x + 1 is null"),
        ("name ~ \"^a\\\\.b$\" and path like \"*.exe\"", ""),
        ("if a then b else if c then d else e", ""),
        ("1 + (if a then b else c)", ""),
        ("(if a then b else c) or d", ""),
        ("count(x) > 3 and first(x.at) + 1h30m < at", ""),
        ("match.step == prev.price + $limit", ""),
        ("x[0].y[-1].z", ""),
        ("at > 3 and severity == key and from in list", ""),
        ("alias.match + alias.key + alias.not", ""),
        ("`not` and `a b`.`c d`", ""),
        ("f() + g(1,)", "f() + g(1)"),
        ("1_000 + 1e3 + 1.50", "1000 + 1000.0 + 1.5"),
        ("x == 90s", "x == 1m30s"),
        ("any args like \"-e*\" and not all args in [\"a\", \"b\"]", ""),
        ("any a.args[0].b not in names or all split(a, \",\") == \"x\"", ""),
        ("any [src, dst] in \"10.0.0.0/8\"", ""),
        (
            "any  args is not null and any flags is  false",
            "any args is not null and any flags is false",
        ),
        ("any == 3 and all.x > any and any[0] == all and all(x) == 1", ""),
        ("(any like \"a\") == all", ""),
        ("any any == 3", ""),
        ("a not  like \"b*\" and c not ~ \"d\"", "a not like \"b*\" and c not ~ \"d\""),
        ("(a or b == c) is not true", ""),
        ("(a is false) == b", ""),
        ("a == \"b\" nocase and nocase", ""),
        ("any args like [\"a\", \"b*\"] nocase or a not in names nocase", ""),
        ("contains(a, \"b\") nocase == c", "(contains(a, \"b\") nocase) == c"),
        ("not contains(a, \"b\") nocase", ""),
        ("x == contains(a, \"b\") nocase", ""),
    ] {
        let wrapped = |condition: &str| format!("define d = e[{condition}]\n");
        let expected = if expected.is_empty() { text } else { expected };
        assert_eq!(canonical(&wrapped(text)), wrapped(expected), "{text}");
    }
}

#[test]
fn patterns_have_one_spelling() {
    for (text, expected) in [
        ("a->b", "a -> b"),
        ("a -> next b -> any c", ""),
        ("a ->[ 1m .. 90s ]next b", "a ->[1m..1m30s] next b"),
        ("a ->[..$max] b ->[a.wait..] c ->[..] d", ""),
        ("a{1..}", "a+"),
        ("a{0..}", "a*"),
        ("a{0..1}", "a?"),
        ("a{3..3}", "a{3}"),
        ("a{1.. next greedy} -> b{2..4 any} -> c{5 each} -> d+", ""),
        ("a{0.. longest} until b[x > 1] as c", ""),
        ("a+ until [x > 1] as c", ""),
        ("(a -> b within 5s){2..4} as round", ""),
        ("not a for 5m -> b -> not c -> d -> not e for $wait", ""),
        ("a -> not b for o.sla", ""),
        ("a and b -> c and d without e[x]", ""),
        ("(a or b) and (c or d)", ""),
        ("2 of (a, b -> c, (d or e) within 1m) as some", ""),
        ("`rule` -> `a b`[`if`] as `match`", ""),
        ("timeout -> fail -> first -> time", ""),
    ] {
        let wrapped = |body: &str| format!("rule r {{\n  match {body}\n}}\n");
        let expected = if expected.is_empty() { text } else { expected };
        assert_eq!(canonical(&wrapped(text)), wrapped(expected), "{text}");
    }
}

#[test]
fn words_of_the_language_are_names_where_nothing_else_can_stand() {
    let text =
        "event login { at: time = event time, key: string?, match: int, if: {not: bool}, .. }
        param from: duration = 5s
        rule r = s(limit: 3, for: -5s)
        test r {
          at 0s login { at: at, key: \"x\", not: true, list }
          expect match { on: 1 }
          at 5s login {}
          expect no timeout at 5s
          at 6s login {}
        }";
    let file = parse(&Source::new("test.cep", text)).0;
    assert_eq!(rendered(text), "");
    let Some(FileItem::Test(test)) = file.items.last() else { panic!("a test comes last") };
    assert_eq!(test.steps.len(), 5);
}

#[test]
fn records_and_declarations_break_where_they_are_long() {
    let short = "event e { a: int, b: string?, .. }\n";
    assert_eq!(canonical(short), short);
    let fields: Vec<String> = (0..12).map(|i| format!("a_long_field_{i}: int")).collect();
    let long = format!("event e {{ {}, .. }}\n", fields.join(", "));
    let broken = format!("event e {{\n  {},\n  ..\n}}\n", fields.join(",\n  "));
    assert_eq!(canonical(&long), broken);
    assert_eq!(canonical(&broken), broken);
}

#[test]
fn a_mistake_leaves_the_rest_of_the_rule() {
    let text = "rule r {\n  key user\n  match a[x ==] -> b\n  wthin 5m\n  foo\n  emit { user }\n}\nrule s { match a }\n";
    let (file, diagnostics) = parse(&Source::new("test.cep", text));
    assert_eq!(diagnostics.len(), 3, "{}", rendered(text));
    let [FileItem::Rule(first), FileItem::Rule(_)] = file.items.as_slice() else {
        panic!("two rules: {file:?}")
    };
    let clauses: Vec<_> = first.clauses.iter().map(|clause| &clause.node).collect();
    assert!(
        matches!(
            clauses[..],
            [Clause::Key(_), Clause::Match(_), Clause::Within(_), Clause::Emit(_)]
        ),
        "{clauses:?}"
    );
}

#[test]
fn spans_are_where_things_stand() {
    let text = "rule r {\n  match a[x > 1]{2} as b -> c\n}\n";
    let (file, _) = parse(&Source::new("test.cep", text));
    let [FileItem::Rule(rule)] = file.items.as_slice() else { panic!("one rule") };
    let Clause::Match(body) = &rule.clauses[0].node else { panic!("a match") };
    let slice = |span: crate::diagnostic::Span| &text[span.start as usize..span.end as usize];
    assert_eq!(slice(rule.clauses[0].span), "match a[x > 1]{2} as b -> c");
    assert_eq!(slice(body.span), "a[x > 1]{2} as b -> c");
    let (arrow, _) = &body.sequences[0].parts[1];
    assert_eq!(arrow.span.map(slice), Some("->"));
    let crate::syntax::ast::Part::Take(take) = &body.sequences[0].parts[0].1 else {
        panic!("a step")
    };
    assert_eq!(slice(take.span), "a[x > 1]{2} as b");
    assert_eq!(take.quant.as_ref().map(|quant| slice(quant.span)), Some("{2}"));
    let crate::syntax::ast::Unit::Step(step) = &take.unit else { panic!("a step") };
    assert_eq!(slice(step.span), "a[x > 1]");
    assert_eq!(step.condition.as_ref().map(|condition| slice(condition.span)), Some("x > 1"));
}

#[test]
fn literals_are_read_alone() {
    for (text, expected) in [
        ("10m", Some(Literal::Duration(600_000))),
        ("-1h30m", Some(Literal::Duration(-5_400_000))),
        ("-9223372036854775808", Some(Literal::Int(i64::MIN))),
        (" 1.5 ", Some(Literal::Float(1.5))),
        ("\"a\\u{e9}\\n\"", Some(Literal::String("a\u{e9}\n".to_owned()))),
        ("true", Some(Literal::Bool(true))),
        ("null", Some(Literal::Null)),
        ("9223372036854775808", None),
        ("5min", None),
        ("text", None),
        ("1 2", None),
        ("\"\\q\"", None),
        ("", None),
    ] {
        assert_eq!(parse_literal(text), expected, "{text}");
    }
}

#[test]
fn nesting_up_to_the_limit_is_read_and_beyond_it_reported() {
    let code = |text: &str| {
        let diagnostics = parse(&Source::new("test.cep", text)).1;
        diagnostics.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>()
    };
    for (open, inner, close) in [
        ("(", "x", ")"),
        ("[", "1", "]"),
        ("f(", "x", ")"),
        ("not ", "x", ""),
        ("-", "x", ""),
        ("if a then b else ", "c", ""),
    ] {
        let text = |levels: usize| {
            format!("define d = e[{}{inner}{}]", open.repeat(levels), close.repeat(levels))
        };
        assert_eq!(code(&text(63)), [], "{open}");
        assert_eq!(code(&text(65)), [Code::LimitExceeded], "{open}");
        assert_eq!(code(&text(100_000)), [Code::LimitExceeded], "{open}");
    }
    for (open, inner, close) in [("(", "a", ")"), ("2 of (a, ", "a", ")")] {
        let text = |levels: usize| {
            format!("rule r {{ match {}{inner}{} }}", open.repeat(levels), close.repeat(levels))
        };
        assert_eq!(code(&text(64)), [], "{open}");
        assert_eq!(code(&text(65)), [Code::LimitExceeded], "{open}");
    }
    for (open, inner, close) in [("list<", "int", ">"), ("{a: ", "int", "}")] {
        let text = |levels: usize| {
            format!("param p: {}{inner}{} = 1", open.repeat(levels), close.repeat(levels))
        };
        assert_eq!(code(&text(64)), [], "{open}");
        assert_eq!(code(&text(65)), [Code::LimitExceeded], "{open}");
    }
    assert_eq!(code(&" ".repeat(MAX_TEXT + 1)), [Code::LimitExceeded]);
}

/// A tree takes many times the memory of its text: the rest of a file that is too long is not read.
#[test]
fn more_items_than_a_file_may_have_are_not_read() {
    let source = Source::new("many.cep", "event e { at: time }\n".repeat(MAX_ITEMS + 2));
    let (file, diagnostics) = parse(&source);
    assert_eq!(file.items.len(), MAX_ITEMS);
    let codes: Vec<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [Code::LimitExceeded]);
}

/// Words that join steps in other languages are names here.
#[test]
fn words_of_other_languages_are_names_where_a_name_stands() {
    let words = [
        "every",
        "no",
        "absent",
        "timer",
        "before",
        "followed",
        "followedBy",
        "at",
        "up",
        "exactly",
        "more",
        "where",
        "unless",
        "times",
        "x",
        "by",
        "last",
        "interval",
        "count",
        "begin",
        "sequence",
        "pattern",
        "select",
        "order",
        "insert",
    ];
    for word in words {
        let text = format!(
            "rule r {{ from {word}, {word} key {word}, {word} match {word}[{word} > 3]+ as {word} \
             -> not {word} -> ({word} or {word}{{2}}) within {word} suppress 5m by {word} \
             emit {{ {word}, x: {word}.{word} }} }}\n\
             rule s {{ key {word} match {word} -> {word} ->[{word}..] {word} within 5m }}"
        );
        let (file, diagnostics) = parse(&Source::new("t.cep", text.as_str()));
        assert_eq!(diagnostics, [], "{word}");
        assert_eq!(file.items.len(), 2, "{word}");
    }
}
