//! A model of a broker and of a store of snapshots, with faults at chosen calls.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    Client, ClientError, Committed, Delivery, ErrorKind, Event, Flow, OutRecord, Outbox, Partition,
    PollLimit, Position, Processor, ProcessorError, Record,
};

/// What happens at one call, of any worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InjectedFault {
    /// The worker dies before the call has its effect.
    CrashBefore,
    /// The worker dies after the call had its effect.
    CrashAfter,
    /// The call times out without an effect.
    LostRequest,
    /// The call has its effect and times out.
    LostAnswer,
    /// The transaction cannot be committed any more.
    Abort,
    /// The group takes a task from the worker, which does not know it yet.
    Steal,
}

/// How the processor breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    None,
    /// It writes the snapshot when the offsets that name it are committed already.
    CommitFirst,
    /// It does not sync the snapshot.
    NoSync,
    /// It removes the committed snapshot when it writes the next one.
    KeepOne,
    /// It goes on with the state that it has when a task is opened again.
    KeepState,
}

/// The state of a task.
#[derive(Clone, Debug, Default)]
struct State {
    /// The records of each key.
    counts: BTreeMap<u8, u64>,
    /// The outputs that wait until they are due.
    held: Vec<String>,
}

#[derive(Debug, Default)]
struct Producer {
    epoch: u32,
    open: bool,
    must_abort: bool,
    offsets: Vec<Committed>,
    /// How often another worker found its offsets pending.
    waited_for: u32,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Committed,
    Aborted,
}

#[derive(Debug)]
struct Output {
    id: usize,
    text: String,
    end: Option<End>,
}

#[derive(Debug, Default)]
struct Member {
    events: VecDeque<Event>,
    positions: BTreeMap<Partition, i64>,
    paused: BTreeSet<Partition>,
    /// The tasks that it was asked to give up.
    revoked: BTreeSet<i32>,
}

#[derive(Debug)]
struct Saved {
    state: State,
    life: usize,
    synced: bool,
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) inputs: BTreeMap<Partition, Vec<u8>>,
    outputs: Vec<Output>,
    producers: BTreeMap<usize, Producer>,
    offsets: BTreeMap<Partition, (i64, String)>,
    store: BTreeMap<String, Saved>,
    members: BTreeMap<usize, Member>,
    /// The member that has a task, and the member that gets it next.
    owners: BTreeMap<i32, (usize, Option<usize>)>,
    pub(super) faults: BTreeMap<usize, InjectedFault>,
    pub(super) calls: usize,
    ids: usize,
    dead: BTreeSet<usize>,
}

pub(super) type Shared = Rc<RefCell<World>>;

fn error(kind: ErrorKind, message: &str) -> ClientError {
    ClientError::new(kind, message)
}

impl World {
    pub(super) fn new(inputs: BTreeMap<Partition, Vec<u8>>) -> Self {
        Self { inputs, ..Self::default() }
    }

    pub(super) fn fresh_id(&mut self) -> usize {
        self.ids += 1;
        self.ids
    }

    pub(super) fn is_drained(&self) -> bool {
        self.inputs.iter().all(|(partition, log)| {
            log.is_empty()
                || self.offsets.get(partition).is_some_and(|(offset, _)| *offset == end(log))
        })
    }

    pub(super) fn is_dead(&self, life: usize) -> bool {
        self.dead.contains(&life)
    }

    /// The outputs that a reader with `isolation.level=read_committed` sees.
    pub(super) fn read_committed(&self) -> Vec<String> {
        let committed = self.outputs.iter().filter(|output| output.end == Some(End::Committed));
        committed.map(|output| output.text.clone()).collect()
    }

    /// The outputs of an undisturbed run, sorted.
    pub(super) fn expected(&self) -> Vec<String> {
        let mut totals: BTreeMap<(i32, u8), u64> = BTreeMap::new();
        for (partition, log) in &self.inputs {
            for key in log {
                *totals.entry((partition.number, *key)).or_default() += 1;
            }
        }
        let mut outputs = Vec::new();
        for ((task, key), total) in totals {
            outputs.extend((1..=total / 3).map(|n| text(task, key, 3 * n)));
        }
        outputs.sort();
        outputs
    }

    fn crash(&mut self, life: usize) {
        self.dead.insert(life);
        self.store.retain(|_, saved| saved.synced || saved.life != life);
    }

    /// Removes a member. The others get its tasks.
    pub(super) fn leave(&mut self, member: usize) {
        self.members.remove(&member);
        for owner in self.owners.values_mut() {
            if owner.1 == Some(member) {
                owner.1 = None;
            }
        }
        self.hand_out();
    }

