//! The engine of a run.

use std::path::Path;

use anyhow::{Context as _, Result};
use kleene::Record;
use kleene::stream::{Engine, EngineBuilder, Verdict};

use crate::args::{RunArgs, Strategy};
use crate::rules::Loaded;
use crate::state::Resumed;
use crate::stderr::say;
use crate::summary::shown;
use kleene_host::spill::Spill;
use kleene_input::Position;
use kleene_report::counts::grouped;

/// The engine, new or as it was when the run ended before.
pub(super) fn build(
    args: &RunArgs,
    loaded: &Loaded,
    from: Option<&Resumed>,
    spill: Option<Spill>,
) -> Result<Engine<Record>> {
    let builder = match spill {
        Some(spill) => builder(args, loaded).cold_store(spill, args.state.keys_in_memory),
        None => builder(args, loaded),
    };
    let Some(from) = from else { return Ok(builder.build()?) };
    let (engine, replacement) = builder
        .restore(&from.snapshots.iter().map(Vec::as_slice).collect::<Vec<_>>())
        .context("cannot resume from this state (to start again, remove its directory)")?;
    if !args.quiet {
        let Position { offset, line } = from.position;
        let origin = if args.events.input == Path::new("-") {
            format!(
                "cannot read standard input again: it must continue after its first {} bytes",
                grouped(offset)
            )
        } else {
            format!("resuming at line {}", grouped(line))
        };
        let stats = engine.stats();
        let (events, partials) = (grouped(stats.events), shown(stats.partials));
        say(&format!("{origin}, after {events} events and with {partials} partial matches open"));
        for change in replacement.rules {
            if change.verdict != Verdict::Unchanged {
                say(&format!("the rules changed since the checkpoint: {change}"));
            }
        }
    }
    Ok(engine)
}

pub(super) fn builder(args: &RunArgs, loaded: &Loaded) -> EngineBuilder<Record> {
    let builder = Engine::builder().rules(&loaded.set.clone());
    let builder = match args.matching.strategy {
        Strategy::Auto => builder,
        Strategy::General => builder.general_strategy(),
        Strategy::Compact => builder.compact_strategy(),
        Strategy::NoCompact => builder.without_compact_strategy(),
    };
    let builder = match args.matching.matches_per_set {
        Some(matches) => builder.limit_matches_per_set(matches),
        None => builder,
    };
    let builder = match args.matching.graph_nodes_per_key {
        Some(nodes) => builder.limit_graph_nodes_per_key(nodes),
        None => builder,
    };
    let builder = match args.matching.steps_per_event {
        Some(steps) => builder.limit_steps_per_event(steps),
        None => builder,
    };
    match args.events.out_of_order {
        Some(bound) => builder.out_of_order(bound),
        None => builder.in_order(),
    }
}
