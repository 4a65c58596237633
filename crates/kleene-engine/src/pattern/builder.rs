//! The builder of patterns: the words of rule text as methods.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::time::Duration;

use crate::pattern::captured::Captured;
use crate::pattern::compiled::Pattern;
use crate::pattern::draft::{
    Draft, DraftCondition, DraftCount, DraftItem, DraftKey, DraftKind, DraftSkip, DraftStream,
    DraftTest, KeySource, Names, OfType, Repetitions, gap,
};
use crate::pattern::error::PatternError;
use crate::pattern::lower;
use kleene_automata::exec::{Captures, HostCondition};
use kleene_event::event::{AsVariant, Event};
use kleene_event::schema::Schema;
use kleene_event::time::duration_to_millis;
use kleene_event::value::Value;
use kleene_syntax::hir::{Contiguity, Gap, Length, Limit, LimitPolicy, LoopMode, Once, Report};

/// The type that the closures of a step read: [`AnyEvent`] gives the event, [`Only<T>`] the `T` in
/// it.
pub trait View<E> {
    /// The argument type of the closures.
    type Target;

    /// Returns the event as the closures read it; `None` if the event is not of their type.
    fn view(event: &E) -> Option<&Self::Target>;
}

/// The view of a step that takes events of every type. Its closures read the whole event.
#[derive(Clone, Copy, Debug)]
pub struct AnyEvent(());

impl<E> View<E> for AnyEvent {
    type Target = E;

    fn view(event: &E) -> Option<&E> {
        Some(event)
    }
}

/// The view of a step that takes events that are a `T`. Its closures read the `T`.
#[derive(Clone, Copy, Debug)]
pub struct Only<T>(PhantomData<fn() -> T>);

impl<T, E: AsVariant<T>> View<E> for Only<T> {
    type Target = T;

    fn view(event: &E) -> Option<&T> {
        event.as_variant()
    }
}

/// A pattern that is being built. `V` is the [`View`] of the step that was named last.
///
/// Each method documents whether it applies to the step or group that was named last, or to the
/// whole pattern. [`build`](PatternBuilder::build) reports calls that do not fit together.
#[must_use = "a pattern does nothing before it is built"]
pub struct PatternBuilder<E, V = AnyEvent> {
    draft: Draft<E>,
    view: PhantomData<fn() -> V>,
}

impl<E, V> fmt::Debug for PatternBuilder<E, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.draft.items.iter().map(|item| &item.name).collect();
        f.debug_struct("PatternBuilder").field("steps", &names).finish_non_exhaustive()
    }
}

/// Starting a pattern.
impl<E: Event> Pattern<E> {
    /// Starts a pattern with a step.
    pub fn begin(name: &str) -> PatternBuilder<E> {
        PatternBuilder::new(Draft::new(DraftItem::step(name, Contiguity::Relaxed)))
    }

    /// Starts a pattern with a group: a sequence that can be repeated as one. `within` in `group`
    /// bounds each repetition.
    pub fn begin_group<V>(group: PatternBuilder<E, V>) -> PatternBuilder<E> {
        let kind = DraftKind::Group(group.draft);
        PatternBuilder::new(Draft::new(DraftItem::new("", Contiguity::Relaxed, kind)))
    }
}

/// Starting with silence.
impl<E: Event> Pattern<E> {
    /// Starts a pattern with a `not`: for a time before the first event, no event that the `not`
    /// describes may come. [`lasting`](PatternBuilder::lasting) sets that time (`not a for 5m ->
    /// ...`).
    pub fn begin_not(name: &str) -> PatternBuilder<E> {
        PatternBuilder::new(Draft::new(DraftItem::not(name, Contiguity::Relaxed)))
    }
}

/// Alternatives: joining the pattern so far with another.
impl<E: Event, V> PatternBuilder<E, V> {
    /// Joins the pattern so far and `other` as alternatives (`a or b`). The next step follows
    /// either.
    pub fn or<W>(self, other: PatternBuilder<E, W>) -> PatternBuilder<E> {
        self.joined(other.draft, DraftCount::One)
    }

    /// Requires both the pattern so far and `other`, in any order (`a and b`). Each event goes to
    /// one of them; the other skips the event like any event that does not fit.
    ///
    /// In `and` as in [`or`](PatternBuilder::or), `other` can be a `not` with
    /// [`lasting`](PatternBuilder::lasting), in a group after another step
    /// (`a -> (b and not c for 5s)`). The time of the `not` begins with the event before the group.
    pub fn and<W>(self, other: PatternBuilder<E, W>) -> PatternBuilder<E> {
        self.joined(other.draft, DraftCount::All)
    }

