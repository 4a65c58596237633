package io.kleene.flink;

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
    return result.toRow(result.eventRows().toArray(new Row[0]));
  }
}
