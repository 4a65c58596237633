package io.kleene.flink;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Runs the rules of one key over the events of a task.
 *
 * <p>Events are packed into batches, which the native engine holds until the watermark passes them: no
 * event can complete a match before. So a batch is pushed when it is full, when the watermark
 * advances, and before a checkpoint. Everything happens in the thread of the task.
 *
 * @param <T> the Java type of events
 */
abstract class AbstractMatchOperator<T> extends AbstractStreamOperator<KleeneResult> {
  private static final long serialVersionUID = 1L;

  private final OperatorSettings<T> settings;
  private final KeyHash<T> keyHash;
  private final EventTimes<T> eventTimes;

  private transient NativeMemory memory;
  private transient NativeEngine engine;
  private transient BatchWriter<T> batch;
  private transient OperatorMetrics counts;
  private transient RuleTexts rules;
  private transient long watermark;
  private transient List<RuleVerdict> verdicts;

  private transient MapState<Integer, byte[]> keyGroups;
  private transient ListState<byte[]> ruleState;
  private transient KeyGroupRange range;
  private transient int maxParallelism;

  /** By key group of the range: the watermark of the task that it came from. */
  private transient long[] restoredWatermarks;

  private transient long highestRestored;

  AbstractMatchOperator(OperatorSettings<T> settings) {
    this.settings = settings;
    this.keyHash = new KeyHash<>(settings.reader(), settings.plan(), settings.group().parts());
    this.eventTimes = new EventTimes<>(settings.reader(), settings.plan());
  }

