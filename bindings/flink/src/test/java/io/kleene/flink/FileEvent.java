package io.kleene.flink;

import java.util.Map;

/** A record of a file: an event, or the reason why it is not an event. */
public final class FileEvent {
  /** No watermark. */
  static final long NONE = Long.MIN_VALUE;

  /** The number of its line, from 1. */
  public long line;

  /** The fields of the event; null if the record is not an event. */
  public Map<String, Object> fields;

  /** The time of the event. */
  public long time;

  /** The watermark that follows it, or {@link #NONE}. */
  public long watermark = NONE;

  /** True if it is at or before the watermark that is due, as {@code kleene run} has it. */
  public boolean isLate;

  /** Why it is rejected; null for an event, and for one of a type that no rule file declares. */
  public String reason;

  /** Makes an empty one. */
  public FileEvent() {}

  boolean isEvent() {
    return fields != null;
  }
}
