//! The parser and the printer on anything: what is printed reads back, and no text, however
//! broken, brings the parser down or makes it endless.

use std::path::Path as FilePath;
use std::time::{Duration, Instant};

use kleene::diagnostic::{Source, Span};
use kleene_syntax::syntax::ast::*;
use kleene_syntax::syntax::{MAX_DIAGNOSTICS, format as format_source, parse, print};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_tree_prints_as_text_that_reads_back(file in file()) {
        let printed = print(&file);
        let source = Source::new("printed.cep", printed.as_str());
        let (again, diagnostics) = parse(&source);
        let reported: String = diagnostics.iter().map(|d| d.render(&source)).collect();
        prop_assert_eq!(reported, "", "{}", printed);
        prop_assert_eq!(&again, &file, "{}", printed);
        prop_assert_eq!(print(&again), printed);
    }

    #[test]
    fn formatting_keeps_the_tree_and_every_comment(
        file in file(),
        comments in vec((any::<prop::sample::Index>(), 0..5u8), 0..6),
    ) {
        let text = with_comments(&print(&file), &comments);
        check_format(&text);
    }

    #[test]
    fn any_text_is_read_to_its_end(text in "\\PC*") {
        check_any(&text);
    }

    #[test]
    fn any_row_of_tokens_is_read_to_its_end(tokens in vec(token(), 0..200)) {
        check_any(&tokens.concat());
    }
}

