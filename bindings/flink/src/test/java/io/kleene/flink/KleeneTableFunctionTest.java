package io.kleene.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(180)
class KleeneTableFunctionTest {
  private static final String RULES =
      """
      event login { user: string, ok: bool, ts: time }
      event logout { user: string, ts: time }

      rule guessed {
        key user
        match login[not ok]{2} as failed -> login[ok] within 20s
        emit { user, count: count(failed) }
        on timeout emit { user }
      }
      rule stays {
        key user
        match login[ok] as entry -> not logout for 15s
        emit { user, since: entry.ts }
      }
      rule rests {
        key user
        match logout -> login[ok] within 40s
        suppress 30s
        emit { user }
      }
      """;

  private static final TypeInformation<Row> LOGIN =
      Types.ROW_NAMED(
          new String[] {"type", "ts", "user", "ok"},
          Types.STRING,
          Types.INSTANT,
          Types.STRING,
          Types.BOOLEAN);

  /** Rows of some users, by at most 8 seconds out of order. */
  private static List<Row> rows(int count) {
    Random random = new Random(7);
    List<Row> rows = new ArrayList<>();
    for (int index = 0; index < count; index++) {
      long time = 300L * index - random.nextInt(8000);
      boolean isLogin = random.nextInt(3) > 0;
      rows.add(
          Row.of(
              isLogin ? "login" : "logout",
              Instant.ofEpochMilli(1_700_000_000_000L + time),
              "u" + random.nextInt(20),
              isLogin ? random.nextInt(3) == 0 : null));
    }
    return rows;
  }

  /** Behind the newest event: no event is late. */
  private static final long NO_LATE = 8001;

  /** A watermark after each event. */
  private static final class Marks implements WatermarkGenerator<Row> {
    private final long behind;
    private long newest = Long.MIN_VALUE;

    Marks(long behind) {
      this.behind = behind;
    }

    @Override
    public void onEvent(Row event, long time, WatermarkOutput output) {
      if (time > newest) {
        newest = time;
        output.emitWatermark(new Watermark(newest - behind));
      }
    }

    @Override
    public void onPeriodicEmit(WatermarkOutput output) {}
  }

  private static DataStream<Row> timed(DataStream<Row> rows, long behind) {
    return rows.assignTimestampsAndWatermarks(
            WatermarkStrategy.<Row>forGenerator(context -> new Marks(behind))
                .withTimestampAssigner((row, known) -> ((Instant) row.getField(1)).toEpochMilli()))
        .setParallelism(1);
  }

  private static DataStream<Row> logins(
      StreamExecutionEnvironment env, int count, long behind) {
    return timed(env.fromData(rows(count), LOGIN).setParallelism(1), behind);
  }

  private static StreamTableEnvironment tables(DataStream<Row> logins) {
    StreamTableEnvironment tables = StreamTableEnvironment.create(logins.getExecutionEnvironment());
    Schema schema =
        Schema.newBuilder()
            .column("type", DataTypes.STRING())
            .column("ts", DataTypes.TIMESTAMP_LTZ(3))
            .column("user", DataTypes.STRING())
            .column("ok", DataTypes.BOOLEAN())
            .watermark("ts", "SOURCE_WATERMARK()")
            .build();
    tables.createTemporaryView("logins", logins, schema);
    tables.executeSql(
        "CREATE TEMPORARY SYSTEM FUNCTION kleene AS 'io.kleene.flink.KleeneTableFunction'");
    return tables;
  }

  private static String call(String partition, String rules) {
    return "kleene(input => TABLE logins PARTITION BY "
        + partition
        + ", on_time => DESCRIPTOR(ts), rules => '"
        + rules.replace("'", "''")
        + "', uid => 'r1')";
  }

  private static Set<String> texts(List<Row> rows) {
    Set<String> texts = new TreeSet<>();
    for (Row row : rows) {
      assertTrue(texts.add(text(row)), "twice: " + row);
    }
    return texts;
  }

  /** A map of SQL has no order. */
  private static String text(Row row) {
    List<String> all = new ArrayList<>();
    for (int index = 0; index < row.getArity(); index++) {
      Object value = row.getField(index);
      all.add(String.valueOf(value instanceof Map<?, ?> map ? new TreeMap<>(map) : value));
    }
    return String.join(", ", all);
  }

  private static Set<String> expected(int parallelism, long behind) throws Exception {
    var logins = logins(Cluster.environment(parallelism), 3000, behind);
    List<Row> rows = new ArrayList<>();
    for (KleeneResult result :
        Cluster.collect(Kleene.rules(RULES).applyTo(logins).results())) {
      Row row = ResultRows.of(result);
      row.setField(9, ((Object[]) row.getField(9)).length);
      rows.add(row);
    }
    return texts(rows);
  }

