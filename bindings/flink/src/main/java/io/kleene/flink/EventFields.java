package io.kleene.flink;

import java.io.Serializable;
import java.util.List;

/**
 * Reads the fields of events of one Java type.
 *
 * @param <T> the type: {@link org.apache.flink.types.Row}, {@link
 *     org.apache.flink.table.data.RowData}, a map or a POJO
 */
interface EventFields<T> extends Serializable {
  /** Reads one field. */
  interface Getter<T> extends Serializable {
    /** Returns the value, or null. */
    Object get(T event);
  }

  /**
   * Returns the getter of a field by its path, as {@code user.id}; null if events of this type never
   * have the field.
   */
  Getter<T> getter(String path);

  /** Returns the names of the fields of an event, for event types that are open. */
  List<String> names(T event);
}
