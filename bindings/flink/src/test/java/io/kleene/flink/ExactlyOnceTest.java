package io.kleene.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.JobID;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A job that fails again and again has the results of a job that never fails, once each. */
@Timeout(90)
class ExactlyOnceTest {
  private static final int FAILURES_BEFORE = 8;
  private static final int FAILURES_AFTER = 7;

  private static TestCluster cluster;
  private static List<String> undisturbed;

  @TempDir private Path checkpoints;

  @BeforeAll
  static void start() throws Exception {
    cluster = new TestCluster();
    var env = Cluster.environment(2);
    log(OrderEvents.from(env, 0), "undisturbed");
    cluster.run(env);
    undisturbed = ResultLog.take("undisturbed");
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  private static void log(DataStream<Row> events, String name) {
    Kleene rules = Kleene.rules(OrderEvents.RULES).outOfOrder(OrderEvents.BOUND).batchRows(64);
    ResultLog.of(rules.applyTo(events), name);
  }

  @Test
  void theUndisturbedRunHasWhatTheEventsSay() {
    Map<String, Long> created = new HashMap<>();
    Map<String, Long> paid = new HashMap<>();
    for (Row event : OrderEvents.all()) {
      Map<String, Long> times = "order_created".equals(event.getField(0)) ? created : paid;
      if (times == created || "order_paid".equals(event.getField(0))) {
        times.put((String) event.getField(2), (Long) event.getField(1));
      }
    }
    List<String> matches = new ArrayList<>();
    created.forEach(
        (order, time) -> {
          boolean isPaid = paid.containsKey(order) && paid.get(order) - time <= 600_000;
          matches.add((isPaid ? "MATCH" : "TIMEOUT") + " paid {order_id=" + order + "}");
        });
    List<String> found = new ArrayList<>();
    Map<String, Integer> ofRule = new HashMap<>();
    for (String line : undisturbed) {
      String[] words = line.split(" ");
      ofRule.merge(words[1], 1, Integer::sum);
      if (words[1].equals("paid")) {
        found.add(String.join(" ", words[0], words[1], words[2]));
      }
    }
    assertEquals(matches.stream().sorted().toList(), found.stream().sorted().toList());
    assertEquals(4, ofRule.size(), ofRule.toString());
    assertTrue(ofRule.values().stream().allMatch(count -> count > 50), ofRule.toString());
  }

  @Test
  void nothingIsLostOrDoubledWithAlignedCheckpoints() throws Exception {
    disturb("aligned", false, 1);
  }

  @Test
  void nothingIsLostOrDoubledWithUnalignedCheckpoints() throws Exception {
    disturb("unaligned", true, 2);
  }

  private void disturb(String name, boolean isUnaligned, long seed) throws Exception {
    var env = TestCluster.job(2, checkpoints, isUnaligned);
    int events = OrderEvents.all().size();
    String before = name + ", before the operator";
    String after = name + ", after the operator";
    DataStream<Row> failing =
        // Slow enough that a busy machine takes a checkpoint between most failures.
        OrderEvents.from(env, 1000)
            .map(new Failing<>(before, FAILURES_BEFORE, events, seed, 0))
            .setParallelism(2)
            .returns(OrderEvents.TYPE);
    Kleene rules = Kleene.rules(OrderEvents.RULES).outOfOrder(OrderEvents.BOUND).batchRows(64);
    KleeneStreams<Row> found = rules.applyTo(failing);
    ResultLog.of(
        found,
        new Failing<>(after, FAILURES_AFTER, undisturbed.size(), seed + 100, 800_000),
        name);
    JobID job = cluster.start(env);
    cluster.finish(job);
    assertEquals(FAILURES_BEFORE, Failing.failures(before));
    assertEquals(FAILURES_AFTER, Failing.failures(after));
    int restored = ResultLog.restored(name);
    assertTrue(restored >= 8, "it was restored from a checkpoint " + restored + " times only");
    assertEquals(isUnaligned, cluster.mostPersisted(job) > 0, "records are in checkpoints");
    Differences.assertSame(undisturbed, ResultLog.take(name));
  }
}