    /// Assigns the tasks that nobody has.
    fn hand_out(&mut self) {
        let tasks: BTreeSet<i32> = self.inputs.keys().map(|partition| partition.number).collect();
        for task in tasks {
            if self.owners.get(&task).is_some_and(|(owner, _)| self.members.contains_key(owner)) {
                continue;
            }
            let load = |member: usize| self.owners.values().filter(|o| o.0 == member).count();
            if let Some(to) = self.members.keys().copied().min_by_key(|member| load(*member)) {
                self.give(task, to);
            }
        }
    }

    fn give(&mut self, task: i32, to: usize) {
        self.owners.insert(task, (to, None));
        let partitions = self.partitions(task);
        self.members.get_mut(&to).unwrap().events.push_back(Event::Assigned(partitions));
    }

    fn partitions(&self, task: i32) -> Vec<Partition> {
        self.inputs.keys().filter(|partition| partition.number == task).cloned().collect()
    }

    /// Asks the owner of a task for it, on behalf of the next member.
    pub(super) fn move_task(&mut self, task: i32) {
        let Some(&(owner, None)) = self.owners.get(&task) else { return };
        if self.members.get(&owner).is_none_or(|member| member.revoked.contains(&task)) {
            return;
        }
        let to = self.members.keys().copied().find(|member| *member != owner);
        let partitions = self.partitions(task);
        if let (Some(to), Some(member)) = (to, self.members.get_mut(&owner)) {
            self.owners.insert(task, (owner, Some(to)));
            member.revoked.insert(task);
            member.events.push_back(Event::Revoked(partitions));
        }
    }

    /// Gives a task of a member to another one at once.
    fn steal(&mut self, from: usize) {
        let to = self.members.keys().copied().find(|member| *member != from);
        let asked = |task: &i32| {
            self.members.get(&from).is_some_and(|member| member.revoked.contains(task))
        };
        let task = self.owners.iter().find(|(task, owner)| **owner == (from, None) && !asked(task));
        if let (Some(to), Some(task)) = (to, task.map(|(task, _)| *task)) {
            let partitions = self.partitions(task);
            if let Some(member) = self.members.get_mut(&from) {
                member.events.push_back(Event::Lost(partitions));
                self.give(task, to);
            }
        }
    }

    /// Ends a transaction in one way or the other.
    fn end(&mut self, id: usize, end: End) {
        let producer = self.producers.entry(id).or_default();
        producer.open = false;
        producer.must_abort = false;
        producer.waited_for = 0;
        let offsets = std::mem::take(&mut producer.offsets);
        if end == End::Committed {
            for entry in offsets {
                self.offsets.insert(entry.partition, (entry.offset.unwrap(), entry.metadata));
            }
        }
        for output in &mut self.outputs {
            if output.id == id && output.end.is_none() {
                output.end = Some(end);
            }
        }
    }

    fn producer(&mut self, id: usize, epoch: u32) -> Result<&mut Producer, ClientError> {
        let producer = self.producers.entry(id).or_default();
        if producer.epoch == epoch {
            Ok(producer)
        } else {
            Err(error(ErrorKind::Fenced, "there is a newer producer"))
        }
    }

    /// The producers whose open transactions have offsets of these partitions.
    fn pending(&self, partitions: &[Partition]) -> Vec<usize> {
        let holds = |entry: &Committed| partitions.contains(&entry.partition);
        let pending = self.producers.iter().filter(|(_, one)| one.offsets.iter().any(holds));
        pending.map(|(id, _)| *id).collect()
    }
}

fn end(log: &[u8]) -> i64 {
    i64::try_from(log.len()).unwrap()
}

fn text(task: i32, key: u8, count: u64) -> String {
    format!("{task}:{key}:{count:06}")
}

/// A client of the model. Calls take effect one by one.
#[derive(Debug)]
pub(super) struct ModelClient {
    world: Shared,
    delivery: Delivery,
    /// The transactional id.
    id: usize,
    epoch: u32,
    life: usize,
    pub(super) member: usize,
}

impl ModelClient {
    pub(super) fn connect(world: &Shared, delivery: Delivery, id: usize, life: usize) -> Self {
        let mut client = Self { world: Rc::clone(world), delivery, id, epoch: 0, life, member: 0 };
        client.init();
        client
    }

    fn init(&mut self) {
        let mut world = self.world.borrow_mut();
        world.end(self.id, End::Aborted);
        let producer = world.producers.entry(self.id).or_default();
        producer.epoch += 1;
        self.epoch = producer.epoch;
        self.member = world.fresh_id();
    }

