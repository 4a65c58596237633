//! Functions that rules of other languages call, and what is written here in their place.

use crate::hir::expr::AggregateOp;

/// Returns what is written here for a call of another language's function. `args` are the texts of
/// the arguments.
pub(super) fn foreign_call(name: &str, args: &[&str]) -> Option<String> {
    let name = name.to_ascii_lowercase().replace('_', "");
    if let Some(here) = same_arguments(&name) {
        return Some(format!("write `{}`", call(here, args)));
    }
    text_call(&name, args)
        .or_else(|| aggregate_call(&name, args))
        .or_else(|| time_call(&name, args))
        .or_else(|| plain_help(&name).map(str::to_owned))
}

/// True if another language's function is over the events of a step.
pub(super) fn is_foreign_aggregate(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "");
    let here = same_arguments(&name);
    aggregate_call(&name, &[]).is_some()
        || AggregateOp::ALL.into_iter().any(|op| Some(op.name()) == here)
}

/// `name(a, b)`
fn call(name: &str, args: &[&str]) -> String {
    if args.is_empty() { format!("{name}(...)") } else { format!("{name}({})", args.join(", ")) }
}

/// The argument with this index, or what stands for it.
fn arg<'a>(args: &[&'a str], index: usize, else_: &'a str) -> &'a str {
    args.get(index).copied().unwrap_or(else_)
}

/// The function that takes the same arguments under another name.
fn same_arguments(name: &str) -> Option<&'static str> {
    Some(match name {
        "length" | "strlen" | "charlength" | "characterlength" | "stringlength" | "size"
        | "cardinality" | "arraylength" | "arraysize" | "listlength" => "len",
        "lcase" | "tolower" | "tolowercase" | "lowercase" => "lower",
        "ucase" | "toupper" | "touppercase" | "uppercase" => "upper",
        "strip" | "btrim" | "ltrim" | "rtrim" => "trim",
        "stringcontains" | "strcontains" | "includes" | "has" | "arraycontains"
        | "listcontains" => "contains",
        "startswith" | "stringstartswith" | "hasprefix" => "starts_with",
        "endswith" | "stringendswith" | "hassuffix" => "ends_with",
        "ceiling" => "ceil",
        "tostring" | "str" | "text" => "string",
        "toint" | "tolong" | "integer" | "parseint" | "bigint" | "long" => "int",
        "tofloat" | "todouble" | "toreal" | "double" | "real" | "decimal" | "parsefloat" => "float",
        "tobool" | "toboolean" | "boolean" => "bool",
        "greatest" => "max",
        "least" => "min",
        "dayofweek" => "weekday",
        "dayofmonth" => "day",
        "hourofday" => "hour",
        "todate" => "date",
        "dateformat" | "formatdatetime" | "formattime" | "strftime" | "tochar" => "format",
        "totimestamp" | "parsetime" | "strptime" | "strtodate" | "todatetime" | "timestamp"
        | "datetime" => "time",
        "collectlist" | "arrayagg" | "makelist" | "groupconcat" | "stringagg" | "listagg" => {
            "collect"
        }
        "collectset" | "makeset" => "distinct",
        "mean" | "average" => "avg",
        "stdev" | "std" | "stddevpop" | "stddevsamp" => "stddev",
        "firstvalue" => "first",
        "lastvalue" => "last",
        "haversine" | "geodistance" | "stdistance" => "distance_km",
        _ => return None,
    })
}

/// Functions of texts, addresses and numbers, and conversions.
fn text_call(name: &str, args: &[&str]) -> Option<String> {
    let text = arg(args, 0, "name");
    Some(match name {
        "number" | "tonumber" | "cast" | "trycast" | "convert" => {
            let text = text.split_whitespace().next().unwrap_or(text);
            format!("write `int({text})` or `float({text})`")
        }
        "concat" | "strcat" | "concatws" => {
            let parts = if args.len() < 2 { "a + b".to_owned() } else { args.join(" + ") };
            format!("join strings with `+`: `{parts}`")
        }
        "wildcard" | "matchwildcard" | "globmatch" | "glob" | "fnmatch" => {
            format!("write `{}`", each_of(text, "like", args.get(1..), "\"cmd*\""))
        }
        "match" | "regexplike" | "regexpmatches" | "regexmatch" | "regexpmatch" | "rlike"
        | "matchesregex" | "regex" | "regexp" => {
            format!("write `{}`", each_of(text, "~", args.get(1..), "\"^cmd\""))
        }
        "cidrmatch" | "incidr" | "ipv4isinrange" | "ipv6isinrange" | "ipv4ismatch" => {
            match args.get(1..) {
                Some([]) | None => "write `ip in \"10.0.0.0/8\"`".to_owned(),
                Some([network]) => format!("write `{text} in {network}`"),
                Some(networks) => format!("write `{text} in [{}]`", networks.join(", ")),
            }
        }
        "substring" | "substr" | "left" | "right" | "mid" | "slice" => {
            format!("write `substring({text}, start, end)`; negative numbers count from the end")
        }
        "indexof" | "instr" | "strpos" | "locate" | "charindex" | "position" => {
            let part = arg(args, 1, "\"x\"");
            format!("to test for a substring, write `contains({text}, {part})`")
        }
        "between" => format!("test a range with `in`: `{text} in 1..5`"),
        "modulo" | "mod" => operator(args, "%"),
        "add" | "plus" => operator(args, "+"),
        "subtract" | "minus" => operator(args, "-"),
        "multiply" | "times" => operator(args, "*"),
        "divide" | "div" => operator(args, "/"),
        "trunc" | "truncate" => format!("write `floor({text})` or `int({text})`"),
        "ifnull" | "nvl" | "isnull" if args.len() == 2 => {
            format!("write `{}`", call("coalesce", args))
        }
        "ifnull" | "nvl" => "write `coalesce(a, b)`".to_owned(),
        "isnull" => format!("write `{text} is null`"),
        "isnotnull" | "exists" | "isdefined" | "defined" | "hasfield" => {
            format!("write `{text} is not null`")
        }
        "isempty" => format!("write `{text} is null`, or `len({text}) == 0`"),
        "isnotempty" => format!("write `len({text}) > 0`"),
        "if" | "iif" | "ifthenelse" | "case" | "ifelse" => match args {
            [condition, then, other] => {
                format!("write `if {condition} then {then} else {other}`")
            }
            _ => "write `if c then a else b`".to_owned(),
        },
        _ => return None,
    })
}

