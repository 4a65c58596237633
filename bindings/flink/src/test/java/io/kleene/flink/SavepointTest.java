package io.kleene.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.jobgraph.SavepointRestoreSettings;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A job that is stopped and started in another form has the results of a job that runs through. */
@Timeout(60)
class SavepointTest {
  private static final String SHIPPED =
      """
      rule shipped {
        key order_id
        match order_paid as paid -> order_shipped as shipped
        within 5m
        emit { order_id }
      }
      """;

  private static TestCluster cluster;
  private static List<String> undisturbed;

  @TempDir private Path folder;
  private String name;

  @BeforeAll
  static void start() throws Exception {
    cluster = new TestCluster();
    var env = Cluster.environment(2);
    ResultLog.of(
        Kleene.rules(OrderEvents.RULES)
            .outOfOrder(OrderEvents.BOUND)
            .applyTo(OrderEvents.from(env, 0)),
        "without a savepoint");
    cluster.run(env);
    undisturbed = ResultLog.take("without a savepoint");
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  @BeforeEach
  void name(TestInfo test) {
    name = test.getDisplayName();
  }

  /** A part of the life of a job. */
  private record Phase(int parallelism, Kleene rules, String backend) {
    static Phase of(int parallelism) {
      return of(parallelism, OrderEvents.RULES);
    }

    static Phase of(int parallelism, String rules) {
      return new Phase(parallelism, Kleene.rules(rules), "hashmap");
    }

    Phase on(String backend) {
      return new Phase(parallelism, rules, backend);
    }
  }

  private StreamExecutionEnvironment env(Phase phase, boolean isUnaligned) {
    String[] settings = {
      "state.backend.type", phase.backend(), "restart-strategy.type", "none"
    };
    StreamExecutionEnvironment env =
        TestCluster.job(phase.parallelism(), folder, isUnaligned, settings);
    env.setMaxParallelism(128);
    return env;
  }

  /** Runs a job in phases, each but the last up to a number of results. Returns its lines. */
  private List<String> run(SavepointFormatType format, int lines, Phase... phases)
      throws Exception {
    SavepointRestoreSettings from = SavepointRestoreSettings.none();
    for (int phase = 0; phase < phases.length; phase++) {
      StreamExecutionEnvironment env = env(phases[phase], false);
      Kleene rules = phases[phase].rules().outOfOrder(OrderEvents.BOUND);
      ResultLog.of(rules.applyTo(OrderEvents.from(env, 2500)), name);
      ResultLog.forget(name);
      JobID job = cluster.start(env, from);
      if (phase == phases.length - 1) {
        cluster.finish(job);
        break;
      }
      from = SavepointRestoreSettings.forPath(stopAt(job, lines * (phase + 1), format), true);
    }
    return ResultLog.take(name);
  }

  private String stopAt(JobID job, int lines, SavepointFormatType format) throws Exception {
    awaitLines(job, lines);
    return cluster.stop(job, folder, format);
  }

  private void awaitLines(JobID job, int lines) throws Exception {
    try {
      TestCluster.await(
          "the job has " + lines + " results, and not " + ResultLog.count(name),
          Duration.ofSeconds(20),
          () -> ResultLog.count(name) >= lines || cluster.hasEnded(job));
    } catch (AssertionError error) {
      throw new AssertionError(error.getMessage() + ":\n" + cluster.states(job));
    }
    if (cluster.hasEnded(job)) {
      cluster.finish(job);
      throw new AssertionError("the job has ended before its savepoint");
    }
  }

  private static List<String> verdicts(List<String> lines) {
    return lines.stream().filter(line -> line.startsWith("VERDICT")).toList();
  }

  private static List<String> results(List<String> lines, String... rules) {
    List<String> of = List.of(rules);
    return lines.stream()
        .filter(line -> !line.startsWith("VERDICT"))
        .filter(line -> of.isEmpty() || of.contains(line.split(" ")[1]))
        .toList();
  }

  @Test
  void theParallelismChanges() throws Exception {
    List<String> lines =
        run(SavepointFormatType.NATIVE, 1000, Phase.of(1), Phase.of(3), Phase.of(2));
    Differences.assertSame(undisturbed, lines);
  }

  @Test
  void theStateBackendChanges() throws Exception {
    Phase heap = Phase.of(2);
    List<String> lines =
        run(SavepointFormatType.CANONICAL, 1000, heap, heap.on("rocksdb"), Phase.of(2));
    Differences.assertSame(undisturbed, lines);
  }

  @Test
  void anotherEmitContinues() throws Exception {
    String edited = OrderEvents.RULES.replace("amount: created.amount", "lost: created.amount");
    List<String> lines =
        run(SavepointFormatType.NATIVE, 1500, Phase.of(1), Phase.of(3, edited));
    assertEquals(withoutEmit(undisturbed), withoutEmit(results(lines)));
    assertTrue(lines.stream().anyMatch(line -> line.contains("lost=")));
    assertEquals(3, verdicts(lines).size(), verdicts(lines).toString());
    assertTrue(verdicts(lines).get(0).startsWith("VERDICT continued "), verdicts(lines).get(0));
  }

  private static List<String> withoutEmit(List<String> lines) {
    return lines.stream().map(line -> line.replaceAll(" \\S+ \\{[^{]*\\}$", "")).sorted().toList();
  }

  @Test
  void aLongerWithinContinues() throws Exception {
    String edited = OrderEvents.RULES.replace("within 10m", "within 20m");
    List<String> lines =
        run(SavepointFormatType.NATIVE, 1500, Phase.of(2), Phase.of(3, edited));
    Map<String, String> kinds = new HashMap<>();
    for (String line : results(lines, "paid")) {
      String before = kinds.put(line.split(" ")[2], line);
      assertEquals(null, before, "an order has two results");
    }
    assertEquals(OrderEvents.ORDERS, kinds.size());
    List<String> matches =
        results(undisturbed, "paid").stream().filter(line -> line.startsWith("MATCH")).toList();
    for (String line : matches) {
      // The id is that of another version of the rule.
      assertEquals(withoutId(line), withoutId(kinds.get(line.split(" ")[2])));
    }
    assertTrue(
        kinds.values().stream().filter(line -> line.startsWith("MATCH")).count() > matches.size(),
        "no order was paid after more than ten minutes");
    String[] others = {"unshipped", "big_orders", "refusals"};
    Differences.assertSame(results(undisturbed, others), results(lines, others));
    assertEquals(3, verdicts(lines).size(), verdicts(lines).toString());
    assertTrue(verdicts(lines).get(0).startsWith("VERDICT continued "), verdicts(lines).get(0));
  }

  @Test
  void aRuleGoesAndAnotherComes() throws Exception {
    String edited = OrderEvents.RULES.replace(OrderEvents.UNSHIPPED, SHIPPED);
    List<String> lines =
        run(SavepointFormatType.NATIVE, 1500, Phase.of(2), Phase.of(3, edited));
    String[] others = {"paid", "big_orders", "refusals"};
    Differences.assertSame(results(undisturbed, others), results(lines, others));
    assertTrue(results(lines, "shipped").size() > 100);
    List<String> verdicts = verdicts(lines);
    assertEquals(3, count(verdicts, "VERDICT removed "), verdicts.toString());
    assertEquals(3, count(verdicts, "VERDICT added "), verdicts.toString());
    assertEquals(6, verdicts.size(), verdicts.toString());
  }

  /** The operator of the customers' rule goes, with its state. */
  @Test
  void allRulesOfAKeyGo() throws Exception {
    String edited = OrderEvents.RULES.replace(OrderEvents.BIG, "");
    List<String> lines =
        run(SavepointFormatType.NATIVE, 1500, Phase.of(2), Phase.of(3, edited));
    String[] others = {"paid", "unshipped", "refusals"};
    Differences.assertSame(results(undisturbed, others), results(lines, others));
    assertFalse(results(lines, "big_orders").isEmpty());
  }

  private static String withoutId(String line) {
    return line.replaceAll(" [0-9a-f]{16} ", " ");
  }

  private static long count(List<String> lines, String prefix) {
    return lines.stream().filter(line -> line.startsWith(prefix)).count();
  }

  /** Time ends with the first job, and begins anew with the second one. */
  @Test
  void aDrainedJobBeginsANewTime() throws Exception {
    ResultLog.forget(name);
    StreamExecutionEnvironment env = env(Phase.of(2), false);
    Kleene rules = Kleene.rules(OrderEvents.RULES).outOfOrder(OrderEvents.BOUND);
    ResultLog.of(rules.applyTo(OrderEvents.from(env, 2500)), name);
    JobID job = cluster.start(env);
    awaitLines(job, 1500);
    String savepoint = cluster.stop(job, folder, SavepointFormatType.NATIVE, true);
    int drained = ResultLog.take(name).size();
    StreamExecutionEnvironment next = env(Phase.of(3), false);
    rules = Kleene.rules(OrderEvents.RULES).outOfOrder(OrderEvents.BOUND);
    ResultLog.of(rules.applyTo(OrderEvents.from(next, 0)), name);
    cluster.finish(cluster.start(next, SavepointRestoreSettings.forPath(savepoint)));
    List<String> lines = ResultLog.take(name);
    assertEquals(0, count(lines, "LATE"), "events are late");
    assertTrue(lines.size() > drained + 1000, drained + " and then " + lines.size());
  }

  /** Tasks are at different watermarks when an unaligned checkpoint is taken. */
  @Test
  void theParallelismChangesFromAnUnalignedCheckpoint() throws Exception {
    SavepointRestoreSettings from = SavepointRestoreSettings.none();
    int[] parallelisms = {2, 3, 2, 4, 3};
    for (int phase = 0; phase < parallelisms.length; phase++) {
      StreamExecutionEnvironment env = env(Phase.of(parallelisms[phase]), true);
      Kleene rules = Kleene.rules(OrderEvents.RULES).outOfOrder(OrderEvents.BOUND).batchRows(16);
      KleeneStreams<Row> found = rules.applyTo(OrderEvents.from(env, 1500, parallelisms[phase]));
      ResultLog.of(found, new Failing<>(name, 0, 1, 0, 4_000_000), name);
      ResultLog.forget(name);
      JobID job = cluster.start(env, from);
      if (phase == parallelisms.length - 1) {
        cluster.finish(job);
        break;
      }
      awaitLines(job, 700 * (phase + 1));
      from = SavepointRestoreSettings.forPath(cluster.cancelAtCheckpoint(job, folder));
    }
    Differences.assertSame(undisturbed, ResultLog.take(name));
  }

  @Test
  void aLiveRuleContinuesUnderTheSameRulesOnly() throws Exception {
    String live = OrderEvents.RULES + SHIPPED;
    String other = OrderEvents.RULES.replace(OrderEvents.UNSHIPPED, "");
    String[] given = {OrderEvents.RULES, OrderEvents.RULES, other};
    SavepointRestoreSettings from = SavepointRestoreSettings.none();
    List<Integer> marks = new ArrayList<>();
    for (int phase = 0; phase < given.length; phase++) {
      StreamExecutionEnvironment env = env(Phase.of(phase + 1), false);
      env.setBufferTimeout(5);
      DataStream<Row> events = OrderEvents.from(env, 3000);
      DataStream<String> texts =
          events
              .filter(event -> event.getField(2).equals("o-300"))
              .filter(event -> event.getField(0).equals("order_created"))
              .map(event -> live)
              .returns(Types.STRING);
      Kleene rules = Kleene.rules(given[phase]).outOfOrder(OrderEvents.BOUND).liveRules(texts);
      ResultLog.of(rules.applyTo(events), name);
      ResultLog.forget(name);
      JobID job = cluster.start(env, from);
      if (phase == given.length - 1) {
        cluster.finish(job);
        break;
      }
      String savepoint = stopAt(job, 1500 * (phase + 1), SavepointFormatType.NATIVE);
      marks.add(ResultLog.count(name));
      from = SavepointRestoreSettings.forPath(savepoint, true);
    }
    List<String> lines = ResultLog.take(name);
    String[] others = {"paid", "big_orders", "refusals"};
    Differences.assertSame(results(undisturbed, others), results(lines, others));
    checkShipped(results(lines, "shipped"));
    List<String> verdicts = verdicts(lines);
    assertEquals(1, count(verdicts, "VERDICT added "), verdicts.toString());
    // Both the live rule and the one that the new text has not.
    assertEquals(6, count(verdicts, "VERDICT removed "), verdicts.toString());
  }

  /** From where the live rule surely is, to where it surely was, each order has its result. */
  private static void checkShipped(List<String> lines) {
    Map<String, Long> paid = new HashMap<>();
    Map<String, Long> shipped = new HashMap<>();
    for (Row event : OrderEvents.all()) {
      Map<String, Long> times = "order_paid".equals(event.getField(0)) ? paid : shipped;
      if (times == paid || "order_shipped".equals(event.getField(0))) {
        times.put((String) event.getField(2), (Long) event.getField(1));
      }
    }
    List<String> expected = new ArrayList<>();
    shipped.forEach(
        (order, time) -> {
          if (time - paid.get(order) <= 300_000 && isBetween(order)) {
            expected.add(order);
          }
        });
    List<String> found =
        lines.stream()
            .map(line -> line.split(" ")[2].replaceAll("\\{order_id=|\\}", ""))
            .filter(SavepointTest::isBetween)
            .toList();
    assertTrue(expected.size() > 100);
    Differences.assertSame(expected, found);
  }

  private static boolean isBetween(String order) {
    int number = Integer.parseInt(order.substring(2));
    return number > 600 && number < 1100;
  }
}
