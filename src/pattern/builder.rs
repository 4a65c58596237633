//! The words of rule text as methods.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{AsVariant, Event};
use crate::exec::{Captures, HostCondition};
use crate::hir::{Contiguity, Gap, Length, Limit, LimitPolicy, LoopMode, Once};
use crate::pattern::captured::Captured;
use crate::pattern::draft::{
    Draft, DraftCondition, DraftCount, DraftItem, DraftKey, DraftKind, DraftSkip, DraftStream,
    Names, OfType, Test, Times, gap,
};
use crate::pattern::error::{PatternError, PatternErrorKind as Kind};
use crate::pattern::{Pattern, lower};
use crate::schema::Schema;
use crate::time::duration_to_millis;

/// How the closures of a step see an event: [`AnyEvent`] as it is, [`Only<T>`] as the `T` in it.
pub trait View<E> {
    /// What closures get.
    type Target;

    /// The event as the closures see it, if it is one that they see.
    fn view(event: &E) -> Option<&Self::Target>;
}

/// A step that takes events of every type, and whose closures see the whole event.
#[derive(Clone, Copy, Debug)]
pub struct AnyEvent(());

impl<E> View<E> for AnyEvent {
    type Target = E;

    fn view(event: &E) -> Option<&E> {
        Some(event)
    }
}

/// A step that takes events that are a `T`, which its closures see.
#[derive(Clone, Copy, Debug)]
pub struct Only<T>(PhantomData<fn() -> T>);

impl<T, E: AsVariant<T>> View<E> for Only<T> {
    type Target = T;

    fn view(event: &E) -> Option<&T> {
        event.as_variant()
    }
}

/// A pattern that is being built. `V` is how the closures of the step that was named last see their
/// events.
///
/// Methods speak of the step or group that was named last, or of the whole pattern; each says which.
/// What does not fit together is reported by [`build`](PatternBuilder::build).
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

    /// Starts a pattern with a group: a sequence that can be repeated as one. What `within` says in
    /// `group` bounds each repetition.
    pub fn begin_group<V>(group: PatternBuilder<E, V>) -> PatternBuilder<E> {
        let kind = DraftKind::Group(group.draft);
        PatternBuilder::new(Draft::new(DraftItem::new("", Contiguity::Relaxed, kind)))
    }
}

/// Silence and alternatives.
impl<E: Event> Pattern<E> {
    /// Starts a pattern with what must not have come for a time before its first event; that time
    /// is [`lasting`](PatternBuilder::lasting) (`not a for 5m -> ...`).
    pub fn begin_not(name: &str) -> PatternBuilder<E> {
        PatternBuilder::new(Draft::new(DraftItem::not(name, Contiguity::Relaxed)))
    }
}

/// Alternatives, of all that was said so far.
impl<E: Event, V> PatternBuilder<E, V> {
    /// Either what was said so far or `other` (`a or b`). What follows comes after either.
    pub fn or<W>(self, other: PatternBuilder<E, W>) -> PatternBuilder<E> {
        self.joined(other.draft, DraftCount::One)
    }

    /// Both what was said so far and `other`, in any order (`a and b`): each event goes to one of
    /// them, and the other skips it as it skips what does not fit.
    ///
    /// Here as in [`or`](PatternBuilder::or), `other` can be a `not` that is
    /// [`lasting`](PatternBuilder::lasting), in a group behind another step
    /// (`a -> (b and not c for 5s)`): its time begins with the event before the group.
    pub fn and<W>(self, other: PatternBuilder<E, W>) -> PatternBuilder<E> {
        self.joined(other.draft, DraftCount::All)
    }

    /// So many of the alternatives that were joined by [`or`](PatternBuilder::or), in any order
    /// (`2 of (a, b, c)`).
    pub fn choose(mut self, count: usize) -> Self {
        let mut wrong = true;
        if let DraftKind::Ways(ways, of @ DraftCount::One) = &mut self.item().kind
            && (1..=ways.len()).contains(&count)
        {
            *of = DraftCount::Some(count);
            wrong = false;
        }
        let what = "`choose` is for alternatives that `or` joined, and for no more than there are";
        self.refuse_if(wrong, Kind::BadQuantifier, what);
        self
    }

