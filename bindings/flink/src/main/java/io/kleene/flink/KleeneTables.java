package io.kleene.flink;

import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.TableException;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.ExternalTypeInfo;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.types.Row;

/**
 * Finds patterns of events in tables of Apache Flink, with the operators of {@link Kleene}.
 *
 * <pre>{@code
 * Table alerts = KleeneTables.matches(tables, "SELECT * FROM orders", Kleene.rules(path));
 * tables.createTemporaryView("alerts", alerts);
 * tables.executeSql("SELECT rule, emit['order_id'] FROM alerts WHERE kind = 'match'").print();
 * }</pre>
 *
 * <p>{@link KleeneTableFunction} does it within SQL. This class is the faster of the two: see
 * docs/flink.md.
 */
public final class KleeneTables {
  private KleeneTables() {}

  /** Finds the patterns of rules in the result of a query. */
  public static Table matches(StreamTableEnvironment tables, String query, Kleene rules) {
    return matches(tables, tables.sqlQuery(query), rules);
  }

  /**
   * Finds the patterns of rules in a table. Rows are only ever added to it, and it has a time
   * attribute with a watermark, unless {@link Kleene#outOfOrder} takes times from a column.
   *
   * <p>The result has the columns {@code rule}, {@code version}, {@code kind} (match, timeout or
   * limit), {@code id}, {@code key}, {@code start_time}, {@code end_time}, {@code match_count},
   * {@code emit}, {@code events}, and the time attribute {@code rowtime}. Late and rejected events
   * are not in it: {@code rules.applyTo(tables.toDataStream(table))} has them.
   */
  public static Table matches(StreamTableEnvironment tables, Table events, Kleene rules) {
    ResolvedSchema schema = events.getResolvedSchema();
    boolean hasTime = false;
    for (Column column : schema.getColumns()) {
      hasTime |= LogicalTypeChecks.isRowtimeAttribute(column.getDataType().getLogicalType());
    }
    if (!hasTime && !rules.takesTimesFromFields()) {
      throw new KleeneException(
          "the table has no time attribute: declare one (WATERMARK FOR ts AS ..) and select its"
              + " column as it is, or call outOfOrder(..)");
    }
    KleeneStreams<RowData> found = rules.applyToColumns(stream(tables, events, schema));
    DataStream<Row> rows =
        found
            .results()
            .map(ResultRows::of)
            .returns(ExternalTypeInfo.<Row>of(ResultRows.TYPE))
            .name("kleene: rows");
    Schema.Builder columns = Schema.newBuilder();
    for (DataTypes.Field field : DataType.getFields(ResultRows.TYPE)) {
      columns.column(field.getName(), field.getDataType());
    }
    columns.columnByMetadata("rowtime", DataTypes.TIMESTAMP_LTZ(3));
    columns.watermark("rowtime", "SOURCE_WATERMARK()");
    return tables.fromDataStream(rows, columns.build());
  }

  private static DataStream<RowData> stream(
      StreamTableEnvironment tables, Table events, ResolvedSchema schema) {
    try {
      DataType row = schema.toPhysicalRowDataType().bridgedTo(RowData.class);
      return tables.toDataStream(events, row);
    } catch (TableException error) {
      String message = String.valueOf(error.getMessage());
      if (!message.contains("update") && !message.contains("delete")) {
        throw error;
      }
      throw new KleeneException(
          "rules read events, which are only ever added, and the rows of this table are updated or"
              + " deleted: select from a table that is append-only: "
              + message,
          error);
    }
  }
}
