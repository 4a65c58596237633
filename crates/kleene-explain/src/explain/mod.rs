//! Rules in words and pictures: what a rule looks for, step by step, and the automaton that it
//! becomes.
//!
//! ```
//! use kleene::RuleSet;
//! use kleene_explain::explain::Explanation;
//!
//! let rules = RuleSet::parse(
//!     "event paid { order_id: string, at: time }
//!      event sent { order_id: string, at: time }
//!      rule not_sent { key order_id  match paid -> not sent for 2d }",
//! )?;
//! let explanation = Explanation::new(&rules.rules()[0], rules.schema())?;
//! assert!(explanation.text().contains("no `sent` for 2d"));
//! assert!(explanation.picture().to_dot().starts_with("digraph"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cost;
mod draw;
mod explanation;
mod phrase;
mod picture;
mod spans;
mod states;
mod svg;
mod text;
mod words;

pub use self::cost::RuleCost;
pub use explanation::Explanation;
pub use picture::{Node, Picture, PictureEdge, Shape};
pub use words::Failed;

pub(crate) use words::{Words, is_written, shown};

pub use kleene_automata::nfa::Growth;
use kleene_automata::nfa::{Program, StateId};

impl Explanation<'_> {
    /// The rule in words: its steps, bounds and key, what it reports, what it keeps and what it may
    /// cost. Several lines of plain text.
    pub fn text(&self) -> String {
        text::text(self)
    }

    /// Returns the cost of the rule in words, a line each.
    pub fn cost(&self) -> Vec<String> {
        cost::lines(self)
    }

    /// Returns how the cost of the rule grows.
    ///
    /// ```
    /// use kleene::RuleSet;
    /// use kleene_explain::explain::{Explanation, Growth};
    ///
    /// let rules = RuleSet::parse(
    ///     "event paid { order_id: string, at: time }
    ///      event sent { order_id: string, at: time }
    ///      rule not_sent { key order_id  match paid -> not sent for 2d }",
    /// )?;
    /// let cost = Explanation::new(&rules.rules()[0], rules.schema())?.rule_cost();
    /// assert_eq!((cost.event, cost.memory), (Growth::Constant, Growth::Linear));
    /// assert_eq!(cost.n, "the `paid` events of the last 2d");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rule_cost(&self) -> RuleCost {
        cost::of_rule(self)
    }

    /// The automaton in words: its states, and what events do there. Several lines of plain text.
    pub fn states(&self) -> String {
        states::text(self)
    }

    /// The steps of the rule as a picture.
    pub fn picture(&self) -> Picture {
        picture::of_rule(self)
    }

    /// The automaton as a picture.
    pub fn picture_of_states(&self) -> Picture {
        states::picture(self)
    }
}

/// The names that states have in what is written and drawn of an automaton.
pub(crate) fn state_names(program: &Program, of: &[StateId]) -> Vec<String> {
    states::names(program, of)
}
