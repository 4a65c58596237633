package io.kleene.flink;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.sink.legacy.SinkFunction;
import org.apache.flink.types.Row;

/**
 * Collects results exactly once: all that were collected are in each checkpoint, and a failure
 * takes away what came after the last one. The test sees them when the job ends.
 */
@SuppressWarnings("deprecation")
final class ResultLog implements SinkFunction<String>, CheckpointedFunction {
  private static final long serialVersionUID = 1L;

  private static final Map<String, List<String>> FINISHED = new ConcurrentHashMap<>();
  private static final Map<String, AtomicInteger> RESTORED = new ConcurrentHashMap<>();

  private static final Map<String, List<String>> RUNNING = new ConcurrentHashMap<>();

  private final String name;
  private transient ListState<String> saved;
  private transient List<String> all;

  private ResultLog(String name) {
    this.name = name;
  }

  /** Logs all that comes out of a job: results, late and rejected events, verdicts. */
  static void of(KleeneStreams<Row> found, String name) {
    of(found, null, name);
  }

  /** Logs all that comes out of a job, and lets results pass something that fails. */
  static void of(KleeneStreams<Row> found, Failing<KleeneResult> failing, String name) {
    DataStream<KleeneResult> passed =
        failing == null
            ? found.results()
            : found
                .results()
                .rebalance()
                .map(failing)
                .returns(KleeneResultTypeInfo.INSTANCE)
                .uid("failing results");
    DataStream<String> results = text("results", passed, ResultLog::describe);
    of(
        results.union(
            text("late", found.late(), late -> "LATE " + late),
            text("rejected", found.rejected(), rejected -> "REJECTED " + rejected),
            text("verdicts", found.verdicts(), verdict -> ResultLog.describe(verdict))),
        name);
  }

  /** Logs a stream. */
  static void of(DataStream<String> lines, String name) {
    lines.addSink(new ResultLog(name)).setParallelism(1).name("log").uid("log");
  }

  private interface Describe<T> extends java.io.Serializable {
    String line(T value);
  }

  private static <T> DataStream<String> text(
      String uid, DataStream<T> stream, Describe<T> describe) {
    return stream.map(describe::line).returns(Types.STRING).uid(uid);
  }

  private static String describe(RuleVerdict verdict) {
    return "VERDICT " + verdict.verdict + " in " + verdict.subtask + ": " + verdict;
  }

  /** A result in a line that is the same in each run. */
  static String describe(KleeneResult found) {
    return found.getKind()
        + " "
        + found.getRule()
        + " "
        + found.getKey()
        + " "
        + found.getStart()
        + ".."
        + found.getEnd()
        + " "
        + found.getId()
        + " "
        + found.getEmit();
  }

  /** Returns the lines of a job that has ended, in order of their text. */
  static List<String> take(String name) {
    List<String> lines = FINISHED.remove(name);
    if (lines == null) {
      throw new AssertionError("the job " + name + " has not come to its end");
    }
    return lines.stream().sorted().toList();
  }

  /** Returns the number of lines of a job that runs. */
  static int count(String name) {
    return lines(name).size();
  }

  /** Forgets the lines of a job that ran: it starts again. */
  static void forget(String name) {
    RUNNING.remove(name);
  }

  /** Returns the lines of a job that runs, in their order. */
  static List<String> lines(String name) {
    return RUNNING.getOrDefault(name, List.of());
  }

  /** Returns how often the log was restored from a checkpoint. */
  static int restored(String name) {
    return RESTORED.getOrDefault(name, new AtomicInteger()).get();
  }

  @Override
  public void initializeState(FunctionInitializationContext context) throws Exception {
    saved =
        context
            .getOperatorStateStore()
            .getListState(new ListStateDescriptor<>("lines", Types.STRING));
    List<String> restored = new ArrayList<>();
    saved.get().forEach(restored::add);
    all = new CopyOnWriteArrayList<>(restored);
    RUNNING.put(name, all);
    if (context.isRestored()) {
      RESTORED.computeIfAbsent(name, unused -> new AtomicInteger()).incrementAndGet();
    }
  }

  @Override
  public void snapshotState(FunctionSnapshotContext context) throws Exception {
    saved.update(all);
  }

  @Override
  public void invoke(String line, Context context) {
    all.add(line);
  }

  @Override
  public void finish() {
    FINISHED.put(name, List.copyOf(all));
  }
}
