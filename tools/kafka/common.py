"""What the tools of this folder share: a broker, instances of `kleene serve`, and topics."""

import atexit
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
KLEENE = Path(os.environ.get("KLEENE", TARGET / "kleene"))


class Failure(Exception):
    """Ends the program with a message."""


def say(text):
    print(text, flush=True)


def tool(name):
    """Returns the path of an example of kleene-kafka."""
    path = TARGET / "examples" / name
    if not path.exists():
        raise Failure(f"{path} is missing: cargo build --release -p kleene-kafka --features rdkafka --examples")
    return str(path)


class Cleanup:
    """Ends the processes that were started, and removes the folder, after an error, too."""

    def __init__(self, keep=False):
        self.folder = Path(tempfile.mkdtemp(prefix="kleene-kafka-"))
        self.keep = keep
        self.children = []
        self.brokers = []
        atexit.register(self.run)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(130))

    def spawn(self, command, **options):
        child = subprocess.Popen(command, **options)
        self.children.append(child)
        return child

    def run(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        for broker in self.brokers:
            broker.call("resume", check=False)
            broker.call("kill", check=False)
        if self.keep:
            say(f"the files are in {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


class Limit:
    """The time that the whole run may take."""

    def __init__(self, seconds):
        self.start = time.monotonic()
        self.end = self.start + seconds

    def check(self, doing):
        if time.monotonic() > self.end:
            raise Failure(f"the time is over while {doing}: see --limit")

    def left(self):
        return max(1.0, self.end - time.monotonic())


class Broker:
    """A broker. With a user and a password, `secured` is its address with TLS and SASL."""

    def __init__(self, cleanup, port, user=None):
        self.folder = cleanup.folder / "broker"
        self.address = f"127.0.0.1:{port}"
        self.secured = f"127.0.0.1:{port + 2}"
        self.certificate = self.folder / "broker.pem"
        self.variables = {}
        if user:
            self.variables = {"KAFKA_USER": user[0], "KAFKA_PASSWORD": user[1]}
        cleanup.brokers.append(self)
        self.call("start", str(port))

    def call(self, command, *arguments, check=True):
        done = subprocess.run(
            [HERE / "broker", command, self.folder, *arguments], capture_output=True, text=True,
            env={**os.environ, **self.variables},
        )
        if check and done.returncode != 0:
            raise Failure(done.stderr.strip())


def call(name, *arguments, limit, out=subprocess.PIPE):
    """Runs an example to its end, and returns what it prints."""
    try:
        done = subprocess.run(
            [tool(name), *map(str, arguments)], stdout=out, stderr=subprocess.PIPE, timeout=limit
        )
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{name} takes longer than {limit:.0f} s") from error
    if done.returncode != 0:
        text = (done.stdout or b"").decode() + done.stderr.decode()
        raise Failure(f"{name}: {text.strip()}")
    return done.stdout


def make_topic(cleanup, broker, name, partitions):
    empty = cleanup.folder / "empty.jsonl"
    empty.write_text("")
    call("produce", empty, name, "--partitions", partitions, "--brokers", broker.address, limit=60)


def lag(broker, topic, group):
    """Returns the number of records without a committed position, or None without an answer."""
    try:
        return int(call("lag", topic, "--brokers", broker.address, "--group", group, limit=30))
    except Failure:
        return None


class Instance:
    """A process of `kleene serve`, which may be started again and again."""

    def __init__(self, cleanup, name, port, settings):
        self.cleanup = cleanup
        self.name = name
        self.port = port
        self.config = cleanup.folder / f"{name}-{port}.toml"
        self.log = cleanup.folder / f"{name}-{port}.log"
        self.config.write_text(config_text(cleanup.folder, name, port, **settings))
        self.child = None
        self.killed = []  # moments of SIGKILL

    def start(self):
        with open(self.log, "ab") as log:
            self.child = self.cleanup.spawn([KLEENE, "serve", self.config], stdout=log, stderr=log)

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.killed.append(time.time())

    def stop(self, limit=60):
        """Ends it as a service manager does. Returns its exit code."""
        self.child.terminate()
        try:
            return self.child.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self.name} does not end within {limit} s after SIGTERM") from None

    def metrics(self):
        """Returns the metrics by name, each the sum over its labels; empty without an answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as page:
                lines = page.read().decode().splitlines()
        except OSError:
            return {}
        sums = Counter()
        for line in lines:
            if not line.startswith("#") and " " in line:
                name, value = line.rsplit(" ", 1)
                sums[name.split("{")[0].removesuffix("_total")] += float(value)
        return sums

    def events(self):
        """Returns the log: moment, text and fields of each line."""
        found = []
        if not self.log.exists():
            return found
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"message": line}
            if not isinstance(entry, dict):
                continue
            stamp = entry.get("timestamp")
            moment = datetime.fromisoformat(stamp).timestamp() if stamp else None
            found.append((moment, entry.get("message", ""), entry))
        return found


def config_text(
    folder, name, port, *, broker, rules, every="1s", group="e2e", delivery="exactly-once",
    topics=("in", "out"), session=6000, workers=1, state="state", content="full", streams=100,
    address=None, properties="",
):
    return f"""
state = "{folder}/{state}"
rejects = "{folder}/{name}-{port}.rejects"
log = "json"

[rules]
paths = ["{Path(rules).resolve()}"]
watch = false

[checkpoint]
every = "{every}"

[[source]]
name = "in"
kind = "kafka"
topic = "{topics[0]}"

[[sink]]
name = "out"
kind = "kafka"
topic = "{topics[1]}"
events = "{content}"

[http]
listen = "127.0.0.1:{port}"
max_streams = {streams}

[kafka]
brokers = "{address or broker.address}"
group = "{group}"
instance = "{name}"
delivery = "{delivery}"
workers = {workers}

[kafka.properties]
"consumer.session.timeout.ms" = "{session}"
"consumer.heartbeat.interval.ms" = "{max(300, session // 10)}"
"producer.transaction.timeout.ms" = "{max(10000, session)}"
{properties}"""


class Data:
    """Lines of a file, and the header of CSV."""

    def __init__(self, path, events):
        self.suffix = ".csv" if str(path).endswith(".csv") else ".jsonl"
        with open(path, "rb") as file:
            self.header = file.readline() if self.suffix == ".csv" else b""
            self.lines = []
            for line in file:
                if len(self.lines) == events:
                    break
                if line.strip():
                    self.lines.append(line if line.endswith(b"\n") else line + b"\n")

    def write(self, path, start=0, end=None):
        path = Path(path).with_suffix(self.suffix)
        with open(path, "wb") as file:
            file.write(self.header)
            file.writelines(self.lines[start:end])
        return path


def make_orders(path, events, seed):
    """Writes orders and their payments, of which a few are missing or late: data for `w1.cep`."""
    chance = random.Random(seed)
    rows = []
    for order in range(events * 11 // 20 + 1):
        created = chance.randrange(events * 100)
        user, amount = chance.randrange(1000), chance.randrange(100, 10000) / 100
        rows.append((created, "order_created", order, user, amount))
        if chance.random() < 0.9:
            paid = created + int(chance.expovariate(1 / 120_000)) + 1
            rows.append((paid, "order_paid", order, user, amount))
    rows.sort()
    with open(path, "w") as file:
        file.write("ts,type,order_id,user_id,amount\n")
        for row in rows[:events]:
            file.write(",".join(map(str, row)) + "\n")


class Feeder(threading.Thread):
    """Produces data in pieces. The next piece waits until `allow` lets it go on."""

    def __init__(self, data, pieces, seconds, broker, key, cleanup, limit):
        super().__init__(daemon=True)
        self.data, self.pieces, self.seconds = data, pieces, seconds
        self.broker, self.key = broker, key
        self.cleanup, self.limit = cleanup, limit
        self.allowed = threading.Semaphore(2)
        self.failure = None
        self.produced = 0

    def allow(self):
        self.allowed.release()

    def run(self):
        count = len(self.data.lines)
        edges = [count * piece // self.pieces for piece in range(self.pieces + 1)]
        for start, end in zip(edges, edges[1:]):
            self.allowed.acquire()
            if start == end:
                continue
            path = self.data.write(self.cleanup.folder / "piece", start, end)
            rate = max(1, (end - start) / self.seconds)
            try:
                call(
                    "produce", path, "in", "--key", self.key, "--rate", f"{rate:.0f}",
                    # The topic exists: a request for it would fail while the broker is down.
                    "--partitions", 0, "--brokers", self.broker.address,
                    limit=self.limit.left(),
                )
            except Failure as failure:
                self.failure = failure
                return
            self.produced = end


def run_rules(rules, path, limit, arguments=()):
    """Returns the lines that `kleene run` prints for a file."""
    done = subprocess.run(
        [KLEENE, "run", rules, "-i", path, "-q", *arguments], capture_output=True, timeout=limit
    )
    if done.returncode not in (0, 3):
        raise Failure(f"kleene run: {done.stderr.decode().strip()}")
    return done.stdout.splitlines()


def expected_lines(cleanup, broker, rules, limit):
    """Returns the results of `kleene run` over the records of each partition of the topic `in`.

    An engine of a partition knows the time of its own records only: a timeout after the last of them
    is not reported, while a run over the whole file may report it.
    """
    files = {}
    path = cleanup.folder / "records"
    with open(path, "wb") as out:
        call("consume", "in", "--brokers", broker.address, "--keys", "yes", limit=limit.left(), out=out)
    with open(path, "rb") as records:
        for line in records:
            number, _, rest = line.split(b"\t", 2)
            number = int(number)
            if number not in files:
                files[number] = open(cleanup.folder / f"records-{number}.jsonl", "wb")
            files[number].write(rest.rsplit(b"\t", 1)[1])
    path.unlink()
    found = Counter()
    for file in files.values():
        file.close()
        found.update(run_rules(rules, file.name, limit.left()))
        os.unlink(file.name)
    return found


def read_lines(cleanup, broker, topic, limit):
    """Returns the committed records of a topic."""
    path = cleanup.folder / "results"
    with open(path, "wb") as out:
        call("consume", topic, "--brokers", broker.address, limit=limit.left(), out=out)
    with open(path, "rb") as file:
        found = Counter(line.rstrip(b"\n") for line in file)
    path.unlink()
    return found