    /// No such event from the first event of what was said so far to the last (`without x`). An
    /// event that the match captures is no violation.
    /// Nothing can follow in the same sequence; put what was said so far into a group for that.
    pub fn without(self, name: &str) -> PatternBuilder<E> {
        let kind = DraftKind::Without(DraftCondition::any());
        self.then(DraftItem::new(name, Contiguity::Relaxed, kind))
    }

    fn joined(mut self, other: Draft<E>, count: DraftCount) -> PatternBuilder<E> {
        if let [DraftItem { kind: DraftKind::Ways(ways, of), times: None, optional: false, .. }] =
            self.draft.items.as_mut_slice()
            && *of == count
        {
            ways.push(other);
            return PatternBuilder::new(self.draft);
        }
        let kind = DraftKind::Ways(vec![self.draft, other], count);
        PatternBuilder::new(Draft::new(DraftItem::new("", Contiguity::Relaxed, kind)))
    }
}

/// What comes next.
impl<E: Event, V> PatternBuilder<E, V> {
    /// The very next event of the key's stream has to be this step (`-> next`).
    pub fn next(self, name: &str) -> PatternBuilder<E> {
        self.then(DraftItem::step(name, Contiguity::Next))
    }

    /// The first later event that fits is this step (`->`).
    pub fn followed_by(self, name: &str) -> PatternBuilder<E> {
        self.then(DraftItem::step(name, Contiguity::Relaxed))
    }

    /// Every later event that fits is this step, one match each (`-> any`).
    pub fn followed_by_any(self, name: &str) -> PatternBuilder<E> {
        self.then(DraftItem::step(name, Contiguity::Any))
    }

    /// The very next event must not be this (`-> next not`).
    pub fn not_next(self, name: &str) -> PatternBuilder<E> {
        self.then(DraftItem::not(name, Contiguity::Next))
    }

    /// No such event before the next step, or before time runs out (`-> not`). At the end of a
    /// pattern it needs [`lasting`](PatternBuilder::lasting) or [`within`](PatternBuilder::within).
    pub fn not_followed_by(self, name: &str) -> PatternBuilder<E> {
        self.then(DraftItem::not(name, Contiguity::Relaxed))
    }

    /// As [`next`](PatternBuilder::next), with a group.
    pub fn next_group<W>(self, group: PatternBuilder<E, W>) -> PatternBuilder<E> {
        self.then(DraftItem::new("", Contiguity::Next, DraftKind::Group(group.draft)))
    }

    /// As [`followed_by`](PatternBuilder::followed_by), with a group.
    pub fn followed_by_group<W>(self, group: PatternBuilder<E, W>) -> PatternBuilder<E> {
        self.then(DraftItem::new("", Contiguity::Relaxed, DraftKind::Group(group.draft)))
    }

    /// As [`followed_by_any`](PatternBuilder::followed_by_any), with a group.
    pub fn followed_by_any_group<W>(self, group: PatternBuilder<E, W>) -> PatternBuilder<E> {
        self.then(DraftItem::new("", Contiguity::Any, DraftKind::Group(group.draft)))
    }

    fn then(mut self, item: DraftItem<E>) -> PatternBuilder<E> {
        self.draft.items.push(item);
        PatternBuilder::new(self.draft)
    }
}

/// Of which type the step's events are. Without it they are of any.
impl<E: Event> PatternBuilder<E> {
    /// The step takes events that are a `T`: a variant of the enum `E`, or `E` itself.
    pub fn of<T>(self) -> PatternBuilder<E, Only<T>>
    where
        E: AsVariant<T>,
    {
        let mut next = PatternBuilder::new(self.draft);
        next.set_type(OfType::Id(E::variant_type()));
        next
    }

