package io.kleene.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Each kind of failure is seen where it should be, and says what to do. */
@Timeout(30)
class FailureKindsTest {
  private static final TypeInformation<Row> TEXTS =
      Types.ROW_NAMED(
          new String[] {"type", "ts", "order_id", "amount"},
          Types.STRING,
          Types.LONG,
          Types.STRING,
          Types.STRING);

  private static TestCluster cluster;

  @BeforeAll
  static void start() throws Exception {
    cluster = new TestCluster(LastMetrics.configure(new Configuration()));
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  @BeforeEach
  void forgetMetrics() {
    LastMetrics.clear();
  }

  private static Kleene unpaid() {
    return Kleene.rules(Cluster.UNPAID).outOfOrder(Duration.ofSeconds(5));
  }

  /** Runs a job over events, and returns all that comes out of it. */
  private static List<String> run(
      Kleene rules, Function<DataStream<Row>, DataStream<Row>> prepare, Row... events)
      throws Exception {
    var env = Cluster.environment(1);
    DataStream<Row> given = prepare.apply(Cluster.orders(env, events));
    ResultLog.of(rules.applyTo(given), "failures");
    cluster.run(env);
    return ResultLog.take("failures");
  }

  private static List<String> run(Kleene rules, Row... events) throws Exception {
    return run(rules, given -> given, events);
  }

  private static void assertOnly(List<String> lines, String prefix, String part) {
    List<String> found = lines.stream().filter(line -> line.startsWith(prefix)).toList();
    assertEquals(1, found.size(), lines.toString());
    assertTrue(found.get(0).contains(part), found.get(0));
  }

  /** The metrics of a task may be reported after the end of its job. */
  private static void assertMetric(long expected, String name) throws Exception {
    TestCluster.await(
        "the metric " + name + " is " + expected,
        Duration.ofSeconds(10),
        () -> LastMetrics.get(name) == expected);
  }

  private static void assertFailsWith(String part, org.junit.jupiter.api.function.Executable run) {
    Throwable error = assertThrows(Exception.class, run);
    List<String> messages = new ArrayList<>();
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      messages.add(String.valueOf(cause.getMessage()));
    }
    assertTrue(messages.stream().anyMatch(text -> text.contains(part)), messages.toString());
  }

  // ---- Events

  @Test
  void anEventWithoutAFieldIsRejected() throws Exception {
    List<String> lines =
        run(
            unpaid(),
            Cluster.order("order_created", 0, "o-1", null),
            Cluster.order("order_created", 1, "o-2", 1.0));
    assertOnly(lines, "REJECTED", "`order_created.amount` is missing or null");
    assertOnly(lines, "MATCH", "o-2");
    assertMetric(1, "rejected");
  }

  @Test
  void anEventWithAValueOfAnotherTypeIsRejected() throws Exception {
    List<String> lines =
        run(
            unpaid(),
            orders -> orders.map(FailureKindsTest::withText).returns(TEXTS),
            Cluster.order("order_created", 0, "o-1", 1.0));
    assertOnly(lines, "REJECTED", "`order_created.amount` is");
    assertOnly(lines, "REJECTED", "declared as float");
    assertEquals(1, lines.size(), lines.toString());
  }

  private static Row withText(Row order) {
    return Row.of(order.getField(0), order.getField(1), order.getField(2), "much");
  }

  /** A key that may not be null is a field that is missing. */
  @Test
  void anEventWithoutItsKeyIsRejected() throws Exception {
    List<String> lines = run(unpaid(), Cluster.order("order_created", 0, null, 1.0));
    assertOnly(lines, "REJECTED", "`order_created.order_id` is missing or null");
  }

  /** A key that may be null is in no stream of the rule, as the language says: it is counted. */
  @Test
  void anEventWhoseKeyMayBeNullIsCounted() throws Exception {
    Kleene rules = Kleene.rules(Cluster.UNPAID.replace("order_id: string", "order_id: string?"));
    List<String> lines =
        run(
            rules.outOfOrder(Duration.ofSeconds(5)),
            Cluster.order("order_created", 0, null, 1.0),
            Cluster.order("order_created", 1, null, 1.0),
            Cluster.order("order_created", 2, "o-1", 1.0));
    assertEquals(1, lines.size(), lines.toString());
    assertOnly(lines, "MATCH", "o-1");
    assertMetric(2, "withoutKey");
    assertMetric(0, "rejected");
  }

