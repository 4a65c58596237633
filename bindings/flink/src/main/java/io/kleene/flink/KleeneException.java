package io.kleene.flink;

/** An error of Kleene that fails the task: a limit, a damaged state, a missing setting. */
public class KleeneException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Makes an exception. */
  public KleeneException(String message) {
    super(message);
  }

  /** Makes an exception with its cause. */
  public KleeneException(String message, Throwable cause) {
    super(message, cause);
  }
}
