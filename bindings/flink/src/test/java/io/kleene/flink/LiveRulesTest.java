package io.kleene.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.Timeout;

/**
 * Rules come in the middle of a stream. Their stream has no watermarks and never ends, so every
 * result here shows that time does not wait for it.
 */
@Timeout(60)
class LiveRulesTest {
  private static final int ORDERS = 8;

  private static final String TYPES =
      """
      event order_created { order_id: string, customer: string, amount: float, ts: time }
      event order_paid { order_id: string, ts: time }
      """;

  private static final String BIG =
      """
      rule big {
        key order_id
        match order_created[amount >= 100]
        emit { order_id, of: 1 }
      }
      """;

  private static final String UNPAID =
      """
      rule unpaid {
        key order_id
        match order_created -> not order_paid for 1h
        emit { order_id }
      }
      """;

  private static final String OLD = TYPES + BIG + UNPAID;

  private static TestCluster cluster;
  private String name;

  @BeforeAll
  static void start() throws Exception {
    cluster = new TestCluster();
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  @BeforeEach
  void name(TestInfo test) {
    name = test.getDisplayName();
  }

  /** A text of rules, and how many lines the log has before it is sent. */
  private record Text(int after, String rules) implements java.io.Serializable {}

  private static void awaitLines(String name, int lines) throws InterruptedException {
    TestCluster.await(
        "the log has " + lines + " lines, and not " + ResultLog.lines(name),
        Duration.ofSeconds(20),
        () -> ResultLog.count(name) >= lines);
  }

  /**
   * Orders of a minute, one a second: the first half are of 70, the others of 150. A task whose
   * large orders are in the log has read its small ones too.
   */
  private static List<Row> orders(int minute) {
    List<Row> orders = new ArrayList<>();
    for (int order = 0; order < ORDERS; order++) {
      double amount = order < ORDERS / 2 ? 70 : 150;
      String id = "o-" + minute + "-" + order;
      orders.add(Row.of("order_created", time(minute, order), id, "c-" + order, amount));
    }
    return orders;
  }

  private static long time(int minute, int second) {
    return 1000L * (60 * minute + second);
  }

  /** A row that waits until the log has so many lines. Its time lets the watermark pass. */
  private static Row gate(int minute, int lines) {
    return Row.of("gate", time(minute, 50), null, null, (double) lines);
  }

  /** Runs a job until its log has a number of lines, and returns them. */
  private List<String> run(Kleene rules, List<Row> rows, List<Text> texts, int lines)
      throws Exception {
    Configuration configuration = new Configuration();
    configuration.setString("pipeline.auto-watermark-interval", "10ms");
    configuration.setString("execution.buffer-timeout.interval", "5ms");
    StreamExecutionEnvironment env =
        StreamExecutionEnvironment.getExecutionEnvironment(configuration);
    env.setParallelism(2);
    String job = name;
    DataStream<Row> events =
        env.fromData(rows, OrderEvents.TYPE)
            .map(row -> passGate(job, row))
            .returns(OrderEvents.TYPE)
            .setParallelism(1)
            .disableChaining();
    ResultLog.of(
        rules.outOfOrder(Duration.ZERO).liveRules(source(env, job, texts)).applyTo(events), job);
    JobID running = cluster.start(env);
    awaitLines(name, lines);
    cluster.cancel(running);
    return List.copyOf(ResultLog.lines(name));
  }

  private static Row passGate(String job, Row row) throws InterruptedException {
    if (row.getField(0).equals("gate")) {
      awaitLines(job, ((Double) row.getField(4)).intValue());
    }
    return row;
  }

  private static DataStream<String> source(
      StreamExecutionEnvironment env, String job, List<Text> texts) {
    DataGeneratorSource<String> source =
        new DataGeneratorSource<>(
            number -> text(job, texts, number),
            Long.MAX_VALUE,
            RateLimiterStrategy.noOp(),
            Types.STRING);
    return env.fromSource(source, WatermarkStrategy.noWatermarks(), "rules").setParallelism(1);
  }

  private static String text(String job, List<Text> texts, long number)
      throws InterruptedException {
    if (number >= texts.size()) {
      // The job is cancelled before.
      Thread.sleep(60_000);
    }
    Text text = texts.get((int) number);
    awaitLines(job, text.after());
    return text.rules();
  }

  private static long count(List<String> lines, String part) {
    return lines.stream().filter(line -> line.contains(part)).count();
  }

  @Test
  void rulesAreReplacedInAllTasksBetweenTwoEvents() throws Exception {
    String edited = BIG.replace(">= 100", ">= 50").replace("of: 1", "of: 2");
    String added = BIG.replace("rule big", "rule huge").replace(">= 100", ">= 140");
    int half = ORDERS / 2;
    int verdicts = 3 * 2;
    List<Row> rows = new ArrayList<>(orders(0));
    rows.add(gate(0, 0));
    rows.add(gate(1, half + verdicts));
    rows.addAll(orders(2));
    Text text = new Text(half, TYPES + edited + added + UNPAID);
    // Big orders before, all after, huge ones after, and all of them unpaid.
    int all = half + verdicts + ORDERS + half + 2 * ORDERS;
    List<String> lines = run(Kleene.rules(OLD), rows, List.of(text), all);
    assertEquals(all, lines.size(), lines.toString());
    assertEquals(half, count(lines, "of=1") - count(lines, " huge "), lines.toString());
    assertEquals(ORDERS, count(lines, "of=2"));
    assertEquals(half, count(lines, "MATCH huge "));
    assertEquals(2 * ORDERS, count(lines, "MATCH unpaid "));
    assertEquals(0, count(lines.subList(0, half), "VERDICT"), lines.toString());
    for (int task = 0; task < 2; task++) {
      assertEquals(1, count(lines, "VERDICT unchanged in " + task), lines.toString());
      assertEquals(1, count(lines, "VERDICT added in " + task), lines.toString());
      assertEquals(3, count(lines, " in " + task + ": "), lines.toString());
    }
  }

  @Test
  void aTextWithMistakesLeavesTheOldRules() throws Exception {
    int half = ORDERS / 2;
    List<Row> rows = new ArrayList<>(orders(0));
    rows.add(gate(0, 0));
    rows.add(gate(1, half + 1));
    rows.addAll(orders(2));
    Text text = new Text(half, OLD.replace("amount >= 100", "amuont >= 50"));
    int all = half + 1 + half + 2 * ORDERS;
    // Two operators refuse the text: one verdict says so.
    Kleene rules = Kleene.rules(OLD).alsoKey("customer");
    List<String> lines = run(rules, rows, List.of(text), all);
    assertEquals(all, lines.size(), lines.toString());
    assertEquals(2 * half, count(lines, "of=1"));
    assertEquals(2 * ORDERS, count(lines, "MATCH unpaid "));
    assertEquals(1, count(lines, "VERDICT"));
    String verdict = lines.get(half);
    assertTrue(verdict.startsWith("VERDICT refused in 0: "), verdict);
    assertTrue(verdict.contains("<rules>:5:"), verdict);
    assertTrue(verdict.contains("match order_created[amuont >= 50]\n"), verdict);
    assertTrue(verdict.contains("^^^^^^"), verdict);
  }

  @Test
  void aKeyWithoutAnOperatorIsRefused() throws Exception {
    String byCustomer =
        OLD + BIG.replace("big", "customers").replace("order_id", "customer");
    int half = ORDERS / 2;
    List<Row> rows = new ArrayList<>(orders(0));
    rows.add(gate(0, 0));
    rows.add(gate(1, half + 1));
    rows.addAll(orders(2));
    int all = half + 1 + half + 2 * ORDERS;
    List<String> lines = run(Kleene.rules(OLD), rows, List.of(new Text(half, byCustomer)), all);
    assertEquals(all, lines.size(), lines.toString());
    assertEquals(0, count(lines, "MATCH customers"));
    assertEquals(
        "VERDICT refused in 0: the job has no operator for the key `customer` of rule `customers`:"
            + " its events are distributed by `order_id`. Start the job anew with these rules, or"
            + " name the key with alsoKey(..)",
        lines.get(half));
  }

  /**
   * A rule of another operator. The log does not tell what that operator has read before the rule
   * comes, so the rule asks for orders that are made later.
   */
  private static String later(String name, String key) {
    return BIG.replace("rule big", "rule " + name)
        .replace("key order_id", key)
        .replace(">= 100", ">= 100 and order_id like \"o-2-*\"");
  }

  @Test
  void aKeyThatWasNamedBeforeCanCome() throws Exception {
    String byCustomer =
        OLD + later("customers", "key customer").replace("{ order_id, ", "{ customer, ");
    // Two rules in two tasks, and the new one in two.
    List<String> lines = replaced(Kleene.rules(OLD).alsoKey("customer"), byCustomer, 6);
    assertEquals(ORDERS / 2, count(lines, "MATCH customers {customer=c-"));
    assertEquals(2, count(lines, "VERDICT added in "));
    assertEquals(4, count(lines, "VERDICT unchanged in "));
  }

  @Test
  void aRuleWithoutAKeyCanComeIfItWasNamed() throws Exception {
    String anyOrder = OLD + later("orders", "").replace("{ order_id, ", "{ ");
    // Two rules in two tasks, and the new one in one.
    List<String> lines = replaced(Kleene.rules(OLD).alsoKey(""), anyOrder, 5);
    assertEquals(ORDERS / 2, count(lines, "MATCH orders {}"));
    assertEquals(1, count(lines, "VERDICT added in 0"));
  }

  /** Adds a rule for big orders between two minutes of orders, and returns the lines of the job. */
  private List<String> replaced(Kleene rules, String text, int verdicts) throws Exception {
    int half = ORDERS / 2;
    List<Row> rows = new ArrayList<>(orders(0));
    rows.add(gate(0, 0));
    rows.add(gate(1, half + verdicts));
    rows.addAll(orders(2));
    int all = half + verdicts + half + half + 2 * ORDERS;
    List<String> lines = run(rules, rows, List.of(new Text(half, text)), all);
    assertEquals(all, lines.size(), lines.toString());
    return lines;
  }

  /** A second text is compared with the first one, and a mistake in between changes nothing. */
  @Test
  void textsComeOneAfterAnother() throws Exception {
    String two = OLD.replace("of: 1", "of: 2");
    String three = OLD.replace("of: 1", "of: 3");
    int half = ORDERS / 2;
    List<Row> rows = new ArrayList<>();
    List<Text> texts =
        List.of(
            new Text(half, two),
            new Text(2 * half + 4, "no rules"),
            new Text(2 * half + 5, three));
    rows.addAll(orders(0));
    rows.add(gate(0, 0));
    rows.add(gate(1, half + 4));
    rows.addAll(orders(2));
    rows.add(gate(2, 0));
    rows.add(gate(3, 2 * half + 9));
    rows.addAll(orders(4));
    int all = 3 * half + 9 + 3 * ORDERS;
    List<String> lines = run(Kleene.rules(OLD), rows, texts, all);
    assertEquals(all, lines.size(), lines.toString());
    for (int version = 1; version < 4; version++) {
      assertEquals(half, count(lines, "of=" + version), lines.toString());
    }
    assertEquals(1, count(lines, "VERDICT refused in 0: "));
    assertEquals(3 * ORDERS, count(lines, "MATCH unpaid "));
  }
}
