package io.kleene.flink;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.Collection;
import java.util.Map;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.types.Row;

/**
 * Values of events as rules read them.
 *
 * <p>A method returns a number in its own form, or throws {@link WrongType} if the value does not fit
 * the declared type. A time without a zone is in UTC; a number for a time or a duration is
 * milliseconds.
 */
final class FieldValues {
  private FieldValues() {}

  /** A value does not fit the declared type. It has no stack trace, as it is thrown for each event. */
  static final class WrongType extends Exception {
    private static final long serialVersionUID = 1L;

    WrongType(String message) {
      super(message, null, false, false);
    }
  }

  static boolean toBool(Object value) throws WrongType {
    if (value instanceof Boolean bool) {
      return bool;
    }
    throw wrong(value);
  }

  static long toInt(Object value) throws WrongType {
    if (value instanceof Long || value instanceof Integer) {
      return ((Number) value).longValue();
    }
    if (value instanceof Short || value instanceof Byte) {
      return ((Number) value).longValue();
    }
    try {
      if (value instanceof BigInteger big) {
        return big.longValueExact();
      }
      if (value instanceof BigDecimal big) {
        return big.longValueExact();
      }
      if (value instanceof DecimalData decimal) {
        return decimal.toBigDecimal().longValueExact();
      }
    } catch (ArithmeticException error) {
      throw new WrongType("is not an integer of 64 bits");
    }
    throw wrong(value);
  }

  static double toFloat(Object value) throws WrongType {
    if (value instanceof Double || value instanceof Float) {
      return ((Number) value).doubleValue();
    }
    if (value instanceof Number number) {
      return number.doubleValue();
    }
    if (value instanceof DecimalData decimal) {
      return decimal.toBigDecimal().doubleValue();
    }
    throw wrong(value);
  }

  static byte[] toUtf8(Object value) throws WrongType {
    if (value instanceof String text) {
      return text.getBytes(StandardCharsets.UTF_8);
    }
    if (value instanceof StringData text) {
      return text.toBytes();
    }
    if (value instanceof Enum<?> constant) {
      return constant.name().getBytes(StandardCharsets.UTF_8);
    }
    if (value instanceof CharSequence || value instanceof Character) {
      return value.toString().getBytes(StandardCharsets.UTF_8);
    }
    throw wrong(value);
  }

  static long toTime(Object value) throws WrongType {
    try {
      if (value instanceof Long millis) {
        return millis;
      }
      if (value instanceof Instant instant) {
        return instant.toEpochMilli();
      }
      if (value instanceof LocalDateTime local) {
        return local.toInstant(ZoneOffset.UTC).toEpochMilli();
      }
      if (value instanceof OffsetDateTime offset) {
        return offset.toInstant().toEpochMilli();
      }
      if (value instanceof ZonedDateTime zoned) {
        return zoned.toInstant().toEpochMilli();
      }
      if (value instanceof TimestampData timestamp) {
        return timestamp.getMillisecond();
      }
      if (value instanceof java.util.Date date) {
        return date.getTime();
      }
      if (value instanceof String || value instanceof StringData) {
        return OffsetDateTime.parse(value.toString()).toInstant().toEpochMilli();
      }
    } catch (ArithmeticException | DateTimeException error) {
      throw new WrongType("is not a time");
    }
    throw wrong(value);
  }

  static long toDuration(Object value) throws WrongType {
    try {
      if (value instanceof Duration duration) {
        return duration.toMillis();
      }
    } catch (ArithmeticException error) {
      throw new WrongType("is not a duration");
    }
    if (value instanceof Long millis) {
      return millis;
    }
    throw wrong(value);
  }

  static byte[] toIp(Object value) throws WrongType {
    if (value instanceof InetAddress address) {
      return IpAddresses.bytes(address);
    }
    if (value instanceof String || value instanceof StringData) {
      byte[] address = IpAddresses.parse(value.toString());
      if (address != null) {
        return address;
      }
      throw new WrongType("is not an IP address");
    }
    throw wrong(value);
  }

