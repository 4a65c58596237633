package io.kleene.flink;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.DataTypeQueryable;
import org.apache.flink.table.types.logical.RowType;

/** What only jobs with tables have on their class path. */
final class InternalTypes {
  private InternalTypes() {}

  static RowType rowType(TypeInformation<?> type) {
    if (type instanceof InternalTypeInfo<?> internal) {
      return internal.toRowType();
    }
    // A stream of a table, as `toDataStream` makes it.
    if (type instanceof DataTypeQueryable external
        && external.getDataType().getLogicalType() instanceof RowType row) {
      return row;
    }
    throw new KleeneException("rows of the type " + type + " have no named fields");
  }
}
