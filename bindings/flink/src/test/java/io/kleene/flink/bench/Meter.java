package io.kleene.flink.bench;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;

/**
 * The source and the sinks of the jobs that are measured, which note the processor time of their
 * threads. The jobs run in this process, one after the other.
 */
final class Meter {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  /** By thread: its nanoseconds of processor time, and the nanoseconds when it began and ended. */
  private static final Map<String, long[]> SPANS = new ConcurrentHashMap<>();

  private static final Map<String, Long> COUNTS = new ConcurrentHashMap<>();
  private static Row[] events;

  private Meter() {}

  /** What a job took: processor time of each of its threads, and time on the clock. */
  record Measure(List<Long> threadNanos, long wallNanos, Map<String, Long> counts) {
    long busiest() {
      return threadNanos.stream().mapToLong(Long::longValue).max().orElse(1);
    }

    long all() {
      return threadNanos.stream().mapToLong(Long::longValue).sum();
    }
  }

  /** Starts anew with other events. */
  static void reset(Row[] all) {
    SPANS.clear();
    COUNTS.clear();
    events = all;
  }

  /** Returns what the job took. */
  static Measure measure() {
    long first = SPANS.values().stream().mapToLong(span -> span[1]).min().orElse(0);
    long last = SPANS.values().stream().mapToLong(span -> span[2]).max().orElse(0);
    List<Long> nanos = new ArrayList<>();
    new TreeMap<>(SPANS).values().forEach(span -> nanos.add(span[0]));
    return new Measure(nanos, last - first, new TreeMap<>(COUNTS));
  }

  private static void note(String role, long cpu, long began) {
    String thread = role + Thread.currentThread().getId();
    long[] span = {THREADS.getCurrentThreadCpuTime() - cpu, began, System.nanoTime()};
    SPANS.merge(
        thread,
        span,
        (a, b) ->
            new long[] {Math.max(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2])});
  }

  /** Counts the records of a stream, and notes the thread in which they arrive. */
  static <T> void count(DataStream<T> stream, String name) {
    stream.transform("count " + name, Types.LONG, new Count<>(name));
  }

  /** Emits the events. */
  @SuppressWarnings("deprecation") // The simplest source is an old one.
  static final class Source
      implements org.apache.flink.streaming.api.functions.source.legacy.SourceFunction<Row> {
    private static final long serialVersionUID = 1L;
    private volatile boolean isCancelled;

    @Override
    public void run(SourceContext<Row> context) {
      long cpu = THREADS.getCurrentThreadCpuTime();
      long began = System.nanoTime();
      Object lock = context.getCheckpointLock();
      for (Row event : events) {
        if (isCancelled) {
          return;
        }
        synchronized (lock) {
          context.collect(event);
        }
      }
      note("0 source ", cpu, began);
    }

    @Override
    public void cancel() {
      isCancelled = true;
    }
  }

  private static final class Count<T> extends AbstractStreamOperator<Long>
      implements OneInputStreamOperator<T, Long> {
    private static final long serialVersionUID = 1L;

    private final String name;
    private transient long count;
    private transient long cpu;
    private transient long began;

    Count(String name) {
      this.name = name;
    }

    @Override
    public void open() throws Exception {
      super.open();
      cpu = THREADS.getCurrentThreadCpuTime();
      began = System.nanoTime();
    }

    @Override
    public void processElement(StreamRecord<T> record) {
      count++;
    }

    @Override
    public void finish() throws Exception {
      COUNTS.merge(name, count, Long::sum);
      note("1 sink ", cpu, began);
      super.finish();
    }
  }
}
