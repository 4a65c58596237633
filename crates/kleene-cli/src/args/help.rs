//! The texts behind the options in `kleene help`: examples and exit codes.

pub(super) const HELP: &str = "\
Examples:
  kleene infer orders.jsonl > shop.cep                   declare the events of a file
  kleene check shop.cep                                  print the mistakes of the rules
  kleene run shop.cep --input orders.jsonl               run the rules
  kleene help run                                        describe a command, with examples

Exit codes: 0 success; 1 the rules have mistakes, or a test of them fails; 2 wrong usage, or a file
that cannot be read or written; 3 nothing was found, as no event of the input could be used; 130
interrupted by Ctrl-C.";

pub(super) const RUN_HELP: &str = "\
Examples:
  kleene run shop.cep --input orders.jsonl.gz            a file, unpacked while it is read
  tail -f orders.jsonl | kleene run shop.cep             a stream; results come as they are found
  kleene run rules/ -i trades.csv --param active_trader.limit=10
  kleene run ssh.cep -i auth.jsonl --out-of-order 5s --rejects bad.jsonl > found.jsonl
  tail -f orders.jsonl | kleene run shop.cep --watch     edit shop.cep while it runs
  tail -f orders.jsonl | kleene run shop.cep --idle-timeout 10s
                                                         a silence is reported as it lasts
  kleene run shop.cep -i all-of-may.jsonl --end-of-time  nothing comes after the input
  kleene run shop.cep -i orders.jsonl -o found.jsonl --state shop.state
                                                         goes on after a crash, each result once
  kleene run shop.cep -i orders.jsonl --spill /var/tmp --keys-in-memory 500000
                                                         more open keys than fit into memory

Each result is one JSON object a line on standard output, or a short line for people (--brief). The
summary on standard error counts events, matches, timeouts, late, rejected and unknown events.

Times are RFC 3339 or epoch numbers (--time-unit). The event time is the declared field of type
`time`; where a type declares none, or an event lacks it, it is the field `ts`. With --time-field it
is that field of every event.

The end of the input is not the end of time: partial matches that are open there stay open and are
counted, unless --end-of-time says that nothing comes after the input.

Exit codes: 0 the input was read to its end, or nobody reads the output any more; 1 the rules are
wrong; 2 wrong usage, or a file that cannot be read or written; 3 nothing was found, as no event of
the input could be used (rejected, of types that no rule reads, late, without key, or all dated in
1970 or after 2100); 130 interrupted by Ctrl-C: results until then are reported, and open partial
matches are not reported as timeouts.";

pub(super) const CHECK_HELP: &str = "\
Examples:
  kleene check shop.cep                                  one file, and the files that it uses
  kleene check rules/ --deny warnings                    every *.cep below it, as one set of rules
  kleene check --cost shop.cep                           how time and memory of each rule grow

`kleene explain CODE` explains an error or a warning.

Exit codes: 0 no errors; 1 errors, or warnings that are denied; 2 wrong usage, or a file that cannot
be read.";

pub(super) const WHY_HELP: &str = "\
Examples:
  kleene why shop.cep --rule unpaid_order --key 1007 --input orders.jsonl
  kleene why rules/ --rule guessed --key user=ann,host=db1 -i auth.jsonl --last 20
  zcat ticks.csv.gz | kleene why v.cep --key AAA --format csv --json

For each event of the key, the story names its effect on each partial match: the step that took it,
or the part of a condition that failed and the values in the event, and what the partial match waits
for, until when.

Exit codes: 0 the story was printed, or the key never occurs; 1 the rules are wrong; 2 wrong usage,
or a file that cannot be read; 3 no event of the input could be used, as for `kleene run`; 130
interrupted by Ctrl-C: the story until then is printed.";

pub(super) const TEST_HELP: &str = "\
Examples:
  kleene test patterns/                                  every test of every file below it
  kleene test shop.cep --rule unpaid_order               the tests of one rule
  kleene test rules/ --junit report.xml                  a report for continuous integration

A test stands beside its rule:
  test unpaid_order {
    at 0s  order_created { order_id: \"1\" }
    at 1m  order_created { order_id: \"2\" }
    at 9m  order_paid    { order_id: \"1\" }
    advance to 12m
    expect match { order_id: \"2\" } at 11m
    expect no match { order_id: \"1\" }
  }

An expectation is judged where it stands. `expect match` names fields that a match must contain.
Each expectation claims a match of its own; matches that no expectation claims do not fail a test.
Times count from the start of the test, which is 2000-01-01T00:00:00Z.

Exit codes: 0 all tests pass; 1 a test fails, or the rules are wrong; 2 wrong usage, or a file that
cannot be read or written.";

pub(super) const FMT_HELP: &str = "\
Examples:
  kleene fmt rules/                  every *.cep there, in place; unchanged files are not written
  kleene fmt --check rules/ docs/    change nothing, fail if something would change
  kleene fmt - < shop.cep            from standard input to standard output

In Markdown (*.md) the fenced blocks that are marked `cep` are formatted, and nothing else is
touched; a block that is marked `cep error=CODE` shows a mistake and stays as it is.

Exit codes: 0 all is formatted; 1 the rules have mistakes, or --check found something to format;
2 wrong usage, or a file that cannot be read or written.";

pub(super) const EXPLAIN_HELP: &str = "\
Examples:
  kleene explain E0401                                   an error: a wrong example and a right one
  kleene explain                                         all codes, a line each
  kleene explain shop.cep                                rules: their steps, bounds and cost
  kleene explain shop.cep --rule unpaid_order --svg > unpaid.svg
  kleene explain shop.cep --rule unpaid_order --states   the automaton of a rule

--dot is for Graphviz, --mermaid for Markdown pages; with --states they draw the automaton.

Exit codes: 0 it was explained; 1 the rules are wrong; 2 there is no such code or rule, or a file
cannot be read.";

pub(super) const INFER_HELP: &str = "\
Examples:
  kleene infer orders.jsonl.gz > events.cep              and write rules below the declarations
  head -n 1000 app.log | kleene infer - --type-field event
  kleene infer ticks.csv --type tick                     one type, which is in no column

A field that is missing or null in some events gets a `?`. Of several times, the likeliest is marked
as the event time, and a comment says why. A field without a single type (a number here, a text
there; lists of objects) is left to `..`, with a comment: rules can read it, unchecked. Read the
comments, and correct them where you know better.

Exit codes: 0 declarations were printed; 2 wrong usage, or nothing can be read as an event.";

pub(super) const LSP_HELP: &str = "\
Examples:
  kleene lsp                         editors start this, and talk to it by standard input and output

An editor shows mistakes while rules are typed, and the meaning of names and where they are
declared. It offers completions, and formats as `kleene fmt` does. For Visual Studio Code there is
an extension in the folder editors/vscode of the sources; other editors start `kleene lsp` for *.cep
files when they are set up to.

Exit codes: 0 the editor shut it down; 1 the editor ended without shutting it down; 2 wrong usage.";

pub(super) const COMPLETIONS_HELP: &str = "\
Examples:
  kleene completions bash > ~/.local/share/bash-completion/completions/kleene
  kleene completions zsh > \"${fpath[1]}/_kleene\"
  kleene completions fish > ~/.config/fish/completions/kleene.fish
  kleene completions powershell >> $PROFILE
  kleene completions elvish >> ~/.config/elvish/rc.elv

Exit codes: 0 it was printed; 2 wrong usage.";
