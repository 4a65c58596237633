package io.kleene.flink;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.RowType;

/** What only jobs with tables have on their class path. */
final class InternalTypes {
  private InternalTypes() {}

  static RowType rowType(TypeInformation<?> type) {
    if (type instanceof InternalTypeInfo<?> internal) {
      return internal.toRowType();
    }
    throw new KleeneException("rows of the type " + type + " have no named fields");
  }
}
