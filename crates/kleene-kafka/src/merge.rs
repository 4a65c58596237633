//! Records of several partitions in the order of their times.

use std::collections::VecDeque;

/// Merges the records of partitions. Each partition keeps its own order.
#[derive(Debug)]
pub(crate) struct Merge<T> {
    partitions: Vec<Lane<T>>,
}

#[derive(Debug)]
struct Lane<T> {
    /// The records that wait, each with the greatest time of the partition so far.
    waiting: VecDeque<(i64, T)>,
    newest: i64,
    has_ended: bool,
}

impl<T> Merge<T> {
    pub(crate) fn new(partitions: usize) -> Merge<T> {
        let lane = || Lane { waiting: VecDeque::new(), newest: i64::MIN, has_ended: false };
        Merge { partitions: (0..partitions).map(|_| lane()).collect() }
    }

    /// Adds a record of a partition. Returns the number of its records that wait.
    pub(crate) fn push(&mut self, partition: usize, time: i64, record: T) -> usize {
        let Some(lane) = self.partitions.get_mut(partition) else { return 0 };
        lane.newest = lane.newest.max(time);
        lane.waiting.push_back((lane.newest, record));
        lane.waiting.len()
    }

    /// No record of a partition comes any more.
    pub(crate) fn end(&mut self, partition: usize) {
        if let Some(lane) = self.partitions.get_mut(partition) {
            lane.has_ended = true;
        }
    }

    /// Returns the partition that a record has to come from before the next one is known.
    pub(crate) fn awaited(&self) -> Option<usize> {
        self.partitions.iter().position(|lane| lane.waiting.is_empty() && !lane.has_ended)
    }

    /// Returns the next record with its partition and the number of its records that still wait;
    /// `None` while one is awaited, and after the last one.
    pub(crate) fn pop(&mut self) -> Option<(usize, usize, T)> {
        if self.awaited().is_some() {
            return None;
        }
        let heads = self.partitions.iter().enumerate();
        let heads = heads.filter_map(|(at, lane)| Some((lane.waiting.front()?.0, at)));
        let (_, partition) = heads.min()?;
        let lane = &mut self.partitions[partition];
        let (_, record) = lane.waiting.pop_front()?;
        Some((partition, lane.waiting.len(), record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_by_time_and_each_partition_in_its_order() {
        let mut merge = Merge::new(3);
        merge.push(0, 5, "a5");
        merge.push(0, 3, "a3");
        merge.push(0, 9, "a9");
        assert!(merge.pop().is_none() && merge.awaited() == Some(1));
        merge.push(1, 4, "b4");
        merge.end(1);
        merge.end(2);
        let mut all = Vec::new();
        while let Some((_, _, record)) = merge.pop() {
            all.push(record);
        }
        // The partition is not at an end: what comes may be earlier than what waits elsewhere.
        assert_eq!(all, ["b4", "a5", "a3", "a9"]);
        assert_eq!(merge.awaited(), Some(0));
        merge.push(0, 7, "a7");
        merge.end(0);
        assert_eq!(merge.pop(), Some((0, 0, "a7")));
        assert!(merge.pop().is_none() && merge.awaited().is_none());
    }
}