    /// The step takes events of the type of this name.
    pub fn of_type(mut self, name: &str) -> Self {
        self.set_type(OfType::Named(name.into()));
        self
    }
}

/// What the step's events have to fulfil. Of several conditions, all have to hold.
impl<E: Event, V: View<E>> PatternBuilder<E, V> {
    /// The step takes an event only if `condition` says so.
    pub fn when<F>(mut self, condition: F) -> Self
    where
        F: Fn(&V::Target) -> bool + Send + Sync + 'static,
    {
        self.add_test(plain::<E, V, F>(condition));
        self
    }

    /// The same; the condition sees what this partial match has captured before the candidate, too.
    pub fn when_with<F>(mut self, condition: F) -> Self
    where
        F: Fn(&V::Target, &Captured<'_, E>) -> bool + Send + Sync + 'static,
    {
        self.add_test(Test::Correlated(Box::new(move |names: Names| -> HostCondition<E> {
            Arc::new(move |event: &E, captures: &Captures<'_, E>| {
                let captured = Captured { captures: *captures, names: &names };
                V::view(event).is_some_and(|target| condition(target, &captured))
            })
        })));
        self
    }

    /// An event for which `condition` holds ends the loop, and is not part of it. It may be the next
    /// step. Of a step, `condition` sees the events that the step could take; for other events see
    /// [`until_of`](PatternBuilder::until_of).
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

/// How often the step or group that was named last occurs. Exactly once, unless said otherwise.
impl<E: Event, V> PatternBuilder<E, V> {
    /// So often: `times(3)`, `times(2..=4)`, `times(3..)`. A lower end of 0 makes it optional.
    pub fn times(mut self, times: impl Into<Times>) -> Self {
        let twice = self.item().times.replace(times.into()).is_some();
        self.refuse_if(twice, Kind::BadQuantifier, "it has two quantifiers");
        self
    }

    /// At least once: the same as `times(1..)`.
    pub fn one_or_more(self) -> Self {
        self.times(1..)
    }

    /// It may be left out.
    pub fn optional(mut self) -> Self {
        self.item().optional = true;
        self
    }

    /// Repetitions follow each other without any other event of the stream in between
    /// (`{3 next}`).
    pub fn consecutive(self) -> Self {
        self.set_inner(Contiguity::Next)
    }

    /// A repetition may skip events that fit, too, so that every combination is a match
    /// (`{3 any}`).
    pub fn allow_combinations(self) -> Self {
        self.set_inner(Contiguity::Any)
    }

    /// The loop takes every event that it can before the next step may. The default.
    pub fn greedy(self) -> Self {
        self.set_mode(LoopMode::Greedy)
    }

    /// A match for each length of the loop.
    pub fn each(self) -> Self {
        self.set_mode(LoopMode::Each)
    }

    /// As the last step: the match is reported when the loop can grow no more, not as soon as it has its
    /// minimum.
    pub fn longest(self) -> Self {
        self.set_mode(LoopMode::Longest)
    }

