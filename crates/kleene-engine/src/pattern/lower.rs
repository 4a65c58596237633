//! Lowering: from the draft of a pattern to its intermediate representation.

use std::sync::Arc;
use std::time::Duration;

use crate::pattern::compiled::Pattern;
use crate::pattern::draft::{
    Draft, DraftCondition, DraftCount, DraftItem, DraftKey, DraftKind, DraftSkip, DraftStream,
    DraftTest, KeySource, Names, OfType, Repetitions, Whole,
};
use crate::pattern::error::PatternError;
use crate::pattern::shapes::{self, SequenceExtent, can_be_empty};
use crate::pattern::step_keys::{KeyedCondition, add_step_keys};
use kleene_automata::exec::{HostCondition, Matcher};
use kleene_automata::nfa::{self, AutomatonError, Program, Reach, Refusal};
use kleene_event::event::Event;
use kleene_event::schema::{Schema, TypeId};
use kleene_event::time::duration_to_millis;
use kleene_event::util::fnv::Fnv;
use kleene_event::util::spelling::nearest;
use kleene_syntax::hir::expr::FieldRef;
use kleene_syntax::hir::silence::SilenceRow;
use kleene_syntax::hir::{
    self, Condition, ConditionId, Contiguity, Gap, Item, ItemKind, KeyPart, Length, LoopMode,
    Quantifier, Sequence, Skip, SkipStrategy, Step, StepId, StepKeys, Without,
};

/// The maximum number of repetitions of a quantifier.
const MAX_TIMES: u32 = 10_000;
/// The maximum nesting of groups.
const MAX_DEPTH: usize = 64;

type Result<T> = std::result::Result<T, PatternError>;

/// Checks and compiles a draft. The first mistake in the order of the checks is the error.
pub(super) fn lower<E: Event>(draft: Draft<E>) -> Result<Pattern<E>> {
    let Draft { items, within, whole, error } = draft;
    if let Some(error) = error {
        return Err(error);
    }
    let schema = schema_of(&whole)?;
    let mut lowering = Lowering::<E> {
        schema: schema.as_deref(),
        steps: Vec::new(),
        conditions: Vec::new(),
        tests: Vec::new(),
        keyed: Vec::new(),
        named: Vec::new(),
        any: false,
    };
    let body = lowering.sequence(items, 0)?;
    let (within, suppress) = check_bounds(&whole, within, &body)?;
    let types = lowering.types(whole.stream.as_ref())?;
    let key = whole.key.iter().map(|key| lowering.key(key, &types)).collect::<Result<Vec<_>>>()?;
    let key_closures = whole.key.iter().map(|key| key.source.closure().cloned()).collect();
    let skip = lowering.skip(&whole)?;
    let step_keys = lowering.step_keys(&whole.key, &types)?;
    let Lowering { steps, conditions, tests, .. } = lowering;

    let names: Names = steps.iter().map(|step| step.name.clone()).collect();
    let host: Vec<HostCondition<E>> = tests
        .into_iter()
        .map(|test| match test {
            DraftTest::Plain(condition) => condition,
            DraftTest::Correlated(make) => make(Arc::clone(&names)),
        })
        .collect();
    check_repeat(&whole, &body)?;
    let (report_timeouts, repeats) = (whole.report_timeouts, whole.repeats);
    let (lengths, within) = (Vec::new(), within.map(Length::Millis));
    let (report, totals) = (whole.report, Vec::new());
    let hir = hir::Pattern {
        steps,
        conditions,
        body,
        lengths,
        within,
        skip,
        report,
        totals,
        report_timeouts,
        repeats,
    };
    let mut matcher = Matcher::new(&hir, host.clone()).map_err(|error| refused(&error))?;
    check_reach(&hir, matcher.program(), &types)?;
    if let Some(limit) = whole.limit {
        let limits = matcher.limits().of_rule(limit);
        matcher = matcher.with_limits(limits);
    }
    let version = version(&whole, (&hir, &types, &key, &step_keys), suppress);
    let (once, limit) = (whole.once, whole.limit);
    Ok(Pattern {
        hir,
        host,
        matcher,
        names,
        schema,
        types,
        key,
        step_keys,
        key_closures,
        suppress,
        once,
        limit,
        version,
    })
}

