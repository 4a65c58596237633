package io.kleene.flink;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.TimestampAssigner;

/**
 * Reads the time of events from the field that their type declares, or from the common one.
 *
 * @param <T> the Java type of events
 */
final class EventTimes<T> implements TimestampAssigner<T>, java.io.Serializable {
  private static final long serialVersionUID = 1L;

  /** The time of events that have none: it is before all watermarks, and moves none. */
  static final long NONE = Long.MIN_VALUE;

  private final EventReader<T> reader;
  private final RulePlan plan;
  private transient EventReader.TypeGetter<T> type;
  private transient EventFields.Getter<T> common;
  private transient Map<String, EventFields.Getter<T>> ofType;

  EventTimes(EventReader<T> reader, RulePlan plan) {
    this.reader = reader;
    this.plan = plan;
  }

  /** Returns the time of an event. The operator rejects events whose time is {@link #NONE}. */
  @Override
  public long extractTimestamp(T event, long known) {
    Object value = value(event);
    try {
      return value == null ? NONE : FieldValues.toTime(value);
    } catch (FieldValues.WrongType wrong) {
      return NONE;
    }
  }

  /** Returns why an event has no time; null if it has one. */
  String problem(T event) {
    Object value = value(event);
    if (value == null) {
      return "an event has no time: field `"
          + reader.timeField()
          + "`, or the time field that its type declares, is missing or null";
    }
    try {
      return FieldValues.toTime(value) == NONE ? "the time of an event is out of range" : null;
    } catch (FieldValues.WrongType wrong) {
      return "the time of an event " + wrong.getMessage();
    }
  }

  private Object value(T event) {
    if (ofType == null) {
      prepare();
    }
    EventFields.Getter<T> getter = ofType.getOrDefault(type.get(event), common);
    Object value = getter == null ? null : getter.get(event);
    return value == null && getter != common && common != null ? common.get(event) : value;
  }

  private void prepare() {
    type = reader.typeGetter();
    common = reader.fields().getter(reader.timeField());
    ofType = new HashMap<>();
    for (RulePlan.EventType declared : plan.types()) {
      String path = declared.timeField();
      EventFields.Getter<T> own = path.isEmpty() ? null : reader.fields().getter(path);
      ofType.put(declared.name(), own == null ? common : own);
    }
  }
}
