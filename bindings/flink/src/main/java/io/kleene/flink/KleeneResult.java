package io.kleene.flink;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.flink.api.common.typeinfo.TypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.types.Row;

/**
 * A match, a timeout, or a limit that a rule has reached.
 *
 * <p>A result crosses the network as the bytes that the native library has written, and is decoded
 * when it is first asked for something. Values are {@code Boolean}, {@code Long}, {@code Double},
 * {@code String}, {@link Instant}, {@link java.time.Duration}, {@code List} and {@code Map}; an IP
 * address is its text.
 *
 * <pre>{@code
 * alerts.matches().map(found -> found.getRule() + " of " + found.getKey().get("user"));
 * }</pre>
 */
@TypeInfo(KleeneResultTypeInfo.Factory.class)
public final class KleeneResult {
  /** What a result is. */
  public enum Kind {
    /** The pattern of a rule was found. */
    MATCH,
    /** A partial match of a rule with {@code on timeout} ran out of time. */
    TIMEOUT,
    /** A rule reached a limit: later results of its key may be missing. */
    LIMIT
  }

  /** A captured event. */
  public record CapturedEvent(String step, String type, Instant time, Map<String, Object> fields) {}

  private static final TypeInformation<Row> EVENT_ROW =
      Types.ROW_NAMED(
          new String[] {"step", "type", "time", "fields"},
          Types.STRING,
          Types.STRING,
          Types.INSTANT,
          Types.MAP(Types.STRING, Types.STRING));

  /** The type of {@link #toRow}: the fields of a result, with keys and values as text. */
  public static final TypeInformation<Row> ROW_TYPE =
      Types.ROW_NAMED(
          new String[] {
            "rule", "version", "kind", "id", "key", "start", "end", "count", "emit", "events"
          },
          Types.STRING,
          Types.STRING,
          Types.STRING,
          Types.STRING,
          Types.MAP(Types.STRING, Types.STRING),
          Types.INSTANT,
          Types.INSTANT,
          Types.LONG,
          Types.MAP(Types.STRING, Types.STRING),
          Types.LIST(EVENT_ROW));

  private final Kind kind;
  private final byte[] content;
  private transient Decoded decoded;

  KleeneResult(Kind kind, byte[] content) {
    this.kind = kind;
    this.content = content;
  }

  byte[] content() {
    return content;
  }

  /** Returns what it is. */
  public Kind getKind() {
    return kind;
  }

  /** Returns the name of the rule; empty for a limit of the whole engine. */
  public String getRule() {
    return decoded().rule;
  }

  /** Returns the version of the rule, 16 hexadecimal digits. It changes with the rule's meaning. */
  public String getVersion() {
    return String.format("%016x", decoded().version);
  }

  /**
   * Returns the id, 16 hexadecimal digits: a hash of the rule, the key and the captured events. A
   * replay gives the same ids. A limit has none.
   */
  public String getId() {
    return kind == Kind.LIMIT ? null : String.format("%016x", decoded().id);
  }

  /** Returns the parts of the key. */
  public Map<String, Object> getKey() {
    return decoded().key;
  }

  /** Returns the time of the first captured event; null for a limit. */
  public Instant getStart() {
    return decoded().start;
  }

  /**
   * Returns the time of the result: that of the completing event, or the deadline that passed; of a
   * limit, when it was reached.
   */
  public Instant getEnd() {
    return decoded().end;
  }

  /** Returns the number of matches in the set of a match ({@code report} in rules). */
  public long getCount() {
    return decoded().count;
  }

  /** Returns true if the set has more matches than {@link #getCount} can say. */
  public boolean isSaturated() {
    return decoded().saturated;
  }

  /** Returns the last captured step of a timeout; null for other results. */
  public String getReached() {
    return decoded().reached;
  }

  /** Returns the steps that would have advanced the partial match of a timeout. */
  public List<String> getAwaits() {
    return decoded().awaits;
  }

  /** Returns the captured events in their order. */
  public List<CapturedEvent> getEvents() {
    return decoded().events;
  }

  /** Returns the events that a step has captured. */
  public List<CapturedEvent> getEvents(String step) {
    return decoded().events.stream().filter(event -> event.step().equals(step)).toList();
  }

