package io.kleene.flink;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;

/** Takes results of the native library apart. {@code results.rs} has their frame. */
final class ResultFrames {
  private static final int REJECTED = 3;

  private ResultFrames() {}

  /** Gets the results in their order. */
  interface Receiver {
    /** Gets a match, a timeout or a limit with its time. */
    void result(KleeneResult result, long time);

    /** Gets the reason for which an event was rejected. */
    void rejected(String reason, long time);
  }

  /** Reads results; null has none. */
  static void read(ByteBuffer results, Receiver receiver) {
    if (results == null) {
      return;
    }
    results.order(ByteOrder.LITTLE_ENDIAN);
    while (results.hasRemaining()) {
      int kind = results.get();
      byte[] content = new byte[results.getInt()];
      long time = results.getLong();
      results.get(content);
      if (kind == REJECTED) {
        Wire.Reader reader = new Wire.Reader(content);
        receiver.rejected(reader.text() + ": " + reader.text() + " " + describe(reader), time);
      } else {
        receiver.result(new KleeneResult(KleeneResult.Kind.values()[kind], content), time);
      }
    }
  }

  private static Map<String, Object> describe(Wire.Reader reader) {
    reader.signed();
    return reader.fields();
  }
}
