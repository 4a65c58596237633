//! Work on all shards between two batches: counts, snapshots, new rules.

use std::sync::Arc;
use std::sync::mpsc;

use kleene::event::Portable;
use kleene::schema::Schema;
use kleene::stream::{Replacement, SourceId, Stats};
use kleene::{Event, RuleSet};
use kleene_engine::Shard;

use crate::batch::Batch;
use crate::error::{ReplaceError, Stopped};
use crate::merge::Cut;
use crate::pipeline::{Action, Message, Pipeline};

impl<E, B, C> Pipeline<E, B, C>
where
    E: Event + Send + Sync + 'static,
    B: Batch<E>,
{
    /// Returns what the numbers of event types and fields mean, as for
    /// [`Engine::schema`](kleene::Engine::schema).
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The counts of all shards together, after all batches that were sent. Waits until what comes
    /// of them is reported.
    ///
    /// # Errors
    /// If a thread has ended; [`stop`](Pipeline::stop) returns the reason.
    pub fn stats(&mut self) -> Result<Stats, Stopped> {
        self.cut(Next::SameShards, |_| Box::new(|_| {}))
    }

    /// Drops the partial matches that are out of time and report nothing, as
    /// [`Engine::sweep`](kleene::Engine::sweep) does, after all batches that were sent. Returns the
    /// counts of all shards together.
    ///
    /// # Errors
    /// If a thread has ended; [`stop`](Pipeline::stop) returns the reason.
    pub fn sweep(&mut self) -> Result<Stats, Stopped> {
        self.cut(Next::SameShards, |_| {
            Box::new(|shard: &mut Option<Shard<E>>| {
                if let Some(shard) = shard {
                    shard.sweep();
                }
            })
        })
    }

    /// Returns the name of each rule and the steps that all shards took for it, as
    /// [`Engine::steps_by_rule`](kleene::Engine::steps_by_rule) does, after all batches that were
    /// sent.
    ///
    /// # Errors
    /// If a thread has ended; [`stop`](Pipeline::stop) returns the reason.
    pub fn steps_by_rule(&mut self) -> Result<Vec<(Arc<str>, u64)>, Stopped> {
        let (sender, counted) = mpsc::channel();
        self.cut(Next::SameShards, |_| {
            let sender = sender.clone();
            Box::new(move |shard: &mut Option<Shard<E>>| {
                let steps = shard.iter().flat_map(Shard::steps_by_rule);
                let steps: Vec<_> = steps.map(|(rule, steps)| (rule.name.clone(), steps)).collect();
                // Fails if the host has panicked.
                let _ = sender.send(steps);
            })
        })?;
        drop(sender);
        let mut sums: Vec<(Arc<str>, u64)> = Vec::new();
        for counts in counted {
            sums.resize_with(sums.len().max(counts.len()), || (Arc::from(""), 0));
            for (sum, (name, steps)) in sums.iter_mut().zip(counts) {
                *sum = (name, sum.1 + steps);
            }
        }
        Ok(sums)
    }

    /// Returns the source with this name in all shards. A new name makes a new source. Waits until the
    /// batches that were sent are reported.
    ///
    /// # Errors
    /// If a thread has ended; [`stop`](Pipeline::stop) returns the reason.
    pub fn source(&mut self, name: &str) -> Result<SourceId, Stopped> {
        let (sender, made) = mpsc::channel();
        self.cut(Next::SameShards, |_| {
            let (sender, name) = (sender.clone(), name.to_owned());
            Box::new(move |shard: &mut Option<Shard<E>>| {
                if let Some(shard) = shard {
                    // Fails if the host has panicked.
                    let _ = sender.send(shard.source(&name));
                }
            })
        })?;
        // All shards make the same sources in the same order, so their ids are the same.
        made.recv().map_err(|_| Stopped)
    }

    /// Replaces the rules of all shards, between two batches, as
    /// [`Runner::replace_rules`](crate::Runner::replace_rules) does between two events. Batches
    /// that are sent after it have to have the numbers of [`schema`](Pipeline::schema).
    ///
    /// # Errors
    /// If a rule cannot run over these events; the old rules then continue. Or if a thread
    /// has ended.
    pub fn replace_rules(&mut self, rules: &RuleSet) -> Result<Replacement, ReplaceError> {
        let all = self.stats()?;
        let (sender, taken) = mpsc::channel();
        self.cut(Next::SameShards, |index| {
            let sender = sender.clone();
            Box::new(move |shard: &mut Option<Shard<E>>| {
                // Fails if the host has panicked.
                let _ = sender.send((index, shard.take()));
            })
        })?;
        drop(sender);
        let shards = in_order(&taken);
        let (shards, result) = Shard::replace_rules(shards, self.lanes.len(), &all, rules);
        if let Some(first) = shards.first() {
            self.schema = first.schema().clone();
        }
        let mut shards = shards.into_iter();
        self.cut(Next::NewShards, |_| {
            let new = shards.next();
            Box::new(move |shard| *shard = new)
        })?;
        Ok(result?)
    }

    /// Sends a task to all threads between two batches, and waits until everything before it is
    /// reported. Returns the counts at that moment.
    fn cut(
        &mut self,
        next: Next,
        mut action: impl FnMut(usize) -> Action<E>,
    ) -> Result<Stats, Stopped> {
        let (done, stats) = mpsc::channel();
        let mut cut = Some(Cut { done, is_new: next == Next::NewShards });
        for (index, lane) in self.lanes.iter().enumerate() {
            lane.send(Message::Cut(action(index), cut.take())).map_err(|_| Stopped)?;
        }
        stats.recv().map_err(|_| Stopped)
    }
}

impl<E, B, C> Pipeline<E, B, C>
where
    E: Event + Portable + Send + Sync + 'static,
    B: Batch<E>,
{
    /// All that the shards hold after the batches that were sent, as
    /// [`Runner::snapshot`](crate::Runner::snapshot) gives it.
    ///
    /// # Errors
    /// If a thread has ended; [`stop`](Pipeline::stop) returns the reason.
    pub fn snapshot(&mut self) -> Result<Vec<Vec<u8>>, Stopped> {
        let all = self.stats()?;
        let (sender, parts) = mpsc::channel();
        self.cut(Next::SameShards, |index| {
            let sender = sender.clone();
            Box::new(move |shard: &mut Option<Shard<E>>| {
                let bytes = shard.as_ref().map(|shard| shard.snapshot(&all));
                // Fails if the host has panicked.
                let _ = sender.send((index, bytes));
            })
        })?;
        drop(sender);
        Ok(in_order(&parts))
    }
}

/// The shards that continue after a cut.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Next {
    SameShards,
    NewShards,
}

/// Returns the answers of threads, in the order of the threads' numbers.
fn in_order<T>(sent: &mpsc::Receiver<(usize, Option<T>)>) -> Vec<T> {
    let mut sent: Vec<(usize, Option<T>)> = sent.iter().collect();
    sent.sort_by_key(|(index, _)| *index);
    sent.into_iter().filter_map(|(_, item)| item).collect()
}