    /// An event that is a `T` for which `condition` holds ends the loop, and is not part of it.
    pub fn until_of<T>(mut self, condition: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self
    where
        E: AsVariant<T>,
    {
        let tests = vec![plain::<E, Only<T>, _>(condition)];
        self.set_until(DraftCondition { ty: OfType::Id(E::variant_type()), tests });
        self
    }

    /// The bound on the time from the event before to the first event of this: `->[1m..5m]`.
    pub fn gap(mut self, range: impl RangeBounds<Duration>) -> Self {
        let gap = gap(&range);
        let bad = gap.max.is_some_and(|max| max < gap.min);
        self.item().gap = Some(gap);
        self.refuse_if(bad, Kind::BadBound, "no whole millisecond lies within the gap");
        self
    }

    /// Of a `not` at the end: how long it has to hold from the event before (`not x for 10m`). The
    /// match is reported then.
    pub fn lasting(mut self, duration: Duration) -> Self {
        let millis = duration_to_millis(duration);
        let item = self.item();
        let is_not = matches!(item.kind, DraftKind::Not(_));
        item.gap = Some(Gap { min: Length::ZERO, max: Some(Length::Millis(millis)) });
        self.refuse_if(!is_not, Kind::Misplaced, "`lasting` is for a `not`");
        self.refuse_if(millis < 1, Kind::BadBound, "a `not` has to last 1 ms at least");
        self
    }

    /// Names the group that was given last: its name can be skipped to and is reported when it is
    /// awaited.
    pub fn named(mut self, name: &str) -> Self {
        if self.item().name.is_empty() {
            self.item().name = name.into();
        } else {
            self.refuse_if(true, Kind::BadName, "it has its name already");
        }
        self
    }
}

/// The pattern as a whole.
impl<E: Event, V> PatternBuilder<E, V> {
    /// The bound from a match's first event to its last: an event exactly so long after the first
    /// is too late. In a group, the bound of each repetition.
    pub fn within(mut self, duration: Duration) -> Self {
        self.draft.within = Some(duration);
        self
    }

    /// After a match, all other partial matches go on.
    pub fn skip_none(self) -> Self {
        self.skip(DraftSkip::None)
    }

    /// After a match, partial matches that started at or before its last event are dropped. The
    /// default.
    pub fn skip_past_last(self) -> Self {
        self.skip(DraftSkip::PastLast)
    }

    /// After a match, partial matches that started with its first event are dropped.
    pub fn skip_to_next(self) -> Self {
        self.skip(DraftSkip::ToNext)
    }

    /// After a match, partial matches that started before its first event of this step are dropped.
    pub fn skip_to_first(self, step: &str) -> Self {
        self.skip(DraftSkip::ToFirst(step.into()))
    }

    /// After a match, partial matches that started before its last event of this step are dropped.
    pub fn skip_to_last(self, step: &str) -> Self {
        self.skip(DraftSkip::ToLast(step.into()))
    }

    /// A match waits while an older partial match lives, so that the leftmost wins.
    pub fn ordered(mut self) -> Self {
        self.draft.whole.ordered = true;
        self
    }

    /// Partial matches that run out of time are reported.
    pub fn report_timeouts(mut self) -> Self {
        self.draft.whole.report_timeouts = true;
        self
    }

    /// After a match is reported, further matches of the same key are not reported for so long, counted from
    /// the match that was reported; one exactly so much later is. Timeouts are reported all the same. This is
    /// the business of an engine: a lone [`matcher`](Pattern::matcher) reports every match.
    pub fn suppress(mut self, duration: Duration) -> Self {
        self.draft.whole.suppress = Some(duration);
        self
    }

    /// The `not` at the end, which has [`lasting`](PatternBuilder::lasting), is reported again each
    /// time that its time has passed, until what must not come does (`not x for 10m repeat`).
    pub fn repeat(mut self) -> Self {
        self.draft.whole.repeats = true;
        self
    }

    /// After its first match a key is over: what is open for it ends without a timeout, and nothing
    /// of it is reported any more. This is the business of an engine: a lone
    /// [`matcher`](Pattern::matcher) reports every match.
    pub fn once(mut self) -> Self {
        self.draft.whole.once = Some(Once::Key);
        self
    }

    /// After its first match, whatever the key, the whole pattern is over, as
    /// [`once`](PatternBuilder::once) says of a key.
    pub fn once_per_rule(mut self) -> Self {
        self.draft.whole.once = Some(Once::Rule);
        self
    }

    /// How many partial matches a key may have, and which give way where there would be more. One
    /// that can go on in several ways counts for each. Without it the engine's own limit holds.
    pub fn limit_partials(mut self, partials: usize, policy: LimitPolicy) -> Self {
        self.draft.whole.limit = Some(Limit { partials, policy });
        self
    }

    /// Partitions the stream by a field that every type of the stream has. More of them make a key
    /// of several parts. An engine partitions; a lone [`matcher`](Pattern::matcher) is for one key.
    pub fn key(mut self, field: &str) -> Self {
        self.draft.whole.key.push(DraftKey { name: field.into(), fields: Vec::new() });
        self
    }