#[test]
fn broken_files_are_read_to_their_end() {
    let mut random = Random(0x5eed);
    let files = rule_files();
    assert!(files.len() > 20);
    for round in 0..3000 {
        let mut bytes = files[round % files.len()].clone().into_bytes();
        for _ in 0..=random.below(6) {
            let at = random.below(bytes.len() + 1);
            match random.below(5) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..(at + random.below(20)).min(bytes.len()))),
                2 => {
                    let from = random.below(bytes.len() + 1);
                    let piece = bytes[from..(from + random.below(60)).min(bytes.len())].to_vec();
                    drop(bytes.splice(at..at, piece));
                }
                3 if at < bytes.len() => bytes[at] = BYTES[random.below(BYTES.len())],
                _ => {
                    let token = TOKENS[random.below(TOKENS.len())];
                    drop(bytes.splice(at..at, token.bytes()));
                }
            }
        }
        check_any(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn time_grows_with_the_text_and_no_faster() {
    // What takes the square of that would take minutes.
    let pieces = [
        "(",
        "[",
        "{",
        "a[(",
        "rule r {",
        "match (",
        "->",
        "a ->",
        "not ",
        "-",
        "a or ",
        "1 + ",
        "if a then ",
        "list<",
        "{a: ",
        "\"",
        "`",
        "'a",
        "\\",
        "# x",
        "@",
        "@ key @ match ",
        "match @ key @\n",
        "\u{e9} ",
        ")",
        "}",
        "rule r {}",
        "rule r {\n match a\n",
        "event e { a: int }\n",
        "x, ",
        "..",
        ";",
        "$",
        "12",
        "1h",
        "f(",
        "2 of (",
        "at 5s a { b: ",
        "rule r = s(",
        "match 1 key 1 ",
        "rule r { match a@@@ ",
    ];
    for piece in pieces {
        for before in ["", "rule r { match a[", "test t { at 0s a {"] {
            let text = format!("{before}{}", piece.repeat(200_000 / piece.len()));
            let start = Instant::now();
            let (_, diagnostics) = parse(&Source::new("long.cep", text));
            assert!(diagnostics.len() <= MAX_DIAGNOSTICS + 1);
            assert!(start.elapsed() < Duration::from_secs(20), "{before}{piece}...");
        }
    }
    let rule =
        "rule r {\n  key user\n  match a[x == 1 or x == 2] -> b{3..5} as c\n  emit { user }\n}\n";
    let (file, diagnostics) = parse(&Source::new("long.cep", rule.repeat(10_000)));
    assert_eq!((file.items.len(), diagnostics.len()), (10_000, 0));
}

#[test]
fn long_chains_of_and_and_or_do_not_nest() {
    let condition = vec!["x == 1"; 5000].join(" or ");
    let text = format!("rule r {{\n  match a[{condition}]\n}}\n");
    let (file, diagnostics) = parse(&Source::new("chain.cep", text.as_str()));
    assert_eq!(diagnostics, []);
    let lines = condition.replace(" or", "\n    or");
    assert_eq!(print(&file), format!("rule r {{\n  match a[\n    {lines}\n  ]\n}}\n"));
}

/// Reads `text` and checks what must hold of every result.
fn check_any(text: &str) {
    let source = Source::new("any.cep", text);
    let (file, diagnostics) = parse(&source);
    assert!(diagnostics.len() <= MAX_DIAGNOSTICS + 1, "{text}");
    let mut last = Span::default();
    for diagnostic in &diagnostics {
        let span = diagnostic.primary.span;
        assert!(span.start <= span.end && span.end as usize <= text.len(), "{span:?} in {text}");
        assert!(last <= span, "not in the order of the text: {text}");
        last = span;
        assert!(diagnostic.render(&source).len() < 5000, "{text}");
    }
    if diagnostics.is_empty() {
        let printed = print(&file);
        let (again, diagnostics) = parse(&Source::new("printed.cep", printed.as_str()));
        assert_eq!(diagnostics, [], "{text}\n{printed}");
        assert_eq!(again, file, "{text}\n{printed}");
        check_format(text);
    }
}

/// Checks what must hold of the format of `text`, if it is without mistakes.
fn check_format(text: &str) {
    let (file, diagnostics) = parse(&Source::new("any.cep", text));
    if !diagnostics.is_empty() {
        // A line break can make a mistake of what is none on one line.
        return;
    }
    let formatted = format_source(&Source::new("any.cep", text)).expect("there are no mistakes");
    let source = Source::new("formatted.cep", formatted.as_str());
    let (again, diagnostics) = parse(&source);
    assert_eq!(diagnostics, [], "{text}\n{formatted}");
    assert_eq!(again, file, "{text}\n{formatted}");
    assert_eq!(comments_of(&formatted), comments_of(text), "{text}\n{formatted}");
    assert_eq!(format_source(&source).as_ref(), Ok(&formatted), "{text}");
}

/// The comments of a text in their order.
fn comments_of(text: &str) -> Vec<&str> {
    outside_of_quotes(text)
        .filter(|&at| text[at..].starts_with('#'))
        .map(|at| text[at..].lines().next().unwrap_or("").trim())
        .collect()
}

/// The places of `text` that are in no string, no back-quotes and no comment but at its `#`.
fn outside_of_quotes(text: &str) -> impl Iterator<Item = usize> {
    let mut inside = None;
    let mut escaped = false;
    text.char_indices().filter_map(move |(at, c)| {
        let was = inside;
        match inside {
            Some('"') if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(quote) if c == quote => inside = None,
            None if c == '#' => inside = Some('\n'),
            None if c == '"' || c == '`' => inside = Some(c),
            Some(_) | None => {}
        }
        was.is_none().then_some(at)
    })
}

/// `text` with comments and blank lines at some of its blanks.
fn with_comments(text: &str, comments: &[(prop::sample::Index, u8)]) -> String {
    let blanks: Vec<usize> = outside_of_quotes(text)
        .filter(|&at| text.as_bytes()[at] == b' ' || text.as_bytes()[at] == b'\n')
        .collect();
    if blanks.is_empty() {
        return text.to_owned();
    }
    let mut places: Vec<_> =
        comments.iter().map(|(index, kind)| (blanks[index.index(blanks.len())], *kind)).collect();
    places.sort_unstable();
    let mut out = text.to_owned();
    for (number, &(at, kind)) in places.iter().enumerate().rev() {
        let comment = match kind {
            0 => format!(" # c{number}\r\n"),
            1 => format!("\n# c{number}\n"),
            2 => format!("\n\n  # c{number} \n\n\n"),
            3 => "\n\n".to_owned(),
            _ => format!(" #c{number} \"\n# again\n"),
        };
        out.insert_str(at, &comment);
    }
    out
}

fn rule_files() -> Vec<String> {
    let testdata = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let read = |path: &FilePath| std::fs::read_to_string(path).expect("a rule file can be read");
    let language = read(&testdata.join("language.cep"));
    let mut files: Vec<_> = std::fs::read_dir(testdata.join("diagnostics/syntax"))
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cep"))
        .collect();
    files.sort();
    // Mostly what is right.
    files.iter().flat_map(|path| [read(path), language.clone()]).collect()
}

/// A small generator of numbers: the same ones every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit.max(1)
    }
}

const BYTES: &[u8] = b"{}()[]<>,:.-=!~+*/%?$\"'`#;&|\n a1\xc3";

