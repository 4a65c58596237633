//! The origin of a rule set as bytes, stored in a snapshot so that the rule set can be built again
//! for partial matches that continue under other rules.

use std::sync::Arc;

use crate::ruleset::builder::RuleSetBuilder;
use crate::ruleset::origin::Origin;
use crate::ruleset::set::RuleSet;
use kleene_event::schema::Schema;
use kleene_event::util::wire::{Reader, put_bytes, put_len};
use kleene_syntax::diagnostic::Source;

impl RuleSet {
    /// Appends the origin, except for the host's functions.
    pub(crate) fn write_origin(&self, out: &mut Vec<u8>) {
        let Origin { sources, types, params, loaded, .. } = self.origin();
        put_len(out, sources.len());
        for source in sources {
            put_bytes(out, source.name.as_bytes());
            put_bytes(out, source.text.as_bytes());
        }
        put_len(out, params.len());
        for param in params {
            put_bytes(out, param.name.as_bytes());
            put_bytes(out, param.value.as_bytes());
        }
        put_len(out, loaded.len());
        for file in loaded {
            put_bytes(out, file.from.as_bytes());
            put_bytes(out, file.path.as_bytes());
            put_bytes(out, file.text.as_bytes());
        }
        if !types.is_empty() {
            put_len(out, types.len());
            for ty in types {
                put_bytes(out, ty.name.as_bytes());
            }
        }
    }

    /// Builds the rule set again, with the host functions of `others` and the event types of
    /// `events` that a Rust type had declared. `None` if `bytes` are not an origin, or if the rules
    /// have errors now.
    pub(crate) fn from_origin<'a>(
        bytes: &[u8],
        others: impl Iterator<Item = &'a RuleSet>,
        events: Option<&Schema>,
    ) -> Option<RuleSet> {
        let mut reader = Reader::new(bytes);
        let mut builder = RuleSetBuilder::of_running_rules();
        for _ in 0..reader.count()? {
            let name = reader.str()?;
            builder = builder.source(Source::new(name, reader.str()?));
        }
        for _ in 0..reader.count()? {
            let name = reader.str()?;
            builder = builder.param(name, reader.str()?);
        }
        let files = reader.list(|reader| Some((reader.str()?, reader.str()?, reader.str()?)))?;
        // Only where a Rust type has declared some.
        let types = if reader.is_at_end() { 0 } else { reader.count()? };
        for _ in 0..types {
            let name = reader.str()?;
            let ty = events.and_then(|events| Some(events.ty(events.type_id(name)?)))?;
            builder.types.push(ty.clone());
        }
        for function in others.flat_map(|other| &other.origin().functions) {
            if !builder.functions.iter().any(|known| Arc::ptr_eq(known, function)) {
                builder.functions.push(Arc::clone(function));
            }
        }
        let load = |source: &Source, path: &str| {
            let file = files
                .iter()
                .find(|(from, as_written, _)| *from == &*source.name && *as_written == path);
            file.map(|(.., text)| (*text).to_owned()).ok_or_else(|| String::from("it was not kept"))
        };
        builder.loader(load).build().ok().filter(|_| reader.is_at_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kleene_event::value::Kind;
    use kleene_event::value::Value;
    use kleene_syntax::hir::functions::HostFunction;

    #[test]
    fn rules_are_made_again_without_their_files() {
        let is_big = || HostFunction::new("is_big", Kind::BOOL, |_| Value::Bool(true));
        let load = |_: &Source, path: &str| match path {
            "types.cep" => Ok(String::from("event hit { ip: string, n: int, at: time }")),
            "bad.txt" => Ok(String::from("1.2.3.4\n5.6.7.8\n")),
            other => Err(format!("no {other}")),
        };
        let text = "use \"types.cep\"
            list bad: string from \"bad.txt\"
            param most: int = 3
            rule r { match hit[ip in bad and n > $most and is_big(n)] within 1m }";
        let rules = RuleSet::builder()
            .source(Source::new("rules/main.cep", text))
            .param("most", "7")
            .function(is_big().param("n", Kind::INT))
            .loader(load)
            .build()
            .unwrap_or_else(|error| panic!("{error}"));
        let mut bytes = Vec::new();
        rules.write_origin(&mut bytes);
        let again =
            RuleSet::from_origin(&bytes, [&rules].into_iter(), None).expect("they are rules");
        assert_eq!(again.rules()[0].version, rules.rules()[0].version);
        let empty = RuleSet::parse("").expect("an empty text has no mistakes");
        assert!(RuleSet::from_origin(&bytes, [&empty].into_iter(), None).is_none(), "no `is_big`");
        assert!(RuleSet::from_origin(&bytes[1..], [&rules].into_iter(), None).is_none());
    }
}
