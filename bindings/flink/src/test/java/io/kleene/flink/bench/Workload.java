package io.kleene.flink.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.cep.nfa.aftermatch.AfterMatchSkipStrategy;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.conditions.IterativeCondition;
import org.apache.flink.cep.pattern.conditions.SimpleCondition;
import org.apache.flink.types.Row;

/**
 * The workloads that all benches of Kleene measure, with their patterns as one writes them for Flink
 * CEP.
 *
 * <p>The columns of a file are those that the rules declare: {@code ts}, {@code type}, and the rest.
 */
enum Workload {
  W1("orders", 200_000, "order_id", "ts", "type", "order_id", "user_id", "amount") {
    @Override
    Pattern<Row, ?> pattern() {
      return Pattern.<Row>begin("created", AfterMatchSkipStrategy.noSkip())
          .where(type("order_created"))
          .followedBy("paid")
          .where(type("order_paid"))
          .within(Duration.ofMinutes(10));
    }
  },
  W2("logins", 400_000, "user_id", "ts", "type", "user_id", "ip") {
    @Override
    Pattern<Row, ?> pattern() {
      return Pattern.<Row>begin("fails", AfterMatchSkipStrategy.skipPastLastEvent())
          .where(type("login_failed"))
          .times(3)
          .consecutive()
          .within(Duration.ofSeconds(5));
    }
  },
  W3("trades", 200_000, "user_id", "ts", "type", "user_id", "amount", "status") {
    @Override
    Pattern<Row, ?> pattern() {
      return Pattern.<Row>begin("t", AfterMatchSkipStrategy.skipPastLastEvent())
          .where(
              SimpleCondition.of(
                  trade -> "ok".equals(trade.getField(4)) && (double) trade.getField(3) > 0))
          .times(5)
          .within(Duration.ofHours(24));
    }
  },
  W4("hits", 200_000, "ip", "ts", "type", "ip", "path", "ad") {
    @Override
    Pattern<Row, ?> pattern() {
      return Pattern.<Row>begin("h", AfterMatchSkipStrategy.skipPastLastEvent())
          .where(type("hit"))
          .times(30)
          .within(Duration.ofSeconds(10));
    }
  },
  W5("funnel", 100_000, "user_id", "ts", "type", "user_id", "item") {
    @Override
    Pattern<Row, ?> pattern() {
      return Pattern.<Row>begin("view", AfterMatchSkipStrategy.noSkip())
          .where(type("view"))
          .followedBy("cart")
          .where(ofTheView("cart"))
          .followedBy("order")
          .where(ofTheView("order"))
          .followedBy("pay")
          .where(ofTheView("pay"))
          .within(Duration.ofHours(1));
    }
  },
  W6("stock", 200_000, "symbol", "ts", "type", "symbol", "price", "volume") {
    @Override
    Pattern<Row, ?> pattern() {
      return Pattern.<Row>begin("top", AfterMatchSkipStrategy.skipPastLastEvent())
          .where(type("tick"))
          .next("down")
          .where(new Turn(-1))
          .oneOrMore()
          .consecutive()
          .greedy()
          .next("up")
          .where(new Turn(1))
          .within(Duration.ofHours(1));
    }
  };

  /** The position of the event time. */
  static final int TIME = 0;

  /** The position of the event type. */
  static final int TYPE = 1;

  final String file;

  /** How many events Flink CEP is given, so that a run takes seconds. */
  final int cepEvents;

  final String key;
  private final String[] columns;

  Workload(String file, int cepEvents, String key, String... columns) {
    this.file = file;
    this.cepEvents = cepEvents;
    this.key = key;
    this.columns = columns;
  }

  /** Returns the pattern for Flink CEP. */
  abstract Pattern<Row, ?> pattern();

  /** Returns the type of rows. */
  TypeInformation<Row> rowType() {
    TypeInformation<?>[] types = new TypeInformation<?>[columns.length];
    for (int at = 0; at < columns.length; at++) {
      types[at] =
          switch (columns[at]) {
            case "type", "status" -> Types.STRING;
            case "symbol" -> Types.STRING;
            case "ip" -> this == W2 ? Types.STRING : Types.LONG;
            case "amount", "price" -> Types.DOUBLE;
            default -> Types.LONG;
          };
    }
    return Types.ROW_NAMED(columns, types);
  }

  /** Returns the type of the key. */
  TypeInformation<?> keyType() {
    return this == W6 ? Types.STRING : Types.LONG;
  }

  /** Returns the position of the key. */
  int keyPosition() {
    return List.of(columns).indexOf(key);
  }

  /** Reads at most so many events. Equal texts share a string, as the types of real sources do. */
  Row[] read(Path folder, int most) throws IOException {
    List<Row> rows = new ArrayList<>();
    Map<String, String> texts = new HashMap<>();
    TypeInformation<Row> type = rowType();
    try (BufferedReader lines = Files.newBufferedReader(folder.resolve(file + ".csv"))) {
      String header = lines.readLine();
      if (!header.equals(String.join(",", columns))) {
        throw new IOException(file + ".csv has other columns: " + header);
      }
      String line;
      while (rows.size() < most && (line = lines.readLine()) != null) {
        rows.add(row(line.split(","), type, texts));
      }
    }
    return rows.toArray(new Row[0]);
  }

  private static Row row(String[] cells, TypeInformation<Row> type, Map<String, String> texts) {
    TypeInformation<?>[] types =
        ((org.apache.flink.api.java.typeutils.RowTypeInfo) type).getFieldTypes();
    Row row = new Row(cells.length);
    for (int at = 0; at < cells.length; at++) {
      String cell = cells[at];
      Object value =
          types[at].equals(Types.LONG)
              ? (Object) Long.valueOf(cell)
              : types[at].equals(Types.DOUBLE)
                  ? (Object) Double.valueOf(cell)
                  : texts.computeIfAbsent(cell, same -> same);
      row.setField(at, value);
    }
    return row;
  }

  private static SimpleCondition<Row> type(String name) {
    return SimpleCondition.of(event -> name.equals(event.getField(TYPE)));
  }

  /** An event of a type with the item of the view. */
  private static IterativeCondition<Row> ofTheView(String name) {
    return new IterativeCondition<>() {
      private static final long serialVersionUID = 1L;

      @Override
      public boolean filter(Row event, Context<Row> context) throws Exception {
        if (!name.equals(event.getField(TYPE))) {
          return false;
        }
        for (Row view : context.getEventsForPattern("view")) {
          return event.getField(3).equals(view.getField(3));
        }
        return false;
      }
    };
  }

  /** A price above (1) or below (-1) the last one that the partial match has taken. */
  private static final class Turn extends IterativeCondition<Row> {
    private static final long serialVersionUID = 1L;
    private final int direction;

    Turn(int direction) {
      this.direction = direction;
    }

    @Override
    public boolean filter(Row event, Context<Row> context) throws Exception {
      Row last = null;
      for (Row down : context.getEventsForPattern("down")) {
        last = down;
      }
      if (last == null) {
        last = context.getEventsForPattern("top").iterator().next();
      }
      return Double.compare((double) event.getField(3), (double) last.getField(3)) == direction;
    }
  }
}
