//! Functions that the program around the library brings along.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::function::signature;
use kleene_event::value::{Kind, Value, ValueRef};

/// The closure behind a [`HostFunction`].
type Closure = dyn Fn(&[ValueRef<'_>]) -> Value + Send + Sync;

/// A function of the host, which rules call by its name as they call the built-in ones:
/// `RuleSetBuilder::function` of the crate `kleene` takes it.
///
/// ```
/// use kleene::ruleset::HostFunction;
/// use kleene::value::{Kind, Value, ValueRef};
///
/// let risk = HostFunction::new("risk", Kind::FLOAT, |args| match args {
///     [ValueRef::String(country), ..] if *country == "XX" => Value::Float(0.9),
///     _ => Value::Float(0.1),
/// })
/// .param("country", Kind::STRING)
/// .optional("amount", Kind::FLOAT);
/// assert_eq!(risk.signature(), "risk(country, amount?)");
/// ```
///
/// Arguments are checked when rules are loaded, and again when the function is called, because a
/// field can be null and an undeclared one can be anything: if an argument is of none of its
/// parameter's types, the result is null and the closure is not called. So it never sees a null
/// unless the parameter's types include [`Kind::NULL`]. Integers are given as floats where only
/// floats are wanted. A result of another type than the declared one is null as well; null is
/// always allowed.
///
/// The closure should depend on nothing but its arguments: it is called in any order, any number of
/// times for one event, and results that hang on something else are not the same after a replay.
/// There is no way to report an error but null. A panic passes through the engine to whoever pushed
/// the event; the engine should not be used after that.
///
/// A rule's version includes the function's name and signature, but cannot include what it does.
#[derive(Clone)]
pub struct HostFunction {
    name: Arc<str>,
    params: Vec<(Arc<str>, Kind)>,
    required: usize,
    result: Kind,
    call: Arc<Closure>,
}

impl HostFunction {
    /// A function called `name` without parameters, whose result is of the types `result`. The
    /// closure is given one value for each argument of the call.
    pub fn new(
        name: impl Into<Arc<str>>,
        result: Kind,
        call: impl Fn(&[ValueRef<'_>]) -> Value + Send + Sync + 'static,
    ) -> HostFunction {
        let call = Arc::new(call);
        HostFunction { name: name.into(), params: Vec::new(), required: 0, result, call }
    }

    /// Adds a parameter of the types `kind`. The name is for messages.
    #[must_use]
    pub fn param(mut self, name: impl Into<Arc<str>>, kind: Kind) -> HostFunction {
        self.params.push((name.into(), kind));
        // One that is required behind one that is not makes that one required, too.
        self.required = self.params.len();
        self
    }

    /// Adds a parameter that calls may leave out. The closure is given fewer values then.
    #[must_use]
    pub fn optional(mut self, name: impl Into<Arc<str>>, kind: Kind) -> HostFunction {
        self.params.push((name.into(), kind));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its parameters' names and types, in order.
    pub fn params(&self) -> &[(Arc<str>, Kind)] {
        &self.params
    }

    /// The number of parameters, from the front, that are required.
    pub fn required(&self) -> usize {
        self.required
    }

    /// The types of its result.
    pub fn result(&self) -> Kind {
        self.result
    }

    /// Returns a call of the function as rules spell it: `risk(country, amount?)`.
    pub fn signature(&self) -> String {
        let params = self.params.iter().map(|(name, _)| &**name);
        signature(&self.name, params, self.required, ")")
    }

    /// Calls it; see [above](HostFunction) for what is checked.
    pub fn call(&self, args: &[ValueRef<'_>]) -> Value {
        let mut given: SmallVec<[ValueRef<'_>; 4]> = SmallVec::with_capacity(args.len());
        for (arg, (_, kind)) in args.iter().zip(&self.params) {
            let arg = match (arg, arg.as_f64()) {
                (ValueRef::Int(_), Some(x)) if !kind.intersects(Kind::INT) => ValueRef::Float(x),
                (arg, _) => *arg,
            };
            if !arg.kind().is_subset_of(*kind) {
                return Value::Null;
            }
            given.push(arg);
        }
        if given.len() != args.len() || given.len() < self.required {
            return Value::Null;
        }
        let result = match (self.call)(&given) {
            Value::Int(i) if !self.result.intersects(Kind::INT) => {
                Value::Int(i).as_ref().as_f64().map_or(Value::Null, Value::Float)
            }
            result => result,
        };
        if result.kind().is_subset_of(self.result) { result } else { Value::Null }
    }
}

impl fmt::Debug for HostFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostFunction")
            .field("name", &self.name)
            .field("params", &self.params)
            .field("required", &self.required)
            .field("result", &self.result)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half() -> HostFunction {
        HostFunction::new("half", Kind::FLOAT, |args| match args {
            [ValueRef::Float(x)] => Value::Float(x / 2.0),
            [ValueRef::Float(_), ValueRef::String("int")] => Value::Int(1),
            [ValueRef::Float(_), ValueRef::String("text")] => Value::from("text"),
            _ => Value::Float(-1.0),
        })
        .param("x", Kind::FLOAT)
        .optional("how", Kind::STRING.or(Kind::NULL))
    }

    #[test]
    fn arguments_and_results_are_of_the_declared_types() {
        let x = ValueRef::Float(3.0);
        for (args, expected) in [
            (&[x][..], "1.5"),
            (&[ValueRef::Int(3)], "1.5"),
            (&[ValueRef::Null], "null"),
            (&[ValueRef::String("3")], "null"),
            (&[], "null"),
            (&[x, ValueRef::String("int")], "1.0"),
            (&[x, ValueRef::String("text")], "null"),
            (&[x, ValueRef::Null], "-1.0"),
            (&[x, ValueRef::Int(1)], "null"),
            (&[x, ValueRef::Null, x], "null"),
        ] {
            assert_eq!(half().call(args).to_string(), expected, "{args:?}");
        }
    }

    #[test]
    fn what_is_required_shows_in_the_signature() {
        assert_eq!(half().signature(), "half(x, how?)");
        assert_eq!(half().param("y", Kind::INT).signature(), "half(x, how, y)");
    }
}
