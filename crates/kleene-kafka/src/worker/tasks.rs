//! The tasks that come and go.

use std::collections::{BTreeMap, BTreeSet};

use super::{Task, Worker, failed};
use crate::{
    Client, ClientError, Committed, ErrorKind, Flow, Partition, Position, Processor, Start,
    WorkerError,
};

/// A task with its committed state, before it is opened.
#[derive(Debug, Default)]
struct Plan {
    snapshot: Option<String>,
    positions: BTreeMap<Partition, i64>,
}

impl<C: Client, P: Processor> Worker<C, P> {
    /// Opens the tasks of assigned partitions, and reads from their committed offsets.
    pub(super) fn take_on(&mut self, partitions: &[Partition]) -> Result<(), WorkerError> {
        self.check_whole(partitions)?;
        let positions = self.open_from_committed(partitions)?;
        // Even an empty list is answered: the group waits for it.
        self.client.assign(&positions)?;
        if self.flow == Flow::Paused {
            self.client.set_flow(partitions, Flow::Paused)?;
        }
        self.count_paused();
        Ok(())
    }

    /// Opens all tasks again, from what was committed.
    pub(super) fn reopen(&mut self) -> Result<(), WorkerError> {
        let partitions = self.partitions();
        if partitions.is_empty() {
            return Ok(());
        }
        let positions = self.open_from_committed(&partitions)?;
        self.retry(|client, timeout| client.seek(&positions, timeout))?;
        Ok(())
    }

    /// Commits, and gives up partitions that another worker is waiting for.
    pub(super) fn revoke(&mut self, partitions: &[Partition]) -> Result<(), WorkerError> {
        let committed = self.commit();
        if let Err(error) = &committed
            && !matches!(error.kind(), Some(ErrorKind::Retriable | ErrorKind::Abort))
        {
            return committed;
        }
        self.drop_tasks(partitions);
        self.client.release(partitions)?;
        // The tasks that stay are opened again by the recovery.
        committed
    }

    /// Gives up partitions that another worker has already.
    pub(super) fn lose(&mut self, partitions: &[Partition]) -> Result<(), WorkerError> {
        let changed = self.open || self.tasks.values().any(|task| task.changed);
        self.drop_tasks(partitions);
        self.client.release(partitions)?;
        if !changed {
            return Ok(());
        }
        // The open transaction has outputs of the lost tasks.
        Err(WorkerError::Client(ClientError::new(
            ErrorKind::Abort,
            "the group gave partitions to another worker, as this one was too slow: the transaction \
             is aborted. Raise session.timeout.ms or max.poll.interval.ms if that happens often",
        )))
    }

    fn drop_tasks(&mut self, partitions: &[Partition]) {
        for number in partitions.iter().map(|partition| partition.number).collect::<BTreeSet<_>>() {
            if self.tasks.remove(&number).is_some() {
                self.processor.close(number);
            }
        }
        self.stats.tasks.set(self.tasks.len() as u64);
        self.count_paused();
    }

    pub(super) fn close_all(&mut self) {
        let partitions = self.partitions();
        self.drop_tasks(&partitions);
    }

    /// Checks that a task has its partitions of all topics. A group may tear it apart.
    fn check_whole(&self, partitions: &[Partition]) -> Result<(), WorkerError> {
        let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
        for partition in partitions {
            *counts.entry(partition.number).or_default() += 1;
        }
        let topics = self.config.topics.len();
        match counts.iter().find(|(_, count)| **count != topics) {
            Some((task, count)) => Err(WorkerError::Layout(format!(
                "this worker got partition {task} of {count} of {topics} input topics: set \
                 partition.assignment.strategy to range in all workers of the group"
            ))),
            None => Ok(()),
        }
    }

    /// Loads the committed states of all tasks that these partitions belong to.
    fn open_from_committed(
        &mut self,
        partitions: &[Partition],
    ) -> Result<Vec<Position>, WorkerError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let committed = self.retry(|client, timeout| client.committed(partitions, timeout))?;
        let mut plans: BTreeMap<i32, Plan> = BTreeMap::new();
        for entry in &committed {
            let offset = match entry.offset {
                Some(offset) => offset,
                None => self.start_of(&entry.partition)?,
            };
            let plan = plans.entry(entry.partition.number).or_default();
            plan.positions.insert(entry.partition.clone(), offset);
        }
        for (number, plan) in &mut plans {
            plan.snapshot = agreed_snapshot(*number, &committed)?;
        }
        let mut positions = Vec::with_capacity(partitions.len());
        for (number, plan) in plans {
            // The task is in the table first: if it cannot be opened, it is closed with the others.
            let places = plan.positions.iter();
            positions.extend(places.map(|(partition, offset)| Position {
                partition: partition.clone(),
                offset: *offset,
            }));
            self.tasks.insert(number, Task { positions: plan.positions, changed: false });
            self.processor
                .open(number, plan.snapshot.as_deref())
                .map_err(|source| failed(number, "open", source))?;
        }
        self.stats.tasks.set(self.tasks.len() as u64);
        Ok(positions)
    }

    /// The offset at which a partition is read before its first commit.
    fn start_of(&mut self, partition: &Partition) -> Result<i64, WorkerError> {
        let (low, high) = self.retry(|client, timeout| client.watermarks(partition, timeout))?;
        Ok(match self.config.start {
            Start::Earliest => low,
            Start::Latest => high,
        })
    }
}

/// The snapshot that the metadata of all committed offsets of a task name.
fn agreed_snapshot(task: i32, committed: &[Committed]) -> Result<Option<String>, WorkerError> {
    let mut named: Option<&str> = None;
    for entry in committed {
        // A topic that was added to the inputs has no offset yet.
        if entry.partition.number != task || entry.offset.is_none() {
            continue;
        }
        match named {
            Some(name) if name != entry.metadata => {
                return Err(WorkerError::Layout(format!(
                    "the committed offsets of task {task} name two snapshots, '{name}' and '{}': \
                     reset the offsets of all input topics together",
                    entry.metadata
                )));
            }
            _ => named = Some(&entry.metadata),
        }
    }
    Ok(named.filter(|name| !name.is_empty()).map(str::to_owned))
}
