package io.kleene.flink;

import java.net.InetAddress;
import java.util.Arrays;

/** IP addresses as text and as bytes. An IPv4 address within an IPv6 address stays one of 16 bytes. */
final class IpAddresses {
  private IpAddresses() {}

  /** Returns the bytes of an address, or null for any other text. No name is looked up. */
  static byte[] parse(String text) {
    return text.indexOf(':') < 0 ? parseV4(text) : parseV6(text);
  }

  private static byte[] parseV4(String text) {
    byte[] address = new byte[4];
    int at = 0;
    for (int index = 0; index < 4; index++) {
      if (index > 0 && (at >= text.length() || text.charAt(at++) != '.')) {
        return null;
      }
      int start = at;
      int octet = 0;
      while (at < text.length() && at - start < 3 && isDigit(text.charAt(at))) {
        octet = 10 * octet + text.charAt(at++) - '0';
      }
      boolean hasZero = at - start > 1 && text.charAt(start) == '0';
      if (at == start || octet > 255 || hasZero) {
        return null;
      }
      address[index] = (byte) octet;
    }
    return at == text.length() ? address : null;
  }

  private static boolean isDigit(char character) {
    return character >= '0' && character <= '9';
  }

  private static byte[] parseV6(String text) {
    int gap = text.indexOf("::");
    byte[] head = groups(gap < 0 ? text : text.substring(0, gap));
    byte[] tail = gap < 0 ? new byte[0] : groups(text.substring(gap + 2));
    if (head == null || tail == null) {
      return null;
    }
    int length = head.length + tail.length;
    if (gap < 0 ? length != 16 : length > 14) {
      return null;
    }
    byte[] address = new byte[16];
    System.arraycopy(head, 0, address, 0, head.length);
    System.arraycopy(tail, 0, address, 16 - tail.length, tail.length);
    return address;
  }

  /** Returns the bytes of groups that colons divide; the last one may be an IPv4 address. */
  private static byte[] groups(String text) {
    if (text.isEmpty()) {
      return new byte[0];
    }
    String[] parts = text.split(":", -1);
    byte[] v4 = parts[parts.length - 1].indexOf('.') < 0 ? null : parseV4(parts[parts.length - 1]);
    boolean hasDots = parts[parts.length - 1].indexOf('.') >= 0;
    if (hasDots && v4 == null) {
      return null;
    }
    int plain = hasDots ? parts.length - 1 : parts.length;
    if (plain > 8) {
      return null;
    }
    byte[] bytes = new byte[2 * plain + (hasDots ? 4 : 0)];
    for (int index = 0; index < plain; index++) {
      int group = group(parts[index]);
      if (group < 0) {
        return null;
      }
      bytes[2 * index] = (byte) (group >> 8);
      bytes[2 * index + 1] = (byte) group;
    }
    if (hasDots) {
      System.arraycopy(v4, 0, bytes, 2 * plain, 4);
    }
    return bytes;
  }

  /** Returns the number of up to four hexadecimal digits; -1 if the text is something else. */
  private static int group(String text) {
    if (text.isEmpty() || text.length() > 4) {
      return -1;
    }
    int number = 0;
    for (int index = 0; index < text.length(); index++) {
      char digit = text.charAt(index);
      int value = digit < 128 ? Character.digit(digit, 16) : -1;
      if (value < 0) {
        return -1;
      }
      number = 16 * number + value;
    }
    return number;
  }

  /** Returns the text of an address. */
  static String format(byte[] address) {
    if (address.length == 4) {
      return (address[0] & 0xff)
          + "."
          + (address[1] & 0xff)
          + "."
          + (address[2] & 0xff)
          + "."
          + (address[3] & 0xff);
    }
    if (isMapped(address)) {
      return "::ffff:" + format(Arrays.copyOfRange(address, 12, 16));
    }
    int bestStart = -1;
    int bestLength = 1;
    for (int start = 0; start < 8; start++) {
      int length = 0;
      while (start + length < 8 && group(address, start + length) == 0) {
        length++;
      }
      if (length > bestLength) {
        bestStart = start;
        bestLength = length;
      }
    }
    StringBuilder text = new StringBuilder();
    for (int index = 0; index < 8; index++) {
      if (index == bestStart) {
        text.append("::");
        index += bestLength - 1;
        continue;
      }
      if (text.length() > 0 && text.charAt(text.length() - 1) != ':') {
        text.append(':');
      }
      text.append(Integer.toHexString(group(address, index)));
    }
    return text.toString();
  }

  private static boolean isMapped(byte[] address) {
    for (int index = 0; index < 5; index++) {
      if (group(address, index) != 0) {
        return false;
      }
    }
    return group(address, 5) == 0xffff;
  }

  private static int group(byte[] address, int index) {
    return (address[2 * index] & 0xff) << 8 | address[2 * index + 1] & 0xff;
  }

  /** Returns the bytes of an address of Java. */
  static byte[] bytes(InetAddress address) {
    return address.getAddress();
  }
}