    /// Requires `count` of the alternatives that [`or`](PatternBuilder::or) joined, in any order
    /// (`2 of (a, b, c)`).
    pub fn choose(mut self, count: usize) -> Self {
        let mut wrong = true;
        if let DraftKind::Alternatives(branches, of @ DraftCount::One) = &mut self.item().kind
            && (1..=branches.len()).contains(&count)
        {
            *of = DraftCount::Some(count);
            wrong = false;
        }
        let what = "`choose` needs alternatives joined with `or`, and a number that is not larger \
                    than theirs";
        self.refuse_if(wrong, what);
        self
    }

    /// Forbids an event between the first and the last event of the pattern so far (`without x`).
    /// An event that the match captures is not a violation. No step can follow in the same
    /// sequence; put the pattern so far into a group to continue.
    pub fn without(self, name: &str) -> PatternBuilder<E> {
        let kind = DraftKind::Without(DraftCondition::any());
        self.then(DraftItem::new(name, Contiguity::Relaxed, kind))
    }

    fn joined(mut self, other: Draft<E>, count: DraftCount) -> PatternBuilder<E> {
        if let [
            DraftItem {
                kind: DraftKind::Alternatives(branches, of),
                times: None,
                optional: false,
                ..
            },
        ] = self.draft.items.as_mut_slice()
            && *of == count
        {
            branches.push(other);
            return PatternBuilder::new(self.draft);
        }
        let kind = DraftKind::Alternatives(vec![self.draft, other], count);
        PatternBuilder::new(Draft::new(DraftItem::new("", Contiguity::Relaxed, kind)))
    }
}

/// Adding steps and groups.
impl<E: Event, V> PatternBuilder<E, V> {
    /// Adds a step for the very next event of the key's stream (`-> next`).
    pub fn next(self, name: &str) -> PatternBuilder<E> {
        self.then(DraftItem::step(name, Contiguity::Next))
    }

    /// Adds a step for the first later event that fits (`->`).
    pub fn followed_by(self, name: &str) -> PatternBuilder<E> {
        self.then(DraftItem::step(name, Contiguity::Relaxed))
    }

    /// Adds a step for every later event that fits, with one match for each (`-> any`).
    pub fn followed_by_any(self, name: &str) -> PatternBuilder<E> {
        self.then(DraftItem::step(name, Contiguity::Any))
    }

    /// Forbids the very next event to be of this kind (`-> next not`).
    pub fn not_next(self, name: &str) -> PatternBuilder<E> {
        self.then(DraftItem::not(name, Contiguity::Next))
    }

    /// Forbids an event before the next step or before time runs out (`-> not`). At the end of a
    /// pattern, the `not` needs [`lasting`](PatternBuilder::lasting) or
    /// [`within`](PatternBuilder::within).
    pub fn not_followed_by(self, name: &str) -> PatternBuilder<E> {
        self.then(DraftItem::not(name, Contiguity::Relaxed))
    }

    /// Adds a group, as [`next`](PatternBuilder::next) adds a step.
    pub fn next_group<W>(self, group: PatternBuilder<E, W>) -> PatternBuilder<E> {
        self.then(DraftItem::new("", Contiguity::Next, DraftKind::Group(group.draft)))
    }

    /// Adds a group, as [`followed_by`](PatternBuilder::followed_by) adds a step.
    pub fn followed_by_group<W>(self, group: PatternBuilder<E, W>) -> PatternBuilder<E> {
        self.then(DraftItem::new("", Contiguity::Relaxed, DraftKind::Group(group.draft)))
    }

    /// Adds a group, as [`followed_by_any`](PatternBuilder::followed_by_any) adds a step.
    pub fn followed_by_any_group<W>(self, group: PatternBuilder<E, W>) -> PatternBuilder<E> {
        self.then(DraftItem::new("", Contiguity::Any, DraftKind::Group(group.draft)))
    }

    fn then(mut self, item: DraftItem<E>) -> PatternBuilder<E> {
        self.draft.items.push(item);
        PatternBuilder::new(self.draft)
    }
}

