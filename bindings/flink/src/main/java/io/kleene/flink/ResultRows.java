package io.kleene.flink;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;
import org.apache.flink.types.Row;

/**
 * Results as rows of tables. No column has a name that SQL reserves, unlike {@link
 * KleeneResult#ROW_TYPE}.
 */
final class ResultRows {
  private static final DataType TEXTS = DataTypes.MAP(DataTypes.STRING(), DataTypes.STRING());
  private static final DataType TIME = DataTypes.TIMESTAMP_LTZ(3);

  private static final DataType EVENT =
      DataTypes.ROW(
          DataTypes.FIELD("step", DataTypes.STRING()),
          DataTypes.FIELD("event_type", DataTypes.STRING()),
          DataTypes.FIELD("event_time", TIME),
          DataTypes.FIELD("fields", TEXTS));

  /** The columns. docs/flink.md has their meaning. */
  static final DataType TYPE =
      DataTypes.ROW(
          DataTypes.FIELD("rule", DataTypes.STRING()),
          DataTypes.FIELD("version", DataTypes.STRING()),
          DataTypes.FIELD("kind", DataTypes.STRING()),
          DataTypes.FIELD("id", DataTypes.STRING()),
          DataTypes.FIELD("key", TEXTS),
          DataTypes.FIELD("start_time", TIME),
          DataTypes.FIELD("end_time", TIME),
          DataTypes.FIELD("match_count", DataTypes.BIGINT()),
          DataTypes.FIELD("emit", TEXTS),
          DataTypes.FIELD("events", DataTypes.ARRAY(EVENT)));

  private ResultRows() {}

  static Row of(KleeneResult result) {
    List<Row> events = new ArrayList<>();
    for (KleeneResult.CapturedEvent event : result.getEvents()) {
      events.add(
          Row.of(event.step(), event.type(), event.time(), KleeneResult.texts(event.fields())));
    }
    return Row.of(
        result.getRule(),
        result.getVersion(),
        result.getKind().name().toLowerCase(Locale.ROOT),
        result.getId(),
        KleeneResult.texts(result.getKey()),
        result.getStart(),
        result.getEnd(),
        result.getCount(),
        KleeneResult.texts(result.getEmit()),
        events.toArray(new Row[0]));
  }
}
