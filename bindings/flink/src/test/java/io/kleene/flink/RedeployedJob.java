package io.kleene.flink;

import java.time.Duration;
import java.util.List;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.types.Row;

/** The program of a jar that a session cluster is given again and again. */
public final class RedeployedJob {
  private RedeployedJob() {}

  /** Runs it. */
  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setParallelism(2);
    Row[] orders = new Row[1000];
    for (int order = 0; order < orders.length; order++) {
      orders[order] = Cluster.order("order_created", order, "o-" + order, 1.0);
    }
    Kleene.rules(Cluster.UNPAID)
        .outOfOrder(Duration.ofSeconds(5))
        .applyTo(env.fromData(List.of(orders), Cluster.ORDER))
        .matches()
        .sinkTo(new DiscardingSink<>());
    env.execute();
  }
}