/// The event type of the step that was named last. A step without a type takes events of any type.
impl<E: Event> PatternBuilder<E> {
    /// Restricts the step to events that are a `T`: a variant of the enum `E`, or `E` itself.
    pub fn of<T>(self) -> PatternBuilder<E, Only<T>>
    where
        E: AsVariant<T>,
    {
        let mut next = PatternBuilder::new(self.draft);
        next.set_type(OfType::Id(E::variant_type()));
        next
    }

    /// Restricts the step to events of the type with this name.
    pub fn of_type(mut self, name: &str) -> Self {
        self.set_type(OfType::Named(name.into()));
        self
    }
}

/// The conditions of the step that was named last. All conditions of a step have to hold.
impl<E: Event, V: View<E>> PatternBuilder<E, V> {
    /// Restricts the step to events for which `condition` is true.
    pub fn when<F>(mut self, condition: F) -> Self
    where
        F: Fn(&V::Target) -> bool + Send + Sync + 'static,
    {
        self.add_test(plain::<E, V, F>(condition));
        self
    }

    /// Restricts the step to events for which `condition` is true. The condition also reads the
    /// events that the partial match has captured before the candidate.
    pub fn when_with<F>(mut self, condition: F) -> Self
    where
        F: Fn(&V::Target, &Captured<'_, E>) -> bool + Send + Sync + 'static,
    {
        self.add_test(DraftTest::Correlated(Box::new(move |names: Names| -> HostCondition<E> {
            Arc::new(move |event: &E, captures: &Captures<'_, E>| {
                let captured = Captured { captures: *captures, names: &names };
                V::view(event).is_some_and(|target| condition(target, &captured))
            })
        })));
        self
    }

    /// Ends the loop at an event for which `condition` is true. The event is not part of the loop,
    /// but may be the next step. On a step, `condition` reads only the events that the step could
    /// take; [`until_of`](PatternBuilder::until_of) reads others.
    pub fn until<F>(mut self, condition: F) -> Self
    where
        F: Fn(&V::Target) -> bool + Send + Sync + 'static,
    {
        let ty = match &self.item().kind {
            DraftKind::Step(of) => of.ty.clone(),
            _ => OfType::Any,
        };
        self.set_until(DraftCondition { ty, tests: vec![plain::<E, V, F>(condition)] });
        self
    }
}

/// The quantifier of the step or group that was named last. The default is exactly once.
impl<E: Event, V> PatternBuilder<E, V> {
    /// Sets the number of repetitions: `times(3)`, `times(2..=4)`, `times(3..)`. A lower end of 0
    /// makes the step or group optional.
    pub fn times(mut self, times: impl Into<Repetitions>) -> Self {
        let twice = self.item().times.replace(times.into()).is_some();
        self.refuse_if(twice, "it has two quantifiers");
        self
    }

    /// Requires at least one repetition, as `times(1..)` does.
    pub fn one_or_more(self) -> Self {
        self.times(1..)
    }

    /// Makes the step or group optional.
    pub fn optional(mut self) -> Self {
        self.item().optional = true;
        self
    }

    /// Requires that no other event of the stream comes between repetitions (`{3 next}`).
    pub fn consecutive(self) -> Self {
        self.set_inner(Contiguity::Next)
    }

    /// Allows a repetition to skip events that fit, so that every combination is a match
    /// (`{3 any}`). Such a loop is an [`each`](Self::each) one.
    pub fn allow_combinations(self) -> Self {
        self.set_inner(Contiguity::Any)
    }

    /// Makes the loop take every event that it can before the next step may. This is the default
    /// without [`allow_combinations`](Self::allow_combinations), which does not go with it.
    pub fn greedy(self) -> Self {
        self.set_mode(LoopMode::Greedy)
    }

    /// Reports a match for each length of the loop.
    pub fn each(self) -> Self {
        self.set_mode(LoopMode::Each)
    }

    /// Reports the match when the loop can grow no further, not as soon as it has its minimum. Only
    /// for the last step.
    pub fn longest(self) -> Self {
        self.set_mode(LoopMode::Longest)
    }

