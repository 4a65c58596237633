package io.kleene.flink;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.java.functions.KeySelector;

/**
 * Gives each event the hash of its key, by which Flink distributes events.
 *
 * <p>The native library computes the same hash of the keys that it holds ({@code key_group.rs}), so
 * that it can say to which key group a key belongs. A value hashes alike whether rules declare it as
 * an int or as a float, as a time or as milliseconds, as an address or as its text.
 *
 * @param <T> the Java type of events
 */
final class KeyHash<T> implements KeySelector<T, Integer> {
  private static final long serialVersionUID = 1L;
  private static final long FNV_OFFSET = 0xcbf29ce484222325L;
  private static final long FNV_PRIME = 0x100000001b3L;

  private final EventReader<T> reader;
  private final RulePlan plan;
  private final List<RulePlan.KeyPart> parts;

  private transient EventReader.TypeGetter<T> type;
  private transient Map<String, List<Part<T>>> ofType;
  private transient Wire.Writer bytes;

  KeyHash(EventReader<T> reader, RulePlan plan, List<RulePlan.KeyPart> parts) {
    this.reader = reader;
    this.plan = plan;
    this.parts = parts;
  }

  /** How a part of the key is read from events of one type. */
  private record Part<T>(EventFields.Getter<T> getter, RulePlan.Kind kind, int lists) {}

  @Override
  public Integer getKey(T event) {
    return hash(event);
  }

  /** Returns the hash of the key of an event. */
  int hash(T event) {
    if (ofType == null) {
      type = reader.typeGetter();
      ofType = new HashMap<>();
      bytes = new Wire.Writer();
    }
    bytes.clear();
    for (Part<T> part : ofType.computeIfAbsent(type.get(event), this::partsOf)) {
      Object value = part.getter() == null ? null : part.getter().get(event);
      writeNormalized(bytes, value, part.kind(), part.lists());
    }
    return fold(bytes.array(), bytes.length());
  }

  private List<Part<T>> partsOf(String typeName) {
    RulePlan.EventType declared = typeName == null ? null : plan.type(typeName);
    List<Part<T>> all = new ArrayList<>();
    for (RulePlan.KeyPart part : parts) {
      String path = part.path(typeName);
      RulePlan.Field field = declared == null ? null : declared.field(path);
      RulePlan.Kind kind = field == null ? RulePlan.Kind.ANY : field.kind();
      int lists = field == null ? 0 : field.lists();
      all.add(new Part<>(reader.fields().getter(path), kind, lists));
    }
    return all;
  }

  /** Writes a value as it is hashed. A value that does not fit is null: its event is rejected. */
  static void writeNormalized(Wire.Writer writer, Object value, RulePlan.Kind kind, int lists) {
    int start = writer.length();
    try {
      if (value == null || lists > 0) {
        FieldValues.write(writer, value, kind, lists);
        return;
      }
      switch (kind) {
        case FLOAT -> writeNumber(writer, FieldValues.toFloat(value));
        case TIME -> writer.intValue(FieldValues.toTime(value));
        case DURATION -> writer.intValue(FieldValues.toDuration(value));
        case IP -> {
          String text = IpAddresses.format(FieldValues.toIp(value));
          writer.stringValue(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
        }
        case ANY -> writeNormalizedAny(writer, value);
        default -> FieldValues.write(writer, value, kind, 0);
      }
    } catch (FieldValues.WrongType wrong) {
      writer.truncate(start);
      writer.u8(Wire.NULL);
    }
  }

  private static void writeNormalizedAny(Wire.Writer writer, Object value)
      throws FieldValues.WrongType {
    Wire.Writer plain = new Wire.Writer();
    FieldValues.writeAny(plain, value);
    Object read = new Wire.Reader(plain.toBytes()).value();
    if (read instanceof Double number) {
      writeNumber(writer, number);
    } else if (read instanceof java.time.Instant time) {
      writer.intValue(time.toEpochMilli());
    } else if (read instanceof java.time.Duration duration) {
      writer.intValue(duration.toMillis());
    } else if (read instanceof String text) {
      writer.stringValue(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    } else {
      writer.raw(plain.toBytes());
    }
  }

  /** A float without a fraction hashes as the int that it equals. */
  private static void writeNumber(Wire.Writer writer, double number) {
    long whole = (long) number;
    if (whole == number && Math.abs(number) < 0x1p53) {
      writer.intValue(whole);
    } else {
      writer.floatValue(number);
    }
  }

  /** FNV-1a of 64 bits, folded to 32. */
  static int fold(byte[] bytes, int length) {
    long hash = fnv(bytes, length);
    return (int) (hash ^ hash >>> 32);
  }

  /** FNV-1a of 64 bits. */
  static long fnv(byte[] bytes, int length) {
    long hash = FNV_OFFSET;
    for (int index = 0; index < length; index++) {
      hash = (hash ^ (bytes[index] & 0xff)) * FNV_PRIME;
    }
    return hash;
  }
}
