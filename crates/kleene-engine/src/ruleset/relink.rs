//! Relinking: gives a rule the type and field numbers of the events, by name.
//!
//! Rules are checked against the types that their file declares. Events of a derived Rust type have
//! their own numbers of types and fields.

use std::fmt;
use std::sync::Arc;

use kleene_event::schema::{FieldId, Schema, TypeId};
use kleene_event::util::order;
use kleene_event::util::spelling::nearest;
use kleene_event::value::Kind;
use kleene_syntax::hir::expr::{Aggregate, CapturedField, Expr, FieldRef};
use kleene_syntax::hir::{Emit, KeyPart, Pattern, Rule, Step, StepKey, StepKeys, Suppress, Test};

/// Returns the rule with the numbers of `events` instead of those of `declared`. Types that
/// `events` lacks get numbers that no event has.
///
/// # Errors
/// [`SchemaMismatch`] if a field that the rule reads is missing or of another type.
pub(crate) fn relink(
    rule: &Rule,
    declared: &Schema,
    events: &Schema,
) -> Result<Rule, SchemaMismatch> {
    let linker = Linker { declared, events };
    let pattern = &rule.pattern;
    let mut types: Vec<TypeId> = rule.types.iter().map(|ty| linker.ty(*ty)).collect();
    types.sort_unstable();
    let steps = &pattern.steps;
    let conditions = pattern.conditions.iter().map(|condition| {
        let test = match &condition.test {
            Test::Expr(expr) => Test::Expr(linker.expr(expr, condition.ty, steps)?),
            other => other.clone(),
        };
        Ok(kleene_syntax::hir::Condition { ty: condition.ty.map(|ty| linker.ty(ty)), test })
    });
    let relinked = Pattern {
        conditions: conditions.collect::<Result<_, SchemaMismatch>>()?,
        steps: steps
            .iter()
            .map(|step| Step { ty: step.ty.map(|ty| linker.ty(ty)), ..step.clone() })
            .collect(),
        totals: pattern
            .totals
            .iter()
            .map(|total| linker.aggregate(total, steps))
            .collect::<Result<_, SchemaMismatch>>()?,
        ..pattern.clone()
    };
    let key = rule.key.iter().map(|part| {
        let fields = part.fields.iter().filter(|(ty, _)| linker.exists(*ty));
        let fields =
            fields.map(|(ty, field)| Ok((linker.ty(*ty), linker.field(field, Some(*ty))?)));
        Ok(KeyPart { fields: fields.collect::<Result<_, SchemaMismatch>>()?, ..part.clone() })
    });
    let step_keys = rule.step_keys.iter().filter(|keys| linker.exists(keys.ty)).map(|keys| {
        let fields = |key: &StepKey| {
            let fields = key.fields.iter().map(|field| linker.field(field, Some(keys.ty)));
            Ok(StepKey { fields: fields.collect::<Result<_, SchemaMismatch>>()?, ..key.clone() })
        };
        let own = keys.keys.iter().map(fields).collect::<Result<_, SchemaMismatch>>()?;
        Ok(StepKeys { ty: linker.ty(keys.ty), keys: own })
    });
    let mut step_keys: Vec<StepKeys> = step_keys.collect::<Result<_, SchemaMismatch>>()?;
    order::sort_by_key(&mut step_keys, |keys| keys.ty);
    let emit = |emit: &Emit| -> Result<Emit, SchemaMismatch> {
        let fields = emit
            .fields
            .iter()
            .map(|(name, expr)| Ok((name.clone(), linker.expr(expr, None, steps)?)));
        let feeds = emit.feeds.map(|ty| linker.ty(ty));
        Ok(Emit { fields: fields.collect::<Result<_, SchemaMismatch>>()?, feeds })
    };
    let suppress = |suppress: &Suppress| -> Result<Suppress, SchemaMismatch> {
        let expr = |expr: &Expr| linker.expr(expr, None, steps);
        let by = suppress
            .by
            .as_ref()
            .map(|by| by.iter().map(expr).collect::<Result<_, SchemaMismatch>>());
        Ok(Suppress { duration: expr(&suppress.duration)?, by: by.transpose()? })
    };
    Ok(Rule {
        types,
        key: key.collect::<Result<_, SchemaMismatch>>()?,
        step_keys,
        pattern: relinked,
        emit: rule.emit.as_ref().map(emit).transpose()?,
        on_timeout: rule.on_timeout.as_ref().map(emit).transpose()?,
        having: rule.having.as_ref().map(|having| linker.expr(having, None, steps)).transpose()?,
        suppress: rule.suppress.as_ref().map(suppress).transpose()?,
        ..rule.clone()
    })
}

/// Checks that each type that the pattern of a relinked rule names is a type of `events`. The check
/// is separate, after rules are linked to each other, for a better message on a type that only
/// `emit as` makes.
///
/// # Errors
/// [`SchemaMismatch`] if a type is missing.
pub(crate) fn check_types(
    rule: &Rule,
    declared: &Schema,
    events: &Schema,
) -> Result<(), SchemaMismatch> {
    let pattern = &rule.pattern;
    let steps = pattern.steps.iter().filter_map(|step| step.ty);
    let mut named = steps.chain(pattern.conditions.iter().filter_map(|condition| condition.ty));
    let Some(missing) = named.find(|ty| ty.index() >= events.len()) else { return Ok(()) };
    let number = missing.index() - events.len();
    let Some((_, ty)) = declared.types().nth(number) else { return Ok(()) };
    let near = nearest(&ty.name, events.types().map(|(_, ty)| &*ty.name)).map(Arc::from);
    Err(SchemaMismatch::MissingType { ty: ty.name.clone(), near })
}