/// Returns the schema of the pattern's types: the schema of the events, or the given one.
fn schema_of<E: Event>(whole: &Whole<E>) -> Result<Option<Arc<Schema>>> {
    match (E::schema(), whole.schema.clone()) {
        (Some(_), Some(_)) => {
            let message = "`schema` can only be used for events without their own schema";
            Err(PatternError::new(None, message))
        }
        (own, given) => Ok(own.map(Arc::new).or(given)),
    }
}

/// Checks the settings that bound a pattern. Returns `within` and `suppress` in milliseconds.
fn check_bounds<E>(
    whole: &Whole<E>,
    within: Option<Duration>,
    body: &Sequence,
) -> Result<(Option<i64>, Option<i64>)> {
    if body.items.iter().all(can_be_empty) {
        let message = "the pattern matches without any event: a step must not be optional";
        return Err(PatternError::new(None, message));
    }
    let within = within.map(|within| bound(within, "`within`")).transpose()?;
    if whole.report_timeouts && within.is_none() && !is_bounded(body) {
        let message =
            "`report_timeouts` needs `within`: without it no partial match runs out of time";
        return Err(PatternError::new(None, message));
    }
    let suppress = whole.suppress.map(|duration| bound(duration, "`suppress`")).transpose()?;
    if whole.once.is_some() && suppress.is_some() {
        let message =
            "`suppress` and `once` contradict each other: nothing follows the first match";
        return Err(PatternError::new(None, message));
    }
    if whole.limit.is_some_and(|limit| limit.partials == 0) {
        let message = "with a limit of 0 partial matches, no match can begin";
        return Err(PatternError::new(None, message));
    }
    Ok((within, suppress))
}

/// Checks that only a silence at the end repeats.
fn check_repeat<E>(whole: &Whole<E>, body: &Sequence) -> Result<()> {
    if whole.repeats && (whole.ordered || whole.once.is_some()) {
        let message = "`repeat` can't be combined with `ordered` or `once`";
        return Err(PatternError::new(None, message));
    }
    if whole.repeats
        && !body.items.last().is_some_and(|last| ends_in_silence(last) && body.items.len() > 1)
    {
        let message = "`repeat` needs a `not` with `lasting` at the end of the whole pattern";
        return Err(PatternError::new(None, message));
    }
    Ok(())
}

/// Returns the version of a pattern: a hash of all that is known of it.
fn version<E>(
    whole: &Whole<E>,
    content: (&hir::Pattern, &[TypeId], &[KeyPart], &[StepKeys]),
    suppress: Option<i64>,
) -> u64 {
    let (hir, types, key, step_keys) = content;
    let mut version = Fnv::new();
    version.write_str(&format!("{hir:?} {types:?} {key:?}"));
    if !step_keys.is_empty() {
        version.write_str(&format!("{step_keys:?}"));
    }
    version.write(&whole.version.unwrap_or(0).to_le_bytes());
    if suppress.is_some() || whole.limit.is_some() {
        version.write_str(&format!("{suppress:?} {:?}", whole.limit));
    }
    if let Some(once) = whole.once {
        version.write_str(&format!("{once:?}"));
    }
    version.finish()
}

/// Refuses a pattern with a step that no stream of events reaches. The conditions of closures are
/// not known.
fn check_reach(pattern: &hir::Pattern, program: &Program, types: &[TypeId]) -> Result<()> {
    let types = (!types.is_empty()).then_some(types);
    let Reach { matches, idle, first, .. } = nfa::reach(pattern, program, types, &|_, _, _| false);
    let Some(step) = first.or_else(|| idle.first().copied()) else {
        let message = "no stream of events matches the pattern: its steps exclude each other";
        return if matches { Ok(()) } else { Err(PatternError::new(None, message)) };
    };
    let name = &pattern.steps[step.index()].name;
    let message = format!(
        "no match can hold `{name}`: a greedy loop before it takes every event that could be this \
         step (use `each`), or a `not` forbids them"
    );
    Err(PatternError::new(Some(name), message))
}

struct Lowering<'s, E> {
    schema: Option<&'s Schema>,
    steps: Vec<Step>,
    conditions: Vec<Condition>,
    /// The closures by number.
    tests: Vec<DraftTest<E>>,
    /// The conditions by step, for the keys of steps.
    keyed: Vec<KeyedCondition>,
    /// The types that steps name.
    named: Vec<TypeId>,
    /// True if a step takes events of any type.
    any: bool,
}