  @Test
  void anEventWithoutATypeIsRejectedOnce() throws Exception {
    String two = Cluster.UNPAID + "rule created { match order_created }";
    List<String> lines =
        run(
            Kleene.rules(two).outOfOrder(Duration.ofSeconds(5)),
            Cluster.order(null, 0, "o-1", 1.0));
    assertEquals(1, lines.size(), lines.toString());
    assertOnly(lines, "REJECTED", "no event type: field `type` is missing or null");
  }

  @Test
  void anEventWithoutATimeIsRejected() throws Exception {
    List<String> lines =
        run(
            unpaid(),
            Row.of("order_created", null, "o-1", 1.0),
            Cluster.order("order_created", 0, "o-2", 1.0));
    assertOnly(lines, "REJECTED", "an event has no time: field `ts`");
    assertOnly(lines, "MATCH", "o-2");
  }

  @Test
  void aStreamWithoutTimesFails() {
    assertFailsWith(
        "events have no time: call outOfOrder(..)",
        () -> run(Kleene.rules(Cluster.UNPAID), Cluster.order("order_created", 0, "o-1", 1.0)));
  }

  /** Advances the watermark with each event. */
  private static final class EachEvent implements WatermarkGenerator<Row> {
    @Override
    public void onEvent(Row event, long time, WatermarkOutput output) {
      output.emitWatermark(new Watermark(time - 5000));
    }

    @Override
    public void onPeriodicEmit(WatermarkOutput output) {}
  }

  private static DataStream<Row> timed(DataStream<Row> orders) {
    return orders.assignTimestampsAndWatermarks(
        WatermarkStrategy.<Row>forGenerator(context -> new EachEvent())
            .withTimestampAssigner((event, known) -> (Long) event.getField(1)));
  }

  @Test
  void aLateEventIsHandedOut() throws Exception {
    List<String> lines =
        run(
            Kleene.rules(Cluster.UNPAID),
            FailureKindsTest::timed,
            Cluster.order("order_created", 100, "o-1", 1.0),
            Cluster.order("order_created", 95, "o-2", 1.0),
            Cluster.order("order_created", 96, "o-3", 1.0));
    assertOnly(lines, "LATE", "o-2");
    assertEquals(3, lines.size(), lines.toString());
    assertMetric(1, "late");
  }

  // ---- Rules and the library

  @Test
  void rulesWithMistakesAreRefused() {
    var env = Cluster.environment(1);
    var orders = Cluster.orders(env, Cluster.order("order_created", 0, "o-1", 1.0));
    Kleene rules = Kleene.rules(Cluster.UNPAID.replace("created.amount", "created.amuont"));
    RulesException error = assertThrows(RulesException.class, () -> rules.applyTo(orders));
    assertTrue(error.getMessage().contains("<rules>:7"), error.getMessage());
    assertTrue(error.getMessage().contains("^^^"), error.getMessage());
    assertTrue(error.getMessage().contains("amount"), error.getMessage());
  }

  @Test
  void aPlatformWithoutALibrarySaysWhatToDo() {
    assertEquals(
        "native/linux-x86_64/libkleene_jni.so", NativeLibrary.resource("Linux", "amd64"));
    assertEquals(
        "native/macos-aarch64/libkleene_jni.dylib", NativeLibrary.resource("Mac OS X", "arm64"));
    assertEquals(
        "native/windows-x86_64/kleene_jni.dll", NativeLibrary.resource("Windows 11", "amd64"));
    String resource = NativeLibrary.resource("SunOS", "sparcv9");
    KleeneException error =
        assertThrows(KleeneException.class, () -> NativeLibrary.loadResource(resource));
    assertTrue(error.getMessage().contains("native/sunos-sparcv9/"), error.getMessage());
    assertTrue(error.getMessage().contains("bindings/flink/build"), error.getMessage());
    assertTrue(error.getMessage().contains("-Dkleene.library=FILE"), error.getMessage());
  }

  @Test
  void aLibraryOfAnotherVersionIsNamed() {
    String text = NativeLibrary.mismatch("0.0.9");
    assertTrue(text.contains("has version 0.0.9, and the jar has version 0.1.0"), text);
  }

