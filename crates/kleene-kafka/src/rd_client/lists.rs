//! Lists of partitions, from and to those of librdkafka.

use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use crate::{Committed, Partition, Position};

pub(super) fn partitions_of(list: &TopicPartitionList) -> Vec<Partition> {
    let elements = list.elements();
    elements.iter().map(|one| Partition::new(one.topic(), one.partition())).collect()
}

pub(super) fn list_of<'a>(
    partitions: impl IntoIterator<Item = &'a Partition>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, partition.number);
    }
    list
}

pub(super) fn list_of_positions<'a>(
    positions: impl IntoIterator<Item = &'a Position>,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for position in positions {
        let mut element = list.add_partition(&position.partition.topic, position.partition.number);
        element.set_offset(Offset::Offset(position.offset))?;
    }
    Ok(list)
}

pub(super) fn list_of_offsets(offsets: &[Committed]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for entry in offsets {
        let mut element = list.add_partition(&entry.partition.topic, entry.partition.number);
        element.set_offset(entry.offset.map_or(Offset::Invalid, Offset::Offset))?;
        element.set_metadata(&entry.metadata);
    }
    Ok(list)
}
