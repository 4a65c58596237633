package io.kleene.flink;

import java.math.BigInteger;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Values of files as {@code kleene run} reads them: JSON, or text, by the declared type of the field.
 *
 * <p>A time becomes its milliseconds, a duration a {@link Duration}, an address stays text.
 */
final class InputValues {
  /** The years 0 to 9999. */
  private static final long FIRST_TIME = -62_167_219_200_000L;

  private static final long LAST_TIME = 253_402_300_799_999L;

  /** From here on, a float does not say which integer it is. */
  private static final double INEXACT = 0x1p53;

  private InputValues() {}

  /** Converts a value of JSON. A single value is a list of one, where a list is declared. */
  static Object fromJson(Object value, RulePlan.Kind kind, int lists)
      throws FieldValues.WrongType {
    if (value == null) {
      return null;
    }
    if (lists > 0) {
      List<Object> items = new ArrayList<>();
      for (Object item : value instanceof List<?> list ? list : List.of(value)) {
        if (item == null) {
          throw new FieldValues.WrongType("has null in a list");
        }
        items.add(fromJson(item, kind, lists - 1));
      }
      return items;
    }
    if (kind == RulePlan.Kind.ANY) {
      return plain(value);
    }
    if (value instanceof List || value instanceof Map) {
      throw wrong(kind, value);
    }
    if (value instanceof String text) {
      return kind == RulePlan.Kind.STRING ? text : fromText(text, kind);
    }
    if (value instanceof Boolean) {
      if (kind == RulePlan.Kind.BOOL) {
        return value;
      }
      throw wrong(kind, value);
    }
    return fromNumber((Number) value, kind);
  }

  private static Object fromNumber(Number number, RulePlan.Kind kind)
      throws FieldValues.WrongType {
    boolean isWhole = number instanceof Integer || number instanceof Long;
    return switch (kind) {
      case INT -> isWhole ? (Object) number.longValue() : wholeOf(finite(number));
      case FLOAT -> finite(number);
      case TIME -> isWhole ? time(number.longValue()) : time(finite(number));
      case DURATION -> {
        if (!isWhole) {
          throw wrong(kind, number);
        }
        yield Duration.ofMillis(number.longValue());
      }
      default -> throw wrong(kind, number);
    };
  }

  /** A value of no declared type. An integer of more than 64 bits is a float. */
  static Object plain(Object value) {
    if (value instanceof BigInteger big) {
      return big.doubleValue();
    }
    if (value instanceof Integer small) {
      return small.longValue();
    }
    if (value instanceof List<?> list) {
      List<Object> items = new ArrayList<>(list.size());
      list.forEach(item -> items.add(plain(item)));
      return items;
    }
    if (value instanceof Map<?, ?> map) {
      Map<String, Object> fields = new java.util.LinkedHashMap<>();
      map.forEach((name, field) -> fields.put((String) name, plain(field)));
      return fields;
    }
    return value;
  }

  /** Converts a text that is not a list. */
  static Object fromText(String text, RulePlan.Kind kind) throws FieldValues.WrongType {
    return switch (kind) {
      case BOOL ->
          switch (text) {
            case "true", "True", "TRUE", "1" -> true;
            case "false", "False", "FALSE", "0" -> false;
            default -> throw wrong(kind, text);
          };
      case INT -> {
        Long whole = whole(text);
        yield whole != null ? whole : wholeOf(number(text, kind));
      }
      case FLOAT -> number(text, kind);
      case STRING -> text;
      case TIME -> timeOf(text);
      case DURATION -> {
        Long whole = whole(text);
        yield Duration.ofMillis(whole != null ? whole : durationOf(text));
      }
      case IP -> {
        if (IpAddresses.parse(text) == null) {
          throw wrong(kind, text);
        }
        yield text;
      }
      case ANY -> guess(text);
    };
  }

  /** A number or a bool if the text is spelled as one: {@code 007} stays text. */
  static Object guess(String text) {
    if (text.equals("true") || text.equals("false")) {
      return text.equals("true");
    }
    Long whole = whole(text);
    if (whole != null && whole.toString().equals(text)) {
      return whole;
    }
    if (text.matches("-?([1-9][0-9]*|0)\\.[0-9]*([eE][+-]?[0-9]+)?")) {
      double number = Double.parseDouble(text);
      return Double.isFinite(number) ? (Object) number : text;
    }
    return text;
  }