const TOKENS: [&str; 105] = [
    "event ",
    "list ",
    "param ",
    "define ",
    "rule ",
    "test ",
    "use ",
    "about ",
    "severity ",
    "tags ",
    "meta ",
    "from ",
    "key ",
    "match ",
    "within ",
    "skip ",
    "emit ",
    "on ",
    "timeout ",
    "having ",
    "suppress ",
    "once ",
    "per ",
    "rule ",
    "by ",
    "limit ",
    "partials ",
    "drop ",
    "oldest ",
    "fail ",
    "none ",
    "past ",
    "last ",
    "to ",
    "next ",
    "first ",
    "ordered ",
    "as ",
    "and ",
    "or ",
    "without ",
    "any ",
    "not ",
    "for ",
    "repeat ",
    "until ",
    "of ",
    "at ",
    "advance ",
    "expect ",
    "no ",
    "greedy ",
    "each ",
    "longest ",
    "in ",
    "like ",
    "is ",
    "null ",
    "true ",
    "if ",
    "then ",
    "else ",
    "prev ",
    "a ",
    "b ",
    "a[",
    "b{",
    "f(",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "->",
    "=>",
    "..",
    ".",
    ",",
    ":",
    ";",
    "=",
    "==",
    "!=",
    "<",
    "<=",
    "~",
    "+",
    "-",
    "*",
    "/",
    "?",
    "$x ",
    "\"s\"",
    "'s'",
    "`n`",
    "1 ",
    "2.5 ",
    "10m ",
    "1h30m ",
    "99999 ",
    "\n",
    " ",
    "# c\n",
    "int ",
];

fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&TOKENS[..])
}

// Trees.

fn spanned<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Spanned<T>> {
    strategy.prop_map(at)
}

fn at<T>(node: T) -> Spanned<T> {
    Spanned { node, span: Span::default() }
}

fn name() -> BoxedStrategy<Name> {
    let word = prop::sample::select(&TOKENS[..60]).prop_map(|word| word.trim().to_owned());
    spanned(prop_oneof![4 => "[a-z_][a-z0-9_]{0,8}", 2 => word, 1 => "[^`\\p{Cc}]{1,6}"]).boxed()
}

fn text() -> impl Strategy<Value = Spanned<String>> {
    spanned(prop_oneof!["[a-z ]{0,8}", any::<String>()])
}

fn millis() -> impl Strategy<Value = Spanned<i64>> {
    spanned(prop_oneof![0..100_000i64, 0..=i64::MAX])
}

fn literal() -> BoxedStrategy<Literal> {
    prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Bool),
        prop_oneof![-9..9i64, any::<i64>()].prop_map(Literal::Int),
        prop_oneof![-9.0..9.0f64, any::<f64>().prop_filter("finite", |f| f.is_finite())]
            .prop_map(Literal::Float),
        text().prop_map(|text| Literal::String(text.node)),
        any::<i64>().prop_map(Literal::Duration),
    ]
    .boxed()
}

fn path() -> impl Strategy<Value = Path> {
    let part = prop_oneof![
        3 => name().prop_map(PathPart::Field),
        1 => spanned(prop_oneof![-2..3i64, any::<i64>()]).prop_map(PathPart::Index),
    ];
    (name(), vec(part, 0..3)).prop_map(|(root, rest)| Path { root, rest, span: Span::default() })
}