    /// Makes a call that may be repeated, with the fault that is planned for it.
    fn call<T>(
        &self,
        effect: impl FnOnce(&mut World) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let world = &mut *self.world.borrow_mut();
        if world.is_dead(self.life) {
            return Err(error(ErrorKind::Fatal, "dead"));
        }
        world.calls += 1;
        match world.faults.get(&world.calls).copied() {
            None => effect(world),
            Some(InjectedFault::CrashBefore) => {
                world.crash(self.life);
                Err(error(ErrorKind::Fatal, "crash"))
            }
            Some(InjectedFault::CrashAfter) => {
                let _ = effect(world);
                world.crash(self.life);
                Err(error(ErrorKind::Fatal, "crash"))
            }
            Some(InjectedFault::LostRequest | InjectedFault::Abort) => {
                Err(error(ErrorKind::Retriable, "lost"))
            }
            Some(InjectedFault::LostAnswer) => {
                let _ = effect(world);
                Err(error(ErrorKind::Retriable, "lost"))
            }
            Some(InjectedFault::Steal) => {
                world.steal(self.member);
                effect(world)
            }
        }
    }

    /// Makes a call that has no effect if it fails.
    fn atomic<T>(
        &self,
        effect: impl FnOnce(&mut World) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        {
            let mut world = self.world.borrow_mut();
            let next = world.calls + 1;
            if world.faults.get(&next) == Some(&InjectedFault::LostAnswer) {
                world.faults.insert(next, InjectedFault::LostRequest);
            }
        }
        self.call(effect)
    }

    /// Makes a call of the transaction.
    fn transact<T>(
        &self,
        effect: impl FnOnce(&mut World) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let abort = {
            let world = self.world.borrow();
            world.faults.get(&(world.calls + 1)) == Some(&InjectedFault::Abort)
        };
        let (id, epoch) = (self.id, self.epoch);
        let checked = |world: &mut World| {
            world.producer(id, epoch)?;
            effect(world)
        };
        if abort {
            let world = &mut *self.world.borrow_mut();
            world.calls += 1;
            world.producer(id, epoch)?.must_abort = true;
            return Err(error(ErrorKind::Abort, "the transaction must be aborted"));
        }
        self.call(checked)
    }

    fn with_member(
        &self,
        change: impl FnOnce(&mut Member) -> Option<Event>,
    ) -> Result<Option<Event>, ClientError> {
        self.atomic(|world| match world.members.get_mut(&self.member) {
            Some(member) => Ok(change(member)),
            None => Err(error(ErrorKind::Retriable, "no member of the group")),
        })
    }
}

impl Client for ModelClient {
    fn partition_count(&mut self, topic: &str, _: Duration) -> Result<Option<i32>, ClientError> {
        self.atomic(|world| {
            let count = world.inputs.keys().filter(|partition| &*partition.topic == topic).count();
            Ok(i32::try_from(count).ok())
        })
    }

    fn watermarks(
        &mut self,
        partition: &Partition,
        _: Duration,
    ) -> Result<(i64, i64), ClientError> {
        self.atomic(|world| Ok((0, end(&world.inputs[partition]))))
    }

    fn subscribe(&mut self, _: &[String], _: Option<&[i32]>) -> Result<(), ClientError> {
        self.atomic(|world| {
            world.members.insert(self.member, Member::default());
            world.hand_out();
            Ok(())
        })
    }

    fn poll(
        &mut self,
        limit: PollLimit,
        records: &mut Vec<Record>,
    ) -> Result<Option<Event>, ClientError> {
        self.atomic(|world| {
            let World { members, inputs, .. } = world;
            let Some(member) = members.get_mut(&self.member) else {
                return Err(error(ErrorKind::Retriable, "no member of the group"));
            };
            if let Some(event) = member.events.pop_front() {
                return Ok(Some(event));
            }
            for (partition, position) in &mut member.positions {
                let log = &inputs[partition];
                while *position < end(log)
                    && records.len() < limit.records
                    && !member.paused.contains(partition)
                {
                    records.push(Record {
                        topic: Arc::clone(&partition.topic),
                        partition: partition.number,
                        offset: *position,
                        key: Some(vec![log[usize::try_from(*position).unwrap()]]),
                        value: None,
                        headers: Vec::new(),
                        timestamp: None,
                    });
                    *position += 1;
                }
            }
            Ok(None)
        })
    }

