package io.kleene.flink;

/** Mistakes in rules. The message has all diagnostics, each with its line and a caret. */
public final class RulesException extends KleeneException {
  private static final long serialVersionUID = 1L;

  /** Makes an exception of diagnostics. */
  public RulesException(String diagnostics) {
    super(diagnostics);
  }
}
