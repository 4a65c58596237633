package io.kleene.flink;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
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
    RowType ofTable = typeOfTable(type);
    if (ofTable != null) {
      return ofTable;
    }
    throw new KleeneException("rows of the type " + type + " have no named fields");
  }

  /** Returns the type of the table of a stream that {@code toDataStream} has made, or null. */
  static RowType typeOfTable(TypeInformation<?> type) {
    return type instanceof DataTypeQueryable table
            && table.getDataType().getLogicalType() instanceof RowType row
        ? row
        : null;
  }

  /** Returns how rows of a table are read. */
  static RowFields rowFields(TypeInformation<?> type) {
    RowType ofTable = typeOfTable(type);
    return new RowFields(ofTable == null ? null : named(ofTable));
  }

  /** Returns the names of the fields of rows that Flink makes of tables, and of rows within. */
  static RowTypeInfo named(RowType type) {
    TypeInformation<?>[] types = new TypeInformation<?>[type.getFieldCount()];
    for (int index = 0; index < types.length; index++) {
      types[index] =
          type.getTypeAt(index) instanceof RowType within
              ? named(within)
              : Types.GENERIC(Object.class);
    }
    return new RowTypeInfo(types, type.getFieldNames().toArray(new String[0]));
  }
}