  private static void assertSame(Set<String> expected, Set<String> found) {
    Set<String> missing = new TreeSet<>(expected);
    missing.removeAll(found);
    Set<String> more = new TreeSet<>(found);
    more.removeAll(expected);
    assertTrue(missing.isEmpty() && more.isEmpty(), "missing " + missing + "\nmore " + more);
  }

  private static final String COLUMNS =
      "rule, version, kind, id, `key`, start_time, end_time, match_count, emit,"
          + " CARDINALITY(events)";

  @Test
  void theFunctionFindsWhatTheOperatorFinds() throws Exception {
    Set<String> expected = expected(2, NO_LATE);
    var tables = tables(logins(Cluster.environment(2), 3000, NO_LATE));
    List<Row> found =
        KleeneTablesTest.collect(tables, "SELECT " + COLUMNS + " FROM " + call("`user`", RULES));
    for (String kind : List.of("match, ", "timeout, ")) {
      assertTrue(expected.stream().anyMatch(row -> row.contains(kind)), kind);
    }
    assertTrue(expected.stream().anyMatch(row -> row.contains("stays")), "no `not .. for`");
    assertTrue(expected.size() > 100, "only " + expected.size());
    assertSame(expected, texts(found));
  }

  @Test
  void lateRowsAreThoseOfTheOperator() throws Exception {
    Set<String> expected = expected(1, 3000);
    var tables = tables(logins(Cluster.environment(1), 3000, 3000));
    List<Row> found =
        KleeneTablesTest.collect(tables, "SELECT " + COLUMNS + " FROM " + call("`user`", RULES));
    assertTrue(!expected.equals(expected(1, NO_LATE)), "no row is late");
    assertSame(expected, texts(found));
  }

  @Test
  void resultsComeWithTheirPartitionAndTime() throws Exception {
    var tables = tables(logins(Cluster.environment(1), 300, NO_LATE));
    List<Row> found =
        KleeneTablesTest.collect(
            tables,
            "SELECT `user`, emit['user'], end_time, rowtime, kind FROM " + call("`user`", RULES));
    assertTrue(found.size() > 10, "only " + found.size());
    for (Row row : found) {
      assertEquals(row.getField(0), row.getField(1));
      int order = ((Instant) row.getField(2)).compareTo((Instant) row.getField(3));
      assertTrue(KleeneTableFunction.DROPS_PAST_TIMERS ? order >= 0 : order == 0, row.toString());
    }
  }

  @Test
  void mistakesAreSaidWhenTheStatementIsPlanned() {
    var tables = tables(logins(Cluster.environment(1), 3, NO_LATE));
    String rule = RULES.substring(0, RULES.indexOf("rule stays"));
    assertSays(tables, call("`user`", rule.replace("within", "witin")), "error[E", "-->");
    assertSays(
        tables,
        call("`type`", rule),
        "rule `guessed` has the key (user), and the table is partitioned by `type`");
    assertSays(
        tables,
        call("`user`", rule.replace("ok: bool", "ok: bool, device: string")),
        "no column for fields that the rules declare: `device` of login");
    assertSays(
        tables,
        call("`user`", rule.replace("user: string", "user: ip")),
        "column `user` is of the type");
    String keyless = "event login { user: string } rule each { match login }";
    assertSays(tables, call("`user`", keyless), "rule `each` cannot run for one key at a time");
    String other = " rule other { key ok match login{2} }";
    String keys = "several keys: (user) of guessed, (ok) of other";
    assertSays(tables, call("`user`", rule + other), keys);
    assertSays(
        tables,
        call("`user`", RULES).replace("on_time => DESCRIPTOR(ts), ", ""),
        "requires a time attribute");
    assertSays(
        tables,
        call("`user`", RULES).replace("uid =>", "event_type => 'access', uid =>"),
        "no event type `access`");
  }

  private static void assertSays(StreamTableEnvironment tables, String call, String... all) {
    Throwable error =
        assertThrows(Exception.class, () -> tables.executeSql("EXPLAIN SELECT * FROM " + call));
    StringBuilder said = new StringBuilder();
    for (; error != null; error = error.getCause()) {
      said.append(error.getMessage()).append('\n');
    }
    for (String text : all) {
      assertTrue(said.toString().contains(text), said.toString());
    }
  }

  @Test
  void aTableOfOneTypeNeedsNoColumnForIt() throws Exception {
    var tables = tables(logins(Cluster.environment(1), 100, NO_LATE));
    tables.executeSql(
        "CREATE TEMPORARY VIEW entries AS SELECT `user`, ok, ts FROM logins WHERE type = 'login'");
    String rules =
        "event login { user: string, ok: bool, ts: time } "
            + "rule twice { key user match login{2} emit { user } }";
    List<Row> found =
        KleeneTablesTest.collect(
            tables, "SELECT rule FROM " + call("`user`", rules).replace("logins", "entries"));
    assertTrue(found.size() > 5, "only " + found.size());
  }

