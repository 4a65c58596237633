package io.kleene.flink;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
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
      RowData.FieldGetter getter = RowData.createFieldGetter(type.getTypeAt(position), position);
      Converter converter = converter(type.getTypeAt(position));
      return converter == null
          ? getter::getFieldOrNull
          : event -> convert(converter, getter.getFieldOrNull(event));
    }
    int dot = path.indexOf('.');
    int outer = dot < 0 ? -1 : type.getFieldIndex(path.substring(0, dot));
    if (outer < 0 || !(type.getTypeAt(outer) instanceof RowType inner)) {
      return null;
    }
    Getter<RowData> rest = new RowDataFields(inner).getter(path.substring(dot + 1));
    if (rest == null) {
      return null;
    }
    RowData.FieldGetter row = RowData.createFieldGetter(inner, outer);
    return event -> row.getFieldOrNull(event) instanceof RowData within ? rest.get(within) : null;
  }

  /** Makes lists and maps of what only its type can take apart. */
  private interface Converter extends Serializable {
    Object convert(Object value);
  }

  private static Object convert(Converter converter, Object value) {
    return converter == null || value == null ? value : converter.convert(value);
  }

  /** Returns how values of a type are converted; null if they stay as they are. */
  private static Converter converter(LogicalType type) {
    if (type instanceof ArrayType array) {
      return items(array.getElementType());
    }
    if (type instanceof MapType map) {
      Converter names = items(map.getKeyType());
      Converter values = items(map.getValueType());
      return value -> {
        List<?> of = (List<?>) names.convert(((MapData) value).keyArray());
        List<?> to = (List<?>) values.convert(((MapData) value).valueArray());
        Map<String, Object> all = new LinkedHashMap<>();
        for (int index = 0; index < of.size(); index++) {
          all.put(String.valueOf(of.get(index)), to.get(index));
        }
        return all;
      };
    }
    if (type instanceof RowType row) {
      RowDataFields fields = new RowDataFields(row);
      List<Getter<RowData>> getters = new ArrayList<>();
      row.getFieldNames().forEach(name -> getters.add(fields.getter(name)));
      return value -> {
        Map<String, Object> all = new LinkedHashMap<>();
        for (int index = 0; index < getters.size(); index++) {
          all.put(row.getFieldNames().get(index), getters.get(index).get((RowData) value));
        }
        return all;
      };
    }
    return null;
  }

  private static Converter items(LogicalType element) {
    ArrayData.ElementGetter getter = ArrayData.createElementGetter(element);
    Converter converter = converter(element);
    return value -> {
      ArrayData array = (ArrayData) value;
      List<Object> items = new ArrayList<>(array.size());
      for (int index = 0; index < array.size(); index++) {
        items.add(convert(converter, getter.getElementOrNull(array, index)));
      }
      return items;
    };
  }

  @Override
  public List<String> names(RowData event) {
    return type.getFieldNames();
  }
}
