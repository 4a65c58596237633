package io.kleene.flink;

import java.util.ArrayList;
import java.util.List;

/** What became of a rule, or of a file of rules, when rules were replaced. */
public final class RuleVerdict {
  /** The name of the rule; empty for a file that was refused. */
  public String rule;

  /**
   * {@code unchanged}, {@code continued}, {@code added}, {@code removed} or {@code reset} (its state
   * was dropped); {@code refused} for a file: the old rules stay.
   */
  public String verdict;

  /** The verdict in a sentence; for a refused file its diagnostics, with lines and carets. */
  public String message;

  /** The number of partial matches that continue. */
  public long kept;

  /** The number of partial matches that were dropped. */
  public long dropped;

  /** The task that says so, from 0: each task holds the partial matches of its own keys. */
  public int subtask;

  /** Makes an empty one, for Flink. */
  public RuleVerdict() {}

  static RuleVerdict refused(String message, int subtask) {
    RuleVerdict verdict = new RuleVerdict();
    verdict.rule = "";
    verdict.verdict = "refused";
    verdict.message = message;
    verdict.subtask = subtask;
    return verdict;
  }

  static List<RuleVerdict> read(byte[] bytes, int subtask) {
    Wire.Reader reader = new Wire.Reader(bytes);
    List<RuleVerdict> verdicts = new ArrayList<>();
    for (int left = reader.count(); left > 0; left--) {
      RuleVerdict verdict = new RuleVerdict();
      verdict.rule = reader.text();
      verdict.verdict = reader.text();
      verdict.message = reader.text();
      verdict.kept = reader.unsigned();
      verdict.dropped = reader.unsigned();
      verdict.subtask = subtask;
      verdicts.add(verdict);
    }
    return verdicts;
  }

  @Override
  public String toString() {
    return message;
  }
}
