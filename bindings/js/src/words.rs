//! The options of this package in messages that name those of the command line.

/// Flags of `kleene run` that messages about events name, and the options that are meant.
const OPTIONS: [(&str, &str); 8] = [
    ("type-field", "typeField"),
    ("type", "type"),
    ("time-field", "timeField"),
    ("time-unit", "timeUnit"),
    ("max-line", "maxLine"),
    ("delimiter", "delimiter"),
    ("format", "format"),
    ("strict", "strict"),
];

/// A message with options in the place of flags: `` `timeUnit: "us"` `` for `` `--time-unit us` ``.
pub fn in_options(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, after)) = rest.split_once("--") {
        out.push_str(before);
        let is_name = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'-';
        let (flag, tail) = after.split_at(after.bytes().take_while(|byte| is_name(byte)).count());
        let Some((_, option)) = OPTIONS.iter().find(|(known, _)| *known == flag) else {
            out.push_str("--");
            rest = after;
            continue;
        };
        let value = tail.strip_prefix(' ').and_then(|tail| tail.split_once('`'));
        rest = match value {
            Some((value, behind)) if out.ends_with('`') => {
                let quote = if value.starts_with('\'') { "" } else { "\"" };
                out.extend([option, ": ", quote, value, quote, "`"]);
                behind
            }
            _ => {
                out.extend(["`", option, "`"]);
                // What stands for a value.
                [" FIELD", " NAME"].iter().find_map(|name| tail.strip_prefix(name)).unwrap_or(tail)
            }
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::in_options;

    #[test]
    fn flags_become_options() {
        let said = [
            (
                "too long: 9 bytes (--max-line allows more)",
                "too long: 9 bytes (`maxLine` allows more)",
            ),
            ("(epoch microseconds? `--time-unit us`)", "(epoch microseconds? `timeUnit: \"us\"`)"),
            ("help: `--delimiter '\\t'`", "help: `delimiter: '\\t'`"),
            ("`--format jsonl`", "`format: \"jsonl\"`"),
            (
                "name it with --type-field (perhaps `event`), or with --type (`--type login`)",
                "name it with `typeField` (perhaps `event`), or with `type` (`type: \"login\"`)",
            ),
            (
                "(--type-field FIELD, perhaps `x`) (--type NAME)",
                "(`typeField`, perhaps `x`) (`type`)",
            ),
            ("a -- b --other `--` --", "a -- b --other `--` --"),
        ];
        for (from, to) in said {
            assert_eq!(in_options(from), to);
        }
    }
}