impl<E: Event> Lowering<'_, E> {
    fn sequence(&mut self, items: Vec<DraftItem<E>>, depth: usize) -> Result<Sequence> {
        if depth > MAX_DEPTH {
            let message = format!("groups are nested deeper than {MAX_DEPTH}");
            return Err(PatternError::new(None, message));
        }
        let mut items = items;
        let without = match items.pop() {
            Some(DraftItem { name, kind: DraftKind::Without(condition), .. }) => {
                Some((name, condition))
            }
            last => {
                items.extend(last);
                None
            }
        };
        let mut lowered: Vec<Item> = Vec::with_capacity(items.len());
        // The `not`s before the item: it comes when their silences are over.
        let mut row = SilenceRow::START;
        for (index, item) in items.into_iter().enumerate() {
            let position = ItemPosition { first: index == 0, depth };
            let label = item.label();
            let mut item = self.item(item, position)?;
            let own = item.gap.and_then(|gap| gap.max).and_then(Length::as_millis);
            match &item.kind {
                ItemKind::Not { .. } if index > 0 => {
                    let time = item.gap.and_then(|gap| gap.max);
                    item.gap = row.add(time).unwrap_or(item.gap);
                }
                ItemKind::Not { .. } => {}
                _ if row.passed != Length::ZERO => {
                    let silence = row.passed.as_millis().unwrap_or(0);
                    if can_be_empty(&item) || own.is_some_and(|max| max < silence) {
                        let message = format!(
                            "{label}: it must be required, and come after the time of the `not`"
                        );
                        return Err(PatternError::new(None, message));
                    }
                    let gap = item.gap.unwrap_or(Gap { min: Length::ZERO, max: None });
                    let min = gap.min.as_millis().unwrap_or(0).max(silence);
                    item.gap = Some(Gap { min: Length::Millis(min), ..gap });
                    row = SilenceRow::START;
                }
                _ => {}
            }
            lowered.push(item);
        }
        let without = match without {
            Some((name, condition)) => {
                let ty = self.resolve(&condition.ty, Some(&name))?;
                let step = self.negated_step(name, ty)?;
                let condition = self.step_condition(condition.tests, step, ty);
                Some(Without { step, condition })
            }
            None => None,
        };
        shapes::check(&lowered, SequenceExtent::at(depth), &self.steps)?;
        Ok(Sequence { items: lowered, without })
    }

    /// Lowers the content of a group. `what` is the name of the group in messages.
    fn content(&mut self, draft: Draft<E>, depth: usize) -> Result<(Sequence, Option<i64>)> {
        let Draft { items, within, whole, error } = draft;
        if let Some(error) = error {
            return Err(error);
        }
        if let Some(setting) = whole.first_setting() {
            let message = format!("{setting} can't be set in a group: set it on the whole pattern");
            return Err(PatternError::new(None, message));
        }
        let within = within.map(|w| bound(w, "`within` of a group")).transpose()?;
        Ok((self.sequence(items, depth)?, within))
    }

    fn branches(
        &mut self,
        branches: Vec<Draft<E>>,
        count: DraftCount,
        depth: usize,
    ) -> Result<Item> {
        let count = match count {
            DraftCount::One => 1,
            DraftCount::All => branches.len(),
            DraftCount::Some(count) => count,
        };
        let mut lowered = Vec::with_capacity(branches.len());
        for branch in branches {
            let (sequence, within) = self.content(branch, depth)?;
            if within.is_some() {
                let message = "`within` of one alternative: put what it bounds into a group";
                return Err(PatternError::new(None, message));
            }
            lowered.push(sequence);
        }
        let kind = ItemKind::Alternatives { branches: lowered, count };
        Ok(Item { contiguity: Contiguity::Relaxed, gap: None, kind })
    }

    fn item(&mut self, mut item: DraftItem<E>, position: ItemPosition) -> Result<Item> {
        check_position(&item, position)?;
        let until = item.until.take();
        let quantifier = quantifier(&item)?;
        if until.is_some() && quantifier.max.is_some() {
            let what = "`until` needs a loop without upper bound, such as `times(3..)`";
            return Err(item.refuse(what));
        }
        let contiguity = if position.first { Contiguity::Relaxed } else { item.contiguity };
        let gap = item.gap;
        let is_plain = item.name.is_empty() && quantifier.is_once();
        let kind = match bare(item.kind, is_plain) {
            DraftKind::Step(condition) => {
                let ty = self.resolve(&condition.ty, Some(&item.name))?;
                let step = self.step(item.name, ty)?;
                let condition = self.step_condition(condition.tests, step, ty);
                let quantifier = self.with_until(quantifier, until, Some((step, ty)))?;
                ItemKind::Step { step, condition, quantifier }
            }
            DraftKind::Not(condition) => {
                let ty = self.resolve(&condition.ty, Some(&item.name))?;
                let step = self.negated_step(item.name, ty)?;
                ItemKind::Not { step, condition: self.step_condition(condition.tests, step, ty) }
            }
            DraftKind::Without(_) => {
                let what = "nothing can follow it in the same sequence";
                return Err(PatternError::new(
                    Some(&item.name),
                    format!("`without {}`: {what}", item.name),
                ));
            }
            // Between other steps, alternatives are a step of their own and not one of a group.
            DraftKind::Alternatives(branches, count)
                if item.name.is_empty() && quantifier.is_once() =>
            {
                self.branches(branches, count, position.depth + 1)?.kind
            }
            kind @ (DraftKind::Group(_) | DraftKind::Alternatives(..)) => {
                let alias =
                    if item.name.is_empty() { None } else { Some(self.step(item.name, None)?) };
                let depth = position.depth + 1;
                let (body, within) = match kind {
                    DraftKind::Group(group) => self.content(group, depth)?,
                    DraftKind::Alternatives(branches, count) => {
                        let items = vec![self.branches(branches, count, depth)?];
                        (Sequence { items, without: None }, None)
                    }
                    _ => (Sequence::default(), None),
                };
                let quantifier = self.with_until(quantifier, until, None)?;
                let within = within.map(Length::Millis);
                ItemKind::Group { body, quantifier, within, alias }
            }
        };
        Ok(Item { contiguity, gap, kind })
    }

    fn with_until(
        &mut self,
        quantifier: Quantifier,
        until: Option<DraftCondition<E>>,
        of: Option<(StepId, Option<TypeId>)>,
    ) -> Result<Quantifier> {
        let Some(until) = until else { return Ok(quantifier) };
        let ty = self.resolve(&until.ty, None)?;
        let condition = match of {
            Some((step, own)) if own == ty => self.step_condition(until.tests, step, ty),
            _ => {
                let condition = self.condition(until.tests, ty);
                self.keyed.push(KeyedCondition { condition, step: None, ty });
                condition
            }
        };
        Ok(Quantifier { until: Some(condition), ..quantifier })
    }

    /// Adds the step of an event that must not come.
    fn negated_step(&mut self, name: Arc<str>, ty: Option<TypeId>) -> Result<StepId> {
        let step = self.step(name, ty)?;
        self.steps[step.index()].negated = true;
        Ok(step)
    }

    fn step(&mut self, name: Arc<str>, ty: Option<TypeId>) -> Result<StepId> {
        if name.is_empty() {
            return Err(PatternError::new(None, "a step needs a name"));
        }
        if self.steps.iter().any(|step| step.name == name) {
            let message = format!("two steps are called `{name}`: give each its own name");
            return Err(PatternError::new(Some(&name), message));
        }
        self.steps.push(Step { name, ty, negated: false });
        Ok(StepId::new(self.steps.len() - 1))
    }

    /// Adds the condition of a step.
    fn step_condition(
        &mut self,
        tests: Vec<DraftTest<E>>,
        step: StepId,
        ty: Option<TypeId>,
    ) -> ConditionId {
        let condition = self.condition(tests, ty);
        let step = Some(self.steps[step.index()].name.clone());
        self.keyed.push(KeyedCondition { condition, step, ty });
        condition
    }

    fn condition(&mut self, tests: Vec<DraftTest<E>>, ty: Option<TypeId>) -> ConditionId {
        let mut tests = tests.into_iter().map(|test| {
            let correlated = matches!(test, DraftTest::Correlated(_));
            self.tests.push(test);
            hir::Test::Host { index: self.tests.len() - 1, correlated }
        });
        let test = match (tests.next(), tests.next()) {
            (None, _) => hir::Test::True,
            (Some(only), None) => only,
            (Some(first), Some(second)) => {
                hir::Test::All([first, second].into_iter().chain(tests).collect())
            }
        };
        self.conditions.push(Condition { ty, test });
        ConditionId::new(self.conditions.len() - 1)
    }

    /// Returns the type of a step, and adds the type to the stream.
    fn resolve(&mut self, ty: &OfType, step: Option<&Arc<str>>) -> Result<Option<TypeId>> {
        let id = match ty {
            OfType::Any => {
                self.any = true;
                return Ok(None);
            }
            OfType::Id(id) => *id,
            OfType::Named(name) => self.type_id(name, step)?,
        };
        self.named.push(id);
        Ok(Some(id))
    }

    fn type_id(&self, name: &str, step: Option<&Arc<str>>) -> Result<TypeId> {
        let error = |message| Err(PatternError::new(step, message));
        let Some(schema) = self.schema else {
            return error(format!("there is no schema for `{name}`: give one with `schema`"));
        };
        let names = schema.types().map(|(_, ty)| &*ty.name);
        match (schema.type_id(name), nearest(name, names)) {
            (Some(id), _) => Ok(id),
            (None, Some(near)) => {
                error(format!("there is no event type `{name}`: did you mean `{near}`?"))
            }
            (None, None) => error(format!("there is no event type `{name}`")),
        }
    }

    /// Returns the types of the stream, sorted.
    fn types(&self, stream: Option<&DraftStream>) -> Result<Vec<TypeId>> {
        let mut types = match stream {
            Some(DraftStream::Named(names)) => {
                names.iter().map(|name| self.type_id(name, None)).collect::<Result<Vec<_>>>()?
            }
            None if !self.any => self.named.clone(),
            None | Some(DraftStream::All) => {
                self.schema.iter().flat_map(|schema| schema.types()).map(|(id, _)| id).collect()
            }
        };
        types.sort_unstable();
        types.dedup();
        Ok(types)
    }

    fn key(&self, key: &DraftKey<E>, types: &[TypeId]) -> Result<KeyPart> {
        let named = match &key.source {
            KeySource::Closure(_) => {
                let (name, fields) = (key.name.clone(), Vec::new());
                return Ok(KeyPart { name, fields, is_computed: true });
            }
            KeySource::Fields(types) => types,
            KeySource::Steps(steps) => {
                steps.iter().try_for_each(|(step, _)| self.check_keyed(step))?;
                steps
            }
        };
        if matches!(key.source, KeySource::Fields(_)) {
            for (ty, _) in named {
                self.type_id(ty, None)?;
            }
        }
        if self.schema.is_none() {
            return Err(no_schema(key));
        }
        let fields = types.iter().map(|&id| {
            // Of a type that named steps alone take, the type's own field need not exist.
            let takes = |of: &&KeyedCondition| of.ty.is_none_or(|ty| ty == id);
            let first = self.keyed.iter().find(takes).and_then(|of| of.step.as_ref());
            let entry = match &key.source {
                KeySource::Steps(steps) => steps.iter().position(|(name, _)| Some(name) == first),
                _ => None,
            };
            Ok((id, self.key_field(key, id, entry)?))
        });
        let fields = fields.collect::<Result<_>>()?;
        Ok(KeyPart { name: key.name.clone(), fields, is_computed: false })
    }

    /// Checks the name of a step that has its own key.
    fn check_keyed(&self, name: &Arc<str>) -> Result<()> {
        let names = || self.keyed.iter().filter_map(|of| of.step.as_ref());
        if names().any(|known| known == name) {
            return Ok(());
        }
        let near = nearest(name, names().map(|name| &**name));
        let help = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        let message = format!("there is no step `{name}` with a key{help}");
        Err(PatternError::new(Some(name), message))
    }

    /// Returns the field that holds a part of the key in events of a type. `entry` is the place of
    /// the step among those that the part names.
    fn key_field(&self, key: &DraftKey<E>, id: TypeId, entry: Option<usize>) -> Result<FieldRef> {
        let Some(schema) = self.schema else { return Err(no_schema(key)) };
        let ty = schema.ty(id);
        let given = match (&key.source, entry) {
            // A closure computes the part: the field is always null.
            (KeySource::Closure(_), _) => return Ok(FieldRef::ByType(Arc::new([]))),
            (KeySource::Fields(types), _) => types.iter().find(|(of, _)| *of == ty.name),
            (KeySource::Steps(steps), Some(entry)) => steps.get(entry),
            (KeySource::Steps(_), None) => None,
        };
        let name = given.map_or(&key.name, |(_, field)| field);
        if let Some(field) = ty.field_id(name) {
            return Ok(FieldRef::Declared(field));
        }
        if ty.open || ty.map_of(name).is_some() {
            return Ok(FieldRef::Dynamic(name.clone()));
        }
        let near = nearest(name, ty.fields.iter().map(|field| &*field.name));
        let help = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        let message = format!("`{}` has no field `{name}` for the key{help}", ty.name);
        Err(PatternError::new(None, message))
    }

    /// Finds the keys of steps, and adds their tests to the conditions.
    fn step_keys(&mut self, keys: &[DraftKey<E>], types: &[TypeId]) -> Result<Vec<StepKeys>> {
        let mut conditions = std::mem::take(&mut self.conditions);
        let field = |key: &DraftKey<E>, ty, entry| self.key_field(key, ty, entry);
        let step_keys = add_step_keys(keys, types, &self.keyed, &mut conditions, field);
        self.conditions = conditions;
        step_keys
    }

    fn skip(&self, whole: &Whole<E>) -> Result<Skip> {
        let target = |name: &Arc<str>| {
            let captures = || self.steps.iter().filter(|step| !step.negated);
            let found = self.steps.iter().position(|step| step.name == *name && !step.negated);
            found.map(StepId::new).ok_or_else(|| {
                let near = nearest(name, captures().map(|step| &*step.name));
                let help =
                    near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
                let message = format!("no step `{name}` captures events to skip to{help}");
                PatternError::new(Some(name), message)
            })
        };
        let strategy = match &whole.skip {
            None | Some(DraftSkip::PastLast) => SkipStrategy::PastLast,
            Some(DraftSkip::None) => SkipStrategy::None,
            Some(DraftSkip::ToNext) => SkipStrategy::ToNext,
            Some(DraftSkip::ToFirst(name)) => SkipStrategy::ToFirst(target(name)?),
            Some(DraftSkip::ToLast(name)) => SkipStrategy::ToLast(target(name)?),
        };
        Ok(Skip { strategy, ordered: whole.ordered })
    }
}