  /** Returns what the rule emits. */
  public Map<String, Object> getEmit() {
    return decoded().emit;
  }

  /** Returns a value that the rule emits; null if it is null, or the rule emits no such value. */
  public Object get(String name) {
    return decoded().emit.get(name);
  }

  /** Returns the name of the limit that was reached; null for other results. */
  public String getLimit() {
    return decoded().limit;
  }

  /** Returns the number of partial matches or matches that the limit has dropped. */
  public long getDropped() {
    return decoded().dropped;
  }

  /**
   * Returns the line of JSON that {@code kleene run} writes for the result; null unless {@link
   * Kleene#withJson} asked for it.
   */
  public String toJson() {
    return decoded().json;
  }

  /** Returns the result as a row of {@link #ROW_TYPE}. */
  public Row toRow() {
    return toRow(eventRows());
  }

  /** Returns the captured events as rows. */
  List<Row> eventRows() {
    List<Row> events = new ArrayList<>();
    for (CapturedEvent event : getEvents()) {
      events.add(Row.of(event.step(), event.type(), event.time(), texts(event.fields())));
    }
    return events;
  }

  /** Returns the result as a row with its events in the form of a caller. */
  Row toRow(Object events) {
    return Row.of(
        getRule(),
        getVersion(),
        kind.name().toLowerCase(java.util.Locale.ROOT),
        getId(),
        texts(getKey()),
        getStart(),
        getEnd(),
        getCount(),
        texts(getEmit()),
        events);
  }

  private static Map<String, String> texts(Map<String, Object> values) {
    Map<String, String> texts = new LinkedHashMap<>();
    values.forEach((name, value) -> texts.put(name, value == null ? null : value.toString()));
    return texts;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof KleeneResult result
        && kind == result.kind
        && Arrays.equals(content, result.content);
  }

  @Override
  public int hashCode() {
    return Objects.hash(kind, Arrays.hashCode(content));
  }

  @Override
  public String toString() {
    String json = toJson();
    return json != null
        ? json
        : kind + " " + getRule() + " " + getKey() + " " + getEnd() + " " + getEmit();
  }

  private Decoded decoded() {
    if (decoded == null) {
      decoded = new Decoded(kind, new Wire.Reader(content));
    }
    return decoded;
  }

  /** The parts of a result. {@code results.rs} has the order of the bytes. */
  private static final class Decoded {
    private final String rule;
    private final long version;
    private long id;
    private final Map<String, Object> key;
    private Instant start;
    private final Instant end;
    private long count;
    private boolean saturated;
    private String reached;
    private List<String> awaits = List.of();
    private List<CapturedEvent> events = List.of();
    private Map<String, Object> emit = Map.of();
    private String limit;
    private long dropped;
    private final String json;

    Decoded(Kind kind, Wire.Reader reader) {
      rule = reader.text();
      version = reader.unsigned();
      if (kind == Kind.LIMIT) {
        key = reader.fields();
        end = Instant.ofEpochMilli(reader.signed());
        limit = reader.text();
        dropped = reader.unsigned();
      } else {
        id = reader.unsigned();
        key = reader.fields();
        start = Instant.ofEpochMilli(reader.signed());
        end = Instant.ofEpochMilli(reader.signed());
        count = reader.unsigned();
        saturated = reader.bool();
        reached = reader.bool() ? reader.text() : null;
        awaits = new ArrayList<>();
        for (int left = reader.count(); left > 0; left--) {
          awaits.add(reader.text());
        }
        events = readEvents(reader);
        emit = reader.fields();
      }
      String line = reader.text();
      json = line.isEmpty() ? null : line;
    }

    private static List<CapturedEvent> readEvents(Wire.Reader reader) {
      List<CapturedEvent> events = new ArrayList<>();
      for (int left = reader.count(); left > 0; left--) {
        String step = reader.text();
        String type = reader.text();
        Instant time = Instant.ofEpochMilli(reader.signed());
        events.add(new CapturedEvent(step, type, time, reader.fields()));
      }
      return events;
    }
  }
}