/// `name like "a*" or name like "b*"`
fn each_of(text: &str, operator: &str, patterns: Option<&[&str]>, none: &str) -> String {
    let patterns = match patterns {
        Some(patterns) if !patterns.is_empty() => patterns,
        _ => &[none],
    };
    let tests: Vec<String> =
        patterns.iter().map(|pattern| format!("{text} {operator} {pattern}")).collect();
    tests.join(" or ")
}

fn operator(args: &[&str], operator: &str) -> String {
    format!("write `{} {operator} {}`", arg(args, 0, "a"), arg(args, 1, "b"))
}

/// Aggregates.
fn aggregate_call(name: &str, args: &[&str]) -> Option<String> {
    let of = arg(args, 0, "step.field");
    Some(match name {
        "countdistinct" | "distinctcount" | "dcount" | "approxcountdistinct" | "uniq" => {
            format!("write `len(distinct({of}))`")
        }
        "countif" | "sumif" | "avgif" => {
            "put the condition on the step, and count its events: `pay[ok]{2..} as good`, \
             `count(good)`"
                .to_owned()
        }
        "median" | "percentile" | "quantile" | "percentilecont" | "approxpercentile" => format!(
            "use `avg({of})`, `min({of})`, `max({of})` or `stddev({of})`; `collect({of})` gives \
             all values to the host"
        ),
        "variance" | "var" | "varpop" | "varsamp" => {
            format!("write `stddev({of}) * stddev({of})`")
        }
        "nth" | "nthvalue" => "use an index, which counts from 0: `step[1].field`".to_owned(),
        "matchnumber" | "rownumber" => "write `match.id` for the id of a match".to_owned(),
        "classifier" => {
            "`match.step` is the step that a timeout reached; in a match, use the name of each step"
                .to_owned()
        }
        "matchrowtime" | "matchproctime" => "write `match.end` for the time of a match".to_owned(),
        _ => return None,
    })
}

/// Functions of time.
fn time_call(name: &str, args: &[&str]) -> Option<String> {
    let at = arg(args, 0, "at");
    let part = |letter: &str| format!("write `int(format({at}, \"%{letter}\"))`");
    Some(match name {
        "year" => part("Y"),
        "month" => part("m"),
        "minute" => part("M"),
        "second" => part("S"),
        "dayofyear" => part("j"),
        "extract" | "datepart" => {
            "use `hour(at)`, `day(at)` or `weekday(at)`; `format(at, \"%Y\")` gives the other \
             parts as a string"
                .to_owned()
        }
        "datetrunc" | "bin" | "tumble" | "hop" | "floordate" => {
            "`date(at)` is the day; rules have no fixed windows: `within` counts from the first \
             event of each match"
                .to_owned()
        }
        "datediff" | "timestampdiff" | "timediff" => {
            "subtract the two times: `pay.at - order.at > 5m`".to_owned()
        }
        "dateadd" | "dateadds" | "timestampadd" | "addtime" => {
            "add a duration to a time: `at + 5m`".to_owned()
        }
        "now" | "currenttimestamp" | "currenttime" | "today" | "eventtimestamp" | "ago"
        | "getdate" | "sysdate" | "localtimestamp" | "unixtimestamp" | "currenttimemillis"
        | "currentdate" => {
            "rules have no clock, only event times: compare fields of type `time`, as in `at - \
             order.at > 5m`; to wait, use `not x for 5m`"
                .to_owned()
        }
        _ => return None,
    })
}

/// What has no function here, or another form.
fn plain_help(name: &str) -> Option<&'static str> {
    Some(match name {
        "any" | "all" => "compare the items of a list without parentheses: `any args == \"-e\"`",
        "prev" | "lag" | "previous" => "write `prev` for the event before: `prev.price`",
        "next" | "lead" => "add a step for the later event, and put the condition on that step",
        "rand" | "random" | "uuid" | "newid" => {
            "rules are deterministic; to sample, write `hash(user) % 100 < 5`"
        }
        "md5" | "sha1" | "sha256" | "sha2" | "crc32" => "write `hash(x)`, which returns a number",
        "regexpreplace" | "regexreplace" => {
            "`replace(text, from, to)` replaces a fixed string; regular expressions only test, \
             with `~`"
        }
        "regexpextract" | "regexpsubstr" | "regexextract" | "parse" | "grok" => {
            "regular expressions only test, with `name ~ \"^a\"`; to split a string, write \
             `split(text, \",\")`"
        }
        "jsonextract" | "jsonvalue" | "getjsonobject" | "jsonquery" => {
            "declare the nested fields, `server: { id: string }`, and write `server.id`"
        }
        "pow" | "power" | "sqrt" | "exp" | "log" | "ln" | "log10" | "sin" | "cos" => {
            "use `+`, `-`, `*`, `/`, `%`, `abs`, `round`, `floor` or `ceil`; a host can register \
             more functions"
        }
        "nullif" => "write `if a == b then null else a`",
        "typeof" => "the type of a field is known from its declaration",
        _ => return None,
    })
}