fn no_schema<E>(key: &DraftKey<E>) -> PatternError {
    let message = format!("there is no schema for the key `{}`: give one with `schema`", key.name);
    PatternError::new(None, message)
}

/// Alternatives with a `not` among them, where a group says nothing more than that they are
/// together.
fn bare<E>(kind: DraftKind<E>, is_plain: bool) -> DraftKind<E> {
    let DraftKind::Group(mut group) = kind else { return kind };
    let is_not = |branch: &Draft<E>| {
        matches!(branch.items.as_slice(), [DraftItem { kind: DraftKind::Not(_), .. }])
    };
    let says_more = group.error.is_some()
        || group.within.is_some()
        || group.whole.first_setting().is_some()
        || !is_plain;
    let [only] = group.items.as_slice() else { return DraftKind::Group(group) };
    let is_once = only.name.is_empty() && only.times.is_none() && !only.optional;
    match &only.kind {
        DraftKind::Alternatives(branches, _)
            if branches.iter().any(is_not) && is_once && !says_more =>
        {
            group.items.pop().map_or(DraftKind::Group(group), |only| only.kind)
        }
        _ => DraftKind::Group(group),
    }
}

/// True if the item is a `not` with its own time.
fn ends_in_silence(item: &Item) -> bool {
    item.is_not() && item.gap.is_some_and(|gap| gap.max.is_some())
}

