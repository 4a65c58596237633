//! `matches.count`, `matches.sum(step.field)` and their like: the whole set of matches that an
//! event or a deadline completes.

use super::path::{StepLookup, dotted_field};
use super::typed::refused;
use crate::diagnostic::{Code, Span};
use crate::hir::expr::{Aggregate, AggregateOp, MatchesFact};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::terms::{ExprContext, Typed, What};
use crate::hir::site::Site;
use crate::hir::{Expr, TotalId};
use crate::syntax::MATCHES;
use crate::syntax::ast::{self, Name, Path, PathPart, Spanned};
use kleene_event::util::spelling::nearest;
use kleene_event::value::Kind;

/// The totals over all matches of a set.
pub(super) const TOTALS: [AggregateOp; 4] =
    [AggregateOp::Sum, AggregateOp::Avg, AggregateOp::Min, AggregateOp::Max];

/// The help for a name that a set of matches does not have.
const HELP: &str = "use `matches.count`, `matches.sum(step.field)`, `matches.avg(..)`, \
                    `matches.min(..)` or `matches.max(..)`";

impl<'a> RuleLowerer<'_, 'a> {
    /// True if a path is about the set of matches, and not about a step or a field of that name.
    pub(super) fn is_of_matches(&self, path: &Path, context: ExprContext) -> bool {
        let is_field = |of| {
            dotted_field(path).is_some_and(|(dotted, _)| {
                self.field_of(of, &dotted).is_some() || self.is_record(of, MATCHES)
            })
        };
        path.root.node == MATCHES
            && !path.rest.is_empty()
            && matches!(self.find_step(MATCHES), StepLookup::Nothing)
            && !context.candidate.is_some_and(is_field)
    }

    /// `matches.count`
    pub(super) fn matches_fact(&mut self, path: &Path, context: ExprContext) -> Typed {
        let span = path.span;
        if !self.expect_set(span, context) {
            return refused(span);
        }
        let name = match path.rest.as_slice() {
            [PathPart::Field(name)] => name.node.as_str(),
            _ => "",
        };
        if name == "count" {
            return Typed { expr: Expr::Matches(MatchesFact::Count), kind: Kind::INT, span };
        }
        if TOTALS.iter().any(|op| op.name() == name) {
            let message = format!("`matches.{name}` of what?");
            let help = format!("write `matches.{name}(step.field)`");
            return self.refuse(Code::WrongArgumentCount, span, message, help);
        }
        self.no_such_fact(name, span)
    }

    /// `matches.sum(step.field)` and its like.
    pub(super) fn of_matches(
        &mut self,
        name: &Name,
        args: &'a [Spanned<ast::Expr>],
        span: Span,
        context: ExprContext,
    ) -> Typed {
        if !self.expect_set(span, context) {
            return refused(span);
        }
        let Some(op) = TOTALS.into_iter().find(|op| op.name() == name.node) else {
            if name.node == "count" {
                let message = "`matches.count` takes no argument";
                let help = "write `matches.count`";
                return self.refuse(Code::WrongArgumentCount, span, message, help);
            }
            return self.no_such_fact(&name.node, span);
        };
        let spelled = Name { node: format!("{MATCHES}.{}", name.node), span: name.span };
        let typed = self.aggregate(op, &spelled, args, span, context);
        let Expr::Aggregate(total) = typed.expr else { return refused(span) };
        if typed.kind.is_never() {
            return refused(span);
        }
        let expr = Expr::Matches(MatchesFact::Total(self.add_total(*total)));
        Typed { expr, kind: typed.kind, span }
    }

    /// Returns the number of a total. Equal totals share one.
    fn add_total(&mut self, total: Aggregate) -> TotalId {
        TotalId::new(self.reporting.totals.add(format!("{total:?}"), total))
    }

    /// Reports where no set of matches is known.
    fn expect_set(&mut self, span: Span, context: ExprContext) -> bool {
        let (message, help) = match context.what {
            What::Emit if context.bound.is_none() => {
                self.written.reads_matches.get_or_insert(Site { source: self.source, span });
                return true;
            }
            What::Emit | What::Constant => (
                "`matches` is about all matches together, not about one event",
                "use it outside of aggregates: `emit { n: matches.count }`",
            ),
            What::Timeout => (
                "a timeout is not a match, so `matches` has no meaning here",
                "use `matches` in `emit` or `having`",
            ),
            What::Step(_) | What::Until(_) | What::Length(_) => (
                "`matches` can't be used in a condition: it is known only when the matches are \
                 reported",
                "use `matches` in `emit` or `having`",
            ),
        };
        self.error(Code::MisplacedMatches, span, message, help);
        false
    }

    fn no_such_fact(&mut self, name: &str, span: Span) -> Typed {
        let message = format!("there is no `matches.{name}`");
        let known = TOTALS.iter().map(|op| op.name()).chain(["count"]);
        let help = match nearest(name, known) {
            Some(near) => format!("did you mean `matches.{near}`?"),
            None => HELP.to_owned(),
        };
        self.refuse(Code::UnknownField, span, message, help)
    }
}
