package io.kleene.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/** What the tests of jobs share: a local cluster, events, and rules. */
final class Cluster {
  static final String UNPAID =
      """
      event order_created { order_id: string, amount: float, ts: time }
      event order_paid { order_id: string, ts: time }

      rule unpaid_order {
        key order_id
        match order_created as created -> not order_paid for 10m
        emit { order_id, amount: created.amount }
      }
      """;

  static final String PAID =
      """
      event order_created { order_id: string, ts: time }
      event order_paid { order_id: string, ts: time }

      rule paid_order {
        key order_id
        match order_created -> order_paid
        within 1m
      }
      """;

  static final TypeInformation<Row> ORDER =
      Types.ROW_NAMED(
          new String[] {"type", "ts", "order_id", "amount"},
          Types.STRING,
          Types.LONG,
          Types.STRING,
          Types.DOUBLE);

  private Cluster() {}

  static Row order(String type, long second, String id, Double amount) {
    return Row.of(type, 1000 * second, id, amount);
  }

  static StreamExecutionEnvironment environment(int parallelism) {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setParallelism(parallelism);
    return env;
  }

  static DataStream<Row> orders(StreamExecutionEnvironment env, Row... rows) {
    return env.fromData(List.of(rows), ORDER);
  }

  /** Runs a job to its end, and returns what a stream has. */
  static <T> List<T> collect(DataStream<T> stream) throws Exception {
    List<T> all = new ArrayList<>();
    try (CloseableIterator<T> found = stream.executeAndCollect()) {
      found.forEachRemaining(all::add);
    }
    return all;
  }
}
