package io.kleene.flink;

import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The texts of a rule set with the files that they name, so that they can be sent to a task. */
final class RuleTexts implements Serializable {
  private static final long serialVersionUID = 1L;

  private final byte[] bytes;

  private RuleTexts(byte[] bytes) {
    this.bytes = bytes;
  }

  static RuleTexts ofBytes(byte[] bytes) {
    return new RuleTexts(bytes);
  }

  /** Rules of one text. */
  static RuleTexts ofText(String text, Map<String, String> parameters) {
    return of(Map.of("<rules>", text), parameters);
  }

  /** Rules of a file, or of all {@code .cep} files of a folder and below, in the order of names. */
  static RuleTexts ofPath(Path path, Map<String, String> parameters) {
    Map<String, String> files = new LinkedHashMap<>();
    try (Stream<Path> found = Files.walk(path)) {
      List<Path> paths = new ArrayList<>(found.filter(Files::isRegularFile).sorted().toList());
      if (Files.isDirectory(path)) {
        paths.removeIf(file -> !file.toString().endsWith(".cep"));
      }
      for (Path file : paths) {
        files.put(file.toString(), Files.readString(file));
      }
    } catch (IOException | UncheckedIOException error) {
      throw new KleeneException("rules cannot be read: " + error.getMessage(), error);
    }
    if (files.isEmpty()) {
      throw new KleeneException("no rule file (*.cep) is in " + path);
    }
    return of(files, parameters);
  }

  private static RuleTexts of(Map<String, String> files, Map<String, String> parameters) {
    Wire.Writer writer = new Wire.Writer();
    pairs(writer, files);
    pairs(writer, parameters);
    writer.unsigned(0);
    return new RuleTexts(writer.toBytes());
  }

  private static void pairs(Wire.Writer writer, Map<String, String> pairs) {
    writer.unsigned(pairs.size());
    pairs.forEach(
        (name, text) -> {
          writer.text(name);
          writer.text(text);
        });
  }

  byte[] bytes() {
    return bytes;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RuleTexts texts && Arrays.equals(bytes, texts.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }
}
