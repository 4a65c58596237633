//! Rules that change while the service runs, and mistakes in files.

use crate::http::{get, request};
use crate::service::{Folder, RULES, click};

const CONFIG: &str = "[[source]]\nname = \"clicks\"\nkind = \"file\"\npath = \"in.jsonl\"\n\
                      [[sink]]\nname = \"found\"\nkind = \"file\"\npath = \"out.jsonl\"\n\
                      [http]\nlisten = \"127.0.0.1:0\"\n";

fn put(address: &str, name: &str, text: &str) -> crate::http::Answer {
    request(address, "PUT", &format!("/rules/{name}"), "", text)
}

#[test]
fn rules_are_replaced_over_http_with_verdicts_and_an_audit_log() {
    let folder = Folder::new(CONFIG);
    folder.write("in.jsonl", &click(1, 1));
    let mut service = folder.start();
    let address = service.address();
    // The open partial match of the first click goes on under the edited rule.
    let edited = RULES.replace("emit { user, at: two.ts }", "emit { user, last: two.ts }");
    let answer = put(&address, "twice.cep", &edited);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("\"rule\":\"twice\""), "{}", answer.body);
    folder.add("in.jsonl", &click(2, 1));
    service.wait_until("the match is there", || folder.read("out.jsonl").lines().count() == 1);
    assert!(folder.emitted("out.jsonl")[0]["last"].is_string());
    // Mistakes are shown with carets, and change nothing.
    let wrong = put(&address, "twice.cep", "rule twice { match clack }");
    assert_eq!(wrong.status, 422, "{}", wrong.body);
    assert!(wrong.body.contains("^^^^^"), "{}", wrong.body);
    assert_eq!(folder.read("rules/twice.cep"), edited);
    // A new file, and its end.
    let new = "event click { ts: time, user: int }\nrule third { key user  match click{3} }\n";
    assert_eq!(put(&address, "third.cep", new).status, 200);
    assert!(get(&address, "/rules").body.contains("third.cep"));
    assert!(get(&address, "/rules/third.cep").body.contains("click{3}"));
    let gone = request(&address, "DELETE", "/rules/third.cep", "", "");
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert!(!folder.path("rules/third.cep").exists());
    assert_eq!(request(&address, "DELETE", "/rules/third.cep", "", "").status, 404);
    let last = request(&address, "DELETE", "/rules/twice.cep", "", "");
    assert_eq!(last.status, 422, "the last rule stays: {}", last.body);
    let audit = folder.read("state/audit.jsonl");
    let what: Vec<&str> =
        audit.lines().map(|line| line.split_once("\"what\":\"").unwrap().1).collect();
    assert_eq!(what.len(), 6, "{audit}");
    assert!(what[0].starts_with("put twice.cep"), "{audit}");
    assert!(audit.lines().nth(1).unwrap().contains("refused"), "{audit}");
}

#[test]
fn files_that_change_are_read_again_and_mistakes_leave_the_old_rules() {
    let folder = Folder::new(CONFIG);
    folder.write("in.jsonl", &click(1, 1));
    let mut service = folder.start();
    service.wait_for("started");
    folder.write("rules/twice.cep", "rule twice { match clack }");
    service.wait_for("the rules were not reloaded, the old ones go on");
    folder.add("in.jsonl", &click(2, 1));
    service.wait_until("the match is there", || folder.read("out.jsonl").lines().count() == 1);
    folder.write("rules/twice.cep", &RULES.replace("rule twice", "rule again"));
    service.wait_for("again: added");
    // The audit log has changes of files as well.
    let audit = folder.path("state/audit.jsonl");
    service.wait_until("it is in the log", || {
        std::fs::read_to_string(&audit).unwrap().contains("again")
    });
}

#[test]
fn mistakes_are_shown_where_they_are_and_nothing_is_started() {
    let folder = Folder::new(&CONFIG.replace("path = \"in", "paht = \"in"));
    let (code, said) = folder.run(&["serve", "kleene.toml", "--check"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("unknown field `paht`") && said.contains("^^^^"), "{said}");
    let folder = Folder::new(CONFIG);
    folder.write("rules/wrong.cep", "rule x { match nothing }");
    let (code, said) = folder.run(&["serve", "kleene.toml"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("nothing") && said.contains('^'), "{said}");
    assert!(!folder.path("state/engine").exists());
    let (code, said) = folder.run(&["serve", "nowhere.toml"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("cannot read nowhere.toml"), "{said}");
}

#[test]
fn two_services_cannot_have_one_state() {
    let folder = Folder::new(CONFIG);
    let mut service = folder.start();
    service.wait_for("started");
    let (code, said) = folder.run(&["serve", "kleene.toml"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("another run is using the state"), "{said}");
}
