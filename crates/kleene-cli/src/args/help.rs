//! The texts behind the options in `kleene help`: examples and exit codes.

pub(super) const HELP: &str = "\
Examples:
  kleene infer orders.jsonl > shop.cep                   declare the events of a file
  kleene check shop.cep                                  print the mistakes of the rules
  kleene run shop.cep --input orders.jsonl               run the rules
  kleene help run                                        describe a command, with examples

Exit codes: 0 success; 1 the rules have mistakes, or a test of them fails; 2 wrong usage, or a file
that cannot be read or written; 3 no event of the input could be used; 130 interrupted by
Ctrl-C.";

pub(super) const RUN_HELP: &str = "\
Examples:
  kleene run shop.cep --input orders.jsonl.gz            a file, unpacked while it is read
  tail -f orders.jsonl | kleene run shop.cep             a stream; each result is printed at once
  kleene run rules/ -i trades.csv --param active_trader.limit=10
  kleene run ssh.cep -i auth.jsonl --out-of-order 5s --rejects bad.jsonl > found.jsonl
  tail -f orders.jsonl | kleene run shop.cep --watch     edit shop.cep while it runs
  tail -f orders.jsonl | kleene run shop.cep --idle-timeout 10s
                                                         report a silence while it lasts
  kleene run shop.cep -i all-of-may.jsonl --end-of-time  no events follow the input
  kleene run shop.cep -i orders.jsonl -o found.jsonl --state shop.state
                                                         resume after a crash, each result once
  kleene run shop.cep -i orders.jsonl --spill /var/tmp --keys-in-memory 500000
                                                         more open keys than fit into memory

Each result is one JSON object per line on standard output, or a short line for people (--brief).
The summary on standard error counts events, matches, timeouts, late, rejected and unknown events.

Times are RFC 3339 or epoch numbers (--time-unit). The event time is the declared field of type
`time`; if a type declares none, or an event lacks it, it is the field `ts`. With --time-field, it
is that field of every event.

The end of the input is not the end of time: partial matches that are still open stay open and are
only counted. With --end-of-time, no events follow the input, and they are ended.

Exit codes: 0 the input was read to its end, or the reader of the output closed it; 1 the rules have
mistakes; 2 wrong usage, or a file that cannot be read or written; 3 no event of the input could be
used (rejected, of types that no rule reads, late, without key, or all dated in 1970 or after 2100);
130 interrupted by Ctrl-C: results until then are reported, and open partial matches are not
reported as timeouts.";

#[cfg(feature = "serve")]
pub(super) const SERVE_HELP: &str = "\
Examples:
  kleene serve kleene.toml                               run until Ctrl-C, and end with a checkpoint
  kleene serve kleene.toml --check                       print the mistakes of the configuration

`docs/service.md` describes the configuration. Logs go to standard error; KLEENE_LOG=debug, warn or
error changes how much.

Exit codes: 0 the service was stopped, or its sources have ended; 2 the configuration or the rules
have mistakes, or the service cannot go on: start it again, and it continues at its last checkpoint.";

pub(super) const CHECK_HELP: &str = "\
Examples:
  kleene check shop.cep                                  one file, and the files that it uses
  kleene check rules/ --deny warnings                    every *.cep in or below it, as one rule set
  kleene check --cost shop.cep                           how time and memory of each rule grow

`kleene explain CODE` explains an error or a warning.

Exit codes: 0 no errors; 1 errors, or warnings with --deny warnings; 2 wrong usage, or a file that
cannot be read.";

pub(super) const WHY_HELP: &str = "\
Examples:
  kleene why shop.cep --rule unpaid_order --key 1007 --input orders.jsonl
  kleene why rules/ --rule guessed --key user=ann,host=db1 -i auth.jsonl --last 20
  zcat ticks.csv.gz | kleene why v.cep --key AAA --format csv --json

For each event of the key, the output shows its effect on each partial match: the step that took it,
or the part of a condition that failed with the values in the event. It also shows what the partial
match waits for, and until when.