/// The position of an item.
#[derive(Clone, Copy)]
struct ItemPosition {
    first: bool,
    depth: usize,
}

/// Refuses settings that do not fit the position or the kind of an item.
fn check_position<E>(item: &DraftItem<E>, position: ItemPosition) -> Result<()> {
    let is_not = matches!(item.kind, DraftKind::Not(_));
    if is_not {
        if item.times.is_some() || item.optional || item.until.is_some() {
            return Err(item.refuse("a `not` can't be repeated or optional"));
        }
        if item.gap.is_some() && item.contiguity != Contiguity::Relaxed {
            let what = "`not_next` tests a single event, not a span of time";
            return Err(item.refuse(what));
        }
        if item.gap.is_some_and(|gap| gap.min != Length::ZERO) {
            let what = "a `not` has no gap: use `lasting`";
            return Err(item.refuse(what));
        }
    } else if position.first && item.gap.is_some() {
        let what = "nothing comes before it where the gap could start";
        return Err(item.refuse(what));
    }
    Ok(())
}

fn quantifier<E>(item: &DraftItem<E>) -> Result<Quantifier> {
    let refuse = |what: &str| Err(item.refuse(what));
    let Some(Repetitions { min, max }) = item.times else {
        if item.inner.is_some() {
            return refuse("`consecutive` and `allow_combinations` need `times` or `one_or_more`");
        }
        if item.mode.is_some() && !item.optional {
            return refuse("`greedy`, `each` and `longest` need `times` or `one_or_more`");
        }
        let default = if item.optional { LoopMode::Greedy } else { LoopMode::Each };
        let mode = item.mode.unwrap_or(default);
        return Ok(Quantifier { optional: item.optional, mode, ..Quantifier::ONCE });
    };
    if max == Some(0) {
        return refuse("zero times is never: remove the step or use a `not`");
    }
    if max.is_some_and(|max| max < min) {
        return refuse("the minimum number of repetitions is larger than the maximum");
    }
    if min > MAX_TIMES || max.is_some_and(|max| max > MAX_TIMES) {
        let what = format!("at most {MAX_TIMES} repetitions are allowed");
        return Err(item.refuse(&what));
    }
    let inner = item.inner.unwrap_or(Contiguity::Relaxed);
    let mode = match (item.mode, inner) {
        (Some(LoopMode::Greedy | LoopMode::Longest), Contiguity::Any) => {
            return refuse(
                "`allow_combinations` may skip events that fit, but a greedy loop never does",
            );
        }
        (Some(mode), _) => mode,
        (None, Contiguity::Any) => LoopMode::Each,
        (None, _) => LoopMode::Greedy,
    };
    Ok(Quantifier {
        min: min.max(1),
        max,
        optional: item.optional || min == 0,
        inner,
        mode,
        until: None,
    })
}

