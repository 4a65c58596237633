//! Any bytes are events, or reported with a reason that is one line, in the order of the lines.

use kleene::schema::{EventType, Field, FieldId, FieldType, Schema};
use kleene_input::{Block, Cursor, Form, Format, InputItem, Parser, Reading};

/// Lines that are longer are reported as that.
const MAX_LINE: usize = 512;

/// Two types with fields of every kind; events of the second may have others, too.
fn schema() -> Schema {
    let types = [
        ("ts", FieldType::Time),
        ("i", FieldType::Int),
        ("f", FieldType::Float),
        ("s", FieldType::String),
        ("b", FieldType::Bool),
        ("ip", FieldType::Ip),
        ("o.d", FieldType::Duration),
        ("o.l", FieldType::List(Box::new(FieldType::Int))),
    ];
    let field = |(name, ty): &(&str, FieldType)| Field {
        name: (*name).into(),
        ty: ty.clone(),
        optional: *name != "ts",
    };
    let fields: Vec<Field> = types.iter().map(field).collect();
    let mut schema = Schema::new();
    for (name, open) in [("a", false), ("b", true)] {
        let time = Some(FieldId::new(0));
        schema.add(EventType { name: name.into(), fields: fields.clone(), time, open });
    }
    schema
}

/// Returns the items of `block`, a line of text for each, with the number of its line.
fn read(parser: &mut Parser, block: &Block) -> Vec<(Option<u64>, String)> {
    let mut cursor = Cursor::default();
    let mut items = Vec::new();
    while let Some(item) = parser.next_item(block, &mut cursor) {
        items.push(match item {
            InputItem::Event(event, place) => (Some(place.line), format!("{event:?}")),
            InputItem::Unknown(name) => (None, format!("unknown {name}")),
            InputItem::Rejected(place, reason) => {
                assert!(!reason.is_empty() && !reason.contains('\n'), "{reason:?}");
                (Some(place.line), reason)
            }
            InputItem::Unreadable(reason) => {
                assert!(!reason.is_empty(), "it says why");
                items.push((None, reason));
                break;
            }
        });
    }
    items
}

pub(crate) fn check(format: Format, data: &[u8]) {
    let form = Form { format, delimiter: b',', max_line: MAX_LINE };
    let reading = Reading::default();
    let fresh = Parser::new(form, &schema(), reading);
    let whole = Block::new(data.to_vec(), 1);
    let mut parser = fresh.clone();
    let items = read(&mut parser, &whole);
    let lines: Vec<u64> = items.iter().filter_map(|(line, _)| *line).collect();
    assert!(lines.is_sorted_by(|a, b| a < b), "{lines:?}");
    let last = data.split(|byte| *byte == b'\n').count() as u64;
    assert!(lines.iter().all(|line| *line <= last), "{lines:?} of {last}");
    if format == Format::Jsonl {
        // Each line alone says what it says among the others.
        let mut alone = Vec::new();
        let mut parser = fresh;
        for (line, number) in data.split_inclusive(|byte| *byte == b'\n').zip(1..) {
            alone.extend(read(&mut parser, &Block::new(line.to_vec(), number)));
        }
        assert_eq!(alone, items);
    }
}
