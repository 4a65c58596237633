//! The library's public items, read from its sources, are those of `tests/public_api.txt`: a change
//! of the API shows in review. `KLEENE_TEST_UPDATE=1 cargo test --test public_api` writes the list.
//!
//! Code that macros make (ids, derives) is not in the list, and no item that is `#[doc(hidden)]`:
//! these are for Kleene's own crates.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{ImplItem, Item, TraitItem, Type, UseTree, Visibility};

const LIST: &str = "tests/public_api.txt";

/// The path of a module or item from the root of the crate.
type ItemPath = Vec<String>;

/// The items of all modules but tests.
#[derive(Default)]
struct Modules(BTreeMap<ItemPath, Vec<Item>>);

impl Modules {
    /// Reads a module with its children.
    fn read(&mut self, path: ItemPath, items: Vec<Item>, folder: &Path) {
        for item in &items {
            let Item::Mod(module) = item else { continue };
            if is_test(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            let (inner, folder) = (at(&path, &name), folder.join(&name));
            if let Some((_, items)) = &module.content {
                self.read(inner, items.clone(), &folder);
                continue;
            }
            let files = [folder.with_extension("rs"), folder.join("mod.rs")];
            let text = files.iter().find_map(|file| fs::read_to_string(file).ok());
            let text = text.unwrap_or_else(|| panic!("{inner:?} has no file"));
            let file = syn::parse_file(&text).expect("the sources are Rust");
            self.read(inner, file.items, &folder);
        }
        self.0.insert(path, items);
    }

    /// Returns the names that the `use` items of a module bring, each with what it stands for.
    fn names(&self, module: &ItemPath) -> Vec<(String, ItemPath, bool)> {
        let mut names = Vec::new();
        for item in self.0.get(module).into_iter().flatten() {
            let Item::Use(item) = item else { continue };
            let is_public = matches!(item.vis, Visibility::Public(_)) && !is_hidden(&item.attrs);
            add_names(&item.tree, &mut Vec::new(), &mut |name, path| {
                names.push((name, self.absolute(module, path), is_public));
            });
        }
        names
    }

    /// Returns a path of a module from the root of the crate.
    fn absolute(&self, module: &ItemPath, path: &[String]) -> ItemPath {
        match path.first().map(String::as_str) {
            Some("crate") => path[1..].to_vec(),
            Some("self") => [module, &path[1..]].concat(),
            Some("super") => {
                self.absolute(&module[..module.len().saturating_sub(1)].to_vec(), &path[1..])
            }
            Some(first) if self.0.contains_key(&at(module, first)) => [module, path].concat(),
            _ => path.to_vec(),
        }
    }

    /// Returns the place where an item is defined, behind all re-exports.
    fn defined(&self, place: &ItemPath) -> ItemPath {
        let mut place = place.clone();
        for _ in 0..8 {
            let Some((name, module)) = place.split_last() else { break };
            let Some((_, next, _)) =
                self.names(&module.to_vec()).into_iter().find(|(of, ..)| of == name)
            else {
                break;
            };
            place = next;
        }
        place
    }
}

fn at(module: &[String], name: &str) -> ItemPath {
    [module, &[name.to_owned()]].concat()
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|one| one.to_token_stream().to_string().contains("test"))
}

fn is_hidden(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|one| one.to_token_stream().to_string().contains("doc (hidden)"))
}

fn add_names(tree: &UseTree, path: &mut ItemPath, found: &mut dyn FnMut(String, &[String])) {
    match tree {
        UseTree::Path(next) => {
            path.push(next.ident.to_string());
            add_names(&next.tree, path, found);
            path.pop();
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found(name.clone(), &at(path, &name));
        }
        UseTree::Rename(both) => {
            found(both.rename.to_string(), &at(path, &both.ident.to_string()));
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| add_names(tree, path, found)),
        UseTree::Glob(_) => found(String::from("*"), path),
    }
}

