#!/usr/bin/env python3
"""Run questions that SQL can ask, too, with Kleene and with DuckDB, over the same CSV files.

usage: compare.py KLEENE DATA_DIR [RUNS]

KLEENE is the program, DATA_DIR has orders.csv, trades.csv, hits.csv and stock.csv of the workloads,
and RUNS is 3 unless given. It needs the Python package duckdb:

    python3 -m venv venv && venv/bin/pip install duckdb
    venv/bin/python benches/duckdb/compare.py target/release/kleene DATA_DIR

Both write the same fields of the same rows as JSON lines, alternately, each on one matching thread.
The figures are seconds of processor time, the least of the runs. A different number of rows ends
the program with exit code 1. Kleene reads its input on a second thread; its time counts.
"""
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import duckdb

ORDERS = """event order_created { ts: time, order_id: int, user_id: int, amount: float }
event order_paid    { ts: time, order_id: int, user_id: int, amount: float }
rule orders { key order_id  match order_created -> order_paid  within 10m  skip none
  emit { order_id, paid: order_paid.ts }  on timeout emit { order_id } }"""
TRADES = """event trade { ts: time, user_id: int, amount: float, status: string }
rule trades { key user_id  match trade[status == "ok" and amount > 0]{5} as t  within 24h  skip none
  emit { user_id, from: first(t.ts), to: last(t.ts) } }"""
HITS = """event hit { ts: time, ip: int, path: int, ad: int }
rule hits { key ip  match hit{30} as h  within 10s  skip none
  emit { ip, from: first(h.ts), to: last(h.ts) } }"""
STOCK = """event tick { ts: time, symbol: string, price: float, volume: int }
rule turns { key symbol
  match tick as top -> next tick[price < top.price] as low -> next tick[price > low.price] as up
  within 1h  skip none  emit { symbol, start: top.ts, low: low.price } }"""

# The rows come in the order of the file, which is the order of time.
READ = "read_csv('{file}', header = true)"
QUESTIONS = {
    "W1, with timeouts": ("orders.csv", ORDERS, """
        WITH e AS (SELECT * FROM {read}),
        c AS (SELECT * FROM e WHERE type = 'order_created'),
        p AS (SELECT * FROM e WHERE type = 'order_paid')
        SELECT c.order_id, p.ts AS paid FROM c
        LEFT JOIN p ON c.order_id = p.order_id AND p.ts > c.ts AND p.ts - c.ts < 600000"""),
    "W3, skip none": ("trades.csv", TRADES, """
        WITH t AS (SELECT user_id, ts, lag(ts, 4) OVER (PARTITION BY user_id ORDER BY ts) AS first
                   FROM {read} WHERE status = 'ok' AND amount > 0)
        SELECT user_id, first AS "from", ts AS "to" FROM t WHERE ts - first < 86400000"""),
    "W4, skip none": ("hits.csv", HITS, """
        WITH h AS (SELECT ip, ts, lag(ts, 29) OVER (PARTITION BY ip ORDER BY ts) AS first
                   FROM {read})
        SELECT ip, first AS "from", ts AS "to" FROM h WHERE ts - first < 10000"""),
    "W6, three ticks": ("stock.csv", STOCK, """
        WITH t AS (SELECT symbol, ts, price, lag(price) OVER w AS before, lag(ts) OVER w AS start,
                          lead(price) OVER w AS after, lead(ts) OVER w AS finish
                   FROM {read} WINDOW w AS (PARTITION BY symbol ORDER BY ts))
        SELECT symbol, start, price AS low FROM t
        WHERE price < before AND after > price AND finish - start < 3600000"""),
}


def lines(path):
    with open(path, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def by_kleene(program, rules, data, out):
    rules_file = out.with_suffix(".cep")
    rules_file.write_text(rules)
    command = [program, "run", "--threads", "1", rules_file, "--input", data, "--output", out, "--end-of-time",
               "--events", "none", "--quiet"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def by_duckdb(query, data, out):
    database = duckdb.connect()
    database.execute("SET threads = 1")
    query = query.format(read=READ.format(file=data))
    start = time.process_time()
    database.execute(f"COPY ({query}) TO '{out}' (FORMAT json)")
    written = time.process_time() - start
    start = time.process_time()
    database.execute(f"SELECT count(*) FROM ({query})").fetchall()
    return written, time.process_time() - start


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    wrong = False
    print(f"{'question':<20} {'rows':>9} {'Kleene':>8} {'DuckDB':>8} {'counts only':>12}")
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = (pathlib.Path(directory) / name for name in ("kleene.json", "duckdb.json"))
        for name, (file, rules, query) in QUESTIONS.items():
            data, kleene, duck, counted = folder / file, [], [], []
            for _ in range(runs):
                kleene.append(by_kleene(program, rules, data, ours))
                written, count = by_duckdb(query, data, theirs)
                duck.append(written)
                counted.append(count)
            rows = lines(ours), lines(theirs)
            wrong |= rows[0] != rows[1]
            differs = "" if rows[0] == rows[1] else f"  DuckDB has {rows[1]} rows"
            print(f"{name:<20} {rows[0]:>9} {min(kleene):>8.2f} {min(duck):>8.2f} "
                  f"{min(counted):>12.2f}{differs}")
    sys.exit(wrong)


if __name__ == "__main__":
    main()
