package io.kleene.flink;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.types.Row;

/** Reads rows with named fields. */
final class RowFields implements EventFields<Row> {
  private static final long serialVersionUID = 1L;

  /** The names and types of the fields; null if a row has them in itself only. */
  private final RowTypeInfo type;

  RowFields(RowTypeInfo type) {
    this.type = type;
  }

  @Override
  public Getter<Row> getter(String path) {
    if (type == null) {
      return row -> nested(row, path);
    }
    int position = type.getFieldIndex(path);
    if (position >= 0) {
      return row -> field(row, position, path);
    }
    int dot = path.indexOf('.');
    if (dot < 0) {
      return null;
    }
    String head = path.substring(0, dot);
    int outer = type.getFieldIndex(head);
    if (outer < 0) {
      return null;
    }
    TypeInformation<?> inner = type.getTypeAt(outer);
    RowFields nested = new RowFields(inner instanceof RowTypeInfo row ? row : null);
    Getter<Row> rest = nested.getter(path.substring(dot + 1));
    if (rest == null) {
      return null;
    }
    return row -> {
      Object value = field(row, outer, head);
      return value instanceof Row within ? rest.get(within) : null;
    };
  }

  /** A row has positions, names, or both. */
  private static Object field(Row row, int position, String name) {
    return row.getFieldNames(false) == null ? row.getField(position) : row.getField(name);
  }

  private static Object nested(Row row, String path) {
    Set<String> names = row.getFieldNames(true);
    if (names == null) {
      return null;
    }
    if (names.contains(path)) {
      return row.getField(path);
    }
    int dot = path.indexOf('.');
    if (dot < 0 || !names.contains(path.substring(0, dot))) {
      return null;
    }
    Object value = row.getField(path.substring(0, dot));
    return value instanceof Row within ? nested(within, path.substring(dot + 1)) : null;
  }

  @Override
  public List<String> names(Row row) {
    Set<String> own = row.getFieldNames(true);
    if (own != null) {
      return new ArrayList<>(own);
    }
    return type == null ? List.of() : List.of(type.getFieldNames());
  }
}