  // ---- Failure

  private static final Set<String> FOUND = new ConcurrentSkipListSet<>();
  private static final AtomicInteger FAILURES = new AtomicInteger();

  /** Fails once, after a checkpoint in the middle of the rows. */
  private static final class FailOnce implements MapFunction<Row, Row>, CheckpointListener {
    private static final long serialVersionUID = 1L;
    private int seen;
    private volatile boolean mayFail;

    @Override
    public Row map(Row row) throws Exception {
      Thread.sleep(1);
      seen++;
      if (mayFail && FAILURES.compareAndSet(0, 1)) {
        throw new IllegalStateException("on request");
      }
      return row;
    }

    @Override
    public void notifyCheckpointComplete(long checkpoint) {
      mayFail = seen > 500;
    }
  }

  /** Keeps the results of a run: a restart may repeat some. */
  private static final class Keep implements MapFunction<Row, String> {
    private static final long serialVersionUID = 1L;

    @Override
    public String map(Row row) {
      FOUND.add(text(row));
      return text(row);
    }
  }

  @Test
  void partialMatchesOutliveAFailure() throws Exception {
    Set<String> expected = expected(2, NO_LATE);
    FOUND.clear();
    FAILURES.set(0);
    Configuration settings = new Configuration();
    settings.setString("restart-strategy.type", "fixed-delay");
    settings.setString("restart-strategy.fixed-delay.attempts", "3");
    settings.setString("restart-strategy.fixed-delay.delay", "10 ms");
    settings.setString("state.backend.type", "rocksdb");
    var env = StreamExecutionEnvironment.getExecutionEnvironment(settings);
    env.setParallelism(2);
    env.enableCheckpointing(50);
    DataStream<Row> rows = env.fromData(rows(3000), LOGIN).setParallelism(1);
    rows = timed(rows.map(new FailOnce()).returns(LOGIN).setParallelism(1), NO_LATE);
    var tables = tables(rows);
    tables
        .toDataStream(tables.sqlQuery("SELECT " + COLUMNS + " FROM " + call("`user`", RULES)))
        .map(new Keep())
        .sinkTo(new DiscardingSink<>());
    env.execute();
    assertEquals(1, FAILURES.get(), "the job did not fail");
    assertSame(expected, FOUND);
  }

  /** Takes its time, so that the job can be stopped. */
  private static final class Slow implements MapFunction<Row, Row> {
    private static final long serialVersionUID = 1L;

    @Override
    public Row map(Row row) throws Exception {
      Thread.sleep(2);
      return row;
    }
  }

  private static final String TIMES = "rule, kind, `key`, start_time, end_time";

  private static StreamExecutionEnvironment run(Configuration settings, String rules) {
    settings.setString("state.backend.type", "rocksdb");
    var env = StreamExecutionEnvironment.getExecutionEnvironment(settings);
    env.setParallelism(1);
    DataStream<Row> rows = env.fromData(rows(3000), LOGIN).map(new Slow()).returns(LOGIN);
    var tables = tables(timed(rows, NO_LATE));
    tables
        .toDataStream(tables.sqlQuery("SELECT " + TIMES + " FROM " + call("`user`", rules)))
        .map(new Keep())
        .sinkTo(new DiscardingSink<>());
    return env;
  }

  @Test
  void partialMatchesContinueUnderOtherRulesAfterASavepoint(@TempDir Path folder)
      throws Exception {
    Set<String> expected = new TreeSet<>();
    var logins = logins(Cluster.environment(1), 3000, NO_LATE);
    for (KleeneResult result : Cluster.collect(Kleene.rules(RULES).applyTo(logins).results())) {
      expected.add(text(Row.project(ResultRows.of(result), new int[] {0, 2, 4, 5, 6})));
    }
    FOUND.clear();
    JobClient job = run(new Configuration(), RULES).executeAsync();
    for (int tries = 0; FOUND.size() < 100; tries++) {
      assertTrue(tries < 600, "the job does not come on");
      Thread.sleep(100);
    }
    String savepoint =
        job.stopWithSavepoint(false, folder.toString(), SavepointFormatType.CANONICAL)
            .get(60, TimeUnit.SECONDS);
    assertTrue(FOUND.size() < expected.size(), "the job was over");
    Configuration settings = new Configuration();
    settings.setString("execution.state-recovery.path", savepoint);
    run(settings, RULES.replace("count: count(failed)", "failures: count(failed)")).execute();
    assertSame(expected, FOUND);
  }
}
