//! Values for readers of other inputs, in which values have types of their own.

use kleene::schema::FieldType;
use kleene::value::{Value, ValueRef};

use crate::json::list_from_text;
use crate::layout::Reading;
use crate::scalar::{Scalar, from_json};

impl Reading {
    /// Returns the value of type `ty` that a value of an input means, as if it came in JSON: a bool,
    /// a number or a text. Where a list is declared, a text that begins with `[` is a list in JSON.
    /// Null gives null.
    ///
    /// ```
    /// use kleene::schema::FieldType;
    /// use kleene::value::ValueRef;
    /// use kleene_input::{Reading, TimeUnit};
    ///
    /// let reading = Reading { unit: TimeUnit::Seconds, ..Reading::default() };
    /// let time = reading.value(&FieldType::Time, ValueRef::Int(1));
    /// assert_eq!(time.unwrap().to_string(), "1970-01-01T00:00:01Z");
    /// let reason = reading.value(&FieldType::Int, ValueRef::String("x")).unwrap_err();
    /// assert_eq!(reason, r#"expected int, found the text "x""#);
    /// ```
    ///
    /// # Errors
    /// The reason why the value has no meaning for the type.
    pub fn value(&self, ty: &FieldType, found: ValueRef<'_>) -> Result<Value, String> {
        let scalar = match found {
            ValueRef::Null => Scalar::Null,
            ValueRef::Bool(found) => Scalar::Bool(found),
            ValueRef::Int(found) => Scalar::Int(found),
            ValueRef::Float(found) => Scalar::Float(found),
            ValueRef::String(text) => Scalar::Text(text),
            other => return Err(format!("expected {ty}, found {other}")),
        };
        if let (FieldType::List(_), Scalar::Text(text)) = (ty, scalar)
            && text.starts_with('[')
        {
            return list_from_text(ty, text, self.spelling());
        }
        from_json(ty, scalar, self.spelling())
    }
}