  /** Writes a value by the declared type of its field. */
  static void write(Wire.Writer writer, Object value, RulePlan.Kind kind, int lists)
      throws WrongType {
    if (value == null) {
      writer.u8(Wire.NULL);
      return;
    }
    if (lists > 0) {
      writeList(writer, value, kind, lists - 1);
      return;
    }
    switch (kind) {
      case BOOL -> writer.u8(toBool(value) ? Wire.TRUE : Wire.FALSE);
      case INT -> writer.intValue(toInt(value));
      case FLOAT -> writer.floatValue(toFloat(value));
      case STRING -> writer.stringValue(toUtf8(value));
      case TIME -> writer.timeValue(toTime(value));
      case DURATION -> writer.durationValue(toDuration(value));
      case IP -> writer.ipValue(toIp(value));
      case ANY -> writeAny(writer, value);
      default -> throw wrong(value);
    }
  }

  private static void writeList(Wire.Writer writer, Object value, RulePlan.Kind kind, int lists)
      throws WrongType {
    Iterable<?> items = items(value);
    if (items == null) {
      throw wrong(value);
    }
    writer.u8(Wire.LIST);
    writer.unsigned(size(items));
    for (Object item : items) {
      write(writer, item, kind, lists);
    }
  }

  private static int size(Iterable<?> items) {
    return ((Collection<?>) items).size();
  }

  private static Collection<?> items(Object value) {
    if (value instanceof Collection<?> collection) {
      return collection;
    }
    if (value instanceof Object[] array) {
      return java.util.Arrays.asList(array);
    }
    if (value instanceof long[] array) {
      return java.util.Arrays.stream(array).boxed().toList();
    }
    if (value instanceof int[] array) {
      return java.util.Arrays.stream(array).boxed().toList();
    }
    if (value instanceof double[] array) {
      return java.util.Arrays.stream(array).boxed().toList();
    }
    return null;
  }

  /** Writes a value by its class, for fields of any type and fields that are not declared. */
  static void writeAny(Wire.Writer writer, Object value) throws WrongType {
    if (value == null) {
      writer.u8(Wire.NULL);
    } else if (value instanceof Boolean bool) {
      writer.u8(bool ? Wire.TRUE : Wire.FALSE);
    } else if (value instanceof Double || value instanceof Float || value instanceof BigDecimal) {
      writer.floatValue(((Number) value).doubleValue());
    } else if (value instanceof DecimalData) {
      writer.floatValue(toFloat(value));
    } else if (value instanceof Number) {
      writer.intValue(toInt(value));
    } else if (value instanceof Duration) {
      writer.durationValue(toDuration(value));
    } else if (value instanceof InetAddress address) {
      writer.ipValue(IpAddresses.bytes(address));
    } else if (isTime(value)) {
      writer.timeValue(toTime(value));
    } else if (value instanceof Map<?, ?> || value instanceof Row) {
      writeRecord(writer, value);
    } else if (value instanceof ArrayData) {
      throw new WrongType("is an array whose element type is not known here");
    } else if (items(value) != null) {
      writer.u8(Wire.LIST);
      writer.unsigned(items(value).size());
      for (Object item : items(value)) {
        writeAny(writer, item);
      }
    } else {
      writer.stringValue(toUtf8(value));
    }
  }

  private static boolean isTime(Object value) {
    return value instanceof Instant
        || value instanceof LocalDateTime
        || value instanceof OffsetDateTime
        || value instanceof ZonedDateTime
        || value instanceof TimestampData
        || value instanceof java.util.Date;
  }

  private static void writeRecord(Wire.Writer writer, Object value) throws WrongType {
    writer.u8(Wire.RECORD);
    if (value instanceof Map<?, ?> map) {
      writer.unsigned(map.size());
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        writer.text(String.valueOf(entry.getKey()));
        writeAny(writer, entry.getValue());
      }
      return;
    }
    Row row = (Row) value;
    java.util.Set<String> names = row.getFieldNames(true);
    if (names == null) {
      throw new WrongType("is a row whose fields have no names");
    }
    writer.unsigned(names.size());
    for (String name : names) {
      writer.text(name);
      writeAny(writer, row.getField(name));
    }
  }

  private static WrongType wrong(Object value) {
    return new WrongType("is a " + value.getClass().getSimpleName());
  }
}