struct Linker<'a> {
    declared: &'a Schema,
    events: &'a Schema,
}

impl Linker<'_> {
    fn exists(&self, ty: TypeId) -> bool {
        self.events.type_id(&self.declared.ty(ty).name).is_some()
    }

    fn ty(&self, ty: TypeId) -> TypeId {
        let found = self.events.type_id(&self.declared.ty(ty).name);
        found.unwrap_or_else(|| TypeId::new(self.events.len() + ty.index()))
    }

    /// A field of an event of type `ty`, or of one whose type is not known.
    fn field(&self, field: &FieldRef, ty: Option<TypeId>) -> Result<FieldRef, SchemaMismatch> {
        Ok(match field {
            FieldRef::Time => FieldRef::Time,
            FieldRef::Declared(id) => match ty {
                Some(ty) if self.exists(ty) => self.declared_field(*id, ty)?,
                // No event of that type comes, so the field is never read.
                _ => field.clone(),
            },
            FieldRef::Dynamic(path) => {
                let ty = ty.and_then(|ty| self.events.type_id(&self.declared.ty(ty).name));
                let id = ty.and_then(|ty| self.events.ty(ty).field_id(path));
                id.map_or_else(|| field.clone(), FieldRef::Declared)
            }
            FieldRef::ByType(fields) => {
                let fields = fields.iter().filter(|(ty, _)| self.exists(*ty));
                let fields =
                    fields.map(|(ty, field)| Ok((self.ty(*ty), self.field(field, Some(*ty))?)));
                FieldRef::ByType(fields.collect::<Result<_, SchemaMismatch>>()?)
            }
        })
    }

    fn declared_field(&self, id: FieldId, ty: TypeId) -> Result<FieldRef, SchemaMismatch> {
        let (from, to) = (self.declared.ty(ty), self.events.ty(self.ty(ty)));
        let wanted = from.field(id);
        let entry = to.map_of(&wanted.name);
        let found = to.field_id(&wanted.name);
        let Some(field) = entry.or_else(|| found.map(|found| to.field(found))) else {
            let (ty, field) = (from.name.clone(), wanted.name.clone());
            let names = to.fields.iter().map(|field| &*field.name);
            let near = nearest(&field, names).map(Arc::from);
            return Err(SchemaMismatch::MissingField { ty, field, near });
        };
        let (rule, event) = (wanted.ty.kind(), field.ty.kind());
        if rule != event {
            let (ty, field) = (from.name.clone(), wanted.name.clone());
            return Err(SchemaMismatch::OtherKind { ty, field, rule, event });
        }
        Ok(found.map_or_else(|| FieldRef::Dynamic(wanted.name.clone()), FieldRef::Declared))
    }

    fn aggregate(
        &self,
        aggregate: &Aggregate,
        steps: &[Step],
    ) -> Result<Aggregate, SchemaMismatch> {
        let ty = steps[aggregate.step.index()].ty;
        let arg = aggregate.arg.as_ref();
        let arg = arg.map(|arg| self.expr(arg, ty, steps)).transpose()?;
        Ok(Aggregate { arg, ..aggregate.clone() })
    }

    /// An expression in which the candidate event is of type `candidate`.
    fn expr(
        &self,
        expr: &Expr,
        candidate: Option<TypeId>,
        steps: &[Step],
    ) -> Result<Expr, SchemaMismatch> {
        Ok(match expr {
            Expr::Field(field) => Expr::Field(self.field(field, candidate)?),
            Expr::Captured(captured) => {
                let ty = captured.step.and_then(|step| steps[step.index()].ty);
                let field = self.field(&captured.field, ty)?;
                Expr::Captured(CapturedField { field, ..captured.clone() })
            }
            Expr::Aggregate(aggregate) => {
                Expr::Aggregate(Box::new(self.aggregate(aggregate, steps)?))
            }
            _ => expr.map_parts(|part| self.expr(part, candidate, steps))?,
        })
    }
}

/// The reason why a rule does not fit the events.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum SchemaMismatch {
    MissingType { ty: Arc<str>, near: Option<Arc<str>> },
    MissingField { ty: Arc<str>, field: Arc<str>, near: Option<Arc<str>> },
    OtherKind { ty: Arc<str>, field: Arc<str>, rule: Kind, event: Kind },
}

impl fmt::Display for SchemaMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let did_you_mean = |f: &mut fmt::Formatter<'_>, near: &Option<Arc<str>>| match near {
            Some(near) => write!(f, ": did you mean `{near}`?"),
            None => Ok(()),
        };
        match self {
            SchemaMismatch::MissingType { ty, near } => {
                write!(f, "there is no event type `{ty}`, which its pattern names")?;
                did_you_mean(f, near)
            }
            SchemaMismatch::MissingField { ty, field, near } => {
                write!(f, "the events' type `{ty}` has no field `{field}`, which the rule reads")?;
                did_you_mean(f, near)
            }
            SchemaMismatch::OtherKind { ty, field, rule, event } => write!(
                f,
                "the field `{field}` of `{ty}` is declared as {rule} in the rules, but is {event} \
                 in the events"
            ),
        }
    }
}