    fn committed(
        &mut self,
        partitions: &[Partition],
        _: Duration,
    ) -> Result<Vec<Committed>, ClientError> {
        self.atomic(|world| {
            let pending = world.pending(partitions);
            for id in &pending {
                let producer = world.producers.entry(*id).or_default();
                producer.waited_for += 1;
                // The timeout of the transaction: the broker aborts it.
                if producer.waited_for > 3 {
                    producer.epoch += 1;
                    world.end(*id, End::Aborted);
                }
            }
            if !pending.is_empty() {
                return Err(error(ErrorKind::Retriable, "the offsets are not stable"));
            }
            let committed = |partition: &Partition| {
                let entry = world.offsets.get(partition);
                Committed {
                    partition: partition.clone(),
                    offset: entry.map(|(offset, _)| *offset),
                    metadata: entry.map(|(_, name)| name.clone()).unwrap_or_default(),
                }
            };
            Ok(partitions.iter().map(committed).collect())
        })
    }

    fn assign(&mut self, positions: &[Position]) -> Result<(), ClientError> {
        self.with_member(|member| {
            for position in positions {
                member.positions.insert(position.partition.clone(), position.offset);
            }
            None
        })
        .map(drop)
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), ClientError> {
        self.atomic(|world| {
            let Some(member) = world.members.get_mut(&self.member) else { return Ok(()) };
            member.positions.retain(|partition, _| !partitions.contains(partition));
            let tasks = partitions.iter().map(|partition| partition.number);
            let given: BTreeSet<i32> = tasks.filter(|task| member.revoked.remove(task)).collect();
            for task in given {
                match world.owners.remove(&task) {
                    Some((_, Some(to))) if world.members.contains_key(&to) => world.give(task, to),
                    _ => world.hand_out(),
                }
            }
            Ok(())
        })
    }

    fn seek(&mut self, positions: &[Position], _: Duration) -> Result<(), ClientError> {
        self.assign(positions)
    }

    fn set_flow(&mut self, partitions: &[Partition], flow: Flow) -> Result<(), ClientError> {
        self.with_member(|member| {
            match flow {
                Flow::Paused => member.paused.extend(partitions.iter().cloned()),
                Flow::Running => {
                    member.paused.retain(|partition| !partitions.contains(partition));
                }
            }
            None
        })
        .map(drop)
    }

    fn begin(&mut self) -> Result<(), ClientError> {
        self.atomic(|world| {
            let producer = world.producer(self.id, self.epoch)?;
            assert!(!producer.open, "a transaction is open already");
            producer.open = true;
            Ok(())
        })
    }

    fn send(&mut self, record: &OutRecord) -> Result<(), ClientError> {
        let text = String::from_utf8(record.value.clone().unwrap()).unwrap();
        self.transact(|world| {
            let end = match self.delivery {
                Delivery::ExactlyOnce => None,
                Delivery::AtLeastOnce => Some(End::Committed),
            };
            let is_open = world.producer(self.id, self.epoch)?.open;
            assert_eq!(is_open, end.is_none(), "outputs are sent in a transaction or never");
            world.outputs.push(Output { id: self.id, text, end });
            Ok(())
        })
    }

    fn pending_bytes(&self) -> usize {
        // Now and then too many, so that partitions are paused and resumed.
        usize::from(self.world.borrow().calls % 7 == 3)
    }

    fn flush(&mut self, _: Duration) -> Result<(), ClientError> {
        self.call(|_| Ok(()))
    }

    fn send_offsets(&mut self, offsets: &[Committed], _: Duration) -> Result<(), ClientError> {
        self.transact(|world| {
            for entry in offsets {
                if world.owners.get(&entry.partition.number).map(|owner| owner.0)
                    != Some(self.member)
                {
                    world.producer(self.id, self.epoch)?.must_abort = true;
                    return Err(error(ErrorKind::Abort, "the generation is old"));
                }
            }
            world.producer(self.id, self.epoch)?.offsets = offsets.to_vec();
            if self.delivery == Delivery::AtLeastOnce {
                world.end(self.id, End::Committed);
            }
            Ok(())
        })
    }

    fn commit(&mut self, _: Duration) -> Result<(), ClientError> {
        self.transact(|world| {
            let producer = world.producer(self.id, self.epoch)?;
            if producer.must_abort {
                return Err(error(ErrorKind::Abort, "the transaction must be aborted"));
            }
            // If it is closed, an earlier call committed it, and its answer was lost.
            if producer.open {
                world.end(self.id, End::Committed);
            }
            Ok(())
        })
    }

    fn abort(&mut self, _: Duration) -> Result<(), ClientError> {
        self.call(|world| {
            world.producer(self.id, self.epoch)?;
            world.end(self.id, End::Aborted);
            Ok(())
        })
    }

    fn rebuild(&mut self, _: Duration) -> Result<(), ClientError> {
        self.atomic(|world| {
            world.leave(self.member);
            Ok(())
        })?;
        self.init();
        Ok(())
    }

