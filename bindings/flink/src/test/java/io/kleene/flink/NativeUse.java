package io.kleene.flink;

/** The memory that the native library holds in this process, for benches. */
public final class NativeUse {
  private NativeUse() {}

  /** Returns the bytes in use. */
  public static long bytes() {
    return NativeEngine.usedBytes();
  }

  /** Returns the most bytes that were in use at once. */
  public static long peakBytes() {
    return NativeEngine.peakBytes();
  }
}