  // ---- State

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    memory =
        new NativeMemory(
            getContainingTask().getEnvironment().getTaskManagerInfo().getConfiguration());
    watermark = Long.MIN_VALUE;
    highestRestored = Long.MIN_VALUE;
    verdicts = new ArrayList<>();
    TaskInfo task = getRuntimeContext().getTaskInfo();
    maxParallelism = task.getMaxNumberOfParallelSubtasks();
    range =
        KeyGroupRangeAssignment.computeKeyGroupRangeForOperatorIndex(
            maxParallelism, task.getNumberOfParallelSubtasks(), task.getIndexOfThisSubtask());
    keyGroups = context.getKeyedStateStore().getMapState(KeyGroupChunks.DESCRIPTOR);
    ruleState =
        context
            .getOperatorStateStore()
            .getUnionListState(
                new ListStateDescriptor<>("kleene-rules", BytePrimitiveArraySerializer.INSTANCE));
    rules = settings.rules();
    if (context.isRestored()) {
      restore();
    } else {
      engine = NativeEngine.create(rules, settings.engine());
    }
    boolean isAsStarted = rules.equals(settings.rules());
    usePlan(isAsStarted ? settings.plan() : NativeEngine.load(rules, false).plan());
  }

  private void restore() throws Exception {
    List<byte[]> heads = new ArrayList<>();
    for (byte[] bytes : ruleState.get()) {
      RuleState saved = RuleState.read(bytes);
      saved.addHeadsTo(heads);
      // The job was started with the same rules: those that came later continue.
      if (saved.configured().equals(settings.rules())) {
        rules = saved.current();
      }
    }
    byte[][] parts = new byte[range.getNumberOfKeyGroups()][];
    restoredWatermarks = new long[parts.length];
    long earliest = Long.MAX_VALUE;
    for (int index = 0; index < parts.length; index++) {
      enterKeyGroup(range.getStartKeyGroup() + index);
      KeyGroupChunks.Stored stored = KeyGroupChunks.read(keyGroups, settings.group().signature());
      parts[index] = stored == null ? new byte[0] : stored.part();
      long reached = stored == null ? Long.MIN_VALUE : stored.watermark();
      earliest = Math.min(earliest, reached);
      // Time has ended with the last job (stop with drain): it begins anew.
      restoredWatermarks[index] = reached == Long.MAX_VALUE ? Long.MIN_VALUE : reached;
      highestRestored = Math.max(highestRestored, restoredWatermarks[index]);
      keyGroups.clear();
    }
    NativeEngine.Restored restored =
        NativeEngine.restore(
            rules, settings.engine(), heads.toArray(new byte[0][]), parts, earliest);
    engine = restored.engine();
    if (earliest < highestRestored) {
      LOG.info("key groups come from tasks at watermarks {} to {}", earliest, highestRestored);
    }
    for (RuleVerdict verdict : RuleVerdict.read(restored.verdicts(), subtask())) {
      if (!verdict.verdict.equals("unchanged")) {
        LOG.info("rules after a restart: {}", verdict.message);
        verdicts.add(verdict);
      }
    }
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpoint) throws Exception {
    // Results of the batch belong before the barrier.
    flush();
    if (watermark < Long.MAX_VALUE) {
      // Events that wait in their columns move to where the state is taken from.
      emit(engine.advance(watermark));
    }
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    NativeEngine.State state =
        engine.snapshot(maxParallelism, range.getStartKeyGroup(), range.getEndKeyGroup());
    for (int index = 0; index < state.parts().length; index++) {
      enterKeyGroup(range.getStartKeyGroup() + index);
      KeyGroupChunks.write(
          keyGroups, settings.group().signature(), state.parts()[index], watermarkOf(index));
      state.parts()[index] = null;
    }
    RuleState all = new RuleState(settings.rules(), rules, Arrays.asList(state.heads()));
    ruleState.update(List.of(all.toBytes()));
  }

  @Override
  public void notifyCheckpointComplete(long checkpoint) throws Exception {
    super.notifyCheckpointComplete(checkpoint);
    // The live state is the engine's: what was written for the checkpoint is needed no more.
    for (int group = range.getStartKeyGroup(); group <= range.getEndKeyGroup(); group++) {
      enterKeyGroup(group);
      keyGroups.clear();
    }
  }

  /** Selects a key of a key group: any key, as the state is that of the group. */
  private void enterKeyGroup(int group) {
    setCurrentKey(KeyOfGroup.find(group, maxParallelism));
  }

  private long watermarkOf(int index) {
    return restoredWatermarks == null ? watermark : Math.max(watermark, restoredWatermarks[index]);
  }

  // ---- Events

  @Override
  public void open() throws Exception {
    super.open();
    counts = new OperatorMetrics(getMetricGroup(), memory);
  }

  /** The key of an event selects its task only: the state is the engine's. */
  @Override
  @SuppressWarnings("rawtypes")
  public void setKeyContextElement1(StreamRecord record) {}

  @Override
  @SuppressWarnings("rawtypes")
  public void setKeyContextElement2(StreamRecord record) {}

  final void processEvent(StreamRecord<T> record) throws Exception {
    T event = record.getValue();
    long time = record.hasTimestamp() ? record.getTimestamp() : EventTimes.NONE;
    if (time == EventTimes.NONE) {
      rejectTimeless(event);
      return;
    }
    if (isLate(event, time)) {
      counts.late();
      output.collect(settings.tags().late(), record);
      return;
    }
    switch (batch.add(event, time)) {
      case REJECTED -> {
        counts.rejected();
        reject(event, batch.reason(), time);
      }
      case UNTYPED -> {
        // With live rules it comes to all operators, and one of them says so.
        if (settings.isFirstGroup()) {
          counts.rejected();
          reject(event, batch.reason(), time);
        }
      }
      case UNREAD -> counts.unread();
      default -> {
        if (batch.isFull()) {
          flush();
        }
      }
    }
  }

  /**
   * A key group may come from a task whose watermark was ahead of this one's. What was late there is
   * late here.
   */
  private boolean isLate(T event, long time) {
    if (time <= watermark) {
      return true;
    }
    if (time > highestRestored || restoredWatermarks == null) {
      return false;
    }
    int hash = settings.group().parts().isEmpty() ? NO_KEY : keyHash.hash(event);
    int group = KeyGroupRangeAssignment.computeKeyGroupForKeyHash(hash, maxParallelism);
    int index = group - range.getStartKeyGroup();
    return index >= 0
        && index < restoredWatermarks.length
        && time <= restoredWatermarks[index];
  }

  /** The hash of no values: the key of rules whose keys are not divided. */
  static final int NO_KEY = KeyHash.fold(new byte[0], 0);

  /** An event of a stream without times is a mistake of the job, not of the event. */
  private void rejectTimeless(T event) {
    String problem = eventTimes.problem(event);
    if (problem == null) {
      throw new KleeneException(
          "events have no time: call outOfOrder(..), or assign timestamps and watermarks to the"
              + " stream before applyTo(..)");
    }
    counts.rejected();
    reject(event, problem, watermark);
  }

  private void reject(T event, String reason, long time) {
    output.collect(
        settings.tags().rejected(), new StreamRecord<>(new RejectedEvent<>(event, reason), time));
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    flush();
    if (mark.getTimestamp() > watermark) {
      watermark = mark.getTimestamp();
      long began = System.nanoTime();
      ByteBuffer results = engine.advance(watermark);
      counts.nativeNanos(System.nanoTime() - began);
      emit(results);
      counts.refresh(engine, watermark);
      memory.check();
    }
    super.processWatermark(mark);
  }

  @Override
  public void finish() throws Exception {
    flush();
    super.finish();
  }

  @Override
  public void close() throws Exception {
    if (engine != null) {
      engine.close();
    }
    super.close();
  }

  private void flush() {
    emitVerdicts();
    if (batch.isEmpty()) {
      return;
    }
    long began = System.nanoTime();
    ByteBuffer results = batch.push(engine);
    counts.nativeNanos(System.nanoTime() - began);
    emit(results);
    memory.check();
  }

  private void emitVerdicts() {
    for (RuleVerdict verdict : verdicts) {
      output.collect(settings.tags().verdicts(), new StreamRecord<>(verdict));
    }
    verdicts.clear();
  }

  /** Sends results to their outputs. */
  private void emit(ByteBuffer results) {
    ResultFrames.read(
        results,
        new ResultFrames.Receiver() {
          @Override
          public void result(KleeneResult result, long time) {
            StreamRecord<KleeneResult> record = new StreamRecord<>(result, time);
            switch (result.getKind()) {
              case MATCH -> output.collect(record);
              case TIMEOUT -> output.collect(settings.tags().timeouts(), record);
              default -> output.collect(settings.tags().limits(), record);
            }
          }

          @Override
          public void rejected(String reason, long time) {
            counts.rejected();
            reject(null, reason, time);
          }
        });
  }

  // ---- Rules

  /** Replaces the rules between two events. Rules with mistakes change nothing. */
  final void replaceRules(String text) {
    flush();
    try {
      NativeEngine.Loaded replaced =
          NativeEngine.load(RuleTexts.ofText(text, settings.parameters()), false);
      String refused = KeyChange.refused(settings, replaced.plan());
      if (refused != null) {
        refuse(refused);
        return;
      }
      byte[] bytes = engine.replace(replaced.texts());
      rules = replaced.texts();
      usePlan(replaced.plan());
      for (RuleVerdict verdict : RuleVerdict.read(bytes, subtask())) {
        LOG.info("rules were replaced: {}", verdict.message);
        verdicts.add(verdict);
      }
      emitVerdicts();
    } catch (RulesException mistakes) {
      refuse(mistakes.getMessage());
    }
  }

  /** All tasks of all operators refuse the same file: one of them says so. */
  private void refuse(String message) {
    LOG.warn("rules were refused, and the old ones stay: {}", message);
    if (settings.isFirstGroup() && subtask() == 0) {
      verdicts.add(RuleVerdict.refused(message, 0));
      emitVerdicts();
    }
  }

  private int subtask() {
    return getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
  }

  private void usePlan(RulePlan plan) {
    RulePlan.Group group = plan.group(settings.group().signature());
    if (group == null) {
      group =
          new RulePlan.Group(
              settings.group().signature(), settings.group().parts(), List.of(), List.of());
    }
    batch = new BatchWriter<>(settings.reader(), plan, group, settings.batchRows());
  }
}
