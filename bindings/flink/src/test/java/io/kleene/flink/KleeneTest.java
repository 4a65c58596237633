package io.kleene.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;

class KleeneTest {
  @Test
  void aJobFindsTheOrdersThatNobodyPays() throws Exception {
    var env = Cluster.environment(2);
    var orders =
        Cluster.orders(
            env,
            Cluster.order("order_created", 0, "o-1", 12.5),
            Cluster.order("order_created", 60, "o-2", 99.0),
            Cluster.order("order_paid", 300, "o-2", null),
            Cluster.order("order_created", 1800, "o-3", 1.0));
    KleeneStreams<Row> found =
        Kleene.rules(Cluster.UNPAID).outOfOrder(Duration.ofSeconds(5)).applyTo(orders);
    List<KleeneResult> matches = Cluster.collect(found.matches());
    matches.sort((a, b) -> a.getStart().compareTo(b.getStart()));
    assertEquals(2, matches.size(), matches.toString());
    KleeneResult first = matches.get(0);
    assertEquals("unpaid_order", first.getRule());
    assertEquals(Map.of("order_id", "o-1"), first.getKey());
    assertEquals(Instant.ofEpochSecond(600), first.getEnd());
    assertEquals(12.5, first.get("amount"));
    assertEquals("order_created", first.getEvents("created").get(0).type());
  }

  @Test
  void eventsOfOneTimeStayInTheirOrderBehindASourceOfOneTask() throws Exception {
    var env = Cluster.environment(3);
    Row[] rows = new Row[2000];
    for (int at = 0; at < rows.length; at += 2) {
      rows[at] = Cluster.order("order_created", 0, "o-" + at, 1.0);
      rows[at + 1] = Cluster.order("order_paid", 0, "o-" + at, null);
    }
    var orders = env.fromData(List.of(rows), Cluster.ORDER).setParallelism(1);
    KleeneStreams<Row> found =
        Kleene.rules(Cluster.PAID).outOfOrder(Duration.ofSeconds(5)).applyTo(orders);
    assertEquals(1000, Cluster.collect(found.matches()).size());
  }
}
