//! The configurations in the documentation, and the one that is shipped.

use std::path::Path;
use std::process::Command;

use kleene_test::pages;

use crate::service::Folder;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A part of a configuration, with what it needs to be a whole one.
fn whole(part: &str) -> String {
    let mut text = String::new();
    if !part.contains("state =") {
        text += "state = \"state\"\n[rules]\npaths = [\"rules\"]\n";
    }
    text += part;
    if !part.contains("[[source]]") {
        text += "\n[[source]]\nname = \"in\"\nkind = \"file\"\npath = \"in.jsonl\"\n";
    }
    if !part.contains("[[sink]]") {
        text += "\n[[sink]]\nname = \"out\"\nkind = \"file\"\npath = \"out.jsonl\"\n";
    }
    text.replace("../unpaid.cep", "rules")
        .replace("{ env = \"PAGER_SECRET\" }", "{ file = \"secret\" }")
}

#[test]
fn each_configuration_in_the_documentation_has_no_mistakes() {
    let mut checked = 0;
    for page in pages::all(&root()) {
        for block in page.blocks.iter().filter(|block| block.language == "toml") {
            let folder = Folder::new("");
            folder.write("secret", "abc");
            folder.write("shop.token", "def");
            folder.write("kleene.toml", &whole(&block.text));
            let (code, said) = folder.run(&["serve", "kleene.toml", "--check"]);
            // Nothing but that this program was built without something.
            let errors = said.lines().filter(|line| line.starts_with("error"));
            let is_right = errors.clone().all(|line| line.contains("was built without"));
            let place = format!("{}:{}", page.name, block.line);
            assert!(is_right && (code == Some(0)) == (errors.count() == 0), "{place}: {said}");
            checked += 1;
        }
    }
    assert!(checked >= 3, "{checked}");
}

#[test]
fn the_first_configuration_of_the_guide_is_the_shipped_one() {
    let shipped = std::fs::read_to_string(root().join("examples/serve/kleene.toml")).unwrap();
    let pages = pages::all(&root());
    let guide = pages.iter().find(|page| page.name == "docs/service.md").unwrap();
    let first = guide.blocks.iter().find(|block| block.language == "toml").unwrap();
    assert!(shipped.ends_with(&*first.text), "{}", first.text);
    let mut check = Command::new(env!("CARGO_BIN_EXE_kleene"));
    check.current_dir(root()).args(["serve", "examples/serve/kleene.toml", "--check"]);
    let ran = check.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
