package io.kleene.flink;

import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.api.common.functions.MapFunction;

/**
 * Hands records on, and fails at moments of a seed, counted in the records of all its tasks and
 * attempts.
 */
final class Failing<T> implements MapFunction<T, T> {
  private static final long serialVersionUID = 1L;

  private static final Map<String, Moments> ALL = new ConcurrentHashMap<>();

  private final String place;
  private final long nanosEach;

  /** Fails so often within a number of records, and takes a time for each. */
  Failing(String place, int failures, int within, long seed, long nanosEach) {
    this.place = place;
    this.nanosEach = nanosEach;
    Random random = new Random(seed);
    long[] at = new long[failures];
    for (int failure = 0; failure < failures; failure++) {
      // One in each part, so that checkpoints come between.
      at[failure] = (long) ((failure + random.nextDouble()) * within / failures);
    }
    ALL.put(place, new Moments(at, new AtomicLong(), new AtomicInteger()));
  }

  private record Moments(long[] at, AtomicLong seen, AtomicInteger next) {
    void count(String place) {
      long now = seen.incrementAndGet();
      int failed = next.get();
      if (failed < at.length && now >= at[failed] && next.compareAndSet(failed, failed + 1)) {
        throw new IllegalStateException("injected failure " + failed + " at " + place);
      }
    }
  }

  /** Returns how often it has failed. */
  static int failures(String place) {
    return ALL.get(place).next().get();
  }

  @Override
  public T map(T record) {
    ALL.get(place).count(place);
    LockSupport.parkNanos(nanosEach);
    return record;
  }
}
