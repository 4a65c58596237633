package io.kleene.flink;

import java.io.Serializable;

/**
 * Says which event type an event has, and reads its fields.
 *
 * @param <T> the Java type of events
 * @param fields reads the fields
 * @param fixedType the event type of all events; null if a field has it
 * @param typeField the field with the event type
 * @param timeField the field with the event time of types that declare none
 */
record EventReader<T>(
    EventFields<T> fields, String fixedType, String typeField, String timeField)
    implements Serializable {

  /** Reads the event type of an event. */
  interface TypeGetter<T> {
    /** Returns the type, or null. */
    String get(T event);
  }

  /** Returns what reads the event type of an event: null for an event without one. */
  TypeGetter<T> typeGetter() {
    if (fixedType != null) {
      return event -> fixedType;
    }
    EventFields.Getter<T> getter = fields.getter(typeField);
    if (getter == null) {
      throw new KleeneException(
          "events have no field `"
              + typeField
              + "` with their event type: name another with typeField(..), or name the event type of"
              + " all events with eventType(..)");
    }
    return event -> {
      Object type = getter.get(event);
      return type == null ? null : type.toString();
    };
  }
}
