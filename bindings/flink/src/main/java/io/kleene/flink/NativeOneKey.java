package io.kleene.flink;

import java.nio.ByteBuffer;

/**
 * Compiled rules of the native library that run for one key at a time. The state of a key is bytes,
 * which the caller keeps: no engine lives between two calls.
 */
final class NativeOneKey implements AutoCloseable {
  /** What {@link #run} returns if a key has no state: it never is due. */
  static final long NEVER = Long.MIN_VALUE;

  /** What {@link #run} takes as a watermark that stays. */
  static final long NO_ADVANCE = Long.MIN_VALUE;

  static {
    NativeLibrary.load();
  }

  private long handle;

  NativeOneKey(RuleTexts rules, NativeEngine.Settings settings) {
    handle = compile(rules.bytes(), settings.bytes());
  }

  /** The state of a key, and results. */
  static final class Key {
    private static final byte[] NONE = {};

    private final byte[][] bytes = {NONE, NONE, NONE};

    /** Sets the state: what it has in common with others, unless with all, and the rest. */
    void enter(byte[] head, byte[] part) {
      bytes[0] = head == null ? NONE : head;
      bytes[1] = part == null ? NONE : part;
    }

    byte[] head() {
      return bytes[0];
    }

    byte[] part() {
      return bytes[1];
    }

    byte[] results() {
      return bytes[2];
    }
  }

  /** Returns what the states of all keys under these rules have in common. */
  byte[] head() {
    return head(handle);
  }

  /**
   * Pushes the batch of a header, if it has words, and advances the watermark. Returns when the key
   * is due: {@link Long#MAX_VALUE} at the end of time, {@link #NEVER} if it has no state any more.
   */
  long run(Key key, ByteBuffer header, int words, long watermark) {
    return run(handle, key.bytes, header, words, watermark);
  }

  /** Frees the rules. A second call does nothing. */
  @Override
  public void close() {
    long open = handle;
    handle = 0;
    if (open != 0) {
      free(open);
    }
  }

  private static native long compile(byte[] rules, byte[] settings);

  private static native byte[] head(long rules);

  private static native long run(
      long rules, byte[][] state, ByteBuffer header, int words, long watermark);

  private static native void free(long rules);
}