    /// Ends the loop at an event that is a `T` for which `condition` is true. The event is not part
    /// of the loop.
    pub fn until_of<T>(mut self, condition: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self
    where
        E: AsVariant<T>,
    {
        let tests = vec![plain::<E, Only<T>, _>(condition)];
        self.set_until(DraftCondition { ty: OfType::Id(E::variant_type()), tests });
        self
    }

    /// Bounds the time from the event before to the first event of this step or group:
    /// `->[1m..5m]`.
    pub fn gap(mut self, range: impl RangeBounds<Duration>) -> Self {
        let gap = gap(&range);
        let bad = gap.max.is_some_and(|max| max < gap.min);
        self.item().gap = Some(gap);
        self.refuse_if(bad, "no whole millisecond lies within the gap");
        self
    }

    /// Sets how long a `not` has to hold, counted from the event before (`not x for 10m`). The
    /// match of a `not` at the end is reported after that time.
    pub fn lasting(mut self, duration: Duration) -> Self {
        let millis = duration_to_millis(duration);
        let item = self.item();
        let is_not = matches!(item.kind, DraftKind::Not(_));
        item.gap = Some(Gap { min: Length::ZERO, max: Some(Length::Millis(millis)) });
        self.refuse_if(!is_not, "`lasting` can only be used on a `not`");
        self.refuse_if(millis < 1, "a `not` must last at least 1 ms");
        self
    }

    /// Names the group that was added last. Skips can refer to the name, and awaited steps are
    /// reported by it.
    pub fn named(mut self, name: &str) -> Self {
        if self.item().name.is_empty() {
            self.item().name = name.into();
        } else {
            self.refuse("it already has a name");
        }
        self
    }
}

/// Settings of the whole pattern.
impl<E: Event, V> PatternBuilder<E, V> {
    /// Bounds the time from a match's first event to its last. An event exactly `duration` after
    /// the first is too late. In a group, bounds each repetition.
    pub fn within(mut self, duration: Duration) -> Self {
        self.draft.within = Some(duration);
        self
    }

    /// Keeps all other partial matches after a match.
    pub fn skip_none(self) -> Self {
        self.skip(DraftSkip::None)
    }

    /// Drops, after a match, the partial matches that started at or before its last event. This is
    /// the default.
    pub fn skip_past_last(self) -> Self {
        self.skip(DraftSkip::PastLast)
    }

    /// Drops, after a match, the partial matches that started with its first event.
    pub fn skip_to_next(self) -> Self {
        self.skip(DraftSkip::ToNext)
    }

    /// Drops, after a match, the partial matches that started before its first event of this step.
    pub fn skip_to_first(self, step: &str) -> Self {
        self.skip(DraftSkip::ToFirst(step.into()))
    }

    /// Drops, after a match, the partial matches that started before its last event of this step.
    pub fn skip_to_last(self, step: &str) -> Self {
        self.skip(DraftSkip::ToLast(step.into()))
    }

    /// Holds a match back while an older partial match is open, so that the leftmost match wins.
    pub fn ordered(mut self) -> Self {
        self.draft.whole.ordered = true;
        self
    }

    /// Reports this of each set of matches: of those that one event, or one deadline, completes.
    /// [`Report::All`] is the default.
    ///
    /// With [`skip_past_last`](PatternBuilder::skip_past_last), the default, an event completes one
    /// match at most; [`skip_none`](PatternBuilder::skip_none) keeps all.
    pub fn report(mut self, report: Report) -> Self {
        self.draft.whole.report = report;
        self
    }

    /// Reports partial matches that run out of time.
    pub fn report_timeouts(mut self) -> Self {
        self.draft.whole.report_timeouts = true;
        self
    }

    /// Suppresses further matches of the same key for `duration` after a reported match. A match
    /// exactly `duration` later is reported. Timeouts are not suppressed.
    ///
    /// Only an engine suppresses matches: a [`matcher`](Pattern::matcher) alone reports every
    /// match.
    pub fn suppress(mut self, duration: Duration) -> Self {
        self.draft.whole.suppress = Some(duration);
        self
    }

    /// Repeats the report of the `not` at the end each time its
    /// [`lasting`](PatternBuilder::lasting) time has passed, until the forbidden event comes
    /// (`not x for 10m repeat`).
    pub fn repeat(mut self) -> Self {
        self.draft.whole.repeats = true;
        self
    }

    /// Ends a key after its first match. The open partial matches of the key end without a timeout,
    /// and nothing more is reported for the key.
    ///
    /// Only an engine ends keys: a [`matcher`](Pattern::matcher) alone reports every match.
    pub fn once(mut self) -> Self {
        self.draft.whole.once = Some(Once::Key);
        self
    }

    /// Ends the whole pattern after its first match in any key, as [`once`](PatternBuilder::once)
    /// ends a key.
    pub fn once_per_rule(mut self) -> Self {
        self.draft.whole.once = Some(Once::Rule);
        self
    }

