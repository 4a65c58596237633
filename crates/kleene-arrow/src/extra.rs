//! The undeclared fields of events of open types.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StructArray};
use kleene::value::Value;

use crate::element::dynamic;
use crate::error::ColumnarError;
use crate::leaf::Rows;
use crate::plan::{Path, Plan, Role, TypePlan};

/// The undeclared fields of an event.
pub(crate) type Extra = Box<[(Arc<str>, Value)]>;

/// A field that no declaration can hold: its row, and the reason.
pub(crate) type Problem = (usize, String);

/// Returns the undeclared fields of each row that are not null.
pub(crate) fn extra(
    rows: &Rows<'_>,
    plan: &Plan,
    ty: &TypePlan,
    problem: &mut impl FnMut(Problem),
) -> Result<Vec<Extra>, ColumnarError> {
    let mut all: Vec<Vec<(Arc<str>, Value)>> = vec![Vec::new(); rows.len()];
    for column in rows.batch.schema_ref().fields() {
        let path: Path = vec![column.name().as_str().into()];
        let role = role(plan, ty, &path);
        if role == Role::Field {
            continue;
        }
        let array = rows.leaf(&path)?;
        for (row, fields) in all.iter_mut().enumerate() {
            match value(&array, row, (plan, ty), &path, role) {
                Ok(Value::Null) => {}
                Ok(value) => fields.push((path[0].clone(), value)),
                Err(reason) => problem((row, format!("field `{}`: {reason}", path[0]))),
            }
        }
    }
    Ok(all.into_iter().map(Vec::into_boxed_slice).collect())
}

fn role(plan: &Plan, ty: &TypePlan, path: &[Arc<str>]) -> Role {
    match ty.role(path) {
        Role::Undeclared if plan.is_special(path) => Role::Field,
        Role::Undeclared if plan.has_special_in(path) => Role::Partly,
        role => role,
    }
}

/// Returns what is undeclared in the value of a row; null if nothing is.
fn value(
    array: &ArrayRef,
    row: usize,
    of: (&Plan, &TypePlan),
    path: &[Arc<str>],
    role: Role,
) -> Result<Value, String> {
    match (role, array.as_struct_opt()) {
        (Role::Partly, Some(object)) if object.is_valid(row) => rest(object, row, of, path),
        (Role::Partly, Some(_)) | (Role::Field, _) => Ok(Value::Null),
        _ => dynamic(array, row),
    }
}

fn rest(
    object: &StructArray,
    row: usize,
    (plan, ty): (&Plan, &TypePlan),
    path: &[Arc<str>],
) -> Result<Value, String> {
    let mut fields = Vec::new();
    for (field, column) in object.fields().iter().zip(object.columns()) {
        let name: Arc<str> = field.name().as_str().into();
        let path = [path, std::slice::from_ref(&name)].concat();
        match value(column, row, (plan, ty), &path, role(plan, ty, &path))? {
            Value::Null => {}
            value => fields.push((name, value)),
        }
    }
    Ok(if fields.is_empty() { Value::Null } else { Value::Record(fields.into()) })
}