fn expr() -> BoxedStrategy<Spanned<Expr>> {
    use BinaryOp::{
        Add, Div, Eq, Ge, Gt, Le, Like, Lt, Matches, Mul, Ne, NotLike, NotMatches, Rem, Sub,
    };
    let leaf = prop_oneof![
        literal().prop_map(Expr::Literal),
        path().prop_map(Expr::Path),
        name().prop_map(Expr::Param),
    ];
    leaf.prop_map(at)
        .prop_recursive(5, 40, 4, |inner| {
            let boxed = inner.clone().prop_map(Box::new);
            let operator = prop::sample::select(vec![
                Eq, Ne, Lt, Le, Gt, Ge, Matches, Like, Add, Sub, Mul, Div, Rem, Sub, Div,
            ]);
            let range = (boxed.clone(), boxed.clone()).prop_map(|(from, to)| Box::new(at(Expr::Range(from, to))));
            let set = prop_oneof![boxed.clone(), range];
            let comparison = prop::sample::select(vec![
                Eq, Ne, Lt, Le, Gt, Ge, Matches, NotMatches, Like, NotLike,
            ]);
            let call = (name(), vec(inner.clone(), 0..3)).prop_map(|(name, args)| at(Expr::Call(name, args)));
            // `any [0]` is an item of the field `any`.
            let list = prop_oneof![
                path().prop_map(|path| at(Expr::Path(path))),
                vec(inner.clone(), 2..3).prop_map(|entries| at(Expr::List(entries))),
                call.clone(),
            ];
            let quantifier = prop::sample::select(ItemQuantifier::ALL.to_vec());
            let items = (quantifier, list)
                .prop_map(|(of, list)| Box::new(at(Expr::Quantified(of, Box::new(list)))));
            let left = prop_oneof![boxed.clone(), items];
            let compared = prop_oneof![
                (comparison, left.clone(), boxed.clone())
                    .prop_map(|(op, a, b)| at(Expr::Binary(op, a, b))),
                (any::<bool>(), left.clone(), set.clone())
                    .prop_map(|(negated, value, set)| at(Expr::In { negated, value, set })),
            ];
            let nocase = prop_oneof![compared.clone(), call]
                .prop_map(|inner| at(Expr::NoCase(Box::new(inner))));
            prop_oneof![
                2 => (operator, boxed.clone(), boxed.clone()).prop_map(|(op, a, b)| at(Expr::Binary(op, a, b))),
                2 => (any::<bool>(), vec(inner.clone(), 2..6)).prop_map(|(and, operands)| {
                    Expr::join(if and { BinaryOp::And } else { BinaryOp::Or }, operands)
                }),
                1 => boxed.clone().prop_map(|inner| at(Expr::Not(inner))),
                1 => boxed.clone().prop_map(|inner| at(Expr::Neg(inner))),
                1 => (any::<bool>(), boxed.clone(), set)
                    .prop_map(|(negated, value, set)| at(Expr::In { negated, value, set })),
                1 => (any::<bool>(), boxed).prop_map(|(negated, value)| at(Expr::IsNull { negated, value })),
                1 => (any::<bool>(), any::<bool>(), left)
                    .prop_map(|(negated, truth, value)| at(Expr::Is { negated, truth, value })),
                1 => compared,
                1 => nocase,
                1 => (name(), vec(inner.clone(), 0..3)).prop_map(|(name, args)| at(Expr::Call(name, args))),
                1 => (name(), vec(inner.clone(), 0..3))
                    .prop_map(|(name, args)| at(Expr::OfMatches(name, args))),
                1 => vec(inner.clone(), 0..3).prop_map(|entries| at(Expr::List(entries))),
                1 => [inner.clone(), inner.clone(), inner].prop_map(|parts| at(Expr::If(Box::new(parts)))),
            ]
        })
        .boxed()
}

fn dur() -> BoxedStrategy<Dur> {
    prop_oneof![
        millis().prop_map(Dur::Literal),
        name().prop_map(Dur::Param),
        path().prop_map(Dur::Path),
    ]
    .boxed()
}

fn step() -> BoxedStrategy<Step> {
    let wildcard = || Spanned { node: ANY_EVENT.to_owned(), span: Span::default() };
    (option::weighted(0.8, name()), option::of(expr()))
        .prop_map(move |(name, condition)| Step {
            wildcard: name.is_none(),
            name: name.unwrap_or_else(wildcard),
            condition,
            span: Span::default(),
        })
        .boxed()
}

fn choice() -> BoxedStrategy<Choice> {
    let steps = prop_oneof![3 => vec(step(), 1), 1 => vec(step(), 2..4)];
    steps.prop_map(|steps| Choice { steps, span: Span::default() }).boxed()
}

fn contiguity() -> impl Strategy<Value = Contiguity> {
    prop::sample::select(vec![Contiguity::Relaxed, Contiguity::Next, Contiguity::Any])
}

fn quant() -> impl Strategy<Value = Quant> {
    let modes = vec![None, Some(LoopMode::Greedy), Some(LoopMode::Each), Some(LoopMode::Longest)];
    (
        0..5u64,
        option::of(prop_oneof![0..5u64, 0..=10_000u64]),
        contiguity(),
        prop::sample::select(modes),
    )
        .prop_map(|(min, max, contiguity, mode)| Quant {
            min,
            max,
            contiguity,
            mode,
            span: Span::default(),
        })
}