    /// Limits the number of partial matches of a key. `policy` selects the partial matches that are
    /// dropped beyond the limit. A partial match with several branches counts once for each.
    /// Without this call the engine's own limit applies.
    pub fn limit_partials(mut self, partials: usize, policy: LimitPolicy) -> Self {
        self.draft.whole.limit = Some(Limit { partials, policy });
        self
    }

    /// Partitions the stream by a field that every type of the stream has. Several calls make a key
    /// of several parts.
    ///
    /// An engine partitions the stream; a [`matcher`](Pattern::matcher) alone is for one key.
    pub fn key(self, field: &str) -> Self {
        self.add_key(field, KeySource::Fields(Vec::new()))
    }

    /// Partitions the stream by a field with a name for each event type:
    /// `key_by_type("host", [("process", "host.id"), ("dns", "agent.id")])`.
    pub fn key_by_type<'a>(
        self,
        name: &str,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let fields = fields.into_iter().map(|(ty, field)| (ty.into(), field.into())).collect();
        self.add_key(name, KeySource::Fields(fields))
    }

    /// Partitions the stream by a field with a name for each step, where steps of one type take the
    /// key from different fields: `key_by_step("id", [("parent", "id"), ("child", "parent_id")])`.
    /// Steps that are not named use the field `name`.
    ///
    /// An event belongs to the stream of each key that one of the steps gives it. In the stream of a
    /// key, a step takes an event only if the step's own key of the event is this key. A `not` and a
    /// `without` are steps. [`until`](PatternBuilder::until) on a step has the key of the step.
    ///
    /// ```
    /// use kleene::stream::Output;
    /// use kleene::{Engine, Event, Pattern, Timestamp};
    ///
    /// #[derive(Clone, Event)]
    /// struct Process { id: i64, parent_id: i64, at: Timestamp }
    ///
    /// let family = Pattern::<Process>::begin("parent")
    ///     .followed_by("child")
    ///     .key_by_step("id", [("child", "parent_id")])
    ///     .build()?;
    /// let mut engine = Engine::builder().pattern("family", &family).build()?;
    /// let mut outputs: Vec<Output<Process>> = Vec::new();
    /// for (id, parent_id) in [(7, 1), (8, 2), (9, 7)] {
    ///     let at = Timestamp::from_millis(1000 * id);
    ///     engine.push(&Process { id, parent_id, at }, &mut outputs)?;
    /// }
    /// let [Output::Match(found)] = &outputs[..] else { panic!("9 is the child of 7") };
    /// assert_eq!(found.key, [("id".into(), 7.into())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn key_by_step<'a>(
        self,
        name: &str,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let fields = fields.into_iter().map(|(step, field)| (step.into(), field.into())).collect();
        self.add_key(name, KeySource::Steps(fields))
    }

    /// Partitions the stream by a value that `key` computes. `name` is the name of the part in
    /// [`Match::key`](crate::stream::Match::key).
    ///
    /// An event for which `key` returns null or `None` belongs to no key, as an event with a null
    /// field does. Equal values are one key: all NaN are equal, and so are 0.0 and -0.0. An integer
    /// and a float are never equal.
    ///
    /// The engine can call `key` several times for an event, and calls it again for events that it
    /// buffers after a snapshot is restored. `key` must always return the same value for one event.
    /// Change the [`version`](PatternBuilder::version) whenever `key` changes its result: state in
    /// a snapshot then does not continue under other keys. Two patterns never share the lookup of a
    /// key that a closure computes.
    ///
    /// ```
    /// use kleene::stream::Output;
    /// use kleene::{Engine, Event, Pattern, Timestamp};
    ///
    /// #[derive(Clone, Event)]
    /// struct Login { mail: String, ok: bool, at: Timestamp }
    ///
    /// let failures = Pattern::<Login>::begin("fails")
    ///     .when(|login| !login.ok)
    ///     .times(3)
    ///     .key_by("domain", |login| login.mail.split_once('@').map(|mail| mail.1.to_lowercase()))
    ///     .build()?;
    /// let mut engine = Engine::builder().pattern("failures", &failures).build()?;
    /// let mut outputs: Vec<Output<Login>> = Vec::new();
    /// for (second, mail) in (0..).zip(["a@x.org", "b@X.org", "nobody", "c@y.org", "d@x.ORG"]) {
    ///     let at = Timestamp::from_millis(1000 * second);
    ///     engine.push(&Login { mail: mail.into(), ok: false, at }, &mut outputs)?;
    /// }
    /// let [Output::Match(found)] = &outputs[..] else { panic!("one domain has three failures") };
    /// assert_eq!(found.key, [("domain".into(), "x.org".into())]);
    /// assert_eq!(engine.stats().keyless, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn key_by<K, F>(self, name: &str, key: F) -> Self
    where
        K: Into<Value>,
        F: Fn(&E) -> K + Send + Sync + 'static,
    {
        self.add_key(name, KeySource::Closure(Arc::new(move |event: &E| key(event).into())))
    }

    /// Sets the event types of the stream. The pattern reads no events of other types. The default
    /// is the types that steps name, or all types if a step takes events of any type.
    pub fn from_types<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = names.into_iter().map(Arc::from).collect();
        self.draft.whole.stream = Some(DraftStream::Named(names));
        self
    }

    /// Makes the stream hold events of every type (`from *`).
    pub fn from_all(mut self) -> Self {
        self.draft.whole.stream = Some(DraftStream::All);
        self
    }

    /// Sets the schema of types and fields, for events without a schema of their own, such as
    /// [`Record`](kleene_event::event::Record).
    pub fn schema(mut self, schema: impl Into<Arc<Schema>>) -> Self {
        self.draft.whole.schema = Some(schema.into());
        self
    }

    /// Sets a number that the program changes whenever a closure changes its result.
    ///
    /// The pattern's version and the ids of matches depend on the shape of the pattern and on this
    /// number, because closures cannot be inspected.
    pub fn version(mut self, version: u64) -> Self {
        self.draft.whole.version = Some(version);
        self
    }

    /// Checks and compiles the pattern.
    ///
    /// # Errors
    /// [`PatternError`] for calls that do not fit together and for mistakes that rule text refuses,
    /// too.
    pub fn build(self) -> Result<Pattern<E>, PatternError> {
        lower::lower(self.draft)
    }

    fn add_key(mut self, name: &str, source: KeySource<E>) -> Self {
        self.draft.whole.key.push(DraftKey { name: name.into(), source });
        self
    }

    fn skip(mut self, skip: DraftSkip) -> Self {
        self.draft.whole.skip = Some(skip);
        self
    }
}

