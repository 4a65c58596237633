package io.kleene.flink;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.types.Row;

/**
 * Orders of a fixed seed, out of order within {@link #BOUND}, as a source that can restart at any
 * event. No two events have the same time, so every run has the same results.
 */
final class OrderEvents {
  static final Duration BOUND = Duration.ofSeconds(20);

  static final int ORDERS = 3000;

  static final String TYPES =
      """
      event order_created { order_id: string, customer: string, amount: float, ts: time }
      event order_paid { order_id: string, ts: time }
      event order_shipped { order_id: string, ts: time }
      event card_refused { order_id: string, ts: time }
      """;

  static final String PAID =
      """
      rule paid {
        key order_id
        match order_created as created -> order_paid as paid
        within 10m
        skip none
        emit { order_id, took: paid.ts - created.ts }
        on timeout emit { order_id, amount: created.amount }
      }
      """;

  static final String UNSHIPPED =
      """
      rule unshipped {
        key order_id
        match order_paid as paid -> not order_shipped for 5m
        emit { order_id }
      }
      """;

  static final String BIG =
      """
      rule big_orders {
        key customer
        match order_created[amount >= 60] as one -> order_created[amount >= 60] as two
        within 1h
        emit { customer, amounts: [one.amount, two.amount] }
        suppress 20m
      }
      """;

  /** Rules of three operators: by order, by customer, and without a key. */
  static final String RULES =
      TYPES
          + PAID
          + UNSHIPPED
          + BIG
          + """
          rule refusals {
            match card_refused as one -> card_refused as two
            within 30s
            emit { orders: [one.order_id, two.order_id] }
          }
          """;

  static final TypeInformation<Row> TYPE =
      Types.ROW_NAMED(
          new String[] {"type", "ts", "order_id", "customer", "amount"},
          Types.STRING,
          Types.LONG,
          Types.STRING,
          Types.STRING,
          Types.DOUBLE);

  private static final List<Row> ALL = generate(7);

  private OrderEvents() {}

  /** Returns the events in the order of their arrival. */
  static List<Row> all() {
    return ALL;
  }

  /** Emits the events from two tasks, so many in a second, or as fast as it can for 0. */
  static DataStream<Row> from(StreamExecutionEnvironment env, double perSecond) {
    return from(env, perSecond, 2);
  }

  /**
   * Emits the events from some tasks; of the first job, there have to be two. An unaligned
   * checkpoint can be restored only if the same tasks are chained as before, so those of the source
   * have to be as many as those after it.
   */
  static DataStream<Row> from(StreamExecutionEnvironment env, double perSecond, int tasks) {
    DataGeneratorSource<Row> source =
        new DataGeneratorSource<>(
            OrderEvents::at,
            ALL.size(),
            perSecond == 0 ? RateLimiterStrategy.noOp() : RateLimiterStrategy.perSecond(perSecond),
            TYPE);
    return env.fromSource(source, WatermarkStrategy.noWatermarks(), "orders")
        .setParallelism(tasks)
        .uid("orders");
  }

  /** The source divides numbers in the middle: both halves have events of all times. */
  private static Row at(long number) {
    int half = ALL.size() / 2;
    int index = (int) number;
    return ALL.get(index < half ? 2 * index : 2 * (index - half) + 1);
  }

  private static List<Row> generate(long seed) {
    Random random = new Random(seed);
    Set<Long> times = new HashSet<>();
    List<Row> events = new ArrayList<>();
    for (int number = 0; number < ORDERS; number++) {
      String id = "o-" + number;
      String customer = "c-" + random.nextInt(200);
      long created = distinct(5000L * number + random.nextInt(5000), times);
      double amount = random.nextInt(1000) / 10.0;
      events.add(Row.of("order_created", created, id, customer, amount));
      if (random.nextInt(10) == 0) {
        long refused = distinct(created + random.nextInt(60_000), times);
        events.add(Row.of("card_refused", refused, id, null, null));
      }
      if (random.nextInt(10) > 0) {
        long paid = distinct(created + 1 + random.nextInt(720_000), times);
        events.add(Row.of("order_paid", paid, id, null, null));
        if (random.nextInt(10) > 2) {
          long shipped = distinct(paid + 1 + random.nextInt(400_000), times);
          events.add(Row.of("order_shipped", shipped, id, null, null));
        }
      }
    }
    return shuffled(events, random);
  }

  private static List<Row> shuffled(List<Row> events, Random random) {
    record Arrival(long time, Row event) {}
    List<Arrival> arrivals = new ArrayList<>();
    for (Row event : events) {
      long delay = random.nextInt((int) BOUND.toMillis());
      arrivals.add(new Arrival((long) event.getField(1) + delay, event));
    }
    arrivals.sort(Comparator.comparingLong(Arrival::time));
    // Two tasks share them.
    long even = arrivals.size() / 2 * 2L;
    return List.copyOf(arrivals.stream().map(Arrival::event).limit(even).toList());
  }

  private static long distinct(long time, Set<Long> times) {
    long free = time;
    while (!times.add(free)) {
      free++;
    }
    return free;
  }
}
