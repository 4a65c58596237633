//! What follows an error.

use std::time::Duration;

use super::{Phase, Worker};
use crate::{Client, Delivery, ErrorKind, Flow, Processor, WorkerError};

impl<C: Client, P: Processor> Worker<C, P> {
    /// Recovers from an error, or returns it if it ends the worker.
    pub(super) fn recover(&mut self, error: WorkerError) -> Result<(), WorkerError> {
        if error.kind() != Some(ErrorKind::Abort) {
            // A retriable call was repeated already. Only a new producer can decide its outcome.
            return self.break_down(error);
        }
        self.stats.record_error(&error.to_string());
        self.aborts += 1;
        if self.aborts > self.config.abort_limit {
            return self.give_up(error);
        }
        if self.aborts > 1 {
            std::thread::sleep(self.pause(self.aborts - 1));
        }
        self.abort_and_reopen().or_else(|error| self.break_down(error))
    }

    /// Aborts the transaction and opens all tasks from what was committed.
    fn abort_and_reopen(&mut self) -> Result<(), WorkerError> {
        self.outbox.clear();
        if self.open {
            self.stats.aborts.add(1);
            self.retry(C::abort)?;
            self.open = false;
        }
        if self.flow == Flow::Paused {
            let partitions = self.partitions();
            self.client.set_flow(&partitions, Flow::Running)?;
            self.flow = Flow::Running;
            self.count_paused();
        }
        self.reopen()
    }

    /// Marks the client as broken, unless the error ends the worker.
    fn break_down(&mut self, error: WorkerError) -> Result<(), WorkerError> {
        match error.kind() {
            Some(ErrorKind::Retriable | ErrorKind::Abort) => {
                self.stats.record_error(&error.to_string());
                self.phase = Phase::Broken;
                Ok(())
            }
            Some(ErrorKind::Fenced | ErrorKind::Fatal) | None => self.give_up(error),
        }
    }

    /// Ends the work without a commit.
    fn give_up(&mut self, error: WorkerError) -> Result<(), WorkerError> {
        if error.kind() == Some(ErrorKind::Fenced) {
            self.stats.fenced.set(1);
            // The newer producer has ended the transaction.
            self.open = false;
        }
        self.abandon();
        self.close_all();
        Err(error)
    }

    /// Closes all tasks and connects again, once. A failure is tried again in the next turn.
    pub(super) fn rebuild(&mut self) -> Result<(), WorkerError> {
        self.close_all();
        self.outbox.clear();
        if self.open && self.config.delivery == Delivery::ExactlyOnce {
            self.stats.aborts.add(1);
        }
        self.open = false;
        self.flow = Flow::Running;
        self.count_paused();
        self.stats.rebuilds.add(1);
        match self.client.rebuild(self.config.call_timeout) {
            Ok(()) => {
                self.phase = Phase::Connected;
                self.failures = 0;
                Ok(())
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                std::thread::sleep(self.pause(self.failures));
                self.break_down(error.into())
            }
        }
    }

    /// The pause after the given number of failures.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let factor = 1_u32 << (failures.saturating_sub(1)).min(10);
        self.config.backoff.saturating_mul(factor).min(self.config.backoff_max)
    }

    /// Aborts an open transaction if the broker can be reached, so that readers need not wait for its
    /// timeout. It is aborted in any case.
    pub(super) fn abandon(&mut self) {
        if self.open && self.config.delivery == Delivery::ExactlyOnce {
            self.stats.aborts.add(1);
            let _ = self.client.abort(self.config.call_timeout);
        }
        self.open = false;
    }
}
