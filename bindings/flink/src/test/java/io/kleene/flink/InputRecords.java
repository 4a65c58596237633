package io.kleene.flink;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Reads the lines of a file, or the records of CSV, which go on over lines inside of quotes. Empty
 * lines are skipped.
 */
final class InputRecords implements Closeable {
  /** A record: the number of its first line, from 1, and its text; null if it is not UTF-8. */
  record Line(long number, String text) {}

  private final InputStream input;
  private final boolean isCsv;
  private final char delimiter;
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private long lines;

  InputRecords(Path file) throws IOException {
    this.input = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
    this.isCsv = isCsv(file);
    this.delimiter = delimiter(file);
  }

  static boolean isCsv(Path file) {
    return file.toString().endsWith(".csv") || file.toString().endsWith(".tsv");
  }

  static char delimiter(Path file) {
    return file.toString().endsWith(".tsv") ? '\t' : ',';
  }

  /** Counts the records from here to the end. */
  long count() throws IOException {
    long count = 0;
    while (next() != null) {
      count++;
    }
    return count;
  }

  /** Returns the next record, or null. */
  Line next() throws IOException {
    while (true) {
      String text = line();
      if (text == null) {
        return null;
      }
      long number = lines;
      if (isCsv && text.indexOf('"') >= 0) {
        text = wholeRecord(text);
      }
      if (!text.isBlank()) {
        return new Line(number, text.equals(NOT_UTF8) ? null : text);
      }
    }
  }

  private static final String NOT_UTF8 = "\uffff";

  private String wholeRecord(String text) throws IOException {
    StringBuilder whole = new StringBuilder(text);
    while (isQuoteOpen(whole)) {
      String more = line();
      if (more == null) {
        break;
      }
      whole.append('\n').append(more);
    }
    return whole.toString();
  }

  /** A quote opens at the start of a cell alone. */
  private boolean isQuoteOpen(CharSequence text) {
    int at = 0;
    while (at < text.length()) {
      if (text.charAt(at) == '"') {
        at = closing(text, at + 1);
        if (at < 0) {
          return true;
        }
        at++;
      }
      while (at < text.length() && text.charAt(at) != delimiter) {
        at++;
      }
      at++;
    }
    return false;
  }

  /** Returns the place of the quote that closes a cell, or -1. Two quotes are one of the text. */
  static int closing(CharSequence text, int from) {
    for (int at = from; at < text.length(); at++) {
      if (text.charAt(at) != '"') {
        continue;
      }
      if (at + 1 == text.length() || text.charAt(at + 1) != '"') {
        return at;
      }
      at++;
    }
    return -1;
  }

  private String line() throws IOException {
    bytes.reset();
    int next = input.read();
    if (next < 0) {
      return null;
    }
    lines++;
    for (; next >= 0 && next != '\n'; next = input.read()) {
      bytes.write(next);
    }
    try {
      ByteBuffer all = ByteBuffer.wrap(bytes.toByteArray());
      String text = StandardCharsets.UTF_8.newDecoder().decode(all).toString();
      if (lines == 1 && text.startsWith("\ufeff")) {
        text = text.substring(1);
      }
      return text.endsWith("\r") ? text.substring(0, text.length() - 1) : text;
    } catch (CharacterCodingException error) {
      return NOT_UTF8;
    }
  }

  @Override
  public void close() throws IOException {
    input.close();
  }
}
