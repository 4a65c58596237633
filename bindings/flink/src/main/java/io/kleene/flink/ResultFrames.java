package io.kleene.flink;

import java.util.Arrays;
import java.util.Map;

/** Takes results of the native library apart. {@code results.rs} has their frame. */
final class ResultFrames {
  private static final int FRAME = 13;
  private static final int REJECTED = 3;

  private ResultFrames() {}

  /** Gets the results in their order. */
  interface Receiver {
    /** Gets a match, a timeout or a limit with its time. */
    void result(KleeneResult result, long time);

    /** Gets the reason for which an event was rejected. */
    void rejected(String reason, long time);
  }

  static void read(byte[] results, Receiver receiver) {
    int at = 0;
    while (results != null && at < results.length) {
      int kind = results[at];
      int length = (int) little(results, at + 1, 4);
      long time = little(results, at + 5, 8);
      int start = at + FRAME;
      at = start + length;
      if (kind == REJECTED) {
        Wire.Reader reader = new Wire.Reader(results, start, at);
        receiver.rejected(reader.text() + ": " + reader.text() + " " + describe(reader), time);
      } else {
        byte[] content = Arrays.copyOfRange(results, start, at);
        receiver.result(new KleeneResult(KleeneResult.Kind.values()[kind], content), time);
      }
    }
  }

  private static Map<String, Object> describe(Wire.Reader reader) {
    reader.signed();
    return reader.fields();
  }

  private static long little(byte[] bytes, int start, int length) {
    long value = 0;
    for (int at = start + length - 1; at >= start; at--) {
      value = value << 8 | bytes[at] & 0xff;
    }
    return value;
  }
}
