//! A schema as a table of nodes, with names resolved and the names of fields as JSON.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, NamespaceRef, UuidSchema};

/// The index of a node.
pub(super) type NodeId = usize;

/// How values of a type are read.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A named type that is read later in the schema.
    Reserved,
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    /// The symbols as JSON.
    Enum(Vec<Vec<u8>>),
    Record(Vec<Field>),
    /// The scale, and the size if it is fixed.
    Decimal(i64, Option<usize>),
    BigDecimal,
    /// A UUID of 16 bytes; true if their length comes first.
    Uuid {
        has_length: bool,
    },
    Date,
    /// The digits of the fraction of a second.
    Timestamp(u32),
    Duration,
}

/// A field of a record.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// The name as JSON, and a colon.
    pub(super) key: Vec<u8>,
    pub(super) node: NodeId,
}

/// A schema, ready for use.
#[derive(Debug)]
pub(super) struct Plan {
    nodes: Vec<Node>,
    root: NodeId,
}

impl Plan {
    /// Parses a schema and those that it refers to.
    pub(super) fn parse(text: &str, references: &[(String, String)]) -> Result<Plan, String> {
        let others = references.iter().map(|(_, text)| text);
        let parsed = Schema::parse_str_with_list(text, others);
        let (schema, others) = parsed.map_err(|error| error.to_string())?;
        let mut builder = Builder::default();
        for other in &others {
            builder.node(other, None)?;
        }
        let root = builder.node(&schema, None)?;
        // A name that no schema defines is an error here, not when a value has the type.
        if let Some(name) = builder.names.iter().find(|(_, id)| builder.is_reserved(**id)) {
            return Err(format!("the type {} is not defined", name.0));
        }
        Ok(Plan { nodes: builder.nodes, root })
    }

    pub(super) fn root(&self) -> NodeId {
        self.root
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    /// Named types, also those that are used before they are defined.
    names: BTreeMap<String, NodeId>,
}

impl Builder {
    fn is_reserved(&self, id: NodeId) -> bool {
        matches!(self.nodes[id], Node::Reserved)
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Returns the node of a named type.
    fn named(&mut self, name: String) -> NodeId {
        if let Some(id) = self.names.get(&name) {
            return *id;
        }
        let id = self.add(Node::Reserved);
        self.names.insert(name, id);
        id
    }

    /// Returns the node of a schema within a namespace.
    fn node(&mut self, schema: &Schema, namespace: NamespaceRef<'_>) -> Result<NodeId, String> {
        let name = match schema {
            Schema::Ref { name } => return Ok(self.named(name.fullname(namespace))),
            // Types with a name that are not only used for a logical type may be referred to.
            schema => schema.name().map(|name| name.fully_qualified_name(namespace).into_owned()),
        };
        let Some(name) = name else {
            let node = self.plain(schema, namespace)?;
            return Ok(self.add(node));
        };
        let id = self.named(name.fullname(None));
        let node = self.plain(schema, name.namespace().or(namespace))?;
        self.nodes[id] = node;
        Ok(id)
    }

    fn plain(&mut self, schema: &Schema, namespace: NamespaceRef<'_>) -> Result<Node, String> {
        Ok(match schema {
            Schema::Null => Node::Null,
            Schema::Boolean => Node::Boolean,
            Schema::Int | Schema::TimeMillis => Node::Int,
            Schema::Long | Schema::TimeMicros => Node::Long,
            Schema::Float => Node::Float,
            Schema::Double => Node::Double,
            Schema::Bytes => Node::Bytes,
            Schema::String | Schema::Uuid(UuidSchema::String) => Node::String,
            Schema::Array(array) => Node::Array(self.node(&array.items, namespace)?),
            Schema::Map(map) => Node::Map(self.node(&map.types, namespace)?),
            Schema::Union(union) => {
                let variants = union.variants().iter();
                Node::Union(
                    variants.map(|one| self.node(one, namespace)).collect::<Result<_, _>>()?,
                )
            }
            Schema::Record(record) => {
                let field = |field: &apache_avro::schema::RecordField| {
                    let mut key = json_text(&field.name)?;
                    key.push(b':');
                    Ok(Field { key, node: self.node(&field.schema, namespace)? })
                };
                Node::Record(record.fields.iter().map(field).collect::<Result<_, String>>()?)
            }
            Schema::Enum(symbols) => {
                let symbols = symbols.symbols.iter().map(|symbol| json_text(symbol));
                Node::Enum(symbols.collect::<Result<_, _>>()?)
            }
            Schema::Fixed(fixed) => Node::Fixed(fixed.size),
            Schema::Decimal(decimal) => decimal_node(decimal),
            Schema::BigDecimal => Node::BigDecimal,
            Schema::Uuid(UuidSchema::Bytes) => Node::Uuid { has_length: true },
            Schema::Uuid(UuidSchema::Fixed(_)) => Node::Uuid { has_length: false },
            Schema::Date => Node::Date,
            Schema::TimestampMillis | Schema::LocalTimestampMillis => Node::Timestamp(3),
            Schema::TimestampMicros | Schema::LocalTimestampMicros => Node::Timestamp(6),
            Schema::TimestampNanos | Schema::LocalTimestampNanos => Node::Timestamp(9),
            Schema::Duration(_) => Node::Duration,
            Schema::Ref { name } => return Err(format!("the type {name} is not defined")),
        })
    }
}

fn decimal_node(decimal: &DecimalSchema) -> Node {
    let size = match &decimal.inner {
        InnerDecimalSchema::Bytes => None,
        InnerDecimalSchema::Fixed(fixed) => Some(fixed.size),
    };
    Node::Decimal(i64::try_from(decimal.scale).unwrap_or(i64::MAX), size)
}

fn json_text(text: &str) -> Result<Vec<u8>, String> {
    serde_json::to_vec(text).map_err(|error| error.to_string())
}
