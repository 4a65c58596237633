package io.kleene.flink;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Numbers, texts and values as snapshots of Kleene write them (docs/format.md). */
final class Wire {
  static final int NULL = 0;
  static final int FALSE = 1;
  static final int TRUE = 2;
  static final int INT = 3;
  static final int FLOAT = 4;
  static final int STRING = 5;
  static final int TIME = 6;
  static final int DURATION = 7;
  static final int IP_V4 = 8;
  static final int IP_V6 = 9;
  static final int LIST = 10;
  static final int RECORD = 11;

  private Wire() {}

  /** Appends to bytes. */
  static final class Writer {
    private byte[] bytes;
    private int length;

    Writer() {
      bytes = new byte[64];
    }

    /** Starts anew with the same memory. */
    void clear() {
      length = 0;
    }

    /** Drops what was written from a length on. */
    void truncate(int to) {
      length = to;
    }

    byte[] array() {
      return bytes;
    }

    int length() {
      return length;
    }

    byte[] toBytes() {
      return Arrays.copyOf(bytes, length);
    }

    private void room(int more) {
      if (bytes.length - length < more) {
        bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, length + more));
      }
    }

    void u8(int value) {
      room(1);
      bytes[length++] = (byte) value;
    }

    void bool(boolean value) {
      u8(value ? 1 : 0);
    }

    /** A number that is not negative, or all 64 bits of one. */
    void unsigned(long value) {
      room(10);
      while ((value & ~0x7fL) != 0) {
        bytes[length++] = (byte) (value | 0x80);
        value >>>= 7;
      }
      bytes[length++] = (byte) value;
    }

    void signed(long value) {
      unsigned((value << 1) ^ (value >> 63));
    }

    void raw(byte[] more) {
      room(more.length);
      System.arraycopy(more, 0, bytes, length, more.length);
      length += more.length;
    }

    void bytes(byte[] more) {
      unsigned(more.length);
      raw(more);
    }

    void text(String text) {
      bytes(text.getBytes(StandardCharsets.UTF_8));
    }

    private void fixed(long value) {
      room(8);
      for (int shift = 0; shift < 64; shift += 8) {
        bytes[length++] = (byte) (value >>> shift);
      }
    }

    void intValue(long value) {
      u8(INT);
      signed(value);
    }

    void floatValue(double value) {
      u8(FLOAT);
      fixed(Double.doubleToRawLongBits(value));
    }

    void stringValue(byte[] utf8) {
      u8(STRING);
      bytes(utf8);
    }

    void timeValue(long millis) {
      u8(TIME);
      signed(millis);
    }

    void durationValue(long millis) {
      u8(DURATION);
      signed(millis);
    }

    void ipValue(byte[] address) {
      u8(address.length == 4 ? IP_V4 : IP_V6);
      raw(address);
    }
  }

  /** Reads bytes that the native library has written. */
  static final class Reader {
    private final byte[] bytes;
    private final int end;
    private int at;

    Reader(byte[] bytes) {
      this(bytes, 0, bytes.length);
    }

    Reader(byte[] bytes, int start, int end) {
      this.bytes = bytes;
      this.at = start;
      this.end = end;
    }

    boolean isAtEnd() {
      return at >= end;
    }

    int u8() {
      if (at >= end) {
        throw new KleeneException("bytes of the native library end too early");
      }
      return bytes[at++] & 0xff;
    }

    boolean bool() {
      return u8() != 0;
    }

    long unsigned() {
      long value = 0;
      for (int shift = 0; shift < 70; shift += 7) {
        int next = u8();
        value |= (long) (next & 0x7f) << shift;
        if (next < 0x80) {
          return value;
        }
      }
      throw new KleeneException("a number of the native library is too long");
    }

    long signed() {
      long value = unsigned();
      return (value >>> 1) ^ -(value & 1);
    }

    int count() {
      long count = unsigned();
      if (count < 0 || count > end - at) {
        throw new KleeneException("bytes of the native library end too early");
      }
      return (int) count;
    }

    byte[] bytes() {
      int length = count();
      at += length;
      return Arrays.copyOfRange(bytes, at - length, at);
    }

    String text() {
      int length = count();
      at += length;
      return new String(bytes, at - length, length, StandardCharsets.UTF_8);
    }

    private byte[] raw(int length) {
      if (length > end - at) {
        throw new KleeneException("bytes of the native library end too early");
      }
      at += length;
      return Arrays.copyOfRange(bytes, at - length, at);
    }

    /**
     * A value: null, Boolean, Long, Double, String, {@link Instant}, {@link Duration}, an address as
     * a String, List or Map.
     */
    Object value() {
      return switch (u8()) {
        case NULL -> null;
        case FALSE -> Boolean.FALSE;
        case TRUE -> Boolean.TRUE;
        case INT -> signed();
        case FLOAT -> Double.longBitsToDouble(fixed());
        case STRING -> text();
        case TIME -> Instant.ofEpochMilli(signed());
        case DURATION -> Duration.ofMillis(signed());
        case IP_V4 -> IpAddresses.format(raw(4));
        case IP_V6 -> IpAddresses.format(raw(16));
        case LIST -> list();
        case RECORD -> fields();
        default -> throw new KleeneException("the native library has written an unknown value");
      };
    }

    private List<Object> list() {
      int length = count();
      List<Object> items = new ArrayList<>(length);
      for (int item = 0; item < length; item++) {
        items.add(value());
      }
      return items;
    }

    /** Names and values. */
    Map<String, Object> fields() {
      int length = count();
      Map<String, Object> fields = new LinkedHashMap<>();
      for (int field = 0; field < length; field++) {
        String name = text();
        fields.put(name, value());
      }
      return fields;
    }

    private long fixed() {
      long value = 0;
      byte[] raw = raw(8);
      for (int at = 7; at >= 0; at--) {
        value = value << 8 | raw[at] & 0xff;
      }
      return value;
    }
  }
}