    /// The same, with the field by the name of the event type:
    /// `key_by_type("host", [("process", "host.id"), ("dns", "agent.id")])`.
    pub fn key_by_type<'a>(
        mut self,
        name: &str,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let fields = fields.into_iter().map(|(ty, field)| (ty.into(), field.into())).collect();
        self.draft.whole.key.push(DraftKey { name: name.into(), fields });
        self
    }

    /// The event types of the stream, beside which the pattern sees nothing. Without this it is
    /// those that steps name, or all if a step takes events of any type.
    pub fn from_types<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = names.into_iter().map(Arc::from).collect();
        self.draft.whole.stream = Some(DraftStream::Named(names));
        self
    }

    /// The stream holds events of every type (`from *`).
    pub fn from_all(mut self) -> Self {
        self.draft.whole.stream = Some(DraftStream::All);
        self
    }

    /// The schema in which types and fields are looked up, for events that have none of their own,
    /// such as [`Record`](crate::Record)s.
    pub fn schema(mut self, schema: impl Into<Arc<Schema>>) -> Self {
        self.draft.whole.schema = Some(schema.into());
        self
    }

    /// A number that changes whenever a closure changes its mind. The version of the pattern and the
    /// ids of matches depend on the shape of the pattern and on this; closures cannot be looked into.
    pub fn version(mut self, version: u64) -> Self {
        self.draft.whole.version = Some(version);
        self
    }

    /// Checks the pattern and compiles it.
    ///
    /// # Errors
    /// What does not fit together, or is refused in rule text, too. See
    /// [`PatternErrorKind`](Kind).
    pub fn build(self) -> Result<Pattern<E>, PatternError> {
        lower::lower(self.draft)
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

    fn refuse_if(&mut self, bad: bool, kind: Kind, what: &str) {
        if bad {
            let error = self.item().refuse(kind, what);
            self.draft.fail(error);
        }
    }

    fn set_type(&mut self, ty: OfType) {
        match &mut self.item().kind {
            DraftKind::Step(of) | DraftKind::Not(of) | DraftKind::Without(of) => of.ty = ty,
            DraftKind::Group(_) | DraftKind::Ways(..) => {
                self.refuse_if(
                    true,
                    Kind::Misplaced,
                    "the steps of a group have types, not itself",
                );
            }
        }
    }

    fn add_test(&mut self, test: Test<E>) {
        match &mut self.item().kind {
            DraftKind::Step(of) | DraftKind::Not(of) | DraftKind::Without(of) => {
                of.tests.push(test);
            }
            DraftKind::Group(_) | DraftKind::Ways(..) => self.refuse_if(
                true,
                Kind::Misplaced,
                "the steps of a group have conditions, not itself",
            ),
        }
    }

    fn set_until(&mut self, until: DraftCondition<E>) {
        let twice = self.item().until.replace(until).is_some();
        self.refuse_if(twice, Kind::BadQuantifier, "it has two `until`s");
    }

    fn set_inner(mut self, inner: Contiguity) -> Self {
        let twice = self.item().inner.replace(inner).is_some();
        let what = "`consecutive` and `allow_combinations` exclude each other";
        self.refuse_if(twice, Kind::BadQuantifier, what);
        self
    }

    fn set_mode(mut self, mode: LoopMode) -> Self {
        let twice = self.item().mode.replace(mode).is_some();
        let what = "`greedy`, `each` and `longest` exclude each other";
        self.refuse_if(twice, Kind::BadQuantifier, what);
        self
    }
}

fn plain<E, V: View<E>, F>(condition: F) -> Test<E>
where
    F: Fn(&V::Target) -> bool + Send + Sync + 'static,
{
    Test::Plain(Arc::new(move |event: &E, _: &Captures<'_, E>| {
        V::view(event).is_some_and(&condition)
    }))
}
