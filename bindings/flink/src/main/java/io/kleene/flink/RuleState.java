package io.kleene.flink;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What all tasks of an operator have in common: the rules that the job was started with, those that it
 * runs now, and the heads of the states of key groups.
 */
record RuleState(RuleTexts configured, RuleTexts current, List<byte[]> heads) {

  byte[] toBytes() {
    Wire.Writer writer = new Wire.Writer();
    writer.bytes(configured.bytes());
    writer.bytes(current.bytes());
    writer.unsigned(heads.size());
    heads.forEach(writer::bytes);
    return writer.toBytes();
  }

  static RuleState read(byte[] bytes) {
    Wire.Reader reader = new Wire.Reader(bytes);
    RuleTexts configured = RuleTexts.ofBytes(reader.bytes());
    RuleTexts current = RuleTexts.ofBytes(reader.bytes());
    List<byte[]> heads = new ArrayList<>();
    for (int left = reader.count(); left > 0; left--) {
      heads.add(reader.bytes());
    }
    return new RuleState(configured, current, heads);
  }

  /** Adds the heads that a list does not have yet. */
  void addHeadsTo(List<byte[]> all) {
    for (byte[] head : heads) {
      if (all.stream().noneMatch(known -> Arrays.equals(known, head))) {
        all.add(head);
      }
    }
  }
}
