//! The names of options in reasons: each front door has its own.

/// How a front door names its options in reasons.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum OptionNames {
    /// The flags of a command line: `--time-unit us`.
    #[default]
    Flags,
    /// The options of JavaScript: `` `timeUnit: "us"` ``.
    CamelCase,
    /// The keys of a configuration file in TOML: `time_unit = "us"`.
    TomlKeys,
    /// The fields of [`Reading`](crate::Reading) and [`Form`](crate::Form): `Reading::unit`.
    Fields,
}

/// The flags that reasons name, with the option of JavaScript and the field.
const OPTIONS: [(&str, &str, &str); 8] = [
    ("type-field", "typeField", "Reading::type_field"),
    ("type", "type", "Reading::fixed_type"),
    ("time-field", "timeField", "Reading::time_field"),
    ("time-unit", "timeUnit", "Reading::unit"),
    ("max-line", "maxLine", "Form::max_line"),
    ("delimiter", "delimiter", "Form::delimiter"),
    ("format", "format", "Form::format"),
    ("strict", "strict", "Reading::is_strict"),
];

impl OptionNames {
    /// Returns a reason, which names flags, with the names of this front door.
    pub fn spell(self, reason: String) -> String {
        if self == OptionNames::Flags {
            return reason;
        }
        let mut out = String::with_capacity(reason.len());
        let mut rest = &*reason;
        while let Some((before, after)) = rest.split_once("--") {
            out.push_str(before);
            let is_name = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'-';
            let length = after.bytes().take_while(|byte| is_name(byte)).count();
            let (flag, tail) = after.split_at(length);
            let Some((_, camel_case, field)) = OPTIONS.iter().find(|(known, ..)| *known == flag)
            else {
                out.push_str("--");
                rest = after;
                continue;
            };
            let key = flag.replace('-', "_");
            let option = match self {
                OptionNames::Fields => *field,
                OptionNames::TomlKeys => &*key,
                OptionNames::Flags | OptionNames::CamelCase => *camel_case,
            };
            let equals = if self == OptionNames::TomlKeys { " = " } else { ": " };
            let value = tail.strip_prefix(' ').and_then(|tail| tail.split_once('`'));
            rest = match value {
                Some((value, behind)) if out.ends_with('`') => {
                    let quote = if value.starts_with('\'') { "" } else { "\"" };
                    out.extend([option, equals, quote, value, quote, "`"]);
                    behind
                }
                _ => {
                    out.extend(["`", option, "`"]);
                    // The placeholder of a value.
                    let names = [" FIELD", " NAME"];
                    names.iter().find_map(|name| tail.strip_prefix(name)).unwrap_or(tail)
                }
            };
        }
        out + rest
    }
}

#[cfg(test)]
mod tests {
    use super::OptionNames;

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
            assert_eq!(OptionNames::CamelCase.spell(from.to_owned()), to);
            assert_eq!(OptionNames::Flags.spell(from.to_owned()), from);
        }
        let reason = "too long: 9 bytes (--max-line allows more)";
        let fields = OptionNames::Fields.spell(reason.to_owned());
        assert_eq!(fields, "too long: 9 bytes (`Form::max_line` allows more)");
        let reason = "(epoch microseconds? `--time-unit us`, or --max-line)";
        let keys = OptionNames::TomlKeys.spell(reason.to_owned());
        assert_eq!(keys, "(epoch microseconds? `time_unit = \"us\"`, or `max_line`)");
    }
}