    fn known_ends(&self) -> Vec<Position> {
        Vec::new()
    }
}

/// Counts keys, and reports each third record of a key.
#[derive(Debug)]
pub(super) struct ModelProcessor {
    world: Shared,
    life: usize,
    mutation: Mutation,
    states: BTreeMap<i32, State>,
    committed: BTreeMap<i32, String>,
    before: BTreeMap<i32, String>,
}

impl ModelProcessor {
    pub(super) fn new(world: &Shared, life: usize, mutation: Mutation) -> Self {
        Self {
            world: Rc::clone(world),
            life,
            mutation,
            states: BTreeMap::new(),
            committed: BTreeMap::new(),
            before: BTreeMap::new(),
        }
    }

    /// One step of the store. Of the faults it knows crashes.
    fn step(&self, effect: impl FnOnce(&mut World)) -> Result<(), ProcessorError> {
        let world = &mut *self.world.borrow_mut();
        if world.is_dead(self.life) {
            return Err("dead".into());
        }
        world.calls += 1;
        let fault = world.faults.get(&world.calls).copied();
        if fault != Some(InjectedFault::CrashBefore) {
            effect(world);
        }
        if matches!(fault, Some(InjectedFault::CrashBefore | InjectedFault::CrashAfter)) {
            world.crash(self.life);
            return Err("crash".into());
        }
        Ok(())
    }

    fn write(&self, task: i32, name: &str) -> Result<(), ProcessorError> {
        let saved = Saved { state: self.states[&task].clone(), life: self.life, synced: false };
        self.step(|world| {
            assert!(world.store.insert(name.to_owned(), saved).is_none(), "{name} is not new");
        })?;
        if self.mutation == Mutation::NoSync {
            return Ok(());
        }
        self.step(|world| world.store.get_mut(name).unwrap().synced = true)
    }
}

impl Processor for ModelProcessor {
    fn open(&mut self, task: i32, snapshot: Option<&str>) -> Result<(), ProcessorError> {
        self.step(|_| ())?;
        if self.mutation == Mutation::KeepState && self.states.contains_key(&task) {
            return Ok(());
        }
        let state = match snapshot {
            None => State::default(),
            Some(name) => match self.world.borrow().store.get(name) {
                Some(saved) => saved.state.clone(),
                None => return Err(format!("snapshot {name} is missing").into()),
            },
        };
        self.states.insert(task, state);
        self.before.remove(&task);
        self.committed.remove(&task);
        if let Some(name) = snapshot {
            self.committed.insert(task, name.to_owned());
        }
        Ok(())
    }

    fn push(
        &mut self,
        task: i32,
        records: &[Record],
        out: &mut Outbox,
    ) -> Result<(), ProcessorError> {
        let state = self.states.get_mut(&task).ok_or("the task is not open")?;
        for record in records {
            let key = record.key.as_ref().unwrap()[0];
            let count = state.counts.entry(key).or_default();
            *count += 1;
            if count.is_multiple_of(3) {
                // The outputs of one key come by the clock.
                if key == 1 {
                    state.held.push(text(task, key, *count));
                } else {
                    out.push(OutRecord::new("out".into(), text(task, key, *count).into_bytes()));
                }
            }
        }
        Ok(())
    }

    fn due(&mut self, task: i32, out: &mut Outbox) -> Result<bool, ProcessorError> {
        let state = self.states.get_mut(&task).ok_or("the task is not open")?;
        let held = std::mem::take(&mut state.held);
        let is_changed = !held.is_empty();
        for text in held {
            out.push(OutRecord::new("out".into(), text.into_bytes()));
        }
        Ok(is_changed)
    }

    fn snapshot(&mut self, task: i32) -> Result<String, ProcessorError> {
        let name = format!("{task}-{}", self.world.borrow_mut().fresh_id());
        if self.mutation != Mutation::CommitFirst {
            self.write(task, &name)?;
        }
        if self.mutation == Mutation::KeepOne
            && let Some(old) = self.committed.get(&task)
        {
            self.step(|world| drop(world.store.remove(old)))?;
        }
        Ok(name)
    }

    fn committed(&mut self, task: i32, snapshot: &str) {
        if self.mutation == Mutation::CommitFirst {
            let _ = self.write(task, snapshot);
        }
        if let Some(before) = self.committed.insert(task, snapshot.to_owned())
            && let Some(old) = self.before.insert(task, before)
        {
            let _ = self.step(|world| drop(world.store.remove(&old)));
        }
    }

    fn close(&mut self, task: i32) {
        self.states.remove(&task);
    }
}