fn bound(duration: Duration, what: &str) -> Result<i64> {
    match duration_to_millis(duration) {
        0 => Err(PatternError::new(None, format!("{what} must be at least 1 ms"))),
        millis => Ok(millis),
    }
}

/// True if a gap or the bound of a group lets partial matches run out of time.
fn is_bounded(body: &Sequence) -> bool {
    body.items.iter().any(|item| {
        let gap = item.gap.is_some_and(|gap| gap.max.is_some());
        match &item.kind {
            ItemKind::Step { .. } => gap,
            ItemKind::Not { .. } => false,
            ItemKind::Group { body, within, .. } => gap || within.is_some() || is_bounded(body),
            ItemKind::Alternatives { branches, .. } => gap || branches.iter().any(is_bounded),
        }
    })
}

/// Returns the error of the automaton's builder as an error of the pattern.
fn refused(error: &AutomatonError) -> PatternError {
    let step = match error.kind() {
        Refusal::UnboundedNot(name)
        | Refusal::MisplacedNot(name)
        | Refusal::NotAfterOptional(name)
        | Refusal::SilenceBesideNot(name)
        | Refusal::MisplacedSilence(name)
        | Refusal::BadQuantifier(name)
        | Refusal::UntilWithoutLoop(name)
        | Refusal::LongestNotLast(name) => Some(name),
        Refusal::Empty
        | Refusal::EmptyLoop
        | Refusal::BadCount
        | Refusal::EmptyAlternative
        | Refusal::BadBound
        | Refusal::UnknownSkipTarget
        | Refusal::TooLarge
        | Refusal::TooLargeTogether
        | Refusal::TooManyTypes => None,
    };
    PatternError::new(step, error.to_string())
}
