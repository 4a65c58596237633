//! Checkpoints are written by a thread of their own, so that the engine never waits for the disk.

use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use kleene_host::checkpoint::Directory;
use serde_json::Value;

use crate::sink::file::Unsettled;

/// What a checkpoint is made of.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) head: Value,
    pub(super) snapshot: Vec<u8>,
    pub(super) is_whole: bool,
    /// The files whose lengths are in the head: they come to the disk first.
    pub(super) files: Vec<Unsettled>,
}

/// A checkpoint that is on the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) bytes: usize,
    pub(super) took: Duration,
    /// True if the next one may hold changes only.
    pub(super) can_follow: bool,
}

/// The thread that writes checkpoints.
#[derive(Debug)]
pub(super) struct Checkpointer {
    jobs: SyncSender<Job>,
    results: Receiver<Result<Done>>,
    is_busy: bool,
}

impl Checkpointer {
    pub(super) fn start(mut directory: Directory) -> Checkpointer {
        let (jobs, to_do) = mpsc::sync_channel::<Job>(1);
        let (done, results) = mpsc::channel();
        thread::spawn(move || {
            for job in to_do {
                if done.send(write(&mut directory, job)).is_err() {
                    return;
                }
            }
        });
        Checkpointer { jobs, results, is_busy: false }
    }

    /// True while a checkpoint is written.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Starts to write a checkpoint. None is written now.
    pub(super) fn start_writing(&mut self, job: Job) {
        self.is_busy = self.jobs.send(job).is_ok();
    }

    /// Returns the result of the checkpoint that was written, if one has been.
    pub(super) fn poll(&mut self) -> Option<Result<Done>> {
        if !self.is_busy {
            return None;
        }
        let result = match self.results.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(ended()),
        };
        self.is_busy = false;
        Some(result)
    }

    /// Waits for the checkpoint that is written.
    pub(super) fn wait(&mut self) -> Option<Result<Done>> {
        if !self.is_busy {
            return None;
        }
        self.is_busy = false;
        Some(self.results.recv().unwrap_or_else(|_| Err(ended())))
    }
}

fn ended() -> anyhow::Error {
    anyhow!("the thread that writes checkpoints has ended")
}

fn write(directory: &mut Directory, job: Job) -> Result<Done> {
    let start = Instant::now();
    for file in job.files {
        file.settle()?;
    }
    directory.write(job.head, &job.snapshot, job.is_whole)?;
    let (bytes, took) = (job.snapshot.len(), start.elapsed());
    Ok(Done { bytes, took, can_follow: directory.can_follow() })
}