  private static Long whole(String text) {
    try {
      return Long.valueOf(text);
    } catch (NumberFormatException error) {
      return null;
    }
  }

  private static double number(String text, RulePlan.Kind kind) throws FieldValues.WrongType {
    for (int at = 0; at < text.length(); at++) {
      // Java reads `1d` and ` 1`, too.
      if ("+-.0123456789eE".indexOf(text.charAt(at)) < 0) {
        throw wrong(kind, text);
      }
    }
    try {
      double number = Double.parseDouble(text);
      if (Double.isFinite(number)) {
        return number;
      }
    } catch (NumberFormatException error) {
      // It is no number.
    }
    throw wrong(kind, text);
  }

  private static double finite(Number number) throws FieldValues.WrongType {
    if (!Double.isFinite(number.doubleValue())) {
      throw new FieldValues.WrongType("is a number out of range");
    }
    return number.doubleValue();
  }

  private static Long wholeOf(double number) throws FieldValues.WrongType {
    if (number != Math.rint(number) || Math.abs(number) >= INEXACT) {
      throw wrong(RulePlan.Kind.INT, number);
    }
    return (long) number;
  }

  /** A moment as text: RFC 3339, in UTC without an offset, a date alone, or milliseconds. */
  static long timeOf(String text) throws FieldValues.WrongType {
    Long whole = whole(text);
    if (whole != null) {
      return time(whole);
    }
    try {
      if (text.length() == 10) {
        return LocalDate.parse(text).atStartOfDay().toInstant(ZoneOffset.UTC).toEpochMilli();
      }
      if (text.length() > 10 && text.charAt(4) == '-') {
        String whole8601 = text.substring(0, 10) + 'T' + text.substring(11);
        boolean isLocal = text.indexOf('Z') < 0 && !text.matches(".*[+-][0-9][0-9]:?[0-9][0-9]");
        return isLocal
            ? LocalDateTime.parse(whole8601).toInstant(ZoneOffset.UTC).toEpochMilli()
            : OffsetDateTime.parse(whole8601).toInstant().toEpochMilli();
      }
    } catch (DateTimeException error) {
      throw wrong(RulePlan.Kind.TIME, text);
    }
    return time(number(text, RulePlan.Kind.TIME));
  }

  private static long time(double millis) throws FieldValues.WrongType {
    return time((long) Math.floor(Math.rint(millis * 1e3) / 1e3));
  }

  private static long time(long millis) throws FieldValues.WrongType {
    if (millis < FIRST_TIME || millis > LAST_TIME) {
      throw new FieldValues.WrongType("is out of range, the year is not between 0 and 9999");
    }
    return millis;
  }

  /** A duration as rules spell it: {@code 1h30m}, {@code 250ms}. */
  static long durationOf(String text) throws FieldValues.WrongType {
    var parts = java.util.regex.Pattern.compile("([0-9]+)(w|d|h|ms|m|s)").matcher(text);
    long total = 0;
    long last = Long.MAX_VALUE;
    int at = text.startsWith("-") ? 1 : 0;
    if (at == text.length()) {
      throw wrong(RulePlan.Kind.DURATION, text);
    }
    while (at < text.length()) {
      if (!parts.find(at) || parts.start() != at) {
        throw wrong(RulePlan.Kind.DURATION, text);
      }
      long size =
          switch (parts.group(2)) {
            case "w" -> 604_800_000;
            case "d" -> 86_400_000;
            case "h" -> 3_600_000;
            case "m" -> 60_000;
            case "s" -> 1000;
            default -> 1;
          };
      Long number = whole(parts.group(1));
      if (size >= last || number == null || number > Long.MAX_VALUE / 2 / size) {
        throw wrong(RulePlan.Kind.DURATION, text);
      }
      total += number * size;
      last = size;
      at = parts.end();
    }
    return text.startsWith("-") ? -total : total;
  }

  private static FieldValues.WrongType wrong(RulePlan.Kind kind, Object found) {
    String name = kind.name().toLowerCase(java.util.Locale.ROOT);
    return new FieldValues.WrongType("is not of the type " + name + ": " + found);
  }
}