/// Writes tokens as they would stand in a line of code.
fn text(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    let tight = [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        (" > ", "> "),
        (" >", ">"),
        ("< ", "<"),
        (" ,", ","),
        (" : ", ": "),
        ("& ", "&"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" ;", ";"),
        ("> (", ">("),
        ("[ ", "["),
        (" ]", "]"),
        (" !", "!"),
        ("- >", "->"),
        ("->", " -> "),
        ("  ", " "),
        ("? Sized", "?Sized"),
        (",)", ")"),
        ("=(", "= ("),
    ];
    for (loose, tight) in tight {
        text = text.replace(loose, tight);
    }
    text.trim().to_owned()
}

/// The lines of the list.
#[derive(Default)]
struct List {
    lines: Vec<String>,
    /// The types in the list by where they are defined, with their public paths.
    types: BTreeMap<ItemPath, String>,
}

impl List {
    fn add_module(&mut self, all: &Modules, module: &ItemPath, path: &str) {
        // The shortest path of an item counts.
        for (name, place, is_public) in all.names(module) {
            if !is_public {
                continue;
            }
            let defined = all.defined(&place);
            let Some((own, in_module)) = defined.split_last() else { continue };
            match all.0.get(in_module) {
                Some(items) => {
                    for item in items {
                        self.add_item(&in_module.to_vec(), item, path, Some((own, &name)));
                    }
                }
                None => self.lines.push(format!("use {path}::{name} = {}", place.join("::"))),
            }
        }
        for item in &all.0[module] {
            if let Item::Mod(inner) = item
                && matches!(inner.vis, Visibility::Public(_))
                && !is_hidden(&inner.attrs)
            {
                let name = inner.ident.to_string();
                let path = format!("{path}::{name}");
                self.lines.push(format!("mod {path}"));
                self.add_module(all, &at(module, &name), &path);
            }
            self.add_item(module, item, path, None);
        }
    }

    /// Adds an item of a module: any public one, or that of a name, as which it is re-exported.
    fn add_item(&mut self, module: &ItemPath, item: &Item, path: &str, only: Option<(&str, &str)>) {
        let (attributes, visibility, ident) = match item {
            Item::Struct(one) => (&one.attrs, &one.vis, &one.ident),
            Item::Enum(one) => (&one.attrs, &one.vis, &one.ident),
            Item::Trait(one) => (&one.attrs, &one.vis, &one.ident),
            Item::Type(one) => (&one.attrs, &one.vis, &one.ident),
            Item::Const(one) => (&one.attrs, &one.vis, &one.ident),
            Item::Fn(one) => (&one.attrs, &one.vis, &one.sig.ident),
            _ => return,
        };
        let own = ident.to_string();
        let name = match only {
            Some((of, name)) if of == own => name,
            None => &own,
            Some(_) => return,
        };
        if !matches!(visibility, Visibility::Public(_)) || is_hidden(attributes) {
            return;
        }
        let path = format!("{path}::{name}");
        let first = self.types.entry(at(module, &own)).or_insert_with(|| path.clone());
        if *first != path {
            self.lines.push(format!("use {path} = {first}"));
            return;
        }
        let lines = &mut self.lines;
        match item {
            Item::Struct(one) => {
                lines.push(format!("struct {path}{}", text(&one.generics)));
                for field in one.fields.iter().filter(|one| {
                    matches!(one.vis, Visibility::Public(_)) && !is_hidden(&one.attrs)
                }) {
                    let name = field.ident.as_ref().map_or(String::from("0"), ToString::to_string);
                    lines.push(format!("field {path}.{name}: {}", text(&field.ty)));
                }
            }
            Item::Enum(one) => {
                lines.push(format!("enum {path}{}", text(&one.generics)));
                for variant in &one.variants {
                    let fields = variant.fields.iter().map(|field| match &field.ident {
                        Some(name) => format!("{name}: {}", text(&field.ty)),
                        None => text(&field.ty),
                    });
                    let fields = fields.collect::<Vec<_>>().join(", ");
                    lines.push(format!("variant {path}::{}({fields})", variant.ident));
                }
            }
            Item::Trait(one) => {
                let above = text(&one.supertraits);
                lines.push(format!("trait {path}{}: {above}", text(&one.generics)));
                for item in &one.items {
                    match item {
                        TraitItem::Fn(one) if is_hidden(&one.attrs) => {}
                        TraitItem::Fn(one) => lines.push(format!("in {path}: {}", text(&one.sig))),
                        TraitItem::Const(one) => {
                            let (name, ty) = (&one.ident, text(&one.ty));
                            lines.push(format!("in {path}: const {name}: {ty}"));
                        }
                        TraitItem::Type(one) => {
                            lines.push(format!("in {path}: type {}", one.ident));
                        }
                        _ => {}
                    }
                }
            }
            Item::Type(one) => lines.push(format!("type {path} = {}", text(&one.ty))),
            Item::Const(one) => lines.push(format!("const {path}: {}", text(&one.ty))),
            Item::Fn(one) => lines.push(format!("at {path}: {}", text(&one.sig))),
            _ => {}
        }
    }