  @Test
  void aPanicIsAnException() {
    KleeneException error = assertThrows(KleeneException.class, NativeEngine::panic);
    assertEquals(
        "native code panicked, which is a mistake of Kleene: on request", error.getMessage());
    RuleTexts rules = RuleTexts.ofText(Cluster.UNPAID, java.util.Map.of());
    assertEquals(1, NativeEngine.load(rules, false).plan().groups().size());
  }

  @Test
  void aClosedEngineIsAnException() {
    RuleTexts rules = RuleTexts.ofText(Cluster.UNPAID, java.util.Map.of());
    NativeEngine engine =
        NativeEngine.create(rules, new NativeEngine.Settings("order_id", "ts", true, false));
    engine.close();
    engine.close();
    KleeneException error = assertThrows(KleeneException.class, () -> engine.advance(0));
    assertEquals("the engine is closed", error.getMessage());
  }

  // ---- Memory

  private static void runWith(MemorySize offHeap, Row... events) throws Exception {
    Configuration configuration = new Configuration();
    configuration.set(TaskManagerOptions.TASK_OFF_HEAP_MEMORY, offHeap);
    try (TestCluster small = new TestCluster(configuration)) {
      var env = Cluster.environment(1);
      ResultLog.of(unpaid().applyTo(Cluster.orders(env, events)), "memory");
      small.run(env);
    }
  }

  @Test
  void noMemoryNamesTheSetting() {
    assertFailsWith(
        "taskmanager.memory.task.off-heap.size is 0: set it",
        () -> runWith(MemorySize.ZERO, Cluster.order("order_created", 0, "o-1", 1.0)));
  }

  @Test
  void tooLittleMemoryNamesTheSetting() {
    Row[] orders = new Row[20_000];
    for (int order = 0; order < orders.length; order++) {
      orders[order] = Cluster.order("order_created", 0, "o-" + order, 1.0);
    }
    assertFailsWith(
        "taskmanager.memory.task.off-heap.size allows 1048576: raise it",
        () -> runWith(MemorySize.ofMebiBytes(1), orders));
  }

  // ---- State

  @Test
  void eachDamagedByteIsSeen() throws Exception {
    byte[] part = new byte[300];
    new Random(5).nextBytes(part);
    for (int entry : new int[] {-1, 0}) {
      int length = entry < 0 ? 40 : part.length;
      for (int at = 0; at < length; at++) {
        HeapMapState state = new HeapMapState();
        KeyGroupChunks.write(state, "order_id", part, 77);
        state.get(entry)[at] ^= 0x40;
        KleeneException error =
            assertThrows(
                KleeneException.class,
                () -> KeyGroupChunks.read(state, "order_id"),
                "byte " + at + " of entry " + entry);
        String text = error.getMessage();
        assertTrue(text.startsWith("the state of a key group cannot be restored: "), text);
      }
    }
  }

  @Test
  void missingChunksAreSeen() throws Exception {
    byte[] part = new byte[(8 << 20) + 1];
    new Random(5).nextBytes(part);
    HeapMapState state = new HeapMapState();
    KeyGroupChunks.write(state, "order_id", part, 77);
    KeyGroupChunks.Stored stored = KeyGroupChunks.read(state, "order_id");
    assertArrayEquals(part, stored.part());
    assertEquals(77, stored.watermark());
    for (int missing = -1; missing < 3; missing++) {
      KeyGroupChunks.write(state, "order_id", part, 77);
      state.remove(missing);
      assertThrows(KleeneException.class, () -> KeyGroupChunks.read(state, "order_id"));
    }
    assertThrows(KleeneException.class, () -> KeyGroupChunks.read(state, "customer"));
    assertNull(KeyGroupChunks.read(new HeapMapState(), "order_id"));
  }

  @Test
  void aKeyGroupWithoutStateKeepsItsWatermark() throws Exception {
    HeapMapState state = new HeapMapState();
    KeyGroupChunks.write(state, "order_id", new byte[0], 77);
    KeyGroupChunks.Stored stored = KeyGroupChunks.read(state, "order_id");
    assertEquals(0, stored.part().length);
    assertEquals(77, stored.watermark());
  }
}
