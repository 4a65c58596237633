package io.kleene.flink.cep;

import java.util.Objects;

/**
 * Something to know about a translation.
 *
 * @param kind what to do about it
 * @param step the name of the pattern in Flink that it concerns; empty if it concerns all
 * @param text what it is, and what to write instead
 */
public record Remark(Kind kind, String step, String text) {
  /** What to do about a remark. */
  public enum Kind {
    /** The rule has a placeholder here, or is refused by the checker, until you write this part. */
    TODO,
    /** The results can differ from those of Flink. */
    DIFFERENCE,
    /** The pattern in Flink has something without effect, which the rule leaves out. */
    LEFT_OUT,
    /** The rule says the same; nothing needs to be done. */
    NOTE
  }

  /** Checks that all parts are there. */
  public Remark {
    Objects.requireNonNull(kind);
    Objects.requireNonNull(step);
    Objects.requireNonNull(text);
  }

  /** Returns the remark as a line, such as {@code TODO: step `a`: write its condition}. */
  @Override
  public String toString() {
    String what = kind.name().replace('_', ' ');
    return step.isEmpty() ? what + ": " + text : what + ": step `" + step + "`: " + text;
  }
}
