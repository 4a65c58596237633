package io.kleene.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;

/** Reads the rows that Flink's SQL uses inside. */
final class RowDataFields implements EventFields<RowData> {
  private static final long serialVersionUID = 1L;

  private final RowType type;

  RowDataFields(RowType type) {
    this.type = type;
  }

  @Override
  public Getter<RowData> getter(String path) {
    int position = type.getFieldIndex(path);
    if (position >= 0) {
      return at(position);
    }
    int dot = path.indexOf('.');
    int outer = dot < 0 ? -1 : type.getFieldIndex(path.substring(0, dot));
    if (outer < 0 || !(type.getTypeAt(outer) instanceof RowType inner)) {
      return null;
    }
    Getter<RowData> row = at(outer);
    Getter<RowData> rest = new RowDataFields(inner).getter(path.substring(dot + 1));
    if (rest == null) {
      return null;
    }
    return event -> row.get(event) instanceof RowData within ? rest.get(within) : null;
  }

  private Getter<RowData> at(int position) {
    LogicalType field = type.getTypeAt(position);
    RowData.FieldGetter getter = RowData.createFieldGetter(field, position);
    if (field instanceof ArrayType array) {
      ArrayData.ElementGetter element = ArrayData.createElementGetter(array.getElementType());
      return event -> items(getter.getFieldOrNull(event), element);
    }
    return getter::getFieldOrNull;
  }

  private static Object items(Object value, ArrayData.ElementGetter element) {
    if (!(value instanceof ArrayData array)) {
      return null;
    }
    List<Object> items = new ArrayList<>(array.size());
    for (int index = 0; index < array.size(); index++) {
      items.add(element.getElementOrNull(array, index));
    }
    return items;
  }

  @Override
  public List<String> names(RowData event) {
    return type.getFieldNames();
  }
}
