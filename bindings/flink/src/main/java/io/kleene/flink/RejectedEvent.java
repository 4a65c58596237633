package io.kleene.flink;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;

/**
 * An event that no rule could read, and why.
 *
 * @param <T> the Java type of events
 */
public final class RejectedEvent<T> {
  /** The event; null if it was rejected after it was packed, and only {@link #reason} has it. */
  public T event;

  /** Why it was rejected. */
  public String reason;

  /** Makes an empty one, for Flink. */
  public RejectedEvent() {}

  RejectedEvent(T event, String reason) {
    this.event = event;
    this.reason = reason;
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  static <T> TypeInformation<RejectedEvent<T>> type(TypeInformation<T> event) {
    return (TypeInformation)
        Types.POJO(
            RejectedEvent.class, java.util.Map.of("event", event, "reason", Types.STRING));
  }

  @Override
  public String toString() {
    return reason + ": " + event;
  }
}
