use super::*;

fn mistakes(text: &str) -> String {
    match Config::parse(Path::new("kleene.toml"), text) {
        Ok(config) => panic!("{config:?}"),
        Err(mistakes) => render(Path::new("kleene.toml"), text, &mistakes),
    }
}

const LEAST: &str = "state = \"state\"\n[rules]\npaths = [\"rules\"]\n";

fn with(more: &str) -> String {
    format!("{LEAST}{more}")
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    let text = with("[[source]]\nname = \"in\"\nkind = \"file\"\npaht = \"x\"\n");
    let said = mistakes(&text);
    assert!(said.contains(" --> kleene.toml:7:1\n"), "{said}");
    assert!(said.contains("unknown field `paht`, expected one of"), "{said}");
    assert!(said.contains("7 | paht = \"x\"\n  | ^^^^"), "{said}");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let said = mistakes(&with(
        "[[source]]\nname = \"in\"\nkind = \"http\"\npath = \"x\"\n\
         [[source]]\nname = \"in\"\nkind = \"file\"\n\
         [[sink]]\nname = \"a b\"\nkind = \"file\"\npath = \"x\"\nurl = \"http://x\"\n",
    ));
    for expected in [
        "`path` has no effect here: it is an option of files",
        "the name `in` is taken",
        "a file needs `path`",
        "a name has 1 to 64 letters",
        "`url` has no effect here: it is an option of webhooks",
        "a source waits for HTTP, but there is no `[http]`",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn an_open_address_needs_tokens() {
    let said = mistakes(&with(
        "[[source]]\nname = \"in\"\nkind = \"http\"\n[http]\nlisten = \"0.0.0.0:80\"\n",
    ));
    assert!(said.contains("this address is not loopback, and no token is set"), "{said}");
}

#[test]
fn a_missing_secret_is_said_and_never_shown() {
    let said = mistakes(&with(
        "[[source]]\nname = \"in\"\nkind = \"http\"\n[http]\nlisten = \"127.0.0.1:80\"\n\
         [[http.token]]\nname = \"ann\"\nrole = \"read\"\n\
         secret = { env = \"KLEENE_TEST_NOT_SET\" }\n",
    ));
    assert!(said.contains("the environment variable KLEENE_TEST_NOT_SET is not set"), "{said}");
}

#[test]
fn a_format_needs_its_feature_and_its_schema() {
    let source = |more: &str| {
        with(&format!(
            "[[source]]\nname = \"in\"\nkind = \"kafka\"\ntopic = \"t\"\n{more}\n\
             [[sink]]\nname = \"out\"\nkind = \"file\"\npath = \"/tmp/b\"\n\
             [kafka]\nbrokers = \"127.0.0.1:9092\"\ngroup = \"g\"\nworkers = 0\n"
        ))
    };
    let said = mistakes(&source("format = \"avro\""));
    assert!(said.contains("this format needs `schema`"), "{said}");
    let is_missing = said.contains("this program was built without Avro");
    assert_eq!(is_missing, !cfg!(feature = "avro"), "{said}");
    for (more, expected) in [
        ("format = \"protobuf\"\nschema = { file = \"x\" }", "the message is missing"),
        ("format = \"avro\"\nschema = { file = \"x\", message = \"M\" }", "an option of Protobuf"),
        ("format = \"avro\"\nschema = {}", "a schema is in a registry or in a file"),
        ("format = \"avro\"\nschema = { registry = \"host:8081\" }", "expected a URL with"),
        (
            "format = \"avro\"\nschema = { registry = \"http://host\", framed = true }",
            "`framed` has no effect here",
        ),
        ("schema = { file = \"x\" }", "`schema` has no effect here"),
    ] {
        let said = mistakes(&source(more));
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn paths_are_relative_to_the_file() {
    let text = with(
        "[rules.params]\n\"big.least\" = 10\n\"big.name\" = \"x\"\n\
         [[source]]\nname = \"in\"\nkind = \"file\"\npath = \"a.csv\"\n\
         [[sink]]\nname = \"out\"\nkind = \"file\"\npath = \"/tmp/b\"\n",
    );
    let config = Config::parse(Path::new("folder/kleene.toml"), &text).unwrap();
    assert_eq!(config.state, Path::new("folder/state"));
    assert_eq!(config.rules.params, ["big.least=10", "big.name=x"]);
    let SourceKind::File { path, follow: true } = &config.sources[0].kind else { panic!() };
    assert_eq!(path, Path::new("folder/a.csv"));
    assert_eq!(config.sources[0].form.format, kleene_input::Format::Csv);
    let SinkKind::File(path) = &config.sinks[0].kind else { panic!() };
    assert_eq!(path, Path::new("/tmp/b"));
}

#[test]
fn a_file_is_read_or_written_by_one() {
    let said = mistakes(&with(
        "[[source]]\nname = \"in\"\nkind = \"file\"\npath = \"a.jsonl\"\n\
         [[sink]]\nname = \"one\"\nkind = \"file\"\npath = \"a.jsonl\"\n\
         [[sink]]\nname = \"two\"\nkind = \"file\"\npath = \"state/b.jsonl\"\n",
    ));
    assert!(
        said.contains("the source `in` and the sink `one` are the same file a.jsonl"),
        "{said}"
    );
    assert!(said.contains("the sink `two` is inside the state directory"), "{said}");
}

#[test]
fn results_go_somewhere() {
    let source = "[[source]]\nname = \"in\"\nkind = \"http\"\n[http]\nlisten = \"127.0.0.1:80\"\n";
    let said = mistakes(&with(&format!("{source}max_streams = 0\n")));
    assert!(said.contains("there is no sink, and no stream over `[http]`"), "{said}");
    let config = Config::parse(Path::new("kleene.toml"), &with(source)).unwrap();
    assert!(config.has_streams());
}

#[test]
fn a_collector_needs_a_url_and_the_feature() {
    let said = mistakes(&with(
        "[[source]]\nname = \"in\"\nkind = \"http\"\n[http]\nlisten = \"127.0.0.1:80\"\n\
         [otlp]\nurl = \"127.0.0.1:4318\"\nevery = \"1ms\"\n\
         headers = { authorization = { env = \"KLEENE_TEST_NOT_SET\" } }\n",
    ));
    for expected in [
        "expected a URL with `http://` or `https://`",
        "metrics cannot be sent more often than each 100 ms",
        "the environment variable KLEENE_TEST_NOT_SET is not set",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let is_missing = said.contains("this program was built without OTLP");
    assert_eq!(is_missing, !cfg!(feature = "otlp"), "{said}");
}
