//! The workloads of `bench.mjs` over their records, with the loop inside of the module.

use kleene::Sink;
use kleene::stream::{EngineBuilder, Ignore};
use wasm_bindgen::prelude::wasm_bindgen;

use kleene_wasm_engine::Indexed;

#[path = "../../../benches/workloads/mod.rs"]
mod suite;

/// A workload with its events.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Bench {
    rules: kleene::RuleSet,
    events: Vec<Indexed>,
}

#[wasm_bindgen]
impl Bench {
    /// Returns the workload of this id with about `events` events; `None` if there is none.
    pub fn of(id: &str, events: usize) -> Option<Bench> {
        let workload = suite::Workload::of(id)?;
        let rules = workload.rule_set(1);
        let events = workload.generate(rules.schema(), events, 1);
        Some(Bench { rules, events: events.into_iter().map(Indexed::from).collect() })
    }

    /// Returns the number of events.
    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// Pushes all events into a new engine. Returns the number of matches and timeouts, or nothing
    /// if the rules cannot be run.
    pub fn run(&self) -> Option<f64> {
        let builder = EngineBuilder::<Indexed>::new().rules(&self.rules.clone()).in_order();
        let mut engine = builder.build().ok()?;
        let sink: &mut dyn Sink<Indexed> = &mut Ignore;
        for event in &self.events {
            kleene_wasm_engine::push(&mut engine, event, sink).ok()?;
        }
        kleene_wasm_engine::end_time(&mut engine, sink).ok()?;
        let stats = engine.stats();
        #[expect(clippy::cast_precision_loss, reason = "a count to compare")]
        Some((stats.matches + stats.timeouts) as f64)
    }
}
