//! The paths that events take through ingest, counted in unit tests only.
//!
//! All paths give the same outputs, so no output shows which path an event took. A test that means
//! to try one path asks these counts.

/// A path of an event from its arrival to the rules.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum IngestPath {
    /// In order, to the rules at once, by direct delivery.
    Direct,
    /// In order, in a group whose keys were looked up before.
    Classified,
    /// In order, to the rules at once, by observed delivery.
    Observed,
    /// Through the reorder buffer, which owns the event.
    Buffered,
    /// Through the reorder buffer, which borrows the event of a batch.
    Lent,
}

/// The number of events by path; nothing at all outside of unit tests.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    #[cfg(test)]
    counts: [usize; 5],
}

impl Paths {
    /// Counts events of a path.
    #[cfg(test)]
    pub(super) fn count(&mut self, path: IngestPath, events: usize) {
        self.counts[path as usize] += events;
    }

    /// Does nothing outside of unit tests.
    #[cfg(not(test))]
    #[inline(always)]
    pub(super) fn count(&mut self, _: IngestPath, _: usize) {
        let Paths {} = self;
    }

    /// Returns the number of events of a path.
    #[cfg(test)]
    pub(super) fn of(&self, path: IngestPath) -> usize {
        self.counts[path as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::IngestPath;
    use crate::ruleset::RuleSet;
    use crate::stream::keys::MIN_OPEN_RUNS;
    use crate::stream::{Engine, EngineBuilder};
    use crate::{Plain, Shard};
    use kleene_event::event::Record;
    use kleene_event::time::Timestamp;
    use kleene_event::value::Value;

    fn builder(clauses: &str) -> EngineBuilder<Record> {
        let text = format!(
            "event a {{ k: int, at: time }}\nevent b {{ k: int, at: time }}\n\
             rule r {{ key k  match a -> b  within 1d  {clauses} }}"
        );
        let rules = RuleSet::parse(&text).expect("the rule is right");
        Engine::builder().rules(&rules).limit_partials(u64::MAX)
    }

    fn event(at: i64, k: i64) -> Record {
        let at = Timestamp::from_millis(at);
        Record::new(kleene_event::schema::TypeId::new(0), at, vec![Value::Int(k), Value::Time(at)])
    }

    fn paths(engine: &Engine<Record>) -> Vec<(IngestPath, usize)> {
        let all = [
            IngestPath::Direct,
            IngestPath::Classified,
            IngestPath::Observed,
            IngestPath::Buffered,
            IngestPath::Lent,
        ];
        let counts = all.map(|path| (path, engine.ingest().paths.of(path)));
        counts.into_iter().filter(|(_, events)| *events > 0).collect()
    }

    #[test]
    fn events_in_order_are_delivered_directly() {
        let mut engine = builder("").build().unwrap();
        engine.push(&event(1, 1), &mut Vec::new()).unwrap();
        engine.push_batch(&[event(2, 2), event(3, 3)], &mut Vec::new()).unwrap();
        assert_eq!(paths(&engine), [(IngestPath::Direct, 3)]);
    }

    #[test]
    fn with_a_limit_that_fails_delivery_is_observed() {
        let mut engine = builder("limit 9 partials fail").build().unwrap();
        engine.push(&event(1, 1), &mut Vec::new()).unwrap();
        engine.push_batch(&[event(2, 2), event(3, 3)], &mut Vec::new()).unwrap();
        assert_eq!(paths(&engine), [(IngestPath::Observed, 3)]);
        // A change of the rules chooses anew.
        let rules = RuleSet::parse(
            "event a { k: int, at: time }\nrule r { key k  match a  emit { k: a.k } }",
        );
        engine.replace_rules(&rules.unwrap()).unwrap();
        engine.push(&event(4, 4), &mut Vec::new()).unwrap();
        assert_eq!(paths(&engine), [(IngestPath::Direct, 1), (IngestPath::Observed, 3)]);
    }

    #[test]
    fn shards_are_observed() {
        let mut shards = Shard::build(builder(""), 2).unwrap();
        assert_eq!(shards.len(), 2);
        shards[0].push(&event(1, 1), &mut Plain(&mut Vec::new())).unwrap();
        assert_eq!(paths(&shards[0].0), [(IngestPath::Observed, 1)]);
    }

    #[test]
    fn events_that_may_come_out_of_order_wait_in_the_buffer() {
        let mut engine = builder("").out_of_order(Duration::from_millis(5)).build().unwrap();
        engine.push(&event(1, 1), &mut Vec::new()).unwrap();
        assert_eq!(paths(&engine), [(IngestPath::Buffered, 1)]);
        engine.push_batch(&[event(2, 2), event(3, 3)], &mut Vec::new()).unwrap();
        assert_eq!(paths(&engine), [(IngestPath::Buffered, 1), (IngestPath::Lent, 2)]);
    }

    #[test]
    fn a_batch_beside_many_open_runs_is_classified() {
        let mut engine = builder("").build().unwrap();
        let open = i64::try_from(MIN_OPEN_RUNS).unwrap();
        let events: Vec<Record> = (0..open + 100).map(|k| event(k, k)).collect();
        engine.push_batch(&events, &mut Vec::new()).unwrap();
        let [(IngestPath::Direct, direct), (IngestPath::Classified, classified)] =
            paths(&engine)[..]
        else {
            panic!("{:?}", paths(&engine));
        };
        assert_eq!(direct, usize::try_from(MIN_OPEN_RUNS).unwrap());
        assert_eq!(direct + classified, events.len());
    }
}