fn until() -> impl Strategy<Value = Until> {
    prop_oneof![choice().prop_map(Until::Step), expr().prop_map(Until::Condition)]
}

fn arrow() -> impl Strategy<Value = Arrow> {
    let gap = (option::of(dur()), option::of(dur())).prop_map(|(min, max)| Gap {
        min,
        max,
        span: Span::default(),
    });
    (contiguity(), option::weighted(0.2, gap)).prop_map(|(contiguity, gap)| Arrow {
        contiguity,
        gap,
        span: None,
    })
}

fn sequence(unit: BoxedStrategy<Unit>) -> BoxedStrategy<Sequence> {
    let take = (unit, option::of(quant()), option::weighted(0.2, until()), option::of(name()))
        .prop_map(|(unit, quant, until, alias)| {
            Part::Take(Box::new(Take { unit, quant, until, alias, span: Span::default() }))
        });
    let not = (choice(), option::of((dur(), any::<bool>()))).prop_map(|(what, time)| Part::Not {
        what,
        repeat: time.as_ref().and_then(|(_, repeats)| repeats.then(Span::default)),
        duration: time.map(|(duration, _)| duration),
        span: Span::default(),
    });
    let part = prop_oneof![4 => take, 1 => not];
    vec((arrow(), part), 1..4)
        .prop_map(|mut parts| {
            parts[0].0 = Arrow::default();
            Sequence { parts, span: Span::default() }
        })
        .boxed()
}

fn body_of(unit: BoxedStrategy<Unit>) -> BoxedStrategy<Body> {
    (vec(sequence(unit), 1..3), any::<bool>(), option::weighted(0.2, choice()))
        .prop_map(|(sequences, and, without)| {
            let junction = if and { Junction::And } else { Junction::Or };
            let joined_by = (sequences.len() > 1).then_some(junction);
            Body { sequences, joined_by, without, span: Span::default() }
        })
        .boxed()
}

fn body() -> BoxedStrategy<Body> {
    let step = step().prop_map(Unit::Step).boxed();
    let unit = step.prop_recursive(3, 12, 3, |unit| {
        let group = (body_of(unit.clone()), option::of(dur()))
            .prop_map(|(body, within)| Unit::Group(body, within));
        let of = (spanned(0..=10_000u64), vec(sequence(unit.clone()), 2..4), option::of(dur()))
            .prop_map(|(count, sequences, within)| Unit::Of(count, sequences, within));
        prop_oneof![2 => unit, 2 => group, 1 => of]
    });
    body_of(unit.boxed())
}

fn record() -> BoxedStrategy<Vec<(Name, Option<Spanned<Expr>>)>> {
    vec((name(), option::of(expr())), 0..4).boxed()
}

fn emit() -> impl Strategy<Value = Emit> {
    (option::of(name()), record()).prop_map(|(as_type, fields)| Emit { as_type, fields })
}

fn ty() -> BoxedStrategy<Spanned<Type>> {
    let plain = vec![
        Type::Bool,
        Type::Int,
        Type::Float,
        Type::String,
        Type::Time,
        Type::Duration,
        Type::Ip,
    ];
    spanned(prop::sample::select(plain))
        .prop_recursive(3, 10, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|inner| at(Type::List(Box::new(inner)))),
                vec(field(inner.boxed()), 0..3).prop_map(|fields| at(Type::Record(fields))),
            ]
        })
        .boxed()
}

fn field(ty: BoxedStrategy<Spanned<Type>>) -> impl Strategy<Value = FieldDecl> {
    (name(), ty, any::<bool>(), any::<bool>())
        .prop_map(|(name, ty, optional, event_time)| FieldDecl { name, ty, optional, event_time })
}

fn param() -> impl Strategy<Value = ParamDecl> {
    (name(), ty(), spanned(literal())).prop_map(|(name, ty, value)| ParamDecl { name, ty, value })
}

fn define() -> impl Strategy<Value = Define> {
    (name(), step()).prop_map(|(name, step)| Define { name, step })
}

fn report() -> impl Strategy<Value = Report> {
    prop_oneof![
        Just(Report::All),
        Just(Report::Count),
        spanned(0..1_000_000u64).prop_map(Report::First),
        spanned(0..1_000_000u64).prop_map(Report::Last),
        Just(Report::Longest),
        Just(Report::Shortest),
    ]
}