impl<E, V> PatternBuilder<E, V> {
    fn new(draft: Draft<E>) -> PatternBuilder<E, V> {
        PatternBuilder { draft, view: PhantomData }
    }

    fn item(&mut self) -> &mut DraftItem<E> {
        self.draft.items.last_mut().expect("a draft starts with an item and only grows")
    }

    fn refuse(&mut self, what: &str) {
        let error = self.item().refuse(what);
        self.draft.fail(error);
    }

    fn refuse_if(&mut self, bad: bool, what: &str) {
        if bad {
            self.refuse(what);
        }
    }

    fn set_type(&mut self, ty: OfType) {
        match &mut self.item().kind {
            DraftKind::Step(of) | DraftKind::Not(of) | DraftKind::Without(of) => of.ty = ty,
            DraftKind::Group(_) | DraftKind::Alternatives(..) => {
                self.refuse("the steps of a group have types, not itself");
            }
        }
    }

    fn add_test(&mut self, test: DraftTest<E>) {
        match &mut self.item().kind {
            DraftKind::Step(of) | DraftKind::Not(of) | DraftKind::Without(of) => {
                of.tests.push(test);
            }
            DraftKind::Group(_) | DraftKind::Alternatives(..) => {
                self.refuse("the steps of a group have conditions, not itself");
            }
        }
    }

    fn set_until(&mut self, until: DraftCondition<E>) {
        let twice = self.item().until.replace(until).is_some();
        self.refuse_if(twice, "it has two `until`s");
    }

    fn set_inner(mut self, inner: Contiguity) -> Self {
        let twice = self.item().inner.replace(inner).is_some();
        let what = "`consecutive` and `allow_combinations` exclude each other";
        self.refuse_if(twice, what);
        self
    }

    fn set_mode(mut self, mode: LoopMode) -> Self {
        let twice = self.item().mode.replace(mode).is_some();
        let what = "`greedy`, `each` and `longest` exclude each other";
        self.refuse_if(twice, what);
        self
    }
}

fn plain<E, V: View<E>, F>(condition: F) -> DraftTest<E>
where
    F: Fn(&V::Target) -> bool + Send + Sync + 'static,
{
    DraftTest::Plain(Arc::new(move |event: &E, _: &Captures<'_, E>| {
        V::view(event).is_some_and(&condition)
    }))
}
