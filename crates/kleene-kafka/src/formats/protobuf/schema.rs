//! The text of a schema to descriptors.

use std::path::Path;

use prost_reflect::FileDescriptor;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::{Compiler, Error};

use super::super::registry::SchemaText;

/// Files that every registry of Confluent knows, and that no schema has a reference to.
const BUILT_IN: [(&str, &str); 2] = [
    (
        "confluent/meta.proto",
        "syntax = \"proto3\"; package confluent; import \"google/protobuf/descriptor.proto\"; \
         message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; } \
         extend google.protobuf.FileOptions { Meta file_meta = 1088; } \
         extend google.protobuf.MessageOptions { Meta message_meta = 1088; } \
         extend google.protobuf.FieldOptions { Meta field_meta = 1088; } \
         extend google.protobuf.EnumOptions { Meta enum_meta = 1088; } \
         extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }",
    ),
    (
        "confluent/type/decimal.proto",
        "syntax = \"proto3\"; package confluent.type; \
         message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }",
    ),
];

/// Compiles a schema of a registry. It runs no program.
pub(super) fn compile(id: u32, schema: &SchemaText) -> Result<FileDescriptor, String> {
    let name = format!("kleene-schema-{id}.proto");
    let mut files: Vec<(String, String)> = schema.references.clone();
    files.push((name.clone(), schema.text.clone()));
    let mut resolver = ChainFileResolver::new();
    // References come first: a registry may hold other versions of Google's files.
    resolver.add(Files(files));
    resolver.add(GoogleFileResolver::new());
    let built_in = BUILT_IN.map(|(name, text)| (name.to_owned(), text.to_owned()));
    resolver.add(Files(built_in.to_vec()));
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    compiler.open_file(&name).map_err(|error| error.to_string())?;
    let file = compiler.descriptor_pool().get_file_by_name(&name);
    file.ok_or_else(|| String::from("the compiler lost the file"))
}

/// Files by their name.
struct Files(Vec<(String, String)>);

impl FileResolver for Files {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        let name = path.to_str()?;
        self.0.iter().any(|(known, _)| known == name).then(|| name.to_owned())
    }

    fn open_file(&self, name: &str) -> Result<File, Error> {
        let file = self.0.iter().find(|(known, _)| known == name);
        let (name, text) = file.ok_or_else(|| Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}