    /// Adds the public methods of the types in the list.
    fn add_methods(&mut self, all: &Modules) {
        for (module, items) in &all.0 {
            for item in items {
                let Item::Impl(block) = item else { continue };
                let Type::Path(of) = &*block.self_ty else { continue };
                let named: ItemPath =
                    of.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                let own = [&module[..], &named[..]].concat();
                let brought = all.names(module).into_iter().find(|(name, ..)| *name == named[0]);
                let place = match brought {
                    Some((_, place, _)) => all.defined(&[&place[..], &named[1..]].concat()),
                    None if named.len() > 1 => all.defined(&all.absolute(module, &named)),
                    None => own,
                };
                let Some(path) = self.types.get(&place) else { continue };
                if let Some((_, of_trait, _)) = &block.trait_ {
                    self.lines.push(format!("impl {path}: {}", text(of_trait)));
                    continue;
                }
                for item in &block.items {
                    let line = match item {
                        ImplItem::Fn(one)
                            if matches!(one.vis, Visibility::Public(_))
                                && !is_hidden(&one.attrs) =>
                        {
                            text(&one.sig)
                        }
                        ImplItem::Const(one) if matches!(one.vis, Visibility::Public(_)) => {
                            format!("const {}: {}", one.ident, text(&one.ty))
                        }
                        _ => continue,
                    };
                    self.lines.push(format!("in {path}: {line}"));
                }
            }
        }
    }
}

#[test]
fn the_public_items_are_those_of_the_list() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut all = Modules::default();
    let file = fs::read_to_string(root.join("src/lib.rs")).expect("it is there");
    let file = syn::parse_file(&file).expect("the sources are Rust");
    all.read(Vec::new(), file.items, &root.join("src"));
    let mut list = List::default();
    list.add_module(&all, &Vec::new(), "kleene");
    list.add_methods(&all);
    list.lines.sort();
    list.lines.dedup();
    assert!(list.lines.iter().any(|line| line.starts_with("in kleene::Engine: fn push<")));
    let found = list.lines.join("\n") + "\n";
    if std::env::var_os("KLEENE_TEST_UPDATE").is_some() {
        fs::write(root.join(LIST), found).expect("it can be written");
        return;
    }
    let known = fs::read_to_string(root.join(LIST)).unwrap_or_default();
    let new: Vec<&str> =
        found.lines().filter(|line| !known.lines().any(|old| old == *line)).collect();
    let gone: Vec<&str> =
        known.lines().filter(|line| !found.lines().any(|new| new == *line)).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "the API has changed; if it is to, `KLEENE_TEST_UPDATE=1 cargo test --test public_api` and \
         read the difference\nnew: {new:#?}\ngone: {gone:#?}"
    );
}
