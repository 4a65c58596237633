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

  private final EventReader<T> reader;
  private final RulePlan plan;
  private transient EventReader.TypeGetter<T> type;
  private transient EventFields.Getter<T> common;
  private transient Map<String, EventFields.Getter<T>> ofType;

  EventTimes(EventReader<T> reader, RulePlan plan) {
    this.reader = reader;
    this.plan = plan;
  }

  @Override
  public long extractTimestamp(T event, long known) {
    if (ofType == null) {
      type = reader.typeGetter();
      common = reader.fields().getter(reader.timeField());
      ofType = new HashMap<>();
      for (RulePlan.EventType declared : plan.types()) {
        String path = declared.timeField();
        EventFields.Getter<T> own = path.isEmpty() ? null : reader.fields().getter(path);
        ofType.put(declared.name(), own == null ? common : own);
      }
    }
    EventFields.Getter<T> getter = ofType.getOrDefault(type.get(event), common);
    Object value = getter == null ? null : getter.get(event);
    if (value == null && getter != common && common != null) {
      value = common.get(event);
    }
    if (value == null) {
      throw new KleeneException(
          "an event has no time: field `"
              + reader.timeField()
              + "`, or the time field that its type declares, is missing or null: "
              + event);
    }
    try {
      return FieldValues.toTime(value);
    } catch (FieldValues.WrongType wrong) {
      throw new KleeneException("the time of an event " + wrong.getMessage() + ": " + event);
    }
  }
}
