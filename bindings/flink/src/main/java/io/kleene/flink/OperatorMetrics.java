package io.kleene.flink;

import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/** The metrics of an operator, in the group {@code kleene}. docs/flink.md has their meaning. */
final class OperatorMetrics {
  private final long[] counts = new long[NativeEngine.Count.values().length];
  private final Counter late;
  private final Counter rejected;
  private final Counter unread;
  private final Counter nativeNanos;
  private volatile long watermark = Long.MIN_VALUE;
  private volatile long advancedAt = System.currentTimeMillis();

  OperatorMetrics(MetricGroup operator, NativeMemory memory) {
    MetricGroup group = operator.addGroup("kleene");
    late = group.counter("late");
    rejected = group.counter("rejected");
    unread = group.counter("unread");
    nativeNanos = group.counter("nativeNanos");
    gauge(group, "events", NativeEngine.Count.EVENTS);
    gauge(group, "matches", NativeEngine.Count.MATCHES);
    gauge(group, "timeouts", NativeEngine.Count.TIMEOUTS);
    gauge(group, "withoutKey", NativeEngine.Count.KEYLESS);
    gauge(group, "partialMatches", NativeEngine.Count.PARTIALS);
    gauge(group, "keys", NativeEngine.Count.KEYS);
    gauge(group, "buffered", NativeEngine.Count.BUFFERED);
    gauge(group, "limitsReached", NativeEngine.Count.OVERFLOWED);
    gauge(group, "suppressed", NativeEngine.Count.SUPPRESSED);
    gauge(group, "filtered", NativeEngine.Count.FILTERED);
    gauge(group, "capturedBytes", NativeEngine.Count.CAPTURED_BYTES);
    gauge(group, "nativeBytesCapacity", memory::capacity);
    gauge(group, "nativeBytesUsed", NativeEngine::usedBytes);
    gauge(group, "nativeBytesPeak", NativeEngine::peakBytes);
    gauge(group, "nativeBytesDenied", memory::denied);
    gauge(group, "watermark", () -> watermark);
    gauge(group, "watermarkAgeMillis", () -> System.currentTimeMillis() - advancedAt);
  }

  private void gauge(MetricGroup group, String name, NativeEngine.Count count) {
    gauge(group, name, () -> read(count));
  }

  private static void gauge(MetricGroup group, String name, Gauge<Long> gauge) {
    group.gauge(name, gauge);
  }

  private long read(NativeEngine.Count count) {
    synchronized (counts) {
      return counts[count.ordinal()];
    }
  }

  void late() {
    late.inc();
  }

  void rejected() {
    rejected.inc();
  }

  void unread() {
    unread.inc();
  }

  void nativeNanos(long nanos) {
    nativeNanos.inc(nanos);
  }

  /** Reads the counts of the engine, in the thread of the task. */
  void refresh(NativeEngine engine, long now) {
    synchronized (counts) {
      engine.counts(counts);
    }
    watermark = now;
    advancedAt = System.currentTimeMillis();
  }
}