fn skip() -> impl Strategy<Value = Skip> {
    let strategy = prop_oneof![
        Just(SkipStrategy::None),
        Just(SkipStrategy::PastLast),
        Just(SkipStrategy::ToNext),
        name().prop_map(SkipStrategy::ToFirst),
        name().prop_map(SkipStrategy::ToLast),
    ];
    (strategy, any::<bool>()).prop_map(|(strategy, ordered)| Skip { strategy, ordered })
}

fn clause() -> BoxedStrategy<Clause> {
    let policies = vec![LimitPolicy::DropOldest, LimitPolicy::DropNewest, LimitPolicy::Fail];
    let key =
        (name(), vec((name(), path()), 0..3)).prop_map(|(name, paths)| KeyPart { name, paths });
    prop_oneof![
        text().prop_map(Clause::About),
        name().prop_map(Clause::Severity),
        vec(text(), 0..3).prop_map(Clause::Tags),
        vec((name(), expr()), 0..3).prop_map(Clause::Meta),
        param().prop_map(Clause::Param),
        define().prop_map(Clause::Define),
        option::of(vec(name(), 1..3)).prop_map(Clause::From),
        vec(key, 1..3).prop_map(Clause::Key),
        body().prop_map(Clause::Match),
        dur().prop_map(Clause::Within),
        skip().prop_map(Clause::Skip),
        report().prop_map(Clause::Report),
        emit().prop_map(Clause::Emit),
        emit().prop_map(Clause::OnTimeout),
        expr().prop_map(Clause::Having),
        (dur(), vec(name(), 0..3)).prop_map(|(dur, by)| Clause::Suppress(dur, by)),
        (spanned(0..1_000_000u64), prop::sample::select(policies))
            .prop_map(|(n, policy)| Clause::Limit(n, policy)),
    ]
    .boxed()
}

/// Clauses, of those that a rule has once only the first one.
fn clauses() -> impl Strategy<Value = Vec<Spanned<Clause>>> {
    vec(clause(), 0..6).prop_map(|clauses| {
        let mut seen = Vec::new();
        let mut kept = Vec::new();
        for clause in clauses {
            let kind = std::mem::discriminant(&clause);
            let repeats = matches!(clause, Clause::Param(_) | Clause::Define(_));
            if repeats || !seen.contains(&kind) {
                seen.push(kind);
                kept.push(at(clause));
            }
        }
        kept
    })
}

fn test_step() -> impl Strategy<Value = TestStep> {
    let event = (millis(), name(), record()).prop_map(|(at, ty, fields)| TestStep::Event {
        at,
        ty,
        fields,
    });
    let number = option::of(spanned(0..1_000_000u64));
    let expect = (any::<bool>(), any::<bool>(), record(), number, option::of(millis())).prop_map(
        |(no, timeout, fields, count, at)| {
            // A timeout is not counted.
            let count = count.filter(|_| !timeout);
            TestStep::Expect { no, timeout, fields, count, at }
        },
    );
    prop_oneof![event, expect, millis().prop_map(TestStep::Advance)]
}

fn item() -> BoxedStrategy<FileItem> {
    let event = (name(), vec(field(ty()), 0..4), any::<bool>())
        .prop_map(|(name, fields, open)| EventDecl { name, fields, open });
    let source = prop_oneof![
        vec(spanned(literal()), 0..4).prop_map(ListSource::Inline),
        text().prop_map(ListSource::File),
    ];
    let list = (name(), ty(), source).prop_map(|(name, ty, source)| ListDecl { name, ty, source });
    let rule = (name(), clauses()).prop_map(|(name, clauses)| Rule { name, clauses });
    let instance = (name(), name(), vec((name(), spanned(literal())), 0..3), clauses())
        .prop_map(|(name, base, args, overrides)| Instance { name, base, args, overrides });
    let test =
        (name(), vec(spanned(test_step()), 0..4)).prop_map(|(rule, steps)| Test { rule, steps });
    prop_oneof![
        1 => event.prop_map(FileItem::Event),
        1 => list.prop_map(FileItem::List),
        1 => param().prop_map(FileItem::Param),
        1 => define().prop_map(FileItem::Define),
        3 => rule.prop_map(FileItem::Rule),
        1 => instance.prop_map(FileItem::Instance),
        1 => test.prop_map(FileItem::Test),
        1 => text().prop_map(FileItem::Use),
    ]
    .boxed()
}

fn file() -> impl Strategy<Value = File> {
    vec(item(), 0..4).prop_map(|items| File { items })
}
