//! The commit: snapshots, outputs and offsets together.

use std::time::Instant;

use super::{Worker, failed};
use crate::{
    Client, ClientError, Committed, Delivery, ErrorKind, Processor, ProcessorError, WorkerError,
};

/// What the broker accepts as metadata of an offset, unless it is set up otherwise.
const MAX_NAME: usize = 4096;

impl<C: Client, P: Processor> Worker<C, P> {
    /// Commits all tasks that changed.
    ///
    /// The snapshots are written before the offsets that name them are sent. The other order would
    /// commit the name of a snapshot that a crash may prevent.
    pub(super) fn commit(&mut self) -> Result<(), WorkerError> {
        let began = Instant::now();
        self.last_commit = began;
        let changed = self.tasks.iter().filter(|(_, task)| task.changed);
        let changed: Vec<i32> = changed.map(|(number, _)| *number).collect();
        if changed.is_empty() && !self.open {
            return Ok(());
        }
        let mut names = Vec::with_capacity(changed.len());
        let mut offsets = Vec::new();
        for number in changed {
            let name = self.snapshot(number)?;
            for (partition, offset) in &self.tasks[&number].positions {
                offsets.push(Committed {
                    partition: partition.clone(),
                    offset: Some(*offset),
                    metadata: name.clone(),
                });
            }
            names.push((number, name));
        }
        self.begin()?;
        match self.config.delivery {
            Delivery::ExactlyOnce => {
                self.retry(|client, timeout| client.send_offsets(&offsets, timeout))?;
                self.retry(C::commit)?;
            }
            Delivery::AtLeastOnce => {
                self.retry(C::flush)?;
                self.retry(|client, timeout| client.send_offsets(&offsets, timeout))?;
            }
        }
        self.open = false;
        self.aborts = 0;
        for (number, name) in &names {
            if let Some(task) = self.tasks.get_mut(number) {
                task.changed = false;
            }
            self.processor.committed(*number, name);
        }
        self.stats.record_commit(began.elapsed());
        self.last_commit = Instant::now();
        Ok(())
    }

    /// Writes the snapshot of a task, and returns its name.
    fn snapshot(&mut self, number: i32) -> Result<String, WorkerError> {
        let name = self.processor.snapshot(number).and_then(|name| match name.len() {
            1..=MAX_NAME => Ok(name),
            length => Err(ProcessorError::from(format!(
                "the name of a snapshot has {length} bytes, but 1 to {MAX_NAME} are allowed"
            ))),
        });
        name.map_err(|source| failed(number, "write a snapshot of", source))
    }

    /// Makes a call, and repeats it after retriable errors.
    pub(super) fn retry<T>(
        &mut self,
        mut call: impl FnMut(&mut C, std::time::Duration) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut attempt = 1;
        loop {
            match call(&mut self.client, self.config.call_timeout) {
                Err(error)
                    if error.kind == ErrorKind::Retriable
                        && attempt < self.config.call_attempts =>
                {
                    self.stats.retries.add(1);
                    self.stats.record_error(&error.message);
                    std::thread::sleep(self.pause(attempt));
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }
}
