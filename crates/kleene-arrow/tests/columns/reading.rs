//! What is read of columns of particular types and forms.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use kleene_input::Reading;

use crate::files::read;

#[test]
fn a_type_column_a_time_column_and_fields_by_name() {
    let rules = "event hit { user: string, ts: time }  rule all { match hit }";
    let ty: ArrayRef = Arc::new(StringArray::from(vec![Some("hit"), Some("miss"), None, Some("")]));
    let user: ArrayRef = Arc::new(StringArray::from(vec!["ann", "bob", "cid", "dan"]));
    let ts: ArrayRef = Arc::new(Int64Array::from(vec![1000, 2000, 3000, 4000]));
    let read = read(rules, vec![("type", ty), ("user", user), ("ts", ts)], &Reading::default());
    assert_eq!(read.unknown, 1);
    assert_eq!(
        read.reasons(),
        [
            (3, "no event type: the column `type` is null"),
            (4, "no event type: the column `type` is empty")
        ]
    );
}