Exit codes: 0 the events were printed, or the key never occurs; 1 the rules have mistakes; 2 wrong
usage, or a file that cannot be read; 3 no event of the input could be used, as for `kleene run`;
130 interrupted by Ctrl-C: the events until then are printed.";

pub(super) const TEST_HELP: &str = "\
Examples:
  kleene test patterns/                                  every test in all files below it
  kleene test shop.cep --rule unpaid_order               the tests of one rule
  kleene test rules/ --junit report.xml                  a report for continuous integration

Write a test next to its rule:
  test unpaid_order {
    at 0s  order_created { order_id: \"1\" }
    at 1m  order_created { order_id: \"2\" }
    at 9m  order_paid    { order_id: \"1\" }
    advance to 12m
    expect match { order_id: \"2\" } at 11m
    expect no match { order_id: \"1\" }
  }

An expectation covers the results up to its line. `expect match` names fields that a match must
contain. Each expectation needs its own match; further matches do not fail a test.
Times count from the start of the test, which is 2000-01-01T00:00:00Z.

Exit codes: 0 all tests pass; 1 a test fails, or the rules have mistakes; 2 wrong usage, or a file
that cannot be read or written.";

pub(super) const FMT_HELP: &str = "\
Examples:
  kleene fmt rules/                  every *.cep there, in place; unchanged files are not written
  kleene fmt --check rules/ docs/    change nothing, fail if something would change
  kleene fmt - < shop.cep            from standard input to standard output

In Markdown (*.md), only the fenced blocks marked `cep` are formatted. A block marked
`cep error=CODE` shows a mistake and is not changed.

Exit codes: 0 all files are formatted; 1 the rules have mistakes, or --check found something to
format; 2 wrong usage, or a file that cannot be read or written.";

pub(super) const EXPLAIN_HELP: &str = "\
Examples:
  kleene explain E0401                                   an error: a wrong example and a right one
  kleene explain                                         all codes, one per line
  kleene explain shop.cep                                rules: their steps, bounds and cost
  kleene explain shop.cep --rule unpaid_order --svg > unpaid.svg
  kleene explain shop.cep --rule unpaid_order --states   the automaton of a rule

--dot is for Graphviz, --mermaid for Markdown pages; with --states they draw the automaton.

Exit codes: 0 success; 1 the rules have mistakes; 2 there is no such code or rule, or a file cannot
be read.";

pub(super) const INFER_HELP: &str = "\
Examples:
  kleene infer orders.jsonl.gz > events.cep              and write rules below the declarations
  head -n 1000 app.log | kleene infer - --type-field event
  kleene infer ticks.csv --type tick                     one type that no column contains

A field that is missing or null in some events gets a `?`. If there are several times, the most
likely one is marked as the event time, and a comment explains why. A field without a single type (a
number in one event, a string in another; lists of objects) is covered by `..`, with a comment:
rules can read it, but its type is not checked. Read the comments, and correct the declarations if
needed.

Exit codes: 0 declarations were printed; 2 wrong usage, or no line can be read as an event.";

pub(super) const LSP_HELP: &str = "\
Examples:
  kleene lsp                         started by an editor, over standard input and output

The editor shows mistakes while you type, the meaning of names and where they are declared, offers
completions, and formats like `kleene fmt`. For Visual Studio Code, there is an extension in the
folder editors/vscode of the sources; configure other editors to start `kleene lsp` for *.cep files.

Exit codes: 0 the editor shut it down; 1 the editor ended without a shutdown; 2 wrong usage.";

pub(super) const COMPLETIONS_HELP: &str = "\
Examples:
  kleene completions bash > ~/.local/share/bash-completion/completions/kleene
  kleene completions zsh > \"${fpath[1]}/_kleene\"
  kleene completions fish > ~/.config/fish/completions/kleene.fish
  kleene completions powershell >> $PROFILE
  kleene completions elvish >> ~/.config/elvish/rc.elv

Exit codes: 0 success; 2 wrong usage.";
