package io.kleene.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;

/** Key groups of engines at different watermarks make one engine. */
class KeyGroupsTest {
  private static final int GROUPS = 128;

  private static final NativeEngine.Settings SETTINGS =
      new NativeEngine.Settings("order_id", "ts", true, false);

  private final NativeEngine.Loaded loaded =
      NativeEngine.load(RuleTexts.ofText(Cluster.UNPAID, Map.of()), false);
  private final RuleTexts rules = loaded.texts();
  private final RulePlan plan = loaded.plan();

  private void push(NativeEngine engine, Row event) {
    EventReader<Row> reader =
        new EventReader<>(new RowFields((RowTypeInfo) Cluster.ORDER), null, "type", "ts");
    BatchWriter<Row> batch = new BatchWriter<>(reader, plan, plan.group("order_id"), 16);
    assertEquals(BatchWriter.Added.YES, batch.add(event, (Long) event.getField(1)));
    batch.push(engine);
  }

  private static long matches(NativeEngine engine) {
    long[] counts = new long[NativeEngine.Count.values().length];
    engine.counts(counts);
    return counts[NativeEngine.Count.MATCHES.ordinal()];
  }

  /** The state of one order that was created at 100 s, of an engine whose watermark is 90 s. */
  private NativeEngine.State oneOrder() {
    try (NativeEngine engine = NativeEngine.create(rules, SETTINGS)) {
      push(engine, Cluster.order("order_created", 100, "o-1", 1.0));
      engine.advance(90_000);
      return engine.snapshot(GROUPS, 0, GROUPS - 1);
    }
  }

  private long matchesWithAnOrderAt60(long earliest) {
    NativeEngine.State state = oneOrder();
    try (NativeEngine engine =
        NativeEngine.restore(rules, SETTINGS, state.heads(), state.parts(), earliest).engine()) {
      push(engine, Cluster.order("order_created", 60, "o-2", 1.0));
      engine.advance(Long.MAX_VALUE);
      return matches(engine);
    }
  }

  /** The key group of the second order has no state, and comes from an engine at 50 s. */
  @Test
  void aKeyGroupWithoutStateIsNotLate() {
    assertEquals(2, matchesWithAnOrderAt60(50_000));
    assertEquals(1, matchesWithAnOrderAt60(90_000));
  }

  /** The first one has the counts. */
  @Test
  void onlyTheKeyGroupOfAKeyHasState() {
    int groups = 0;
    byte[][] parts = oneOrder().parts();
    for (int group = 1; group < GROUPS; group++) {
      groups += parts[group].length > 0 ? 1 : 0;
    }
    assertEquals(1, groups);
  }

  /** After the end of time nothing is left, and a new engine has a new time. */
  @Test
  void timeBeginsAnewAfterItsEnd() {
    NativeEngine.State state;
    try (NativeEngine engine = NativeEngine.create(rules, SETTINGS)) {
      push(engine, Cluster.order("order_created", 100, "o-1", 1.0));
      engine.advance(Long.MAX_VALUE);
      assertEquals(1, matches(engine));
      state = engine.snapshot(GROUPS, 0, GROUPS - 1);
    }
    try (NativeEngine engine =
        NativeEngine.restore(rules, SETTINGS, state.heads(), state.parts(), Long.MAX_VALUE)
            .engine()) {
      push(engine, Cluster.order("order_created", 60, "o-2", 1.0));
      engine.advance(Long.MAX_VALUE);
      assertEquals(1, matches(engine));
    }
  }
}
