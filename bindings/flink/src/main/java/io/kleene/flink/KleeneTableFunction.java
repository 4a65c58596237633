package io.kleene.flink;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Optional;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.functions.SpecializedFunction;
import org.apache.flink.table.functions.UserDefinedFunction;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.StateTypeStrategy;
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.StaticArgumentTrait;
import org.apache.flink.table.types.inference.TypeInference;
import org.apache.flink.types.Row;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds patterns of events within SQL.
 *
 * <pre>{@code
 * CREATE TEMPORARY SYSTEM FUNCTION kleene AS 'io.kleene.flink.KleeneTableFunction';
 *
 * SELECT rule, emit['order_id'], end_time
 * FROM kleene(
 *   input => TABLE orders PARTITION BY order_id,
 *   on_time => DESCRIPTOR(ts),
 *   rules => 'event order_created { .. } rule unpaid_order { .. }',
 *   uid => 'unpaid');
 * }</pre>
 *
 * <p>Rules and columns are checked when the statement is planned. The result has the columns of
 * PARTITION BY, those that {@link KleeneTables#matches} names, and {@code rowtime}.
 *
 * <p>Flink holds the state of each partition, and calls the function for a row and for a timer.
 * Each call makes the engine of the partition, and takes its state out again. An event waits in the
 * engine until the watermark passes it; the next of these times, and of the deadlines of partial
 * matches, is the only timer of a partition. So results come with their own time as {@code
 * rowtime}. {@link KleeneTables} is faster, as its engines stay in memory.
 */
public final class KleeneTableFunction extends ProcessTableFunction<Row>
    implements SpecializedFunction {
  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(KleeneTableFunction.class);

  private static final DataType ENGINE =
      DataTypes.ROW(
          DataTypes.FIELD("part", DataTypes.BYTES()), DataTypes.FIELD("due", DataTypes.BIGINT()));

  private static final DataType HEADS =
      MapView.newMapViewDataType(DataTypes.STRING(), DataTypes.BYTES());

  /**
   * True if Flink drops a timer at or before the watermark, as 2.2 does. All that is due by then is
   * done at once, and comes with the time of the first of it as {@code rowtime}.
   */
  static final boolean DROPS_PAST_TIMERS =
      Arrays.stream(TimeContext.class.getMethods())
          .noneMatch(method -> method.getName().equals("tableWatermark"));

  private static final int PART = 0;
  private static final int DUE = 1;
  private static final String HEAD = "head";

  /** The call that the planner has checked; null before. */
  private final TableCall call;

  private transient NativeOneKey rules;
  private transient byte[] head;
  private transient long identity;
  private transient NativeOneKey.Key key;
  private transient BatchWriter<Row> batch;
  private transient ByteBuffer noHeader;
  private transient ResultFrames.Receiver results;
  private transient Counter late;
  private transient Counter rejected;
  private transient Counter unread;

  /** Makes the function, as SQL does. */
  public KleeneTableFunction() {
    this(null);
  }

  private KleeneTableFunction(TableCall call) {
    this.call = call;
  }

  // ---- Planning

  @Override
  public TypeInference getTypeInference(DataTypeFactory types) {
    LinkedHashMap<String, StateTypeStrategy> states = new LinkedHashMap<>();
    // The rules say how long state lasts, in the time of events.
    states.put("engine", StateTypeStrategy.of(call -> Optional.of(ENGINE), Duration.ZERO));
    states.put("heads", StateTypeStrategy.of(call -> Optional.of(HEADS), Duration.ZERO));
    return TypeInference.newBuilder()
        .staticArguments(
            StaticArgument.table(
                "input",
                Row.class,
                false,
                EnumSet.of(
                    StaticArgumentTrait.TABLE,
                    StaticArgumentTrait.SET_SEMANTIC_TABLE,
                    StaticArgumentTrait.REQUIRE_ON_TIME)),
            StaticArgument.scalar("rules", DataTypes.STRING(), false),
            StaticArgument.scalar("event_type", DataTypes.STRING(), true),
            StaticArgument.scalar("type_field", DataTypes.STRING(), true))
        .stateTypeStrategies(states)
        .outputTypeStrategy(
            call -> {
              TableCall.of(call);
              return Optional.of(ResultRows.TYPE);
            })
        .build();
  }

  @Override
  public UserDefinedFunction specialize(SpecializedContext context) {
    return new KleeneTableFunction(TableCall.of(context.getCallContext()));
  }

  // ---- Running

  @Override
  public void open(FunctionContext context) throws Exception {
    NativeEngine.Settings settings =
        new NativeEngine.Settings(
            call.group().signature(), call.reader().timeField(), true, false);
    rules = new NativeOneKey(call.rules(), settings);
    head = rules.head();
    identity = KeyHash.fnv(head, head.length);
    key = new NativeOneKey.Key();
    noHeader = ByteBuffer.allocateDirect(0);
    results = new Results();
    batch = new BatchWriter<>(call.reader(), call.plan(), call.group(), 1);
    MetricGroup group = context.getMetricGroup().addGroup("kleene");
    late = group.counter("late");
    rejected = group.counter("rejected");
    unread = group.counter("unread");
  }

  @Override
  public void close() throws Exception {
    if (rules != null) {
      rules.close();
    }
  }

  /**
   * Takes a row.
   *
   * @param context of the call
   * @param engine the state of the partition, and its timer
   * @param heads what the states of partitions under the same rules have in common
   * @param input the row
   * @param rulesText the rules, which the planner has read
   * @param eventType the event type of all rows; null if a column has it
   * @param typeField the column with the event type of a row; null for {@code type}
   */
  public void eval(
      Context context,
      Row engine,
      MapView<String, byte[]> heads,
      Row input,
      String rulesText,
      String eventType,
      String typeField)
      throws Exception {
    TimeContext<Long> times = context.timeContext(Long.class);
    Long time = times.time();
    if (time == null) {
      reject("its time is null");
      return;
    }
    Long watermark = times.currentWatermark();
    if (watermark != null && time <= watermark) {
      late.inc();
      return;
    }
    switch (batch.add(input, time)) {
      case REJECTED, UNTYPED -> reject(batch.reason());
      case UNREAD -> unread.inc();
      default -> run(times, engine, heads, NativeOneKey.NO_ADVANCE);
    }
  }

  /** Advances the time of a partition. */
  public void onTimer(OnTimerContext context, Row engine, MapView<String, byte[]> heads)
      throws Exception {
    TimeContext<Long> times = context.timeContext(Long.class);
    Long watermark = times.currentWatermark();
    Long due = times.time();
    do {
      // The timer is gone.
      engine.setField(DUE, null);
      run(times, engine, heads, due);
      due = (Long) engine.getField(DUE);
    } while (DROPS_PAST_TIMERS && due != null && watermark != null && due <= watermark);
  }

  /** Pushes the batch, if there is one, advances time, and keeps the state. */
  private void run(
      TimeContext<Long> times, Row engine, MapView<String, byte[]> heads, long watermark)
      throws Exception {
    byte[] part = (byte[]) engine.getField(PART);
    boolean isOfOthers = part != null && !isOfTheseRules(part);
    key.enter(isOfOthers ? heads.get(HEAD) : null, part);
    long due =
        batch.isEmpty()
            ? rules.run(key, noHeader, 0, watermark)
            : batch.push((header, words) -> rules.run(key, header, words, watermark));
    ResultFrames.read(ByteBuffer.wrap(key.results()), results);
    if (due == NativeOneKey.NEVER) {
      engine.setField(PART, null);
      heads.clear();
    } else {
      engine.setField(PART, key.part());
      if (part == null || isOfOthers) {
        heads.put(HEAD, key.head().length == 0 ? head : key.head());
      }
    }
    wake(times, engine, due);
  }

  /** Sets the timer of the partition. */
  private static void wake(TimeContext<Long> times, Row engine, long due) {
    Long registered = (Long) engine.getField(DUE);
    if (registered != null && registered != due) {
      times.clearTimer(registered);
    }
    if (due != NativeOneKey.NEVER && (registered == null || registered != due)) {
      times.registerOnTime(due);
    }
    engine.setField(DUE, due == NativeOneKey.NEVER ? null : due);
  }

  /** Returns true if a state was taken under these rules: it begins with the hash of its head. */
  private boolean isOfTheseRules(byte[] part) {
    for (int index = 0; index < Long.BYTES; index++) {
      if (part[index] != (byte) (identity >>> 8 * index)) {
        return false;
      }
    }
    return true;
  }

  private void reject(String reason) {
    if (rejected.getCount() == 0) {
      LOG.warn("an event is rejected (later ones are only counted): {}", reason);
    }
    rejected.inc();
  }

  /** Sends results on. */
  private final class Results implements ResultFrames.Receiver {
    @Override
    public void result(KleeneResult result, long time) {
      collect(ResultRows.of(result));
    }

    @Override
    public void rejected(String reason, long time) {
      reject(reason);
    }
  }
}
