package io.kleene.flink;

import java.nio.ByteBuffer;

/**
 * The methods of the native library, and an engine of it.
 *
 * <p>An engine belongs to the thread of its task. Its memory is not on the Java heap: {@link #close}
 * frees it.
 */
final class NativeEngine implements AutoCloseable {
  /** The counts of an engine, in the order of {@link #counts}. */
  enum Count {
    EVENTS,
    MATCHES,
    TIMEOUTS,
    REJECTED,
    KEYLESS,
    PARTIALS,
    KEYS,
    BUFFERED,
    OVERFLOWED,
    SUPPRESSED,
    FILTERED,
    CAPTURED_BYTES
  }

  static {
    NativeLibrary.load();
  }

  private long handle;

  private NativeEngine(long handle) {
    this.handle = handle;
  }

  /** Checks rules. */
  static Loaded load(RuleTexts rules, boolean mayReadFiles) {
    Wire.Reader reader = new Wire.Reader(load(rules.bytes(), mayReadFiles));
    RuleTexts texts = RuleTexts.ofBytes(reader.bytes());
    RulePlan plan = RulePlan.read(reader.bytes());
    return new Loaded(texts, plan, reader.text());
  }

  /**
   * Rules that were checked: their texts with the files that they name, their event types and groups
   * by key, and their warnings, or nothing.
   */
  record Loaded(RuleTexts texts, RulePlan plan, String warnings) {}

  /** Makes the engine of a group of rules. */
  static NativeEngine create(RuleTexts rules, Settings settings) {
    return new NativeEngine(create(rules.bytes(), settings.bytes()));
  }

  /** Makes an engine with the state of key groups, of which {@code earliest} is a watermark. */
  static Restored restore(
      RuleTexts rules, Settings settings, byte[][] heads, byte[][] parts, long earliest) {
    long[] handles = new long[1];
    byte[] verdicts = restore(rules.bytes(), settings.bytes(), heads, parts, earliest, handles);
    return new Restored(new NativeEngine(handles[0]), verdicts);
  }

  /** An engine, and the verdicts on its rules. */
  record Restored(NativeEngine engine, byte[] verdicts) {}

  /** What an engine is made with: the group, the name of the time in JSON, the parts of results. */
  record Settings(String signature, String timeField, boolean withEvents, boolean withJson) {
    byte[] bytes() {
      Wire.Writer writer = new Wire.Writer();
      writer.text(signature);
      writer.text(timeField);
      writer.bool(withEvents);
      writer.bool(withJson);
      return writer.toBytes();
    }
  }

  /** Pushes the batch of a header. Returns results, which the next call drops, or null. */
  ByteBuffer push(ByteBuffer header, int words) {
    return push(handle, header, words);
  }

  /**
   * Advances the watermark; {@link Long#MAX_VALUE} ends time. Returns results, which the next call
   * drops, or null.
   */
  ByteBuffer advance(long watermark) {
    return advance(handle, watermark);
  }

  /** Returns the heads and the parts of the state of key groups. */
  State snapshot(int groups, int first, int last) {
    Object[] state = snapshot(handle, groups, first, last);
    return new State((byte[][]) state[0], (byte[][]) state[1]);
  }

  /** The state of key groups: what they have in common, and a part for each. */
  record State(byte[][] heads, byte[][] parts) {}

  /** Replaces the rules, and returns the verdicts. */
  byte[] replace(RuleTexts rules) {
    return replace(handle, rules.bytes());
  }

  /** Writes the counts to an array with a place for each {@link Count}. */
  void counts(long[] counts) {
    counts(handle, counts);
  }

  /** Frees the engine. A second call does nothing. */
  @Override
  public void close() {
    long open = handle;
    handle = 0;
    if (open != 0) {
      free(open);
    }
  }

  static native byte[] stamp();

  private static native byte[] load(byte[] rules, boolean mayReadFiles);

  private static native long create(byte[] rules, byte[] settings);

  private static native byte[] restore(
      byte[] rules,
      byte[] settings,
      byte[][] heads,
      byte[][] parts,
      long earliest,
      long[] handles);

  private static native ByteBuffer push(long engine, ByteBuffer header, int words);

  private static native ByteBuffer advance(long engine, long watermark);

  private static native Object[] snapshot(long engine, int groups, int first, int last);

  private static native byte[] replace(long engine, byte[] rules);

  private static native void counts(long engine, long[] counts);

  /** Returns the bytes that the library holds, of all engines of the process. */
  static native long usedBytes();

  /** Returns the most bytes that the library has held at once. */
  static native long peakBytes();

  /** Returns the address of a direct buffer. */
  static native long address(ByteBuffer buffer);

  /** Returns the key group of a key, as the library computes it. */
  static native int keyGroup(byte[] key, int groups);

  /** Panics, for a test. */
  static native void panic();

  private static native void free(long engine);
}
