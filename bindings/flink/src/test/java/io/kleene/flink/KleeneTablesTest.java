package io.kleene.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class KleeneTablesTest {
  /** Orders with a time attribute, out of order. */
  static StreamTableEnvironment orders() {
    var env = Cluster.environment(2);
    var tables = StreamTableEnvironment.create(env);
    var orders =
        Cluster.orders(
            env,
            Cluster.order("order_created", 60, "o-2", 99.0),
            Cluster.order("order_created", 58, "o-1", 12.5),
            Cluster.order("order_paid", 300, "o-2", null),
            Cluster.order("order_created", 1800, "o-3", 1.0));
    Schema schema =
        Schema.newBuilder()
            .column("type", DataTypes.STRING())
            .column("ts", DataTypes.BIGINT())
            .column("order_id", DataTypes.STRING())
            .column("amount", DataTypes.DOUBLE())
            .columnByExpression("at_time", "TO_TIMESTAMP_LTZ(ts, 3)")
            .watermark("at_time", "at_time - INTERVAL '5' SECOND")
            .build();
    tables.createTemporaryView("orders", orders, schema);
    return tables;
  }

  static List<Row> collect(StreamTableEnvironment tables, String query) throws Exception {
    List<Row> all = new ArrayList<>();
    try (CloseableIterator<Row> rows = tables.executeSql(query).collect()) {
      rows.forEachRemaining(all::add);
    }
    return all;
  }

  @Test
  void aTableOfMatchesIsMadeOfATableOfEvents() throws Exception {
    var tables = orders();
    Kleene rules = Kleene.rules(Cluster.UNPAID);
    tables.createTemporaryView(
        "alerts", KleeneTables.matches(tables, "SELECT * FROM orders", rules));
    List<Row> rows =
        collect(
            tables,
            "SELECT rule, kind, key, end_time, emit['amount'], events[1].step, rowtime FROM alerts"
                + " WHERE rule = 'unpaid_order' AND kind = 'match'");
    rows.sort((a, b) -> a.toString().compareTo(b.toString()));
    assertEquals(2, rows.size(), rows.toString());
    Instant end = Instant.ofEpochSecond(658);
    assertEquals(
        Row.of("unpaid_order", "match", Map.of("order_id", "o-1"), end, "12.5", "created", end),
        Row.project(rows.get(0), new int[] {0, 1, 2, 3, 4, 5, 6}));
  }

  @Test
  void theTimeOfResultsIsATimeAttribute() throws Exception {
    var tables = orders();
    Kleene rules = Kleene.rules(Cluster.UNPAID);
    tables.createTemporaryView(
        "alerts", KleeneTables.matches(tables, "SELECT * FROM orders", rules));
    List<Row> rows =
        collect(
            tables,
            "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE alerts, DESCRIPTOR(rowtime),"
                + " INTERVAL '1' HOUR)) GROUP BY window_start, window_end");
    assertEquals(1, rows.size(), rows.toString());
    assertEquals(2L, rows.get(0).getField(1));
  }

  @Test
  void aTableWithoutTimeOrWithUpdatesOrWithoutAColumnIsRefused() {
    var tables = orders();
    Kleene rules = Kleene.rules(Cluster.UNPAID);
    String all = "SELECT type, ts, order_id, amount FROM orders";
    KleeneException error =
        assertThrows(KleeneException.class, () -> KleeneTables.matches(tables, all, rules));
    assertTrue(error.getMessage().contains("no time attribute"), error.getMessage());
    String counted =
        "SELECT type, order_id, MAX(ts) AS ts, SUM(amount) AS amount FROM orders"
            + " GROUP BY type, order_id";
    Kleene timed = Kleene.rules(Cluster.UNPAID).outOfOrder(Duration.ZERO);
    error = assertThrows(KleeneException.class, () -> KleeneTables.matches(tables, counted, timed));
    assertTrue(error.getMessage().contains("only ever added"), error.getMessage());
    String few = "SELECT type, at_time, order_id FROM orders";
    error = assertThrows(KleeneException.class, () -> KleeneTables.matches(tables, few, rules));
    assertTrue(error.getMessage().contains("`amount` of order_created"), error.getMessage());
  }

  @Test
  void columnsOfAllKindsAreRead() throws Exception {
    var tables = StreamTableEnvironment.create(Cluster.environment(1));
    tables.executeSql(
        "CREATE TEMPORARY VIEW seen AS SELECT 'a' AS host, ARRAY[ARRAY[1, 2], ARRAY[3]] AS lists,"
            + " MAP['x', 1] AS counts,"
            + " CAST(ROW('n', 7) AS ROW<name STRING, size_of INT>) AS of_row,"
            + " '2024-01-01T00:00:01Z' AS ts");
    String rules =
        "event seen { host: string, lists: list<list<int>>, ts: time, .. }\n"
            + "rule all { key host match seen as s"
            + " emit { lists: s.lists, x: s.counts.x, size: s.of_row.size_of } }";
    tables.createTemporaryView(
        "found",
        KleeneTables.matches(
            tables, "SELECT * FROM seen", Kleene.rules(rules).outOfOrder(Duration.ZERO)));
    List<Row> rows = collect(tables, "SELECT emit, end_time FROM found");
    assertEquals(1, rows.size(), rows.toString());
    assertEquals(
        Map.of("lists", "[[1, 2], [3]]", "x", "1", "size", "7"), rows.get(0).getField(0));
    assertEquals(Instant.parse("2024-01-01T00:00:01Z"), rows.get(0).getField(1));
  }

  @Test
  void aStreamOfATableOfOneTypeNeedsNoFieldForIt() throws Exception {
    var tables = orders();
    String query =
        "SELECT order_id, amount, at_time FROM orders WHERE type = 'order_created'";
    String rules =
        "event order_created { order_id: string, amount: float }\n"
            + "rule large { key order_id match order_created[amount > 10.0] emit { order_id } }";
    var created = tables.toDataStream(tables.sqlQuery(query));
    assertEquals(2, Cluster.collect(Kleene.rules(rules).applyTo(created).matches()).size());
  }
}
